"""Speed of all scores, verdicts and edits on one core, beside datatrove's filters, over documents of the same draw."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pyarrow as pa

from benchmarks.extract.packages import Log
from benchmarks.filter.documents import batches, text_bytes
from benchmarks.filter.profiler import profile
from benchmarks.filter.verdicts import datatrove_keeps, sample, whole

ROUNDS = 3
OURS_DOCUMENTS, THEIRS_DOCUMENTS = 4000, 250
CLASSIFY = "pipelines.classify"


def measure(documents: pa.Table, log: Log) -> dict[str, Any]:
    """MB/s of each by the best of ROUNDS in turns, in processor time of one core, and where ours goes by part."""
    chosen = sample(documents, OURS_DOCUMENTS)
    theirs = sample(chosen, THEIRS_DOCUMENTS)
    texts = theirs["text"].to_pylist()
    slices = list(batches(chosen))
    whole(slices[0].slice(0, 20))  # loads the compiled functions and the models
    datatrove_keeps(texts[:2])
    with one_core():
        best_ours = best_theirs = float("inf")
        for number in range(1, ROUNDS + 1):
            best_ours = min(best_ours, _seconds(partial(_all, slices)))
            best_theirs = min(best_theirs, _seconds(partial(datatrove_keeps, texts)))
            log(f"speed, round {number} of {ROUNDS}: ours {best_ours:.2f} s, datatrove {best_theirs:.2f} s")
        parts = profile(partial(_all, slices), CLASSIFY)
    size = text_bytes(chosen) / 1e6
    return {
        "documents": chosen.num_rows,
        "megabytes": size,
        "ours_mb_per_s": size / best_ours,
        "datatrove_documents": theirs.num_rows,
        "datatrove_megabytes": text_bytes(theirs) / 1e6,
        "datatrove_mb_per_s": text_bytes(theirs) / 1e6 / best_theirs,
        "parts_ms_per_mb": {name: 1000 * seconds / size for name, seconds in parts.items()},
    }


@contextmanager
def one_core() -> Iterator[None]:
    """Binds the process to one core for a while."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _all(slices: list[pa.Table]) -> None:
    for batch in slices:
        whole(batch)


def _seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin
