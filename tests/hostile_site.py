"""A server that says byte for byte what a test tells it to, and a port that nobody may connect to."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable

#: Says the answer on a connection whose request has been read.
Script = Callable[[socket.socket], None]


def whole(body: bytes, *lines: str, status: str = "200 OK") -> bytes:
    """A response with its Content-Length; `lines` are further headers."""
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines))
    return head.encode() + b"\r\n" + body


def html(body: str, *lines: str) -> bytes:
    """A whole page."""
    return whole(f"<!doctype html><html><body>{body}</body></html>".encode(), "Content-Type: text/html", *lines)


def links(*targets: str) -> bytes:
    """A page of links, each of which says another thing."""
    return html("".join(f'<p><a href="{target}">{target}</a> is number {n}</p>' for n, target in enumerate(targets)))


def reset(connection: socket.socket) -> None:
    """Break a connection off with an RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class HostileSite:
    """Answers on 127.0.0.1 by path: bytes are said, and the connection kept; a script does as it likes.

    A path without an answer is a 404. `asked` counts requests by path, `connections` connections,
    `requests` are the heads of requests in their order, `said` counts bytes that a script got rid of.
    """

    def __init__(self, answers: dict[str, bytes | Script], tls: ssl.SSLContext | None = None) -> None:
        self.answers = answers
        self.asked: Counter[str] = Counter()
        self.said: Counter[str] = Counter()
        self.requests: list[bytes] = []
        self.connections = 0
        self._tls = tls
        self._open: set[socket.socket] = set()
        self.closing = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> HostileSite:
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def say_for_ever(self, path: str, begin: bytes, piece: bytes, pause_s: float = 0.0) -> Script:
        """A script that repeats a piece until the other side has had enough, or the site is closed."""

        def script(connection: socket.socket) -> None:
            connection.sendall(begin)
            while not self.closing.wait(pause_s) if pause_s else True:
                self.said[path] += connection.send(piece)

        return script

    def wait(self, begin: bytes = b"") -> Script:
        """A script that says a little, and then nothing more; it ends when the other side goes."""

        def script(connection: socket.socket) -> None:
            connection.sendall(begin)
            connection.recv(1)

        return script

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                while self._answer(connection):
                    pass
        except OSError:
            pass  # the crawler has had enough

    def _answer(self, connection: socket.socket) -> bool:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            piece = connection.recv(65536)
            if not piece:
                return False
            request += piece
            if request[0] == 0x16:  # TLS, where there is none
                connection.sendall(whole(b"no", status="400 Bad Request"))
                return False
        self.requests.append(request)
        path = request.split(b" ", 2)[1].decode()
        self.asked[path] += 1
        answer = self.answers.get(path, whole(b"no such page", status="404 Not Found"))
        if isinstance(answer, bytes):
            connection.sendall(answer)
            return True
        answer(connection)
        return False


class Forbidden:
    """A port on every address of this machine that counts who connects."""

    def __init__(self) -> None:
        if socket.has_dualstack_ipv6():
            self._listening = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        else:
            self._listening = socket.create_server(("0.0.0.0", 0))
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> Forbidden:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def visitors(self) -> int:
        """Connections that have been made: they wait to be accepted, as nobody did."""
        self._listening.setblocking(False)
        count = 0
        while True:
            try:
                self._listening.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1
