"""Markdown by hand: fences, tables, lines that mean what they say. For readers of other formats than HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence

_BACKTICKS = re.compile(r"`+")
_BLOCK_MARK = re.compile(
    r"(?:#{1,6}|[-+*]|\d{1,9}[.)])(?=\s|$)|>|`{3}|~{3}|([-*_=])[ \t]*(?:\1[ \t]*)*$"
    r"|<(?:!|\?|(?:pre|script|style|textarea)\b)",
    re.IGNORECASE,
)


def fence(code: str, language: str = "", indent: str = "") -> str:
    """A block of code between fences longer than any run of backticks in it; each line behind `indent`.

    code: as it is, with or without the last line end; a CommonMark parser reads the same text back.
    """
    longest = max(map(len, _BACKTICKS.findall(code)), default=0)
    ticks = "`" * max(3, longest + 1)
    lines = [ticks + language, *code.removesuffix("\n").split("\n"), ticks]
    return "\n".join(indent + line if line else indent.rstrip() for line in lines)


def inline_code(text: str) -> str:
    """A span of code on one line, whatever backticks it holds; empty text stays empty."""
    text = " ".join(text.split())
    if not text:
        return ""
    longest = max(map(len, _BACKTICKS.findall(text)), default=0)
    ticks = "`" * (longest + 1)
    space = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def heading(level: int, text: str) -> str:
    """An ATX heading of level 1 to 6 (others are brought into this range) on one line."""
    return f"{'#' * min(max(level, 1), 6)} {' '.join(text.split())}"


def table(rows: Sequence[Sequence[str]], header: bool = True) -> str:
    """A GFM table; short rows are filled with empty cells. Without `header` the header row is empty."""
    width = max((len(row) for row in rows), default=0)
    body = [[_cell(cell) for cell in row] + [""] * (width - len(row)) for row in rows]
    if not header:
        body.insert(0, [""] * width)
    body.insert(1, ["---"] * width)
    return "\n".join("| " + " | ".join(row) + " |" for row in body)


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", "<br>".join(line.strip() for line in text.strip().splitlines()))


def paragraph(text: str) -> str:
    """A paragraph whose lines begin no block: a backslash stands before what would be a mark."""
    lines = [" ".join(line.split()) for line in text.strip().splitlines()]
    return "\n".join("\\" + line if _BLOCK_MARK.match(line) else line for line in lines if line)
