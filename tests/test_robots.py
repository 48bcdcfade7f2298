"""robots.txt by RFC 9309, and opt-out signals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawlers.optout import header_signals, robots_meta_signals
from crawlers.robots import RobotsRules


def allows(robots: str, path: str) -> bool:
    return RobotsRules(robots.encode()).allows(f"http://h{path}")


@pytest.mark.parametrize(
    ("robots", "path", "allowed"),
    [
        ("", "/x", True),
        ("User-agent: *\nDisallow: /", "/x", False),
        ("User-agent: *\nDisallow: /", "/robots.txt", True),
        ("User-agent: SysCorpus\nDisallow: /", "/x", False),
        ("User-agent: syscorpus/1.0 (bot)\nDisallow: /", "/x", False),
        # The product token matches whole, not in part.
        ("User-agent: sys\nDisallow: /", "/x", True),
        ("User-agent: syscorpus-images\nDisallow: /", "/x", True),
        ("User-agent: corpus\nDisallow: /", "/x", True),
        # Our own group takes the place of the one for all.
        ("User-agent: *\nDisallow: /\n\nUser-agent: syscorpus\nDisallow: /a", "/b", True),
        ("User-agent: *\nDisallow: /\n\nUser-agent: syscorpus\nDisallow: /a", "/a", False),
        # Groups of one agent are one; agents in a row share a group, also across a line that is no rule.
        ("User-agent: syscorpus\nDisallow: /a\n\nUser-agent: syscorpus\nDisallow: /b", "/b", False),
        ("User-agent: syscorpus\nUser-agent: other\nDisallow: /", "/x", False),
        ("User-agent: syscorpus\nnonsense: 1\nUser-agent: other\nDisallow: /", "/x", False),
        ("User-agent: other\nDisallow: /", "/x", True),
        # The longest match wins, at equal length the one that allows.
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("User-agent: *\nAllow: /a\nDisallow: /a/b", "/a/b/c", False),
        ("User-agent: *\nDisallow: /a\nAllow: /a", "/a", True),
        ("User-agent: *\nDisallow: /*.php$", "/a.php", False),
        ("User-agent: *\nDisallow: /*.php$", "/a.php?x", True),
        ("User-agent: *\nDisallow: /a*z", "/abcz9", False),
        ("User-agent: *\nDisallow: /ä", "/%C3%A4", False),
        ("User-agent: *\nDisallow:", "/x", True),
        ("\ufeffUser-agent: *\r\nDisallow: /", "/x", False),
        ("user-agent:*\rdisallow:/x", "/x", False),
        ("Disallow: /", "/x", True),
        ("<html><body>User-agent: *\nDisallow: /x</body></html>", "/x", True),
    ],
)
def test_rules(robots: str, path: str, allowed: bool) -> None:
    assert allows(robots, path) is allowed


def test_delay_and_sitemaps() -> None:
    rules = RobotsRules(
        b"Sitemap: http://h/1.xml\nUser-agent: *\nCrawl-delay: 2.5\nRequest-rate: 1/10\nSitemap: /2.xml"
    )
    assert rules.delay_s == 10.0
    assert rules.sitemaps == ["http://h/1.xml", "/2.xml"]
    assert RobotsRules(b"User-agent: other\nCrawl-delay: 9").delay_s == 0.0
    assert RobotsRules(b"User-agent: *\nCrawl-delay: inf").delay_s == 0.0


@given(st.binary(max_size=300))
def test_any_bytes_are_rules(body: bytes) -> None:
    rules = RobotsRules(b"User-agent: *\nDisallow: /no\n" + body)
    rules.allows("http://h/x")
    assert rules.delay_s >= 0.0


@pytest.mark.parametrize(
    ("headers", "signals"),
    [
        ([("X-Robots-Tag", "NoIndex, noai")], ("noai", "noindex")),
        ([("x-robots-tag", "noai"), ("X-Robots-Tag", "noai,noarchive")], ("noai", "noarchive")),
        ([("X-Robots-Tag", "googlebot: noindex, nofollow")], ()),
        ([("X-Robots-Tag", "syscorpus: noindex, otherbot: noai")], ("noindex",)),
        ([("X-Robots-Tag", "otherbot: noai, *: none")], ("none",)),
        ([("X-Robots-Tag", "unavailable_after: 25 Jun 2010 15:00:00 PST")], ("unavailable_after",)),
        ([("X-Robots-Tag", "max-snippet: 5, noindex")], ("max-snippet", "noindex")),
        ([("TDM-Reservation", " 1 ")], ("tdm-reservation",)),
        ([("TDM-Reservation", "0"), ("Server", "noindex")], ("tdm-reservation-0",)),
        ([("tdm-reservation", "yes"), ("tdm-policy", " https://a.example/p.json ")], ("tdm-policy",)),
        (
            [("Content-Signal", "search=yes, AI-Train=No"), ("content-usage", "train-ai=n")],
            ("content-signal-ai-train", "content-usage-train-ai"),
        ),
        ([("Link", '<https://a.example/l.xml>; rel="license"; type="application/rsl+xml"')], ("rsl-licence",)),
        ([("link", "</c.css>; rel=preload, </l>; type=application/rsl+xml; rel=license")], ("rsl-licence",)),
        ([("link", '</l>; rel="license", </m>; rel="next"; type="application/rsl+xml"')], ()),
        ([("link", "<" * 9000)], ()),
    ],
)
def test_header_signals(headers: list[tuple[str, str]], signals: tuple[str, ...]) -> None:
    assert header_signals(headers) == signals


def test_meta_signals() -> None:
    assert robots_meta_signals(["NOINDEX, noai", "noai,max-snippet:-1, 12 June"]) == (
        "max-snippet",
        "noai",
        "noindex",
    )
    assert robots_meta_signals([]) == ()
