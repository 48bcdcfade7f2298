"""What a stored response leads to: a pure function of the record, the same live and on replay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from crawlers.content import BodyError
from crawlers.frontier import USUAL, WALL, Kind, Lease, Link
from crawlers.links import page_links
from crawlers.optout import header_signals
from crawlers.scope import Scope, is_never_a_page, is_sitemap_name
from crawlers.sitemaps import Listed, read_sitemap
from crawlers.urls import canonical_url, origin_of, path_of
from crawlers.walls import is_login_url, wall_of
from crawlers.warc import Record

#: Where a site may list its pages for readers like us, and give their text in one: https://llmstxt.org.
LLMS_TXT = "/llms.txt"
LLMS_FULL_TXT = "/llms-full.txt"
#: Redirects followed from a page or a sitemap, and sitemap indexes in each other.
MAX_REDIRECTS = 10
MAX_SITEMAP_DEPTH = 3

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HTML = frozenset({"text/html", "application/xhtml+xml"})


@dataclass(frozen=True, slots=True)
class Visit:
    """Links to insert into the frontier, and counts: of links that were not taken, by reason, of bodies that cannot be
    had, and of walls.

    `html`: the body of a page that was read for links; empty where it was none.
    """

    links: list[Link] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    html: bytes = b""


def visit(record: Record, lease: Lease, scope: Scope, max_body_bytes: int) -> Visit:
    """What a response for a page or a sitemap leads to; bodies above `max_body_bytes` have no links."""
    target = redirect_target(record)
    if target is not None:
        return _redirected(target, lease, scope)
    if not 200 <= record.status < 300:
        return Visit(counts=_walls(record, max_body_bytes))
    try:
        body = record.body(max_body_bytes)
    except BodyError as error:
        return Visit(counts=Counter({f"body_{error.reason}": 1}))
    if lease.kind is Kind.SITEMAP:
        return _listed(body, lease, scope)
    if not _is_html(record, body) or {"nofollow", "none"} & set(header_signals(record.headers)):
        return Visit()
    linked = _linked(page_links(body, record.url, record.content_type), lease.depth + 1, scope)
    return Visit(linked.links, linked.counts + _wall(record, body), body)


def _walls(record: Record, max_body_bytes: int) -> Counter[str]:
    """What an error page is in the place of a page."""
    try:
        return _wall(record, record.body(max_body_bytes))
    except BodyError as error:
        return Counter({f"body_{error.reason}": 1})


def _wall(record: Record, body: bytes) -> Counter[str]:
    wall = wall_of(record.status, record.headers, body)
    return Counter({f"{WALL}{wall}": 1} if wall else {})


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
    if is_login_url(target):
        return Visit(counts=Counter({f"{WALL}login_wall": 1}))
    visited = _linked([target], lease.depth, scope)
    return Visit([replace(link, hops=lease.hops + 1) for link in visited.links], visited.counts)


def _listed(body: bytes, lease: Lease, scope: Scope) -> Visit:
    sitemap = read_sitemap(body, lease.url)
    pages = _linked((page.url for page in sitemap.pages), 1, scope)
    told = {page.url: page for page in sitemap.pages}
    links = [_with_hints(link, told[link.url]) for link in pages.links]
    further = list(sitemap.sitemaps)
    if path_of(lease.url) == LLMS_TXT:
        further.append(origin_of(lease.url) + LLMS_FULL_TXT)
    sitemaps = sitemap_links(further, lease.hops + 1, scope)
    return Visit(links + sitemaps.links, pages.counts + sitemaps.counts)


def _with_hints(link: Link, page: Listed) -> Link:
    """A link to a page with what its sitemap says: when it changed, and how much it matters."""
    if page.lastmod is None and page.priority is None:
        return link
    matters = 0.5 if page.priority is None else page.priority
    lastmod = page.lastmod.timestamp() if page.lastmod else 0.0
    return replace(link, priority=USUAL - round(40 * (matters - 0.5)), lastmod=lastmod)


def _linked(urls: Iterable[str], depth: int, scope: Scope) -> Visit:
    visited = Visit()
    for url in urls:
        if not scope.admits(url):
            visited.counts["out_of_scope"] += 1
        elif is_sitemap_name(url):
            visited.links.append(Link(url, Kind.SITEMAP, depth=depth))
        elif is_never_a_page(url):
            visited.counts["never_a_page"] += 1
        else:
            visited.links.append(Link(url, Kind.PAGE, depth=depth))
    return visited


def _is_html(record: Record, body: bytes) -> bool:
    media_type = (record.content_type or "").partition(";")[0].strip().lower()
    if media_type:
        return media_type in _HTML
    return b"<html" in body[:2048].lower() or b"<!doctype html" in body[:2048].lower()
