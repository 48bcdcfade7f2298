"""Lists that a page draws by hand: lines of a paragraph that begin with a bullet or a number."""

from __future__ import annotations

import re

from pipelines.extract.man.node import Node
from pipelines.extract.man.text import BREAK, JOINT, Run, plain

_MARK = re.compile(r"(\s*)(?:[-•·*+o]|(\d{1,2})[.)])[ \t]+(?=[^\s\d-])")


def drawn_lists(node: Node) -> list[Node]:
    """A paragraph as paragraphs and lists; itself if it begins no line with a mark.

    One mark inside a paragraph is none. A line behind an item that stands farther in than its mark goes on in it.
    """
    lines = _lines(node.runs)
    found = [_MARK.match(plain(line)) for line in lines]
    marks = sum(each is not None for each in found)
    if not marks or (marks == 1 and found[0] is None):
        return [node]
    made: list[Node] = []
    inside = -1  # the column of the mark of the item that is open
    for line, mark in zip(lines, found, strict=True):
        if mark:
            inside = len(mark[1])
            item = Node("li", children=[Node("p", _behind(line, mark.end()))])
            _add_item(made, item, int(mark[2]) if mark[2] else None)
        elif inside >= 0 and _column(line) > inside:
            made[-1].children[-1].children[0].runs += [JOINT, *line]
        elif inside < 0 and made:
            made[-1].runs += [BREAK, *line]
        else:
            inside = -1
            made.append(Node("p", line))
    return made


def _add_item(made: list[Node], item: Node, number: int | None) -> None:
    tag = "ul" if number is None else "ol"
    last = made[-1] if made else None
    if last is not None and last.tag == tag and (number is None or number == last.number + len(last.children)):
        last.children.append(item)
    else:
        made.append(Node(tag, children=[item], number=number or 0))


def _lines(runs: list[Run]) -> list[list[Run]]:
    lines: list[list[Run]] = [[]]
    for run in runs:
        if run == BREAK:
            lines.append([])
        else:
            lines[-1].append(run)
    return [line for line in lines if line]


def _column(line: list[Run]) -> int:
    text = plain(line)
    return len(text) - len(text.lstrip())


def _behind(runs: list[Run], size: int) -> list[Run]:
    """The runs without their first characters."""
    for at, (text, font) in enumerate(runs):
        if size < len(text):
            return [(text[size:], font), *runs[at + 1 :]]
        size -= len(text)
    return []
