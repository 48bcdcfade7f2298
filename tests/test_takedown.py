"""The list of what was taken out of the corpus: how it is read, what it covers, and that no crawl fetches that."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from crawlers.outcome import read_outcome
from crawlers.takedown import TakedownError, Takedowns, read_takedowns
from crawlers.urls import doc_id
from tests.crawl_site import HOST, Site, crawl, job, page, source

BASE = f"http://{HOST}"
WHY = {"who": "A. Reader", "when": "2026-03-01", "why": "asked by mail"}


def entry(**subject: str) -> dict[str, str]:
    return {**subject, **WHY}


def test_a_list_is_read_with_its_reasons() -> None:
    entries = [entry(url="http://h/a"), entry(domain="h.example"), entry(doc_id="0" * 32)]
    entries[0]["why"] = "two\u2028lines, \u0085 and é"
    text = "\n".join(json.dumps(each, ensure_ascii=False) for each in entries)
    assert read_takedowns(f"\n{text}\r\n\n", "list") == entries
    assert read_takedowns("", "list") == []


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("domain: h", "is not JSON"),
        ('"h"', "an object of strings"),
        ("[]", "an object of strings"),
        (json.dumps(entry(url="http://h/") | {"when": 2026}), "an object of strings"),
        (json.dumps(WHY), "one of url, domain, doc_id"),
        (json.dumps(entry(url="http://h/", domain="h")), "one of url, domain, doc_id"),
        (json.dumps({"url": "http://h/", "who": "A", "when": "2026"}), "and who, when, why"),
        (json.dumps(entry(url="http://h/") | {"note": "x"}), "one of url, domain, doc_id"),
        (json.dumps(entry(domain="https://h/")), "no domain"),
        (json.dumps(entry(domain="h/a")), "no domain"),
        (json.dumps(entry(domain="")), "no domain"),
        (json.dumps(entry(domain="*.h")), "no domain"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_a_line_that_is_wrong_is_told_with_its_number(line: str, wrong: str) -> None:
    good = json.dumps(entry(url="http://h/"))
    with pytest.raises(TakedownError, match=f"runs/takedown.jsonl:3: .*{wrong}") as caught:
        read_takedowns(f"{good}\n\n{line}\n{good}", "runs/takedown.jsonl")
    assert "\n" not in str(caught.value)


def covered(url: str, /, **subject: str) -> bool:
    return Takedowns([entry(**subject)]).covers(url, doc_id(url))


def test_an_empty_list_covers_nothing() -> None:
    assert not Takedowns([])
    assert not Takedowns([]).covers("http://h/", doc_id("http://h/"))
    assert Takedowns([entry(domain="h")])


def test_a_page_is_covered_however_its_url_is_spelled() -> None:
    assert covered("http://h.example/a?x=1&y=2", url="HTTP://H.example:80/b/../a?y=2&x=1&utm_source=mail#top")
    assert not covered("http://h.example/a", url="http://h.example/a/")
    assert not covered("http://h.example/a/b", url="http://h.example/a")


def test_a_domain_covers_its_hosts_and_no_other() -> None:
    for url in ("http://h.example/", "https://h.example:8443/a", "http://www.h.example/a", "http://a.b.h.example/"):
        assert covered(url, domain="h.example"), url
        assert covered(url, domain=".H.Example."), url
    for url in ("http://oh.example/", "http://example/", "http://h.example.org/", "http://o.example/h.example"):
        assert not covered(url, domain="h.example"), url


def test_a_domain_of_other_letters_and_an_address_are_covered() -> None:
    assert covered("http://www.xn--bcher-kva.example/", domain="bücher.example")
    assert covered("http://127.0.0.1:80/a", domain="127.0.0.1")
    assert covered("http://[::1]/a", domain="[::1]")


def test_a_document_is_covered_by_its_id() -> None:
    assert covered("http://h.example/a", doc_id=doc_id("http://h.example/a"))
    assert not covered("http://h.example/b", doc_id=doc_id("http://h.example/a"))
    assert Takedowns([entry(doc_id="7" * 32)]).covers("", "7" * 32)
    assert not Takedowns([entry(domain="h.example")]).covers("", "7" * 32)


@pytest.mark.parametrize("url", ["http://[h", "http://a]b/", "file:a", "a b", "//", "http://\u2100/"])
def test_what_has_no_host_is_not_covered_by_a_domain(url: str) -> None:
    """Documents of dumps and archives bring the URLs that their authors wrote."""
    assert not Takedowns([entry(domain="h.example")]).covers(url, "7" * 32)


def test_what_is_taken_down_is_not_fetched_by_any_crawl(tmp_path: Path) -> None:
    elsewhere = "http://elsewhere.localhost"
    answers = {"/": page("/gone?b=2&a=1", "/secret", "/a", f"{elsewhere}/b"), "/a": page(), f"{elsewhere}/b": page()}
    answers |= {"/gone?a=1&b=2": page("/behind"), "/secret": page(), "/behind": page()}
    both = source(scope=[f"{BASE}/", f"{elsewhere}/"], seeds=[f"{BASE}/", f"{elsewhere}/b"])
    with Site(answers) as site:
        first = replace(job(tmp_path, site, both), taken_down=[entry(url=f"{BASE}/gone?b=2&a=1")])
        assert crawl(first) == (0, "")
        assert site.asked.keys() >= {f"{BASE}/secret", f"{elsewhere}/b", f"{BASE}/a"}
        site.asked.clear()
        # By now more is taken down; a page that was fetched in time stays what it is.
        more = [*first.taken_down, entry(doc_id=doc_id(f"{BASE}/secret")), entry(domain="elsewhere.localhost")]
        again = job(tmp_path, site, both, revisit={"first_days": 1e-6, "shortest_days": 0.0, "longest_days": 1.0})
        assert crawl(replace(again, generation=2, taken_down=more)) == (0, "")
        assert {url for url in site.asked if "robots" not in url} == {f"{BASE}/"}
    outcome = read_outcome(tmp_path / "site")
    refused = {row.url for row in outcome.not_fetched if row.reason == "taken_down"}
    assert refused >= {f"{BASE}/gone?a=1&b=2", f"{elsewhere}/b"}
    assert f"{BASE}/behind" not in {row.url for row in outcome.fetched}


def test_the_crawl_of_a_host_that_is_taken_down_ends(tmp_path: Path) -> None:
    """No file of it but robots.txt is asked for, and none is waited for."""
    revisit = {"first_days": 1e-6, "shortest_days": 0.0, "longest_days": 1.0}
    with Site({"/": page("/a"), "/a": page()}) as site:
        first = job(tmp_path, site, source(), revisit=revisit)
        assert crawl(first) == (0, "")
        site.asked.clear()
        site.offers.clear()
        assert crawl(replace(first, generation=2, taken_down=[entry(domain=HOST)])) == (0, "")
        assert {url.rpartition("/")[2] for url in (*site.asked, *site.offers)} == {"robots.txt"}
    outcome = read_outcome(tmp_path / "site")
    assert outcome.unfinished == []
    assert {row.url for row in outcome.not_fetched if row.reason == "taken_down"} >= {f"{BASE}/", f"{BASE}/a"}
