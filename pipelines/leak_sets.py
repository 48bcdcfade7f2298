"""Evaluation sets in files: JSON Lines (also `.gz`) and Parquet, a prompt and an answer in named fields."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from filters.leaks import ItemSet
from pipelines import storage


class LeakSetError(Exception):
    """A file that holds no such set; the message names file, line (or row) and field."""


def read_set(name: str, url: str, prompt: str, answer: str | None) -> ItemSet:
    """The items of a file by the dotted names of their fields; numbers are read as text. Raises LeakSetError."""
    try:
        content = storage.read_bytes(url)
    except (OSError, storage.StorageError) as error:
        raise LeakSetError(f"{url}: cannot be read: {error}") from None
    prompts: list[str] = []
    answers: list[str | None] = []
    for where, row in _parquet_rows(url, content) if url.endswith(".parquet") else _json_rows(url, content):
        prompts.append(_text(row, prompt, where))
        answers.append(_text(row, answer, where) if answer is not None else None)
    if not prompts:
        raise LeakSetError(f"{url}: holds no items")
    return ItemSet(name, prompts, answers)


def _json_rows(url: str, content: bytes) -> Iterator[tuple[str, Any]]:
    try:
        data = gzip.decompress(content) if url.endswith(".gz") else content
    except (OSError, EOFError, zlib.error) as error:
        raise LeakSetError(f"{url}: not gzip: {error}") from None
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        where = f"{url}:{number}"
        try:
            yield where, json.loads(line)
        except (ValueError, RecursionError) as error:
            raise LeakSetError(f"{where}: not JSON: {error}") from None


def _parquet_rows(url: str, content: bytes) -> Iterator[tuple[str, Any]]:
    try:
        table = pq.read_table(io.BytesIO(content))
    except (pa.ArrowException, OSError) as error:
        raise LeakSetError(f"{url}: not Parquet: {str(error).splitlines()[0]}") from None
    for number, row in enumerate(table.to_pylist(), 1):
        yield f"{url}: row {number}", row


def _text(row: Any, field: str, where: str) -> str:
    """A field's text; a list of strings is read as lines."""
    value = row
    for part in field.split("."):
        if not isinstance(value, dict) or part not in value:
            raise LeakSetError(f"{where}: there is no field {field!r}")
        value = value[part]
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = "\n".join(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise LeakSetError(f"{where}: field {field!r} is no text")
    try:
        text = str(value)
        text.encode()
    except UnicodeEncodeError:
        raise LeakSetError(f"{where}: field {field!r} is not Unicode") from None
    return text
