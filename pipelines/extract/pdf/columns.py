"""The columns of a PDF page in reading order.

A page is cut at a gutter: a strip that few lines cross, with lines of prose on both sides. Lines that cross it
divide the page into bands; in a band the left column comes first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise

from pipelines.extract.pdf.layout import Line, Segment, line_of

_LEVELS = 3
_GUTTERS = 8
_MONO = 0.9
_NEAR = 2.6  # sizes


@dataclass(frozen=True, slots=True)
class Column:
    """Lines from top to bottom, and the x where its text begins and ends."""

    lines: list[Line]
    x0: float
    x1: float


def columns(lines: list[Line]) -> list[Column]:
    """The columns of a page in reading order."""
    return [_column(part) for part in _cut(lines, _LEVELS) if part]


def _column(lines: list[Line]) -> Column:
    return Column(lines, min(line.x0 for line in lines), max(line.x1 for line in lines))


def aligned(parts: list[tuple[int, Column]]) -> list[tuple[int, Column]]:
    """The columns of all pages, those that happen to begin further right told to begin where columns usually do."""
    starts = Counter(round(column.x0) for _, column in parts)
    usual = sorted(x for x, count in starts.items() if count >= max(2, 0.05 * len(parts)))
    out = []
    for page, column in parts:
        near = [x for x in usual if column.x0 - 0.25 * (column.x1 - column.x0) - 40 < x < column.x0 + 2]
        out.append((page, Column(column.lines, min(max(near), column.x0) if near else column.x0, column.x1)))
    return out


def _cut(lines: list[Line], levels: int) -> list[list[Line]]:
    """Lines of a region as lists in reading order, one for each column of each band."""
    gutter = _gutter(lines) if levels and len(lines) >= 8 else None
    if gutter is None:
        return [lines]
    parts: list[list[Line]] = []
    left: list[Line] = []
    right: list[Line] = []
    crossing: list[Line] = []
    for line in lines:
        over = any(segment.x0 < gutter < segment.x1 for segment in line.segments) and not _is_too_long(line, left)
        if over and (left or right):
            parts += [*_cut(left, levels - 1), *_cut(right, levels - 1)]
            left, right = [], []
        if over:
            crossing.append(line)
            continue
        if crossing:
            parts.append(crossing)
            crossing = []
        for side, kept in ((left, True), (right, False)):
            found = [segment for segment in line.segments if (segment.x0 < gutter) == kept]
            if found:
                side.append(line_of(found) if len(found) < len(line.segments) else line)
    parts += [crossing, *_cut(left, levels - 1), *_cut(right, levels - 1)]
    return [part for part in parts if part]


def _is_too_long(line: Line, left: list[Line]) -> bool:
    """Whether a line is code of the left column that runs over its edge."""
    if not left or line.mono < _MONO or len(line.segments) > 1:
        return False
    above = left[-1]
    return above.mono >= _MONO and above.size == line.size and line.y - above.y < _NEAR * line.size


def _gutter(lines: list[Line]) -> float | None:
    """The x of the gutter between two columns of prose, or None."""
    segments = [segment for line in lines for segment in line.segments]
    x0, x1 = min(segment.x0 for segment in segments), max(segment.x1 for segment in segments)
    bins = int(x1 - x0) + 1
    if not 40 < bins < 20_000:
        return None
    change = [0] * (bins + 2)
    for segment in segments:
        change[max(int(segment.x0 - x0), 0)] += 1
        change[min(int(segment.x1 - x0) + 1, bins + 1)] -= 1
    cover, open_now = [], 0
    for each in change:
        open_now += each
        cover.append(open_now)
    inside = range(int(0.2 * bins), int(0.8 * bins))
    least = min((cover[at] for at in inside), default=0)
    if least > 0.35 * len(lines):
        return None
    candidates: dict[int, int] = defaultdict(int)
    begin = None
    for at in (*inside, None):
        if at is not None and cover[at] <= least + 1:
            begin = at if begin is None else begin
            candidates[begin] = at - begin + 1
        else:
            begin = None
    for begin, width in sorted(candidates.items(), key=lambda each: -each[1])[:_GUTTERS]:
        gutter = x0 + begin + width / 2
        if width >= 5 and _are_columns(segments, gutter):
            return gutter
    return None


def _are_columns(segments: list[Segment], gutter: float) -> bool:
    """Whether what stands left and right of x are columns of prose, and not of a table.

    Lines of prose fill their side; and a page is mostly drawn column by column, but a table row by row.
    """
    crossing = [s for s in segments if s.x0 < gutter < s.x1]
    left = [s for s in segments if s.x1 <= gutter]
    right = [s for s in segments if s.x0 >= gutter]
    total = max(s.x1 for s in segments) - min(s.x0 for s in segments)
    filled = []
    for side in (left, right):
        if len(side) < 5:
            return False
        width = max(s.x1 for s in side) - min(s.x0 for s in side)
        if width < 0.25 * total:
            return False
        widths = sorted(s.x1 - s.x0 for s in side)
        filled.append([widths[len(widths) * share // 10] > 0.6 * width for share in (6, 8)])
    if all(most for most, _ in filled):
        return True
    drawn = sorted([(s.runs[0].order, 0) for s in left] + [(s.runs[0].order, 1) for s in right])
    turns = sum(1 for a, b in pairwise(drawn) if a[1] != b[1])
    return all(some for _, some in filled) and turns < 4 + 2 * len(crossing) and turns < 0.2 * len(drawn)
