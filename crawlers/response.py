"""One HTTP/1 response out of the bytes of a connection as they come (RFC 9112), within limits; no I/O."""

from __future__ import annotations

import re

from crawlers.http import Headers, chunk_size, joined_header, parse_head

#: Bytes and lines of all heads of an answer together. Browsers stop at 256 KiB.
MAX_HEAD_BYTES = 256 * 1024
MAX_HEAD_LINES = 1000
#: Interim responses (1xx) before the one that counts.
MAX_INTERIM = 8
#: Bytes of a line of a chunk's size, with its extensions.
_MAX_CHUNK_LINE = 1024
#: What chunks of a byte or two may cost beyond their content.
_FREE_FRAMING = 1 << 20

_HEAD_END = re.compile(rb"\n\r?\n")
_VERSION = b"HTTP/1."


class ResponseError(Exception):
    """The bytes are no response that we take.

    `reason` is `bad_response` (not HTTP/1, or its parts contradict each other), `head_too_large`,
    `too_large` (the body) or `truncated` (the connection ended before the response did).
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class ResponseReader:
    """Reads one response to a GET: `feed` it bytes until `done`, or tell it of the `end` of the connection.

    The body loses its chunks and keeps its Content-Encoding. Its length is, in this order: none for 204
    and 304, what its chunks say, what Content-Length says, up to the end of the connection. Bytes beyond
    it are no part of the response: they are dropped, and their connection carries no other request.
    """

    def __init__(self, max_body: int) -> None:
        #: Status line and headers as received, without the empty line after them.
        self.head = b""
        self.status = 0
        self.done = False
        #: Whether the connection may carry another request; known once done.
        self.persistent = False
        self._max_body = max_body
        self._take = self._take_head
        #: What has come of the head; then of a line between chunks.
        self._begun = bytearray()
        self._head_bytes = self._interim = 0
        self._body = bytearray()
        #: Bytes still to come of the body or of a chunk.
        self._left = 0
        self._framing = 0
        self._ends_with_connection = False
        self._chunk_lines = self._size_line

    @property
    def body(self) -> bytes:
        """The body; whole once done."""
        return bytes(self._body)

    def feed(self, data: bytes) -> None:
        """Take the next bytes; raises ResponseError."""
        self._take(data)

    def end(self) -> None:
        """The connection has ended in good order; raises ResponseError where the response is not whole."""
        if self._ends_with_connection:
            self.done, self.persistent = True, False
        if not self.done:
            received = len(self._body) if self.head else len(self._begun)
            raise ResponseError("truncated", f"{received} bytes of the {'body' if self.head else 'head'}")

    # ------------------------------------------------------------ head

    def _take_head(self, data: bytes) -> None:
        begun = self._begun
        seen = len(begun)
        begun += data
        if not _VERSION.startswith(bytes(begun[: len(_VERSION)])):
            raise ResponseError("bad_response", f"no HTTP/1 status line: {bytes(begun[:40])!r}")
        found = _HEAD_END.search(begun, max(0, seen - 2))
        end = found.end() if found else len(begun)
        if self._head_bytes + end > MAX_HEAD_BYTES:
            raise ResponseError("head_too_large", f"more than {MAX_HEAD_BYTES} bytes")
        if found is None:
            return
        self._head_bytes += end
        head, rest = bytes(begun[: found.start()]).rstrip(b"\r"), bytes(begun[end:])
        begun.clear()
        if head.count(b"\n") > MAX_HEAD_LINES:
            raise ResponseError("head_too_large", f"more than {MAX_HEAD_LINES} lines")
        try:
            status, headers = parse_head(head)
        except ValueError as error:
            raise ResponseError("bad_response", f"{error}: {head[:40]!r}") from None
        if 100 <= status < 200:
            self._skip_interim(status, rest)
        else:
            self.head, self.status = head, status
            self._begin_body(headers)
            if rest:
                self._take(rest)

    def _skip_interim(self, status: int, rest: bytes) -> None:
        """What a 1xx response says is not for us; none was asked for (RFC 9110, 15.2)."""
        self._interim += 1
        if status == 101 or self._interim > MAX_INTERIM:
            raise ResponseError("bad_response", f"interim response {status}, number {self._interim}")
        if rest:
            self._take_head(rest)

    def _begin_body(self, headers: Headers) -> None:
        """Decide how long the body is (RFC 9112, 6.3), and whether the connection lasts (9.3)."""
        coding = joined_header(headers, "transfer-encoding").strip().lower()
        length = joined_header(headers, "content-length")
        connection = joined_header(headers, "connection").lower()
        self.persistent = "close" not in connection and (
            not self.head.startswith(b"HTTP/1.0") or "keep-alive" in connection
        )
        if self.status in (204, 304):
            self._finish()
        elif coding not in ("", "identity"):
            if coding != "chunked":
                raise ResponseError("bad_response", f"transfer coding {coding[:40]!r}")
            # Who states both means to smuggle, or is confused: nothing after this response is trusted.
            self.persistent &= not length
            self._take = self._take_chunks
        elif length:
            self._left = _content_length(length)
            if self._left > self._max_body:
                raise ResponseError("too_large", f"{self._left} bytes")
            self._take = self._take_counted
            if self._left == 0:
                self._finish()
        else:
            self._ends_with_connection = True
            self._take = self._take_all

    # ------------------------------------------------------------ body

    def _take_counted(self, data: bytes) -> None:
        self._body += data[: self._left] if len(data) > self._left else data
        surplus = data[self._left :]
        self._left = max(0, self._left - len(data))
        if not self._left:
            self._finish()
        if surplus:
            self._take_surplus(surplus)

    def _take_all(self, data: bytes) -> None:
        self._grow(data)

    def _take_surplus(self, data: bytes) -> None:
        self.persistent = False

    def _grow(self, data: bytes) -> None:
        if len(self._body) + len(data) > self._max_body:
            raise ResponseError("too_large", f"more than {self._max_body} bytes")
        self._body += data

    def _finish(self) -> None:
        self.done = True
        self._take = self._take_surplus

    # ------------------------------------------------------------ chunks (RFC 9112, 7.1)

    def _take_chunks(self, data: bytes) -> None:
        if self._begun:
            data = bytes(self._begun) + data
            self._begun.clear()
        position = 0
        while position < len(data) and not self.done:
            if self._left:
                piece = data[position : position + self._left]
                self._grow(piece)
                position += len(piece)
                self._left -= len(piece)
                continue
            end = data.find(b"\n", position, position + _MAX_CHUNK_LINE)
            if end < 0:
                break
            self._spend_framing(end + 1 - position)
            self._chunk_lines(data[position:end].rstrip(b"\r"))
            position = end + 1
        rest = data[position:]
        if self.done and rest:
            self._take_surplus(rest)
        elif len(rest) >= _MAX_CHUNK_LINE:
            raise ResponseError("bad_response", "no end of a chunk's size")
        else:
            self._begun += rest

    def _spend_framing(self, count: int) -> None:
        """Chunks of one byte cost six on the wire and a turn of a loop: some do it, megabytes of it is an attack."""
        self._framing += count
        if self._framing > _FREE_FRAMING and self._framing > len(self._body):
            raise ResponseError("bad_response", "chunks of next to nothing")

    def _size_line(self, line: bytes) -> None:
        try:
            self._left = chunk_size(line)
        except ValueError as error:
            raise ResponseError("bad_response", str(error)) from None
        # At once, not when the bytes have come.
        if len(self._body) + self._left > self._max_body:
            raise ResponseError("too_large", f"more than {self._max_body} bytes")
        self._chunk_lines = self._line_after_chunk if self._left else self._trailer_line
        # Some forget the empty line after the last chunk, and the body loses nothing by it.
        self._ends_with_connection = not self._left

    def _line_after_chunk(self, line: bytes) -> None:
        if line:
            raise ResponseError("bad_response", f"a chunk is longer than it says: {line[:40]!r}")
        self._chunk_lines = self._size_line

    def _trailer_line(self, line: bytes) -> None:
        if not line:
            self._finish()


def _content_length(value: str) -> int:
    """The length that a Content-Length header states; the same more than once is once (RFC 9110, 8.6)."""
    stated = {part.strip() for part in value.split(",")}
    length = stated.pop()
    if stated or not re.fullmatch("[0-9]{1,18}", length):
        raise ResponseError("bad_response", f"Content-Length {value[:40]!r}")
    return int(length)
