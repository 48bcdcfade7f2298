"""Connections to checked addresses, and one GET at a time over each: with TLS verified, and watched for its pace."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import cast

from crawlers.response import ResponseError, ResponseReader

#: A response that brings less than this, on average over a window of time, is held back on purpose.
MIN_BYTES_PER_S = 1024
MAX_WINDOW_S = 30.0
#: Addresses of a host that are tried; a name may have hundreds.
_MAX_ADDRESSES = 4
#: Seconds for which a connection is kept that nothing is asked of.
_IDLE_S = 60.0

#: Scheme, host and port.
Place = tuple[str, str, int]


class FetchError(Exception):
    """No response came.

    `reason` is `timeout` (in whole, for a connection, to the first byte), `too_slow`, `connection` (refused, or
    lost before a byte came), `tls` (certificate or handshake), `truncated`, `bad_response`, `head_too_large`, or
    `stopped`: given up by ourselves.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class TooLargeError(Exception):
    """The body is larger than what is kept."""


class Connection(asyncio.Protocol):
    """Carries one GET after another, as long as `usable`."""

    def __init__(self) -> None:
        #: Bytes of the response to the last request.
        self.received = 0
        self._seen = 0
        self._reader: ResponseReader | None = None
        self._answer: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def usable(self) -> bool:
        """Whether another request may be sent."""
        return not self._transport.is_closing()

    async def get(
        self, request: bytes, max_body: int, timeout_s: float, sent: Callable[[], None] = lambda: None
    ) -> ResponseReader:
        """Send a request as it is, and read the response, which is whole; raises FetchError, TooLargeError.

        `sent` is called when the request is on its way.
        The first byte has to come, and from then on bytes have to keep coming, within half of `timeout_s`, at most
        30 seconds. How long the whole takes is up to the caller, who cancels. Only after a whole response that
        says nothing against it can the connection be used again.
        """
        reader = self._reader = ResponseReader(max_body)
        self._answer = asyncio.get_running_loop().create_future()
        self.received = 0
        self._watch(min(MAX_WINDOW_S, timeout_s / 2))
        self._transport.write(request)
        sent()
        try:
            await self._answer
        finally:
            self._reader = None
            self._unwatch()
            if not (reader.done and reader.persistent):
                self.abort()
        return reader

    def abort(self) -> None:
        """Drop the connection at once: a good-bye would wait for a peer that may never answer."""
        self._transport.abort()

    # ------------------------------------------------------------ pace

    def _watch(self, window_s: float) -> None:
        self._window_s = window_s
        self._seen = self.received
        self._timer = asyncio.get_running_loop().call_later(window_s, self._judge_pace)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _judge_pace(self) -> None:
        came = self.received - self._seen
        if not self.received:
            self._fail(FetchError("timeout", f"no byte in {self._window_s:g} s"))
        elif came < MIN_BYTES_PER_S * self._window_s:
            self._fail(FetchError("too_slow", f"{came} bytes in {self._window_s:g} s"))
        else:
            self._watch(self._window_s)

    # ------------------------------------------------------------ what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected, and greeted where there is TLS."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Bytes came: of the response, or, where none is awaited, of who means to answer the next request."""
        reader = self._reader
        if reader is None:
            self.abort()
            return
        if not self.received:
            self._unwatch()
            self._watch(self._window_s)
        self.received += len(data)
        try:
            reader.feed(data)
        except ResponseError as error:
            self._fail(_fetch_error(error))
            return
        if reader.done:
            self._succeed()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended, in good order where there is no error."""
        if self._reader is None:
            return
        if exc is not None or not self.received:
            self._fail(FetchError("truncated" if self.received else "connection", _explain(exc)))
            return
        try:
            self._reader.end()
        except ResponseError as error:
            self._fail(_fetch_error(error))
            return
        self._succeed()

    def _succeed(self) -> None:
        self._reader = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(None)

    def _fail(self, error: Exception) -> None:
        self._reader = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self.abort()


async def connect(
    addresses: Sequence[tuple[str, int]], tls: ssl.SSLContext | None, host: str, timeout_s: float
) -> Connection:
    """A connection to the first address that answers; with TLS, for a certificate of `host`.

    Half of `timeout_s` is for the addresses, in equal shares. Raises FetchError: `tls` at once, another when no
    address answers.
    """
    loop = asyncio.get_running_loop()
    tried = addresses[:_MAX_ADDRESSES]
    share_s = timeout_s / 2 / max(1, len(tried))
    error = FetchError("connection", "no address")
    name = host.strip("[]").rstrip(".") if tls else None
    for address, port in tried:
        try:
            async with asyncio.timeout(share_s):
                _, connection = await loop.create_connection(Connection, address, port, ssl=tls, server_hostname=name)
                return connection
        except TimeoutError:
            error = FetchError("timeout", f"no connection to {address} in {share_s:g} s")
        except ssl.SSLError as failed:
            raise FetchError("tls", _explain(failed)) from None
        except (OSError, ValueError) as failed:
            error = FetchError("connection", _explain(failed))
    raise error


class Pool:
    """Connections that wait for the next request to their place, at most so many for each."""

    def __init__(self, per_place: int) -> None:
        self._per_place = per_place
        self._idle: dict[Place, list[tuple[Connection, asyncio.TimerHandle]]] = {}

    def take(self, place: Place) -> Connection | None:
        """A connection that can be used, if there is one."""
        idle = self._idle.get(place, [])
        while idle:
            connection, timer = idle.pop()
            timer.cancel()
            if connection.usable:
                return connection
        return None

    def keep(self, place: Place, connection: Connection) -> None:
        """Keep a connection for a while, if it can be used."""
        idle = self._idle.setdefault(place, [])
        if not connection.usable or len(idle) >= self._per_place:
            connection.abort()
            return
        timer = asyncio.get_running_loop().call_later(_IDLE_S, self._expire, place, connection)
        idle.append((connection, timer))

    def close(self) -> None:
        """Drop them all."""
        for place in list(self._idle):
            while (connection := self.take(place)) is not None:
                connection.abort()

    def _expire(self, place: Place, connection: Connection) -> None:
        self._idle[place] = [kept for kept in self._idle[place] if kept[0] is not connection]
        connection.abort()


def _fetch_error(error: ResponseError) -> FetchError | TooLargeError:
    return TooLargeError(error.detail) if error.reason == "too_large" else FetchError(error.reason, error.detail)


def _explain(error: Exception | None) -> str:
    """One line on an error, without the place in a C file that OpenSSL's have."""
    if error is None:
        return "closed before a response"
    text = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or str(error)
    return f"{type(error).__name__}: {text}"[:300]
