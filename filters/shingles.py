"""Word shingles (Broder 1997): what two documents have in common is told by their runs of words."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled
from filters.hashing import GOLDEN, mix
from filters.stream import Hashes, Offsets, Stream

Words32 = npt.NDArray[np.uint32]


# A sketch has one in so many shingles: those with the smallest hashes, so that what lies in another lies in its sketch.
SCALE = 8
SKETCHED = (1 << 32) // SCALE


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
    return _sets(stream, width, 1 << 32)


def sketches(stream: Stream, width: int) -> Sets:
    """Of the set of each document one shingle in SCALE, those below SKETCHED (FracMinHash, Irber et al. 2022)."""
    return _sets(stream, width, SKETCHED)


def _sets(stream: Stream, width: int, below: int) -> Sets:
    hashes, offsets = np.empty(len(stream.hashes), np.uint32), np.zeros(len(stream) + 1, np.int64)
    _write_all(stream.hashes, stream.word_offsets, width, below, hashes, offsets)
    for begin, end in itertools.pairwise(offsets.tolist()):
        hashes[begin:end].sort()  # NumPy's sort is many times faster than that of compiled functions
    _write_once(hashes, offsets)
    return Sets(hashes[: offsets[-1]], offsets)


def bytes_of(sets: Sets) -> list[bytes]:
    """Each set as the bytes of its numbers."""
    ends = sets.offsets.tolist()
    return [sets.hashes[begin:end].tobytes() for begin, end in itertools.pairwise(ends)]


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
def _write_all(words: Hashes, word_offsets: Offsets, width: int, below: int, hashes: Words32, offsets: Offsets) -> None:
    """The shingles of each document that are below a hash."""
    size = 0
    for document in range(len(word_offsets) - 1):
        first, last = word_offsets[document], word_offsets[document + 1]
        found = write_shingles(words, first, last, width, hashes[size:])
        count = 0
        for at in range(size, size + found):
            hashes[size + count] = hashes[at]
            count += hashes[at] < below
        size += count
        offsets[document + 1] = size


@compiled
def _write_once(hashes: Words32, offsets: Offsets) -> None:
    """Leaves out repeats in the ordered runs of an array; it gets shorter, and its offsets smaller."""
    size, begin = 0, 0
    for document in range(len(offsets) - 1):
        end, before = offsets[document + 1], size
        for at in range(begin, end):
            if size == before or hashes[size - 1] != hashes[at]:
                hashes[size] = hashes[at]
                size += 1
        begin, offsets[document + 1] = end, size
