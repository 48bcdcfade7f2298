"""The text of roff: escapes, special characters and fonts, as runs of characters in one font."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

Run = tuple[str, str]  # characters and their font: R, B, I, or C for constant width
BREAK: Run = ("\n", "R")
JOINT: Run = (" ", "J")  # where one line of the source goes on in the next

_NAMED = {
    **dict.fromkeys(("-", "hy", "mi"), "-"),
    "em": "—",
    "en": "–",
    "bu": "•",
    "ci": "○",
    "sq": "□",
    "lh": "☜",
    "rh": "☞",
    "ru": "_",
    "ul": "_",
    "lq": "“",
    "rq": "”",
    "oq": "‘",
    "cq": "’",
    "Bq": "„",
    "bq": "‚",
    "Fo": "«",
    "Fc": "»",
    "fo": "‹",
    "fc": "›",
    "aq": "'",
    "dq": '"',
    "ga": "`",
    "aa": "´",
    "ha": "^",
    "ti": "~",
    "rs": "\\",
    "sl": "/",
    "at": "@",
    "sh": "#",
    "Do": "$",
    "or": "|",
    "ba": "|",
    "bv": "|",
    "br": "|",
    "lB": "[",
    "rB": "]",
    "lC": "{",
    "rC": "}",
    "la": "⟨",
    "ra": "⟩",
    "<-": "←",
    "->": "→",
    "<>": "↔",
    "ua": "↑",
    "da": "↓",
    "<=": "≤",
    ">=": "≥",
    "==": "≡",
    "lA": "⇐",
    "rA": "⇒",
    "hA": "⇔",
    "an": "⎯",
    "!=": "≠",
    "~=": "≈",
    "~~": "≈",
    "=~": "≅",
    "if": "∞",
    "+-": "±",
    "mu": "×",
    "di": "÷",
    "tmu": "×",
    "pl": "+",
    "eq": "=",
    "de": "°",
    "mc": "µ",
    "sr": "√",
    "sum": "∑",
    "is": "∫",
    "mo": "∈",
    "nm": "∉",
    "AN": "∧",
    "OR": "∨",
    "no": "¬",
    "tno": "¬",
    "fa": "∀",
    "te": "∃",
    "es": "∅",
    "ca": "∩",
    "cu": "∪",
    "sb": "⊂",
    "sp": "⊃",
    "ib": "⊆",
    "ip": "⊇",
    "pd": "∂",
    "gr": "∇",
    "pc": "·",
    "md": "⋅",
    "fm": "′",
    "sd": "″",
    "co": "©",
    "rg": "®",
    "tm": "™",
    "sc": "§",
    "ps": "¶",
    "dg": "†",
    "dd": "‡",
    "ct": "¢",
    "Po": "£",
    "Ye": "¥",
    "Eu": "€",
    "eu": "€",
    "12": "½",
    "14": "¼",
    "34": "¾",
    "S1": "¹",
    "S2": "²",
    "S3": "³",
    "%0": "‰",
    "r!": "¡",
    "r?": "¿",
    "OK": "✓",
    "lz": "◊",
    "ss": "ß",
    "ae": "æ",
    "AE": "Æ",
    "oe": "œ",
    "OE": "Œ",
    "/o": "ø",
    "/O": "Ø",
    "/l": "ł",
    "/L": "Ł",
    "oa": "å",
    "oA": "Å",
    "ah": "ˇ",
    "ac": "¸",
    "vz": "¦",
    "**": "*",
    "hbar": "ℏ",
    "CR": "↵",
    "-D": "Ð",
    "Sd": "ð",
    "TP": "Þ",
    "Tp": "þ",
    ".i": "ı",
    "Of": "ª",
    "Om": "º",
    "R ": "ℜ",
    "coproduct": "∐",
    "18": "⅛",
    "38": "⅜",
    "58": "⅝",
    "78": "⅞",
    "ff": "ff",
    "fi": "fi",
    "fl": "fl",
    "Fi": "ffi",
    "Fl": "ffl",
    "Ah": "ℵ",
    "Im": "ℑ",
    "Re": "ℜ",
    "-h": "ℏ",
    "uA": "⇑",
    "dA": "⇓",
    "vA": "⇕",
    "va": "↕",
}
_GREEK = "*a α *b β *g γ *d δ *e ε *z ζ *y η *h θ *i ι *k κ *l λ *m μ *n ν *c ξ *o ο *p π *r ρ *s σ *t τ *u υ *f φ *x χ"
_GREEK += (
    " *q ψ *w ω *G Γ *D Δ *H Θ *L Λ *C Ξ *P Π *S Σ *F Φ *Q Ψ *W Ω ts ς *A Α *B Β *E Ε *Z Ζ *Y Η *I Ι *K Κ *M Μ *N Ν"
)
_GREEK += " *O Ο *R Ρ *T Τ *U Υ *X Χ +h ϑ +f ϕ +p ϖ +e ϵ"
_NAMED.update(zip(_GREEK.split()[::2], _GREEK.split()[1::2], strict=True))
_ACCENTS = {"'": "\u0301", "`": "\u0300", "^": "\u0302", ":": "\u0308", "~": "\u0303", ",": "\u0327", "v": "\u030c"}
STRAIGHT = str.maketrans("“”‘’", "\"\"''")

_SINGLE = {"-": "-", "e": "\\", "\\": "\\", "E": "\\", "'": "'", "`": "`", "t": "\t", "_": "_", ".": "."}
_SINGLE |= dict.fromkeys(" ~0", " ")
_NOTHING = frozenset("&)%:|^/,{}cadrupz!?")
_DELIMITED = frozenset("hvwlLDXZbxoNCABHRS")
_NAME_AFTER = frozenset("fFmMgkYVnO*$")
_FONTS = {"1": "R", "R": "R", "2": "I", "I": "I", "3": "B", "B": "B", "4": "B", "BI": "B", "5": "C", "S": "R"}
_CONSTANT = re.compile(r"C|CW|CR|CO|CT|V|TT?|L")
_CONSTANT_BOLD = re.compile(r"CB|CBI|VB|TB|P?B")
_CODE_POINT = re.compile(r"u([0-9A-F]{4,6})(?:_([0-9A-F]{4,6}))?")
_DISTANCE = re.compile(r"\|?\+?(\d{1,3})(?:\.\d+)?[nm]?")


@dataclass
class Fonts:
    """The font now, and the one before it (to which `\\fP` goes back)."""

    now: str = "R"
    before: str = "R"

    def change(self, name: str) -> None:
        """Take a font by its roff name; `P` and the empty name are the one before."""
        if name in ("P", ""):
            self.now, self.before = self.before, self.now
            return
        known = _FONTS.get(name) or ("B" if _CONSTANT_BOLD.fullmatch(name) else "")
        known = known or ("C" if _CONSTANT.fullmatch(name) else "I" if name.endswith("I") else "R")
        self.now, self.before = known, self.now


def name_at(text: str, at: int) -> tuple[str, int]:
    """A name as it stands after an escape letter (`x`, `(xx`, `[xxx]`), and where it ends."""
    if text[at : at + 1] == "(":
        return text[at + 1 : at + 3], min(at + 3, len(text))
    if text[at : at + 1] == "[":
        end = text.find("]", at)
        return (text[at + 1 : end], end + 1) if end >= 0 else (text[at + 1 :], len(text))
    return text[at : at + 1], min(at + 1, len(text))


def runs_of(text: str, fonts: Fonts, *, code: bool = False) -> list[Run]:
    """A line as runs of characters; font changes stay in `fonts`. In `code` typographic quotes are straight."""
    runs: list[Run] = []
    at = 0
    while (escape := text.find("\\", at)) >= 0:
        if escape > at:
            runs.append((text[at:escape], fonts.now))
        letter = text[escape + 1 : escape + 2]
        at = escape + 2
        if letter == "f":
            name, at = name_at(text, at)
            fonts.change(name)
            continue
        made, at = _escape(text, letter, at)
        if made:
            runs.append((made.translate(STRAIGHT) if code else made, fonts.now))
    if at < len(text):
        runs.append((text[at:], fonts.now))
    return runs


def _escape(text: str, letter: str, at: int) -> tuple[str, int]:
    """What an escape stands for, and where it ends; `at` is behind its letter."""
    if letter in _SINGLE:
        return _SINGLE[letter], at
    if letter in _NOTHING:
        return "", at
    if letter in ("(", "["):
        name, end = name_at(text, at - 1)
        return _character(name), end
    if letter in _NAME_AFTER:
        return "", name_at(text, at)[1]
    if letter == "s":
        return "", _size_end(text, at)
    if letter in _DELIMITED and at < len(text):
        end = text.find(text[at], at + 1)
        return (_drawn(letter, text[at + 1 : end]), end + 1) if end >= 0 else ("", len(text))
    return letter, at


def _character(name: str) -> str:
    """The character of a name such as `bu`, `'e`, `u2014` or `char65`; of an unknown name nothing."""
    if (known := _NAMED.get(name)) is not None:
        return known
    if found := _CODE_POINT.fullmatch(name):
        points = [int(point, 16) for point in found.groups() if point]
        whole = "".join(chr(point) for point in points if point < 0x110000 and not 0xD800 <= point < 0xE000)
        return "-" if whole in ("\u2010", "\u2212") else whole
    if name.startswith("char") and name[4:].isdecimal() and len(name) <= 7:
        return chr(int(name[4:]))
    if len(name) == 2 and name[0] in _ACCENTS and name[1].isalpha():
        return unicodedata.normalize("NFC", name[1] + _ACCENTS[name[0]])
    return name if len(name) == 1 else ""


def _drawn(letter: str, inside: str) -> str:
    """What an escape with a delimited argument leaves on the page: distance, overstrike, a character."""
    if letter == "h" and (found := _DISTANCE.fullmatch(inside)):
        return " " * min(int(found[1]), 40)
    if letter in "Zo":
        return inside[:1] if letter == "o" else inside
    return _character(inside) if letter == "C" else ""


def _size_end(text: str, at: int) -> int:
    found = re.compile(r"(?:[-+]?(?:\(\d\d|\[[^]]{0,9}\]|'[^']{0,9}'|[1-3]\d|\d)|\([-+]\d\d)").match(text, at)
    return found.end() if found else at


def plain(runs: Iterable[Run]) -> str:
    """The characters alone."""
    return "".join(text for text, _ in runs)
