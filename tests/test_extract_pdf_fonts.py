"""PDFs whose fonts tell no Unicode: what can be proved is text, the rest is refused and never guessed."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping

import pytest
from fontTools.fontBuilder import FontBuilder  # type: ignore[import-untyped]
from fontTools.pens.ttGlyphPen import TTGlyphPen  # type: ignore[import-untyped]
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.models import ExtractSettings
from pipelines.extract.page import Page, Unreadable
from pipelines.extract.pdf import unmapped
from pipelines.extract.pdf.reader import extract_pdf

TEXT = (
    "The leader's term is sent to each of the servers, and it waits for a majority of them to answer; then it commits."
)
# Widths of Times at 1000 units.
TIMES = {" ": 250, "'": 180, ",": 250, ".": 250, ";": 278, "T": 611, "a": 444, "b": 500, "c": 444, "d": 500, "e": 444}
TIMES |= {"f": 333, "h": 500, "i": 278, "j": 278, "k": 500, "l": 278, "m": 778, "n": 500, "o": 500, "r": 333, "s": 389}
TIMES |= {"t": 278, "u": 500, "v": 500, "w": 722, "y": 500}


def pdf(objects: Mapping[int, bytes], producer: str = "maker") -> bytes:
    """A PDF of one page: object 4 is its content, object 5 its font; others as given."""
    all_objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
        99: f"<< /Producer ({producer}) >>".encode(),
        **objects,
    }
    out = io.BytesIO()
    out.write(b"%PDF-1.4\n")
    places = {}
    for number in sorted(all_objects):
        places[number] = out.tell()
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, all_objects[number]))
    start = out.tell()
    out.write(b"xref\n0 1\n0000000000 65535 f \n")
    for number, place in places.items():
        out.write(b"%d 1\n%010d 00000 n \n" % (number, place))
    out.write(b"trailer << /Size 100 /Root 1 0 R /Info 99 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start)
    return out.getvalue()


def stream(data: bytes, more: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), more, data)


def content(lines: list[bytes], space: int = 0) -> bytes:
    """Lines below each other; with `space`, spaces are gaps of that width."""
    shown = b""
    for line in lines:
        words = line.split(b" ") if space else [line]
        shown += b"[%s] TJ T*\n" % (b" %d " % -space).join(b"<%s>" % word.hex().encode() for word in words)
    return stream(b"BT /F 10 Tf 60 700 Td 12 TL\n%sET" % shown)


def wrapped(text: str, width: int = 60) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return lines


def extract(body: bytes) -> Page:
    return extract_pdf(body, None, "a.pdf", ExtractSettings())


# ---------------------------------------------------------------- TrueType


def true_type(codes: Mapping[str, int], widths: Mapping[str, int], first: int = 3) -> bytes:
    """A font whose glyphs have the numbers of the Macintosh set, and a table of codes of its own."""
    order = [".notdef", *(f"glyph{number}" for number in range(1, 200))]
    pen = TTGlyphPen(None)
    for x, y in ((0, 0), (0, 500), (100, 500), (100, 0)):
        (pen.lineTo if x or y else pen.moveTo)((x, y))
    pen.closePath()
    box = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(order)
    builder.setupGlyf(dict.fromkeys(order, box))
    advances = dict.fromkeys(order, (600, 0))
    table = {}
    for letter, code in codes.items():
        glyph = order[ord(letter) - 0x20 + first]
        advances[glyph] = (widths[letter], 0)
        table[code] = glyph
    builder.setupHorizontalMetrics(advances)
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupCharacterMap({0xF000 + code: glyph for code, glyph in table.items()})
    for each in builder.font["cmap"].tables:
        each.platEncID = 0 if each.platformID == 3 else each.platEncID
    plain = CmapSubtable.newSubtable(0)
    plain.platformID, plain.platEncID, plain.language, plain.cmap = 1, 0, 0, table
    builder.font["cmap"].tables = [each for each in builder.font["cmap"].tables if each.platformID == 3] + [plain]
    builder.setupOS2()
    builder.setupPost(keepGlyphNames=False)
    out = io.BytesIO()
    builder.save(out)
    return out.getvalue()


def with_true_type(name: str, widths: Mapping[str, int], first: int = 3) -> bytes:
    """The text in a subset whose codes count its characters as they come."""
    codes = {letter: code for code, letter in enumerate(dict.fromkeys(TEXT))}
    data = true_type(codes, widths, first)
    drawn = b" ".join(b"%d" % widths[letter] for letter in codes)
    font = b"<< /Type /Font /Subtype /TrueType /BaseFont /ABCDEF+%s /FirstChar 0 /LastChar %d /Widths [%s]"
    font = font % (name.encode(), len(codes) - 1, drawn) + b" /FontDescriptor 6 0 R >>"
    about = b"<< /Type /FontDescriptor /FontName /ABCDEF+%s /Flags 4 /FontBBox [0 0 1000 1000] /ItalicAngle 0"
    about = about % name.encode() + b" /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 /FontFile2 7 0 R >>"
    lines = [bytes(codes[letter] for letter in line) for line in wrapped(TEXT)]
    file = stream(data, b"/Length1 %d" % len(data))
    return pdf({4: content(lines), 5: font, 6: about, 7: file})


def test_a_subset_with_the_glyph_numbers_of_a_known_font_is_read() -> None:
    assert extract(with_true_type("TimesNewRomanPSMT", TIMES)).text == TEXT + "\n"


@pytest.mark.parametrize(
    ("name", "widths", "first"),
    [
        ("SomeOtherFont", TIMES, 3),
        ("TimesNewRomanPSMT", {letter: width + 60 for letter, width in TIMES.items()}, 3),
        ("TimesNewRomanPSMT", TIMES, 5),
    ],
)
def test_what_widths_do_not_prove_is_refused(name: str, widths: Mapping[str, int], first: int) -> None:
    with pytest.raises(Unreadable) as caught:
        extract(with_true_type(name, widths, first))
    assert caught.value.reason == "undecodable"


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200), at=st.integers(0, 400))
def test_damaged_fonts_have_no_glyphs_or_some(data: bytes, at: int) -> None:
    font = true_type({"a": 1}, TIMES)
    unmapped.glyph_numbers(font[:at] + data + font[at + len(data) :])
    unmapped.glyph_numbers(struct.pack(">4sH6x4sIII", b"true", 1, b"cmap", 0, 28, 4) + data)


# ---------------------------------------------------------------- bitmap fonts of TeX

ROMAN_WIDTHS = {" ": 333, "m": 833, "w": 722, "i": 278, "l": 278, "t": 389, "f": 306, ".": 278, ",": 278, "'": 278}


def with_bitmaps(lines: list[bytes], widths: Mapping[int, int], producer: str = "pdfTeX") -> bytes:
    used = sorted({code for line in lines for code in line if code != 0x20})
    names = b" ".join(b"%d /a%d" % (code, code) for code in used)
    glyphs = b" ".join(b"/a%d 6 0 R" % code for code in used)
    drawn = b" ".join(b"%d" % widths.get(code, 500) for code in range(256))
    font = b"<< /Type /Font /Subtype /Type3 /FontBBox [0 -200 1000 800] /FontMatrix [0.001 0 0 0.001 0 0]"
    font += b" /FirstChar 0 /LastChar 255 /Widths [%s] /CharProcs << %s >>" % (drawn, glyphs)
    font += b" /Encoding << /Type /Encoding /Differences [%s] >> /Resources << >> >>" % names
    return pdf(
        {4: content(lines, widths.get(0x20, 500)), 5: font, 6: stream(b"500 0 10 0 400 500 d1 10 0 390 500 re f")},
        producer,
    )


def encoded(text: str, ligatures: Mapping[str, int]) -> bytes:
    for letters, code in ligatures.items():
        text = text.replace(letters, chr(code))
    return text.encode("latin-1")


BITMAPS = (
    "the first office is often sufficient, and a file system that flushes buffers is the one that offers the most of "
    "what users need. the results of a test are seen in the table, and they show that the effect is not to be found in "
    "all of the traces that were taken on our machines, nor in those of others who have done the same in their work."
)
OT1 = {"ffi": 0x0E, "ffl": 0x0F, "ff": 0x0B, "fi": 0x0C, "fl": 0x0D}
T1 = {"ffi": 0x1E, "ffl": 0x1F, "ff": 0x1B, "fi": 0x1C, "fl": 0x1D}
WIDTHS = {ord(letter): width for letter, width in ROMAN_WIDTHS.items()}


@pytest.mark.parametrize("ligatures", [OT1, T1])
@pytest.mark.parametrize("producer", ["pdfTeX-1.40", "GPL Ghostscript"])
def test_text_in_bitmap_fonts_has_its_ligatures(ligatures: Mapping[str, int], producer: str) -> None:
    lines = [encoded(line, ligatures) for line in wrapped(BITMAPS)]
    assert extract(with_bitmaps(lines, WIDTHS, producer)).text == BITMAPS + "\n"


def test_code_in_bitmap_fonts() -> None:
    lines = ["int main(void)", "{", '    puts("it\'s {a|b} <c>\\n");', "    return x_1 ^ ~y;", "}"]
    text = extract(with_bitmaps([line.encode() for line in lines], dict.fromkeys(range(256), 525))).text
    assert text == "```\n" + "\n".join(lines) + "\n```\n"


def test_bitmaps_with_codes_of_their_own_are_refused() -> None:
    order = {letter: code for code, letter in enumerate(dict.fromkeys(BITMAPS), 0x41)}
    lines = [bytes(order[letter] for letter in line) for line in wrapped(BITMAPS)]
    for producer in ("pdfTeX", "other"):
        with pytest.raises(Unreadable) as caught:
            extract(with_bitmaps(lines, WIDTHS, producer))
        assert caught.value.reason == "undecodable"


def test_little_text_in_bitmaps_needs_the_word_of_tex() -> None:
    lines = [b"a short line"]
    assert extract(with_bitmaps(lines, WIDTHS, "dvips + GPL Ghostscript")).text == "a short line\n"
    with pytest.raises(Unreadable):
        extract(with_bitmaps(lines, WIDTHS, "other"))


def test_kinds_of_bitmap_fonts() -> None:
    f, x, alpha = ord("f"), ord("x"), 0x0B
    assert unmapped.kind_of([[0x88], [0x88]], {0x88: 500}) == unmapped.SIGNS
    assert unmapped.kind_of([[0x14], [0x31]], {0x14: 778, 0x31: 1000}) == unmapped.SYMBOLS
    assert unmapped.kind_of([[f], [x], [alpha, x]], {f: 554, x: 572, alpha: 640}) == unmapped.ITALIC
    assert unmapped.kind_of([[ord("X")]], {ord("X"): 1444}) == unmapped.OTHER
    assert unmapped.kind_of([list(b"bold")], {98: 639, 111: 575, 108: 319, 100: 639}) == unmapped.ROMAN
