"""RFCs, by their index (https://www.rfc-editor.org/rfc-index.xml): each in its best format, XML before plain text.

Since RFC 8650 the XML is what an RFC was written in (RFC 7991); of an older one text is. `include` and `exclude` are
held against names such as `RFC2616`. `bulk.fields`: `xml` and `text`, URLs with `{}` for the number, and `page`, that
for people, if they are not the RFC editor's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from crawlers.bulk.http_client import Unavailable
from crawlers.bulk.included import is_included
from crawlers.bulk.split import PAGE
from crawlers.bulk.store import Store
from crawlers.frontier import State
from manifests.models import Source

FIELDS = frozenset(("xml", "text", "page"))

XML = "https://www.rfc-editor.org/rfc/rfc{}.xml"
TEXT = "https://www.rfc-editor.org/rfc/rfc{}.txt"
PAGES = "https://www.rfc-editor.org/info/rfc{}"

_NAME = re.compile(r"RFC0*([1-9]\d{0,5})\Z")
_TEXT_FORMATS = frozenset(("ASCII", "TEXT", "TXT"))
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Entry:
    """An RFC by its number; `status` is that of now, such as `INTERNET STANDARD`."""

    number: int
    title: str
    status: str
    formats: frozenset[str]
    obsoleted_by: str
    updated_by: str


def bring(source: Source, store: Store) -> None:
    """The RFCs of the index, in its order; of an index that is cut, those before."""
    record = store.index(store.bulk.url, "text/xml")
    body = store.body(record)
    try:
        for entry in read_entries(body):
            _bring(entry, store)
    except ValueError as error:
        raise store.refuse(record.url, "malformed", str(error)) from None


def _bring(entry: Entry, store: Store) -> None:
    is_xml = "XML" in entry.formats
    url = _url(store, "xml", XML, entry) if is_xml else _url(store, "text", TEXT, entry)
    if not is_included(f"RFC{entry.number}", store.bulk):
        store.refuse(url, "not_included", f"RFC{entry.number}", State.EXCLUDED)
        return
    if not is_xml and not entry.formats & _TEXT_FORMATS:
        store.refuse(url, "no_format", ", ".join(sorted(entry.formats)) or "none is stated", State.EXCLUDED)
        return
    said = {
        "title": entry.title,
        "status": entry.status,
        "obsoleted-by": entry.obsoleted_by,
        "updated-by": entry.updated_by,
    }
    try:
        store.page(
            url, {PAGE: _url(store, "page", PAGES, entry), **{name: text for name, text in said.items() if text}}
        )
    except Unavailable:
        pass  # it stands in the index


def _url(store: Store, field: str, template: str, entry: Entry) -> str:
    return store.bulk.fields.get(field, template).replace("{}", str(entry.number))


def read_entries(body: bytes) -> Iterator[Entry]:
    """The RFCs of an index; a number that was not issued is none. Raises ValueError where it is no XML, or no index."""
    parser = etree.XMLPullParser(
        events=("end",), tag="{*}rfc-entry", resolve_entities=False, no_network=True, huge_tree=False
    )
    count = 0
    try:
        for start in range(0, len(body), _CHUNK):
            parser.feed(body[start : start + _CHUNK])
            for _, element in parser.read_events():
                count += 1
                yield _entry(element)
                element.clear()
        parser.close()
    except etree.XMLSyntaxError as error:
        raise ValueError(f"behind {count} entries: {error}") from None
    if not count:
        raise ValueError("it holds no entry of an RFC")


def _entry(element: etree._Element) -> Entry:
    name = _text(element, "{*}doc-id")
    number = _NAME.match(name)
    if number is None:
        raise ValueError(f"{name[:80]!r} is no RFC")
    return Entry(
        number=int(number[1]),
        title=_text(element, "{*}title"),
        status=_text(element, "{*}current-status"),
        formats=frozenset(_texts(element, "{*}format/{*}file-format")),
        obsoleted_by=" ".join(_texts(element, "{*}obsoleted-by/{*}doc-id")),
        updated_by=" ".join(_texts(element, "{*}updated-by/{*}doc-id")),
    )


def _texts(element: etree._Element, path: str) -> list[str]:
    return [" ".join((each.text or "").split()) for each in element.iterfind(path)]


def _text(element: etree._Element, path: str) -> str:
    return next(iter(_texts(element, path)), "")
