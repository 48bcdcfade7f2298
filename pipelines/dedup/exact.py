"""Documents with the same text: found by the hash of it without the differences that white space makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.runs import runs_of
from filters.stream import Hashes
from pipelines.dedup.tables import FOLD, REPLACED, TWIN, hash_numbers, numbers_of, part_and_row, place_of, send
from pipelines.engine import Job
from pipelines.parts import Part, read_table
from pipelines.shuffle import read_bucket

Flags = npt.NDArray[np.bool_]


class Texts(NamedTuple):
    """The documents of a bucket, those of one text together: where each is, the vertex of its text, whether it is the
    first that has it, whether others have it too, whether the vertex is another than the hash says, and whether it is
    new or replaced by a new one."""

    place: Hashes
    vertex: Hashes
    first: Flags
    shared: Flags
    moved: Flags
    fresh: Flags


def send_folds(job: Job) -> Part:
    """Sends each document of a part to the bucket of its text's hash."""
    high, low = hash_numbers(read_table(job.spec["input"], ["fold_hash"])["fold_hash"])
    place = place_of(job.spec["part"], np.arange(len(high)))
    fresh = np.full(len(high), job.spec["part"] >= job.spec["earlier"])
    fresh[numbers_of(read_bucket(job.spec["replaced"], job.spec["part"], REPLACED), "row")] = True
    table = pa.table({"high": high, "low": low, "place": place, "fresh": fresh}, schema=FOLD)
    return send(job, table, high, job.spec["buckets"])


def find_twins(job: Job) -> Part:
    """Tells the parts which of their documents have a text that others have too."""
    texts = read_texts(job.spec["folds"], job.spec["bucket"], job.spec["buckets"])
    told = texts.shared | texts.moved
    part, row = part_and_row(texts.place[told])
    table = pa.table({"row": row, "vertex": texts.vertex[told], "first": texts.first[told]}, schema=TWIN)
    return send(job, table, part, job.spec["parts"])


def read_texts(folds: Sequence[str], bucket: int, buckets: int) -> Texts:
    """The documents of a bucket by their texts."""
    table = read_bucket(folds, bucket, FOLD)
    high, low, place = (numbers_of(table, name) for name in ("high", "low", "place"))
    order = np.lexsort((place, low, high))
    fresh = table["fresh"].to_numpy(zero_copy_only=False)[order]
    high, low, place = high[order], low[order], place[order]
    heads, sizes = runs_of(high, low)
    first = np.zeros(len(high), np.bool_)
    first[heads] = True
    vertex = np.repeat(_vertices(high[heads], buckets), sizes)
    return Texts(place, vertex, first, np.repeat(sizes > 1, sizes), vertex != high, fresh)


def _vertices(high: Hashes, buckets: int) -> Hashes:
    """A number of its own for each text of a bucket: its hash, or the next free one that is dealt to the bucket."""
    vertices = high.copy()
    taken: set[int] = set()
    for at in np.flatnonzero(high[1:] == high[:-1]) + 1:
        taken = taken or set(high.tolist())
        number = int(high[at])
        while number in taken:
            number = (number + buckets) % (1 << 64)
        taken.add(number)
        vertices[at] = number
    return vertices
