"""How much of a text stands in it twice: Gopher's shares (Rae et al. 2021, table A1), as datatrove counts them.

An n-gram can only recur where the one that is a word shorter recurs, so each length looks at what the one before it
left over; a page without repetition costs hardly more than its pairs of words.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.compiled import inlined, inner
from filters.hashing import GOLDEN
from filters.stream import Hashes

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

# A slot of a table: how often its key came, and the key's upper bits; the lower ones chose the slot.
_ONE = np.uint64(1)
_COUNT = np.uint64((1 << 24) - 1)
_TAG = ~_COUNT

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


def table_for(most: int) -> Hashes:
    """A hash table with room for so many keys, fewer than 2**23; it is cleared for each use."""
    slots = 4
    while slots < 2 * most:
        slots *= 2
    return np.zeros(slots, np.uint64)


@inner
def clear(table: Hashes, most: int) -> int:
    """Makes room for so many keys; the mask of the slots in use."""
    slots = 4
    while slots < 2 * most:
        slots *= 2
    for slot in range(slots):
        table[slot] = 0
    return slots - 1


@inner
def add(table: Hashes, mask: int, key: np.uint64) -> int:
    """Counts a key; its slot."""
    slot, tag = np.int64(key & np.uint64(mask)), key & _TAG
    while table[slot] != 0 and table[slot] & _TAG != tag:
        slot = (slot + 1) & mask
    table[slot] = (table[slot] | tag) + _ONE
    return slot


@inlined
def count_in(table: Hashes, slot: int) -> int:
    """How often the key of a slot came."""
    return np.int64(table[slot] & _COUNT)


@inner
def judge_grams(
    hashes: Hashes, sums: Ints, count: int, characters: int, work: Ints, grams: Hashes, table: Hashes, row: Floats
) -> None:
    """Characters of the most frequent 2-, 3- and 4-gram, and of 5- to 10-grams that stand before.

    hashes: of the tokens; sums: characters of the tokens before each, shape (count + 1,); work: space of shape
    (2, >= count): the places where n-grams may recur, and the slot of each; grams: space for the hash of each.
    """
    if characters == 0:
        return
    places = count
    for at in range(count):
        work[0, at], grams[at] = at, hashes[at]
    for n in range(2, 5):
        places, top = _recurring(hashes, sums, count, n, work, grams, places, table)
        row[TOP + n - 2] = top / characters
    places, _ = _recurring(hashes, sums, count, 5, work, grams, places, table)
    row[GRAMS] = _walk(sums, 5, work, grams, places, table) / characters
    for n in range(6, 11):
        places = _lengthen(hashes, count, n, work, grams, places)
        row[GRAMS + n - 5] = _walk(sums, n, work, grams, places, table) / characters


@inner
def _recurring(
    hashes: Hashes, sums: Ints, count: int, n: int, work: Ints, grams: Hashes, places: int, table: Hashes
) -> tuple[int, int]:
    """Keeps of the places those whose n-gram stands elsewhere too; characters of the most frequent n-gram.

    Of those that are as frequent the one that comes first counts.
    """
    places = _lengthen(hashes, count, n, work, grams, places)
    mask = clear(table, places)
    for i in range(places):
        work[1, i] = add(table, mask, grams[i])
    best, best_at, left = 1, 0, 0
    for i in range(places):
        number = count_in(table, work[1, i])
        if number > 1:
            work[0, left], grams[left] = work[0, i], grams[i]
            left += 1
            if number > best:
                best, best_at = number, work[0, i]
    if count < n:
        return 0, 0
    return left, best * (sums[best_at + n] - sums[best_at] + n - 1)


@inner
def _lengthen(hashes: Hashes, count: int, n: int, work: Ints, grams: Hashes, places: int) -> int:
    """Makes the hash at each place one of n words: a polynomial over their hashes. Places too near the end go."""
    while places and work[0, places - 1] + n > count:
        places -= 1
    for i in range(places):
        grams[i] = grams[i] * GOLDEN + hashes[work[0, i] + n - 1]
    return places


@inner
def _walk(sums: Ints, n: int, work: Ints, grams: Hashes, places: int, table: Hashes) -> int:
    """Characters of n-grams that stand before; one that does is stepped over whole, and never counted twice."""
    mask = clear(table, places)
    repeated, free = 0, 0
    for i in range(places):
        at = work[0, i]
        if at >= free and count_in(table, add(table, mask, grams[i])) > 1:
            repeated += sums[at + n] - sums[at]
            free = at + n
    return repeated
