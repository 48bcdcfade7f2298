"""The frontier of one source: every URL met and what became of it, in a SQLite file.

The WARC is the log and the frontier is its index: a response is in the WARC before the frontier says
so, and what the frontier has not yet said is read again from the WARC after a crash. So transactions
may be batched, and need no fsync.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from crawlers.urls import host_of, origin_of


class State(IntEnum):
    """What became of a URL. Only the last three are final."""

    PENDING = 0
    LEASED = 1
    DONE = 2
    EXCLUDED = 3
    FAILED = 4


class Kind(IntEnum):
    """What a URL is expected to hold; also the order of fetching within an origin."""

    ROBOTS = 0
    SITEMAP = 1
    PAGE = 2


class OriginState(IntEnum):
    """Whether URLs of an origin may be fetched: not before its robots.txt is known."""

    WAITING = 0
    OPEN = 1
    BLOCKED = 2


@dataclass(slots=True)
class Origin:
    """A scheme, host and port. `robots_url` is where its rules are, after `robots_hops` redirects."""

    id: int
    origin: str
    host: str
    robots_url: str
    robots_hops: int = 0
    state: OriginState = OriginState.WAITING
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A URL to insert. `hops`: redirects followed, or sitemap indexes passed, on the way to it."""

    url: str
    kind: Kind
    hops: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """A URL handed out for fetching. `tries`: failed ones before this."""

    url: str
    kind: Kind
    hops: int
    tries: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A URL whose response is in the WARC. `fetched_at`: ISO 8601, UTC."""

    url: str
    status: int
    content_type: str | None
    file: str
    offset: int
    length: int
    digest: str
    fetched_at: str


@dataclass(frozen=True, slots=True)
class Unfetched:
    """A URL that will not be fetched. `state`: EXCLUDED by a rule, or FAILED."""

    url: str
    state: State
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """A URL to try again, not before a Unix time."""

    url: str
    not_before: float


@dataclass(slots=True)
class Changes:
    """What one transaction writes. `counts` are added to named counters."""

    stored: list[Stored] = field(default_factory=list)
    unfetched: list[Unfetched] = field(default_factory=list)
    retries: list[Retry] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.stored or self.unfetched or self.retries or self.links or self.origins or self.counts)


@dataclass(frozen=True, slots=True)
class Fate:
    """A row of the frontier. The columns of `Stored` are None unless it is DONE."""

    url: str
    kind: Kind
    state: State
    status: int | None
    content_type: str | None
    file: str | None
    offset: int | None
    length: int | None
    digest: str | None
    fetched_at: str | None
    reason: str | None
    detail: str | None


class FrontierLockedError(Exception):
    """Another process crawls this source."""


_SCHEMA = """
CREATE TABLE IF NOT EXISTS origin (
    id INTEGER PRIMARY KEY, origin TEXT NOT NULL UNIQUE, robots_url TEXT NOT NULL,
    robots_hops INTEGER NOT NULL DEFAULT 0, state INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '', detail TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS url (
    id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, origin INTEGER NOT NULL, kind INTEGER NOT NULL,
    hops INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0, status INTEGER, content_type TEXT, file TEXT, offset INTEGER,
    length INTEGER, digest TEXT, fetched_at TEXT, reason TEXT, detail TEXT);
CREATE INDEX IF NOT EXISTS pending ON url (origin, kind, id) WHERE state = 0;
CREATE INDEX IF NOT EXISTS place ON url (file, offset) WHERE state = 2;
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


class Frontier:
    """The frontier in one SQLite file, owned by one process at a time.

    Ownership is an flock on the file `lock` beside it, which the operating system frees when the
    process dies. Raises FrontierLockedError where another process still holds it after `wait_s`.
    """

    def __init__(self, path: Path, wait_s: float = 30.0) -> None:
        self._lock = _lock(path.with_name("lock"), wait_s)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)
        self.origins: dict[str, Origin] = {}
        for id_, origin, robots_url, hops, state, reason, detail in self._db.execute("SELECT * FROM origin"):
            host = host_of(origin + "/")
            self.origins[origin] = Origin(id_, origin, host, robots_url, hops, OriginState(state), reason, detail)

    def apply(self, changes: Changes) -> None:
        """Write all changes in one transaction.

        Links to URLs that are known are ignored, except that a page may turn out to be a robots.txt.
        """
        with self._transaction() as db:
            self._insert_links(changes.links)
            db.executemany(
                "UPDATE url SET state = 2, status = ?, content_type = ?, file = ?, offset = ?, length = ?,"
                " digest = ?, fetched_at = ?, reason = NULL, detail = NULL WHERE url = ?",
                (
                    (s.status, s.content_type, s.file, s.offset, s.length, s.digest, s.fetched_at, s.url)
                    for s in changes.stored
                ),
            )
            db.executemany(
                "UPDATE url SET state = ?, reason = ?, detail = ? WHERE url = ?",
                ((u.state, u.reason, u.detail, u.url) for u in changes.unfetched),
            )
            db.executemany(
                "UPDATE url SET state = 0, tries = tries + 1, not_before = ? WHERE url = ?",
                ((r.not_before, r.url) for r in changes.retries),
            )
            db.executemany(
                "UPDATE origin SET robots_url = ?, robots_hops = ?, state = ?, reason = ?, detail = ? WHERE id = ?",
                ((o.robots_url, o.robots_hops, o.state, o.reason, o.detail, o.id) for o in changes.origins),
            )
            db.executemany(
                "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                changes.counts.items(),
            )

    def lease(self, origin: Origin, kinds: Iterable[Kind], count: int, now: float) -> list[Lease]:
        """Hand out up to `count` pending URLs of an origin that are due at Unix time `now`.

        Robots first, then sitemaps, then pages, each in the order in which they were found.
        """
        numbers = ",".join(str(int(kind)) for kind in kinds)
        with self._transaction() as db:
            rows = db.execute(
                "SELECT id, url, kind, hops, tries FROM url WHERE state = 0 AND origin = ? AND not_before <= ?"
                f" AND kind IN ({numbers}) ORDER BY kind, id LIMIT ?",
                (origin.id, now, count),
            ).fetchall()
            db.executemany("UPDATE url SET state = 1 WHERE id = ?", ((row[0],) for row in rows))
        return [Lease(url, Kind(kind), hops, tries) for _, url, kind, hops, tries in rows]

    def release(self) -> None:
        """Make every leased URL pending again; only its owner may, at its start and its end."""
        self._db.execute("UPDATE url SET state = 0 WHERE state = 1")

    def exclude_pending(self, origin: Origin, reason: str, detail: str) -> None:
        """Exclude every pending URL of an origin."""
        self._db.execute(
            "UPDATE url SET state = 3, reason = ?, detail = ? WHERE state = 0 AND origin = ?",
            (reason, detail, origin.id),
        )

    def exclude_untried(self, kind: Kind, reason: str) -> None:
        """Exclude every pending URL of a kind that has not been tried yet."""
        self._db.execute(
            "UPDATE url SET state = 3, reason = ? WHERE state = 0 AND kind = ? AND tries = 0", (reason, kind)
        )

    def fetch_again(self, url: str) -> None:
        """Make a URL pending whatever it was."""
        self._db.execute("UPDATE url SET state = 0, tries = 0, not_before = 0 WHERE url = ?", (url,))

    def tried(self) -> dict[Kind, int]:
        """Number of URLs of each kind that have been fetched or tried."""
        rows = self._db.execute("SELECT kind, COUNT(*) FROM url WHERE state IN (2, 4) OR tries > 0 GROUP BY kind")
        return {Kind.ROBOTS: 0, Kind.SITEMAP: 0, Kind.PAGE: 0} | {Kind(kind): count for kind, count in rows}

    def lose_records_beyond(self, file: str, size: int) -> int:
        """Make pending again what says to lie in a file beyond its size; how many URLs those were.

        That happens where the machine lost power, never where only the process was killed.
        """
        cursor = self._db.execute(
            "UPDATE url SET state = 0 WHERE state = 2 AND file = ? AND offset + length > ?", (file, size)
        )
        return cursor.rowcount

    def next_due(self, origin: Origin) -> float | None:
        """Unix time from which a pending URL of an origin may be tried; None where none is pending."""
        row = self._db.execute("SELECT MIN(not_before) FROM url WHERE state = 0 AND origin = ?", (origin.id,))
        due: float | None = row.fetchone()[0]
        return due

    def has_unfinished(self) -> bool:
        """Whether a URL has no final state yet."""
        return self._db.execute("SELECT 1 FROM url WHERE state IN (0, 1) LIMIT 1").fetchone() is not None

    def find(self, url: str) -> tuple[Lease, Fate] | None:
        """A URL's row, as it would be leased and as it is; None where it is not known."""
        row = self._db.execute(f"SELECT hops, tries, {_FATE} FROM url WHERE url = ?", (url,)).fetchone()
        if row is None:
            return None
        fate = _fate(row[2:])
        return Lease(fate.url, fate.kind, row[0], row[1]), fate

    def settled_ends(self) -> dict[str, int]:
        """For each WARC file, the end of the last record in it that is marked done."""
        rows = self._db.execute("SELECT file, MAX(offset + length) FROM url WHERE state = 2 GROUP BY file")
        return dict(rows.fetchall())

    def counts(self) -> dict[tuple[Kind, State], int]:
        """Number of URLs by kind and state."""
        return count_states(self._db)

    def fates(self) -> Iterator[Fate]:
        """Every URL, in URL order."""
        return all_fates(self._db)

    def close(self) -> None:
        """Fold the write-ahead log into the file, close it, give up ownership."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()
        os.close(self._lock)

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db)

    def _insert_links(self, links: list[Link]) -> None:
        for link in links:
            if origin_of(link.url) not in self.origins:
                self._insert_origin(origin_of(link.url))
        self._db.executemany(
            "INSERT INTO url (url, origin, kind, hops) VALUES (?, ?, ?, ?) ON CONFLICT (url)"
            " DO UPDATE SET kind = 0 WHERE excluded.kind = 0 AND state = 0",
            ((link.url, self.origins[origin_of(link.url)].id, link.kind, link.hops) for link in links),
        )

    def _insert_origin(self, origin: str) -> None:
        robots_url = origin + "/robots.txt"
        cursor = self._db.execute("INSERT INTO origin (origin, robots_url) VALUES (?, ?)", (origin, robots_url))
        assert cursor.lastrowid is not None
        self.origins[origin] = Origin(cursor.lastrowid, origin, host_of(robots_url), robots_url)
        self._db.execute(
            "INSERT OR IGNORE INTO url (url, origin, kind, hops) VALUES (?, ?, ?, 0)",
            (robots_url, cursor.lastrowid, Kind.ROBOTS),
        )


class _Transaction:
    """All or nothing of what happens inside `with`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> sqlite3.Connection:
        self._db.execute("BEGIN IMMEDIATE")
        return self._db

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")


_FATE = "url, kind, state, status, content_type, file, offset, length, digest, fetched_at, reason, detail"


def _fate(row: tuple) -> Fate:  # type: ignore[type-arg]
    return Fate(row[0], Kind(row[1]), State(row[2]), *row[3:])


def all_fates(db: sqlite3.Connection) -> Iterator[Fate]:
    """Every URL of a frontier, in URL order."""
    for row in db.execute(f"SELECT {_FATE} FROM url ORDER BY url"):
        yield _fate(row)


def count_states(db: sqlite3.Connection) -> dict[tuple[Kind, State], int]:
    """Number of URLs of a frontier by kind and state."""
    rows = db.execute("SELECT kind, state, COUNT(*) FROM url GROUP BY kind, state")
    return {(Kind(kind), State(state)): count for kind, state, count in rows}


def _lock(path: Path, wait_s: float) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(fd)
                message = f"{path.parent.name}: another process has held {path} for {wait_s:.0f} s"
                raise FrontierLockedError(message) from None
            time.sleep(0.05)
        else:
            return fd
