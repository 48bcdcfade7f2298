"""The crawl of one source, without a network: frontier, WARC, robots rules and scope together."""

from __future__ import annotations

import math
import time
from collections import deque
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from pathlib import Path

from crawlers.content import BodyError
from crawlers.frontier import (
    Changes,
    Fate,
    Frontier,
    Kind,
    Lease,
    Link,
    Origin,
    OriginState,
    Retry,
    State,
    Stored,
    Unfetched,
)
from crawlers.http import header, parse_head
from crawlers.robots import MAX_CRAWL_DELAY_S, MAX_ROBOTS_BYTES, MAX_ROBOTS_REDIRECTS, RobotsRules
from crawlers.scope import Scope, is_sitemap_name
from crawlers.urls import canonical_url, origin_of, path_of
from crawlers.visit import Visit, redirect_target, sitemap_links, visit
from crawlers.warc import Record, WarcWriter, read_records, record_of, warc_files
from manifests.models import CrawlSettings, Source

#: Responses that may pass: tried again, and stored in no WARC.
RETRY_STATUSES = frozenset({429, 500, 502, 503, 504})
MAX_RETRY_AFTER_S = 3600.0
MAX_SITEMAPS = 1000
#: URLs leased, and records indexed, in one transaction.
_LEASES = 32
_BATCH = 50
#: URLs remembered as inserted, so that a site's navigation is not offered to SQLite for every page.
_RECENT = 20_000
_ANY_SIZE = 1 << 31


class SourceSession:
    """Everything of one source's crawl that is not the network.

    On opening it recovers: what a kill left between WARC and frontier is read from the WARC and goes
    the way of a live response. Raises FrontierLockedError where another process crawls the source.
    """

    def __init__(self, source: Source, settings: CrawlSettings, directory: Path, lock_wait_s: float = 30.0) -> None:
        self.source = source
        self._settings = settings
        self._directory = directory
        self._scope = Scope(source)
        directory.mkdir(parents=True, exist_ok=True)
        self._frontier = Frontier(directory / "frontier.sqlite", lock_wait_s)
        self._rules: dict[int, RobotsRules] = {}
        self._leased: dict[int, deque[Lease]] = {}
        #: Unix time from which an origin that had nothing due has something; infinite: not before new links.
        self._dry: dict[int, float] = {}
        self._recent: set[str] = set()
        self._changes = Changes()
        self._tried = self._frontier.tried()
        self._recover()

    # ------------------------------------------------------------ what the spider asks and tells

    @property
    def origins(self) -> list[Origin]:
        """Origins met so far."""
        return list(self._frontier.origins.values())

    def delay_s(self, origin: Origin) -> float:
        """Seconds between two requests to an origin: ours or its own, whichever is longer."""
        rules = self._rules.get(origin.id)
        return max(self._settings.delay_s, rules.delay_s if rules else 0.0)

    def due_at(self, origin: Origin, now: float) -> float:
        """Unix time from which `take` is worth a try; infinite where an origin has nothing pending."""
        if self._leased.get(origin.id):
            return now
        return math.inf if origin.state is OriginState.BLOCKED else self._dry.get(origin.id, now)

    def take(self, origin: Origin, now: float) -> Lease | None:
        """The next URL of an origin to fetch at Unix time `now`, which its robots.txt allows."""
        leased = self._leased.setdefault(origin.id, deque())
        while True:
            if not leased:
                leased.extend(self._lease(origin, now))
            if not leased:
                due = self._frontier.next_due(origin)
                self._dry[origin.id] = math.inf if due is None else due
                return None
            lease = leased.popleft()
            if lease.kind is Kind.ROBOTS or self._rules[origin.id].allows(lease.url):
                return lease
            self._tried[lease.kind] -= 1
            self._changes.unfetched.append(Unfetched(lease.url, State.EXCLUDED, "robots_disallow"))

    def answered(self, lease: Lease, head: bytes, body: bytes, fetched_at: datetime) -> float:
        """A response came: store it, follow it. Returns for how many seconds to leave its host alone."""
        try:
            status, headers = parse_head(head)
        except ValueError:
            return self.failed(lease, "bad_response")
        if status in RETRY_STATUSES:
            pause = _retry_after(header(headers, "retry-after"), fetched_at)
            delay = self.failed(lease, f"http_{status}", at_least_s=pause)
            return delay if status in (429, 503) else 0.0
        location, stored_head = self._writer.append(lease.url, fetched_at, head, body)
        self._settle(record_of(lease.url, fetched_at, location, stored_head, body), lease)
        return 0.0

    def failed(self, lease: Lease, reason: str, detail: str = "", at_least_s: float = 0.0) -> float:
        """A fetch failed in a way that may pass: retried later, in the end given up.

        Returns the seconds until the next try, 0 where there is none.
        """
        if lease.tries >= self._settings.retries:
            self.gave_up(lease, State.FAILED, reason, detail)
            return 0.0
        backoff = max(1.0, 10.0 * self._settings.delay_s) * 2.0**lease.tries
        delay = max(at_least_s, min(backoff, MAX_RETRY_AFTER_S))
        self._changes.retries.append(Retry(lease.url, time.time() + delay))
        self._dry.pop(self._origin(lease).id, None)
        return delay

    def gave_up(self, lease: Lease, state: State, reason: str, detail: str = "") -> None:
        """A URL will not be fetched: `state` is EXCLUDED or FAILED."""
        self._changes.unfetched.append(Unfetched(lease.url, state, reason, detail))
        if lease.kind is Kind.ROBOTS:
            self._resolve_origins()

    def has_unfinished(self) -> bool:
        """Whether a URL of the source has no final state yet."""
        self.flush()
        return self._frontier.has_unfinished()

    def flush(self) -> None:
        """Write what has happened since the last time to the frontier, in one transaction."""
        if not self._changes:
            return
        changes, self._changes = self._changes, Changes()
        self._frontier.apply(changes)
        if changes.links or changes.origins:
            for origin in self._frontier.origins.values():
                if origin.state is OriginState.BLOCKED:
                    self._frontier.exclude_pending(origin, origin.reason, origin.detail)
            self._exclude_beyond_budget()

    def close(self) -> None:
        """Settle everything, give up the ownership. URLs in flight are pending again."""
        self.flush()
        self._frontier.release()
        self._writer.close()
        self._frontier.close()

    # ------------------------------------------------------------ leasing

    def _lease(self, origin: Origin, now: float) -> list[Lease]:
        if origin.state is OriginState.BLOCKED:
            return []
        self.flush()
        kinds = [Kind.ROBOTS] if origin.state is OriginState.WAITING else list(Kind)
        # Where the room is used up, no page is pending that has not been tried before.
        room = max(1, min(self._room(Kind.PAGE), self._room(Kind.SITEMAP)))
        leases = self._frontier.lease(origin, kinds, min(_LEASES, room), now)
        for lease in leases:
            self._tried[lease.kind] += lease.tries == 0
        self._exclude_beyond_budget()
        return leases

    def _room(self, kind: Kind) -> int:
        limit = MAX_SITEMAPS if kind is Kind.SITEMAP else self._settings.max_pages_per_source
        room = limit - self._tried[kind]
        return room if room > 0 else _LEASES

    def _exclude_beyond_budget(self) -> None:
        if self._tried[Kind.PAGE] >= self._settings.max_pages_per_source:
            self._frontier.exclude_untried(Kind.PAGE, "page_budget")
        if self._tried[Kind.SITEMAP] >= MAX_SITEMAPS:
            self._frontier.exclude_untried(Kind.SITEMAP, "sitemap_budget")

    # ------------------------------------------------------------ a response in the WARC

    def _settle(self, record: Record, lease: Lease) -> None:
        """Index a response that is in the WARC, and follow it; live and on replay the same."""
        self._changes.stored.append(
            Stored(
                url=lease.url,
                status=record.status,
                content_type=record.content_type,
                file=record.file,
                offset=record.offset,
                length=record.length,
                digest=record.digest,
                fetched_at=record.fetched_at.isoformat(timespec="seconds"),
            )
        )
        if lease.kind is Kind.ROBOTS:
            self._resolve_origins()
        else:
            self._insert(visit(record, lease, self._scope, self._settings.max_body_bytes))
        if len(self._changes.stored) >= _BATCH:
            self.flush()

    def _insert(self, visited: Visit) -> None:
        for name, count in visited.counts.items():
            self._changes.counts[name] = self._changes.counts.get(name, 0) + count
        links = [link for link in visited.links if link.url not in self._recent]
        if len(self._recent) > _RECENT:
            self._recent.clear()
        if links:
            self._recent.update(link.url for link in links)
            self._changes.links.extend(links)
            self._dry.clear()

    # ------------------------------------------------------------ robots.txt

    def _resolve_origins(self) -> None:
        """Open or block every origin whose robots.txt has got a fate."""
        self.flush()
        progress = True
        while progress:
            waiting = [o for o in self._frontier.origins.values() if o.state is OriginState.WAITING]
            progress = sum(self._resolve(origin) for origin in waiting) > 0
            self.flush()
        self._dry.clear()

    def _resolve(self, origin: Origin) -> bool:
        """Take an origin one step further; False where its robots.txt has no fate yet."""
        found = self._frontier.find(origin.robots_url)
        fate = found[1] if found else None
        if fate is None or fate.state in (State.PENDING, State.LEASED):
            return False
        if fate.state is State.DONE:
            self._obey(origin, self._read_back(fate))
        else:
            reason = "private_address" if fate.reason == "private_address" else "robots_unreachable"
            self._block(origin, reason, f"{origin.robots_url}: {fate.reason} {fate.detail}".rstrip())
        return True

    def _obey(self, origin: Origin, record: Record | None) -> None:
        """Follow the response for an origin's robots.txt (RFC 9309, 2.3.1)."""
        target = redirect_target(record) if record else None
        # Who redirects robots.txt to a home page has none.
        if target and origin.robots_hops < MAX_ROBOTS_REDIRECTS and "robots" in path_of(target).rpartition("/")[2]:
            origin.robots_url, origin.robots_hops = target, origin.robots_hops + 1
            self._changes.origins.append(origin)
            self._changes.links.append(Link(target, Kind.ROBOTS))
            return
        rules = _rules(record)
        if rules is None:
            self._block(origin, "robots_unreachable", origin.robots_url)
        elif rules.delay_s > MAX_CRAWL_DELAY_S:
            self._block(origin, "crawl_delay_too_long", f"{rules.delay_s:.0f} s")
        else:
            self._rules[origin.id] = rules
            origin.state = OriginState.OPEN
            self._changes.origins.append(origin)
            urls = (canonical_url(line, origin.robots_url) for line in rules.sitemaps)
            self._insert(sitemap_links((url for url in urls if url), 0, self._scope))

    def _block(self, origin: Origin, reason: str, detail: str) -> None:
        origin.state, origin.reason, origin.detail = OriginState.BLOCKED, reason, detail
        self._changes.origins.append(origin)

    def _read_back(self, fate: Fate) -> Record | None:
        """The record of a URL that is done; None where the file is damaged there."""
        assert fate.file is not None and fate.offset is not None and fate.length is not None
        with (self._directory / fate.file).open("rb") as stream:
            stream.seek(fate.offset)
            member = BytesIO(stream.read(fate.length))
        item = next(read_records(member, fate.file, _ANY_SIZE, fate.offset), None)
        return item if isinstance(item, Record) else None

    def _origin(self, lease: Lease) -> Origin:
        return self._frontier.origins[origin_of(lease.url)]

    # ------------------------------------------------------------ recovery

    def _recover(self) -> None:
        self._frontier.release()
        ends = self._frontier.settled_ends()
        for file, end in ends.items():
            path = self._directory / file
            size = path.stat().st_size if path.exists() else 0
            if size < end:
                self._frontier.lose_records_beyond(file, size)
        ends = self._frontier.settled_ends()
        files = [path.name for path in warc_files(self._directory)]
        self._writer = WarcWriter(self._directory, self._settings.warc_bytes, ends.get(files[-1], 0) if files else 0)
        self._insert_seeds()
        newest = max(ends, default="")
        for file in files:
            if file >= newest:
                self._replay(file, ends.get(file, 0))
        for origin in self.origins:
            if origin.state is OriginState.OPEN and origin.id not in self._rules:
                self._reload_rules(origin)
        self._resolve_origins()

    def _insert_seeds(self) -> None:
        for seed in self.source.seeds:
            url = canonical_url(seed)
            if url is None or not (is_sitemap_name(url) or self._scope.admits(url)):
                raise ValueError(f"source {self.source.id}: the seed {seed} is not in its scope")
            self._changes.links.append(Link(url, Kind.SITEMAP if is_sitemap_name(url) else Kind.PAGE))
        self.flush()

    def _replay(self, file: str, start: int) -> None:
        """Settle the whole records of a WARC file from an offset on, as if they came now."""
        with (self._directory / file).open("rb") as stream:
            stream.seek(start)
            for item in read_records(stream, file, _ANY_SIZE, start):
                if not isinstance(item, Record):
                    continue
                # The record that led here may stand just before, and not be in the frontier yet.
                found = self._frontier.find(item.url)
                if found is None:
                    self._changes.links.append(Link(item.url, Kind.PAGE))
                    self.flush()
                    found = self._frontier.find(item.url)
                assert found is not None
                lease, fate = found
                if fate.state is not State.DONE:
                    self._tried[lease.kind] += lease.tries == 0
                    self._settle(item, lease)
        self.flush()

    def _reload_rules(self, origin: Origin) -> None:
        found = self._frontier.find(origin.robots_url)
        record = self._read_back(found[1]) if found and found[1].state is State.DONE else None
        rules = _rules(record)
        if rules is not None:
            self._rules[origin.id] = rules
        else:
            self._frontier.fetch_again(origin.robots_url)
            origin.state = OriginState.WAITING
            self._changes.origins.append(origin)


def _rules(record: Record | None) -> RobotsRules | None:
    """Rules in the response for a robots.txt: none forbid below 500 but 2xx, None: all is forbidden."""
    if record is None or record.status >= 500:
        return None
    if not 200 <= record.status < 300:
        return RobotsRules(b"")
    try:
        return RobotsRules(record.body(20 * MAX_ROBOTS_BYTES))
    except BodyError:
        return None


def _retry_after(value: str | None, now: datetime) -> float:
    """Seconds that a Retry-After header (RFC 9110, 10.2.3) asks for, at most an hour; 0 where it asks none."""
    if not value:
        return 0.0
    try:
        seconds = float(value) if value.isascii() and value.isdigit() else _until(value, now)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _until(date: str, now: datetime) -> float:
    at = parsedate_to_datetime(date)
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
