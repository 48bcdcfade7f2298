"""Hosts of bulk sources on loopback, and a way to run the worker that reads them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from crawlers.bulk.stop import Stop
from crawlers.bulk.worker import read_sources
from crawlers.job import CrawlJob
from crawlers.outcome import Outcome, read_outcome
from crawlers.warc import Record, read_records, warc_files
from manifests.models import CrawlSettings, Source

HOST = "bulk.localhost"
BASE = f"http://{HOST}"


@dataclass
class Answer:
    """What the host answers; `cut`: the connection breaks behind so many bytes of the body."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


class Host:
    """A threaded HTTP server on 127.0.0.1: `answers` by path with query, ranges of those that have an ETag.

    `asked` counts requests by path, `ranges` holds the Range headers; `before` is called before each answer.
    """

    def __init__(self, answers: dict[str, Answer], handler: type[BaseHTTPRequestHandler] | None = None) -> None:
        self.answers = answers
        self.asked: Counter[str] = Counter()
        self.ranges: list[str] = []
        self.before: Callable[[str], None] = lambda path: None
        self._server = _Quiet(("127.0.0.1", 0), handler or _handler(self))
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that is killed breaks its connections."""


def _handler(host: Host) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            host.asked[self.path] += 1
            host.before(self.path)
            answer = host.answers.get(self.path) or Answer(b"nothing here", 404)
            body, status, headers = answer.body, answer.status, dict(answer.headers)
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if asked and self.headers["If-Range"] == headers.get("ETag", "none"):
                host.ranges.append(self.headers["Range"])
                begin = int(asked[1])
                if begin < len(body):
                    headers["Content-Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
                    body, status = body[begin:], 206
                else:
                    headers["Content-Range"] = f"bytes */{len(body)}"
                    body, status = b"", 416
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if answer.cut is None else body[: answer.cut])
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def source(reader: str = "json_api", id: str = "bulk", host: str = HOST, **changes: Any) -> Source:
    """A bulk source; changes of `bulk` are given as `bulk_...`."""
    bulk = {"reader": reader, "url": f"http://{host}/index.json"}
    bulk |= {name.removeprefix("bulk_"): value for name, value in changes.items() if name.startswith("bulk_")}
    values = {
        "id": id,
        "name": "Bulk",
        "category": "bug_trackers",
        "kind": "bulk",
        "status": "on",
        "bulk": bulk,
        "licence": "CC-BY-4.0",
        "licence_evidence": "test",
    }
    return Source.model_validate(values | {n: v for n, v in changes.items() if not n.startswith("bulk_")})


def job(directory: Path, host: Host, *sources: Source, **settings: Any) -> CrawlJob:
    """A job for the sources, every host of which is the one on loopback."""
    values = {"delay_s": 0.0, "retries": 0} | settings
    return CrawlJob(
        sources=list(sources),
        settings=CrawlSettings.model_validate(values),
        directory=directory,
        version="0.0",
        connect_to={
            name: f"127.0.0.1:{host.port}" for each in sources for name in each.hosts if name.endswith(".localhost")
        },
    )


def start(work: CrawlJob) -> subprocess.Popen[str]:
    """A worker process."""
    work.directory.mkdir(parents=True, exist_ok=True)
    path = work.directory / "job.json"
    path.write_text(work.to_json())
    root = str(Path(__file__).resolve().parent.parent)
    return subprocess.Popen(
        [sys.executable, "-m", "crawlers.bulk.worker", str(path)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": root},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def read(work: CrawlJob) -> dict[str, str]:
    """Read the sources in this process; what broke, by source."""
    with closing(Stop()) as stop:
        broken, _ = read_sources(work, stop)
    return broken


def run(work: CrawlJob) -> tuple[int, str]:
    """Run a worker process to its end; exit code and what it said on stderr."""
    process = start(work)
    _, said = process.communicate(timeout=120)
    return process.returncode, said


def stored(directory: Path) -> list[Record]:
    """The records in the WARC files of a source, in their order."""
    found: list[Record] = []
    for path in warc_files(directory):
        with path.open("rb") as stream:
            for item in read_records(stream, path.name, 1 << 20):
                assert isinstance(item, Record)
                found.append(item)
    return found


def reasons(outcome: Outcome) -> dict[str, str]:
    """Why what was not fetched was not, by path."""
    return {row.url.removeprefix(BASE): row.reason for row in outcome.not_fetched}


def outcome_of(work: CrawlJob, id: str = "bulk") -> Outcome:
    """What became of a source."""
    return read_outcome(work.directory / id)
