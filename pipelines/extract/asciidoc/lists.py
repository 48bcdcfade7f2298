"""Lists of AsciiDoc: nested by their markers, with blocks attached by `+`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.extract.asciidoc.about import Lines
    from pipelines.extract.asciidoc.blocks import Blocks

_BULLET = re.compile(r"[ \t]*(-|\*{1,5}|\N{BULLET})[ \t]+(\S.*)$")
_NUMBER = re.compile(r"[ \t]*(\.{1,5}|\d{1,9}\.|[a-zA-Z]\.|[ivxIVX]{1,8}\))[ \t]+(\S.*)$")
_CALLOUT = re.compile(r"<(\d{1,3}|\.)>[ \t]+(\S.*)$")
_TERM = re.compile(r"[ \t]*((?!//)\S.*?)(:{2,4}|;;)(?:[ \t]+(\S.*))?$")
_CHECK = re.compile(r"\[[ *x]\][ \t]+")


@dataclass
class _Item:
    """An item: its terms, in a list of definitions, and the blocks below them."""

    terms: list[str]
    blocks: list[str] = field(default_factory=list)


@dataclass
class _List:
    """An open list: the tag of HTML, the marker of its items, and where its numbers begin."""

    tag: str
    marker: str
    start: int = 1
    items: list[_Item] = field(default_factory=list)

    def is_empty(self) -> bool:
        """Whether the last term is not yet defined."""
        return self.tag == "dl" and not self.items[-1].blocks


@dataclass(frozen=True)
class _Marked:
    """A line that begins an item."""

    tag: str
    marker: str
    text: str
    term: str = ""
    start: int = 1


def is_item(line: str) -> bool:
    """Whether a line begins an item of some list."""
    return _marked(line) is not None


def read_list(blocks: Blocks, source: Lines) -> str:
    """The HTML of the list that begins at the next line."""
    stack: list[_List] = []
    around, blocks.in_list = blocks.in_list, True
    while (line := source.peek()) is not None:
        marked = _marked(line)
        if marked is None:
            break
        source.at += 1
        _place(marked, stack, blocks)
        _read_item(marked, stack, blocks, source)
        if not _goes_on(stack, blocks, source):
            break
    while len(stack) > 1:
        _close(stack)
    blocks.in_list = around
    return _html(stack[0])


def _marked(line: str) -> _Marked | None:
    if found := _BULLET.match(line):
        return _Marked("ul", found[1], _CHECK.sub("", found[2]))
    if found := _CALLOUT.match(line):
        return _Marked("ol", "<>", found[2])
    if found := _NUMBER.match(line):
        marker = found[1]
        start = int(marker[:-1]) if marker[:-1].isdecimal() else 1
        return _Marked("ol", marker if marker.startswith(".") else re.sub(r"\w+", "1", marker), found[2], start=start)
    if found := _TERM.match(line):
        return _Marked("dl", found[2], found[3] or "", term=found[1].rstrip())
    return None


def _place(marked: _Marked, stack: list[_List], blocks: Blocks) -> None:
    """Open an item in the list of its marker, which is open already or is opened inside the last item."""
    depth = next((at for at, each in enumerate(stack) if (each.tag, each.marker) == (marked.tag, marked.marker)), None)
    if depth is None:
        stack.append(_List(marked.tag, marked.marker, marked.start))
    while depth is not None and len(stack) > depth + 1:
        _close(stack)
    items = stack[-1].items
    term = blocks.inline.html(marked.term) if marked.term else ""
    if marked.tag == "dl" and items and not items[-1].blocks:
        items[-1].terms.append(term)  # another term for the same definition
    else:
        items.append(_Item([term] if term else []))


def _close(stack: list[_List]) -> None:
    inner = stack.pop()
    stack[-1].items[-1].blocks.append(_html(inner))


def _read_item(marked: _Marked, stack: list[_List], blocks: Blocks, source: Lines) -> None:
    """The text of an item: what stands behind its marker, and the lines below."""
    text = [marked.text] if marked.text else []
    if marked.tag == "dl" and not text:
        at = source.at
        while (line := source.peek()) == "":
            source.at += 1
        if line is None or is_item(line) or line == "+" or blocks.is_boundary(line):
            source.at = at
    while (line := source.peek()) and line != "+" and not is_item(line) and not blocks.is_boundary(line):
        if not line.startswith("//"):
            text.append(line.strip())
        source.at += 1
    if text:
        stack[-1].items[-1].blocks.append(f"<p>{blocks.inline.html(chr(10).join(text))}</p>")


def _goes_on(stack: list[_List], blocks: Blocks, source: Lines) -> bool:
    """Attach what belongs to the last item; whether another item follows."""
    while True:
        blank = 0
        at = source.at
        while source.peek() == "":
            source.at += 1
            blank += 1
        line = source.peek()
        if line is None:
            return False
        if line == "+":
            # Blank lines before it lead it up to the lists around this one.
            for _ in range(min(blank, len(stack) - 1)):
                _close(stack)
            source.at += 1
            if not is_item(source.peek() or ""):
                _attach(stack, blocks, source)
        elif is_item(line):
            return True
        elif not blank and _is_numbering(source):
            source.at += 1
            return True
        elif (blank and source.lines[source.at][:1] in " \t") or (not blank and stack[-1].is_empty()):
            _attach(stack, blocks, source)
        else:
            source.at = at
            return False


def _is_numbering(source: Lines) -> bool:
    """Whether the next line only says how the list after it is numbered."""
    line, following = source.peek() or "", source.lines[source.at + 1 : source.at + 2]
    return line.startswith("[") and line.endswith("]") and bool(following) and is_item(following[0])


def _attach(stack: list[_List], blocks: Blocks, source: Lines) -> None:
    if written := blocks.next(source):
        stack[-1].items[-1].blocks.append(written)


def _html(each: _List) -> str:
    if each.tag == "dl":
        items = (("".join(f"<dt>{term}</dt>" for term in item.terms), "".join(item.blocks)) for item in each.items)
        return f"<dl>{''.join(f'{terms}<dd>{said}</dd>' for terms, said in items)}</dl>"
    start = f' start="{each.start}"' if each.tag == "ol" else ""
    return f"<{each.tag}{start}>{''.join(f'<li>{chr(10).join(item.blocks)}</li>' for item in each.items)}</{each.tag}>"
