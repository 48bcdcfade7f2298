"""WARC files (ISO 28500:2017, WARC/1.1): a writer that survives a kill, a reader that survives damage."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from crawlers.content import dechunk, decode_body
from crawlers.http import Headers, header, joined_header, parse_fields, parse_head, split_message

GZIP_MAGIC = b"\x1f\x8b\x08"
#: Markup compresses about as well at 4 as at 6, in half the time.
_LEVEL = 4
_CHUNK = 1 << 18
_STEP = 1 << 14
_MAX_HEAD = 1 << 16
_RECORD_MAGIC = b"WARC/1."
#: What a record may have beyond its payload: WARC and HTTP head.
_OVERHEAD = 1 << 20
_DIGEST_ALGORITHMS = frozenset({"sha1", "sha256", "sha512", "md5"})
_PROFILE = "http://netpreserve.org/warc/1.1/revisit/"
NOT_MODIFIED = _PROFILE + "server-not-modified"
IDENTICAL = _PROFILE + "identical-payload-digest"


@dataclass(frozen=True, slots=True)
class Location:
    """Where a record lies: file name, byte offset and length of its gzip member; digest of its payload."""

    file: str
    offset: int
    length: int
    digest: str


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of a file that held no whole record: what was wrong with it, and where it begins."""

    file: str
    offset: int
    error: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """A response that is in the WARC already: the digest of its payload, and when it was fetched."""

    digest: str
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """One response as stored. `payload` has no transfer coding, and still has its content coding.

    `about` is what the crawler noted of it (a metadata record beside it). One that `is_revisit` has no payload of
    its own: the response that was stored earlier under the same URL and digest still stood at `fetched_at`.
    """

    url: str
    status: int
    headers: Headers
    content_type: str | None
    fetched_at: datetime
    file: str
    offset: int
    length: int
    digest: str
    payload: bytes
    about: Mapping[str, str] = field(default_factory=dict)
    is_revisit: bool = False

    def header(self, name: str) -> str | None:
        """The first value of an HTTP header, by its name in lower case."""
        return header(self.headers, name)

    def body(self, limit: int) -> bytes:
        """The payload without its Content-Encoding; raises BodyError above `limit` bytes, or if damaged."""
        return decode_body(self.payload, joined_header(self.headers, "content-encoding"), limit)


def record_of(
    url: str,
    fetched_at: datetime,
    location: Location,
    head: bytes,
    payload: bytes,
    about: Mapping[str, str] = MappingProxyType({}),
    is_revisit: bool = False,
) -> Record:
    """The record that reading back a written response will give; ValueError where the head is no head."""
    status, headers = parse_head(head)
    return Record(
        url=url,
        status=status,
        headers=headers,
        content_type=header(headers, "content-type"),
        fetched_at=fetched_at,
        file=location.file,
        offset=location.offset,
        length=location.length,
        digest=location.digest,
        payload=b"" if is_revisit else payload,
        about=about,
        is_revisit=is_revisit,
    )


# ---------------------------------------------------------------- writing


class WarcWriter:
    """Appends records to `00000.warc.gz`, `00001.warc.gz` … in a directory, none numbered below `first`.

    A file is closed when it has reached `warc_bytes`. On opening, what follows the last whole record
    of the last file (a write that a kill cut short) is cut off; of that file the first `whole` bytes
    are known to be good and are not read again.
    """

    def __init__(self, directory: Path, warc_bytes: int, whole: int = 0, first: int = 0) -> None:
        self._directory = directory
        self._warc_bytes = warc_bytes
        files = warc_files(directory)
        last = number_of(files[-1].name) if files else 0
        self._number = max(last, first)
        self._fd = -1
        self._open(whole if self._number == last else 0)

    @property
    def file(self) -> str:
        """Name of the file that is written now."""
        return f"{self._number:05d}.warc.gz"

    def append(
        self,
        url: str,
        fetched_at: datetime,
        head: bytes,
        body: bytes,
        about: Mapping[str, str] = MappingProxyType({}),
        request: bytes = b"",
        revisits: Earlier | None = None,
    ) -> tuple[Location, bytes]:
        """Store a response; its bytes have reached the operating system when this returns.

        `head` is the status line and the headers as received, `body` what followed, without transfer
        coding. `about` and `request` (as sent) become records that go before the response, in the same write. Where it
        `revisits` what is stored already, only its head is. Returns where the response lies, and the head as stored.
        """
        if self._size >= self._warc_bytes:
            self.close()
            self._number += 1
            self._open(0)
        stored_head = _head_to_store(head, len(body))
        digest = revisits.digest if revisits else _sha1(body)
        block = stored_head + b"\r\n\r\n" + (b"" if revisits else body)
        name = _record_id()
        target = ("WARC-Target-URI", url)
        before = b""
        if about:
            before = _beside(name, target, "metadata", "application/warc-fields", fetched_at, _fields_block(about))
        if request:
            kind = "application/http; msgtype=request"
            before += _beside(name, target, "request", kind, fetched_at, request)
        fields = [("WARC-Type", "revisit" if revisits else "response"), target, ("WARC-Payload-Digest", digest)]
        if revisits:
            fields += [
                ("WARC-Profile", NOT_MODIFIED if _status_of(head) == b"304" else IDENTICAL),
                ("WARC-Refers-To-Target-URI", url),
                ("WARC-Refers-To-Date", _warc_date(revisits.fetched_at)),
            ]
        fields.append(("Content-Type", "application/http; msgtype=response"))
        offset = self._size + len(before)
        member = _member(fields, fetched_at, block, name)
        self._write(before + member)
        return Location(self.file, offset, len(member), digest), stored_head

    def close(self) -> None:
        """Make the file durable and close it."""
        if self._fd >= 0:
            os.fsync(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _open(self, whole: int) -> None:
        path = self._directory / self.file
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._size = whole_length(path, whole)
        os.ftruncate(self._fd, self._size)
        if self._size == 0:
            fields = [
                ("WARC-Type", "warcinfo"),
                ("WARC-Filename", self.file),
                ("Content-Type", "application/warc-fields"),
            ]
            block = b"software: syscorpus\r\nformat: WARC File Format 1.1\r\n"
            self._write(_member(fields, datetime.now(UTC), block, _record_id()))

    def _write(self, members: bytes) -> None:
        """Append all of it or nothing: a disk that is full leaves the file as it was."""
        done = 0
        try:
            while done < len(members):
                done += os.write(self._fd, members[done:])
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += done


def warc_files(directory: Path) -> list[Path]:
    """The WARC files that a writer made in a directory, in the order of writing."""
    return sorted(path for path in directory.glob("*.warc.gz") if re.fullmatch(r"\d{5,}\.warc\.gz", path.name))


def number_of(name: str) -> int:
    """The number of a WARC file that a writer made, by its name."""
    return int(name.partition(".")[0])


def whole_length(path: Path, start: int = 0) -> int:
    """Bytes of a .warc.gz file up to the end of its last whole member; `start` is known to be an end."""
    end = start
    with path.open("rb") as stream:
        stream.seek(start)
        window = _Window(stream, start)
        while window.fill(1):
            try:
                _, length = _inflate(window, None)
            except _UnreadableError:
                window.drop(1)
                _resynchronise_gzip(window)
                continue
            window.drop(length)
            end = window.base
    return end


def _beside(
    response: str, target: tuple[str, str], kind: str, content_type: str, date: datetime, block: bytes
) -> bytes:
    """A record that belongs to a response, as a gzip member."""
    fields = [("WARC-Type", kind), target, ("WARC-Concurrent-To", response), ("Content-Type", content_type)]
    return _member(fields, date, block, _record_id())


def _fields_block(fields: Mapping[str, str]) -> bytes:
    """An application/warc-fields block; a value keeps to its line."""
    lines = (f"{name}: {' '.join(value.split())}\r\n" for name, value in fields.items())
    return "".join(lines).encode("utf-8", "replace")


def _record_id() -> str:
    return f"<urn:uuid:{uuid.uuid4()}>"


def _warc_date(date: datetime) -> str:
    """A date as WARC/1.1 writes it (W3C profile of ISO 8601), with the fraction of a second that it has."""
    return date.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _status_of(head: bytes) -> bytes:
    return head[:32].partition(b" ")[2].strip()[:3]


def _member(fields: list[tuple[str, str]], date: datetime, block: bytes, name: str) -> bytes:
    lines = [
        "WARC/1.1",
        *(f"{field}: {value}" for field, value in fields),
        f"WARC-Date: {_warc_date(date)}",
        f"WARC-Record-ID: {name}",
        f"WARC-Block-Digest: {_sha1(block)}",
        f"Content-Length: {len(block)}",
    ]
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
    head = ("\r\n".join(lines) + "\r\n\r\n").encode()
    return b"".join(
        (
            compressor.compress(head),
            compressor.compress(block),
            compressor.compress(b"\r\n\r\n"),
            compressor.flush(),
        )
    )


def _head_to_store(head: bytes, body_length: int) -> bytes:
    """The head with headers that describe the body as stored: no transfer coding, the right length.

    What they said on the wire is kept under `X-Archive-Orig-` names, as web archives do.
    """
    status_line, *lines = head.replace(b"\r\n", b"\n").strip(b"\n").split(b"\n")
    kept = [status_line]
    length_stands = False
    for line in lines:
        name, _, value = line.partition(b":")
        lowered = name.strip().lower()
        if lowered == b"transfer-encoding":
            line = b"X-Archive-Orig-" + line
        elif lowered == b"content-length":
            if value.strip() == str(body_length).encode() and not length_stands:
                length_stands = True
            else:
                line = b"X-Archive-Orig-" + line
        # An empty line would end the head early.
        if line.strip():
            kept.append(line)
    if not length_stands:
        kept.append(b"Content-Length: %d" % body_length)
    return b"\r\n".join(kept)


# ---------------------------------------------------------------- reading


class _UnreadableError(Exception):
    """The bytes at the window are no whole record.

    `own`: how many of them surely belong to it, so that the next record begins right behind them;
    None where that is not known and the next record has to be searched for.
    """

    def __init__(self, error: str, own: int | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.own = own


class _Window:
    """The bytes of a stream from offset `base` on, as far as they have been read and not dropped."""

    def __init__(self, stream: BinaryIO, base: int = 0) -> None:
        self._stream = stream
        self._ended = False
        self.base = base
        self.data = bytearray()

    def fill(self, count: int) -> bool:
        """Read until `count` bytes are there; False where the stream ends before."""
        while len(self.data) < count and not self._ended:
            chunk = self._stream.read(max(_CHUNK, count - len(self.data)))
            self._ended = not chunk
            self.data += chunk
        return len(self.data) >= count

    def drop(self, count: int) -> None:
        """Forget the first `count` bytes."""
        del self.data[:count]
        self.base += count


def read_records(stream: BinaryIO, name: str, max_bytes: int, start: int = 0) -> Iterator[Record | Damage]:
    """Every response, revisit and resource record of a .warc or .warc.gz file, and every damage to it.

    The first bytes decide whether the file is compressed, one gzip member a record. After damage,
    reading goes on at the next record that can be recognised: a damaged record costs itself alone, and
    gives one Damage. A record whose digest does not fit its payload is a Damage, one with more than
    `max_bytes` of payload is Damage('too_large'). Request and warcinfo records are skipped; what a metadata record says
    goes with the response that follows it. `name` is what the results call the file, `start` the offset in it at which
    the stream begins. Memory: about one record.
    """
    window = _Window(stream, start)
    window.fill(len(GZIP_MAGIC))
    compressed = window.data.startswith(GZIP_MAGIC[:2])
    next_record = _inflate if compressed else _cut
    noted = _About("", {})
    while window.fill(1):
        offset = window.base
        try:
            raw, length = next_record(window, max_bytes + _OVERHEAD)
            found = _parse_record(raw, Location(name, offset, length, ""), max_bytes)
        except _UnreadableError as unreadable:
            yield Damage(name, offset, unreadable.error)
            if unreadable.own is not None:
                window.drop(unreadable.own)
            else:
                window.drop(1)
                (_resynchronise_gzip if compressed else _resynchronise_plain)(window)
            continue
        window.drop(length)
        if isinstance(found, _About):
            noted = found
        elif found is not None:
            own_id, record = found
            yield replace(record, about=noted.fields) if noted.response == own_id else record


def _inflate(window: _Window, limit: int | None) -> tuple[bytes, int]:
    """The content of the gzip member at the window, and its compressed length.

    With no limit the content is checked and not kept, and the member is dropped from the window.
    """
    if not window.fill(len(GZIP_MAGIC)) or not window.data.startswith(GZIP_MAGIC):
        raise _UnreadableError("not a gzip member")
    decoder = zlib.decompressobj(31)
    parts: list[bytes] = []
    position = size = 0
    while not decoder.eof:
        if not window.fill(position + 1):
            raise _UnreadableError("truncated")
        piece = bytes(window.data[position : position + _STEP])
        try:
            part = decoder.decompress(piece, _CHUNK)
        except zlib.error as error:
            raise _UnreadableError(f"gzip: {error}") from None
        position += _consumed(decoder, piece)
        if limit is None:
            window.drop(position)
            position = 0
            continue
        parts.append(part)
        size += len(part)
        if size > limit:
            raise _UnreadableError("too_large", _skip_member(window, decoder, position, 16 * limit))
    return b"".join(parts), position


def _consumed(decoder: zlib._Decompress, piece: bytes) -> int:
    """How much of the piece just given the decoder has used. At the end of a member zlib may repeat
    the unused rest in `unconsumed_tail`, so that only one of the two counts."""
    return len(piece) - len(decoder.unused_data if decoder.eof else decoder.unconsumed_tail)


def _skip_member(window: _Window, decoder: zlib._Decompress, position: int, budget: int) -> int | None:
    """Drop the rest of a member that is too large to keep, if it inflates to less than `budget` bytes.

    To search its bytes for the next record instead could find one inside it, which whoever wrote the
    page has put there. Returns 0, or None where the next record has to be searched for after all.
    """
    window.drop(position)
    while not decoder.eof:
        if budget <= 0 or not window.fill(1):
            return None
        piece = bytes(window.data[:_STEP])
        try:
            budget -= len(decoder.decompress(piece, _CHUNK))
        except zlib.error:
            return None
        window.drop(_consumed(decoder, piece))
    return 0


def _resynchronise_gzip(window: _Window) -> None:
    """Drop bytes up to the next gzip member that begins a WARC record, or to the end of the stream."""
    while window.fill(len(GZIP_MAGIC)):
        at = window.data.find(GZIP_MAGIC)
        if at < 0:
            window.drop(len(window.data) - len(GZIP_MAGIC) + 1)
            continue
        window.drop(at)
        window.fill(1 << 12)
        try:
            begin = zlib.decompressobj(31).decompress(bytes(window.data[: 1 << 12]), 16)
        except zlib.error:
            begin = b""
        if begin.startswith(_RECORD_MAGIC):
            return
        window.drop(1)
    window.drop(len(window.data))


def _cut(window: _Window, limit: int) -> tuple[bytes, int]:
    """The record at the window of a file that is not compressed, and its length with the lines after it."""
    window.fill(_MAX_HEAD)
    if not window.data.startswith(_RECORD_MAGIC):
        raise _UnreadableError("no WARC record")
    head_end = window.data.find(b"\r\n\r\n", 0, _MAX_HEAD)
    if head_end < 0:
        raise _UnreadableError("no end of the WARC head")
    length = _content_length(bytes(window.data[:head_end]))
    if length > limit:
        raise _UnreadableError("too_large", _skip_bytes(window, head_end + 4 + length, 16 * limit))
    end = head_end + 4 + length
    if not window.fill(end):
        raise _UnreadableError("truncated")
    window.fill(end + 4 + len(_RECORD_MAGIC))
    if window.data[end : end + 4] == b"\r\n\r\n":
        return bytes(window.data[:end]), end + 4
    follows = window.data[end : end + 4 + len(_RECORD_MAGIC)]
    newlines = len(follows) - len(follows.lstrip(b"\r\n"))
    if follows[newlines:] and not follows[newlines:].startswith(_RECORD_MAGIC):
        raise _UnreadableError("bad_content_length")
    return bytes(window.data[:end]), end + newlines


def _skip_bytes(window: _Window, count: int, budget: int) -> int | None:
    if count > budget:
        return None
    while count and window.fill(1):
        step = min(count, len(window.data))
        window.drop(step)
        count -= step
    window.fill(4)
    return len(window.data[:4]) - len(window.data[:4].lstrip(b"\r\n"))


def _resynchronise_plain(window: _Window) -> None:
    """Drop bytes up to the next line that begins a WARC record, or to the end of the stream."""
    sought = b"\n" + _RECORD_MAGIC
    while window.fill(len(sought)):
        at = window.data.find(sought)
        if at >= 0:
            window.drop(at + 1)
            return
        window.drop(len(window.data) - len(sought) + 1)
    window.drop(len(window.data))


def _content_length(head: bytes) -> int:
    value = header(parse_fields(head.split(b"\n")[1:]), "content-length") or ""
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise _UnreadableError("no Content-Length")
    return int(value)


@dataclass(frozen=True, slots=True)
class _About:
    """What a metadata record says, and of which response, by its record id."""

    response: str
    fields: dict[str, str]


def _parse_record(raw: bytes, at: Location, max_bytes: int) -> tuple[str, Record] | _About | None:
    """The id and response in a whole WARC record, what it says of one, or None. Damage ends at its end."""
    try:
        fields, block = _split_record(raw)
        kind = fields.get("warc-type", "").lower()
        if kind == "metadata":
            return _About(fields.get("warc-concurrent-to", "-"), _fields_in(block))
        if kind not in ("response", "resource", "revisit"):
            return None
        record = _response(kind, fields, block, at, max_bytes)
        return (fields.get("warc-record-id", ""), record) if record else None
    except _UnreadableError as unreadable:
        raise _UnreadableError(unreadable.error, at.length) from None


def _fields_in(block: bytes) -> dict[str, str]:
    """What an application/warc-fields block says, by name as written."""
    pairs = (line.partition(":") for line in block.decode("utf-8", "replace").splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def _split_record(raw: bytes) -> tuple[dict[str, str], bytes]:
    """The named fields of a whole WARC record, by their names in lower case, and its block."""
    head, separator, rest = raw.partition(b"\r\n\r\n")
    if not separator or not head.startswith(_RECORD_MAGIC):
        raise _UnreadableError("no WARC record")
    fields = {name.lower(): value for name, value in reversed(parse_fields(head.split(b"\n")[1:]))}
    length = _content_length(head)
    if len(rest) < length or rest[length:].strip(b"\r\n"):
        raise _UnreadableError("bad_content_length")
    return fields, rest[:length]


def _response(kind: str, fields: dict[str, str], block: bytes, at: Location, max_bytes: int) -> Record | None:
    media_type = fields.get("content-type")
    if kind == "resource":
        status, headers, payload = 200, list[tuple[str, str]](), block
    elif (media_type or "").lower().startswith("application/http"):
        http_head, payload = split_message(block)
        try:
            status, headers = parse_head(http_head)
        except ValueError as error:
            raise _UnreadableError(str(error)) from None
        media_type = header(headers, "content-type")
    else:
        return None
    stated = fields.get("warc-payload-digest", "")
    if kind == "revisit":
        # What it revisits is known by the digest alone; a payload of its own is none to use.
        digest, payload = stated, b""
    else:
        whole = dechunk(payload) if "chunked" in joined_header(headers, "transfer-encoding").lower() else None
        digest = _checked_digest(stated, payload, whole)
        payload = payload if whole is None else whole
    if len(payload) > max_bytes:
        raise _UnreadableError("too_large")
    return Record(
        url=_target(fields),
        status=status,
        headers=headers,
        content_type=media_type,
        fetched_at=_date(fields),
        file=at.file,
        offset=at.offset,
        length=at.length,
        digest=digest,
        payload=payload,
        is_revisit=kind == "revisit",
    )


def _target(fields: dict[str, str]) -> str:
    url = fields.get("warc-target-uri", "").strip("<>")
    if not url:
        raise _UnreadableError("no WARC-Target-URI")
    return url


def _date(fields: dict[str, str]) -> datetime:
    try:
        date = datetime.fromisoformat(fields.get("warc-date", ""))
    except ValueError:
        raise _UnreadableError("no WARC-Date") from None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)


def _checked_digest(stated: str, payload: bytes, dechunked: bytes | None) -> str:
    """The stated payload digest, if it fits; tools differ on whether it is of the chunked payload."""
    algorithm, _, value = stated.partition(":")
    algorithm = algorithm.lower().replace("-", "")
    if algorithm not in _DIGEST_ALGORITHMS:
        return _sha1(payload)
    for candidate in (payload,) if dechunked is None else (payload, dechunked):
        digest = hashlib.new(algorithm, candidate, usedforsecurity=False)
        if value.upper() == _base32(digest.digest()) or value.lower() == digest.hexdigest():
            return stated
    raise _UnreadableError("digest does not fit the payload")


def payload_digest(payload: bytes) -> str:
    """The digest under which a writer stores a payload."""
    return _sha1(payload)


def _sha1(content: bytes) -> str:
    return "sha1:" + _base32(hashlib.sha1(content, usedforsecurity=False).digest())


def _base32(digest: bytes) -> str:
    return base64.b32encode(digest).decode()
