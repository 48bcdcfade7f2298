"""A proxy before an object store on loopback: it notes what is asked, throttles, cuts, holds or damages as a test tells it."""

from __future__ import annotations

import hashlib
import http.client
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SLOW_DOWN = (
    b"<?xml version='1.0' encoding='utf-8'?><Error><Code>%s</Code><Message>Reduce your request rate.</Message></Error>"
)
CODES = {"s3": "SlowDown", "az": "ServerBusy"}


@dataclass
class Asked:
    """A request of `size` bytes. `part` is the number of a part of a large file; `checked`: its body came with its own
    checksum. `answered`: bytes of the body of the answer."""

    method: str
    path: str
    query: dict[str, list[str]]
    size: int
    checked: bool
    status: int = 0
    answered: int = 0

    @property
    def part(self) -> int | None:
        if "partNumber" in self.query:
            return int(self.query["partNumber"][0])
        if self.query.get("comp") == ["block"]:
            return int(b64decode(self.query["blockid"][0]).partition(b"-")[0])
        return None

    @property
    def ends(self) -> bool:
        """Whether it makes an object of parts."""
        return self.query.get("comp") == ["blocklist"] or (self.method == "POST" and "uploadId" in self.query)

    @property
    def changes(self) -> bool:
        return self.method in ("PUT", "POST", "DELETE")


class Proxy:
    """Serves until closed. `rule` says what becomes of a request: None passes it on.

    throttle: 503; cut: the connection ends in the middle of the body; lose: it is passed on, and the answer is not;
    damage: it is passed on with another byte; hold: it waits for `released`, and is cut.
    """

    def __init__(self, upstream: str, scheme: str) -> None:
        self.rule: Callable[[Asked], str | None] = lambda asked: None
        self.seen: list[Asked] = []
        self.held = 0
        self.changed = threading.Condition()
        self.released = threading.Event()
        host, code, proxy = urlsplit(upstream).netloc, CODES[scheme], self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                proxy._handle(self, host, code)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def wait(self, until: Callable[[], bool]) -> None:
        """Until something holds of what was seen."""
        with self.changed:
            assert self.changed.wait_for(until, timeout=60), self.seen

    def parts(self) -> list[int]:
        """Numbers of the parts that the store took, in order."""
        return sorted(each.part for each in self.seen if each.part is not None and each.status in (200, 201))

    def _handle(self, handler: BaseHTTPRequestHandler, host: str, code: str) -> None:
        size = int(handler.headers.get("Content-Length") or 0)
        target = urlsplit(handler.path)
        asked = Asked(handler.command, target.path, parse_qs(target.query, keep_blank_values=True), size, False)
        what = self.rule(asked)
        body = handler.rfile.read(size // 2 if what == "cut" else size)
        sums = {b64encode(hashlib.sha256(body).digest()).decode(), b64encode(hashlib.md5(body).digest()).decode()}
        asked.checked = bool(sums & {handler.headers.get("x-amz-checksum-sha256"), handler.headers.get("Content-MD5")})
        if what == "hold":
            self._tell(asked, held=1)
            self.released.wait()
        if what in ("hold", "cut"):
            handler.close_connection = True
            self._tell(asked)
            return
        if what == "throttle":
            asked.status = 503
            self._tell(asked)
            answer = SLOW_DOWN % code.encode() if handler.command != "HEAD" else b""
            self._answer(handler, 503, [("x-ms-error-code", code), ("Content-Type", "application/xml")], answer)
            return
        if what == "damage":
            body = bytes([body[0] ^ 1]) + body[1:]
        upstream = http.client.HTTPConnection(host)
        try:
            headers = {name: value for name, value in handler.headers.items() if name.lower() != "expect"}
            upstream.request(handler.command, handler.path, body, headers)
            response = upstream.getresponse()
            answer = response.read()
        finally:
            upstream.close()
        asked.status, asked.answered = response.status, len(answer)
        self._tell(asked)
        if what == "lose":
            handler.close_connection = True
            return
        self._answer(handler, response.status, response.getheaders(), answer)

    def _tell(self, asked: Asked, held: int = 0) -> None:
        with self.changed:
            if not held:
                self.seen.append(asked)
            self.held += held
            self.changed.notify_all()

    @staticmethod
    def _answer(handler: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        handler.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                handler.send_header(name, value)
        told = next((value for name, value in headers if name.lower() == "content-length"), None)
        if handler.command == "HEAD" and told:
            handler.send_header("Content-Length", told)
        elif status not in (204, 304):
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        try:
            handler.wfile.write(body)
        except OSError:
            pass  # it was killed meanwhile
