"""RFC 9309 case by case. The names are those of the test suite that Google publishes; the cases are stated here anew.

Where Google's parser goes further than the RFC, or another way, FURTHER says what ours does, and why.
"""

from __future__ import annotations

import json
import string
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protego import Protego

from crawlers import PRODUCT_TOKEN
from crawlers.patterns import PathPattern, path_and_query, spelt
from crawlers.robots import MAX_ROBOTS_BYTES, RobotsRules, Verdict, robots_lines

PUBLISHED = Path(__file__).resolve().parents[2] / "shared" / "data/formats/robots"

GROUPS = """\
disallow: /before-any-group
User-agent: ant
Disallow: /
Allow: /ant/
User-agent: bee
Disallow: /
Allow: /bee/


Allow: /hive/
User-agent: cat

User-agent: ant
Allow: /ant-too/
"""

CASES = {
    "LineSyntax_Line": [
        ("user-agent: ant\ndisallow: /", "ant", "/x", False),
        ("user-agent ant\ndisallow /", "ant", "/x", False),
        ("agent: ant\nforbid: /", "ant", "/x", True),
        ("user-agent: ant\ndisallow everything here", "ant", "/everything", True),
        ("  user-agent  :  ant  \n\t disallow\t:\t/  ", "ant", "/x", False),
    ],
    "LineSyntax_Groups": [
        (GROUPS, "ant", "/ant/x", True),
        (GROUPS, "ant", "/ant-too/x", True),
        (GROUPS, "ant", "/bee/x", False),
        (GROUPS, "bee", "/bee/x", True),
        (GROUPS, "bee", "/hive/x", True),
        (GROUPS, "bee", "/ant/x", False),
        # A name without rules before the next group's shares that group.
        (GROUPS, "cat", "/ant-too/x", True),
        (GROUPS, "dog", "/before-any-group", True),
        (GROUPS, "dog", "/x", True),
    ],
    "LineSyntax_Groups_OtherRules": [
        ("User-agent: ant\nSitemap: http://h/s.xml\nUser-agent: *\nDisallow: /", "ant", "/x", False),
        ("User-agent: ant\nColour: blue\nUser-agent: *\nDisallow: /", "bee", "/x", False),
        ("User-agent: ant\nCrawl-delay: 9\nUser-agent: bee\nDisallow: /", "ant", "/x", False),
        ("User-agent: ant\nContent-Signal: ai-train=yes\nUser-agent: bee\nDisallow: /", "ant", "/x", False),
    ],
    "REPLineNamesCaseInsensitive": [
        ("USER-AGENT: ant\nALLOW: /a/\nDISALLOW: /", "ant", "/a/x", True),
        ("uSer-aGent: ant\naLLow: /a/\ndisALLow: /", "ant", "/x", False),
    ],
    "UserAgentValueCaseInsensitive": [
        ("User-agent: ANT\nDisallow: /", "ant", "/x", False),
        ("User-agent: ant colony\nDisallow: /", "Ant", "/x", False),
        ("User-agent: Ant/2.0\nDisallow: /", "aNT", "/x", False),
        ("User-agent: ants\nDisallow: /", "ant", "/x", True),
        ("User-agent: ant\nDisallow: /", "ants", "/x", True),
    ],
    "GlobalGroups_Secondary": [
        ("", "ant", "/x", True),
        ("User-agent: *\nAllow: /\nUser-agent: ant\nDisallow: /", "ant", "/x", False),
        ("User-agent: *\nAllow: /\nUser-agent: ant\nDisallow: /", "bee", "/x", True),
        ("User-agent: ant\nAllow: /\nUser-agent: bee\nDisallow: /", "cat", "/x", True),
        ("User-agent: ant\n\nUser-agent: *\n", "ant", "/x", True),
        ("User-agent: *\nDisallow: /a\nUser-agent: *\nDisallow: /b", "ant", "/a", False),
    ],
    "AllowDisallow_Value_CaseSensitive": [
        ("User-agent: *\nDisallow: /a", "ant", "/a", False),
        ("User-agent: *\nDisallow: /A", "ant", "/a", True),
    ],
    "LongestMatch": [
        ("User-agent: *\nDisallow: /d/page\nAllow: /d/", "ant", "/d/page", False),
        ("User-agent: *\nAllow: /d/page\nDisallow: /d/", "ant", "/d/page", True),
        ("User-agent: *\nAllow: /d/page\nDisallow: /d/", "ant", "/d/", False),
        ("User-agent: *\nDisallow:\nAllow:", "ant", "/x", True),
        ("User-agent: *\nDisallow: /\nAllow: /", "ant", "/x", True),
        ("User-agent: *\nAllow: /d/\nDisallow: /d/", "ant", "/d/x", True),
        ("User-agent: *\nDisallow: /d\nAllow: /d/", "ant", "/d", False),
        ("User-agent: *\nAllow: /note\nDisallow: /*.txt", "ant", "/note.txt", False),
        ("User-agent: *\nAllow: /note\nDisallow: /*.txt", "ant", "/note", True),
        ("User-agent: *\nAllow: /a/note.\nDisallow: /*.txt", "ant", "/a/note.txt", True),
        ("User-agent: *\nDisallow: /a/\nUser-agent: ant\nDisallow: /b/", "ant", "/a/x", True),
        ("User-agent: *\nDisallow: /a/\nUser-agent: ant\nDisallow: /b/", "ant", "/b/x", False),
        # Octets count in one spelling: ä is six of them.
        ("User-agent: *\nDisallow: /ä\nAllow: /*xyz", "ant", "/äxyz", False),
    ],
    "Encoding": [
        ("User-agent: *\nDisallow: /\nAllow: /q?a=b&c=http://h?d&e", "ant", "/q?a=b&c=http://h?d&e", True),
        ("User-agent: *\nDisallow: /ツ", "ant", "/%E3%83%84", False),
        ("User-agent: *\nDisallow: /ツ", "ant", "/%e3%83%84", False),
        ("User-agent: *\nDisallow: /%E3%83%84", "ant", "/ツ", False),
        # The examples of RFC 9309, 2.2.2: what needs no escape is compared without it, a reserved one with it.
        ("User-agent: *\nDisallow: /%62%61%7A", "ant", "/baz", False),
        ("User-agent: *\nDisallow: /baz", "ant", "/%62%61%7A", False),
        ("User-agent: *\nDisallow: /q?a=http%3A%2F%2Fh", "ant", "/q?a=http://h", False),
        ("User-agent: *\nDisallow: /a%2Fb", "ant", "/a/b", True),
        ("User-agent: *\nDisallow: /a%3Fb", "ant", "/a?b", True),
        ("User-agent: *\nDisallow: /100%", "ant", "/100%25", False),
    ],
    "SpecialCharacters": [
        ("User-agent: *\nDisallow: /a/b/c\nAllow: /a/*/d", "ant", "/a/b/c", False),
        ("User-agent: *\nDisallow: /a/b/c\nAllow: /a/*/d", "ant", "/a//d", True),
        ("User-agent: *\nDisallow: /*", "ant", "/", False),
        ("User-agent: *\nDisallow: *.txt", "ant", "/a.txt", False),
        ("User-agent: *\nDisallow: /a$", "ant", "/a", False),
        ("User-agent: *\nDisallow: /a$", "ant", "/a/", True),
        ("User-agent: *\nDisallow: /a$b", "ant", "/a$bc", False),
        ("User-agent: *\nDisallow: /*a*a$", "ant", "/a", True),
        ("User-agent: *\nDisallow: /*a*a$", "ant", "/aba", False),
        # RFC 9309, 2.2.3: the characters themselves are escaped.
        ("User-agent: *\nDisallow: /a-%2A.html", "ant", "/a-*.html", False),
        ("User-agent: *\nDisallow: /a-%2A.html", "ant", "/a-b.html", True),
        ("User-agent: *\nDisallow: /a-%24", "ant", "/a-$", False),
        ("User-agent: *\n# Disallow: /\nDisallow: /a#b", "ant", "/x", True),
        ("User-agent: *\n# Disallow: /\nDisallow: /a#b", "ant", "/ab", False),
    ],
    "LinesNumbersAreCountedCorrectly": [
        (f"User-agent: bee{end}Allow: /x{end}User-agent: ant{end}{end}{end}Disallow: /{last}", "ant", "/x", False)
        for end in ("\n", "\r\n", "\r")
        for last in (end, "")
    ],
    "NonStandardLineExample_Sitemap": [
        ("Sitemap: http://h/s.xml\nUser-agent: ant\nDisallow: /a", "ant", "/a", False),
    ],
    "Robots_Itself": [
        ("User-agent: *\nDisallow: /", "ant", "/robots.txt", True),
        ("User-agent: *\nDisallow: /", "ant", "/a/robots.txt", False),
    ],
}  # fmt: skip

#: Where Google's parser goes further than RFC 9309, or against it: what ours does, why, and cases of it.
FURTHER = {
    "GoogleOnly_SystemTest": ("followed: an empty file, agent or URL is answered and is no error", [
        ("", "", "", True),
        ("User-agent: ant\nDisallow: /", "", "", True),
        ("User-agent: ant\nDisallow: /", "ant", "", False),
    ]),
    "GoogleOnly_AcceptUserAgentUpToFirstSpace": ("followed: a name ends where no token goes on, ours never has a blank", [
        ("User-agent: *\nDisallow: /\nUser-agent: ant hill\nAllow: /", "ant", "/x", True),
        ("User-agent: *\nDisallow: /\nUser-agent: ant hill\nAllow: /", "ant hill", "/x", False),
    ]),
    "GoogleOnly_IndexHTMLisDirectory": ("followed: who wrote it tried it with Google, and it allows what was meant", [
        ("User-agent: *\nAllow: /d/index.html\nDisallow: /", "ant", "/d/", True),
        ("User-agent: *\nAllow: /d/index.html\nDisallow: /", "ant", "/d/index.html", True),
        ("User-agent: *\nAllow: /d/index.html\nDisallow: /", "ant", "/d/other", False),
    ]),
    "GoogleOnly_DocumentationChecks": ("followed: it is the RFC, put into examples", [
        ("User-agent: *\nDisallow: /\nAllow: /$", "ant", "/", True),
        ("User-agent: *\nDisallow: /\nAllow: /cod*", "ant", "/codfish?x", True),
        ("User-agent: *\nDisallow: /\nAllow: /cod*", "ant", "/Cod", False),
        ("User-agent: *\nDisallow: /\nAllow: /*.c", "ant", "/a/x.c?y", True),
        ("User-agent: *\nDisallow: /\nAllow: /*.c$", "ant", "/a/x.c?y", False),
    ]),
    "GoogleOnly_LineTooLong": ("followed: a line is cut after 16 KiB, so that it forbids more, or allows more, but costs no more", [
        (f"User-agent: *\nDisallow: /{'a' * 20_000}", "ant", "/" + "a" * 17_000, False),
        (f"User-agent: *\nDisallow: /{'a' * 20_000}", "ant", "/" + "a" * 16_000, True),
    ]),
    "ID_Encoding": ("three not followed: RFC 9309, 2.2.2 escapes ツ, and unescapes %62, before they are compared", [
        ("User-agent: *\nDisallow: /\nAllow: /ツ", "ant", "/ツ", True),
        ("User-agent: *\nDisallow: /\nAllow: /%E3%83%84", "ant", "/ツ", True),
        ("User-agent: *\nDisallow: /\nAllow: /%62%61%7A", "ant", "/baz", True),
    ]),
}  # fmt: skip


@pytest.mark.parametrize(
    ("robots", "agent", "path", "allowed"),
    [pytest.param(*case, id=f"{name}-{n}") for name, cases in CASES.items() for n, case in enumerate(cases)],
)
def test_cases(robots: str, agent: str, path: str, allowed: bool) -> None:
    assert RobotsRules(robots.encode(), agent).allows(f"http://h{path}") is allowed


@pytest.mark.parametrize(
    ("robots", "agent", "path", "allowed"),
    [pytest.param(*case, id=f"{name}-{n}") for name, (_, cases) in FURTHER.items() for n, case in enumerate(cases)],
)
def test_what_google_does_further(robots: str, agent: str, path: str, allowed: bool) -> None:
    assert RobotsRules(robots.encode(), agent).allows(f"http://h{path}") is allowed


def test_our_product_token_is_one() -> None:
    """VerifyValidUserAgentsToObey: letters, `-` and `_` only."""
    assert PRODUCT_TOKEN
    assert set(PRODUCT_TOKEN) <= {*string.ascii_letters, "-", "_"}


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xef\xbb", b"\xef", b""])
def test_a_mark_of_utf8_is_skipped_at_the_beginning(mark: bytes) -> None:
    """UTF8ByteOrderMarkIsSkipped, whole or cut off; not one that is damaged, or stands elsewhere."""
    assert not RobotsRules(mark + b"User-agent: *\nDisallow: /", "ant").allows("http://h/x")
    assert RobotsRules(b"\xef\x11\xbfUser-agent: *\nDisallow: /", "ant").allows("http://h/x")
    assert RobotsRules(b"User-agent: *\n\xef\xbb\xbfDisallow: /", "ant").allows("http://h/x")


def test_half_a_mebibyte_is_read() -> None:
    lines = b"User-agent: *\n" + b"#" * (500 * 1024) + b"\nDisallow: /a\n"
    assert not RobotsRules(lines).allows("http://h/a")
    assert RobotsRules(lines + b"#" * MAX_ROBOTS_BYTES + b"\nDisallow: /b").allows("http://h/b")


def test_a_verdict_quotes_its_line() -> None:
    rules = RobotsRules("User-agent: *\n  disallow:\t/a\x00ä  # private\nAllow: /a\x00ä/b".encode())
    assert rules.verdict("http://h/a%00%C3%A4") == Verdict(False, "disallow: /a ä")
    assert rules.verdict("http://h/a%00ä/b") == Verdict(True, "Allow: /a ä/b")
    assert rules.verdict("http://h/b") == Verdict(True, "")
    assert len(RobotsRules(b"User-agent: *\nDisallow: /" + b"a" * 9000).verdict(f"http://h/{'a' * 9000}").rule) == 500


def test_pace_is_that_of_the_group() -> None:
    body = b"User-agent: ant\nCrawl-delay: 2\nUser-agent: bee\nRequest-rate: 1/10\nDisallow: /a\nUser-agent: *\nCrawl delay: 7"
    assert [RobotsRules(body, agent).delay_s for agent in ("ant", "bee", "cat")] == [10.0, 10.0, 7.0]


# ---------------------------------------------------------------- laws

_PATHS = st.text(alphabet="/ab*$?%2fé~=", max_size=12).map("/{}".format)
_RULES = st.lists(st.tuples(st.sampled_from(["Allow", "Disallow", "allow", "DISALLOW"]), _PATHS), max_size=8)


@given(_RULES, _PATHS, st.sampled_from(["\n", "\r\n", "\r"]), st.randoms(use_true_random=False))
def test_the_order_and_the_spelling_of_rules_do_not_matter(rules, path, end, random) -> None:
    plain = "User-agent: *\n" + "\n".join(f"{name}: {pattern}" for name, pattern in rules)
    shuffled = random.sample(rules, len(rules))
    other = end.join(
        ["\ufeffUSER-AGENT : *  # all", "Host: x", *(f" {n.upper()}\t: {p} # c{end}" for n, p in shuffled)]
    )
    one, two = RobotsRules(plain.encode()), RobotsRules(other.encode())
    assert one.allows(f"http://h{path}") is two.allows(f"http://h{path}")


@given(_PATHS)
def test_one_spelling(path: str) -> None:
    once = spelt(path.encode())
    assert spelt(once.encode()) == once
    assert path_and_query(f"http://h{path}") == once
    assert PathPattern(once.encode()).matches(once)
    assert PathPattern(once.encode() + b"$").matches(once)
    assert not PathPattern(once.encode() + b"$").matches(once + "x")


@given(_RULES, st.text(alphabet="/ab?=~.", max_size=12).map("/{}".format))
def test_protego_says_the_same(rules, path) -> None:
    """Where neither takes its own way: no escapes, a `$` only at the end (Protego reads it as itself as well)."""
    lines = [f"{name}: {pattern.replace('$', '').replace('%', '')}" for name, pattern in rules]
    text = "\n".join(["User-agent: *", *lines])
    assert RobotsRules(text.encode()).allows(f"http://h{path}") is Protego.parse(text).can_fetch(
        f"http://h{path}", "ant"
    )


@given(st.binary(max_size=300), _PATHS)
def test_any_bytes_have_a_verdict(body: bytes, path: str) -> None:
    verdict = RobotsRules(b"User-agent: *\nDisallow: /no\n" + body).verdict(f"http://h{path}")
    assert verdict.rule.isprintable()


# ---------------------------------------------------------------- published sets


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published cases are not here")
def test_the_published_cases() -> None:
    cases = json.loads((PUBLISHED / "google_robotstxt_cases.json").read_text())
    other = [
        case["source"].split()[-1]
        for case in cases
        if RobotsRules(case["robots_txt"].encode(), case["user_agent"]).allows(case["url"]) is not case["allowed"]
    ]
    assert len(cases) > 100
    assert other == ["ID_Encoding"] * 3, FURTHER["ID_Encoding"]


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the real files are not here")
def test_real_files_have_the_verdicts_that_protego_gives() -> None:
    with tarfile.open(PUBLISHED / "protego_real_robots_txt.tar.gz") as files:
        bodies = [files.extractfile(each).read() for each in files if "/test_data/" in each.name and each.isfile()]
    assert len(bodies) > 300
    for body in bodies:
        rules, referee = RobotsRules(body), Protego.parse(body.decode("utf-8", "replace").lstrip("\ufeff"))
        again = RobotsRules(body.replace(b"\r\n", b"\n").replace(b"\n", b" # end\r\n"))
        assert (again.delay_s, again.sitemaps) == (rules.delay_s, rules.sitemaps)
        values = [line.value for line in list(robots_lines(body))[:60] if line.name in ("allow", "disallow")]
        for value in (each.decode("utf-8", "replace") for each in values if each.startswith(b"/")):
            url = f"https://h{value.rstrip('$').replace('*', 'any')}"
            assert rules.verdict(url) == again.verdict(url)
            assert "$" in url or rules.allows(url) is referee.can_fetch(url, PRODUCT_TOKEN), url
