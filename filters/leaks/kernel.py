"""The search for seeds in a stream, compiled.

A seed is a run of two or three words of a prompt, or the first three of an answer. Each place of a stream is looked
up in a map of bits; the few that pass are looked up in a table of open addressing, and their items compared.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inlined, inner

Words = npt.NDArray[np.uint64]
Longs = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int32]

_A = np.uint64(0x9E3779B97F4A7C15)
_B = np.uint64(0xC2B2AE3D27D4EB4F)
_C = np.uint64(0x165667B19E3779F9)
BASE = np.uint64(0xD6E8FEB86659FD93)

PROMPT, ANSWER, RUN = 0, 1, 2

# How far the next word of a prompt may be: a value between them may have become a longer one.
_GAP = 9

# Bytes of words, as the stream splits them.
IS_WORD = np.array([byte >= 128 or chr(byte).isalnum() or byte == 95 for byte in range(256)])


@inlined
def _pair(words: Words, at: int) -> np.uint64:
    return words[at] * _A + words[at + 1] * _B


@compiled
def seed_of(words: Words, at: int, size: int) -> np.uint64:
    """The key of the two or three words from a place on."""
    key = _pair(words, at)
    if size == 3:
        key = key + words[at + 2] * _C
    return max(key, np.uint64(1))


@compiled
def run_keys(words: Words, size: int) -> Words:
    """The key of every run of `size` words: a polynomial modulo 2^64."""
    keys = np.empty(max(0, len(words) - size + 1), np.uint64)
    for begin in range(len(keys)):
        key = np.uint64(0)
        for at in range(begin, begin + size):
            key = key * BASE + words[at]
        keys[begin] = max(key, np.uint64(1))
    return keys


@compiled
def fill(keys: Words, bits: Words, slots: Words, values: Longs) -> None:
    """Enters distinct keys, the value of each its number. The sizes of bits and slots are powers of two."""
    bit_shift, slot_shift = _shift(len(bits) * 64), _shift(len(slots))
    for number in range(len(keys)):
        key = keys[number]
        bit = key >> bit_shift
        bits[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))
        slot = np.int64(key >> slot_shift)
        while slots[slot] != 0:
            slot = (slot + 1) & (len(slots) - 1)
        slots[slot] = key
        values[slot] = number


@inner
def _shift(size: int) -> np.uint64:
    shift = np.uint64(64)
    while size > 1:
        size >>= 1
        shift -= np.uint64(1)
    return shift


@inlined
def _may_hold(bits: Words, shift: np.uint64, key: np.uint64) -> bool:
    bit = key >> shift
    return (bits[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1) != np.uint64(0)


@inner
def _look_up(slots: Words, values: Longs, shift: np.uint64, key: np.uint64) -> int:
    slot = np.int64(key >> shift)
    while slots[slot] != 0:
        if slots[slot] == key:
            return values[slot]
        slot = (slot + 1) & (len(slots) - 1)
    return -1


@compiled
def find_runs(
    words: Words, word_offsets: Longs, size: int, bits: Words, slots: Words, values: Longs, items: Ints, found: Longs
) -> int:
    """Runs of prompts: rows (document, item, RUN, first word, end, 0) in `found`; how many there are."""
    bit_shift, slot_shift = _shift(len(bits) * 64), _shift(len(slots))
    power = np.uint64(1)
    for _ in range(size):
        power = power * BASE
    count = 0
    for document in range(len(word_offsets) - 1):
        first, last = word_offsets[document], word_offsets[document + 1]
        key, run_end = np.uint64(0), np.int64(-1)
        for at in range(first, last):
            key = key * BASE + words[at]
            if at - first >= size:
                key = key - words[at - size] * power
            if at - first < size - 1 or not _may_hold(bits, bit_shift, key):
                continue
            value = _look_up(slots, values, slot_shift, key)
            if value < 0:
                continue
            if at + 1 - size <= run_end:
                if count <= len(found):
                    found[count - 1, 4] = at + 1
            else:
                if count < len(found):
                    row = found[count]
                    row[0], row[1], row[2], row[3], row[4], row[5] = (
                        document,
                        items[value],
                        RUN,
                        at + 1 - size,
                        at + 1,
                        0,
                    )
                count += 1
            run_end = at + 1
    return count


@compiled
def find_seeds(
    words: Words,
    word_offsets: Longs,
    tables: tuple[Words, Words, Longs],
    posts: tuple[Longs, Longs, Longs, Longs],
    needed: tuple[Words, Longs, Longs],
    prompts: tuple[Words, Longs],
    answers: tuple[Words, Longs],
    share: float,
    found: Longs,
) -> int:
    """Prompts and answers: rows (document, item, role, first word, end, share of 1000: whole if equal)."""
    bits, slots, values = tables
    bit_shift, slot_shift = _shift(len(bits) * 64), _shift(len(slots))
    count = 0
    for document in range(len(word_offsets) - 1):
        first, last = word_offsets[document], word_offsets[document + 1]
        for at in range(first, last - 1):
            key = _pair(words, at)
            for size in range(2):
                if size == 1:
                    if at + 2 >= last:
                        break
                    key = key + words[at + 2] * _C
                if not _may_hold(bits, bit_shift, key):
                    continue
                value = _look_up(slots, values, slot_shift, key)
                if value >= 0:
                    count = _compare(
                        words, first, last, at, document, value, posts, needed, prompts, answers, share, found, count
                    )
    return count


@inner
def _compare(
    words: Words,
    first: int,
    last: int,
    at: int,
    document: int,
    value: int,
    posts: tuple[Longs, Longs, Longs, Longs],
    needed: tuple[Words, Longs, Longs],
    prompts: tuple[Words, Longs],
    answers: tuple[Words, Longs],
    share: float,
    found: Longs,
    count: int,
) -> int:
    """Compares the items of a seed with the words around it."""
    offsets, items, places, roles = posts
    for post in range(offsets[value], offsets[value + 1]):
        item, place, role = items[post], places[post], roles[post]
        whole, bounds = (answers[0], answers[1]) if role == ANSWER else (prompts[0], prompts[1])
        length = bounds[item + 1] - bounds[item]
        begin, end, permille = at - place, at - place + length, 1000
        if begin < first or end > last or not _is_equal(words, begin, whole, bounds[item], length):
            if role == ANSWER:
                continue
            low, high = needed[2][item], needed[2][item + 1]
            begin, end, permille = _span(words, first, last, at, place, needed[0], needed[1], low, high)
            if permille < 999 * share:
                continue
        if count < len(found):
            row = found[count]
            row[0], row[1], row[2], row[3], row[4], row[5] = document, item, role, begin, end, permille
        count += 1
    return count


@inner
def _is_equal(words: Words, begin: int, others: Words, other: int, length: int) -> bool:
    for step in range(length):
        if words[begin + step] != others[other + step]:
            return False
    return True


@inner
def _span(
    words: Words, first: int, last: int, at: int, place: int, needed: Words, places: Longs, low: int, high: int
) -> tuple[int, int, int]:
    """Where the needed words stand in their order about a seed, and how many of 999 do.

    Each stands within a few words of the one before (behind the seed) or behind it (before the seed).
    """
    hits, start, stop = 0, at, at + 2
    middle = low
    while middle < high and places[middle] < place:
        middle += 1
    for word in range(middle, high):
        reach = min(last, stop + _GAP + _GAP * (word == middle))
        for there in range(at if word == middle else min(stop, reach), reach):
            if words[there] == needed[word]:
                hits, stop = hits + 1, there + 1
                break
    for step in range(middle - low):
        word = middle - 1 - step
        for back in range(1, min(_GAP, start - first) + 1):
            if words[start - back] == needed[word]:
                hits, start = hits + 1, start - back
                break
    if high == low:
        return start, stop, 0
    return start, min(stop, last), min(999, hits * 999 // (high - low))
