"""What JSON-LD of schema.org says of the page that carries it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: Characters of a script that we read, and how many scripts: more is data, not a statement about the page.
MAX_CHARACTERS = 200_000
MAX_SCRIPTS = 12

_MOST_NODES = 200
_MOST_AUTHORS = 100
_NESTING = 4

_WORTH_READING = re.compile(r'"(?:author|creator|date(?:Modified|Published|Created)|license|headline|isAccessible)')
_WRAPPING = re.compile(r"\s*(?:<!--|(?://|/\*)?\s*<!\[CDATA\[(?:\s*\*/)?)?\s*")
# Comments, reviews, images, the site and its owner speak of other things than the page.
_PAGES = frozenset({"WebPage", "ItemPage", "AboutPage", "FAQPage", "QAPage", "CollectionPage", "MedicalWebPage"})
_WORKS = frozenset(
    {
        "APIReference",
        "Book",
        "Chapter",
        "Course",
        "CreativeWork",
        "Dataset",
        "DigitalDocument",
        "HowTo",
        "LearningResource",
        "Question",
        "Recipe",
        "Report",
        "SoftwareSourceCode",
        "Thesis",
    }
)
_DECODER = json.JSONDecoder(strict=False)

Node = Mapping[str, Any]


@dataclass(frozen=True)
class Linked:
    """Statements about the page, as written; empty where there is none."""

    headline: str = ""
    modified: str = ""
    published: str = ""
    authors: tuple[str, ...] = ()
    licence: str = ""
    free: bool = True


def read_linked(scripts: Iterable[str]) -> Linked:
    """What the JSON-LD scripts of a page say of it. Broken ones say nothing; a work is asked before its web page.

    scripts: their texts, in page order. Hostile input costs no more than `MAX_SCRIPTS` of `MAX_CHARACTERS`.
    """
    found: list[Node] = []
    named: dict[str, Node] = {}
    for number, script in enumerate(scripts):
        if number >= MAX_SCRIPTS:
            break
        if len(script) <= MAX_CHARACTERS and _WORTH_READING.search(script):
            for node in _nodes(_decode(script)):
                found.append(node)
                if isinstance(key := node.get("@id"), str):
                    named.setdefault(key, node)
    speakers = sorted((node for node in found if _rank(node) < 2), key=_rank)
    if not speakers:
        return Linked()
    return Linked(
        headline=_first(speakers, "headline"),
        modified=_first(speakers, "dateModified"),
        published=_first(speakers, "datePublished") or _first(speakers, "dateCreated"),
        authors=next(filter(None, (_authors(node, named) for node in speakers)), ()),
        licence=next(filter(None, (_reference(node.get("license")) for node in speakers)), ""),
        free=not any(str(node.get("isAccessibleForFree")).lower() == "false" for node in speakers),
    )


def _decode(script: str) -> Any:
    start = _WRAPPING.match(script)
    try:
        return _DECODER.raw_decode(script, start.end() if start else 0)[0]
    except (ValueError, RecursionError):
        return None


def _nodes(value: Any) -> Iterator[Node]:
    """Top-level nodes, those of a graph, and the main entity of each; in their order, never deeper."""
    level = [value]
    left = _MOST_NODES
    for _ in range(_NESTING):
        below: list[Any] = []
        for each in level:
            if isinstance(each, list):
                below += each[:left]
            elif isinstance(each, dict) and left > 0:
                left -= 1
                yield each
                if isinstance(graph := each.get("@graph"), list):
                    below += graph[:left]
                if isinstance(entity := each.get("mainEntity"), dict):
                    below.append(entity)
        level = below


def _rank(node: Node) -> int:
    kinds = node.get("@type")
    best = 2
    for kind in kinds[:5] if isinstance(kinds, list) else (kinds,):
        if isinstance(kind, str):
            name = kind.replace("#", "/").replace(":", "/").rpartition("/")[2]
            if name in _WORKS or name.endswith(("Article", "Posting")):
                return 0
            if name in _PAGES:
                best = 1
    return best


def _first(nodes: Iterable[Node], key: str) -> str:
    for node in nodes:
        value = node.get(key)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str) and value.strip():
            return html.unescape(value[:1000])
    return ""


def _authors(node: Node, named: Mapping[str, Node]) -> tuple[str, ...]:
    value = node.get("author") or node.get("creator")
    names = []
    for each in value[:_MOST_AUTHORS] if isinstance(value, list) else (value,):
        person: Any = each
        if isinstance(each, dict) and "name" not in each and isinstance(each.get("@id"), str):
            person = named.get(each["@id"])
        name = person.get("name") if isinstance(person, dict) else person
        for part in name[:_MOST_AUTHORS] if isinstance(name, list) else (name,):
            if isinstance(part, str) and part.strip():
                names.append(html.unescape(part[:1000]))
    return tuple(names[:_MOST_AUTHORS])


def _reference(value: Any) -> str:
    """A URL or a name, given as a text, as an object, or as the first of a list of them."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict):
        value = value.get("@id") or value.get("url") or value.get("name")
    return value[:1000].strip() if isinstance(value, str) else ""
