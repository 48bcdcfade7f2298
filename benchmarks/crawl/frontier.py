"""The frontier alone: millions of URLs as pages bring them, how fast they go in and come out, and what they cost.

`python -m benchmarks.crawl.frontier URLS DIRECTORY` is the process whose memory is measured; it prints its figures.
"""

from __future__ import annotations

import hashlib
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.crawl.process import REPOSITORY
from benchmarks.extract.packages import Log
from crawlers.frontier import Changes, Frontier, Kind, Lease, Link, Stored
from crawlers.urls import canonical_url

HOSTS = 4  # of one source
_FLUSH = 50  # pages whose links one transaction inserts, as the session does it
_NEW, _KNOWN = 20, 10  # links of a page to URLs that the frontier lacks, and to some that it has
_LEASED = 200_000  # URLs that are leased, and settled, once all are in
_LEASE = 32


@dataclass(frozen=True)
class Grown:
    """A frontier that has grown to a number of URLs. Memory: the peak of the process, bytes resident."""

    urls: int
    inserts_per_s: float
    last_tenth_inserts_per_s: float
    leases_per_s: float
    peak_memory_at_tenth: int
    peak_memory: int
    disk_bytes_per_url: float


def measure(urls: int, scratch: Path, log: Log) -> Grown:
    """Grow a frontier in a process of its own."""
    directory = scratch / "frontier"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    command = [sys.executable, "-m", "benchmarks.crawl.frontier", str(urls), str(directory)]
    grown = Grown(**json.loads(subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True).stdout))
    shutil.rmtree(directory)
    log(f"frontier: {urls:,} URLs, {grown.inserts_per_s:,.0f} a second")
    return grown


def _grow(urls: int, directory: Path) -> Grown:
    frontier = Frontier(directory / "frontier.sqlite")
    seconds: list[float] = []
    peak_at_tenth = 0
    for batch in batches(urls):
        began = time.perf_counter()
        frontier.apply(Changes(links=batch))
        seconds.append(time.perf_counter() - began)
        if not peak_at_tenth and len(seconds) * _FLUSH * _NEW >= urls / 10:
            peak_at_tenth = _peak()
    tenth = seconds[-max(1, len(seconds) // 10) :]
    leases_per_s = _leases_per_s(frontier, min(_LEASED, urls // 2))
    peak = _peak()
    frontier.close()
    held = sum(path.stat().st_size for path in directory.iterdir())
    return Grown(
        urls,
        urls / sum(seconds),
        len(tenth) * _FLUSH * _NEW / sum(tenth),
        leases_per_s,
        peak_at_tenth,
        peak,
        held / urls,
    )


def batches(urls: int) -> Iterator[list[Link]]:
    """Links of `_FLUSH` pages a batch until there were `urls` different ones, in the order of a crawl.

    Pages of a directory come together, directories in no order; a third of the links is known already.
    """
    page = 0
    while page * _NEW < urls:
        batch: list[Link] = []
        for number in range(page, page + _FLUSH):
            new = range(number * _NEW, min((number + 1) * _NEW, urls))
            known = (each * 2_654_435_761 % (number * _NEW) for each in range(number, number + _KNOWN) if number)
            batch += [Link(url_of(each), Kind.PAGE) for each in (*new, *known)]
        yield batch
        page += _FLUSH


def url_of(number: int) -> str:
    """The URL with a number: 40 of a directory, 1,000 of a host in turn."""
    directory = hashlib.blake2b(b"%d" % (number // 40), digest_size=6).hexdigest()
    host = number // 1000 % HOSTS
    return f"https://docs{host}.example.org/en/latest/{directory[:3]}/{directory[3:]}/page-{number:08}.html"


def _leases_per_s(frontier: Frontier, count: int) -> float:
    """URLs leased and settled a second: what a page costs beside its links."""
    began, done, now = time.perf_counter(), 0, time.time()
    origins = list(frontier.origins.values())
    while done < count:
        leases = frontier.lease(origins[done // _LEASE % len(origins)], list(Kind), _LEASE, now)
        if not leases:
            raise RuntimeError(f"the frontier has nothing to lease after {done:,} URLs")
        frontier.apply(Changes(stored=[_stored(lease, done) for lease in leases]))
        done += len(leases)
    return done / (time.perf_counter() - began)


def _stored(lease: Lease, offset: int) -> Stored:
    digest = "sha1:" + "A" * 32
    return Stored(lease.url, 200, "text/html", "00000.warc.gz", offset, 1, digest, "2026-01-01T00:00:00+00:00")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    assert canonical_url(url_of(0)) == url_of(0)
    print(json.dumps(asdict(_grow(int(sys.argv[1]), Path(sys.argv[2])))))
