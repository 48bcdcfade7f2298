"""Best-fit packing of documents into sequences (Ding et al. 2024): a document is cut only if it must be."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.parts import key_of


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of tokens of one document (its index), from `start` up to `end`."""

    document: int
    start: int
    end: int


def cut(lengths: Sequence[int], sequence_length: int) -> list[Piece]:
    """The pieces of documents of these lengths; only documents longer than a sequence are cut."""
    return [
        Piece(document, start, min(start + sequence_length, length))
        for document, length in enumerate(lengths)
        for start in range(0, length, sequence_length)
    ]


def pack(pieces: Sequence[Piece], sequence_length: int) -> list[list[Piece]]:
    """Best-fit decreasing: each piece, longest first, goes where the least room is left that it fits into.

    Pieces of one length keep their order; the sequences come back in the order of their first piece.
    """
    sequences: list[list[Piece]] = []
    rooms: list[tuple[int, int]] = []  # (room left, sequence), sorted
    for piece in sorted(pieces, key=lambda piece: piece.start - piece.end):
        size = piece.end - piece.start
        at = bisect.bisect_left(rooms, (size, -1))
        if at < len(rooms):
            room, sequence = rooms.pop(at)
            sequences[sequence].append(piece)
        else:
            room, sequence = sequence_length, len(sequences)
            sequences.append([piece])
        if room > size:
            bisect.insort(rooms, (room - size, sequence))
    return sequences


def shuffle_key(seed: int, *identity: object) -> str:
    """Where something stands in a shuffled order: the same for the same seed, whatever stands beside it."""
    return key_of("shuffle", seed, *identity)
