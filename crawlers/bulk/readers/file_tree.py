"""Files below a directory that a web server lists, as Apache, nginx and lighttpd do: each is a document.

`include` and `exclude` are held against URLs; a directory that is excluded is not read.
"""

from __future__ import annotations

from collections.abc import Iterator

from crawlers.bulk.http_client import Unavailable
from crawlers.bulk.included import is_excluded, is_included
from crawlers.bulk.listing import links_of
from crawlers.bulk.store import Store
from crawlers.frontier import State
from crawlers.urls import canonical_url
from manifests.models import Source

#: Directories within directories, and all that is listed; beyond it a tree is a trap.
MAX_DEPTH = 16
MAX_ENTRIES = 2_000_000


def bring(source: Source, store: Store) -> None:
    """The files that are wanted, directory by directory, in the order of the listings."""
    left_out = 0
    for file in _files(store):
        if is_included(file, store.bulk):
            try:
                store.page(file)
            except Unavailable:
                continue  # it stands in the index
        else:
            left_out += 1
    if left_out:
        store.count("not_included", left_out)


def _files(store: Store) -> Iterator[str]:
    """URLs of the files below the root, each once."""
    root = canonical_url(store.bulk.url.rstrip("/") + "/") or ""
    waiting, seen, entries = [root], {root}, 0
    while waiting:
        directories: list[str] = []
        for child in _listed(waiting.pop(), root, store):
            entries += 1
            if entries > MAX_ENTRIES:
                raise store.refuse(child, "too_many_files", f"more than {MAX_ENTRIES} are listed")
            if not child.endswith("/"):
                yield child
            elif child.count("/") - root.count("/") > MAX_DEPTH:
                store.refuse(child, "too_deep", f"more than {MAX_DEPTH} directories", State.EXCLUDED)
            elif child not in seen and not is_excluded(child, store.bulk):
                seen.add(child)
                directories.append(child)
        waiting += reversed(directories)


def _listed(directory: str, root: str, store: Store) -> list[str]:
    """What a directory holds: of its links those that go one step down; its columns sort by links with a query."""
    try:
        record = store.index(directory, "text/html")
        if not record.url.startswith(root):
            raise store.refuse(record.url, "out_of_scope", f"{directory} leads out of {root}", State.EXCLUDED)
        links = links_of(record, store)
    except Unavailable:
        return []  # it stands in the index
    steps = ((link, link.removeprefix(record.url)) for link in links if link.startswith(record.url))
    return [link for link, step in steps if step and "?" not in step and "/" not in step.removesuffix("/")]
