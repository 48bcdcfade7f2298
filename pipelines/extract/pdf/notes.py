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
            first = note.lines[0].runs[0]
            found = _NUMBER.match(first.text)
            # A paragraph that began on the page before may go on here.
            call = found and _call(found[1], pages[page], pages.get(page - 1, [])[-3:])
            if found and call:
                count += 1
                call.text, call.font = f"[^{count}]", Font(False, False, False)
                call.xs = [call.x0] * len(call.text)
                first.text, first.xs = first.text[found.end() :], first.xs[found.end() :] or first.xs[-1:]
                note.marker = f"[^{count}]: "


def _call(number: str, *places: list[Block]) -> Run | None:
    for blocks in places:
        for block in blocks:
            if block.kind in ("text", "item", "term"):
                for run in _raised(block):
                    if run.text.strip() == number:
                        return run
    return None


def _raised(block: Block) -> Iterator[Run]:
    """The small runs that stand above the baseline behind other text."""
    for line in block.lines:
        for run in line.runs[1:]:
            if run.size < 0.85 * line.size and run.y < run.line - 0.15 * line.size:
                yield run
