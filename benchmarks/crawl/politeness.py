"""Whether a crawl of many hosts at once keeps the pace that each of them asks for, by the server's own log.

Through a kill and with two crawler processes as well: who is asked does not care how the crawler is run.
"""

from __future__ import annotations

import random
import re
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.crawl import process
from benchmarks.crawl.server import NEVER, Answer, Asked, address, read_log, requests_in, serve
from benchmarks.crawl.sites import MISSING, Documents, pages_below, reachable, robots
from benchmarks.extract.packages import Log
from manifests.models import Politeness

DELAY_S = 0.2
AT_ONCE = 2  # for hosts whose source asks for no less
TIMEOUT_S = 4.0
_MOST_PAGES = 110  # of a host
_FEW_PAGES = 40  # of a host that asks for long pauses
_SLOW_S = 0.5  # a host that takes so long has two requests at once wherever that may happen
_PATIENCE_S = 300.0
#: The clock of the crawler begins before the request is on its way, that of the server when it is there.
TOLERANCE = 0.95


@dataclass(frozen=True)
class Host:
    """A host and what it asks for. `rules`: lines of its robots.txt; `delay_s`, `at_once`: what a crawler must keep to.

    `robots_status`: 503 or 404 in place of the rules, 0 for no answer at all. `slow_s`: seconds an answer takes.
    """

    name: str
    root: Path
    rules: Sequence[str] = ()
    robots_status: int = 200
    delay_s: float = DELAY_S
    at_once: int = 1
    slow_s: float = 0.0

    def allows(self, target: str) -> bool:
        """Whether a target may be fetched, by RFC 9309: the longest pattern decides, and Allow before Disallow."""
        if target == "/robots.txt" or self.robots_status == 404:
            return True
        if self.robots_status != 200:
            return False
        verdict, longest = True, -1
        for rule in self.rules:
            name, _, pattern = rule.partition(": ")
            if name not in ("Allow", "Disallow") or not _matches(pattern, target):
                continue
            if len(pattern) > longest or (len(pattern) == longest and name == "Allow"):
                verdict, longest = name == "Allow", len(pattern)
        return verdict


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    whole = pattern.endswith("$")
    return re.compile(re.escape(pattern.removesuffix("$")).replace(r"\*", ".*") + ("$" if whole else ""))


def _matches(pattern: str, target: str) -> bool:
    return _pattern(pattern).match(target) is not None


def hosts_of(roots: Sequence[Path], count: int) -> list[Host]:
    """`count` hosts that serve some of the document roots in turn; every kind of robots.txt is among the first twenty."""
    pages = {root: pages_below(root) for root in roots}
    usual = [root for root in roots if len(pages[root]) <= _MOST_PAGES]
    small = [root for root in usual if len(pages[root]) <= _FEW_PAGES]
    if not small:
        raise ValueError(f"none of the document roots has {_FEW_PAGES} pages or fewer")
    return [_host(number, usual[number % len(usual)], small[number % len(small)], pages) for number in range(count)]


def _host(number: int, root: Path, small: Path, pages: Mapping[Path, Sequence[str]]) -> Host:
    name = f"site{number:03}.localhost"
    match number % 20:
        case 3:
            return Host(name, small, ("Disallow:", "Crawl-delay: 1"), delay_s=1.0)
        case 5 if number == 5:
            return Host(name, small, ("Disallow:", "Crawl-delay: 4"), delay_s=4.0)
        case 7 if number == 7:
            return Host(name, small, robots_status=503)
        case 9 if number == 9:
            return Host(name, small, robots_status=0)
        case 11 if number == 11:
            return Host(name, root, robots_status=404)
        case 13:
            return Host(name, small, _rules(number, pages[small]), at_once=AT_ONCE, slow_s=_SLOW_S)
        case 15:
            return Host(name, small, _rules(number, pages[small]), slow_s=_SLOW_S)
        case _:
            return Host(name, root, _rules(number, pages[root]))


def _rules(number: int, pages: Sequence[str]) -> list[str]:
    """Rules against some real pages: by their whole name, by its beginning, by its end, with an exception."""
    chosen = random.Random(number)
    some = [quote(page) for page in chosen.sample(list(pages), max(3, len(pages) // 10)) if page != "/index.html"]
    beginning = some[0][: len(some[0]) // 2 + 1]
    whole = [f"Disallow: {page}$" for page in some[1:]]
    return [f"Disallow: {beginning}", f"Allow: {some[0]}", "Disallow: /*.rst.txt", *whole]


class Polite:
    """The hosts of this benchmark."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self._documents = Documents({host.name: host.root for host in hosts})
        self._hosts = {host.name: host for host in hosts}
        self._robots = {host.name: _robots_of(host) for host in hosts}

    def answer(self, host: str, target: str) -> Answer:
        """A file of the host's documentation."""
        if host not in self._hosts:
            return MISSING
        found = self._robots[host] if target == "/robots.txt" else self._documents.answer(host, target)
        return found.after(self._hosts[host].slow_s) if self._hosts[host].slow_s else found


def _robots_of(host: Host) -> Answer:
    if host.robots_status == 0:
        return Answer(delay_s=NEVER)
    return robots(*host.rules) if host.robots_status == 200 else Answer(status=host.robots_status)


# ---------------------------------------------------------------- the audit


@dataclass
class Audit:
    """What the log of some hosts says. Gaps in shares of the pause that a host asks for; hosts by name."""

    requests: int = 0
    against_robots: list[str] = field(default_factory=list)
    least_gap: float = float("inf")
    least_gap_s: float = float("inf")
    hasty: dict[str, float] = field(default_factory=dict)
    crowded: dict[str, int] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)
    pages: int = 0


def audit(asked: Iterable[Asked], hosts: Sequence[Host], expected: Mapping[str, set[str]]) -> Audit:
    """Hold the log against what the hosts ask for, and against the pages that each of them has."""
    of_host: dict[str, list[Asked]] = defaultdict(list)
    for each in asked:
        of_host[each.host].append(each)
    result = Audit()
    for host in hosts:
        rows = sorted(of_host[host.name])
        result.requests += len(rows)
        result.against_robots += [host.name + each.target for each in rows if not host.allows(each.target)]
        gap = least_gap_s(rows)
        if gap < host.delay_s * result.least_gap:
            result.least_gap, result.least_gap_s = gap / host.delay_s, gap
        if gap < TOLERANCE * host.delay_s:
            result.hasty[host.name] = gap
        if (most := most_at_once(rows)) > host.at_once:
            result.crowded[host.name] = most
        found = {each.target for each in rows if each.status == 200}
        result.pages += len(found & expected[host.name])
        if lost := expected[host.name] - found:
            result.missing[host.name] = len(lost)
    return result


def least_gap_s(rows: Sequence[Asked]) -> float:
    """Seconds between the two requests of a host that follow each other fastest; infinite for one.

    Where the server was late to see the first of two, the pause between them counts from when it may have come.
    """
    pairs = pairwise(sorted(rows))
    return min((after.began - (before.began - before.late) for before, after in pairs), default=float("inf")) / 1e6


def most_at_once(rows: Iterable[Asked]) -> int:
    """How many requests of a host were open at one moment; one that ends as another begins is not."""
    events = sorted([(each.ended, -1) for each in rows] + [(each.began + 1, 1) for each in rows])
    most = open_ = 0
    for _, change in events:
        open_ += change
        most = max(most, open_)
    return most


# ---------------------------------------------------------------- the runs


def measure(roots: Sequence[Path], count: int, scratch: Path, log: Log) -> dict[str, Any]:
    """Crawl `count` hosts twice: by one process, and by two that are killed half-way and begin again."""
    hosts = hosts_of(roots, count)
    expected = {host.name: reachable(host.root, host.allows) for host in hosts}
    runs = {
        "one process": run(hosts, expected, 1, False, scratch, log),
        "two processes, killed and resumed": run(hosts, expected, 2, True, scratch, log),
    }
    return {"hosts": count, "expected": sum(map(len, expected.values())), "runs": runs}


def run(
    hosts: Sequence[Host], expected: Mapping[str, set[str]], processes: int, killed: bool, scratch: Path, log: Log
) -> dict[str, Any]:
    """Crawl the hosts and audit their log; `expected`: the pages of each. Seconds, and the fields of `Audit`."""
    access = scratch / f"politeness-{processes}.log"
    half = sum(map(len, expected.values())) // 2
    with serve(Polite, hosts, hosts=len(hosts), log=access) as port:
        began = time.monotonic()
        _crawl(scratch / "politeness", hosts, port, processes, (access, half) if killed else None)
        seconds = time.monotonic() - began
    found = audit(read_log(access), hosts, expected)
    log(f"politeness, {processes} processes: {found.requests:,} requests in {seconds:.0f} s")
    return {"seconds": seconds, **vars(found)}


def _crawl(directory: Path, hosts: Sequence[Host], port: int, processes: int, kill_at: tuple[Path, int] | None) -> None:
    """Crawl to the end. `kill_at`: the log, and at how many of its lines the crawlers are killed."""
    shutil.rmtree(directory, ignore_errors=True)
    jobs = [_job(directory / str(number), hosts, port, number, processes) for number in range(processes)]
    if kill_at is not None:
        crawlers = [process.start(job) for job in jobs]
        _wait_for(*kill_at)
        for each in crawlers:
            each.kill()
        for each in crawlers:
            process.finish(each)
    for ended in [process.finish(each) for each in [process.start(job) for job in jobs]]:
        if ended.code:
            raise RuntimeError(f"the crawler ended with {ended.code}: {ended.said.strip()}")
    shutil.rmtree(directory)


def _job(directory: Path, hosts: Sequence[Host], port: int, number: int, processes: int) -> Any:
    mine = [(index, host) for index, host in enumerate(hosts) if index % processes == number]
    sources = [
        process.source(
            host.name.partition(".")[0], [host.name],
            politeness=Politeness(concurrency=None if host.at_once == AT_ONCE else host.at_once),
        )
        for _, host in mine
    ]  # fmt: skip
    settings = {"delay_s": DELAY_S, "concurrency_per_host": AT_ONCE, "timeout_s": TIMEOUT_S, "retries": 1}
    return process.job(directory, sources, {host.name: f"{address(index)}:{port}" for index, host in mine}, settings)


def _wait_for(log: Path, lines: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while requests_in(log) < lines:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the crawlers have sent no {lines} requests in {_PATIENCE_S:.0f} s")
        time.sleep(0.05)
