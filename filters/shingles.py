"""Word shingles (Broder 1997): what two documents have in common is told by their runs of words."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.compiled import compiled
from filters.hashing import GOLDEN, mix
from filters.stream import Hashes, Offsets, Stream

Words32 = npt.NDArray[np.uint32]


# A sketch has one in so many shingles: those with the smallest hashes, so that what lies in another lies in its sketch.
SCALE = 8
SKETCHED = (1 << 32) // SCALE


class Shingles(NamedTuple):
    """Hashes of shingles as they stand, repeats kept: those of document i are `hashes[offsets[i]:offsets[i + 1]]`."""

    hashes: Words32
    offsets: Offsets


class Sets(NamedTuple):
    """Sets of shingles: that of document i is `hashes[offsets[i]:offsets[i + 1]]`, in order and each once."""

    hashes: Words32
    offsets: Offsets


def shingles_of(stream: Stream, width: int) -> Shingles:
    """The shingles of `width` words of all documents; one of fewer words is one shingle, one of none has none."""
    hashes, offsets = np.empty(len(stream.hashes), np.uint32), np.zeros(len(stream) + 1, np.int64)
    _write(stream.hashes, stream.word_offsets, width, hashes, offsets)
    return Shingles(hashes[: offsets[-1]], offsets)


def shingle_sets(shingles: Shingles) -> Sets:
    """The sets of all documents."""
    return _sets(shingles, 1 << 32)


def sketches(shingles: Shingles) -> Sets:
    """Of the set of each document one shingle in SCALE, those below SKETCHED (FracMinHash, Irber et al. 2022)."""
    return _sets(shingles, SKETCHED)


def _sets(shingles: Shingles, below: int) -> Sets:
    hashes, offsets = np.empty_like(shingles.hashes), np.zeros_like(shingles.offsets)
    _write_below(shingles, below, hashes, offsets)
    for begin, end in itertools.pairwise(offsets.tolist()):
        hashes[begin:end].sort()  # NumPy's sort is many times faster than that of compiled functions
    _write_once(hashes, offsets)
    return Sets(hashes[: offsets[-1]], offsets)


def bytes_of(sets: Sets) -> pa.Array:
    """The sets as a column of bytes; a list of numbers is many times slower to move and to write."""
    ends = pa.py_buffer(4 * sets.offsets)
    return pa.Array.from_buffers(pa.large_binary(), len(sets.offsets) - 1, [None, ends, pa.py_buffer(sets.hashes)])


@compiled
def _write(words: Hashes, word_offsets: Offsets, width: int, hashes: Words32, offsets: Offsets) -> None:
    """The hash of a shingle is a polynomial over its words, which are mixed, mixed once more; so it can roll on."""
    size = 0
    for document in range(len(word_offsets) - 1):
        begin, end = word_offsets[document], word_offsets[document + 1]
        wide = min(width, end - begin)
        value, power = np.uint64(wide), np.uint64(1)
        for word in range(begin, begin + wide):
            value, power = value * GOLDEN + words[word], power * GOLDEN
        leaving = np.uint64(wide) * (power - power * GOLDEN)
        for after in range(begin + wide, end + 1 if wide else begin):
            hashes[size] = np.uint32(mix(value) >> np.uint64(32))
            size += 1
            if after < end:
                value = value * GOLDEN + leaving - words[after - wide] * power + words[after]
        offsets[document + 1] = size


@compiled
def _write_below(shingles: Shingles, below: int, hashes: Words32, offsets: Offsets) -> None:
    """The shingles of each document that are below a hash."""
    size = 0
    for document in range(len(offsets) - 1):
        for at in range(shingles.offsets[document], shingles.offsets[document + 1]):
            hashes[size] = shingles.hashes[at]
            size += shingles.hashes[at] < below
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
