"""Undoing Content-Encoding and chunked transfer coding, with a limit on what comes out."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import Protocol

import brotli  # type: ignore[import-untyped]

try:
    from compression import zstd  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    from backports import zstd

from crawlers.http import chunk_size

#: Content codings that may be stacked on one body; more is an attack.
MAX_ENCODINGS = 3
#: Bytes out for a byte in, beyond the first MiB. Pages give 3 to 30; deflate can give 1032, two layers a million.
MAX_RATIO = 200
FREE_BYTES = 1 << 20

_PIECE = 1 << 16
#: Members of gzip or frames of zstd one after another. An empty one costs 20 bytes and a decoder.
_MAX_MEMBERS = 4096
_GZIP_MEMBER = re.compile(rb"\x1f\x8b")
#: RFC 8878: a frame, or one to be skipped.
_ZSTD_FRAME = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")


class BodyError(Exception):
    """A body cannot be had: `reason` is `too_large`, `decompression_ratio` or `bad_content_encoding`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def decode_body(payload: bytes, content_encoding: str, limit: int) -> bytes:
    """The body of an HTTP message (RFC 9110, 8.4) whose Content-Encoding header is given.

    Raises BodyError where the body or any layer of it is larger than `limit` bytes, or larger than 1 MiB
    and than 200 times the payload, where a layer is damaged or unknown, or where more than three are stacked.
    """
    encodings = [name.strip().lower() for name in content_encoding.split(",")]
    encodings = [name for name in encodings if name not in ("", "identity")]
    if len(encodings) > MAX_ENCODINGS:
        raise BodyError("bad_content_encoding", f"{len(encodings)} layers")
    body = _decode(payload, encodings, limit) if encodings else payload
    if len(body) > limit:
        raise BodyError("too_large")
    return body


def _decode(payload: bytes, encodings: list[str], limit: int) -> bytes:
    believed = max(FREE_BYTES, MAX_RATIO * len(payload))
    body = payload
    try:
        for name in reversed(encodings):
            body = _undo(name, body, min(limit, believed))
    except _OverLimitError:
        if believed < limit:
            raise BodyError("decompression_ratio", f"{len(payload)} bytes give more than {believed}") from None
        raise BodyError("too_large") from None
    return body


class _OverLimitError(Exception):
    """A decoder gives more than it may."""


def _undo(name: str, payload: bytes, limit: int) -> bytes:
    if not payload:
        return payload
    decoder = _DECODERS.get(name)
    if decoder is None:
        raise BodyError("bad_content_encoding", f"unknown coding {name[:40]}")
    try:
        return decoder(payload, limit)
    except (zlib.error, brotli.error, zstd.ZstdError, EOFError) as error:
        raise BodyError("bad_content_encoding", f"{name}: {error}") from None


class _Decoder(Protocol):
    """What the decoders of zlib and of zstd have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _gunzip(payload: bytes, limit: int) -> bytes:
    return _members(payload, limit, lambda: zlib.decompressobj(31), _GZIP_MEMBER)


def _unzstd(payload: bytes, limit: int) -> bytes:
    # RFC 9659: a window of at most 8 MiB, which also bounds the memory of the decoder.
    options = {zstd.DecompressionParameter.window_log_max: 23}
    return _members(payload, limit, lambda: zstd.ZstdDecompressor(options=options), _ZSTD_FRAME)


def _members(payload: bytes, limit: int, new_decoder: Callable[[], _Decoder], magic: re.Pattern[bytes]) -> bytes:
    """One or more members (of gzip; frames of zstd); zero bytes or junk after the last are ignored, as browsers do.

    A decoder is given a member at a time in pieces: what it hands back unused is then no copy of the rest.
    """
    body = bytearray()
    position = count = 0
    while position < len(payload) and (count == 0 or magic.match(payload, position)):
        count += 1
        if count > _MAX_MEMBERS:
            raise EOFError(f"more than {_MAX_MEMBERS} members")
        decoder = new_decoder()
        while not decoder.eof:
            piece = payload[position : position + _PIECE]
            if not piece:
                raise EOFError("truncated")
            position += len(piece)
            body += decoder.decompress(piece, limit + 1 - len(body))
            if len(body) > limit:
                raise _OverLimitError
        position -= len(decoder.unused_data)
    return bytes(body)


def _inflate(payload: bytes, limit: int) -> bytes:
    """`deflate` is zlib by the standard (RFC 9110, 8.4.1.2), raw by many servers."""
    try:
        return _inflate_as(payload, limit, zlib.MAX_WBITS)
    except zlib.error:
        return _inflate_as(payload, limit, -zlib.MAX_WBITS)


def _inflate_as(payload: bytes, limit: int, wbits: int) -> bytes:
    decoder = zlib.decompressobj(wbits)
    body = decoder.decompress(payload, limit + 1)
    if len(body) > limit:
        raise _OverLimitError
    if not decoder.eof:
        raise EOFError("truncated")
    return body


def _unbrotli(payload: bytes, limit: int) -> bytes:
    decoder = brotli.Decompressor()
    body = bytearray(decoder.process(payload, output_buffer_limit=limit + 1))
    while len(body) <= limit and not decoder.is_finished():
        more = decoder.process(b"", output_buffer_limit=limit + 1 - len(body))
        if not more:
            raise EOFError("truncated")
        body += more
    if len(body) > limit:
        raise _OverLimitError
    return bytes(body)


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}


def dechunk(payload: bytes) -> bytes | None:
    """A body without its chunked transfer coding (RFC 9112, 7.1), or None where it is not chunked."""
    body = bytearray()
    position = 0
    while True:
        end = payload.find(b"\n", position, position + 1024)
        if end < 0:
            return None
        try:
            size = chunk_size(payload[position:end])
        except ValueError:
            return None
        position = end + 1
        if size == 0:
            return bytes(body)
        if position + size > len(payload):
            return None
        body += payload[position : position + size]
        position += size
        if payload[position : position + 2] == b"\r\n":
            position += 2
        elif payload[position : position + 1] == b"\n":
            position += 1
        else:
            return None
