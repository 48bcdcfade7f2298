"""As much of Azure's and Google's object stores as a conditional write needs: objects with a version, on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit


class _Handler(BaseHTTPRequestHandler):
    server: BlobServer

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            there = self.server.blobs.get(self.path)
            wanted = self.headers["If-Match"]
            if there and self.headers["If-None-Match"] == "*":
                self._answer(409, b"", {"x-ms-error-code": "BlobAlreadyExists"})
            elif wanted and (there is None or there[1] != wanted):
                self._answer(412, b"", {"x-ms-error-code": "ConditionNotMet"})
            else:
                self.server.writings += 1
                etag = f'"{self.server.writings}"'
                self.server.blobs[self.path] = (content, etag, formatdate(usegmt=True))
                self._answer(201, b"", {"ETag": etag, "Last-Modified": formatdate(usegmt=True)})

    def do_POST(self) -> None:
        """Google's upload; its bucket `container` is the only one."""
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        path = f"/storage/v1/b/container/o/{quote(asked['name'], safe='')}"
        with self.server.lock:
            there = self.server.blobs.get(path)
            if asked["ifGenerationMatch"] != (there[1] if there else "0"):
                self._answer(412, b"", {})
                return
            self.server.writings += 1
            generation = str(1_000_000 + self.server.writings)
            self.server.blobs[path] = (content, generation, formatdate(usegmt=True))
        self._answer(200, b'{"generation": "%s"}' % generation.encode(), {"Content-Type": "application/json"})

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        there = self.server.blobs.get(path)
        if there and path.startswith("/storage/"):
            self._answer(200, there[0], {"x-goog-generation": there[1], "Last-Modified": there[2]})
            return
        if there is None:
            self._answer(404, b"", {"x-ms-error-code": "BlobNotFound"})
            return
        content, etag, written = there
        headers = {"ETag": etag, "Last-Modified": written, "x-ms-blob-type": "BlockBlob"}
        if content:
            self._answer(206, content, {**headers, "Content-Range": f"bytes 0-{len(content) - 1}/{len(content)}"})
        elif self.headers["x-ms-range"] or self.headers["Range"]:
            self._answer(416, b"", {"x-ms-error-code": "InvalidRange"})
        else:
            self._answer(200, b"", headers)

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class BlobServer(ThreadingHTTPServer):
    """Objects by path: content, ETag, when it was written."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.blobs: dict[str, tuple[bytes, str, str]] = {}
        self.lock = threading.Lock()
        self.writings = 0


@contextmanager
def blob_server() -> Iterator[str]:
    """A server while the block runs; gives its address."""
    with BlobServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
