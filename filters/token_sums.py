"""Sums over token ids: whether a text's tokens are its bytes, and where each byte range of a cut text begins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner

Ids = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]


@compiled
def first_unsound(ids: Ids, offsets: Offsets, sizes: Offsets, bytes_of: Ids, end_id: int) -> int:
    """The first text whose tokens are not as many bytes as it has, or that has the end token in it; -1: none.

    ids[offsets[n] : offsets[n + 1]] are of text n, which has sizes[n] bytes; `bytes_of` is by id.
    """
    for text in range(len(sizes)):
        total = np.int64(0)
        ended = False
        for at in range(offsets[text], offsets[text + 1]):
            token = ids[at]
            total += bytes_of[token]
            ended |= token == end_id
        if total != sizes[text] or ended:
            return text
    return -1


@compiled
def holds_any(text: npt.NDArray[np.uint8], offsets: Offsets, ranges: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """For each text, whether it has a code point of the ranges (rows of first and last, ascending), all above U+07FF.

    text[offsets[n] : offsets[n + 1]] is text n in UTF-8.
    """
    found = np.zeros(len(offsets) - 1, np.bool_)
    for index in range(len(found)):
        at, end = offsets[index], offsets[index + 1]
        while at < end:
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
