"""The block of a directive of reStructuredText: its argument lines, its options and its content, whatever they are."""

from __future__ import annotations

import re

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

_OPTION = re.compile(r":(?![: ])(?P<name>[^:\\]{1,60}):(?: +|$)")


class Block(Directive):  # type: ignore[misc]
    """A directive that takes any arguments and options; docutils refuses the whole block for one that it does not know.

    arguments: the lines before the first blank line or option; options: by name, in lower case, as they
    stand; text: argument lines and content, for directives that have no arguments; content: the rest.
    """

    has_content = True
    arguments: list[str]
    options: dict[str, str]
    content: StringList

    def split(self) -> None:
        """Read the parts of the block; docutils has put all of it into `content`."""
        block = self.content
        self.arguments, self.options = [], {}
        self.text = self.content = trimmed(block)
        if not _begins_at_once(self.block_text):
            return
        at = 0
        while at < len(block) and block[at].strip() and not _OPTION.match(block[at]):
            self.arguments.append(block[at].strip())
            at += 1
        first = block[:at]
        name = ""
        while at < len(block) and block[at].strip():
            if mark := _OPTION.match(block[at]):
                name = mark["name"].strip().lower()
                self.options[name] = block[at][mark.end() :].strip()
            elif block[at].startswith(" "):
                self.options[name] += "\n" + block[at].strip()
            else:
                break
            at += 1
        self.content = trimmed(block[at:])
        if self.options:
            gap = [("", *first.items[-1])] if first and self.content else []
            lines = [*_numbered(first), *gap, *_numbered(self.content)]
            # A list of its own: what is done to a slice docutils does to the whole.
            self.text = StringList([line for line, *_ in lines], items=[(source, at) for _, source, at in lines])

    @property
    def kind(self) -> str:
        """The name in lower case, without its domain."""
        return str(self.name).lower().rpartition(":")[2]

    @property
    def argument(self) -> str:
        """The arguments on one line."""
        return " ".join(self.arguments)

    def parsed(self, lines: StringList) -> list[nodes.Node]:
        """The nodes of some lines of the block."""
        holder = nodes.Element()
        if lines:
            self.state.nested_parse(lines, lines.items[0][1], holder, match_titles=True)
        return list(holder.children)

    def inline(self, text: str) -> list[nodes.Node]:
        """The nodes of a piece of text."""
        return list(self.state.inline_text(text, self.lineno)[0])

    def titled(self, title: str, content: list[nodes.Node]) -> list[nodes.Node]:
        """Content below a title, if there is one."""
        return [nodes.paragraph("", "", nodes.strong("", "", *self.inline(title))), *content] if title else content


def _begins_at_once(source: str) -> bool:
    """Whether arguments or options stand on the line of the directive or the next one."""
    lines = source.split("\n", 2)
    return bool(lines[0].partition("::")[2].strip() or (len(lines) > 1 and lines[1].strip()))


def _numbered(lines: StringList) -> list[tuple[str, str, int]]:
    return [(line, *item) for line, item in zip(lines, lines.items, strict=True)]


def literal(lines: StringList, language: str = "") -> nodes.literal_block:
    """A block of code that knows the line of the source at which it begins."""
    block = nodes.literal_block("", "\n".join(lines), language=language.lower())
    block.line = lines.items[0][1] + 1
    return block


def trimmed(lines: StringList) -> StringList:
    """The lines without the blank ones at both ends."""
    first, last = 0, len(lines)
    while first < last and not lines[first].strip():
        first += 1
    while last > first and not lines[last - 1].strip():
        last -= 1
    return lines[first:last]
