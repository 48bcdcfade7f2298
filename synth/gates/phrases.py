"""What teachers say of themselves, of the prompt, and to whoever asks: phrases that sources lack."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import yaml
from pydantic import Field

from filters.compiled import compiled, inner
from filters.junk.phrases import Table, look_up, table_of
from filters.stream import Bytes, Hashes, Offsets, Stream, combine, read_stream
from manifests.base import Model

PATH = Path(__file__).parents[2] / "manifests" / "gate_phrases.yaml"

COUNTS = ("refusal", "boilerplate", "obeyed")
_OBEYED = 2
_INSTRUCTION = 3 * 3  # the bit behind those of three kinds at three places
_LONGEST = 12  # words of a phrase
_OPENING, _CLOSING = 24, 60  # words of an answer
_PAYLOAD = 48  # words of an instruction
_RUN = 4  # of its words in an answer that obeys
_CHECKED = 32  # phrases of an answer that the source may have, too


class Places(Model):
    """Phrases by where in an answer they count."""

    anywhere: list[str] = Field(default=[])
    opening: list[str] = Field(default=[], description=f"within the first {_OPENING} words")
    closing: list[str] = Field(default=[], description=f"within the last {_CLOSING} words")


class PhraseManifest(Model):
    """manifests/gate_phrases.yaml."""

    refusal: Places
    boilerplate: Places
    obeyed: Places
    instructions: list[str] = Field(description="with which a document that is hostile begins to instruct")


class Phrases(NamedTuple):
    """Lengths (a bit for each number of words) by a phrase's first word; kinds and places (a bit each) by its hash."""

    first: Table
    whole: Table


class Said(NamedTuple):
    """counts: shape (pairs, len(COUNTS)); examples: bytes in the answers' data of the first of each, shape
    (pairs, len(COUNTS), 2)."""

    counts: Offsets
    examples: Offsets


@cache
def phrases() -> Phrases:
    """The phrases of the manifest. An apostrophe is read as typewriters and as typesetters have it."""
    manifest = PhraseManifest.model_validate(yaml.safe_load(PATH.read_text(encoding="utf-8")))
    listed: list[tuple[int, str]] = [(_INSTRUCTION, phrase) for phrase in manifest.instructions]
    for kind, places in enumerate((manifest.refusal, manifest.boilerplate, manifest.obeyed)):
        for place, among in enumerate((places.anywhere, places.opening, places.closing)):
            listed += [(3 * kind + place, phrase) for phrase in among]
    listed += [(bit, phrase.replace("'", "\u2019")) for bit, phrase in listed if "'" in phrase]
    stream = read_stream(pa.array([phrase for _, phrase in listed], pa.large_string()))
    first: dict[int, int] = {}
    whole: dict[int, int] = {}
    for at, (bit, phrase) in enumerate(listed):
        begin, end = stream.word_offsets[at], stream.word_offsets[at + 1]
        if not 0 < end - begin <= _LONGEST:
            raise ValueError(f"gate_phrases.yaml: {phrase!r} has no words, or more than {_LONGEST}")
        word, key = int(stream.hashes[begin]), int(_combined(stream.hashes, begin, end))
        first[word] = first.get(word, 0) | 1 << int(end - begin)
        whole[key] = whole.get(key, 0) | 1 << bit
    return Phrases(table_of(first), table_of(whole))


@compiled
def _combined(hashes: Hashes, begin: int, end: int) -> np.uint64:
    return combine(hashes, begin, end)


def compare(sources: Stream, rows: Offsets, answers: Stream) -> Said:
    """The phrases of answer i that source rows[i] lacks; for `obeyed` also runs of words that an instruction of the
    source has and the rest of it lacks."""
    found = Said(np.zeros((len(answers), len(COUNTS)), np.int64), np.zeros((len(answers), len(COUNTS), 2), np.int64))
    known = phrases()
    payloads = np.zeros((len(sources), 2), np.int64)
    _instructions(sources.hashes, sources.word_offsets, sources.line_words, sources.line_offsets, known, payloads)
    _compare(
        sources.hashes, sources.word_offsets, rows, answers.hashes, answers.word_offsets, answers.data,
        answers.offsets, answers.starts, known, payloads, found.counts, found.examples,
    )  # fmt: skip
    return found


@inner
def _phrase(hashes: Hashes, at: int, end: int, known: Phrases) -> tuple[np.uint64, int]:
    """The kinds and places of the longest phrase that begins at a word, and its words."""
    lengths = look_up(known.first, hashes[at])
    if lengths:
        for length in range(min(_LONGEST, end - at), 0, -1):
            if lengths >> np.uint64(length) & np.uint64(1):
                bits = look_up(known.whole, combine(hashes, at, at + length))
                if bits:
                    return bits, length
    return np.uint64(0), 1


@compiled
def _instructions(
    hashes: Hashes, word_offsets: Offsets, line_words: Offsets, line_offsets: Offsets, known: Phrases, payloads: Offsets
) -> None:
    """The words of the first instruction of each source, to the end of its line."""
    for document in range(len(word_offsets) - 1):
        at, end = word_offsets[document], word_offsets[document + 1]
        while at < end:
            bits, length = _phrase(hashes, at, end, known)
            if bits >> np.uint64(_INSTRUCTION) & np.uint64(1):
                line = line_offsets[document]
                while line + 1 < line_offsets[document + 1] and line_words[line + 1] <= at:
                    line += 1
                payloads[document, 0] = at
                payloads[document, 1] = min(end, line_words[line + 1], at + _PAYLOAD)
                break
            at += length


@compiled
def _compare(
    hashes: Hashes,
    word_offsets: Offsets,
    rows: Offsets,
    said: Hashes,
    said_offsets: Offsets,
    data: Bytes,
    offsets: Offsets,
    starts: Offsets,
    known: Phrases,
    payloads: Offsets,
    counts: Offsets,
    examples: Offsets,
) -> None:
    for pair in range(len(rows)):
        first, last = word_offsets[rows[pair]], word_offsets[rows[pair] + 1]
        begin, end = said_offsets[pair], said_offsets[pair + 1]
        at, checked = begin, 0
        while at < end:
            bits, length = _phrase(said, at, end, known)
            places = np.uint64(1) | np.uint64(2 * (at - begin < _OPENING)) | np.uint64(4 * (end - at <= _CLOSING))
            kind = _kind(bits, places)
            if kind >= 0 and (checked >= _CHECKED or _stands(hashes, first, last, said, at, length, 0, 0) < 0):
                _count(kind, at, at + length, end, starts, data, offsets[pair + 1], counts[pair], examples[pair])
            checked += kind >= 0
            at += length
        payload, stop = payloads[rows[pair], 0], payloads[rows[pair], 1]
        for place in range(payload, stop - _RUN + 1):
            at = _stands(said, begin, end, hashes, place, _RUN, 0, 0)
            if at >= 0 and _stands(hashes, first, last, hashes, place, _RUN, payload, stop) < 0:
                _count(_OBEYED, at, at + _RUN, end, starts, data, offsets[pair + 1], counts[pair], examples[pair])


@inner
def _kind(bits: np.uint64, places: np.uint64) -> int:
    """The first kind of a phrase that counts at one of these places, -1: none."""
    for kind in range(3):
        if bits >> np.uint64(3 * kind) & places:
            return kind
    return -1


@inner
def _stands(
    hashes: Hashes, begin: int, end: int, others: Hashes, place: int, length: int, without: int, until: int
) -> int:
    """Where a run of words stands among others, but for those from `without` until `until`; -1: nowhere."""
    for at in range(begin, end - length + 1):
        if hashes[at] == others[place] and not without <= at < until:
            same = 1
            while same < length and hashes[at + same] == others[place + same]:
                same += 1
            if same == length:
                return at
    return -1


@inner
def _count(
    kind: int,
    at: int,
    behind: int,
    end: int,
    starts: Offsets,
    data: Bytes,
    data_end: int,
    counts: Offsets,
    examples: Offsets,
) -> None:
    if counts[kind] == 0:
        stop = starts[behind] if behind < end else data_end
        while stop > starts[at] and data[stop - 1] <= 47:
            stop -= 1
        examples[kind, 0], examples[kind, 1] = starts[at], stop
    counts[kind] += 1
