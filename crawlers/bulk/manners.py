"""How fast hosts are asked."""

from __future__ import annotations

import time

from crawlers.bulk.stop import Stop


class Pace:
    """When each host may be asked again; the same for all sources of a process."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._began = time.monotonic()
        self._next: dict[str, float] = {}

    def wait(self, host: str, delay_s: float) -> None:
        """Sleep until a host may be asked; the next time is `delay_s` seconds later at the earliest.

        The first time, too, is as long after the beginning: a process before this one may have asked it just now.
        """
        self._stop.wait(self._next.get(host, self._began + delay_s) - time.monotonic())
        self._next[host] = time.monotonic() + delay_s

    def rest(self, host: str, seconds: float) -> None:
        """Leave a host alone for some seconds."""
        self._next[host] = max(self._next.get(host, 0.0), time.monotonic() + seconds)
