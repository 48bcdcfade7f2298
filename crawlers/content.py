"""Undoing Content-Encoding and chunked transfer coding, with a limit on what comes out."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]

try:
    from compression import zstd  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    from backports import zstd

#: Content codings that may be stacked on one body; more is an attack.
MAX_ENCODINGS = 3


class BodyError(Exception):
    """A body cannot be had: `reason` is `too_large` or `bad_content_encoding`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def decode_body(payload: bytes, content_encoding: str, limit: int) -> bytes:
    """The body of an HTTP message (RFC 9110, 8.4) whose Content-Encoding header is given.

    Raises BodyError where the body or any layer of it is larger than `limit` bytes, where a layer is
    damaged or unknown, or where more than three layers are stacked.
    """
    encodings = [name.strip().lower() for name in content_encoding.split(",")]
    encodings = [name for name in encodings if name not in ("", "identity")]
    if len(encodings) > MAX_ENCODINGS:
        raise BodyError("bad_content_encoding", f"{len(encodings)} layers")
    for name in reversed(encodings):
        payload = _undo(name, payload, limit)
    if len(payload) > limit:
        raise BodyError("too_large")
    return payload


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


def _gunzip(payload: bytes, limit: int) -> bytes:
    """One or more gzip members; zero bytes or junk after the last are ignored, as browsers do."""
    parts: list[bytes] = []
    size = 0
    while payload[:2] == b"\x1f\x8b" or not parts:
        decoder = zlib.decompressobj(31)
        part = decoder.decompress(payload, limit + 1 - size)
        size += len(part)
        if size > limit:
            raise BodyError("too_large")
        if not decoder.eof:
            raise EOFError("truncated")
        parts.append(part)
        payload = decoder.unused_data
    return b"".join(parts)


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
        raise BodyError("too_large")
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
        raise BodyError("too_large")
    return bytes(body)


def _unzstd(payload: bytes, limit: int) -> bytes:
    # RFC 9659: a window of at most 8 MiB, which also bounds the memory of the decoder.
    decoder = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 23})
    body: bytes = decoder.decompress(payload, limit + 1)
    if len(body) > limit:
        raise BodyError("too_large")
    if not decoder.eof:
        raise EOFError("truncated")
    return body


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}


def dechunk(payload: bytes) -> bytes | None:
    """A body without its chunked transfer coding (RFC 9112, 7.1), or None where it is not chunked."""
    parts: list[bytes] = []
    position = 0
    while True:
        end = payload.find(b"\n", position, position + 1024)
        if end < 0:
            return None
        size_text = payload[position:end].partition(b";")[0].strip()
        try:
            size = int(size_text, 16)
        except ValueError:
            return None
        position = end + 1
        if size == 0:
            return b"".join(parts)
        if size < 0 or position + size > len(payload):
            return None
        parts.append(payload[position : position + size])
        position += size
        if payload[position : position + 2] == b"\r\n":
            position += 2
        elif payload[position : position + 1] == b"\n":
            position += 1
        else:
            return None
