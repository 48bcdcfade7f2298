"""Where a crawl stands: read from its frontier while it runs, and printed a line a source."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crawlers.frontier import _SCHEMA, Changes, Frontier, Kind, Link, OriginState, State, Unfetched
from crawlers.outcome import Status, progress, read_outcome
from crawlers.session import SourceSession
from manifests.models import CrawlSettings
from pipelines.crawl_status import _duration, render
from pipelines.engine import StageError
from tests.crawl_site import HOST, source

BASE = f"http://{HOST}"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of two sources, of which nothing was crawled."""
    (tmp_path / "run.json").write_text(json.dumps({"sources": [{"id": "site"}, {"id": "other"}]}))
    return tmp_path


def crawled(directory: Path, pages: int, links: int = 8) -> SourceSession:
    """A session that has fetched its robots.txt and some pages, of which the first has links."""
    session = SourceSession(source(), CrawlSettings(retries=0), directory)
    left = pages
    while left and (lease := session.take(session.origins[0], time.time())):
        if lease.kind is not Kind.PAGE:
            head, body = HEAD.replace(b"200 OK", b"404 No"), b""
        else:
            head, body, left = HEAD, b"".join(b"<a href=/%d>n</a>" % n for n in range(links)), left - 1
        session.answered(lease, head, body, datetime.now(UTC))
    session.flush()
    return session


def test_before_anything_was_fetched_there_are_zeros(run: Path) -> None:
    assert progress(run / "crawl" / "site") == Status()
    assert Status().remaining_s is None
    (run / "crawl" / "site").mkdir(parents=True)
    (run / "crawl" / "site" / "frontier.sqlite").touch()
    assert progress(run / "crawl" / "site") == Status()
    with closing(sqlite3.connect(run / "crawl" / "site" / "frontier.sqlite")) as db:
        db.executescript(_SCHEMA)  # as its owner does first of all
    assert progress(run / "crawl" / "site") == Status()
    lines = render(str(run)).splitlines()
    assert [line.split()[0] for line in lines] == ["source", "site", "other", "2"]
    assert lines[-1] == "2 sources: 0 pages fetched, 0 URLs queued"


def test_a_crawl_that_runs_says_how_far_it_is_and_when_it_ends(run: Path) -> None:
    session = crawled(run / "crawl" / "site", 3)
    status = progress(run / "crawl" / "site")  # while its owner is at work
    assert (status.generation, status.pages, status.unfinished, status.failed) == (1, 3, 6, 0)
    assert status.bytes == sum(row.length for row in read_outcome(run / "crawl" / "site").fetched) > 0
    assert status.per_s > 0
    assert status.remaining_s == status.unfinished / status.per_s
    lines = render(str(run)).splitlines()
    assert re.match(r"site +1 +3 +6 +0 +0\.0 +[\d,.]+  0 min \d\d s\Z", lines[1])
    assert lines[-1] == "2 sources: 3 pages fetched, 6 URLs queued"
    session.close()


def test_a_crawl_that_has_ended_has_nothing_left_and_keeps_its_rate(run: Path) -> None:
    session = crawled(run / "crawl" / "site", 9)
    assert not session.has_unfinished()
    session.close()
    status = progress(run / "crawl" / "site")
    assert (status.pages, status.unfinished, status.remaining_s) == (9, 0, 0.0)
    assert progress(run / "crawl" / "site") == status
    lines = render(str(run)).splitlines()
    assert re.match(r"site +1 +9 +0 +0 +0\.0 +[\d,.]+\Z", lines[1])
    assert not lines[2].startswith("    ")  # files that a site may have are no news


def test_what_keeps_a_crawl_from_a_page_is_told(run: Path) -> None:
    (run / "crawl" / "site").mkdir(parents=True)
    frontier = Frontier(run / "crawl" / "site" / "frontier.sqlite")
    fates = {"robots_disallow": 2, "later": 1, "not_there": 3, "taken_down": 1}
    lost = [
        Unfetched(f"{BASE}/{reason}/{n}", State.EXCLUDED, reason)
        for reason, number in fates.items()
        for n in range(number)
    ]
    lost.append(Unfetched(f"{BASE}/failed", State.FAILED, "timeout"))
    counts = {"out_of_scope": 1200, "wall:login_wall": 1, "wall:captcha": 12}
    frontier.apply(Changes(links=[Link(each.url, Kind.PAGE) for each in lost], unfetched=lost, counts=counts))
    origin = frontier.origins[BASE]
    origin.state, origin.reason = OriginState.BLOCKED, "crawl_delay_too_long"
    frontier.apply(Changes(origins=[origin]))
    status = progress(run / "crawl" / "site")
    assert (status.blocked, status.failed) == (fates, 1)
    assert status.walls == {"login_wall": 1, "captcha": 12}
    assert status.closed == {BASE: "crawl_delay_too_long"}
    assert status.remaining_s is None
    site, blocked, closed = render(str(run)).splitlines()[1:4]
    assert site.split()[1:5] == ["1", "0", "1", "1"]
    assert site.endswith("  not known")
    assert blocked.startswith("    not fetched: ")
    told = set(blocked.removeprefix("    not fetched: ").split(", "))
    assert told == {
        "robots_disallow 2 (next visit)",
        "later 1 (next visit)",
        "taken_down 1",
        "wall: login_wall 1",
        "wall: captcha 12",
    }
    assert closed == f"    {BASE}: crawl_delay_too_long"
    frontier.close()


def test_a_second_crawl_is_told_by_itself(run: Path) -> None:
    directory = run / "crawl" / "site"
    crawled(directory, 9).close()
    before = progress(directory)
    again = SourceSession(source(), CrawlSettings(retries=0), directory, generation=2)
    again.close()
    status = progress(directory)
    assert (status.generation, status.pages, status.bytes, status.per_s) == (2, 0, 0, 0.0)
    assert status.pages + status.others + status.unfinished == before.pages + before.others
    assert 0 < status.unfinished < before.pages  # robots.txt and its like, and the seed
    assert status.remaining_s is None


def test_what_is_no_run_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="is not a run: it has no run.json"):
        render(str(tmp_path))


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.4, "0 min 00 s"), (89.6, "1 min 30 s"), (3599.7, "1 h 00 min"), (90_000.0, "25 h 00 min")]
)
def test_a_time_that_is_left_is_told_in_words(seconds: float, told: str) -> None:
    assert _duration(seconds) == told
