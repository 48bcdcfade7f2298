"""Pages that are one page of several versions of a manual, by their URLs: `/docs/9.6/x.html`, `/docs/15/x.html`."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

# A word for the newest release, and one for what is not yet released: older than that, newer than any number.
_RELEASED = frozenset({"latest", "stable", "current"})
_UNRELEASED = frozenset({"dev", "devel", "main", "master", "trunk", "unstable", "nightly", "next", "edge"})
_NUMBERED = re.compile(r"(v?)(\d{1,4}(?:[._]\d{1,4}){0,3})(?:[._-]?(?:x|sp\d|lts|beta\d?|rc\d?))?", re.IGNORECASE)
# A number alone is a version only in an address of documentation, and not behind a word that counts other things.
_MANUALS = re.compile(r"docs?|documentation|manuals?|reference|guides?|html|[a-z]{2}-[a-z]{2}", re.IGNORECASE)
_COUNTED = re.compile(
    r"issues?|pulls?|commit|questions?|posts?|threads?|tickets?|bugs?|pages?|p|t|topic|archives?|chapters?|part|section"
    r"|vol(?:ume)?|lecture|lesson|day|week|man",
    re.IGNORECASE,
)
_LAST = 1_000_000
# Most URLs have no segment that may be one, and need no closer look.
_MAY_HAVE = re.compile(rf"(?:^|/)(?:v?\d[^/]*|{'|'.join(sorted(_RELEASED | _UNRELEASED))})/", re.IGNORECASE)


class VersionedPage(NamedTuple):
    """The address of a page with `*` in the place of the version, and the version: numbers that may be compared."""

    page: str
    version: tuple[int, ...]


def versioned(url: str) -> VersionedPage | None:
    """The page and version of a URL or path; None where no part of it is a version. The first that may be one is."""
    if not _MAY_HAVE.search(url):
        return None
    parts = urlsplit(url) if "://" in url else None
    host, path = (parts.netloc, parts.path) if parts else ("", url)
    segments = path.split("/")
    of_manual = host.startswith(("doc.", "docs.", "documentation.")) or any(map(_MANUALS.fullmatch, segments[:-1]))
    for at, segment in enumerate(segments[:-1]):  # the last is the page itself
        version = _version(segment, segments[at - 1] if at else "", of_manual)
        if version:
            return VersionedPage(host + "/".join([*segments[:at], "*", *segments[at + 1 :]]), version)
    return None


def _version(segment: str, before: str, of_manual: bool) -> tuple[int, ...]:
    word = segment.lower()
    if of_manual and word in _RELEASED:
        return (_LAST,)
    if of_manual and word in _UNRELEASED:
        return (_LAST - 1,)
    found = _NUMBERED.fullmatch(segment)
    if not found:
        return ()
    numbers = tuple(int(each) for each in re.split(r"[._]", found[2]))
    alone = len(numbers) == 1 and not found[1]
    if alone and (not of_manual or len(found[2]) > 3 or _COUNTED.fullmatch(before)):
        return ()
    return numbers
