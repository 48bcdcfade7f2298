"""Real files of every category, as their authors published them: do the quality rules let them pass?

The directory holds `index.csv` and `CATEGORY/SOURCE.tar.gz`. Licences beside the files are no documents. A file is of
`prose`, or of `code`: code, logs, rules and queries, as its format tells; chats are logs.
"""

from __future__ import annotations

import csv
import re
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.extract.packages import Log
from benchmarks.filter.documents import page_of, row
from manifests.load import generators_digest, load_categories
from manifests.models import ExtractSettings
from pipelines.extract.page import Page
from pipelines.extract.records import Broken, Raw, read_raw
from pipelines.extract.stage import STAGE as EXTRACT
from pipelines.schema import DOCUMENT

SAMPLE = 2  # raise it when the same files would give other rows
PROSE, CODE = "prose", "code"

_LICENCE = re.compile(r"(?:^|/)(?:LICEN[CS]E|COPYING|NOTICE|PATENTS)[^/]*$", re.IGNORECASE)
_POSTS = "Posts.xml"
_LOGS = ("developer_forums",)
_CODE_METHODS = ("source",)
_LOG_ENDINGS = (".log", ".log.txt")
_MAX_BYTES = ExtractSettings().max_body_bytes

SCHEMA = pa.schema([*DOCUMENT, ("form", pa.string()), ("unread", pa.string())])


def load(data: Path, cache_directory: Path, log: Log) -> pa.Table:
    """The files with SCHEMA's columns; `unread` says why a file made no document. An empty table without the data."""
    if not (data / "index.csv").is_file():
        log(f"skipped the real files: there are none in {data}")
        return SCHEMA.empty_table()
    place = cache_directory / "filter" / "real.parquet"
    key = f"{SAMPLE} {EXTRACT.version} {generators_digest()} {(data / 'index.csv').stat().st_mtime_ns}"
    if place.exists():
        kept = pq.read_table(place)
        if (kept.schema.metadata or {}).get(b"key") == key.encode():
            return kept.replace_schema_metadata(None)
    rows: list[dict[str, Any]] = []
    for category, source, archive in _archives(data):
        rows += _source(category, source, archive)
        log(f"extracted {source}")
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    place.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata({"key": key}), place, compression="zstd")
    return table


def is_document(table: pa.Table) -> pa.Table:
    """The files that made a document."""
    return table.filter(pa.array([not why for why in table["unread"].to_pylist()], pa.bool_()))


def unread(table: pa.Table) -> dict[str, int]:
    """How many files made no document, by reason."""
    return dict(sorted(Counter(why for why in table["unread"].to_pylist() if why).items()))


def _archives(data: Path) -> Iterator[tuple[str, str, Path]]:
    categories = set(load_categories())
    with (data / "index.csv").open(encoding="utf-8", newline="") as stream:
        for line in csv.DictReader(stream):
            if line["category"] in categories and line["path"].endswith(".tar.gz"):
                yield line["category"], line["source_id"], data / line["path"]


def _source(category: str, source: str, archive: Path) -> list[dict[str, Any]]:
    rows = []
    for raw in _records(archive):
        if isinstance(raw, Broken):
            rows.append({"url": f"{source}/{raw.row}", "source": source, "category": category, "unread": raw.reason})
        elif not _LICENCE.search(raw.name):
            rows.append(_row(raw, category, source))
    return rows


def _records(archive: Path) -> Iterator[Raw | Broken]:
    """The records of an archive of a repository, or of the Stack Exchange dump that lies in one."""
    with tarfile.open(archive) as tar:
        dumps = [member for member in tar.getmembers() if member.isfile() and member.name.endswith("/" + _POSTS)]
        if dumps:
            with tempfile.TemporaryDirectory() as folder:
                stream = tar.extractfile(dumps[0])
                assert stream is not None
                (Path(folder) / _POSTS).write_bytes(stream.read())
                yield from read_raw(str(Path(folder) / _POSTS), _POSTS, _MAX_BYTES)
            return
    yield from read_raw(str(archive), archive.name, _MAX_BYTES)


def _row(raw: Raw, category: str, source: str) -> dict[str, Any]:
    url = f"{source}/{raw.name}"
    page, why = page_of(raw.body, raw.content_type, raw.name)
    if page is None:
        return {"url": url, "source": source, "category": category, "unread": why}
    return {**row(page, url, source, category), "form": form_of(page, category, raw.name), "unread": ""}


def form_of(page: Page, category: str, name: str) -> str:
    """Whether a file is prose, or code, a log, rules or queries."""
    is_log = category in _LOGS or name.lower().endswith(_LOG_ENDINGS)
    return CODE if is_log or page.method in _CODE_METHODS else PROSE
