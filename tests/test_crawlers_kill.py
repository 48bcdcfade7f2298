"""kill -9 at any moment: every page in a WARC exactly once, no whole record fetched again, none lost."""

from __future__ import annotations

import random
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from crawlers.frontier import Frontier, FrontierLockedError
from crawlers.outcome import read_outcome
from crawlers.warc import Damage, Record, read_records, warc_files
from tests.crawl_site import HOST, Answer, Site, crawl, job, page, source, start, text

PAGES = 300


def answer(path: str) -> Answer | None:
    if path == "/robots.txt":
        return text("User-agent: *\nDisallow: /private\nSitemap: /sitemap.xml\n")
    if path == "/sitemap.xml":
        listed = "".join(f"<url><loc>http://{HOST}/s{i}.html</loc></url>" for i in range(10))
        xml = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{listed}</urlset>'
        return Answer(xml.encode(), headers={"Content-Type": "application/xml"})
    if path == "/":
        return page("/p1.html", "/p2.html", "/private/x.html", "/gone.html")
    if path.startswith("/s"):
        return Answer(b"", 302, {"Location": path.replace("/s", "/t")})
    if path.startswith("/t"):
        return page("/")
    if path.startswith("/p"):
        number = int(path[2:-5])
        return page(*(f"/p{n}.html" for n in (number * 2, number * 2 + 1, number // 2 + 1) if n < PAGES))
    return None


def records(directory: Path) -> list[Record | Damage]:
    found: list[Record | Damage] = []
    for path in warc_files(directory):
        with path.open("rb") as stream:
            found.extend(read_records(stream, path.name, 1 << 20))
    return found


def whole_urls(directory: Path) -> Counter[str]:
    return Counter(r.url for r in records(directory) if isinstance(r, Record))


def test_killed_crawl_loses_and_repeats_nothing(tmp_path: Path) -> None:
    moments = sorted(random.Random(1).sample(range(1, PAGES), 5))
    whole: set[str] = set()
    again: list[str] = []
    with Site(answer) as site:
        work = job(tmp_path, site, source(), concurrency_per_host=3, warc_bytes=64 * 1024)
        for moment in moments:
            process = start(work)

            def watch(url: str, process: subprocess.Popen[str] = process, moment: int = moment) -> None:
                if url in whole:
                    again.append(url)
                if site.asked.total() >= moment:
                    process.kill()

            site.before = watch
            process.communicate(timeout=60)
            assert process.returncode == -signal.SIGKILL
            whole.update(whole_urls(tmp_path / "site"))
        site.before = lambda url: again.append(url) if url in whole else None
        assert crawl(work) == (0, "")
    assert again == []
    assert len(whole) > PAGES / 3
    outcome = read_outcome(tmp_path / "site")
    stored = whole_urls(tmp_path / "site")
    expected = {f"http://{HOST}/p{n}.html" for n in range(1, PAGES)}
    expected |= {f"http://{HOST}/{kind}{n}.html" for n in range(10) for kind in "st"}
    expected |= {f"http://{HOST}/{name}" for name in ("", "gone.html", "robots.txt", "sitemap.xml")}
    assert set(stored) == expected
    assert set(stored.values()) == {1}
    assert {row.url for row in outcome.fetched} == expected
    assert [(row.url, row.reason) for row in outcome.not_fetched if row.reason != "not_there"] == [
        (f"http://{HOST}/private/x.html", "robots_disallow")
    ]
    assert outcome.unfinished == []
    places = {
        (r.url, r.file, r.offset, r.length, r.digest) for r in records(tmp_path / "site") if isinstance(r, Record)
    }
    assert {(r.url, r.file, r.offset, r.length, r.digest) for r in outcome.fetched} == places


def test_counts_of_a_killed_crawl_are_those_of_a_whole_one(tmp_path: Path) -> None:
    answers = {"/": page(*(f"/{n}" for n in range(40)))}
    answers |= {f"/{n}": page("http://other.example/", "/x.css", "/") for n in range(40)}
    with Site(answers) as site:
        whole = job(tmp_path / "whole", site, source())
        assert crawl(whole) == (0, "")
        killed = job(tmp_path / "killed", site, source())
        site.asked.clear()
        for moment in (5, 20, 30):
            process = start(killed)
            site.before = lambda _, p=process, m=moment: p.kill() if site.asked.total() >= m else None
            process.communicate(timeout=60)
        site.before = lambda url: None
        assert crawl(killed) == (0, "")
    assert read_outcome(tmp_path / "killed" / "site").ignored == read_outcome(tmp_path / "whole" / "site").ignored
    assert read_outcome(tmp_path / "whole" / "site").ignored == {"never_a_page": 40, "out_of_scope": 40}


def test_a_signal_settles_everything(tmp_path: Path) -> None:
    with Site(answer) as site:
        work = job(tmp_path, site, source())
        process = start(work)
        site.before = lambda url: process.send_signal(signal.SIGTERM) if site.asked.total() == 50 else None
        _, said = process.communicate(timeout=60)
        assert process.returncode == 128 + signal.SIGTERM
        assert said.count("\n") == 1
        assert "stopped by" in said
        outcome = read_outcome(tmp_path / "site")
        assert outcome.unfinished
        assert {row.url for row in outcome.fetched} == set(whole_urls(tmp_path / "site"))
        site.before = lambda url: None
        assert crawl(work) == (0, "")
        assert set(whole_urls(tmp_path / "site").values()) == {1}


def test_a_torn_tail_is_cut_off_and_its_page_fetched_again(tmp_path: Path) -> None:
    answers = {"/": page("/a", "/b"), "/a": page(), "/b": page()}
    with Site(answers) as site:
        work = job(tmp_path, site, source(), concurrency_per_host=1)
        assert crawl(work) == (0, "")
        last = max(read_outcome(tmp_path / "site").fetched, key=lambda row: row.offset)
        path = tmp_path / "site" / last.file
        path.write_bytes(path.read_bytes()[:-7])
        assert crawl(work) == (0, "")
        assert site.asked[last.url] == 2
        assert site.asked.total() == 5
    assert not [r for r in records(tmp_path / "site") if isinstance(r, Damage)]
    assert set(whole_urls(tmp_path / "site").values()) == {1}


def test_two_processes_do_not_share_a_source(tmp_path: Path) -> None:
    first = Frontier(tmp_path / "frontier.sqlite")
    with pytest.raises(FrontierLockedError, match="another process"):
        Frontier(tmp_path / "frontier.sqlite", wait_s=0.0)
    first.close()
    Frontier(tmp_path / "frontier.sqlite", wait_s=0.0).close()
