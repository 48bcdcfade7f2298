"""How much of a text stands in it twice: Gopher's shares (Rae et al. 2021, table A1), as datatrove counts them.

An n-gram can only recur where the one that is a word shorter recurs, so each length looks at what the one before it
left over; a page without repetition costs hardly more than its pairs of words.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.compiled import inner
from filters.stream import Hashes, mix

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)

# Where the shares stand in a document's row of scores.
PARAGRAPHS, PARAGRAPH_CHARACTERS, LINES, LINE_CHARACTERS, TOP, GRAMS = 0, 1, 2, 3, 4, 7
SCORES = (
    "duplicate_paragraphs",
    "duplicate_paragraph_characters",
    "duplicate_lines",
    "duplicate_line_characters",
    *(f"top_{n}_gram" for n in (2, 3, 4)),
    *(f"duplicate_{n}_grams" for n in (5, 6, 7, 8, 9, 10)),
)


class Table(NamedTuple):
    """A hash table that is cleared for each use: keys (0: empty), how often each came, and where first."""

    keys: Hashes
    counts: Ints
    firsts: Ints


def table_for(most: int) -> Table:
    """A table with room for so many keys."""
    slots = 4
    while slots < 2 * most:
        slots *= 2
    return Table(np.zeros(slots, np.uint64), np.zeros(slots, np.int32), np.zeros(slots, np.int32))


@inner
def clear(table: Table, most: int) -> int:
    """Makes room for so many keys; the mask of the slots in use."""
    slots = 4
    while slots < 2 * most:
        slots *= 2
    for slot in range(slots):
        table.keys[slot] = 0
    return slots - 1


@inner
def add(table: Table, mask: int, key: np.uint64, at: int) -> int:
    """Counts a key; its slot."""
    if key == 0:
        key = _GOLDEN
    slot = np.int64(key & np.uint64(mask))
    while table.keys[slot] != 0 and table.keys[slot] != key:
        slot = (slot + 1) & mask
    if table.keys[slot] == 0:
        table.keys[slot], table.counts[slot], table.firsts[slot] = key, 0, at
    table.counts[slot] += 1
    return slot


@inner
def judge_grams(hashes: Hashes, sums: Ints, count: int, characters: int, work: Ints, table: Table, row: Floats) -> None:
    """Characters of the most frequent 2-, 3- and 4-gram, and of 5- to 10-grams that stand before.

    hashes: of the tokens; sums: characters of the tokens before each, shape (count + 1,); work: space of shape
    (2, >= count): the places where n-grams may recur, and the slot of each.
    """
    if characters == 0:
        return
    places = count
    for at in range(count):
        work[0, at] = at
    for n in range(2, 5):
        places, top = _recurring(hashes, sums, count, n, work, places, table)
        row[TOP + n - 2] = top / characters
    places, _ = _recurring(hashes, sums, count, 5, work, places, table)
    for n in range(5, 11):
        row[GRAMS + n - 5] = _walk(hashes, sums, count, n, work, places, table) / characters


@inner
def _recurring(
    hashes: Hashes, sums: Ints, count: int, n: int, work: Ints, places: int, table: Table
) -> tuple[int, int]:
    """Keeps of the places those whose n-gram stands elsewhere too; characters of the most frequent n-gram."""
    if count < n:
        return 0, 0
    mask = clear(table, places)
    best, best_at, kept = 1, 0, 0
    for i in range(places):
        at = work[0, i]
        if at + n > count:
            continue
        slot = add(table, mask, _gram(hashes, at, n), at)
        work[0, kept], work[1, kept] = at, slot
        kept += 1
    for i in range(kept):
        slot = work[1, i]
        number, first = table.counts[slot], table.firsts[slot]
        if number > best or (number == best and number > 1 and first < best_at):
            best, best_at = number, first
    left = 0
    for i in range(kept):
        if table.counts[work[1, i]] > 1:
            work[0, left] = work[0, i]
            left += 1
    return left, best * (sums[best_at + n] - sums[best_at] + n - 1)


@inner
def _gram(hashes: Hashes, at: int, n: int) -> np.uint64:
    value = np.uint64(n)
    for i in range(at, at + n):
        value = mix(value * _GOLDEN + hashes[i])
    return value


@inner
def _walk(hashes: Hashes, sums: Ints, count: int, n: int, work: Ints, places: int, table: Table) -> int:
    """Characters of n-grams that stand before; one that does is stepped over whole, and never counted twice."""
    mask = clear(table, places)
    repeated, free = 0, 0
    for i in range(places):
        at = work[0, i]
        if at < free or at + n > count:
            continue
        slot = add(table, mask, _gram(hashes, at, n), at)
        if table.counts[slot] > 1:
            repeated += sums[at + n] - sums[at]
            free = at + n
    return repeated
