"""Packed sequences hold every token once, and cut a document only if they must."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.packing import Pieces, best_fit, concatenated, lay_out, shuffled
from pipelines.lists import orders
from pipelines.shuffle import shuffle_key

LENGTHS = st.lists(st.integers(0, 60), max_size=40)
SEQUENCE = st.integers(1, 25)
WAYS = pytest.mark.parametrize("pack", [best_fit, concatenated])


def packed(pack, lengths, sequence_length) -> Pieces:
    return pack(np.array(lengths, np.int64), sequence_length)


def sequences(pieces: Pieces) -> list[list[tuple[int, int, int]]]:
    """(document, start, end) of the pieces of each sequence."""
    found: dict[int, list[tuple[int, int, int]]] = {}
    for document, start, end, sequence in zip(pieces.document, pieces.start, pieces.end, pieces.sequence, strict=True):
        found.setdefault(int(sequence), []).append((int(document), int(start), int(end)))
    assert list(found) == list(range(len(found)))
    return list(found.values())


def filled(pieces: Pieces) -> list[int]:
    return [sum(end - start for _, start, end in each) for each in sequences(pieces)]


@WAYS
@given(LENGTHS, SEQUENCE)
@example([], 16)
@example([16, 16, 17, 0, 1], 16)
def test_every_token_is_in_exactly_one_place(pack, lengths, sequence_length):
    pieces = packed(pack, lengths, sequence_length)
    tokens = Counter((document, at) for each in sequences(pieces) for document, a, b in each for at in range(a, b))
    assert tokens == Counter((document, at) for document, length in enumerate(lengths) for at in range(length))


@WAYS
@given(LENGTHS, SEQUENCE)
def test_no_sequence_is_too_long_and_no_piece_is_empty(pack, lengths, sequence_length):
    pieces = packed(pack, lengths, sequence_length)
    assert all(0 < size <= sequence_length for size in filled(pieces))
    assert (pieces.sizes > 0).all()


@given(LENGTHS, SEQUENCE)
def test_only_documents_longer_than_a_sequence_are_cut_and_as_seldom_as_can_be(lengths, sequence_length):
    pieces = Counter(packed(best_fit, lengths, sequence_length).document.tolist())
    assert pieces == Counter({n: -(-length // sequence_length) for n, length in enumerate(lengths) if length})


@given(LENGTHS, SEQUENCE)
def test_no_two_sequences_would_fit_into_one(lengths, sequence_length):
    sizes = sorted(filled(packed(best_fit, lengths, sequence_length)))
    assert len(sizes) < 2 or sizes[0] + sizes[1] > sequence_length


@given(LENGTHS, SEQUENCE)
def test_concatenation_leaves_room_in_the_last_sequence_alone(lengths, sequence_length):
    assert all(size == sequence_length for size in filled(packed(concatenated, lengths, sequence_length))[:-1])


def naive(lengths: list[int], length: int) -> list[int]:
    """How full best fit, longest first, makes each sequence."""
    pieces = [min(length, each - at) for each in lengths for at in range(0, each, length)]
    rooms: list[int] = []
    for size in sorted(pieces, reverse=True):
        fitting = [room for room in rooms if room >= size]
        if fitting:
            rooms[rooms.index(min(fitting))] -= size
        else:
            rooms.append(length - size)
    return sorted(length - room for room in rooms)


@given(LENGTHS, SEQUENCE)
@example([130, 64, 66, 1, 63, 65, 127, 129], 192)  # rooms in several words of the bitmap
def test_a_piece_goes_where_the_least_room_is_left(lengths, sequence_length):
    assert sorted(filled(packed(best_fit, lengths, sequence_length))) == naive(lengths, sequence_length)


@WAYS
@given(LENGTHS, SEQUENCE, st.integers(0, 1 << 32))
def test_shuffling_moves_whole_sequences(pack, lengths, sequence_length, seed):
    pieces = packed(pack, lengths, sequence_length)
    moved = shuffled(pieces, orders([str(n) for n in range(len(lengths))], seed), seed)
    assert sorted(sequences(moved)) == sorted(sequences(pieces))


@WAYS
@given(LENGTHS, SEQUENCE)
def test_rows_are_the_tokens_of_the_pieces_with_an_end_behind_each_document(pack, lengths, sequence_length):
    lengths = [length + 1 for length in lengths]  # of the end token
    pieces = packed(pack, lengths, sequence_length)
    documents = [np.arange(length - 1, dtype=np.int32) + 1000 * n for n, length in enumerate(lengths)]
    ids = np.concatenate([np.empty(0, np.int32), *documents])
    begins = np.cumsum([0, *map(len, documents)])[:-1].astype(np.int64)
    out = np.empty(pieces.sequences * sequence_length, np.int32)
    lay_out(out, ids, begins, np.array(lengths, np.int64), pieces, sequence_length, -1)
    expected = []
    for each in sequences(pieces):
        row = [token for document, a, b in each for token in [*documents[document], -1][a:b]]
        expected += row + [-1] * (sequence_length - len(row))
    assert out.tolist() == expected


@given(st.integers(0, 1 << 32), st.text(), st.text())
def test_a_place_in_a_shuffled_order_depends_on_seed_and_identity_alone(seed, a, b):
    assert (shuffle_key(seed, a) == shuffle_key(seed, b)) == (a == b)
    assert shuffle_key(seed, a) != shuffle_key(seed + 1, a)
    if a.isprintable():  # no half of a pair, which UTF-8 lacks
        assert orders([a, "x"], seed)[0] == orders([a], seed)[0] != orders([a], seed + 1)[0]
