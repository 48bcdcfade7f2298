"""A server on loopback with OpenAI's files and batches, which answers as a test tells it, and counts what it was asked."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "sk-not-a-real-key-but-as-long-as-one"


def sound(text: str) -> dict[str, Any]:
    """The body of a chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return {"id": "x", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}


def answered(line: dict[str, Any], status: int = 200, body: Any = None) -> dict[str, Any]:
    """A line of results: an answer that repeats its request's last message, or what is given."""
    if body is None:
        body = sound(line["body"]["messages"][-1]["content"])
    return {
        "id": "r",
        "custom_id": line["custom_id"],
        "response": {"status_code": status, "body": body},
        "error": None,
    }


def unanswered(line: dict[str, Any], code: str = "batch_expired") -> dict[str, Any]:
    """A line of errors: a request that was not done."""
    return {"id": "r", "custom_id": line["custom_id"], "response": None, "error": {"code": code, "message": "late"}}


@dataclass
class Ending:
    """How a batch ends: its status, the lines of its two files (objects, or bytes as they are), its errors."""

    status: str = "completed"
    output: list[Any] = field(default_factory=list)
    errors_file: list[Any] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)


Work = Callable[[list[dict[str, Any]], int], Ending]
Fault = Callable[[str, str, int], tuple[int, bytes, dict[str, str]] | None]


def faithful(lines: list[dict[str, Any]], number: int) -> Ending:
    """Every request answered, in another order than asked."""
    return Ending(output=[answered(line) for line in reversed(lines)])


class BatchServer:
    """Serves until closed. `work` says how the nth batch ends, after it was looked at `looks` times.

    `fault` may answer a call instead (method, path, how many such calls there were), after it was done if `late` says
    so: status 0 drops the connection. `accepted` counts how often each custom_id stood in a batch that passed its
    checks. `hook` is called with a name at each point of interest.
    """

    def __init__(
        self, work: Work = faithful, looks: int = 1, fault: Fault | None = None, late: Fault | None = None
    ) -> None:
        self.work, self.looks, self.fault, self.late = work, looks, fault, late
        self.hook: Callable[[str], None] = lambda point: None
        self.metadata = True
        self.pending = 0  # how often a new file is not ready
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.accepted: Counter[str] = Counter()
        self.calls: Counter[tuple[str, str]] = Counter()
        self.keys_seen: set[str] = set()
        self.lock = threading.RLock()
        self._unready: Counter[str] = Counter()
        self._looks: Counter[str] = Counter()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                server._serve(self)

            do_GET = do_POST = do_DELETE = _any

            def log_message(self, *arguments: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops serving."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        size = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(size)
        if len(body) < size:  # the client was killed while it sent
            return
        self.keys_seen.add(handler.headers.get("Authorization") or handler.headers.get("api-key") or "")
        address = urlsplit(handler.path)
        path = address.path.removeprefix("/v1")
        shape = (
            handler.command,
            "/".join(each if index < 2 or each == "content" else "ID" for index, each in enumerate(path.split("/"))),
        )
        with self.lock:
            number = self.calls[shape]
            self.calls[shape] += 1
            self.hook(f"{shape[0]} {shape[1]} {number}")
            answer = self.fault(*shape, number) if self.fault else None
            if answer is None:
                answer = self._answer(handler, path, parse_qs(address.query), body)
                answer = (self.late(*shape, number) if self.late else None) or answer
        self.hook(f"after {shape[0]} {shape[1]} {number}")
        self._reply(handler, *answer)

    def _reply(self, handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
        handler.close_connection = True
        if not status:
            return
        try:
            handler.send_response(status)
            for name, value in {"Content-Length": str(len(body)), "Connection": "close", **headers}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            pass

    def _answer(
        self, handler: BaseHTTPRequestHandler, path: str, query: dict[str, list[str]], body: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        parts = path.strip("/").split("/")
        match (handler.command, *parts):
            case ("POST", "files"):
                return self._upload(handler, body)
            case ("GET", "files", name, "content") if name in self.files:
                return 200, self.files[name], {}
            case ("GET", "files", name) if name in self.files:
                self._unready[name] -= 1
                return _json({"id": name, "status": "pending" if self._unready[name] > 0 else "processed"})
            case ("DELETE", "files", name) if name in self.files:
                del self.files[name]
                return _json({"id": name, "deleted": True})
            case ("POST", "batches"):
                return self._create(json.loads(body))
            case ("GET", "batches", name) if name in self.batches:
                return _json(self._look(name))
            case ("GET", "batches"):
                return self._list(query)
        return _json({"error": {"message": f"no {path}", "code": "not_found"}}, 404)

    def _upload(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        head = f"Content-Type: {handler.headers['Content-Type']}\r\n\r\n".encode()
        message = BytesParser().parsebytes(head + body)
        parts = {each.get_param("name", header="content-disposition"): each for each in message.get_payload()}  # type: ignore[union-attr]
        assert parts["purpose"].get_payload() == "batch"  # type: ignore[union-attr]
        name = f"file-{len(self.calls)}-{sum(self.calls.values())}"
        self.files[name] = parts["file"].get_payload(decode=True)  # type: ignore[union-attr,assignment]
        self._unready[name] = self.pending
        return _json({"id": name, "object": "file", "status": "pending" if self.pending else "processed"})

    def _create(self, asked: dict[str, Any]) -> tuple[int, bytes, dict[str, str]]:
        assert asked["endpoint"] == "/v1/chat/completions" and asked["completion_window"] == "24h"
        name = f"batch_{len(self.batches)}"
        lines = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
        assert all(line["url"] == "/v1/chat/completions" and line["method"] == "POST" for line in lines)
        ending = self.work(lines, len(self.batches))
        if ending.status != "failed" or ending.output:
            self.accepted.update(line["custom_id"] for line in lines)
        self.batches[name] = {
            "id": name, "object": "batch", "status": "validating", "input_file_id": asked["input_file_id"],
            "metadata": asked["metadata"] if self.metadata else None, "errors": None, "_ending": ending,
        }  # fmt: skip
        return _json(_shown(self.batches[name]))

    def _look(self, name: str) -> dict[str, Any]:
        batch = self.batches[name]
        self._looks[name] += 1
        ending: Ending = batch["_ending"]
        if self._looks[name] > self.looks and batch["status"] != ending.status:
            batch["status"] = ending.status
            batch["errors"] = {"data": ending.errors} if ending.errors else None
            for file, lines in (("output_file_id", ending.output), ("error_file_id", ending.errors_file)):
                if lines:
                    batch[file] = f"{name}-{file}"
                    self.files[batch[file]] = b"".join(_line(line) for line in lines)
        elif batch["status"] == "validating":
            batch["status"] = "in_progress"
        return _shown(batch)

    def _list(self, query: dict[str, list[str]]) -> tuple[int, bytes, dict[str, str]]:
        names = list(self.batches)[::-1]
        if "after" in query:
            names = names[names.index(query["after"][0]) + 1 :]
        page = names[:2]  # so that there are pages
        data = [_shown(self.batches[name]) for name in page]
        return _json({"object": "list", "data": data, "has_more": len(names) > len(page)})


def _line(line: Any) -> bytes:
    return line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"


def _shown(batch: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in batch.items() if not name.startswith("_")}


def _json(value: Any, status: int = 200) -> tuple[int, bytes, dict[str, str]]:
    return status, json.dumps(value).encode(), {"Content-Type": "application/json"}
