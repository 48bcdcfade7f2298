"""Sums over token ids: whether a text's tokens are its bytes, and where each byte range of a cut text begins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inlined, inner
from filters.swar import eight_bytes

Ids = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]

_HIGH = np.uint64(0x8080808080808080)


@compiled
def first_unsound(ids: Ids, offsets: Offsets, sizes: Offsets, bytes_of: Ids, end_id: int) -> int:
    """The first text whose tokens are not as many bytes as it has, or that has the end token in it; -1: none.

    ids[offsets[n] : offsets[n + 1]] are of text n, which has sizes[n] bytes; `bytes_of` is by id.
    """
    for text in range(len(sizes)):
        total, ends = np.int64(0), np.int64(0)
        for token in ids[offsets[text] : offsets[text + 1]]:
            total += bytes_of[np.uint32(token)]
            ends += np.int64(token == end_id)
        if total != sizes[text] or ends:
            return text
    return -1


@compiled
def byte_ranges(
    ids: Ids, begins: Offsets, bytes_of: Ids, document: Offsets, start: Offsets, end: Offsets
) -> tuple[Offsets, Offsets]:
    """Where runs of tokens begin and end in the bytes of their documents.

    Document n's ids begin at begins[n]. The runs (document, start, end) of a document stand one behind the other and
    are all of it; the last has the end token, which `ids` lacks and which is no bytes.
    """
    starts, ends = np.empty(len(document), np.int64), np.empty(len(document), np.int64)
    for run in range(len(document)):
        is_first = run == 0 or document[run] != document[run - 1]
        is_last = run + 1 == len(document) or document[run] != document[run + 1]
        starts[run] = 0 if is_first else ends[run - 1]
        begin = begins[document[run]]
        size = np.int64(0)
        for token in ids[begin + start[run] : begin + end[run] - is_last]:
            size += bytes_of[np.uint32(token)]
        ends[run] = starts[run] + size
    return starts, ends


@compiled
def holds_any(text: npt.NDArray[np.uint8], offsets: Offsets, ranges: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """For each text, whether it has a code point of the ranges (rows of first and last, ascending), all above U+07FF.

    text[offsets[n] : offsets[n + 1]] is text n in UTF-8.
    """
    found = np.zeros(len(offsets) - 1, np.bool_)
    for index in range(len(found)):
        at, end = offsets[index], offsets[index + 1]
        while at < end:
            while at + 8 <= end and not _leads(eight_bytes(text, at)):
                at += 8
            if at == end:
                break
            lead = text[at]
            if lead < 0xE0:
                at += 1
                continue
            size = 3 if lead < 0xF0 else 4
            point = np.uint32(lead & (0x0F if size == 3 else 0x07))
            for step in range(1, size):
                point = (point << np.uint32(6)) | np.uint32(text[at + step] & 0x3F)
            if _within(point, ranges):
                found[index] = True
                break
            at += size
    return found


@inlined
def _leads(eight: np.uint64) -> np.uint64:
    """The highest bit of each byte that begins a character of three bytes or four."""
    return eight & (eight << np.uint64(1)) & (eight << np.uint64(2)) & _HIGH


@inner
def _within(point: np.uint32, ranges: npt.NDArray[np.uint32]) -> bool:
    low, high = 0, len(ranges)
    while low < high:
        middle = (low + high) // 2
        if ranges[middle, 1] < point:
            low = middle + 1
        else:
            high = middle
    return low < len(ranges) and ranges[low, 0] <= point
