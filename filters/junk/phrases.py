"""How much of a document stands in phrases of one kind: of error pages, login walls, cookie banners and the like."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.compiled import compiled, inner
from filters.stream import Hashes, Offsets, Stream, combine, read_stream
from manifests.load import load_junk

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_LONGEST = 16  # words of a phrase
_BEGINS = 1 << 14  # a power of two; so many bytes stay in the first cache
_WORD, _PAIR = 1, 2


class Table(NamedTuple):
    """Hashes to bits, by open addressing; 0 is an empty slot."""

    keys: Hashes
    bits: Hashes


class Phrases(NamedTuple):
    """first: of the first word of a phrase, bit n: one of n words begins so; whole: its kinds, a bit each.

    begins: 1 where a word may be a phrase, 2 where it and the next may begin one, by bits of their hashes: most words
    end here.
    """

    kinds: tuple[str, ...]
    begins: npt.NDArray[np.uint8]
    first: Table
    whole: Table


def table_of(entries: dict[int, int]) -> Table:
    """A table of bits by hash."""
    slots = 4
    while slots < 4 * len(entries):
        slots *= 2
    keys, bits = np.zeros(slots, np.uint64), np.zeros(slots, np.uint64)
    for key, value in entries.items():
        slot = key & (slots - 1)
        while keys[slot]:
            slot = (slot + 1) & (slots - 1)
        keys[slot], bits[slot] = key, value
    return Table(keys, bits)


@cache
def phrases() -> Phrases:
    """The phrases of `manifests/junk.yaml`."""
    by_kind = load_junk().phrases
    listed = [(bit, phrase) for bit, kind in enumerate(by_kind) for phrase in by_kind[kind]]
    stream = read_stream(pa.array([f"- {phrase}" for _, phrase in listed], pa.large_string()))
    first: dict[int, int] = {}
    whole: dict[int, int] = {}
    begins = np.zeros(_BEGINS, np.uint8)
    for at, (bit, phrase) in enumerate(listed):
        begin, end = stream.word_offsets[at], stream.word_offsets[at + 1]
        if not 0 < end - begin <= _LONGEST:
            raise ValueError(f"junk.yaml: {phrase!r} has no words, or more than {_LONGEST}")
        word, key = int(stream.hashes[begin]), int(_combined(stream.hashes, begin, end))
        if end - begin == 1:
            begins[word & (_BEGINS - 1)] |= _WORD
        else:
            begins[_pair(stream.hashes[begin], stream.hashes[begin + 1])] |= _PAIR
        first[word] = first.get(word, 0) | 1 << int(end - begin)
        whole[key] = whole.get(key, 0) | 1 << bit
    return Phrases(tuple(by_kind), begins, table_of(first), table_of(whole))


def phrase_shares(stream: Stream) -> dict[str, Floats]:
    """Of each kind: words in its phrases, of all words of a document."""
    known = phrases()
    counts = np.zeros((len(stream), len(known.kinds)), np.int64)
    _count(stream.hashes, stream.word_offsets, known.begins, known.first, known.whole, counts)
    words = np.maximum(stream.column("words"), 1)
    return {kind: (counts[:, bit] / words).astype(np.float32) for bit, kind in enumerate(known.kinds)}


@compiled
def _pair(one: np.uint64, other: np.uint64) -> int:
    return np.int64((one + (other >> np.uint64(9))) & np.uint64(_BEGINS - 1))


@compiled
def _combined(hashes: Hashes, begin: int, end: int) -> np.uint64:
    return combine(hashes, begin, end)


@inner
def look_up(table: Table, key: np.uint64) -> np.uint64:
    """The bits of a key, 0 if it is not there."""
    mask = len(table.keys) - 1
    slot = np.int64(key & np.uint64(mask))
    while table.keys[slot] != 0:
        if table.keys[slot] == key:
            return table.bits[slot]
        slot = (slot + 1) & mask
    return np.uint64(0)


@compiled
def _count(
    hashes: Hashes,
    word_offsets: Offsets,
    begins: npt.NDArray[np.uint8],
    first: Table,
    whole: Table,
    counts: Ints,
) -> None:
    for document in range(len(word_offsets) - 1):
        at, end = word_offsets[document], word_offsets[document + 1]
        while at < end:
            alone = begins[np.int64(hashes[at] & np.uint64(_BEGINS - 1))] & _WORD
            if not alone and not (at + 1 < end and begins[_pair(hashes[at], hashes[at + 1])] & _PAIR):
                at += 1
                continue
            lengths = look_up(first, hashes[at])
            step = 1
            if lengths:
                for length in range(min(_LONGEST, end - at), 0, -1):
                    if lengths >> np.uint64(length) & np.uint64(1):
                        kinds = look_up(whole, combine(hashes, at, at + length))
                        if kinds:
                            for bit in range(counts.shape[1]):
                                if kinds >> np.uint64(bit) & np.uint64(1):
                                    counts[document, bit] += length
                            step = length
                            break
            at += step
