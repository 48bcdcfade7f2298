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
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from crawlers.content import dechunk, decode_body
from crawlers.gzip_members import GZIP_MAGIC, RECORD_MAGIC, Inflated, Members, UnreadableError, Window
from crawlers.http import Headers, header, joined_header, parse_fields, parse_head, split_message

#: Markup compresses about as well at 4 as at 6, in half the time.
_LEVEL = 4
_MAX_HEAD = 1 << 16
#: What a record may have beyond its payload: WARC and HTTP head.
_OVERHEAD = 1 << 20
#: How files begin that web archives keep and that are no WARC files, or packed in another way.
_OTHERS = {
    b"filedesc:": "an ARC file, not a WARC file",
    b"\x04\x22\x4d\x18": "packed with lz4, not with gzip",
    b"\x28\xb5\x2f\xfd": "packed with zstd, not with gzip",
    b"\x5d\x2a\x4d\x18": "packed with zstd, not with gzip",
}
#: When what has no WARC-Date that is one was fetched.
_NEVER = datetime.fromtimestamp(0, UTC)
_DIGEST_ALGORITHMS = frozenset({"sha1", "sha256", "sha512", "md5"})
_PROFILE = "http://netpreserve.org/warc/1.1/revisit/"
NOT_MODIFIED = _PROFILE + "server-not-modified"
IDENTICAL = _PROFILE + "identical-payload-digest"


@dataclass(frozen=True, slots=True)
class Location:
    """Where a record lies: file name, byte offset and length of its gzip member; digest of its payload.

    Where members hold more than one record or less, the length is 0 and the offset, which no other record of the file
    has, is that of the member in which the record begins and one more for each record that begins in it before.
    """

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

    `fetched_at` is the first second of 1970 where the WARC-Date is none that a calendar has.
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
        members = Members(Window(stream, start, 0), 0)
        while True:
            try:
                if members.read() is None:
                    return end
                if members.between:
                    end = members.offset
            except UnreadableError:
                members.recover(anywhere=False)


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


def tombstone(file: str, offset: int, length: int) -> bytes:
    """A gzip member of `length` bytes for the place of a record that was taken down, so that no other one moves.

    It is a record of a type of its own, which readers skip (ISO 28500:2017, 5.5), without a block; a comment of blanks
    in the head of the member fills it up. Raises ValueError where a place is too small, which none of ours is.
    """
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{file}:{offset}:{length}")
    lines = [
        "WARC/1.1",
        "WARC-Type: tombstone",
        f"WARC-Date: {_warc_date(_NEVER)}",
        f"WARC-Record-ID: <urn:uuid:{name}>",
        "Content-Length: 0",
    ]
    record = ("\r\n".join(lines) + "\r\n\r\n\r\n\r\n").encode()
    packed = zlib.compress(record, 9, -zlib.MAX_WBITS)
    room = length - len(packed) - 10 - 1 - 8  # head, end of the comment, checksum and size
    if room < 0:
        raise ValueError(f"{file}: {length} bytes at {offset} are no record of ours")
    head = GZIP_MAGIC + b"\x10" + bytes(5) + b"\xff" + b" " * room + b"\0"
    return head + packed + zlib.crc32(record).to_bytes(4, "little") + len(record).to_bytes(4, "little")


def beside(path: Path, begin: int, end: int, url: str) -> Iterator[tuple[int, int]]:
    """Offset and length of the request and metadata records of a URL between two places of a file of ours."""
    with path.open("rb") as stream:
        stream.seek(begin)
        data = stream.read(end - begin)
    at = 0
    while at < len(data):
        decoder = zlib.decompressobj(31)
        try:
            fields = _named_fields(decoder.decompress(data[at:], _MAX_HEAD))
            while not decoder.eof and decoder.unconsumed_tail:
                decoder.decompress(decoder.unconsumed_tail, _MAX_HEAD)
        except zlib.error:
            return
        if not decoder.eof:
            return
        after = len(data) - len(decoder.unused_data)
        if fields.get("warc-type") in ("request", "metadata") and fields.get("warc-target-uri") == url:
            yield begin + at, after - at
        at = after


def _named_fields(record: bytes) -> dict[str, str]:
    """The named fields of a record that begins here, by their names in lower case."""
    lines = record[: max(0, record.find(b"\r\n\r\n"))].split(b"\n")
    return {name.lower(): value for name, value in reversed(parse_fields(lines[1:]))}


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


def read_records(stream: BinaryIO, name: str, max_bytes: int, start: int = 0) -> Iterator[Record | Damage]:
    """Every response, revisit and resource record of a .warc or .warc.gz file, and every damage to it.

    The first bytes, or the name, decide whether the file is compressed: in gzip members of one record each, or in
    others. After damage, reading goes on at the next record that can be recognised: a damaged record costs itself
    alone, and gives one Damage. A record whose digest does not fit its payload is a Damage, one with more than
    `max_bytes` of payload is Damage('too_large'). Of a gzip member that is damaged and held several records those
    come out whose block digest fits (it says nothing of their heads); of one that inflates to more than a record may
    have, also those that were read before the damage was. Request and warcinfo records are skipped; what a metadata
    record says goes with the response that follows it. `name` is what the results call the file, `start` the offset
    in it at which the stream begins. Memory: about one record, inflated and packed.
    """
    window = _opened(stream, name, max_bytes + _OVERHEAD, start)
    if other := next((what for begin, what in _OTHERS.items() if window.data.startswith(begin)), None):
        yield Damage(name, start, other)
        return
    noted = _About("", {})
    while window.fill(1) or window.fault:
        offset = window.place()
        try:
            cut = _cut(window, max_bytes + _OVERHEAD)
            found = _parse_record(cut, Location(name, offset, cut.length, ""), max_bytes)
        except UnreadableError as unreadable:
            yield Damage(name, offset, unreadable.error)
            if unreadable.own is None:
                window.search()
            else:
                window.skip(unreadable.own)
            continue
        window.drop(cut.taken)
        if isinstance(found, _About):
            noted = found
        elif found is not None:
            own_id, record = found
            yield replace(record, about=noted.fields) if noted.response == own_id else record


def _opened(stream: BinaryIO, name: str, limit: int, start: int) -> Window:
    """The content of a file from its first record on: what a member whose first bytes are damaged holds is damage."""
    window = Window(stream, start, limit)
    window.fill(len(RECORD_MAGIC) + len(max(_OTHERS, key=len)))
    known = any(window.data.startswith(begin) for begin in (RECORD_MAGIC, *_OTHERS))
    if window.data.startswith(GZIP_MAGIC[:2]) or (name.endswith(".gz") and not known):
        window = Inflated(window, limit)
        window.fill(_MAX_HEAD)
    return window


@dataclass(frozen=True, slots=True)
class _Cut:
    """A WARC record: its named fields, by their names in lower case, and its block.

    `taken`: bytes of the window up to the next record. `length`: bytes of the file that are this record alone.
    `doubt`: why it may not be what was written, if it may not.
    """

    fields: dict[str, str]
    block: bytes
    taken: int
    length: int
    doubt: str


def _cut(window: Window, limit: int) -> _Cut:
    """The record at the window; raises UnreadableError where there is no whole one."""
    window.fill(_MAX_HEAD)
    if not window.data.startswith(RECORD_MAGIC):
        raise UnreadableError(
            "no WARC record" if len(window.data) >= len(RECORD_MAGIC) else window.fault or "truncated"
        )
    head_end = window.data.find(b"\r\n\r\n", 0, _MAX_HEAD)
    if head_end < 0:
        raise UnreadableError(window.fault or "no end of the WARC head")
    lines = bytes(window.data[:head_end]).split(b"\n")
    fields = {name.lower(): value for name, value in reversed(parse_fields(lines[1:]))}
    begin = head_end + 4
    end = begin + _content_length(fields)
    if end - begin > limit:
        raise UnreadableError("too_large", end)
    if not window.fill(end):
        raise UnreadableError(window.fault or "truncated")
    behind = window.next_record(end)
    doubt = window.doubt(end)
    if behind is None or (doubt and not window.data.startswith(RECORD_MAGIC, behind)):
        raise UnreadableError(doubt or "bad_content_length")
    with memoryview(window.data) as data:
        block = bytes(data[begin:end])
    return _Cut(fields, block, behind, window.accept(behind), doubt)


def _content_length(fields: Mapping[str, str]) -> int:
    value = fields.get("content-length", "")
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise UnreadableError("no Content-Length")
    return int(value)


@dataclass(frozen=True, slots=True)
class _About:
    """What a metadata record says, and of which response, by its record id."""

    response: str
    fields: dict[str, str]


def _parse_record(cut: _Cut, at: Location, max_bytes: int) -> tuple[str, Record] | _About | None:
    """The id and response in a whole WARC record, what it says of one, or None. Damage ends at its end."""
    fields = cut.fields
    kind = fields.get("warc-type", "").lower()
    if kind not in ("response", "resource", "revisit", "metadata"):
        return None
    try:
        if cut.doubt and not _fits(fields.get("warc-block-digest", ""), cut.block):
            raise UnreadableError(cut.doubt)
        if kind == "metadata":
            return _About(fields.get("warc-concurrent-to", "-"), _fields_in(cut.block))
        record = _response(kind, fields, cut.block, at, max_bytes)
        return (fields.get("warc-record-id", ""), record) if record else None
    except UnreadableError as unreadable:
        raise UnreadableError(unreadable.error, cut.taken) from None


def _fields_in(block: bytes) -> dict[str, str]:
    """What an application/warc-fields block says, by name as written."""
    pairs = (line.partition(":") for line in block.decode("utf-8", "replace").splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def _response(kind: str, fields: dict[str, str], block: bytes, at: Location, max_bytes: int) -> Record | None:
    media_type = fields.get("content-type")
    if kind == "resource":
        status, headers, payload = 200, list[tuple[str, str]](), block
    elif (media_type or "").lower().startswith("application/http"):
        http_head, payload = split_message(block)
        try:
            status, headers = parse_head(http_head)
        except ValueError as error:
            raise UnreadableError(str(error)) from None
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
        raise UnreadableError("too_large")
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
        raise UnreadableError("no WARC-Target-URI")
    return url


def _date(fields: dict[str, str]) -> datetime:
    """The WARC-Date; one that cannot be read says nothing against the record, which was fetched at no known time."""
    try:
        date = datetime.fromisoformat(fields.get("warc-date", ""))
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, OverflowError):
        return _NEVER


def _checked_digest(stated: str, payload: bytes, dechunked: bytes | None) -> str:
    """The stated payload digest, if it fits; tools differ on whether it is of the chunked payload."""
    if not _algorithm(stated):
        return _sha1(payload)
    if _fits(stated, payload) or (dechunked is not None and _fits(stated, dechunked)):
        return stated
    raise UnreadableError("digest does not fit the payload")


def _algorithm(stated: str) -> str:
    """The algorithm of a digest as `hashlib` calls it; empty where it is none that can be checked."""
    name = stated.partition(":")[0].lower().replace("-", "")
    return name if name in _DIGEST_ALGORITHMS else ""


def _fits(stated: str, content: bytes) -> bool:
    """Whether a digest (`algorithm:value`, in base 32 or 16) is that of the content."""
    algorithm, value = _algorithm(stated), stated.partition(":")[2]
    if not algorithm:
        return False
    digest = hashlib.new(algorithm, content, usedforsecurity=False)
    return value.upper() == _base32(digest.digest()) or value.lower() == digest.hexdigest()


def read_at(path: Path, offset: int, length: int, max_bytes: int) -> Record | None:
    """The response at a place in a file; None where the file is damaged there."""
    with path.open("rb") as stream:
        stream.seek(offset)
        member = BytesIO(stream.read(length))
    item = next(read_records(member, path.name, max_bytes, offset), None)
    return item if isinstance(item, Record) else None


def payload_digest(payload: bytes) -> str:
    """The digest under which a writer stores a payload."""
    return _sha1(payload)


def _sha1(content: bytes) -> str:
    return "sha1:" + _base32(hashlib.sha1(content, usedforsecurity=False).digest())


def _base32(digest: bytes) -> str:
    return base64.b32encode(digest).decode()
