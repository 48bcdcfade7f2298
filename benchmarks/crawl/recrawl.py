"""Crawled again: what does a crawl of unchanged pages transfer, and does the next one find what has changed?"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.crawl import process
from benchmarks.crawl.server import Answer, Asked, address, read_log, serve
from benchmarks.crawl.sites import HTML, MISSING, Documents, pages_below
from benchmarks.extract.packages import Log
from crawlers.outcome import Fetched, read_outcome

_AT_ONCE = 8
_CHANGED_EVERY, _GONE_EVERY, _ADDED_EVERY = 33, 50, 50  # of a host's pages, in the order of their paths
_DUE_AT_ONCE = {"first_days": 1e-6, "shortest_days": 0.0, "longest_days": 1e-6}


class Edited:
    """Documentation, and its second edition: some pages say something else, some are gone, some are new.

    New pages are linked from the root.
    """

    def __init__(self, roots: Mapping[str, Path], again: bool) -> None:
        self._documents = Documents(roots)
        edits = {host: edits_of(root) for host, root in roots.items()} if again else {}
        self._changed = {host: edit[0] for host, edit in edits.items()}
        self._gone = {host: edit[1] for host, edit in edits.items()}
        self._added = {host: edit[2] for host, edit in edits.items()}
        self._page = cache(self._edited)

    def answer(self, host: str, target: str) -> Answer:
        """The answer of this edition."""
        if target in self._gone.get(host, ()):
            return MISSING
        if target in self._changed.get(host, ()) or target in self._added.get(host, ()):
            return self._page(host, target)
        return self._documents.answer(host, target)

    def _edited(self, host: str, target: str) -> Answer:
        if target in self._added[host]:
            return Answer(f"<!DOCTYPE html>\n<title>New</title>\n<p>{target} was added.</p>\n".encode(), HTML)
        page = self._documents.page(host, target) or b""
        links = "".join(f'<p><a href="{each}">New</a></p>' for each in sorted(self._added[host]) if target == "/")
        return Answer(page + f"<p>This page has changed.</p>{links}\n".encode(), HTML)


def edits_of(root: Path) -> tuple[set[str], set[str], set[str]]:
    """Targets of pages that the second edition of a document root changes, lacks, and adds."""
    pages = [page for page in pages_below(root) if not page.endswith("/index.html")]
    changed = {"/", *pages[1::_CHANGED_EVERY]}
    gone = set(pages[2::_GONE_EVERY]) - changed
    return changed, gone, {f"/added-{number}.html" for number in range(-(-len(pages) // _ADDED_EVERY))}


def measure(roots: Sequence[Path], scratch: Path, log: Log) -> dict[str, Any]:
    """Crawl three times, a document root a host; the second time nothing has changed, the third time some has."""
    directory, access = scratch / "recrawl", scratch / "recrawl.log"
    shutil.rmtree(directory, ignore_errors=True)
    hosts = {f"site{number:02}.localhost": root for number, root in enumerate(roots)}
    asked = []
    for generation, again in ((1, False), (2, False), (3, True)):
        access.unlink(missing_ok=True)
        with serve(Edited, hosts, again, hosts=len(hosts), log=access) as port:
            _crawl(directory, list(hosts), port, generation)
        asked.append(read_log(access))
        log(f"recrawl: {len(asked[-1]):,} requests, {_sent(asked[-1]) / 1e6:.2f} MB")
    known = {(each.host, each.target) for each in asked[0] if each.status == 200}
    kept = {host: _last(directory / _id(host), host) for host in hosts}
    shutil.rmtree(directory)
    first, second, third = (_sent(each) for each in asked)
    return {
        "pages": len(known), "bytes": [first, second, third], "share_again": second / first,
        "requests": [len(each) for each in asked], **_found(hosts, known, kept),
    }  # fmt: skip


def _crawl(directory: Path, hosts: Sequence[str], port: int, generation: int) -> None:
    sources = [process.source(_id(host), [host]) for host in hosts]
    connect_to = {host: f"{address(number)}:{port}" for number, host in enumerate(hosts)}
    settings = {"concurrency_per_host": _AT_ONCE, "revisit": _DUE_AT_ONCE}
    process.crawl(replace(process.job(directory, sources, connect_to, settings), generation=generation))


def _id(host: str) -> str:
    return host.partition(".")[0]


def _sent(asked: Sequence[Asked]) -> int:
    return sum(each.sent for each in asked)


def _last(directory: Path, host: str) -> dict[str, list[Fetched]]:
    """The records of each target, oldest first."""
    found: dict[str, list[Fetched]] = {}
    for each in sorted(read_outcome(directory).fetched, key=lambda each: (each.file, each.offset)):
        found.setdefault(each.url.removeprefix(f"http://{host}"), []).append(each)
    return found


def _found(
    hosts: Mapping[str, Path], known: set[tuple[str, str]], kept: Mapping[str, Mapping[str, Sequence[Fetched]]]
) -> dict[str, int]:
    """Of the edits to pages that the first crawl had: how many there were, and how many the last record tells."""
    told = dict.fromkeys(
        ("changed", "changed_found", "gone", "gone_found", "added", "added_found", "same", "same_stored"), 0
    )
    for host, root in hosts.items():
        changed, gone, added = edits_of(root)
        had = {target for name, target in known if name == host and target != "/robots.txt"}
        last = {target: records[-1] for target, records in kept[host].items()}
        told["changed"] += len(changed & had)
        told["changed_found"] += sum(_is_new(kept[host][target]) for target in changed & had)
        told["gone"] += len(gone & had)
        told["gone_found"] += sum(last[target].status == 404 for target in gone & had)
        told["added"] += len(added)
        told["added_found"] += sum(target in last and last[target].status == 200 for target in added)
        same = had - changed - gone
        told["same"] += len(same)
        told["same_stored"] += sum(_is_new(kept[host][target]) for target in same)
    return told


def _is_new(records: Sequence[Fetched]) -> bool:
    """Whether a page was stored again with another payload."""
    return len({each.digest for each in records if not each.is_revisit}) > 1
