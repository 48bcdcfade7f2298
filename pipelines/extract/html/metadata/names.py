"""Titles and names on one line, as a reader would write them down."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MOST_NAMES = 50

_NAME_CHARACTERS = 100
_SHORT_NAME = 60
_PAGE_CHARACTERS = 500
_UNSAID = re.compile("[\x00-\x20\x7f-\xa0\u200b\u2060\ufeff\ud800-\udfff]+")
_MAIL = re.compile(r"[ ]?[<(\[]?[^\s@<>()]{1,64}@[^\s@<>()]{1,255}[>)\]]?")
_BY = re.compile(r"(?:(?:posted|written|published|created)[ ])?by\b:?[ ]?|author:[ ]?", re.IGNORECASE)
_PERSON = re.compile(r"[^\W\d_a-z]\S{0,30}(?:[ ](?!(?:of|for|the|at)[ ])\S{1,30}){1,3}")
_SEPARATOR = re.compile(r",[ ](?:and[ ])?|[ ]and[ ]")
#: What software writes where nobody gave a name.
_NOBODY = frozenset(
    {
        "admin",
        "administrator",
        "anonymous",
        "author",
        "authors",
        "guest",
        "n/a",
        "no author",
        "none",
        "null",
        "root",
        "super user",
        "undefined",
        "unknown",
        "webmaster",
    }
)


def one_line(text: str) -> str:
    """Text in NFC on one line, without controls and without what no text may hold."""
    if text.isascii():
        return " ".join(text.split()) if text.isprintable() else " ".join(_UNSAID.sub(" ", text).split())
    return unicodedata.normalize("NFC", " ".join(_UNSAID.sub(" ", text).split()))


def names_of(values: Iterable[str]) -> tuple[str, ...]:
    """Names of people and bodies in their order, each once, at most `MOST_NAMES`.

    A value of several is taken apart at `;`, and at commas and `and` only if each part looks like a whole
    name: `Doe, Jane` is one. Addresses, mail addresses and `admin` are no names.
    """
    names: dict[str, None] = {}
    for value in values:
        for part in one_line(value[:2000]).split(";"):
            for name in _apart(part.strip()):
                if name and len(names) < MOST_NAMES:
                    names[name] = None
    return tuple(names)


def first_name(text: str) -> str:
    """The name in the text of an element: the first line that is one, without what stands behind a bar."""
    for line in text[:_PAGE_CHARACTERS].splitlines():
        if (name := _name(_without_by(one_line(line.partition("|")[0])))) and len(name) <= _SHORT_NAME:
            return name
    return ""


def _without_by(text: str) -> str:
    return text[found.end() :] if (found := _BY.match(text)) else text


def _apart(text: str) -> list[str]:
    text = _without_by(text)
    parts = _SEPARATOR.split(text)
    if len(parts) > 1 and all(_PERSON.fullmatch(part) for part in parts):
        return [_name(part) for part in parts]
    return [_name(text)]


def _name(text: str) -> str:
    if "@" in text:
        text = _MAIL.sub("", text)
    text = text.strip(' ,|-·•"“”')
    if not 1 < len(text) <= _NAME_CHARACTERS or "://" in text or text.lower() in _NOBODY:
        return ""
    return text if any(character.isalpha() for character in text) else ""
