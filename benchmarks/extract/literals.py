"""Blocks of code read from the source of a manual, by a parser of that source: a truth that no HTML was read for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import docutils.core
from docutils import nodes
from docutils.parsers.rst import Directive, directives
from lxml import etree

from benchmarks.extract.markdown import fences

Literal = tuple[str, str]  # what it is in its format, and its text

_DOCBOOK = frozenset({"programlisting", "screen", "literallayout"})
_CALLOUTS = frozenset({"co", "coref", "area", "inlinemediaobject", "mediaobject", "xref"})
_DIRECTIVE = re.compile(r"^\s*\.\. +(?:\|[^|]+\| +)?([A-Za-z][\w:.+-]*)::", re.M)
_DELIMITED = re.compile(r"^(-{4,}|\.{4,}|/{4,})[ \t]*$")
_CODE = ("code-block", "sourcecode", "code", "testcode", "testoutput", "doctest", "highlight-code")


def read(form: str, text: str) -> list[Literal]:
    """The blocks of code of a source text; form: `rst`, `docbook`, `asciidoc` or `markdown`."""
    readers: dict[str, Callable[[str], Iterator[Literal]]] = {
        "rst": _rst, "docbook": _docbook, "asciidoc": _asciidoc, "markdown": _markdown,
    }  # fmt: skip
    return [(kind, code) for kind, code in readers[form](text) if code.strip()]


class _AnyOption(dict[str, Any]):
    """Options whose names are not known."""

    def __missing__(self, name: str) -> Callable[[str | None], str]:
        return lambda value: value or ""


class _Around(Directive):
    """A directive that is not known here: what it holds is read, the directive itself means nothing."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = _AnyOption(name=directives.unchanged)

    def run(self) -> list[nodes.Node]:
        box = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, box)
        return [box]


class _Code(Directive):
    """A directive whose content is code."""

    optional_arguments = 1
    has_content = True
    option_spec = _AnyOption(name=directives.unchanged)

    def run(self) -> list[nodes.Node]:
        code = "\n".join(self.content)
        return [nodes.literal_block(code, code, directive=self.name)]


class _Nothing(_Around):
    """A directive whose content is changed before it is shown."""

    def run(self) -> list[nodes.Node]:
        return []


def _rst(text: str) -> Iterator[Literal]:
    for name in set(_DIRECTIVE.findall(text)) - {"include", "raw"}:
        known = name in (
            "note",
            "warning",
            "tip",
            "important",
            "caution",
            "hint",
            "danger",
            "attention",
            "error",
            "table",
        )
        if not known:
            directives.register_directive(name, _Code if name in _CODE else _Around)
    for name in (
        "include",
        "raw",
        "parsed-literal",
        "csv-table",
        "math",
        "image",
        "figure",
        "replace",
        "unicode",
        "contents",
    ):
        directives.register_directive(name, _Nothing)
    settings = {
        "report_level": 5, "halt_level": 5, "file_insertion_enabled": False, "raw_enabled": False,
        "_disable_config": True, "smart_quotes": False, "doctitle_xform": False, "warning_stream": False,
    }  # fmt: skip
    tree = docutils.core.publish_doctree(text, settings_overrides=settings)
    for node in tree.findall(lambda each: isinstance(each, nodes.literal_block | nodes.doctest_block)):
        kind = (
            "doctest"
            if isinstance(node, nodes.doctest_block)
            else "directive"
            if node.get("directive")
            else "literal block"
        )
        yield kind, node.astext()


def _docbook(text: str) -> Iterator[Literal]:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, recover=True, remove_comments=True
    )
    root = etree.fromstring(text.encode(), parser)
    if root is None:
        return
    for element in root.iter(etree.Element):
        kind = _name(element)
        inside = {_name(each) for each in element.iterdescendants()}
        # An entity, a callout or a reference is text that only the build knows.
        if kind in _DOCBOOK and not inside & {*_CALLOUTS, ""}:
            yield kind, "".join(element.itertext())


def _name(element: Any) -> str:
    """The name of an element without its namespace; nothing for an entity."""
    return re.split(r"[}:]", element.tag)[-1] if isinstance(element.tag, str) else ""


def _asciidoc(text: str) -> Iterator[Literal]:
    mark = ""
    lines: list[str] = []
    for line in text.split("\n"):
        found = _DELIMITED.match(line)
        if not mark and found:
            mark, lines = found.group(1), []
        elif found and found.group(1) == mark:
            if mark[0] != "/":
                yield ("listing" if mark[0] == "-" else "literal"), "\n".join(lines)
            mark = ""
        elif mark:
            lines.append(line.expandtabs(8).rstrip())


def _markdown(text: str) -> Iterator[Literal]:
    for _, code in fences(text.expandtabs(4)):
        yield "fence", code
