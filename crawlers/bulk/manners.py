"""How hosts are asked: how fast, how often after a failure, and whether at all."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from crawlers.bulk.stop import Stop
from crawlers.content import BodyError
from crawlers.http import Headers, header
from crawlers.robots import MAX_ROBOTS_BYTES, RobotsRules
from crawlers.warc import Record

#: Responses that may pass: tried again, and not stored.
RETRY_STATUSES = frozenset({429, 500, 502, 503, 504})
MAX_WAIT_S = 3600.0


class Pace:
    """When each host may be asked again; the same for all sources of a process."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._next: dict[str, float] = {}

    def wait(self, host: str, delay_s: float) -> None:
        """Sleep until a host may be asked; the next time is `delay_s` seconds later at the earliest."""
        self._stop.wait(self._next.get(host, 0.0) - time.monotonic())
        self._next[host] = time.monotonic() + delay_s

    def rest(self, host: str, seconds: float) -> None:
        """Leave a host alone for some seconds."""
        self._next[host] = max(self._next.get(host, 0.0), time.monotonic() + seconds)


def retry_after_s(headers: Headers) -> float:
    """Seconds that a Retry-After header (RFC 9110, 10.2.3) asks for, at most an hour; 0 where it asks none."""
    value = (header(headers, "retry-after") or "").strip()
    try:
        seconds = float(value) if value.isascii() and value.isdigit() else _until(value)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), MAX_WAIT_S)


def _until(date: str) -> float:
    at = parsedate_to_datetime(date)
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()


def rules_in(record: Record) -> RobotsRules | None:
    """The rules in a response for a robots.txt (RFC 9309, 2.3.1): below 500 all but 2xx forbid nothing.

    None: everything is forbidden.
    """
    if record.status >= 500:
        return None
    if not 200 <= record.status < 300:
        return RobotsRules(b"")
    try:
        return RobotsRules(record.body(20 * MAX_ROBOTS_BYTES))
    except BodyError:
        return None
