"""Where the crawl of each source of a run stands, read from its frontier; a crawl may be at it."""

from __future__ import annotations

import json

from crawlers.frontier import PASSING
from crawlers.outcome import Status, progress
from pipelines import storage
from pipelines.crawl import working_directory
from pipelines.engine import StageError

_COLUMNS = f"{'source':<28} {'visit':>5} {'fetched':>9} {'queued':>9} {'failed':>7} {'MB':>8} {'a minute':>9}  ends in"


def render(url: str) -> str:
    """One line a source: what is fetched, queued and failed, its bytes and rate, when it will end, what blocks it."""
    path = storage.join(url, "run.json")
    if not storage.exists(path):
        raise StageError(f"{url}: is not a run: it has no run.json")
    sources = json.loads(storage.read_bytes(path))["sources"]
    directory = working_directory(storage.join(url, "crawl"))
    found = {each["id"]: progress(directory / each["id"]) for each in sources}
    lines = [_COLUMNS]
    for source, status in found.items():
        lines += _lines(source, status)
    done = sum(each.pages for each in found.values())
    waiting = sum(each.unfinished for each in found.values())
    return "\n".join([*lines, f"{len(found)} sources: {done:,} pages fetched, {waiting:,} URLs queued"])


def _lines(source: str, status: Status) -> list[str]:
    remaining = status.remaining_s
    ends = "" if not status.unfinished else "not known" if remaining is None else _duration(remaining)
    lines = [
        f"{source:<28} {status.generation:>5} {status.pages:>9,} {status.unfinished:>9,} {status.failed:>7,}"
        f" {status.bytes / 1e6:>8,.1f} {60 * status.per_s:>9,.1f}  {ends}".rstrip()
    ]
    blocked = {**status.blocked, **{f"wall: {name}": number for name, number in status.walls.items()}}
    blocked = {name: number for name, number in blocked.items() if name != "not_there"}
    if blocked:
        told = (f"{name} {number:,}{' (next visit)' if name in PASSING else ''}" for name, number in blocked.items())
        lines.append(f"    not fetched: {', '.join(told)}")
    lines += [f"    {origin}: {reason}" for origin, reason in status.closed.items()]
    return lines


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60:02} min" if hours else f"{rest // 60} min {rest % 60:02} s"
