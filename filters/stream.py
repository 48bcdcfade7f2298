"""A document's text as a stream of words and lines, read once: every score and the MinHash signature come from here.

A word is a run of ASCII letters, digits and underscores, or of bytes from 0x80 on; ASCII case is folded.
A line is of one kind: Markdown fences (three or more backticks or tildes) part code from prose, and of the rest
its first characters tell what it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.compiled import compiled, inner
from filters.hashing import FNV_OFFSET, FNV_PRIME, GOLDEN, mix
from filters.swar import end_of_line

Bytes = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]
Offsets = npt.NDArray[np.int64]

# What a line is. PROSE, HEADING and ITEM are read as prose; a FENCE line has no words.
PROSE, HEADING, ITEM, TABLE, CODE, LOG, FENCE, BLANK = range(8)

# Columns of Stream.counts, one row a document. Prose is paragraphs, headings and items; its characters are those
# that are no spaces, and letters are ASCII's and what lies beyond it. Lines are those that have words.
COUNTS = (
    "words",
    "prose_words",
    "code_words",
    "table_words",
    "log_words",
    "prose_lines",
    "heading_lines",
    "item_lines",
    "table_lines",
    "code_lines",
    "log_lines",
    "repeated_lines",
    "prose_characters",
    "prose_letters",
    "prose_word_bytes",
    "code_bytes",
)
_WORDS, _PROSE_WORDS, _CODE_WORDS, _TABLE_WORDS, _LOG_WORDS = range(5)
_PROSE_LINES, _HEADING_LINES, _ITEM_LINES, _TABLE_LINES, _CODE_LINES, _LOG_LINES, _REPEATED = range(5, 12)
_CHARACTERS, _LETTERS, _WORD_BYTES, _CODE_BYTES = range(12, 16)

# Where the words and lines of each kind are counted; FENCE and BLANK have none.
_WORDS_OF = np.array([_PROSE_WORDS, _PROSE_WORDS, _PROSE_WORDS, _TABLE_WORDS, _CODE_WORDS, _LOG_WORDS, -1, -1])
_LINES_OF = np.array([_PROSE_LINES, _HEADING_LINES, _ITEM_LINES, _TABLE_LINES, _CODE_LINES, _LOG_LINES, -1, -1])

# What a byte is.
_WORD, _LETTER, _CHARACTER, _DIGIT = 1, 2, 4, 8


def _byte_classes() -> Bytes:
    kinds = np.zeros(256, np.uint8)
    kinds[33:128] |= _CHARACTER
    kinds[192:] |= _CHARACTER | _LETTER
    for letter in range(26):
        kinds[[65 + letter, 97 + letter]] |= _WORD | _LETTER
    kinds[48:58] |= _WORD | _DIGIT
    kinds[95] |= _WORD
    kinds[128:] |= _WORD
    return kinds


_BYTE = _byte_classes()

_FOLDED = np.arange(256, dtype=np.uint64)
_FOLDED[65:91] |= 32
# What a byte of a word adds to two counts in one number: of characters, and in the upper half of letters.
_LETTERS_BEGIN = 32
_TALLY = ((_BYTE & _CHARACTER) != 0).astype(np.int64) + (((_BYTE & _LETTER) != 0).astype(np.int64) << _LETTERS_BEGIN)

# What a byte is in a date.
_DATE_DIGIT, _DATE_COLON, _DATE_MARK, _DATE_SPACE = 1, 2, 3, 4
_DATE = np.zeros(256, np.uint8)
_DATE[48:58] = _DATE_DIGIT
_DATE[58] = _DATE_COLON
_DATE[[45, 47]] = _DATE_MARK
_DATE[[32, 43, 44, 46, 84, 90, 93]] = _DATE_SPACE


@dataclass(frozen=True)
class Stream:
    """The words and lines of a batch. Places are bytes in `data`, the UTF-8 of all documents one behind the other.

    data, offsets: document i is `data[offsets[i]:offsets[i + 1]]`.
    hashes, starts: of each word; those of document i are `hashes[word_offsets[i]:word_offsets[i + 1]]`.
    lines, line_words, line_kinds: where each line begins, its first word, and what it is; the lines of document i
    are `lines[line_offsets[i]:line_offsets[i + 1]]`. Behind the last line of the batch stands one more entry of
    `lines` and of `line_words`, so that the next one ends a line everywhere but for its line feed.
    counts: shape (documents, len(COUNTS)).
    """

    data: Bytes
    offsets: Offsets
    hashes: Hashes
    starts: Offsets
    word_offsets: Offsets
    lines: Offsets
    line_words: Offsets
    line_kinds: Bytes
    line_offsets: Offsets
    counts: Offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def column(self, name: str) -> Offsets:
        """One of COUNTS, for each document."""
        return self.counts[:, COUNTS.index(name)]


def read_stream(texts: pa.Array) -> Stream:
    """Splits a string array into lines and words and hashes these, in one pass over its buffer."""
    data, offsets = _buffers(texts)
    counts = np.zeros((len(offsets) - 1, len(COUNTS)), dtype=np.int64)
    most_words, most_lines = _sizes(data, offsets)
    hashes = np.empty(most_words, dtype=np.uint64)
    starts = np.empty(most_words, dtype=np.int64)
    word_offsets, line_offsets = np.zeros_like(offsets), np.zeros_like(offsets)
    lines, line_words = np.empty(most_lines + 1, np.int64), np.empty(most_lines + 1, np.int64)
    line_kinds = np.empty(most_lines, dtype=np.uint8)
    _scan(data, offsets, hashes, starts, word_offsets, lines, line_words, line_kinds, line_offsets, counts)
    words, line = word_offsets[-1], line_offsets[-1]
    hashes, starts = hashes[:words], starts[:words]
    lines, line_words, line_kinds = lines[: line + 1], line_words[: line + 1], line_kinds[:line]
    return Stream(data, offsets, hashes, starts, word_offsets, lines, line_words, line_kinds, line_offsets, counts)


def _buffers(texts: pa.Array) -> tuple[Bytes, Offsets]:
    array = texts.cast(pa.large_string())
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # of an empty one
        array = pa.array([], pa.large_string())
    _, offset_buffer, data_buffer = array.buffers()
    if not len(array):
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(data_buffer, dtype=np.uint8) if data_buffer else np.empty(0, dtype=np.uint8)
    return data[offsets[0] : offsets[-1]], offsets - offsets[0]


@inner
def combine(hashes: Hashes, begin: int, end: int) -> np.uint64:
    """A hash over a run of words in their order."""
    value = np.uint64(end - begin)
    for at in range(begin, end):
        value = mix(value * GOLDEN + hashes[at])
    return value


def hash_words(words: str) -> list[int]:
    """The hashes of the words of a short text, as they stand in a stream."""
    return [int(value) for value in read_stream(pa.array([words], pa.large_string())).hashes]


@compiled
def _sizes(data: Bytes, offsets: Offsets) -> tuple[int, int]:
    """How many words and lines there are: no fewer words than will be found, and the lines."""
    words, lines = 0, 0
    before = False
    for byte in data:
        word = (_BYTE[byte] & _WORD) != 0
        words += word & (not before)
        lines += byte == 10
        before = word
    documents = len(offsets) - 1
    return words + documents, lines + documents


@compiled
def _scan(
    data: Bytes,
    offsets: Offsets,
    hashes: Hashes,
    starts: Offsets,
    word_offsets: Offsets,
    lines: Offsets,
    line_words: Offsets,
    line_kinds: Bytes,
    line_offsets: Offsets,
    counts: Offsets,
) -> None:
    words, line = 0, 0
    most = 0
    for document in range(len(offsets) - 1):
        begin, end = offsets[document], offsets[document + 1]
        first_word, first_line = words, line
        fence, fence_length = np.uint8(0), 0
        at = begin
        while at < end:
            stop = end_of_line(data, at, end)
            kind, mark, length = _kind_of(data, at, stop, fence, fence_length)
            if kind == FENCE:
                fence, fence_length = (mark, length) if fence_length == 0 else (np.uint8(0), 0)
            lines[line], line_words[line] = at, words
            if kind != FENCE and kind != BLANK:
                words = _read_line(data, at, stop, kind, hashes, starts, words, counts[document])
                if words == line_words[line] and kind <= ITEM:
                    kind = BLANK
            line_kinds[line] = kind
            line += 1
            at = stop + 1
        word_offsets[document + 1], line_offsets[document + 1] = words, line
        counts[document, _WORDS] = words - first_word
        most = max(most, line - first_line)
    lines[line], line_words[line] = len(data), words
    repeated = np.empty(most, np.uint64)
    for document in range(len(offsets) - 1):
        first, last = line_offsets[document], line_offsets[document + 1]
        counts[document, _REPEATED] = _repeated_lines(hashes, line_words, line_kinds, first, last, repeated)


@inner
def _kind_of(data: Bytes, begin: int, end: int, fence: np.uint8, fence_length: int) -> tuple[int, np.uint8, int]:
    """What a line is; of a fence also its character and its length."""
    at = begin
    while at < end and (data[at] == 32 or data[at] == 62 or data[at] == 9):
        at += 1
    first = data[at] if at < end else np.uint8(10)
    if first == 96 or first == 126:
        mark, length, bare = _fence_mark(data, at, end)
        if fence_length == 0 and length >= 3:
            return FENCE, mark, length
        if fence_length and mark == fence and length >= fence_length and bare:
            return FENCE, mark, length
    if at == end or (at + 1 == end and first == 13):
        return BLANK, first, 0
    if fence_length:
        return LOG if _is_dated(data, at, end) else CODE, first, 0
    if first == 124:
        return TABLE, first, 0
    if first == 35 and _is_heading(data, at, end):
        return HEADING, first, 0
    if _is_item(data, at, end):
        return ITEM, first, 0
    return LOG if _is_dated(data, at, end) else PROSE, first, 0


@inner
def _fence_mark(data: Bytes, begin: int, end: int) -> tuple[np.uint8, int, bool]:
    """Fence character, its run's length, and whether nothing but spaces follows.

    No fence (length 0) is a run of backticks with another backtick behind it: that is inline code (CommonMark 4.5).
    """
    mark, at = data[begin], begin
    while at < end and data[at] == mark:
        at += 1
    length = at - begin
    bare = True
    while at < end:
        if mark == 96 and data[at] == 96:
            return np.uint8(0), 0, False
        bare = bare and (data[at] == 32 or data[at] == 13)
        at += 1
    return mark, length, bare


@inner
def _is_heading(data: Bytes, begin: int, end: int) -> bool:
    at = begin
    while at < end and data[at] == 35:
        at += 1
    return at - begin <= 6 and (at == end or data[at] == 32)


@inner
def _is_item(data: Bytes, begin: int, end: int) -> bool:
    """A bullet or a number with a space behind it."""
    at = begin
    first = data[at]
    if first == 45 or first == 42 or first == 43:
        at += 1
    elif _BYTE[first] & _DIGIT:
        while at < end and at - begin < 9 and _BYTE[data[at]] & _DIGIT:
            at += 1
        if at == end or (data[at] != 46 and data[at] != 41):
            return False
        at += 1
    else:
        return False
    return at < end and data[at] == 32


@inner
def _is_dated(data: Bytes, begin: int, end: int) -> bool:
    """Whether a line begins with a time as logs write it, and does not go on as talk.

    `2024-01-31T12:00:00`, `2024/01/31 12:00`, `Jan 31 12:00:00`, `12:00:00`, `[ 123.456789]`, `I0131 12:00:00`,
    each in brackets or not; `[12:00] <name>` is talk.
    """
    at = begin
    if data[at] == 91:
        at += 1
        while at < end and data[at] == 32:
            at += 1
    stop = min(end, at + 32)
    digits, colons, marks = 0, 0, 0
    while at < stop:
        what = _DATE[data[at]]
        month = digits == 0 and at - begin < 3 and _BYTE[data[at]] & _LETTER
        if not month and (not what or (what == _DATE_COLON and digits == 0)):
            break
        digits += what == _DATE_DIGIT
        colons += what == _DATE_COLON
        marks += what == _DATE_MARK
        at += 1
    seconds_since_boot = data[begin] == 91 and digits >= 7 and marks == 0 and colons == 0
    dated = seconds_since_boot or (digits >= 6 and (colons >= 1 or marks >= 2))
    return dated and not (at < end and data[at] == 60)


@inner
def _read_line(
    data: Bytes, begin: int, end: int, kind: int, hashes: Hashes, starts: Offsets, words: int, counts: Offsets
) -> int:
    """Hashes the words of a line (FNV-1a, mixed) and counts it; the new number of words."""
    first = words
    others, tally = 0, 0
    at = begin
    while at < end:
        what = _BYTE[data[at]]
        if not what & _WORD:
            others += (what & _CHARACTER) != 0
            at += 1
            continue
        starts[words] = at
        value = FNV_OFFSET
        while at < end:
            byte = data[at]
            if not _BYTE[byte] & _WORD:
                break
            value = (value ^ _FOLDED[byte]) * FNV_PRIME
            tally += _TALLY[byte]
            at += 1
        hashes[words] = mix(value)
        words += 1
    counts[_WORDS_OF[kind]] += words - first
    counts[_LINES_OF[kind]] += words > first
    if kind <= ITEM:
        in_words = tally & ((1 << _LETTERS_BEGIN) - 1)
        counts[_CHARACTERS] += others + in_words
        counts[_LETTERS] += tally >> _LETTERS_BEGIN
        counts[_WORD_BYTES] += in_words
        counts[_PROSE_LINES] += kind != PROSE and words > first
    elif kind == CODE or kind == LOG:
        counts[_CODE_BYTES] += end - begin + 1
    return words


@compiled
def _repeated_lines(
    hashes: Hashes, line_words: Offsets, line_kinds: Bytes, first: int, last: int, space: Hashes
) -> int:
    """How many lines of prose stand before in the same document."""
    count = 0
    for line in range(first, last):
        if line_kinds[line] <= ITEM:
            space[count] = combine(hashes, line_words[line], line_words[line + 1])
            count += 1
    ordered = np.sort(space[:count])
    repeated = 0
    for at in range(1, count):
        repeated += ordered[at] == ordered[at - 1]
    return repeated
