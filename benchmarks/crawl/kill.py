"""The crawler is killed again and again: is every page stored once, is none fetched again whose record was whole?"""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastwarc.warc import ArchiveIterator as FastIterator
from fastwarc.warc import WarcRecordType
from warcio.archiveiterator import ArchiveIterator

from benchmarks.crawl import process
from benchmarks.crawl.server import address, read_log, requests_in, serve
from benchmarks.crawl.sites import Made, target_of
from benchmarks.extract.packages import Log
from crawlers.outcome import read_outcome
from crawlers.warc import Damage, Record, read_records, warc_files

_AT_ONCE = 4
_WARC_BYTES = 4 << 20  # several files for each source
_START_UP_S = 1.5  # a kill by the clock comes in the first seconds: at start-up, in recovery, or soon after


class _Whole:
    """The URLs whose responses lie whole in the WARC files of a crawl; each look reads what is new."""

    def __init__(self, directories: list[Path]) -> None:
        self._directories = directories
        self._ends: dict[Path, int] = {}
        self.urls: set[str] = set()

    def look(self) -> None:
        """Read on from the last whole record of each file: a later run cuts nothing off before it."""
        for directory in self._directories:
            for path in warc_files(directory):
                with path.open("rb") as stream:
                    stream.seek(self._ends.get(path, 0))
                    for item in read_records(stream, path.name, 1 << 20, self._ends.get(path, 0)):
                        if isinstance(item, Record):
                            self.urls.add(item.url)
                            self._ends[path] = item.offset + item.length


def measure(hosts: int, size: int, kills: int, scratch: Path, log: Log) -> dict[str, Any]:
    """Crawl `hosts` hosts of `size` pages each, killed `kills` times; pages stored, stored twice, lost, fetched again."""
    directory, access = scratch / "kill", scratch / "kill.log"
    shutil.rmtree(directory, ignore_errors=True)
    names = [f"site{number}.localhost" for number in range(hosts)]
    with serve(Made, size, hosts=hosts, log=access) as port:
        connect_to = {name: f"{address(number)}:{port}" for number, name in enumerate(names)}
        sources = [process.source(name.partition(".")[0], [name]) for name in names]
        settings = {"concurrency_per_host": _AT_ONCE, "warc_bytes": _WARC_BYTES}
        job = process.job(directory, sources, connect_to, settings)
        whole = _Whole([directory / source.id for source in sources])
        killed: list[tuple[int, set[str]]] = []
        for moment in _moments(hosts * size, kills):
            if not _kill(job, moment, access):
                break
            whole.look()
            killed.append((time.monotonic_ns() // 1000, set(whole.urls)))
            if len(killed) % 10 == 0:
                log(f"kill: {len(killed)} kills, {len(whole.urls):,} records are whole")
        process.crawl(job)
    expected = {f"http://{name}{target_of(number)}" for name in names for number in range(size)}
    result = {
        "pages": len(expected), "kills": len(killed), "again": _again(access, killed),
        "requests": requests_in(access), **_stored(directory, [source.id for source in sources], expected),
    }  # fmt: skip
    shutil.rmtree(directory)
    return result


def _moments(pages: int, kills: int) -> Iterator[tuple[int, float]]:
    """For each kill, how many requests there have been by then, and how many seconds the process has run.

    The first of the two that is reached counts. Every fifth is by the clock, the others are spread over the crawl.
    """
    chosen = random.Random(4)
    for number, requests in enumerate(sorted(chosen.sample(range(pages * 19 // 20), kills))):
        yield requests, _START_UP_S * chosen.random() if number % 5 == 4 else float("inf")


def _kill(job: Any, moment: tuple[int, float], access: Path) -> bool:
    """Run the job up to a moment; False where it came to its end before."""
    requests, seconds = moment
    crawler = process.start(job)
    began = time.monotonic()
    while crawler.poll() is None and requests_in(access) < requests and time.monotonic() - began < seconds:
        time.sleep(0.005)
    if crawler.returncode is not None:
        assert crawler.stderr
        said = crawler.stderr.read().strip()
        if crawler.returncode:
            raise RuntimeError(f"the crawler ended with {crawler.returncode}: {said}")
        return False
    crawler.kill()
    process.finish(crawler)
    return True


def _again(access: Path, killed: list[tuple[int, set[str]]]) -> int:
    """Requests for a URL whose record a kill before them had left whole."""
    count, reached, whole = 0, 0, set[str]()
    for each in sorted(read_log(access)):
        while reached < len(killed) and killed[reached][0] < each.began:
            whole = killed[reached][1]
            reached += 1
        count += f"http://{each.host}{each.target}" in whole
    return count


def _stored(directory: Path, sources: list[str], expected: set[str]) -> dict[str, Any]:
    """What three readers find, and what the frontier says."""
    ours = Counter[str]()
    damaged = 0
    peers = {"warcio": Counter[str](), "fastwarc": Counter[str]()}
    unfinished = done = 0
    for source in sources:
        for item in process.stored(directory / source):
            if isinstance(item, Damage):
                damaged += 1
            else:
                ours[item.url] += 1
        for path in warc_files(directory / source):
            peers["warcio"].update(_by_warcio(path))
            peers["fastwarc"].update(_by_fastwarc(path))
        outcome = read_outcome(directory / source)
        unfinished += len(outcome.unfinished)
        done += sum(each.url in expected for each in outcome.fetched)
    return {
        "stored": len(expected & ours.keys()),
        "lost": len(expected - ours.keys()),
        "twice": sum(count > 1 for count in ours.values()),
        "damaged": damaged,
        "unfinished": unfinished,
        "done": done,
        "readers_that_agree": sorted(name for name, found in peers.items() if found == ours),
    }


def _by_warcio(path: Path) -> Iterator[str]:
    with path.open("rb") as stream:
        for record in ArchiveIterator(stream, check_digests="raise"):
            if record.rec_type == "response":
                record.content_stream().read()
                yield record.rec_headers.get_header("WARC-Target-URI")


def _by_fastwarc(path: Path) -> Iterator[str]:
    with path.open("rb") as stream:
        for record in FastIterator(stream, record_types=WarcRecordType.response):
            if not record.verify_payload_digest():
                raise RuntimeError(f"fastwarc: the digest of a payload in {path.name} is wrong")
            yield record.headers["WARC-Target-URI"]
