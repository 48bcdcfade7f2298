"""Our crawler as the benchmark runs it: sources on loopback, one process, what that process cost."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from crawlers.job import CrawlJob
from crawlers.warc import Damage, Record, read_records, warc_files
from manifests.models import CrawlSettings, Source

REPOSITORY = Path(__file__).resolve().parents[2]
_MAX_BODY = 64 << 20


class Ended(NamedTuple):
    """A process that has ended: exit code, what it said on stderr, seconds by the clock and of CPU, peak bytes."""

    code: int
    said: str
    seconds: float
    cpu_seconds: float
    peak_memory: int


def source(id: str, hosts: Sequence[str], port: int | None = None, **more: Any) -> Source:
    """A source that is everything on some hosts, begun at the root of each."""
    origins = [f"http://{host}:{port}" if port else f"http://{host}" for host in hosts]
    values: dict[str, Any] = {
        "id": id,
        "name": id,
        "category": "open_source_documentation",
        "status": "on",
        "seeds": [f"{origin}/" for origin in origins],
        "scope": [f"{re.escape(origin)}/" for origin in origins],
        "licence": "MIT",
        "licence_evidence": "made for the benchmark",
    }
    return Source.model_validate(values | more)


def job(
    directory: Path, sources: Iterable[Source], connect_to: Mapping[str, str], settings: Mapping[str, Any]
) -> CrawlJob:
    """A job without pauses between requests, unless the settings say otherwise."""
    values = {"delay_s": 0.0, "private_addresses": True, **settings}
    return CrawlJob(
        list(sources), CrawlSettings.model_validate(values), directory, "benchmark", dict(connect_to), os.getpid()
    )


def start(job: CrawlJob) -> subprocess.Popen[str]:
    """A crawler process at a job."""
    job.directory.mkdir(parents=True, exist_ok=True)
    path = job.directory / "job.json"
    path.write_text(job.to_json(), encoding="utf-8")
    return start_module("crawlers.worker", str(path))


def start_module(module: str, *arguments: str) -> subprocess.Popen[str]:
    """A process that runs a module of this repository."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=REPOSITORY, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> Ended:
    """Wait for the end of a process that was started just now."""
    began = time.monotonic()
    assert process.stderr
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    seconds = time.monotonic() - began
    return Ended(process.returncode, said, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def crawl(job: CrawlJob) -> Ended:
    """Run a job to its end; RuntimeError where the crawler does not come to it."""
    ended = finish(start(job))
    if ended.code:
        raise RuntimeError(f"the crawler ended with {ended.code}: {ended.said.strip()}")
    return ended


def stored(directory: Path) -> Iterator[Record | Damage]:
    """Every response in the WARC files of a source's directory, as our reader gives it."""
    for path in warc_files(directory):
        with path.open("rb") as stream:
            yield from read_records(stream, path.name, _MAX_BODY)
