"""An OpenAI-compatible server that fails in every way that servers fail, as a seed says, and counts what it answered.

In a test: `with HostileTeacher(faults=0.2, seed=1) as server: server.url`. As a process of its own:
`python -m tests.hostile_teacher --port 0 --faults 0.2 --seed 1` prints its URL; `GET /counts` gives its counts.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

_OVER = 60.0  # seconds after which a connection that hangs is let go
_MARKS = ("<document>", "</document>")


def completion(text: str | None, finish: str | None = "stop", tokens: int = 20) -> bytes:
    """A chat completion with one choice, and the text of a completion beside it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "text": text, "finish_reason": finish}
    usage = {"prompt_tokens": tokens // 2, "completion_tokens": tokens - tokens // 2, "total_tokens": tokens}
    return json.dumps({"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()


def error(message: str, code: Any = None) -> bytes:
    return json.dumps({"error": {"message": message, "type": "error", "code": code}}).encode()


def rewrite(request: dict[str, Any]) -> str:
    """A faithful answer: the document of the prompt, its paragraphs as a list. The same for the same request."""
    prompt = request.get("prompt") or "\n\n".join(str(each["content"]) for each in request.get("messages", []))
    begin, end = (prompt.find(mark) for mark in _MARKS)
    document = prompt[begin + len(_MARKS[0]) : end] if 0 <= begin < end else prompt
    return "\n\n".join(f"In short: {each.strip()}" for each in document.split("\n\n") if each.strip())


@dataclass(frozen=True)
class Reply:
    """What is sent. `cut`: so many bytes of the body are missing; `drip_s`: between its bytes; `hangs`: nothing comes.

    `drops`: the connection ends instead, `before` anything is sent or `after` the headers.
    """

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    cut: int = 0
    chunked: bool = False
    drip_s: float = 0.0
    drops: str = ""
    hangs: bool = False


_NOW = (("Retry-After", "0"),)
#: What may pass: each of these is asked again.
FAULTS: dict[str, Reply] = {
    "429 with Retry-After": Reply(429, error("slow down"), _NOW),
    "429": Reply(429, error("slow down")),
    "503": Reply(503, b"upstream is down", content_type="text/plain"),
    "500 like an answer": Reply(500, completion("not an answer")),
    "502 in HTML": Reply(502, b"<html>bad gateway</html>", content_type="text/html"),
    "529": Reply(529, error("overloaded")),
    "408": Reply(408, error("too slow")),
    "dropped before headers": Reply(drops="before"),
    "dropped after headers": Reply(body=completion("lost"), drops="after"),
    "cut": Reply(body=completion("half of an answer"), cut=40),
    "cut in chunks": Reply(body=completion("half of an answer"), cut=40, chunked=True),
    "HTML": Reply(body=b"<html>sign in</html>", content_type="text/html"),
    "an answer as HTML": Reply(body=completion("no"), content_type="text/html"),
    "half of JSON": Reply(body=completion("no")[:-9]),
    "deep JSON": Reply(body=b"[" * 100_000),
    "no object": Reply(body=b"[1, 2]"),
    "no choices": Reply(body=b'{"id": "x"}'),
    "empty choices": Reply(body=b'{"choices": []}'),
    "wrong choices": Reply(body=b'{"choices": [7]}'),
    "wrong message": Reply(body=b'{"choices": [{"message": "hello", "text": 7, "finish_reason": "stop"}]}'),
    "wrong content": Reply(body=b'{"choices": [{"message": {"content": 7}, "text": 7, "finish_reason": "stop"}]}'),
    "no finish_reason": Reply(body=completion("no", finish=None)),
    "broken off": Reply(body=completion("half of an", finish="abort")),
    "an error in a 200": Reply(body=error("CUDA out of memory")),
    "nothing": Reply(body=b""),
    "204": Reply(204),
    "no HTTP": Reply(drops="garbage"),
}  # fmt: skip


@dataclass
class Counts:
    """Of requests: all that came, whole answers by the hash of their body, and faults by name."""

    asked: int = 0
    connections: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    busy_s: float = 0.0  # of all slots
    most_in_flight: int = 0
    first: float = 0.0  # moment of the first request, by the machine's clock that only goes on
    last: float = 0.0  # moment of the last reply

    def as_json(self) -> dict[str, Any]:
        return {
            "asked": self.asked,
            "answered": sum(self.answers.values()),
            "different": len(self.answers),
            "most_of_one": max(self.answers.values(), default=0),
            "connections": self.connections,
            "faults": dict(self.faults),
            "busy_s": self.busy_s,
            "most_in_flight": self.most_in_flight,
            "first": self.first,
            "last": self.last,
        }


Script = Callable[[dict[str, Any], int], Reply | None]


class HostileTeacher:
    """Serves from a thread until closed.

    `script` is given a request and how often the same came before; what it returns is sent, and if it returns nothing,
    then a fault (a share `faults` of all, chosen by hash of seed, request and how often it came), or an answer.
    `slots`: so many are answered at a time, each for `seconds` (least, most), the others wait. `quota`: answers until it
    is spent. `key`: what is let in.
    """

    def __init__(
        self,
        faults: float = 0.0,
        seed: int = 0,
        script: Script | None = None,
        answer: Callable[[dict[str, Any]], str] = rewrite,
        slots: int = 100_000,
        seconds: tuple[float, float] = (0.0, 0.0),
        quota: int | None = None,
        key: str = "",
        kinds: Sequence[str] = tuple(FAULTS),
        port: int = 0,
    ) -> None:
        self.counts = Counts()
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.keeps = True  # what was asked: bodies and headers
        self._faults, self._seed, self._script, self._answer = faults, seed, script, answer
        self._slots, self._seconds, self._quota, self._key, self._kinds = slots, seconds, quota, key, list(kinds)
        self._before: Counter[bytes] = Counter()
        self._in_flight = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._transports: set[asyncio.Transport] = set()
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._semaphore = asyncio.Semaphore(slots)
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.come_back()
        self.url = f"http://127.0.0.1:{self._port}/v1"

    def __enter__(self) -> HostileTeacher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def go_away(self) -> None:
        """Nobody is at its port until it comes back; connections end."""
        self._on_loop(self._go_away())

    def come_back(self) -> None:
        """It is at its port again."""
        self._on_loop(self._come_back())

    def close(self) -> None:
        """Ends it."""
        self._on_loop(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _on_loop(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _come_back(self) -> None:
        self._server = await self._loop.create_server(lambda: _Connection(self), "127.0.0.1", self._port, backlog=4096)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _go_away(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for transport in list(self._transports):
            transport.abort()

    async def _end(self) -> None:
        await self._go_away()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def serve(self, connection: _Connection, path: str, headers: dict[str, str], body: bytes) -> None:
        """Answers, in its time."""
        task = self._loop.create_task(self._serve(connection, path, headers, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: _Connection, path: str, headers: dict[str, str], body: bytes) -> None:
        if path.startswith("/counts"):
            await _send(connection, Reply(body=json.dumps(self.counts.as_json()).encode()))
            return
        if path.endswith("/models"):
            await _send(connection, Reply(body=b'{"object": "list", "data": [{"id": "m", "object": "model"}]}'))
            return
        request = json.loads(body)
        self.counts.first = self.counts.first or time.monotonic()
        self.counts.asked += 1
        if self.keeps:
            self.requests.append(request)
            self.headers.append(headers)
            self.paths.append(path)
        digest = hashlib.blake2b(body, digest_size=12)
        before = self._before[digest.digest()]
        self._before[digest.digest()] += 1
        self._in_flight += 1
        self.counts.most_in_flight = max(self.counts.most_in_flight, self._in_flight)
        try:
            reply, name = self._reply(request, headers, digest.hexdigest(), before)
            if name:
                self.counts.faults[name] += 1
            async with self._semaphore:
                await self._work(digest.hexdigest(), before)
                sent = await _send(connection, reply)
            if sent and not name and reply.status == 200:
                self.counts.answers[digest.hexdigest()] += 1
        finally:
            self._in_flight -= 1
            self.counts.last = time.monotonic()
            if headers.get("connection", "").lower() == "close":
                connection.transport.close()

    async def _work(self, digest: str, before: int) -> None:
        least, most = self._seconds
        if most:
            seconds = random.Random(f"{self._seed} {digest} {before} seconds").uniform(least, most)
            begin = time.perf_counter()
            await asyncio.sleep(seconds)
            self.counts.busy_s += time.perf_counter() - begin

    def _reply(self, request: dict[str, Any], headers: dict[str, str], digest: str, before: int) -> tuple[Reply, str]:
        """What is sent, and the name of the fault; no name: it is an answer."""
        if self._key and headers.get("authorization") != f"Bearer {self._key}":
            return Reply(401, error("Incorrect API key provided")), "401"
        if self._script is not None:
            scripted = self._script(request, before)
            if scripted is not None:
                return scripted, "" if scripted.status == 200 and scripted == Reply(body=scripted.body) else "scripted"
        if self._quota is not None and sum(self.counts.answers.values()) >= self._quota:
            return Reply(429, error("You exceeded your current quota", "insufficient_quota")), "quota"
        chosen = random.Random(f"{self._seed} {digest} {before}")
        if chosen.random() < self._faults:
            name = chosen.choice(self._kinds)
            return FAULTS[name], name
        return Reply(body=completion(self._answer(request))), ""


class _Connection(asyncio.Protocol):
    """HTTP/1.1, one request after another."""

    def __init__(self, server: HostileTeacher) -> None:
        self._server = server
        self._bytes = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._server._transports.add(transport)
        self._server.counts.connections += 1

    def connection_lost(self, _: Exception | None) -> None:
        self._server._transports.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        end = self._bytes.find(b"\r\n\r\n")
        if end < 0:
            return
        first, *lines = bytes(self._bytes[:end]).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        size = end + 4 + int(headers.get("content-length", 0))
        if len(self._bytes) >= size:
            body = bytes(self._bytes[end + 4 : size])
            del self._bytes[:size]
            self._server.serve(self, first.split(" ")[1], headers, body)


async def _send(connection: _Connection, reply: Reply) -> bool:
    """Whether all of it went to somebody who was still there."""
    transport = connection.transport
    if reply.hangs:
        await asyncio.sleep(_OVER)
    if reply.drops == "garbage":
        transport.write(b"\x00\xffno HTTP\r\n\r\n")
    if reply.drops in ("before", "garbage"):
        transport.close()
        return False
    lines = [f"HTTP/1.1 {reply.status} x", f"Content-Type: {reply.content_type}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    lines.append("Transfer-Encoding: chunked" if reply.chunked else f"Content-Length: {len(reply.body)}")
    head = "\r\n".join([*lines, "", ""]).encode()
    body = reply.body[: len(reply.body) - reply.cut]
    if reply.drops == "after":
        body = b""
    if reply.chunked:
        body = b"%x\r\n" % len(body) + body + (b"" if reply.cut else b"\r\n0\r\n\r\n")
    if reply.drip_s:
        transport.write(head)
        for place in range(len(body)):
            transport.write(body[place : place + 1])
            await asyncio.sleep(reply.drip_s)
            if transport.is_closing():
                return False
    else:
        transport.write(head + body)
    if reply.cut or reply.drops:
        transport.close()
        return False
    return not transport.is_closing()


def main() -> None:
    """Serves until it is killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile_teacher", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--faults", type=float, default=0.0, help="share of the requests that fail")
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=list(FAULTS), help="of faults; all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--slots", type=int, default=100_000, help="requests that are answered at a time")
    parser.add_argument("--seconds", type=float, nargs=2, default=(0.0, 0.0), help="least and most for an answer")
    parser.add_argument("--quota", type=int, default=None, help="answers until it is spent")
    options = parser.parse_args()
    server = HostileTeacher(
        options.faults, options.seed, slots=options.slots, seconds=tuple(options.seconds), quota=options.quota,
        kinds=options.kinds, port=options.port,
    )  # fmt: skip
    server.keeps = False
    print(server.url, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
