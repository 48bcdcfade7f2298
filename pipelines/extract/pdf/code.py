"""Code of a PDF with its layout: where letters stand tells indents and columns, where lines stand tells blank lines."""

from __future__ import annotations

import cmath
from itertools import pairwise
from statistics import median

from pipelines.extract.pdf.glyphs import Run
from pipelines.extract.pdf.layout import Line
from pipelines.extract.pdf.words import code_text

_MAX_GAP = 200
_SAMPLE = 400
_GOOD_FIT = 0.97
_POOR_FIT = 0.7


def lay_out(lines: list[Line], pitch: float) -> str:
    """Lines of a fixed font, `pitch` apart, with the columns and blank lines that their places tell."""
    lines = _without_numbers(lines)
    runs = [run for line in lines for run in line.runs]
    left, width = _grid(runs, min(line.x0 for line in lines), _advance(runs))
    out = [_letters(lines[0].runs, left, width)]
    for above, line in pairwise(lines):
        out += [""] * min(max(round((line.y - above.y) / pitch) - 1, 0), 4)
        out.append(_letters(line.runs, left, width))
    return "\n".join(out)


def _letters(runs: list[Run], left: float, width: float) -> str:
    out = ""
    for run in runs:
        for letter, x in zip(run.text, run.xs, strict=True):
            if not run.font.mono and x > run.x0:
                out += letter  # of a comment, whose letters are as wide as they are
            elif letter != " ":
                gap = round((x - left) / width) - len(out)
                left += max(gap - _MAX_GAP, 0) * width
                out += " " * min(gap, _MAX_GAP) + letter
    return code_text(out)


def _advance(runs: list[Run]) -> float:
    """The width of a character: the usual step from one to the next."""
    steps = [b - a for run in runs if run.font.mono for a, b in pairwise(run.xs) if b - a > 0.1 * run.size]
    return median(steps) if steps else 0.6 * runs[0].size


def _grid(runs: list[Run], left: float, width: float) -> tuple[float, float]:
    """Where the first column begins, and how wide columns are: near `left` and `width`, so that letters fit best.

    LaTeX's listings set letters of a word closer than their columns are.
    """
    places = [x for run in runs if run.font.mono for letter, x in zip(run.text, run.xs, strict=True) if letter != " "]
    places = places[:: len(places) // _SAMPLE + 1]
    if not places or _fit(places, width)[0] > _GOOD_FIT:
        return left, width
    widths = [width * (0.95 + 0.001 * step) for step in range(301)]
    best = max(widths, key=lambda each: _fit(places, each)[0])
    fit, phase = _fit(places, best)
    if fit < _POOR_FIT:
        return left, width
    return left + (phase - left / best + 0.5) % 1 * best - 0.5 * best, best


def _fit(places: list[float], width: float) -> tuple[float, float]:
    """How well places stand in columns of this width, from 0 to 1, and where in a column most of them stand."""
    total = sum(cmath.exp(2j * cmath.pi * x / width) for x in places)
    return abs(total) / len(places), cmath.phase(total) / (2 * cmath.pi)


def _without_numbers(lines: list[Line]) -> list[Line]:
    """The lines without numbers that count them in the margin."""
    numbers = [line.runs[0].text.strip() for line in lines]
    if len(lines) < 3 or not all(each.isdecimal() and len(each) < 6 for each in numbers):
        return lines
    if any(int(b) - int(a) != 1 for a, b in pairwise(numbers)):
        return lines
    for line in lines:
        line.segments[0].runs = line.segments[0].runs[1:]
        line.segments = [segment for segment in line.segments if segment.runs] or line.segments
    return [line for line in lines if line.runs]
