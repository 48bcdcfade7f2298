"""The characters of a PDF page as runs of one font, in the coordinates of the reader: x to the right, y downwards.

PDFium tells characters, pens and boxes; order, lines and blocks are decided elsewhere. Units are points.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from pipelines.extract.page import Unreadable
from pipelines.extract.pdf import unmapped
from pipelines.extract.pdf.chars import Char, Font
from pipelines.extract.pdf.drawn import composed, underscored

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
_BULLETS = frozenset({0xF0A7, 0xF0B7, 0xF0D8})
_MANY = 0.1
_SPACES = frozenset({0x09, 0x0A, 0x0D, 0x20, 0xA0, 0x2002, 0x2003, 0x2009, 0x200B, 0xFEFF})


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


class Reader:
    """Reads pages of one document; counts characters over all pages."""

    def __init__(self, document: pdfium.PdfDocument) -> None:
        self._document = document
        self._fonts: dict[int, Font] = {}
        self._handles: dict[int, Any] = {}
        self._standard: dict[str, dict[str, float]] = {}
        self._left = MAX_CHARACTERS

    def glyphs(self, page: pdfium.PdfPage) -> Glyphs:
        """The runs of a page that stand in its main direction. Raises `Unreadable` with `too_large`."""
        text_page = page.get_textpage()
        count = pdfium_c.FPDFText_CountChars(text_page.raw)
        self._left -= max(count, 0)
        if self._left < 0:
            raise Unreadable("too_large", f"more than {MAX_CHARACTERS} characters")
        # Another page may have other fonts at the same addresses.
        self._fonts, self._handles = {}, {}
        chars = list(self._chars(text_page.raw, count))
        if any(not char.mapped for char in chars):
            if self._has_foreign_codes(chars):
                chars = list(self._chars(text_page.raw, count, spaces=True))
            self._recover(chars)
            chars = list(_spaced(chars))
        text_page.close()
        turns = [char.turn for char in chars]
        main = max(range(4), key=turns.count) if chars else 0
        width, height = page.get_size()
        if main % 2:
            width, height = height, width
        unknown = sum(1 for char in chars if not char.text)
        kept = composed([char for char in chars if char.turn == main and char.text])
        if main == 0:
            underscored(kept, page)
        return Glyphs(list(_runs(iter(kept))), len(chars), unknown, width, height)

    def _chars(self, raw: Any, count: int, *, spaces: bool = False) -> Iterator[Char]:
        """The characters in their drawing order, without those at an odd angle, and without spaces unless asked for."""
        box, matrix = pdfium_c.FS_RECTF(), pdfium_c.FS_MATRIX()
        x, y = ctypes.c_double(), ctypes.c_double()
        box_at, matrix_at, x_at, y_at = (ctypes.byref(each) for each in (box, matrix, x, y))
        last, turn, size, font, spaced, key = 0, 0, 0.0, Font(False, False, False), False, 0
        for index in range(count):
            code = pdfium_c.FPDFText_GetUnicode(raw, index)
            is_code = not code or pdfium_c.FPDFText_HasUnicodeMapError(raw, index) == 1
            if code in _SPACES and not is_code and (not spaces or pdfium_c.FPDFText_IsGenerated(raw, index)):
                spaced = True
                continue
            thing = pdfium_c.FPDFText_GetTextObject(raw, index)
            address = ctypes.addressof(thing.contents) if thing else 0
            if address != last:
                last = address
                key, font = self._font(thing)
                pdfium_c.FPDFText_GetMatrix(raw, index, matrix_at)
                turn = _turn(matrix.a, matrix.b)
                size = pdfium_c.FPDFText_GetFontSize(raw, index) * math.hypot(matrix.c, matrix.d)
            pdfium_c.FPDFText_GetLooseCharBox(raw, index, box_at)
            pdfium_c.FPDFText_GetCharOrigin(raw, index, x_at, y_at)
            if turn >= 0 and size > 0:
                start, end, base = _turned(turn, box, x.value, y.value)
                text = chr(code) if is_code or 0x20 <= code < 0x7F or code in _SPACES else _text(code)
                yield Char(text, start, end, base, turn, size, font, spaced, not is_code, key)
                spaced = False

    def _has_foreign_codes(self, chars: list[Char]) -> bool:
        """Whether a font has codes of its own: then what PDFium takes for a space may be any character."""
        codes = Counter(char.key for char in chars if not char.mapped)
        total = Counter(char.key for char in chars)
        return any(codes[key] > _MANY * total[key] and _name(self._handles[key]) for key in codes if self._handles[key])

    def _recover(self, chars: list[Char]) -> None:
        """Say what characters without Unicode are, or that they are not known: then their text is empty."""
        signs = set()
        for key in dict.fromkeys(char.key for char in chars if not char.mapped):
            mine = [char for char in chars if char.key == key]
            raw = self._handles.get(key)
            data = _font_data(raw) if raw else b""
            if data:
                self._recover_glyphs(mine, raw, data)
            else:
                name = _name(raw) if raw else ""
                if name:
                    _forget(mine)
                elif _recover_bitmaps(mine) == unmapped.SIGNS:
                    signs.add(key)
        _as_beside(chars, signs)

    def _recover_glyphs(self, chars: list[Char], raw: Any, data: bytes) -> None:
        name = _name(raw)
        font = chars[0].font
        standard = unmapped.standard_font(name, bold=font.bold, italic=font.italic)
        known = unmapped.macintosh(unmapped.glyph_numbers(data)) if standard else {}
        if not known:
            _forget(chars)
            return
        # PDFium took the codes that it could for those of the Macintosh.
        codes = [ord(char.text) if not char.mapped else _macintosh_code(char.text) for char in chars]
        drawn = {code: 1000 * (char.end - char.start) / char.size for code, char in zip(codes, chars, strict=True)}
        known = unmapped.proved(known, drawn, self._widths(standard))
        font = Font(False, font.bold, font.italic)
        for code, char in zip(codes, chars, strict=True):
            char.text, char.font = known.get(code, ""), font

    def _widths(self, name: str) -> dict[str, float]:
        """The widths of the characters of a standard font, in thousandths of its size."""
        if name not in self._standard:
            raw = pdfium_c.FPDFText_LoadStandardFont(self._document.raw, name.encode())
            width = ctypes.c_float()
            found = {}
            for letter in unmapped.standard_characters():
                if raw and pdfium_c.FPDFFont_GetGlyphWidth(raw, ord(letter), 1000.0, ctypes.byref(width)):
                    found[letter] = width.value
            if raw:
                pdfium_c.FPDFFont_Close(raw)
            self._standard[name] = found
        return self._standard[name]

    def _font(self, thing: Any) -> tuple[int, Font]:
        raw = pdfium_c.FPDFTextObj_GetFont(thing) if thing else None
        key = ctypes.addressof(raw.contents) if raw else 0
        if key not in self._fonts:
            self._fonts[key] = _describe(raw) if raw else Font(False, False, False)
            self._handles[key] = raw
        return key, self._fonts[key]


def _describe(raw: Any) -> Font:
    name = _name(raw)
    if _SIGNS.search(name):
        return Font(False, bool(_BOLD_NAME.search(name)), False)
    mono = bool(_MONO_NAME.search(name)) and not _NOT_MONO_NAME.search(name)
    mono = mono or bool(pdfium_c.FPDFFont_GetFlags(raw) & _FIXED_PITCH) or _has_one_width(raw)
    return Font(mono, bool(_BOLD_NAME.search(name)), bool(_ITALIC_NAME.search(name)))


def _name(raw: Any) -> str:
    """The name of a font without the mark of a subset."""
    buffer = ctypes.create_string_buffer(256)
    pdfium_c.FPDFFont_GetBaseFontName(raw, buffer, 256)
    return re.sub(r"^[A-Z]{6}\+", "", buffer.value.decode("utf-8", "replace"))


def _font_data(raw: Any) -> bytes:
    """The font program that a document carries; empty where it has none or a huge one."""
    size = ctypes.c_size_t()
    if not pdfium_c.FPDFFont_GetIsEmbedded(raw) or not pdfium_c.FPDFFont_GetFontData(raw, None, 0, ctypes.byref(size)):
        return b""
    if not 0 < size.value <= unmapped.MAX_FONT_BYTES:
        return b""
    buffer = (ctypes.c_uint8 * size.value)()
    pdfium_c.FPDFFont_GetFontData(raw, buffer, size.value, ctypes.byref(size))
    return bytes(buffer)


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


def _text(code: int) -> str:
    """What a Unicode of a font is as text; empty where it is none."""
    if code in _HYPHENS or code in _LIGATURES:
        return _HYPHENS.get(code) or _LIGATURES[code]
    private = 0xE000 <= code < 0xF900 and code not in _BULLETS
    return (
        "" if code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 or private or code >= 0xFFFD else chr(code)
    )


def _forget(chars: list[Char]) -> None:
    """The characters that a font does not tell; if they are many, the others are not to be trusted either."""
    many = sum(1 for char in chars if not char.mapped) > _MANY * len(chars)
    for char in chars:
        char.text = char.text if char.mapped and not many else ""


def _recover_bitmaps(chars: list[Char]) -> int:
    """Characters of a font without a name: they get placeholders until the whole document is known. Its kind."""
    mine = [char for char in chars if not char.mapped and ord(char.text) < 256]
    if not mine:
        return unmapped.OTHER
    widths = {ord(char.text): 1000 * (char.end - char.start) / char.size for char in mine}
    words: list[list[int]] = []
    end, y = 0.0, 0.0
    for char in mine:
        if not words or char.y != y or not -0.2 * char.size < char.start - end < 0.1 * char.size:
            words.append([])
        words[-1].append(ord(char.text))
        end, y = char.end, char.y
    kind = unmapped.kind_of(words, widths)
    font = Font(kind == unmapped.FIXED, False, False)
    for char in chars:
        char.font = font
        if not char.mapped:
            code = ord(char.text)
            char.text = chr(unmapped.PLACE + 256 * kind + code) if code < 256 else ""
    return kind


def _as_beside(chars: list[Char], keys: set[int]) -> None:
    """Signs look as the text does in which they stand; `keys` are those of their fonts."""
    if keys:
        for left, char, right in zip([chars[0], *chars], chars, [*chars[1:], chars[-1]], strict=False):
            if char.key in keys:
                beside = [each for each in (left, right) if each.y == char.y and each.key not in keys]
                char.font = next((each.font for each in beside if each.font.mono), char.font)


def _spaced(chars: list[Char]) -> Iterator[Char]:
    """The characters without spaces that recovery has found."""
    spaced = False
    for char in chars:
        if char.text.isspace():
            spaced = True
            continue
        char.spaced = char.spaced or spaced
        spaced = False
        yield char


def _macintosh_code(text: str) -> int:
    code = text.encode("mac_roman", "replace")
    return code[0] if len(code) == 1 else -1


def _runs(chars: Iterator[Char]) -> Iterator[Run]:
    run: Run | None = None
    order = 0
    for char in chars:
        text = char.text
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


def _continues(run: Run, char: Char, gap: float) -> bool:
    same = len(run.xs) < _MAX_RUN and run.font == char.font and abs(run.size - char.size) < 0.05 * run.size
    return same and abs(run.y - char.y) < 0.1 * run.size and -0.4 * run.size < gap < _JOIN * run.size


def _line(run: Run, char: Char, gap: float) -> float:
    """The baseline of the line that a character belongs to which follows a run, but in another font or height."""
    rise = abs(char.y - run.line)
    if not -0.3 * run.size < gap < 0.5 * run.size or rise > 0.6 * max(char.size, run.size):
        return char.y
    if run.size < 0.9 * char.size and run.line == run.y:
        # A raised mark begins the line.
        run.line = char.y
        return char.y
    return run.line if char.size < 0.9 * run.size or rise < 0.25 * run.size else char.y
