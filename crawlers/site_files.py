"""What the files at the root of a site say: its rules for robots, and for what its pages may be used."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from urllib.parse import urljoin

from crawlers.content import BodyError
from crawlers.frontier import Changes, Frontier, Kind, Link, Origin, OriginState, State
from crawlers.optout import AI_TXT_PATH, TDMREP_PATH, SiteSignals
from crawlers.robots import MAX_CRAWL_DELAY_S, MAX_ROBOTS_BYTES, MAX_ROBOTS_REDIRECTS, RobotsRules
from crawlers.urls import canonical_url, path_of
from crawlers.visit import LLMS_TXT, redirect_target
from crawlers.warc import Record

#: RFC 9309, 2.4: rules are not used for longer than a day.
RULES_LAST_S = 24 * 3600.0


class SiteFiles:
    """The rules of a source's origins, as far as their files have come.

    An origin waits for its robots.txt, then for its reservations; only then it is open. `read_back` gives the
    response of a URL with its payload, None where there is none.
    """

    def __init__(self, frontier: Frontier, read_back: Callable[[str], Record | None]) -> None:
        self._frontier = frontier
        self._read_back = read_back
        self._rules: dict[int, RobotsRules] = {}
        self._signals: dict[int, SiteSignals] = {}

    def rules(self, origin: Origin) -> RobotsRules:
        """The robots rules of an origin that does not wait for them."""
        return self._rules[origin.id]

    def signals(self, origin: Origin) -> SiteSignals | None:
        """What an open origin says of the use of its pages."""
        return self._signals.get(origin.id)

    def delay_s(self, origin: Origin) -> float:
        """Seconds between two requests that its robots.txt asks for."""
        rules = self._rules.get(origin.id)
        return rules.delay_s if rules else 0.0

    def kinds(self, origin: Origin) -> list[Kind]:
        """What may be fetched from an origin now."""
        allowed = {
            OriginState.WAITING: [Kind.ROBOTS],
            OriginState.ASKING: [Kind.ROBOTS, Kind.SIGNALS],
            OriginState.OPEN: [Kind.ROBOTS, Kind.SITEMAP, Kind.PAGE],
        }
        return allowed.get(origin.state, [])

    def expire(self, origin: Origin, now: float) -> bool:
        """Ask again for rules that are a day old; whether that was so."""
        if origin.state is not OriginState.OPEN or now - origin.asked_at < RULES_LAST_S:
            return False
        origin.state = OriginState.WAITING
        self._frontier.fetch_again(origin.robots_url)
        self._frontier.apply(Changes(origins=[origin]))
        return True

    def resolve(self, origin: Origin, now: float) -> Changes | None:
        """What follows where an origin's next file has come; None where it has not."""
        if origin.state is OriginState.WAITING:
            return self._resolve_robots(origin, now)
        if origin.state is OriginState.ASKING and not self._frontier.has_unfinished(origin, Kind.SIGNALS):
            return self._open(origin)
        return None

    def reload(self, origin: Origin) -> Changes:
        """Read again what an origin said before this process began; where it is lost, ask again."""
        rules = rules_in(self._read_back(origin.robots_url))
        if rules is None:
            origin.state = OriginState.WAITING
            self._frontier.fetch_again(origin.robots_url)
            return Changes(origins=[origin])
        self._rules[origin.id] = rules
        if origin.state is OriginState.OPEN:
            self._signals[origin.id] = self._read_signals(origin)
        return Changes()

    # ------------------------------------------------------------ robots.txt

    def _resolve_robots(self, origin: Origin, now: float) -> Changes | None:
        found = self._frontier.find(origin.robots_url)
        fate = found[1] if found else None
        if fate is None or fate.state in (State.PENDING, State.LEASED):
            return None
        if fate.state is State.DONE:
            return self._obey(origin, self._read_back(origin.robots_url), now)
        reason = fate.reason if fate.reason in ("private_address", "later") else "robots_unreachable"
        return _blocked(origin, reason or "", f"{origin.robots_url}: {fate.reason} {fate.detail or ''}".rstrip())

    def _obey(self, origin: Origin, record: Record | None, now: float) -> Changes:
        """Follow the response for an origin's robots.txt (RFC 9309, 2.3.1)."""
        target = redirect_target(record) if record else None
        # Who redirects robots.txt to a home page has none.
        if target and origin.robots_hops < MAX_ROBOTS_REDIRECTS and "robots" in path_of(target).rpartition("/")[2]:
            origin.robots_url, origin.robots_hops = target, origin.robots_hops + 1
            return Changes(origins=[origin], links=[Link(target, Kind.ROBOTS)])
        rules = rules_in(record)
        if rules is None:
            return _blocked(origin, "robots_unreachable", origin.robots_url)
        if rules.delay_s > MAX_CRAWL_DELAY_S:
            return _blocked(origin, "crawl_delay_too_long", f"{rules.delay_s:.0f} s")
        self._rules[origin.id] = rules
        origin.state, origin.asked_at = OriginState.ASKING, now
        asked = [Link(origin.origin + path, Kind.SIGNALS) for path in (TDMREP_PATH, AI_TXT_PATH)]
        return Changes(origins=[origin], links=asked)

    # ------------------------------------------------------------ what pages may be used for

    def _open(self, origin: Origin) -> Changes:
        self._signals[origin.id] = self._read_signals(origin)
        origin.state = OriginState.OPEN
        return Changes(origins=[origin])

    def _read_signals(self, origin: Origin) -> SiteSignals:
        found = {path: _body(self._read_back(origin.origin + path)) for path in (TDMREP_PATH, AI_TXT_PATH)}
        robots = _body(self._read_back(origin.robots_url))
        return SiteSignals(robots or b"", found[TDMREP_PATH], found[AI_TXT_PATH])

    def indexes(self, origin: Origin) -> Iterable[str]:
        """Canonical URLs of the lists of pages that an origin offers."""
        listed = (urljoin(origin.robots_url, line) for line in self._rules[origin.id].sitemaps)
        for url in (*listed, origin.origin + LLMS_TXT):
            canonical = canonical_url(url)
            if canonical is not None:
                yield canonical


def _blocked(origin: Origin, reason: str, detail: str) -> Changes:
    origin.state, origin.reason, origin.detail = OriginState.BLOCKED, reason, detail
    return Changes(origins=[origin])


def _body(record: Record | None) -> bytes | None:
    if record is None or record.status != HTTPStatus.OK:
        return None
    try:
        return record.body(20 * MAX_ROBOTS_BYTES)[:MAX_ROBOTS_BYTES]
    except BodyError:
        return None


def rules_in(record: Record | None) -> RobotsRules | None:
    """The rules in a response for a robots.txt (RFC 9309, 2.3.1): below 500 all but 2xx forbid nothing.

    None: everything is forbidden.
    """
    if record is None or record.status >= 500:
        return None
    if not 200 <= record.status < 300:
        return RobotsRules(b"")
    try:
        return RobotsRules(record.body(20 * MAX_ROBOTS_BYTES))
    except BodyError:
        return None
