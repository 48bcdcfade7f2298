"""Threads of a Stack Exchange dump: a question with its answers, out of `Posts.xml` in any order and of any size.

A dump writes each row as one `<row .../>`, and no `<` can stand inside of it. So the stream is cut at `<row`, and
each row is parsed alone: a damaged row costs one row, and no document type or entity is ever read. The posts wait
in an SQLite file, found again by their question.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

from lxml import etree
from pydantic import TypeAdapter, ValidationError

from crawlers.bulk.left_out import LeftOut
from crawlers.bulk.pieces import cut_at

QUESTION, ANSWER = "1", "2"
MAX_ROW_BYTES = 4 << 20
MAX_THREAD_BYTES = 64 << 20

_CHUNK = 1 << 20
_START = b"<row "
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
_DATE = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+")
_INTEGER = re.compile(r"-?\d{1,18}")
_TAG = re.compile(r"[^<>|\s]+")
_STATED = re.compile(r"CC BY-SA (\d\.\d)")
# The first day of each version, from the terms of service of Stack Exchange.
_VERSIONS = (("2018-05-02", "4.0"), ("2011-04-08", "3.0"), ("", "2.5"))

_TABLES = """
CREATE TABLE posts (id INTEGER PRIMARY KEY, thread INTEGER, offset INTEGER, row BLOB);
CREATE TABLE comments (id INTEGER PRIMARY KEY, post INTEGER, offset INTEGER, row BLOB);
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
CREATE INDEX thread_of_post ON posts (thread);
CREATE INDEX post_of_comment ON comments (post);
"""
_ORPHANS = "FROM posts WHERE NOT EXISTS (SELECT 1 FROM posts AS q WHERE q.id = posts.thread AND q.thread = q.id)"


@dataclass(frozen=True)
class Comment:
    """A comment below a post, in the small Markdown of comments."""

    score: int
    text: str
    licence: str


@dataclass(frozen=True)
class Post:
    """A question or an answer: `body` is HTML, the dates are ISO 8601 in UTC; `changed` is empty if it never was.

    `author` is the name shown, else `user` and a number, else empty; `licence` an SPDX id where it is known.
    """

    id: int
    score: int
    date: str
    changed: str
    author: str
    licence: str
    body: str
    comments: tuple[Comment, ...]


@dataclass(frozen=True)
class Thread:
    """A question and its answers: the accepted one (`accepted` is its id, or 0), then by score, then by id.

    `closed` is the date when the question was closed, or empty.
    """

    title: str
    tags: tuple[str, ...]
    accepted: int
    closed: str
    question: Post
    answers: tuple[Post, ...]

    @property
    def posts(self) -> tuple[Post, ...]:
        return (self.question, *self.answers)

    @property
    def licence(self) -> str:
        """All licences of what the thread holds, such as `CC-BY-SA-3.0 AND CC-BY-SA-4.0`."""
        found = {post.licence for post in self.posts}
        found |= {comment.licence for post in self.posts for comment in post.comments}
        return " AND ".join(sorted(found))

    def payload(self) -> bytes:
        """The thread as JSON; the same thread gives the same bytes."""
        return _THREAD.dump_json(self)


_THREAD: TypeAdapter[Thread] = TypeAdapter(Thread)


def thread_of(payload: bytes) -> Thread:
    """The thread that `Thread.payload` wrote. Raises ValueError for other bytes."""
    try:
        return _THREAD.validate_json(payload, strict=True)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def read_threads(
    posts: BinaryIO, work_dir: Path, comments: BinaryIO | None = None, users: BinaryIO | None = None
) -> Iterator[Thread | LeftOut]:
    """The threads of a dump in the order of their questions' ids, behind what is left out of them.

    posts, comments, users: the streams of `Posts.xml`, `Comments.xml` and `Users.xml`, unpacked; the last two may
    be missing. In `work_dir` one file, about as large as the streams, lives as long as this iterator. Reasons of
    what is left out: `damaged_row`, `too_large`, `duplicate`, `not_a_thread` (wikis of tags and the like), `orphan`,
    `no_rows`; the detail begins with the table.
    """
    path = work_dir / "threads.sqlite"
    path.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536;" + _TABLES)
            db.execute("BEGIN")
            for name, stream in (("users", users), ("posts", posts), ("comments", comments)):
                if stream is not None:
                    yield from _load(db, name, stream)
            yield from _orphans(db)
            db.execute("COMMIT")
            yield from _threads(db)
    finally:
        path.unlink(missing_ok=True)


def licence_of(date: str, stated: str | None) -> str:
    """The SPDX id of a post's licence: what its row states, else by the day it was written."""
    if stated:
        known = _STATED.fullmatch(stated.strip())
        return f"CC-BY-SA-{known.group(1)}" if known else stated.strip()
    return "CC-BY-SA-" + next(version for first, version in _VERSIONS if date[:10] >= first)


# ---------------------------------------------------------------- rows of a stream


def _load(db: sqlite3.Connection, table: str, stream: BinaryIO) -> Iterator[LeftOut]:
    """Put the rows of a stream into their table; what cannot be put there is given back."""
    seen = False
    for offset, raw in cut_at(iter(lambda: stream.read(_CHUNK), b""), _START, MAX_ROW_BYTES):
        seen = True
        row = None
        if len(raw) <= MAX_ROW_BYTES:
            row = _parsed(raw)
            if row is None and (cut := raw.find(b"<", 1)) > 0 and (row := _parsed(raw[:cut])) is not None:
                yield LeftOut(offset + cut, "damaged_row", f"{table}: bytes that are no row")
                raw = raw[:cut]
        if row is None:
            reason = "damaged_row" if len(raw) <= MAX_ROW_BYTES else "too_large"
            yield LeftOut(offset, reason, f"{table}: {_error(raw) if reason == 'damaged_row' else 'a row'}")
        elif left := _put(db, table, offset, row, raw):
            yield LeftOut(offset, left[0], f"{table}: {left[1]}")
    if not seen:
        yield LeftOut(0, "no_rows", f"{table}: the stream holds no row")


def _element(raw: bytes) -> bytes:
    """A row without what may follow its end: spaces, and the end of the table."""
    text = raw.rstrip()
    if text.endswith((b"</posts>", b"</comments>", b"</users>")):
        text = text[: text.rindex(b"</")].rstrip()
    return text


def _parsed(raw: bytes) -> dict[str, str] | None:
    """The attributes of one row, or None where it is no sound element."""
    try:
        return dict(etree.fromstring(_element(raw), _PARSER).attrib)
    except etree.XMLSyntaxError:
        return None


def _error(raw: bytes) -> str:
    try:
        etree.fromstring(_element(raw), _PARSER)
    except etree.XMLSyntaxError as error:
        return str(error.msg)
    return ""


def _put(db: sqlite3.Connection, table: str, offset: int, row: Mapping[str, str], raw: bytes) -> tuple[str, str] | None:
    """Store a row; reason and detail where it cannot be stored."""
    if not _INTEGER.fullmatch(row.get("Id", "")):
        return "damaged_row", "no Id"
    number = int(row["Id"])
    if table == "users":
        db.execute("INSERT OR IGNORE INTO users VALUES (?, ?)", (number, row.get("DisplayName", "")))
        return None
    if not _DATE.fullmatch(row.get("CreationDate", "")):
        return "damaged_row", "no CreationDate"
    above = row.get("PostId", "")
    if table == "posts":
        kind = row.get("PostTypeId", "")
        if kind not in (QUESTION, ANSWER):
            return "not_a_thread", f"post {number} has the type {kind or 'none'}"
        above = row["Id"] if kind == QUESTION else row.get("ParentId", "")
    if not _INTEGER.fullmatch(above):
        return "damaged_row", f"{number} names nothing that it belongs to"
    values = (number, int(above), offset, _element(raw))
    if db.execute(f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?, ?)", values).rowcount == 0:
        return "duplicate", f"a second row with the Id {number}"
    return None


# ---------------------------------------------------------------- threads


def _orphans(db: sqlite3.Connection) -> Iterator[LeftOut]:
    """Answers without their question, and comments without their post; they leave the tables."""
    for number, thread, offset in db.execute(f"SELECT id, thread, offset {_ORPHANS} ORDER BY id"):
        yield LeftOut(offset, "orphan", f"posts: answer {number} to {thread}, which is no question of this dump")
    db.execute(f"DELETE {_ORPHANS}")
    lost = "FROM comments WHERE NOT EXISTS (SELECT 1 FROM posts WHERE posts.id = comments.post)"
    for number, post, offset in db.execute(f"SELECT id, post, offset {lost} ORDER BY id"):
        yield LeftOut(offset, "orphan", f"comments: {number} to {post}, which is in no thread of this dump")


def _threads(db: sqlite3.Connection) -> Iterator[Thread | LeftOut]:
    below = "SELECT coalesce(sum(length(row)), 0) FROM comments WHERE post = posts.id"
    found = db.execute(f"SELECT thread, id, offset, row, ({below}) FROM posts ORDER BY thread, id")
    for number, group in groupby(found, key=lambda each: each[0]):
        rows, size, offset = [], 0, 0
        for _, post, start, raw, comments in group:
            offset = start if post == number else offset
            size += len(raw) + comments
            if size <= MAX_THREAD_BYTES:
                rows.append(_parsed(raw) or {})
        if size > MAX_THREAD_BYTES:
            yield LeftOut(offset, "too_large", f"posts: thread {number} has {size} bytes, limit {MAX_THREAD_BYTES}")
        else:
            yield _thread(db, number, rows)


def _thread(db: sqlite3.Connection, number: int, rows: list[dict[str, str]]) -> Thread:
    question = next(row for row in rows if int(row["Id"]) == number)
    accepted = _integer(question, "AcceptedAnswerId")
    answers = [_post(db, row) for row in rows if row is not question]
    answers.sort(key=lambda post: (post.id != accepted, -post.score, post.id))
    return Thread(
        title=question.get("Title", ""),
        tags=tuple(_TAG.findall(question.get("Tags", ""))),
        accepted=accepted,
        closed=question.get("ClosedDate", ""),
        question=_post(db, question),
        answers=tuple(answers),
    )


def _post(db: sqlite3.Connection, row: Mapping[str, str]) -> Post:
    below = db.execute("SELECT row FROM comments WHERE post = ? ORDER BY id", (int(row["Id"]),))
    return Post(
        id=int(row["Id"]),
        score=_integer(row, "Score"),
        date=row["CreationDate"],
        changed=row.get("LastEditDate", ""),
        author=_author(db, row),
        licence=licence_of(row["CreationDate"], row.get("ContentLicense")),
        body=row.get("Body", ""),
        comments=tuple(_comment(_parsed(raw) or {}) for (raw,) in below),
    )


def _comment(row: Mapping[str, str]) -> Comment:
    licence = licence_of(row["CreationDate"], row.get("ContentLicense"))
    return Comment(_integer(row, "Score"), row.get("Text", ""), licence)


def _author(db: sqlite3.Connection, row: Mapping[str, str]) -> str:
    if name := row.get("OwnerDisplayName"):
        return name
    if not (owner := row.get("OwnerUserId")):
        return ""
    found: Any = db.execute("SELECT name FROM users WHERE id = ?", (_integer(row, "OwnerUserId"),)).fetchone()
    return (found and found[0]) or f"user {owner}"


def _integer(row: Mapping[str, str], name: str) -> int:
    return int(row[name]) if _INTEGER.fullmatch(row.get(name, "")) else 0
