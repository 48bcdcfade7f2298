"""Runs the stage over tables that stand for the parts of `classify`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from manifests.models import Recipe
from pipelines import classify, storage
from pipelines.dedup.stage import STAGE
from pipelines.engine import COMMIT, Commit, Result, Stage, Work, run_stage
from pipelines.parts import Counts, read_table, write_part
from pipelines.pool import Pool
from pipelines.run import Run


class Prepared(NamedTuple):
    """A run whose documents wait for dedup, and how many bytes of text they have."""

    run: Run
    text_bytes: int


def prepare(directory: Path, tables: Iterable[pa.Table], **settings: Any) -> Prepared:
    """A run in which `classify` is committed of tables that are given; every source may lose what it will."""
    recipe = Recipe.model_validate({"name": "bench", "manifests": ["none"], "dedup": {"most_lost": 1.0, **settings}})
    run = Run(url=str(directory), recipe=recipe, sources=(), base=directory)
    classified = commit_classify(run, tables)
    recipe = recipe.model_copy(update={"parts": len(classified.parts)})
    told = {"recipe": recipe.model_dump(), "sources": []}
    storage.write_bytes(storage.join(run.url, "run.json"), json.dumps(told).encode())
    return Prepared(replace(run, recipe=recipe), classified.extra["text_bytes"])


def commit_classify(run: Run, tables: Iterable[pa.Table]) -> Commit:
    """Commits `classify` of a run with documents that it did not make."""

    def make(work: Work) -> Result:
        parts, size = [], 0
        for at, table in enumerate(tables):
            counts = Counts(table.num_rows, table.num_rows, table.num_rows)
            parts.append(write_part(work.directory, f"part-{at:05}", "given", table, counts, {}))
            size += table["text"].nbytes
        return Result(parts, Counts.total([part.counts for part in parts]), {"text_bytes": size})

    storage.delete(storage.join(run.directory("classify"), COMMIT))
    given = Stage(
        "classify", classify.STAGE.version, "row", lambda run: [], lambda run: run.recipe.classify.model_dump(), make
    )
    return run_stage(run, given, Pool(1))[0]


def run_dedup(prepared: Prepared, pool: Pool) -> tuple[Commit, float]:
    """The commit of the stage, and the seconds that it took, the start of the pool's workers apart."""
    for _ in pool.map(_wake, list(range(2 * pool.workers))):
        pass
    begin = time.monotonic()
    commit, _ = run_stage(prepared.run, STAGE, pool)
    return commit, time.monotonic() - begin


def _wake(number: int) -> int:
    import pipelines.dedup.stage  # noqa: F401 - what a worker imports once is no work of the stage

    return number


def dropped(run: Run, commit: Commit) -> list[dict[str, Any]]:
    """The drops of a run: doc_id, reason, survivor, similarity."""
    rows = []
    for part in commit.parts:
        for name in (name for name in part.side if name.startswith("dropped/")):
            rows += read_table(storage.join(run.directory("dedup"), name)).to_pylist()
    return [
        {
            "doc_id": row["doc_id"],
            "reason": row["reason"],
            "survivor": row["failed"][0]["value"],
            "similarity": float(row["failed"][1]["value"]),
        }
        for row in rows
    ]
