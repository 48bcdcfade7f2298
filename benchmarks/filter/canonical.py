"""Canonical documentation: pages of Debian's documentation packages and manual pages, without indexes and search pages.

A package is read as a stream. Of its pages those with the smallest hashes of their paths are extracted, and the first
PAGES (MANUALS of manual pages) that are documents are taken. Apart, and listed in the results, stand

    search, index   pages that the generator makes from its own tables, told by their names: `pages.yaml`
    redirect        pages that only say where to go, by the extractor's reading or by the words of Texinfo
    stub            pages with fewer than OWN_WORDS words beside their headings: a title and links, or a bare name

A directory of the cache holds `PACKAGE.parquet` for each package, keyed by what it was made from.
"""

from __future__ import annotations

import hashlib
import heapq
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks.extract.packages import OTHER_LANGUAGE, Log, download, entries, members
from benchmarks.filter.documents import page_of, row
from manifests.load import generators_digest
from pipelines.extract.stage import STAGE as EXTRACT
from pipelines.schema import DOCUMENT

SAMPLE = 1  # raise it when the same packages would give other documents
PAGES, MANUALS = 70, 60
READ = 2  # pages that are extracted for each that is wanted, since some stand apart
SMALLEST, LARGEST = 500, 400_000
OWN_WORDS = 15
LIST = Path(__file__).with_name("pages.yaml")

_PAGE = re.compile(r"\.x?html?(?:\.en)?(?:\.gz)?$")
_MANUAL = re.compile(r"^\.?/?usr/share/man/man[1-9]/[^/]+\.gz$")
_HEADING = re.compile(r"^#{1,6} .*$", re.MULTILINE)
_ELSEWHERE = re.compile(r"\s*(?:The node you are looking for is at|This (?:page|document) (?:has|was) moved to)\b")
_REFRESH = re.compile(rb"<meta[^>]{1,80}http-equiv=[\"']?refresh", re.IGNORECASE)
_HEAD = 4000

# Beside the columns of a document: why it stands apart, empty where it does not.
SCHEMA = pa.schema([*DOCUMENT, ("path", pa.string()), ("apart", pa.string())])


class Found(NamedTuple):
    """A page of a package: where it stood, and its bytes."""

    path: str
    body: bytes


def load(cache_directory: Path, log: Log, limit: int = 0) -> pa.Table:
    """All pages with SCHEMA's columns, read from the cache or made; at most `limit` packages, all if 0."""
    wanted = sorted({entry.package for entry in entries()} | set(_lists()["manuals"]))[: limit or None]
    debs = download(wanted, cache_directory, log)
    folder = cache_directory / "filter" / "canonical"
    folder.mkdir(parents=True, exist_ok=True)
    return pa.concat_tables([_package(name, deb, folder, log) for name, deb in sorted(debs.items())])


def is_document(table: pa.Table) -> pa.Table:
    """The pages that are documents."""
    return table.filter(pa.array([not why for why in table["apart"].to_pylist()], pa.bool_()))


def digest(table: pa.Table) -> str:
    """A hash of the documents of a table, in their order."""
    joined = "\n".join(revision or "" for revision in table["revision"].to_pylist())
    return hashlib.sha256(joined.encode()).hexdigest()


def apart(name: str, generator: str, text: str, body: bytes) -> str:
    """Why a page is no document: `search`, `index`, `redirect`, `stub`; empty if it is one."""
    for kind, patterns in _patterns().items():
        if any(pattern.fullmatch(name) for key in ("any", generator) for pattern in patterns.get(key, ())):
            return kind
    if _ELSEWHERE.match(_HEADING.sub("", text)) or (_REFRESH.search(body[:_HEAD]) and own_words(text) < OWN_WORDS):
        return "redirect"
    return "stub" if own_words(text) < OWN_WORDS else ""


def own_words(text: str) -> int:
    """The words of a page beside its headings."""
    return len(re.findall(r"\w+", _HEADING.sub("", text)))


@cache
def _lists() -> dict[str, Any]:
    lists: dict[str, Any] = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    return lists


@cache
def _patterns() -> dict[str, dict[str, list[re.Pattern[str]]]]:
    return {
        kind: {generator: [re.compile(each) for each in patterns] for generator, patterns in named.items()}
        for kind, named in _lists()["apart"].items()
    }


def _package(package: str, deb: Path, folder: Path, log: Log) -> pa.Table:
    """The pages of a package, from its file in the cache if it was made from the same things."""
    place = folder / f"{package}.parquet"
    key = _key(deb)
    if place.exists():
        kept = pq.read_table(place)
        if (kept.schema.metadata or {}).get(b"key") == key.encode():
            return kept.replace_schema_metadata(None)
    rows = [*_pages(deb, package, _PAGE, PAGES), *_pages(deb, package, _MANUAL, MANUALS)]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    kinds = Counter(each["apart"] or "document" for each in rows)
    log(f"extracted {package}: {', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))}")
    partial = place.with_suffix(".partial")
    pq.write_table(table.replace_schema_metadata({"key": key}), partial, compression="zstd")
    partial.rename(place)
    return table


def _key(deb: Path) -> str:
    digest = hashlib.sha256()
    digest.update(f"{SAMPLE} {EXTRACT.version} {generators_digest()} {PAGES} {MANUALS} {OWN_WORDS}".encode())
    digest.update(LIST.read_bytes())
    digest.update(deb.read_bytes())
    return digest.hexdigest()


def _pages(deb: Path, package: str, pattern: re.Pattern[str], wanted: int) -> list[dict[str, Any]]:
    """Pages in the order of their hashes until as many as are wanted are documents."""
    kept: list[tuple[int, Found]] = []
    for path, body in members(deb, pattern, SMALLEST, LARGEST):
        if OTHER_LANGUAGE.search(path) and pattern is _PAGE:
            continue
        rank = -int.from_bytes(hashlib.sha256(path.encode()).digest()[:8])
        full = len(kept) == READ * wanted
        (heapq.heappushpop if full else heapq.heappush)(kept, (rank, Found(path, body)))
    rows: list[dict[str, Any]] = []
    documents = 0
    for _, (path, body) in sorted(kept, reverse=True):
        made = _row(package, path, body, is_manual=pattern is _MANUAL)
        documents += not made["apart"]
        rows.append(made)
        if documents == wanted:
            break
    return rows


def _row(package: str, path: str, body: bytes, *, is_manual: bool) -> dict[str, Any]:
    url = f"https://docs.example{path.removesuffix('.gz')}"
    page, why = page_of(body, None, path.removesuffix(".gz")) if is_manual else page_of(body, "text/html", url)
    if page is None:
        return {"url": url, "source": package, "path": path, "apart": why}
    category = "man_pages_cli_reference" if is_manual else "open_source_documentation"
    name = path.rsplit("/", 1)[-1].removesuffix(".gz").removesuffix(".en")
    kind = "" if is_manual else apart(name, page.generator, page.text, body)
    return {**row(page, url, package, category), "path": path, "apart": kind}
