"""What the bytes of a text say before anything parses it: characters that no text has, tags and their depth."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inlined
from filters.hashing import FNV_OFFSET, FNV_PRIME

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

# What an element is to the depth of a page.
LEAF, INLINE, CLOSES_INLINE = 1, 2, 4

_SLOTS = 1 << 11
_MAX_NAMES = 1500  # of a page; of further ones no end tag counts
_RUN = 128  # bytes
_LESS_THAN, _GREATER_THAN, _SLASH = 60, 62, 47


class Names(NamedTuple):
    """Names of elements and what they are: open addressing, of _SLOTS slots; 0 is an empty one."""

    keys: Hashes
    kinds: Bytes


class Tags(NamedTuple):
    """count: start and end tags; depth: about the largest number of elements that are open at once."""

    count: int
    depth: int


def count_bad(utf8: bytes) -> tuple[int, int]:
    """How many characters are replacement characters or controls that no text has, and how many there are.

    Controls are C0 but for tab, line feed, form feed and carriage return; delete; and C1.
    """
    data = np.frombuffer(utf8, np.uint8)
    bad, following = _count_bad(data)
    return int(bad), len(data) - int(following)


def count_tags(utf8: bytes, names: Names) -> Tags:
    """The tags of a page, those in its comments and scripts too.

    An element of the kind LEAF never nests. Of each other name the open ones are counted, an end tag without a start
    tag does nothing, and INLINE ones only count up to the next start tag that CLOSES_INLINE.
    """
    slots = names.keys.copy(), names.kinds.copy()
    count, depth = _count_tags(np.frombuffer(utf8, np.uint8), *slots, np.zeros((2, _SLOTS), np.int64))
    return Tags(int(count), int(depth))


def element_names(kinds: Iterable[tuple[str, int]]) -> Names:
    """Lower-case ASCII names of elements, and what each is: bits."""
    names = Names(np.zeros(_SLOTS, np.uint64), np.zeros(_SLOTS, np.uint8))
    for name, kind in kinds:
        key = int(FNV_OFFSET)
        for byte in name.encode():
            key = (key ^ byte) * int(FNV_PRIME) % (1 << 64)
        slot = key % _SLOTS
        while names.keys[slot] not in (0, key):
            slot = (slot + 1) % _SLOTS
        names.keys[slot] = key
        names.kinds[slot] |= kind
    return names


@compiled
def _count_bad(data: Bytes) -> tuple[int, int]:
    """Bad characters, and bytes that go on with one: counted by runs whose sums fit a byte, many bytes at once."""
    bad, following = 0, 0
    for begin in range(0, len(data), _RUN):
        here, after = np.uint8(0), np.uint8(0)
        for byte in data[begin : begin + _RUN]:
            control = (byte < 32) & (byte != 9) & (byte != 10) & (byte != 12) & (byte != 13)
            here = np.uint8(here + np.uint8(control | (byte == 127)))
            after = np.uint8(after + np.uint8((byte & 0xC0) == 0x80))
        bad += here
        following += after
        if after:  # of a sequence, its last byte may be in this run
            end = min(begin + _RUN, len(data))
            for i in range(max(begin - 1, 0), end - 1):
                bad += (data[i] == 0xC2) & (data[i + 1] >= 0x80) & (data[i + 1] < 0xA0)
            for i in range(max(begin - 2, 0), end - 2):
                bad += (data[i] == 0xEF) & (data[i + 1] == 0xBF) & (data[i + 2] == 0xBD)
    return bad, following


@inlined
def _lower(byte: np.uint8) -> np.uint8:
    return byte | 32 if 65 <= byte <= 90 else byte


@compiled
def _count_tags(data: Bytes, keys: Hashes, kinds: Bytes, opened: Ints) -> tuple[int, int]:
    """opened: by slot the elements that are open, and the segment in which inline ones were counted."""
    size = len(data)
    count, known, segment, read = 0, 0, 1, 0
    blocks, deepest, lines, widest = 0, 0, 0, 0
    for i in np.flatnonzero(data == _LESS_THAN):
        is_end = i + 1 < size and data[i + 1] == _SLASH
        at = i + 2 if is_end else i + 1
        if i < read or at >= size or not 97 <= data[at] | 32 <= 122:
            continue
        count += 1
        key = FNV_OFFSET
        while at < size and data[at] > 32 and data[at] != _SLASH and data[at] != _GREATER_THAN:
            key = (key ^ np.uint64(_lower(data[at]))) * FNV_PRIME
            at += 1
        read = at
        slot = np.int64(key & np.uint64(_SLOTS - 1))
        while keys[slot] != 0 and keys[slot] != key:
            slot = (slot + 1) & (_SLOTS - 1)
        if keys[slot] == 0:
            if is_end:
                continue
            if known == _MAX_NAMES:
                blocks += 1
                deepest = max(deepest, blocks)
                continue
            known += 1
            keys[slot] = key
        kind = kinds[slot]
        if kind & CLOSES_INLINE and not is_end:
            segment += 1
            lines = 0
        if kind & LEAF:
            continue
        if kind & INLINE and opened[1, slot] != segment:
            opened[0, slot], opened[1, slot] = 0, segment
        step = 1 - 2 * is_end if opened[0, slot] or not is_end else 0
        opened[0, slot] += step
        if kind & INLINE:
            lines += step
            widest = max(widest, lines)
        else:
            blocks += step
            deepest = max(deepest, blocks)
    return count, deepest + widest
