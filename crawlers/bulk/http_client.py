"""One GET at a time to a checked address, by HTTP/1.1 (RFC 9112): the head byte for byte, the body as a stream."""

from __future__ import annotations

import asyncio
import http.client
import io
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from crawlers.addresses import PrivateAddressError, Resolver, UnknownHostError
from crawlers.bulk.stop import Stop
from crawlers.http import parse_head, split_message

_CHUNK = 1 << 16
#: Head lines and their number are bounded by http.client; this bounds what is kept of them.
_MAX_HEAD_BYTES = 256 * 1024
#: A body that comes more slowly than this for long is given up.
_SLOWEST_BYTES_S = 4096
_NONE: Mapping[str, str] = MappingProxyType({})


class Unavailable(Exception):
    """A URL cannot be had: `reason` is a word, `may_pass` says whether another try may help.

    `after_s`: seconds for which the server asks us to stay away.
    """

    def __init__(self, reason: str, detail: str = "", *, may_pass: bool = False, after_s: float = 0.0) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail[:300]
        self.may_pass = may_pass
        self.after_s = after_s


class Exchange:
    """A request as sent, and the response to it: its head, and its body as it comes."""

    def __init__(self, request: bytes, response: http.client.HTTPResponse, wire: _Wire) -> None:
        self.request = request
        self.head = wire.head()
        try:
            self.status, self.headers = parse_head(self.head)
        except ValueError as error:
            raise Unavailable("connection", str(error), may_pass=True) from None
        self._response = response
        self._wire = wire
        self.length = response.length

    def chunks(self) -> Iterator[bytes]:
        """The body without transfer coding; raises Unavailable where it breaks off before its end."""
        size = 0
        while True:
            with _reading():
                chunk = self._response.read(_CHUNK)
            if not chunk:
                break
            size += len(chunk)
            self._wire.deadline += len(chunk) / _SLOWEST_BYTES_S
            yield chunk
        if self.length is not None and size < self.length:
            raise Unavailable("connection", f"{size} of {self.length} bytes came", may_pass=True)

    def body(self, limit: int) -> bytes:
        """The whole body, which must not be larger than `limit` bytes."""
        if self.length is not None and self.length > limit:
            raise Unavailable("too_large", f"{self.length} bytes")
        parts: list[bytes] = []
        size = 0
        for chunk in self.chunks():
            size += len(chunk)
            if size > limit:
                raise Unavailable("too_large", f"more than {limit} bytes")
            parts.append(chunk)
        return b"".join(parts)


class Client:
    """Fetches URLs, one at a time and a connection each; knows nothing of pace and permission.

    `timeout_s`: for a response to begin, and for its body at 4 KiB a second.
    """

    def __init__(self, resolver: Resolver, user_agent: str, timeout_s: float, stop: Stop) -> None:
        self._resolver = resolver
        self.user_agent = user_agent
        self._headers = {"User-Agent": user_agent, "Accept": "*/*", "Connection": "close"}
        self._timeout_s = timeout_s
        self._stop = stop
        self._tls = ssl.create_default_context()

    @contextmanager
    def get(self, url: str, extra: Mapping[str, str] = _NONE) -> Iterator[Exchange]:
        """The response to a GET of a canonical URL; raises Unavailable, and Stopped where a signal came."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        deadline = time.monotonic() + self._timeout_s
        try:
            sock = self._connected(host, port, self._timeout_s)
        finally:
            self._stop.check()
        if parts.scheme == "https":
            sock = self._tls.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        try:
            with self._stop.breaking(partial(_break, sock)):
                yield self._asked(sock, deadline, url, extra)
        except Unavailable:
            self._stop.check()
            raise
        finally:
            sock.close()

    def addresses(self, host: str, port: int) -> list[tuple[str, int]]:
        """Where a host may be connected to, each address and port; raises Unavailable."""
        try:
            return asyncio.run(self._resolver.resolve(host, port))
        except PrivateAddressError as error:
            raise Unavailable("private_address", str(error)) from None
        except UnknownHostError as error:
            raise Unavailable("dns", str(error), may_pass=True) from None

    def _connected(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """A connection to the first checked address that answers."""
        problem = "no address"
        for address in self.addresses(host, port):
            try:
                return socket.create_connection(address, timeout_s)
            except OSError as error:
                problem = _explain(error)
            self._stop.check()
        raise Unavailable("connection", problem, may_pass=True)

    def _asked(self, sock: socket.socket, deadline: float, url: str, extra: Mapping[str, str]) -> Exchange:
        """Sends the request, and reads the head of the response."""
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if "?" in url else "")
        fields = {"Host": parts.netloc, **self._headers, **extra}
        lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        request = ("\r\n".join(lines) + "\r\n\r\n").encode("ascii", "replace")
        wire = _Wire(sock, deadline)
        response = http.client.HTTPResponse(_Socket(wire), method="GET")  # type: ignore[arg-type]
        with _reading():
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()
            sock.sendall(request)
            response.begin()
            return Exchange(request, response, wire)


class _Wire(io.RawIOBase):
    """What a socket brings until a moment (of time.monotonic); keeps its first bytes, for the head is among them."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self.deadline = deadline
        self._first: bytearray | None = bytearray()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for it is over")
        self._sock.settimeout(left)
        count = self._sock.recv_into(buffer)
        if self._first is not None:
            self._first += buffer[:count]
            if len(self._first) > _MAX_HEAD_BYTES:
                raise http.client.HTTPException("the head is too large")
        return count

    def head(self) -> bytes:
        """Status line and headers of the final response, as received; nothing is kept from now on."""
        message = bytes(self._first or b"")
        self._first = None
        head, rest = split_message(message)
        while head.split(b" ", 2)[1:2] == [b"100"]:
            head, rest = split_message(rest)
        return head


class _Socket:
    """What http.client wants of a socket."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._wire)


@contextmanager
def _reading() -> Iterator[None]:
    """What the network does to us, as one kind of error."""
    try:
        yield
    except TimeoutError as error:
        raise Unavailable("timeout", str(error), may_pass=True) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable("connection", _explain(error), may_pass=True) from None


def _explain(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _break(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
