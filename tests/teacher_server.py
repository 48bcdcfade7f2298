"""An OpenAI-compatible server on loopback that answers as a test tells it, and counts what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PROSE = (
    "The kernel keeps pages of files in memory so that a program which reads the same file again need not wait "
    "for the disk. When memory runs short the kernel first gives up pages that nobody has changed, since these "
    "can be read again, and only then writes changed pages out. "
)
REWRITE = (
    "## Why is a second read faster?\n\nBecause what was fetched once stays cached. Anything read lately is served "
    "from there, and the device is left alone.\n\n## What happens under pressure?\n\nClean entries go first, as "
    "dropping them costs nothing but another fetch. Dirty ones must be flushed before they may be let go.\n"
)

# What is sent: status, body (None: the connection is dropped), headers beside the usual.
Answer = tuple[int, bytes | None, dict[str, str]]
NOW = {"Retry-After": "0"}


def completion(text: str | None, finish: str = "stop", usage: tuple[int, int, int] | None = None) -> Answer:
    """A chat completion with one choice; `usage`: tokens of the prompt, of it cached, and written."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    told: dict[str, Any] = {"id": "x", "object": "chat.completion", "choices": [choice]}
    if usage:
        prompt, cached, written = usage
        details = {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
        told["usage"] = {**details, "prompt_tokens_details": {"cached_tokens": cached}}
    return 200, json.dumps(told).encode(), NOW


def error(status: int, message: str = "no") -> Answer:
    """An error in JSON, with leave to ask again at once."""
    return status, json.dumps({"error": {"message": message}}).encode(), NOW


DROP: Answer = (0, None, {})


class TeacherServer:
    """Serves until closed. `answer` maps a request's JSON, and how often the same was asked before, to an Answer.

    `key`: what a caller must bring as its bearer.
    """

    def __init__(
        self,
        answer: Callable[[dict[str, Any], int], Answer],
        address: tuple[str, int] = ("127.0.0.1", 0),
        key: str = "",
    ) -> None:
        self.answer = answer
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with server._lock:
                    before = server.requests.count(request)
                    server.requests.append(request)
                    server.headers.append(dict(self.headers))
                    server.paths.append(self.path)
                known = not key or self.headers["Authorization"] == f"Bearer {key}"
                self._send(*(server.answer(request, before) if known else error(401, "Unauthorized")))

            def do_GET(self) -> None:
                self._send(200 if self.path == "/health" else 404, b"", {})

            def _send(self, status: int, body: bytes | None, headers: dict[str, str]) -> None:
                if body is None:
                    return
                self.send_response(status)
                for name, value in {
                    "Content-Length": str(len(body)),
                    "Content-Type": "application/json",
                    **headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(address, Handler)
        self.url = f"http://{address[0]}:{self._http.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        """Stops serving."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
