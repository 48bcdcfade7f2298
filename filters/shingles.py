"""Word shingles (Broder 1997): what two documents have in common is told by their runs of words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled
from filters.hashing import GOLDEN, mix
from filters.stream import Hashes, Offsets, Stream

Words32 = npt.NDArray[np.uint32]


class Sets(NamedTuple):
    """Sets of shingles: that of document i is `hashes[offsets[i]:offsets[i + 1]]`, in order and each once."""

    hashes: Words32
    offsets: Offsets


def shingle_hashes(stream: Stream, document: int, width: int) -> Words32:
    """Hashes of a document's shingles of `width` words, in order, repeats kept.

    A document of fewer words is one shingle; one of none has none.
    """
    begin, end = stream.word_offsets[document], stream.word_offsets[document + 1]
    out = np.empty(max(0, end - begin), dtype=np.uint32)
    return out[: write_shingles(stream.hashes, begin, end, width, out)]


def shingle_sets(stream: Stream, width: int) -> Sets:
    """The sets of all documents of a stream."""
    hashes, offsets = np.empty(len(stream.hashes), np.uint32), np.zeros(len(stream) + 1, np.int64)
    _write_sets(stream.hashes, stream.word_offsets, width, hashes, offsets)
    return Sets(hashes[: offsets[-1]], offsets)


@compiled
def write_shingles(hashes: Hashes, begin: int, end: int, width: int, out: Words32) -> int:
    """Writes the shingles of a run of words; how many there are."""
    if end == begin:
        return 0
    width = min(width, end - begin)
    for at in range(begin, end - width + 1):
        value = np.uint64(width)
        for word in range(at, at + width):
            value = value * GOLDEN + hashes[word]  # these are mixed; their sum is once more
        out[at - begin] = np.uint32(mix(value) >> np.uint64(32))
    return end - begin - width + 1


@compiled
def _write_sets(words: Hashes, word_offsets: Offsets, width: int, hashes: Words32, offsets: Offsets) -> None:
    size = 0
    for document in range(len(word_offsets) - 1):
        count = write_shingles(words, word_offsets[document], word_offsets[document + 1], width, hashes[size:])
        ordered = np.sort(hashes[size : size + count])
        for at in range(count):
            if at == 0 or ordered[at] != ordered[at - 1]:
                hashes[size] = ordered[at]
                size += 1
        offsets[document + 1] = size
