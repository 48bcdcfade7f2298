"""Footnotes of a PDF: a raised number in the text, and the note of that number at the foot of its page."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipelines.extract.pdf.blocks import Block
from pipelines.extract.pdf.chars import Font
from pipelines.extract.pdf.glyphs import Run

_NUMBER = re.compile(r"(\d{1,3})(?=\D|$)[.)]?\s*")


def number_notes(blocks: list[tuple[int, Block]]) -> None:
    """Give each note that the text calls a number of its own, and put it where it is called: `[^1]`.

    blocks: with the index of the page each begins on. Notes that nothing calls stay as they are.
    """
    pages: dict[int, list[Block]] = {}
    for page, block in blocks:
        pages.setdefault(page, []).append(block)
    count = 0
    for page in sorted(pages):
        for note in [block for block in pages[page] if block.kind == "note"]:
            # A paragraph that began on the page before may go on here.
            call = _call(_number(note), pages[page], pages.get(page - 1, [])[-3:])
            if call:
                count += 1
                call.text, call.font = f"[^{count}]", Font(False, False, False)
                call.xs = [call.x0] * len(call.text)
                note.marker = f"[^{count}]: "
                _take_number(note)


def _number(note: Block) -> str:
    """The number that a note begins with; empty without one, and where nothing follows it."""
    found = _NUMBER.match(note.lines[0].runs[0].text)
    alone = len(note.lines) == len(note.lines[0].runs) == 1
    return found[1] if found and not (alone and found.end() == len(found.string)) else ""


def _take_number(note: Block) -> None:
    line = note.lines[0]
    first = line.runs[0]
    found = _NUMBER.match(first.text)
    end = found.end() if found else 0
    first.text, first.xs = first.text[end:], first.xs[end:]
    for segment in line.segments:
        segment.runs = [run for run in segment.runs if run.text]
    line.segments = [segment for segment in line.segments if segment.runs]
    note.lines = note.lines if line.segments else note.lines[1:]


def _call(number: str, *places: list[Block]) -> Run | None:
    for blocks in places:
        for block in blocks:
            if block.kind in ("text", "item", "term"):
                for run in _raised(block):
                    if number and run.text.strip() == number:
                        return run
    return None


def _raised(block: Block) -> Iterator[Run]:
    """The small runs that stand above the baseline behind other text."""
    for line in block.lines:
        for run in line.runs[1:]:
            if run.size < 0.85 * line.size and run.y < run.line - 0.15 * line.size:
                yield run
