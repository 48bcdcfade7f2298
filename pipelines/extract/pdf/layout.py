"""The lines of a PDF page from top to bottom, without what repeats on every page."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

from pipelines.extract.pdf.glyphs import Glyphs, Run

_NUMBER = re.compile(r"\d+|\b[ivxlc]+\b")
_WORD = re.compile(r"[^\W_]")
_ALONE = re.compile(r"\W*(?:page\s*)?\d+\W*(?:(?:of|/)\s*\d+)?\W*|[ivxlc]{1,8}", re.IGNORECASE)


@dataclass(slots=True)
class Segment:
    """Runs of one line with no wide gap between them."""

    runs: list[Run]

    @property
    def x0(self) -> float:
        return self.runs[0].x0

    @property
    def x1(self) -> float:
        return self.runs[-1].x1

    @property
    def text(self) -> str:
        return "".join(("" if first else " " * spaced(a, b)) + b.text for first, a, b in _neighbours(self.runs))


@dataclass(slots=True)
class Line:
    """A line of one column: segments from left to right, the baseline, and the size of most characters."""

    segments: list[Segment]
    y: float
    size: float
    mono: float = field(init=False)
    bold: float = field(init=False)

    def __post_init__(self) -> None:
        total = sum(_ink(run) for run in self.runs) or 1
        self.mono = sum(_ink(run) for run in self.runs if run.font.mono) / total
        self.bold = sum(_ink(run) for run in self.runs if run.font.bold) / total

    @property
    def runs(self) -> list[Run]:
        return [run for segment in self.segments for run in segment.runs]

    @property
    def x0(self) -> float:
        return self.segments[0].x0

    @property
    def x1(self) -> float:
        return self.segments[-1].x1

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments)


def _ink(run: Run) -> int:
    return len(run.text) - run.text.count(" ")


def _neighbours(runs: list[Run]) -> list[tuple[bool, Run, Run]]:
    return [(index == 0, runs[max(index - 1, 0)], run) for index, run in enumerate(runs)]


def spaced(left: Run, right: Run) -> bool:
    """Whether there is a space between two runs of one line."""
    return right.x0 - left.x1 > 0.12 * min(left.size, right.size)


def lines_of(glyphs: Glyphs) -> list[Line]:
    """The lines of a page from top to bottom, each across all columns."""
    runs = [run for run in glyphs.runs if run.text.strip()]
    runs.sort(key=lambda run: run.line)
    groups: list[list[Run]] = []
    for run in runs:
        if groups and run.line - groups[-1][0].line < 0.25 * min(run.size, groups[-1][0].size):
            groups[-1].append(run)
        else:
            groups.append([run])
    return [_line(group) for group in groups]


def _line(runs: list[Run]) -> Line:
    runs.sort(key=lambda run: run.x0)
    segments = [Segment([runs[0]])]
    for left, right in pairwise(runs):
        gap = right.x0 - left.x1
        drawn_next = right.order == left.order + 1
        if gap < (1.5 if drawn_next else 0.6) * max(left.size, right.size):
            segments[-1].runs.append(right)
        else:
            segments.append(Segment([right]))
    return line_of(segments)


def line_of(segments: list[Segment]) -> Line:
    """The line that segments make, from left to right; its height is that of its longest run."""
    sizes: Counter[float] = Counter()
    runs = [run for segment in segments for run in segment.runs]
    for run in runs:
        sizes[round(run.size, 1)] += _ink(run)
    size = max(sizes, key=lambda each: (sizes[each], each))
    return Line(segments, max(runs, key=_ink).line, size)


# ---------------------------------------------------------------- what repeats


def without_furniture(pages: list[list[Line]]) -> list[list[Line]]:
    """The pages without running headers, footers and page numbers.

    Those stand in the margin at the same height on several pages, and are the same but for their numbers, or hold
    a number that counts the pages.
    """
    edges = [_edges(lines) for lines in pages]
    same: Counter[tuple[str, int]] = Counter()
    counting: Counter[tuple[int, int]] = Counter()
    for index, lines in enumerate(edges):
        same.update({(_shape(line), round(line.y / 4)) for line in lines})
        counting.update({(round(line.y / 4), offset) for line in lines for offset in _offsets(line, index)})
    heads = _heads(pages, edges)
    enough = 2 if len(pages) < 4 else 3
    kept = []
    for index, (lines, edge) in enumerate(zip(pages, edges, strict=True)):
        dropped = set()
        for line in edge:
            repeats = max(same[_shape(line), round(line.y / 4) + step] for step in (-1, 0, 1))
            counts = max((counting[round(line.y / 4), offset] for offset in _offsets(line, index)), default=0)
            text = line.text.strip()
            alone = text == str(index + 1) or (bool(_ALONE.fullmatch(text)) and counts >= enough)
            if alone or (len(pages) > 1 and repeats >= enough) or counts >= 3 or id(line) in heads:
                dropped.add(id(line))
        kept.append([line for line in lines if id(line) not in dropped])
    return kept


def _heads(pages: list[list[Line]], edges: list[list[Line]]) -> set[int]:
    """The `id` of lines that stand alone at the top or the bottom of most pages at the same height, in small letters.

    Their text may be that of the section, another one on each page.
    """
    sizes: Counter[float] = Counter()
    for line in (line for lines in pages for line in lines):
        sizes[line.size] += _ink(max(line.runs, key=_ink))
    body = max(sizes, key=lambda size: (sizes[size], size), default=0.0)
    outermost = [
        line
        for lines, edge in zip(pages, edges, strict=True)
        for line in lines[:1] + lines[1:][-1:]
        if any(line is each for each in edge) and line.size < 1.05 * body
    ]
    heights = Counter(round(line.y) for line in outermost)
    # The last line of a full page stands always at the same height, too, but rarely alone.
    lines_at = Counter(y for lines in pages for y in {round(line.y) for line in lines})
    usual = {y for y, count in heights.items() if count >= max(5, 0.4 * len(pages), 0.9 * lines_at[y])}
    return {id(line) for line in outermost if round(line.y) in usual}


def _edges(lines: list[Line]) -> list[Line]:
    """The first and the last lines of a page, where a gap parts them from the text."""
    found: dict[int, Line] = {}
    for way in (lines, lines[::-1]):
        for line, inner in list(pairwise(way))[:3]:
            if abs(inner.y - line.y) > 1.5 * max(line.size, inner.size):
                found |= {id(each): each for each in way[: way.index(inner)]}
    return [line for line in found.values() if _WORD.search(line.text)]


def _shape(line: Line) -> str:
    return _NUMBER.sub("#", line.text.strip().lower())


def _offsets(line: Line, index: int) -> set[int]:
    """By how much numbers at the ends of a line differ from the index of its page."""
    words = line.text.split()
    ends = {words[0], words[-1]} if words else set()
    return {int(word) - index for word in ends if word.isdecimal() and len(word) < 6}
