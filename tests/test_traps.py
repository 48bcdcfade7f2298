"""What a page brings that is new, and which links are followed because of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawlers.frontier import USUAL, Kind, Lease, Link, Pattern
from crawlers.novelty import Novelty, SessionParameters
from crawlers.outcome import read_outcome
from crawlers.traps import Followed, Traps
from crawlers.urls import pattern_of
from tests.crawl_site import HOST, OFFERS, Answer, Site, crawl, job, source

BASE = f"http://{HOST}"
SHELL = "<h1>Manual</h1><nav><a href=/>Home</a><a href=/next>Next</a></nav>"


def told(*words: str) -> bytes:
    """A page in the shell that all pages of a site share, with a paragraph for each word."""
    return f"{SHELL}{''.join(f'<p>{word}</p>' for word in words)}".encode()


def sentence(word: str) -> str:
    return f"The option {word} of the manual says what {word} does, and what becomes of {word} at the end of it all."


# ---------------------------------------------------------------- what is new on a page


def test_what_was_met_is_not_new_again() -> None:
    novelty = Novelty()
    first = novelty.measure(told(sentence("alpha")))
    assert (first.new, first.share, first.is_poor) == (first.size, 1.0, False)
    again = novelty.measure(told(sentence("alpha")))
    assert (again.new, again.share, again.is_poor) == (0, 0.0, True)
    assert (again.size, again.digest) == (first.size, first.digest)
    other = novelty.measure(told(sentence("beta")))
    assert other.new == len(sentence("beta"))
    assert not other.is_poor
    assert other.digest != first.digest


def test_other_numbers_alone_are_nothing_new() -> None:
    novelty = Novelty()
    march = novelty.measure(told("Week 9 of 2024: no events"))
    april = novelty.measure(told("Week 14 of 2025: no events"))
    assert april.new == 0
    assert april.digest != march.digest


def test_what_nobody_reads_does_not_count() -> None:
    novelty = Novelty()
    plain = novelty.measure(told("one"))
    hidden = novelty.measure(told("one<!-- built by alpha --><script>beta('gamma')</script><style>p{a:b}</style>"))
    assert (hidden.new, hidden.digest) == (0, plain.digest)


def test_little_of_much_is_poor_and_little_of_little_is_not() -> None:
    novelty = Novelty()
    much = "known to all who came this way before " * 20
    novelty.measure(told(much))
    assert novelty.measure(told(much, "a word")).is_poor
    assert not novelty.measure(told(much, "many words " * 10)).is_poor
    assert not Novelty().measure(b"<p>a word</p>").is_poor


def test_a_page_without_text_is_measured() -> None:
    empty = Novelty().measure(b"")
    assert (empty.size, empty.share, empty.is_poor) == (0, 0.0, False)


@pytest.mark.parametrize(
    "unit", [b"<!--", b"<script>", b"<script></script", b"<style></", b"<p", b"</td ", b"<", b"<p<"]
)
def test_a_page_of_tags_without_an_end_costs_what_its_length_does(unit: bytes) -> None:
    """With one look back per tag, a page of a megabyte would cost minutes."""
    page = Novelty().measure(unit * (1 << 20) + told("after it"))
    assert page.size <= 1 << 20


# ---------------------------------------------------------------- parameters that change nothing


def digest_of(text: str) -> bytes:
    return Novelty().measure(text.encode()).digest


def seen(parameters: SessionParameters, text: str, *urls: str) -> None:
    for url in urls:
        parameters.saw(f"{BASE}{url}", digest_of(text))


def test_a_session_is_known_by_several_paths() -> None:
    parameters = SessionParameters()
    for number, name in enumerate(("alpha", "beta", "gamma")):
        assert parameters.names == set()
        assert parameters.without(f"{BASE}/x?visit=1") == f"{BASE}/x?visit=1"
        seen(parameters, sentence(name), f"/{name}?page=1&visit={number}", f"/{name}?page=1&visit={number + 10}")
    assert parameters.names == {"visit"}
    assert parameters.without(f"{BASE}/x?visit=1") == f"{BASE}/x"
    assert parameters.without(f"{BASE}/x?a=1&visit=2&b=3") == f"{BASE}/x?a=1&b=3"
    assert parameters.without(f"{BASE}/visit") == f"{BASE}/visit"


def test_one_path_however_often_is_not_enough() -> None:
    parameters = SessionParameters()
    seen(parameters, sentence("alpha"), *(f"/alpha?visit={number}" for number in range(20)))
    assert parameters.names == set()


def test_copies_under_other_paths_and_parameters_say_nothing() -> None:
    parameters = SessionParameters()
    for name in ("alpha", "beta", "gamma", "delta"):
        seen(parameters, sentence(name), f"/{name}?a=1&b=1", f"/copy/{name}?a=1&b=2", f"/{name}?a=2&b=2", f"/{name}")
    assert parameters.names == set()


def test_a_parameter_that_names_content_is_none_though_its_last_pages_are_the_same() -> None:
    """Lists run out: what comes behind their ends is one page under many numbers."""
    parameters = SessionParameters()
    for name in ("alpha", "beta", "gamma", "delta"):
        for number in range(5):
            seen(parameters, sentence(f"{name}{number}"), f"/{name}?page={number}")
        seen(parameters, f"{name}: nothing more", f"/{name}?page=5", f"/{name}?page=6", f"/{name}?page=7")
    assert parameters.names == set()


def test_a_session_is_known_though_a_page_changes_with_the_hour() -> None:
    parameters = SessionParameters()
    seen(parameters, "It is one o'clock", "/clock?visit=1")
    seen(parameters, "It is two o'clock", "/clock?visit=2")
    for name in ("alpha", "beta", "gamma", "delta", "epsilon"):
        seen(parameters, sentence(name), f"/{name}?visit=1", f"/{name}?visit=2")
    assert parameters.names == {"visit"}


def test_long_urls_and_many_parameters_are_not_remembered() -> None:
    parameters = SessionParameters()
    for name in ("alpha", "beta", "gamma"):
        seen(parameters, sentence(name), *(f"/{name}?a={'x' * 4000}&visit={number}" for number in range(2)))
    many = "&".join(f"p{number}={number}" for number in range(100))
    for number in range(3):
        seen(parameters, sentence(f"delta{number}"), f"/delta?{many}&visit={number}")
    assert parameters.names == set()
    assert not parameters._texts


# ---------------------------------------------------------------- which links are followed


def traps(trap_pages: int | None = 5, budget: int = 100, **yields: float) -> Traps:
    return Traps({}, trap_pages, budget, yields)


def links(*paths: str, depth: int = 1, priority: int = USUAL) -> list[Link]:
    return [Link(f"{BASE}{path}", Kind.PAGE, depth=depth, priority=priority) for path in paths]


def lease_of(link: Link, hops: int = 0) -> Lease:
    return Lease(link.url, link.kind, hops, 0, link.depth, link.pattern)


def paths(followed: Followed) -> list[str]:
    return [link.url.removeprefix(BASE) for link in followed.links]


SEED = Lease(f"{BASE}/", Kind.PAGE, 0, 0)


def enter(site: Traps, path: str) -> Lease:
    """The lease of a page that the seed leads to."""
    return lease_of(site.follow(SEED, links(path), b"").links[0])


def test_a_pattern_of_which_nothing_new_comes_is_closed() -> None:
    site = traps()
    site.follow(SEED, [], told("a calendar"))
    for day in range(5):
        lease = enter(site, f"/calendar/{day}")
        assert site.closed(lease.pattern) == ""
        followed = site.follow(lease, [], told("a calendar"))
    assert site.closed(lease.pattern) == "trap"
    assert followed.patterns[lease.pattern] == Pattern(lease.pattern, "/calendar/#", 0, 5, 0.9**5, "trap")
    further = site.follow(SEED, links("/calendar/77", "/manual.html"), b"")
    assert (paths(further), further.counts) == (["/manual.html"], {"trap": 1})


def test_something_new_opens_the_count_again() -> None:
    site = traps()
    site.follow(SEED, [], told("a calendar"))
    for day in range(12):
        text = told(sentence(chr(97 + day))) if day % 4 == 3 else told("a calendar")
        lease = enter(site, f"/calendar/{day}")
        site.follow(lease, [], text)
    assert site.closed(lease.pattern) == ""


def test_poor_pages_lead_to_what_has_shown_its_worth_and_come_later() -> None:
    site = traps()
    site.follow(SEED, [], told("a calendar"))
    manual, day = enter(site, "/manual.html"), enter(site, "/calendar/1")
    site.fetched(manual)
    site.follow(manual, [], told(sentence("alpha")))
    rich = site.follow(manual, links("/other.html", "/new/1"), told(sentence("beta")))
    poor = site.follow(day, links("/third.html", "/newer/one/1", "/calendar/2"), told("a calendar"))
    assert paths(rich) == ["/other.html", "/new/1"]
    assert (paths(poor), poor.counts) == (["/third.html"], {"from_a_poor_page": 2})
    assert poor.links[0].priority == rich.links[0].priority + USUAL


def test_a_doubtful_pattern_is_entered_only_from_pages_that_bring_something() -> None:
    site = traps()
    site.follow(SEED, [], told("a calendar"))
    for day in range(3):
        lease = enter(site, f"/calendar/{day}")
        site.fetched(lease)
        followed = site.follow(lease, links(f"/calendar/{day + 1}"), told("a calendar"))
        assert paths(followed) == ([f"/calendar/{day + 1}"] if day < 2 else [])
    assert followed.counts == {"from_a_poor_page": 1}
    rich = site.follow(enter(site, "/a.html"), links("/calendar/99"), told(sentence("alpha")))
    assert paths(rich) == ["/calendar/99"]


def test_a_seed_is_never_poor() -> None:
    site = traps()
    for _ in range(6):
        assert paths(site.follow(SEED, links("/a/b/c"), told("a calendar"))) == ["/a/b/c"]


def test_without_a_number_of_pages_nobody_looks() -> None:
    site = traps(trap_pages=None)
    for day in range(30):
        lease = enter(site, f"/calendar/{day}")
        assert paths(site.follow(lease, links("/never/seen/1"), told("a calendar"))) == ["/never/seen/1"]
    assert site.closed(lease.pattern) == ""


def test_a_chain_of_redirects_is_gone_to_its_end_once_and_then_closed() -> None:
    """Three in a row are usual; a pattern that only ever leads to more of them has no end."""
    site = traps()
    lease = lease_of(site.follow(SEED, links("/r/0"), b"").links[0])
    priorities = []
    for hop in range(8):
        onward = [Link(f"{BASE}/r/{hop + 1}", Kind.PAGE, hops=hop + 1, depth=1)]
        followed = site.follow(lease, onward, b"")
        if not followed.links:
            break
        priorities.append(followed.links[0].priority)
        lease = lease_of(followed.links[0], hops=hop + 1)
    assert site.closed(lease.pattern) == "" and followed.counts == {"from_a_poor_page": 1}
    assert priorities[:3] == sorted(priorities[:3], reverse=True)


def test_a_pattern_has_a_budget() -> None:
    site = traps(budget=3)
    ended = [site.fetched(enter(site, f"/item/{number}")) for number in range(3)]
    assert [pattern and pattern.closed for pattern in ended] == [None, None, "pattern_budget"]
    further = site.follow(SEED, links("/item/9", "/other.html"), b"")
    assert (paths(further), further.counts) == (["/other.html"], {"pattern_budget": 1})
    assert site.fetched(lease_of(Link(f"{BASE}/item/2", Kind.PAGE, pattern=1))) is None


def test_sitemaps_pass_and_paths_without_an_end_do_not() -> None:
    followed = traps().follow(SEED, [Link(f"{BASE}/sitemap.xml", Kind.SITEMAP), *links("/a/a/a/b")], b"")
    assert (paths(followed), followed.counts) == (["/sitemap.xml"], {"endless_path": 1})


def test_a_session_that_is_known_is_left_out_of_links() -> None:
    site = traps()
    for name in ("alpha", "beta", "gamma"):
        for visit in (1, 2):
            site.follow(enter(site, f"/{name}.html?visit={visit}"), [], told(sentence(name)))
    assert paths(site.follow(SEED, links("/delta.html?visit=3"), b"")) == ["/delta.html"]


def test_what_is_near_what_matters_and_what_was_kept_comes_first() -> None:
    site = traps(**{pattern_of(f"{BASE}/kept/1"): 1.0, pattern_of(f"{BASE}/junk/1"): 0.0})
    near, far = site.follow(SEED, links("/a/1") + links("/a/2", depth=3), b"").links
    assert near.priority < far.priority
    matters, usual = site.follow(SEED, links("/b/1", priority=80) + links("/b/2"), b"").links
    assert matters.priority < usual.priority
    kept, unknown, junk = site.follow(SEED, links("/kept/1", "/new/1", "/junk/1"), b"").links
    assert kept.priority < unknown.priority < junk.priority
    site.follow(SEED, [], told("a calendar"))
    for _ in range(3):
        site.follow(lease_of(unknown), [], told("a calendar"))
    worn, fresh = site.follow(SEED, links("/new/2", "/newer/2"), b"").links
    assert fresh.priority < worn.priority


# ---------------------------------------------------------------- a site full of them

_PAGES = 40


def _real(number: int, visit: int) -> str:
    words = " ".join(f"{chr(97 + number % 26)}{chr(97 + number // 26)}{chr(97 + i)}word" for i in range(20))
    onward = [n for n in (2 * number + 1, 2 * number + 2) if n < _PAGES]
    hrefs = [f"/docs/page-{n}.html?visit={visit}" for n in onward]
    hrefs += ["/calendar/2024/5", "/deep/down/", f"/lost/{number}.html", "/?visit=1"]
    return f"<title>Page</title><p>{words}</p>" + "".join(f'<p><a href="{href}">on</a></p>' for href in hrefs)


class Trapped:
    """Forty pages that link with a session of their own each, and beside them what has no end."""

    def __init__(self) -> None:
        self.visits = 0

    def __call__(self, target: str) -> Answer | None:
        path = target.partition("?")[0]
        self.visits += 1
        if path == "/":
            return _html(_real(0, self.visits))
        if path.startswith("/docs/page-"):
            return _html(_real(int(path[11:-5]), self.visits))
        if path.startswith("/calendar/"):
            year, month = map(int, path.split("/")[2:4])
            onward = f"/calendar/{year + month // 12}/{month % 12 + 1}"
            return _html(f"<h1>{month}/{year}</h1><p>No events this month.</p><a href={onward}>next</a>")
        if path.startswith("/deep/"):
            return _html("<h1>Files</h1><p>Everything that lies here.</p><a href=down/>down</a><a href=up/>up</a>")
        if path.startswith("/lost/"):
            return _html("<h1>Oops</h1><p>We did not find that page.</p><a href=/lost/again/one.html>Again</a>")
        return None


def _html(body: str) -> Answer:
    return Answer(f"<!doctype html><html><body>{body}</body></html>".encode())


def test_all_pages_of_a_site_full_of_traps_are_found_and_little_else(tmp_path: Path) -> None:
    with Site(Trapped()) as site:
        assert crawl(job(tmp_path, site, source(), trap_pages=25)) == (0, "")
    outcome = read_outcome(tmp_path / "site")
    asked = [row.url.removeprefix(BASE) for row in outcome.fetched if row.kind == "page" and row.url not in OFFERS]
    real = {path.partition("?")[0] for path in asked if path.startswith(("/docs/", "/?")) or path == "/"}
    assert real == {"/", *(f"/docs/page-{number}.html" for number in range(1, _PAGES))}
    assert len(asked) <= 2.5 * _PAGES, sorted(asked)
    assert outcome.unfinished == []
    assert outcome.ignored["from_a_poor_page"] > 0
