"""Which message answers which, after Jamie Zawinski's rules (https://www.jwz.org/doc/threading.html).

A message hangs below the last id that it names. Ids that no message has stand for what is missing. A reply
that names none joins messages of its subject, if they are near in time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import pairwise

SUBJECT_SECONDS = 60 * 24 * 3600  # how far apart a reply without reference and its thread may be

_TABLES = """
CREATE TABLE nodes (id TEXT PRIMARY KEY, parent TEXT, top TEXT, root TEXT, place INTEGER, depth INTEGER);
INSERT INTO nodes (id) SELECT id FROM messages;
CREATE INDEX by_subject ON messages (subject, date, id);
"""


def link(connection: sqlite3.Connection) -> None:
    """Make the table `nodes` from `messages`: of each message the root of its thread and its place in it."""
    for statement in _TABLES.strip().split(";\n"):
        connection.execute(statement.rstrip(";"))
    said = "SELECT id, parents FROM messages WHERE parents != '' ORDER BY id"
    for identity, parents in connection.execute(said):
        chain = parents.split("\n")
        connection.executemany("INSERT OR IGNORE INTO nodes (id) VALUES (?)", [(each,) for each in chain])
        _hang(connection, identity, chain[-1])
    # What others say of a message counts only where it says nothing itself.
    for _, parents in connection.execute(said):
        for parent, child in pairwise(parents.split("\n")):
            _hang(connection, child, parent)
    _link_subjects(connection)
    _place_all(connection)


def _hang(connection: sqlite3.Connection, child: str, parent: str) -> None:
    """Hang a node below another, unless it hangs already or the other hangs below it."""
    (known,) = connection.execute("SELECT parent FROM nodes WHERE id = ?", (child,)).fetchone()
    if known is None and (top := _top(connection, parent)) != child:
        connection.execute("UPDATE nodes SET parent = ?, top = ? WHERE id = ?", (parent, top, child))


def _top(connection: sqlite3.Connection, identity: str) -> str:
    """The node at the top of a tree. What was found is noted at all nodes passed, so that it is found fast again."""
    passed: list[tuple[str, str]] = []
    at = identity
    while (above := connection.execute("SELECT top FROM nodes WHERE id = ?", (at,)).fetchone()[0]) is not None:
        passed.append((above, at))
        at = above
    connection.executemany(
        "UPDATE nodes SET top = ? WHERE id = ?", [(at, node) for above, node in passed if above != at]
    )
    return at


def _link_subjects(connection: sqlite3.Connection) -> None:
    """Hang replies that name no message below the nearest message before them that began their subject."""
    connection.execute(
        "CREATE TABLE lonely AS SELECT m.id, m.subject, m.date FROM messages m JOIN nodes n ON n.id = m.id "
        "WHERE m.is_reply AND m.subject != '' AND m.parents = '' AND n.parent IS NULL"
    )
    for identity, subject, date in connection.execute("SELECT id, subject, date FROM lonely ORDER BY date, id"):
        found = connection.execute(
            "SELECT id FROM messages WHERE subject = ? AND date BETWEEN ? AND ? AND id != ? AND (date, id) < (?, ?) "
            "ORDER BY is_reply, date DESC, id DESC LIMIT 1",
            (subject, date - SUBJECT_SECONDS, date, identity, date, identity),
        ).fetchone()
        if found:
            _hang(connection, identity, found[0])


def _place_all(connection: sqlite3.Connection) -> None:
    """Give each node its root, its depth, and its place: its date, but no earlier than what it answers."""
    said = "SELECT n.parent, n.root, n.place, n.depth, m.date FROM nodes n LEFT JOIN messages m ON m.id = n.id"
    for identity in _ids(connection):
        path: list[tuple[str, int]] = []
        at: str | None = identity
        root, place, depth = "", 0, -1
        while at is not None:
            parent, known, known_place, known_depth, date = connection.execute(
                f"{said} WHERE n.id = ?", (at,)
            ).fetchone()
            if known is not None:
                root, place, depth = known, known_place, known_depth
                break
            path.append((at, date or 0))
            root, at = at, parent
        for node, date in reversed(path):
            place, depth = max(place, date), depth + 1
            connection.execute(
                "UPDATE nodes SET root = ?, place = ?, depth = ? WHERE id = ?", (root, place, depth, node)
            )
    connection.execute("CREATE INDEX by_root ON nodes (root, place, depth, id)")


def _ids(connection: sqlite3.Connection) -> Iterator[str]:
    """The ids of all nodes, while these are changed."""
    last = ""
    while found := connection.execute("SELECT id FROM nodes WHERE id > ? ORDER BY id LIMIT 1000", (last,)).fetchall():
        for (last,) in found:
            yield last
