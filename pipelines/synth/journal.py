"""The journal of a writer: responses that are in no segment yet, in the order in which they came.

A file begins with a mark of 16 random bytes. A record is the mark again, length and CRC-32 of what follows, then the
response; it is appended by one write(2), so that it outlives its process. No response can imitate a record: none knows
the mark. The writer holds an flock on the file as long as it lives, so that others know a dead one's.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from synth.request import Response

SUFFIX = ".journal"
_MARK_BYTES = 16
_HEAD = struct.Struct("<II")
_FIELDS = struct.Struct("<iiddH")  # status, attempts, received_at, seconds, bytes of the key


class Journal:
    """An open journal, locked: a new one of this process, or that of a dead one. Not thread-safe."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size = os.fstat(descriptor).st_size
        self._descriptor = descriptor
        self._mark = os.pread(descriptor, _MARK_BYTES, 0)
        self._is_synced = True

    def append(self, response: Response) -> None:
        """Adds a response; it is there whatever becomes of the process. Raises OSError, and then nothing was added."""
        left = memoryview(self._mark + _packed(response))
        size = len(left)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size += size
        self._is_synced = False

    def sync(self) -> None:
        """Waits until what was added is on the disk, for the case that the power fails."""
        if not self._is_synced:
            self._is_synced = True
            os.fsync(self._descriptor)

    def is_empty(self) -> bool:
        """Whether nothing was added."""
        return self.size <= _MARK_BYTES

    def end(self) -> None:
        """Removes the file, and lets go of it."""
        self.path.unlink(missing_ok=True)
        self.let_go()

    def let_go(self) -> None:
        """Closes the file, and is its owner no longer."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def create(folder: Path) -> Journal:
    """A new journal. It has its name when it is locked, so that nobody takes it for a dead one's."""
    folder.mkdir(parents=True, exist_ok=True)
    moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    host = "".join(c for c in socket.gethostname() if c.isascii() and c.isalnum())[:32]
    path = folder / f"{moment}-{host}-{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
    hidden = folder / f".{path.name}.tmp"
    descriptor = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.write(descriptor, secrets.token_bytes(_MARK_BYTES))
    os.fsync(descriptor)
    os.replace(hidden, path)
    directory = os.open(folder, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)
    return Journal(path, descriptor)


def files(folder: Path) -> list[Path]:
    """The journals of living and dead writers, sorted."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def dead(folder: Path) -> Iterator[Journal]:
    """Journals whose writers are gone, each locked; whoever takes one ends it or lets go of it."""
    for path in files(folder):
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        if os.fstat(descriptor).st_nlink:
            yield Journal(path, descriptor)
        else:  # another was faster, and has ended it
            os.close(descriptor)


def read(path: Path) -> Iterator[Response]:
    """The whole records of a journal, also of one that is being written; none where it has ended meanwhile.

    What is torn is left out: at the end the last record of a killed writer, whose call was in flight; within, what a
    failure of power has spoilt. Memory: the file.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    mark = content[:_MARK_BYTES]
    if len(mark) < _MARK_BYTES or not any(mark):  # zeros are what a failure of power has left
        return
    at = _MARK_BYTES
    while (at := content.find(mark, at)) >= 0:
        begin = at + _MARK_BYTES + _HEAD.size
        if begin > len(content):
            return
        length, checksum = _HEAD.unpack_from(content, at + _MARK_BYTES)
        payload = content[begin : begin + length]
        if len(payload) == length and zlib.crc32(payload) == checksum:
            yield _unpacked(payload)
            at = begin + length
        else:
            at += 1


def _packed(response: Response) -> bytes:
    key = response.key.encode()
    fields = _FIELDS.pack(response.status, response.attempts, response.received_at, response.seconds, len(key))
    payload = b"".join([fields, key, response.body])
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def _unpacked(payload: bytes) -> Response:
    status, attempts, received_at, seconds, length = _FIELDS.unpack_from(payload)
    end = _FIELDS.size + length
    return Response(payload[_FIELDS.size : end].decode(), status, payload[end:], received_at, attempts, seconds)
