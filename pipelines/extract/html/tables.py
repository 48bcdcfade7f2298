"""Tables: as GFM, row by row where their cells hold blocks, or opened where they only lay out."""

from __future__ import annotations

from filters.compiled import inner
from pipelines.extract.html import writer as w
from pipelines.extract.html.collect import has_text, is_code_block
from pipelines.extract.html.opened import CLOSE_BLOCK, CLOSE_CELL, CLOSE_ROW, CLOSE_ROW_ITEM, CLOSE_TABLE
from pipelines.extract.html.roles import (
    ADMONITION,
    BLOCK,
    CELL,
    DROP,
    HEADING,
    IMAGE,
    KIND,
    NEVER,
    PLACED,
    QUOTED,
    ROW,
    RULE,
    TABLE,
    TERMS,
)
from pipelines.extract.html.tree import ALT, COLSPAN, LAST, PARENT, ROWSPAN, TAG, TEXT, Page, value_of
from pipelines.extract.html.writer import Pen

LAYOUT, GFM, BY_ROW = 1, 2, 3
MAX_SPAN = 64
MAX_PARAGRAPHS = 4  # in a cell of a table of few rows: more is a page laid out
FEW_ROWS = 3
_TH = TAG["th"]
_THEAD = TAG["thead"]

# What a survey of a table counts, from `writer.SURVEY` on.
(
    _ROWS,
    _COLUMNS,
    _WIDTH,
    _FILLED,
    _MOST_FILLED,
    _PARAGRAPHS,
    _MOST_PARAGRAPHS,
    _HEADS,
    _BODY_FIRST,
    _BLOCKS,
    _SECTIONS,
    _NESTED,
    _EMPTY,
) = range(w.SURVEY, w.SURVEY + 13)


@inner
def _span_of(page: Page, cell: int, which: int) -> int:
    """The number in an attribute of a cell, COLSPAN or ROWSPAN, from 1 to MAX_SPAN."""
    begin, end = value_of(page, cell, which)
    value = 0
    for k in range(max(begin, 0), min(max(end, 0), begin + 4)):
        if not 48 <= page.html[k] <= 57:
            break
        value = value * 10 + page.html[k] - 48
    return min(max(value, 1), MAX_SPAN)


@inner
def _has_cells(page: Page, row: int) -> bool:
    for i in range(row + 1, page.nodes[LAST, row]):
        if KIND[page.tag[i]] == CELL:
            return True
    return False


@inner
def _has_heading(page: Page, row: int) -> bool:
    for i in range(row + 1, page.nodes[LAST, row]):
        if KIND[page.tag[i]] == HEADING:
            return True
    return False


@inner
def _fill(pen: Pen) -> None:
    """The cell that is surveyed holds something."""
    if pen.s[_EMPTY]:
        pen.s[_EMPTY] = 0
        pen.s[_FILLED] += 1
        pen.s[_MOST_FILLED] = max(pen.s[_MOST_FILLED], pen.s[_FILLED])


@inner
def _count(page: Page, node: int, kind: int, pen: Pen) -> None:
    """Counts an element of a table that is surveyed."""
    if kind == ROW:
        pen.s[_ROWS] += 1
        pen.s[_WIDTH] = pen.s[_FILLED] = 0
    elif kind == CELL:
        pen.s[_WIDTH] += _span_of(page, node, COLSPAN)
        pen.s[_COLUMNS] = max(pen.s[_COLUMNS], pen.s[_WIDTH])
        pen.s[_EMPTY] = 1
        pen.s[_PARAGRAPHS] = 0
        head = page.tag[node] == _TH
        pen.s[_HEADS] += head
        section = page.nodes[PARENT, max(page.nodes[PARENT, node], 0)]
        pen.s[_BODY_FIRST] |= pen.s[_ROWS] == 1 and not head and page.tag[max(section, 0)] != _THEAD
    elif kind == IMAGE:
        if value_of(page, node, ALT)[0] >= 0:
            _fill(pen)
    elif kind == HEADING or kind == RULE:
        pen.s[_SECTIONS] |= pen.s[_FILLED] > 1 or kind == RULE or pen.s[_WIDTH] < pen.s[_COLUMNS]
    elif kind == BLOCK:
        pen.s[_PARAGRAPHS] += 1
        pen.s[_MOST_PARAGRAPHS] = max(pen.s[_MOST_PARAGRAPHS], pen.s[_PARAGRAPHS])
    elif kind == TERMS or kind == QUOTED or page.bits[node] & ADMONITION or is_code_block(page, node):
        pen.s[_BLOCKS] = 1


@inner
def _shape(page: Page, table: int, pen: Pen) -> tuple[int, int, bool]:
    """How to write a table (LAYOUT, GFM or BY_ROW), its columns, and whether its first row is a header."""
    for k in range(_ROWS, _EMPTY + 1):
        pen.s[k] = 0
    i = table + 1
    while i < page.nodes[LAST, table]:
        kind = KIND[page.tag[i]]
        if page.tag[i] == TEXT:
            if pen.s[_EMPTY] and has_text(page, i):
                _fill(pen)
        elif page.bits[i] & DROP or kind == NEVER or kind == TABLE:
            if kind == TABLE and not page.bits[i] & DROP:
                pen.s[_NESTED] = 1
                _fill(pen)
            i = page.nodes[LAST, i]
            continue
        else:
            _count(page, i, kind, pen)
        i += 1
    rows, columns = pen.s[_ROWS], min(pen.s[_COLUMNS], MAX_SPAN)
    sections, nested, many = pen.s[_SECTIONS], pen.s[_NESTED], pen.s[_MOST_FILLED] > 1
    laid_out = sections or nested or pen.s[_MOST_PARAGRAPHS] > MAX_PARAGRAPHS
    if rows == 0 or page.bits[table] & PLACED or (laid_out and rows <= FEW_ROWS) or (sections and nested):
        return LAYOUT, columns, False
    if pen.s[_BLOCKS] or nested or sections or pen.s[_COLUMNS] > MAX_SPAN:
        return (BY_ROW if many else LAYOUT), columns, False
    if not many and (pen.s[_HEADS] == 0 or rows < 2):
        return LAYOUT, columns, False
    return GFM, columns, pen.s[_BODY_FIRST] == 0


@inner
def open_table(page: Page, node: int, kind: int, pen: Pen) -> tuple[int, int]:
    """Begins a table, its caption, a row or a cell. A table keeps the state of the one around it."""
    if kind == TABLE:
        around = ((pen.s[w.TABLE_MODE] * 128 + pen.s[w.COLUMNS]) * 128 + pen.s[w.COLUMN]) * 4 + pen.s[w.HEADER]
        w.block(pen, 2)
        if w.in_line(pen):
            pen.s[w.TABLE_MODE] = LAYOUT
        else:
            pen.s[w.TABLE_MODE], pen.s[w.COLUMNS], header = _shape(page, node, pen)
            pen.s[w.HEADER] = 2 if header else 1
            for column in range(MAX_SPAN):
                pen.s[w.CARRY + column] = 0
        return CLOSE_TABLE, around
    mode = LAYOUT if w.in_line(pen) else pen.s[w.TABLE_MODE]
    if kind == ROW and mode == GFM and not _has_cells(page, node):
        return CLOSE_BLOCK, 1
    if kind == ROW and mode == GFM:
        if not _has_heading(page, node):
            return _open_row(pen)
        pen.s[w.HEADER] = 1  # a heading parts the table in two
    if kind == CELL and mode == GFM and pen.s[w.LINE] >= 0:
        return _open_cell(page, node, pen)
    w.block(pen, 2)
    if kind == ROW and mode == BY_ROW and w.push_container(pen, w.IN_ITEM, 2, w.BULLET, 0):
        return CLOSE_ROW_ITEM, 0
    return CLOSE_BLOCK, 2


@inner
def close_table(pen: Pen, around: int) -> None:
    """Ends a table: the one around it goes on."""
    w.block(pen, 2)
    pen.s[w.HEADER] = around % 4
    pen.s[w.COLUMN], pen.s[w.COLUMNS] = around // 4 % 128, around // 512 % 128
    pen.s[w.TABLE_MODE] = around // 65536


@inner
def _put_delimiter(pen: Pen) -> None:
    w.put(pen, 124)
    for _ in range(pen.s[w.COLUMNS]):
        for byte in (32, 45, 45, 45, 32, 124):
            w.put(pen, byte)


@inner
def _open_row(pen: Pen) -> tuple[int, int]:
    """Begins a row of a GFM table. HEADER: 2 before the header, 1 before the first row of a table without, 0 behind."""
    w.block(pen, 2 if pen.s[w.HEADER] else 1)
    if pen.s[w.HEADER] == 1:
        w.begin_line(pen, True)
        w.put(pen, 124)
        for _ in range(pen.s[w.COLUMNS]):
            for byte in (32, 32, 124):
                w.put(pen, byte)
        pen.s[w.NEED] = 1
        w.begin_line(pen, True)
        _put_delimiter(pen)
        pen.s[w.HEADER] = 0
        pen.s[w.NEED] = 1
    w.begin_line(pen, True)
    w.put(pen, 124)
    pen.s[w.COLUMN] = 0
    return CLOSE_ROW, 0


@inner
def _put_empty_cell(pen: Pen) -> None:
    for byte in (32, 32, 124):
        w.put(pen, byte)
    pen.s[w.COLUMN] += 1


@inner
def _skip_carried(pen: Pen) -> None:
    """Leaves the columns empty that a cell of a row above reaches into."""
    while pen.s[w.COLUMN] < MAX_SPAN and pen.s[w.CARRY + pen.s[w.COLUMN]] > 0:
        pen.s[w.CARRY + pen.s[w.COLUMN]] -= 1
        _put_empty_cell(pen)


@inner
def _open_cell(page: Page, node: int, pen: Pen) -> tuple[int, int]:
    _skip_carried(pen)
    columns = _span_of(page, node, COLSPAN)
    rows = _span_of(page, node, ROWSPAN)
    for column in range(pen.s[w.COLUMN], min(pen.s[w.COLUMN] + columns, MAX_SPAN)):
        pen.s[w.CARRY + column] = rows - 1
    w.put(pen, 32)
    pen.s[w.CELL], pen.s[w.DIRTY], pen.s[w.BROKEN], pen.s[w.SPACE] = 1, 0, 0, 0
    return CLOSE_CELL, columns


@inner
def close_cell(pen: Pen, columns: int) -> None:
    w.close_marks(pen, 0)
    pen.s[w.CELL] = 0
    pen.s[w.SPACE] = 0
    w.put(pen, 32)
    w.put(pen, 124)
    if pen.s[w.DIRTY] == 0:
        pen.s[w.OUT] -= 1
        w.put(pen, 124)
    pen.s[w.COLUMN] += 1
    for _ in range(1, columns):
        if pen.s[w.COLUMN] < pen.s[w.COLUMNS]:
            _put_empty_cell(pen)


@inner
def close_row(pen: Pen) -> None:
    _skip_carried(pen)
    pen.s[w.LINE] = -1
    pen.s[w.NEED] = 1
    if pen.s[w.HEADER] == 2:
        w.begin_line(pen, True)
        _put_delimiter(pen)
        pen.s[w.LINE] = -1
        pen.s[w.HEADER] = 0
        pen.s[w.NEED] = 1
