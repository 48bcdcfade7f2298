"""When a source may be asked: its hours, and what it gives in a day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crawlers.frontier import Changes, Frontier, Kind, Link, Stored
from crawlers.hours import Allowance
from crawlers.outcome import read_outcome
from manifests.models import Politeness
from tests.crawl_site import HOST, Site, crawl, job, page, source

BASE = f"http://{HOST}"


@pytest.fixture
def frontier(tmp_path: Path) -> Iterator[Frontier]:
    frontier = Frontier(tmp_path / "frontier.sqlite", wait_s=0.0)
    yield frontier
    frontier.close()


def at(time: str) -> float:
    return datetime.fromisoformat(f"{time}+00:00").timestamp()


def opens(frontier: Frontier, window: str, now: str) -> str:
    """Time at which a window opens, as HH:MM of the day, or `now`."""
    seconds, why = Allowance(Politeness(window=window), frontier).opens_at(at(now))
    if seconds == at(now):
        assert why == ""
        return "now"
    assert why == f"its hours are {window} UTC"
    return datetime.fromtimestamp(seconds, UTC).strftime("%d %H:%M:%S")


@pytest.mark.parametrize(
    ("window", "now", "expected"),
    [
        ("22:00-06:00", "2026-03-01T21:59:59", "01 22:00:00"),
        ("22:00-06:00", "2026-03-01T22:00:00", "now"),
        ("22:00-06:00", "2026-03-01T00:00:00", "now"),
        ("22:00-06:00", "2026-03-01T05:59:59", "now"),
        ("22:00-06:00", "2026-03-01T06:00:00", "01 22:00:00"),
        ("01:30-02:00", "2026-03-01T01:29:30", "01 01:30:00"),
        ("01:30-02:00", "2026-03-01T01:59:59", "now"),
        ("01:30-02:00", "2026-03-01T02:00:00", "02 01:30:00"),
        ("00:00-12:00", "2026-02-28T12:00:01", "01 00:00:00"),
        ("08:00-08:00", "2026-03-01T03:00:00", "now"),
    ],
)
def test_a_window(frontier: Frontier, window: str, now: str, expected: str) -> None:
    assert opens(frontier, window, now) == expected


def test_a_source_that_asks_nothing_is_always_open(frontier: Frontier) -> None:
    assert Allowance(Politeness(), frontier).opens_at(12.5) == (12.5, "")


def test_a_day_of_pages_ends_at_midnight(frontier: Frontier) -> None:
    allowance = Allowance(Politeness(pages_per_day=2), frontier)
    noon, midnight = at("2026-03-01T12:00:00"), at("2026-03-02T00:00:00")
    assert allowance.opens_at(noon) == (noon, "")
    allowance.spend(10)
    assert allowance.opens_at(noon) == (noon, "")
    allowance.spend(10)
    assert allowance.opens_at(noon) == (midnight, "pages_per_day: 2 a day")
    assert allowance.opens_at(midnight) == (midnight, "")


def test_a_day_of_bytes_ends_at_midnight_and_its_window_comes_first(frontier: Frontier) -> None:
    allowance = Allowance(Politeness(bytes_per_day=2048, window="06:00-18:00"), frontier)
    noon = at("2026-03-01T12:00:00")
    allowance.opens_at(noon)
    allowance.spend(2047)
    assert allowance.opens_at(noon) == (noon, "")
    allowance.spend(1)
    assert allowance.opens_at(noon) == (at("2026-03-02T00:00:00"), "bytes_per_day: 2,048 a day")
    evening = at("2026-03-01T20:00:00")
    assert allowance.opens_at(evening) == (at("2026-03-02T06:00:00"), "its hours are 06:00-18:00 UTC")


def test_what_an_earlier_process_fetched_on_the_day_counts(frontier: Frontier) -> None:
    links = [Link(f"{BASE}/{number}", Kind.PAGE) for number in range(3)]
    fetched = "2026-03-01T23:59:59.5+00:00"
    stored = [Stored(link.url, 200, None, "00000.warc.gz", 0, 100, "sha1:X", fetched) for link in links]
    frontier.apply(Changes(links=links, stored=stored[:2]))
    frontier.apply(Changes(stored=[replace(stored[2], fetched_at="2026-03-02T00:00:00+00:00")]))
    allowance = Allowance(Politeness(pages_per_day=2), frontier)
    evening, morning = at("2026-03-01T23:59:59"), at("2026-03-02T00:00:01")
    assert frontier.spent("2026-03-01") == (2, 200)
    assert allowance.opens_at(evening)[0] == at("2026-03-02T00:00:00")
    assert allowance.opens_at(morning) == (morning, "")


def closed_now() -> str:
    """A window that is not open for hours yet."""
    begin = datetime.now(UTC) + timedelta(hours=6)
    return f"{begin:%H:%M}-{begin + timedelta(hours=6):%H:%M}"


def test_a_source_outside_its_hours_is_left_and_taken_up_by_the_next_crawl(tmp_path: Path) -> None:
    with Site({"/": page("/a"), "/a": page()}) as site:
        asleep = source(politeness={"window": closed_now()})
        work = job(tmp_path, site, asleep, patience_s=60.0)
        assert crawl(work) == (0, "")
        assert site.asked.total() == site.offers.total() == 0
        outcome = read_outcome(tmp_path / "site")
        assert {(row.url, row.reason) for row in outcome.not_fetched} == {
            (f"{BASE}/", "later"),
            (f"{BASE}/robots.txt", "later"),
        }
        assert all("its hours are" in row.detail for row in outcome.not_fetched)
        assert outcome.unfinished == []
        awake = replace(job(tmp_path, site, source()), generation=2)
        assert crawl(awake) == (0, "")
    outcome = read_outcome(tmp_path / "site")
    assert {row.url for row in outcome.fetched} == {f"{BASE}{path}" for path in ("/", "/a", "/robots.txt")}
    assert {row.reason for row in outcome.not_fetched} == {"not_there"}


def test_a_day_that_is_spent_leaves_the_rest_to_the_next_crawl(tmp_path: Path) -> None:
    answers = {"/": page(*(f"/{n}" for n in range(9)))} | {f"/{n}": page() for n in range(9)}
    with Site(answers) as site:
        frugal = source(politeness={"pages_per_day": 4, "concurrency": 1})
        assert crawl(job(tmp_path, site, frugal, patience_s=1.0)) == (0, "")
        outcome = read_outcome(tmp_path / "site")
        assert len(outcome.fetched) == 4
        left = {row.url for row in outcome.not_fetched if row.reason == "later"}
        assert left | {row.url for row in outcome.fetched} == {f"{BASE}{path}" for path in (*answers, "/robots.txt")}
        assert crawl(replace(job(tmp_path, site, source()), generation=2)) == (0, "")
    pages = {row.url: row.status for row in read_outcome(tmp_path / "site").fetched if row.kind == "page"}
    assert pages == {f"{BASE}{path}": 200 for path in answers}
