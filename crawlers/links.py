"""Links of an HTML page. Pure, and bounded for hostile input."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser
from w3lib.encoding import html_body_declared_encoding, http_content_type_encoding

from crawlers import PRODUCT_TOKEN
from crawlers.optout import robots_meta_signals
from crawlers.urls import canonical_url

#: Bytes of a page, and tags with links in it, above which it has no links.
MAX_PAGE_BYTES = 8 << 20
MAX_LINK_TAGS = 100_000
#: Bytes of one tag that are looked at. The parser's work is quadratic in the attributes of a tag.
_MAX_TAG_BYTES = 2048

# Only the tags that matter are handed to the parser, each as an <img>, which cannot nest: whatever a
# page holds, there is no tree, so no depth, no misnested formatting to mend, and the time is linear.
_LINK_TAG = re.compile(
    rb"<(a|area|link|base|meta|i?frame)(?=[\s/])((?:[^<]|<(?![a-z/!?])){0,%d})" % _MAX_TAG_BYTES,
    re.IGNORECASE,
)
_RAW_TEXT = [
    (re.compile(rb"<!--"), re.compile(rb"-->")),
    (re.compile(rb"<script(?=[\s/>])", re.IGNORECASE), re.compile(rb"</script", re.IGNORECASE)),
    (re.compile(rb"<style(?=[\s/>])", re.IGNORECASE), re.compile(rb"</style", re.IGNORECASE)),
]
_REFRESH = re.compile(r"\s*\d+(?:\.\d*)?\s*[;,]\s*(?:url\s*=\s*)?[\"']?([^\"'\s>]+)", re.IGNORECASE)


def page_links(body: bytes, url: str, content_type: str | None) -> list[str]:
    """Canonical URLs that an HTML page links to, in order, each once.

    From `a`, `area`, `link rel=next`, `frame`, `iframe` and a meta refresh, by the first `base`; none
    where a robots meta says nofollow, and not those with rel=nofollow. `url` is the page's own.
    """
    if len(body) > MAX_PAGE_BYTES:
        return []
    tags = _link_tags(body, content_type)
    robots = [
        tag.get("content") or ""
        for name, tag in tags
        if name == "meta" and (tag.get("name") or "").strip().lower() in ("robots", PRODUCT_TOKEN)
    ]
    if {"nofollow", "none"} & set(robots_meta_signals(robots)):
        return []
    bases = (tag.get("href") for name, tag in tags if name == "base")
    base = canonical_url(next((href for href in bases if href), "") or url, url) or url
    found: dict[str, None] = {}
    for name, tag in tags:
        target = _target(name, tag)
        link = canonical_url(target, base) if target else None
        if link is not None:
            found[link] = None
    return list(found)


def _link_tags(body: bytes, content_type: str | None) -> list[tuple[str, dict[str, str | None]]]:
    """Name and attributes of every tag that may matter, outside comments, scripts and styles."""
    for opening, closing in _RAW_TEXT:
        body = _without(body, opening, closing)
    # A tag that the end of the page cuts off is none.
    tags = [tag for tag in _LINK_TAG.findall(body) if b">" in tag[1]]
    if len(tags) > MAX_LINK_TAGS:
        return []
    # Whatever quote a cut after 2 KiB left open is closed here.
    images = b"".join(b"<img " + attributes + b"'\">" for _, attributes in tags)
    encoding = http_content_type_encoding(content_type) or html_body_declared_encoding(body[:4096]) or "utf-8"
    nodes = LexborHTMLParser(images.decode(encoding, "replace")).css("img")
    if len(nodes) != len(tags):
        return []
    return [(name.decode().lower(), node.attributes) for (name, _), node in zip(tags, nodes, strict=True)]


def _without(text: bytes, opening: re.Pattern[bytes], closing: re.Pattern[bytes]) -> bytes:
    """The text without its stretches from an opening to the next closing; linear in its length."""
    first, *parts = opening.split(text)
    kept = [first]
    for part in parts:
        match = closing.search(part)
        if match is not None:
            kept.append(part[match.end() :])
    return b" ".join(kept)


def _target(name: str, tag: dict[str, str | None]) -> str | None:
    rel = (tag.get("rel") or "").lower().split()
    if name in ("a", "area"):
        return None if "nofollow" in rel else tag.get("href")
    if name == "link":
        return tag.get("href") if "next" in rel else None
    if name in ("frame", "iframe"):
        return tag.get("src")
    if name == "meta" and (tag.get("http-equiv") or "").strip().lower() == "refresh":
        match = _REFRESH.match(tag.get("content") or "")
        return match[1] if match else None
    return None
