"""The form of a document as tokens: shapes of lines, headings, languages of fences, and rates of marks in steps.

None of it is a topic: a log, a thread, a reference of commands and an essay differ here whatever they are about.
"""

from __future__ import annotations

import math

import numpy as np

from filters.compiled import compiled, inner
from filters.hashing import FNV_OFFSET, FNV_PRIME
from filters.stream import (
    BLANK,
    CODE,
    FENCE,
    HEADING,
    LOG,
    Bytes,
    Hashes,
    Offsets,
    Stream,
    combine,
)
from filters.topics import tokens
from filters.topics.tokens import SET_SIZE, is_new, salted
from filters.topics.words import Flags, is_read

# Lines of one document that are read at most, tokens that it gives at most, symbols of a line's shape.
LINES, MOST, SYMBOLS = 600, 3_000, 8

_FENCE_NAME, _BLOCK_NAME = tokens.FENCE_NAME, tokens.BLOCK_NAME
_SHAPE, _RATE = tokens.SHAPE, tokens.RATE
_HEADING_WORD, _HEADING_WHOLE = tokens.HEADING_WORD, tokens.HEADING_WHOLE
_FIRST_WORD, _FIRST_CODE_WORD, _UPPER = tokens.FIRST_WORD, tokens.FIRST_CODE_WORD, tokens.UPPER

# What a byte is in the shape of a line: letters, capitals and digits each one symbol, all others themselves.
_SYMBOL = np.arange(256, dtype=np.uint8)
_SYMBOL[97:123] = 97
_SYMBOL[128:] = 97
_SYMBOL[65:91] = 65
_SYMBOL[48:58] = 48

# What is counted; the rates of the first group are per 1,000 words, those of lines per 1,000 lines.
(
    _WORDS, _NUMBERS, _CAPITALS, _FLAGS, _CALLS, _QUESTIONS, _EXCLAMATIONS, _AT, _DOLLARS, _UNDERSCORES, _PAST,
    _GERUNDS, _CITATIONS, _VERSIONS, _DATES, _TIMES, _LINKS, _PATHS, _QUOTED, _HEXES, _CAMELS, _EQUALS, _PERCENTS,
    _PLURAL, _COLON_END,
) = range(25)  # fmt: skip
_LINES = 25
_KINDS = 26  # lines of each of the 8 kinds
_LONG_LINES = 34
_KEYS = 35
_COUNTERS = 36

# The most tokens that the rates of a document give: each counter in 11 steps, its length in 24.
_RATE_TOKENS = _COUNTERS * 11 + 48


def form_tokens(stream: Stream) -> tuple[Hashes, Offsets]:
    """The tokens of all documents one behind the other, and where those of each begin (one entry more)."""
    found = np.empty(len(stream) * (_RATE_TOKENS + 8) + int(_most(stream).sum()), np.uint64)
    offsets = np.zeros(len(stream) + 1, np.int64)
    _read(
        stream.data, stream.hashes, stream.starts, stream.word_offsets, stream.lines, stream.line_words,
        stream.line_kinds, stream.line_offsets, tokens.is_code(stream), found, offsets,
    )  # fmt: skip
    return found[: offsets[-1]], offsets


def _most(stream: Stream) -> Offsets:
    """How many tokens the lines of each document can give: three of a line, and two of each word."""
    most: Offsets = np.minimum(3 * np.diff(stream.line_offsets) + 2 * np.diff(stream.word_offsets), MOST)
    return most


@compiled
def _read(
    data: Bytes, hashes: Hashes, starts: Offsets, word_offsets: Offsets, lines: Offsets, line_words: Offsets,
    line_kinds: Bytes, line_offsets: Offsets, is_code: Flags, found: Hashes, offsets: Offsets,
) -> None:  # fmt: skip
    seen, stamps = np.empty(SET_SIZE, np.uint64), np.full(SET_SIZE, -1, np.int64)
    counters = np.zeros(_COUNTERS, np.int64)
    count = 0
    for document in range(len(word_offsets) - 1):
        first, words = word_offsets[document], word_offsets[document + 1] - word_offsets[document]
        limit = count + min(3 * (line_offsets[document + 1] - line_offsets[document]) + 2 * words, MOST)
        counters[:] = 0
        for line in range(line_offsets[document], line_offsets[document + 1]):
            begin, end, kind = line_words[line], line_words[line + 1], line_kinds[line]
            if kind == BLANK or counters[_LINES] >= LINES or not is_read(begin - first, words):
                continue
            counters[_LINES] += 1
            counters[_KINDS + kind] += 1
            stop = max(lines[line], lines[line + 1] - 1)
            if kind == FENCE:
                name = salted(_fence_name(data, lines[line], stop), _FENCE_NAME if is_code[document] else _BLOCK_NAME)
                count = _put(name, found, count, limit, seen, stamps, document)
                continue
            shape = salted(_shape(data, lines[line], stop), _SHAPE + np.uint64(kind))
            count = _put(shape, found, count, limit, seen, stamps, document)
            if begin < end:
                count = _open_line(hashes, begin, end, kind, found, count, limit, seen, stamps, document)
                if kind != CODE and kind != LOG:
                    count = _put_upper(
                        data, hashes, starts, begin, end, stop, found, count, limit, seen, stamps, document
                    )
                _count_words(data, starts, begin, end, lines[line], stop, counters)
                counters[_LONG_LINES] += stop - lines[line] > 120
                counters[_KEYS] += _is_key(data, starts[begin], stop)
        count = _rates(counters, words, found, count)
        offsets[document + 1] = count


@inner
def _put(token: np.uint64, found: Hashes, count: int, limit: int, seen: Hashes, stamps: Offsets, stamp: int) -> int:
    if count < limit and is_new(token, seen, stamps, stamp):
        found[count] = token
        count += 1
    return count


@inner
def _open_line(
    hashes: Hashes, begin: int, end: int, kind: int, found: Hashes, count: int, limit: int, seen: Hashes,
    stamps: Offsets, stamp: int,
) -> int:  # fmt: skip
    """How a line opens; of a heading, all its words."""
    if kind == HEADING:
        whole = salted(combine(hashes, begin, min(end, begin + 8)), _HEADING_WHOLE)
        count = _put(whole, found, count, limit, seen, stamps, stamp)
        for word in range(begin, min(end, begin + 12)):
            count = _put(salted(hashes[word], _HEADING_WORD), found, count, limit, seen, stamps, stamp)
        return count
    code = kind == CODE or kind == LOG
    token = salted(hashes[begin], _FIRST_CODE_WORD if code else _FIRST_WORD)
    return _put(token, found, count, limit, seen, stamps, stamp)


@inner
def _put_upper(
    data: Bytes, hashes: Hashes, starts: Offsets, begin: int, end: int, stop: int, found: Hashes, count: int,
    limit: int, seen: Hashes, stamps: Offsets, stamp: int,
) -> int:  # fmt: skip
    """Words all in capitals, as a standard has its MUST and a manual page its SYNOPSIS; hashes know no case."""
    for word in range(begin, end):
        at = starts[word]
        if _SYMBOL[data[at]] != 65 or at + 2 >= stop or _SYMBOL[data[at + 1]] != 65 or _SYMBOL[data[at + 2]] != 65:
            continue
        at += 3
        while at < stop and _SYMBOL[data[at]] == 65:
            at += 1
        if at == stop or (_SYMBOL[data[at]] != 97 and _SYMBOL[data[at]] != 48 and data[at] != 95):
            count = _put(salted(hashes[word], _UPPER), found, count, limit, seen, stamps, stamp)
    return count


@inner
def _fence_name(data: Bytes, begin: int, end: int) -> np.uint64:
    """The language that a fence names; its first word alone."""
    at = begin
    while at < end and (data[at] == 96 or data[at] == 126 or data[at] == 32 or data[at] == 62):
        at += 1
    value = FNV_OFFSET
    while at < end and data[at] != 32 and data[at] != 123:
        value = (value ^ np.uint64(data[at] | 32)) * FNV_PRIME
        at += 1
    return value


@inner
def _shape(data: Bytes, begin: int, end: int) -> np.uint64:
    """How a line begins, runs of letters, capitals and digits each as one symbol: `[00:00] <a` of a chat."""
    value, symbols, last = FNV_OFFSET, 0, np.uint8(0)
    for at in range(begin, min(end, begin + 80)):
        symbol = _SYMBOL[data[at]]
        if symbol == last:
            continue
        value = (value ^ np.uint64(symbol)) * FNV_PRIME
        last = symbol
        symbols += 1
        if symbols == SYMBOLS:
            break
    return value


@inner
def _is_key(data: Bytes, begin: int, end: int) -> bool:
    """Whether a line opens with a word and a colon or an equals sign."""
    at = begin
    while at < end and (
        data[at] == 95
        or data[at] == 45
        or data[at] == 46
        or _SYMBOL[data[at]] != data[at]
        or data[at] == 97
        or data[at] == 65
        or data[at] == 48
    ):
        at += 1
    while at < end and (data[at] == 34 or data[at] == 32):
        at += 1
    return at < end and (data[at] == 58 or data[at] == 61)


@inner
def _count_words(
    data: Bytes, starts: Offsets, begin: int, end: int, open_at: int, stop: int, counters: Offsets
) -> None:
    """Counts the words of a line by their look and by what stands before and behind them."""
    for word in range(begin, end):
        at = starts[word]
        last = at
        upper, lower, digits, under, camel = 0, 0, 0, 0, 0
        while last < stop:
            byte = data[last]
            symbol = _SYMBOL[byte]
            if symbol == 97:
                lower += 1
            elif symbol == 65:
                camel += lower > 0
                upper += 1
            elif symbol == 48:
                digits += 1
            elif byte == 95:
                under += 1
            else:
                break
            last += 1
        length = last - at
        before = data[at - 1] if at > open_at else np.uint8(32)
        behind = data[last] if last < stop else np.uint8(10)
        counters[_WORDS] += 1
        if upper or digits or under:
            counters[_NUMBERS] += digits == length
            counters[_CAPITALS] += upper == length and length >= 3
            counters[_UNDERSCORES] += under > 0
            counters[_CAMELS] += camel > 0 and under == 0
            counters[_HEXES] += digits > 0 and lower > 0 and length >= 6
        if lower >= 4:
            counters[_PLURAL] += data[last - 1] == 115
            counters[_PAST] += data[last - 1] == 100 and data[last - 2] == 101
            counters[_GERUNDS] += (
                lower >= 5 and data[last - 1] == 103 and data[last - 2] == 110 and data[last - 3] == 105
            )
        if before != 32:
            further = data[at - 2] if at - 1 > open_at else np.uint8(32)
            _count_before(before, further, behind, digits == length, counters)
        if behind != 32:
            _count_behind(behind, last + 1 >= stop, counters)
            _count_numbers(data, last, stop, digits, length, before, behind, counters)


@inner
def _count_before(before: np.uint8, further: np.uint8, behind: np.uint8, number: bool, counters: Offsets) -> None:
    counters[_FLAGS] += before == 45 and (further == 45 or further == 32 or further == 96)
    counters[_AT] += before == 64
    counters[_DOLLARS] += before == 36
    counters[_PATHS] += before == 47
    counters[_QUOTED] += before == 34 or before == 39 or before == 96
    counters[_CITATIONS] += before == 91 and (behind == 93 or behind == 44) and number


@inner
def _count_behind(behind: np.uint8, ends: bool, counters: Offsets) -> None:
    counters[_CALLS] += behind == 40
    counters[_QUESTIONS] += behind == 63
    counters[_EXCLAMATIONS] += behind == 33
    counters[_EQUALS] += behind == 61
    counters[_PERCENTS] += behind == 37
    counters[_COLON_END] += behind == 58 and ends


@inner
def _count_numbers(
    data: Bytes, last: int, stop: int, digits: int, length: int, before: np.uint8, behind: np.uint8, counters: Offsets
) -> None:
    """Versions, dates, times and links, each counted at the word that it begins with."""
    follows = last + 1 < stop
    digit_behind = follows and 48 <= data[last + 1] <= 57
    if digits == length:
        counters[_DATES] += length == 4 and (behind == 45 or behind == 47) and digit_behind
        counters[_TIMES] += length <= 2 and behind == 58 and digit_behind
        counters[_VERSIONS] += behind == 46 and digit_behind and before != 46
    elif behind == 58 and follows:
        counters[_LINKS] += data[last + 1] == 47


@inner
def _rates(counters: Offsets, words: int, found: Hashes, count: int) -> int:
    """A token for every step that a rate reaches: 1 in 1,000, 2, 4, ... of words, or of lines."""
    for counter in range(1, _COUNTERS):
        if counter == _LINES:
            continue
        whole = counters[_WORDS] if counter < _LINES else counters[_LINES]
        rate = 1000 * counters[counter] / max(whole, 1)
        for step in range(11):
            if rate < 2.0**step * 0.98:
                break
            found[count] = salted(np.uint64(counter * 64 + step), _RATE)
            count += 1
    for step in range(int(math.log2(words + 1)) + 1):
        found[count] = salted(np.uint64(_COUNTERS * 64 + step), _RATE)
        count += 1
    for step in range(int(math.log2(counters[_WORDS] / max(counters[_LINES], 1) + 1)) + 1):
        found[count] = salted(np.uint64((_COUNTERS + 1) * 64 + step), _RATE)
        count += 1
    return count
