"""Directives of reStructuredText whose content is a table or a list in a form of its own."""

from __future__ import annotations

import csv
from collections.abc import Sequence

from docutils import nodes
from docutils.statemachine import StringList

from pipelines.extract.rst.block import Block

_DELIMITERS = {"tab": "\t", "space": " "}


def table(block: Block) -> list[nodes.Node]:
    """A table in the text, below its title."""
    return block.titled(block.argument, block.parsed(block.content))


def list_table(block: Block) -> list[nodes.Node]:
    """A list of lists as a table; rows may be of different lengths, cells may span (`:cspan:`, `:rspan:`)."""
    content = block.parsed(block.content)
    rows = []
    for outer in content:
        if isinstance(outer, nodes.bullet_list):
            rows += [_cells(item) for item in outer]
    if not any(rows):
        return block.titled(block.argument, content)
    return block.titled(block.argument, [_table(rows, _count(block.options.get("header-rows", "")))])


def csv_table(block: Block) -> list[nodes.Node]:
    """Comma-separated values as a table; each value is text in the markup. Values in a file are not there."""
    options = block.options
    delimiter = _DELIMITERS.get(options.get("delim", "").lower(), options.get("delim", "")[:1] or ",")
    quote = options.get("quote", "")[:1] or '"'
    header = options.get("header", "")
    lines = [*header.split("\n"), *block.content] if header else list(block.content)
    form = {"delimiter": delimiter, "quotechar": quote, "skipinitialspace": True}
    try:
        values = [row for row in csv.reader((line + "\n" for line in lines), **form) if row]  # type: ignore[arg-type]
    except (csv.Error, TypeError, ValueError):
        return [nodes.literal_block("", "\n".join(lines))] if lines else []
    rows = [[_entry(_parsed(block, value)) for value in row] for row in values]
    headers = _count(options.get("header-rows", "")) + (1 if header else 0)
    return block.titled(block.argument, [_table(rows, headers)]) if rows else []


def glossary(block: Block) -> list[nodes.Node]:
    """Terms, several in a row if they mean the same, and their definitions."""
    result = nodes.definition_list()
    lines = block.text
    at = 0
    while at < len(lines):
        begin = at
        while at < len(lines) and lines[at].strip() and not lines[at].startswith(" "):
            at += 1
        terms = [line for line in lines[begin:at] if not line.startswith("..")]
        body = at
        while at < len(lines) and (not lines[at].strip() or lines[at].startswith(" ")):
            at += 1
        said = lines[body:at]
        dedent(said)
        item = nodes.definition_list_item()
        item += [nodes.term("", "", *block.inline(term.partition(" : ")[0])) for term in terms]
        item += nodes.definition("", *block.parsed(said))
        result += item
    return [result] if len(result) else []


def dedent(lines: StringList) -> None:
    """Take the indentation that all lines share from each."""
    widths = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    lines.trim_left(min(widths, default=0))


def _cells(item: nodes.Element) -> list[nodes.entry]:
    for inner in item:
        if isinstance(inner, nodes.bullet_list):
            return [_entry(list(cell.children)) for cell in inner]
    return [_entry(list(item.children))]


def _entry(content: list[nodes.Node]) -> nodes.entry:
    entry = nodes.entry("", *content)
    for mark in entry.findall(nodes.comment):
        for name, attribute in (("cspan", "morecols"), ("rspan", "morerows")):
            if mark.get(name):
                entry[attribute] = mark[name]
    return entry


def _parsed(block: Block, value: str) -> list[nodes.Node]:
    lines = StringList(value.strip().split("\n"), source="")
    return block.parsed(lines) if value.strip() else []


def _table(rows: Sequence[list[nodes.entry]], headers: int) -> nodes.table:
    made = [nodes.row("", *cells) for cells in rows]
    head = [nodes.thead("", *made[:headers])] if headers else []
    return nodes.table("", nodes.tgroup("", *head, nodes.tbody("", *made[headers:])))


def _count(value: str) -> int:
    return int(value) if value.isdecimal() and len(value) < 4 else 0
