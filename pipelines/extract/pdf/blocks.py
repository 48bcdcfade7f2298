"""The blocks of a column: headings, paragraphs, items of lists, tables and code, told apart by place, size and font."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Literal

from pipelines.extract.pdf.columns import Column
from pipelines.extract.pdf.layout import Line, Segment, line_of
from pipelines.extract.pdf.tables import Row, read_table

# `term`: what the block below it, further right, explains. `note`: a footnote.
Kind = Literal["heading", "text", "term", "item", "code", "table", "note"]

BULLET = re.compile(r"([•◦▪▫‣⁃●○■□–—*∗·➢➤✓\uf0b7\uf0a7\uf0d8-])(?=\s|$)|(\(?(?:\d{1,3}|[a-z]|[ivx]{1,4})[.)])(?=\s|$)")
MONO = 0.9

_LEADERS = re.compile(r"(?:\s?[.·…]){4,}\s*(?:[\divxlc]+(?:,\s*\d+)*)?\s*$")
_ENTRY = re.compile(r"(?:\s?[.·…]){12}\s{0,9}[\divxlc]{1,7}\s*$")
_COUNTED = 3  # so many lines in a row show that their numbers count them
_PAGE = re.compile(r"\s(?:\d{1,4}|[ivxlc]{1,7})$")
# What typesetters put where a listing meets the end of a page.
_CONTINUED = re.compile(r"\s*\(continue(?:s on next|d from previous) page\)\s*")
_LETTERS = re.compile(r"[^\W\d_]")
_ENDS = re.compile(r"[.:;!?)\"”’]\s*$")
_COMMENT = re.compile(r"(?:^|\s)(?:#+|//+|;+|%+|/\*+|--)(?:\s|$)")
_OMITTED = re.compile(r"\[.*\]|<.*>|\.{3}|…|\(.*\)")
_NOTE = re.compile(r"\s*(?:\d{1,3}|[*∗†‡§¶])")


@dataclass(slots=True)
class Block:
    """Lines of one kind. `marker` of an item: as it was drawn; `rows` of a table; `margin`: where its column begins."""

    kind: Kind
    lines: list[Line]
    marker: str = ""
    rows: list[Row] | None = None
    margin: float = 0.0

    @property
    def x0(self) -> float:
        return min(line.x0 for line in self.lines)


@dataclass(frozen=True, slots=True)
class Style:
    """What is usual in a document: the size of its prose; by size, the distance of lines of code."""

    body: float
    pitches: Mapping[float, float]

    def pitch(self, line: Line) -> float:
        return self.pitches.get(line.size, 1.2 * line.size)


@dataclass(frozen=True, slots=True)
class _Measures:
    """What is usual in a column: its document's style, the distance of lines of prose, its edges."""

    style: Style
    leading: float
    x0: float
    x1: float

    def reach(self, share: float) -> float:
        """The x at this share of the column's width."""
        return self.x0 + share * (self.x1 - self.x0)


def style_of(columns: Iterable[Column]) -> Style:
    """The size of most characters of prose, and for each size the most usual step between two lines of code."""
    sizes: Counter[float] = Counter()
    steps: dict[float, Counter[float]] = {}
    for column in columns:
        for line in column.lines:
            sizes[line.size] += len(line.text) if line.mono < 0.5 else 1
        for a, b in pairwise(column.lines):
            if a.mono >= MONO and b.mono >= MONO and a.size == b.size and 0.8 * a.size < b.y - a.y < 1.7 * a.size:
                steps.setdefault(a.size, Counter())[round(b.y - a.y, 1)] += 1
    pitches = {size: max(found, key=lambda step: (found[step], -step)) for size, found in steps.items()}
    return Style(max(sizes, key=lambda size: (sizes[size], size), default=10.0), pitches)


def blocks_of(column: Column, style: Style) -> list[Block]:
    """The blocks of a column from top to bottom; entries of tables of contents are left out."""
    lines = [line for line in _without_contents(column) if not _CONTINUED.fullmatch(line.text)]
    leading = _leading(lines, style.body)
    usual = _Measures(style, leading, column.x0, column.x1)
    _mark_commented(lines, style)
    blocks: list[Block] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        gap = line.y - lines[at - 1].y if at else 10 * leading
        rows, end = read_table(lines, at, leading, _is_row_of_text) if _is_row_of_text(line) else ([], at)
        if rows:
            blocks.append(Block("table", lines[at:end], rows=rows))
            at = end
            continue
        at += 1
        last = blocks[-1] if blocks else None
        block = _block(line, last, gap, usual)
        if last is not None and _joins(last, block, gap, usual):
            last.lines.append(line)
        else:
            blocks.append(block)
    for block in blocks:
        block.margin = column.x0
    return _notes(_terms(blocks, style.body), style.body)


def _without_contents(column: Column) -> list[Line]:
    """The lines without a table of contents or an index: from the first to the last of several dotted lines.

    Around it, lines that end with a number of a page go, too.
    """
    lines = column.lines
    dotted = [index for index, line in enumerate(lines) if line.mono < MONO and _LEADERS.search(line.text)]
    if len(dotted) < 3:
        return [line for line in lines if line.mono >= MONO or not _ENTRY.search(line.text)]
    first, last = dotted[0], dotted[-1] + 1
    while first and _is_entry(lines[first - 1], column):
        first -= 1
    while last < len(lines) and _is_entry(lines[last], column):
        last += 1
    return lines[:first] + lines[last:]


def without_gutter(column: Column) -> Column:
    """The column without numbers in the letters of prose that count lines of code in their margin."""
    lines = column.lines
    numbers = [_number_before_code(line) for line in lines]
    kept: list[Line] = []
    at = 0
    while at < len(lines):
        end = at + 1
        while numbers[at] and end < len(lines) and numbers[end] == numbers[at] + end - at:
            end += 1
        for line in lines[at:end]:
            if end - at < _COUNTED:
                kept.append(line)
            elif len(line.runs) > 1:
                first = line.segments[0].runs[1:]
                kept.append(line_of([Segment(first), *line.segments[1:]] if first else line.segments[1:]))
        at = end
    return Column(kept, column.x0, column.x1)


def _number_before_code(line: Line) -> int:
    """The number that stands before code, or alone before an empty line; 0 if there is none."""
    first, *others = line.runs
    text = first.text.strip()
    if not text.isdecimal() or len(text) > 4 or first.font.mono:
        return 0
    return int(text) if all(run.font.mono for run in others) else 0


def _is_entry(line: Line, column: Column) -> bool:
    return bool(_PAGE.search(line.text)) and len(line.segments) > 1 and line.x1 > column.x1 - line.size


def _leading(lines: list[Line], body: float) -> float:
    """The usual distance of lines of prose."""
    steps = [b.y - a.y for a, b in pairwise(lines) if a.size == b.size and 0.9 * a.size < b.y - a.y < 2 * a.size]
    return median(steps) if steps else 1.2 * body


# ---------------------------------------------------------------- what a line is


def _mark_commented(lines: list[Line], style: Style) -> None:
    """Lines beside code that end in a comment of other letters, or leave something out, are code, too."""
    for way in (list(range(1, len(lines))), list(range(len(lines) - 2, -1, -1))):
        step = 1 if way and way[0] == 1 else -1
        for at in way:
            line, beside = lines[at], lines[at - step]
            if line.mono >= MONO or not _touches(line, beside, style):
                continue
            behind = lines[at + step] if 0 <= at + step < len(lines) else None
            through = behind is not None and _goes_through(behind, line, style)
            if _OMITTED.fullmatch(line.text.strip()) or (_is_commented(line) and not through):
                line.mono = MONO


def _touches(line: Line, code: Line, style: Style) -> bool:
    """Whether a line stands as far from code as its lines from each other."""
    pitch = style.pitch(code)
    near = abs(abs(line.y - code.y) - pitch) < 0.05 * pitch and line.x0 > code.x0 - 1
    return code.mono >= MONO and near and abs(line.size - code.size) < 0.1 * code.size


def _is_commented(line: Line) -> bool:
    """Whether a line begins as code and has a comment of other letters."""
    runs = line.runs
    first = next((index for index, run in enumerate(runs) if not run.font.mono), 0)
    return bool(_COMMENT.search(" ".join(run.text for run in runs[:first])))


def _goes_through(behind: Line, line: Line, style: Style) -> bool:
    """Whether a line is prose that goes on."""
    near = abs(behind.y - line.y) < 1.3 * style.pitch(line)
    aligned = abs(behind.x0 - line.x0) < 0.8 * line.size
    return near and aligned and behind.mono < 0.5 and not _is_commented(behind)


def _block(line: Line, last: Block | None, gap: float, usual: _Measures) -> Block:
    """A block of this line alone, of the kind that the line looks like."""
    if _is_heading(line, gap, usual):
        return Block("heading", [line])
    if _is_code(line, last, gap, usual):
        return Block("code", [line])
    if marker := BULLET.match(line.text):
        return Block("item", [line], marker.group())
    return Block("text", [line])


def _is_heading(line: Line, gap: float, usual: _Measures) -> bool:
    text = line.text.strip()
    if len(text) < 2 or len(text) > 160 or not _LETTERS.search(text):
        return False
    if line.size > 1.12 * usual.style.body:
        return True
    if line.bold < 0.95 or line.mono > 0.5 or line.size < 0.95 * usual.style.body or len(text) > 90:
        return False
    short = line.x1 < usual.reach(0.85) or len(text) < 40
    begins = text[0].isupper() or text[0].isdigit()
    return short and begins and gap > 1.25 * usual.leading and text[-1] not in ".,;:!?"


def _is_code(line: Line, last: Block | None, gap: float, usual: _Measures) -> bool:
    if line.mono < MONO or not line.runs[0].font.mono:
        return False
    if last is None or last.kind not in ("text", "item") or gap > 1.35 * usual.leading:
        return True
    # A word of a sentence may stand alone on its line.
    before = last.lines[-1]
    start = last.lines[1].x0 if len(last.lines) > 1 else before.x0
    aligned = abs(line.x0 - start) < 0.8 * line.size or (last.kind == "item" and len(last.lines) == 1)
    if aligned and before.runs[-1].font.mono and before.x1 > usual.reach(0.8):
        return False  # an address or a path that goes on
    return not aligned or bool(_ENDS.search(before.text))


def _is_row_of_text(line: Line) -> bool:
    """Whether a line may begin or continue a table."""
    return line.mono < MONO and not (len(line.segments) > 1 and BULLET.fullmatch(line.segments[0].text.strip()))


# ---------------------------------------------------------------- what a line belongs to


def _joins(last: Block, block: Block, gap: float, usual: _Measures) -> bool:
    """Whether a block of one line goes on with the block above it."""
    before, line = last.lines[-1], block.lines[0]
    if last.kind == "item" and block.kind == "text":
        return _in_item(last, line, gap, usual)
    if last.kind != block.kind:
        return False
    if last.kind == "heading":
        same = abs(before.size - line.size) < 0.03 * line.size and (before.bold > 0.5) == (line.bold > 0.5)
        return same and gap < 1.5 * line.size
    if last.kind == "code":
        # Blank lines may lie between, but only whole ones.
        lines = gap / usual.style.pitch(line)
        same = abs(before.size - line.size) < 0.1 * line.size
        return same and 0 < lines < 4.2 and abs(lines - round(lines)) < 0.15
    return last.kind == "text" and _is_same_paragraph(last, line, gap, usual)


def _is_same_paragraph(last: Block, line: Line, gap: float, usual: _Measures) -> bool:
    before = last.lines[-1]
    if not _is_next_line(before, line, gap, usual):
        return False
    indent = line.x0 - before.x0
    if indent < (-0.8 if len(last.lines) > 1 else -3) * line.size:
        return False
    if len(last.lines) == 1:
        # A short line above lines further right is a term.
        if indent > 1.2 * line.size and before.x1 < usual.reach(0.85):
            return False
    elif indent > 0.8 * line.size and before.x0 <= last.lines[1].x0 + 1:
        return False
    return before.x1 > usual.reach(0.75) or not _ENDS.search(before.text)


def _in_item(last: Block, line: Line, gap: float, usual: _Measures) -> bool:
    before = last.lines[-1]
    if not _is_next_line(before, line, gap, usual):
        return False
    if len(last.lines) == 1:
        return line.x0 > before.x0 + 0.5 * line.size or before.x1 > usual.reach(0.9)
    return abs(line.x0 - before.x0) < 0.8 * line.size


def _is_next_line(before: Line, line: Line, gap: float, usual: _Measures) -> bool:
    near = 0 <= gap < 1.35 * max(usual.leading, 1.15 * line.size)
    return near and abs(before.size - line.size) < 0.12 * line.size


# ---------------------------------------------------------------- blocks by what stands below them


def _terms(blocks: list[Block], body: float) -> list[Block]:
    """Code that only names what is explained below it, further right, is a term; so is a short line of prose there."""
    for block, below in pairwise(blocks):
        last, first = block.lines[-1], below.lines[0]
        step = first.y - last.y
        aligned = all(abs(line.x0 - last.x0) < 0.5 * last.size for line in block.lines)
        if below.x0 < last.x0 + 0.8 * last.size or len(block.lines) > 3 or not aligned or first.size < 0.92 * body:
            continue
        if block.kind == "code" and below.kind in ("text", "code") and 0 < step < 2.6 * first.size:
            block.kind = "term" if below.kind == "text" or len(block.lines) == 1 else "code"
        elif block.kind == below.kind == "text" and 0 < step < 1.35 * first.size and len(block.lines) == 1:
            block.kind = "term"
    return blocks


def _notes(blocks: list[Block], body: float) -> list[Block]:
    """The blocks, with those in small print at the foot of the column told to be notes, from the first number on."""
    first = len(blocks)
    for index in range(len(blocks) - 1, -1, -1):
        block = blocks[index]
        if block.kind not in ("text", "item", "term") or block.lines[0].size > 0.92 * body:
            break
        if _NOTE.match(block.lines[0].text):
            first = index
    for block in blocks[first:]:
        block.kind, block.marker = "note", ""
    return blocks
