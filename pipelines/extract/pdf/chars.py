"""A character of a PDF page, and its font."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Font:
    """What matters of a font."""

    mono: bool
    bold: bool
    italic: bool


@dataclass(slots=True)
class Char:
    """A character: where it begins and ends, its baseline; whether a space stands before it.

    text: one character, the letters of a ligature, or nothing where it is not known. `mapped`: whether the font
    tells its Unicode; else `text` is the code of the character. `key` tells the fonts of a page apart.
    """

    text: str
    start: float
    end: float
    y: float
    turn: int
    size: float
    font: Font
    spaced: bool
    mapped: bool = True
    key: int = 0
