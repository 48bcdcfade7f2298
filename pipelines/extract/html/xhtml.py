"""XHTML made fit for an HTML parser: self-closing elements and CDATA sections written out. All of it in UTF-8."""

from __future__ import annotations

import re

from pipelines.extract.guards import VOID

HEAD_BYTES = 2000

_XMLNS = re.compile(rb"<html\b[^>]*\sxmlns\s*=\s*[\"']http://www\.w3\.org/1999/xhtml", re.IGNORECASE)
# XML allows no `<` in the value of an attribute: the `<` before `/>` begins the tag, or the text is no XML.
_START_TAG = re.compile(rb"""<([A-Za-z][^\s"'<>=/]*)((?:\s[^<>"']*)?(?:"[^"<]*"[^<>"']*|'[^'<]*'[^<>"']*)*)""")
_NAME = re.compile(rb"<([A-Za-z][^\s\"'<>=/]*)")
_VOID = frozenset(name.encode() for name in VOID)


def is_xhtml(text: bytes, content_type: str | None) -> bool:
    """Whether a page says that it is XHTML: by its type, an XML prolog, or the namespace of `html`."""
    if "xhtml" in (content_type or "").lower():
        return True
    head = text[:HEAD_BYTES]
    return head.lstrip().startswith(b"<?xml") or _XMLNS.search(head) is not None


def expand(text: bytes) -> bytes:
    """`<a id="x"/>` as `<a id="x"></a>`, void elements as they are; CDATA sections as escaped text."""
    if b"<![CDATA[" in text:
        text = _escape_cdata(text)
    pieces = text.split(b"/>")
    for number in range(len(pieces) - 1):
        piece = pieces[number]
        begin = piece.rfind(b"<")
        name = _NAME.match(piece, begin) if begin >= 0 else None
        if name is None or name[1].lower() in _VOID or _START_TAG.fullmatch(piece, begin) is None:
            pieces[number] = piece + b"/>"
        else:
            pieces[number] = piece + b"></" + name[1] + b">"
    return b"".join(pieces)


def _escape_cdata(text: bytes) -> bytes:
    first, *sections = text.split(b"<![CDATA[")
    parts = [first]
    for section in sections:
        inside, end, after = section.partition(b"]]>")
        if end:
            inside = inside.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
        parts += (inside, after)
    return b"".join(parts)
