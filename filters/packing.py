"""Where the tokens of documents go in sequences of one length: best-fit packing, or one document behind the other.

Best fit (Ding et al. 2024, "Fewer Truncations Improve Language Modeling"): a document is cut only if it is longer
than a sequence; each piece, longest first, goes where the least room is left that it fits into.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner
from filters.hashing import GOLDEN, mix

Ids = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]
Orders = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Pieces:
    """Runs of tokens of documents, in the order in which they stand in sequences.

    Piece n is document[n]'s tokens from start[n] up to end[n], and stands in sequence[n], which ascends from 0.
    """

    document: Ints
    start: Ints
    end: Ints
    sequence: Ints

    def __len__(self) -> int:
        return len(self.document)

    @property
    def sequences(self) -> int:
        """How many sequences there are."""
        return int(self.sequence[-1]) + 1 if len(self) else 0

    @property
    def sizes(self) -> Ints:
        """Tokens of each."""
        return self.end - self.start


def best_fit(lengths: Ints, sequence_length: int) -> Pieces:
    """Packs documents of these lengths (tokens); one of no tokens has no piece."""
    return Pieces(*_best_fit(*_cut(lengths, sequence_length), sequence_length))


def concatenated(lengths: Ints, sequence_length: int) -> Pieces:
    """The documents one behind the other, cut wherever a sequence is full."""
    return Pieces(*_concatenated(lengths, sequence_length))


def shuffled(pieces: Pieces, orders: Orders, seed: int) -> Pieces:
    """The same sequences in an order that their first pieces give: a seeded hash of the document's order and start."""
    if not len(pieces):
        return pieces
    first = np.flatnonzero(np.diff(pieces.sequence, prepend=-1))
    ranks = np.empty(len(first), np.int64)
    ranks[np.argsort(_orders_of(orders, pieces.document[first], pieces.start[first], seed), kind="stable")] = np.arange(
        len(first)
    )
    sequence = ranks[pieces.sequence]
    order = np.argsort(sequence, kind="stable")
    return Pieces(pieces.document[order], pieces.start[order], pieces.end[order], sequence[order])


def lay_out(out: Ids, ids: Ids, begins: Ints, tokens: Ints, pieces: Pieces, length: int, end_id: int) -> None:
    """Fills int32[sequences * length] with the sequences: their pieces from the left, then end tokens.

    Document n's ids begin at begins[n]; it has tokens[n], the last of which is an end token that `ids` lacks.
    """
    places = (pieces.document, pieces.start, pieces.end, pieces.sequence)
    _lay_out(out, ids, begins, tokens, *places, length, end_id)


@compiled
def _lay_out(
    out: Ids,
    ids: Ids,
    begins: Ints,
    tokens: Ints,
    document: Ints,
    start: Ints,
    end: Ints,
    sequence: Ints,
    length: int,
    end_id: int,
) -> None:
    at = np.int64(0)
    for piece in range(len(document)):
        out[at : sequence[piece] * length] = end_id  # what the sequence before has left
        at = max(at, sequence[piece] * length)
        begin = begins[document[piece]]
        last = min(end[piece], tokens[document[piece]] - 1)
        size = last - start[piece]
        out[at : at + size] = ids[begin + start[piece] : begin + last]
        at += size
        if last < end[piece]:
            out[at] = end_id
            at += 1
    out[at:] = end_id


@compiled
def order_of(text: npt.NDArray[np.uint8], offsets: Ints, seed: int) -> Orders:
    """A seeded hash of each of the texts text[offsets[n] : offsets[n + 1]]: where it stands in a shuffled order."""
    hashes = np.empty(len(offsets) - 1, np.uint64)
    for index in range(len(hashes)):
        value = mix(np.uint64(seed) + GOLDEN)
        for at in range(offsets[index], offsets[index + 1]):
            value = (value ^ np.uint64(text[at])) * np.uint64(0x100000001B3)
        hashes[index] = mix(value)
    return hashes


@compiled
def _orders_of(orders: Orders, document: Ints, start: Ints, seed: int) -> Orders:
    hashes = np.empty(len(document), np.uint64)
    for index in range(len(document)):
        salt = mix(np.uint64(seed) + GOLDEN * (np.uint64(start[index]) + np.uint64(1)))
        hashes[index] = mix(orders[document[index]] ^ salt)
    return hashes


@compiled
def _cut(lengths: Ints, sequence_length: int) -> tuple[Ints, Ints, Ints]:
    """(document, start, end) of pieces that each fit; only a document longer than a sequence has several."""
    count = np.int64(0)
    for length in lengths:
        count += (length + sequence_length - 1) // sequence_length
    document, start, end = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    at = 0
    for index in range(len(lengths)):
        for begin in range(0, lengths[index], sequence_length):
            document[at] = index
            start[at] = begin
            end[at] = min(begin + sequence_length, lengths[index])
            at += 1
    return document, start, end


@compiled
def _concatenated(lengths: Ints, sequence_length: int) -> tuple[Ints, Ints, Ints, Ints]:
    total, parts = np.int64(0), np.int64(0)
    for length in lengths:
        if length:
            first, last = total // sequence_length, (total + length - 1) // sequence_length
            parts += last - first + 1
        total += length
    document, start = np.empty(parts, np.int64), np.empty(parts, np.int64)
    end, sequence = np.empty(parts, np.int64), np.empty(parts, np.int64)
    at, before = np.int64(0), np.int64(0)
    for index in range(len(lengths)):
        done = np.int64(0)
        while done < lengths[index]:
            room = sequence_length - (before + done) % sequence_length
            document[at] = index
            start[at] = done
            end[at] = min(done + room, lengths[index])
            sequence[at] = (before + done) // sequence_length
            done = end[at]
            at += 1
        before += lengths[index]
    return document, start, end, sequence


@compiled
def _best_fit(document: Ints, start: Ints, end: Ints, sequence_length: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Sequences with room are kept in a stack for each size of room; a bitmap says which stacks hold any."""
    pieces = len(document)
    by_size = _longest_first(start, end, sequence_length)
    held = np.full(sequence_length + 1, -1, np.int64)  # the top sequence of each stack
    below = np.empty(pieces, np.int64)  # of each sequence the next in its stack
    bits = np.zeros(sequence_length // 64 + 1, np.uint64)
    home = np.empty(pieces, np.int64)
    sequences = 0
    for piece in by_size:
        size = end[piece] - start[piece]
        room = _least_room(bits, size, sequence_length)
        if room < 0:
            chosen, room = sequences, sequence_length
            sequences += 1
        else:
            chosen = held[room]
            held[room] = below[chosen]
            if held[room] < 0:
                bits[room // 64] &= ~(np.uint64(1) << np.uint64(room % 64))
        home[piece] = chosen
        left = room - size
        if left:
            below[chosen] = held[left]
            held[left] = chosen
            bits[left // 64] |= np.uint64(1) << np.uint64(left % 64)
    return _by_sequence(document, start, end, home, by_size, sequences)


@inner
def _least_room(bits: Orders, size: int, sequence_length: int) -> int:
    """The smallest room of at least this size that a sequence has; -1: there is none."""
    word = size // 64
    last = sequence_length // 64
    held = bits[word] >> np.uint64(size % 64)
    if held:
        return size + _lowest(held)
    word += 1
    while word <= last:
        if bits[word]:
            return word * 64 + _lowest(bits[word])
        word += 1
    return -1


@inner
def _lowest(word: np.uint64) -> int:
    """The number of the lowest bit that is set."""
    number = 0
    step = 32
    while step:
        if not word & ((np.uint64(1) << np.uint64(step)) - np.uint64(1)):
            word >>= np.uint64(step)
            number += step
        step //= 2
    return number


@compiled
def _longest_first(start: Ints, end: Ints, sequence_length: int) -> Ints:
    """Numbers of the pieces by falling size; those of one size keep their order."""
    places = np.zeros(sequence_length + 2, np.int64)
    for piece in range(len(start)):
        places[sequence_length - (end[piece] - start[piece]) + 1] += 1
    places = np.cumsum(places)
    order = np.empty(len(start), np.int64)
    for piece in range(len(start)):
        size = sequence_length - (end[piece] - start[piece])
        order[places[size]] = piece
        places[size] += 1
    return order


@compiled
def _by_sequence(
    document: Ints, start: Ints, end: Ints, home: Ints, by_size: Ints, sequences: int
) -> tuple[Ints, Ints, Ints, Ints]:
    """The pieces sequence by sequence, in the order in which they came there: the longest first."""
    places = np.zeros(sequences + 1, np.int64)
    for piece in home:
        places[piece + 1] += 1
    places = np.cumsum(places)
    order = np.empty(len(home), np.int64)
    for piece in by_size:
        order[places[home[piece]]] = piece
        places[home[piece]] += 1
    return document[order], start[order], end[order], home[order]
