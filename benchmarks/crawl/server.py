"""A web server on loopback that is faster than any crawler: answers from memory, a process of its own, its own log.

Every host has an address of its own (all of 127/8 is loopback on Linux), so that what is kept per host and what is
kept per address can be told apart. What a host answers is computed by a `Sites`, which knows no sockets.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import math
import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from http import HTTPStatus
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

_MAX_HEAD = 64 * 1024
_MIN_GZIP = 256
_BACKLOG = 512
_LOOK_S = 0.002

#: Seconds after which a host that never answers has answered.
NEVER = math.inf


class Answer:
    """An answer of a site, made once and sent often: whole, compressed where the client takes it, or as unchanged.

    `delay_s`: seconds from the request to the answer; `NEVER` for none. Only a 200 has an ETag.
    """

    __slots__ = ("_unchanged", "_whole", "_zipped", "delay_s", "status", "tag")

    def __init__(
        self, body: bytes = b"", content_type: str = "text/html; charset=utf-8", status: int = 200,
        delay_s: float = 0.0, location: str = "",
    ) -> None:  # fmt: skip
        self.status, self.delay_s = status, delay_s
        self.tag = f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"' if status == HTTPStatus.OK else ""
        more = f"Content-Type: {content_type}\r\n" + (f"Location: {location}\r\n" if location else "")
        tag = f"ETag: {self.tag}\r\n" if self.tag else ""
        self._whole = _message(status, more + tag, body)
        self._zipped = self._whole
        if status == HTTPStatus.OK and len(body) >= _MIN_GZIP:
            packed = gzip.compress(body, compresslevel=1, mtime=0)
            coding = "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n"
            self._zipped = _message(status, more + tag + coding, packed)
        self._unchanged = f"HTTP/1.1 304 Not Modified\r\n{tag}\r\n".encode()

    def after(self, delay_s: float) -> Answer:
        """The same answer, later."""
        late = copy(self)
        late.delay_s = max(self.delay_s, delay_s)
        return late

    def message(self, headers: dict[bytes, bytes]) -> tuple[int, bytes]:
        """Status and bytes of the answer to a request with these headers (names in lower case)."""
        if self.tag and self.tag.encode() in headers.get(b"if-none-match", b""):
            return HTTPStatus.NOT_MODIFIED, self._unchanged
        return self.status, self._zipped if b"gzip" in headers.get(b"accept-encoding", b"") else self._whole


def _message(status: int, headers: str, body: bytes) -> bytes:
    line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
    return f"{line}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Sites(Protocol):
    """What the hosts answer."""

    def answer(self, host: str, target: str) -> Answer:
        """The answer to a GET of a target (path and query) of a host."""


class Asked(NamedTuple):
    """A line of the server's log. Times in microseconds of the machine's monotonic clock.

    `began`: the request was there; `ended`: the answer was handed to the network, or the client had gone (status 0).
    `sent`: bytes of the answer, head and body. `late`: how much earlier than `began` it may have come, as the server
    looks for requests every few milliseconds if the machine lets it, and not at all while it does not.
    """

    began: int
    ended: int
    host: str
    target: str
    status: int
    sent: int
    late: int = 0


def read_log(path: Path, start: int = 0) -> list[Asked]:
    """The requests in a log from a byte offset on, in the order in which their answers ended."""
    with path.open("rb") as stream:
        stream.seek(start)
        rows = (line.rstrip(b"\n").decode("latin-1").split("\t") for line in stream)
        return [Asked(int(row[0]), int(row[1]), row[2], row[3], *map(int, row[4:])) for row in rows]


def requests_in(path: Path) -> int:
    """How many requests a log has; 0 where there is none yet."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def address(number: int) -> str:
    """The loopback address of the host with a number."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


@contextmanager
def serve(make: Callable[..., Sites], *arguments: Any, hosts: int, log: Path) -> Iterator[int]:
    """Serve `make(*arguments)`, made in the server's process, at `address(0)` to `address(hosts - 1)`; yields the port.

    `log` gets a line for each request, at its end, for `read_log`. The server ends with its parent.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_run, args=(make, arguments, hosts, log, there), daemon=True)
    process.start()
    there.close()
    try:
        yield here.recv()
    finally:
        process.kill()  # it holds nothing that has to be saved
        process.join()


def _run(make: Callable[..., Sites], arguments: Sequence[Any], hosts: int, log: Path, parent: Connection) -> None:
    sites = make(*arguments)
    with log.open("ab", buffering=0) as stream:
        asyncio.run(_serve(sites, [address(number) for number in range(hosts)], stream, parent))


async def _serve(sites: Sites, addresses: Sequence[str], log: BinaryIO, parent: Connection) -> None:
    loop = asyncio.get_running_loop()
    port = 0
    clock = _Clock(loop)
    for each in addresses:
        listening = socket.create_server((each, port), backlog=_BACKLOG)
        port = listening.getsockname()[1]
        await loop.create_server(lambda: _Connection(sites, log, loop, clock), sock=listening)
    ended = loop.create_future()
    loop.add_reader(parent.fileno(), ended.set_result, None)  # readable when the parent has ended
    parent.send(port)
    await ended


class _Clock:
    """Knows a time since which every request that is seen now has come.

    `looked`: when the look before the last was. What the last one missed came while the loop was busy around it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._last = _now()
        self._look()

    def _look(self) -> None:
        self.looked, self._last = self._last, _now()
        self._loop.call_later(_LOOK_S, self._look)


class _Connection(asyncio.Protocol):
    """One connection: its requests, one after another."""

    def __init__(self, sites: Sites, log: BinaryIO, loop: asyncio.AbstractEventLoop, clock: _Clock) -> None:
        self._sites, self._log, self._loop, self._clock = sites, log, loop, clock
        self._transport: asyncio.Transport
        self._buffer = b""
        #: The request that is not answered yet: when it began, how late that was, its host and its target.
        self._open: tuple[int, int, str, str] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Name and signature are asyncio's."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Name and signature are asyncio's."""
        self._buffer += data
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """Name and signature are asyncio's."""
        if self._open is not None:
            self._end(0, 0)

    def _next(self) -> None:
        while self._open is None and (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
            self._answer(head)
        if len(self._buffer) > _MAX_HEAD:
            self._transport.abort()

    def _answer(self, head: bytes) -> None:
        began = _now()
        first, *lines = head.split(b"\r\n")
        words = first.split(b" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        host = headers.get(b"host", b"").partition(b":")[0].decode("latin-1").lower()
        if len(words) != 3 or words[0] != b"GET":
            self._transport.abort()
            return
        target = words[1].decode("latin-1")
        self._open = (began, began - self._clock.looked, host, target)
        answer = self._sites.answer(host, target)
        status, message = answer.message(headers)
        if answer.delay_s == 0.0:
            self._send(status, message)
        elif answer.delay_s < NEVER:
            self._loop.call_later(answer.delay_s, self._send_late, status, message)

    def _send_late(self, status: int, message: bytes) -> None:
        if self._open is not None:
            self._send(status, message)
            self._next()

    def _send(self, status: int, message: bytes) -> None:
        self._end(status, len(message))
        self._transport.write(message)

    def _end(self, status: int, sent: int) -> None:
        assert self._open is not None
        began, late, host, target = self._open
        self._open = None
        self._log.write(f"{began}\t{_now()}\t{host}\t{target}\t{status}\t{sent}\t{late}\n".encode("latin-1"))


def _now() -> int:
    return time.monotonic_ns() // 1000
