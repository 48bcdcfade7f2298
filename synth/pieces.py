"""A long document in pieces that a teacher can take: split at headings, and joined again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from synth.blocks import Block, blocks

# How well a text can be cut before a unit: at headings by their level, from 1; between blocks; between the items of a
# list; and behind a heading, which leaves it alone.
_BLOCK, _ITEM, _BEHIND_HEADING = 7, 8, 9


class TooLong(Exception):
    """A block that alone is larger than a piece may be; the message says which."""


class _Unit(NamedTuple):
    """What is never cut: text[begin:end), its size, and how well the text can be cut before it."""

    begin: int
    end: int
    size: int
    cut: int
    sort: str


def words(text: str) -> int:
    """How many words a text has: runs without white space."""
    return len(text.split())


def split(markdown: str, most: int, size: Callable[[str], int] = words) -> list[str]:
    """Pieces of a text, of `most` at most by `size`, which together are the text. Raises TooLong.

    It is cut before the highest headings there are, and neighbouring sections go together as far as they fit; a section
    that is too large is cut before lower headings, then between blocks, and only then between the items of a list or
    behind a heading. Sizes of units are added up: `size` of two texts together must not be more than of each.
    """
    if size(markdown) <= most:
        return [markdown]
    units = _units(markdown, size)
    for each in units:
        if each.size > most:
            line = markdown.count("\n", 0, each.begin) + 1
            raise TooLong(f"a {each.sort} of {each.size} at line {line}: a piece is {most} at most")
    cuts = _cuts(units, most)
    return [markdown[begin:end] for begin, end in zip(cuts, [*cuts[1:], len(markdown)], strict=True)]


def _units(text: str, size: Callable[[str], int]) -> list[_Unit]:
    starts: list[tuple[int, int, str]] = []
    before: Block | None = None
    for each in blocks(text):
        inside = each.item >= 0
        if before is None or not inside or each.item != before.item:
            starts.append((each.line, _cut_before(each, before), "list item or quote" if inside else each.sort))
        before = each
    if not starts:
        starts = [(0, _BLOCK, "text")]
    starts[0] = (0, *starts[0][1:])
    ends = [*(begin for begin, _, _ in starts[1:]), len(text)]
    return [
        _Unit(begin, end, size(text[begin:end]), cut, sort)
        for (begin, cut, sort), end in zip(starts, ends, strict=True)
    ]


def _cut_before(block: Block, before: Block | None) -> int:
    if block.sort == "heading" and block.item < 0:
        return block.level
    if before is not None and before.sort == "heading" and before.item < 0:
        return _BEHIND_HEADING
    return _ITEM if block.item >= 0 and before is not None and before.item >= 0 else _BLOCK


def _cuts(units: Sequence[_Unit], most: int) -> list[int]:
    """Where pieces begin. Each unit fits alone."""
    if sum(each.size for each in units) <= most:
        return [units[0].begin]
    level = min(each.cut for each in units[1:])
    bounds = [0, *(number for number in range(1, len(units)) if units[number].cut == level)]
    cuts: list[int] = []
    filled = most  # of the piece that is open
    for begin, end in zip(bounds, [*bounds[1:], len(units)], strict=True):
        section = units[begin:end]
        total = sum(each.size for each in section)
        if total > most:
            cuts += _cuts(section, most)
            filled = most
        elif filled + total <= most:
            filled += total
        else:
            cuts.append(section[0].begin)
            filled = total
    return cuts


def headings_before(markdown_pieces: Sequence[str], index: int) -> list[str]:
    """The headings of the sections that a piece lies in, from the highest on, without the one that it begins with."""
    path: list[tuple[int, str]] = []
    for piece in markdown_pieces[:index]:
        for each in blocks(piece):
            if each.sort == "heading" and each.item < 0:
                path = [one for one in path if one[0] < each.level]
                path.append((each.level, _words_of(piece[each.start : each.end])))
    first = next(iter(blocks(markdown_pieces[index])), None)
    if first is not None and first.sort == "heading":
        path = [one for one in path if one[0] < first.level]
    return [name for _, name in path]


def _words_of(heading: str) -> str:
    """A heading without its marks, on one line."""
    lines = heading.splitlines()
    if len(lines) > 1 and not heading.startswith("#"):
        lines.pop()
    return " ".join(" ".join(lines).strip("# \t").split())


def join(texts: Sequence[str]) -> str:
    """Texts that were made of pieces as one: an empty line between each two, and a line feed at the end."""
    stripped = [each.strip("\r\n").rstrip() for each in texts]
    return "\n\n".join(each for each in stripped if each) + "\n"
