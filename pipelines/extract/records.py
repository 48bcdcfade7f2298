"""Records of one input file, whatever its format: WARC, a page on disk, or rows of Parquet or JSON lines."""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from crawlers.content import BodyError
from crawlers.optout import header_signals
from crawlers.urls import canonical_url, doc_id
from crawlers.warc import Damage, Record, read_records
from pipelines import storage

_PAGE_TYPES = {".html": "text/html", ".htm": "text/html", ".xhtml": "application/xhtml+xml"}
_TEXT_TYPES = {".md": "text/markdown", ".txt": "text/plain"}
_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,62}")
_NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Raw:
    """One record, ready to be extracted. `row` is its offset or row number in `file`.

    `columns` are what a row of a table brought along beside its text; then `body` is the text itself.
    """

    doc_id: str
    url: str
    file: str
    row: int
    digest: str
    fetched_at: datetime
    status: int = 200
    content_type: str | None = None
    opt_out: tuple[str, ...] = ()
    body: bytes = b""
    columns: Mapping[str, Any] | None = field(default=None)


@dataclass(frozen=True, slots=True)
class Broken:
    """A record that cannot be read: it goes to quarantine with this reason."""

    url: str
    file: str
    row: int
    reason: str
    detail: str


def read_raw(url: str, name: str, max_body_bytes: int) -> Iterator[Raw | Broken]:
    """The records of one file, in their order; its ending tells the format. Raises StorageError for another ending."""
    plain = name.removesuffix(".gz")
    ending = plain[plain.rfind(".") :].lower() if "." in plain else ""
    if ending == ".warc":
        yield from _from_warc(url, name, max_body_bytes)
    elif ending == ".parquet":
        yield from _from_rows(_whole(_parquet_rows(url)), name)
    elif ending in (".jsonl", ".ndjson"):
        yield from _from_rows(_whole(_json_rows(url)), name)
    elif ending in _PAGE_TYPES or ending in _TEXT_TYPES:
        yield _from_page(url, name, (_PAGE_TYPES | _TEXT_TYPES)[ending])
    else:
        raise storage.StorageError(
            f"{url}: no reader for {ending or 'a name without ending'}; known are .warc .parquet .jsonl .html .md .txt"
        )


def _from_warc(url: str, name: str, max_body_bytes: int) -> Iterator[Raw | Broken]:
    with storage.open_input(url) as stream:
        for record in read_records(stream, name, max_bytes=2 * max_body_bytes):
            if isinstance(record, Damage):
                yield Broken("", name, record.offset, "damaged_record", record.error)
            else:
                yield _from_record(record, name, max_body_bytes)


def _from_record(record: Record, name: str, max_body_bytes: int) -> Raw | Broken:
    address = canonical_url(record.url)
    if address is None:
        return Broken(record.url, name, record.offset, "not_a_url", "the target of the record is not an http URL")
    try:
        body = record.body(max_body_bytes) if record.status == 200 else b""
    except BodyError as error:
        return Broken(address, name, record.offset, error.reason, error.detail)
    return Raw(
        doc_id=doc_id(address),
        url=address,
        file=name,
        row=record.offset,
        digest=record.digest,
        fetched_at=record.fetched_at,
        status=record.status,
        content_type=record.content_type,
        opt_out=header_signals(record.headers),
        body=body,
    )


def _from_page(url: str, name: str, content_type: str) -> Raw | Broken:
    content = storage.read_bytes(url)
    try:
        body = gzip.decompress(content) if name.endswith(".gz") else content
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        return Broken("", name, 0, "damaged_record", str(error))
    return Raw(doc_id("file:" + name), "", name, 0, storage.sha256(url), _NEVER, content_type=content_type, body=body)


# ---------------------------------------------------------------- rows of text


def _from_rows(rows: Iterator[tuple[int, dict[str, Any] | str]], name: str) -> Iterator[Raw | Broken]:
    for index, row in rows:
        if isinstance(row, str):
            yield Broken("", name, index, "malformed_row", row)
        elif not isinstance(row.get("text"), str):
            yield Broken("", name, index, "no_text_column", "a row needs a column `text` with a string")
        else:
            yield _from_row(row, name, index)


def _from_row(row: dict[str, Any], name: str, index: int) -> Raw | Broken:
    wrong = [column for column, fits in _COLUMNS.items() if row.get(column) is not None and not fits(row[column])]
    if wrong:
        return Broken("", name, index, "malformed_row", f"column {wrong[0]}: not a value of that column")
    text = row.pop("text").encode("utf-8", "replace")
    address = canonical_url(row["url"]) if row.get("url") else None
    given = row.get("doc_id") or row.get("id")
    identity = given if _is_doc_id(given) else doc_id(address or f"{given or ''}\0{text.decode()}")
    return Raw(str(identity), address or "", name, index, "", _NEVER, body=text, columns=row)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(_is_text(each) for each in value)


# What a row may bring along, and how its values look. Category and source become names of directories.
_COLUMNS: dict[str, Callable[[Any], bool]] = {
    "url": _is_text,
    "source": lambda value: isinstance(value, str) and bool(_NAME.fullmatch(value)),
    "category": lambda value: isinstance(value, str) and bool(_NAME.fullmatch(value)),
    "licence": _is_text,
    "licence_evidence": _is_text,
    "language": _is_text,
    "title": _is_text,
    "kind": _is_text,
    "opt_out": _are_texts,
    "parents": _are_texts,
}


def _is_doc_id(value: object) -> bool:
    return isinstance(value, str) and len(value) == 32 and set(value) <= set("0123456789abcdef")


def _whole(rows: Iterator[tuple[int, dict[str, Any] | str]]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """The rows up to where a file is damaged, and then one that says so."""
    index = -1
    try:
        for index, row in rows:
            yield index, row
    except (pa.ArrowInvalid, EOFError, gzip.BadGzipFile, zlib.error) as error:
        yield index + 1, f"the file is damaged from here on: {error}"


def _parquet_rows(url: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    with storage.open_input(url) as stream:
        index = 0
        for batch in pq.ParquetFile(stream).iter_batches(batch_size=256):
            for row in _rows_of(batch):
                yield index, row
                index += 1


def _rows_of(batch: pa.RecordBatch) -> list[dict[str, Any] | str]:
    """Rows of a batch; the error in the place of one whose strings are no UTF-8."""
    try:
        return list(batch.to_pylist())
    except UnicodeDecodeError as error:
        if batch.num_rows == 1:
            return [str(error)]
    return [row for index in range(batch.num_rows) for row in _rows_of(batch.slice(index, 1))]


def _json_rows(url: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    with storage.open_input(url) as stream:
        raw = io.BufferedReader(stream)
        lines = gzip.GzipFile(fileobj=raw) if url.endswith(".gz") else raw
        for index, line in enumerate(iter(lines.readline, b"")):
            try:
                row = json.loads(line)
                yield (
                    index,
                    row if isinstance(row, dict) else f"a line holds {type(row).__name__}, not an object",
                )
            except ValueError as error:
                yield index, str(error)
