"""Whether a server is there: one that only fails is left alone, and tried with one request now and then."""

from __future__ import annotations

import math
from random import Random

#: Failures in a row after which it is left alone.
FAILURES = 8
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0


class Breaker:
    """The breaker of one server. It knows no clock: moments are given, in seconds.

    A request that always fails says nothing about the server: failures count by request, and the last ones of a plan,
    which only fail, do not open it.
    """

    def __init__(self, random: Random) -> None:
        self.since: float | None = None  # when it was left alone
        self.last = ""  # what the last failure was
        self.there = False  # whether that came of a server that is there and may answer another request
        self.asked_s = 0.0  # how long it wants to be left alone
        self.probing = False
        self._random = random
        self._failed: set[str] = set()
        self._pause_s = _FIRST_PAUSE_S
        self._next: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is left alone."""
        return self._next is not None

    def wait(self, now: float) -> float:
        """Seconds until it may be asked; 0: now; infinite: when the probe came back."""
        if self._next is None:
            return 0.0
        return math.inf if self.probing else max(0.0, self._next - now)

    def succeeded(self) -> bool:
        """It answered; whether it was left alone until then."""
        was_open = self.is_open
        if not was_open and not self._failed:
            return False
        self.since, self._next, self.probing, self.asked_s = None, None, False, 0.0
        self._failed.clear()
        self._pause_s = _FIRST_PAUSE_S
        return was_open

    def failed(self, what: str, there: bool, request: str, now: float) -> bool:
        """It failed; whether it is left alone from now on. `request`: by which failures are told apart."""
        self.last, self.there = what, there
        self._failed.add(request)
        if self.is_open or len(self._failed) < FAILURES:
            return False
        self.since, self._next = now, now + self._pause()
        return True

    def probe_failed(self, what: str, there: bool, now: float) -> None:
        """It still fails."""
        self.last, self.there, self.probing, self.asked_s = what, there, False, 0.0
        self._next = now + self._pause()

    def away(self, what: str, seconds: float, now: float) -> None:
        """It asks to be left alone for so long."""
        self.last, self.there, self.probing, self.asked_s = what, False, False, seconds
        self.since = now if self.since is None else self.since
        self._next = now + seconds

    def _pause(self) -> float:
        pause = self._pause_s * self._random.uniform(0.75, 1.0)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        return pause
