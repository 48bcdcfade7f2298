"""Roles of reStructuredText, those of Sphinx included: interpreted text to text, code or a formula."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.parsers.rst import roles
from docutils.parsers.rst.states import Inliner
from docutils.utils import unescape

# Roles whose text is code. A role with a domain (`py:func`) is code too, any other unknown one is text.
_CODE_NAMES = (
    "attr class cmdoption code command confval const data dfn envvar exc file func literal makevar meth mod obj "
    "option program regexp samp setting token type var member macro function method module keyword header "
    "mailheader mimetype config cfg lib rst directive role dbcommand pipeline query expression update projection group "
    "bsontype binary authrole authaction ansopt ansval ansenvvar"
)
_CODE = frozenset(_CODE_NAMES.split())
_ICON_NAMES = "fa fab far fas fontawesome icon iconify material-outlined material-regular octicon"
_ICONS = frozenset(_ICON_NAMES.split())
_RAISED = {
    "sup": nodes.superscript,
    "superscript": nodes.superscript,
    "sub": nodes.subscript,
    "subscript": nodes.subscript,
}
_STYLED = {"emphasis": nodes.emphasis, "strong": nodes.strong, "title-reference": nodes.emphasis, "dfn": nodes.emphasis}
_NUMBERED = {"rfc": "RFC ", "pep": "PEP "}

_TITLED = re.compile(r"(.+?)\s*(?<!\\)<([^<>]*)>\s*", re.DOTALL)
_NUMBER = re.compile(r"\s*(?:%s|\{number\}|\{name\})")
_ACCELERATOR = re.compile(r"&(.)")


def any_inliner() -> Inliner:
    """docutils' reader of inline markup, for which no role is unknown; one that the page defines keeps its meaning."""
    inliner = Inliner()

    def interpreted(rawsource: str, text: str, role: str, lineno: int) -> tuple[list[Any], list[Any]]:
        defined = roles._roles.get(role.lower())
        if defined is None:
            return [role_node(role.lower(), text, rawsource)], []
        found, messages = defined(role, rawsource, text, lineno, inliner)
        return found, messages

    # No subclass: docutils builds its patterns from the variables of the class itself.
    inliner.interpreted = interpreted
    return inliner


def role_node(role: str, escaped: str, source: str = "") -> nodes.Node:
    """The node for interpreted text of a role; `escaped` holds backslashes as docutils marks them."""
    raw, text = unescape(escaped, restore_backslashes=True), unescape(escaped)
    if role == "math":
        return nodes.math(raw, raw)
    if role in ("code", "literal", "samp", "file", "command", "regexp", ""):
        # Single backquotes without a role are code to most writers of manuals, whatever the default role is.
        kept = text if role == "" else raw
        return nodes.literal(source, kept)
    if role in _RAISED:
        return _RAISED[role](source, text)
    if role in _STYLED:
        return _STYLED[role](source, text)
    if role == "kbd":
        return nodes.literal(source, text, classes=["kbd"])
    if role in ("cspan", "rspan"):
        return nodes.comment(source, "", **{role: int(text) if text.isdecimal() and len(text) < 4 else 0})
    if role in _ICONS:
        return nodes.comment()
    return _reference(role, text, source)


def _reference(role: str, text: str, source: str) -> nodes.Node:
    """What a cross-reference shows: its own text, else the name of its target."""
    domain, _, kind = role.rpartition(":")
    if role in ("guilabel", "menuselection"):
        return nodes.Text(_ACCELERATOR.sub(r"\1", text).replace("-->", "\N{TRIANGULAR BULLET}"))
    titled = _TITLED.fullmatch(text)
    shown = titled[1] if titled else text
    if role == "numref":
        shown = _NUMBER.sub("", shown)  # numbers are given when a site is built
    if role in _NUMBERED:
        return nodes.Text(shown if titled else _NUMBERED[role] + text)
    if (domain and domain != "std") or kind in _CODE:
        if not titled:
            shown = shown.removeprefix("!")
            shown = re.split(r"[.]|::", shown)[-1] if shown.startswith("~") else shown
        return nodes.literal(source, shown)
    return nodes.inline(source, shown.removeprefix("!").removeprefix("~"))
