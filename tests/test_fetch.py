"""The download handler alone, against a server that says byte for byte what a test wants."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest
from scrapy import Request
from scrapy.settings import Settings

from crawlers import addresses
from crawlers.addresses import PrivateAddressError, Resolver
from crawlers.connection import FetchError, TooLargeError
from crawlers.fetch import PinnedDownloadHandler, RawResponse, request_head
from crawlers.spider import scrapy_settings
from manifests.models import CrawlSettings
from tests.hostile_site import HostileSite, html, whole

T = TypeVar("T")
HOST = "site.localhost"


class Fetcher:
    """A handler with a resolver, outside of Scrapy's engine."""

    def __init__(self, resolver: Resolver, **settings: Any) -> None:
        spider = SimpleNamespace(resolver=resolver, in_flight=set(), sent=lambda host: None)
        values = scrapy_settings(CrawlSettings(delay_s=0.0, concurrency_per_host=4, **settings), "0.0")
        self.handler = PinnedDownloadHandler(cast(Any, SimpleNamespace(settings=Settings(values), spider=spider)))

    async def get(self, url: str, conditions: dict[str, str] | None = None) -> RawResponse:
        meta = {"lease": SimpleNamespace(url=url)} | ({"conditions": conditions} if conditions else {})
        response = await self.handler.download_request(Request(url, meta=meta))
        return cast(RawResponse, response)


def on(site: HostileSite, steps: Callable[[Fetcher], Awaitable[T]], **settings: Any) -> T:
    """Run steps of a fetcher to which every host of the tests is the site."""

    async def run() -> T:
        fetcher = Fetcher(Resolver({HOST: f"127.0.0.1:{site.port}"}, private_addresses=False), **settings)
        try:
            return await steps(fetcher)
        finally:
            await fetcher.handler.close()

    return asyncio.run(run())


def url(path: str = "/") -> str:
    return f"http://{HOST}{path}"


def test_a_response_and_its_request_are_kept_byte_for_byte() -> None:
    head = b"HTTP/1.1 200 Fine\r\nX-a:  two  \r\nno colon\r\nSET-cookie: a\r\nset-Cookie: b\r\nContent-Length: 3\r\n"
    with HostileSite({"/a?b=%C3%A4&c": head + b"\r\nabc"}) as site:
        response = on(site, lambda fetcher: fetcher.get(url("/a?b=%C3%A4&c")))
        assert (response.status, response.body) == (200, b"abc")
        assert response.head == head.removesuffix(b"\r\n")
        assert site.requests == [response.request_head]
    assert response.request_head.startswith(b"GET /a?b=%C3%A4&c HTTP/1.1\r\nHost: site.localhost\r\nUser-Agent: sysc")
    assert response.request_head.endswith(b"\r\n\r\n")


def test_conditions_go_out_as_they_came() -> None:
    conditions = {"If-None-Match": 'W/"a  b\xe9"', "If-Modified-Since": "Sat, 28 Nov 2026 00:00:00 GMT"}
    unchanged = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n"
    with HostileSite({"/": unchanged}) as site:
        response = on(site, lambda fetcher: fetcher.get(url(), conditions))
    assert (response.status, response.body) == (304, b"")
    lines = site.requests[0].split(b"\r\n")
    assert lines[-4:-2] == [b'If-None-Match: W/"a  b\xe9"', b"If-Modified-Since: Sat, 28 Nov 2026 00:00:00 GMT"]


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\rb", "a\0", "\x85", "", "a" * 2000, "\u0142"])
def test_a_condition_that_cannot_be_sent_is_left_out(value: str) -> None:
    assert request_head(url(), b"A: b\r\n", {"If-None-Match": value}) == request_head(url(), b"A: b\r\n", {})


def test_a_connection_carries_one_request_after_another() -> None:
    answers = {f"/{n}": html(f"<p>{n}") for n in range(5)}
    with HostileSite(dict(answers)) as site:

        async def steps(fetcher: Fetcher) -> list[bytes]:
            return [(await fetcher.get(url(path))).body for path in answers]

        assert on(site, steps) == [answer.partition(b"\r\n\r\n")[2] for answer in answers.values()]
        assert site.connections == 1


def test_what_a_server_says_before_it_is_asked_answers_nothing() -> None:
    evil = whole(b"of another page")
    gone = threading.Event()

    def says_more_later(connection: socket.socket) -> None:
        connection.sendall(whole(b"later"))
        connection.sendall(evil)
        gone.set() if connection.recv(1) == b"" else None

    with HostileSite({"/at-once": whole(b"at once") + evil, "/later": says_more_later, "/": whole(b"right")}) as site:

        async def steps(fetcher: Fetcher) -> list[bytes]:
            bodies = [(await fetcher.get(url(path))).body for path in ("/at-once", "/", "/later")]
            await asyncio.to_thread(gone.wait, 30)
            return [*bodies, (await fetcher.get(url())).body]

        assert on(site, steps) == [b"at once", b"right", b"later", b"right"]
    assert gone.is_set()


def test_a_connection_that_the_server_closed_meanwhile_is_no_failure() -> None:
    """Also where the request is what finds out."""

    def once(connection: socket.socket) -> None:
        connection.sendall(whole(b"first"))
        connection.recv(1)  # the next request has come: too late

    with HostileSite({"/first": once, "/second": whole(b"second")}) as site:

        async def steps(fetcher: Fetcher) -> list[bytes]:
            return [(await fetcher.get(url(path))).body for path in ("/first", "/second")]

        assert on(site, steps) == [b"first", b"second"]
        assert site.connections == 2


def test_a_failure_names_its_reason() -> None:
    answers: dict[str, Any] = {"/large": whole(bytes(2000)), "/garbage": lambda c: c.sendall(b"garbage\r\n\r\n")}
    with HostileSite(answers) as site:
        with pytest.raises(TooLargeError, match="2000 bytes"):
            on(site, lambda fetcher: fetcher.get(url("/large")), max_body_bytes=1024)
        with pytest.raises(FetchError, match="no HTTP/1 status line: b'garbage"):
            on(site, lambda fetcher: fetcher.get(url("/garbage")))
    with pytest.raises(FetchError, match=r"ConnectionRefusedError|Connect call failed"):
        on(site, lambda fetcher: fetcher.get(url()))


def test_a_fetch_that_is_stopped_leaves_no_connection() -> None:
    with HostileSite({}) as site:
        gone = threading.Event()
        asked = threading.Event()

        def hang(connection: socket.socket) -> None:
            asked.set()
            connection.recv(1)
            gone.set()

        site.answers["/"] = hang

        async def steps(fetcher: Fetcher) -> str:
            task = asyncio.ensure_future(fetcher.get(url()))
            await asyncio.to_thread(asked.wait, 30)
            task.cancel()
            with pytest.raises(FetchError) as error:
                await task
            await asyncio.to_thread(gone.wait, 30)
            return error.value.reason

        assert on(site, steps) == "stopped"
        assert gone.is_set()


# ---------------------------------------------------------------- names that lie


class Names:
    """A DNS server's answers, one list of addresses after another for each name; the last one stays."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answers: dict[str, list[list[str]]]) -> None:
        self._answers = answers
        self.asked = 0
        monkeypatch.setattr(socket, "getaddrinfo", self._getaddrinfo)

    def _getaddrinfo(self, host: str, *_: object, **__: object) -> list[tuple[Any, ...]]:
        self.asked += 1
        answers = self._answers[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in found]


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"],
        ["1.1.1.1", "127.0.0.1"],
        ["169.254.169.254"],
        ["::ffff:10.0.0.1"],
        ["2606:4700::1", "fe80::1%eth0"],
        ["64:ff9b::a9fe:a9fe"],
    ],
)
def test_a_name_that_resolves_to_a_private_address(monkeypatch: pytest.MonkeyPatch, found: list[str]) -> None:
    Names(monkeypatch, {"rebinds.example": [found]})
    with pytest.raises(PrivateAddressError):
        asyncio.run(Fetcher(Resolver({}, private_addresses=False)).get("http://rebinds.example/"))


def test_a_name_that_changes_its_mind_is_connected_to_where_it_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first address stands for a public one here; the second has a listener that nobody may reach."""
    public = ipaddress.ip_address("127.0.0.2")
    monkeypatch.setattr(addresses, "is_public", lambda address: address == public)
    names = Names(monkeypatch, {"rebinds.example": [["127.0.0.2"], ["127.0.0.1"]]})
    with HostileSite({}) as forbidden, socket.create_server(("127.0.0.2", forbidden.port)) as listening:

        def answer() -> None:
            for _ in range(2):
                with listening.accept()[0] as connection:
                    connection.recv(65536)
                    connection.sendall(whole(b"public", "Connection: close"))

        threading.Thread(target=answer, daemon=True).start()

        async def steps() -> None:
            fetcher = Fetcher(Resolver({}, private_addresses=False))
            page = f"http://rebinds.example:{forbidden.port}/"
            assert (await fetcher.get(page)).body == b"public"
            assert (await fetcher.get(page)).body == b"public"
            assert names.asked == 1
            monkeypatch.setattr(addresses, "_TTL_S", -1.0)
            fetcher.handler.crawler.spider.resolver = Resolver({}, private_addresses=False)  # type: ignore[union-attr]
            with pytest.raises(PrivateAddressError):
                await fetcher.get(page)

        asyncio.run(steps())
        assert forbidden.connections == 0
