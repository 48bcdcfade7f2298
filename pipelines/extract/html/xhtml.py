"""XHTML made fit for an HTML parser: self-closing elements and CDATA sections written out."""

from __future__ import annotations

import re

from pipelines.extract.guards import VOID

HEAD_CHARS = 2000

_XMLNS = re.compile(r"<html\b[^>]*\sxmlns\s*=\s*[\"']http://www\.w3\.org/1999/xhtml", re.IGNORECASE)
# XML allows no `<` in the value of an attribute: the `<` before `/>` begins the tag, or the text is no XML.
_START_TAG = re.compile(r"""<([A-Za-z][\w:.-]*)((?:\s[^<>"']*)?(?:"[^"<]*"[^<>"']*|'[^'<]*'[^<>"']*)*)""")
_NAME = re.compile(r"<([A-Za-z][\w:.-]*)")


def is_xhtml(text: str, content_type: str | None) -> bool:
    """Whether a page says that it is XHTML: by its type, an XML prolog, or the namespace of `html`."""
    if "xhtml" in (content_type or "").lower():
        return True
    head = text[:HEAD_CHARS]
    return head.lstrip().startswith("<?xml") or _XMLNS.search(head) is not None


def expand(text: str) -> str:
    """`<a id="x"/>` as `<a id="x"></a>`, void elements as they are; CDATA sections as escaped text."""
    if "<![CDATA[" in text:
        text = _escape_cdata(text)
    pieces = text.split("/>")
    for number in range(len(pieces) - 1):
        piece = pieces[number]
        begin = piece.rfind("<")
        name = _NAME.match(piece, begin) if begin >= 0 else None
        if name is None or name[1].lower() in VOID or _START_TAG.fullmatch(piece, begin) is None:
            pieces[number] = piece + "/>"
        else:
            pieces[number] = f"{piece}></{name[1]}>"
    return "".join(pieces)


def _escape_cdata(text: str) -> str:
    first, *sections = text.split("<![CDATA[")
    parts = [first]
    for section in sections:
        inside, end, after = section.partition("]]>")
        if end:
            inside = inside.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        parts += (inside, after)
    return "".join(parts)
