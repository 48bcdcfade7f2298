"""Records of one input file: a WARC, an archive, a dump, an mbox, rows of a table; any other file is one itself."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from crawlers.bulk import mbox, mediawiki, stackexchange
from crawlers.bulk.archive import ArchivedFile, read_files
from crawlers.bulk.left_out import LeftOut
from crawlers.content import BodyError
from crawlers.optout import header_signals
from crawlers.urls import canonical_url, doc_id
from crawlers.warc import Damage, Record, read_records
from pipelines import storage
from pipelines.extract.latex.project import ENDINGS as LATEX_ENDINGS
from pipelines.extract.latex.project import documents
from pipelines.extract.licences import NOT_STATED, Repository, Stated, is_licence_file
from pipelines.extract.mail.reader import pack_thread
from pipelines.extract.readers import MAIL_TYPE, QUESTIONS_TYPE, WIKITEXT_TYPE

MAX_WAITING_BYTES = 64 * 1024 * 1024

_ARCHIVE = re.compile(r"\.(?:tar(?:\.(?:gz|bz2|xz|zst))?|tgz)$", re.IGNORECASE)
_POSTS = re.compile(r"(?:^|[/._-])posts\.xml$", re.IGNORECASE)
_POSTS_NAME = re.compile(r"posts(?=\.xml(?:\.gz)?$)", re.IGNORECASE)
_DUMP = re.compile(r"\.xml(?:\.bz2)?$", re.IGNORECASE)
_DUMP_HEAD = b"<mediawiki"
_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,62}")
_NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Raw:
    """One record, ready to be extracted. `row` is its offset or row number in `file`.

    `name` is what a reader may know of where it lay: its URL, or its path in a repository. `licence` is what the
    licence files of its repository say. `columns` are what a row
    of a table brought along beside its text; then `body` is the text itself.
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
    licence: Stated = NOT_STATED
    body: bytes = b""
    name: str = ""
    columns: Mapping[str, Any] | None = field(default=None)


@dataclass(frozen=True, slots=True)
class Broken:
    """A record that cannot be read: it goes to quarantine with this reason."""

    url: str
    file: str
    row: int
    reason: str
    detail: str


def read_raw(url: str, name: str, max_body_bytes: int, path: str = "") -> Iterator[Raw | Broken]:
    """The records of one file, in their order; its name tells the format, and where it tells none it is one record.

    path: the file's name without what is only ours, such as its path in a repository.
    """
    plain = name.removesuffix(".gz")
    ending = plain[plain.rfind(".") :].lower() if "." in plain else ""
    path = path or PurePosixPath(name).name
    if ending == ".warc":
        yield from _from_warc(url, name, max_body_bytes)
    elif ending == ".parquet":
        yield from _from_rows(_whole(_parquet_rows(url)), name)
    elif ending in (".jsonl", ".ndjson"):
        yield from _from_rows(_whole(_json_rows(url)), name)
    elif _ARCHIVE.search(name):
        yield from _from_archive(url, name, path, max_body_bytes)
    elif _POSTS.search(plain):
        yield from _from_posts(url, name, path)
    elif ending == ".mbox":
        yield from _from_mbox(url, name)
    elif _DUMP.search(name) and _begins_with_dump(url):
        yield from _from_wiki(url, name, path)
    else:
        yield _from_file(url, name, path)


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
        name=address,
    )


def _from_file(url: str, name: str, path: str) -> Raw | Broken:
    content = storage.read_bytes(url)
    try:
        body = gzip.decompress(content) if name.endswith(".gz") else content
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        return Broken("", name, 0, "damaged_record", str(error))
    path = path.removesuffix(".gz")
    return Raw(doc_id("file:" + path), "", name, 0, storage.sha256(url), _NEVER, body=body, name=path)


# ---------------------------------------------------------------- archives and dumps


def _from_archive(url: str, name: str, path: str, max_body_bytes: int) -> Iterator[Raw | Broken]:
    """The files of a repository; a file stands for itself whatever the archive is called.

    It is read twice: which licence a file is under may stand behind it.
    Of LaTeX, a document is one record, the files that it was written in put together. They wait for the end of the
    archive; beyond MAX_WAITING_BYTES of them, each further one is a record.
    """

    with storage.open_input(url) as stream:
        files = (each for each in read_files(stream, max_body_bytes) if isinstance(each, ArchivedFile))
        licences = Repository((each.path, each.body) for each in files if is_licence_file(each.path))

    def record(member: str, offset: int, body: bytes) -> Raw:
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        identity = doc_id(f"file:{path}\0{member}")
        stated = licences.licence_of(member)
        return Raw(identity, "", name, offset, digest, _NEVER, licence=stated, body=body, name=member)

    latex: dict[str, ArchivedFile] = {}
    waiting = 0
    with storage.open_input(url) as stream:
        for each in read_files(stream, max_body_bytes):
            if isinstance(each, LeftOut):
                yield Broken("", name, each.offset, each.reason, each.detail)
            elif each.path.lower().endswith(LATEX_ENDINGS) and waiting + len(each.body) <= MAX_WAITING_BYTES:
                latex[each.path] = each
                waiting += len(each.body)
            else:
                yield record(each.path, each.offset, each.body)
    for member, text in documents({member: each.body for member, each in latex.items()}):
        yield record(member, latex[member].offset, text.encode("utf-8", "replace"))


def _from_posts(url: str, name: str, path: str) -> Iterator[Raw | Broken]:
    """The threads of a Stack Exchange dump; `Comments.xml` and `Users.xml` beside `Posts.xml` are read along."""
    with ExitStack() as open_files:
        work = Path(open_files.enter_context(tempfile.TemporaryDirectory()))
        streams = []
        for table in ("Posts", "Comments", "Users"):
            beside = _POSTS_NAME.sub(table.lower() if url.endswith("posts.xml") else table, url)
            exists = table == "Posts" or (beside != url and storage.exists(beside))
            streams.append(open_files.enter_context(_opened(url if table == "Posts" else beside)) if exists else None)
        posts, comments, users = streams
        assert posts is not None
        for number, each in enumerate(stackexchange.read_threads(posts, work, comments, users)):
            if isinstance(each, LeftOut):
                yield Broken("", name, each.offset, each.reason, each.detail)
                continue
            body = each.payload()
            identity = doc_id(f"stackexchange:{path}\0{each.question.id}")
            digest = "sha256:" + hashlib.sha256(body).hexdigest()
            yield Raw(
                identity, "", name, number, digest, _NEVER, content_type=QUESTIONS_TYPE, body=body, name=each.title
            )


def _from_mbox(url: str, name: str) -> Iterator[Raw | Broken]:
    """The threads of a mailing list."""
    with tempfile.TemporaryDirectory() as work, _opened(url) as stream:
        for number, each in enumerate(mbox.read_threads([stream], Path(work))):
            body = pack_thread(each.messages)
            digest = "sha256:" + hashlib.sha256(body).hexdigest()
            yield Raw(doc_id(f"mail:{each.id}"), "", name, number, digest, _NEVER, content_type=MAIL_TYPE, body=body)


def _from_wiki(url: str, name: str, path: str) -> Iterator[Raw | Broken]:
    """The pages of a MediaWiki dump."""
    with storage.open_input(url) as stream:
        for each in mediawiki.read_pages(stream):
            if isinstance(each, LeftOut):
                yield Broken("", name, each.offset, each.reason, each.detail)
                continue
            body = each.wikitext.encode("utf-8", "replace")
            identity = doc_id(f"wiki:{path}\0{each.title}")
            digest = "sha256:" + hashlib.sha256(body).hexdigest()
            yield Raw(
                identity, "", name, each.offset, digest, _NEVER, content_type=WIKITEXT_TYPE, body=body, name=each.title
            )


def _begins_with_dump(url: str) -> bool:
    with storage.open_input(url) as stream:
        head = stream.read(1 << 16)
    if url.endswith(".bz2"):
        try:
            head = bz2.BZ2Decompressor().decompress(head, 4096)
        except OSError:
            return False
    return _DUMP_HEAD in head[:4096]


@contextmanager
def _opened(url: str) -> Iterator[BinaryIO]:
    """A file as a seekable stream: a local copy where it lies elsewhere or is packed."""
    with storage.open_input(url) as stream, tempfile.TemporaryFile() as local:
        raw = io.BufferedReader(stream)
        shutil.copyfileobj(gzip.GzipFile(fileobj=raw) if url.endswith(".gz") else raw, local)
        local.seek(0)
        yield local


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
    text = row["text"].encode("utf-8", "replace")
    columns = {column: row[column] for column in _COLUMNS if column in row}
    address = canonical_url(row["url"]) if row.get("url") else None
    given = row.get("doc_id") or row.get("id")
    identity = given if _is_doc_id(given) else doc_id(address or f"{given or ''}\0{text.decode()}")
    return Raw(str(identity), address or "", name, index, "", _NEVER, body=text, columns=columns)


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
    "date": _is_text,
    "authors": _are_texts,
    "canonical": _is_text,
    "licence_stated": _is_text,
    "method": _is_text,
    "generator": _is_text,
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
