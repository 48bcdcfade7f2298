"""What a reader of a bulk source is given: pages and files of its hosts, politely, each fetched once.

A reader that was killed is simply run again from its start: what is stored already comes from there.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import urlsplit

from crawlers.bulk.download import Download, keep_file
from crawlers.bulk.http_client import Client, Exchange, Unavailable
from crawlers.bulk.ledger import FILES, Ledger, with_about
from crawlers.bulk.manners import Pace
from crawlers.bulk.split import INDEX, READER, ROLE, SOURCE
from crawlers.bulk.stop import Stop
from crawlers.content import BodyError
from crawlers.frontier import Fate, Kind, State
from crawlers.http import MAX_RETRY_AFTER_S, RETRY_STATUSES, header, retry_after_s
from crawlers.robots import MAX_CRAWL_DELAY_S, MAX_ROBOTS_REDIRECTS, RobotsRules
from crawlers.site_files import rules_in
from crawlers.urls import canonical_url, host_of, origin_of, path_of
from crawlers.visit import MAX_REDIRECTS, redirect_target
from crawlers.warc import Record
from manifests.models import CrawlSettings, Source

T = TypeVar("T")

_NONE: Mapping[str, str] = MappingProxyType({})
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~:@=-]{0,199}")
_PAGE = {"Accept-Encoding": "gzip"}
_NO_RULES = RobotsRules(b"")


class Store:
    """The stored responses and files of one source, and the way to more of them.

    Everything that is asked for and cannot be had raises Unavailable, and stands in the index with its reason; a
    reader goes on where it can. Only hosts that the source names are asked.
    """

    def __init__(
        self,
        source: Source,
        settings: CrawlSettings,
        directory: Path,
        client: Client,
        pace: Pace,
        stop: Stop,
        generation: int = 1,
    ) -> None:
        assert source.bulk is not None
        self.source = source
        self.bulk = source.bulk
        self.settings = settings
        self.client = client
        self.stop = stop
        self._pace = pace
        self._hosts = {*source.hosts, urlsplit(source.bulk.checksums or source.bulk.url).hostname or ""}
        self._rules: dict[str, RobotsRules | Unavailable] = {}
        self._ledger = Ledger(directory, settings.warc_bytes, generation)
        self._allowance = self._ledger.allowance(source.politeness)
        self._work = directory / "work"
        self._files = directory / FILES

    # ------------------------------------------------------------ what a reader asks for

    def page(self, url: str, about: Mapping[str, str] = _NONE, accept: str = "*/*") -> Record:
        """The response to a GET, redirects followed, whatever its status; `about` is noted beside it."""
        address = self._admitted(url)
        for _ in range(MAX_REDIRECTS + 1):
            record = self._stored(address, about)
            if record is None:
                record = self._brought(address, Kind.PAGE, about, accept)
            target = redirect_target(record)
            if target is None:
                return record
            address = self._admitted(target)
        raise self.refuse(address, "redirect_limit")

    def documents(self, url: str, accept: str = "*/*") -> Record:
        """A page that the `split` of this source's reader makes documents of."""
        fields = json.dumps(self.bulk.fields, sort_keys=True)
        return self.page(url, {READER: self.bulk.reader, SOURCE: self.source.id, "fields": fields}, accept)

    def index(self, url: str, accept: str = "*/*") -> Record:
        """A page that only says where documents are."""
        return self.page(url, {ROLE: INDEX}, accept)

    def body(self, record: Record) -> bytes:
        """The body of a page that must be there, without its content coding."""
        if record.status != 200:
            raise Unavailable(f"http_{record.status}", record.url)
        try:
            return record.body(self.settings.max_body_bytes)
        except BodyError as error:
            raise self.refuse(record.url, error.reason, error.detail) from None

    def file(self, url: str, name: str, checksum: str | None = None) -> Path:
        """The file at a URL, downloaded once, to `files/NAME`.

        checksum: `sha256:`, `sha1:` or `md5:` and hex digits; what does not fit it is not kept.
        """
        address = self._admitted(url)
        if not _FILE_NAME.fullmatch(name):
            raise self.refuse(address, "bad_name", name[:100])
        for _ in range(MAX_REDIRECTS + 1):
            fate = self._ledger.fate(address)
            if fate is not None and _file_of(fate) == f"{FILES}/{name}":
                if self._is_whole(fate):
                    return self._files / name
                self._ledger.again(address)
                fate = None
            record = self._stored(address, _NONE) if fate is not None else None
            if record is None:
                got = self._downloaded(address, name, checksum)
                if isinstance(got, Path):
                    return got
                record = got
            target = redirect_target(record)
            if target is None:
                raise Unavailable(f"http_{record.status}", address)
            address = self._admitted(target)
        raise self.refuse(address, "redirect_limit")

    def kept(self, url: str) -> bool:
        """Whether there is a whole file for a URL already."""
        fate = self._ledger.fate(self._admitted(url))
        return fate is not None and _file_of(fate).startswith(FILES + "/") and self._is_whole(fate)

    def keep(self, path: Path, name: str, url: str, content_type: str) -> Path:
        """Take over a file that the reader made of what is at a URL; it moves to `files/NAME`."""
        address = self._admitted(url)
        if not _FILE_NAME.fullmatch(name):
            raise self.refuse(address, "bad_name", name[:100])
        kept = keep_file(path, self._files / name, address, content_type)
        self._ledger.add_file(kept)
        self._allowance.spend(kept.length)
        return self._files / name

    def refuse(self, url: str, reason: str, detail: str = "", state: State = State.FAILED) -> Unavailable:
        """A URL cannot be had, or what it holds is of no use; the exception to raise, if it ends the reader."""
        address = canonical_url(url)
        if address is None:
            self._ledger.count("not_a_url", 1)
        else:
            self._ledger.give_up(address, state, reason, detail[:300])
        return Unavailable(reason, detail)

    def count(self, name: str, number: int = 1) -> None:
        """Count what was left out that is no URL, such as files of a repository that the source does not want."""
        self._ledger.count(name, number)

    @contextmanager
    def work(self) -> Iterator[Path]:
        """An empty directory, while the block lasts."""
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir()
        try:
            yield self._work
        finally:
            shutil.rmtree(self._work, ignore_errors=True)

    def ask(self, url: str, bring: Callable[[], T]) -> T:
        """What `bring` gives, who fetches in a way of its own: with permission, in turn, after several tries.

        The URL has its fate when `keep` has taken what was brought.
        """
        address = self._admitted(url)
        with self._fated(address, Kind.PAGE, lasting=True):
            return self._tried(address, self._permitted(address), bring)

    def download(self, url: str, directory: Path, checksum: str | None = None) -> Path:
        """The file at a URL, in a directory of a reader that keeps only what it makes of it; goes on like `file`."""
        address = self._admitted(url)
        download = Download(directory, "download", address, checksum)

        def bring() -> Path:
            with self._asked(address, download.request()) as exchange:
                if exchange.status not in (200, 206, 416):
                    raise Unavailable(f"http_{exchange.status}")
                self._allowance.spend(download.take(exchange).length)
            return directory / "download"

        return self.ask(url, bring)

    # ------------------------------------------------------------ its life

    def finish(self) -> None:
        """The reader has come to its end."""
        self._ledger.finish()

    def has_unfinished(self) -> bool:
        """Whether a URL that was asked for has no fate."""
        return self._ledger.has_unfinished()

    def close(self) -> None:
        """Make durable what is there, and give up the ownership."""
        self._ledger.close()

    # ------------------------------------------------------------ what is there

    def _admitted(self, url: str) -> str:
        """The canonical spelling of a URL, on a host of this source or on one below such."""
        address = canonical_url(url)
        if address is None:
            raise self.refuse(url, "not_a_url", url)
        host = host_of(address)
        if host not in self._hosts and not any(host.endswith(f".{each}") for each in self._hosts):
            raise self.refuse(address, "out_of_scope", f"no host of {self.source.id}", State.EXCLUDED)
        return address

    def _stored(self, address: str, about: Mapping[str, str]) -> Record | None:
        fate = self._ledger.fate(address)
        record = self._ledger.response(fate) if fate else None
        return with_about(record, self._noted(about)) if record else None

    def _noted(self, about: Mapping[str, str]) -> Mapping[str, str]:
        return {**about, "offered": self.bulk.offered} if self.bulk.offered else about

    def _is_whole(self, fate: Fate) -> bool:
        """Whether a file is as long as the index says: after a loss of power it may not be."""
        path = self._files.parent / _file_of(fate)
        return path.is_file() and fate.record is not None and path.stat().st_size == fate.record.length

    # ------------------------------------------------------------ bringing more

    def _brought(self, address: str, kind: Kind, about: Mapping[str, str], accept: str = "*/*") -> Record:
        def bring() -> Record:
            with self._asked(address, {"Accept": accept, **_PAGE}) as exchange:
                body = exchange.body(self.settings.max_body_bytes)
                self._allowance.spend(len(body))
                return self._ledger.add_response(address, exchange, body, self._noted(about))

        # An index, and a list of what is newest, are asked for again by every generation.
        lasting = about.get(ROLE) != INDEX and READER not in about
        with self._fated(address, kind, lasting):
            delay_s = self._permitted(address) if kind is Kind.PAGE else self.settings.delay_s
            return self._tried(address, delay_s, bring)

    def _downloaded(self, address: str, name: str, checksum: str | None) -> Path | Record:
        download = Download(self._files, name, address, checksum)

        def bring() -> Path | Record:
            if (found := download.finished()) is None:
                with self._asked(address, download.request()) as exchange:
                    if exchange.status not in (200, 206, 416):
                        body = exchange.body(self.settings.max_body_bytes)
                        return self._ledger.add_response(address, exchange, body, self._noted({ROLE: INDEX}))
                    found = download.take(exchange)
            self._ledger.add_file(found)
            self._allowance.spend(found.length)
            download.forget()
            return self._files / name

        with self._fated(address, Kind.PAGE, lasting=True):
            return self._tried(address, self._permitted(address), bring)

    @contextmanager
    def _fated(self, address: str, kind: Kind, lasting: bool) -> Iterator[None]:
        """A URL has a fate behind the block, unless a signal or a fault of ours ended it."""
        self._ledger.begin(address, kind, lasting)
        try:
            if kind is Kind.PAGE and self._ledger.pages > self.settings.max_pages_per_source:
                raise Unavailable("page_budget", f"{self.settings.max_pages_per_source}")
            yield
        except Unavailable as lost:
            state = State.EXCLUDED if lost.reason in _RULES else State.FAILED
            self._ledger.give_up(address, state, lost.reason, lost.detail)
            raise

    def _tried(self, address: str, delay_s: float, bring: Callable[[], T]) -> T:
        """What `bring` gives, after as many tries as the settings allow."""
        host = host_of(address)
        for tries in range(self.settings.retries + 1):
            opens_at, _ = self._allowance.opens_at(time.time())
            self.stop.wait(opens_at - time.time())
            self._pace.wait(host, delay_s)
            try:
                return bring()
            except Unavailable as lost:
                if not lost.may_pass or tries == self.settings.retries:
                    raise
                backoff_s = max(1.0, 10.0 * delay_s) * 2.0**tries
                self._pace.rest(host, max(lost.after_s, min(backoff_s, MAX_RETRY_AFTER_S)))
        raise AssertionError("the last try returns or raises")

    @contextmanager
    def _asked(self, address: str, headers: Mapping[str, str]) -> Iterator[Exchange]:
        """The response to one request, if it is one to keep."""
        with self.client.get(address, headers) as exchange:
            if exchange.status in RETRY_STATUSES:
                after_s = retry_after_s(header(exchange.headers, "retry-after"), datetime.now(UTC))
                raise Unavailable(f"http_{exchange.status}", "", may_pass=True, after_s=after_s)
            yield exchange

    # ------------------------------------------------------------ permission

    def _permitted(self, address: str) -> float:
        """Seconds between two requests to the host of a URL that may be fetched; raises Unavailable for another."""
        rules = self._rules_of(origin_of(address))
        if isinstance(rules, Unavailable):
            raise rules
        if not rules.allows(address):
            raise Unavailable("robots_disallow")
        return max(self.settings.delay_s, self.source.politeness.delay_s or 0.0, rules.delay_s)

    def _rules_of(self, origin: str) -> RobotsRules | Unavailable:
        if origin not in self._rules:
            try:
                self._rules[origin] = self._offer(origin) if self.bulk.offered else self._read_rules(origin)
            except Unavailable as lost:
                self._rules[origin] = lost
        return self._rules[origin]

    def _offer(self, origin: str) -> RobotsRules:
        """Programs are invited: robots.txt, which is about who follows links, is not asked."""
        self._ledger.give_up(f"{origin}/robots.txt", State.EXCLUDED, "offered", self.bulk.offered)
        return _NO_RULES

    def _read_rules(self, origin: str) -> RobotsRules:
        """The rules of an origin (RFC 9309, 2.3.1); raises Unavailable where nothing of it may be fetched."""
        address = f"{origin}/robots.txt"
        for hops in range(MAX_ROBOTS_REDIRECTS + 1):
            try:
                record = self._stored(address, _NONE) or self._brought(address, Kind.ROBOTS, _NONE)
            except Unavailable as lost:
                reason = lost.reason if lost.reason == "private_address" else "robots_unreachable"
                raise Unavailable(reason, f"{address}: {lost.reason} {lost.detail}".rstrip()) from None
            target = redirect_target(record)
            # Who redirects robots.txt to a home page has none.
            if target is None or hops == MAX_ROBOTS_REDIRECTS or "robots" not in path_of(target).rpartition("/")[2]:
                break
            address = target
        rules = rules_in(record)
        if rules is None:
            raise Unavailable("robots_unreachable", address)
        if rules.delay_s > MAX_CRAWL_DELAY_S:
            raise Unavailable("crawl_delay_too_long", f"{rules.delay_s:.0f} s")
        return rules


#: Reasons that are a rule's, where others are failures.
_RULES = frozenset(("robots_disallow", "robots_unreachable", "crawl_delay_too_long", "private_address", "page_budget"))


def _file_of(fate: Fate) -> str:
    """The file that a URL's last record lies in."""
    return fate.record.file if fate.record else ""
