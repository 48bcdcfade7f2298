"""Opt-out signals of a page: what its headers and its robots metas say. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from crawlers import PRODUCT_TOKEN

#: Directives of X-Robots-Tag that carry a value after a colon, and so look like the name of an agent.
_VALUED = frozenset({"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"})
_TOKEN = re.compile(r"[a-z][a-z0-9_-]*\Z")


def header_signals(headers: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Signals for us in HTTP headers: lower-case, sorted, each once.

    X-Robots-Tag gives its tokens (`noindex`, `noai`, `unavailable_after` …), where they stand for every
    agent or for ours; `tdm-reservation: 1` (W3C TDM Reservation Protocol) gives `tdm-reservation`.
    """
    found: set[str] = set()
    for name, value in headers:
        lowered = name.lower()
        if lowered == "x-robots-tag":
            found.update(_tag_tokens(value))
        elif lowered == "tdm-reservation" and value.strip() == "1":
            found.add("tdm-reservation")
    return tuple(sorted(found))


def robots_meta_signals(content_values: Iterable[str]) -> tuple[str, ...]:
    """Signals in the `content` of metas named `robots` or as our agent: lower-case, sorted, each once."""
    found: set[str] = set()
    for value in content_values:
        names = (part.partition(":")[0].strip() for part in value.lower().split(","))
        found.update(name for name in names if _TOKEN.match(name))
    return tuple(sorted(found))


def _tag_tokens(value: str) -> Iterable[str]:
    """Tokens of one X-Robots-Tag value that stand for us: `agent:` rules what follows it."""
    ours = True
    for part in value.lower().split(","):
        name, colon, rest = part.strip().partition(":")
        name = name.strip()
        if colon and name not in _VALUED:
            ours = name in (PRODUCT_TOKEN, "*")
            name = rest.partition(":")[0].strip()
        if ours and _TOKEN.match(name):
            yield name
