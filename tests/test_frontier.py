"""The frontier, and the session that joins it to the WARC."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from crawlers.frontier import (
    Changes,
    Frontier,
    Kind,
    Lease,
    Link,
    OriginState,
    Retry,
    State,
    Stored,
    Unfetched,
)
from crawlers.session import SourceSession
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
