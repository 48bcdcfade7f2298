"""The characters of a PDF page as runs of one font, in the coordinates of the reader: x to the right, y downwards.

PDFium tells characters, pens and boxes; order, lines and blocks are decided elsewhere. Units are points.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from pipelines.extract.page import Unreadable

MAX_CHARACTERS = 3_000_000

# Gaps in sizes of the font: a space where PDFium sees one, a space even where it sees none, and another run.
_SEEN_SPACE = 0.08
_SPACE = 0.18
_JOIN = 0.6
_MAX_RUN = 2000
_FIXED_PITCH = 1
_MONO_NAME = re.compile(
    r"mono|courier|consol|typewriter|menlo|monaco|inconsolata|lucidacons|andale|lettergoth|cousine|hack|sourcecode|"
    r"firacode|(?:cm|ec|sf|la|lm|tx|px|ntx|zi4|t1)-?[a-z]*tt(?:\d|$)|[a-z]tt\d|fixed|nimbusmon",
    re.IGNORECASE,
)
_NOT_MONO_NAME = re.compile(r"monotype|monoton", re.IGNORECASE)
_BOLD_NAME = re.compile(r"bold|black|heavy|demi|medi(?:um)?$|cmbx|cmssbx|sfbx|ecbx|lmbx|-b(?:i|old)?$", re.IGNORECASE)
_ITALIC_NAME = re.compile(r"ital|obli|slant|cmti|cmsl|sfti|ecti|lmri|-(?:bi|i|it|ri)$", re.IGNORECASE)
_SIGNS = re.compile(r"cmmi|cmsy|cmex|cmbsy|ms[ab]m|eufm|lmmi|lmsy|lmex|rsfs|symbol|dingbats|math", re.IGNORECASE)
_HYPHENS = {0x02: "-", 0xFFFE: "-", 0xAD: "-", 0x2010: "-"}
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_SPACES = frozenset({0x09, 0x0A, 0x0D, 0x20, 0xA0, 0x2002, 0x2003, 0x2009, 0x200B, 0xFEFF})


@dataclass(frozen=True, slots=True)
class Font:
    """What matters of a font."""

    mono: bool
    bold: bool
    italic: bool


@dataclass(slots=True)
class Run:
    """Characters of one font on one line: `xs` is where each begins, `x1` where the last ends, `y` the baseline.

    `order` counts the runs of a page as they were drawn. `line` is the baseline of the line it belongs to: for
    a raised or lowered run, that of the text beside it.
    """

    text: str
    xs: list[float]
    x1: float
    y: float
    line: float
    size: float
    font: Font
    order: int

    @property
    def x0(self) -> float:
        return self.xs[0]


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The runs of a page; `count` of characters, and how many of them have no known Unicode."""

    runs: list[Run]
    count: int
    unknown: int
    width: float
    height: float


@dataclass(slots=True)
class _Char:
    code: int
    start: float
    end: float
    y: float
    turn: int
    size: float
    font: Font
    spaced: bool


class Reader:
    """Reads pages of one document; keeps what it knows of the fonts, and counts characters over all pages."""

    def __init__(self) -> None:
        self._fonts: dict[int, Font] = {}
        self._left = MAX_CHARACTERS

    def glyphs(self, page: pdfium.PdfPage) -> Glyphs:
        """The runs of a page that stand in its main direction. Raises `Unreadable` with `too_large`."""
        text_page = page.get_textpage()
        count = pdfium_c.FPDFText_CountChars(text_page.raw)
        self._left -= max(count, 0)
        if self._left < 0:
            raise Unreadable("too_large", f"more than {MAX_CHARACTERS} characters")
        chars = list(self._chars(text_page.raw, count))
        text_page.close()
        turns = [char.turn for char in chars]
        main = max(range(4), key=turns.count) if chars else 0
        width, height = page.get_size()
        if main % 2:
            width, height = height, width
        unknown = sum(1 for char in chars if _is_unknown(char.code))
        return Glyphs(list(_runs(char for char in chars if char.turn == main)), len(chars), unknown, width, height)

    def _chars(self, raw: Any, count: int) -> Iterator[_Char]:
        """The characters that are no spaces, in their drawing order; those at an odd angle are left out."""
        box, matrix = pdfium_c.FS_RECTF(), pdfium_c.FS_MATRIX()
        x, y = ctypes.c_double(), ctypes.c_double()
        box_at, matrix_at, x_at, y_at = (ctypes.byref(each) for each in (box, matrix, x, y))
        last, turn, size, font, spaced = 0, 0, 0.0, Font(False, False, False), False
        for index in range(count):
            code = pdfium_c.FPDFText_GetUnicode(raw, index)
            if code in _SPACES:
                spaced = True
                continue
            thing = pdfium_c.FPDFText_GetTextObject(raw, index)
            address = ctypes.addressof(thing.contents) if thing else 0
            if address != last:
                last = address
                font = self._font(thing)
                pdfium_c.FPDFText_GetMatrix(raw, index, matrix_at)
                turn = _turn(matrix.a, matrix.b)
                size = pdfium_c.FPDFText_GetFontSize(raw, index) * math.hypot(matrix.c, matrix.d)
            pdfium_c.FPDFText_GetLooseCharBox(raw, index, box_at)
            pdfium_c.FPDFText_GetCharOrigin(raw, index, x_at, y_at)
            if turn >= 0 and size > 0:
                start, end, base = _turned(turn, box, x.value, y.value)
                yield _Char(code, start, end, base, turn, size, font, spaced)
                spaced = False

    def _font(self, thing: Any) -> Font:
        raw = pdfium_c.FPDFTextObj_GetFont(thing) if thing else None
        key = ctypes.addressof(raw.contents) if raw else 0
        if key not in self._fonts:
            self._fonts[key] = _describe(raw) if raw else Font(False, False, False)
        return self._fonts[key]


def _describe(raw: Any) -> Font:
    buffer = ctypes.create_string_buffer(256)
    pdfium_c.FPDFFont_GetBaseFontName(raw, buffer, 256)
    name = buffer.value.decode("utf-8", "replace")
    name = re.sub(r"^[A-Z]{6}\+", "", name)
    if _SIGNS.search(name):
        return Font(False, bool(_BOLD_NAME.search(name)), False)
    mono = bool(_MONO_NAME.search(name)) and not _NOT_MONO_NAME.search(name)
    mono = mono or bool(pdfium_c.FPDFFont_GetFlags(raw) & _FIXED_PITCH) or _has_one_width(raw)
    return Font(mono, bool(_BOLD_NAME.search(name)), bool(_ITALIC_NAME.search(name)))


def _has_one_width(raw: Any) -> bool:
    """Whether letters of different shape that the font has are equally wide."""
    width = ctypes.c_float()
    widths = []
    for letter in "iltmwMW":
        if pdfium_c.FPDFFont_GetGlyphWidth(raw, ord(letter), 1000.0, ctypes.byref(width)) and width.value > 0:
            widths.append(width.value)
    return len(widths) >= 5 and max(widths) - min(widths) < 1


def _turn(a: float, b: float) -> int:
    """Quarter turns against the clock of a text's direction; -1 for other angles."""
    angle = math.degrees(math.atan2(b, a))
    turn = round(angle / 90)
    return turn % 4 if abs(angle - 90 * turn) < 5 else -1


def _turned(turn: int, box: Any, x: float, y: float) -> tuple[float, float, float]:
    """Begin, end and baseline of a character for a reader who has turned the page."""
    if turn == 0:
        return box.left, box.right, -y
    if turn == 1:
        return box.bottom, box.top, x
    if turn == 2:
        return -box.right, -box.left, y
    return -box.top, -box.bottom, -x


def _is_unknown(code: int) -> bool:
    return (code < 0x20 and code != 2) or 0x7F <= code < 0xA0 or 0xE000 <= code < 0xF900 or code in (0xFFFD, 0xFFFF)


def _runs(chars: Iterator[_Char]) -> Iterator[Run]:
    run: Run | None = None
    order = 0
    for char in chars:
        code = char.code
        if (code < 0x20 and code not in _HYPHENS) or 0xD800 <= code < 0xE000:
            continue
        text = _HYPHENS.get(code) or _LIGATURES.get(code) or chr(code)
        gap = char.start - run.x1 if run else 0.0
        if run and char.start == run.xs[-1] and char.y == run.y and not char.spaced:
            # A part of a ligature that PDFium took apart.
            run.text += text
            run.xs += [char.start] * len(text)
            run.x1 = max(run.x1, char.end)
            continue
        if run and _continues(run, char, gap):
            if gap > (_SEEN_SPACE if char.spaced else _SPACE) * char.size:
                run.text += " "
                run.xs.append(run.x1)
            run.text += text
            run.xs += [char.start] * len(text)
            run.x1 = max(run.x1, char.end)
            continue
        line = char.y
        if run:
            line = _line(run, char, gap)
            yield run
            order += 1
        run = Run(text, [char.start] * len(text), char.end, char.y, line, char.size, char.font, order)
    if run:
        yield run


def _continues(run: Run, char: _Char, gap: float) -> bool:
    same = len(run.xs) < _MAX_RUN and run.font == char.font and abs(run.size - char.size) < 0.05 * run.size
    return same and abs(run.y - char.y) < 0.1 * run.size and -0.4 * run.size < gap < _JOIN * run.size


def _line(run: Run, char: _Char, gap: float) -> float:
    """The baseline of the line that a character belongs to which follows a run, but in another font or height."""
    rise = abs(char.y - run.line)
    if not -0.3 * run.size < gap < 0.5 * run.size or rise > 0.6 * max(char.size, run.size):
        return char.y
    if run.size < 0.9 * char.size and run.line == run.y:
        # A raised mark begins the line.
        run.line = char.y
        return char.y
    return run.line if char.size < 0.9 * run.size or rise < 0.25 * run.size else char.y
