"""A large file: streamed to disk, resumed where it broke off (RFC 9110, 13.1.5 and 14), checked, put in its place.

While it comes it has a hidden name, and a note beside it that tells of which version of which URL its bytes are.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crawlers.bulk.http_client import Exchange, Unavailable
from crawlers.frontier import Stored
from crawlers.http import Headers, header

#: More than any dump we know: Stack Overflow's posts have 20 GiB, the largest Wikipedia's pages 25.
MAX_FILE_BYTES = 256 << 30
_CHUNK = 1 << 20
_RANGE = re.compile(r"bytes (\d{1,15})-\d{1,15}/(?:\d{1,15}|\*)")


class Download:
    """The way of one URL's content into `directory/NAME`; a checksum is `ALGORITHM:HEX`."""

    def __init__(self, directory: Path, name: str, url: str, checksum: str | None) -> None:
        self._place = directory / name
        self._part = directory / f".{name}.part"
        self._note = directory / f".{name}.note"
        self._url = url
        self._checksum = checksum

    def request(self) -> Mapping[str, str]:
        """Header fields of the request: for the rest, where a beginning is here and can be told from another's."""
        plain = {"Accept-Encoding": "identity"}
        validator = self._noted().get("validator", "")
        size = self._size()
        if not size or not validator:
            return plain
        return {**plain, "Range": f"bytes={size}-", "If-Range": validator}

    def take(self, exchange: Exchange) -> Stored:
        """Stream the body to its place; raises Unavailable where it breaks off, or does not fit the checksum."""
        if not self._has_all(exchange):
            size = self._start(exchange)
            if size == 0:
                self._write_note(exchange.headers)
            if size + (exchange.length or 0) > MAX_FILE_BYTES:
                raise Unavailable("too_large", f"{size + (exchange.length or 0)} bytes")
            with self._part.open("ab") as stream:
                for chunk in exchange.chunks():
                    size += len(chunk)
                    if size > MAX_FILE_BYTES:
                        raise Unavailable("too_large", f"more than {MAX_FILE_BYTES} bytes")
                    stream.write(chunk)
        self._check()
        note = self._noted()
        return keep_file(self._part, self._place, self._url, note.get("content_type"), note.get("fetched_at"))

    def finished(self) -> Stored | None:
        """The file that is in its place already, and had no time to get into the index."""
        note = self._noted()
        if not self._place.is_file() or self._part.exists() or note.get("url") != self._url:
            return None
        return _stored(self._place, self._place, self._url, note.get("content_type"), note.get("fetched_at"))

    def forget(self) -> None:
        """The file is in the index: what was noted of its way is not needed any more."""
        self._note.unlink(missing_ok=True)

    def _size(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _has_all(self, exchange: Exchange) -> bool:
        """Whether the server says that nothing is missing of the version that is here in part."""
        complete = f"bytes */{self._size()}"
        return exchange.status == 416 and header(exchange.headers, "content-range") == complete

    def _start(self, exchange: Exchange) -> int:
        """The offset at which the body begins. Where the server does not go on, the beginning is given up."""
        if exchange.status == 200:
            return 0
        size = self._size()
        stated = _RANGE.match(header(exchange.headers, "content-range") or "")
        if exchange.status == 206 and stated and int(stated[1]) == size > 0:
            return size
        self._part.unlink(missing_ok=True)
        raise Unavailable(f"http_{exchange.status}", "not the range that was asked for", may_pass=True)

    def _check(self) -> None:
        if self._checksum is None:
            return
        algorithm, _, expected = self._checksum.partition(":")
        found = _digest(self._part, algorithm)
        if found != expected.lower():
            self._part.unlink()
            raise Unavailable("checksum_mismatch", f"{algorithm} is {found}, not {expected[:128]}", may_pass=True)

    def _write_note(self, headers: Headers) -> None:
        """Before the first byte: which version it is, if the server tells it apart from others."""
        tag = header(headers, "etag") or ""
        strong = tag if tag.startswith('"') and tag.isascii() else ""
        note = {
            "url": self._url,
            "validator": strong or header(headers, "last-modified") or "",
            "content_type": header(headers, "content-type"),
            "fetched_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._part.unlink(missing_ok=True)
        self._note.write_text(json.dumps(note), encoding="utf-8")

    def _noted(self) -> dict[str, Any]:
        """The note, if it is of this URL; a kill may have cut it short."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return note if isinstance(note, dict) and note.get("url") == self._url else {}


def keep_file(path: Path, place: Path, url: str, content_type: str | None, fetched_at: str | None = None) -> Stored:
    """Make a file durable, and move it to its place; there it is whole, or not at all."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
    stored = _stored(path, place, url, content_type, fetched_at)
    path.rename(place)
    directory = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return stored


def _stored(path: Path, place: Path, url: str, content_type: str | None, fetched_at: str | None) -> Stored:
    """The row in the index of the file at `path`, which is to lie at `place`."""
    return Stored(
        url=url,
        status=200,
        content_type=content_type,
        file=f"{place.parent.name}/{place.name}",
        offset=0,
        length=path.stat().st_size,
        digest=f"sha256:{_digest(path, 'sha256')}",
        fetched_at=fetched_at or datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _digest(path: Path, algorithm: str) -> str:
    """Hex digest of a file, read in pieces; raises Unavailable for an algorithm that is none of the known."""
    if algorithm not in ("sha256", "sha1", "md5", "sha512"):
        raise Unavailable("bad_checksum", f"unknown algorithm {algorithm[:40]}")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
