"""Packed sequences hold every token once, and cut a document only if they must."""

from __future__ import annotations

from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.packing import Piece, cut, pack, shuffle_key

LENGTHS = st.lists(st.integers(0, 60), max_size=40)
SEQUENCE = st.integers(1, 25)


def size(piece: Piece) -> int:
    return piece.end - piece.start


@given(LENGTHS, SEQUENCE)
@example([], 16)
@example([16, 16, 17, 0, 1], 16)
def test_every_token_is_in_exactly_one_place(lengths, sequence_length):
    sequences = pack(cut(lengths, sequence_length), sequence_length)
    tokens = Counter(
        (piece.document, at) for each in sequences for piece in each for at in range(piece.start, piece.end)
    )
    assert tokens == Counter((document, at) for document, length in enumerate(lengths) for at in range(length))


@given(LENGTHS, SEQUENCE)
def test_no_sequence_is_too_long_and_none_is_empty(lengths, sequence_length):
    for pieces in pack(cut(lengths, sequence_length), sequence_length):
        assert 0 < sum(map(size, pieces)) <= sequence_length
        assert all(size(piece) > 0 for piece in pieces)


@given(LENGTHS, SEQUENCE)
def test_only_documents_longer_than_a_sequence_are_cut_and_as_seldom_as_can_be(lengths, sequence_length):
    pieces = Counter(piece.document for piece in cut(lengths, sequence_length))
    assert pieces == Counter({n: -(-length // sequence_length) for n, length in enumerate(lengths) if length})


@given(LENGTHS, SEQUENCE)
def test_no_two_sequences_would_fit_into_one(lengths, sequence_length):
    filled = sorted(sum(map(size, pieces)) for pieces in pack(cut(lengths, sequence_length), sequence_length))
    assert len(filled) < 2 or filled[0] + filled[1] > sequence_length


@given(LENGTHS, SEQUENCE)
def test_packing_is_a_function_of_the_pieces(lengths, sequence_length):
    pieces = cut(lengths, sequence_length)
    assert pack(pieces, sequence_length) == pack(list(pieces), sequence_length)


def test_a_piece_goes_where_the_least_room_is_left():
    lengths = [6, 8, 2, 4]
    assert [[piece.document for piece in pieces] for pieces in pack(cut(lengths, 10), 10)] == [[1, 2], [0, 3]]


@given(st.integers(0, 2**32 - 1), st.text(), st.text())
def test_a_place_in_the_shuffled_order_depends_on_the_seed_and_on_the_document_alone(seed, a, b):
    assert (shuffle_key(seed, a) == shuffle_key(seed, b)) == (a == b)
    assert shuffle_key(seed, a) != shuffle_key(seed + 1, a)
