"""Signatures, bands and clusters against datasketch, and against the true similarity."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from datasketch import MinHash, MinHashLSH
from hypothesis import given
from hypothesis import strategies as st

from filters.lsh import band_hashes, choose_bands, similarity
from filters.minhash import SEED, signatures
from filters.shingles import shingles_of
from filters.stream import Stream, read_stream

TEXTS = st.lists(st.text("abc é_\n", max_size=60), min_size=1, max_size=4)
IDS = st.text("abcdef", min_size=1, max_size=3)


def stream_of(*texts: str) -> Stream:
    return read_stream(pa.array(texts, pa.large_string()))


def reference(hashes: np.ndarray, count: int) -> np.ndarray:
    minhash = MinHash(num_perm=count, seed=SEED, scheme="affine32", hashfunc=int)
    minhash.update_batch(hashes.tolist())
    return minhash.hashvalues


@given(TEXTS, st.integers(1, 6), st.sampled_from([16, 108]))
def test_signatures_are_those_of_datasketch(texts, width, count):
    stream = stream_of(*texts)
    shingles = shingles_of(stream, width)
    signed = signatures(shingles, count)
    assert signed.shape == (len(texts), count)
    for row, begin, end in zip(signed, shingles.offsets, shingles.offsets[1:], strict=False):
        assert np.array_equal(row, reference(shingles.hashes[begin:end], count))


@given(st.lists(st.sampled_from("abcdefgh"), max_size=20), st.integers(1, 5))
def test_shingles_are_runs_of_words_in_their_order(words, width):
    stream = stream_of(" ".join(words))
    runs = [tuple(words[at : at + width]) for at in range(max(1, len(words) - width + 1))] if words else []
    hashes = shingles_of(stream, width).hashes.tolist()
    assert len(hashes) == len(runs)
    assert len(set(hashes)) == len(set(runs)) == len(set(zip(runs, hashes, strict=True)))


def test_a_document_without_words_has_the_signature_of_nothing():
    assert set(signatures(shingles_of(stream_of("... ---"), 5), 16)[0].tolist()) == {0xFFFFFFFF}
    assert not len(shingles_of(stream_of(""), 5).hashes)


@pytest.mark.parametrize(("common", "own"), [(900, 50), (600, 200), (200, 400), (0, 500)])
def test_the_estimate_is_near_the_true_similarity(common, own):
    shared = [f"s{n}" for n in range(common)]
    texts = [" ".join([*shared, *(f"{name}{n}" for n in range(own))]) for name in "ab"]
    true, count = common / (common + 2 * own), 1024
    a, b = signatures(shingles_of(stream_of(*texts), 1), count)
    error = (true * (1 - true) / count) ** 0.5
    assert similarity(a, b) == pytest.approx(true, abs=4 * error + 1e-9)


def test_order_and_repeats_of_words_do_not_count_at_width_one():
    a, b = signatures(shingles_of(stream_of("one two three", "three two two one one"), 1), 64)
    assert similarity(a, b) == 1.0


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9])
@pytest.mark.parametrize("count", [64, 108, 256])
def test_bands_are_those_that_datasketch_chooses(threshold, count):
    index = MinHashLSH(threshold=threshold, num_perm=count)
    bands, rows = choose_bands(threshold, count)
    assert (bands, rows) == (index.b, index.r)
    assert bands * rows <= count


@given(st.lists(st.lists(st.integers(0, 2), min_size=6, max_size=6), min_size=1, max_size=8))
def test_band_hashes_are_equal_exactly_where_the_rows_of_the_band_are(rows):
    signed = np.array(rows, dtype=np.uint32)
    hashes = band_hashes(signed, 3, 2)
    assert hashes.shape == (len(rows), 3)
    for a, b in itertools.combinations(range(len(rows)), 2):
        for band in range(3):
            same = np.array_equal(signed[a, 2 * band : 2 * band + 2], signed[b, 2 * band : 2 * band + 2])
            assert (hashes[a, band] == hashes[b, band]) == same


def test_equal_rows_of_different_bands_do_not_meet():
    assert len(set(band_hashes(np.ones((1, 6), dtype=np.uint32), 3, 2)[0].tolist())) == 3
