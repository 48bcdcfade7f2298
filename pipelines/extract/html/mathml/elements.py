"""One element of MathML, whose children are LaTeX already, to LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable

from pipelines.extract.html.mathml import symbols
from pipelines.extract.html.mathml.pieces import Attributes, Piece, joined, letters, operator

_ONE = re.compile(r"[^\\{}^_&%#$~\s']|\\[A-Za-z]+")
_ZERO = re.compile(r"0+(?:\.0+)?[a-z]{0,2}")
_WIDTH = re.compile(r"([0-9]{1,4}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})\s*(em|ex|px|pt)?")
_SPACES = ((1.5, "\\qquad"), (0.8, "\\quad"), (0.25, "\\;"), (0.1, "\\,"))
_LABEL = re.compile(r"\A\\text\{([^{}]*)\}\Z")
_SIDE = re.compile(r"\b(?:right|left)\b")


def convert(name: str, children: list[Piece], attributes: Attributes) -> Piece:
    """LaTeX of an element that is no token, from that of its children; one that is not known is a row of them."""
    element = _ELEMENTS.get(name)
    return element(children, attributes) if element else joined(children)


# ---------------------------------------------------------------- scripts


def _at(children: list[Piece], number: int) -> Piece:
    return children[number] if number < len(children) else Piece("", "none")


def _base(piece: Piece) -> str:
    if not piece.tex:
        return "{}"
    return f"{{{piece.tex}}}" if piece.kind in ("row", "sub", "sup", "script", "atop", "infix") else piece.tex


def _script(mark: str, piece: Piece) -> str:
    tex = piece.tex
    if not tex or piece.kind == "none":
        return ""
    if mark == "^" and not tex.strip("'"):
        return tex
    if "\\text" not in tex:
        tex = tex.replace(" = ", "=")
    return f"{mark}{tex}" if _is_one(piece) and _ONE.fullmatch(tex) else f"{mark}{{{tex}}}"


def _is_one(piece: Piece) -> bool:
    """Whether it is a character, even if a command stands for it: what names a function takes braces."""
    return len(piece.raw) == 1 and piece.kind != "op"


def _msub(children: list[Piece], _: Attributes) -> Piece:
    return _scripted(_at(children, 0), _at(children, 1), Piece("", "none"))


def _msup(children: list[Piece], _: Attributes) -> Piece:
    return _scripted(_at(children, 0), Piece("", "none"), _at(children, 1))


def _msubsup(children: list[Piece], _: Attributes) -> Piece:
    return _scripted(_at(children, 0), _at(children, 1), _at(children, 2))


def _scripted(base: Piece, sub: Piece, sup: Piece) -> Piece:
    below, above = _script("_", sub), _script("^", sup)
    if not below and not above:
        return base
    has = base.kind
    # A base that has the one script already takes the other one beside it.
    beside = (has == "sub" and not below) or (has == "sup" and not above)
    kind = "script" if beside or (below and above) else "sub" if below else "sup"
    left = base.tex if beside else _base(base)
    return Piece(f"{left}{below}{above}", kind, base.raw + sub.raw + sup.raw)


def _mmultiscripts(children: list[Piece], _: Attributes) -> Piece:
    base, rest = _at(children, 0), children[1:]
    at = next((number for number, piece in enumerate(rest) if piece.kind == "prescripts"), len(rest))
    tex = "".join(f"{{}}{_pair(pair)}" for pair in _pairs(rest[at + 1 :])) + _base(base)
    after = [_pair(pair) for pair in _pairs(rest[:at])]
    return Piece(tex + "{}".join(after), "script", base.raw)


def _pairs(pieces: list[Piece]) -> list[tuple[Piece, Piece]]:
    return [(piece, _at(pieces, number + 1)) for number, piece in enumerate(pieces) if number % 2 == 0]


def _pair(pair: tuple[Piece, Piece]) -> str:
    return _script("_", pair[0]) + _script("^", pair[1])


def _mover(children: list[Piece], _: Attributes) -> Piece:
    base, over = _at(children, 0), _at(children, 1)
    if not over.tex:
        return base
    if base.kind in ("op", "brace"):
        return _scripted(base, Piece("", "none"), over)
    if commands := symbols.OVER.get(over.raw):
        command = commands[0] if _ONE.fullmatch(base.tex) else commands[1]
        return Piece(f"{command}{{{base.tex}}}", "brace" if command == "\\overbrace" else "atom", base.raw)
    if arrow := symbols.ARROWS.get(base.raw):
        return Piece(f"{arrow}{{{over.tex}}}", "infix", base.raw)
    return Piece(f"\\overset{{{over.tex}}}{{{base.tex}}}", "atom", base.raw)


def _munder(children: list[Piece], _: Attributes) -> Piece:
    base, under = _at(children, 0), _at(children, 1)
    if not under.tex:
        return base
    if base.kind in ("op", "brace"):
        return _scripted(base, under, Piece("", "none"))
    if command := symbols.UNDER.get(under.raw):
        return Piece(f"{command}{{{base.tex}}}", "brace" if command == "\\underbrace" else "atom", base.raw)
    if arrow := symbols.ARROWS.get(base.raw):
        return Piece(f"{arrow}[{{{under.tex}}}]{{}}", "infix", base.raw)
    return Piece(f"\\underset{{{under.tex}}}{{{base.tex}}}", "atom", base.raw)


def _munderover(children: list[Piece], attributes: Attributes) -> Piece:
    base, under, over = _at(children, 0), _at(children, 1), _at(children, 2)
    if base.kind in ("op", "brace"):
        return _scripted(base, under, over)
    if (arrow := symbols.ARROWS.get(base.raw)) and under.tex and over.tex:
        return Piece(f"{arrow}[{{{under.tex}}}]{{{over.tex}}}", "infix", base.raw)
    return _mover([_munder([base, under], attributes), over], attributes)


# ---------------------------------------------------------------- fractions, roots, boxes


def _mfrac(children: list[Piece], attributes: Attributes) -> Piece:
    above, below = _at(children, 0).tex, _at(children, 1).tex
    if _ZERO.fullmatch(attributes.get("linethickness", "")):
        return Piece(f"{{{above} \\atop {below}}}", "atop", "", (above, below))
    if attributes.get("bevelled") == "true":
        return Piece(f"{_base(_at(children, 0))}/{_base(_at(children, 1))}", "row")
    return Piece(f"\\frac{{{above}}}{{{below}}}")


def _mroot(children: list[Piece], _: Attributes) -> Piece:
    degree = _at(children, 1).tex
    degree = f"{{{degree}}}" if "]" in degree else degree
    return Piece(f"\\sqrt[{degree}]{{{_at(children, 0).tex}}}")


def _msqrt(children: list[Piece], _: Attributes) -> Piece:
    return Piece(f"\\sqrt{{{joined(children).tex}}}")


def _mfenced(children: list[Piece], attributes: Attributes) -> Piece:
    marks = "".join(attributes.get("separators", ",").split())
    row: list[Piece] = []
    for number, child in enumerate(children):
        if row and marks:
            row.append(operator(marks[min(number - 1, len(marks) - 1)], {}))
        row.append(child)
    begin, end = attributes.get("open", "(").strip(), attributes.get("close", ")").strip()
    fences = Piece(letters(begin), "open", begin), Piece(letters(end), "close", end)
    return joined([fences[0], *row, fences[1]])


def _menclose(children: list[Piece], attributes: Attributes) -> Piece:
    tex = joined(children).tex
    kinds = attributes.get("notation", "").split()
    for kind in kinds:
        command = {"box": "\\boxed", "roundedbox": "\\boxed", "top": "\\overline", "bottom": "\\underline"}.get(kind)
        command = "\\cancel" if kind.endswith("diagonalstrike") else "\\sqrt" if kind == "radical" else command
        if command:
            return Piece(f"{command}{{{tex}}}")
    return joined(children)


def _mphantom(children: list[Piece], _: Attributes) -> Piece:
    tex = joined(children).tex
    return Piece(f"\\phantom{{{tex}}}" if tex else "")


def _mstyle(children: list[Piece], attributes: Attributes) -> Piece:
    row = joined(children)
    command = symbols.VARIANTS.get(attributes.get("mathvariant", ""), "")
    return Piece(f"{command}{{{row.tex}}}", "atom", row.raw) if command and row.tex else row


def _mspace(_: list[Piece], attributes: Attributes) -> Piece:
    if attributes.get("linebreak") == "newline":
        return Piece("\\\\", "space")
    width = _WIDTH.match(attributes.get("width", "").strip())
    if width is None:
        return Piece("", "space")
    ems = float(width.group(1)) * {"em": 1, "ex": 0.5}.get(width.group(2) or "em", 0.1)
    return Piece(next((command for least, command in _SPACES if ems >= least), ""), "space")


# ---------------------------------------------------------------- tables


def _mtd(children: list[Piece], attributes: Attributes) -> Piece:
    side = _SIDE.search(attributes.get("columnalign") or attributes.get("style", ""))
    return Piece(joined(children).tex, side.group() if side else "atom")


def _mtr(children: list[Piece], _: Attributes) -> Piece:
    return Piece(
        " & ".join(piece.tex for piece in children) or " ", "cells", "", tuple(piece.kind for piece in children)
    )


def _mlabeledtr(children: list[Piece], attributes: Attributes) -> Piece:
    row = _mtr(children[1:], attributes)
    label = _LABEL.sub(r"\1", _at(children, 0).tex).strip("()[] ")
    return Piece(f"{row.tex} \\tag{{{label}}}", "cells", "", row.parts) if label else row


def _mtable(children: list[Piece], attributes: Attributes) -> Piece:
    body = " \\\\ ".join(" ".join(piece.tex.split()) for piece in children)
    sides = tuple(attributes.get("columnalign", "").split()) or (children[0].parts if children else ())
    if sides[:2] == ("right", "left"):
        return Piece(f"\\begin{{aligned}} {body} \\end{{aligned}}", "atom", "", (body,))
    return Piece(f"\\begin{{matrix}} {body} \\end{{matrix}}", "table", "", (body,))


def _first(children: list[Piece], _: Attributes) -> Piece:
    return _at(children, 0)


def _nothing(kind: str) -> Callable[[list[Piece], Attributes], Piece]:
    return lambda _children, _attributes: Piece("", kind)


_ELEMENTS: dict[str, Callable[[list[Piece], Attributes], Piece]] = {
    "msub": _msub,
    "msup": _msup,
    "msubsup": _msubsup,
    "mmultiscripts": _mmultiscripts,
    "mover": _mover,
    "munder": _munder,
    "munderover": _munderover,
    "mfrac": _mfrac,
    "mroot": _mroot,
    "msqrt": _msqrt,
    "mfenced": _mfenced,
    "menclose": _menclose,
    "mphantom": _mphantom,
    "mstyle": _mstyle,
    "mspace": _mspace,
    "mtd": _mtd,
    "mtr": _mtr,
    "mlabeledtr": _mlabeledtr,
    "mtable": _mtable,
    "maction": _first,
    "none": _nothing("none"),
    "mprescripts": _nothing("prescripts"),
    "annotation-xml": _nothing("none"),
}
