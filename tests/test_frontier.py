"""The frontier, and the session that joins it to the WARC."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawlers.addresses import Resolver
from crawlers.frontier import (
    PASSING,
    Changes,
    Frontier,
    FrontierVersionError,
    Kind,
    Lease,
    Link,
    OriginState,
    Pattern,
    Retry,
    State,
    Stored,
    Unfetched,
)
from crawlers.outcome import read_outcome
from crawlers.session import SourceSession
from crawlers.spider import FrontierSpider
from manifests.models import CrawlSettings
from tests.crawl_site import HOST, source

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html"
BASE = f"http://{HOST}"


def stored(url: str, offset: int = 0) -> Stored:
    return Stored(url, 200, "text/html", "00000.warc.gz", offset, 10, "sha1:X", "2026-01-01T00:00:00+00:00")


def urls(leases: list[Lease]) -> list[str]:
    return [lease.url for lease in leases]


def test_urls_go_from_pending_to_a_fate(tmp_path: Path) -> None:
    frontier = Frontier(tmp_path / "frontier.sqlite")
    pages = [f"http://h/{n}" for n in range(4)]
    frontier.apply(Changes(links=[Link(url, Kind.PAGE) for url in [*pages, pages[0]]], counts={"out_of_scope": 2}))
    origin = frontier.origins["http://h"]
    assert (origin.robots_url, origin.state) == ("http://h/robots.txt", OriginState.WAITING)
    assert urls(frontier.lease(origin, [Kind.ROBOTS], 9, 0.0)) == ["http://h/robots.txt"]
    assert urls(frontier.lease(origin, list(Kind), 3, 0.0)) == pages[:3]
    assert urls(frontier.lease(origin, list(Kind), 9, 0.0)) == pages[3:]
    changes = Changes(
        stored=[stored(pages[0])],
        unfetched=[Unfetched(pages[1], State.FAILED, "timeout", "1 s")],
        retries=[Retry(pages[2], 100.0)],
        counts={"out_of_scope": 1},
    )
    frontier.apply(changes)
    assert frontier.next_due(origin) == 100.0
    assert frontier.lease(origin, list(Kind), 9, 99.0) == []
    assert frontier.lease(origin, list(Kind), 9, 100.0) == [Lease(pages[2], Kind.PAGE, 0, 1)]
    frontier.close()

    again = Frontier(tmp_path / "frontier.sqlite")
    again.release()
    assert again.has_unfinished()
    states = {fate.url: fate.state for fate in again.fates()}
    assert list(states) == [*pages, "http://h/robots.txt"]
    assert list(states.values()) == [State.DONE, State.FAILED, State.PENDING, State.PENDING, State.PENDING]
    assert again.settled_ends() == {"00000.warc.gz": 10}
    assert again.tried() == {Kind.ROBOTS: 0, Kind.SIGNALS: 0, Kind.SITEMAP: 0, Kind.PAGE: 3}
    again.exclude_pending(again.origins["http://h"], "robots_unreachable", "")
    assert not again.has_unfinished()
    again.close()


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    frontier = Frontier(tmp_path / "frontier.sqlite")
    wrong = Changes(links=[Link("http://h/1", Kind.PAGE)], counts={"x": None})  # type: ignore[dict-item]
    with pytest.raises(Exception, match="NOT NULL"):
        frontier.apply(wrong)
    assert list(frontier.fates()) == []
    frontier.close()


def test_records_that_a_power_cut_took_are_fetched_again(tmp_path: Path) -> None:
    frontier = Frontier(tmp_path / "frontier.sqlite")
    links = [Link(f"http://h/{n}", Kind.PAGE) for n in range(3)]
    frontier.apply(Changes(links=links, stored=[stored(f"http://h/{n}", n * 10) for n in range(3)]))
    assert frontier.lose_records_beyond("00000.warc.gz", 25) == 1
    assert {f.url for f in frontier.fates() if f.state is State.PENDING} == {
        "http://h/2",
        "http://h/robots.txt",
    }
    frontier.close()


# ---------------------------------------------------------------- order


def test_what_goes_first(tmp_path: Path) -> None:
    """By kind, then by priority, then as it was found."""
    frontier = Frontier(tmp_path / "frontier.sqlite")
    pages = {"/d": 100, "/c": 50, "/b": 100, "/a": -7}
    links = [Link(f"http://h{path}", Kind.PAGE, priority=priority) for path, priority in pages.items()]
    frontier.apply(Changes(links=[*links, Link("http://h/sitemap.xml", Kind.SITEMAP, priority=999)]))
    frontier.apply(Changes(links=[Link("http://h/e", Kind.PAGE, priority=50)]))
    origin = frontier.origins["http://h"]
    first = urls(frontier.lease(origin, [Kind.PAGE, Kind.SITEMAP], 3, 0.0))
    assert first == ["http://h/sitemap.xml", "http://h/a", "http://h/c"]
    assert urls(frontier.lease(origin, [Kind.PAGE], 9, 0.0)) == ["http://h/e", "http://h/d", "http://h/b"]
    frontier.close()


# ---------------------------------------------------------------- generations

BEGIN = NOW.timestamp()
HOUR_S = 3600.0


def visited(url: str, at: float, interval_s: float, offset: int = 0, is_revisit: bool = False) -> Stored:
    when = datetime.fromtimestamp(at, UTC).isoformat()
    return Stored(url, 304 if is_revisit else 200, "text/html", "00000.warc.gz", offset, 10, "sha1:X", when,
                  is_revisit, etag='"x"', interval_s=interval_s)  # fmt: skip


def pending(frontier: Frontier) -> set[str]:
    return {fate.url.removeprefix("http://h") for fate in frontier.fates() if fate.state is State.PENDING}


def ended(frontier: Frontier, links: list[Link], *fates: Stored | Unfetched) -> None:
    """A first generation in which URLs met these fates, and ended."""
    known = {fate.url for fate in fates}
    rules = [] if "http://h/robots.txt" in known else [visited("http://h/robots.txt", BEGIN, 1e9)]
    frontier.apply(Changes(links=links))
    frontier.apply(
        Changes(
            stored=[*rules, *(fate for fate in fates if isinstance(fate, Stored))],
            unfetched=[fate for fate in fates if isinstance(fate, Unfetched)],
        )
    )
    assert not frontier.has_unfinished()
    frontier.end_generation()


def test_a_generation_takes_up_what_is_due_what_failed_and_what_was_left(tmp_path: Path) -> None:
    frontier = Frontier(tmp_path / "frontier.sqlite")
    for_good = ("taken_down", "trap", "session_id", "private_address", "not_admitted")
    kinds = {"/sitemap.xml": Kind.SITEMAP, "/ai.txt": Kind.SIGNALS}
    names = ["/due", "/later", "/failed", *kinds, *(f"/{reason}" for reason in (*PASSING, *for_good))]
    links = [Link(f"http://h{name}", kinds.get(name, Kind.PAGE), depth=1) for name in names]
    ended(
        frontier,
        [Link("http://h/seed", Kind.PAGE), *links],
        visited("http://h/due", BEGIN, HOUR_S),
        visited("http://h/later", BEGIN, 3 * HOUR_S),
        *(visited(f"http://h{name}", BEGIN, 1e9) for name in ("/seed", *kinds)),
        Unfetched("http://h/failed", State.FAILED, "timeout", "1 s"),
        *(Unfetched(f"http://h/{reason}", State.EXCLUDED, reason, "x") for reason in (*PASSING, *for_good)),
    )
    assert frontier.generation()[0] == 1
    assert frontier.generation()[3]
    frontier.begin_generation(BEGIN + 2 * HOUR_S, 7)
    assert frontier.generation() == (2, BEGIN + 2 * HOUR_S, 7, False)
    again = {"/due", "/failed", "/seed", "/robots.txt", *kinds, *(f"/{reason}" for reason in PASSING)}
    assert pending(frontier) == again
    assert all(not fate.reason and not fate.detail for fate in frontier.fates() if fate.state is State.PENDING)
    assert {fate.reason for fate in frontier.fates() if fate.state is State.EXCLUDED} == set(for_good)
    assert frontier.origins["http://h"].state is OriginState.WAITING
    lease = frontier.lease(frontier.origins["http://h"], [Kind.PAGE], 1, BEGIN)[0]
    assert (lease.url, lease.tries, lease.etag, lease.interval_s) == ("http://h/seed", 0, '"x"', 1e9)
    assert lease.earlier is not None
    assert lease.earlier.fetched_at == NOW
    frontier.close()


def test_what_a_generation_counts_is_its_own(tmp_path: Path) -> None:
    """A page that took two tries in the first is not tried in the second, and a pattern may give as much again."""
    frontier = Frontier(tmp_path / "frontier.sqlite")
    link = Link("http://h/1", Kind.PAGE, depth=1, pattern=1)
    spent, trap = Pattern(1, "/#", 9, 2, 0.5, "pattern_budget"), Pattern(2, "/c/#", 30, 30, 0.1, "trap")
    frontier.apply(Changes(links=[link], retries=[Retry(link.url, 0.0)], counts={"out_of_scope": 3}))
    frontier.apply(Changes(patterns={1: spent, 2: trap}))
    ended(frontier, [], visited(link.url, BEGIN, HOUR_S))
    frontier.close()
    frontier = Frontier(tmp_path / "frontier.sqlite")
    frontier.begin_generation(BEGIN, 1)
    assert set(frontier.tried().values()) == {0}
    expected = {"/#": Pattern(1, "/#", 1, 2, 0.5, ""), "/c/#": Pattern(2, "/c/#", 1, 30, 0.1, "trap")}
    assert frontier.patterns == expected
    frontier.close()
    frontier = Frontier(tmp_path / "frontier.sqlite")
    assert frontier.patterns == expected
    frontier.close()
    assert read_outcome(tmp_path).ignored == {}


def test_a_date_in_a_sitemap_makes_a_page_pending_once_a_generation(tmp_path: Path) -> None:
    frontier = Frontier(tmp_path / "frontier.sqlite")
    now = time.time() + 1.0
    names = ["/old", "/new", "/gone", "/left"]
    pages = [Link(f"http://h{name}", Kind.PAGE, depth=1) for name in names]
    changed = [
        Link("http://h/old", Kind.PAGE, depth=1, lastmod=now - 1),
        *(Link(f"http://h{name}", Kind.PAGE, depth=1, lastmod=now + HOUR_S) for name in names[1:]),
    ]
    fates = [visited(f"http://h{name}", now, 1e9) for name in names[:3]]
    ended(frontier, pages, *fates, Unfetched("http://h/left", State.EXCLUDED, "taken_down"))
    frontier.apply(Changes(links=changed))
    assert pending(frontier) == set()  # it was fetched in this generation
    frontier.begin_generation(now + 2 * HOUR_S, 1)
    frontier.apply(Changes(links=changed))
    assert pending(frontier) == {"/new", "/gone", "/robots.txt"}
    frontier.apply(Changes(stored=[visited("http://h/new", now + 3 * HOUR_S, 1e9)]))
    frontier.apply(Changes(links=[Link("http://h/new", Kind.PAGE, lastmod=now + 9 * HOUR_S)]))
    assert pending(frontier) == {"/gone", "/robots.txt"}
    frontier.close()


def test_records_of_a_url_stay_and_the_last_with_a_payload_is_known(tmp_path: Path) -> None:
    frontier = Frontier(tmp_path / "frontier.sqlite")
    page = "http://h/a"
    frontier.apply(Changes(links=[Link(page, Kind.PAGE)], stored=[visited(page, BEGIN, 1.0)]))
    frontier.apply(Changes(stored=[visited(page, BEGIN, 1.0, 10, is_revisit=True)]))
    found = frontier.payload_of(page)
    assert found is not None
    assert (found.offset, found.is_revisit) == (0, False)
    fate = next(fate for fate in frontier.fates() if fate.url == page)
    assert fate.record is not None
    assert (fate.record.offset, fate.record.is_revisit) == (10, True)
    frontier.apply(Changes(stored=[visited(page, BEGIN, 1.0, 20)]))
    assert (payload := frontier.payload_of(page)) is not None
    assert payload.offset == 20
    # A page that is gone has no payload that a later one could be the same as.
    gone = Stored(page, 404, "text/html", "00000.warc.gz", 30, 10, "sha1:X", NOW.isoformat())
    frontier.apply(Changes(stored=[gone]))
    assert frontier.payload_of(page) is None
    # Nor one whose file a power cut tore.
    frontier.apply(Changes(stored=[visited(page, BEGIN, 1.0, 40)]))
    assert frontier.lose_records_beyond("00000.warc.gz", 45) == 1
    found_again = frontier.find(page)
    assert found_again is not None
    lease, torn = found_again
    assert (lease.earlier, lease.etag, torn.state) == (None, None, State.PENDING)
    frontier.close()
    rows = [row for row in read_outcome(tmp_path).fetched if row.url == page]
    assert [(row.offset, row.status, row.is_revisit) for row in rows] == [
        (0, 200, False),
        (10, 304, True),
        (20, 200, False),
        (30, 404, False),
    ]


_PAGES = [f"http://h/{n}" for n in range(5)]
_STEPS = st.one_of(
    st.tuples(st.sampled_from(["link", "link and store", "store", "retry", "fail", "exclude", "later"]),
              st.sampled_from(_PAGES)),
    st.tuples(st.sampled_from(["lease", "kill", "leave", "generation"]), st.just("")),
)  # fmt: skip


class Model:
    """A frontier, and beside it what must be in it: the state of each URL and the number of its records."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "frontier.sqlite"
        self.frontier = Frontier(self.path, wait_s=0.0)
        self.states: dict[str, State] = {}
        self.reasons: dict[str, str] = {}
        self.records: dict[str, int] = {}

    def step(self, what: str, page: str) -> None:
        """Something happens; only a URL that is leased comes to something."""
        if what in ("link", "link and store") and page not in self.states:
            for url in (page, "http://h/robots.txt"):
                self.states.setdefault(url, State.PENDING)
                self.records.setdefault(url, 0)
            stored = [visited(page, BEGIN, 0.0)] if what == "link and store" else []
            self.frontier.apply(Changes(links=[Link(page, Kind.PAGE, depth=1)] * 2, stored=stored))
            if stored:
                self.states[page], self.records[page] = State.DONE, 1
        elif self.states.get(page) is State.LEASED:
            self._come_to(what, page)
        elif what == "lease" and self.states:
            for lease in self.frontier.lease(self.frontier.origins["http://h"], list(Kind), 2, 0.0):
                assert self.states[lease.url] is State.PENDING
                self.states[lease.url] = State.LEASED
        elif what == "leave":
            self.frontier.exclude_pending(None, "later", "")
            self._turn({State.PENDING: State.EXCLUDED}, "later")
        elif what == "kill":
            self.frontier._db.close()
            os.close(self.frontier._lock)
            self.frontier = Frontier(self.path, wait_s=0.0)
            self.frontier.release()
            self._turn({State.LEASED: State.PENDING})
        elif what == "generation" and not self.frontier.has_unfinished():
            self.frontier.end_generation()
            self.frontier.begin_generation(BEGIN, 0)
            for url, state in self.states.items():
                if state is not State.EXCLUDED or self.reasons[url] == "later":
                    self.states[url] = State.PENDING

    def _come_to(self, what: str, page: str) -> None:
        match what:
            case "store":
                self.frontier.apply(Changes(stored=[visited(page, BEGIN, 0.0)]))
                self.states[page] = State.DONE
                self.records[page] += 1
            case "retry":
                self.frontier.apply(Changes(retries=[Retry(page, 0.0)]))
                self.states[page] = State.PENDING
            case "fail" | "exclude" | "later":
                state = State.FAILED if what == "fail" else State.EXCLUDED
                reason = "later" if what == "later" else "trap"
                self.frontier.apply(Changes(unfetched=[Unfetched(page, state, reason)]))
                self.states[page], self.reasons[page] = state, reason

    def _turn(self, states: dict[State, State], reason: str = "") -> None:
        for url, state in self.states.items():
            if state in states:
                self.states[url], self.reasons[url] = states[state], reason

    def check(self) -> None:
        """The frontier says what the model says."""
        assert {fate.url: fate.state for fate in self.frontier.fates()} == self.states
        counts = self.frontier.counts()
        assert sum(counts.values()) == len(self.states)
        unfinished = {State.PENDING, State.LEASED} & set(self.states.values())
        assert self.frontier.has_unfinished() == bool(unfinished)
        rows = [row.url for row in read_outcome(self.path.parent).fetched]
        assert {url: rows.count(url) for url in self.records} == self.records


@settings(max_examples=40)
@given(st.lists(_STEPS, max_size=40))
def test_each_url_is_in_one_state_and_no_record_is_lost(steps: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        model = Model(Path(directory))
        for step in steps:
            model.step(*step)
            model.check()
        model.frontier.close()


# ---------------------------------------------------------------- the session


def open_session(directory: Path, **settings: object) -> SourceSession:
    values = {"delay_s": 0.0, "retries": 2} | settings
    return SourceSession(source(), CrawlSettings.model_validate(values), directory, lock_wait_s=0.0)


def take(session: SourceSession, now: float) -> Lease | None:
    """The next URL; files that a site may have are not there."""
    while lease := session.take(session.origins[0], now):
        if lease.kind is not Kind.SIGNALS and not lease.url.endswith("/llms.txt"):
            return lease
        session.answered(lease, b"HTTP/1.1 404 Not Found", b"", NOW)
    return None


def test_retry_after_and_back_off(tmp_path: Path) -> None:
    session = open_session(tmp_path)
    robots = take(session, 0.0)
    assert robots is not None
    busy = b"HTTP/1.1 503 Busy\r\nRetry-After: "
    assert session.answered(robots, busy + b"120", b"", NOW) == 120.0
    assert take(session, NOW.timestamp()) is None
    again = take(session, 1e12)
    assert again is not None
    assert (again.url, again.tries) == (f"{BASE}/robots.txt", 1)
    assert session.answered(again, busy + b"Thu, 01 Jan 2026 00:05:00 GMT", b"", NOW) == 300.0
    last = take(session, 1e12)
    assert last is not None
    assert session.answered(last, busy + b"9999999", b"", NOW) == 0.0
    assert session.origins[0].state is OriginState.BLOCKED
    assert not session.has_unfinished()
    session.close()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(b"99999", 3600.0), (b"-5", 1.0), (b"soon", 1.0), (b"", 1.0), (b"Thu, 32 Foo", 1.0)],
)
def test_retry_after_that_is_odd(tmp_path: Path, value: bytes, seconds: float) -> None:
    session = open_session(tmp_path)
    lease = take(session, 0.0)
    assert lease is not None
    assert session.answered(lease, b"HTTP/1.1 429 Slow\r\nRetry-After: " + value, b"", NOW) == seconds
    session.close()


def test_what_the_frontier_did_not_get_is_replayed(tmp_path: Path) -> None:
    session = open_session(tmp_path)
    robots = take(session, 0.0)
    assert robots is not None
    session.answered(robots, OK, b"User-agent: *\nCrawl-delay: 7\nDisallow: /no", NOW)
    assert session.delay_s(session.origins[0]) == 7.0
    home = take(session, 0.0)
    assert home is not None
    session.answered(home, OK, b"<a href=/a>a</a><a href=/no>n</a><a href=http://other/>o</a>", NOW)
    # A kill: neither the response nor its links are in the frontier, and the lease is.
    session._frontier.close()
    session = open_session(tmp_path)
    assert session.delay_s(session.origins[0]) == 7.0
    lease = take(session, 0.0)
    assert lease is not None
    assert lease.url == f"{BASE}/a"
    assert take(session, 0.0) is None
    session.answered(lease, OK, b"", NOW)
    assert not session.has_unfinished()
    session.close()


# ---------------------------------------------------------------- a pause survives a restart


def killed(session: SourceSession) -> None:
    """As after kill -9: what was not written is lost, the lock is free."""
    session._frontier._db.close()
    os.close(session._frontier._lock)


def rests_until(session: SourceSession, delay_s: float) -> float:
    """Unix time until which a new process leaves the host alone."""
    settings = CrawlSettings(delay_s=delay_s)
    return FrontierSpider([session], Resolver({}, False), settings)._rest_until.get(HOST, 0.0)


def test_a_resumed_crawl_first_leaves_its_host_alone_for_as_long_as_it_asked(tmp_path: Path) -> None:
    session = open_session(tmp_path)
    assert rests_until(session, 0.0) == 0.0
    robots = take(session, 0.0)
    assert robots is not None
    session.answered(robots, OK, b"User-agent: *\nCrawl-delay: 7", NOW)
    killed(session)
    before = time.time()
    session = open_session(tmp_path)
    assert session.is_resumed
    assert before <= rests_until(session, 0.0) - 7.0 <= time.time()
    session.close()


def test_a_crawl_that_was_killed_in_its_first_request_leaves_its_host_alone_too(tmp_path: Path) -> None:
    session = open_session(tmp_path, delay_s=3.0)
    assert not session.is_resumed
    assert take(session, 0.0) is not None
    killed(session)
    before = time.time()
    session = open_session(tmp_path, delay_s=3.0)
    assert before <= rests_until(session, 3.0) - 3.0 <= time.time()
    session.close()


def test_a_new_generation_is_no_resumed_crawl(tmp_path: Path) -> None:
    session = open_session(tmp_path)
    while lease := take(session, time.time()):
        session.answered(lease, OK, b"", NOW)
    assert not session.has_unfinished()
    session.close()
    again = SourceSession(source(), CrawlSettings(), tmp_path, generation=2)
    assert not again.is_resumed
    again.close()


def test_a_frontier_of_another_version_is_one_clear_line(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "frontier.sqlite")) as db:
        db.execute("CREATE TABLE url (id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE)")
    with pytest.raises(FrontierVersionError, match="frontier.sqlite is of another version; take a new run, or remove"):
        Frontier(tmp_path / "frontier.sqlite")
    (tmp_path / "frontier.sqlite").unlink()
    Frontier(tmp_path / "frontier.sqlite").close()
    Frontier(tmp_path / "frontier.sqlite").close()
