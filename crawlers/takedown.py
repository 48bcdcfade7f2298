"""What was taken out of the corpus on somebody's word, and must not come back: read by every crawl and by `extract`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from crawlers.urls import canonical_url, host_of

#: What an entry may name: one page, all pages of a host and of the hosts below it, one document, or a licence.
SUBJECTS = ("url", "domain", "doc_id", "licence")
_KEYS = frozenset({*SUBJECTS, "who", "when", "why"})


class TakedownError(Exception):
    """The list of takedowns cannot be read; the message says on which line, and what is wrong."""


def read_takedowns(text: str, name: str) -> list[dict[str, str]]:
    """The entries of a list: JSON lines, each with one of SUBJECTS, and who, when, why."""
    entries = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TakedownError(f"{name}:{number}: is not JSON: {error}") from None
        if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
            raise TakedownError(f"{name}:{number}: must be an object of strings")
        if len(entry.keys() & set(SUBJECTS)) != 1 or not {"who", "when", "why"} <= entry.keys() <= _KEYS:
            raise TakedownError(f"{name}:{number}: must have one of {', '.join(SUBJECTS)}, and who, when, why")
        if "domain" in entry and not _domain(entry["domain"]):
            raise TakedownError(f"{name}:{number}: {entry['domain']!r} is no domain such as docs.example.org")
        entries.append(entry)
    return entries


def _domain(stated: str) -> str:
    """A domain or address as it stands in canonical URLs; empty where it is none."""
    bare = stated.strip(".")
    canonical = canonical_url(f"http://{bare}/")
    if canonical is None or set(bare) & set("*@/?#\\"):
        return ""
    host = host_of(canonical)
    return host if canonical == f"http://{host}/" else ""


class Takedowns:
    """The entries of a list, to be asked."""

    def __init__(self, entries: Iterable[Mapping[str, str]]) -> None:
        self._urls: set[str] = set()
        self._domains: set[str] = set()
        self._doc_ids: set[str] = set()
        self._licences: set[str] = set()
        for entry in entries:
            if "url" in entry:
                self._urls.add(canonical_url(entry["url"]) or entry["url"])
            elif "domain" in entry:
                self._domains.add(_domain(entry["domain"]))
            elif "licence" in entry:
                self._licences.add(entry["licence"].casefold())
            else:
                self._doc_ids.add(entry["doc_id"])

    def __bool__(self) -> bool:
        return bool(self._urls or self._domains or self._doc_ids or self._licences)

    def covers_licence(self, licence: str) -> bool:
        """Whether all documents under a licence are on the list: only who has read a document knows its licence."""
        return licence.casefold() in self._licences

    def covers(self, url: str, doc_id: str) -> bool:
        """Whether a page or document is on the list, however its URL is spelled."""
        if doc_id in self._doc_ids or url in self._urls:
            return True
        canonical = canonical_url(url) if url else None
        if canonical is None:
            return False
        labels = host_of(canonical).split(".")
        return canonical in self._urls or any(".".join(labels[start:]) in self._domains for start in range(len(labels)))
