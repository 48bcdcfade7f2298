"""What a reader of a bulk source is given: pages and files, each fetched once, politely, and only from where it may."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crawlers.addresses import Resolver
from crawlers.bulk.http_client import Client, Unavailable
from crawlers.bulk.manners import Pace
from crawlers.bulk.stop import Stop, Stopped
from crawlers.bulk.store import Store
from crawlers.warc import Record, read_records, warc_files
from tests.bulk_site import BASE, Answer, Host, job, outcome_of, reasons, source

DUMP = bytes(range(256)) * 4000
SHA256 = f"sha256:{hashlib.sha256(DUMP).hexdigest()}"


@contextmanager
def opened(tmp_path: Path, host: Host, stop: Stop | None = None, **changes: Any) -> Iterator[Store]:
    settings = {name: changes.pop(name) for name in list(changes) if name in ("retries", "max_pages_per_source")}
    work = job(tmp_path, host, source(**changes), **settings)
    resolver = Resolver(work.connect_to, work.settings.private_addresses)
    with closing(stop or Stop()) as stop:
        client = Client(resolver, "syscorpus/test", 30.0, stop)
        with closing(Store(work.sources[0], work.settings, tmp_path / "bulk", client, Pace(stop), stop)) as store:
            yield store


def outcome(tmp_path: Path, host: Host) -> Any:
    return outcome_of(job(tmp_path, host, source()))


def stored(tmp_path: Path) -> list[Record]:
    found: list[Record] = []
    for path in warc_files(tmp_path / "bulk"):
        with path.open("rb") as stream:
            found += [item for item in read_records(stream, path.name, 1 << 20) if isinstance(item, Record)]
    return found


def test_a_page_is_fetched_once_and_told_of_what_it_is(tmp_path: Path) -> None:
    moved = Answer(b"", 301, {"Location": "/new"})
    with Host({"/old": moved, "/new": Answer(b"here", headers={"Content-Type": "text/plain"})}) as host:
        for _ in range(2):
            with opened(tmp_path, host) as store:
                record = store.page(f"{BASE}/old", {"why": "a test"})
                assert (record.url, record.status, record.payload) == (f"{BASE}/new", 200, b"here")
                assert record.about == {"why": "a test"}
                assert store.page(f"{BASE}/gone").status == 404
        assert host.asked == {"/robots.txt": 1, "/old": 1, "/new": 1, "/gone": 1}
        kinds = {(row.url.removeprefix(BASE), row.kind, row.status) for row in outcome(tmp_path, host).fetched}
    assert kinds == {
        ("/robots.txt", "robots", 404),
        ("/old", "page", 301),
        ("/new", "page", 200),
        ("/gone", "page", 404),
    }
    assert [dict(each.about) for each in stored(tmp_path)] == [{}, {"why": "a test"}, {"why": "a test"}, {}]


def test_what_the_index_lost_is_found_in_the_warc(tmp_path: Path) -> None:
    with Host({"/a": Answer(b"a")}) as host:
        with opened(tmp_path, host) as store:
            store.page(f"{BASE}/a")
        for path in (tmp_path / "bulk").glob("frontier.sqlite*"):
            path.unlink()
        with opened(tmp_path, host) as store:
            assert store.page(f"{BASE}/a").payload == b"a"
        assert host.asked == {"/robots.txt": 1, "/a": 1}
        assert outcome(tmp_path, host).unfinished == []


@pytest.mark.parametrize(
    ("robots", "asked", "reason"),
    [
        (Answer(b"User-agent: *\nDisallow: /secret"), True, "robots_disallow"),
        (Answer(b"", 503), False, "robots_unreachable"),
        (Answer(b"User-agent: *", cut=3), False, "robots_unreachable"),
        (Answer(b"User-agent: *\nCrawl-delay: 9999"), False, "crawl_delay_too_long"),
    ],
)
def test_robots_txt_is_obeyed(tmp_path: Path, robots: Answer, asked: bool, reason: str) -> None:
    with Host({"/robots.txt": robots, "/open": Answer(b"x"), "/secret": Answer(b"x")}) as host:
        with opened(tmp_path, host) as store:
            with pytest.raises(Unavailable, match=reason):
                store.page(f"{BASE}/secret")
            if asked:
                assert store.page(f"{BASE}/open").status == 200
        assert "/secret" not in host.asked
        assert reasons(outcome(tmp_path, host))["/secret"] == reason


def test_an_offer_stands_above_robots_txt_and_is_noted(tmp_path: Path) -> None:
    with Host({"/robots.txt": Answer(b"User-agent: *\nDisallow: /"), "/a": Answer(b"x")}) as host:
        with opened(tmp_path, host, bulk_offered="see /api-terms") as store:
            assert store.page(f"{BASE}/a").about == {"offered": "see /api-terms"}
        assert host.asked == {"/a": 1}
        assert reasons(outcome(tmp_path, host)) == {"/robots.txt": "offered"}
    assert stored(tmp_path)[0].about == {"offered": "see /api-terms"}


def test_only_hosts_of_the_source_are_asked(tmp_path: Path) -> None:
    away = Answer(b"", 302, {"Location": "http://other.example/admin"})
    inside = Answer(b"", 302, {"Location": "http://127.0.0.1/admin"})
    with Host({"/away": away, "/inside": inside}) as host:
        with opened(tmp_path, host, further_hosts=["127.0.0.1"]) as store:
            for path, reason in (("/away", "out_of_scope"), ("/inside", "private_address")):
                with pytest.raises(Unavailable, match=reason):
                    store.page(BASE + path)
                with pytest.raises(Unavailable, match=reason):
                    store.file(BASE + path, "x.zip")
        lost = reasons(outcome(tmp_path, host))
    assert lost["http://other.example/admin"] == "out_of_scope"
    assert lost["http://127.0.0.1/admin"] == "private_address"


def test_a_file_is_streamed_checked_and_kept(tmp_path: Path) -> None:
    with Host({"/dump": Answer(b"", 302, {"Location": "/mirror"}), "/mirror": Answer(DUMP)}) as host:
        for _ in range(2):
            with opened(tmp_path, host) as store:
                path = store.file(f"{BASE}/dump", "dump.7z", SHA256.upper().replace("SHA256", "sha256"))
                assert path == tmp_path / "bulk" / "files" / "dump.7z"
                assert path.read_bytes() == DUMP
        assert host.asked == {"/robots.txt": 1, "/dump": 1, "/mirror": 1}
        row = next(row for row in outcome(tmp_path, host).fetched if row.url == f"{BASE}/mirror")
        assert (row.file, row.offset, row.length, row.digest) == ("files/dump.7z", 0, len(DUMP), SHA256)
        path.write_bytes(DUMP[:10])
        with opened(tmp_path, host) as store:
            store.file(f"{BASE}/dump", "dump.7z", SHA256)
        assert host.asked["/mirror"] == 2
    assert sorted(each.name for each in path.parent.iterdir()) == ["dump.7z"]


def test_a_file_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    answer = Answer(DUMP, headers={"ETag": '"1"'}, cut=100_000)
    with Host({"/dump": answer}) as host:

        def mend(path: str) -> None:
            if host.asked["/dump"] == 2:
                answer.cut = None

        host.before = mend
        with opened(tmp_path, host, retries=1) as store:
            assert store.file(f"{BASE}/dump", "dump", SHA256).read_bytes() == DUMP
        assert host.ranges == ["bytes=100000-"]


@pytest.mark.parametrize(
    ("etag", "ranges"), [('"1"', ["bytes=100000-"]), ('"2"', []), ('W/"1"', []), ("", [])], ids=str
)
def test_a_file_goes_on_after_the_process_ended(tmp_path: Path, etag: str, ranges: list[str]) -> None:
    weak = etag in ('W/"1"', "")
    answer = Answer(b"!" + DUMP[1:] if not ranges else DUMP, headers={"ETag": etag if weak else '"1"'}, cut=100_000)
    with Host({"/dump": answer}) as host:
        with opened(tmp_path, host) as store, pytest.raises(Unavailable, match="100000 of 1024000 bytes came"):
            store.file(f"{BASE}/dump", "dump", SHA256)
        assert not (tmp_path / "bulk" / "files" / "dump").exists()
        assert reasons(outcome(tmp_path, host)) == {"/dump": "connection"}
        host.answers["/dump"] = Answer(DUMP, headers={"ETag": etag})
        with opened(tmp_path, host) as store:
            store._ledger.again(f"{BASE}/dump")  # as if the first process had been killed
            assert store.file(f"{BASE}/dump", "dump", SHA256).read_bytes() == DUMP
        assert host.ranges == ranges


def test_a_file_that_was_whole_needs_no_byte_more(tmp_path: Path) -> None:
    with Host({"/dump": Answer(DUMP, headers={"ETag": '"1"'}, cut=100_000)}) as host:
        with opened(tmp_path, host) as store, pytest.raises(Unavailable):
            store.file(f"{BASE}/dump", "dump", SHA256)
        part = tmp_path / "bulk" / "files" / ".dump.part"
        part.write_bytes(DUMP)
        with opened(tmp_path, host) as store:
            store._ledger.again(f"{BASE}/dump")
            assert store.file(f"{BASE}/dump", "dump", SHA256).read_bytes() == DUMP
        assert host.ranges == [f"bytes={len(DUMP)}-"]


def test_a_file_that_does_not_fit_its_checksum_is_not_kept(tmp_path: Path) -> None:
    with Host({"/dump": Answer(DUMP + b"more")}) as host:
        with opened(tmp_path, host) as store:
            with pytest.raises(Unavailable, match="checksum_mismatch"):
                store.file(f"{BASE}/dump", "dump", SHA256)
            with pytest.raises(Unavailable, match="bad_name"):
                store.file(f"{BASE}/other", "../dump")
            with pytest.raises(Unavailable, match="http_404"):
                store.file(f"{BASE}/none", "none")
        assert reasons(outcome(tmp_path, host)) == {"/dump": "checksum_mismatch", "/other": "bad_name"}
    assert [each.name for each in (tmp_path / "bulk" / "files").iterdir()] == [".dump.note"]


def test_a_server_that_asks_for_time_gets_it(tmp_path: Path) -> None:
    answers = {"/busy": Answer(b"", 503, {"Retry-After": "1"}), "/over": Answer(b"x" * 40_000_000)}
    with Host(answers) as host:
        host.before = lambda path: answers.update({path: Answer(b"now")}) if host.asked["/busy"] == 2 else None
        with opened(tmp_path, host, retries=1) as store:
            assert store.page(f"{BASE}/busy").payload == b"now"
            host.before = lambda path: None
            answers["/over"] = Answer(b"x" * 40_000_000)
            with pytest.raises(Unavailable, match="too_large"):
                store.page(f"{BASE}/over")
        assert host.asked["/busy"] == 2
        assert host.asked["/over"] == 1


def test_no_more_pages_than_the_settings_allow(tmp_path: Path) -> None:
    with Host({}) as host:
        with opened(tmp_path, host, max_pages_per_source=1) as store:
            store.page(f"{BASE}/1")
            with pytest.raises(Unavailable, match="page_budget"):
                store.page(f"{BASE}/2")
        assert reasons(outcome(tmp_path, host)) == {"/2": "page_budget"}


class Impatient(Stop):
    """Stops instead of waiting until tomorrow."""

    def wait(self, seconds: float) -> None:
        if seconds > 60:
            raise Stopped
        super().wait(seconds)


@pytest.mark.parametrize("budget", [{"pages_per_day": 3}, {"bytes_per_day": 2000}, {"window": None}])
def test_a_source_gives_no_more_in_a_day_than_it_says(tmp_path: Path, budget: dict[str, Any]) -> None:
    if "window" in budget:
        hour = (datetime.now(UTC).hour + 6) % 24
        budget = {"window": f"{hour:02d}:00-{(hour + 1) % 24:02d}:00"}
    pages = {f"/{number}": Answer(random.Random(number).randbytes(900)) for number in range(5)}
    with Host(pages) as host:
        for _ in range(2):
            with opened(tmp_path, host, Impatient(), politeness=budget) as store, pytest.raises(Stopped):
                for path in pages:
                    store.page(BASE + path)
        assert host.asked.total() == (0 if "window" in budget else 3 + ("bytes_per_day" in budget))


def test_a_wish_to_stop_breaks_off_what_hangs(tmp_path: Path) -> None:
    stop, hung = Stop(), threading.Event()
    with Host({"/hangs": Answer(b"x")}) as host:

        def hang(path: str) -> None:
            if path == "/hangs":
                stop.set()
                hung.wait(60)

        host.before = hang
        with opened(tmp_path, host, stop) as store, pytest.raises(Stopped):
            store.page(f"{BASE}/hangs")
        hung.set()
        assert outcome(tmp_path, host).unfinished == [f"{BASE}/hangs"]
