"""Which URLs belong to a source."""

from __future__ import annotations

import re

from crawlers.urls import host_of, path_of
from manifests.models import Source

#: Endings of paths that never hold a page: styles, scripts, media, fonts, archives, packages, office.
_NEVER_A_PAGE = re.compile(
    r"\.(?:css|js|mjs|map|json|png|jpe?g|gif|svgz?|ico|webp|avif|bmp|tiff?|mp[34]|m4[av]|og[gva]|web[mp]|wav|avi|mov"
    r"|woff2?|ttf|otf|eot|zip|gz|tgz|bz2|tbz2?|xz|txz|zst|lz|lzma|7z|rar|tar|jar|war|whl|deb|rpm|apk|dmg|msi|exe|iso"
    r"|img|bin|so|dll|o|a|class|pyc|pdf|ps|eps|dvi|djvu|docx?|xlsx?|pptx?|od[tpsg]|epub|mobi|asc|sig|sha256|md5"
    r"|patch|diff|rss|atom|swf)\Z",
    re.IGNORECASE,
)
_SITEMAP = re.compile(r"sitemap[^/]*\.(?:xml|txt)(?:\.gz)?\Z", re.IGNORECASE)


class Scope:
    """The scope and the exclusions of a source."""

    def __init__(self, source: Source) -> None:
        self._scope = [re.compile(pattern) for pattern in source.scope]
        self._exclude = [re.compile(pattern) for pattern in source.exclude]
        self._hosts = frozenset(source.hosts)

    def admits(self, url: str) -> bool:
        """Whether a canonical URL is on a host of the source, matches a scope pattern from its beginning, and no
        exclusion anywhere. A host that the source does not name may be another's, and has one owner."""
        return (
            host_of(url) in self._hosts
            and any(p.match(url) for p in self._scope)
            and not any(p.search(url) for p in self._exclude)
        )

    def admits_sitemap(self, url: str) -> bool:
        """Whether a sitemap may be fetched: it is in scope, or on a host of the source."""
        return host_of(url) in self._hosts or self.admits(url)


def is_never_a_page(url: str) -> bool:
    """Whether the ending of a canonical URL's path says that it holds no page."""
    return _NEVER_A_PAGE.search(path_of(url)) is not None


def is_sitemap_name(url: str) -> bool:
    """Whether a canonical URL is named as a sitemap usually is."""
    return _SITEMAP.search(path_of(url)) is not None
