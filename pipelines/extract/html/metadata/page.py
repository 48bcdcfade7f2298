"""What a page says of itself: title, date, authors, canonical address, licence, opt-outs; and where it says so."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from crawlers.optout import TDM_FREE
from crawlers.urls import canonical_url, host_of
from pipelines.extract.html.metadata.date import iso_date
from pipelines.extract.html.metadata.jsonld import Linked, read_linked
from pipelines.extract.html.metadata.licence import MOST_LICENCES, join, spdx_of_text, spdx_of_url, spdx_of_value
from pipelines.extract.html.metadata.names import first_name, names_of, one_line
from pipelines.extract.html.metadata.said import OF_REL, Element, Said, take, take_meta

__all__ = ["Element", "Metadata", "read_metadata"]


@dataclass(frozen=True)
class Metadata:
    """What a page says of itself; empty where it says nothing that can be read. Its columns are those of `Page`.

    `language` is the `lang` of the page, for evidence. `found` names for a column the element that said it;
    `found["paywall"]` is there if the page says that it is not free to read.
    """

    title: str = ""
    date: str = ""
    authors: tuple[str, ...] = ()
    canonical: str = ""
    licence: str = ""
    language: str = ""
    opt_out: tuple[str, ...] = ()
    found: Mapping[str, str] = field(default_factory=dict)


_PARTS = re.compile(r"[,;]")
_UNVERSIONED = re.compile(r"CC-BY[A-Z-]*|[AL]?GPL|GFDL")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,4}")
_SEPARATORS = "|–—-·•:»«›/@~"
_TIGHT = "»«›"
_TOKEN_CHARACTERS = 80


def read_metadata(elements: Iterable[Element], url: str) -> Metadata:
    """What the elements of a page say of it; a pure function that no page makes fail.

    elements: in page order, those that can matter: `title`, `meta`, `link`, `base`, `html`, `time`,
    `script` of type `application/ld+json`, `a` with a `rel` of `license` or `author` or with an address in a
    footer, elements with an `itemprop`, and short ones whose text or class speaks of a licence, a date or an
    author. url: where the page came from.

    The title is the `title` element without the name of its site: if the page gives a shorter one elsewhere,
    and separators part that from the rest of the longer one, it is the shorter one.
    """
    said: Said = defaultdict(list)
    for element in elements:
        if element.name == "meta":
            take_meta(element.attributes, said)
        else:
            take(element, said)
    linked = read_linked(value for _, _, value in said["json-ld"])
    base = url if url.startswith(("http://", "https://")) else None
    if said["base"]:
        base = canonical_url(said["base"][0][2], base) or base
    found: dict[str, str] = {}
    if not linked.free:
        found["paywall"] = "json-ld"
    return Metadata(
        title=_title(said, linked, found),
        date=_date(said, linked, found),
        authors=_authors(said, linked, found),
        canonical=_canonical(said, base, found),
        licence=_licence(said, linked, base, found),
        language=_language(said),
        opt_out=_opt_out(said),
        found=found,
    )


def _title(said: Said, linked: Linked, found: dict[str, str]) -> str:
    whole = next(filter(None, (one_line(value) for _, _, value in said["title"])), "")
    shorter = [(where, one_line(value)) for _, where, value in sorted(said["short title"], key=_rank)]
    shorter.insert(1, ("json-ld headline", one_line(linked.headline)))
    sites = {one_line(value).lower() for _, _, value in said["site"]}
    for where, title in shorter:
        if title and (not whole or (title != whole and title.lower() not in sites and _is_part(title, whole))):
            found["title"] = where
            return title
    if whole:
        found["title"] = "title"
    return whole


def _is_part(part: str, whole: str) -> bool:
    """Whether separators part it from the rest of the whole. What comes last behind a bar or a dash is a site."""
    before, _, after = whole.partition(part)
    if len(before) == len(whole):
        return False
    left, right = before.rstrip(), after.lstrip()
    closed = not right or right[0] in _TIGHT or (right != after and right[0] in _SEPARATORS)
    return closed and (not left or left[-1] in _TIGHT or (bool(right) and left != before and left[-1] in _SEPARATORS))


def _date(said: Said, linked: Linked, found: dict[str, str]) -> str:
    """The last change if the page states it, else the publication; a change before that is a mistake."""
    changed, where_changed = _first_date(said["modified"], linked.modified, "json-ld dateModified")
    published, where_published = _first_date(said["published"], linked.published, "json-ld datePublished")
    if not changed and not published and len(times := {iso_date(value) for _, _, value in said["time"][:50]}) == 1:
        # Bare times of several days are those of a list, or of answers.
        published, where_published = times.pop(), "time"
    date, where = (changed, where_changed) if changed >= published else (published, where_published)
    if date:
        found["date"] = where
    return date


def _first_date(statements: list[tuple[int, str, str]], linked: str, name: str) -> tuple[str, str]:
    if linked and (date := iso_date(linked)):
        return date, name
    for _, where, value in sorted(statements, key=_rank):
        if date := iso_date(value):
            return date, where
    return "", ""


def _rank(statement: tuple[int, str, str]) -> int:
    return statement[0]


def _authors(said: Said, linked: Linked, found: dict[str, str]) -> tuple[str, ...]:
    """The names from the one best place; of those on the page itself the first, for others wrote the answers."""
    groups: dict[str, list[str]] = {"json-ld": list(linked.authors)}
    for rank, where, value in sorted(said["author"], key=_rank):
        group = groups.setdefault(where, [])
        if rank < OF_REL:
            group.append(value)
        elif not group and (name := first_name(value)):
            group.append(name)
    for where, values in groups.items():
        if names := names_of(values):
            found["authors"] = where
            return names
    return ()


def _canonical(said: Said, base: str | None, found: dict[str, str]) -> str:
    for _, where, value in sorted(said["canonical"], key=_rank):
        address = None if "{" in value else canonical_url(value.strip(), base)
        # A site that was built for a test names its author's own machine.
        if address and "." in (host := host_of(address)) and not host.startswith("127."):
            found["canonical"] = where
            return address
    return ""


def _licence(said: Said, linked: Linked, base: str | None, found: dict[str, str]) -> str:
    """The first place that names a licence with its version; else one without; else the address of an unknown one."""
    links = [canonical_url(value.strip(), base) or "" for _, _, value in said["licence link"]]
    places = [("rel=license", [spdx_of_url(link) for link in links])] if links else []
    if linked.licence:
        places.append(("json-ld", [spdx_of_value(linked.licence)]))
    if fields := sorted(said["licence"], key=_rank)[:1]:
        places += [(where, [spdx_of_value(value)]) for _, where, value in fields]
    places += [("copyright", [spdx_of_text(value)]) for _, _, value in said["copyright"]]
    if texts := [value for _, _, value in said["licence text"] if value]:
        places.append(("text", texts))
    named = [(where, join(filter(None, licences))) for where, licences in places]
    named.sort(key=lambda place: _UNVERSIONED.fullmatch(place[1]) is not None)
    if links and len(set(links)) <= MOST_LICENCES:
        named.append(("rel=license", next(filter(None, links), "")))
    if linked.licence:
        named.append(("json-ld", canonical_url(linked.licence) or ""))
    for where, licence in named:
        if licence:
            found["licence"] = where
            return licence
    return ""


def _language(said: Said) -> str:
    language = said["html"][0][2].strip().replace("_", "-") if said["html"] else ""
    return language if _LANGUAGE.fullmatch(language) else ""


def _opt_out(said: Said) -> tuple[str, ...]:
    """Tokens of the robots metas, values of theirs kept, and of the others that rule use: lower case, sorted."""
    tokens: set[str] = set()
    for _, _, value in said["robots"]:
        for part in _PARTS.split(value.lower()):
            tokens.update([part.strip()] if ":" in part else part.split())
    for _, name, value in said["tdm"]:
        if name == "tdm-policy" or value.strip() == "1":
            tokens.add(name)
        elif value.strip() == "0":
            tokens.add(TDM_FREE)
    return tuple(sorted(token for token in tokens if 0 < len(token) <= _TOKEN_CHARACTERS))
