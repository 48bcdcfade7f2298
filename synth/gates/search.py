"""Where some bytes stand in others, and sets of hashes: what compiled gates share."""

from __future__ import annotations

import numpy as np

from filters.compiled import inner
from filters.stream import Bytes, Hashes
from synth.gates.literals import BYTE, WORD

_BASE = np.uint64(0x9E3779B97F4A7C15)
_LONGEST_ACROSS = 300  # bytes: what is longer is no code within a sentence


@inner
def find(data: Bytes, begin: int, end: int, other: Bytes, first: int, last: int, fold: Bytes) -> int:
    """Where `other[first:last]` stands in `data[begin:end]` as whole words, -1 if it does not (Rabin and Karp 1987).

    Bytes are compared as `fold` has them. The time does not depend on what the bytes repeat.
    """
    size = last - first
    if size <= 0 or end - begin < size:
        return -1
    wanted, value, power = np.uint64(0), np.uint64(0), np.uint64(1)
    for at in range(size):
        wanted = wanted * _BASE + np.uint64(fold[other[first + at]])
        value = value * _BASE + np.uint64(fold[data[begin + at]])
        power = power * _BASE
    at = begin
    while True:
        if value == wanted and _is_whole(data, begin, end, at, at + size, other, first, last):
            same = 0
            while same < size and fold[data[at + same]] == fold[other[first + same]]:
                same += 1
            if same == size:
                return at
        if at + size >= end:
            return -1
        value = value * _BASE + np.uint64(fold[data[at + size]]) - power * np.uint64(fold[data[at]])
        at += 1


@inner
def stands_across_lines(data: Bytes, begin: int, end: int, other: Bytes, first: int, last: int) -> bool:
    """Whether `other[first:last]` stands in `data[begin:end]` as whole words, with line breaks for some of its spaces.

    Behind a break may stand what begins the lines of items and quotes. Of a longer needle nothing is said.
    """
    if last - first > _LONGEST_ACROSS:
        return False
    for begins in range(begin, end):
        at, wanted = begins, first
        while at < end and wanted < last:
            if other[wanted] == 32:
                behind = _behind_break(data, at, end)
                if behind > at:
                    at, wanted = behind, wanted + 1
                    continue
            if data[at] != other[wanted]:
                break
            at, wanted = at + 1, wanted + 1
        if wanted == last and _is_whole(data, begin, end, begins, at, other, first, last):
            return True
    return False


@inner
def _behind_break(data: Bytes, at: int, end: int) -> int:
    """Where the next line's text begins, if nothing but white space stands before it; else `at`."""
    stop = at
    while stop < end and (data[stop] == 32 or data[stop] == 9 or data[stop] == 13):
        stop += 1
    if stop == end or data[stop] != 10:
        return at
    stop += 1
    while stop < end and (data[stop] == 32 or data[stop] == 9 or data[stop] == 62):
        stop += 1
    return stop


@inner
def _is_whole(data: Bytes, begin: int, end: int, at: int, stop: int, other: Bytes, first: int, last: int) -> bool:
    """Whether no word goes on before or behind a place, if the bytes begin or end with one."""
    if at > begin and BYTE[other[first]] & WORD and BYTE[data[at - 1]] & WORD:
        return False
    return not (stop < end and BYTE[other[last - 1]] & WORD and BYTE[data[stop]] & WORD)


@inner
def insert(table: Hashes, mask: int, key: np.uint64) -> bool:
    """Puts a key into a set; whether it is new."""
    key |= np.uint64(1)  # 0 is an empty slot
    slot = np.int64((key >> np.uint64(1)) & np.uint64(mask))
    while table[slot] != 0:
        if table[slot] == key:
            return False
        slot = (slot + 1) & mask
    table[slot] = key
    return True


@inner
def holds(table: Hashes, mask: int, key: np.uint64) -> bool:
    """Whether a set has a key."""
    key |= np.uint64(1)
    slot = np.int64((key >> np.uint64(1)) & np.uint64(mask))
    while table[slot] != 0:
        if table[slot] == key:
            return True
        slot = (slot + 1) & mask
    return False
