"""When a source may be asked at all: its hours of the day, and what it gives in one day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from crawlers.frontier import Frontier
from manifests.models import Politeness


class Allowance:
    """The hours and the daily budgets of a source. Days and hours are UTC."""

    def __init__(self, politeness: Politeness, frontier: Frontier) -> None:
        self._politeness = politeness
        self._frontier = frontier
        self._day = ""
        self._pages = self._bytes = 0

    def spend(self, size: int) -> None:
        """One page of a size in bytes came."""
        self._pages += 1
        self._bytes += size

    def opens_at(self, now: float) -> tuple[float, str]:
        """Unix time from which the source may be asked, and why not before; `now` itself where it may."""
        if self._politeness.window:
            opens = _window_opens(self._politeness.window, now)
            if opens > now:
                return opens, f"its hours are {self._politeness.window} UTC"
        for name, limit, spent in self._budgets(now):
            if limit is not None and spent >= limit:
                return _next_day(now), f"{name}: {limit:,} a day"
        return now, ""

    def _budgets(self, now: float) -> list[tuple[str, int | None, int]]:
        if self._politeness.pages_per_day is None and self._politeness.bytes_per_day is None:
            return []
        day = datetime.fromtimestamp(now, UTC).date().isoformat()
        if day != self._day:
            self._day = day
            self._pages, self._bytes = self._frontier.spent(day)
        return [
            ("pages_per_day", self._politeness.pages_per_day, self._pages),
            ("bytes_per_day", self._politeness.bytes_per_day, self._bytes),
        ]


def _window_opens(window: str, now: float) -> float:
    """Unix time at which a window such as 22:00-06:00 next opens; `now` where it is open."""
    begin, end = (60 * int(part[:2]) + int(part[3:]) for part in window.split("-"))
    at = datetime.fromtimestamp(now, UTC)
    minute = 60 * at.hour + at.minute
    is_open = begin <= minute < end if begin < end else minute >= begin or minute < end
    if is_open or begin == end:
        return now
    opens = at.replace(hour=begin // 60, minute=begin % 60, second=0, microsecond=0)
    return (opens if opens > at else opens + timedelta(days=1)).timestamp()


def _next_day(now: float) -> float:
    at = datetime.fromtimestamp(now, UTC) + timedelta(days=1)
    return at.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
