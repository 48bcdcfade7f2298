"""The list of what was taken out of a run, `takedown.jsonl` in its directory, and whether a takedown is under way."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from crawlers.takedown import TakedownError, read_takedowns
from pipelines import storage
from pipelines.run import Run

LIST = "takedown.jsonl"
#: Records of takedowns; among them the journal of one that has begun and not ended.
FOLDER = "takedowns"
OPEN = f"{FOLDER}/_open.json"


def read_list(run: Run) -> list[dict[str, str]]:
    """The entries of the run's list; none where there is no list. Raises TakedownError."""
    url = storage.join(run.url, LIST)
    if not storage.exists(url):
        return []
    return read_takedowns(storage.read_bytes(url).decode("utf-8", "replace"), url)


def remember(run: Run, entries: Sequence[Mapping[str, str]]) -> None:
    """Adds entries to the list, those that are not there."""
    there = read_list(run)
    fresh = [each for each in entries if each not in there]
    if fresh:
        lines = [json.dumps(each, ensure_ascii=False) for each in [*there, *fresh]]
        storage.write_bytes(storage.join(run.url, LIST), ("\n".join(lines) + "\n").encode())


def check_ended(url: str) -> None:
    """Raises TakedownError where a takedown of a run was begun and not ended: until it has, no stage is made."""
    if storage.exists(storage.join(url, OPEN)):
        raise TakedownError(f"{url}: a takedown has begun and not ended; give its command again first")
