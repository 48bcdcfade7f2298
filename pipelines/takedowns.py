"""The list of what was taken out of a run, `takedown.jsonl` in its directory."""

from __future__ import annotations

from crawlers.takedown import read_takedowns
from pipelines import storage
from pipelines.run import Run

LIST = "takedown.jsonl"


def read_list(run: Run) -> list[dict[str, str]]:
    """The entries of the run's list; none where there is no list. Raises TakedownError."""
    url = storage.join(run.url, LIST)
    if not storage.exists(url):
        return []
    return read_takedowns(storage.read_bytes(url).decode("utf-8", "replace"), url)
