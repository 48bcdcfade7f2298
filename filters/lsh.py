"""Locality-sensitive hashing of MinHash signatures (Indyk and Motwani 1998): bands, and who meets in them."""

from __future__ import annotations

import numpy as np

from filters.compiled import compiled
from filters.hashing import GOLDEN, mix
from filters.runs import runs_of
from filters.shingles import Words32
from filters.stream import Hashes


def choose_bands(threshold: float, permutations: int) -> tuple[int, int]:
    """Bands and rows with the least weighted error at a Jaccard threshold, by datasketch's search."""
    from datasketch import MinHashLSH

    index = MinHashLSH(threshold=threshold, num_perm=permutations)
    return index.b, index.r


def band_hashes(signatures: Words32, bands: int, rows: int) -> Hashes:
    """Shape (documents, bands): equal in a column where all rows of that band are equal."""
    out = np.empty((len(signatures), bands), dtype=np.uint64)
    _hash_bands(signatures, rows, out)
    return out


def similarity(a: Words32, b: Words32) -> float:
    """The Jaccard similarity that two signatures estimate."""
    return float(np.count_nonzero(a == b)) / len(a)


def star_edges(bands: Hashes, vertices: Hashes) -> tuple[Hashes, Hashes]:
    """Edges that join all vertices which share a band, each once: from the larger vertices, and to the smallest.

    bands, vertices: shape (n,), one entry for each band of each vertex. A band gives one edge less than it has
    vertices, so a million equal documents cost a million edges, and not half a billion pairs.
    """
    order = np.lexsort((vertices, bands))
    bands, vertices = bands[order], vertices[order]
    heads, sizes = runs_of(bands)
    smallest = np.repeat(vertices[heads], sizes)
    joined = vertices != smallest
    return distinct(vertices[joined], smallest[joined])


def distinct(larger: Hashes, smaller: Hashes) -> tuple[Hashes, Hashes]:
    """Edges in order, each once."""
    order = np.lexsort((smaller, larger))
    larger, smaller = larger[order], smaller[order]
    heads, _ = runs_of(larger, smaller)
    return larger[heads], smaller[heads]


@compiled
def _hash_bands(signatures: Words32, rows: int, out: Hashes) -> None:
    for document in range(len(out)):
        for band in range(out.shape[1]):
            value = np.uint64(band)
            for column in range(band * rows, (band + 1) * rows):
                value = mix(value * GOLDEN + np.uint64(signatures[document, column]))
            out[document, band] = value
