"""Speed of signatures on one core, and of near-duplicate removal beside the peers, over the same texts."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.dedup import peers
from benchmarks.dedup.stages import prepare, run_dedup
from benchmarks.extract.packages import Log
from benchmarks.filter.speed import one_core
from filters.minhash import signatures
from filters.stream import read_stream
from pipelines.pool import Pool

ROUNDS = 3
_PARTS = 4
_OF_DATASKETCH = 4  # it gets a part of the texts: its time grows with their number, or faster


def measure(table: pa.Table, scratch: Path, pool: Pool, log: Log) -> dict[str, Any]:
    """MB/s of signatures; seconds of the stage and of each peer over all texts, signatures included for all."""
    texts = table["text"].combine_chunks()
    megabytes = texts.nbytes / 1e6
    with one_core():
        read = min(_seconds(lambda: read_stream(texts)) for _ in range(ROUNDS))
        stream = read_stream(texts)
        signed = min(_seconds(lambda: signatures(stream, peers.BANDS * peers.ROWS, peers.WIDTH)) for _ in range(ROUNDS))
    stages = []
    for number in range(ROUNDS):
        directory = scratch / f"speed-{number}"
        shutil.rmtree(directory, ignore_errors=True)
        slices = (table.take(pa.array(np.arange(at, table.num_rows, _PARTS))) for at in range(_PARTS))
        commit, seconds = run_dedup(prepare(directory, slices), pool)
        stages.append(seconds)
        log(f"ours, round {number + 1} of {ROUNDS}: {seconds:.2f} s")
    strings = texts.to_pylist()
    theirs = peers.datatrove(strings, scratch / "datatrove", pool.workers)
    log(f"datatrove: {theirs.seconds:.1f} s")
    some = strings[::_OF_DATASKETCH]
    index = peers.datasketch(some)
    log(f"datasketch, {len(some):,} texts: {index.seconds:.1f} s")
    ours = min(stages) + (read + signed) / pool.workers
    return {
        "documents": len(strings),
        "megabytes": megabytes,
        "workers": pool.workers,
        "signature_mb_per_s": megabytes / signed,
        "signature_with_words_mb_per_s": megabytes / (read + signed),
        "ours_s": ours,
        "stage_s": min(stages),
        "kept": commit.counts.rows,
        "peak_memory": commit.peak_memory,
        "datatrove_s": theirs.seconds,
        "datatrove_kept": len(theirs.kept),
        "datasketch_s_per_mb": index.seconds / (sum(len(text.encode()) for text in some) / 1e6),
    }


def _seconds(work: Any) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin
