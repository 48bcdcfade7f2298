"""Texts that may lie in larger ones: those whose sketch lies in another's, told shingle by shingle.

A text asks for the smallest few of its sketch; the largest texts that have one of these answer. Who answers to most of
what a text asks may hold it; whether it does is told by the shingles themselves, with the survivors.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.clusters import ASKS, FEWEST, LARGER, MOST_OF
from filters.shingles import Sets, Words32
from filters.stream import Hashes
from pipelines.dedup.near import vertices_of, write_edges
from pipelines.dedup.tables import ASKED, HOLDER, deal, numbers_of
from pipelines.engine import Job
from pipelines.parts import Part, read_table
from pipelines.shuffle import read_bucket, write_buckets

_ANSWERS = 4  # texts that answer to one shingle


def send_sketches(job: Job) -> Part:
    """Sends the sketches of a part's texts, each text once, to the buckets of their shingles."""
    table = read_table(job.spec["input"], ["sketch", "fold_hash", "words"])
    vertex, compared = vertices_of(table, job)
    sets = sketches_of(table["sketch"])
    sizes = np.diff(sets.offsets)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    rank = np.arange(len(owner)) - sets.offsets[owner]
    asked = np.where(sizes >= FEWEST, np.minimum(sizes, ASKS), 0)
    columns = {
        "shingle": sets.hashes,
        "vertex": vertex[owner],
        "words": table["words"].to_numpy()[owner],
        "asks": np.where(rank < asked[owner], asked[owner], 0).astype(np.uint8),
    }
    sent = pa.table(columns, schema=ASKED).filter(pa.array(compared[owner]))
    buckets = job.spec["buckets"]
    return write_buckets(
        job.directory, job.name, job.key, ASKED, deal(sent, numbers_of(sent, "shingle") % buckets, buckets)
    )


def sketches_of(column: pa.ChunkedArray) -> Sets:
    """The sketches of documents."""
    array = column.combine_chunks().cast(pa.large_binary())
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1] if len(array) else np.zeros(1)
    begin, end = int(ends[0]), int(ends[-1])
    hashes: Words32 = np.frombuffer(data, np.uint8)[begin:end].view(np.uint32) if end else np.empty(0, np.uint32)
    return Sets(hashes, ((ends - begin) // 4).astype(np.int64))


def find_holders(job: Job) -> Part:
    """For each text that asks for a shingle the largest that have it, if they are larger than it by enough."""
    table = read_bucket(job.spec["sketches"], job.spec["bucket"], ASKED)
    shingle, vertex, words, asks = (numbers_of(table, name) for name in ASKED.names)
    order = np.lexsort((vertex, -words, shingle))
    shingle, vertex, words, asks = shingle[order], vertex[order], words[order], asks[order]
    heads = np.flatnonzero(np.append(np.ones(min(1, len(shingle)), np.bool_), shingle[1:] != shingle[:-1]))
    sizes = np.diff(np.append(heads, len(shingle)))
    begin, size = np.repeat(heads, sizes), np.repeat(sizes, sizes)
    asking = np.flatnonzero(asks)
    found: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
    for answer in range(_ANSWERS):
        held = asking[size[asking] > answer]
        holder = begin[held] + answer
        larger = words[held] < LARGER * words[holder]
        found.append((held[larger], holder[larger]))
    held, holder = (np.concatenate(column) for column in zip(*found, strict=True))
    columns = {"vertex": vertex[held], "holder": vertex[holder], "asks": asks[held]}
    buckets = job.spec["buckets"]
    target = columns["vertex"] % np.uint64(buckets)
    dealt = deal(pa.table(columns, schema=HOLDER), target, buckets)
    return write_buckets(job.directory, job.name, job.key, HOLDER, dealt)


def join_holders(job: Job) -> Part:
    """Joins each text to those that answered to most of what it asked."""
    table = read_bucket(job.spec["holders"], job.spec["bucket"], HOLDER)
    vertex, holder, asks = (numbers_of(table, name) for name in HOLDER.names)
    order = np.lexsort((holder, vertex))
    vertex, holder, asks = vertex[order], holder[order], asks[order]
    new = np.ones(len(vertex), np.bool_)
    new[1:] = (vertex[1:] != vertex[:-1]) | (holder[1:] != holder[:-1])
    heads = np.flatnonzero(new)
    answered = np.diff(np.append(heads, len(vertex)))
    chosen = heads[answered >= MOST_OF * asks[heads]]
    one, other = vertex[chosen], holder[chosen]
    larger: Hashes = np.maximum(one, other)
    return write_edges(job, larger, np.minimum(one, other))
