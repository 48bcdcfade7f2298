"""A tenth of the documents compared with the other nine, which an earlier run has, beside all of them at once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.dedup import made
from benchmarks.dedup.growth import PART
from benchmarks.dedup.stages import Prepared, prepare, run_dedup
from benchmarks.extract.packages import Log
from pipelines import storage
from pipelines.dedup.against import SUPERSEDED
from pipelines.engine import Commit
from pipelines.parts import read_table
from pipelines.pool import Pool

_NEW = 3  # of each family the member that comes later: of a family of four or more it is a copy


def measure(size: int, scratch: Path, pool: Pool, log: Log) -> dict[str, Any]:
    """Seconds of each, and the documents that one of the two ways keeps and the other does not."""
    numbers = np.arange(size)
    is_new = numbers % made.FAMILY == _NEW
    seconds, kept = {}, {}
    for name, chosen in (("whole", numbers), ("earlier", numbers[~is_new]), ("new", numbers[is_new])):
        directory = scratch / f"{name}-{size}"
        shutil.rmtree(directory, ignore_errors=True)
        against = [str(scratch / f"earlier-{size}")] if name == "new" else []
        parts = made.parts(chosen, max(pool.workers, -(-len(chosen) // PART)))
        prepared = prepare(directory, parts, against=against)
        commit, seconds[name] = run_dedup(prepared, pool)
        kept[name] = _rows(prepared, commit, "part-") | _rows(prepared, commit, "restored-")
        log(f"{name}: {len(chosen):,} documents in {seconds[name]:.1f} s")
    apart = (kept["earlier"] - _rows(prepared, commit, f"{SUPERSEDED}/")) | kept["new"]
    for name in kept:
        shutil.rmtree(scratch / f"{name}-{size}")
    return {
        "documents": size,
        "new": int(is_new.sum()),
        "seconds_at_once": seconds["whole"],
        "seconds_of_new": seconds["new"],
        "kept_at_once": len(kept["whole"]),
        "kept_apart": len(apart),
        "differing": len(kept["whole"] ^ apart),
    }


def _rows(prepared: Prepared, commit: Commit, prefix: str) -> set[str]:
    """The documents of the files of dedup whose names begin so."""
    files = [name for part in commit.parts for name in (f"{part.name}.parquet", *part.side) if name.startswith(prefix)]
    directory = prepared.run.directory("dedup")
    ids = (read_table(storage.join(directory, name), ["doc_id"])["doc_id"].to_pylist() for name in files)
    return {doc_id for of_file in ids for doc_id in of_file}
