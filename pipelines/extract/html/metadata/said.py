"""What the elements of a page state, by column; which statement counts is for `metadata` to choose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from crawlers import PRODUCT_TOKEN
from pipelines.extract.html.metadata.date import stated_dates
from pipelines.extract.html.metadata.licence import spdx_of_text, spdx_of_url

#: Statements by column: their rank (the smallest counts most), where they stand, what they say.
Said = dict[str, list[tuple[int, str, str]]]


@dataclass(frozen=True)
class Element:
    """An element of a page: its name in lower case, its attributes (names in lower case), and all of its text."""

    name: str
    attributes: Mapping[str, str]
    text: str = ""


#: What metas say, by name, property or http-equiv; the first of a column that can be read wins.
METAS: dict[str, tuple[str, ...]] = {
    "short title": ("og:title", "citation_title", "dc.title", "dcterms.title", "twitter:title"),
    "site": ("og:site_name", "application-name"),
    "modified": (
        "article:modified_time",
        "og:updated_time",
        "og:article:modified_time",
        "article.updated",
        "dcterms.modified",
        "dc.date.modified",
        "last-modified",
        "last_modified",
        "lastmod",
        "updated_at",
        "modified",
        "revised",
    ),
    "published": (
        "article:published_time",
        "og:article:published_time",
        "article.published",
        "citation_publication_date",
        "citation_online_date",
        "citation_date",
        "dcterms.issued",
        "dcterms.created",
        "dcterms.date",
        "dc.date.issued",
        "dc.date.created",
        "dc.date",
        "dc.created",
        "date",
        "pubdate",
        "publish-date",
        "publish_date",
        "published",
        "parsely-pub-date",
        "sailthru.date",
    ),
    "author": (
        "citation_author",
        "author",
        "article:author",
        "dcterms.creator",
        "dc.creator",
        "parsely-author",
        "sailthru.author",
        "byl",
    ),
    "canonical": ("og:url",),
    "licence": ("dcterms.license", "dc.rights.license", "license", "licence", "dcterms.rights", "dc.rights", "rights"),
    "copyright": ("copyright",),
    "robots": ("robots", PRODUCT_TOKEN),
    "tdm": ("tdm-reservation", "tdm-policy"),
}
COLUMN = {name: (column, rank) for column, names in METAS.items() for rank, name in enumerate(names, 10)}
ITEMPROPS = {"datemodified": "modified", "datepublished": "published", "author": "author", "license": "licence"}
# Below the metas: what stands on the page itself may speak of a part of it.
OF_LINK, OF_REL, OF_ITEMPROP, OF_CLASS, OF_TEXT = 1, 40, 50, 60, 70

_CHANGED_CLASS = re.compile(r"updated|modified|last-?mod|edited|revision-date", re.IGNORECASE)
_PUBLISHED_CLASS = re.compile(r"publish|pubdate|entry-date|post-?date", re.IGNORECASE)
_BYLINE_CLASS = re.compile(r"byline|author", re.IGNORECASE)
_LICENCE_WORDS = ("licens", "licenc", "cc by", "cc-by", "cc0", "creative commons", "under ")
_DATE_WORDS = ("update", "last ", "modified", "published", "posted", "更新", "修改", "编辑", "发布")
_SHORT = 160
_LONG = 4000


def take_meta(attributes: Mapping[str, str], said: Said) -> None:
    """Add what a meta states."""
    content = attributes.get("content")
    if not content:
        return
    name = attributes.get("name") or attributes.get("property") or attributes.get("http-equiv")
    if name is not None:
        name = name.strip().lower()
        if place := COLUMN.get(name):
            said[place[0]].append((place[1], name, content))
    elif column := ITEMPROPS.get(attributes.get("itemprop", "").lower()):
        said[column].append((OF_ITEMPROP, "itemprop", content))


def take(element: Element, said: Said) -> None:
    """Add what an element other than a meta states."""
    name, attributes = element.name, element.attributes
    if (prop := attributes.get("itemprop")) and (column := ITEMPROPS.get(prop.lower())):
        value = attributes.get("content") or attributes.get("datetime")
        if column == "licence":
            value = value or attributes.get("href")
        said[column].append((OF_ITEMPROP, "itemprop", value or element.text))
    elif name in ("link", "a"):
        _take_link(element, said)
    elif name == "time":
        _take_time(element, said)
    elif name == "title":
        said[name].append((0, name, element.text))
    elif name in ("base", "html"):
        said[name].append((0, name, attributes.get("href" if name == "base" else "lang") or ""))
    elif name == "script":
        if "rsl+xml" in attributes.get("type", "").lower():
            said["robots"].append((0, "script", "rsl-licence"))
        said["json-ld"].append((0, name, element.text))
    else:
        _take_text(element, said)


def _take_link(element: Element, said: Said) -> None:
    attributes = element.attributes
    href = attributes.get("href")
    rel = attributes.get("rel", "").lower()
    if not href:
        return
    if rel and not {"license", "licence"}.isdisjoint(rel.split()):
        if "rsl+xml" in attributes.get("type", "").lower():
            said["robots"].append((0, "link", "rsl-licence"))
        else:
            said["licence link"].append((0, "rel=license", href))
    elif element.name == "a":
        if "author" in rel.split():
            said["author"].append((OF_REL, "rel=author", element.text))
        else:
            said["licence text"].append((0, "link", spdx_of_url(href)))
    elif "canonical" in rel.split():
        said["canonical"].append((OF_LINK, "rel=canonical", href))


def _take_time(element: Element, said: Said) -> None:
    attributes = element.attributes
    value, kind = attributes.get("datetime") or element.text, attributes.get("class", "")
    if "pubdate" in attributes or _PUBLISHED_CLASS.search(kind):
        said["published"].append((OF_CLASS, "time", value))
    elif _CHANGED_CLASS.search(kind):
        said["modified"].append((OF_CLASS, "time", value))
    else:
        said["time"].append((OF_TEXT, "time", value))


def _take_text(element: Element, said: Said) -> None:
    text, kind = element.text[:_LONG], element.attributes.get("class", "")
    lowered = text.lower()
    if any(word in lowered for word in _LICENCE_WORDS):
        said["licence text"].append((0, "text", spdx_of_text(text)))
    if any(word in lowered for word in _DATE_WORDS):
        for column, value in zip(("modified", "published"), stated_dates(text), strict=True):
            said[column].append((OF_TEXT, "text", value))
    if kind and len(text) <= _SHORT:
        if _BYLINE_CLASS.search(kind):
            said["author"].append((OF_CLASS, "byline", text))
        if _CHANGED_CLASS.search(kind):
            said["modified"].append((OF_CLASS, "class", text))
