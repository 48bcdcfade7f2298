"""What the tokens of a document are made of: salts that keep its kinds apart, and a set that a kernel can fill.

A token is a number of 64 bits. Its salt says what it stands for, so that a word of prose, the same word in code, and
the same word in a heading are three tokens.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.compiled import inlined, inner
from filters.hashing import FNV_OFFSET, FNV_PRIME, GOLDEN, mix
from filters.stream import Hashes, Offsets, Stream

PROSE = np.uint64(0x5052)
CODE = np.uint64(0x434F)
EXAMPLE = np.uint64(0x4558)
PAIR = np.uint64(0x5041)
NUMBER = np.uint64(0x4E55)
FENCE_NAME = np.uint64(0x4645)
BLOCK_NAME = np.uint64(0x424C)
HEADING_WORD = np.uint64(0x4845)
HEADING_WHOLE = np.uint64(0x4857)
FIRST_WORD = np.uint64(0x4649)
FIRST_CODE_WORD = np.uint64(0x4643)
UPPER = np.uint64(0x5550)
SHAPE = np.uint64(0x5348)
RATE = np.uint64(0x5241)
PLACE = np.uint64(0x504C)

# A document with so large a share of its words in code is code itself, not a text with examples.
WHOLE_CODE = 0.7

# Places of the set of one document's tokens: a power of two, twice as many as a document gives tokens at most.
SET_SIZE = 1 << 14


def is_code(stream: Stream) -> npt.NDArray[np.bool_]:
    """Of each document, whether it is code itself: its words of code, and names of fences, have other salts."""
    code: npt.NDArray[np.bool_] = stream.column("code_words") + stream.column("log_words") > WHOLE_CODE * stream.column(
        "words"
    )
    return code


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


# ---------------------------------------------------------------- the same in Python, for lists of words

_ALL = (1 << 64) - 1


def of_value(value: int, salt: np.uint64) -> int:
    """`salted` of a plain number."""
    return _mix(value ^ (int(salt) << 40) & _ALL ^ int(salt))


def of_text(text: str, salt: np.uint64) -> int:
    """The token of a string of bytes as they are."""
    value = int(FNV_OFFSET)
    for byte in text.encode():
        value = (value ^ byte) * int(FNV_PRIME) & _ALL
    return of_value(value, salt)


def of_run(hashes: list[int], salt: np.uint64) -> int:
    """The token of a run of words: `combine`, salted."""
    value = len(hashes)
    for word in hashes:
        value = _mix((value * int(GOLDEN) + word) & _ALL)
    return of_value(value, salt)


def _mix(value: int) -> int:
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _ALL
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _ALL
    return value ^ value >> 31
