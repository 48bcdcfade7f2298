"""Runs the stage over tables that stand for the parts of `classify`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from manifests.models import Recipe
from pipelines import storage
from pipelines.dedup.stage import STAGE
from pipelines.engine import Commit, Input, Stage, run_stage
from pipelines.parts import Counts, read_table, write_part
from pipelines.pool import Pool
from pipelines.run import Run


class Prepared(NamedTuple):
    """A run whose documents wait for dedup, and how many bytes of text they have."""

    run: Run
    stage: Stage
    text_bytes: int


def prepare(directory: Path, tables: Iterable[pa.Table], **settings: Any) -> Prepared:
    """Writes tables as the parts that dedup reads; every source may lose what it will."""
    given = {"name": "bench", "manifests": ["none"], "parts": 1, "dedup": settings}
    run = Run(url=str(directory), recipe=Recipe.model_validate(given), sources=(), base=directory)
    inputs, size = [], 0
    for at, table in enumerate(tables):
        rows = table.num_rows
        part = write_part(run.directory("classify"), f"part-{at:05}", "made", table, Counts(rows, rows, rows), {})
        url = storage.join(run.directory("classify"), f"{part.name}.parquet")
        inputs.append(Input(f"classify/{part.name}", url, part.content, rows))
        size += table["text"].nbytes
    dedup = run.recipe.dedup.model_copy(update={"most_lost": 1.0})
    recipe = run.recipe.model_copy(update={"parts": len(inputs), "dedup": dedup})
    return Prepared(replace(run, recipe=recipe), replace(STAGE, inputs=lambda run: inputs), size)


def run_dedup(prepared: Prepared, pool: Pool) -> tuple[Commit, float]:
    """The commit of the stage, and the seconds that it took, the start of the pool's workers apart."""
    for _ in pool.map(_wake, list(range(2 * pool.workers))):
        pass
    begin = time.monotonic()
    commit, _ = run_stage(prepared.run, prepared.stage, pool)
    return commit, time.monotonic() - begin


def _wake(number: int) -> int:
    import pipelines.dedup.stage  # noqa: F401 - what a worker imports once is no work of the stage

    return number


def dropped(run: Run, commit: Commit) -> list[dict[str, Any]]:
    """The drops of a run: doc_id, reason, survivor, similarity."""
    rows = []
    for part in commit.parts:
        for name in part.side:
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
