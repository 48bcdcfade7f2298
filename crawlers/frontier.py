"""The frontier of one source: every URL met and what became of it, in a SQLite file.

The WARC is the log and the frontier is its index: a response is in the WARC before the frontier says
so, and what the frontier has not yet said is read again from the WARC after a crash. So transactions
may be batched, and need no fsync.

A crawl is a generation. A new one makes pending again what is due for another visit, and what an
earlier one had to leave; what is known of a URL stays with it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from pathlib import Path

from crawlers.urls import host_of, origin_of
from crawlers.warc import Earlier


class State(IntEnum):
    """What became of a URL in this generation. Only the last three are final."""

    PENDING = 0
    LEASED = 1
    DONE = 2
    EXCLUDED = 3
    FAILED = 4


class Kind(IntEnum):
    """What a URL is expected to hold; also the order of fetching within an origin."""

    ROBOTS = 0
    SIGNALS = 1
    SITEMAP = 2
    PAGE = 3


class OriginState(IntEnum):
    """Whether URLs of an origin may be fetched: not before its robots.txt is known, then its further signals."""

    WAITING = 0
    ASKING = 1
    OPEN = 2
    BLOCKED = 3


#: Reasons for which a URL is left in one generation, and taken up again in the next.
PASSING = (
    "later",
    "not_there",
    "not_asked_again",
    "licence",
    "not_included",
    "no_format",
    "gone",
    "robots_unreachable",
    "robots_disallow",
    "crawl_delay_too_long",
    "page_budget",
    "pattern_budget",
    "sitemap_budget",
)
#: Begins the names of counters of pages that were a wall; the other counters are of links.
WALL = "wall:"
#: Priority of a URL of which nothing is known; smaller goes first.
USUAL = 100


@dataclass(slots=True)
class Origin:
    """A scheme, host and port. `robots_url` is where its rules are, after `robots_hops` redirects.

    `asked_at`: Unix time at which its rules were last fetched.
    """

    id: int
    origin: str
    host: str
    robots_url: str
    robots_hops: int = 0
    state: OriginState = OriginState.WAITING
    reason: str = ""
    detail: str = ""
    asked_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Link:
    """A URL to insert.

    `hops`: redirects followed, or sitemap indexes passed, on the way to it; `depth`: links from a seed.
    `pattern`: id of its pattern, 0 for none. `lastmod`: Unix time of its last change, where a sitemap says one.
    """

    url: str
    kind: Kind
    hops: int = 0
    depth: int = 0
    pattern: int = 0
    priority: int = USUAL
    lastmod: float = 0.0


@dataclass(frozen=True, slots=True)
class Lease:
    """A URL handed out for fetching. `tries`: failed ones before this.

    `earlier`: the last response with a payload that is stored for it, with its validators (RFC 9110, 8.8).
    """

    url: str
    kind: Kind
    hops: int
    tries: int
    depth: int = 0
    pattern: int = 0
    earlier: Earlier | None = None
    etag: str | None = None
    last_modified: str | None = None
    interval_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Stored:
    """A URL whose response is in the WARC. `fetched_at`: ISO 8601, UTC.

    `interval_s`: seconds after which it is due for another visit.
    """

    url: str
    status: int
    content_type: str | None
    file: str
    offset: int
    length: int
    digest: str
    fetched_at: str
    is_revisit: bool = False
    etag: str | None = None
    last_modified: str | None = None
    interval_s: float = 0.0


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
class Pattern:
    """What is known of the URLs of one template (`crawlers.urls.pattern_of`).

    `fetched`: pages of it; `poor`: of the last of them, how many in a row brought nothing new; `worth`: moving
    average of the share of a page that was new; `closed`: why no more of it is fetched, "" for not.
    """

    id: int
    template: str
    fetched: int = 0
    poor: int = 0
    worth: float = 1.0
    closed: str = ""


@dataclass(slots=True)
class Changes:
    """What one transaction writes. `patterns` are by their ids; `counts` are added to named counters."""

    stored: list[Stored] = field(default_factory=list)
    unfetched: list[Unfetched] = field(default_factory=list)
    retries: list[Retry] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    patterns: dict[int, Pattern] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(
            self.stored or self.unfetched or self.retries or self.links or self.origins or self.patterns or self.counts
        )


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a URL, and its last record where one is stored."""

    url: str
    kind: Kind
    state: State
    reason: str | None
    detail: str | None
    record: StoredRecord | None


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record in a WARC file. `fetched_at`: ISO 8601, UTC."""

    status: int
    content_type: str | None
    file: str
    offset: int
    length: int
    digest: str
    fetched_at: str
    is_revisit: bool


class FrontierLockedError(Exception):
    """Another process crawls this source."""


class FrontierVersionError(Exception):
    """The frontier was made by an earlier version, which kept other columns."""


# A URL is looked up by 64 bits of its hash: an index of numbers stays small enough for memory at ten million URLs, and
# at that number the odds that two of them share one are 1 in 400,000.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS origin (
    id INTEGER PRIMARY KEY, origin TEXT NOT NULL UNIQUE, robots_url TEXT NOT NULL,
    robots_hops INTEGER NOT NULL DEFAULT 0, state INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '', detail TEXT NOT NULL DEFAULT '', asked_at REAL NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS url (
    id INTEGER PRIMARY KEY, hash INTEGER NOT NULL UNIQUE, url TEXT NOT NULL, origin INTEGER NOT NULL,
    kind INTEGER NOT NULL, hops INTEGER NOT NULL, depth INTEGER NOT NULL, pattern INTEGER NOT NULL,
    priority INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0, reason TEXT, detail TEXT,
    record INTEGER, payload INTEGER, etag TEXT, last_modified TEXT, interval_s REAL, due REAL);
CREATE INDEX IF NOT EXISTS pending ON url (origin, kind, priority, id) WHERE state = 0;
CREATE INDEX IF NOT EXISTS leased ON url (origin, kind) WHERE state = 1;
CREATE TABLE IF NOT EXISTS record (
    id INTEGER PRIMARY KEY, url INTEGER NOT NULL, file TEXT NOT NULL, offset INTEGER NOT NULL,
    length INTEGER NOT NULL, status INTEGER NOT NULL, content_type TEXT, digest TEXT NOT NULL,
    fetched_at TEXT NOT NULL, is_revisit INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS pattern (
    id INTEGER PRIMARY KEY, template TEXT NOT NULL UNIQUE, fetched INTEGER NOT NULL, poor INTEGER NOT NULL,
    worth REAL NOT NULL, closed TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS day (day TEXT PRIMARY KEY, pages INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS generation (
    number INTEGER PRIMARY KEY, begun REAL NOT NULL, first_file INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0);
"""
#: Of the schema, in the file's `user_version`.
_VERSION = 2
#: Pages that the write-ahead log gathers before they are written to their places, each once.
_WAL_PAGES = 16 * 1024
#: Memory of SQLite's page cache, in KiB: what the indexes of ten million URLs are worked on with.
_CACHE_KIB = 128 * 1024


class Frontier:
    """The frontier in one SQLite file, owned by one process at a time.

    Ownership is an flock on the file `lock` beside it, which the operating system frees when the
    process dies. Raises FrontierLockedError where another process still holds it after `wait_s`, FrontierVersionError
    where the file is of another version.
    """

    def __init__(self, path: Path, wait_s: float = 30.0) -> None:
        self._lock = _lock(path.with_name("lock"), wait_s)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        self._check_version(path)
        self._db.executescript(_SCHEMA)
        self._db.execute(f"PRAGMA user_version = {_VERSION}")
        self._db.execute("INSERT OR IGNORE INTO generation VALUES (1, ?, 0, 0)", (time.time(),))
        self.origins: dict[str, Origin] = {}
        for id_, origin, robots_url, hops, state, *rest in self._db.execute("SELECT * FROM origin"):
            host = host_of(origin + "/")
            self.origins[origin] = Origin(id_, origin, host, robots_url, hops, OriginState(state), *rest)
        rows = self._db.execute("SELECT * FROM pattern")
        self.patterns: dict[str, Pattern] = {row[1]: Pattern(*row) for row in rows}

    def apply(self, changes: Changes) -> None:
        """Write all changes in one transaction.

        Links to URLs that are known are ignored, except that a page may turn out to be a robots.txt, and that one
        that was stored before its `lastmod` becomes pending.
        """
        with self._transaction() as db:
            self._insert_links(changes.links)
            for stored in changes.stored:
                self._store(stored)
            db.executemany(
                "UPDATE url SET state = ?, reason = ?, detail = ? WHERE hash = ?",
                ((u.state, u.reason, u.detail, url_hash(u.url)) for u in changes.unfetched),
            )
            db.executemany(
                "UPDATE url SET state = 0, tries = tries + 1, not_before = ? WHERE hash = ?",
                ((r.not_before, url_hash(r.url)) for r in changes.retries),
            )
            db.executemany(
                "UPDATE origin SET robots_url = ?, robots_hops = ?, state = ?, reason = ?, detail = ?, asked_at = ?"
                " WHERE id = ?",
                ((o.robots_url, o.robots_hops, o.state, o.reason, o.detail, o.asked_at, o.id) for o in changes.origins),
            )
            db.executemany(
                "INSERT OR REPLACE INTO pattern VALUES (?, ?, ?, ?, ?, ?)",
                ((p.id, p.template, p.fetched, p.poor, p.worth, p.closed) for p in changes.patterns.values()),
            )
            db.executemany(
                "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                changes.counts.items(),
            )

    def _check_version(self, path: Path) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        (tables,) = self._db.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'url'").fetchone()
        if tables and version != _VERSION:
            self._db.close()
            os.close(self._lock)
            raise FrontierVersionError(f"{path} is of another version; take a new run, or remove {path.parent}")

    # ------------------------------------------------------------ generations

    def generation(self) -> tuple[int, float, int, bool]:
        """Number of the generation, Unix time of its begin, number of its first WARC file, whether it has ended."""
        number, begun, first_file, ended = self._db.execute(
            "SELECT number, begun, first_file, ended FROM generation ORDER BY number DESC LIMIT 1"
        ).fetchone()
        return number, begun, first_file, bool(ended)

    def end_generation(self) -> None:
        """Note that no URL is left without a final state."""
        self._db.execute("UPDATE generation SET ended = 1 WHERE number = (SELECT MAX(number) FROM generation)")

    def begin_generation(self, now: float, first_file: int) -> None:
        """Make pending what is due at a Unix time, what failed, and what was left for a passing reason.

        Site files and sitemaps are always due. Rules are asked for again before anything else. Budgets begin anew.
        """
        reasons = ",".join("?" * len(PASSING))
        for pattern in self.patterns.values():
            pattern.fetched = min(pattern.fetched, 1)  # that it was ever seen stays known
            pattern.closed = "" if pattern.closed == "pattern_budget" else pattern.closed
        with self._transaction() as db:
            db.execute("INSERT INTO generation (begun, first_file) VALUES (?, ?)", (now, first_file))
            db.execute("UPDATE url SET tries = 0 WHERE tries > 0")
            db.executemany(
                "UPDATE pattern SET fetched = ?, closed = ? WHERE id = ?",
                ((p.fetched, p.closed, p.id) for p in self.patterns.values()),
            )
            db.execute(
                "UPDATE url SET state = 0, not_before = 0, reason = NULL, detail = NULL"
                f" WHERE state = 4 OR (state = 3 AND reason IN ({reasons}))"
                " OR (state = 2 AND (kind < 3 OR depth = 0 OR due <= ?))",
                (*PASSING, now),
            )
            db.execute(
                "UPDATE origin SET state = 0, reason = '', detail = '', robots_hops = 0,"
                " robots_url = origin || '/robots.txt'"
            )
            db.execute("DELETE FROM counter")
        for origin in self.origins.values():
            origin.state, origin.reason, origin.detail = OriginState.WAITING, "", ""
            origin.robots_url, origin.robots_hops = origin.origin + "/robots.txt", 0

    # ------------------------------------------------------------ leases

    def lease(self, origin: Origin, kinds: Iterable[Kind], count: int, now: float) -> list[Lease]:
        """Hand out up to `count` pending URLs of an origin that are due at Unix time `now`.

        By kind, then priority, then in the order in which they were found.
        """
        leases: list[Lease] = []
        with self._transaction() as db:
            for kind in sorted(kinds):
                # One kind at a time, so that the index gives the order.
                rows = db.execute(
                    f"SELECT url.id, {_LEASE} WHERE url.state = 0 AND url.origin = ? AND url.kind = ?"
                    " AND url.not_before <= ? ORDER BY url.priority, url.id LIMIT ?",
                    (origin.id, kind, now, count - len(leases)),
                ).fetchall()
                db.executemany("UPDATE url SET state = 1 WHERE id = ?", ((row[0],) for row in rows))
                leases += [_lease(row[1:]) for row in rows]
        return leases

    def release(self) -> int:
        """Make every leased URL pending again, how many there were; only its owner may, at its start and its end."""
        return self._db.execute("UPDATE url SET state = 0 WHERE state = 1").rowcount

    def unlease(self, url: str) -> None:
        """Make one leased URL pending again."""
        self._db.execute("UPDATE url SET state = 0 WHERE state = 1 AND hash = ?", (url_hash(url),))

    def exclude_pending(self, origin: Origin | None, reason: str, detail: str) -> None:
        """Exclude every pending URL of an origin, or of all."""
        self._db.execute(
            "UPDATE url SET state = 3, reason = ?, detail = ? WHERE state = 0 AND (? IS NULL OR origin = ?)",
            (reason, detail, origin and origin.id, origin and origin.id),
        )

    def exclude_untried(self, kind: Kind, reason: str) -> None:
        """Exclude every pending URL of a kind that has not been tried yet."""
        self._db.execute(
            "UPDATE url SET state = 3, reason = ? WHERE state = 0 AND kind = ? AND tries = 0", (reason, kind)
        )

    def exclude_pattern(self, pattern: Pattern, reason: str) -> None:
        """Exclude every pending page of a pattern that has not been tried yet."""
        self._db.execute(
            "UPDATE url SET state = 3, reason = ?, detail = ?"
            " WHERE state = 0 AND kind = 3 AND tries = 0 AND pattern = ?",
            (reason, pattern.template, pattern.id),
        )

    def fetch_again(self, url: str) -> None:
        """Make a URL pending whatever it was."""
        self._db.execute("UPDATE url SET state = 0, tries = 0, not_before = 0 WHERE hash = ?", (url_hash(url),))

    def next_due(self, origin: Origin) -> float | None:
        """Unix time from which a pending URL of an origin may be tried; None where none is pending."""
        row = self._db.execute("SELECT MIN(not_before) FROM url WHERE state = 0 AND origin = ?", (origin.id,))
        due: float | None = row.fetchone()[0]
        return due

    def has_unfinished(self, origin: Origin | None = None, kind: Kind | None = None) -> bool:
        """Whether a URL (of an origin and kind) has no final state yet."""
        where = "(:origin IS NULL OR origin = :origin) AND (:kind IS NULL OR kind = :kind)"
        sought = self._db.execute(
            f"SELECT 1 FROM url WHERE state = 0 AND {where}"
            f" UNION ALL SELECT 1 FROM url WHERE state = 1 AND {where} LIMIT 1",
            {"origin": origin and origin.id, "kind": kind},
        )
        return sought.fetchone() is not None

    # ------------------------------------------------------------ what is known

    def tried(self) -> dict[Kind, int]:
        """Number of URLs of each kind that have been fetched or tried in this generation."""
        found = dict.fromkeys(Kind, 0)
        first_file = f"{self.generation()[2]:05d}"
        rows = self._db.execute(
            "SELECT url.kind, COUNT(*) FROM url LEFT JOIN record ON record.id = url.record WHERE state = 4 OR tries > 0"
            " OR (state = 2 AND record.file >= ?) GROUP BY url.kind",
            (first_file,),
        )
        return found | {Kind(kind): count for kind, count in rows}

    def find(self, url: str) -> tuple[Lease, Fate] | None:
        """A URL's row, as it would be leased and as it is; None where it is not known."""
        row = self._db.execute(f"SELECT {_LEASE} WHERE url.hash = ?", (url_hash(url),)).fetchone()
        if row is None:
            return None
        fate = self._db.execute(f"SELECT {_FATE} WHERE url.hash = ?", (url_hash(url),)).fetchone()
        return _lease(row), _fate(fate)

    def payload_of(self, url: str) -> StoredRecord | None:
        """The last record of a URL that has a payload, which later visits found unchanged; None where there is none."""
        row = self._db.execute(
            f"SELECT {_RECORD} FROM url JOIN record ON record.id = url.payload WHERE url.hash = ?", (url_hash(url),)
        ).fetchone()
        return _record(row) if row else None

    def spent(self, day: str) -> tuple[int, int]:
        """Pages and bytes that were fetched on a day (YYYY-MM-DD)."""
        row = self._db.execute("SELECT pages, bytes FROM day WHERE day = ?", (day,)).fetchone()
        return row or (0, 0)

    def settled_ends(self) -> dict[str, int]:
        """For each WARC file, the end of the last record in it that is indexed."""
        return dict(self._db.execute("SELECT file, MAX(offset + length) FROM record GROUP BY file").fetchall())

    def lose_records_beyond(self, file: str, size: int) -> int:
        """Make pending again what says to lie in a file beyond its size; how many URLs those were.

        That happens where the machine lost power, never where only the process was killed.
        """
        with self._transaction() as db:
            lost = db.execute(
                "SELECT id, url FROM record WHERE file = ? AND offset + length > ?", (file, size)
            ).fetchall()
            db.executemany("DELETE FROM record WHERE id = ?", ((row[0],) for row in lost))
            db.executemany(
                "UPDATE url SET state = 0, record = (SELECT MAX(id) FROM record WHERE record.url = url.id),"
                " payload = NULL, etag = NULL, last_modified = NULL WHERE id = ?",
                ((row[1],) for row in lost),
            )
        return len(lost)

    def take_down(self, urls: Iterable[str]) -> None:
        """Forget the records of URLs, and what a server could be asked by: they are excluded as taken down."""
        with self._transaction() as db:
            db.execute("CREATE TEMP TABLE IF NOT EXISTS gone (hash INTEGER PRIMARY KEY)")
            db.executemany("INSERT OR IGNORE INTO gone VALUES (?)", ((url_hash(url),) for url in urls))
            db.execute(
                "DELETE FROM record WHERE url IN (SELECT url.id FROM gone CROSS JOIN url ON url.hash = gone.hash)"
            )
            db.execute(
                "UPDATE url SET state = 3, reason = 'taken_down', detail = '', record = NULL, payload = NULL,"
                " etag = NULL, last_modified = NULL, interval_s = NULL, due = NULL"
                " WHERE hash IN (SELECT hash FROM gone)"
            )
            db.execute("DELETE FROM gone")

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

    # ------------------------------------------------------------ inside a transaction

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db)

    def _insert_links(self, links: list[Link]) -> None:
        origins = [origin_of(link.url) for link in links]
        for origin in set(origins) - self.origins.keys():
            self._insert_origin(origin)
        rows = [
            (url_hash(link.url), link, self.origins[origin].id) for link, origin in zip(links, origins, strict=True)
        ]
        self._db.executemany(
            "INSERT INTO url (hash, url, origin, kind, hops, depth, pattern, priority) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (hash) DO UPDATE SET kind = 0 WHERE excluded.kind = 0 AND state = 0",
            (
                (key, link.url, origin, link.kind, link.hops, link.depth, link.pattern, link.priority)
                for key, link, origin in rows
            ),
        )
        self._db.executemany(
            "UPDATE url SET state = 0, tries = 0, not_before = 0 WHERE hash = ? AND state = 2 AND due - interval_s < ?"
            " AND due - interval_s < (SELECT MAX(begun) FROM generation)",
            ((key, link.lastmod) for key, link, _ in rows if link.lastmod),
        )

    def _insert_origin(self, origin: str) -> None:
        robots_url = origin + "/robots.txt"
        cursor = self._db.execute("INSERT INTO origin (origin, robots_url) VALUES (?, ?)", (origin, robots_url))
        assert cursor.lastrowid is not None
        self.origins[origin] = Origin(cursor.lastrowid, origin, host_of(robots_url), robots_url)
        self._db.execute(
            "INSERT OR IGNORE INTO url (hash, url, origin, kind, hops, depth, pattern, priority)"
            " VALUES (?, ?, ?, ?, 0, 0, 0, ?)",
            (url_hash(robots_url), robots_url, cursor.lastrowid, Kind.ROBOTS, USUAL),
        )

    def _store(self, s: Stored) -> None:
        """Index a record, and settle its URL; the day of its fetch gets it on its account."""
        key = url_hash(s.url)
        at = datetime.fromisoformat(s.fetched_at).timestamp()
        cursor = self._db.execute(
            "INSERT INTO record (url, file, offset, length, status, content_type, digest, fetched_at, is_revisit)"
            " SELECT id, ?, ?, ?, ?, ?, ?, ?, ? FROM url WHERE hash = ?",
            (s.file, s.offset, s.length, s.status, s.content_type, s.digest, s.fetched_at, s.is_revisit, key),
        )
        # Only a response with a payload can stand for itself at the next visit.
        payload = cursor.lastrowid if s.status == 200 and not s.is_revisit else None
        self._db.execute(
            "UPDATE url SET state = 2, reason = NULL, detail = NULL, record = ?1,"
            " payload = CASE WHEN ?2 IS NOT NULL THEN ?2 WHEN ?3 THEN payload END,"
            " etag = ?4, last_modified = ?5, interval_s = ?6, due = ?7 WHERE hash = ?8",
            (
                cursor.lastrowid,
                payload,
                s.is_revisit,
                s.etag,
                s.last_modified,
                s.interval_s,
                at + s.interval_s,
                key,
            ),
        )
        self._db.execute(
            "INSERT INTO day VALUES (?, 1, ?)"
            " ON CONFLICT (day) DO UPDATE SET pages = pages + 1, bytes = bytes + excluded.bytes",
            (s.fetched_at[:10], s.length),
        )


def url_hash(url: str) -> int:
    """64 bits of a URL's hash, signed as SQLite's integers are."""
    return int.from_bytes(hashlib.blake2b(url.encode(), digest_size=8).digest(), "little", signed=True)


class _Transaction:
    """All or nothing of what happens inside `with`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> sqlite3.Connection:
        self._db.execute("BEGIN IMMEDIATE")
        return self._db

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")


_LEASE = (
    "url.url, url.kind, url.hops, url.tries, url.depth, url.pattern, payload.digest, payload.fetched_at,"
    " url.etag, url.last_modified, url.interval_s"
    " FROM url LEFT JOIN record AS payload ON payload.id = url.payload"
)


def _lease(row: tuple) -> Lease:  # type: ignore[type-arg]
    url, kind, hops, tries, depth, pattern, digest, fetched_at, etag, last_modified, interval_s = row
    earlier = Earlier(digest, datetime.fromisoformat(fetched_at)) if digest else None
    return Lease(url, Kind(kind), hops, tries, depth, pattern, earlier, etag, last_modified, interval_s or 0.0)


_RECORD = (
    "record.status, record.content_type, record.file, record.offset, record.length, record.digest, record.fetched_at,"
    " record.is_revisit"
)
_FATE = (
    f"url.url, url.kind, url.state, url.reason, url.detail, {_RECORD}"
    " FROM url LEFT JOIN record ON record.id = url.record"
)


def _fate(row: tuple) -> Fate:  # type: ignore[type-arg]
    url, kind, state, reason, detail, *record = row
    return Fate(url, Kind(kind), State(state), reason, detail, _record(record) if record[0] is not None else None)


def _record(row: Iterable) -> StoredRecord:  # type: ignore[type-arg]
    *values, is_revisit = row
    return StoredRecord(*values, is_revisit=bool(is_revisit))  # type: ignore[misc]


def all_fates(db: sqlite3.Connection) -> Iterator[Fate]:
    """Every URL of a frontier, in URL order."""
    for row in db.execute(f"SELECT {_FATE} ORDER BY url.url"):
        yield _fate(row)


def all_records(db: sqlite3.Connection) -> Iterator[tuple[str, Kind, StoredRecord]]:
    """Every record of a frontier with its URL and kind: in URL order, the records of a URL in their own."""
    for url, kind, *record in db.execute(
        f"SELECT url.url, url.kind, {_RECORD} FROM record JOIN url ON url.id = record.url ORDER BY url.url, record.id"
    ):
        yield url, Kind(kind), _record(record)


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
