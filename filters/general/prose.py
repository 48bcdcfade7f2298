"""The prose of each document as its reader sees it: without code, tables and logs, and without Markdown's marks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner
from filters.stream import BLANK, FENCE, HEADING, ITEM, Bytes, Offsets, Stream
from filters.swar import SLACK

_BACKTICK, _STAR, _HASH, _GREATER_THAN, _SPACE, _NEWLINE = 96, 42, 35, 62, 32, 10


def prose_of(stream: Stream) -> tuple[Bytes, Offsets]:
    """UTF-8 of the prose of all documents, one behind the other, and where each begins: shape (documents + 1,).

    Of a text that has no Markdown in it, this is the text. Behind its end lies memory for `eight_bytes`.
    """
    out = np.empty(len(stream.data) + SLACK, np.uint8)
    offsets = np.zeros_like(stream.offsets)
    size = _write(stream.data, stream.offsets, stream.lines, stream.line_kinds, stream.line_offsets, out, offsets)
    return out[:size], offsets


def texts_of(stream: Stream) -> list[str]:
    """The prose of each document, as a string."""
    data, offsets = prose_of(stream)
    return [data[offsets[i] : offsets[i + 1]].tobytes().decode() for i in range(len(stream))]


@compiled
def _write(
    data: Bytes,
    ends: Offsets,
    lines: Offsets,
    kinds: npt.NDArray[np.uint8],
    line_offsets: Offsets,
    out: Bytes,
    offsets: Offsets,
) -> int:
    size = 0
    for document in range(len(line_offsets) - 1):
        fenced = False
        first, last = line_offsets[document], line_offsets[document + 1]
        for line in range(first, last):
            kind = kinds[line]
            fenced = fenced != (kind == FENCE)
            if kind <= ITEM or (kind == BLANK and not fenced):
                end = ends[document + 1] if line + 1 == last else lines[line + 1]
                size = _write_line(data, lines[line], end, kind, out, size)
        offsets[document + 1] = size
    return size


@inner
def _write_line(data: Bytes, begin: int, end: int, kind: int, out: Bytes, size: int) -> int:
    """One line, its line feed with it; the new size."""
    at = begin
    while at < end and data[at] == _SPACE:
        at += 1
    quoted = at < end and data[at] == _GREATER_THAN
    while quoted and at < end and (data[at] == _SPACE or data[at] == _GREATER_THAN):
        at += 1
    if kind == HEADING:
        while at < end and data[at] == _HASH:
            at += 1
        while at < end and data[at] == _SPACE:
            at += 1
    elif kind == ITEM:
        out[size] = data[at]  # the bullet
        size += 1
        at += 1
    elif not quoted:
        at = begin
    while at < end:
        byte = data[at]
        emphasis = byte == _STAR and kind != BLANK and _touches_word(data, begin, at, end)
        if byte != _BACKTICK and not emphasis:
            out[size] = byte
            size += 1
        at += 1
    return size


@inner
def _touches_word(data: Bytes, begin: int, at: int, end: int) -> bool:
    """Whether what stands before or behind a run of stars is no space."""
    before, behind = at, at
    while before > begin and data[before - 1] == _STAR:
        before -= 1
    while behind < end and data[behind] == _STAR:
        behind += 1
    return (before > begin and data[before - 1] > _SPACE) or (behind < end and data[behind] > _SPACE)
