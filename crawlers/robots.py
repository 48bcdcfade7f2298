"""robots.txt by RFC 9309: the rules of one origin for our agent."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from protego import Protego

from crawlers import PRODUCT_TOKEN
from crawlers.patterns import Longest, PathPattern, path_and_query

#: RFC 9309, 2.5: at least 500 KiB are parsed.
MAX_ROBOTS_BYTES = 512 * 1024
#: RFC 9309, 2.3.1.2: at least five redirects are followed.
MAX_ROBOTS_REDIRECTS = 5
#: A source that wants longer pauses (seconds) is not crawled at all.
MAX_CRAWL_DELAY_S = 300.0

#: Bytes of a line that are read, as many as Google reads.
_MAX_LINE_BYTES = 2083 * 8 - 1
#: Characters of a line that a verdict quotes.
_MAX_RULE = 500
_LINE_ENDS = re.compile(rb"\r\n|\r|\n")
# A colon, or white space before a value of one word, parts name and value.
_LINE = re.compile(
    rb"([a-z][a-z_-]*(?:[ \t]+(?:agent|delay|rate))?)(?:[ \t]*:|[ \t]+(?=\S+\Z))[ \t]*(.*)", re.IGNORECASE | re.DOTALL
)
#: Names that sites write for the one on the right; Google's parser reads them too.
_SPELLINGS = {
    "useragent": "user-agent",
    "user agent": "user-agent",
    "dissallow": "disallow",
    "dissalow": "disallow",
    "disalow": "disallow",
    "diasllow": "disallow",
    "disallaw": "disallow",
    "crawl delay": "crawl-delay",
    "request rate": "request-rate",
    "sitemaps": "sitemap",
    "site-map": "sitemap",
}
_TOKEN = re.compile(rb"[a-zA-Z_-]+")
_RULES = frozenset({"allow", "disallow"})
_PACE = frozenset({"crawl-delay", "request-rate"})


@dataclass(frozen=True, slots=True)
class Line:
    """A record of a robots.txt: its name in lower case and one spelling, its value, and both as they were written."""

    name: str
    value: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a URL may be fetched, and the line of robots.txt that says so; empty where none speaks of it."""

    allowed: bool
    rule: str = ""


class RobotsRules:
    """What one robots.txt allows an agent, ours if none is named, and how fast.

    `delay_s`: the larger of Crawl-delay and the interval of Request-rate, in seconds; 0 where neither
    stands. `sitemaps`: the URLs of its Sitemap lines, as written.
    """

    def __init__(self, body: bytes, agent: str = PRODUCT_TOKEN) -> None:
        lines = list(robots_lines(body))
        ours = group_of(lines, agent, _RULES)
        self._rules = Longest(rule for line in ours if line.name in _RULES for rule in _patterns(line))
        # Protego reads the fields that RFC 9309 does not define.
        fields = [line for line in ours if line.name in _PACE] + [line for line in lines if line.name == "sitemap"]
        text = "\n".join(f"{line.name}: {line.value.decode('utf-8', 'replace')}" for line in fields)
        read = Protego.parse("user-agent: *\n" + text)
        rate = read.request_rate("*")
        self.delay_s = max(read.crawl_delay("*") or 0.0, rate.seconds / rate.requests if rate else 0.0)
        self.sitemaps = list(read.sitemaps)

    def allows(self, url: str) -> bool:
        """Whether a URL of this origin may be fetched."""
        return self.verdict(url).allowed

    def verdict(self, url: str) -> Verdict:
        """Whether a URL of this origin may be fetched, and by which rule: the longest; of equals, one that allows.

        /robots.txt itself may always be (RFC 9309, 2.2.2).
        """
        path = path_and_query(url)
        if path.partition("?")[0] == "/robots.txt":
            return Verdict(True)
        found = self._rules.of(path)
        return next((each for each in found if each.allowed), found[0] if found else Verdict(True))


def robots_lines(body: bytes) -> Iterator[Line]:
    """The records of a robots.txt in their order, without comments and what is no record; at most 512 KiB are read."""
    body = body[:MAX_ROBOTS_BYTES]
    # A mark of UTF-8 that was cut is none of the first name.
    for mark in (b"\xef\xbb\xbf", b"\xef\xbb", b"\xef"):
        if body.startswith(mark):
            body = body[len(mark) :]
            break
    for raw in _LINE_ENDS.split(body):
        text = raw[:_MAX_LINE_BYTES].partition(b"#")[0].strip()
        match = _LINE.match(text)
        if match is not None:
            name = " ".join(match[1].decode("ascii").lower().split())
            yield Line(_SPELLINGS.get(name, name), match[2], _printable(text))


def group_of(lines: Iterable[Line], agent: str, closing: Container[str]) -> list[Line]:
    """The records of all groups that name an agent; where none does, of those for every agent (RFC 9309, 2.2.1).

    A group begins with user-agent lines, and the next one with the first of them after a record that is `closing`.
    """
    ours: list[Line] = []
    everyones: list[Line] = []
    named, agents, closed = False, set[str](), True
    for line in lines:
        if line.name == "user-agent":
            agents = set() if closed else agents
            agents.add(_agent(line.value))
            named, closed = named or agent.lower() in agents, False
            continue
        closed = closed or line.name in closing
        if agent.lower() in agents:
            ours.append(line)
        if "*" in agents:
            everyones.append(line)
    return ours if named else everyones


def _agent(value: bytes) -> str:
    """Product token of a user-agent line in lower case, `*`, or nothing; a version after it does not count."""
    if value.split()[:1] == [b"*"]:
        return "*"
    token = _TOKEN.match(value)
    return token[0].decode("ascii").lower() if token else ""


def _patterns(line: Line) -> Iterator[tuple[PathPattern, Verdict]]:
    """The pattern of an allow or disallow line, none where it is empty or no path; with an index.html its directory."""
    if not line.value.startswith((b"/", b"*")):
        return
    verdict = Verdict(line.name == "allow", line.text)
    yield PathPattern(line.value), verdict
    # Who allows a directory's page by its name, with all else forbidden, means the directory; so does Google.
    if verdict.allowed and line.value.endswith(b"/index.html"):
        yield PathPattern(line.value.removesuffix(b"index.html") + b"$"), verdict


def _printable(text: bytes) -> str:
    """A line to quote: its printable characters, white space as one blank."""
    decoded = text.decode("utf-8", "replace")[:_MAX_RULE]
    return " ".join("".join(c if c.isprintable() else " " for c in decoded).split())
