"""The crawler process against a site on a real socket."""

from __future__ import annotations

import gzip
import threading
from pathlib import Path

import pytest

from crawlers.outcome import Outcome, progress, read_outcome
from crawlers.warc import Record, read_records
from tests.crawl_site import HOST, OFFERS, Answer, Site, crawl, job, page, source, text

BASE = f"http://{HOST}"


def run(tmp_path: Path, answers: dict[str, Answer], **settings: object) -> tuple[Site, Outcome]:
    with Site(answers) as site:
        assert crawl(job(tmp_path, site, source(), **settings)) == (0, "")
    return site, read_outcome(tmp_path / "site")


def fetched(outcome: Outcome) -> set[str]:
    return {row.url.removeprefix(BASE) for row in outcome.fetched}


def reasons(outcome: Outcome) -> dict[str, str]:
    found = {row.url.removeprefix(BASE): row.reason for row in outcome.not_fetched}
    return {url: reason for url, reason in found.items() if url not in OFFERS}


def test_a_whole_site_by_links_and_sitemaps(tmp_path: Path) -> None:
    index = f"<sitemapindex><sitemap><loc>{BASE}/sitemap-2.xml.gz</loc></sitemap></sitemapindex>"
    urls = f"<urlset><url><loc>{BASE}/listed.html</loc></url><url><loc>http://other.example/</loc></url></urlset>"
    answers = {
        "/robots.txt": text("User-agent: *\nDisallow: /private\nAllow: /private/open\nSitemap: /sitemap.xml\n"),
        "/sitemap.xml": Answer(index.encode(), headers={"Content-Type": "text/xml"}),
        "/sitemap-2.xml.gz": Answer(gzip.compress(urls.encode()), headers={"Content-Type": "application/gzip"}),
        "/": page("a.html", "/private/x", "/private/open", "/style.css", "http://other.example/", "gone"),
        "/a.html": page("/#top", "/b?x=1&amp;y=2"),
        "/b?x=1&y=2": page(),
        "/private/open": page(),
        "/listed.html": page(),
    }
    site, outcome = run(tmp_path, answers)
    assert fetched(outcome) == {*answers, "/gone"}
    assert reasons(outcome) == {"/private/x": "robots_disallow"}
    assert outcome.ignored == {"never_a_page": 1, "out_of_scope": 2}
    assert outcome.unfinished == []
    assert set(site.asked.values()) == {1}
    assert site.agents == {"syscorpus/0.0"}
    gone = next(row for row in outcome.fetched if row.url.endswith("/gone"))
    assert (gone.status, gone.kind, gone.content_type) == (404, "page", "text/plain")
    assert progress(tmp_path / "site").pages == 6


def test_redirects_are_records_and_lead_on(tmp_path: Path) -> None:
    def found(target: str) -> Answer:
        return Answer(b"", 302, {"Location": target})

    answers = {f"/{n}": found(f"/{n + 1}") for n in range(20)}
    answers |= {
        "/": page("/loop", "/away", "/0", "/short"),
        "/loop": found("/loop"),
        "/away": found("http://other.example/"),
    }
    answers |= {"/short": found("target"), "/target": page()}
    _, outcome = run(tmp_path, answers)
    assert fetched(outcome) >= {"/loop", "/away", "/short", "/target", "/10"}
    assert "/11" not in fetched(outcome)
    assert outcome.ignored == {"out_of_scope": 1, "redirect_limit": 1}


@pytest.mark.parametrize("status", [503, 429])
def test_unreachable_robots_forbid_everything(tmp_path: Path, status: int) -> None:
    site, outcome = run(tmp_path, {"/robots.txt": text("", status), "/": page()})
    assert set(site.asked) == {f"{BASE}/robots.txt"}
    assert site.asked.total() == 2
    assert reasons(outcome) == {"/": "robots_unreachable", "/robots.txt": f"http_{status}"}


def test_robots_that_break_off_forbid_everything(tmp_path: Path) -> None:
    answers = {"/robots.txt": Answer(b"User-agent: *", whole=False), "/": page()}
    site, outcome = run(tmp_path, answers, retries=0)
    assert f"{BASE}/" not in site.asked
    assert reasons(outcome) == {"/": "robots_unreachable", "/robots.txt": "truncated"}


def test_robots_may_be_redirected_or_missing(tmp_path: Path) -> None:
    moved = Answer(b"", 301, {"Location": "/hidden/robots.txt"})
    answers = {
        "/robots.txt": moved,
        "/hidden/robots.txt": text("User-agent: syscorpus\nDisallow: /a"),
        "/": page("/a"),
    }
    _, outcome = run(tmp_path, answers)
    assert reasons(outcome) == {"/a": "robots_disallow"}
    assert {row.kind for row in outcome.fetched if "robots" in row.url} == {"robots"}


def test_a_crawl_delay_that_is_too_long_excludes_the_source(tmp_path: Path) -> None:
    _, outcome = run(tmp_path, {"/robots.txt": text("User-agent: *\nCrawl-delay: 301"), "/": page()})
    assert [(row.url, row.reason, row.detail) for row in outcome.not_fetched] == [
        (f"{BASE}/", "crawl_delay_too_long", "301 s")
    ]


def test_a_failure_that_passes_is_no_failure(tmp_path: Path) -> None:
    answers = {"/": page("/broken"), "/broken": Answer(b"x" * 100, whole=False)}

    def mend(url: str) -> None:
        if site.asked[f"{BASE}/broken"] == 2:
            answers["/broken"] = page("/behind")

    with Site(answers) as site:
        site.before = mend
        assert crawl(job(tmp_path, site, source())) == (0, "")
    outcome = read_outcome(tmp_path / "site")
    assert fetched(outcome) == {"/", "/broken", "/behind", "/robots.txt"}
    assert reasons(outcome) == {}


def test_large_bodies_are_not_kept(tmp_path: Path) -> None:
    answers = {"/": page("/large", "/streamed"), "/large": Answer(b"x" * 5000)}
    chunk = b"%x\r\n%s\r\n" % (3000, b"x" * 3000)
    answers["/streamed"] = Answer(chunk * 2 + b"0\r\n\r\n", headers={"Transfer-Encoding": "chunked"})
    _, outcome = run(tmp_path, answers, max_body_bytes=4096)
    assert reasons(outcome) == {"/large": "too_large", "/streamed": "too_large"}


def test_a_server_that_hangs_costs_a_timeout(tmp_path: Path) -> None:
    hung = threading.Event()
    with Site({"/": page("/hangs", "/answers"), "/answers": page()}) as site:
        site.before = lambda url: hung.wait(60) if url.endswith("/hangs") else None
        assert crawl(job(tmp_path, site, source(), timeout_s=0.5, retries=0)) == (0, "")
        hung.set()
    outcome = read_outcome(tmp_path / "site")
    assert reasons(outcome) == {"/hangs": "timeout"}
    assert "/answers" in fetched(outcome)


def test_the_page_budget_holds(tmp_path: Path) -> None:
    answers = {"/": page(*(f"/{n}" for n in range(20)))} | {f"/{n}": page(f"/{n}/deeper") for n in range(20)}
    site, outcome = run(tmp_path, answers, max_pages_per_source=5)
    assert site.asked.total() == 6
    assert set(reasons(outcome).values()) == {"page_budget"}
    assert outcome.unfinished == []


def test_private_addresses_are_refused(tmp_path: Path) -> None:
    with Site({"/": page()}) as site:
        seed = f"http://127.0.0.1:{site.port}/"
        by_name = f"http://localhost:{site.port}/"
        sources = [
            source("one", seeds=[seed], scope=["http://"]),
            source("two", seeds=[by_name], scope=["http://"]),
        ]
        work = job(tmp_path, site, *sources)
        work.connect_to.clear()
        assert crawl(work) == (0, "")
        assert site.asked.total() == 0
        for name in ("one", "two"):
            outcome = read_outcome(tmp_path / name)
            assert {row.reason for row in outcome.not_fetched} == {"private_address"}
            assert len(outcome.not_fetched) == 2
        allowed = job(tmp_path / "allowed", site, sources[0], private_addresses=True)
        allowed.connect_to.clear()
        assert crawl(allowed) == (0, "")
        assert len(read_outcome(tmp_path / "allowed" / "one").fetched) == 2


def test_records_hold_what_came(tmp_path: Path) -> None:
    body = gzip.compress(b"<a href=/next>n</a>")
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    headers = {
        "Content-Type": "text/html",
        "Content-Encoding": "gzip",
        "Transfer-Encoding": "chunked",
        "X-oDD-Case": "kept",
        "X-Robots-Tag": "noai",
    }
    _, outcome = run(tmp_path, {"/": Answer(chunks, headers=headers), "/next": page()})
    row = next(row for row in outcome.fetched if row.url == f"{BASE}/")
    with (tmp_path / "site" / row.file).open("rb") as stream:
        stored = {r.url: r for r in read_records(stream, row.file, 1 << 20) if isinstance(r, Record)}[row.url]
    assert stored.payload == body
    assert stored.body(1000) == b"<a href=/next>n</a>"
    assert ("X-oDD-Case", "kept") in stored.headers
    assert ("X-Archive-Orig-Transfer-Encoding", "chunked") in stored.headers
    assert ("Content-Length", str(len(body))) in stored.headers
    assert (stored.offset, stored.length, stored.digest) == (row.offset, row.length, row.digest)
    assert stored.fetched_at == row.fetched_at


def test_sources_side_by_side_and_one_that_fails(tmp_path: Path) -> None:
    with Site(lambda path: page()) as site:
        names = [f"host{n}.localhost" for n in range(4)]
        sources = [source(n[:5], seeds=[f"http://{n}/"], scope=[f"http://{n}/"]) for n in names]
        assert crawl(job(tmp_path, site, *sources)) == (0, "")
        assert all(read_outcome(tmp_path / s.id).fetched for s in sources)
        bad = source("bad", seeds=["http://bad.localhost/"], scope=["http://elsewhere/"])
        code, said = crawl(job(tmp_path, site, bad))
    assert code == 1
    assert said == "crawlers.worker: source bad: the seed http://bad.localhost/ is not in its scope\n"


def test_a_crawl_that_is_done_asks_for_nothing(tmp_path: Path) -> None:
    with Site({"/": page("/a"), "/a": page()}) as site:
        work = job(tmp_path, site, source())
        assert crawl(work) == (0, "")
        before = site.asked.total()
        assert crawl(work) == (0, "")
        assert site.asked.total() == before
