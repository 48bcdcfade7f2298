"""Records of one input file: a WARC, an archive, a dump, an mbox, rows of a table; any other file is one itself."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from crawlers.bulk import mbox
from crawlers.bulk.archive import ArchivedFile, read_files, read_zip
from crawlers.bulk.left_out import LeftOut
from crawlers.bulk.unpack import FAULTS, SoundStream, chunks_of, unpacked
from crawlers.urls import canonical_url, doc_id
from pipelines import storage
from pipelines.extract.dumps import begins_with_dump, from_7z, from_posts, from_wiki
from pipelines.extract.latex.project import ENDINGS as LATEX_ENDINGS
from pipelines.extract.latex.project import documents
from pipelines.extract.licences import Repository, is_licence_file
from pipelines.extract.mail.reader import pack_thread
from pipelines.extract.packages import from_deb
from pipelines.extract.raw import NEVER, Broken, Raw
from pipelines.extract.readers import MAIL_TYPE
from pipelines.extract.responses import from_warc

__all__ = ["Broken", "Raw", "read_raw"]

MAX_WAITING_BYTES = 64 * 1024 * 1024

_ARCHIVE = re.compile(r"\.(?:tar(?:\.(?:gz|bz2|xz|zst))?|tgz|zip)$", re.IGNORECASE)
_POSTS = re.compile(r"(?:^|[/._-])posts\.xml$", re.IGNORECASE)
_DUMP = re.compile(r"\.xml(?:\.(?:bz2|gz|xz|zst))?$", re.IGNORECASE)
_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,62}")


def read_raw(url: str, name: str, max_body_bytes: int, path: str = "") -> Iterator[Raw | Broken]:
    """The records of one file, in their order; its name tells the format, and where it tells none it is one record.

    path: the file's name without what is only ours, such as its path in a repository.
    """
    plain = name.removesuffix(".gz")
    ending = plain[plain.rfind(".") :].lower() if "." in plain else ""
    path = path or PurePosixPath(name).name
    if ending == ".warc":
        yield from from_warc(url, name, max_body_bytes)
    elif ending == ".parquet":
        yield from _from_rows(_whole(_parquet_rows(url)), name)
    elif ending in (".jsonl", ".ndjson"):
        yield from _from_rows(_whole(_json_rows(url)), name)
    elif _ARCHIVE.search(name):
        yield from _from_archive(url, name, path, max_body_bytes)
    elif _POSTS.search(plain):
        yield from from_posts(url, name, path)
    elif ending == ".mbox":
        yield from _from_mbox(url, name)
    elif ending == ".deb":
        yield from from_deb(url, name, path, max_body_bytes)
    elif ending == ".7z":
        yield from from_7z(url, name, path, max_body_bytes)
    elif _DUMP.search(name) and _is_wiki(url):
        yield from from_wiki(url, name, path)
    else:
        yield _from_file(url, name, path, max_body_bytes)


def _is_wiki(url: str) -> bool:
    with storage.open_input(url) as stream:
        return begins_with_dump(unpacked(stream))


def _from_file(url: str, name: str, path: str, max_body_bytes: int) -> Raw | Broken:
    """A file that is one record, unpacked where its name says that it is packed."""
    body = b""
    try:
        with storage.open_input(url) as stream:
            for chunk in unpacked(stream) if name.endswith(".gz") else chunks_of(stream):
                body += chunk
                if len(body) > max_body_bytes:
                    return Broken("", name, 0, "too_large", f"more than {max_body_bytes} bytes")
    except FAULTS as error:
        return Broken("", name, 0, "damaged_record", str(error))
    path = path.removesuffix(".gz")
    return Raw(doc_id("file:" + path), "", name, 0, storage.sha256(url), NEVER, body=body, name=path)


# ---------------------------------------------------------------- archives and dumps


def _from_archive(url: str, name: str, path: str, max_body_bytes: int) -> Iterator[Raw | Broken]:
    """The files of a repository; a file stands for itself whatever the archive is called.

    It is read twice: which licence a file is under may stand behind it.
    Of LaTeX, a document is one record, the files that it was written in put together. They wait for the end of the
    archive; beyond MAX_WAITING_BYTES of them, each further one is a record.
    """
    read = read_zip if name.lower().endswith(".zip") else read_files
    with storage.open_input(url) as stream:
        files = (each for each in read(stream, max_body_bytes) if isinstance(each, ArchivedFile))
        licences = Repository((each.path, each.body) for each in files if is_licence_file(each.path))

    def record(file: ArchivedFile, body: bytes) -> Raw:
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        identity = doc_id(f"file:{path}\0{file.path}")
        stated, page = licences.licence_of(file.path), canonical_url(file.page) or ""
        return Raw(identity, page, name, file.offset, digest, NEVER, licence=stated, body=body, name=file.path)

    latex: dict[str, ArchivedFile] = {}
    waiting = 0
    with storage.open_input(url) as stream:
        for each in read(stream, max_body_bytes):
            if isinstance(each, LeftOut):
                yield Broken("", name, each.offset, each.reason, each.detail)
            elif each.path.lower().endswith(LATEX_ENDINGS) and waiting + len(each.body) <= MAX_WAITING_BYTES:
                latex[each.path] = each
                waiting += len(each.body)
            else:
                yield record(each, each.body)
    for member, text in documents({member: each.body for member, each in latex.items()}):
        yield record(latex[member], text.encode("utf-8", "replace"))


def _from_mbox(url: str, name: str) -> Iterator[Raw | Broken]:
    """The threads of a mailing list; of one that is damaged, those of the messages before."""
    with (
        storage.open_input(url) as packed,
        tempfile.TemporaryDirectory() as work,
        tempfile.TemporaryFile() as messages,
    ):
        stream = SoundStream(unpacked(packed))
        shutil.copyfileobj(stream, messages)
        end = _last_message(messages) if stream.fault else 0
        if stream.fault:
            messages.truncate(end)
        for number, each in enumerate(mbox.read_threads([messages], Path(work))):
            body = pack_thread(each.messages)
            digest = "sha256:" + hashlib.sha256(body).hexdigest()
            yield Raw(doc_id(f"mail:{each.id}"), "", name, number, digest, NEVER, content_type=MAIL_TYPE, body=body)
        if stream.fault:
            yield Broken("", name, end, "damaged_archive", f"behind this place: {stream.fault}")


def _last_message(stream: BinaryIO) -> int:
    """Where the last message of an mbox begins: there is more of it than is there."""
    end = stream.seek(0, io.SEEK_END)
    start = stream.seek(max(0, end - MAX_WAITING_BYTES))
    return start + max(0, stream.read().rfind(b"\nFrom ") + 1)


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
    return Raw(str(identity), address or "", name, index, "", NEVER, body=text, columns=columns)


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
