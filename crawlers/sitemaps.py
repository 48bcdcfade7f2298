"""Pages that a site lists: in sitemaps, feeds and llms.txt. Pure, and bounded for hostile input."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from itertools import islice

from lxml import etree

from crawlers.content import BodyError, decode_body
from crawlers.urls import MAX_URL_LENGTH, canonical_url, path_of

#: https://www.sitemaps.org/protocol.html: bytes, inflated, and entries of one sitemap.
MAX_SITEMAP_BYTES = 50 << 20
MAX_SITEMAP_ENTRIES = 50_000
#: Bytes of a llms.txt; a llms-full.txt holds the text of a whole site, of which as much is looked through.
MAX_LLMS_BYTES = 8 << 20
#: Elements of a sitemap that are looked at, bytes that the parser is given at once, and in how many it must have met
#: something: a tag of a million attributes costs thirty times its size.
_MAX_ELEMENTS = 40 * MAX_SITEMAP_ENTRIES
_CHUNK = 1 << 16
_MAX_SILENT_CHUNKS = 32
_MAX_DATE = 64
_MAX_AMPERSANDS = 64

#: Elements that are an entry: of a sitemap, of an index of sitemaps, of RSS and of Atom.
_ENTRIES = frozenset({"url", "sitemap", "item", "entry"})
_FIELDS = frozenset(
    {"loc", "lastmod", "priority", "changefreq", "link", "guid", "pubDate", "date", "updated", "published"}
)
_FREQUENCIES = frozenset({"always", "hourly", "daily", "weekly", "monthly", "yearly", "never"})
_LLMS = re.compile(r"/llms(?:-full)?\.txt\Z", re.IGNORECASE)
_LLMS_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])\s+\[.*?\]\(\s*<?([^\s<>()]+(?:\([^\s<>()]*\)[^\s<>()]*)?)")
_URL_LINE = re.compile(rb"^[ \t]*(https?://\S+)[ \t\r]*$", re.IGNORECASE | re.MULTILINE)
# A loc with an ampersand, and one that begins no entity of XML: sites forget to escape it.
_LOC = re.compile(rb"<(?:[a-z]+:)?loc>[^<&]{0,4096}&[^<]{0,4096}", re.IGNORECASE)
_BARE_AMPERSAND = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)")
_FENCE = re.compile(r"\s{0,3}(```+|~~~+)")
# https://www.w3.org/TR/NOTE-datetime, and what sites write for it: a blank for the T, a zone without its colon.
_W3C_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)? ?(?:Z|UTC|([+-])(\d\d):?(\d\d))?)?)?)?\Z",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A page that a site lists: its canonical URL, and what the list says of it; None where it says nothing readable.

    `lastmod` is in UTC; `priority` from 0 to 1; `changefreq` a word of the protocol, as `daily`.
    """

    url: str
    lastmod: datetime | None = None
    priority: float | None = None
    changefreq: str | None = None


@dataclass(frozen=True, slots=True)
class Sitemap:
    """What a sitemap lists: pages, and canonical URLs of further sitemaps."""

    pages: list[Listed]
    sitemaps: list[str]


def read_sitemap(body: bytes, url: str) -> Sitemap:
    """The entries of a sitemap, gzipped or not, up to the limits of the protocol; `url` is its own, and may be any.

    A sitemap or an index of them, RSS, Atom, a text of one URL a line, and what is named llms.txt or llms-full.txt.
    What is none of these, or breaks off, gives what came before the fault. Entities are not resolved, and no tree is
    built: memory follows the entries.
    """
    found = Sitemap([], [])
    try:
        if body[:2] == b"\x1f\x8b":
            body = decode_body(body, "gzip", MAX_SITEMAP_BYTES)
    except BodyError:
        return found
    body = body[:MAX_SITEMAP_BYTES]
    if _LLMS.search(path_of(url)):
        found.pages.extend(map(Listed, read_llms_txt(body, url)))
    elif body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        for entry in _entries(_LOC.sub(_escaped, body, count=MAX_SITEMAP_ENTRIES)):
            _add(entry, url, found)
    else:
        found.pages.extend(map(Listed, _urls_of_lines(body)))
    return found


def read_llms_txt(body: bytes, url: str) -> list[str]:
    """Canonical URLs of the links that begin an item of a list in a llms.txt (https://llmstxt.org), each once.

    `url` is the file's own; examples between code fences are none. At most as many as a sitemap may hold.
    """
    found: dict[str, None] = {}
    fence = ""
    for line in body[:MAX_LLMS_BYTES].decode("utf-8", "replace").split("\n"):
        mark = _FENCE.match(line)
        if mark:
            fence = mark[1] if not fence else "" if mark[1].startswith(fence) else fence
        elif not fence and (match := _LLMS_ITEM.match(line[:MAX_URL_LENGTH])):
            link = canonical_url(match[1], url)
            if link is not None:
                found[link] = None
        if len(found) >= MAX_SITEMAP_ENTRIES:
            break
    return list(found)


def utc_of(text: str) -> datetime | None:
    """A date of a sitemap (W3C: year, month, day, or with time) or of RSS (RFC 5322) in UTC; None where it is none.

    A time without a zone is taken as UTC, a day as its beginning.
    """
    text = text.strip()
    match = _W3C_DATE.match(text)
    try:
        if match is None:
            at = parsedate_to_datetime(text) if 0 < len(text) <= _MAX_DATE else None
            return at and (at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC))
        year, month, day, hour, minute, second, sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
        # A leap second is read as the one before it.
        clock = int(hour or 0), int(minute or 0), min(int(second or 0), 59)
        at = datetime(int(year), int(month or 1), int(day or 1), *clock, tzinfo=timezone(offset))
        return at.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


class _Entry:
    """One entry: the name of its element, the first text of each field, and the links of Atom."""

    __slots__ = ("fields", "links", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.fields: dict[str, str] = {}
        self.links: list[str] = []


class _Target:
    """What the parser tells: keeps entries, and nothing else of the document."""

    def __init__(self) -> None:
        self.entries: list[_Entry] = []
        self.elements = 0
        self.events = 0
        self._path: list[str] = []
        self._entry: _Entry | None = None
        self._depth = 0
        self._text: list[str] | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        self.elements += 1
        self.events += 1
        self._path.append(name)
        self._text = None
        if self._entry is None:
            if name in _ENTRIES:
                self._entry, self._depth = _Entry(name), len(self._path)
        elif len(self._path) == self._depth + 1 and name in _FIELDS:
            self._text = []
            if name == "link" and attributes.get("rel", "alternate") == "alternate" and "href" in attributes:
                self._entry.links.append(attributes["href"])

    def data(self, data: str) -> None:
        self.events += 1
        if self._text is not None and len(self._text) <= MAX_URL_LENGTH:
            self._text.append(data[: MAX_URL_LENGTH + 1])

    def end(self, tag: str) -> None:
        name = _local(tag)
        if self._entry is not None and self._text is not None and self._path and self._path[-1] == name:
            self._entry.fields.setdefault(name, "".join(self._text).strip())
        self._text = None
        if self._entry is not None and len(self._path) == self._depth:
            self.close()
        if self._path:
            self._path.pop()

    def close(self) -> None:
        """The entry at hand is whole, or as whole as it will be."""
        if self._entry is not None:
            self.entries.append(self._entry)
        self._entry = None


def _escaped(loc: re.Match[bytes]) -> bytes:
    """The beginning of a loc with its first ampersands escaped: as many as a URL has parameters."""
    return _BARE_AMPERSAND.sub(b"&amp;", loc[0], count=_MAX_AMPERSANDS)


def _entries(body: bytes) -> list[_Entry]:
    """The entries of an XML document, up to the first that is too many."""
    target = _Target()
    parser = etree.XMLParser(
        target=target, recover=True, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    silent = 0
    try:
        for at in range(0, len(body), _CHUNK):
            before = target.events
            parser.feed(body[at : at + _CHUNK])
            silent = silent + 1 if target.events == before else 0
            if len(target.entries) >= MAX_SITEMAP_ENTRIES or target.elements >= _MAX_ELEMENTS:
                break
            if silent >= _MAX_SILENT_CHUNKS:
                return target.entries
        parser.close()
    except etree.XMLSyntaxError:
        target.close()
    return target.entries[:MAX_SITEMAP_ENTRIES]


def _add(entry: _Entry, url: str, found: Sitemap) -> None:
    """Add what an entry lists, where it names a URL."""
    fields = entry.fields
    if entry.name == "sitemap":
        link = canonical_url(fields.get("loc", ""), url) if fields.get("loc") else None
        found.sitemaps.extend([link] if link else [])
        return
    said = next((fields[name] for name in ("lastmod", "updated", "pubDate", "date", "published") if name in fields), "")
    frequency = fields.get("changefreq", "").lower()
    for target in _targets(entry):
        link = canonical_url(target, url)
        if link is not None:
            found.pages.append(
                Listed(link, utc_of(said), _priority(fields), frequency if frequency in _FREQUENCIES else None)
            )


def _targets(entry: _Entry) -> list[str]:
    """What an entry points at: `loc`, the links of Atom, the link of RSS, or its guid where that is a URL."""
    if entry.name == "url":
        return [entry.fields["loc"]] if entry.fields.get("loc") else []
    if entry.links:
        return entry.links
    link = entry.fields.get("link") or entry.fields.get("guid", "")
    return [link] if link.startswith(("http://", "https://", "/")) else []


def _priority(fields: dict[str, str]) -> float | None:
    try:
        value = float(fields.get("priority", ""))
    except ValueError:
        return None
    return value if not math.isnan(value) and 0.0 <= value <= 1.0 else None


def _urls_of_lines(body: bytes) -> Iterator[str]:
    """Canonical URLs of a text sitemap: each absolute, on a line of its own."""
    for line in islice(_URL_LINE.finditer(body.removeprefix(b"\xef\xbb\xbf")), MAX_SITEMAP_ENTRIES):
        link = canonical_url(line[1].decode("utf-8", "replace"))
        if link is not None:
            yield link


def _local(tag: str) -> str:
    """The name of an element without its namespace, resolved or not."""
    return tag.rpartition("}")[2].rpartition(":")[2]
