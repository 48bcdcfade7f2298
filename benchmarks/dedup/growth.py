"""Cost of a document and memory as documents grow in number, over made documents whose copies are known."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.dedup import made
from benchmarks.dedup.stages import prepare, run_dedup
from benchmarks.extract.packages import Log
from pipelines.pool import Pool

PART = 80_000  # documents


def measure(sizes: Sequence[int], scratch: Path, pool: Pool, log: Log) -> list[dict[str, Any]]:
    """Of each size: seconds, microseconds a document, peak memory of a worker, and copies found and known."""
    return [
        _run(size, made.parts(np.arange(size), _parts(size, pool)), made.duplicates(size), scratch, pool, log)
        for size in sizes
    ]


def measure_equal(size: int, scratch: Path, pool: Pool, log: Log) -> dict[str, Any]:
    """The same of documents that all have one text."""
    return _run(size, made.equal_parts(size, _parts(size, pool)), size - 1, scratch, pool, log)


def _parts(size: int, pool: Pool) -> int:
    return max(pool.workers, -(-size // PART))


def _run(size: int, tables: Iterable[pa.Table], known: int, scratch: Path, pool: Pool, log: Log) -> dict[str, Any]:
    directory = scratch / f"made-{size}"
    shutil.rmtree(directory, ignore_errors=True)
    prepared = prepare(directory, tables)
    log(f"{size:,} documents are made")
    commit, seconds = run_dedup(prepared, pool)
    log(f"{size:,} documents: {seconds:.1f} s")
    shutil.rmtree(directory)
    return {
        "documents": size,
        "megabytes": prepared.text_bytes / 1e6,
        "seconds": seconds,
        "microseconds_a_document": 1e6 * seconds / size,
        "peak_memory": commit.peak_memory,
        "copies_found": sum(commit.counts.dropped.values()),
        "copies_known": known,
    }
