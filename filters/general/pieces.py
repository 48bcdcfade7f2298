"""Lines and paragraphs that stand before in a text, counted in one pass over its lines."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.compiled import inner
from filters.general.repetition import add, count_in
from filters.hashing import GOLDEN, mix
from filters.stream import Hashes

_SALT = np.uint64(0x2545F4914F6CDD1D)  # a paragraph of one line is no copy of that line


class Pieces(NamedTuple):
    """How many lines and paragraphs there are, how many stood before, and the characters of these.

    A paragraph is a run of lines that are not empty; `open_hash` and `open_size` are of the one that has no end yet.
    """

    lines: int
    lines_twice: int
    line_characters: int
    paragraphs: int
    paragraphs_twice: int
    paragraph_characters: int
    open_hash: np.uint64
    open_size: int


@inner
def no_pieces() -> Pieces:
    """The pieces of an empty text."""
    return Pieces(0, 0, 0, 0, 0, 0, _SALT, 0)


@inner
def add_line(pieces: Pieces, value: np.uint64, size: int, twice: bool) -> Pieces:
    """The pieces and a line of so many characters more; `twice` if it stood before."""
    feed = 1 if pieces.open_size else 0
    return Pieces(
        pieces.lines + 1,
        pieces.lines_twice + (1 if twice else 0),
        pieces.line_characters + (size if twice else 0),
        pieces.paragraphs,
        pieces.paragraphs_twice,
        pieces.paragraph_characters,
        mix(pieces.open_hash * GOLDEN + value),
        pieces.open_size + size + feed,
    )


@inner
def end_paragraph(pieces: Pieces, table: Hashes, mask: int) -> Pieces:
    """The pieces after the end of a paragraph, if one was open."""
    if pieces.open_size == 0:
        return pieces
    twice = count_in(table, add(table, mask, pieces.open_hash)) > 1
    return Pieces(
        pieces.lines,
        pieces.lines_twice,
        pieces.line_characters,
        pieces.paragraphs + 1,
        pieces.paragraphs_twice + (1 if twice else 0),
        pieces.paragraph_characters + (pieces.open_size if twice else 0),
        _SALT,
        0,
    )
