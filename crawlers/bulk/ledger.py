"""What of a bulk source is there: its responses in WARC files, its large files beside them, and their index.

The index is a frontier, as a crawled site has one, so that outcome, resume and status are the same for both. As there,
a response is in the WARC before the index says so.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from crawlers.bulk.http_client import Exchange, Unavailable
from crawlers.frontier import Changes, Fate, Frontier, Kind, Link, State, Stored, Unfetched
from crawlers.hours import Allowance
from crawlers.warc import Record, WarcWriter, number_of, payload_digest, read_at, read_records, record_of, warc_files
from manifests.models import Politeness

#: Below the directory of a source: files that are kept as they are.
FILES = "files"
_ANY_SIZE = 1 << 31
#: What an index lists stands as it is: a paper, a release. It is asked for again after a year.
_INTERVAL_S = 365 * 24 * 3600.0


class Ledger:
    """The WARC files and the index of one source, owned by one process at a time.

    On opening, what a kill left between WARC and index is put into the index. Raises FrontierLockedError.
    """

    def __init__(self, directory: Path, warc_bytes: int, generation: int = 1, lock_wait_s: float = 30.0) -> None:
        self.directory = directory
        (directory / FILES).mkdir(parents=True, exist_ok=True)
        self._frontier = Frontier(directory / "frontier.sqlite", lock_wait_s)
        self._frontier.release()
        for file, end in self._ends().items():
            path = directory / file
            size = path.stat().st_size if path.exists() else 0
            if size < end:
                self._frontier.lose_records_beyond(file, size)
        ends = self._ends()
        files = [path.name for path in warc_files(directory)]
        number, _, first, ended = self._frontier.generation()
        if ended and number < generation:
            first = number_of(files[-1]) + 1 if files else 0
            self._frontier.begin_generation(time.time(), first)
        self._writer = WarcWriter(directory, warc_bytes, ends.get(files[-1], 0) if files else 0, first)
        for file in files:
            if file >= max(ends, default=""):
                self._replay(file, ends.get(file, 0))
        #: URLs that were fetched or tried; robots.txt is none.
        self.pages = self._frontier.tried()[Kind.PAGE]

    def fate(self, url: str) -> Fate | None:
        """What became of a URL; None where nothing did yet. Raises Unavailable where it cannot be had."""
        found = self._frontier.find(url)
        if found is None or found[1].state in (State.PENDING, State.LEASED):
            return None
        fate = found[1]
        if fate.state is not State.DONE:
            raise Unavailable(fate.reason or "", fate.detail or "")
        return fate

    def begin(self, url: str, kind: Kind, lasting: bool) -> None:
        """A URL is asked for; until it has a fate, the source is unfinished. What is `lasting` is not asked for again
        by every generation."""
        self._frontier.apply(Changes(links=[Link(url, kind, depth=int(lasting))]))
        self.pages += kind is Kind.PAGE

    def response(self, fate: Fate) -> Record | None:
        """The stored response of a URL; None where the file is damaged there."""
        place = fate.record
        if place is not None and place.is_revisit:
            place = self._frontier.payload_of(fate.url)
        if place is None:
            return None
        return read_at(self.directory / place.file, place.offset, place.length, _ANY_SIZE)

    def add_response(self, url: str, exchange: Exchange, body: bytes, about: Mapping[str, str]) -> Record:
        """Store a response, and the fate of its URL."""
        fetched_at = datetime.now(UTC).replace(microsecond=0)
        known = self._frontier.find(url)
        earlier = known[0].earlier if known else None
        revisits = earlier if earlier and exchange.status == 200 and earlier.digest == payload_digest(body) else None
        location, head = self._writer.append(url, fetched_at, exchange.head, body, about, exchange.request, revisits)
        record = record_of(url, fetched_at, location, head, body, about)
        stored = replace(_stored(record), is_revisit=revisits is not None, interval_s=_INTERVAL_S)
        self._frontier.apply(Changes(stored=[stored]))
        return record

    def add_file(self, file: Stored) -> None:
        """A file that is whole has its place; `file.url` may be new."""
        self._frontier.apply(Changes(links=[Link(file.url, Kind.PAGE)], stored=[file]))

    def again(self, url: str) -> None:
        """Forget the fate of a URL."""
        self._frontier.fetch_again(url)

    def give_up(self, url: str, state: State, reason: str, detail: str) -> None:
        """A URL cannot be had: `state` is EXCLUDED or FAILED."""
        links = [Link(url, Kind.PAGE)]
        self._frontier.apply(Changes(links=links, unfetched=[Unfetched(url, state, reason, detail)]))

    def count(self, name: str, number: int) -> None:
        """Count what was left out without being a URL."""
        self._frontier.apply(Changes(counts={name: number}))

    def allowance(self, politeness: Politeness) -> Allowance:
        """The hours and the daily budgets of the source, with what it has given today."""
        return Allowance(politeness, self._frontier)

    def finish(self) -> None:
        """The reader has come to its end: what it asked for in an earlier life, and not again, is not wanted."""
        for origin in self._frontier.origins.values():
            self._frontier.exclude_pending(origin, "not_asked_again", "")

    def has_unfinished(self) -> bool:
        """Whether a URL has no fate."""
        return self._frontier.has_unfinished()

    def close(self) -> None:
        """Make the files durable, give up the ownership."""
        if not self.has_unfinished():
            self._frontier.end_generation()
        self._writer.close()
        self._frontier.close()

    def _ends(self) -> dict[str, int]:
        return {file: end for file, end in self._frontier.settled_ends().items() if "/" not in file}

    def _replay(self, file: str, start: int) -> None:
        """Index the whole records of a WARC file from an offset on."""
        with (self.directory / file).open("rb") as stream:
            stream.seek(start)
            for item in read_records(stream, file, _ANY_SIZE, start):
                if isinstance(item, Record):
                    kind = Kind.ROBOTS if item.url.endswith("/robots.txt") else Kind.PAGE
                    known = self._frontier.find(item.url)
                    if known is None or known[1].state is not State.DONE:
                        self._frontier.apply(Changes(links=[Link(item.url, kind)], stored=[_stored(item)]))


def _stored(record: Record) -> Stored:
    return Stored(
        url=record.url,
        status=record.status,
        content_type=record.content_type,
        file=record.file,
        offset=record.offset,
        length=record.length,
        digest=record.digest,
        fetched_at=record.fetched_at.isoformat(timespec="seconds"),
        is_revisit=record.is_revisit,
        interval_s=_INTERVAL_S,
    )


def with_about(record: Record, about: Mapping[str, str]) -> Record:
    """A record as it was stored: what lies at its place alone does not tell what was noted of it."""
    return replace(record, about=about)
