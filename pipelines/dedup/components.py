"""Which texts hang together: the steps of the distributed algorithm of `filters/components.py`, one bucket a job."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from filters.components import large_star, small_star
from filters.stream import Hashes
from pipelines.dedup.exact import Flags, Texts, read_texts
from pipelines.dedup.near import write_edges
from pipelines.dedup.tables import EDGE, MEMBER, TOUCHED, numbers_of, part_and_row, send
from pipelines.engine import Job
from pipelines.parts import Part
from pipelines.shuffle import read_bucket


def turn_large(job: Job) -> Part:
    """A step of large-star. Each edge goes to the bucket of its larger vertex, for the step that follows."""
    table = read_bucket(job.spec["edges"], job.spec["bucket"], EDGE)
    star = large_star(numbers_of(table, "vertex"), numbers_of(table, "neighbour"))
    return write_edges(job, star.larger, star.smaller, star.changed, both=False)


def turn_small(job: Job) -> Part:
    """A step of small-star."""
    table = read_bucket(job.spec["edges"], job.spec["bucket"], EDGE)
    star = small_star(numbers_of(table, "vertex"), numbers_of(table, "neighbour"))
    return write_edges(job, star.larger, star.smaller, star.changed)


def find_touched(job: Job) -> Part:
    """The components of a bucket's texts of which a document is new, or replaced by a new one."""
    texts, component, _ = _components(job)
    touched = pa.table({"component": np.unique(component[texts.fresh])}, schema=TOUCHED)
    return send(job, touched, np.zeros(touched.num_rows, np.int64), 1)


def tell_members(job: Job) -> Part:
    """Tells the parts which of their documents are not alone, and in which component: the smallest vertex of it.

    Components without a new document are as the snapshots have decided, and nobody is told of them.
    """
    texts, component, joined = _components(job)
    told = joined | texts.shared
    if job.spec["touched"]:
        touched = numbers_of(read_bucket(job.spec["touched"], 0, TOUCHED), "component")
        told &= np.isin(component, touched)
    part, row = part_and_row(texts.place[told])
    columns = {
        "row": row,
        "vertex": texts.vertex[told],
        "first": texts.first[told],
        "component": component[told],
    }
    return send(job, pa.table(columns, schema=MEMBER), part, job.spec["parts"])


def _components(job: Job) -> tuple[Texts, Hashes, Flags]:
    """The documents of a bucket, the component of each, and whether its text has an edge.

    The edges are stars by now: what is smaller than a vertex is the smallest of its component.
    """
    texts = read_texts(job.spec["folds"], job.spec["bucket"], job.spec["buckets"])
    edges = read_bucket(job.spec["edges"], job.spec["bucket"], EDGE)
    vertex, neighbour = numbers_of(edges, "vertex"), numbers_of(edges, "neighbour")
    known, at = np.unique(vertex, return_index=True)
    smallest = np.minimum(known, neighbour[at])
    place = np.minimum(np.searchsorted(known, texts.vertex), max(0, len(known) - 1))
    joined = known[place] == texts.vertex if len(known) else np.zeros(len(texts.vertex), np.bool_)
    component = texts.vertex.copy()
    component[joined] = smallest[place[joined]]
    return texts, component, joined
