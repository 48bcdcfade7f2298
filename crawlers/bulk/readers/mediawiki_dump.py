"""The articles of a wiki, as MediaWiki dumps them (https://meta.wikimedia.org/wiki/Data_dumps).

`bulk.url` is the file of a dump, or the directory of one whose articles lie in parts. Where that is `latest`, the file
of checksums tells the date, and the dump of that date is taken; `bulk.dated` says which date it must be. `include` and
`exclude` are held against titles: with them the articles that are wanted are kept, and what is no article is counted.
"""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import NamedTuple

from crawlers.bulk.checksums import checksum_in
from crawlers.bulk.http_client import Unavailable
from crawlers.bulk.included import is_included
from crawlers.bulk.mediawiki import MAX_PAGE_BYTES, is_article, raw_pages, title_of
from crawlers.bulk.store import Store
from crawlers.bulk.unpack import FAULTS
from manifests.models import Source

_PARTS = re.compile(r"[a-z0-9_]+-(?P<date>\d{8})-pages-articles-multistream(?P<part>\d+)\.xml-p\d+p\d+\.bz2")
_NAMES = re.compile(r"^[ \t]*[0-9a-fA-F]{32,128}[ \t]+\*?(\S+)[ \t]*$", re.MULTILINE)
_ENDING = re.compile(r"\.xml(?:-p\d+p\d+)?(?P<packed>\.(?:bz2|gz|xz|zst))?\Z")
_HEAD = b'<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/">\n'
_END = b"</page>"


class Part(NamedTuple):
    """A file of a dump; `name` is that of ours, without its ending."""

    url: str
    name: str
    checksum: str | None


def bring(source: Source, store: Store) -> None:
    """The files of the dump, whole, or the wanted articles of each; a part that cannot be had stands in the index."""
    is_narrowed = bool(store.bulk.include or store.bulk.exclude)
    for part in parts_of(source, store):
        try:
            if not is_narrowed:
                ending = _ENDING.search(part.url)
                store.file(part.url, f"{part.name}.xml{ending['packed'] or '' if ending else ''}", part.checksum)
            elif not store.kept(part.url):
                _narrow(part, store)
        except Unavailable:
            continue  # it stands in the index


def parts_of(source: Source, store: Store) -> list[Part]:
    """The files of the dump, in their order."""
    url, stated_at = store.bulk.url, store.bulk.checksums
    base, _, name = url.rpartition("/")
    if stated_at is None:
        if not name:
            raise ValueError(
                "the manifest names the directory of a dump, and no file of checksums that says what is in it"
            )
        return [Part(url, source.id, None)]
    body = store.body(store.index(stated_at))
    pattern = re.compile(re.escape(name).replace(r"\-latest\-", r"-(?P<date>\d{8})-")) if name else _PARTS
    found = [match for each in _NAMES.findall(body.decode("utf-8", "replace")) if (match := pattern.fullmatch(each))]
    wanted = (store.bulk.dated or "").replace("-", "")
    dates = {match.groupdict().get("date", wanted) for match in found}
    if not found or (wanted and dates != {wanted}):
        told = f"{stated_at} is of {', '.join(sorted(dates)) or 'no such file'}"
        raise store.refuse(url, "other_date" if found else "no_checksum", told)
    found.sort(key=lambda match: (int(match.groupdict().get("part", 0)), match[0]))
    return [
        Part(
            f"{base.removesuffix('/latest')}/{match['date']}/{match[0]}"
            if base.endswith("/latest")
            else f"{base}/{match[0]}",
            f"{source.id}.part{number:04}" if len(found) > 1 else source.id,
            checksum_in(body, match[0]),
        )
        for number, match in enumerate(found)
    ]


def _narrow(part: Part, store: Store) -> None:
    """Keeps the wanted articles of a file; of a damaged one, those before the damage."""
    with store.work() as work:
        dump = store.download(part.url, work, part.checksum)
        narrowed = work / "narrowed.xml.gz"
        left_out: dict[str, int] = {}
        fault = _write_wanted(dump, narrowed, left_out, store)
        store.keep(narrowed, f"{part.name}.xml.gz", part.url, "application/gzip")
    for reason, number in left_out.items():
        store.count(reason, number)
    if fault:
        store.refuse(part.url, "damaged_dump", fault)


def _write_wanted(dump: Path, narrowed: Path, left_out: dict[str, int], store: Store) -> str:
    """Writes the wanted articles, byte for byte, and counts the others; what was wrong with the dump, or nothing."""
    offset = 0
    with dump.open("rb") as stream, narrowed.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
        packed.write(_HEAD)
        try:
            for start, page in raw_pages(stream):
                offset = start
                store.stop.check()
                reason = _reason(page, store)
                if reason:
                    left_out[reason] = left_out.get(reason, 0) + 1
                else:
                    packed.write(page[: page.rfind(_END) + len(_END)] + b"\n")
        except FAULTS as error:
            return f"behind the page at byte {offset}: {error}"
        finally:
            packed.write(b"</mediawiki>\n")
    return ""


def _reason(page: bytes, store: Store) -> str:
    """Why a page is left out; empty for one that is wanted."""
    if len(page) > MAX_PAGE_BYTES or _END not in page:
        return "damaged_page"
    if not is_article(page):
        return "no_article"
    return "" if is_included(title_of(page), store.bulk) else "not_included"
