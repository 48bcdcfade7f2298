"""The crawl benchmark's own judge: its server, its audit of a log, its traps, and each of its parts, small."""

from __future__ import annotations

import gzip
import http.client
from itertools import pairwise
from pathlib import Path
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.crawl import cpu, frontier, kill, politeness, recrawl, traps
from benchmarks.crawl.politeness import Host, audit, least_gap_s, most_at_once
from benchmarks.crawl.server import Asked, address, read_log, requests_in, serve
from benchmarks.crawl.sites import Documents, Made, hrefs, made_page, reachable, target_of
from crawlers.frontier import Kind
from crawlers.job import CrawlJob
from crawlers.robots import RobotsRules

HOST = "site000.localhost"
PAGES = 12


def log(line: str) -> None:
    """Nobody reads it."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A document root of made pages, the first of which is its index."""
    directory = tmp_path_factory.mktemp("documents")
    for number in range(PAGES):
        page = made_page("documents", number, PAGES)
        (directory / (target_of(number)[1:] or "index.html")).write_bytes(page)
    return directory


# ---------------------------------------------------------------- server and sites


def test_the_server_answers_by_host_and_says_what_it_was_asked(tmp_path, root):
    access = tmp_path / "log"
    with serve(Documents, {address(0): root, address(1): root}, hosts=2, log=access) as port:
        for host in (address(0), address(1)):
            connection = http.client.HTTPConnection(host, port)
            connection.request("GET", "/1.html", headers={"Accept-Encoding": "gzip"})
            response = connection.getresponse()
            assert gzip.decompress(response.read()) == (root / "1.html").read_bytes()
            connection.request("GET", "/1.html", headers={"If-None-Match": response.headers["ETag"]})
            assert connection.getresponse().read() == b""
            connection.request("GET", "/none.html")
            assert connection.getresponse().status == 404
            connection.close()
        assert requests_in(access) == 6
    rows = read_log(access)
    assert [(row.host, row.target, row.status) for row in rows[:3]] == [
        (address(0), "/1.html", 200),
        (address(0), "/1.html", 304),
        (address(0), "/none.html", 404),
    ]
    assert all(row.began <= row.ended for row in rows)
    assert rows[1].sent < 100 < rows[0].sent


def test_all_pages_of_a_made_site_are_within_reach():
    site, found, waiting = Made(50), set(), ["/"]
    while waiting:
        target = waiting.pop()
        if target not in found:
            found.add(target)
            waiting += hrefs(site.page(HOST, target).decode())
    assert found == {target_of(number) for number in range(50)}
    assert all(site.page(HOST, f"/{target}") is None for target in ("0.html", "50.html", "007.html", "x.html"))


# ---------------------------------------------------------------- the audit


def asked(*times: tuple[int, int], host: str = HOST, target: str = "/") -> list[Asked]:
    return [Asked(1000 * began, 1000 * ended, host, target, 200, 1) for began, ended in times]


def test_a_hasty_crowded_and_disobedient_crawl_is_told():
    hosts = [Host(HOST, Path(), ["Disallow: /no"], delay_s=0.2), Host("calm.localhost", Path(), delay_s=0.2)]
    rows = asked((0, 100), (200, 450), (390, 500)) + asked((0, 1), (200, 201), host="calm.localhost")
    rows += asked((900, 901), target="/no/page")
    found = audit(rows, hosts, {HOST: {"/", "/lost"}, "calm.localhost": {"/"}})
    assert found.hasty == {HOST: pytest.approx(0.19)} or found.hasty == {}
    assert found.least_gap == pytest.approx(0.95)
    assert found.crowded == {HOST: 2}
    assert found.against_robots == [f"{HOST}/no/page"]
    assert (found.missing, found.pages, found.requests) == ({HOST: 1}, 2, 6)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), min_size=1, max_size=12))
def test_gaps_and_crowds_are_those_of_a_count_at_every_moment(spans):
    rows = asked(*((began, began + length) for began, length in spans))
    # A request is open from its begin, that one excluded, to its end.
    counted = max(sum(row.began < moment <= row.ended for row in rows) for moment in range(0, 90_000, 500))
    assert most_at_once(rows) == counted
    begins = sorted(began for began, _ in spans)
    gaps = [after - before for before, after in pairwise(begins)]
    assert least_gap_s(rows) == (min(gaps) / 1000 if gaps else float("inf"))


def test_a_pause_counts_from_when_a_request_may_have_come():
    first, second = asked((100, 101), (250, 251))
    assert least_gap_s([first, second]) == pytest.approx(0.15)
    assert least_gap_s([first._replace(late=50_000), second]) == pytest.approx(0.2)
    assert least_gap_s([first, second._replace(late=50_000)]) == pytest.approx(0.15)


@given(st.sampled_from(["/a", "/a/", "/ab.html", "/b/c.html", "/b/c.rst.txt", "/b"]), st.integers(0, 50))
def test_the_audit_reads_robots_rules_as_the_standard_does(target, number):
    pages = ["/a/index.html", "/ab.html", "/b/c.html", "/b/d.html", "/index.html"]
    rules = politeness._rules(number, pages)
    ours = Host(HOST, Path(), rules).allows(target)
    body = "\n".join(["User-agent: *", *rules]).encode()
    assert ours == RobotsRules(body).allows(f"http://{HOST}{target}")


def test_every_kind_of_robots_file_is_among_twenty_hosts(root):
    hosts = politeness.hosts_of([root], 20)
    assert {host.robots_status for host in hosts} == {200, 404, 503, 0}
    assert {host.delay_s for host in hosts} == {politeness.DELAY_S, 1.0, 4.0}
    assert {host.at_once for host in hosts} == {1, 2}
    closed = [host for host in hosts if not reachable(host.root, host.allows)]
    assert {host.robots_status for host in closed} >= {503, 0}


# ---------------------------------------------------------------- the parts, small


def test_politeness_is_measured_through_a_kill(tmp_path, root):
    hosts = politeness.hosts_of([root], 2)
    expected = {host.name: reachable(root, host.allows) for host in hosts}
    run = politeness.run(hosts, expected, 2, True, tmp_path, log)
    assert (run["against_robots"], run["missing"]) == ([], {})
    assert run["pages"] == sum(map(len, expected.values())) > PAGES
    assert 0 < run["least_gap"] < 2


def test_kills_are_counted_and_nothing_is_lost(tmp_path):
    found = kill.measure(2, 100, 2, tmp_path, log)
    assert (found["pages"], found["stored"], found["done"], found["kills"]) == (200, 200, 200, 2)
    assert (found["lost"], found["twice"], found["again"], found["damaged"], found["unfinished"]) == (0, 0, 0, 0, 0)
    assert found["readers_that_agree"] == ["fastwarc", "warcio"]


def test_a_request_for_what_was_whole_is_told(tmp_path):
    access = tmp_path / "log"
    rows = asked((1, 2), (5, 6), (9, 10), target="/1.html")
    access.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    assert kill._again(access, [(3000, set()), (7000, {f"http://{HOST}/1.html"})]) == 1


@pytest.mark.skipif(
    "generation" not in CrawlJob.__dataclass_fields__, reason="there is no second crawl of a source yet"
)
def test_a_crawl_of_what_is_known_transfers_little_and_finds_what_changed(tmp_path, root):
    found = recrawl.measure([root], tmp_path, log)
    assert found["share_again"] < 0.3  # the pages are small
    assert found["changed_found"] == found["changed"] > 0
    assert found["gone_found"] == found["gone"] > 0
    assert found["added_found"] == found["added"] > 0
    assert found["same_stored"] == 0 < found["same"]


def test_both_crawlers_are_measured_on_the_same_pages(tmp_path, root):
    found = cpu.compare(Documents, {address(0): root}, [address(0)], 1, tmp_path, log)
    assert found["ways"].keys() == {cpu.OURS, cpu.PLAIN}
    assert all(way["pages"] >= PAGES for way in found["ways"].values())
    assert found["cpu_ratio"] > 0


def test_a_frontier_grows_to_the_number_that_is_asked_for(tmp_path):
    links = [link for batch in frontier.batches(5_000) for link in batch]
    assert {link.url for link in links} == {frontier.url_of(number) for number in range(5_000)}
    assert all(link.kind is Kind.PAGE for link in links)
    grown = frontier.measure(5_000, tmp_path, log)
    assert grown.urls == 5_000
    assert min(grown.inserts_per_s, grown.leases_per_s, grown.disk_bytes_per_url) > 0
    assert grown.peak_memory >= grown.peak_memory_at_tenth > 0


@pytest.mark.parametrize("name", [*traps.TRAPS, traps.ALL])
def test_a_trap_never_ends(name):
    """Whoever follows every link meets ten times as many URLs as there are real pages, and all of those."""
    site = traps.Trapped(Made, 20, {HOST: name})
    met, waiting = set(), ["/"]
    while waiting and len(met) < 400:
        target = waiting.pop(0)
        if target not in met:
            met.add(target)
            waiting += [link for link in _links_of(site, target) if link not in met]
    assert len(met) == 400
    assert {target.partition("?")[0] for target in met} >= {target_of(number) for number in range(20)}


def _links_of(site: traps.Trapped, target: str) -> list[str]:
    status, message = site.answer(HOST, target).message({})
    head, _, body = message.partition(b"\r\n\r\n")
    if status == 302:
        return [head.partition(b"Location: ")[2].partition(b"\r\n")[0].decode()]
    return [urljoin(target, link) for link in hrefs(body.decode(errors="replace")) if "://" not in link]


def test_a_crawl_of_traps_is_measured(tmp_path):
    found = traps.measure([], 20, tmp_path, log)["small pages"]
    assert found.keys() == {*traps.TRAPS, traps.ALL}
    assert all(each["real"] == 20 and 0 < each["found"] <= 20 for each in found.values())
    assert all(each["fetched"] >= each["found"] for each in found.values())
    assert all(each["holds"] == (each["found"] == 20 and each["fetched"] <= 40) for each in found.values())
