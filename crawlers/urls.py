"""Canonical URLs, by the WHATWG URL standard, and the document id made from one."""

from __future__ import annotations

import hashlib

from ada_url import URL

#: Characters of the longest URL we fetch; longer ones are traps or data.
MAX_URL_LENGTH = 4096


def canonical_url(url: str, base: str | None = None) -> str | None:
    """The one spelling of a URL that identifies what it names, or None where we do not fetch it.

    Parsed and serialised by https://url.spec.whatwg.org/ relative to `base`; http and https only; the
    fragment and the user information are dropped. A query is identity and stays as it is.
    """
    if len(url) > MAX_URL_LENGTH:
        return None
    try:
        parsed = URL(url, base)
    except (ValueError, UnicodeEncodeError):
        return None
    href = parsed.href
    if not href.startswith(("http://", "https://")):
        return None
    if "#" in href:
        href = href[: href.index("#")]
    if "@" in href:
        parsed.username = parsed.password = ""
        href = parsed.href.partition("#")[0]
    return href if len(href) <= MAX_URL_LENGTH else None


def origin_of(canonical: str) -> str:
    """Scheme, host and port of a canonical URL, e.g. `https://git-scm.com`: what a robots.txt rules."""
    return "/".join(canonical.split("/", 3)[:3])


def host_of(canonical: str) -> str:
    """Host name of a canonical URL, without its port; an IPv6 address keeps its brackets."""
    authority = canonical.split("/", 3)[2]
    if authority.startswith("["):
        return authority[: authority.index("]") + 1]
    return authority.partition(":")[0]


def path_of(canonical: str) -> str:
    """Path of a canonical URL, without its query."""
    return "/" + canonical.split("/", 3)[3].partition("?")[0]


def doc_id(canonical: str) -> str:
    """Document id of a web page: 32 hex digits, the same for every crawl of the same URL."""
    return hashlib.sha256(b"url:" + canonical.encode()).hexdigest()[:32]
