"""The crawl of one source, without a network: frontier, WARC, rules, traps and scope together."""

from __future__ import annotations

import json
import math
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

from crawlers.frontier import (
    Changes,
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
from crawlers.hours import Allowance
from crawlers.http import MAX_RETRY_AFTER_S, RETRY_STATUSES, header, parse_head, retry_after_s
from crawlers.scope import Scope, is_sitemap_name
from crawlers.site_files import SiteFiles
from crawlers.takedown import Takedowns
from crawlers.traps import Traps
from crawlers.urls import canonical_url, doc_id, origin_of
from crawlers.visit import LLMS_FULL_TXT, LLMS_TXT, sitemap_links, visit
from crawlers.warc import (
    Earlier,
    Record,
    WarcWriter,
    number_of,
    payload_digest,
    read_at,
    read_records,
    record_of,
    warc_files,
)
from manifests.models import CrawlSettings, Source

MAX_SITEMAPS = 1000
#: A file beside the frontier: by template of URLs, the share of pages that an earlier run kept.
YIELDS = "yields.json"
_DAY_S = 24 * 3600.0
#: URLs leased, and records indexed, in one transaction.
_LEASES = 32
_BATCH = 50
#: URLs remembered as inserted, so that a site's navigation is not offered to SQLite for every page.
_RECENT = 20_000
_ANY_SIZE = 1 << 31


class SourceSession:
    """Everything of one source's crawl that is not the network.

    On opening it recovers: what a kill left between WARC and frontier is read from the WARC and goes
    the way of a live response. Where the frontier's generation has ended and a later one is asked for, it begins.
    Raises FrontierLockedError where another process crawls the source.
    """

    def __init__(
        self,
        source: Source,
        settings: CrawlSettings,
        directory: Path,
        generation: int = 1,
        taken_down: Iterable[Mapping[str, str]] = (),
        lock_wait_s: float = 30.0,
    ) -> None:
        self.source = source
        self._settings = settings
        self._directory = directory
        self._scope = Scope(source)
        self._takedowns = Takedowns(taken_down)
        directory.mkdir(parents=True, exist_ok=True)
        self._frontier = Frontier(directory / "frontier.sqlite", lock_wait_s)
        self._begin(generation)
        self._files = SiteFiles(self._frontier, self._read_back)
        self._allowance = Allowance(source.politeness, self._frontier)
        self._traps = Traps(
            self._frontier.patterns, settings.trap_pages, settings.max_pages_per_pattern, _yields(directory)
        )
        self._leased: dict[int, deque[Lease]] = {}
        #: Unix time from which an origin that had nothing due has something; infinite: not before new links.
        self._dry: dict[int, float] = {}
        self._recent: set[str] = set()
        self._changes = Changes()
        self._tried = self._frontier.tried()
        #: Whether a process before this one asked the source in this generation.
        self.is_resumed = any(self._tried.values())
        self._recover()

    # ------------------------------------------------------------ what the spider asks and tells

    @property
    def origins(self) -> list[Origin]:
        """Origins met so far."""
        return list(self._frontier.origins.values())

    def delay_s(self, origin: Origin) -> float:
        """Seconds between two requests to an origin: the longest of the recipe's, the source's and its own."""
        asked = self.source.politeness.delay_s or 0.0
        return max(self._settings.delay_s, asked, self._files.delay_s(origin))

    def due_at(self, origin: Origin, now: float) -> float:
        """Unix time from which `take` is worth a try; infinite where an origin has nothing pending."""
        opens_at = self._allowance.opens_at(now)[0]
        if self._leased.get(origin.id):
            return opens_at
        if origin.state is OriginState.BLOCKED:
            return math.inf
        return max(opens_at, self._dry.get(origin.id, now))

    def waits_for(self, now: float) -> str:
        """Why the source may not be asked now, in words; empty where it may."""
        return self._allowance.opens_at(now)[1]

    def take(self, origin: Origin, now: float) -> Lease | None:
        """The next URL of an origin to fetch at Unix time `now`, which its robots.txt allows."""
        if self._files.expire(origin, now):
            self._release_leased(origin)
        leased = self._leased.setdefault(origin.id, deque())
        while True:
            if not leased:
                leased.extend(self._lease(origin, now))
            if not leased:
                due = self._frontier.next_due(origin)
                self._dry[origin.id] = math.inf if due is None else due
                return None
            lease = leased.popleft()
            refused = self._refusal(lease, origin)
            if refused is None:
                return lease
            self._tried[lease.kind] -= 1
            self.gave_up(lease, State.EXCLUDED, *refused)

    def conditions(self, lease: Lease) -> dict[str, str]:
        """Headers by which a server may say that what is stored is still so (RFC 9110, 13.1)."""
        if lease.earlier is None:
            return {}
        asked = {"If-None-Match": lease.etag, "If-Modified-Since": lease.last_modified}
        return {name: value for name, value in asked.items() if value}

    def answered(self, lease: Lease, head: bytes, body: bytes, fetched_at: datetime, request: bytes = b"") -> float:
        """A response came: store it, follow it. Returns for how many seconds to leave its host alone."""
        try:
            status, headers = parse_head(head)
        except ValueError:
            return self.failed(lease, "bad_response")
        if status in RETRY_STATUSES:
            pause = retry_after_s(header(headers, "retry-after"), fetched_at)
            delay = self.failed(lease, f"http_{status}", at_least_s=pause)
            return delay if status in (429, 503) else 0.0
        if status == HTTPStatus.NOT_MODIFIED and lease.earlier is None:
            return self.failed(lease, "bad_response", "304, and nothing was asked on a condition")
        if status >= 300 and status != HTTPStatus.NOT_MODIFIED and _is_offer(lease):
            self.gave_up(lease, State.EXCLUDED, "not_there", f"http_{status}")
            return 0.0
        revisits = lease.earlier if _is_same(status, body, lease.earlier) else None
        about = self._about(lease)
        location, stored_head = self._writer.append(lease.url, fetched_at, head, body, about, request, revisits)
        is_revisit = revisits is not None
        self._settle(record_of(lease.url, fetched_at, location, stored_head, body, about, is_revisit), lease)
        # What a robots.txt asks holds for the very next request.
        return self.delay_s(self._origin(lease)) if lease.kind is Kind.ROBOTS else 0.0

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
        if lease.kind in (Kind.ROBOTS, Kind.SIGNALS):
            self._resolve_origins()

    def leave(self, why: str, host: str | None = None) -> None:
        """Leave to the next crawl what is pending, on one host or on all: they may not be asked for too long."""
        self.flush()
        for origin in self.origins:
            if host is None or origin.host == host:
                self._release_leased(origin)
                self._frontier.exclude_pending(origin, "later", why)
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
        for pattern in changes.patterns.values():
            if pattern.closed:
                self._frontier.exclude_pattern(pattern, pattern.closed)
        if changes.links or changes.origins:
            for origin in self._frontier.origins.values():
                if origin.state is OriginState.BLOCKED:
                    self._frontier.exclude_pending(origin, origin.reason, origin.detail)
            self._exclude_beyond_budget()

    def close(self) -> None:
        """Settle everything, give up the ownership. URLs in flight are pending again."""
        self.flush()
        self._frontier.release()
        if not self._frontier.has_unfinished():
            self._frontier.end_generation()
        self._writer.close()
        self._frontier.close()

    # ------------------------------------------------------------ leasing

    def _lease(self, origin: Origin, now: float) -> list[Lease]:
        if origin.state is OriginState.BLOCKED:
            return []
        self.flush()
        # Where the room is used up, no page is pending that has not been tried before.
        room = max(1, min(self._room(Kind.PAGE), self._room(Kind.SITEMAP)))
        leases = self._frontier.lease(origin, self._files.kinds(origin), min(_LEASES, room), now)
        for lease in leases:
            self._tried[lease.kind] += lease.tries == 0
        self._exclude_beyond_budget()
        return leases

    def _release_leased(self, origin: Origin) -> None:
        """Give back the URLs of an origin that are leased and not yet asked for."""
        for lease in self._leased.pop(origin.id, ()):
            self._tried[lease.kind] -= lease.tries == 0
            self._frontier.unlease(lease.url)

    def _refusal(self, lease: Lease, origin: Origin) -> tuple[str, str] | None:
        """Why a leased URL is not to be fetched after all, and the detail."""
        if lease.kind is Kind.ROBOTS:
            return None
        if self._takedowns and self._takedowns.covers(lease.url, doc_id(lease.url)):
            return ("taken_down", "")
        verdict = self._files.rules(origin).verdict(lease.url)
        if not verdict.allowed:
            return ("robots_disallow", verdict.rule)
        if lease.kind is not Kind.PAGE or lease.tries:
            return None
        closed = self._traps.closed(lease.pattern)
        if closed:
            return (closed, self._traps.template(lease.pattern))
        plain = self._traps.without_session(lease.url)
        if plain != lease.url:
            self._changes.links.append(Link(plain, Kind.PAGE, depth=lease.depth, pattern=lease.pattern))
            self._dry.clear()
            return ("session_id", plain)
        return None

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

    def _about(self, lease: Lease) -> dict[str, str]:
        """What stands beside a response: by which rule it was fetched, and what its site says of its use."""
        origin = self._origin(lease)
        if lease.kind in (Kind.ROBOTS, Kind.SIGNALS):
            return {}
        about = {"robots": self._files.rules(origin).verdict(lease.url).rule or "no rule"}
        signals = self._files.signals(origin)
        said = signals.of(lease.url) if signals else ()
        return about | {"signals": " ".join(said)} if said else about

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
                fetched_at=record.fetched_at.isoformat(),
                is_revisit=record.is_revisit,
                etag=record.header("etag") or (lease.etag if record.is_revisit else None),
                last_modified=record.header("last-modified") or (lease.last_modified if record.is_revisit else None),
                interval_s=self._interval_s(record, lease),
            )
        )
        self._allowance.spend(record.length)
        self._follow(record, lease)
        if len(self._changes.stored) >= _BATCH:
            self.flush()

    def _interval_s(self, record: Record, lease: Lease) -> float:
        """Seconds until the next visit: longer after one that found nothing new, shorter after one that did."""
        revisit = self._settings.revisit
        if record.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            return revisit.longest_days * _DAY_S
        if lease.earlier is None:
            return revisit.first_days * _DAY_S
        if record.is_revisit:
            return min(lease.interval_s * 1.5, revisit.longest_days * _DAY_S)
        return max(lease.interval_s * 0.5, revisit.shortest_days * _DAY_S)

    def _follow(self, record: Record, lease: Lease) -> None:
        if lease.kind in (Kind.ROBOTS, Kind.SIGNALS):
            self._resolve_origins()
            return
        exhausted = self._traps.fetched(lease)
        if exhausted is not None:
            self._changes.patterns[exhausted.id] = exhausted
        # What is still as it was leads to what is known.
        if record.is_revisit and lease.kind is Kind.PAGE:
            return
        stored = self._stored_payload(record)
        if stored is None:
            return
        visited = visit(stored, lease, self._scope, self._settings.max_body_bytes)
        followed = self._traps.follow(lease, self._new(visited.links), visited.html)
        self._changes.patterns.update(followed.patterns)
        self._insert(followed.links, visited.counts + followed.counts)

    def _stored_payload(self, record: Record) -> Record | None:
        """The response that a revisit stands for, or itself."""
        if not record.is_revisit:
            return record
        found = self._frontier.payload_of(record.url)
        return read_at(self._directory / found.file, found.offset, found.length, _ANY_SIZE) if found else None

    def _new(self, links: list[Link]) -> list[Link]:
        """Those of the links that were not inserted of late; a date of change is news in any case."""
        return [link for link in links if link.url not in self._recent or link.lastmod]

    def _insert(self, links: list[Link], counts: Counter[str]) -> None:
        for name, count in counts.items():
            self._changes.counts[name] = self._changes.counts.get(name, 0) + count
        if len(self._recent) > _RECENT:
            self._recent.clear()
        if links:
            self._recent.update(link.url for link in links)
            self._changes.links.extend(links)
            self._dry.clear()

    # ------------------------------------------------------------ rules of origins

    def _resolve_origins(self) -> None:
        """Take every origin as far as the files of its site have come."""
        self.flush()
        progress = True
        while progress:
            progress = False
            for origin in self.origins:
                before = origin.state
                changes = self._files.resolve(origin, time.time())
                if changes is None:
                    continue
                progress = True
                self._changes.origins += changes.origins
                self._changes.links += changes.links
                if before is not OriginState.OPEN and origin.state is OriginState.OPEN:
                    found = sitemap_links(self._files.indexes(origin), 0, self._scope)
                    self._insert(found.links, found.counts)
                self.flush()
        self._dry.clear()

    def _read_back(self, url: str) -> Record | None:
        """The last response for a URL, with its payload; None where there is none, or its file is damaged there."""
        found = self._frontier.find(url)
        record = found[1].record if found else None
        if record is not None and record.is_revisit:
            record = self._frontier.payload_of(url)
        return read_at(self._directory / record.file, record.offset, record.length, _ANY_SIZE) if record else None

    def _origin(self, lease: Lease) -> Origin:
        return self._frontier.origins[origin_of(lease.url)]

    # ------------------------------------------------------------ begin and recovery

    def _begin(self, generation: int) -> None:
        """Begin a generation after one that has ended; its records go to files of their own."""
        number, _, _, ended = self._frontier.generation()
        if ended and number < generation:
            files = warc_files(self._directory)
            first = number_of(files[-1].name) + 1 if files else 0
            self._frontier.begin_generation(time.time(), first)

    def _recover(self) -> None:
        # One that was killed in its first request has asked, too.
        self.is_resumed |= self._frontier.release() > 0
        for file, end in self._frontier.settled_ends().items():
            path = self._directory / file
            size = path.stat().st_size if path.exists() else 0
            if size < end:
                self._frontier.lose_records_beyond(file, size)
        ends = self._frontier.settled_ends()
        files = [path.name for path in warc_files(self._directory)]
        whole = ends.get(files[-1], 0) if files else 0
        first = self._frontier.generation()[2]
        self._writer = WarcWriter(self._directory, self._settings.warc_bytes, whole, first)
        for origin in self.origins:
            if origin.state in (OriginState.ASKING, OriginState.OPEN):
                self._frontier.apply(self._files.reload(origin))
        self._insert_seeds()
        newest = max(ends, default="")
        for file in files:
            if file >= newest:
                self._replay(file, ends.get(file, 0))
        self._resolve_origins()

    def _insert_seeds(self) -> None:
        for seed in self.source.seeds:
            url = canonical_url(seed)
            if url is None or not (is_sitemap_name(url) or self._scope.admits(url)):
                raise ValueError(f"source {self.source.id}: the seed {seed} is not in its scope")
            kind = Kind.SITEMAP if is_sitemap_name(url) else Kind.PAGE
            # A later crawl knows pages that are due, too: where its budget is small, it begins here all the same.
            self._changes.links.append(Link(url, kind, priority=0))
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
                if found is None or found[1].state is State.DONE:
                    self._changes.links += [Link(item.url, Kind.PAGE)] if found is None else []
                    self.flush()
                    found = self._frontier.find(item.url)
                assert found is not None
                lease, fate = found
                if fate.state is not State.DONE:
                    self._tried[lease.kind] += lease.tries == 0
                    self._settle(item, lease)
        self.flush()


def _is_offer(lease: Lease) -> bool:
    """Whether a URL is only tried: most sites do not have what it names."""
    return lease.kind is Kind.SIGNALS or (lease.kind is Kind.SITEMAP and lease.url.endswith((LLMS_TXT, LLMS_FULL_TXT)))


def _is_same(status: int, body: bytes, earlier: Earlier | None) -> bool:
    """Whether a response says, or is, what is stored already."""
    if earlier is None:
        return False
    return status == HTTPStatus.NOT_MODIFIED or (status == HTTPStatus.OK and payload_digest(body) == earlier.digest)


def _yields(directory: Path) -> dict[str, float]:
    path = directory / YIELDS
    return json.loads(path.read_text()) if path.exists() else {}
