"""Boilerplate of a source: runs of lines that stand at the edges of its pages, told by their pairs.

A page's edges are its first and its last lines that have words. Headings, terms and the lines that define them, rows of
tables, code and logs are content wherever they stand, and end a run: `## SYNOPSIS` and `-v, --verbose` are on most
manual pages. Many pages have no lists of definitions: a line that is all marked, or begins with an option, is a term.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.compiled import compiled, inner
from filters.hashing import FNV_OFFSET, FNV_PRIME, GOLDEN, mix
from filters.stream import BLANK, CODE, FENCE, HEADING, LOG, TABLE, Bytes, Hashes, Offsets, Stream, read_stream

EDGE = 20  # lines of an edge
_SPACE, _STAR, _DASH, _COLON, _BACKTICK = 32, 42, 45, 58, 96


class Pairs(NamedTuple):
    """Two lines, one behind the other, at an edge of a page; each pair of a page as often as it stands there.

    document: the page's number, in order; hashes: of the two lines together; first, second: their numbers in the
    stream.
    """

    document: Offsets
    hashes: Hashes
    first: Offsets
    second: Offsets


def edge_pairs(stream: Stream) -> Pairs:
    """The pairs of lines at the edges of each document."""
    most = min(2 * EDGE * len(stream), len(stream.line_kinds))
    pairs = Pairs(
        np.empty(most, np.int64), np.empty(most, np.uint64), np.empty(most, np.int64), np.empty(most, np.int64)
    )
    longest = int(np.max(np.diff(stream.line_offsets), initial=0))
    count = _find(
        stream.data, stream.offsets, stream.lines, stream.line_kinds, stream.line_offsets,
        np.empty(longest, np.int64), pairs,
    )  # fmt: skip
    return Pairs(pairs.document[:count], pairs.hashes[:count], pairs.first[:count], pairs.second[:count])


def text_of(page: str, pair: np.uint64) -> str:
    """The two lines of a pair that stands on a page."""
    stream = read_stream(pa.array([page], pa.large_string()))
    pairs = edge_pairs(stream)
    at = int(np.flatnonzero(pairs.hashes == pair)[0])
    places = [(stream.lines[line], stream.lines[line + 1]) for line in (pairs.first[at], pairs.second[at])]
    return "\n".join(stream.data[begin:end].tobytes().decode().strip() for begin, end in places)


def spans_of(stream: Stream, known: Hashes) -> list[list[tuple[int, int]]]:
    """Of each document the runs of lines that are pairs of `known`, as bytes of its text, with the blank lines behind.

    None of a document that would be left without words.
    """
    spans: list[list[tuple[int, int]]] = [[] for _ in range(len(stream))]
    pairs = edge_pairs(stream)
    found = np.flatnonzero(np.isin(pairs.hashes, known))
    gone = np.zeros(len(stream.line_kinds), np.bool_)
    gone[pairs.first[found]] = gone[pairs.second[found]] = True
    for document in np.unique(pairs.document[found]).tolist():
        first, last = stream.line_offsets[document : document + 2].tolist()
        words = np.diff(stream.line_words[first : last + 1])
        if words[~gone[first:last]].sum() > 0:
            spans[document] = _runs(stream, document, gone[first:last])
    return spans


def _runs(stream: Stream, document: int, gone: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """A run goes on over blank lines, and takes those behind it along."""
    base, end = stream.offsets[document : document + 2].tolist()
    lines = slice(*stream.line_offsets[document : document + 2].tolist())
    spans: list[tuple[int, int]] = []
    begin = -1
    for place, kind, is_gone in zip(stream.lines[lines].tolist(), stream.line_kinds[lines], gone, strict=True):
        if is_gone and begin < 0:
            begin = place
        elif not is_gone and kind != BLANK and begin >= 0:
            spans.append((begin - base, place - base))
            begin = -1
    return [*spans, (begin - base, end - base)] if begin >= 0 else spans


@compiled
def _find(
    data: Bytes, offsets: Offsets, lines: Offsets, kinds: Bytes, line_offsets: Offsets, worded: Offsets, pairs: Pairs
) -> int:
    count = 0
    for document in range(len(line_offsets) - 1):
        size = 0
        for line in range(line_offsets[document], line_offsets[document + 1]):
            if kinds[line] != BLANK:
                worded[size] = line
                size += 1
        end = offsets[document + 1]
        before, hashed = -1, np.uint64(0)
        for at in range(size):
            if at == EDGE and size > 2 * EDGE:
                before = -1
            if EDGE <= at < size - EDGE:
                continue
            line = worded[at]
            begin, stop = lines[line], min(lines[line + 1], end)
            further = worded[at + 1] if at + 1 < size else line
            if _is_content(data, begin, stop, kinds[line]) or (
                further > line and _is_definition(data, lines[further], end)
            ):
                before = -1
                continue
            value = _hash_line(data, begin, stop)
            if before >= 0:
                pairs.document[count], pairs.first[count], pairs.second[count] = document, before, line
                pairs.hashes[count] = mix(hashed * GOLDEN + value)
                count += 1
            before, hashed = line, value
    return count


@inner
def _is_content(data: Bytes, begin: int, end: int, kind: int) -> bool:
    if kind == HEADING or kind == TABLE or kind == CODE or kind == LOG or kind == FENCE:
        return True
    return _is_definition(data, begin, end) or _is_term(data, begin, end)


@inner
def _is_term(data: Bytes, begin: int, end: int) -> bool:
    """Whether a line is marked from its beginning to its end, or begins with an option: `**-h**, **--help** *what*`."""
    while begin < end and data[begin] == _SPACE:
        begin += 1
    while end > begin and data[end - 1] <= _SPACE:
        end -= 1
    first = begin
    while begin < end and (data[begin] == _STAR or data[begin] == _BACKTICK):
        begin += 1
    if begin + 1 < end and data[begin] == _DASH and data[begin + 1] > _SPACE:
        return True
    return begin > first and (data[end - 1] == _STAR or data[end - 1] == _BACKTICK)


@inner
def _is_definition(data: Bytes, begin: int, end: int) -> bool:
    """Whether a line says what the term before it means: `: text`."""
    while begin < end and data[begin] == _SPACE:
        begin += 1
    return begin + 1 < end and data[begin] == _COLON and data[begin + 1] == _SPACE


@inner
def _hash_line(data: Bytes, begin: int, end: int) -> np.uint64:
    """Of its bytes without the spaces at its ends."""
    while end > begin and data[end - 1] <= _SPACE:
        end -= 1
    while begin < end and data[begin] <= _SPACE:
        begin += 1
    value = FNV_OFFSET
    for at in range(begin, end):
        value = (value ^ np.uint64(data[at])) * FNV_PRIME
    return mix(value)
