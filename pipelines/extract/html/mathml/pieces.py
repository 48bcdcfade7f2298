"""Parts of a formula in LaTeX: its tokens, and rows of parts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from pipelines.extract.html.mathml import symbols
from pipelines.extract.html.mathml.symbols import letter

TOKENS = frozenset({"mi", "mn", "mo", "mtext", "ms"})

_ENDS_WITH_COMMAND = re.compile(r"\\[A-Za-z]+\Z")
_ENDS_WITH_SCRIPT = re.compile(r"[_^](?:[A-Za-z0-9]|\\[A-Za-z]+)\Z")
_TALL = re.compile(r"\\(?:frac|begin|binom|sum|prod|int)\b|\\atop")
_STYLED = re.compile("[\U0001d400-\U0001d7ff]+")
_SPACES = re.compile(r"[ \t\n\r\f]+")
_FENCES = {"()": "pmatrix", "[]": "bmatrix", "||": "vmatrix", "‖‖": "Vmatrix", "{}": "Bmatrix"}
_IN_TEXT = {
    "\\": "\\textbackslash{}",
    "^": "\\textasciicircum{}",
    "~": "\\textasciitilde{}",
    **{character: f"\\{character}" for character in "{}$&#%_"},
    **dict.fromkeys("\u00a0\u2002\u2003\u2009\u200a\u202f", " "),
    **dict.fromkeys("\u200b\u2060\ufeff\u00ad\u2061\u2062\u2063\u2064", ""),
}
_TEXT_CHARACTERS = str.maketrans(_IN_TEXT)

Attributes = Mapping[str, str]


@dataclass(frozen=True)
class Piece:
    """LaTeX of a part of a formula.

    kind: what it is to its neighbours: `atom` (takes scripts as it is), `row` (needs braces for that), `sub`, `sup`,
    `script` (has them), `op` (its limits stand below), `infix`, `open`, `close`, `name`, `apply`, `space`, `brace`,
    `table`, `cells`, `atop`, `none`, `prescripts`, `annotation`, `text`. raw: the characters of the page.
    """

    tex: str
    kind: str = "atom"
    raw: str = ""
    parts: tuple[str, ...] = ()


def of_text(raw: str) -> Piece:
    """Characters that stand in no token."""
    raw = raw.strip()
    return Piece(letter(raw), "atom", raw) if len(raw) == 1 else _text(raw)


def of_token(name: str, raw: str, attributes: Attributes) -> Piece:
    """LaTeX of an identifier, a number, an operator, a text or a string."""
    if name == "ms":
        return _text(attributes.get("lquote", '"') + raw + attributes.get("rquote", '"'))
    if name == "mtext":
        return _text(raw, attributes.get("mathvariant", ""))
    raw = _SPACES.sub(" ", raw).strip(" ")
    if command := symbols.FUNCTIONS.get(raw):
        return Piece(command, "op" if command in symbols.LIMITS else "atom", raw)
    if name == "mo":
        return operator(raw, attributes)
    return _identifier(raw, attributes.get("mathvariant", ""), is_number=name == "mn")


def joined(pieces: list[Piece]) -> Piece:
    """A row of pieces as one; matrices and binomials with the fences beside them."""
    pieces = _fenced([piece for piece in pieces if piece.tex or piece.kind in ("apply", "open", "close")])
    if len(pieces) == 1:
        return pieces[0]
    raw = "".join(piece.raw for piece in pieces)
    if pieces and pieces[0].kind == "open" and pieces[-1].kind == "close":
        begin, inner, end = pieces[0].tex or ".", _line(pieces[1:-1]), pieces[-1].tex or "."
        if _TALL.search(inner):
            return Piece(f"\\left{begin}{spaced(begin, inner)} \\right{end}", "atom", raw)
        return Piece(_line(pieces), "atom" if _encloses_all(pieces) else "row", raw)
    return Piece(_line(pieces), "row", raw)


# ---------------------------------------------------------------- tokens


def _text(raw: str, variant: str = "") -> Piece:
    raw = _STYLED.sub(lambda found: unicodedata.normalize("NFKC", found.group()), _SPACES.sub(" ", raw))
    text = raw.translate(_TEXT_CHARACTERS)
    if not text.strip(" "):
        return Piece(("\\quad" if "\u2003" in raw else "\\ ") if text else "", "space", raw)
    command = {"bold": "\\textbf", "italic": "\\textit", "monospace": "\\texttt"}.get(variant, "\\text")
    return Piece(f"{command}{{{text}}}", "atom", raw)


def _identifier(raw: str, variant: str, *, is_number: bool) -> Piece:
    command = symbols.VARIANTS.get(variant, "")
    if len(raw) == 1 or is_number:
        if not raw.isascii():
            # A letter of a mathematical alphabet has its style already; of Greek ones only bold is known.
            command = "\\boldsymbol" if "bold" in variant and raw in symbols.SYMBOLS else ""
        elif command == "\\mathrm" and not raw.isalpha():
            command = ""
        tex = f"{command}{{{letters(raw)}}}" if command else letters(raw)
        return Piece(tex, "atom", raw)
    if raw.isascii() and raw.isalnum():
        command = command or ("\\mathit" if variant == "italic" else "\\mathrm")
        return Piece(f"{command}{{{raw}}}", "name", raw)
    if raw.isalpha() and not raw.isascii() and letters(raw) == raw:
        return _text(raw)
    return Piece(letters(raw), "row", raw)


def operator(raw: str, attributes: Attributes) -> Piece:
    """LaTeX of the characters of an operator, a fence or a separator."""
    if raw == "\u2061":
        return Piece("", "apply", raw)
    form = {"prefix": "open", "postfix": "close"}.get(attributes.get("form", ""), "")
    if raw in symbols.OPEN or (raw in ("|", "‖") and form == "open"):
        return Piece(letter(raw), "open", raw)
    if raw in symbols.CLOSE or (raw in ("|", "‖") and form == "close"):
        return Piece(letter(raw), "close", raw)
    if raw in symbols.BIG:
        return Piece(symbols.BIG[raw], "op", raw)
    if raw in symbols.INFIX or raw in ("=", "<", ">"):
        return Piece(letter(raw), "infix", raw)
    if len(raw) > 1 and raw.isascii() and raw.isalpha():
        return Piece(f"\\mathrm{{{raw}}}", "name", raw)
    return Piece(letters(raw), "atom", raw)


def letters(raw: str) -> str:
    """Characters one by one, with spaces where a command would run into the next."""
    parts = [letter(character) for character in raw]
    return "".join([*parts[:1], *(spaced(left, right) for left, right in pairwise(parts))])


# ---------------------------------------------------------------- rows


def spaced(left: str, right: str) -> str:
    """What stands right of a part of LaTeX: with a space, where a command or a script would run into it."""
    if left and right and right[0].isalnum():
        tail = left[-40:]
        if (right[0].isalpha() and _ENDS_WITH_COMMAND.search(tail)) or _ENDS_WITH_SCRIPT.search(tail):
            return f" {right}"
    return right


def _line(pieces: list[Piece]) -> str:
    parts: list[str] = []
    last = ""
    for number, piece in enumerate(pieces):
        tex = piece.tex
        if piece.kind == "name" and number + 1 < len(pieces) and pieces[number + 1].kind == "apply":
            tex = tex.replace("\\mathrm", "\\operatorname", 1)
        elif piece.kind == "infix" and parts:
            tex = f" {tex} "
        if not tex:
            continue
        # Two numbers side by side stay two.
        parts.append(f" {tex}" if last[-1:].isdigit() and tex[0].isdigit() else spaced(last, tex))
        last = tex
    return "".join(parts).strip(" ")


def _fenced(pieces: list[Piece]) -> list[Piece]:
    """Tables and stacks together with the fences that make them matrices, cases and binomials."""
    if not any(piece.kind in ("table", "atop") for piece in pieces):
        return pieces
    done: list[Piece] = []
    skip = False
    for number, piece in enumerate(pieces):
        if skip:
            skip = False
            continue
        left = done[-1].raw if done else ""
        right = pieces[number + 1].raw if number + 1 < len(pieces) else ""
        made, takes_right = _with_fences(piece, left, right)
        if made is not piece:
            done.pop()
            skip = takes_right
        done.append(made)
    return done


def _with_fences(piece: Piece, left: str, right: str) -> tuple[Piece, bool]:
    if piece.kind == "table":
        if (name := _FENCES.get(left + right)) and len(left) == len(right):
            return Piece(f"\\begin{{{name}}} {piece.parts[0]} \\end{{{name}}}", "atom", piece.raw), True
        if left == "{":
            return Piece(f"\\begin{{cases}} {piece.parts[0]} \\end{{cases}}", "atom", piece.raw), False
    elif piece.kind == "atop" and left + right == "()":
        return Piece(f"\\binom{{{piece.parts[0]}}}{{{piece.parts[1]}}}", "atom", piece.raw), True
    return piece, False


def _encloses_all(pieces: list[Piece]) -> bool:
    """Whether the first and the last piece are fences of each other."""
    depth = 0
    for piece in pieces[:-1]:
        depth += {"open": 1, "close": -1}.get(piece.kind, 0)
        if depth == 0:
            return False
    return True
