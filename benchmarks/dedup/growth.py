"""Cost of a document and memory as documents grow in number, over made documents whose copies are known."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.dedup import made
from benchmarks.dedup.stages import prepare, run_dedup
from benchmarks.extract.packages import Log
from pipelines.pool import Pool

PART = 80_000  # documents


def measure(sizes: Sequence[int], scratch: Path, pool: Pool, log: Log) -> list[dict[str, Any]]:
    """Of each size: seconds, microseconds a document, peak memory of a worker, and copies found and known."""
    found = []
    for size in sizes:
        directory = scratch / f"made-{size}"
        shutil.rmtree(directory, ignore_errors=True)
        parts = max(pool.workers, -(-size // PART))
        prepared = prepare(directory, made.parts(np.arange(size), parts))
        log(f"{size:,} documents are made")
        commit, seconds = run_dedup(prepared, pool)
        lost = sum(commit.counts.dropped.values())
        found.append(
            {
                "documents": size,
                "megabytes": prepared.text_bytes / 1e6,
                "seconds": seconds,
                "microseconds_a_document": 1e6 * seconds / size,
                "peak_memory": commit.peak_memory,
                "copies_found": lost,
                "copies_known": made.duplicates(size),
            }
        )
        log(f"{size:,} documents: {seconds:.1f} s")
        shutil.rmtree(directory)
    return found
