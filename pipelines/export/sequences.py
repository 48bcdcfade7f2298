"""What the formats read of the shards, list by list, and how they write their files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import storage
from pipelines.engine import Input
from pipelines.tokenizer import Ids, Ints

SHARDS = "shards/"


def by_list(shards: Sequence[Input]) -> dict[str, list[Input]]:
    """The shards of each list of a run, in their order, by `SPLIT/LIST`."""
    lists: dict[str, list[Input]] = {}
    for each in sorted(shards, key=lambda shard: shard.name):
        lists.setdefault(list_of(each.name.removeprefix("tokenize/")), []).append(each)
    return lists


def list_of(name: str) -> str:
    """`SPLIT/LIST` of a part `shards/SPLIT/LIST/shard-...`."""
    return name.removeprefix(SHARDS).rpartition("/")[0]


def row_groups(url: str) -> Iterator[pa.Table]:
    """The rows of a shard, a row group at a time."""
    with storage.open_input(url) as stream:
        file = pq.ParquetFile(stream, page_checksum_verification=True)
        for group in range(file.num_row_groups):
            yield file.read_row_group(group).combine_chunks()


def ids_of(rows: pa.Table, length: int) -> Ids:
    """Token ids of packed sequences, int32[rows * length]. Raises StorageError where one has another length."""
    column = rows["input_ids"].combine_chunks()
    if not (np.diff(column.offsets.to_numpy()) == length).all():
        raise storage.StorageError(f"a sequence of a shard has not {length} tokens")
    return np.ascontiguousarray(column.flatten().to_numpy(), "<i4")


def offsets_of(lists: pa.ListArray) -> pa.Array:
    """The offsets of lists, from 0 on: as `flatten` gives their values."""
    offsets = lists.offsets.to_numpy()
    return pa.array(offsets - offsets[0], pa.int32())


def begins_of(table: pa.Table) -> Ints:
    """Where each segment begins in the token ids of all rows: int64[segments]. Segments fill a row from the left."""
    numbers, segments = table["input_ids"].combine_chunks(), table["segments"].combine_chunks()
    tokens = segments.flatten().field("tokens").to_numpy().astype(np.int64)
    rows = offsets_of(numbers).to_numpy().astype(np.int64)
    bounds = offsets_of(segments).to_numpy().astype(np.int64)
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(tokens)])
    begins: Ints = before[:-1] - np.repeat(before[bounds[:-1]], np.diff(bounds)) + np.repeat(rows[:-1], np.diff(bounds))
    return begins


class Sink:
    """A file that is written from its beginning to its end, and hashed on the way."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._digest = stream, hashlib.sha256()

    def write(self, data: bytes | memoryview) -> None:
        """Appends bytes."""
        self._digest.update(data)
        self._stream.write(data)

    @property
    def sha256(self) -> str:
        """Hex digest of what was written so far."""
        return self._digest.hexdigest()
