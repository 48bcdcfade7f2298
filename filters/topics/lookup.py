"""Sums the rows of a document's tokens: one look-up for each token in a table of open addressing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner
from filters.stream import Hashes, Offsets

Rows = npt.NDArray[np.float32]
Places = npt.NDArray[np.int32]


def slots_of(keys: Hashes) -> Places:
    """Where each key stands: a table of a power of two slots, at most half full; -1 where none stands."""
    slots = np.full(1 << max(4, int(2 * len(keys)).bit_length()), -1, np.int32)
    _fill(keys, slots)
    return slots


@compiled
def _fill(keys: Hashes, slots: Places) -> None:
    mask = np.uint64(len(slots) - 1)
    for index in range(len(keys)):
        at = np.int64(keys[index] & mask)
        while slots[at] >= 0:
            at = (at + 1) & np.int64(mask)
        slots[at] = index


@inner
def place_of(key: np.uint64, keys: Hashes, slots: Places) -> int:
    """The number of a key, -1 if it is none of the keys."""
    mask = np.int64(len(slots) - 1)
    at = np.int64(key & np.uint64(mask))
    while slots[at] >= 0 and keys[slots[at]] != key:
        at = (at + 1) & mask
    return int(slots[at])


@compiled
def sum_rows(
    tokens: Hashes, offsets: Offsets, keys: Hashes, slots: Places, rows: Rows, sums: Rows, hits: Offsets
) -> None:
    """Adds to `sums`, shape (documents, labels), the row of every token that has one, and counts them in `hits`."""
    for document in range(len(offsets) - 1):
        for index in range(offsets[document], offsets[document + 1]):
            row = place_of(tokens[index], keys, slots)
            if row < 0:
                continue
            hits[document] += 1
            for label in range(rows.shape[1]):
                sums[document, label] += rows[row, label]
