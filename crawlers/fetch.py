"""The download handler: one GET to a checked address, the response as it came.

Scrapy's own handler resolves names itself, and gives headers regrouped; this one connects where the
resolver says, keeps the head byte for byte, and gives the body before Content-Encoding is undone.
"""

# Twisted is typed in part, and its names are in camel case.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

from scrapy import Request
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.crawler import Crawler
from scrapy.http import Response
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web._newclient import HEADER, HTTP11ClientProtocol, HTTPClientParser, ParseError
from twisted.web.client import URI, Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool, ResponseDone
from twisted.web.client import _HTTP11ClientFactory as HTTP11ClientFactory
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgentEndpointFactory, IResponse
from zope.interface import implementer

_MAX_HEAD_BYTES = 256 * 1024


class FetchError(Exception):
    """No response came: `reason` is `timeout`, `connection` or `stopped`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class TooLargeError(Exception):
    """The body is larger than what is kept."""


class RawResponse(Response):
    """A response with its head, status line and headers, as received."""

    head: bytes = b""


class PinnedDownloadHandler(BaseDownloadHandler):
    """Fetches `request.meta["lease"].url` for a spider that has a `resolver` and `in_flight`.

    Raises PrivateAddressError, UnknownHostError, TooLargeError, FetchError.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        from twisted.internet import reactor

        settings = crawler.settings
        self._limit = settings.getint("DOWNLOAD_MAXSIZE")
        self._timeout_s = settings.getfloat("DOWNLOAD_TIMEOUT")
        self._headers = Headers({"User-Agent": [settings["USER_AGENT"]], **_ACCEPT})
        self._pool = HTTPConnectionPool(reactor, persistent=True)
        self._pool.maxPersistentPerHost = settings.getint("CONCURRENT_REQUESTS_PER_DOMAIN")
        self._pool._factory = _HeadKeepingFactory
        self._endpoints = _PinnedEndpoints(reactor, self._timeout_s)
        self._agent = Agent.usingEndpointFactory(reactor, self._endpoints, self._pool)

    async def download_request(self, request: Request) -> Response:
        """The response to a GET of the leased URL."""
        spider = cast(Any, self.crawler.spider)
        task = asyncio.current_task()
        spider.in_flight.add(task)
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                response, body = await self._get(request, spider)
        except TimeoutError:
            raise FetchError("timeout", f"{self._timeout_s:g} s") from None
        except asyncio.CancelledError:
            # Scrapy waits for an answer to every request, and takes no cancellation for one.
            raise FetchError("stopped") from None
        finally:
            spider.in_flight.discard(task)
        request.meta["download_latency"] = time.monotonic() - began
        raw = RawResponse(request.url, status=response.code, body=body, request=request)
        raw.head = cast(Any, response).head
        return raw

    async def close(self) -> None:
        """Close the connections that are kept alive."""
        self._pool.closeCachedConnections()

    async def _get(self, request: Request, spider: Any) -> tuple[IResponse, bytes]:
        url = request.meta["lease"].url.encode("ascii")
        uri = URI.fromBytes(url)
        self._endpoints.addresses[uri.host, uri.port] = await spider.resolver.resolve(uri.host.decode(), uri.port)
        loop = asyncio.get_running_loop()
        collector = _Collector(self._limit)
        try:
            response = await self._agent.request(b"GET", url, self._headers).asFuture(loop)
            if response.length == 0:
                return response, b""
            response.deliverBody(collector)
            if response.length is not UNKNOWN_LENGTH and response.length > self._limit:
                collector.refuse(f"{response.length} bytes")
            return response, await collector.finished.asFuture(loop)
        except TooLargeError:
            raise
        except Exception as error:  # Twisted and OpenSSL have many; none of them may stop the crawl
            raise FetchError("connection", _explain(error)) from error


_ACCEPT = {
    "Accept": ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
    "Accept-Language": ["en,*;q=0.5"],
    "Accept-Encoding": ["gzip, br, zstd"],
}


def _explain(error: BaseException) -> str:
    """One line on an error and, where it wraps others, on those."""
    reasons = getattr(error, "reasons", None) or []
    inner = "; ".join(_explain(r.value) for r in reasons if isinstance(r, Failure) and r.value)
    return (inner or f"{type(error).__name__}: {error}")[:300]


# ---------------------------------------------------------------- where to connect


@implementer(IAgentEndpointFactory)
class _PinnedEndpoints:
    """Endpoints at the addresses that were checked; `addresses` is by host and port of the URL."""

    def __init__(self, reactor: Any, timeout_s: float) -> None:
        self._reactor = reactor
        self._timeout_s = timeout_s
        self._policy = BrowserLikePolicyForHTTPS()
        self.addresses: dict[tuple[bytes, int], list[tuple[str, int]]] = {}

    def endpointForURI(self, uri: URI) -> _PinnedEndpoint:
        """Name and signature are Twisted's."""
        return _PinnedEndpoint(self._reactor, self._timeout_s, self._policy, uri, self.addresses[uri.host, uri.port])


@implementer(IStreamClientEndpoint)
class _PinnedEndpoint:
    """Connects to the first address that answers. Only then is TLS set up, for the name in the URL."""

    def __init__(
        self,
        reactor: Any,
        timeout_s: float,
        policy: BrowserLikePolicyForHTTPS,
        uri: URI,
        addresses: list[tuple[str, int]],
    ) -> None:
        self._reactor = reactor
        self._timeout_s = timeout_s
        self._policy = policy
        self._uri = uri
        self._addresses = addresses

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """A deferred of the protocol, once connected."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        error: Exception = OSError("no address")
        for address, port in self._addresses:
            endpoint: Any = HostnameEndpoint(self._reactor, address, port, timeout=self._timeout_s)
            if self._uri.scheme == b"https":
                endpoint = wrapClientTLS(self._policy.creatorForNetloc(self._uri.host, self._uri.port), endpoint)
            try:
                return cast(IProtocol, await endpoint.connect(factory))
            except Exception as failed:  # noqa: BLE001 - the next address may do
                error = failed
        raise error


# ---------------------------------------------------------------- the response as it came


class _HeadKeepingParser(HTTPClientParser):
    """Keeps the lines of the head; skips header lines without a colon, as browsers do."""

    _head_lines: list[bytes]
    _head_bytes: int

    def statusReceived(self, status: bytes) -> None:
        self._head_lines = []
        self._head_bytes = 0
        super().statusReceived(status)

    def lineReceived(self, line: bytes) -> None:
        stripped = line.removesuffix(b"\r")
        if self.state == HEADER:
            self._keep(stripped)
            if stripped and stripped[0] not in b" \t" and b":" not in stripped:
                return
            super().lineReceived(line)
        else:
            super().lineReceived(line)
            self._keep(stripped)

    def allHeadersReceived(self) -> None:
        cast(Any, self.response).head = b"\r\n".join(line for line in self._head_lines if line)
        super().allHeadersReceived()

    def _keep(self, line: bytes) -> None:
        self._head_bytes += len(line)
        if self._head_bytes > _MAX_HEAD_BYTES:
            raise ParseError("head too large", line[:40])
        self._head_lines.append(line)


class _HeadKeepingProtocol(HTTP11ClientProtocol):
    def request(self, request: Any) -> Deferred[IResponse]:
        answer = super().request(request)
        # The base class makes its parser itself, and no byte has come for it yet.
        if self._parser is not None:
            self._parser.__class__ = _HeadKeepingParser
        return answer


class _HeadKeepingFactory(HTTP11ClientFactory):
    noisy = False

    def buildProtocol(self, addr: object) -> HTTP11ClientProtocol:
        return _HeadKeepingProtocol(self._quiescentCallback)


class _Collector(Protocol):
    """Collects a body up to a limit; `finished` fires with it."""

    def __init__(self, limit: int) -> None:
        self.finished: Deferred[bytes] = Deferred(lambda _: self.abort())
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def refuse(self, detail: str) -> None:
        """The body is too large: forget it, and drop the connection."""
        self._parts.clear()
        self.finished.errback(TooLargeError(detail))
        self.abort()

    def abort(self) -> None:
        """Drop the connection at once: loseConnection would wait for a peer that may never answer."""
        producer = getattr(self.transport, "_producer", None)
        if producer is not None:
            producer.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        if self.finished.called:
            return
        self._size += len(data)
        self._parts.append(data)
        if self._size > self._limit:
            self.refuse(f"more than {self._limit} bytes")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.finished.called:
            return
        # PotentialDataLoss: neither length nor chunks, so that the end of the connection is the end.
        if reason.check(ResponseDone, PotentialDataLoss):
            self.finished.callback(b"".join(self._parts))
        else:
            self.finished.errback(reason)
