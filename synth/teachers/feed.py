"""Requests out of an iterator that may block, pulled by a thread, only so many as are asked for soon."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from synth.request import Request

_MOST_BYTES = 64 << 20
_JOIN_S = 5.0


class Feed:
    """Pulls up to `most` requests (or 64 MiB of bodies) ahead of what was done.

    `wake` is called from the thread when there is something to take, or nothing more will come.
    """

    def __init__(self, requests: Iterator[Request], most: int, wake: Callable[[], None]) -> None:
        self.error: BaseException | None = None  # what the iterator raised
        self._requests = requests
        self._most = most
        self._wake = wake
        self._changed = threading.Condition()
        self._inbox: list[Request] = []
        self._out = self._bytes = 0
        self._full = self._over = self._closed = False
        self._thread = threading.Thread(target=self._pull, daemon=True, name="requests")

    def start(self) -> None:
        """Begins to pull."""
        self._thread.start()

    def take(self) -> list[Request]:
        """What was pulled since the last time, in order."""
        with self._changed:
            taken, self._inbox = self._inbox, []
            return taken

    def done(self, request: Request) -> None:
        """A request that was taken needs no place any more."""
        with self._changed:
            self._out -= 1
            self._bytes -= len(request.body)
            # Not for each: a thread that wakes takes the processor from the others.
            if self._full and 2 * self._out <= self._most and 2 * self._bytes <= _MOST_BYTES:
                self._full = False
                self._changed.notify()

    @property
    def is_over(self) -> bool:
        """Whether all that there is was taken."""
        return self._over and not self._inbox

    @property
    def is_idle(self) -> bool:
        """Whether nothing comes before others are done, or at all."""
        return self._full or self.is_over

    def close(self) -> None:
        """Pulls no more, and waits a few seconds for an iterator that is at work."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)

    def _pull(self) -> None:
        try:
            for request in self._requests:
                if not self._add(request):
                    return
        except BaseException as error:  # noqa: BLE001 - it is raised where the requests are awaited
            self.error = error
        with self._changed:
            self._over = True
            closed = self._closed
        if not closed:
            self._wake()

    def _add(self, request: Request) -> bool:
        """Waits for a place; false if there will be none."""
        with self._changed:
            self._full = self._out > 0 and (self._out >= self._most or self._bytes + len(request.body) > _MOST_BYTES)
            while self._full and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self._out += 1
            self._bytes += len(request.body)
            self._inbox.append(request)
            wakes = len(self._inbox) == 1
        if wakes:
            self._wake()
        return True
