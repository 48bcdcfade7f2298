"""A circuit breaker: a host that fails again and again is left alone, longer each time, and in the end given up."""

from __future__ import annotations

#: Failures in a row that open it, and openings in a row after which the host is down.
FAILURES = 5
OPENINGS = 4
_LONGEST_S = 3600.0


class Breaker:
    """The breaker of one host. `pause_s`: seconds of the first pause; each further one is twice as long."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._failures = 0
        self._openings = 0

    @property
    def is_down(self) -> bool:
        """Whether it was tried often enough."""
        return self._openings >= OPENINGS

    def succeeded(self) -> None:
        """The host answered."""
        self._failures = self._openings = 0

    def failed(self) -> float:
        """The host did not answer, or with an error of its own; seconds to leave it alone, 0 for none."""
        self._failures += 1
        # After a pause, one more failure is enough.
        if self._failures < FAILURES and not self._openings:
            return 0.0
        self._failures = 0
        self._openings += 1
        return min(self._pause_s * 2.0 ** (self._openings - 1), _LONGEST_S)
