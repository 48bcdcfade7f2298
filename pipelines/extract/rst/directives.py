"""Directives of reStructuredText, those of docutils, Sphinx and its common extensions, as nodes of docutils.

None opens a file and none runs anything. What is only navigation gives nothing; what is unknown gives its
content, as reStructuredText if it is that, else as code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives, roles
from docutils.parsers.rst.directives import misc
from docutils.statemachine import StringList

from pipelines.extract.rst.block import Block, literal, trimmed
from pipelines.extract.rst.tables import csv_table, dedent, glossary, list_table, table

_VERSIONS = {
    "versionadded": "New in version",
    "version-added": "New in version",
    "versionchanged": "Changed in version",
    "version-changed": "Changed in version",
    "versionremoved": "Removed in version",
    "version-removed": "Removed in version",
    "deprecated": "Deprecated since version",
    "version-deprecated": "Deprecated since version",
    "deprecated-removed": "Deprecated since version",
}
_NOTES = "attention caution danger error hint important note tip warning todo"
_CODE = (
    "code code-block sourcecode code-cell code-tab prompt doctest testcode testoutput ipython ipython3 jupyter-execute "
    "console terminal tikz input output"
)
_DRAWINGS = (
    "mermaid plantuml uml ditaa aafig blockdiag seqdiag nwdiag actdiag packetdiag wavedrom graphviz digraph graph"
)
_OBJECT_NAMES = (
    "attribute cmdoption command confval data decorator describe django-admin djangoadmin envvar event exception "
    "function method classmethod staticmethod object opcode option pdbcommand property setting type"
)
_OBJECTS = frozenset(_OBJECT_NAMES.split())
_WORDY_OBJECTS = frozenset(["class", "exception", "struct", "union", "enum"])
_CONTENT = (
    "container compound rst-class cssclass hlist columns grid grid-item tab-set tab-set-code panels "
    "panel accordion acks div epigraph highlights pull-quote io-code-block procedure"
)
_NOTHING = (
    "toctree contents index include literalinclude remote-code-block header footer sectnum section-numbering "
    "target-notes tabularcolumns currentmodule module program default-domain default-role namespace date title tags "
    "testsetup testcleanup bibliography footbibliography youtube video moduleauthor"
)
_OF_DOCUTILS: dict[str, Any] = {
    "meta": misc.Meta,
    "replace": misc.Replace,
    "role": misc.Role,
    "unicode": misc.Unicode,
}

_NAMED = re.compile(r"(?:\.\.|\|)[ \t]+(\w[\w.+:-]*?)[ \t]?::(?=\s|$)")
_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,30}")
_ESCAPE = re.compile(r"\\(.)")
_TEXT_WORDS = 4
# Conditions that a page for the web does not meet, and options of a project, which are off as long as nobody sets them.
_NOT_FOR_THE_WEB = re.compile(
    r"(?:latex|pdf|man|texinfo|epub|text|gettext)(?: or (?:latex|pdf|man|texinfo|epub|text|gettext))*"
    r"|not [^)]{0,100}\bhtml\b[^)]{0,100}\)?"
)
_TAB_FIELD = re.compile(r"([ ]*-?[ ]*)(name|content|id|hidden):[ ]*(.*)")
_TEMPLATE_TAG = re.compile(r"\s*\{%.*%\}\s*")


@contextmanager
def known_directives(text: str) -> Iterator[None]:
    """While it lasts, docutils takes every directive that the text names to be one of ours.

    What docutils learns meanwhile of directives and roles, it forgets: no page is read by the words of another.
    """
    registries = (directives._directives, roles._roles)
    before = [dict(registry) for registry in registries]
    named: dict[str, Any] = {name.lower(): AnyDirective for name in _NAMED.findall(text)}
    directives._directives.update(named | _OF_DOCUTILS)
    try:
        yield
    finally:
        for registry, saved in zip(registries, before, strict=True):
            registry.clear()
            registry.update(saved)


class AnyDirective(Block):
    """A directive of any name."""

    def run(self) -> list[nodes.Node]:
        """The nodes that stand for it."""
        self.split()
        name = self.name.lower()
        domain, _, kind = name.rpartition(":")
        if own := _OWN.get(name) or _OWN.get(kind):
            return own(self)
        if name.startswith("doxygen"):
            return []
        if domain == "datatemplate":
            return _template(self)
        if domain or kind in _OBJECTS or (kind.startswith("auto") and self.content):
            return _description(self, domain)
        return _unknown(self)


def _nothing(block: Block) -> list[nodes.Node]:
    return []


def _content(block: Block) -> list[nodes.Node]:
    return block.parsed(block.content)


def _only(block: Block) -> list[nodes.Node]:
    return [] if _NOT_FOR_THE_WEB.fullmatch(block.argument) else block.parsed(block.content)


def _if_option(block: Block) -> list[nodes.Node]:
    """What depends on an option alone is not on the page; on its value (`release in (...)`), it may be."""
    return [] if block.argument.isidentifier() else block.parsed(block.content)


def _template(block: Block) -> list[nodes.Node]:
    """The text of a template of Jinja; what it would be filled with is not there."""
    kept = [number for number, line in enumerate(block.content) if not _TEMPLATE_TAG.fullmatch(line)]
    lines = [block.content[number] for number in kept]
    return block.parsed(StringList(lines, items=[block.content.items[number] for number in kept]))


def _titled(block: Block) -> list[nodes.Node]:
    return block.titled(block.argument, block.parsed(block.content))


def _code(block: Block) -> list[nodes.Node]:
    """A block of code with its language, if one is named, below its caption."""
    words = block.argument.split()
    named = words[0] if words and _LANGUAGE.fullmatch(words[0]) else ""
    language = block.options.get("language", "") if block.kind in ("input", "output") else named
    caption, content = block.options.get("caption", ""), block.content
    if block.kind == "code-tab":
        caption = " ".join(words[1:])
    elif len(block.arguments) > 1:  # no blank line before the code
        content = trimmed(block.text[1:])
    language = {"doctest": "pycon", "console": "console"}.get(block.kind, language)
    return block.titled(caption, [literal(content, language)]) if content else []


def _tabs(block: Block) -> list[nodes.Node]:
    """Tabs; MongoDB writes them as a list in YAML, of which names and texts are taken."""
    if not block.content or block.content[0].strip() != "tabs:":
        return block.parsed(block.content)
    found: list[nodes.Node] = []
    title, lines, at = "", block.content, 1
    while at < len(lines):
        field = _TAB_FIELD.fullmatch(lines[at])
        at += 1
        if field and field[2] == "name":
            title = field[3].strip("\"'")
        elif field and field[2] == "content":
            begin = at
            while at < len(lines) and (not lines[at].strip() or lines[at].startswith(field[1].replace("-", " ") + " ")):
                at += 1
            text = lines[begin:at]
            dedent(text)
            found += block.titled(title, block.parsed(trimmed(text)))
    return found


def _drawing(block: Block) -> list[nodes.Node]:
    language = "dot" if block.kind in ("graphviz", "digraph", "graph") else block.kind
    caption = block.options.get("caption", "")
    return block.titled(caption, [literal(block.content, language)]) if block.content else []


def _production_list(block: Block) -> list[nodes.Node]:
    return [literal(block.text)] if block.text else []


def _parsed_literal(block: Block) -> list[nodes.Node]:
    return [nodes.literal_block("", "", *block.inline("\n".join(block.text)))] if block.text else []


def _highlight(block: Block) -> list[nodes.Node]:
    """A mark that names the language of the blocks behind it that name none."""
    return [nodes.comment("", "", highlight=block.argument.lower())]


def _note(block: Block) -> list[nodes.Node]:
    return [nodes.admonition("", nodes.title("", block.kind.capitalize()), *block.parsed(block.text))]


def _see_also(block: Block) -> list[nodes.Node]:
    return [nodes.admonition("", nodes.title("", "See also"), *block.parsed(block.text))]


def _admonition(block: Block) -> list[nodes.Node]:
    title = [nodes.title("", "", *block.inline(block.argument))] if block.argument else []
    return [nodes.admonition("", *title, *block.parsed(block.content))]


def _version(block: Block) -> list[nodes.Node]:
    version, _, rest = block.argument.partition(" ")
    text = [nodes.paragraph("", "", *block.inline(rest))] if rest else []
    title = nodes.title("", f"{_VERSIONS[block.kind]} {version}".strip())
    return [nodes.admonition("", title, *text, *block.parsed(block.content))]


def _image(block: Block) -> list[nodes.Node]:
    return [nodes.image(alt=" ".join(block.options.get("alt", "").split()))]


def _figure(block: Block) -> list[nodes.Node]:
    return [nodes.paragraph("", "", *_image(block)), *block.parsed(block.content)]


def _math(block: Block) -> list[nodes.Node]:
    formulas = re.split(r"\n(?:[ \t]*\n)+", "\n".join(block.text))
    return [nodes.math_block(formula, formula) for formula in formulas if formula.strip()]


def _raw(block: Block) -> list[nodes.Node]:
    return [nodes.raw("", "\n".join(block.content), format=block.argument.lower())]


def _rubric(block: Block) -> list[nodes.Node]:
    return block.titled(block.argument or " ".join(block.content), [])


def _author(block: Block) -> list[nodes.Node]:
    return [nodes.comment("", "", author=block.argument)]


def _class(block: Block) -> list[nodes.Node]:
    """A class of a program; in plain docutils also a class for the style of what follows, which says nothing."""
    is_style = re.fullmatch(r"[a-z][\w -]*", block.argument) and not block.options
    return block.parsed(block.content) if is_style else _description(block, "py")


def _description(block: Block, domain: str) -> list[nodes.Node]:
    """A definition list: the signatures of an object, and what is said of it."""
    signatures = _ESCAPE.sub(r"\1", "\n".join(block.arguments).replace("\\\n", "")).split("\n")
    prefix = f"{block.kind.upper()} " if domain == "http" else f"{block.kind} " if block.kind in _WORDY_OBJECTS else ""
    terms = [nodes.term("", "", nodes.literal("", prefix + each)) for each in signatures if each]
    said = nodes.definition("", *block.parsed(block.content))
    if not terms:
        return list(said.children)
    return [nodes.definition_list("", nodes.definition_list_item("", *terms, said))]


def _unknown(block: Block) -> list[nodes.Node]:
    """Content that parses stands below its argument, else it is code. A lone argument is text if it is long."""
    if not block.content:
        return block.parsed(block.text) if len(block.argument.split()) >= _TEXT_WORDS else []
    found = block.parsed(block.content)
    if any(message["level"] > 1 for node in found for message in node.findall(nodes.system_message)):
        return _code(block)
    return block.titled(block.argument, found)


_OWN: dict[str, Callable[[Block], list[nodes.Node]]] = {
    **dict.fromkeys(_NOTHING.split(), _nothing),
    **dict.fromkeys(_CONTENT.split(), _content),
    **dict.fromkeys(_CODE.split(), _code),
    **dict.fromkeys(_DRAWINGS.split(), _drawing),
    **dict.fromkeys(_NOTES.split(), _note),
    **dict.fromkeys(_VERSIONS, _version),
    **dict.fromkeys(("admonition", "topic", "sidebar"), _admonition),
    **dict.fromkeys(("rubric", "centered"), _rubric),
    **dict.fromkeys(("sectionauthor", "codeauthor"), _author),
    **dict.fromkeys(("list-table", "flat-table"), list_table),
    "tabs": _tabs,
    "only": _only,
    "ifconfig": _if_option,
    "jinja": _template,
    "seealso": _see_also,
    "productionlist": _production_list,
    "parsed-literal": _parsed_literal,
    "highlight": _highlight,
    **dict.fromkeys(("image", "kernel-image"), _image),
    **dict.fromkeys(("figure", "kernel-figure"), _figure),
    "kernel-render": _code,
    "math": _math,
    "raw": _raw,
    "class": _class,
    "table": table,
    "csv-table": csv_table,
    "glossary": glossary,
}
