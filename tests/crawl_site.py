"""A small web site on loopback for the crawler's tests, and a way to run the crawler on it."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from crawlers.job import CrawlJob
from manifests.models import CrawlSettings, Source

HOST = "site.localhost"


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

    `asked` counts requests by URL; `before` is called with the URL before each answer.
    """

    def __init__(self, answers: dict[str, Answer] | Callable[[str], Answer | None]) -> None:
        self.answer = answers.get if isinstance(answers, dict) else answers
        self.asked: Counter[str] = Counter()
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
            site.asked[url] += 1
            site.agents.add(self.headers["User-Agent"])
            site.before(url)
            found = site.answer(url if self.headers["Host"] != HOST else self.path)
            answer = found or text("no such page", 404)
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
    """A job for the sources, every host of which is the site."""
    values = {"delay_s": 0.0, "retries": 1, "concurrency_per_host": 4} | settings
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
