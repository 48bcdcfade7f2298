"""Sums the rows of a document's tokens: one look-up for each token that may be known, in a table of open addressing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner
from filters.stream import Hashes, Offsets

Rows = npt.NDArray[np.float32]

_HINTS = 16  # bits for each key: of the tokens that are no keys, one in 16 passes


class Index(NamedTuple):
    """Where keys stand. `slots`: the number of a key, or -1, by its lower bits; at most half of them are full.

    `hints`: a bit by a key's upper bits, `shift` below them; a token without one is no key.
    """

    keys: Hashes
    slots: npt.NDArray[np.int32]
    hints: npt.NDArray[np.uint8]
    shift: np.uint64


def index_of(keys: Hashes) -> Index:
    """The index of different keys."""
    slots = np.full(1 << max(4, int(2 * len(keys)).bit_length()), -1, np.int32)
    bits = max(6, int(_HINTS * len(keys)).bit_length())
    index = Index(keys, slots, np.zeros(1 << (bits - 3), np.uint8), np.uint64(64 - bits))
    _fill(index)
    return index


@compiled
def _fill(index: Index) -> None:
    mask = np.uint64(len(index.slots) - 1)
    for number in range(len(index.keys)):
        at = np.int64(index.keys[number] & mask)
        while index.slots[at] >= 0:
            at = (at + 1) & np.int64(mask)
        index.slots[at] = number
        place = index.keys[number] >> index.shift
        index.hints[place >> np.uint64(3)] |= np.uint8(1 << np.int64(place & np.uint64(7)))


@inner
def place_of(key: np.uint64, index: Index) -> int:
    """The number of a key, -1 if it is none of the keys."""
    mask = np.int64(len(index.slots) - 1)
    at = np.int64(key & np.uint64(mask))
    while index.slots[at] >= 0 and index.keys[index.slots[at]] != key:
        at = (at + 1) & mask
    return int(index.slots[at])


@compiled
def sum_rows(tokens: Hashes, offsets: Offsets, index: Index, rows: Rows, sums: Rows, hits: Offsets) -> None:
    """Adds to `sums`, shape (documents, labels), the row of every token that has one, and counts them in `hits`."""
    most = 0
    for document in range(len(offsets) - 1):
        most = max(most, offsets[document + 1] - offsets[document])
    hopeful = np.empty(most, np.uint64)
    for document in range(len(offsets) - 1):
        count = 0
        for at in range(offsets[document], offsets[document + 1]):
            # A branch would be guessed wrong for every other token, and cost more than the look-up.
            hopeful[count] = tokens[at]
            place = tokens[at] >> index.shift
            count += (index.hints[place >> np.uint64(3)] >> np.uint8(place & np.uint64(7))) & 1
        for at in range(count):
            row = place_of(hopeful[at], index)
            if row < 0:
                continue
            hits[document] += 1
            for label in range(rows.shape[1]):
                sums[document, label] += rows[row, label]
