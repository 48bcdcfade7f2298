"""The lease of a run: two commands that make stages of one run never overlap, on one machine or on several.

Beside a run on a file system it is an flock, which the kernel frees when its holder dies, however it dies. In a bucket
it is an object that is written on a condition, and renewed while its holder lives; one that was not renewed for its
term, by the bucket's own clock, may be taken over.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipelines import storage
from pipelines.conditional import Changed, ConditionalObject, conditional_object

LEASE = ".lease"
_TERM_S = 120.0
_RENEW_S = 30.0


class LeaseError(Exception):
    """A run that another command holds, or whose lease was lost; the message names the holder."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lease, and since when (UTC). A `token` is of one holding, `renewals` make each writing another."""

    token: str
    host: str
    pid: int
    since: str
    renewals: int = 0

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"


@contextmanager
def held(url: str) -> Iterator[None]:
    """Holds the lease of a run while the block runs. Raises LeaseError at once where another command holds it.

    Should the lease be lost all the same (a bucket that was out of reach for its term), the block is interrupted, and
    LeaseError says so.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    holder = Holder(secrets.token_hex(8), socket.gethostname(), os.getpid(), now)
    holding = _held_object(url, holder) if storage.is_remote(url) else _held_file(url, holder)
    with holding:
        yield


# ---------------------------------------------------------------- on a file system


@contextmanager
def _held_file(url: str, holder: Holder) -> Iterator[None]:
    """The file stays behind, empty: to remove it would let go of whoever waits at it."""
    path = Path(url, LEASE)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:  # no child inherits it
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise LeaseError(_refusal(url, _holder_in(file.read()))) from None
        except OSError as error:
            raise LeaseError(f"{url}: its file system keeps no locks: {error.strerror}") from None
        file.truncate(0)
        file.write(_content(holder))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
            file.flush()


# ---------------------------------------------------------------- in a bucket


@contextmanager
def _held_object(url: str, holder: Holder) -> Iterator[None]:
    place = conditional_object(storage.join(url, LEASE))
    if not _obeys_conditions(place):
        print(f"{url}: no lease is kept in this bucket; see to it that no two commands make this run", file=sys.stderr)
        yield
        return
    renewals = _Renewals(place, holder, _take(url, place, holder))
    try:
        yield
    except KeyboardInterrupt:
        if renewals.lost:
            raise LeaseError(f"{url}: {renewals.lost}; the same command resumes") from None
        raise
    finally:
        renewals.end()
    if renewals.lost:
        raise LeaseError(f"{url}: {renewals.lost}; run the same command again")


def _obeys_conditions(place: ConditionalObject) -> bool:
    """Whether a bucket heeds conditions, by one that cannot hold; some that speak S3 ignore what they do not know."""
    try:
        place.write(b"", place.never)
    except Changed:
        return True
    return False


def _take(url: str, place: ConditionalObject, holder: Holder) -> str:
    """Takes the lease if it is free, or was not renewed for its term. Returns the version of the object."""
    found = place.read()
    if found and found.content and found.age_s < _TERM_S:
        raise LeaseError(_refusal(url, _holder_in(found.content), _TERM_S - found.age_s))
    try:
        return place.write(_content(holder), found.etag if found else None)
    except Changed:
        # Another was faster; or it was us, and a lost answer made the client ask twice.
        found = place.read()
        there = _holder_in(found.content) if found else None
        if found and there and there.token == holder.token:
            return found.etag
        raise LeaseError(_refusal(url, there)) from None


class _Renewals:
    """A thread that renews a lease, and interrupts the main thread when it is lost; `lost` then says why."""

    def __init__(self, place: ConditionalObject, holder: Holder, etag: str) -> None:
        self.lost = ""
        self._place, self._holder, self._etag = place, holder, etag
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stops, and gives the lease back: an empty object is free."""
        self._ended.set()
        self._thread.join()
        if not self.lost:
            try:
                self._place.write(b"", self._etag)
            except (Changed, storage.StorageError):
                pass  # it ends by itself, with its term

    def _renew(self) -> None:
        renewed = time.monotonic()
        number = 0
        while not self._ended.wait(_RENEW_S):
            number += 1
            asked = time.monotonic()
            try:
                self._etag = self._write(number)
                renewed = asked
            except storage.StorageError as error:
                if asked - renewed > _TERM_S - 2 * _RENEW_S:
                    self._give_up(f"its lease could not be renewed ({error})")
            except LeaseError as error:
                self._give_up(str(error))

    def _write(self, number: int) -> str:
        content = _content(Holder(**{**asdict(self._holder), "renewals": number}))
        try:
            return self._place.write(content, self._etag)
        except Changed:
            found = self._place.read()
            there = _holder_in(found.content) if found else None
            if found and there and there.token == self._holder.token:
                return found.etag  # the answer to an earlier writing was lost
            raise LeaseError(f"its lease was taken over by {there or 'another command'}") from None

    def _give_up(self, why: str) -> None:
        self.lost = why
        self._ended.set()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


# ---------------------------------------------------------------- who


def _content(holder: Holder) -> bytes:
    return json.dumps(asdict(holder), sort_keys=True).encode()


def _holder_in(content: bytes) -> Holder | None:
    """Who a lease says holds it; None where that cannot be read."""
    try:
        return Holder(**json.loads(content))
    except (ValueError, TypeError):
        return None


def _refusal(url: str, holder: Holder | None, left_s: float | None = None) -> str:
    ends = f"; should that process be dead, its lease ends in {left_s:.0f} s" if left_s is not None else ""
    return f"{url}: is being made by {holder or 'another command'}; wait until it is done{ends}"
