"""The blocks of a man page while it is read, and as HTML: paragraphs, literal lines, lists, tables, levels."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipelines.extract.man.node import Node
from pipelines.extract.man.text import BREAK, JOINT, Run, plain
from pipelines.extract.man.tree import tree_html

MAX_LEVELS = 10
_BULLETS = frozenset(["•", "·", "*", "-", "+", "o", "○", "□", "—", "–", "◦", "▪", "●"])
_NUMBER = re.compile(r"\(?\[?(\d{1,4})[.):\]]{0,2}")
_PROSE_END = re.compile(r"[.:!?]\s*$")


@dataclass
class _Level:
    """A level of indentation: what it fills, and the item of a list that is open in it."""

    container: Node
    item: Node | None = None
    column: int = 0  # spaces before literal lines, where it began inside them


class Blocks:
    """Builds the tree of a page from what its macros say, in their order."""

    def __init__(self) -> None:
        self.root = Node("body")
        self.levels = [_Level(self.root)]
        self.literal = False
        self._open: Node | None = None  # the paragraph or the literal lines that text goes to
        self._glued = False

    # ------------------------------------------------------------ text

    def text(self, runs: list[Run], *, glued: bool = False) -> None:
        """A line of text; the next one continues it if `glued`."""
        if self.literal:
            self._literal_line(plain(runs), glued)
            return
        if self._open is None or self._open.tag != "p":
            self._open = self._append(Node("p"))
        elif not self._glued and self._open.runs[-1:] not in ([], [BREAK]):
            same = runs and runs[0][1] == self._open.runs[-1][1] != "R"
            self._open.runs.append((" ", runs[0][1]) if same else JOINT)
        self._open.runs += runs
        self._glued = glued

    def _literal_line(self, line: str, glued: bool) -> None:
        if self._open is None or self._open.tag != "pre":
            self._open = self._append(Node("pre"))
            self._glued = False
        if self._glued and self._open.lines:
            self._open.lines[-1] += line
        else:
            self._open.lines.append(" " * self.levels[-1].column + line if line else "")
        self._glued = glued

    def line_break(self) -> None:
        """The text that follows begins a line."""
        if not self.literal and self._open is not None and self._open.runs[-1:] not in ([], [BREAK]):
            self._open.runs.append(BREAK)
        self._glued = False

    def space(self) -> None:
        """The text that follows begins a paragraph, in the item that is open; in literal lines, a blank one."""
        if self.literal and self._open is not None:
            self._literal_line("", False)
        else:
            self.close()

    def close(self) -> None:
        """End the paragraph or the literal lines."""
        self._open = None
        self._glued = False

    @property
    def has_lines(self) -> bool:
        """Whether literal lines have begun."""
        return self.literal and self._open is not None and bool(self._open.lines)

    def length(self) -> int:
        """How many runs the open paragraph has."""
        return len(self._open.runs) if self._open is not None else 0

    def attach(self, runs: list[Run], *, glued: bool = False) -> None:
        """Text without a space before it."""
        if runs and self._open is not None:
            self._glued = True
            self.text(runs, glued=glued)

    def unglue(self) -> None:
        """The text that follows begins a word."""
        self._glued = False

    def fill(self, on: bool) -> None:
        """Leave literal lines, or begin them."""
        if self.literal == on:
            self.close()
        self.literal = not on

    # ------------------------------------------------------------ structure

    def heading(self, level: int, runs: list[Run]) -> None:
        self.close()
        self.literal = False
        self.levels = [_Level(self.root)]
        self.root.children.append(Node(f"h{level}", [(plain(runs), "R")]))

    def paragraph(self) -> None:
        """A new paragraph, behind the list that was open on this level."""
        if self.literal and self._open is not None:
            self._literal_line("", False)
            return
        self.close()
        self.levels[-1].item = None

    def item(self, term: list[Run], *, more: bool = False) -> None:
        """A new item: a bullet, a number, or a term; `more` gives the last item one more term.

        Without a term, the text that follows is a paragraph of the item that is open, or of none.
        """
        self.close()
        level = self.levels[-1]
        text = plain(term).strip()
        if not text and not more:
            return
        kind, number = _kind(text)
        if more and level.item is not None and level.container.children[-1].tag == "dl":
            level.container.children[-1].children.insert(-1, Node("dt", term))
            return
        last = level.container.children[-1] if level.container.children else None
        if last is None or last.tag != kind or level.item is None:
            last = Node(kind, number=number)
            level.container.children.append(last)
        if kind == "dl":
            last.children.append(Node("dt", term))
        level.item = Node("dd" if kind == "dl" else "li")
        last.children.append(level.item)

    def indent(self) -> None:
        """A level deeper, in the item that is open. A line that is only a term makes the level its definition."""
        level = self.levels[-1]
        if self.literal and self._open is not None and self._open.tag == "pre":
            self.levels.append(_Level(level.container, level.item, level.column + 4))
            return
        last = self._open
        self.close()
        target = level.item or level.container
        deeper = len(self.levels) < MAX_LEVELS
        if (
            deeper
            and last is not None
            and target.children[-1:] == [last]
            and _is_term(last.runs, level.item is not None)
        ):
            target.children[-1] = Node("dl", children=[Node("dt", last.runs), Node("dd")])
            target = target.children[-1].children[-1]
            self.levels.append(_Level(target))
        else:
            self.nest()

    def nest(self) -> None:
        """A level for a list, in the item that is open; too deep, it stays on the level it is on."""
        self.close()
        level = self.levels[-1]
        if len(self.levels) >= MAX_LEVELS:
            self.levels.append(_Level(level.container, level.item))
            return
        target = Node("div")
        (level.item or level.container).children.append(target)
        self.levels.append(_Level(target))

    def outdent(self) -> None:
        """Back to the level before."""
        if len(self.levels) > 1:
            in_lines = self.levels.pop().column > self.levels[-1].column
            if in_lines and self.literal:
                return
        self.close()

    def add(self, node: Node) -> None:
        """A block made elsewhere, such as a table."""
        self.close()
        self._append(node)

    def _append(self, node: Node) -> Node:
        level = self.levels[-1]
        (level.item or level.container).children.append(node)
        return node

    def html(self) -> str:
        """The tree as HTML."""
        return tree_html(self.root)


def _kind(term: str) -> tuple[str, int]:
    """The list that an item of this term belongs to, and its number."""
    if term in _BULLETS:
        return "ul", 0
    found = _NUMBER.fullmatch(term)
    return ("ol", int(found[1])) if found and not term.isdecimal() else ("dl", 0)


def _is_term(runs: list[Run], in_item: bool) -> bool:
    """Whether a paragraph before a deeper level is a term: short, no sentence, and marked, or no text of an item."""
    text = plain(runs).strip()
    if not text or len(text) > 300 or (_PROSE_END.search(text) and not text.endswith("...")):
        return False
    first = next(run for run in runs if run[0].strip())
    if first[1] != "R" or text.startswith("-"):
        return True
    return not in_item and len(text.split()) <= (5 if text[0].isupper() or ": " in text else 8)
