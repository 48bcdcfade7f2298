"""What the tokens of a document are made of: salts that keep its kinds apart, and a set that a kernel can fill.

A token is a number of 64 bits. Its salt says what it stands for, so that a word of prose, the same word in code, and
the same word in a heading are three tokens.
"""

from __future__ import annotations

import numpy as np

from filters.compiled import inlined, inner
from filters.stream import Hashes, Offsets, mix

PROSE = np.uint64(0x5052)
CODE = np.uint64(0x434F)
PAIR = np.uint64(0x5041)
NUMBER = np.uint64(0x4E55)
FENCE_NAME = np.uint64(0x4645)
HEADING_WORD = np.uint64(0x4845)
HEADING_WHOLE = np.uint64(0x4857)
FIRST_WORD = np.uint64(0x4649)
FIRST_CODE_WORD = np.uint64(0x4643)
SHAPE = np.uint64(0x5348)
RATE = np.uint64(0x5241)
PLACE = np.uint64(0x504C)

# Places of the set of one document's tokens: a power of two, twice as many as a document gives tokens at most.
SET_SIZE = 1 << 14


@inlined
def salted(value: np.uint64, salt: np.uint64) -> np.uint64:
    return mix(value ^ (salt << np.uint64(40)) ^ salt)


@inner
def is_new(token: np.uint64, seen: Hashes, stamps: Offsets, stamp: int) -> bool:
    """Puts a token into a set, and says whether it was not there. What an earlier document left has another stamp."""
    at = np.int64(token & np.uint64(SET_SIZE - 1))
    while stamps[at] == stamp:
        if seen[at] == token:
            return False
        at = (at + 1) & (SET_SIZE - 1)
    seen[at], stamps[at] = token, stamp
    return True
