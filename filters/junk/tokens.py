"""What a short page is told by: tokens of its prose, and numbers that say how it looks.

A token stands for a word in any case, a pair of neighbours, or how a longer word begins; of scripts without spaces for
two letters. All numbers are one token, so are all identifiers, and so is inline code, whose words are not read.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inlined, inner
from filters.hashing import FNV_OFFSET, FNV_PRIME, mix
from filters.stream import BLANK, CODE, FENCE, HEADING, ITEM, LOG, TABLE, Bytes, Hashes, Offsets, Stream

Floats = npt.NDArray[np.float32]
Kinds = npt.NDArray[np.uint8]

FEWEST, MOST = 3, 700  # words of a page that is judged; a longer one has more to say than walls and stubs do
_MOST_CODE = 0.3  # of the words of a page
_TOKENS = 600  # of the beginning of a page
LOOKS = 10  # numbers of a page

NUMBER, IDENTIFIER, INLINE = np.uint64(0x4E55), np.uint64(0x4944), np.uint64(0x434F)
_PAIR, _BEGINNING, _GOLDEN = np.uint64(0x5041), np.uint64(0x4245), np.uint64(0x9E3779B97F4A7C15)
_PREFIX = 5  # bytes of a beginning
_BACKTICK, _UNDERSCORE = 96, 95


class Pages(NamedTuple):
    """The pages of a batch that are judged: `rows` are their places in it.

    words, pairs, beginnings: the tokens of page i are `words[starts[i]:starts[i + 1]]`; a pair is of a word and the one
    behind it, and 0 where there is none, as is the beginning of a short word.
    looks: shape (pages, LOOKS): words and lines, logarithms; words in a line; the shares of lines that end as sentences
    do, and that are items; whether it has code; the shares of identifiers, of inline code and of numbers; tables.
    """

    rows: Offsets
    starts: Offsets
    words: Hashes
    pairs: Hashes
    beginnings: Hashes
    looks: Floats


def read_pages(stream: Stream) -> Pages:
    """The pages that are short and no code."""
    words = stream.column("words")
    code = stream.column("code_words") + stream.column("log_words")
    rows = np.flatnonzero((words >= FEWEST) & (words <= MOST) & (code <= _MOST_CODE * words))
    most = int(np.sum(np.diff(stream.offsets)[rows]))
    size = min(most, _TOKENS * len(rows))
    tokens, pairs, beginnings = np.empty(size, np.uint64), np.empty(size, np.uint64), np.empty(size, np.uint64)
    starts, looks = np.zeros(len(rows) + 1, np.int64), np.zeros((len(rows), LOOKS), np.float32)
    _read(
        stream.data, stream.offsets, stream.hashes, stream.starts, stream.lines, stream.line_words, stream.line_kinds,
        stream.line_offsets, rows, np.empty(_TOKENS, np.uint64), np.empty(_TOKENS, np.uint64), starts, tokens, pairs,
        beginnings, looks,
    )  # fmt: skip
    looks[:, 5] = code[rows] > 0
    looks[:, 9] = stream.column("table_words")[rows] > 0
    end = starts[-1]
    return Pages(rows, starts, tokens[:end], pairs[:end], beginnings[:end], looks)


@inlined
def pair_of(one: np.uint64, other: np.uint64) -> np.uint64:
    """The token of two neighbours."""
    return mix(mix(one * _GOLDEN + other) ^ _PAIR)


@compiled
def _read(
    data: Bytes,
    offsets: Offsets,
    hashes: Hashes,
    word_starts: Offsets,
    lines: Offsets,
    line_words: Offsets,
    kinds: Kinds,
    line_offsets: Offsets,
    rows: Offsets,
    found: Hashes,
    begins: Hashes,
    starts: Offsets,
    words: Hashes,
    pairs: Hashes,
    beginnings: Hashes,
    looks: Floats,
) -> None:
    size = 0
    for page in range(len(rows)):
        document = rows[page]
        first, last = line_offsets[document], line_offsets[document + 1]
        end = offsets[document + 1]
        count, ended, items, prose = 0, 0, 0, 0
        for line in range(first, last):
            kind = kinds[line]
            if kind in (FENCE, BLANK, CODE, LOG, TABLE):
                continue
            begin, stop = lines[line], end if line + 1 == last else lines[line + 1] - 1
            prose += 1
            items += kind == ITEM
            ended += kind != HEADING and _is_ended(data, begin, stop)
            word, behind = line_words[line], line_words[line + 1]
            count = _read_line(data, begin, stop, hashes, word_starts, word, behind, found, begins, count)
        for at in range(count):
            words[size + at], beginnings[size + at] = found[at], begins[at]
            pairs[size + at] = pair_of(found[at], found[at + 1]) if at + 1 < count else np.uint64(0)
        size += count
        starts[page + 1] = size
        _look(found[:count], prose, ended, items, looks[page])


@inner
def _look(found: Hashes, prose: int, ended: int, items: int, row: Floats) -> None:
    numbers, identifiers, inline = 0, 0, 0
    for token in found:
        numbers += token == NUMBER
        identifiers += token == IDENTIFIER
        inline += token == INLINE
    count, lines = max(1, len(found)), max(1, prose)
    row[0], row[1] = np.log1p(count) / 3, np.log1p(lines) / 3
    row[2] = min(count / lines, 30) / 15
    row[3], row[4] = ended / lines, items / lines
    row[6], row[7], row[8] = min(5 * identifiers / count, 2), min(5 * inline / count, 2), numbers / count


@inner
def _is_ended(data: Bytes, begin: int, end: int) -> bool:
    """Whether a line ends as a sentence does: . ! ? : ; or U+3002, U+FF01, U+FF1F."""
    stop = end
    while stop > begin and data[stop - 1] <= 32:
        stop -= 1
    if stop - begin >= 3 and data[stop - 3] in (0xE3, 0xEF):
        last, middle = data[stop - 1], data[stop - 2]
        return (middle == 0x80 and last == 0x82) or (middle == 0xBC and (last == 0x81 or last == 0x9F))
    return stop > begin and data[stop - 1] in (46, 33, 63, 58, 59)


@inner
def _read_line(
    data: Bytes,
    begin: int,
    end: int,
    hashes: Hashes,
    word_starts: Offsets,
    word: int,
    behind: int,
    found: Hashes,
    begins: Hashes,
    count: int,
) -> int:
    """Adds the tokens of a line; the new number of tokens, which is at most that of the space for them."""
    at, _closed = begin, True
    while at < end and count < len(found):
        if data[at] == _BACKTICK:
            stop = at + 1
            while stop < end and data[stop] != _BACKTICK:
                stop += 1
            if stop < end:  # code that is closed
                found[count], begins[count] = INLINE, np.uint64(0)
                count += 1
                while word < behind and word_starts[word] < stop:
                    word += 1
                at = stop + 1
                continue
        if word < behind and at == word_starts[word]:
            stop, count = _add_word(data, at, end, hashes[word], found, begins, count)
            word += 1
            at = stop
            continue
        at += 1
    return count


@inner
def _add_word(
    data: Bytes, begin: int, end: int, value: np.uint64, found: Hashes, begins: Hashes, count: int
) -> tuple[int, int]:
    """Where a word ends, and the new number of tokens."""
    at, digits, marks, letters = begin, 0, 0, 0
    beginning = FNV_OFFSET
    while at < end:
        byte = data[at]
        is_letter = 97 <= byte | 32 <= 122 or byte >= 128
        if not is_letter and not 48 <= byte <= 57 and byte != _UNDERSCORE:
            break
        digits += 48 <= byte <= 57
        marks += byte == _UNDERSCORE
        letters += is_letter
        if at - begin < _PREFIX:
            beginning = (beginning ^ np.uint64(byte | 32 if byte < 128 else byte)) * FNV_PRIME
        at += 1
    if data[begin] >= 0xE3 and at - begin >= 3:
        return at, _add_letters(data, begin, at, found, begins, count)
    found[count], begins[count] = value, np.uint64(0)
    if letters == 0:
        found[count] = NUMBER
    elif digits or marks:
        found[count] = IDENTIFIER
    elif at - begin > _PREFIX:
        begins[count] = mix(beginning ^ _BEGINNING)
    return at, count + 1


@inner
def _add_letters(data: Bytes, begin: int, end: int, found: Hashes, begins: Hashes, count: int) -> int:
    """Of a script without spaces: every two letters, each of three bytes, or the one that there is."""
    at = begin
    width = 6 if end - begin >= 6 else 3
    while at + width <= end and count < len(found):
        value = FNV_OFFSET
        for byte in data[at : at + width]:
            value = (value ^ np.uint64(byte)) * FNV_PRIME
        found[count], begins[count] = mix(value), np.uint64(0)
        count += 1
        at += 3
    return count
