"""robots.txt by RFC 9309: the rules of one origin for our agent."""

from __future__ import annotations

import re

from protego import Protego

from crawlers import PRODUCT_TOKEN

#: RFC 9309, 2.5: at least 500 KiB are parsed.
MAX_ROBOTS_BYTES = 512 * 1024
#: RFC 9309, 2.3.1.2: at least five redirects are followed.
MAX_ROBOTS_REDIRECTS = 5
#: A source that wants longer pauses (seconds) is not crawled at all.
MAX_CRAWL_DELAY_S = 300.0

_USER_AGENT = re.compile(r"(?:user-agent|useragent|user agent)\s*[:\s]\s*(.*)", re.IGNORECASE)
_TOKEN = re.compile(r"[a-zA-Z_-]+")
#: A group for a name that no product token contains.
_NOBODY = "x"
_KNOWN = re.compile(
    r"\s*(?:user-?\s?agent|diss?all?[ao]w|diasllow|allow|site-?maps?|crawl[- ]delay|request[- ]rate)\b",
    re.IGNORECASE,
)


class RobotsRules:
    """What one robots.txt allows us, and how fast.

    `delay_s`: the larger of Crawl-delay and the interval of Request-rate, in seconds; 0 where neither
    stands. `sitemaps`: the URLs of its Sitemap lines, as written.
    """

    def __init__(self, body: bytes) -> None:
        self._rules = Protego.parse(_normalised(body))
        rate = self._rules.request_rate(PRODUCT_TOKEN)
        self.delay_s = max(self._rules.crawl_delay(PRODUCT_TOKEN) or 0.0, rate.seconds / rate.requests if rate else 0.0)
        self.sitemaps = list(self._rules.sitemaps)

    def allows(self, url: str) -> bool:
        """Whether we may fetch a URL of this origin."""
        return self._rules.can_fetch(url, PRODUCT_TOKEN)


def _normalised(body: bytes) -> str:
    """The text with the group names reduced to ours, `*` and nobody.

    The product token has to match whole (RFC 9309, 2.2.1) where Protego would match a beginning of it;
    a line that is no rule between two user-agent lines does not part their group, as it would there.
    """
    text = body[:MAX_ROBOTS_BYTES].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    return "\n".join(_normalised_line(line) for line in re.split(r"\r\n|\r|\n", text) if _KNOWN.match(line))


def _normalised_line(line: str) -> str:
    match = _USER_AGENT.match(line.strip())
    if match is None:
        return line
    name = match[1].partition("#")[0].strip()
    if name == "*" or name.startswith("* "):
        return "User-agent: *"
    token = _TOKEN.match(name)
    ours = token is not None and token[0].lower() == PRODUCT_TOKEN
    return f"User-agent: {PRODUCT_TOKEN if ours else _NOBODY}"
