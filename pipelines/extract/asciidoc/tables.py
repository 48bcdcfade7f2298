"""Tables of AsciiDoc: separators, specifications of columns and cells, rows filled by count."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_COLUMNS = 1000
MAX_REPEAT = 100

_SPEC = re.compile(
    r"(?:(?P<columns>\d{1,3})?(?:\.(?P<rows>\d{1,3}))?(?P<op>[*+]))?(?:[<^>]?(?:\.[<^>])?)(?P<style>[aehlmdsv])?"
)
_SPEC_BEFORE = re.compile(r"(^|[ \t])([\d.*+<^>]{0,12}[aehlmdsv]?)$")
_COLUMN = re.compile(r"(?:(\d{1,3})\*)?[<^>.]*(?:\d+%?|~)?([aehlmdsv])?")


@dataclass
class Cell:
    """A cell: its source, its style (`a` AsciiDoc, `l` literal, `m` code, `h` header, ...) and how far it spans."""

    text: str
    style: str = ""
    columns: int = 1
    rows: int = 1


def read_table(lines: Sequence[str], form: str, cols: str, header: bool | None) -> tuple[list[list[Cell]], bool]:
    """The rows of a table, and whether the first is a header.

    form: the separator of the cells (`|`, `!`, ...), or `csv`; cols: the attribute of that name; header: as
    the options say, or None: a first line with a blank line behind it is a header.
    """
    styles = _column_styles(cols)
    blank = [at for at, line in enumerate(lines) if not line.strip()]
    begin = next((at for at, line in enumerate(lines) if line.strip()), 0)
    if header is None:
        header = begin == 0 and bool(blank) and blank[0] == 1 and len(lines) > 2
    if form == "csv":
        return _csv_rows(lines), header
    cells, in_first_line = _cells("\n".join(lines[begin:]), form)
    width = len(styles) or in_first_line or 1
    rows = _filled(cells, min(width, MAX_COLUMNS))
    for number, row in enumerate(rows):
        for cell, style in zip(row, styles, strict=False):
            cell.style = cell.style or ("" if header and number == 0 else style)
    return rows, header


def _column_styles(cols: str) -> list[str]:
    """A style for each column, empty for most."""
    styles: list[str] = []
    for part in re.split(r"[,;]", cols) if cols.strip() else []:
        found = _COLUMN.fullmatch(part.strip())
        count, style = (int(found[1] or 1), found[2] or "") if found else (1, "")
        styles += [style] * count
    return styles[:MAX_COLUMNS]


def _cells(text: str, separator: str) -> tuple[list[Cell], int]:
    """The cells in their order, and how many columns those of the first line fill."""
    parts = re.split(r"(?<!\\)" + re.escape(separator), text)
    cells: list[Cell] = []
    first = 0
    at_first_line = True
    spec, parts[0] = _take_spec(parts[0], begins_line=True)
    for number, part in enumerate(parts[1:], 1):
        at_first_line = at_first_line and (number == 1 or "\n" not in parts[number - 1])
        following = None
        if number < len(parts) - 1:
            following, part = _take_spec(part)
        made = _specified(spec, part.replace("\\" + separator, separator))
        cells += made
        if at_first_line:
            first += sum(cell.columns for cell in made)
        spec = following
    return cells, first


def _take_spec(text: str, begins_line: bool = False) -> tuple[re.Match[str] | None, str]:
    """The specification of the next cell, which ends a text, and the text before it."""
    line = text.rpartition("\n")[2]
    found = _SPEC_BEFORE.search(line)
    spec = _SPEC.fullmatch(found[2]) if found and found[2] else None
    if found is None or spec is None or not (found[1] or begins_line or "\n" in text):
        return None, text
    return spec, text[: len(text) - len(found[2])]


def _specified(spec: re.Match[str] | None, text: str) -> list[Cell]:
    text = text.strip("\n").rstrip()
    if spec is None:
        return [Cell(text)]
    columns, rows, style = int(spec["columns"] or 1), int(spec["rows"] or 1), spec["style"] or ""
    if spec["op"] == "*":
        return [Cell(text, style) for _ in range(min(columns, MAX_REPEAT))]
    return [Cell(text, style, max(columns, 1), max(rows, 1))]


def _filled(cells: Sequence[Cell], width: int) -> list[list[Cell]]:
    """The cells in rows of `width` columns, of which those that span rows above take their part."""
    rows: list[list[Cell]] = []
    row: list[Cell] = []
    covered, coming = [0] * width, [0] * width  # by column: rows covered by spans from above, and below this row
    column = 0
    for cell in cells:
        for each in range(column, min(column + cell.columns, width)):
            coming[each] = cell.rows - 1
        column += cell.columns
        row.append(cell)
        while column < width and covered[column]:
            column += 1
        while column >= width:
            rows.append(row)
            row = []
            covered, coming = [max(a - 1, b, 0) for a, b in zip(covered, coming, strict=True)], [0] * width
            column = next((at for at, rows_left in enumerate(covered) if not rows_left), width)
    return [*rows, row] if row else rows


def _csv_rows(lines: Sequence[str]) -> list[list[Cell]]:
    try:
        rows = list(csv.reader(line + "\n" for line in lines if line.strip()))
    except csv.Error:
        rows = [[line] for line in lines]
    return [[Cell(value.strip()) for value in row] for row in rows]
