"""Links of a page that says where documents are: an index of a directory, of proceedings, of the months of a list."""

from __future__ import annotations

import re
from collections.abc import Collection
from html import unescape

from w3lib.encoding import html_to_unicode

from crawlers.bulk.store import Store
from crawlers.links import MAX_LINK_TAGS, MAX_PAGE_BYTES, page_links
from crawlers.urls import canonical_url
from crawlers.warc import Record

_LINK_TAG = re.compile(rb"<(?:a|area|link|base|meta|i?frame)[\s/]", re.IGNORECASE)
# A link and its text, which ends where another begins: each character is looked at once.
_ANCHOR = re.compile(r"<a(?=\s)([^<>]{0,4096})>((?:[^<]|<(?!/?a[\s/>])){0,2000})", re.IGNORECASE)
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_BASE = re.compile(r"<base(?=\s)([^<>]{0,4096})>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,4096}>")


def links_of(record: Record, store: Store) -> list[str]:
    """Canonical URLs that a stored page links to, in order, each once. Raises Unavailable where it has too many."""
    body = store.body(record)
    tags = sum(1 for _ in _LINK_TAG.finditer(body))
    if len(body) > MAX_PAGE_BYTES or tags > MAX_LINK_TAGS:
        raise store.refuse(record.url, "too_large", f"{len(body)} bytes and {tags} links")
    return page_links(body, record.url, record.content_type)


def titles_of(body: bytes, url: str, content_type: str | None, links: Collection[str]) -> dict[str, str]:
    """The texts of links, by their canonical URLs: of several links to one, the first text; at most 300 characters."""
    wanted = set(links)
    _, text = html_to_unicode(content_type, body)
    declared = _BASE.search(text)
    base = canonical_url(_href(declared[1]), url) or url if declared else url
    found: dict[str, str] = {}
    for attributes, inside in _ANCHOR.findall(text):
        target = canonical_url(_href(attributes), base) or ""
        title = " ".join(unescape(_TAG.sub(" ", inside)).split())[:300]
        if target in wanted and title:
            found.setdefault(target, title)
    return found


def _href(attributes: str) -> str:
    """The target that the attributes of a tag state; empty for none."""
    found = _HREF.search(attributes)
    return unescape(found[1] or found[2] or found[3] or "") if found else ""
