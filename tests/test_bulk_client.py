"""The client of bulk readers against servers that do not keep to HTTP: one clear reason, in bounded time and memory."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from crawlers.addresses import Resolver
from crawlers.bulk.http_client import Client, Unavailable
from crawlers.bulk.stop import Stop

OK = b"HTTP/1.1 200 OK\r\n"
LIMIT = 10_000


@contextmanager
def server(*parts: bytes, pause_s: float = 0.0) -> Iterator[str]:
    """Sends the parts to whoever asks, and closes; with a pause it goes on with the last for as long as one listens."""
    listening = socket.create_server(("127.0.0.1", 0))
    ended, wake = socket.socketpair()

    def serve() -> None:
        peer, _ = listening.accept()
        with peer:
            peer.recv(1 << 16)
            try:
                for part in parts:
                    peer.sendall(part)
                while pause_s and not select.select([ended], [], [], pause_s)[0]:
                    peer.sendall(parts[-1])
            except OSError:
                pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        wake.send(b"x")
        thread.join()
        for each in (listening, ended, wake):
            each.close()


def get(url: str, timeout_s: float = 20.0) -> tuple[int, bytes, bytes]:
    with closing(Stop()) as stop:
        client = Client(Resolver({}, private_addresses=True), "test", timeout_s, stop)
        with client.get(url) as exchange:
            return exchange.status, exchange.head, exchange.body(LIMIT)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK + b"Content-Length: 2\r\n\r\nab", b"ab"),
        (OK + b"\r\nuntil it closes", b"until it closes"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n2\r\nbc\r\n0\r\nTrailer: x\r\n\r\n", b"abc"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na", b"a"),
        (b"HTTP/1.0 200 OK\nContent-Length: 1\n\na", b"a"),
        (OK + b"Content-Length: 0\r\n\r\n", b""),
    ],
)
def test_a_response_and_its_head_as_it_came(answer: bytes, body: bytes) -> None:
    with server(answer) as url:
        status, head, found = get(url)
    assert (status, found) == (200, body)
    assert head.split(b"\n")[0].rstrip() in (b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK")
    assert answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").startswith(head)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "connection"),
        (b"SSH-2.0-OpenSSH\r\n", "connection"),
        (b"HTTP/1.1 " + b"x" * 100_000, "connection"),
        (OK + b"A: b\r\n" * 1000, "connection"),
        (OK + b"A: " + b"b" * 100_000 + b"\r\n\r\n", "connection"),
        (OK + b"Content-Length: 9\r\n\r\nab", "connection"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", "connection"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab", "connection"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 100_000, "connection"),
        (OK + b"Content-Length: 99999\r\n\r\n", "too_large"),
        (OK + b"\r\n" + b"x" * (LIMIT + 1), "too_large"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1ffff\r\n" + b"x" * 0x1FFFF, "too_large"),
    ],
)
def test_what_is_no_response_has_a_reason(answer: bytes, reason: str) -> None:
    with server(answer) as url, pytest.raises(Unavailable) as caught:
        get(url)
    assert caught.value.reason == reason
    assert caught.value.may_pass == (reason == "connection")


@pytest.mark.parametrize("parts", [(OK, b"A: b\r\n"), (OK + b"A: ", b"b"), (OK + b"\r\n", b"x"), (b"H",)])
def test_what_drips_is_given_up(parts: tuple[bytes, ...]) -> None:
    with server(*parts, pause_s=0.02) as url, pytest.raises(Unavailable) as caught:
        get(url, timeout_s=0.3)
    assert caught.value.reason == "timeout"


@pytest.mark.parametrize("when", ["before", "within"])
def test_nobody_and_a_private_address(when: str) -> None:
    resolvers: dict[str, Callable[[], Resolver]] = {
        "before": lambda: Resolver({}, private_addresses=False),
        "within": lambda: Resolver({"nobody.example": "127.0.0.1:1"}, private_addresses=False),
    }
    url = {"before": "http://127.0.0.1/", "within": "http://nobody.example/"}[when]
    with closing(Stop()) as stop, pytest.raises(Unavailable) as caught:
        client = Client(resolvers[when](), "test", 5.0, stop)
        with client.get(url):
            pass
    assert caught.value.reason == {"before": "private_address", "within": "connection"}[when]
