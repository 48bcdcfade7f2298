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
from filters.shingles import shingles_of
from filters.stream import Stream, read_stream
from pipelines.engine import Commit
from pipelines.pool import Pool

ROUNDS = 3
_PARTS = 4
_OF_DATASKETCH = 4  # it gets a part of the texts: its time grows with their number, or faster


def measure(table: pa.Table, scratch: Path, pool: Pool, log: Log) -> dict[str, Any]:
    """MB/s of signatures; seconds of the stage and of each peer over all texts, signatures included for all.

    The peers find no excerpts and know no versions, so the stage is measured without these, and whole.
    """
    texts = table["text"].combine_chunks()
    megabytes = texts.nbytes / 1e6
    with one_core():
        read = min(_seconds(lambda: read_stream(texts)) for _ in range(ROUNDS))
        stream = read_stream(texts)
        signed = min(_seconds(lambda: _sign(stream)) for _ in range(ROUNDS))
    near = whole = float("inf")
    for number in range(ROUNDS):
        _, seconds = _run(table, scratch / f"near-{number}", pool, contained=None, versions=None)
        near = min(near, seconds)
        commit, seconds = _run(table, scratch / f"whole-{number}", pool)
        whole = min(whole, seconds)
        log(
            f"ours, round {number + 1} of {ROUNDS}: near duplicates {near:.2f} s, excerpts and versions too {whole:.2f} s"
        )
    strings = texts.to_pylist()
    theirs = peers.datatrove(strings, scratch / "datatrove", pool.workers)
    log(f"datatrove: {theirs.seconds:.1f} s")
    some = strings[::_OF_DATASKETCH]
    index = peers.datasketch(some)
    log(f"datasketch, {len(some):,} texts: {index.seconds:.1f} s")
    signatures_s = (read + signed) / pool.workers
    return {
        "documents": len(strings),
        "megabytes": megabytes,
        "workers": pool.workers,
        "signature_mb_per_s": megabytes / signed,
        "signature_with_words_mb_per_s": megabytes / (read + signed),
        "ours_s": near + signatures_s,
        "whole_s": whole + signatures_s,
        "kept": commit.counts.rows,
        "peak_memory": commit.peak_memory,
        "datatrove_s": theirs.seconds,
        "datatrove_kept": len(theirs.kept),
        "datasketch_s_per_mb": index.seconds / (sum(len(text.encode()) for text in some) / 1e6),
    }


def _sign(stream: Stream) -> None:
    signatures(shingles_of(stream, peers.WIDTH), peers.BANDS * peers.ROWS)


def _run(table: pa.Table, directory: Path, pool: Pool, **settings: Any) -> tuple[Commit, float]:
    shutil.rmtree(directory, ignore_errors=True)
    slices = (table.take(pa.array(np.arange(at, table.num_rows, _PARTS))) for at in range(_PARTS))
    return run_dedup(prepare(directory, slices, **settings), pool)


def _seconds(work: Any) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin
