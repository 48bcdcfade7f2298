"""What a crawl of one source came to, read from its frontier: all of it at the end, where it stands while it runs."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from crawlers.content import BodyError
from crawlers.frontier import WALL, Kind, OriginState, State, all_fates, all_records, count_states, url_hash
from crawlers.optout import AI_TXT_PATH, TDMREP_PATH
from crawlers.robots import MAX_ROBOTS_BYTES
from crawlers.urls import doc_id
from crawlers.warc import read_at

#: Reasons for not fetching a URL that hold for what was fetched of it before.
WITHDRAWING = frozenset({"gone", "robots_disallow"})


@dataclass(frozen=True, slots=True)
class Fetched:
    """A record in a file of a source. `kind`: robots, signals, sitemap or page; `status`: HTTP."""

    url: str
    doc_id: str
    kind: str
    status: int
    content_type: str | None
    file: str
    offset: int
    length: int
    digest: str
    fetched_at: datetime
    is_revisit: bool


@dataclass(frozen=True, slots=True)
class NotFetched:
    """A URL that was not fetched: excluded by a rule, or `failed` after all tries."""

    url: str
    kind: str
    reason: str
    detail: str
    failed: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """Every record of a source, and the fate of every URL that has none of this generation, in URL order.

    `withdrawn`: URLs that have a record and are no longer to be used, with the reason: their site or index says that
    they are gone, or its robots.txt forbids them now. `unfinished`: URLs without a fate yet, none after a whole crawl.
    `ignored`: links that were never URLs of the source, by reason (`out_of_scope`, `never_a_page`, `redirect_limit`,
    `trap` …). `walls`: pages that were a wall, by its kind.
    """

    fetched: list[Fetched]
    not_fetched: list[NotFetched]
    withdrawn: dict[str, str]
    unfinished: list[str]
    ignored: dict[str, int]
    walls: dict[str, int]


def read_outcome(directory: Path) -> Outcome:
    """The outcome of the crawl in a source's directory; FileNotFoundError where there was none."""
    with _opened(directory) as db:
        outcome = Outcome([], [], {}, [], *_counters(db))
        for url, kind, record in all_records(db):
            outcome.fetched.append(
                Fetched(
                    url=url,
                    doc_id=doc_id(url),
                    kind=kind.name.lower(),
                    status=record.status,
                    content_type=record.content_type,
                    file=record.file,
                    offset=record.offset,
                    length=record.length,
                    digest=record.digest,
                    fetched_at=datetime.fromisoformat(record.fetched_at),
                    is_revisit=record.is_revisit,
                )
            )
        for fate in all_fates(db):
            if fate.state in (State.EXCLUDED, State.FAILED):
                lost = NotFetched(
                    url=fate.url,
                    kind=fate.kind.name.lower(),
                    reason=fate.reason or "",
                    detail=fate.detail or "",
                    failed=fate.state is State.FAILED,
                )
                outcome.not_fetched.append(lost)
                if fate.record is not None and lost.reason in WITHDRAWING:
                    outcome.withdrawn[fate.url] = lost.reason
            elif fate.state is not State.DONE:
                outcome.unfinished.append(fate.url)
    return outcome


def _counters(db: sqlite3.Connection) -> tuple[dict[str, int], dict[str, int]]:
    """Counts of links that were not taken, and of walls."""
    counts: dict[str, int] = dict(db.execute("SELECT name, value FROM counter ORDER BY name"))
    ignored = {name: value for name, value in counts.items() if not name.startswith(WALL)}
    return ignored, {name.removeprefix(WALL): value for name, value in counts.items() if name.startswith(WALL)}


@dataclass(frozen=True, slots=True)
class SiteTexts:
    """The files of an origin that say what its pages may be used for, as they were last heard."""

    robots_txt: bytes
    tdmrep: bytes | None
    ai_txt: bytes | None


def read_site_texts(directory: Path) -> dict[str, SiteTexts]:
    """What each site of a source says of the use of its pages, by origin."""
    found = {}
    with _opened(directory) as db:
        for origin, robots_url in db.execute("SELECT origin, robots_url FROM origin ORDER BY origin").fetchall():
            urls = (robots_url, origin + TDMREP_PATH, origin + AI_TXT_PATH)
            robots_txt, tdmrep, ai_txt = (_payload(db, directory, url) for url in urls)
            found[origin] = SiteTexts(robots_txt or b"", tdmrep, ai_txt)
    return found


def _payload(db: sqlite3.Connection, directory: Path, url: str) -> bytes | None:
    row = db.execute(
        "SELECT file, offset, length FROM record JOIN url ON record.id = url.payload WHERE url.hash = ?",
        (url_hash(url),),
    ).fetchone()
    if row is None:
        return None
    file, offset, length = row
    record = read_at(directory / file, offset, length, 40 * MAX_ROBOTS_BYTES)
    try:
        return record.body(20 * MAX_ROBOTS_BYTES)[:MAX_ROBOTS_BYTES] if record else None
    except BodyError:
        return None


@dataclass(frozen=True, slots=True)
class Status:
    """Where the crawl of a source stands.

    `pages`: in the WARC in this generation, `others`: everything else with a fate, `unfinished`: everything without.
    `bytes`: as stored, of this generation; `per_s`: records a second since it began. `blocked`: URLs by the reason
    for which they were not fetched, `walls`: pages by the wall that they were; `closed`: origins that may not be asked,
    with the reason.
    """

    generation: int = 0
    pages: int = 0
    others: int = 0
    unfinished: int = 0
    bytes: int = 0
    per_s: float = 0.0
    failed: int = 0
    blocked: dict[str, int] = field(default_factory=dict)
    walls: dict[str, int] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)

    @property
    def remaining_s(self) -> float | None:
        """Seconds until nothing is left to fetch, at the rate so far; None where there is no rate."""
        return self.unfinished / self.per_s if self.per_s else None


def progress(directory: Path) -> Status:
    """Where the crawl in a source's directory stands; another process may be at it. Zeros before it began."""
    try:
        with _opened(directory) as db:
            return _status(db)
    except (FileNotFoundError, sqlite3.OperationalError):
        return Status()


def _status(db: sqlite3.Connection) -> Status:
    begin = db.execute("SELECT number, begun, first_file FROM generation ORDER BY number DESC LIMIT 1").fetchone()
    if begin is None:  # its tables are there, and nothing in them yet
        return Status()
    number, begun, first_file = begin
    counts = count_states(db)
    fetched, size, last = db.execute(
        "SELECT COUNT(*), COALESCE(SUM(length), 0), MAX(fetched_at) FROM record WHERE file >= ?", (f"{first_file:05d}",)
    ).fetchone()
    unfinished = sum(n for (_, state), n in counts.items() if state in (State.PENDING, State.LEASED))
    # A page that was not due is whole, and not of this generation.
    (pages,) = db.execute(
        "SELECT COUNT(*) FROM record JOIN url ON url.id = record.url AND url.record = record.id"
        " WHERE file >= ? AND url.kind = ? AND url.state = ?",
        (f"{first_file:05d}", Kind.PAGE, State.DONE),
    ).fetchone()
    until = time.time() if unfinished else datetime.fromisoformat(last).timestamp() if last else begun
    blocked = db.execute("SELECT reason, COUNT(*) FROM url WHERE state = ? GROUP BY reason", (State.EXCLUDED,))
    closed = db.execute("SELECT origin, reason FROM origin WHERE state = ?", (OriginState.BLOCKED,))
    return Status(
        generation=number,
        pages=pages,
        others=sum(counts.values()) - pages - unfinished,
        unfinished=unfinished,
        bytes=size,
        per_s=fetched / max(until - begun, 1.0),
        failed=sum(n for (_, state), n in counts.items() if state is State.FAILED),
        blocked=dict(blocked.fetchall()),
        walls=_counters(db)[1],
        closed=dict(closed.fetchall()),
    )


@contextmanager
def _opened(directory: Path) -> Iterator[sqlite3.Connection]:
    path = directory / "frontier.sqlite"
    if not path.exists():
        raise FileNotFoundError(f"no crawl in {directory}")
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        yield db
