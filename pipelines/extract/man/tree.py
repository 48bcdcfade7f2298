"""The tree of a man page as HTML: levels that draw lists, usage and commands as literal lines."""

from __future__ import annotations

import html
import re

from pipelines.extract.man.drawn import drawn_lists
from pipelines.extract.man.node import Node
from pipelines.extract.man.runs import html_of, term_html
from pipelines.extract.man.text import BREAK, JOINT, Run, plain

# The section of the usage keeps its lines, in the languages that man pages are translated into most.
_SYNOPSIS = re.compile(
    "SYNOPSIS|SYNTAX|ÜBERSICHT|SINOPSIS|SINOPSE|SINTASSI|SKŁADNIA|ОБЗОР|СИНТАКСИС|RÉSUMÉ|SAMENVATTING|ÖVERSIKT|"
    "POUŽITÍ|ÖZET|書式|概要|概述|总览|摘要|総覽|개요|요약"
)
_ITEM = re.compile(r"(?:•|·|\*|o(?=\s)|(\d{1,3})[.)](?!\d))\s*")
_PROSE_END = re.compile(r"[.:!?]\s*$")


def tree_html(node: Node) -> str:
    """A node as HTML; its depth is bounded by MAX_LEVELS."""
    if node.html:
        return node.html
    if node.tag == "p":
        inner = html_of(_trimmed(node.runs))
        return f"<p>{inner}</p>\n" if inner.strip() else ""
    if node.tag == "pre":
        return _literal_html(node.lines)
    if node.tag == "dt":
        return f"<dt>{term_html(_trimmed(node.runs))}</dt>\n"
    if node.tag in ("h1", "h2", "h3"):
        return f"<{node.tag}>{html.escape(plain(node.runs).strip())}</{node.tag}>\n"
    inner = "".join(tree_html(child) for child in _shaped(node))
    if node.tag in ("body", "div"):
        return inner
    start = f' start="{node.number}"' if node.tag == "ol" and node.number != 1 else ""
    return f"<{node.tag}{start}>{inner}</{node.tag}>\n" if inner.strip() or node.tag in ("dd", "li") else ""


def _literal_html(lines: list[str]) -> str:
    text = "\n".join(lines).rstrip()
    while text[: text.find("\n") + 1].isspace():
        text = text[text.find("\n") + 1 :]
    # The line end behind the tag is not part of the block: without it, a first blank line would be lost.
    return f"<pre><code>{html.escape(text)}\n</code></pre>\n" if text.strip() else ""


def _shaped(node: Node) -> list[Node]:
    """The children with levels that are items as items, usage as literal lines, and neighbouring lists as one."""
    shaped: list[Node] = []
    synopsis = False
    for child in node.children:
        if child.tag == "h2":
            synopsis = is_synopsis(plain(child.runs))
        child = _as_item(_as_lines(child))
        if synopsis and child.tag in ("p", "div"):
            child = _usage(child)
        for block in drawn_lists(child) if child.tag == "p" else (child,):
            _add(shaped, block, synopsis)
    return shaped


def _add(shaped: list[Node], child: Node, synopsis: bool) -> None:
    """One more child; it goes on in the last one if that is the list, or the usage, that it belongs to."""
    last = shaped[-1] if shaped else None
    if last is not None and child.tag == "pre" == last.tag and synopsis:
        last.lines += ["", *child.lines] if child.number != 1 or last.number != 1 else child.lines
        last.number = child.number
    elif last is not None and child.tag == last.tag and child.tag in ("dl", "ul", "ol") and _continues(last, child):
        last.children += child.children
    else:
        shaped.append(child)


def _continues(last: Node, child: Node) -> bool:
    items = sum(1 for each in last.children if each.tag == "li")
    return child.tag != "ol" or child.number == last.number + items


def _as_item(node: Node) -> Node:
    """A level whose text begins with a bullet or a number, as the list it draws; others as they are."""
    if node.tag != "div" or not node.children:
        return node
    if len(node.children) == 1 and node.children[0].tag in ("ul", "ol"):
        return node.children[0]
    if node.children[0].tag != "p":
        return node
    first = node.children[0]
    text = plain(first.runs)
    found = _ITEM.match(text)
    if not found or not first.runs[0][0].startswith(found[0]):
        return node
    first.runs[0] = (first.runs[0][0][found.end() :], first.runs[0][1])
    item = Node("li", children=node.children)
    return Node("ol" if found[1] else "ul", children=[item], number=int(found[1] or 0))


def _as_lines(node: Node) -> Node:
    """A paragraph that is a command after a prompt, or whose lines are all indented, as literal lines."""
    if node.tag != "p":
        return node
    text = "".join("\n" if run == JOINT else run[0] for run in node.runs)
    lines = text.strip("\n").split("\n")
    if text.startswith(("$ ", "# ")) or (text.strip() and all(line.startswith(("  ", "\t")) for line in lines)):
        return Node("pre", lines=lines)
    return node


def _usage(node: Node) -> Node:
    """A paragraph of the synopsis as literal lines (`number` 1), unless it is prose."""
    paragraphs = [node] if node.tag == "p" else node.children
    if any(each.tag != "p" or _is_prose(each.runs) for each in paragraphs):
        return node
    lines: list[str] = []
    for each in paragraphs:
        lines += [" ".join(line.split()) for line in plain(each.runs).split("\n")]
    return Node("pre", lines=[line for line in lines if line], number=1)


def _is_prose(runs: list[Run]) -> bool:
    text = plain(runs).strip()
    roman = sum(len(part) for part, font in runs if font == "R")
    words = text.split()
    if len(words) < 5 or 2 * roman <= len(text):
        return False
    ends = bool(_PROSE_END.search(text)) and not text.endswith("...")
    return ends or (len(words) >= 8 and sum(map(str.isalpha, words)) > 0.7 * len(words))


def _trimmed(runs: list[Run]) -> list[Run]:
    end = len(runs)
    while end and runs[end - 1] == BREAK:
        end -= 1
    return runs[:end]


def is_synopsis(title: str) -> bool:
    """Whether a section of this title shows the usage."""
    return bool(_SYNOPSIS.fullmatch(title.strip().upper()))
