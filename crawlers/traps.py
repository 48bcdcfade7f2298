"""Which links of a page are worth following, and how soon: patterns of URLs, and what pages of each have brought."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from crawlers.frontier import USUAL, Kind, Lease, Link, Pattern
from crawlers.novelty import Novelty, SessionParameters
from crawlers.urls import is_endless, pattern_of

#: Patterns of one source; what comes after them shares one.
_MAX_PATTERNS = 10_000
_OVERFLOW = "*"
#: Poor pages of a pattern in a row, from which poor pages no longer lead to it.
_DOUBTFUL = 3
#: Redirects one after another that are usual: to another scheme, to another name of the host, to the page's own name.
_CHAIN = 3
#: How much the next page counts in the moving average of a pattern.
_WEIGHT = 0.1


@dataclass(frozen=True, slots=True)
class Followed:
    """Links that are worth a visit, counts of the others by reason, and what is now known of patterns, by id."""

    links: list[Link] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    patterns: dict[int, Pattern] = field(default_factory=dict)


class Traps:
    """The patterns of one source.

    A pattern whose last `trap_pages` pages brought nothing new is closed, and one that has had `budget` pages. A page
    that brought nothing new leads only to patterns that have shown that they do. With no `trap_pages` nobody looks what
    pages bring. `yields`: the share of a pattern's
    pages that an earlier run kept in its corpus.
    """

    def __init__(
        self, patterns: dict[str, Pattern], trap_pages: int | None, budget: int, yields: Mapping[str, float]
    ) -> None:
        self._patterns = patterns
        self._by_id = {pattern.id: pattern for pattern in patterns.values()}
        self._trap_pages = trap_pages
        self._budget = budget
        self._yields = yields
        self._novelty = Novelty()
        self._sessions = SessionParameters()

    def closed(self, pattern: int) -> str:
        """Why no more pages of a pattern are fetched; empty where they are."""
        found = self._by_id.get(pattern)
        return found.closed if found else ""

    def template(self, pattern: int) -> str:
        """The template of a pattern."""
        return self._by_id[pattern].template

    def without_session(self, url: str) -> str:
        """A URL without parameters that were seen to change nothing."""
        return self._sessions.without(url)

    def fetched(self, lease: Lease) -> Pattern | None:
        """One more page of a pattern is fetched; the pattern, where that was its last."""
        pattern = self._by_id.get(lease.pattern)
        if pattern is None or lease.kind is not Kind.PAGE:
            return None
        pattern.fetched += 1
        if pattern.fetched < self._budget or pattern.closed:
            return None
        pattern.closed = "pattern_budget"
        return pattern

    def follow(self, lease: Lease, links: list[Link], html: bytes) -> Followed:
        """What of the links of a page to insert; of those of a sitemap or a redirect, for which `html` is empty."""
        followed = Followed()
        poor = self._trap_pages is not None and self._judge(lease, html, self._trap_pages, followed)
        for link in links:
            if link.kind is not Kind.PAGE:
                followed.links.append(link)
                continue
            link = self._renamed(link)
            if is_endless(link.url):
                followed.counts["endless_path"] += 1
                continue
            pattern = self._pattern(link.url, followed)
            if pattern.closed:
                followed.counts[pattern.closed] += 1
            elif poor and (pattern.poor >= _DOUBTFUL or pattern.fetched == 0):
                followed.counts["from_a_poor_page"] += 1
            else:
                priority = self._priority(link, pattern, poor)
                followed.links.append(replace(link, pattern=pattern.id, priority=priority))
        return followed

    def _judge(self, lease: Lease, html: bytes, trap_pages: int, followed: Followed) -> bool:
        """Measure a page, and what it says of its pattern; whether it brought next to nothing.

        A seed is never poor. A redirect that redirects led to brought nothing, sitemaps are not judged.
        """
        if lease.kind is not Kind.PAGE or not (html or lease.hops >= _CHAIN):
            return False
        text = self._novelty.measure(html)
        poor = lease.depth > 0 and (text.is_poor or not html)
        if html:
            self._sessions.saw(lease.url, text.digest)
        pattern = self._by_id.get(lease.pattern)
        if pattern is not None:
            pattern.poor = pattern.poor + 1 if poor else 0
            pattern.worth += _WEIGHT * (text.share - pattern.worth)
            if pattern.poor >= trap_pages:
                pattern.closed = "trap"
            followed.patterns[pattern.id] = pattern
        return poor

    def _renamed(self, link: Link) -> Link:
        url = self._sessions.without(link.url)
        return link if url == link.url else replace(link, url=url)

    def _pattern(self, url: str, followed: Followed) -> Pattern:
        template = pattern_of(url)
        found = self._patterns.get(template)
        if found is None:
            if len(self._patterns) >= _MAX_PATTERNS:
                template = _OVERFLOW
            found = self._patterns.get(template)
        if found is None:
            found = Pattern(len(self._patterns) + 1, template)
            self._patterns[template] = self._by_id[found.id] = found
            followed.patterns[found.id] = found
        return found

    def _priority(self, link: Link, pattern: Pattern, poor: bool) -> int:
        """Smaller is sooner: near to the seeds, high in the sitemap, where pages brought much that was kept."""
        kept = self._yields.get(pattern.template, 0.5)
        # The way of a redirect is gone to its end, as a browser would: one without an end is known the sooner.
        nearness = 8 * min(link.depth, 8) - 2 * link.hops
        return round(link.priority + nearness - 30 * pattern.worth - 60 * (kept - 0.5) + (USUAL if poor else 0))
