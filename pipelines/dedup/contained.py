"""Texts that may lie in larger ones: those whose sketch lies in another's, told shingle by shingle.

A text asks for the smallest few of its sketch; the largest texts that have one of these answer. Who answers to most of
what a text asks may hold it; whether it does is told by the shingles themselves, with the survivors.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.clusters import ASKS, FEWEST, LARGER, MOST_OF
from filters.runs import runs_of
from filters.stream import Hashes
from pipelines.dedup.near import vertices_of, write_edges
from pipelines.dedup.tables import ASKED, HOLDER, numbers_of, send, sets_of
from pipelines.engine import Job
from pipelines.parts import Part, read_table
from pipelines.shuffle import read_bucket

_ANSWERS = 4  # texts that answer to one shingle


def send_sketches(job: Job) -> Part:
    """Sends the sketches of a part's texts, each text once, to the buckets of their shingles."""
    table = read_table(job.spec["input"], ["sketch", "fold_hash", "words"])
    vertex, compared = vertices_of(table, job)
    sets = sets_of(table["sketch"])
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
    return send(job, sent, numbers_of(sent, "shingle"), job.spec["buckets"])


def find_holders(job: Job) -> Part:
    """For each text that asks for a shingle the largest that have it, if they are larger than it by enough."""
    table = read_bucket(job.spec["sketches"], job.spec["bucket"], ASKED)
    shingle, vertex, words, asks = (numbers_of(table, name) for name in ASKED.names)
    order = np.lexsort((vertex, -words, shingle))
    shingle, vertex, words, asks = shingle[order], vertex[order], words[order], asks[order]
    heads, sizes = runs_of(shingle)
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
    return send(job, pa.table(columns, schema=HOLDER), columns["vertex"], job.spec["buckets"])


def join_holders(job: Job) -> Part:
    """Joins each text to those that answered to most of what it asked."""
    table = read_bucket(job.spec["holders"], job.spec["bucket"], HOLDER)
    vertex, holder, asks = (numbers_of(table, name) for name in HOLDER.names)
    order = np.lexsort((holder, vertex))
    vertex, holder, asks = vertex[order], holder[order], asks[order]
    heads, answered = runs_of(vertex, holder)
    chosen = heads[answered >= MOST_OF * asks[heads]]
    one, other = vertex[chosen], holder[chosen]
    larger: Hashes = np.maximum(one, other)
    return write_edges(job, larger, np.minimum(one, other))
