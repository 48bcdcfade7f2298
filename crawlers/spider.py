"""The Scrapy spider of one process: it feeds Scrapy from the frontiers of its sources, politely.

One spider serves all sources of a process, so that what Scrapy keeps per host (concurrency, delay,
AutoThrottle) holds for a host also where two sources share it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar, cast

import scrapy
from scrapy import Request, signals
from scrapy.core.downloader import Downloader
from scrapy.core.scheduler import BaseScheduler
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.logformatter import LogFormatter
from twisted.python.failure import Failure

from crawlers import PRODUCT_TOKEN
from crawlers.addresses import PrivateAddressError, Resolver, UnknownHostError
from crawlers.breaker import Breaker
from crawlers.connection import FetchError, TooLargeError
from crawlers.fetch import RawResponse
from crawlers.frontier import Lease, Origin, State
from crawlers.session import SourceSession
from manifests.models import CrawlSettings

T = TypeVar("T")

#: Seconds between two writes of what happened to the frontiers.
_FLUSH_S = 0.25
#: The first pause of a host that fails: so many times the pause between two requests, or so many seconds without one.
_PAUSES = 60
_PAUSE_S = 0.5
#: Seconds added to a pause: requests do not all take the same time to their host.
_MARGIN_S = 0.005


def scrapy_settings(settings: CrawlSettings, version: str) -> dict[str, Any]:
    """Scrapy as a fetcher and nothing else: every part of it that decides something is off."""
    contact = f" (+{settings.contact})" if settings.contact else ""
    handler = "crawlers.fetch.PinnedDownloadHandler"
    throttled = settings.delay_s > 0
    return {
        "USER_AGENT": f"{PRODUCT_TOKEN}/{version}{contact}",
        "SCHEDULER": "crawlers.spider.FrontierScheduler",
        "LOG_FORMATTER": "crawlers.spider.SilentLogFormatter",
        "DOWNLOAD_HANDLERS_BASE": {},
        "DOWNLOAD_HANDLERS": {"http": handler, "https": handler},
        "DOWNLOADER_MIDDLEWARES_BASE": {},
        "SPIDER_MIDDLEWARES_BASE": {},
        "EXTENSIONS_BASE": {},
        "EXTENSIONS": {"scrapy.extensions.throttle.AutoThrottle": 0} if throttled else {},
        "AUTOTHROTTLE_ENABLED": throttled,
        "AUTOTHROTTLE_START_DELAY": settings.delay_s,
        "AUTOTHROTTLE_MAX_DELAY": 300.0,
        "AUTOTHROTTLE_TARGET_CONCURRENCY": float(settings.concurrency_per_host),
        "TELNETCONSOLE_ENABLED": False,
        "REMOTE_CONTROL_ENABLED": False,
        "COOKIES_ENABLED": False,
        # Scrapy starts as many tasks for every response, and ours bring no items.
        "CONCURRENT_ITEMS": 1,
        "CONCURRENT_REQUESTS": 256,
        "CONCURRENT_REQUESTS_PER_DOMAIN": settings.concurrency_per_host,
        "DOWNLOAD_DELAY": settings.delay_s,
        "DOWNLOAD_DELAY_JITTER": 0.0,
        "DOWNLOAD_TIMEOUT": settings.timeout_s,
        "DOWNLOAD_MAXSIZE": settings.max_body_bytes,
        "STATS_DUMP": False,
        "LOG_ENABLED": False,
        "LOG_INSTALL_ROOT_HANDLER": False,
    }


def _report(session: SourceSession, lease: Lease, error: BaseException | None) -> None:
    """Tell a session why a lease of it brought no response."""
    match error:
        case FetchError(reason="stopped"):
            pass  # it is pending again
        case FetchError(reason="tls", detail=detail):
            session.gave_up(lease, State.FAILED, "tls", detail)  # it will not get better by tomorrow
        case FetchError(reason=reason, detail=detail):
            session.failed(lease, reason, detail)
        case UnknownHostError():
            session.failed(lease, "dns", str(error))
        case PrivateAddressError():
            session.gave_up(lease, State.EXCLUDED, "private_address", str(error))
        case TooLargeError():
            session.gave_up(lease, State.FAILED, "too_large", str(error))
        case _:
            session.failed(lease, "error", f"{type(error).__name__}: {error}"[:300])


class SilentLogFormatter(LogFormatter):
    """Formats no line per page."""

    def crawled(self, request: Request, response: Response, spider: scrapy.Spider) -> None:  # type: ignore[override]
        """Nothing."""


class FrontierScheduler(BaseScheduler):
    """Scrapy's requests come from the frontiers."""

    def open(self, spider: scrapy.Spider) -> None:
        """Bind to the spider."""
        self._spider = cast("FrontierSpider", spider)
        self._injected: deque[Request] = deque()

    def next_request(self) -> Request | None:
        """A request that may go out now."""
        return self._injected.popleft() if self._injected else self._spider.next_request()

    def enqueue_request(self, request: Request) -> bool:
        """Take what a timer of the spider brings."""
        self._injected.append(request)
        return True

    def has_pending_requests(self) -> bool:
        """Whether there will be a request, now or later."""
        return bool(self._injected) or self._spider.has_unfinished()


class FrontierSpider(scrapy.Spider):
    """Crawls its sessions until none has a URL without a final state.

    `broken` holds, by source, the error that ended a session early; the others go on.
    """

    name = PRODUCT_TOKEN

    def __init__(self, sessions: list[SourceSession], resolver: Resolver, settings: CrawlSettings) -> None:
        super().__init__()
        self.resolver = resolver
        self.in_flight: set[asyncio.Task[Any]] = set()
        #: The task that stops the engine: kept here, as the event loop keeps no reference to its tasks.
        self.stopping: asyncio.Task[None] | None = None
        self.broken: dict[str, Exception] = {}
        self._in_flight: Counter[str] = Counter()
        self._sessions = deque(sessions)
        self._patience_s = settings.patience_s
        self._stopping = False
        self._busy: dict[str, int] = {}
        self._rest_until: dict[str, float] = {}
        #: The URL that is about to be asked for, by host with a pause.
        self._unsent: dict[str, str] = {}
        self._breakers: defaultdict[str, Breaker] = defaultdict(lambda: Breaker(_PAUSES * settings.delay_s or _PAUSE_S))
        self._concurrency: dict[str, int] = {}
        for session in sessions:
            self._meet(session, settings)
        self._timer: asyncio.TimerHandle | None = None
        self._flush_timer: asyncio.TimerHandle | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> FrontierSpider:
        """Scrapy's constructor; binds the spider's end to its signal."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        crawler.signals.connect(spider._closed, signal=signals.spider_closed)
        return spider

    async def start(self) -> AsyncIterator[Any]:
        """No request of its own: they come from the scheduler."""
        self._flush_regularly()
        return
        yield

    def stop(self) -> None:
        """Hand out nothing more."""
        self._stopping = True

    def abort(self) -> None:
        """Give up what is in flight; it is pending again."""
        for task in list(self.in_flight):
            task.cancel()

    def _meet(self, session: SourceSession, settings: CrawlSettings) -> None:
        """What a source asks of its hosts holds for all that is fetched from them; a resumed one rests first."""
        asked = min(session.source.politeness.concurrency or 64, settings.concurrency_per_host)
        for host in session.source.hosts:
            self._concurrency[host] = min(asked, self._concurrency.get(host, asked))
        if session.is_resumed:
            now = time.time()
            for origin in session.origins:
                until = now + session.delay_s(origin)
                self._rest_until[origin.host] = max(until, self._rest_until.get(origin.host, 0.0))

    # ------------------------------------------------------------ feeding

    def has_unfinished(self) -> bool:
        """Whether a session has a URL without a final state; no longer asked after `stop`."""
        return not self._stopping and any(self._guarded(s, s.has_unfinished) for s in list(self._sessions))

    def next_request(self) -> Request | None:
        """The next request that may go out now; where there is none, a timer is set for when there may be."""
        if self._stopping:
            return None
        now, wake = time.time(), math.inf
        for _ in range(len(self._sessions)):
            session = self._sessions[0]
            self._sessions.rotate(-1)
            due, request = self._guarded(session, partial(self._try_session, session, now)) or (
                math.inf,
                None,
            )
            if request is not None:
                return request
            if math.inf > due > now + self._patience_s and not self._in_flight[session.source.id]:
                why = session.waits_for(now) or "its hosts asked for patience"
                self._guarded(session, partial(session.leave, why))
                due = now
            wake = min(wake, due)
        self._wake_at(wake, now)
        return None

    def _try_session(self, session: SourceSession, now: float) -> tuple[float, Request | None]:
        """A request of one session, or the Unix time from which there may be one."""
        wake = math.inf
        for origin in session.origins:
            due = max(session.due_at(origin, now), self._host_due_at(origin.host, now))
            if due <= now:
                lease = session.take(origin, now)
                if lease is not None:
                    return now, self._request(session, origin, lease)
                due = session.due_at(origin, now)
            wake = min(wake, due)
        return wake, None

    def _host_due_at(self, host: str, now: float) -> float:
        """Unix time from which a host may get a request; infinite while it has all it may have at once.

        Scrapy keeps the pace too; asking first means that no lease waits in its queue.
        """
        if self._busy.get(host, 0) >= self._concurrency.get(host, 1) or host in self._unsent:
            return math.inf
        slot = self._downloader.slots.get(host)
        wait = slot.lastseen + slot.delay - time.monotonic() if slot else 0.0
        return max(now + wait, self._rest_until.get(host, 0.0))

    def sent(self, host: str) -> None:
        """A request is on its way: from now on its host is left alone for its pause.

        Scrapy counts the pause from when it hands a request out; a connection that has still to be made, or a busy
        process, would shorten what the host sees of it.
        """
        slot = self._downloader.slots.get(host)
        self._unsent.pop(host, None)
        if slot is not None and slot.delay:
            self._rest(host, slot.delay + _MARGIN_S)
            self._wake_at(time.time(), time.time())

    def _request(self, session: SourceSession, origin: Origin, lease: Lease) -> Request:
        host, delay = origin.host, session.delay_s(origin)
        self._busy[host] = self._busy.get(host, 0) + 1
        if delay:
            self._unsent[host] = lease.url
        self._in_flight[session.source.id] += 1
        own_pace = delay > self.settings.getfloat("DOWNLOAD_DELAY")
        if own_pace:
            known = self._downloader.per_slot_settings.setdefault(host, {"delay": delay})
            known["delay"] = max(known["delay"], delay)
            if host in self._downloader.slots:
                self._downloader.slots[host].delay = known["delay"]
        meta = {
            "lease": lease,
            "session": session,
            "download_slot": host,
            "verbatim_url": True,
            "autothrottle_dont_adjust_delay": own_pace,
            "conditions": session.conditions(lease),
        }
        return Request(lease.url, callback=cast(Any, self._answered), errback=self._failed, meta=meta, dont_filter=True)

    def _wake_at(self, due: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due < math.inf:
            self._timer = asyncio.get_running_loop().call_later(max(due - now, 0.001), self._wake)

    def _wake(self) -> None:
        self._timer = None
        request = self.next_request()
        if request is not None:
            assert self.crawler.engine is not None
            self.crawler.engine.crawl(request)

    # ------------------------------------------------------------ what came of a request

    def _answered(self, response: RawResponse) -> None:
        lease, session, host = self._returned(response.meta)
        answered = partial(
            session.answered, lease, response.head, response.body, datetime.now(UTC), response.request_head
        )
        self._rest(host, self._guarded(session, answered))
        self._judge(host, response.status < 500)

    def _failed(self, failure: Failure) -> None:
        lease, session, host = self._returned(cast(Any, failure).request.meta)
        self._guarded(session, partial(_report, session, lease, failure.value))
        match failure.value:
            case FetchError(reason="stopped"):
                pass
            case FetchError(reason="timeout" | "too_slow" | "connection" | "tls") | UnknownHostError():
                self._judge(host, False)
            case _:
                # What is too large, broken or forbidden is still an answer.
                self._judge(host, True)

    def _returned(self, meta: dict[str, Any]) -> tuple[Lease, SourceSession, str]:
        host = meta["download_slot"]
        self._busy[host] -= 1
        slot = self._downloader.slots.get(host)
        if slot is not None and slot.delay:
            # Only from the answer on is it sure that the host has seen the request: its pause counts from there.
            self._rest(host, slot.delay)
        if self._unsent.get(host) == meta["lease"].url:
            del self._unsent[host]
        self._in_flight[meta["session"].source.id] -= 1
        return meta["lease"], meta["session"], host

    def _rest(self, host: str, seconds: float | None) -> None:
        """Leave a host alone that said it is busy, or that fails."""
        if seconds:
            self._rest_until[host] = max(time.time() + seconds, self._rest_until.get(host, 0.0))

    def _judge(self, host: str, well: bool) -> None:
        """Tell a host's breaker how it did; one that is down is left to the next crawl."""
        breaker = self._breakers[host]
        if well:
            breaker.succeeded()
            return
        self._rest(host, breaker.failed())
        if breaker.is_down:
            for session in list(self._sessions):
                self._guarded(session, partial(session.leave, f"{host} does not answer", host))

    # ------------------------------------------------------------ sessions

    @property
    def _downloader(self) -> Downloader:
        assert self.crawler.engine is not None
        return self.crawler.engine.downloader

    def _guarded(self, session: SourceSession, step: Callable[[], T]) -> T | None:
        """Run a step of a session; an error in it (a full disk, a damaged file) ends that session alone."""
        if session.source.id in self.broken:
            return None
        try:
            return step()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the other sources
            self.broken[session.source.id] = error
            self._sessions.remove(session)
            return None

    def _flush_regularly(self) -> None:
        for session in list(self._sessions):
            self._guarded(session, session.flush)
        self._flush_timer = asyncio.get_running_loop().call_later(_FLUSH_S, self._flush_regularly)

    def _closed(self) -> None:
        for timer in (self._timer, self._flush_timer):
            if timer is not None:
                timer.cancel()
