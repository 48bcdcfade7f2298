"""The tables of tbl(1) in man pages, as HTML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

Cell = Callable[[list[str], str], str]  # the lines of a cell and its font, as inline HTML

_TAB = re.compile(r"\btab\s*\((.)\)")
_HOW = r"\([^)]*\)|[fF]\(?[A-Z]{1,2}|[wW]\([^)]*\)|[bBiIeEzZuUdDtTxXpPvVmM0-9.+ -]"
_COLUMN = re.compile(rf"([lrcnasLRCNAS^_=-])((?:{_HOW})*)")
_RULE = re.compile(r"\s*[_=]\s*")
_TITLE = re.compile(r"^<(?:code|em|strong)>([A-Za-z][A-Za-z /-]*)</\w+>$")  # a cell that is all bold or italic
MAX_COLUMNS = 200

Format = list[tuple[str, str]]  # of each column of a row: letter and font


def table_html(lines: Iterable[str], cell: Cell) -> str:
    """A table of the lines between `.TS` and `.TE`; `cell` makes the text of one."""
    source = list(lines)
    at, tab = _options(source)
    formats, at = _formats(source, at)
    rows: list[list[str]] = []
    headers = 1 if formats and _is_header(formats) else 0
    number = 0
    while at < len(source):
        line = source[at]
        if (line[:1] == "." and line[1:2].isalpha()) or line.startswith((".T&", ".\\")):
            if line.startswith(".T&"):
                more, at = _formats(source, at + 1)
                formats = more or formats
                number = 0
            elif line.startswith(".TH"):
                headers = len(rows) or headers
                at += 1
            else:
                at += 1
            continue
        if _RULE.fullmatch(line) or not line.strip():
            if len(rows) == 1 and line.strip():
                headers = 1
            at += 1
            continue
        fields, at = _fields(source, at, tab)
        rows.append(_row(fields, formats[min(number, len(formats) - 1)] if formats else [], cell))
        number += 1
    caption = ""
    if len(rows) > 2 and len(formats[0]) > 1 and all(letter == "s" for letter, _ in formats[0][1:]):
        caption = f"<p>{rows.pop(0)[0]}</p>\n"
        headers = 1
    if not headers and len(rows) > 1 and [index for index, row in enumerate(rows) if _all_marked(row)] == [0]:
        headers = 1
    return caption + rows_html(rows, headers)


def _options(source: list[str]) -> tuple[int, str]:
    """Where the formats begin, and the character between the fields."""
    for index, line in enumerate(source[:3]):
        if line.rstrip().endswith(";"):
            found = _TAB.search(line)
            return index + 1, found[1] if found else "\t"
        if line.strip():
            break
    return 0, "\t"


def _formats(source: list[str], at: int) -> tuple[list[Format], int]:
    """The formats of the rows: lines up to one that ends with a full stop."""
    formats: list[Format] = []
    while at < len(source):
        line = source[at].strip()
        at += 1
        for part in re.split(r"[,\n]", line.removesuffix(".")):
            columns = [(letter.lower(), _font(how)) for letter, how in _COLUMN.findall(part)[:MAX_COLUMNS]]
            if columns:
                formats.append(columns)
        if line.endswith("."):
            break
    return formats, at


def _font(how: str) -> str:
    name = re.search(r"[fF]\(?([A-Z]{1,2})|([bBiI])", re.sub(r"\([^)]*\)", "", how))
    if not name:
        return "R"
    first = (name[1] or name[2])[0].upper()
    return first if first in "BIC" else "R"


def _is_header(formats: list[Format]) -> bool:
    """Whether the first row is set in another way than the next: centred, or bold."""
    if len(formats) < 2:
        return False
    columns = [column for column in formats[0] if column[0] not in "s^"]
    return formats[0] != formats[1] and all(letter == "c" or font == "B" for letter, font in columns)


def _fields(source: list[str], at: int, tab: str) -> tuple[list[list[str]], int]:
    """The fields of a row, each as lines; a field between `T{` and `T}` goes over several."""
    fields: list[list[str]] = []
    rest = source[at]
    at += 1
    while True:
        *whole, last = rest.split(tab)
        fields += [[field] for field in whole]
        if last.strip() != "T{":
            fields.append([last])
            return fields, at
        block = []
        while at < len(source) and not source[at].startswith("T}"):
            block.append(source[at])
            at += 1
        fields.append(block)
        if at >= len(source):
            return fields, at
        rest = source[at][2:]
        at += 1
        if not rest.startswith(tab):
            return fields, at
        rest = rest[1:]


def _row(fields: list[list[str]], columns: Format, cell: Cell) -> list[str]:
    """The cells of a row as HTML; a field of a spanned column, or one that continues the row above, is empty."""
    made: list[str] = []
    columns = [column for column in columns if column[0] not in "_=-"]
    waiting = iter(fields[:MAX_COLUMNS])
    for letter, font in columns:
        if letter == "s":
            made.append("")
            continue
        field = next(waiting, [""])
        made.append("" if letter == "^" or field in (["\\^"], ["_"], ["="]) else cell(field, font))
    made += [cell(field, "R") for field in waiting]
    return made


def _all_marked(row: list[str]) -> bool:
    return any(row) and all(_TITLE.match(cell) for cell in row if cell)


def rows_html(rows: list[list[str]], headers: int) -> str:
    """A table of cells that are inline HTML, the first `headers` rows its head; columns with no text are left out
    at its end. What is bold in a head is no code."""
    width = max((1 + max((at for at, cell in enumerate(row) if cell), default=0) for row in rows), default=0)
    parts = ["<table>\n"]
    for index, row in enumerate(rows):
        tag = "th" if index < headers else "td"
        cells = [_TITLE.sub(r"\1", cell) for cell in row[:width]] if index < headers else row[:width]
        parts.append("<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>\n")
    return "".join([*parts, "</table>\n"]) if rows else ""
