"""The head of an HTTP/1 response, as bytes on the wire and as pairs."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_STATUS_LINE = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+(\d{3})(?!\d)")

_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")

Headers = list[tuple[str, str]]

#: Responses that may pass: tried again, and stored in no WARC.
RETRY_STATUSES = frozenset({429, 500, 502, 503, 504})
MAX_RETRY_AFTER_S = 3600.0


def split_message(message: bytes) -> tuple[bytes, bytes]:
    """Head and body of an HTTP message; the empty line between them belongs to neither."""
    crlf = message.find(b"\r\n\r\n")
    bare = message.find(b"\n\n", 0, crlf if crlf >= 0 else len(message))
    if bare >= 0:
        return message[:bare], message[bare + 2 :]
    if crlf >= 0:
        return message[:crlf], message[crlf + 4 :]
    return message.rstrip(b"\r\n"), b""


def parse_head(head: bytes) -> tuple[int, Headers]:
    """Status code and headers of a response head (RFC 9112), in order; lines that are none are skipped.

    Raises ValueError where the first line is no status line.
    """
    lines = head.split(b"\n")
    match = _STATUS_LINE.match(lines[0])
    if match is None:
        raise ValueError("no HTTP status line")
    return int(match[1]), parse_fields(lines[1:])


def parse_fields(lines: list[bytes]) -> Headers:
    """`Name: value` lines as pairs of text; a folded line goes on the value before it (RFC 9112, 5.2)."""
    fields: Headers = []
    for raw in lines:
        line = raw.decode("latin-1").rstrip("\r")
        if line[:1] in (" ", "\t"):
            if fields:
                name, value = fields[-1]
                fields[-1] = (name, f"{value} {line.strip()}".strip())
            continue
        name, colon, value = line.partition(":")
        if colon and name.strip():
            fields.append((name.strip(), value.strip()))
    return fields


def header(headers: Headers, name: str) -> str | None:
    """The first value of a header, by its name in lower case."""
    for field, value in headers:
        if field.lower() == name:
            return value
    return None


def joined_header(headers: Headers, name: str) -> str:
    """All values of a list header (RFC 9110, 5.3), joined by commas; empty where there is none."""
    return ", ".join(value for field, value in headers if field.lower() == name)


def chunk_size(line: bytes) -> int:
    """The size in the first line of a chunk (RFC 9112, 7.1), without its extensions; ValueError where it has none."""
    size = line.partition(b";")[0].strip(b" \t\r")
    if not _CHUNK_SIZE.fullmatch(size):
        raise ValueError(f"no chunk size: {line[:40]!r}")
    return int(size, 16)


def retry_after_s(value: str | None, now: datetime) -> float:
    """Seconds that a Retry-After header (RFC 9110, 10.2.3) asks for, at most an hour; 0 where it asks none."""
    value = (value or "").strip()
    try:
        seconds = float(value) if value.isascii() and value.isdigit() else _until(value, now)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _until(date: str, now: datetime) -> float:
    at = parsedate_to_datetime(date)
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
