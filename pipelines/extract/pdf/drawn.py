"""Characters that a page draws of several pieces: letters under accents, and underscores that are rules."""

from __future__ import annotations

import ctypes
import unicodedata
from bisect import bisect_left

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from pipelines.extract.pdf.chars import Char

MAX_OBJECTS = 20_000

_ACCENTS = dict(
    zip(
        "´`¨ˆ˜¯˘˙¸˝ˇ˚˛^~",
        "\u0301\u0300\u0308\u0302\u0303\u0304\u0306\u0307\u0327\u030b\u030c\u030a\u0328\u0302\u0303",
        strict=True,
    )
)
# Some programs draw a rule as an image.
_DRAWINGS = (pdfium_c.FPDF_PAGEOBJ_PATH, pdfium_c.FPDF_PAGEOBJ_IMAGE)
_DOTLESS = {"ı": "i", "ȷ": "j"}


def composed(chars: list[Char]) -> list[Char]:
    """The characters, with accents and the letters that they stand over made one."""
    if not any(char.text in _ACCENTS for char in chars):
        return chars
    made: list[Char] = []
    accent: Char | None = None
    for char in chars:
        if accent is not None:
            if not _unite(accent, char):
                made.append(accent)
            accent = None
        if char.text in _ACCENTS and not (made and not char.spaced and _unite(char, made[-1])):
            accent = char
        elif char.text not in _ACCENTS:
            made.append(char)
    return made if accent is None else [*made, accent]


def composed_text(text: str, xs: list[float], size: float) -> tuple[str, list[float]]:
    """A text and the places where its characters begin, with each accent and the letter it is drawn over made one."""
    letters: list[str] = []
    places: list[float] = []
    for letter, x in zip(text, xs, strict=True):
        over = bool(letters) and letters[-1] in _ACCENTS and abs(x - places[-1]) < 0.2 * size
        united = _united(letters[-1], letter) if over else ""
        if united:
            letters[-1], places[-1] = united, x
        else:
            letters.append(letter)
            places.append(x)
    return "".join(letters), places


def _united(accent: str, letter: str) -> str:
    base = _DOTLESS.get(letter, letter)
    united = unicodedata.normalize("NFC", base + _ACCENTS[accent])
    return united if len(united) == 1 and base.isalpha() else ""


def _unite(accent: Char, letter: Char) -> bool:
    """Put an accent over a letter if it stands there; whether it does."""
    middle = (accent.start + accent.end) / 2
    near = abs(accent.y - letter.y) < 0.4 * max(letter.size, accent.size)
    if not near or not letter.start < middle < letter.end or letter.end - letter.start > letter.size * 1.2:
        return False
    united = _united(accent.text, letter.text)
    if not united:
        return False
    letter.text = united
    letter.spaced = letter.spaced or (accent.spaced and accent.start <= letter.start)
    return True


def underscored(chars: list[Char], page: pdfium.PdfPage) -> None:
    """Put underscores in that are drawn as rules, as TeX does in its old fonts: short ones, between two characters."""
    rules = _rules(page)
    for index in range(len(chars) - 1, 0, -1) if rules else ():
        left, right = chars[index - 1], chars[index]
        gap = right.start - left.end
        if not 0.2 * left.size < gap < 3 * left.size or abs(left.y - right.y) > 0.1 * left.size:
            continue
        drawn = _between(rules, left, right)
        if drawn:
            right.spaced = False
            chars[index:index] = [
                Char("_", x0, x1, left.y, left.turn, left.size, left.font, False, key=left.key) for x0, x1 in drawn
            ]


Rule = tuple[float, float, float]


def _rules(page: pdfium.PdfPage) -> list[Rule]:
    """The short horizontal rules of a page: its begin, its end, its height on the page; from left to right."""
    raw = page.raw
    count = pdfium_c.FPDFPage_CountObjects(raw)
    if count > MAX_OBJECTS:
        return []
    edges = [ctypes.c_float() for _ in range(4)]
    places = [ctypes.byref(edge) for edge in edges]
    rules = []
    for index in range(count):
        thing = pdfium_c.FPDFPage_GetObject(raw, index)
        if pdfium_c.FPDFPageObj_GetType(thing) not in _DRAWINGS:
            continue
        if pdfium_c.FPDFPageObj_GetBounds(thing, *places):
            x0, y0, x1, y1 = (edge.value for edge in edges)
            if 1 < x1 - x0 < 12 and y1 - y0 < 1.2 and x1 - x0 > 3 * (y1 - y0):
                rules.append((x0, x1, -(y0 + y1) / 2))
    return sorted(rules)


def _between(rules: list[Rule], left: Char, right: Char) -> list[tuple[float, float]]:
    """The rules that fill the gap between two characters, as wide as an underscore is."""
    found: list[tuple[float, float]] = []
    end = left.end
    for x0, x1, y in rules[bisect_left(rules, (left.end - 0.1 * left.size, 0.0, 0.0)) :]:
        if x0 > right.start:
            break
        fits = 0.2 * left.size < x1 - x0 < 0.7 * left.size and abs(y - left.y) < 0.15 * left.size
        if fits and x0 - end < 0.2 * left.size:
            found.append((x0, x1))
            end = x1
    return found if found and right.start - end < 0.2 * left.size else []
