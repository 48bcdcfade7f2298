"""Characters whose font tells no Unicode: what they are where that can be proved, and nothing where it cannot.

PDFium gives the code of such a character in the place of its Unicode. Two kinds of fonts are told by what they are:
- TrueType subsets that kept the glyph numbers of a well-known font. Its first glyphs stand in the order of the
  Macintosh set; that the widths of all glyphs are those of the standard font of that name proves it.
- bitmap fonts of TeX (Type 3 without a name), whose codes are those of the encodings OT1, T1 and TS1.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from statistics import median

# ---------------------------------------------------------------- TrueType

MAX_FONT_BYTES = 8_000_000
_FAMILIES = (
    (re.compile(r"times ?new ?roman", re.IGNORECASE), "Times", "Roman", "Italic"),
    (re.compile(r"arial(?!.*(?:narrow|black))", re.IGNORECASE), "Helvetica", "", "Oblique"),
)
# The non-breaking space of the set has no glyph of its own.
_GLYPHS = bytes([*range(0x20, 0x7F), *range(0x80, 0xCA), *range(0xCB, 0x100)]).decode("mac_roman")
_FIRST_GLYPH = 3  # a space; before it stand .notdef, .null and a carriage return
_PLAIN = "\u00a4\uf8ff\u20ac"  # what fonts have in other places than the set
_SAME_WIDTH = 6  # thousandths of the size
_OUTSTANDING = 130


def standard_font(name: str, *, bold: bool, italic: bool) -> str:
    """The standard font that has the widths of the font of this name; empty if there is none."""
    for pattern, family, upright, slanted in _FAMILIES:
        if pattern.search(name):
            style = ("Bold" if bold else "") + (slanted if italic else "") or upright
            return f"{family}-{style}" if style else family
    return ""


def glyph_numbers(data: bytes) -> dict[int, int]:
    """The number of the glyph of each code of a TrueType font for one byte a character; empty where it has none."""
    try:
        return _cmap(data)
    except (struct.error, IndexError):
        return {}


def _cmap(data: bytes) -> dict[int, int]:
    count = struct.unpack_from(">H", data, 4)[0]
    for each in range(min(count, 100)):
        tag, _, start, _ = struct.unpack_from(">4sIII", data, 12 + 16 * each)
        if tag == b"cmap":
            return _subtables(data, start)
    return {}


def _subtables(data: bytes, start: int) -> dict[int, int]:
    found: dict[int, int] = {}
    for each in range(min(struct.unpack_from(">H", data, start + 2)[0], 20)):
        platform, _, offset = struct.unpack_from(">HHI", data, start + 4 + 8 * each)
        at = start + offset
        kind = struct.unpack_from(">H", data, at)[0]
        if platform == 1 and kind == 0:
            found = {code: glyph for code, glyph in enumerate(data[at + 6 : at + 262]) if glyph}
        elif platform == 1 and kind == 6:
            first, size = struct.unpack_from(">HH", data, at + 6)
            numbers = struct.unpack_from(f">{min(size, 256)}H", data, at + 10)
            found = {first + index: glyph for index, glyph in enumerate(numbers) if glyph}
    return found


def macintosh(glyphs: Mapping[int, int]) -> dict[int, str]:
    """What codes stand for whose glyphs are numbered as in the Macintosh set."""
    known = {}
    for code, glyph in glyphs.items():
        if 0 <= glyph - _FIRST_GLYPH < len(_GLYPHS) and _GLYPHS[glyph - _FIRST_GLYPH] not in _PLAIN:
            known[code] = _GLYPHS[glyph - _FIRST_GLYPH]
    return known


def proved(known: Mapping[int, str], drawn: Mapping[int, float], standard: Mapping[str, float]) -> dict[int, str]:
    """`known` if codes are as wide as what they stand for, else nothing.

    drawn: the widths of codes in the document, in thousandths, or more where ink stands out of the advance;
    standard: those of characters of the standard font.
    """
    more = [width - standard[known[code]] for code, width in drawn.items() if known.get(code, "") in standard]
    same = sum(1 for each in more if abs(each) < _SAME_WIDTH)
    fits = same >= max(0.75 * len(more), 1) and all(-_SAME_WIDTH < each < _OUTSTANDING for each in more)
    return dict(known) if fits else {}


# ---------------------------------------------------------------- bitmap fonts of TeX

#: The kinds of fonts without a name: text, text of one width, signs of text, letters and signs of mathematics, others.
#: Until a document is read, their characters are written as `PLACE + 256 * kind + code`.
ROMAN, FIXED, SIGNS, ITALIC, SYMBOLS, OTHER = range(6)
PLACE = 0xF0000
_PLACES = re.compile(f"[{chr(PLACE)}-{chr(PLACE + 256 * 6 - 1)}]")

_ENOUGH = 200
_LIGATURES = ("ff", "fi", "fl", "ffi", "ffl")
# Codes that mean the same in all encodings of text.
_SHARED = {code: chr(code) for code in range(0x21, 0x7F) if chr(code) not in "\"'<>\\^_`{|}~"}
_SHARED |= {ord("'"): "’", ord("`"): "‘"}
_ASCII = {code: chr(code) for code in range(0x21, 0x7F)}
_OT1 = dict(enumerate("ΓΔΘΛΞΠΣΥΦΨΩ")) | dict(enumerate(_LIGATURES, 0x0B))
_OT1 |= dict(enumerate("ıȷ`´ˇ˘¯˚¸ßæœøÆŒØ", 0x10)) | {0x22: "”", 0x3C: "¡", 0x3E: "¿", 0x5C: "“", 0x5E: "ˆ", 0x5F: "˙"}
_OT1 |= {0x7B: "–", 0x7C: "—", 0x7D: "˝", 0x7E: "˜", 0x7F: "¨"}
_T1 = _ASCII | _SHARED | dict(enumerate("`´ˆ˜¨˝˚ˇ˘¯˙¸˛‚‹›“”„«»–—")) | {0x19: "ı", 0x1A: "ȷ", 0x7F: "-"}
_T1 |= dict(enumerate(_LIGATURES, 0x1B)) | {0x20: "␣"}
_T1 |= dict(enumerate("ĂĄĆČĎĚĘĞĹĽŁŃŇŊŐŔŘŚŠŞŤŢŰŮŸŹŽŻĲİđ§ăąćčďěęğĺľłńňŋőŕřśšşťţűůÿźžżĳ¡¿£", 0x80))
_T1 |= {code: chr(code) for code in range(0xC0, 0x100)} | {0xD7: "Œ", 0xDF: "ẞ", 0xF7: "œ", 0xFF: "ß"}
_TS1 = {0x24: "$", 0x27: "'", 0x2A: "*", 0x2D: "-", 0x60: "`", 0x88: "•", 0xA9: "©", 0xAE: "®", 0xB0: "°", 0xB1: "±"}
_TS1 |= {0xB5: "µ", 0xB6: "¶", 0xB7: "·", 0xD6: "×", 0xF6: "÷", 0x84: "†", 0x85: "‡", 0xA7: "§"}
_SIGN = {code: text for code, text in _SHARED.items() if not text.isalpha()} | _TS1
_ITALIC = {code: text for code, text in _SHARED.items() if text.isalnum()}
_ITALIC |= dict(enumerate("ΓΔΘΛΞΠΣΥΦΨΩαβγδϵζηθικλμνξπρστυϕχψωεϑϖϱςφ"))
_ITALIC |= {0x3A: ".", 0x3B: ",", 0x3C: "<", 0x3D: "/", 0x3E: ">", 0x3F: "⋆", 0x40: "∂", 0x60: "ℓ"}
_SYMBOL = dict(enumerate("−·×∗÷⋄±∓⊕⊖⊗⊘⊙◯∘•≍≡⊆⊇≤≥⪯⪰∼≈⊂⊃≪≫≺≻←→↑↓↔↗↘≃⇐⇒⇑⇓⇔↖↙∝′∞∈∋△▽"))
_SYMBOL |= dict(enumerate("∀∃¬∅ℜℑ⊤⊥ℵABCDEFGHIJKLMNOPQRSTUVWXYZ∪∩⊎∧∨⊢⊣⌊⌋⌈⌉{}⟨⟩|‖", 0x38)) | {0x6E: "\\", 0x72: "∇"}
# Widths in Computer Modern at ten points, in thousandths; smaller fonts are a little wider.
_ITALIC_WIDTHS = dict(enumerate((529, 429, 433, 520, 466, 490, 477, 576, 345, 412, 521, 298, 878), ord("a")))
_ITALIC_WIDTHS |= dict(enumerate((600, 485, 503, 446, 451, 469, 361, 572, 485, 716, 572, 490, 465), ord("n")))
_ITALIC_WIDTHS |= dict(enumerate((640, 566, 518, 444, 406, 438, 497, 469, 354, 576, 583, 603, 494, 438), 0x0B))
_SYMBOL_WIDTHS = dict.fromkeys((0x00, 0x02, 0x06, 0x11, 0x14, 0x15, 0x18, 0x19, 0x1A), 778) | {0x01: 278, 0x6A: 278}
_SYMBOL_WIDTHS |= dict.fromkeys((0x20, 0x21, 0x24, 0x28, 0x29, 0x2C, 0x31), 1000)
_SYMBOL_WIDTHS |= dict.fromkeys((0x03, 0x0F, 0x3B, 0x66, 0x67, 0x6B, 0x6E), 500) | dict.fromkeys((0x68, 0x69), 389)
_SYMBOL_WIDTHS |= dict.fromkeys((0x32, 0x33, 0x3A, 0x5B, 0x5C, 0x5E, 0x5F), 667) | dict.fromkeys(range(0x62, 0x66), 444)
_FREQUENT = frozenset("etaoinsr")
_NARROW = frozenset(b"iltjfI.,:;'!|()[]/-")


def kind_of(words: list[list[int]], widths: Mapping[int, float]) -> int:
    """The kind of a font by the codes of its characters, those that touch together, and their widths in thousandths."""
    used = {code for word in words for code in word}
    middle = median(widths[code] for code in used)
    same = {code for code in used if abs(widths[code] - middle) < 0.02 * middle}
    if len(same) > max(2, 0.8 * len(used)) and same & _NARROW and same - _NARROW:
        return FIXED
    if _have_widths(used, widths, _SYMBOL_WIDTHS):
        return SYMBOLS
    italic = _have_widths(used, widths, _ITALIC_WIDTHS)
    if italic and len(used & _ITALIC_WIDTHS.keys()) > 2:
        return ITALIC
    letters = [sum(1 for code in word if _is_letter(code)) for word in words]
    if sum(number for number in letters if number > 1) > 0.5 * sum(letters):
        return ROMAN
    if used <= _SIGN.keys():
        return SIGNS
    return ITALIC if italic else OTHER


def _is_letter(code: int) -> bool:
    return code < 0x80 and chr(code).isalpha()


def _have_widths(used: set[int], widths: Mapping[int, float], wanted: Mapping[int, int]) -> bool:
    """Whether codes are as wide as wanted, or all wider by the same little."""
    ratios = [widths[code] / wanted[code] for code in used if code in wanted]
    return (
        2 * len(ratios) > len(used) and min(ratios) > 0.94 and max(ratios) < 1.32 and max(ratios) < 1.15 * min(ratios)
    )


def tables(counts: Mapping[int, Counter[int]], *, from_tex: bool) -> dict[int, str]:
    """What placeholders stand for, by the codes that the fonts of a document used; what is not in it is unknown.

    counts: by kind. from_tex: whether the document says that TeX made it, which is enough where there is little text.
    """
    roman, fixed = counts.get(ROMAN, Counter[int]()), counts.get(FIXED, Counter[int]())
    letters = {code: number for code, number in (roman + fixed).items() if _is_letter(code)}
    total = sum(letters.values())
    frequent = sum(number for code, number in letters.items() if chr(code).lower() in _FREQUENT)
    if not (0.45 * total < frequent < 0.8 * total if total >= _ENOUGH else from_tex):
        return {}
    second = sum(roman[code] for code in (*range(0x1B, 0x20), *range(0x80, 0x100)))
    text = _T1 if second > sum(roman[code] for code in range(0x0B, 0x10)) else _SHARED | _OT1
    made = {}
    for kind, table in ((ROMAN, text), (FIXED, _ASCII), (SIGNS, _SIGN), (ITALIC, _ITALIC), (SYMBOLS, _SYMBOL)):
        made.update({PLACE + 256 * kind + code: letter for code, letter in table.items()})
    return made


def has_places(text: str) -> bool:
    """Whether some of its characters stand for those that are not known yet."""
    return bool(_PLACES.search(text))


def used(texts: Iterable[str]) -> dict[int, Counter[int]]:
    """The codes behind placeholders, by their kind."""
    counts: dict[int, Counter[int]] = {}
    for text in texts:
        for letter in _PLACES.findall(text):
            kind, code = divmod(ord(letter) - PLACE, 256)
            counts.setdefault(kind, Counter())[code] += 1
    return counts


def resolve(text: str, xs: list[float], known: Mapping[int, str]) -> tuple[str, list[float], int]:
    """A text and its places with placeholders replaced; how many are not known. Those are left out."""
    letters: list[str] = []
    places: list[float] = []
    unknown = 0
    for letter, x in zip(text, xs, strict=True):
        made = known.get(ord(letter), "") if _PLACES.match(letter) else letter
        unknown += not made
        letters.append(made)
        places += [x] * len(made)
    return "".join(letters), places, unknown


def standard_characters() -> Collection[str]:
    """The characters whose widths prove a font: those that every standard font has."""
    return [letter for letter in _GLYPHS if letter.encode("cp1252", "ignore")]
