"""What a run kept of the pages that it crawled, by template of URLs: where the next crawl begins."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from crawlers.session import YIELDS
from crawlers.urls import pattern_of
from pipelines import storage
from pipelines.engine import Commit, read_commit
from pipelines.parts import read_table
from pipelines.run import Run


def write_yields(run: Run, directory: Path) -> None:
    """Writes for each source what share of each template's pages the run's filter kept, if it has run.

    The share is of pages that came whole, and smoothed by two pages of which one is kept.
    """
    crawled, filtered = read_commit(run.directory("crawl")), read_commit(run.directory("filter"))
    if crawled is None or filtered is None:
        return
    kept = _kept(run, filtered)
    for part in crawled.parts:
        url = storage.join(run.directory("crawl"), f"{part.name}.parquet")
        table = read_table(url, ["url", "kind", "status"])
        rows = zip(*(table[name].to_pylist() for name in ("url", "kind", "status")), strict=True)
        pages = Counter(pattern_of(url) for url, kind, status in rows if kind == "page" and status == 200)
        yields = {
            template: round((kept[part.name, template] + 1) / (number + 2), 4) for template, number in pages.items()
        }
        place = directory / part.name
        place.mkdir(parents=True, exist_ok=True)
        storage.write_bytes(str(place / YIELDS), json.dumps(yields, sort_keys=True).encode())


def _kept(run: Run, filtered: Commit) -> Counter[tuple[str, str]]:
    """Numbers of documents by source and template."""
    kept: Counter[tuple[str, str]] = Counter()
    for part in filtered.parts:
        table = read_table(storage.join(run.directory("filter"), f"{part.name}.parquet"), ["source", "url"])
        for source, url in zip(table["source"].to_pylist(), table["url"].to_pylist(), strict=True):
            if url:
                kept[source, pattern_of(url)] += 1
    return kept
