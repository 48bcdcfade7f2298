"""Speed of signatures on one core, and of near-duplicate removal beside the peers, over the same texts."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from benchmarks.dedup import peers
from benchmarks.dedup.real import Pairs, Quality, judged
from benchmarks.dedup.stages import dropped, prepare, run_dedup
from benchmarks.extract.packages import Log
from benchmarks.filter.speed import one_core
from filters.minhash import signatures
from filters.shingles import shingles_of
from filters.stream import Stream, read_stream
from pipelines.engine import Commit
from pipelines.pool import Pool

ROUNDS = 3
NEAR, WHOLE = "ours: signatures, near duplicates", "ours: excerpts and older versions too"
_PARTS = 4


class Way(NamedTuple):
    """A way to remove near duplicates: how long it took over how much text, what stayed, and what brute force says."""

    seconds: float
    megabytes: float
    kept: int
    quality: Quality

    @property
    def speed(self) -> float:
        return self.megabytes / self.seconds


def measure(table: pa.Table, pairs: Pairs, scratch: Path, pool: Pool, log: Log) -> dict[str, Any]:
    """MB/s of signatures; the stage and each peer that is installed over all texts, signatures included for all.

    The peers find no excerpts and know no versions, so the stage is measured without these, and whole.
    """
    texts = table["text"].combine_chunks()
    megabytes = texts.nbytes / 1e6
    with one_core():
        read = min(_seconds(lambda: read_stream(texts)) for _ in range(ROUNDS))
        stream = read_stream(texts)
        signed = min(_seconds(lambda: _sign(stream)) for _ in range(ROUNDS))
    near, whole = [], []
    for number in range(ROUNDS):
        near.append(_run(table, scratch / f"near-{number}", pool, contained=None, versions=None, boilerplate=None))
        whole.append(_run(table, scratch / f"whole-{number}", pool))
        log(
            f"ours, round {number + 1} of {ROUNDS}: near duplicates {near[-1][1].seconds:.2f} s, excerpts and versions too {whole[-1][1].seconds:.2f} s"
        )
    signatures_s = (read + signed) / pool.workers
    ways = {}
    for name, runs in ((NEAR, near), (WHOLE, whole)):
        fastest = min((outcome for _, outcome in runs), key=lambda outcome: outcome.seconds)
        ways[name] = _way(fastest._replace(seconds=fastest.seconds + signatures_s), table, pairs)
    for peer in peers.PEERS:
        if not peer.installed():
            log(f"skipped {peer.name}: not installed: pip install {peer.install}")
            continue
        some = texts.take(pa.array(np.arange(0, len(texts), peer.part))).to_pylist()
        outcomes = [peer.run(some, scratch / peer.module, pool.workers) for _ in range(peer.rounds)]
        fastest = min(outcomes, key=lambda outcome: outcome.seconds)
        ways[peer.name] = _way(fastest, table, pairs, peer.part)
        log(f"{peer.name}, {len(some):,} texts: {fastest.seconds:.1f} s")
    return {
        "documents": table.num_rows,
        "megabytes": megabytes,
        "workers": pool.workers,
        "signature_mb_per_s": megabytes / signed,
        "signature_with_words_mb_per_s": megabytes / (read + signed),
        "peak_memory": whole[-1][0].peak_memory,
        "ways": ways,
    }


def _way(outcome: peers.Outcome, table: pa.Table, pairs: Pairs, part: int = 1) -> Way:
    """`part`: it got one in so many texts."""
    given, stays = np.zeros(table.num_rows, np.bool_), np.zeros(table.num_rows, np.bool_)
    given[::part] = True
    stays[[number * part for number in outcome.kept]] = True
    size = table["text"].filter(pa.array(given)).nbytes
    return Way(outcome.seconds, size / 1e6, len(outcome.kept), judged(pairs, given, stays))


def _sign(stream: Stream) -> None:
    signatures(shingles_of(stream, peers.WIDTH), peers.BANDS * peers.ROWS)


def _run(table: pa.Table, directory: Path, pool: Pool, **settings: Any) -> tuple[Commit, peers.Outcome]:
    shutil.rmtree(directory, ignore_errors=True)
    slices = (table.take(pa.array(np.arange(at, table.num_rows, _PARTS))) for at in range(_PARTS))
    prepared = prepare(directory, slices, **settings)
    commit, seconds = run_dedup(prepared, pool)
    lost = {each["doc_id"] for each in dropped(prepared.run, commit)}
    kept = {number for number, doc_id in enumerate(table["doc_id"].to_pylist()) if doc_id not in lost}
    return commit, peers.Outcome(seconds, kept)


def _seconds(work: Any) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin
