"""Tables of a PDF: lines whose segments stand in columns."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from pipelines.extract.pdf.layout import Line, Segment

MAX_ROWS = 500

Cell = list[Line]
Row = list[Cell]


def read_table(lines: list[Line], at: int, leading: float, may_be_row: Callable[[Line], bool]) -> tuple[list[Row], int]:
    """The rows of the table that begins with `lines[at]`, and where it ends; no rows where none begins.

    Two lines at least have two cells. A line without a first cell, right below another, continues its row.
    """
    end = _end(lines, at, leading, may_be_row)
    found = lines[at:end]
    if sum(1 for line in found if len(line.segments) > 1) < 2:
        return [], at
    edges = _edges([segment for line in found for segment in line.segments])
    if len(edges) < 2:
        return [], at
    rows: list[Row] = []
    for above, line in pairwise([found[0], *found]):
        cells: list[list[Segment]] = [[] for _ in edges]
        for segment in line.segments:
            cells[_index(segment, edges)].append(segment)
        if not rows or cells[0] or line.y - above.y > 1.35 * leading:
            rows.append([[] for _ in edges])
        for cell, segments in zip(rows[-1], cells, strict=True):
            if segments:
                cell.append(Line(segments, line.y, line.size))
    filled = sum(1 for row in rows for cell in row if cell)
    return (rows, end) if len(rows) > 1 and filled > 0.6 * len(rows) * len(edges) else ([], at)


def _end(lines: list[Line], at: int, leading: float, may_be_row: Callable[[Line], bool]) -> int:
    """Where the lines end that may be rows together with the one at `at`."""
    if len(lines[at].segments) < 2:
        return at
    second = lines[at].segments[1].x0
    end = at + 1
    while (
        end < min(len(lines), at + MAX_ROWS)
        and lines[end].y - lines[end - 1].y < 3 * leading
        and may_be_row(lines[end])
    ):
        line = lines[end]
        more = end + 1 < len(lines) and len(lines[end + 1].segments) > 1
        # A cell that goes on below stands in another column than the first; one alone in the first has a row below it.
        if len(line.segments) < 2 and line.x0 < second - line.size and not (more and line.x1 < second):
            break
        end += 1
    return end


def _edges(segments: list[Segment]) -> list[float]:
    """Where each column begins: segments that share some x belong to one column."""
    edges: list[float] = []
    right = float("-inf")
    for segment in sorted(segments, key=lambda each: each.x0):
        if segment.x0 > right + 2:
            edges.append(segment.x0)
        right = max(right, segment.x1)
    return edges


def _index(segment: Segment, edges: list[float]) -> int:
    return max(index for index, edge in enumerate(edges) if edge <= segment.x0 + 0.01)
