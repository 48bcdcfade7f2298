"""arXiv, by its list of papers (OAI-PMH, metadata format `arXiv`): of those under an open licence, the source.

`bulk.url` is that of the interface; `include` and `exclude` are held against the categories of a paper, as in
`cs.DC cs.OS`, the primary first. `bulk.fields`: `set`, such as `cs:cs:DC`; `from` and `until`, dates of change;
`source`, URL of the source of a paper with `{}` for its identifier, if it is not export.arxiv.org's.

The whole list is read first: a list has to be read on within a day, and the papers of a year take weeks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, urlencode

from crawlers.bulk.http_client import Unavailable
from crawlers.bulk.included import is_included
from crawlers.bulk.oai import EXPIRED, NOTHING, Listed, Paper, read_list
from crawlers.bulk.split import EPRINT, LICENCE, LICENCE_EVIDENCE, PAGE, ROLE
from crawlers.bulk.store import Store
from crawlers.frontier import State
from manifests.models import Source

FIELDS = frozenset(("set", "from", "until", "source"))
SOURCES = "https://export.arxiv.org/e-print/{}"
PAGES = "https://arxiv.org/abs/{}"

_LICENCES = re.compile(
    r"https?://(?:www\.)?creativecommons\.org/(?:licenses/(by|by-sa)/([1-4]\.[05])|publicdomain/zero/1\.0)/?\Z"
)


def bring(source: Source, store: Store) -> None:
    """The papers of the list, in its order; each that is not brought stands in the index with its reason."""
    try:
        for _ in _lists(store):
            pass
    except Unavailable:
        pass  # what was listed before is brought all the same
    for url, listed in _lists(store):
        for paper in listed.papers:
            _bring(paper, store)
        if listed.faults and not listed.is_cut and listed.error not in (EXPIRED, NOTHING):
            store.refuse(url, "malformed", listed.faults[0])


def _lists(store: Store) -> Iterator[tuple[str, Listed]]:
    """Response after response, with its URL.

    Where one cannot be had, or its token is not taken any more, the list begins again at the date it had come to.
    """
    asked: set[str] = set()
    url, date, fault = _beginning(store, store.bulk.fields.get("from", "")), "", "a token leads back"
    while url not in asked:
        asked.add(url)
        try:
            listed = read_list(store.body(store.index(url, "text/xml")))
        except Unavailable as lost:
            listed = Listed(faults=[f"{lost.reason} {lost.detail}".rstrip()], is_cut=True)
        else:
            yield url, listed
        date = next((paper.datestamp for paper in reversed(listed.papers) if paper.datestamp), date)
        if listed.is_cut or listed.error == EXPIRED:
            fault = listed.faults[0]
            url = _beginning(store, date) if date else url
        elif listed.token:
            url = _request(store, {"verb": "ListRecords", "resumptionToken": listed.token})
        else:
            return
    raise store.refuse(url, "list_broken_off", fault)


def _beginning(store: Store, date: str) -> str:
    """URL of the first response of a list of what has changed since a date."""
    fields = {name: value for name, value in store.bulk.fields.items() if name in ("set", "until")}
    since = {"from": date} if date else {}
    return _request(store, {"verb": "ListRecords", "metadataPrefix": "arXiv", **fields, **since})


def _request(store: Store, arguments: dict[str, str]) -> str:
    return f"{store.bulk.url}?{urlencode(arguments)}"


def _bring(paper: Paper, store: Store) -> None:
    """The source of a paper, if it is there, wanted and under an open licence."""
    address = store.bulk.fields.get("source", SOURCES).replace("{}", quote(paper.id))
    licence = licence_of(paper.licence)
    if paper.is_deleted:
        store.refuse(address, "gone", "deleted, says the list", State.EXCLUDED)
    elif not is_included(paper.categories, store.bulk):
        store.refuse(address, "not_included", paper.categories, State.EXCLUDED)
    elif licence is None:
        store.refuse(address, "licence", paper.licence or "none is stated", State.EXCLUDED)
    else:
        about = {
            ROLE: EPRINT,
            PAGE: PAGES.format(paper.id),
            LICENCE: licence,
            LICENCE_EVIDENCE: f"{paper.licence} in the OAI record",
            "title": paper.title,
            "authors": "; ".join(paper.authors),
            "categories": paper.categories,
        }
        try:
            store.page(address, about)
        except Unavailable:
            pass  # it stands in the index


def licence_of(url: str) -> str | None:
    """SPDX identifier of an open licence: CC0, CC BY or CC BY-SA; None for any other, as arXiv's own."""
    found = _LICENCES.match(url)
    if found is None:
        return None
    return f"CC-{found[1].upper()}-{found[2]}" if found[1] else "CC0-1.0"
