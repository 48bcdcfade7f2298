"""A text without the differences that white space makes, and its hash: what is the same document exactly."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled
from filters.stream import Bytes, Offsets, Stream

_IS_SPACE = np.zeros(256, np.bool_)
_IS_SPACE[[9, 10, 11, 12, 13, 32]] = True


def fold_hashes(stream: Stream) -> list[str]:
    """Of each document the first 128 bits, in hex, of the SHA-256 of its words with one space between them.

    Words are runs without ASCII white space, as `bytes.split` has them.
    """
    out, ends = np.empty(len(stream.data) + len(stream), np.uint8), np.zeros_like(stream.offsets)
    _fold(stream.data, stream.offsets, _IS_SPACE, out, ends)
    folded = out.data
    return [
        hashlib.sha256(folded[ends[document] : ends[document + 1]]).hexdigest()[:32] for document in range(len(stream))
    ]


@compiled
def _fold(data: Bytes, offsets: Offsets, is_space: npt.NDArray[np.bool_], out: Bytes, ends: Offsets) -> None:
    size = 0
    for document in range(len(offsets) - 1):
        begin, spaced = size, True
        for byte in data[offsets[document] : offsets[document + 1]]:
            space = is_space[byte]
            out[np.uint64(size)] = 32 if space else byte  # a place without a sign is no place from the end
            size += 1 - (space & spaced)  # the next byte takes the place of a space too many
            spaced = space
        size -= spaced and size > begin
        ends[document + 1] = size
