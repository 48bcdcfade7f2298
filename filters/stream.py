"""A document's text as a stream of words, read once: every score and the MinHash signature come from here.

A word is a run of ASCII letters, digits and underscores, or of bytes from 0x80 on; ASCII case is folded.
Markdown fences (three or more backticks or tildes) part code from prose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]
Offsets = npt.NDArray[np.int64]

# Columns of Stream.counts, one row a document; characters are bytes here, continuation bytes left out.
COUNTS = (
    "words",
    "prose_words",
    "prose_word_bytes",
    "code_bytes",
    "prose_characters",
    "prose_letters",
    "prose_lines",
    "repeated_lines",
)
_WORDS, _PROSE_WORDS, _WORD_BYTES, _CODE, _CHARS, _LETTERS, _LINES, _REPEATED = range(len(COUNTS))

_FNV_OFFSET = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)


@dataclass(frozen=True)
class Stream:
    """Word hashes of a batch: those of document i are `hashes[offsets[i]:offsets[i + 1]]`.

    `counts` has shape (documents, len(COUNTS)).
    """

    hashes: Hashes
    offsets: Offsets
    counts: Offsets

    def column(self, name: str) -> Offsets:
        """One of COUNTS, for each document."""
        return self.counts[:, COUNTS.index(name)]


def read_stream(texts: pa.Array) -> Stream:
    """Splits and hashes the words of a string array, in one pass over its buffer."""
    array = texts.cast(pa.large_string())
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    _, offset_buffer, data_buffer = array.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(data_buffer, dtype=np.uint8) if data_buffer else np.empty(0, dtype=np.uint8)
    size = int(offsets[-1] - offsets[0])
    hashes = np.empty(size // 2 + len(array) + 1, dtype=np.uint64)
    word_offsets = np.zeros(len(array) + 1, dtype=np.int64)
    counts = np.zeros((len(array), len(COUNTS)), dtype=np.int64)
    used = _scan(data, offsets, hashes, word_offsets, counts)
    return Stream(hashes[:used], word_offsets, counts)


@numba.njit(cache=True)
def _mix(value: np.uint64) -> np.uint64:
    """The finaliser of SplitMix64: spreads every input bit over the output."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@numba.njit(cache=True)
def _scan(data: Bytes, offsets: Offsets, hashes: Hashes, word_offsets: Offsets, counts: Offsets) -> int:
    used = 0
    for document in range(len(offsets) - 1):
        used = _scan_document(data, offsets[document], offsets[document + 1], hashes, used, counts[document])
        word_offsets[document + 1] = used
    return used


@numba.njit(cache=True)
def _scan_document(data: Bytes, begin: int, end: int, hashes: Hashes, used: int, counts: Offsets) -> int:
    first = used
    fence, fence_length = np.uint8(0), 0
    line_hashes = np.empty(max(1, _count_lines(data, begin, end)), dtype=np.uint64)
    lines = 0
    at = begin
    while at < end:
        stop = at
        while stop < end and data[stop] != 10:
            stop += 1
        mark, length, bare = _fence_mark(data, at, stop)
        if fence_length == 0 and length >= 3:
            fence, fence_length = mark, length
        elif fence_length and mark == fence and length >= fence_length and bare:
            fence_length = 0
        elif fence_length:
            counts[_CODE] += stop - at + 1
            used = _words_of_line(data, at, stop, hashes, used)
        else:
            before = used
            used = _words_of_line(data, at, stop, hashes, used)
            _count_prose(data, at, stop, used - before, counts)
            if used > before:
                line_hashes[lines] = combine(hashes, before, used)
                lines += 1
        at = stop + 1
    counts[_WORDS] = used - first
    counts[_LINES] = lines
    counts[_REPEATED] = _repeats(line_hashes[:lines])
    return used


@numba.njit(cache=True)
def _count_lines(data: Bytes, begin: int, end: int) -> int:
    lines = 1
    for at in range(begin, end):
        lines += data[at] == 10
    return lines


@numba.njit(cache=True)
def _fence_mark(data: Bytes, begin: int, end: int) -> tuple[np.uint8, int, bool]:
    """Fence character, its run's length, and whether nothing but spaces follows; spaces and quote marks may precede.

    No fence (length 0) is a run of backticks with another backtick behind it: that is inline code (CommonMark 4.5).
    """
    at = begin
    while at < end and (data[at] == 32 or data[at] == 62):
        at += 1
    if at >= end or (data[at] != 96 and data[at] != 126):
        return np.uint8(0), 0, False
    mark, run = data[at], at
    while at < end and data[at] == mark:
        at += 1
    length = at - run
    bare = True
    while at < end:
        if mark == 96 and data[at] == 96:
            return np.uint8(0), 0, False
        bare = bare and (data[at] == 32 or data[at] == 13)
        at += 1
    return mark, length, bare


@numba.njit(cache=True)
def _is_word(byte: np.uint8) -> bool:
    return bool((48 <= byte <= 57) or (65 <= byte <= 90) or (97 <= byte <= 122) or byte == 95 or byte >= 128)


@numba.njit(cache=True)
def _words_of_line(data: Bytes, begin: int, end: int, hashes: Hashes, used: int) -> int:
    """FNV-1a of each word, mixed; returns the new length of `hashes`."""
    at = begin
    while at < end:
        if not _is_word(data[at]):
            at += 1
            continue
        value = _FNV_OFFSET
        while at < end and _is_word(data[at]):
            byte = data[at]
            if 65 <= byte <= 90:
                byte = np.uint8(byte + 32)
            value = (value ^ np.uint64(byte)) * _FNV_PRIME
            at += 1
        hashes[used] = _mix(value)
        used += 1
    return used


@numba.njit(cache=True)
def _count_prose(data: Bytes, begin: int, end: int, words: int, counts: Offsets) -> None:
    counts[_PROSE_WORDS] += words
    for at in range(begin, end):
        byte = data[at]
        if byte <= 32 or 128 <= byte < 192:
            continue
        letter = 65 <= byte <= 90 or 97 <= byte <= 122 or byte >= 192
        counts[_CHARS] += 1
        counts[_LETTERS] += letter
        counts[_WORD_BYTES] += letter or 48 <= byte <= 57 or byte == 95


@numba.njit(cache=True)
def combine(hashes: Hashes, begin: int, end: int) -> np.uint64:
    """A hash over a run of words in their order."""
    value = np.uint64(end - begin)
    for at in range(begin, end):
        value = _mix(value * np.uint64(0x9E3779B97F4A7C15) + hashes[at])
    return value


@numba.njit(cache=True)
def _repeats(line_hashes: Hashes) -> int:
    """How many lines stand before in the same document."""
    ordered = np.sort(line_hashes)
    repeated = 0
    for at in range(1, len(ordered)):
        repeated += ordered[at] == ordered[at - 1]
    return repeated
