"""A whole local file to an object, so that it survives throttling, cut connections and `kill -9`.

A file goes in parts, several at once, each with a checksum that the server verifies; an object shows only when all of
it is there. Its SHA-256 is kept as metadata: an object that has it already is not sent again, and nobody need read an
object to know what it holds. Parts that a killed process has sent are found, and are not sent again.

That is so for `s3://` (`upload_s3.py`) and `az://` (`upload_azure.py`). A file for `gs://` goes in one stream of
Arrow's, whole: a killed export resumes file by file, and what is there is read to be known.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipelines.storage import StorageError

#: Bytes of a part; memory holds PARTS_AT_ONCE of them.
PART_BYTES = 16 << 20
PARTS_AT_ONCE = 4
#: One less than S3 takes: the last is for the mark. Larger files have larger parts.
MOST_PARTS = 9_999
#: Name of the metadata that holds the SHA-256 of the whole file, in hex.
RECORD = "sha256"

_Answer = TypeVar("_Answer")


class UploadError(StorageError):
    """An object that could not be sent, or told of, after all retries; the message names it and says why."""


@dataclass(frozen=True)
class Chunk:
    """A run of bytes of a file that goes as one part. `number` counts from 1; `sha256` is of its bytes."""

    number: int
    offset: int
    size: int
    sha256: bytes


@dataclass(frozen=True)
class Content:
    """A file as it was read: its size, its SHA-256 (hex), and its chunks in order."""

    path: Path
    size: int
    sha256: str
    chunks: tuple[Chunk, ...]

    def read(self, chunk: Chunk) -> bytes:
        """The bytes of a chunk."""
        with self.path.open("rb") as stream:
            return os.pread(stream.fileno(), chunk.size, chunk.offset)


@dataclass(frozen=True)
class Record:
    """What is known of an object without reading it; `sha256` (hex) is None where we did not send it."""

    size: int
    sha256: str | None


def read_content(path: Path) -> Content:
    """Reads a file once. Where its chunks lie follows from its size alone, so that a later process cuts the same."""
    size = path.stat().st_size
    step = max(PART_BYTES, -(-size // MOST_PARTS))
    whole = hashlib.sha256()
    chunks: list[Chunk] = []
    with path.open("rb") as stream:
        for offset in range(0, size, step):
            piece = stream.read(step)
            whole.update(piece)
            chunks.append(Chunk(len(chunks) + 1, offset, len(piece), hashlib.sha256(piece).digest()))
    return Content(path, sum(chunk.size for chunk in chunks), whole.hexdigest(), tuple(chunks))


def upload(path: Path, url: str) -> None:
    """Puts a local file at an `s3://` or `az://` URL, whole, unless it is there. Raises UploadError."""
    content = read_content(path)
    wanted = Record(content.size, content.sha256)
    if record(url) == wanted:
        return
    bucket, key = _place(url)
    if url.startswith("s3://"):
        from pipelines import upload_s3

        upload_s3.send(content, bucket, key)
    else:
        from pipelines import upload_azure

        upload_azure.send(content, bucket, key)
    if record(url) != wanted:
        raise UploadError(f"{url}: is not what was sent: {record(url)}, not {wanted}; did somebody else write it?")


def record(url: str) -> Record | None:
    """What is known of an `s3://` or `az://` object, None where there is none. Raises UploadError."""
    bucket, key = _place(url)
    if url.startswith("s3://"):
        from pipelines import upload_s3

        return upload_s3.record(bucket, key)
    from pipelines import upload_azure

    return upload_azure.record(bucket, key)


def remove(url: str) -> None:
    """Deletes an `s3://` or `az://` object, in one request; it may be gone already. Raises UploadError.

    Arrow would take a lease of a blob first, which a killed process leaves behind, and make S3 directories.
    """
    bucket, key = _place(url)
    if url.startswith("s3://"):
        from pipelines import upload_s3

        upload_s3.remove(bucket, key)
        return
    from pipelines import upload_azure

    upload_azure.remove(bucket, key)


def abort_unfinished(url: str) -> None:
    """Gives up what killed processes had begun to send below an `s3://` URL, which would be paid for until removed.

    Azure forgets uncommitted blocks after a week by itself.
    """
    if url.startswith("s3://"):
        from pipelines import upload_s3

        upload_s3.abort_unfinished(*_place(url.rstrip("/") + "/"))


def _place(url: str) -> tuple[str, str]:
    """Bucket and key of a URL."""
    bucket, _, key = url.partition("://")[2].partition("/")
    return bucket, key


def send_at_once(send: Callable[[Chunk], _Answer], chunks: Iterable[Chunk]) -> list[_Answer]:
    """Sends chunks, some at a time, and returns the answers in their order. The first error stops what is not begun."""
    pool = ThreadPoolExecutor(PARTS_AT_ONCE)
    try:
        return list(pool.map(send, chunks))
    finally:
        pool.shutdown(cancel_futures=True)
