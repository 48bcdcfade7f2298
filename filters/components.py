"""Connected components of a graph: of a small one in memory, of any by large-star and small-star (Kiveris et al. 2014).

A vertex of a large graph is a number. Both steps look at one vertex and all of its neighbours, so vertices may be dealt
out to buckets, and a bucket needs no other one. The two take turns until neither changes an edge; then each vertex has
one edge, to the smallest of its component.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from filters.lsh import distinct
from filters.runs import runs_of
from filters.stream import Hashes


class Star(NamedTuple):
    """Edges from larger vertices to smaller ones, each once, and how many of them the step has turned around."""

    larger: Hashes
    smaller: Hashes
    changed: int


def large_star(vertices: Hashes, neighbours: Hashes) -> Star:
    """Joins the larger neighbours of each vertex to the smallest of it and its neighbours.

    vertices, neighbours: shape (edges,), all edges of the vertices of a bucket, in any order, repeats allowed.
    """
    vertices, neighbours = distinct(vertices, neighbours)
    smallest = _smallest(vertices, np.minimum(vertices, neighbours))
    larger = neighbours > vertices
    changed = int(np.count_nonzero(larger & (smallest != vertices)))
    return Star(*distinct(neighbours[larger], smallest[larger]), changed)


def small_star(vertices: Hashes, neighbours: Hashes) -> Star:
    """Joins each vertex and its smaller neighbours to the smallest of them. All neighbours given are smaller."""
    vertices, neighbours = distinct(vertices, neighbours)
    smallest = _smallest(vertices, neighbours)
    other = neighbours != smallest
    larger = np.concatenate([vertices, neighbours[other]])
    smaller = np.concatenate([smallest, smallest[other]])
    return Star(*distinct(larger, smaller), int(np.count_nonzero(other)))


def _smallest(vertices: Hashes, values: Hashes) -> Hashes:
    """For each edge the smallest value among the edges of its vertex; vertices are in order."""
    if not len(vertices):
        return values
    heads, sizes = runs_of(vertices)
    smallest: Hashes = np.repeat(np.minimum.reduceat(values, heads), sizes)
    return smallest


def connected(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The smallest name of its component, for each name that stands in a pair."""
    parent: dict[str, str] = {}

    def root(member: str) -> str:
        while parent[member] != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member

    for a, b in pairs:
        parent.setdefault(a, a)
        parent.setdefault(b, b)
        roots = (root(a), root(b))
        parent[max(roots)] = min(roots)
    return {member: root(member) for member in parent}
