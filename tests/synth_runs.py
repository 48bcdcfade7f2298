"""Small runs of synth for its tests: documents committed as the filter leaves them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from manifests.models import ClassifySettings, FilterSettings
from pipelines import storage
from pipelines.classify import score
from pipelines.engine import Commit, Result, Stage, run_stage
from pipelines.filter import edit
from pipelines.parts import Counts, key_of, read_table, write_part
from pipelines.pool import Pool
from pipelines.run import Run
from pipelines.schema import CLUSTER
from pipelines.synth.stage import STAGE


def put_documents(run: Run, documents: pa.Table, parts: int = 2) -> None:
    """Commits documents as the output of `classify` and of `filter`, in some parts."""
    scored = score(documents, ClassifySettings())
    alone = {"cluster_id": scored["doc_id"], "cluster_size": [1] * len(scored), "copies": [[]] * len(scored)}
    clustered = scored
    for field in CLUSTER:
        column = alone[field.name]
        array = column if isinstance(column, pa.ChunkedArray) else pa.array(column, field.type)
        clustered = clustered.append_column(field, array)
    for stage, table in (("classify", scored), ("filter", edit(clustered, FilterSettings()))):
        _commit(run, stage, table, parts)


def _commit(run: Run, stage: str, table: pa.Table, parts: int) -> None:
    size = -(-len(table) // parts)
    key = key_of(table["doc_id"].to_pylist(), table["text"].to_pylist())

    def make(work: Any) -> Result:
        made = [
            write_part(work.directory, f"part-{n:05}", key, each, Counts(len(each), len(each), len(each)), {})
            for n, each in enumerate(table.slice(n * size, size) for n in range(parts))
        ]
        return Result(made, Counts.total([part.counts for part in made]))

    run_stage(run, Stage(stage, 1, "row", lambda run: [], lambda run: {"key": key}, make), Pool(1))


def rows_of(run: Run, commit: Commit, folder: str = "") -> list[dict[str, Any]]:
    """Rows of all parts of the stage, or of what stands beside them."""
    urls = [storage.join(run.directory("synth"), f"{folder}{part.name}.parquet") for part in commit.parts]
    return [row for url in urls if storage.exists(url) for row in read_table(url).to_pylist()]


def make(run: Run, pool: Any) -> Commit:
    """Makes the stage."""
    return run_stage(run, STAGE, pool)[0]


def parts_of(commit: Commit) -> list[tuple[str, str, object]]:
    """Name, hash and side files of each part: what two runs that made the same have in common."""
    return [(part.name, part.sha256, part.side) for part in commit.parts]
