"""Who stands for whom: of documents that may be alike, the best one stays, and those that truly are like it leave.

Nobody leaves for a document that is like a document that is like it: a chain of likenesses (a boilerplate, a template)
joins no cluster.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner
from filters.lsh import band_hashes
from filters.shingles import Sets, Words32
from filters.stream import Hashes, Offsets

Places = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float32]

_ALL_PAIRS = 64  # documents of a component of which each is compared with each
_MOST_UNLIKE = 256  # documents of one band that a survivor is compared with in vain before it looks no further there
_DEVIATIONS = 5.0  # of an estimate, below which nothing is compared exactly


class Chosen(NamedTuple):
    """Of each document the one that stands for it (itself, if it stays), and their Jaccard similarity."""

    survivor: Places
    similarity: Shares


@compiled
def jaccard(a: Words32, b: Words32) -> float:
    """The similarity of two sets of shingles, each in order and without repeats; of two empty ones 1."""
    return _jaccard(a, b, 0.0)


def choose(sets: Sets, signatures: Words32, components: Offsets, threshold: float, bands: int, rows: int) -> Chosen:
    """Survivors of each component: its documents stand best first.

    signatures: shape (documents, permutations). components: where each begins, one entry more. The first document
    stays, and all that have a Jaccard similarity of `threshold` with it leave; then the first of those that are left.
    In a component of more than 64, two are compared where they share a band.
    """
    count = len(sets.offsets) - 1
    chosen = Chosen(np.arange(count), np.ones(count, np.float32))
    deviation = (threshold * (1 - threshold) / max(1, signatures.shape[1])) ** 0.5
    unlike = max(0.0, threshold - _DEVIATIONS * deviation)
    for begin, end in zip(components[:-1].tolist(), components[1:].tolist(), strict=True):
        if end - begin <= _ALL_PAIRS:
            _choose_of_few(sets, signatures, begin, end, threshold, unlike, chosen)
        else:
            groups = _groups(band_hashes(signatures[begin:end], bands, rows))
            _choose_of_many(sets, signatures, begin, groups, threshold, unlike, chosen)
    return chosen


class _Groups(NamedTuple):
    """Documents by band. In column b, `members` has those that share a band together, in their order; document d stands
    at `place[d, b]`, and the next of its group, or the end of all, at `after[place, b]`."""

    members: Places
    place: Places
    after: Places


def _groups(hashes: Hashes) -> _Groups:
    count, bands = hashes.shape
    members, place, after = (np.empty((count, bands), np.int64) for _ in range(3))
    for band in range(bands):
        order = np.argsort(hashes[:, band], kind="stable")
        ordered = hashes[order, band]
        last = np.append(ordered[1:] != ordered[:-1], True)
        members[:, band], place[order, band] = order, np.arange(count)
        after[:, band] = np.where(last, count, np.arange(1, count + 1))
    return _Groups(members, place, after)


@compiled
def _choose_of_few(
    sets: Sets, signatures: Words32, begin: int, end: int, threshold: float, unlike: float, chosen: Chosen
) -> None:
    for first in range(begin, end):
        if chosen.survivor[first] != first:
            continue
        for other in range(first + 1, end):
            if chosen.survivor[other] == other:
                _compare(sets, signatures, first, other, threshold, unlike, chosen)


@compiled
def _choose_of_many(
    sets: Sets, signatures: Words32, begin: int, groups: _Groups, threshold: float, unlike: float, chosen: Chosen
) -> None:
    count, bands = groups.place.shape
    compared = np.full(count, -1, np.int64)
    for first in range(count):
        if chosen.survivor[begin + first] != begin + first:
            continue
        for band in range(bands):
            before, missed = groups.place[first, band], 0
            at = groups.after[before, band]
            while at < count and missed < _MOST_UNLIKE:
                other = groups.members[at, band]
                left = chosen.survivor[begin + other] != begin + other
                if not left and compared[other] != first:
                    compared[other] = first
                    left = _compare(sets, signatures, begin + first, begin + other, threshold, unlike, chosen)
                    missed += not left
                at = groups.after[at, band]
                if left:  # nobody need look at it again
                    groups.after[before, band] = at
                else:
                    before = groups.place[other, band]


@inner
def _compare(
    sets: Sets, signatures: Words32, first: int, other: int, threshold: float, unlike: float, chosen: Chosen
) -> bool:
    """Whether a document leaves for the first one."""
    equal, permutations = 0, signatures.shape[1]
    for slot in range(permutations):
        equal += signatures[first, slot] == signatures[other, slot]
    if equal < unlike * permutations:
        return False
    a = sets.hashes[sets.offsets[first] : sets.offsets[first + 1]]
    b = sets.hashes[sets.offsets[other] : sets.offsets[other + 1]]
    found = _jaccard(a, b, threshold)
    if found < threshold:
        return False
    chosen.survivor[other], chosen.similarity[other] = first, found
    return True


@inner
def _jaccard(a: Words32, b: Words32, least: float) -> float:
    """The similarity of two sets, or 0 where their sizes alone say that it is less than `least`."""
    if len(a) == 0 or len(b) == 0:
        return 1.0 if len(a) == len(b) else 0.0
    if min(len(a), len(b)) < least * max(len(a), len(b)):
        return 0.0
    at, place, common = 0, 0, 0
    while at < len(a) and place < len(b):
        one, other = a[at], b[place]
        common += one == other
        at += one <= other
        place += other <= one
    return common / (len(a) + len(b) - common)
