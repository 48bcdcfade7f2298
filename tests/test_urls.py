"""URLs: their one spelling, what identifies a page in them, and the patterns that they follow."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawlers.urls import (
    MAX_SEGMENTS,
    MAX_URL_LENGTH,
    canonical_url,
    doc_id,
    host_of,
    is_endless,
    origin_of,
    path_of,
    pattern_of,
)

PUBLISHED = Path(__file__).resolve().parents[2] / "shared" / "data/formats/urls/urltestdata.json.gz"


@pytest.mark.parametrize(
    ("url", "base", "canonical"),
    [
        ("HTTP://Example.COM:80/a/../b?q=1&p=#f", None, "http://example.com/b?p=&q=1"),
        ("https://user:pw@example.com/#f", None, "https://example.com/"),
        ("http://example.com", None, "http://example.com/"),
        ("../x y?z", "http://h/a/b/c", "http://h/a/x%20y?z"),
        ("//other/x", "https://h/", "https://other/x"),
        ("#f", "http://h/a?b", "http://h/a?b"),
        ("http://h/a@b#c@d", None, "http://h/a@b"),
        ("http://münchen.example/ä", None, "http://xn--mnchen-3ya.example/%C3%A4"),
        ("http://0x7f.1/", None, "http://127.0.0.1/"),
        ("http://[::1]:8080/x", None, "http://[::1]:8080/x"),
        ("\n http://h/a\tb \n", None, "http://h/ab"),
        ("mailto:x@y", "http://h/", None),
        ("javascript:void(0)", "http://h/", None),
        ("ftp://h/", None, None),
        ("/relative", None, None),
        ("http://", None, None),
        ("http://a b/", None, None),
        ("http://h/" + "a" * MAX_URL_LENGTH, None, None),
        ("http://h/\ud800", None, None),
        # Dots after the host are no other host; what is left may be an address.
        ("http://example.com./a./b", None, "http://example.com/a./b"),
        ("http://u@example.com..:8080/", None, "http://example.com:8080/"),
        ("http://0x7f.1../x", None, "http://127.0.0.1/x"),
        ("http://./x", None, None),
        # The query identifies: in order by name, values as they stand, nothing that is empty.
        ("http://h/index.php?title=X&action=raw", None, "http://h/index.php?action=raw&title=X"),
        ("http://h/?b=2&a=3&b=1&a=", None, "http://h/?a=3&a=&b=2&b=1"),
        ("?", "http://h/a?b", "http://h/a"),
        ("http://h/?&&b&a&", None, "http://h/?a&b"),
        ("http://h/?%C3%A4=%20&A=x%26y", None, "http://h/?%C3%A4=%20&A=x%26y"),
        ("http://h/?p=git.git;a=log;h=abc", None, "http://h/?p=git.git;a=log;h=abc"),
        # Trackers.
        ("http://h/a?utm_source=x&UTM_Medium=y&id=1&gclid=2&fbclid=3&mc_eid=4", None, "http://h/a?id=1"),
        ("http://h/a?utm_source", None, "http://h/a"),
        ("http://h/a?ref=main&source=x&cid=3", None, "http://h/a?cid=3&ref=main&source=x"),
        # Sessions.
        ("http://h/a?PHPSESSID=1&x=2", None, "http://h/a?x=2"),
        ("http://h/a;jsessionid=1A2B.node?x=2", None, "http://h/a?x=2"),
        ("http://h/a;JSESSIONID=1/b;v=1", None, "http://h/a/b;v=1"),
        ("http://h/a/..;jsessionid=1/b", None, "http://h/b"),
        ("http://h/a?ASPSESSIONIDQQ=Z&CFID=1&CFTOKEN=2&zenid=3&osCsid=4", None, "http://h/a"),
        ("http://h/a?sid=0123456789abcdef0", None, "http://h/a"),
        ("http://h/a?s=0123456789ABCDEF0123456789ABCDEF&t=5", None, "http://h/a?t=5"),
        ("http://h/a?sid=42&session_id=talk-7&s=query", None, "http://h/a?s=query&session_id=talk-7&sid=42"),
        ("http://h/?s=how-to-install-a-cluster-in-1-hour", None, "http://h/?s=how-to-install-a-cluster-in-1-hour"),
        ("http://h/?a=jsessionid;b", None, "http://h/?a=jsessionid;b"),
    ],
)
def test_canonical_url(url: str, base: str | None, canonical: str | None) -> None:
    assert canonical_url(url, base) == canonical


_PIECES = r"http:// h H. .. 127.1 / %2e . ? & = ; jsessionid= sid=0123456789abcdef utm_x gclid=1 b=2 a ä # @ :80 : [::1] \ % 1"
_SOUP = st.lists(st.sampled_from([*_PIECES.split(), "\t", "//", "PHPSESSID"]), max_size=12).map("".join)


@given(st.text(max_size=60) | _SOUP, st.sampled_from(["http://h/a/b?c", "https://[::1]:8443/", None, "no base"]))
def test_a_canonical_url_is_its_own(url: str, base: str | None) -> None:
    canonical = canonical_url(url, base)
    for again in [canonical] if canonical else []:
        assert canonical_url(again) == again
        assert again.isascii()
        assert "#" not in again
        assert canonical_url(origin_of(again) + "/") == origin_of(again) + "/"
        assert host_of(again) in origin_of(again)
        assert path_of(again).startswith("/")
        pattern_of(again)
        is_endless(again)


@given(_SOUP, _SOUP)
def test_host_and_scheme_stay(tail: str, query: str) -> None:
    canonical = canonical_url(f"https://docs.example.org:8443/{tail}?{query}")
    assert canonical is None or origin_of(canonical) == "https://docs.example.org:8443"


@given(st.permutations(["a=1", "b=2", "c", "d=", "utm_source=x", "sid=0123456789abcdef", ""]))
def test_the_order_of_parameters_names_nothing(parameters: list[str]) -> None:
    assert canonical_url("http://h/?" + "&".join(parameters)) == "http://h/?a=1&b=2&c&d="


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published cases are not here")
def test_the_published_cases() -> None:
    """urltestdata.json of web-platform-tests; where its URLs have more than identity, both sides are stripped of it."""
    cases = [case for case in json.loads(gzip.decompress(PUBLISHED.read_bytes())) if isinstance(case, dict)]
    assert len(cases) > 800
    for case in cases:
        found = canonical_url(case["input"], case["base"])
        wanted = None if case.get("failure") else case["href"]
        if wanted is None or not wanted.startswith(("http:", "https:")):
            assert found is None, case
        else:
            assert found == canonical_url(wanted), case
            assert any(c in wanted for c in "#?;@") or wanted.count("./") or found == wanted, case


def test_doc_id() -> None:
    assert len(doc_id("http://h/")) == 32
    assert doc_id("http://h/") != doc_id("http://h/?")


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/", "/"),
        ("/docs/9.1/sql-select.html", "/docs/#.#/*.html"),
        ("/docs/16/sql-select.html", "/docs/#/*.html"),
        ("/calendar/2024/05?view=week", "/calendar/#/#?view"),
        ("/log/2024-05-01/", "/log/#/"),
        ("/commit/9f2b1c7d0a?id=1", "/commit/#?id"),
        ("/x/6f9619ff-8b86-d011-b42d-00c04fc964ff/y", "/x/#/*"),
        ("/v1.2-beta/facade/intro", "/v#.#-beta/facade/*"),
        ("/a/b/c/d.txt", "/a/b/c/*.txt"),
        ("/a/b/c/d/e/f/g.txt?z=1&b=2&b=3&c10=4", "/a/b/c/**/*.txt?b&c#&z"),
        ("/release-1.2.3", "/*"),
        ("/1.2.3", "/#.#.#"),
    ],
)
def test_pattern(path: str, pattern: str) -> None:
    assert pattern_of(f"http://h{path}") == pattern


@pytest.mark.parametrize(
    ("path", "endless"),
    [
        ("/", False),
        ("/a/a/b", False),
        ("/a/a/a/b", True),
        ("/a/b/a/b", False),
        ("/x/a/b/a/b/a/b/y", True),
        ("/a/b/c/a/b/c/a/b/c", True),
        ("/" + "/".join(map(str, range(MAX_SEGMENTS))), False),
        ("/" + "/".join(map(str, range(MAX_SEGMENTS + 1))), True),
        ("/a////b", True),
        ("/?" + "&".join(["tag=a"] * 5), False),
        ("/?" + "&".join(["tag=a"] * 6), True),
        ("/?" + "&".join(f"p{n}=a" for n in range(9)), False),
    ],
)
def test_endless(path: str, endless: bool) -> None:
    assert is_endless(f"http://h{path}") is endless
