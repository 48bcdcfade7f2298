"""The judge's own view of a page: an HTML5 tree by html5lib, which shares no code with any tool measured here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from xml.etree.ElementTree import Element

import html5lib
import webencodings

_DECLARED = re.compile(rb"(?:<meta[^>]{1,300}?charset|<\?xml[^>]{1,200}?encoding)\s*=\s*[\"']?\s*([\w.:-]+)", re.I)
_SELECTOR = re.compile(r"([\w-]+)?((?:[#.][\w-]+|\[[\w-]+(?:=[^\]]*)?\])*)")
_CONDITION = re.compile(r"([#.])([\w-]+)|\[([\w-]+)(?:=([^\]]*))?\]")

Condition = Callable[[Element], bool]


@dataclass(frozen=True)
class Tree:
    """A page: its root element, and the parent of each element."""

    root: Element
    parents: dict[Element, Element]

    def ancestors(self, element: Element) -> Iterator[Element]:
        """The elements around one, from the inside out."""
        while (above := self.parents.get(element)) is not None:
            yield above
            element = above


def decode(body: bytes) -> str:
    """The text of a page without headers: byte order mark, declaration, UTF-8, windows-1252."""
    declared = _DECLARED.search(body[:2048])
    label = declared.group(1).decode("ascii") if declared else "utf-8"
    encoding = webencodings.lookup(label) or webencodings.UTF8
    text, used = webencodings.decode(body, encoding)
    if used.name == "utf-8" and text.count("\ufffd") > len(text) / 100:
        text, _ = webencodings.decode(body, "windows-1252")
    return str(text)


def parse(html: str) -> Tree:
    """The tree of a page, by the rules of the HTML standard."""
    root = html5lib.parse(html, treebuilder="etree", namespaceHTMLElements=False)
    return Tree(root, {child: parent for parent in root.iter() for child in parent})


def events(element: Element) -> Iterator[tuple[str, Element | str]]:
    """What is inside an element in page order: `open` and `close` of elements, and `text`. Comments are left out."""
    stack: list[tuple[Element, int]] = [(element, 0)]
    if element.text:
        yield "text", element.text
    while stack:
        parent, position = stack.pop()
        if position == len(parent):
            if stack:
                yield "close", parent
                if parent.tail:
                    yield "text", parent.tail
            continue
        stack.append((parent, position + 1))
        child = parent[position]
        if not isinstance(child.tag, str):
            if child.tail:
                yield "text", child.tail
            continue
        yield "open", child
        if child.text:
            yield "text", child.text
        stack.append((child, 0))


def pieces(element: Element, skipped: str) -> Iterator[tuple[str, Element | str]]:
    """The events of an element without the elements inside it that a selector matches."""
    outside: Element | None = None
    for event, what in events(element):
        if outside is not None:
            if event == "close" and what is outside:
                outside = None
        elif event == "open" and isinstance(what, Element) and matches(what, skipped):
            outside = what
        else:
            yield event, what


def text(element: Element, skipped: str) -> str:
    """All text of an element, a line break for each `br`, without what a selector matches."""
    found = (
        what if isinstance(what, str) else "\n" if event == "open" and what.tag == "br" else ""
        for event, what in pieces(element, skipped)
    )
    return "".join(found)


def find(root: Element, selector: str) -> Iterator[Element]:
    """The elements below (and not at) the root that match, in page order."""
    return (each for each in root.iter() if each is not root and matches(each, selector))


def matches(element: Element, selector: str) -> bool:
    """Whether an element matches one of a list of compound selectors (`tag#id.class[name=value]`)."""
    if not isinstance(element.tag, str):
        return False
    by_tag, others = _compiled(selector)
    candidates = (*by_tag.get(element.tag, ()), *others)
    return any(all(condition(element) for condition in conditions) for conditions in candidates)


def classes(element: Element) -> list[str]:
    """The class names of an element, in their order."""
    return element.get("class", "").split()


@cache
def _compiled(selector: str) -> tuple[dict[str, list[list[Condition]]], list[list[Condition]]]:
    """The conditions of each selector of a list: those for one tag by tag, and the others."""
    by_tag: dict[str, list[list[Condition]]] = {}
    others: list[list[Condition]] = []
    for part in selector.split(","):
        found = _SELECTOR.fullmatch(part.strip())
        if found is None or not part.strip():
            raise ValueError(f"not a compound selector: {part}")
        conditions = [_condition(*each) for each in _CONDITION.findall(found.group(2))]
        if found.group(1):
            by_tag.setdefault(found.group(1), []).append(conditions)
        else:
            others.append(conditions)
    return by_tag, others


def _condition(sign: str, word: str, name: str, value: str) -> Condition:
    if sign == "#":
        return lambda element: element.get("id") == word
    if sign == ".":
        return lambda element: word in classes(element)
    if value:
        return lambda element: element.get(name) == value.strip("\"'")
    return lambda element: element.get(name) is not None
