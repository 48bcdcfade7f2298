"""A page, in HTML or JSON, that links the papers of a conference, the parts of a book or of a standard: PDF mostly.

`include` and `exclude` are held against the URLs; without `include`, links to `.pdf` are taken. The text of a link, or
of JSON the `title` or `name` beside it, is noted as its title. Hosts that it links to are named in `further_hosts`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from crawlers.bulk.http_client import Unavailable
from crawlers.bulk.included import is_included
from crawlers.bulk.listing import links_of, titles_of
from crawlers.bulk.store import Store
from crawlers.urls import canonical_url, path_of
from crawlers.warc import Record
from manifests.models import Source

_TITLES = ("title", "name")


def bring(source: Source, store: Store) -> None:
    """What the page links, in its order."""
    record = store.index(store.bulk.url)
    wanted = {url: title for url, title in _links(record, store).items() if _is_wanted(url, store)}
    if not wanted:
        raise store.refuse(record.url, "no_links", "none of its links is wanted")
    for url, title in wanted.items():
        try:
            store.page(url, {"title": title} if title else {})
        except Unavailable:
            continue  # it stands in the index


def _is_wanted(url: str, store: Store) -> bool:
    is_pdf = path_of(url).lower().endswith(".pdf")
    return is_included(url, store.bulk) and (is_pdf or bool(store.bulk.include))


def _links(record: Record, store: Store) -> dict[str, str]:
    """Canonical URLs, each with its title or nothing."""
    body = store.body(record)
    if body.lstrip()[:1] not in (b"{", b"["):
        links = links_of(record, store)
        return dict.fromkeys(links, "") | titles_of(body, record.url, record.content_type, links)
    try:
        found = list(_strings(json.loads(body)))
    except (ValueError, RecursionError) as error:
        raise store.refuse(record.url, "malformed", str(error)) from None
    named: dict[str, str] = {}
    for text, title in found:
        url = canonical_url(text, record.url)
        if url is not None:
            named.setdefault(url, title)
    return named


def _strings(answer: Any) -> Iterator[tuple[str, str]]:
    """The strings in JSON, in their order, each with the title of the object that it stands in."""
    waiting: list[tuple[Any, str]] = [(answer, "")]
    while waiting:
        value, title = waiting.pop()
        if isinstance(value, dict):
            own = next((each for name in _TITLES if isinstance(each := value.get(name), str)), "")
            waiting += [(each, " ".join(own.split())[:300] or title) for each in reversed(list(value.values()))]
        elif isinstance(value, list):
            waiting += [(each, title) for each in reversed(value)]
        elif isinstance(value, str):
            yield value, title
