"""Blocks of a PDF to Markdown: paragraphs joined over columns and pages, lists and headings by their levels."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from pipelines.extract.pdf.blocks import BULLET, Block, Style
from pipelines.extract.pdf.code import lay_out
from pipelines.extract.pdf.layout import Line
from pipelines.extract.pdf.tables import Row
from pipelines.extract.pdf.words import Vocabulary, markdown, pieces_of
from pipelines.extract.write import fence, heading, paragraph, table

_SENTENCE_END = re.compile(r"[.:;!?][)\"”’\]]*\s*$")
_SECTION = re.compile(r"(\d{1,3}(?:\.\d{1,3}){0,5})\.?\s+\D")
_NUMBERED = re.compile(r"\(?(\d{1,3})[.)]")

#: The index of a page, and a block that begins on it.
Placed = tuple[int, Block]
_Key = tuple[float, bool]


@dataclass(frozen=True, slots=True)
class _Item:
    """An item of a list that is open: where its marker and its text begin, and the indent of what it holds."""

    marker_x: float
    text_x: float
    indent: str


def joined(blocks: list[Placed], more: list[Placed], style: Style) -> None:
    """Append the blocks of the next column; a paragraph or a block of code that goes on is put together."""
    last = next((block for _, block in reversed(blocks) if block.kind != "note"), None)
    if last is not None and more and _goes_on(last, more[0][1]):
        first = more.pop(0)[1]
        if last.kind == "code":
            _shift(first.lines, last.margin - first.margin, last.lines[-1].y + style.pitch(first.lines[0]))
        last.lines += first.lines
    blocks += more


def _goes_on(last: Block, first: Block) -> bool:
    if last.kind == "code" and first.kind == "code":
        return abs(last.lines[-1].size - first.lines[0].size) < 0.1
    if last.kind not in ("text", "item") or first.kind != "text":
        return False
    text, begins = last.lines[-1].text, first.lines[0].text.lstrip()
    same = abs(last.lines[-1].size - first.lines[0].size) < 0.1 * first.lines[0].size
    return same and not _SENTENCE_END.search(text) and (text.rstrip().endswith("-") or begins[:1].islower())


def _shift(lines: list[Line], right: float, top: float) -> None:
    """Move lines sideways, and up or down so that the first stands at `top`."""
    down = top - lines[0].y
    for line in lines:
        line.y += down
        for run in line.runs:
            run.xs = [x + right for x in run.xs]
            run.x1 += right


def render(blocks: list[Placed], style: Style, words: Vocabulary) -> tuple[str, str]:
    """Markdown, and the text of the first heading of the highest level."""
    levels = _levels(blocks)
    out: list[str] = []
    best = (7, "")
    items: list[_Item] = []
    above: Block | None = None
    titles = {_plain(block.lines, words) for _, block in blocks if block.kind == "heading"}
    for _, block in blocks:
        if _is_contents(block, titles, words):
            continue
        while items and not _belongs(block, items[-1], style.body):
            items.pop()
        indent = items[-1].indent if items else ""
        if block.kind == "heading":
            level = levels.get(id(block), 0)
            text = markdown(pieces_of(block.lines, words), styled=False)
            best = min(best, (level or 7, text), key=lambda each: each[0])
            text = heading(level, text) if level else paragraph(text)
        elif block.kind == "item":
            marker = _marker(block.marker)
            text = f"{indent}{marker} {_item(block, words)}"
            items.append(_Item(block.lines[0].x0, _text_x(block), indent + " " * (len(marker) + 1)))
        else:
            text = _block(block, above, style, words, indent)
        if text:
            tight = above is not None and (block.kind == above.kind == "item" or text.lstrip().startswith(": "))
            out += ["\n" if tight else "\n\n", text]
            above = block
    return "".join(out).strip("\n"), best[1]


def _is_contents(block: Block, titles: set[str], words: Vocabulary) -> bool:
    """Whether a table names the headings of the document and their pages."""
    if block.kind != "table" or not block.rows or len(block.rows) < 3 or len(titles) < 3:
        return False
    last = [_plain(row[-1], words) for row in block.rows]
    if not all(page.isdecimal() for page in last) or sorted(last, key=int) != last:
        return False
    return sum(1 for row in block.rows if _plain(row[0], words) in titles) > 0.6 * len(block.rows)


def _plain(lines: list[Line], words: Vocabulary) -> str:
    return markdown(pieces_of(lines, words), styled=False)


def _belongs(block: Block, item: _Item, body: float) -> bool:
    """Whether a block stands inside an item of a list."""
    if block.kind == "heading":
        return False
    return block.x0 > (item.marker_x + 0.6 * body if block.kind == "item" else item.text_x - 0.6 * body)


def _block(block: Block, above: Block | None, style: Style, words: Vocabulary, indent: str) -> str:
    """A block that is neither a heading nor an item."""
    if block.kind == "code":
        return fence(lay_out(block.lines, style.pitch(block.lines[0])), indent=indent)
    if block.kind == "table" and block.rows:
        return _table(block.rows, words, indent)
    if block.kind == "term":
        return "\n".join(indent + paragraph(markdown(pieces_of([line], words))) for line in block.lines)
    text = paragraph(markdown(pieces_of(block.lines, words)))
    if text and block.kind == "note":
        return block.marker + text
    if text and block.kind == "text" and above is not None and above.kind == "term":
        return f"{indent}: {text}"
    return indent + text if text else ""


def _key(block: Block) -> _Key:
    line = block.lines[0]
    return round(line.size * 2) / 2, line.bold > 0.5


def _levels(blocks: list[Placed]) -> dict[int, int]:
    """The level of each heading by its `id`: by size, larger first; numbered ones look like their like.

    Sizes that only the first of several pages has are those of a title page, and give no level but the largest.
    """
    headings = [(page, block, _depth(block)) for page, block in blocks if block.kind == "heading"]
    looks: dict[int, Counter[_Key]] = {}
    for _, block, depth in headings:
        looks.setdefault(depth, Counter())[_key(block)] += 1
    usual = {depth: max(found, key=lambda key: (found[key], key)) for depth, found in looks.items() if depth}
    keys = {id(block): usual.get(depth) or _key(block) for _, block, depth in headings}
    pages: dict[_Key, set[int]] = {}
    for page, block, _ in headings:
        pages.setdefault(keys[id(block)], set()).add(page)
    several = len({page for page, _ in blocks}) > 3
    kept = [
        key for rank, key in enumerate(sorted(pages, reverse=True)) if rank == 0 or not several or pages[key] != {0}
    ]
    level = {key: min(rank, 6) for rank, key in enumerate(kept, 1)}
    return {block: level[key] for block, key in keys.items() if key in level}


def _depth(block: Block) -> int:
    """How many numbers the number of a heading has; 0 without one."""
    found = _SECTION.match(block.lines[0].text.lstrip())
    return found.group(1).count(".") + 1 if found else 0


def _marker(drawn: str) -> str:
    number = _NUMBERED.fullmatch(drawn.strip())
    return f"{number.group(1)}." if number else "-"


def _item(block: Block, words: Vocabulary) -> str:
    """The text of an item without its marker; a letter that marks it stays, Markdown has no such list."""
    text = markdown(pieces_of(block.lines, words))
    drawn = block.marker.strip()
    if drawn == "*":
        return paragraph(text[1:].lstrip() if text.startswith("* ") else text)
    bare = BULLET.match(text.lstrip("*"))
    if bare and (not drawn[-1:].isalnum()) and (_NUMBERED.fullmatch(drawn) or not drawn.strip("().").isalpha()):
        stars = text[: len(text) - len(text.lstrip("*"))]
        text = stars + text.lstrip("*")[bare.end() :].lstrip()
    return paragraph(text)


def _text_x(block: Block) -> float:
    """Where the text of an item begins."""
    if len(block.lines) > 1:
        return block.lines[1].x0
    runs = block.lines[0].runs
    return runs[1].x0 if len(runs) > 1 else runs[0].x0 + block.lines[0].size


def _table(rows: list[Row], words: Vocabulary, indent: str) -> str:
    header = all(line.bold > 0.8 for cell in rows[0] for line in cell)
    cells = [[markdown(pieces_of(cell, words), styled=not (header and row is rows[0])) for cell in row] for row in rows]
    return "\n".join(indent + line for line in table(cells, header=header).split("\n"))
