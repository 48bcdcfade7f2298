"""MinHash signatures of word shingles (Broder 1997), from the word stream, in compiled code.

The hash family is datasketch's "affine32": h -> a * mix(h) + b mod 2**32, a odd, mix the 32-bit finaliser
of MurmurHash3, with datasketch's own a and b for a seed: for the same 32-bit shingle hashes both give the
same signature.
"""

from __future__ import annotations

import functools

import numpy as np

from filters.compiled import compiled
from filters.shingles import Shingles, Words32

SEED = 1


@functools.lru_cache(maxsize=4)
def permutations(count: int) -> tuple[Words32, Words32]:
    """The family's a and b, each of shape (count,), as datasketch draws them for SEED."""
    from datasketch import MinHash

    a, b = MinHash(num_perm=count, seed=SEED, scheme="affine32").permutations
    return np.ascontiguousarray(a), np.ascontiguousarray(b)


def signatures(shingles: Shingles, count: int) -> Words32:
    """Shape (documents, count). The signature of a document without words is all ones."""
    a, b = permutations(count)
    out = np.full((len(shingles.offsets) - 1, count), 0xFFFFFFFF, dtype=np.uint32)
    _sign(shingles, a, b, out)
    return out


@compiled
def _mix32(value: np.uint32) -> np.uint32:
    value = np.uint32(value ^ (value >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    value = np.uint32(value)
    value = np.uint32(value ^ (value >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    value = np.uint32(value)
    return np.uint32(value ^ (value >> np.uint32(16)))


@compiled
def _sign(shingles: Shingles, a: Words32, b: Words32, out: Words32) -> None:
    longest = 0
    for document in range(len(out)):
        longest = max(longest, shingles.offsets[document + 1] - shingles.offsets[document])
    mixed = np.empty(longest, dtype=np.uint32)
    for document in range(len(out)):
        first, row = shingles.offsets[document], out[document]
        count = shingles.offsets[document + 1] - first
        for at in range(count):
            mixed[at] = _mix32(shingles.hashes[first + at])
        whole = count - count % 4  # four at a time, so that a row is loaded and stored once for them
        for at in range(0, whole, 4):
            v, w, x, y = mixed[at], mixed[at + 1], mixed[at + 2], mixed[at + 3]
            for slot in range(len(a)):
                left = min(np.uint32(a[slot] * v + b[slot]), np.uint32(a[slot] * w + b[slot]))
                right = min(np.uint32(a[slot] * x + b[slot]), np.uint32(a[slot] * y + b[slot]))
                row[slot] = min(row[slot], min(left, right))
        for at in range(whole, count):
            for slot in range(len(a)):
                row[slot] = min(row[slot], np.uint32(a[slot] * mixed[at] + b[slot]))
