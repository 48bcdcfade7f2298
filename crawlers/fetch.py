"""The download handler: one GET to a checked address, the response as it came.

Scrapy's own handlers resolve names themselves, and give headers regrouped; this one connects where the
resolver says, keeps the head byte for byte, and gives the body before Content-Encoding is undone. It follows no
redirect: that is a URL of its own, with a lease and a check of its own.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from scrapy import Request
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.crawler import Crawler
from scrapy.http import Response

from crawlers.connection import FetchError, Pool, connect
from crawlers.response import ResponseReader
from crawlers.urls import host_of

#: Characters of a condition that are sent back to a server; longer ones would get an error for an answer.
_MAX_CONDITION = 1024


class RawResponse(Response):
    """A response as received.

    `head`: status line and headers. `request_head`: request line and headers as sent, with the empty line after
    them, which is all of the request.
    """

    head: bytes = b""
    request_head: bytes = b""


class PinnedDownloadHandler(BaseDownloadHandler):
    """Fetches `request.meta["lease"].url` for a spider that has a `resolver` and `in_flight`.

    `request.meta["conditions"]` may hold headers that make the request conditional (RFC 9110, 13.1).
    Raises PrivateAddressError, UnknownHostError, TooLargeError, FetchError.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        settings = crawler.settings
        self._limit = settings.getint("DOWNLOAD_MAXSIZE")
        self._timeout_s = settings.getfloat("DOWNLOAD_TIMEOUT")
        # A recipe's contact may have been folded over lines.
        self._headers = b"User-Agent: %s\r\n" % " ".join(settings["USER_AGENT"].split()).encode() + _ACCEPT
        self._pool = Pool(settings.getint("CONCURRENT_REQUESTS_PER_DOMAIN"))
        self._tls: ssl.SSLContext | None = None

    async def download_request(self, request: Request) -> Response:
        """The response to a GET of the leased URL."""
        url = request.meta["lease"].url
        head = request_head(url, self._headers, request.meta.get("conditions", {}))
        spider = cast(Any, self.crawler.spider)
        task = asyncio.current_task()
        spider.in_flight.add(task)
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._get(url, head, spider)
        except TimeoutError:
            raise FetchError("timeout", f"{self._timeout_s:g} s") from None
        except asyncio.CancelledError:
            # Scrapy waits for an answer to every request, and takes no cancellation for one.
            raise FetchError("stopped") from None
        finally:
            spider.in_flight.discard(task)
        request.meta["download_latency"] = time.monotonic() - began
        raw = RawResponse(request.url, status=response.status, body=response.body, request=request)
        raw.head, raw.request_head = response.head, head
        return raw

    async def close(self) -> None:
        """Close the connections that are kept alive."""
        self._pool.close()

    async def _get(self, url: str, head: bytes, spider: Any) -> ResponseReader:
        scheme, _, authority, _ = url.split("/", 3)
        host = host_of(url)
        port = int(authority[len(host) + 1 :] or (443 if scheme == "https:" else 80))
        place = (scheme, host, port)
        addresses = await spider.resolver.resolve(host, port)
        sent = partial(spider.sent, host)
        kept = self._pool.take(place)
        if kept is not None:
            try:
                response = await kept.get(head, self._limit, self._timeout_s, sent)
            except FetchError as error:
                # It had been closed from the other side before the request came there: no fault of the server's.
                if error.reason != "connection":
                    raise
            else:
                self._pool.keep(place, kept)
                return response
        connection = await connect(addresses, self._context(scheme), host, self._timeout_s)
        response = await connection.get(head, self._limit, self._timeout_s, sent)
        self._pool.keep(place, connection)
        return response

    def _context(self, scheme: str) -> ssl.SSLContext | None:
        """TLS as the system trusts it: by chain, date and name. There is no way to do without."""
        if scheme == "https:" and self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls if scheme == "https:" else None


_ACCEPT = (
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Accept-Language: en,*;q=0.5\r\n"
    b"Accept-Encoding: gzip, br, zstd\r\n"
)


def request_head(url: str, headers: bytes, conditions: Mapping[str, str]) -> bytes:
    """The bytes of a GET of a canonical URL (RFC 9112, 3): `headers` are whole lines.

    A condition that the server gave us in a form that cannot be sent (a line end in it, a megabyte) is left out:
    the request is then unconditional, which is never wrong.
    """
    _, _, authority, target = url.split("/", 3)
    lines = "".join(f"{name}: {value}\r\n" for name, value in conditions.items() if _is_sendable(value))
    begin = f"GET /{target} HTTP/1.1\r\nHost: {authority}\r\n"
    return begin.encode("ascii") + headers + lines.encode("latin-1") + b"\r\n"


def _is_sendable(value: str) -> bool:
    return 0 < len(value) <= _MAX_CONDITION and all(" " <= c <= "~" or "\xa0" <= c <= "\xff" for c in value)
