"""What a stored response leads to: a pure function of the record, the same live and on replay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from crawlers.content import BodyError
from crawlers.frontier import Kind, Lease, Link
from crawlers.links import page_links, read_sitemap
from crawlers.optout import header_signals
from crawlers.scope import Scope, is_never_a_page, is_sitemap_name
from crawlers.urls import canonical_url
from crawlers.warc import Record

#: Redirects followed from a page or a sitemap, and sitemap indexes in each other.
MAX_REDIRECTS = 10
MAX_SITEMAP_DEPTH = 3

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HTML = frozenset({"text/html", "application/xhtml+xml"})


@dataclass(frozen=True, slots=True)
class Visit:
    """Links to insert into the frontier, and counts of links that were not taken, by reason."""

    links: list[Link] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def visit(record: Record, lease: Lease, scope: Scope, max_body_bytes: int) -> Visit:
    """What a response for a page or a sitemap leads to; bodies above `max_body_bytes` have no links."""
    target = redirect_target(record)
    if target is not None:
        return _redirected(target, lease, scope)
    if not 200 <= record.status < 300:
        return Visit()
    try:
        body = record.body(max_body_bytes)
    except BodyError:
        return Visit()
    if lease.kind is Kind.SITEMAP:
        return _listed(body, lease, scope)
    if not _is_html(record, body) or {"nofollow", "none"} & set(header_signals(record.headers)):
        return Visit()
    return _linked(page_links(body, record.url, record.content_type), scope)


def redirect_target(record: Record) -> str | None:
    """Canonical URL that a redirect leads to; None where the response is no redirect that we can follow."""
    location = record.header("location") if record.status in _REDIRECTS else None
    return canonical_url(location, record.url) if location else None


def sitemap_links(urls: Iterable[str], hops: int, scope: Scope) -> Visit:
    """Links to the sitemaps among canonical URLs that the source may fetch."""
    visited = Visit()
    for url in urls:
        if hops > MAX_SITEMAP_DEPTH:
            visited.counts["sitemap_depth"] += 1
        elif scope.admits_sitemap(url):
            visited.links.append(Link(url, Kind.SITEMAP, hops))
        else:
            visited.counts["out_of_scope"] += 1
    return visited


def _redirected(target: str, lease: Lease, scope: Scope) -> Visit:
    if lease.hops >= MAX_REDIRECTS:
        return Visit(counts=Counter(redirect_limit=1))
    if lease.kind is Kind.SITEMAP:
        return sitemap_links([target], lease.hops + 1, scope)
    visited = _linked([target], scope)
    return Visit([Link(link.url, link.kind, lease.hops + 1) for link in visited.links], visited.counts)


def _listed(body: bytes, lease: Lease, scope: Scope) -> Visit:
    sitemap = read_sitemap(body, lease.url)
    pages = _linked(sitemap.pages, scope)
    sitemaps = sitemap_links(sitemap.sitemaps, lease.hops + 1, scope)
    return Visit(pages.links + sitemaps.links, pages.counts + sitemaps.counts)


def _linked(urls: Iterable[str], scope: Scope) -> Visit:
    visited = Visit()
    for url in urls:
        if not scope.admits(url):
            visited.counts["out_of_scope"] += 1
        elif is_sitemap_name(url):
            visited.links.append(Link(url, Kind.SITEMAP))
        elif is_never_a_page(url):
            visited.counts["never_a_page"] += 1
        else:
            visited.links.append(Link(url, Kind.PAGE))
    return visited


def _is_html(record: Record, body: bytes) -> bool:
    media_type = (record.content_type or "").partition(";")[0].strip().lower()
    if media_type:
        return media_type in _HTML
    return b"<html" in body[:2048].lower() or b"<!doctype html" in body[:2048].lower()
