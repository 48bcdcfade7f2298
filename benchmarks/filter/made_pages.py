"""Pages that are no documents, made of the wordings of `manifests/junk_pages.yaml`: what a model is trained on."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

WORDINGS = Path(__file__).resolve().parents[2] / "manifests" / "junk_pages.yaml"

HANDS = 4  # that wrote the wordings

_SITES = [
    "Kernel Notes",
    "Opsdocs",
    "The Cluster Times",
    "Netlab",
    "DevHub",
    "StorageWiki",
    "Acme",
    "Contoso",
    "Linux Forum",
    "Initech",
    "Northwind",
    "Umbrella Systems",
    "The Register Desk",
    "Datawerk",
    "Nimbus",
]
_CITIES = [
    "Leeds",
    "Denver",
    "Mumbai",
    "Austin",
    "Berlin",
    "Lyon",
    "Madrid",
    "Toronto",
    "Lagos",
    "Perth",
    "Manila",
    "Dubai",
    "Oslo",
    "Chennai",
    "Utrecht",
]
_NAMES = [
    "Anna",
    "J. Smith",
    "Priya Nair",
    "tom",
    "Marek Novak",
    "admin",
    "Li Wei",
    "Sofia Garcia",
    "Hans Meier",
    "rob42",
    "the editors",
]
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
    "Jan",
    "Feb",
    "Aug",
]
_AROUND = ("{site}", "{host}", "{topic} - {site}", "© {year} {site}", "{month} {n}, {year}", "Home", "Version {n}")
_SLOT = re.compile(r"\{(\w+)\}")
_SENTENCE = re.compile(r"(?<=[.?!]) ")
_HELD_OUT = 3  # every third passage


@dataclass(frozen=True)
class Wordings:
    """Of one kind: what heads a page, its sentences, its buttons and fields, and both in other languages."""

    titles: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    other_languages: tuple[str, ...] = ()

    def __add__(self, other: Wordings) -> Wordings:
        return Wordings(*(mine + theirs for mine, theirs in zip(_parts(self), _parts(other), strict=True)))


def _parts(wordings: Wordings) -> tuple[tuple[str, ...], ...]:
    return wordings.titles, wordings.said, wordings.labels, wordings.other_languages


def read_wordings(hands: Sequence[int]) -> dict[str, Wordings]:
    """The wordings of some hands by kind."""
    listed = yaml.safe_load(WORDINGS.read_text(encoding="utf-8"))["kinds"]
    found: dict[str, Wordings] = {}
    for kind, of_hands in listed.items():
        for hand in hands:
            lists = {name: tuple(said) for name, said in of_hands[hand].items()}
            found[kind] = found.get(kind, Wordings()) + Wordings(**lists)
    return found


def make_documents(number: int, topics: Sequence[str], chosen: random.Random) -> list[str]:
    """Short documents on what walls and listings are about: sentences that resemble theirs, half of them with a title."""
    listed = yaml.safe_load(WORDINGS.read_text(encoding="utf-8"))["documents"]
    titles = [f"# {chosen.choice(topics)}\n\n" if chosen.random() < 0.5 else "" for _ in range(number)]
    return [title + " ".join(_some(listed, 1, 3, chosen)) + "\n" for title in titles]


def read_passages(held_out: bool) -> list[str]:
    """Short documents: every third if they are held out, else the others."""
    listed = yaml.safe_load(WORDINGS.read_text(encoding="utf-8"))["passages"]
    return [passage + "\n" for at, passage in enumerate(listed) if (at % _HELD_OUT == 2) is held_out]


def make_passages(number: int, chosen: random.Random) -> list[str]:
    """Passages that are not held out, and neighbouring sentences of them."""
    listed, made = read_passages(False), []
    for _ in range(number):
        sentences = _SENTENCE.split(chosen.choice(listed).strip())
        begin = chosen.choice((0, 0, chosen.randrange(len(sentences))))
        made.append(" ".join(sentences[begin : begin + chosen.choice((1, 2, 3, 9))]) + "\n")
    return made


def make_page(kind: str, wordings: Wordings, topics: Sequence[str], chosen: random.Random) -> str:
    """A page of a kind as Markdown: some of its wordings, in the form that such pages have."""
    foreign = bool(wordings.other_languages) and chosen.random() < (0.25 if wordings.said else 0.4)
    own = _neighbours(wordings, chosen) if foreign else wordings
    lines = [_heading(chosen.choice(own.titles), chosen)] if own.titles and chosen.random() < 0.7 else []
    lines += _BODIES.get(kind, _wall)(own, topics, chosen)
    if chosen.random() < 0.25:
        lines.insert(chosen.randint(0, len(lines)), chosen.choice(_AROUND))
    filled = [_fill(line, topics, chosen) for line in lines if line]
    return "\n\n".join(filled) + "\n"


def _neighbours(wordings: Wordings, chosen: random.Random) -> Wordings:
    """Wordings of other languages that stand beside each other, with a title of any language or none."""
    listed = wordings.other_languages
    reach = 4 if wordings.said else 12
    at = chosen.randrange(len(listed))
    near = listed[max(0, at - reach) : at + reach + 1]
    titles = wordings.titles if chosen.random() < 0.4 else ()
    return Wordings(titles, near if wordings.said else (), () if wordings.said else near, ())


def _heading(title: str, chosen: random.Random) -> str:
    return f"# {title}" if chosen.random() < 0.7 else title


def _some(listed: Sequence[str], least: int, most: int, chosen: random.Random) -> list[str]:
    return chosen.sample(listed, min(len(listed), chosen.randint(least, most)))


def _wall(own: Wordings, topics: Sequence[str], chosen: random.Random) -> list[str]:
    said = _some(own.said, 1, chosen.choice((1, 2, 2, 3, 3, 4, 5)), chosen)
    lines = [" ".join(said)] if chosen.random() < 0.4 else said
    if chosen.random() < 0.6:
        lines = lines + [chosen.choice(("", "", "- ")) + label for label in _some(own.labels, 1, 5, chosen)]
    return lines


def _teaser(own: Wordings, topics: Sequence[str], chosen: random.Random) -> list[str]:
    return ([f"# {chosen.choice(topics)}"] if chosen.random() < 0.5 else []) + _wall(own, topics, chosen)


def _menu(own: Wordings, topics: Sequence[str], chosen: random.Random) -> list[str]:
    labels = _some(own.labels, 6, 26, chosen)
    how = chosen.random()
    if how < 0.25:
        return [chosen.choice((" | ", " · ", " ")).join(labels)]
    return [("- " if how < 0.6 or chosen.random() < 0.3 else "") + label for label in labels]


def _posts(own: Wordings, topics: Sequence[str], chosen: random.Random) -> list[str]:
    lines: list[str] = []
    for _ in range(chosen.randint(2, 9)):
        if chosen.random() < 0.8:
            lines.append(chosen.choice(("## ", "## ", "- ", "")) + chosen.choice(topics))
        lines += [chosen.choice(("", "", "- ")) + said for said in _some(own.said, 1, 2, chosen)]
        lines += _some(own.labels, 1, 1, chosen) if chosen.random() < 0.4 else []
    return lines + _some(own.said, 0, 2, chosen)


def _hits(own: Wordings, topics: Sequence[str], chosen: random.Random) -> list[str]:
    lines = _some(own.said, 1, 4, chosen)
    for _ in range(chosen.randint(1, 8) if chosen.random() < 0.5 else 0):
        behind = chosen.choice(("", f" ... {chosen.choice(topics)} ...", f" - {chosen.choice(_SITES)}"))
        lines.append(chosen.choice(("- ", "- ", "")) + chosen.choice(topics) + behind)
    return lines + _some(own.labels, 0, 4, chosen)


def _offers(own: Wordings, topics: Sequence[str], chosen: random.Random) -> list[str]:
    topic, step = chosen.choice(topics), chosen.randint(1, 4)
    said = [chosen.choice(own.said).replace("{topic}", topic) for _ in range(chosen.randint(2, 16))]
    lines = [" ".join(said[at : at + step]) for at in range(0, len(said), step)]
    return lines + _some(own.labels, 0, 2, chosen)


_BODIES: Mapping[str, Callable[[Wordings, Sequence[str], random.Random], list[str]]] = {
    "menu": _menu, "tag_listing": _posts, "search_listing": _hits, "spam": _offers, "paywall": _teaser,
}  # fmt: skip


def _fill(text: str, topics: Sequence[str], chosen: random.Random) -> str:
    def fill(slot: re.Match[str]) -> str:
        return _MAKERS[slot[1]](topics, chosen)

    return _SLOT.sub(fill, text)


@cache
def _as_path(topic: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", topic.lower())[:20]


def _path(topics: Sequence[str], chosen: random.Random) -> str:
    parts = [_as_path(chosen.choice(topics)) for _ in range(chosen.randint(1, 3))]
    return "/" + "/".join(parts) + chosen.choice(("", ".html", "/"))


def _host(topics: Sequence[str], chosen: random.Random) -> str:
    name = chosen.choice(_SITES).split()[-1].lower()
    return (
        f"{chosen.choice(('www', 'docs', 'wiki', 'blog', 'shop'))}.{name}.{chosen.choice(('org', 'com', 'net', 'io'))}"
    )


_MAKERS: Mapping[str, Callable[[Sequence[str], random.Random], str]] = {
    "topic": lambda topics, chosen: chosen.choice(topics),
    "site": lambda _, chosen: chosen.choice(_SITES),
    "city": lambda _, chosen: chosen.choice(_CITIES),
    "name": lambda _, chosen: chosen.choice(_NAMES),
    "month": lambda _, chosen: chosen.choice(_MONTHS),
    "n": lambda _, chosen: str(chosen.randint(1, chosen.choice((12, 999)))),
    "year": lambda _, chosen: str(chosen.randint(2005, 2026)),
    "hex": lambda _, chosen: f"{chosen.getrandbits(chosen.choice((32, 64, 128))):x}",
    "path": _path,
    "host": _host,
}
