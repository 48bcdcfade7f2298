"""Near-duplicate removal as others have it, over the same texts: datatrove's four stages, and datasketch's index."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from filters.shingles import shingles_of
from filters.stream import read_stream

BANDS, ROWS, WIDTH = 18, 6, 5


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

    shutil.rmtree(scratch, ignore_errors=True)
    source = scratch / "source"
    source.mkdir(parents=True)
    for at in range(workers):
        numbers = range(at, len(texts), workers)
        table = pa.table({"id": [str(number) for number in numbers], "text": [texts[number] for number in numbers]})
        pq.write_table(table, source / f"{at}.parquet")
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
    with _silence():
        for number, (steps, tasks) in enumerate(stages):
            logs = f"{folder['logs']}/{number}"
            LocalPipelineExecutor(steps, tasks=tasks, workers=min(tasks, workers), logging_dir=logs).run()
    seconds = time.monotonic() - begin
    kept = set()
    for path in Path(folder["kept"]).glob("*.parquet"):
        kept |= {int(each) for each in pq.read_table(path, columns=["id"])["id"].to_pylist()}
    return Outcome(seconds, kept)


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing is said on standard error, not by processes that are started either."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def datasketch(texts: Sequence[str]) -> Outcome:
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
        if not any(signatures[other].jaccard(minhash) >= 0.8 for other in index.query(minhash)):
            index.insert(number, minhash)
            kept.add(number)
    return Outcome(time.monotonic() - begin, kept)
