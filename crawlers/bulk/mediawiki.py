"""Pages of a MediaWiki dump (`pages-articles.xml`, also packed, as by bzip2 in one or many streams), of any size.

The stream is cut at `<page>`, which can stand in no text of a page, and each page is parsed alone: a damaged page
costs one page, and no document type or entity is ever read.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from html import unescape
from typing import BinaryIO

from lxml import etree

from crawlers.bulk.left_out import LeftOut
from crawlers.bulk.pieces import cut_at
from crawlers.bulk.unpack import FAULTS, unpacked

ARTICLES = 0
MAX_PAGE_BYTES = 16 << 20

_START, _END = b"<page>", b"</page>"
_TITLE = re.compile(rb"<title>([^<]*)</title>")
_MAX_HEAD_BYTES = 8192
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
_TEXT_MODELS = frozenset({"", "wikitext"})


@dataclass(frozen=True, slots=True)
class WikiPage:
    """The last revision of a page: `timestamp` is ISO 8601; `offset` is where the page begins in the unpacked dump.

    For a dump in UTF-16, offsets are those of its text in UTF-8.
    """

    title: str
    namespace: int
    id: int
    revision: int
    timestamp: str
    wikitext: str
    offset: int


def read_pages(stream: BinaryIO, namespaces: Collection[int] = frozenset({ARTICLES})) -> Iterator[WikiPage | LeftOut]:
    """The pages of a dump in their order.

    namespaces: those that are wanted, such as 4 (project) and 12 (help). Reasons of what is left out: `redirect`,
    `namespace`, `not_wikitext` (scripts, styles and data), `no_text` (deleted), `damaged_page`, `too_large`, and for
    the stream `damaged_dump` (it cannot be unpacked further) or `no_pages`.
    """
    offset = -1
    try:
        for offset, raw in raw_pages(stream):
            if len(raw) > MAX_PAGE_BYTES:
                yield LeftOut(offset, "too_large", f"a page of more than {MAX_PAGE_BYTES} bytes")
            else:
                yield _page(offset, raw, namespaces)
    except FAULTS as error:
        yield LeftOut(max(offset, 0), "damaged_dump", f"behind this page: {error}")
    if offset < 0:
        yield LeftOut(0, "no_pages", "the stream holds no page")


def raw_pages(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Offset and XML of each page, in UTF-8; of one longer than MAX_PAGE_BYTES a beginning. Raises one of FAULTS."""
    return cut_at(_utf8(unpacked(stream)), _START, MAX_PAGE_BYTES)


def is_article(raw: bytes) -> bool:
    """Whether the XML of a page, from its beginning, is that of an article, and not of a redirect to one."""
    head = raw[: raw.find(b"<revision>")]
    return b"<ns>0</ns>" in head and b"<redirect" not in head


def title_of(raw: bytes) -> str:
    """The title in the XML of a page."""
    found = _TITLE.search(raw[:_MAX_HEAD_BYTES])
    return unescape(found[1].decode("utf-8", "replace")) if found else ""


def _page(offset: int, raw: bytes, namespaces: Collection[int]) -> WikiPage | LeftOut:
    try:
        page = etree.fromstring(raw[: raw.rfind(_END) + len(_END)], _PARSER)
        revision = (page.findall("revision") or [etree.Element("revision")])[-1]
        title, number = page.findtext("title") or "", int(page.findtext("id") or "")
        namespace, version = int(page.findtext("ns") or 0), int(revision.findtext("id") or 0)
    except (etree.XMLSyntaxError, ValueError) as error:
        return LeftOut(offset, "damaged_page", str(error))
    if namespace not in namespaces:
        return LeftOut(offset, "namespace", f"{title}: namespace {namespace}")
    if (target := page.find("redirect")) is not None:
        return LeftOut(offset, "redirect", f"{title}: to {target.get('title', '')}")
    if (model := revision.findtext("model") or "") not in _TEXT_MODELS:
        return LeftOut(offset, "not_wikitext", f"{title}: {model}")
    text = revision.findtext("text")
    if not text:
        return LeftOut(offset, "no_text", title)
    return WikiPage(title, namespace, number, version, revision.findtext("timestamp") or "", text, offset)


# ---------------------------------------------------------------- bytes


def _utf8(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes of a dump in UTF-8, whichever of UTF-8 and UTF-16 it has by its byte order mark."""
    decoder = None
    for index, chunk in enumerate(chunk for chunk in chunks if chunk):
        if index == 0 and chunk[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            decoder = codecs.getincrementaldecoder("utf-16")("replace")
        yield decoder.decode(chunk).encode("utf-8", "replace") if decoder else chunk
