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
from filters.shingles import SKETCHED, Sets, Words32
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


# ---------------------------------------------------------------- versions


class Held(NamedTuple):
    """Of each document the one that holds it, or -1, and the share of its shingles that lie there."""

    holder: Places
    share: Shares


def supersede(
    sets: Sets, component: Hashes, pages: Hashes, ages: Places, chosen: Chosen, merits: Places, least: float
) -> Held:
    """Which of those that stay are older versions of a page whose newest version has `least` of their shingles.

    component, pages (0: none), ages: of each document; the newest of a page has the smallest age. Those who left for
    one that leaves do so with it, or it stays. merits: as for `contain`.
    """
    count = len(sets.offsets) - 1
    held = Held(np.full(count, -1, np.int64), np.zeros(count, np.float32))
    stays = np.flatnonzero((chosen.survivor == np.arange(count)) & (pages > 0))
    stays = stays[np.lexsort((stays, ages[stays], pages[stays], component[stays]))]
    of_survivor = np.argsort(chosen.survivor, kind="stable")
    first_of = np.searchsorted(chosen.survivor[of_survivor], np.arange(count + 1))
    newest = -1
    for document in stays.tolist():
        same = newest >= 0 and component[newest] == component[document] and pages[newest] == pages[document]
        if not same:
            newest = document
        elif ages[document] > ages[newest] and (merits[newest] <= merits[document]).all():
            members = of_survivor[first_of[document] : first_of[document + 1]]
            shares = _shares(sets, members, newest)
            if (shares >= least).all():
                held.holder[members], held.share[members] = newest, shares
    return held


@compiled
def _shares(sets: Sets, documents: Places, holder: int) -> Shares:
    found = np.empty(len(documents), np.float32)
    for at in range(len(documents)):
        found[at] = _share(sets, documents[at], holder)
    return found


# ---------------------------------------------------------------- containment

# A text that another holds has fewer shingles than so many of its: two that are nearer in size are alike, or are not.
LARGER = 0.8
FEWEST, ASKS = 3, 8  # shingles of a sketch that a text needs to be looked for; of these it asks so many
MOST_OF = 0.6  # of what a text asks, that one which may hold it has
_ANSWERS = 32  # texts that are looked at for one shingle


def contain(sets: Sets, components: Offsets, chosen: Chosen, merits: Places, least: float) -> Held:
    """Which of those that stay lie in larger ones that stay: `least` of their shingles, and of all who left for them.

    merits: shape (documents, merits), of which the one that holds has none that is larger. Those who left for one that
    is held are held with it.
    """
    count = len(sets.offsets) - 1
    held = Held(np.full(count, -1, np.int64), np.zeros(count, np.float32))
    for begin, end in zip(components[:-1].tolist(), components[1:].tolist(), strict=True):
        if end - begin > 1:
            _contain(sets, begin, end, chosen.survivor, merits, least, held)
    return held


@compiled
def _contain(sets: Sets, begin: int, end: int, survivor: Places, merits: Places, least: float, held: Held) -> None:
    sizes = sets.offsets[begin + 1 : end + 1] - sets.offsets[begin:end]
    leads = np.flatnonzero(survivor[begin:end] == np.arange(begin, end))
    leads = leads[np.argsort(-sizes[leads], kind="mergesort")]  # the largest first, of these the best
    of_lead = np.argsort(survivor[begin:end], kind="mergesort")
    first_of = np.searchsorted(survivor[begin:end][of_lead], np.arange(begin, end + 1))
    postings = _postings(sets, begin, leads)
    times, seen = np.zeros(len(leads), np.int64), np.empty(ASKS * _ANSWERS, np.int64)
    for place in range(1, len(leads)):
        asked, found = _ask(sets, begin, leads, place, postings, times, seen)
        order = np.sort(seen[:found])
        document = begin + leads[place]
        members = of_lead[first_of[leads[place]] : first_of[leads[place] + 1]]
        for other in order:
            holder = begin + leads[other]
            enough = times[other] >= MOST_OF * asked and sizes[leads[place]] < LARGER * sizes[leads[other]]
            if held.holder[document] >= 0 or not enough or held.holder[holder] >= 0:
                continue
            worse = False
            for merit in range(merits.shape[1]):
                worse |= merits[holder, merit] > merits[document, merit]
            if not worse and _holds(sets, holder, begin, members, least):
                for member in members:
                    held.holder[begin + member] = holder
                    held.share[begin + member] = _share(sets, begin + member, holder)
        for other in order:
            times[other] = 0


@compiled
def _postings(sets: Sets, begin: int, leads: Places) -> Hashes:
    """The sketches of documents: shingles in order, in their lower halves who has each."""
    count = 0
    for lead in leads:
        count += _size_of_sketch(sets, begin + lead)
    found = np.empty(count, np.uint64)
    at = 0
    for place in range(len(leads)):
        first = sets.offsets[begin + leads[place]]
        for shingle in range(first, first + _size_of_sketch(sets, begin + leads[place])):
            found[at] = (np.uint64(sets.hashes[shingle]) << np.uint64(32)) | np.uint64(place)
            at += 1
    return np.sort(found)


@inner
def _size_of_sketch(sets: Sets, document: int) -> int:
    size = 0
    for at in range(sets.offsets[document], sets.offsets[document + 1]):
        size += sets.hashes[at] < SKETCHED
    return size


@inner
def _ask(
    sets: Sets, begin: int, leads: Places, place: int, postings: Hashes, times: Places, seen: Places
) -> tuple[int, int]:
    """How many shingles a document asks for, and how many larger ones have any: who, in `seen`, and how many each."""
    found, document = 0, begin + leads[place]
    asked = min(ASKS, _size_of_sketch(sets, document))
    if asked < FEWEST:
        return asked, 0
    for shingle in range(sets.offsets[document], sets.offsets[document] + asked):
        key = np.uint64(sets.hashes[shingle]) << np.uint64(32)
        low, high = 0, len(postings)
        while low < high:
            middle = (low + high) // 2
            if postings[middle] < key:
                low = middle + 1
            else:
                high = middle
        last = key | np.uint64(place)  # behind it stand the document itself and smaller ones
        stop = min(low + _ANSWERS, len(postings))
        while low < stop and postings[low] < last:
            other = np.int64(postings[low] & np.uint64(0xFFFFFFFF))
            if times[other] == 0:
                seen[found] = other
                found += 1
            times[other] += 1
            low += 1
    return asked, found


@inner
def _holds(sets: Sets, holder: int, begin: int, members: Places, least: float) -> bool:
    for at in range(len(members)):
        if _share(sets, begin + members[at], holder) < least:
            return False
    return True


@inner
def _share(sets: Sets, document: int, holder: int) -> float:
    """The share of a document's shingles that another has."""
    at, stop = sets.offsets[document], sets.offsets[document + 1]
    place, end = sets.offsets[holder], sets.offsets[holder + 1]
    size, common = stop - at, 0
    while at < stop and place < end:
        one, other = sets.hashes[at], sets.hashes[place]
        common += one == other
        at += one <= other
        place += other <= one
    return common / size if size else 0.0
