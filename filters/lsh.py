"""Locality-sensitive hashing of MinHash signatures (Indyk and Motwani 1998): bands, pairs, and clusters of pairs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from filters.hashing import GOLDEN
from filters.minhash import Words32
from filters.stream import Hashes

_MOST_FOR_ALL_PAIRS = 48


def choose_bands(threshold: float, permutations: int) -> tuple[int, int]:
    """Bands and rows with the least weighted error at a Jaccard threshold, by datasketch's search."""
    from datasketch import MinHashLSH

    index = MinHashLSH(threshold=threshold, num_perm=permutations)
    return index.b, index.r


def band_hashes(signatures: Words32, bands: int, rows: int) -> Hashes:
    """Shape (documents, bands): equal in a column where all rows of that band are equal."""
    out = np.empty((len(signatures), bands), dtype=np.uint64)
    for band in range(bands):
        value = np.full(len(signatures), band, dtype=np.uint64)
        for column in range(band * rows, (band + 1) * rows):
            value = _mix(value * GOLDEN + signatures[:, column].astype(np.uint64))
        out[:, band] = value
    return out


def _mix(value: Hashes) -> Hashes:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Hashes = value ^ (value >> np.uint64(31))
    return mixed


def pairs_of(group: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Candidate pairs among documents that share a band, each (smaller id, larger id).

    All of them in a small group; in a large one those with the first, and those of neighbours,
    so that the work stays linear.
    """
    ordered = sorted(set(group))
    if len(ordered) <= _MOST_FOR_ALL_PAIRS:
        yield from ((a, b) for index, a in enumerate(ordered) for b in ordered[index + 1 :])
        return
    yield from ((ordered[0], other) for other in ordered[1:])
    yield from itertools.pairwise(ordered[1:])


def similarity(a: Words32, b: Words32) -> float:
    """The Jaccard similarity that two signatures estimate."""
    return float(np.count_nonzero(a == b)) / len(a)


def connected(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The smallest id of its connected component, for each id that stands in a pair."""
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
