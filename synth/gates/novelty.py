"""Numbers, units, options, paths and names of answers that their sources lack."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.compiled import compiled, inner
from filters.general.repetition import clear, table_for
from filters.hashing import GOLDEN, mix
from filters.stream import Bytes, Hashes, Offsets, Stream
from synth.gates.lexicon import Lexicon, lexicon
from synth.gates.literals import (
    AS_IT_IS,
    BYTE,
    FLAG,
    FOLDED,
    FUNCTION,
    NAME,
    NUMBER,
    OWN,
    PART,
    PATH,
    WORD,
    Found,
    room_for,
    scan,
)
from synth.gates.search import find, holds, insert

# Columns of what is counted. `recalled_…` of `source_…`: those of the source that the answer has.
COUNTS = (
    "novel_numbers",
    "changed_units",
    "novel_options",
    "names",
    "novel_names",
    "source_numbers",
    "recalled_numbers",
    "source_options",
    "recalled_options",
)
_NUMBERS, _UNITS, _OPTIONS, _NAMES, _NEW_NAMES, _SOURCE_NUMBERS, _RECALLED_NUMBERS = range(7)
_SOURCE_OPTIONS, _RECALLED_OPTIONS = 7, 8

_ANY_UNIT = 1000
_KEYS = 3  # of a number in a set
_LONGEST_NAME = 256
_SEARCHED = 64  # names that the source may lack; more are not looked for
_CLUSTER = 5  # bytes of one hyphen and letters that may be so many options


class Novelty(NamedTuple):
    """counts: shape (pairs, len(COUNTS)). examples: of the first four of COUNTS that are novel the first one's bytes in
    the answers' data, shape (pairs, 5, 2); nothing where begin and end are the same."""

    counts: Offsets
    examples: Offsets


def compare(sources: Stream, rows: Offsets, answers: Stream) -> Novelty:
    """What answer i has that source rows[i] lacks."""
    pairs = len(answers)
    found = Novelty(np.zeros((pairs, len(COUNTS)), np.int64), np.zeros((pairs, 5, 2), np.int64))
    longest = [int(np.diff(stream.offsets).max(initial=0)) for stream in (sources, answers)]
    before, after = (room_for(size) for size in longest)
    known, own = (table_for(_KEYS * (size + 8)) for size in longest)
    _compare(
        sources.data, sources.offsets, rows, answers.data, answers.offsets, lexicon(), before, after, known, own,
        found.counts, found.examples,
    )  # fmt: skip
    return found


@inner
def _key(value: np.uint64, kind: int, unit: int) -> np.uint64:
    return mix(value + GOLDEN * np.uint64(kind + 16 * unit))


@compiled
def _compare(
    data: Bytes,
    offsets: Offsets,
    rows: Offsets,
    texts: Bytes,
    text_offsets: Offsets,
    words: Lexicon,
    before: Found,
    after: Found,
    known: Hashes,
    own: Hashes,
    counts: Offsets,
    examples: Offsets,
) -> None:
    for pair in range(len(rows)):
        begin, end = offsets[rows[pair]], offsets[rows[pair] + 1]
        size = scan(data, begin, end, words, before)
        mask = clear(known, _KEYS * size)
        _learn(before, size, known, mask)
        letters, more_letters = _short_options(data, before, size)
        said = scan(texts, text_offsets[pair], text_offsets[pair + 1], words, after)
        own_mask = clear(own, _KEYS * said)
        for at in range(said):
            kind = after.kinds[at]
            if kind in (PART, OWN):
                continue
            column = -1
            new = insert(own, own_mask, _key(after.hashes[at], kind, after.units[at]))
            if kind == NUMBER:
                insert(own, own_mask, _key(after.hashes[at], NUMBER, _ANY_UNIT))
                column = _judge_number(texts, after, at, known, mask) if new else -1
            elif new and kind == FLAG:
                if not holds(known, mask, _key(after.hashes[at], FLAG, 0)) and not _is_cluster(
                    texts, after.begins[at], after.ends[at], letters, more_letters
                ):
                    column = _OPTIONS
            elif new:
                counts[pair, _NAMES] += 1
                if not holds(known, mask, _key(after.hashes[at], NAME, 0)) and (
                    counts[pair, _NEW_NAMES] >= _SEARCHED
                    or not _stands(data, begin, end, texts, after.begins[at], after.ends[at], kind)
                ):
                    column = _NEW_NAMES
            if column >= 0:
                if counts[pair, column] == 0:
                    examples[pair, column, 0], examples[pair, column, 1] = after.begins[at], after.ends[at]
                counts[pair, column] += 1
        _recall(before, size, known, mask, own, own_mask, counts[pair])


@inner
def _learn(found: Found, size: int, known: Hashes, mask: int) -> None:
    """Puts the literals of a source into a set."""
    for at in range(size):
        kind = found.kinds[at]
        if kind in (NUMBER, PART, OWN):
            insert(known, mask, _key(found.hashes[at], NUMBER, 0))
            if found.units[at]:
                insert(known, mask, _key(found.hashes[at], NUMBER, found.units[at]))
                insert(known, mask, _key(found.hashes[at], NUMBER, _ANY_UNIT))
        else:
            insert(known, mask, _key(found.hashes[at], FLAG if kind == FLAG else NAME, 0))


@inner
def _judge_number(texts: Bytes, found: Found, at: int, known: Hashes, mask: int) -> int:
    """The column in which a number counts, -1: none."""
    value, unit = found.hashes[at], found.units[at]
    if not holds(known, mask, _key(value, NUMBER, 0)):
        pieces, place = 0, at + 1
        while _is_within(found, place, at):
            if texts[found.ends[place] - 1] == 46 or not holds(known, mask, _key(found.hashes[place], NUMBER, 0)):
                return _NUMBERS
            pieces += found.begins[place] > found.begins[at]
            place += 1
        return -1 if pieces else _NUMBERS  # 80,443 are two numbers
    if unit == 0 or holds(known, mask, _key(value, NUMBER, unit)):
        return -1
    return _UNITS if holds(known, mask, _key(value, NUMBER, _ANY_UNIT)) else -1


@inner
def _is_within(found: Found, place: int, at: int) -> bool:
    """Whether a literal is a part of a number before it; behind the last one lie those of texts before."""
    if place >= len(found.kinds) or found.kinds[place] != PART:
        return False
    return bool(found.begins[place] >= found.begins[at] and found.ends[place] <= found.ends[at])


@inner
def _short_options(data: Bytes, found: Found, size: int) -> tuple[np.uint64, np.uint64]:
    """The letters of a source's options of one hyphen, a bit each: small ones and capitals."""
    small, capital = np.uint64(0), np.uint64(0)
    for at in range(size):
        begin, end = found.begins[at] + 1, found.ends[at]
        if found.kinds[at] != FLAG or end - begin > _CLUSTER - 1 or data[begin] == 45:
            continue
        for byte in data[begin:end]:
            bit = np.uint64(1) << np.uint64(byte & 31)
            if 97 <= byte <= 122:
                small |= bit
            elif 65 <= byte <= 90:
                capital |= bit
    return small, capital


@inner
def _is_cluster(texts: Bytes, begin: int, end: int, small: np.uint64, capital: np.uint64) -> bool:
    """Whether `-xzf` is made of options of the source, or `-x` is part of one."""
    if texts[begin + 1] == 45 or end - begin > _CLUSTER:
        return False
    for byte in texts[begin + 1 : end]:
        bit = np.uint64(1) << np.uint64(byte & 31)
        letters = small if byte >= 97 else capital
        if not 65 <= byte <= 122 or not letters & bit:
            return False
    return True


@inner
def _stands(data: Bytes, begin: int, end: int, texts: Bytes, first: int, last: int, kind: int) -> bool:
    """Whether a name stands in a source in some other way: within another, in other case, in its parts."""
    last = min(last, first + _LONGEST_NAME)
    if find(data, begin, end, texts, first, last, FOLDED) >= 0:
        return True
    if kind == PATH:
        return _parts_stand(data, begin, end, texts, first, last)
    if kind == FUNCTION:  # module.name() of a module's name
        at = last
        while at > first and texts[at - 1] != 46 and texts[at - 1] != 58:
            at -= 1
        return at > first and _parts_stand(data, begin, end, texts, first, last)
    if texts[last - 1] == 115:  # the plural
        return find(data, begin, end, texts, first, last - 1, FOLDED) >= 0
    return False


@inner
def _parts_stand(data: Bytes, begin: int, end: int, texts: Bytes, first: int, last: int) -> bool:
    """Whether all parts of a path stand in a source."""
    at = first
    while at < last:
        while at < last and (texts[at] == 47 or texts[at] == 58):
            at += 1
        part = at
        while at < last and texts[at] != 47 and texts[at] != 58:
            at += 1
        stop = at
        while stop > part and not BYTE[texts[stop - 1]] & WORD:
            stop -= 1
        if stop > part and find(data, begin, end, texts, part, stop, AS_IT_IS) < 0:
            return False
    return True


@inner
def _recall(found: Found, size: int, known: Hashes, mask: int, own: Hashes, own_mask: int, counts: Offsets) -> None:
    """Counts the numbers and options of a source, each once, and those that an answer has."""
    for at in range(size):
        kind = found.kinds[at]
        if kind != NUMBER and kind != FLAG:
            continue
        if not insert(known, mask, _key(found.hashes[at], kind, 2 * _ANY_UNIT)):
            continue
        there = holds(own, own_mask, _key(found.hashes[at], kind, _ANY_UNIT if kind == NUMBER else 0))
        counts[_SOURCE_NUMBERS if kind == NUMBER else _SOURCE_OPTIONS] += 1
        counts[_RECALLED_NUMBERS if kind == NUMBER else _RECALLED_OPTIONS] += there
