"""Fill-in-the-middle: a document as prefix, suffix, middle, each behind a token that says so (Bavarian et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from manifests.models import FillInTheMiddle, TokenizeSettings
from pipelines.lists import SPLITS, orders
from pipelines.tokenizer import Encoded, Ids, Ints, TextTokenizer, joined

_CHOICE, _FIRST, _SECOND = 0x66696D, 0x66696E, 0x66696F  # keep three hashes of one id apart


@dataclass(frozen=True)
class Filled:
    """Ids of documents, and where the middle of each begins and ends in its bytes: int64[documents, 2], -1 if whole."""

    encoded: Encoded
    middles: Ints


def untouched(encoded: Encoded) -> Filled:
    """Documents of which none is rearranged."""
    return Filled(encoded, np.full((len(encoded), 2), -1, np.int64))


class Filler:
    """Rearranges some of the documents that a recipe names."""

    def __init__(self, asked: FillInTheMiddle, room: int, tokenizer: TextTokenizer, seed: int) -> None:
        self._asked, self._room, self._tokenizer, self._seed = asked, room, tokenizer, seed
        self._prefix, self._suffix, self._middle = sentinels(asked, tokenizer)

    @classmethod
    def of(cls, settings: TokenizeSettings, tokenizer: TextTokenizer, seed: int) -> Filler | None:
        """The one that a recipe asks for, if it does."""
        asked = settings.fill_in_the_middle
        return cls(asked, settings.sequence_length, tokenizer, seed) if asked else None

    def fill(self, table: pa.Table, lists: npt.NDArray[np.object_], encoded: Encoded) -> Filled:
        """Documents (doc_id, category, text) with their ids, those that are chosen rearranged."""
        filled = untouched(encoded)
        chosen = self._chosen(table, lists, encoded)
        if not len(chosen):
            return filled
        rows = table.take(pa.array(chosen))
        spans = _spans(rows["text"].to_pylist(), rows["doc_id"].to_pylist(), self._seed)
        parts = self._tokenizer.encode([text for prefix, middle, suffix in spans for text in (prefix, suffix, middle)])
        ids, pieces = list(encoded), list(parts)
        for number, index in enumerate(chosen):
            arranged = self._arranged(pieces[3 * number : 3 * number + 3])
            if len(arranged) < self._room:  # the end token stands behind it
                ids[index] = arranged
                start = len(spans[number][0].encode())
                filled.middles[index] = start, start + len(spans[number][1].encode())
        return Filled(joined(ids), filled.middles)

    def _chosen(self, table: pa.Table, lists: npt.NDArray[np.object_], encoded: Encoded) -> Ints:
        hashes = orders(table["doc_id"].to_pylist(), self._seed ^ _CHOICE)
        drawn = (hashes >> np.uint64(11)).astype(np.float64) < self._asked.share * float(1 << 53)
        named = np.isin(np.array(table["category"].to_pylist(), object).astype(str), self._asked.categories)
        fits = np.diff(encoded.offsets) + 4 <= self._room
        trained_on = np.array([str(name).startswith(f"{SPLITS[0]}/") for name in lists], np.bool_)
        return np.flatnonzero(drawn & named & fits & trained_on & (np.diff(encoded.offsets) > 0))

    def _arranged(self, pieces: Sequence[Ids]) -> Ids:
        prefix, suffix, middle = pieces
        parts = [[self._prefix], prefix, [self._suffix], suffix, [self._middle], middle]
        return np.concatenate([np.asarray(part, np.int32) for part in parts])


def sentinels(asked: FillInTheMiddle, tokenizer: TextTokenizer) -> tuple[int, int, int]:
    """Ids of the tokens before prefix, suffix and middle. Raises TokenizerError."""
    return tokenizer.special(asked.prefix), tokenizer.special(asked.suffix), tokenizer.special(asked.middle)


def _spans(texts: Sequence[str], doc_ids: Sequence[str], seed: int) -> list[tuple[str, str, str]]:
    """(prefix, middle, suffix) of each text, cut at two characters that hashes of its id choose."""
    draws = zip(orders(list(doc_ids), seed ^ _FIRST), orders(list(doc_ids), seed ^ _SECOND), strict=True)
    spans = []
    for text, (one, other) in zip(texts, draws, strict=True):
        first, last = sorted((int(one) % (len(text) + 1), int(other) % (len(text) + 1)))
        spans.append((text[:first], text[first:last], text[last:]))
    return spans
