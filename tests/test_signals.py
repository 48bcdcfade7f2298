"""What a site's files say of its URLs, and which place counts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawlers.optout import MAX_SIGNAL_BYTES, SiteSignals, header_signals, merge


def robots_signals(robots: str, path: str) -> tuple[str, ...]:
    return SiteSignals(robots.encode()).of(f"https://h{path}")


AIPREF = """\
User-Agent: *
Allow: /
Content-Usage: / train-ai=n
Content-Usage: /free/ train-ai=y
Content-Usage: /free/*.pdf$ train-ai=n, search=n
Content-Usage: /both train-ai=y
Content-Usage: /both\ttrain-ai=n;x=1

User-Agent: SysCorpus
Content-Signal: ai-train=yes
"""


@pytest.mark.parametrize(
    ("path", "signals"),
    [
        ("/x", ("content-usage-train-ai",)),
        ("/free/x", ()),
        ("/free/x.pdf", ("content-usage-search", "content-usage-train-ai")),
        ("/free/x.pdf?y", ()),
        ("/%66ree/x", ()),
        # Of two for one path each stands.
        ("/both/x", ("content-usage-train-ai",)),
    ],
)
def test_the_longest_path_of_content_usage_counts(path: str, signals: tuple[str, ...]) -> None:
    assert robots_signals(AIPREF.replace("SysCorpus", "other"), path) == signals
    assert robots_signals(AIPREF, path) == ()


@pytest.mark.parametrize(
    ("robots", "signals"),
    [
        ("User-agent: *\nContent-Signal: search=yes,ai-train=no\nAllow: /", ("content-signal-ai-train",)),
        ("content-signal: ai-train=no", ("content-signal-ai-train",)),
        ("Content-Signal: ai-train=no\nUser-agent: syscorpus\nAllow: /", ("content-signal-ai-train",)),
        # A refusal for others ends where the next names begin.
        ("User-agent: other\nContent-Signal: ai-train=no\nUser-agent: *\nAllow: /", ()),
        (
            "User-agent: *\nContent-Signal: search=no\nUser-agent: other\nContent-Signal: ai-train=no",
            ("content-signal-search",),
        ),
        ("User-agent: other\nLicense: https://a.example/l.xml", ("rsl-licence",)),
        ("User-agent: *\nLicense:", ()),
        ("<html>Content-Signal: ai-train=no", ()),
    ],
)
def test_groups_of_robots_txt(robots: str, signals: tuple[str, ...]) -> None:
    assert robots_signals(robots, "/x") == signals
    assert SiteSignals(robots.encode()).of("http://h.example/") == signals


def tdm_signals(rules: object, path: str) -> tuple[str, ...]:
    return SiteSignals(tdmrep=json.dumps(rules).encode()).of(f"https://h{path}")


@pytest.mark.parametrize(
    ("path", "signals"),
    [
        ("/open/x", ()),
        ("/open/x.png", ("tdm-policy", "tdm-reservation")),
        ("/x", ("tdm-reservation",)),
    ],
)
def test_the_first_rule_of_tdmrep_counts(path: str, signals: tuple[str, ...]) -> None:
    rules = [
        {"location": "/open/*.png", "tdm-reservation": 1, "tdm-policy": "https://h/policy.json"},
        {"location": "/open/", "tdm-reservation": 0, "tdm-policy": "https://h/policy.json"},
        {"location": "/", "tdm-reservation": "1"},
    ]
    assert tdm_signals(rules, path) == signals


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"<html>not found</html>", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"location": "/", "tdm-reservation": 1}', "not a list"),
        (b" " * (MAX_SIGNAL_BYTES + 1), "bytes"),
        (b'[{"location": "/", "tdm-reservation": 2}, 1, {"tdm-reservation": 1}, {"location": "x"}]', "4 of 4 rules"),
    ],
)
def test_a_tdmrep_that_is_none_is_a_fault_and_no_signal(body: bytes, fault: str) -> None:
    site = SiteSignals(tdmrep=body)
    assert len(site.faults) == 1
    assert fault in site.faults[0]
    assert site.of("https://h/x") == ()


def test_what_can_be_read_of_tdmrep_counts() -> None:
    site = SiteSignals(tdmrep=b'[7, {"location": "/a", "tdm-reservation": 1}]')
    assert site.faults == ("/.well-known/tdmrep.json: 1 of 2 rules cannot be read",)
    assert site.of("https://h/a") == ("tdm-reservation",)


AI_TXT = b"""\
# Spawning AI
User-Agent: *
Disallow: *.txt
Disallow: /blog/
Allow: /
"""


def test_ai_txt() -> None:
    site = SiteSignals(ai_txt=AI_TXT)
    assert site.faults == ()
    assert site.of("https://h/a/x.txt") == site.of("https://h/blog/x") == ("ai-txt-disallow",)
    assert site.of("https://h/a/x.html") == ()
    assert SiteSignals(ai_txt=b"User-agent: *\nDisallow: /\nDisallow: *").of("https://h/") == ("ai-txt-disallow",)
    assert SiteSignals(ai_txt=b"User-agent: GPTBot\nDisallow: /").of("https://h/") == ()
    for other in (b"# An assistant's guide\n\nDisallow: nothing.", b"<html>", b""):
        assert SiteSignals(ai_txt=other).faults == ("/ai.txt has no user-agent line",)
        assert SiteSignals(ai_txt=other).of("https://h/") == ()


@pytest.mark.parametrize(
    ("site", "header", "page", "counts"),
    [
        (["tdm-reservation"], [], [], ("tdm-reservation",)),
        (["tdm-reservation"], ["tdm-reservation-0"], [], ()),
        (["tdm-reservation", "tdm-policy"], ["tdm-reservation-0", "noai"], [], ("noai",)),
        (["tdm-reservation"], ["tdm-reservation-0"], ["tdm-reservation"], ("tdm-reservation",)),
        ([], ["tdm-reservation"], ["tdm-reservation-0"], ()),
        (["tdm-reservation"], ["tdm-policy"], [], ("tdm-policy", "tdm-reservation")),
        ([], ["tdm-reservation", "tdm-reservation-0"], [], ("tdm-reservation",)),
        # Only of text and data mining does TDMRep speak: another signal stays, wherever it stands.
        (["content-signal-ai-train", "rsl-licence"], ["tdm-reservation-0"], ["noindex"], ("content-signal-ai-train", "noindex", "rsl-licence")),
    ],
)  # fmt: skip
def test_which_place_counts(site: list[str], header: list[str], page: list[str], counts: tuple[str, ...]) -> None:
    assert merge(site, header, page) == counts


_SIGNALS = st.sets(st.sampled_from(["tdm-reservation", "tdm-reservation-0", "tdm-policy", "noai", "rsl-licence"]))


@given(_SIGNALS, _SIGNALS, _SIGNALS)
def test_places_may_be_merged_one_after_the_other(site: set[str], header: set[str], page: set[str]) -> None:
    assert merge(merge(site, header, []), [], page) == merge(site, header, page)


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=200), st.text(max_size=20))
def test_any_bytes_have_signals_or_none(robots: bytes, tdmrep: bytes, ai_txt: bytes, path: str) -> None:
    site = SiteSignals(b"User-agent: *\nContent-Usage: /" + robots, tdmrep, ai_txt)
    found = site.of(f"https://h/{path}")
    assert list(found) == sorted(set(found))
    assert all(fault.isprintable() for fault in site.faults)


_VALUES = st.none() | st.integers(-1, 2) | st.sampled_from(["/", "*", "/a*$", "1", "\ud800"])
_RULES = st.dictionaries(st.sampled_from(["location", "tdm-reservation", "tdm-policy"]), _VALUES)


@given(st.lists(_RULES, max_size=4))
def test_any_json_is_rules_or_faults(rules: list[dict[str, object]]) -> None:
    site = SiteSignals(tdmrep=json.dumps(rules).encode())
    assert set(site.of("https://h/a")) <= {"tdm-reservation", "tdm-policy"}


_NAMES = st.sampled_from(["X-Robots-Tag", "Link", "Content-Usage", "TDM-Reservation"])


@given(st.lists(st.tuples(_NAMES, st.text(max_size=40))))
def test_any_headers_have_signals_or_none(headers: list[tuple[str, str]]) -> None:
    found = header_signals(headers)
    assert list(found) == sorted(set(found))
