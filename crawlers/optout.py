"""Opt-out signals: what a page's headers and robots metas say, and its site's robots.txt. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from crawlers import PRODUCT_TOKEN

#: Directives of X-Robots-Tag that carry a value after a colon, and so look like the name of an agent.
_VALUED = frozenset({"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"})
#: Fields that say what a site's content may be used for: https://contentsignals.org, draft-ietf-aipref-attach.
_USES = ("content-signal", "content-usage")
_TOKEN = re.compile(r"[a-z][a-z0-9_-]*\Z")


def header_signals(headers: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Signals for us in HTTP headers: lower-case, sorted, each once.

    X-Robots-Tag gives its tokens (`noindex`, `noai`, `unavailable_after` …), where they stand for every
    agent or for ours; `tdm-reservation: 1` (W3C TDM Reservation Protocol) gives `tdm-reservation`;
    Content-Signal and Content-Usage what `site_signals` makes of their lines.
    """
    found: set[str] = set()
    for name, value in headers:
        lowered = name.lower()
        if lowered == "x-robots-tag":
            found.update(_tag_tokens(value))
        elif lowered == "tdm-reservation" and value.strip() == "1":
            found.add("tdm-reservation")
        elif lowered in _USES:
            found.update(_refused_uses(lowered, value))
    return tuple(sorted(found))


def site_signals(robots_txt: bytes) -> tuple[str, ...]:
    """Signals for us in a robots.txt, for its whole site: lower-case, sorted, each once.

    `Content-Signal: ai-train=no` (contentsignals.org) gives `content-signal-ai-train`, `Content-Usage: train-ai=n`
    (IETF AIPREF) gives `content-usage-train-ai`; those of our own group count, else those for every agent, and such
    as stand before any group. A `License:` line (RSL) gives `rsl-licence`: its terms are for a person to read.
    A path before a use (AIPREF) narrows it to a part of the site; it counts for the whole.
    """
    ours: set[str] = set()
    everyones: set[str] = set()
    always: set[str] = set()
    agents: list[str] = []
    in_group, named = False, False
    for line in robots_txt.decode("utf-8", "replace").splitlines():
        name, colon, value = line.partition("#")[0].partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon:
            continue
        if name == "user-agent":
            agents = [] if in_group else agents
            agents.append(value.lower())
            in_group, named = False, named or value.lower() == PRODUCT_TOKEN
            continue
        in_group = in_group or bool(agents)
        if name == "license" and value:
            always.add("rsl-licence")
        if name not in _USES:
            continue
        uses = set(_refused_uses(name, value.rpartition(" ")[2] if value.startswith("/") else value))
        if not agents:
            always |= uses
        ours |= uses if PRODUCT_TOKEN in agents else set()
        everyones |= uses if "*" in agents else set()
    return tuple(sorted(always | (ours if named else everyones)))


def _refused_uses(name: str, value: str) -> Iterable[str]:
    """Uses that a list such as `search=yes, ai-train=no` refuses, with the signal's name before them."""
    for part in value.lower().split(","):
        use, equals, answer = part.strip().partition("=")
        if equals and answer.strip() in ("n", "no") and _TOKEN.match(use.strip()):
            yield f"{name}-{use.strip()}"


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
