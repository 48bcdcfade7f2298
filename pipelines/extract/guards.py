"""Checks that decide before a parser runs: size, kind of bytes, tag count, depth of open elements.

The depth is an estimate from the tags alone, without the tree construction rules. It counts what really
nests; elements that HTML closes by itself never count, and inline elements count only up to the next
element that closes them, so that old hand-written pages with unclosed `<p>`, `<li>` or `<font>` pass.
Markup made to deceive the estimate meets the converter's own depth limit, and the sandbox.
"""

from __future__ import annotations

import re

from filters.octets import CLOSES_INLINE, INLINE, LEAF, count_tags, element_names
from manifests.models import ExtractSettings
from pipelines.extract.page import Unreadable

MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"%PDF-", "PDF"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x1f\x8b", "gzip"),
    (b"\x7fELF", "ELF"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"!<arch>\n", "ar"),
    (b"wOFF", "WOFF"),
    (b"wOF2", "WOFF2"),
    (b"OggS", "Ogg"),
    (b"ID3\x03", "MP3"),
    (b"\x00asm", "WebAssembly"),
    (b"SQLite format 3\x00", "SQLite"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE"),
    (b"\xca\xfe\xba\xbe", "Java class"),
)
BZIP2 = re.compile(rb"BZh[1-9]1AY&SY")

_VOID = "area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr"
VOID = frozenset(_VOID.split())
_CLOSED_BY_OTHERS = (
    "body caption colgroup dd dt head html image isindex li nextid optgroup option p rb rp rt rtc spacer "
    "tbody td tfoot th thead tr"
)
_SVG_LEAVES = "circle ellipse image line path polygon polyline rect stop use"
_INLINES = (
    "a abbr acronym b bdi bdo big cite code del dfn em font i ins kbd label mark nobr q s samp small "
    "span strike strong sub sup tt u var"
)
_NAMES = element_names(
    [(name, LEAF) for name in f"{_VOID} {_CLOSED_BY_OTHERS} {_SVG_LEAVES}".split()]
    + [(name, INLINE) for name in _INLINES.split()]
    + [(name, CLOSES_INLINE) for name in ["p", "li", "dt", "dd", "td", "th", "tr", "caption", "option", "table"]]
)

_SKIPPED = ((b"<!--", b"-->"), (b"<script", b"</script"), (b"<style", b"</style"), (b"<svg", b"</svg"))


def check_body(body: bytes, limits: ExtractSettings) -> None:
    """Refuse a body that is empty, too large, or begins like a well-known binary format.

    Raises `Unreadable` with `empty_body`, `too_large` or `not_text`.
    """
    if len(body) > limits.max_body_bytes:
        raise Unreadable("too_large", f"{len(body)} bytes, limit {limits.max_body_bytes}")
    if not body.strip():
        raise Unreadable("empty_body", f"{len(body)} bytes")
    for magic, name in MAGIC:
        if body.startswith(magic):
            raise Unreadable("not_text", f"the body is {name}")
    if BZIP2.match(body):
        raise Unreadable("not_text", "the body is bzip2")


def check_structure(page: str | bytes, limits: ExtractSettings) -> None:
    """Refuse HTML with more than `max_tags` tags or about `max_depth` open elements at once.

    page: text, or its UTF-8. Raises `Unreadable` with `too_many_tags` or `too_deep`.
    """
    utf8 = page if isinstance(page, bytes) else page.encode("utf-8", "replace")
    tags = count_tags(utf8, _NAMES)
    if tags.count > limits.max_tags:
        raise Unreadable("too_many_tags", f"{tags.count} tags, limit {limits.max_tags}")
    if tags.depth <= limits.max_depth:
        return
    lower = utf8.lower()
    for start, end in _SKIPPED:
        lower = _without(lower, start, end)
    depth = count_tags(lower, _NAMES).depth
    if depth > limits.max_depth:
        raise Unreadable("too_deep", f"about {depth} open elements, limit {limits.max_depth}")


def _without(text: bytes, start: bytes, end: bytes) -> bytes:
    """The text without what lies between each `start` and the next `end`; linear in its length."""
    kept = []
    at = 0
    while (begin := text.find(start, at)) >= 0:
        kept.append(text[at:begin])
        at = text.find(end, begin)
        if at < 0:
            return b"".join(kept)
        at += len(end)
    kept.append(text[at:])
    return b"".join(kept)
