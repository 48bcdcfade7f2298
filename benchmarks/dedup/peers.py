"""Near-duplicate removal as others have it, over the same texts: each from Parquet files of texts to a file of those that
stay, but for datasketch, which is so slow that files are nothing beside it."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.dedup.real import ALIKE
from filters.shingles import Shingles, shingles_of
from filters.stream import read_stream

BANDS, ROWS, WIDTH = 18, 6, 5
_TOTAL = re.compile(r"\bTotal +: ([0-9.]+)s")


class Outcome(NamedTuple):
    """Wall-clock seconds, and the numbers of the texts that stay."""

    seconds: float
    kept: set[int]


def datatrove(texts: Sequence[str], scratch: Path, workers: int) -> Outcome:
    """Signatures, buckets, clusters and the filter, each on so many workers where it allows it."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter
    from datatrove.utils.hashing import HashConfig

    source = _write(texts, scratch, workers)
    # Its default, xxhash, fails with that library's current release, which takes no strings; hashing is a twentieth.
    config = MinhashConfig(
        n_grams=WIDTH, num_buckets=BANDS, hashes_per_bucket=ROWS, hash_config=HashConfig(hash_fc="sha1")
    )
    folder = {name: str(scratch / name) for name in ("signatures", "buckets", "remove", "kept", "logs")}
    reader = ParquetReader(str(source))
    stages = [
        ([reader, MinhashDedupSignature(folder["signatures"], config)], workers),
        ([MinhashDedupBuckets(folder["signatures"], folder["buckets"], config=config)], BANDS),
        ([MinhashDedupCluster(folder["buckets"], folder["remove"], config=config)], 1),
        ([reader, MinhashDedupFilter(folder["remove"]), ParquetWriter(folder["kept"])], workers),
    ]
    begin = time.monotonic()
    with silence():
        for number, (steps, tasks) in enumerate(stages):
            logs = f"{folder['logs']}/{number}"
            LocalPipelineExecutor(steps, tasks=tasks, workers=min(tasks, workers), logging_dir=logs).run()
    seconds = time.monotonic() - begin
    return Outcome(seconds, _numbers(pq.read_table(folder["kept"], columns=["id"])))


def _write(texts: Sequence[str], scratch: Path, files: int) -> Path:
    """The texts and their numbers, dealt out to so many files of a folder."""
    shutil.rmtree(scratch, ignore_errors=True)
    source = scratch / "source"
    source.mkdir(parents=True)
    for at in range(files):
        numbers = range(at, len(texts), files)
        table = pa.table({"id": [str(number) for number in numbers], "text": [texts[number] for number in numbers]})
        pq.write_table(table, source / f"{at}.parquet")
    return source


def _numbers(table: pa.Table) -> set[int]:
    return {int(each) for each in table["id"].to_pylist()}


@contextmanager
def silence() -> Iterator[None]:
    """Nothing is said on standard error, not by processes that are started either."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def datasketch(texts: Sequence[str], scratch: Path, workers: int) -> Outcome:
    """MinHashLSH: a text stays if the index holds nothing that its signature is like. One core."""
    from datasketch import MinHash, MinHashLSH

    begin = time.monotonic()
    index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    signatures: list[MinHash] = []
    kept = set()
    for number, text in enumerate(texts):
        shingles = shingles_of(read_stream(pa.array([text], pa.large_string())), WIDTH).hashes
        minhash = MinHash(num_perm=BANDS * ROWS, scheme="affine32", hashfunc=int)
        minhash.update_batch(shingles.tolist())
        signatures.append(minhash)
        if not any(signatures[other].jaccard(minhash) >= ALIKE for other in index.query(minhash)):
            index.insert(number, minhash)
            kept.add(number)
    return Outcome(time.monotonic() - begin, kept)


def text_dedup(texts: Sequence[str], scratch: Path, workers: int) -> Outcome:
    """Its command, with the faster of its hashes; the seconds are those that it says, without the start of Python."""
    source, output = _write(texts, scratch, workers), scratch / "kept"
    options = {
        "path": "parquet", "data_files": f"{source}/*.parquet", "split": "train", "column": "text", "output": output,
        "cache_dir": scratch / "cache", "num_proc": workers, "ngram": WIDTH, "min_length": 1, "num_perm": BANDS * ROWS,
        "b": BANDS, "r": ROWS, "threshold": ALIKE, "hash_func": "xxh3",
    }  # fmt: skip
    command = [sys.executable, "-m", "text_dedup.minhash"]
    command += [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    # It looks up nothing and leaves nothing in the home; its lines are not broken.
    set_too = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(scratch / "home"), "COLUMNS": "200"}
    run = subprocess.run(command, env={**os.environ, **set_too}, capture_output=True, text=True)
    total = _TOTAL.search(run.stdout)
    if run.returncode or total is None:
        raise RuntimeError(f"text_dedup.minhash failed: {run.stderr[-2000:]}")
    parts = [pa.ipc.open_stream(path.read_bytes()).read_all() for path in sorted(output.glob("*.arrow"))]
    return Outcome(float(total[1]), _numbers(pa.concat_tables(parts)))


def rensa_deduplicator(texts: Sequence[str], scratch: Path, workers: int) -> Outcome:
    """RMinHashDeduplicator: a text stays if no signature that stays is like its own."""

    def keeps(shingles: Shingles) -> list[bool]:
        from rensa import RMinHashDeduplicator

        tokens = shingles.hashes.view("S4").tolist()
        pairs = (
            (str(number), tokens[begin:end])
            for number, (begin, end) in enumerate(itertools.pairwise(shingles.offsets.tolist()))
        )
        return list(RMinHashDeduplicator(ALIKE, BANDS * ROWS, use_lsh=True, num_bands=BANDS).add_pairs(pairs))

    return _rensa(texts, scratch, workers, keeps)


def rensa_index(texts: Sequence[str], scratch: Path, workers: int) -> Outcome:
    """RMinHashLSH over hashes: a text stays if it shares no band with one that stays, however little they are alike."""

    def keeps(shingles: Shingles) -> list[bool]:
        from rensa import RMinHash, RMinHashLSH

        hashes = shingles.hashes.astype(np.uint64)
        index = RMinHashLSH(ALIKE, BANDS * ROWS, BANDS)
        stays = []
        # Row by row, since of many rows it flags all that are alike, the first of them too.
        for number, (begin, end) in enumerate(itertools.pairwise(shingles.offsets.tolist())):
            row = np.array([0, end - begin], np.uint64)
            matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes[begin:end], row, BANDS * ROWS, 42)
            stays.append(not index.query_duplicate_flags_matrix_one_shot(matrix)[0])
            if stays[-1]:
                index.insert_matrix(matrix, number)
        return stays

    return _rensa(texts, scratch, workers, keeps)


def _rensa(texts: Sequence[str], scratch: Path, workers: int, keeps: Callable[[Shingles], Sequence[bool]]) -> Outcome:
    """It gets our shingles, the fastest there are here; they count as if all workers had made them, as for ours."""
    source = _write(texts, scratch, workers)
    begin = time.monotonic()
    table = pq.read_table(source)
    before = time.monotonic()
    shingles = shingles_of(read_stream(table["text"].combine_chunks()), WIDTH)
    shared = time.monotonic() - before
    kept = table.filter(pa.array(keeps(shingles), pa.bool_()))
    pq.write_table(kept, scratch / "kept.parquet")
    return Outcome(time.monotonic() - begin - shared * (1 - 1 / workers), _numbers(kept))


class Peer(NamedTuple):
    """`install`: what pip is told; `part`: it gets one in so many texts; `rounds`: the fastest of so many counts."""

    name: str
    module: str
    install: str
    run: Callable[[Sequence[str], Path, int], Outcome]
    part: int = 1
    rounds: int = 1

    def installed(self) -> bool:
        return find_spec(self.module) is not None


DATATROVE = "datatrove's four stages"
PEERS = (
    Peer(DATATROVE, "datatrove", "datatrove", datatrove),
    # Its time grows with the number of texts, or faster.
    Peer("datasketch's index, one core", "datasketch", "datasketch", datasketch, part=4),
    Peer("text-dedup's minhash", "text_dedup", "--no-deps text-dedup click-option-group", text_dedup),
    Peer("rensa's deduplicator", "rensa", "rensa", rensa_deduplicator, rounds=3),
    Peer("rensa's index, nothing compared", "rensa", "rensa", rensa_index, rounds=3),
)
