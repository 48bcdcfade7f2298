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
from benchmarks.filter.verdicts import datatrove_keeps, datatrove_stops, sample, whole

ROUNDS = 5
OURS_DOCUMENTS, THEIRS_DOCUMENTS = 4000, 250
OWNERS = ("pipelines.classify", "pipelines.filter", "benchmarks.filter.verdicts")


def measure(documents: pa.Table, log: Log) -> dict[str, Any]:
    """MB/s of each by the best of ROUNDS in turns, in processor time of one core, and where ours goes by part."""
    chosen = sample(documents, OURS_DOCUMENTS)
    theirs = sample(chosen, THEIRS_DOCUMENTS)
    texts = theirs["text"].to_pylist()
    slices = list(batches(chosen))
    whole(slices[0].slice(0, 20))  # loads the compiled functions and the models
    datatrove_keeps(texts[:2])
    with one_core():
        best = dict.fromkeys(("ours", "datatrove", "stopping"), float("inf"))
        for number in range(1, ROUNDS + 1):
            best["ours"] = min(best["ours"], _seconds(partial(_all, slices)))
            best["datatrove"] = min(best["datatrove"], _seconds(partial(datatrove_keeps, texts)))
            best["stopping"] = min(best["stopping"], _seconds(partial(datatrove_stops, texts)))
            log(
                f"speed, round {number} of {ROUNDS}: {', '.join(f'{name} {each:.2f} s' for name, each in best.items())}"
            )
        parts = profile(partial(_all, slices), OWNERS)
    size, drawn = text_bytes(chosen) / 1e6, text_bytes(theirs) / 1e6
    return {
        "documents": chosen.num_rows,
        "megabytes": size,
        "ours_mb_per_s": size / best["ours"],
        "datatrove_documents": theirs.num_rows,
        "datatrove_megabytes": drawn,
        "datatrove_mb_per_s": drawn / best["datatrove"],
        "datatrove_stopping_mb_per_s": drawn / best["stopping"],
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
