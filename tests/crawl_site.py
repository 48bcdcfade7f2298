"""A small web site on loopback for the crawler's tests, and a way to run the crawler on it."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from crawlers.job import CrawlJob
from manifests.models import CrawlSettings, Source

HOST = "site.localhost"
#: What a crawler asks every site for, and most do not have.
OFFERS = ("/.well-known/tdmrep.json", "/ai.txt", "/llms.txt")


@dataclass
class Answer:
    """What the site answers. `whole`: False breaks the connection before the body is sent."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/html"})
    whole: bool = True


def page(*hrefs: str) -> Answer:
    """An HTML page with links."""
    links = "".join(f'<p>text <a href="{href}">link</a></p>' for href in hrefs)
    return Answer(f"<!doctype html><html><body>{links}</body></html>".encode())


def text(body: str, status: int = 200) -> Answer:
    """A text/plain answer."""
    return Answer(body.encode(), status, {"Content-Type": "text/plain"})


class Site:
    """A threaded HTTP server on 127.0.0.1. `answer` maps host and path to an answer; no other is a 404.

    `asked` counts requests by URL, those for `OFFERS` apart; `before` is called with the URL before each answer.
    Who asks on a condition that holds is told so: `unchanged` counts that by URL. `times`: when each request came, by
    time.monotonic.
    """

    def __init__(self, answers: dict[str, Answer] | Callable[[str], Answer | None]) -> None:
        self.answer = answers.get if isinstance(answers, dict) else answers
        self.asked: Counter[str] = Counter()
        self.offers: Counter[str] = Counter()
        self.unchanged: Counter[str] = Counter()
        self.times: list[tuple[float, str]] = []
        self.agents: set[str] = set()
        self.before: Callable[[str], None] = lambda url: None
        self._server = _QuietServer(("127.0.0.1", 0), _handler(self))
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def secure(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that is killed breaks its connections."""


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = f"http://{self.headers['Host']}{self.path}"
            site.times.append((time.monotonic(), url))
            site.agents.add(self.headers["User-Agent"])
            if self.path in OFFERS:
                site.offers[url] += 1
            else:
                site.asked[url] += 1
                site.before(url)
            found = site.answer(url if self.headers["Host"] != HOST else self.path)
            answer = found or text("no such page", 404)
            if _holds(self.headers, answer):
                site.unchanged[url] += 1
                answer = Answer(b"", 304, answer.headers)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if "Transfer-Encoding" not in answer.headers:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if not answer.whole:
                self.close_connection = True
                return
            self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _holds(asked: Message, answer: Answer) -> bool:
    """Whether a request is on a condition (RFC 9110, 13.1) and the page is still what its sender has."""
    if answer.status != 200:
        return False
    if "If-None-Match" in asked:
        return asked["If-None-Match"] == answer.headers.get("ETag")
    return "If-Modified-Since" in asked and asked["If-Modified-Since"] == answer.headers.get("Last-Modified")


def source(id: str = "site", **changes: Any) -> Source:
    """A source on the site."""
    values: dict[str, Any] = {
        "id": id,
        "name": "Site",
        "category": "operating_systems",
        "status": "on",
        "seeds": [f"http://{HOST}/"],
        "scope": [rf"http://{HOST}/"],
        "licence": "MIT",
        "licence_evidence": "test",
    }
    return Source.model_validate(values | changes)


def job(directory: Path, site: Site, *sources: Source, **settings: Any) -> CrawlJob:
    """A job for the sources, every host of which is the site. Its pages say next to nothing: traps are not sought."""
    values = {"delay_s": 0.0, "retries": 1, "concurrency_per_host": 4, "trap_pages": None} | settings
    hosts = {host for s in sources for host in s.hosts}
    return CrawlJob(
        sources=list(sources),
        settings=CrawlSettings.model_validate(values),
        directory=directory,
        version="0.0",
        connect_to=dict.fromkeys(hosts, f"127.0.0.1:{site.port}"),
    )


def start(job: CrawlJob) -> subprocess.Popen[str]:
    """A crawler process."""
    job.directory.mkdir(parents=True, exist_ok=True)
    path = job.directory / "job.json"
    path.write_text(job.to_json())
    root = str(Path(__file__).resolve().parent.parent)
    return subprocess.Popen(
        [sys.executable, "-m", "crawlers.worker", str(path)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": root},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def crawl(job: CrawlJob) -> tuple[int, str]:
    """Run a crawler process to its end; exit code and what it said on stderr."""
    process = start(job)
    _, said = process.communicate(timeout=120)
    return process.returncode, said
