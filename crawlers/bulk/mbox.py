"""Mail archives in mbox format as threads of messages.

Two passes: the first notes where each message begins and what its header says, in an SQLite file; the
second reads the messages of one thread at a time. Memory follows the largest thread, not the archive.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from crawlers.bulk.mbox_header import Header, read_header
from crawlers.bulk.mbox_threads import link

MAX_LINE = 1 << 16
MAX_HEADER_BYTES = 1 << 18

# `From ` and a date: mails whose text has a line that begins with `From ` are not cut there.
_BEGIN = re.compile(rb"From .{0,300}?\d{1,2}:\d\d(?::\d\d)?\b.{0,40}\s*$")
_FIELD = re.compile(rb"[!-9;-~]{1,76}:")
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_TABLES = """
CREATE TABLE messages (
    number INTEGER PRIMARY KEY, file INTEGER, start INTEGER, stop INTEGER,
    id TEXT UNIQUE, parents TEXT, date INTEGER, subject TEXT, is_reply INTEGER
);
"""


@dataclass(frozen=True, slots=True)
class Thread:
    """Messages that belong together. `id` is the Message-ID of the first, even if the archive does not have it.

    messages: each as it was sent, header and body, in the order in which they are to be read. `left_out`:
    how many more there are, beyond the limit on the size of a thread.
    """

    id: str
    messages: tuple[bytes, ...]
    left_out: int = 0


def read_threads(
    streams: Sequence[BinaryIO],
    directory: Path,
    *,
    max_message_bytes: int = 4 << 20,
    max_thread_bytes: int = 16 << 20,
) -> Iterator[Thread]:
    """The threads of an archive, in the order of their ids.

    streams: the files of one archive (one, or one for each month), seekable, mboxrd or mboxo. directory: where
    a file of the index may lie meanwhile. A message longer than `max_message_bytes` is cut; a message whose id
    came before is left out. Damage costs what is damaged: text before the first message, or within a header.
    """
    index = directory / "mbox.sqlite"
    connection = sqlite3.connect(index, isolation_level=None)
    try:
        connection.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_TABLES} BEGIN;")
        for file, stream in enumerate(streams):
            for start, stop in _messages(stream):
                _note(connection, file, start, stop, stream)
        link(connection)
        yield from _threads(connection, streams, max_message_bytes, max_thread_bytes)
    finally:
        connection.close()
        index.unlink(missing_ok=True)


def _messages(stream: BinaryIO) -> Iterator[tuple[int, int]]:
    """Where each message begins, behind its `From ` line, and ends."""
    stream.seek(0)
    at = waiting_at = 0
    start = -1
    waiting = False  # a message begins here, if a header follows
    while line := stream.readline(MAX_LINE):
        if waiting and _FIELD.match(line):
            if start >= 0:
                yield start, waiting_at
            start = at
        waiting = line.startswith(b"From ") and bool(_BEGIN.match(line))
        waiting_at = at if waiting else waiting_at
        at += len(line)
    if start >= 0:
        yield start, at


def _note(connection: sqlite3.Connection, file: int, start: int, stop: int, stream: BinaryIO) -> None:
    """Write what the header of a message says into the index, and go back to where reading was."""
    here = stream.tell()
    stream.seek(start)
    head = stream.read(min(stop - start, MAX_HEADER_BYTES))
    stream.seek(here)
    header: Header = read_header(head)
    identity = header.id or f"unnamed-{blake2b(head, digest_size=16).hexdigest()}"
    row = (file, start, stop, identity, "\n".join(header.parents), header.date, header.subject, header.is_reply)
    connection.execute(
        "INSERT OR IGNORE INTO messages (file, start, stop, id, parents, date, subject, is_reply) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    )


def _threads(
    connection: sqlite3.Connection, streams: Sequence[BinaryIO], max_message: int, max_thread: int
) -> Iterator[Thread]:
    rows = connection.execute(
        "SELECT n.root, m.file, m.start, m.stop FROM nodes n CROSS JOIN messages m ON m.id = n.id "
        "ORDER BY n.root, n.place, n.depth, n.id"
    )
    root: str | None = None
    messages: list[bytes] = []
    size = left_out = 0
    for thread, file, start, stop in rows:
        if thread != root:
            if root is not None:
                yield Thread(root, tuple(messages), left_out)
            root, messages, size, left_out = thread, [], 0, 0
        length = min(stop - start, max_message)
        if size + length > max_thread and messages:
            left_out += 1
            continue
        streams[file].seek(start)
        messages.append(_QUOTED.sub(rb"\1", streams[file].read(length)).rstrip(b"\r\n") + b"\n")
        size += length
    if root is not None:
        yield Thread(root, tuple(messages), left_out)
