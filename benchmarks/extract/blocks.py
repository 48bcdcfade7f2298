"""The truth of code: the blocks of a page, as a browser would show them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypedDict
from xml.etree.ElementTree import Element

from benchmarks.extract.content import NO_TEXT, is_content
from benchmarks.extract.dom import Tree, classes, find, matches, pieces, text

PREFORMATTED = "pre, xmp, listing"
FRAGMENT = "div.fragment"
BLOB = "table.js-file-line-container, table.blob-wrapper, table.highlight"
LINE_OF_ITS_OWN = "div, li, tr, p, dl, dt, dd, ul, ol, table, span.line"
CELLS = ("td", "th", "caption")
LANGUAGE_LEVELS = 8
WHOLE_PARTS = "html, body, main, article, section, li, dd, blockquote"
NO_LANGUAGE = frozenset(
    [
        "default",
        "none",
        "text",
        "plain",
        "plaintext",
        "txt",
        "nohighlight",
        "no-highlight",
        "fallback",
        "auto",
        "literal",
        "literal-block",
        "source",
    ]
)

_NAMED = re.compile(r"^(?:highlight-source|mw-highlight-lang|highlight|language|lang|src)-([\w+#.-]{1,30})$", re.I)
_BRUSH = re.compile(r"(?:^|[\s;])brush:\s*([\w+#.-]{1,30})", re.I)
_BREAK = "\x01"
_SPACES = re.compile(r"[ \t\n\r\f]+")
# Class names that stand before or after a language's own.
_BESIDE = ("sourceCode", "hljs", "src")


class Block(TypedDict):
    """One block.

    kind: `pre` (any preformatted element), `fragment` (of Doxygen), `lines` (other markup, line by line).
    also: the same text with the alternative texts of the images in it (numbers of callouts), where there are any.
    """

    kind: str
    text: str
    also: str
    language: str


def canonical(code: str, kind: str) -> str:
    """What is compared: all of a block but the line ends after it.

    Where markup makes the lines, a no-break space is a space, and spaces at the end of a line are filling.
    """
    code = code.replace("\r\n", "\n").replace("\r", "\n")
    if kind == "pre":
        return code.rstrip("\n")
    return "\n".join(line.rstrip() for line in code.replace("\xa0", " ").split("\n")).strip("\n")


def blocks(tree: Tree, main: Element) -> list[Block]:
    """The blocks of the content that are not blank, in page order; of nested ones the outer."""
    found: list[Block] = []
    inside: set[Element] = set()
    for element in main.iter():
        if not isinstance(element.tag, str) or element in inside or (kind := _kind(element)) == "":
            continue
        if not is_content(tree, main, element):
            continue
        inside.update(element.iter())
        content = _pre(element, False) if kind == "pre" else _lines(element)
        extra = kind == "pre" and _has_extra_line(tree, element)
        content = content[extra:]
        if content.strip():
            alternative = _pre(element, True)[extra:] if kind == "pre" else content
            also = alternative if alternative != content else ""
            found.append(Block(kind=kind, text=content, also=also, language=language(tree, element)))
    return found


def _kind(element: Element) -> str:
    """The kind of a block, or nothing for what is none."""
    if matches(element, PREFORMATTED):
        return "pre"
    if matches(element, FRAGMENT):
        return "pre" if next(find(element, "pre"), None) is not None else "fragment"
    if element.tag == "code":
        lines = [line for line in _lines(element).split("\n") if line.strip()]
        return "lines" if len(lines) > 1 else ""
    if matches(element, BLOB) and len(list(find(element, "td.blob-code"))) > 1:
        return "lines"
    return ""


def _has_extra_line(tree: Tree, element: Element) -> bool:
    """Whether the text begins with the line end right behind `<pre>`, which HTML drops: html5lib keeps it in cells."""
    return (element.text or "").startswith("\n") and any(each.tag in CELLS for each in tree.ancestors(element))


def _pre(element: Element, with_alternatives: bool) -> str:
    """The text of a preformatted element; an element that has lines of its own begins and ends a line."""
    inner = list(pieces(element, NO_TEXT))
    doubled = _breaks_are_doubled(inner)
    out: list[str] = []
    edge = False
    for event, what in inner:
        if isinstance(what, str):
            if edge and out and not out[-1].endswith("\n") and not what.startswith("\n"):
                out.append("\n")
            out.append(what)
            edge = False
        elif what.tag == "br":
            if event == "open" and not doubled:
                out.append("\n")
        elif what.tag == "img":
            if event == "open" and with_alternatives:
                out.append(what.get("alt", ""))
        elif matches(what, LINE_OF_ITS_OWN):
            edge = True
    return "".join(out)


def _breaks_are_doubled(inner: list[tuple[str, Element | str]]) -> bool:
    """Whether a line end follows each `br`: some generators write both for one line."""
    breaks, after_break = 0, False
    for event, what in inner:
        if isinstance(what, str):
            if after_break and not what.startswith("\n"):
                return False
            after_break = False
        elif what.tag == "br" and event == "open":
            if after_break:
                return False
            breaks, after_break = breaks + 1, True
    return breaks > 0


def _lines(element: Element) -> str:
    """The text of a block whose lines are made by markup."""
    if matches(element, FRAGMENT):
        rows = list(find(element, "div.line"))
        lines = [text(row, NO_TEXT) for row in rows] or [text(element, NO_TEXT)]
        # The number of a line is set off from it by a space that is no part of it.
        numbered = rows and all(next(find(row, "span.lineno"), None) is not None for row in rows)
        if numbered and all(line[:1] in ("", " ", "\xa0") for line in lines):
            lines = [line[1:] for line in lines]
        return "\n".join(lines)
    if element.tag == "table":
        return "\n".join(text(row, NO_TEXT).strip("\n") for row in find(element, "td.blob-code"))
    rows = [row for row in element if matches(row, "div.line, span.line")]
    if len(rows) > 1:
        return "\n".join(text(row, NO_TEXT) for row in rows)
    out = [
        what.replace(_BREAK, "") if isinstance(what, str) else _BREAK
        for event, what in pieces(element, NO_TEXT)
        if isinstance(what, str) or (what.tag == "br" and event == "open")
    ]
    return "\n".join(line.strip(" ") for line in _SPACES.sub(" ", "".join(out)).split(_BREAK))


def language(tree: Tree, element: Element) -> str:
    """The language that class names give a block, lower case, or nothing; by the conventions of the highlighters."""
    for number, each in enumerate(_around(tree, element)):
        if number > LANGUAGE_LEVELS:
            break
        for name in _names(each):
            if name.lower() not in NO_LANGUAGE:
                return name.lower()
    return ""


def _around(tree: Tree, element: Element) -> Iterator[Element]:
    """The block, its only `code`, and the elements around it up to a whole part of the page."""
    yield element
    inner = [each for each in element if each.tag == "code"]
    if len(inner) == 1:
        yield inner[0]
    for above in tree.ancestors(element):
        if matches(above, WHOLE_PARTS):
            return
        yield above


def _names(element: Element) -> Iterator[str]:
    given = classes(element)
    if declared := element.get("data-lang") or element.get("data-language"):
        yield declared
    for name in given:
        if named := _NAMED.match(name):
            yield named.group(1)
    if brush := _BRUSH.search(element.get("class", "")):
        yield brush.group(1)
    if len(given) == 2 and given[0] in _BESIDE and element.tag in ("pre", "code", "div"):
        yield given[1]
    if element.tag == "pre" and "rust" in given:
        yield "rust"
