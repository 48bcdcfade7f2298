"""A second crawl of a site: what is as it was costs next to nothing, what changed is found, nothing is lost."""

from __future__ import annotations

import hashlib
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from fastwarc.warc import ArchiveIterator as FastIterator
from fastwarc.warc import WarcRecordType
from warcio.archiveiterator import ArchiveIterator

from crawlers.job import CrawlJob
from crawlers.outcome import Fetched, progress, read_outcome
from crawlers.session import SourceSession
from crawlers.warc import Record, read_records, warc_files
from manifests.models import CrawlSettings
from tests.crawl_site import HOST, OFFERS, Answer, Site, crawl, job, page, source, start, text

BASE = f"http://{HOST}"
DAY_S = 86_400.0
#: Every page is due again at once.
DUE = {"first_days": 1e-9, "shortest_days": 0.0, "longest_days": 2e-9}
MODIFIED = format_datetime(datetime(2026, 1, 1, tzinfo=UTC), usegmt=True)


@dataclass
class Docs:
    """Pages by path: those under /etag have an ETag, those under /dated a date, and others no validator.

    `statuses`: pages that are not well; `sitemap`: pages and the dates that it says of them; `robots`: rules.
    """

    pages: dict[str, str]
    links: list[str] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    sitemap: dict[str, datetime] = field(default_factory=dict)
    robots: str = ""

    def __call__(self, path: str) -> Answer | None:
        if path in self.statuses:
            return text("not well", self.statuses[path])
        if path == "/robots.txt":
            return text(f"{self.robots}Sitemap: /sitemap.xml\n")
        if path == "/sitemap.xml":
            listed = "".join(
                f"<url><loc>{BASE}{each}</loc><lastmod>{date.isoformat()}</lastmod></url>"
                for each, date in self.sitemap.items()
            )
            return Answer(f"<urlset>{listed}</urlset>".encode(), headers={"Content-Type": "text/xml"})
        if path == "/":
            return page(*self.links)
        return self._page(path, self.pages[path].encode()) if path in self.pages else None

    def _page(self, path: str, body: bytes) -> Answer:
        headers = {"Content-Type": "text/html"}
        if path.startswith("/etag"):
            headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()}"'
        if path.startswith("/dated"):
            headers["Last-Modified"] = MODIFIED
        return Answer(body, headers=headers)


def again(work: CrawlJob, generation: int) -> CrawlJob:
    return replace(work, generation=generation)


def asked(site: Site) -> Counter[str]:
    """Requests by path since the last time this was called, offers apart."""
    found = Counter({url.removeprefix(BASE): number for url, number in site.asked.items()})
    site.asked.clear()
    return found


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in warc_files(directory)}


def records(directory: Path) -> dict[str, list[Fetched]]:
    """Records of pages by path, in their order."""
    found: dict[str, list[Fetched]] = {}
    for row in read_outcome(directory).fetched:
        found.setdefault(row.url.removeprefix(BASE), []).append(row)
    return found


def intervals(directory: Path) -> dict[str, float]:
    """Seconds until the next visit, by path."""
    with closing(sqlite3.connect(directory / "frontier.sqlite")) as db:
        rows = db.execute("SELECT url, interval_s FROM url WHERE interval_s IS NOT NULL").fetchall()
    return {url.removeprefix(BASE): seconds for url, seconds in rows}


def revisits(directory: Path, name: str) -> dict[str, str]:
    """Profiles of the revisit records of a file by path, as warcio reads them; fastwarc finds as many, undamaged."""
    with (directory / name).open("rb") as stream:
        heads = [r.rec_headers for r in ArchiveIterator(stream, no_record_parse=True) if r.rec_type == "revisit"]
    with (directory / name).open("rb") as stream:
        theirs = list(FastIterator(stream, record_types=WarcRecordType.revisit, verify_digests=True))
        assert len(theirs) == len(heads)
    return {
        head.get_header("WARC-Target-URI").removeprefix(BASE): head.get_header("WARC-Profile").rpartition("/")[2]
        for head in heads
    }


def test_a_second_crawl_finds_what_changed_and_stores_nothing_twice(tmp_path: Path) -> None:
    names = ["/etag", "/etag-new", "/dated", "/bare", "/bare-new", "/gone", "/away", "/ill"]
    docs = Docs({name: f"<p>this is {name}</p><a href={name}/below>b</a>" for name in names}, names)
    docs.pages |= {f"{name}/below": "<p>what lies below</p>" for name in names}
    directory = tmp_path / "site"
    with Site(docs) as site:
        work = job(tmp_path, site, source(), retries=0, revisit=DUE)
        assert crawl(work) == (0, "")
        first, before, asked_first = files(directory), records(directory), asked(site)
        assert progress(directory).generation == 1
        assert not site.unchanged
        docs.pages["/etag-new"] = docs.pages["/bare-new"] = "<p>it has changed</p><a href=/found>f</a>"
        docs.pages["/found"] = docs.pages["/listed"] = "<p>was not there before</p>"
        docs.statuses = {"/gone": 404, "/away": 410, "/ill": 503}
        docs.sitemap = {"/listed": datetime(2026, 2, 1, tzinfo=UTC)}
        assert crawl(again(work, 2)) == (0, "")
        assert asked(site) == asked_first + Counter({"/found": 1, "/listed": 1})
        status = progress(directory)
    outcome, after = read_outcome(directory), records(directory)

    # The first crawl's files are as they were, and its records are still told.
    assert {name: files(directory)[name] for name in first} == first
    assert all(after[path][: len(rows)] == rows for path, rows in before.items())

    # What still stood is a revisit, of the kind that its server made it.
    new = files(directory).keys() - first.keys()
    assert new == {"00001.warc.gz"}
    same = {f"{name}/below": "identical-payload-digest" for name in names} | {"/": "identical-payload-digest"}
    same |= {"/etag": "server-not-modified", "/dated": "server-not-modified", "/bare": "identical-payload-digest"}
    same |= {f"/etag{more}/below": "server-not-modified" for more in ("", "-new")}
    same |= {"/dated/below": "server-not-modified", "/robots.txt": "identical-payload-digest"}
    assert revisits(directory, "00001.warc.gz") == same
    assert {path for path, rows in after.items() if rows[-1].is_revisit} == same.keys()
    assert all(after[path][-1].digest == before[path][0].digest for path in same)

    # What changed, came and went.
    assert [row.status for row in after["/bare-new"]] == [row.status for row in after["/etag-new"]] == [200, 200]
    assert len({row.digest for row in after["/etag-new"]}) == len({row.digest for row in after["/bare-new"]}) == 2
    assert [row.status for row in after["/gone"] + after["/away"]] == [200, 404, 200, 410]
    assert [row.file for row in after["/found"] + after["/listed"]] == ["00001.warc.gz"] * 2
    assert after["/ill"] == before["/ill"]
    lost = {row.url.removeprefix(BASE): (row.reason, row.failed) for row in outcome.not_fetched}
    assert {path: why for path, why in lost.items() if path not in OFFERS} == {"/ill": ("http_503", True)}
    assert outcome.unfinished == []
    assert (status.generation, status.failed, status.unfinished) == (2, 1, 0)

    # Sooner to what changed, later to what did not, and last to what is gone.
    seconds = {path: round(value / (1e-9 * DAY_S), 6) for path, value in intervals(directory).items()}
    assert {seconds[path] for path in same} == {1.5}
    assert {seconds[path] for path in ("/etag-new", "/bare-new", "/sitemap.xml")} == {0.5}
    assert {seconds[path] for path in ("/gone", "/away")} == {2.0}
    assert {seconds[path] for path in ("/found", "/listed", "/ill")} == {1.0}


def visited(directory: Path, docs: Docs, generation: int, **settings: object) -> list[str]:
    """Crawl in this process, without a network; the paths that were asked for, offers apart."""
    values = {"delay_s": 0.0, "retries": 0} | settings
    session = SourceSession(source(), CrawlSettings.model_validate(values), directory, generation)
    asked = _walk(session, docs)
    session.close()
    return asked


def _walk(session: SourceSession, docs: Docs) -> list[str]:
    asked = []
    while session.has_unfinished():
        for lease in iter(lambda: session.take(session.origins[0], time.time()), None):
            path = lease.url.removeprefix(BASE)
            answer = docs(path) or text("no such page", 404)
            if answer.status == 200 and answer.headers.get("ETag", "") == session.conditions(lease).get(
                "If-None-Match"
            ):
                answer = replace(answer, status=304, body=b"")
            head = "".join(f"\r\n{name}: {value}" for name, value in answer.headers.items())
            session.answered(lease, f"HTTP/1.1 {answer.status} X{head}".encode(), answer.body, datetime.now(UTC))
            asked += [path] if path not in OFFERS else []
    return sorted(asked)


def test_only_what_is_due_or_said_to_have_changed_is_asked_for(tmp_path: Path) -> None:
    names = ["/bare", "/etag", "/etag-new"]
    docs = Docs({name: f"<p>this is {name}</p>" for name in names}, names)
    docs.sitemap = dict.fromkeys(names, datetime(2026, 1, 1, tzinfo=UTC))
    assert visited(tmp_path, docs, 1) == ["/", *names, "/robots.txt", "/sitemap.xml"]
    # Asked for the same crawl again, it has nothing to do; site files and seeds are asked for in any other.
    assert visited(tmp_path, docs, 1) == []
    docs.pages["/etag-new"] = "<p>it has changed</p>"
    docs.sitemap["/etag-new"] = datetime.now(UTC) + timedelta(hours=1)
    assert visited(tmp_path, docs, 2) == ["/", "/etag-new", "/robots.txt", "/sitemap.xml"]
    rows = records(tmp_path)
    assert [len(rows[name]) for name in names] == [1, 1, 2]
    assert [row.is_revisit for row in rows["/etag-new"]] == [False, False]


def test_a_page_that_was_ill_is_asked_for_again_and_known_by_what_it_was(tmp_path: Path) -> None:
    docs = Docs({"/etag": "<p>this is it</p>"}, ["/etag"])
    for generation, statuses in enumerate(({}, {"/etag": 503}, {}, {"/etag": 404}, {}), 1):
        docs.statuses = statuses
        assert "/etag" in visited(tmp_path, docs, generation, revisit=DUE)
    rows = records(tmp_path)["/etag"]
    assert [(row.status, row.is_revisit) for row in rows] == [(200, False), (304, True), (404, False), (200, False)]
    assert [row.file for row in rows] == ["00000.warc.gz", "00002.warc.gz", "00003.warc.gz", "00004.warc.gz"]


def test_a_site_whose_rules_cannot_be_had_any_more_is_left_and_keeps_its_records(tmp_path: Path) -> None:
    docs = Docs({"/bare": "<p>this is it</p>"}, ["/bare"])
    everything = visited(tmp_path, docs, 1, revisit=DUE)
    before = records(tmp_path)
    docs.statuses = {"/robots.txt": 503}
    assert visited(tmp_path, docs, 2, revisit=DUE) == ["/robots.txt"]
    assert records(tmp_path) == before
    assert {row.reason for row in read_outcome(tmp_path).not_fetched} == {"http_503", "robots_unreachable"}
    docs.statuses = {}
    assert visited(tmp_path, docs, 3, revisit=DUE) == everything


def test_a_page_that_its_site_forbids_by_now_is_not_asked_for_and_keeps_its_record(tmp_path: Path) -> None:
    docs = Docs({"/bare": "<p>this is it</p>"}, ["/bare"])
    visited(tmp_path, docs, 1, revisit=DUE)
    docs.robots = "User-agent: *\nDisallow: /bare\n"
    assert visited(tmp_path, docs, 2, revisit=DUE) == ["/", "/robots.txt", "/sitemap.xml"]
    refused = {row.url: row.reason for row in read_outcome(tmp_path).not_fetched}
    assert refused[f"{BASE}/bare"] == "robots_disallow"
    assert [row.status for row in records(tmp_path)["/bare"]] == [200]
    docs.robots = ""
    assert "/bare" in visited(tmp_path, docs, 3, revisit=DUE)


def test_each_crawl_has_a_budget_of_its_own_and_spends_it_from_the_seed_on(tmp_path: Path) -> None:
    names = [f"/{n}" for n in range(6)]
    docs = Docs({name: f"<p>this is {name}</p>" for name in names}, names)
    taken = []
    for generation in (1, 2, 3):
        asked = visited(tmp_path, docs, generation, max_pages_per_source=3)
        assert "/" in asked
        taken.append(len([path for path in asked if path in names]))
    # The seed is one of the three, and the first: what is new is linked there.
    assert taken == [2, 2, 2]
    assert records(tmp_path).keys() >= set(names)


def test_a_frontier_that_is_older_than_its_records_takes_them_up(tmp_path: Path) -> None:
    """After a power cut: the sitemap that made a page due again stands in the WARC, and so does the page."""
    docs = Docs({"/a": "<p>this is it</p>"}, ["/a"])
    docs.sitemap = {"/a": datetime.now(UTC) + timedelta(hours=1)}
    visited(tmp_path, docs, 1)
    session = SourceSession(source(), CrawlSettings(delay_s=0.0), tmp_path, 2)
    session.flush()
    with closing(sqlite3.connect(tmp_path / "older.sqlite")) as older:
        session._frontier._db.backup(older)
    asked = _walk(session, docs)
    assert asked == ["/", "/a", "/robots.txt", "/sitemap.xml"]
    session.close()
    (tmp_path / "older.sqlite").replace(tmp_path / "frontier.sqlite")
    assert visited(tmp_path, docs, 2) == []
    assert len(records(tmp_path)["/a"]) == 2
    first = {path.name: b"" for path in warc_files(tmp_path)[:1]}
    assert stored(tmp_path, first) == Counter(f"{BASE}{path}" for path in asked)


def test_a_second_crawl_that_is_killed_loses_and_repeats_nothing(tmp_path: Path) -> None:
    names = [f"/etag{n}" for n in range(15)] + [f"/bare{n}" for n in range(15)]
    docs = Docs({name: f"<p>this is {name}</p>" for name in names}, names)
    directory = tmp_path / "site"
    whole: set[str] = set()
    repeated: list[str] = []
    with Site(docs) as site:
        work = job(tmp_path, site, source(), revisit=DUE, concurrency_per_host=2)
        assert crawl(work) == (0, "")
        first = files(directory)
        asked(site)
        docs.pages |= {name: f"<p>{name} has changed</p>" for name in names[::3]}
        for moment in (2, 20):
            process = start(again(work, 2))

            def watch(url: str, process: subprocess.Popen[str] = process, moment: int = moment) -> None:
                if url in whole:
                    repeated.append(url)
                if site.asked.total() >= moment:
                    process.kill()

            site.before = watch
            process.communicate(timeout=60)
            assert process.returncode == -signal.SIGKILL
            whole.update(stored(directory, first))
        site.before = lambda url: repeated.append(url) if url in whole else None
        assert crawl(again(work, 2)) == (0, "")
    assert repeated == []
    found = stored(directory, first)
    expected = {f"{BASE}{path}" for path in ("/", "/robots.txt", "/sitemap.xml", *names)}
    assert found == Counter(expected)
    assert {name: files(directory)[name] for name in first} == first
    rows = records(directory)
    assert all(len(rows[url.removeprefix(BASE)]) == 2 for url in expected)
    assert {name for name in names if not rows[name][1].is_revisit} == set(names[::3])
    assert read_outcome(directory).unfinished == []
    assert progress(directory).generation == 2


def stored(directory: Path, but: dict[str, bytes]) -> Counter[str]:
    """Whole records by URL, in the WARC files other than some."""
    found: Counter[str] = Counter()
    for path in warc_files(directory):
        if path.name not in but:
            with path.open("rb") as stream:
                found.update(r.url for r in read_records(stream, path.name, 1 << 20) if isinstance(r, Record))
    return found
