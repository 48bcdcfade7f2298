"""XHTML made fit for an HTML parser: self-closing elements and CDATA sections written out."""

from __future__ import annotations

import re

from pipelines.extract.guards import VOID

HEAD_CHARS = 2000

_XMLNS = re.compile(r"<html\b[^>]*\sxmlns\s*=\s*[\"']http://www\.w3\.org/1999/xhtml", re.IGNORECASE)
# XML allows no `<` in an attribute value, so that each match ends before the next tag. A group in a look-ahead, and
# then itself, is never tried again with less: a page cannot make the search slow. (Possessive quantifiers would say
# so more plainly; those of Python 3.11.2 lose matches.)
_SELF_CLOSING = re.compile(
    r"""<([A-Za-z][\w:.-]*)(?![\w:.-])(?=((?:[^<>"'/]+|"[^"<]*"|'[^'<]*'|/(?!>))*))\2/>""",
)


def is_xhtml(text: str, content_type: str | None) -> bool:
    """Whether a page says that it is XHTML: by its type, an XML prolog, or the namespace of `html`."""
    if "xhtml" in (content_type or "").lower():
        return True
    head = text[:HEAD_CHARS]
    return head.lstrip().startswith("<?xml") or _XMLNS.search(head) is not None


def expand(text: str) -> str:
    """`<a id="x"/>` as `<a id="x"></a>`, void elements as they are; CDATA sections as escaped text."""
    return _SELF_CLOSING.sub(_open_and_close, _escape_cdata(text))


def _open_and_close(match: re.Match[str]) -> str:
    name, attributes = match.groups()
    return match.group() if name.lower() in VOID else f"<{name}{attributes}></{name}>"


def _escape_cdata(text: str) -> str:
    first, *sections = text.split("<![CDATA[")
    parts = [first]
    for section in sections:
        inside, end, after = section.partition("]]>")
        if end:
            inside = inside.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        parts += (inside, after)
    return "".join(parts)
