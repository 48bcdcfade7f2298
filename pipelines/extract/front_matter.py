"""Front matter of Markdown: YAML between `---`, TOML between `+++`, or a JSON object, and what it says of the page."""

from __future__ import annotations

import datetime
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_CHARS = 256 * 1024
MAX_NESTING = 1000

_YAML = re.compile(r"---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_TOML = re.compile(r"\+\+\+[ \t]*\n(.*?)^\+\+\+[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FENCED = re.compile(r"```toml[ \t]*\n(.*?)^```[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_KEY = re.compile(r"^[\"']?[\w.@-]+[\"']?[ \t]*:", re.MULTILINE)
_STACKED = re.compile(r"(?:[-?][ \t]+){50}")
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?![\d])")
_US = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})$")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WORDS = re.compile(
    r"(?:(\d{1,2})(?:st|nd|rd|th)?\s+)?([A-Za-z]{3,9})\.?\s+(?:(\d{1,2})(?:st|nd|rd|th)?,?\s+)?(\d{4})\b"
)

_CHANGED = ("lastmod", "last_modified_at", "last_modified", "last-updated", "last_updated", "updated", "modified")
_PUBLISHED = ("date", "ms.date", "publishdate", "published", "pubdate", "created_at", "creation-date", "created")
_AUTHORS = ("authors", "author", "author_name", "byline")
_LICENCE = ("license", "licence", "spdx-license-identifier")
_CANONICAL = ("canonical", "canonical_url", "canonicalurl", "canonical-url")


@dataclass(frozen=True)
class FrontMatter:
    """What the front matter of a page says. `found` has a key for every column that it fills.

    `data`: the front matter as it stands where it holds records (a list of mappings), else empty: some
    pages are made from such data, and their text is nowhere else.
    """

    title: str = ""
    date: str = ""
    authors: tuple[str, ...] = ()
    licence: str = ""
    canonical: str = ""
    opt_out: tuple[str, ...] = ()
    data: str = ""
    found: Mapping[str, str] = field(default_factory=dict)


def split_front_matter(text: str) -> tuple[FrontMatter, str]:
    """The front matter of a Markdown text, and the text behind it; one that cannot be read is removed unread.

    Data in a fence at the top are read, and stay in the text. A text that merely begins with a rule stays whole.
    """
    head = text.lstrip("\n")
    if (match := _YAML.match(head)) and (_KEY.search(match.group(1)) or not match.group(1).strip()):
        return _facts(_read_yaml(match.group(1)), match.group(1)), head[match.end() :]
    if match := _TOML.match(head):
        return _facts(_read_toml(match.group(1)), match.group(1)), head[match.end() :]
    if match := _FENCED.match(head):  # an advisory of RustSec: its data are a part of the text
        values = _read_toml(match.group(1))
        advisory = values.get("advisory")
        return _facts({**values, **advisory} if isinstance(advisory, dict) else {}, ""), text
    if head.startswith(("{\n", '{"')):
        try:
            values, end = json.JSONDecoder().raw_decode(head[:MAX_CHARS])
        except (ValueError, RecursionError):
            return FrontMatter(), text
        return _facts(values, head[:end]), head[end:]
    return FrontMatter(), text


def iso_date(value: object) -> str:
    """The day that a value of front matter names, as `YYYY-MM-DD`; empty where it is none or in doubt."""
    if isinstance(value, datetime.date):
        return value.isoformat()[:10]
    text = str(value).strip()
    if match := _ISO.match(text):
        year, month, day = match.groups()
    elif match := _US.match(text):
        month, day, year = match.groups()
    elif (match := _WORDS.search(text)) and match.group(2)[:3].lower() in _MONTHS:
        year, day = match.group(4), match.group(1) or match.group(3) or ""
        month = str(_MONTHS.index(match.group(2)[:3].lower()) + 1)
    else:
        return ""
    try:
        return datetime.date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return ""


def _read_yaml(text: str) -> Any:
    # The parser in C recurses on its own stack: what nests too deep for it never gets there.
    if len(text) > MAX_CHARS or text.count("[") + text.count("{") > MAX_NESTING or _STACKED.search(text):
        return None
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError):
        return _lines(text)


def _read_toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text[:MAX_CHARS])
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _lines(text: str) -> dict[str, str]:
    """The plain `key: value` lines of what is almost YAML (an unquoted colon in a title, a tab)."""
    pairs = (line.partition(":") for line in text.split("\n") if line[:1].isalpha())
    return {key.strip(): value.strip().strip("\"'") for key, colon, value in pairs if colon}


def _facts(values: Any, source: str) -> FrontMatter:
    if not isinstance(values, dict):
        return FrontMatter()
    # Hugo, Zola: further keys stand in tables of their own.
    nested = [values[key] for key in ("params", "extra") if isinstance(values.get(key), dict)]
    known = {str(key).lower(): value for each in (*nested, values) for key, value in each.items()}
    columns: dict[str, Any] = {
        "date": next(filter(None, (iso_date(known[key]) for key in (*_CHANGED, *_PUBLISHED) if known.get(key))), ""),
        "authors": next(filter(None, (_names(known[key]) for key in _AUTHORS if known.get(key))), ()),
        "licence": _first(known, _LICENCE),
        "canonical": url if (url := _first(known, _CANONICAL)).startswith(("https://", "http://")) else "",
        "opt_out": _robots(known),
    }
    found = {column: "front-matter" for column, value in columns.items() if value}
    if known.get("draft") is True or known.get("published") is False:
        found["draft"] = "front-matter"
    records = any(isinstance(value, list) and value and isinstance(value[0], dict) for value in values.values())
    return FrontMatter(title=_first(known, ("title",)), data=source if records else "", found=found, **columns)


def _first(known: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    values = (known.get(key) for key in keys)
    return next(
        (" ".join(str(value).split()) for value in values if value and isinstance(value, str | int | float)), ""
    )


def _names(value: Any) -> tuple[str, ...]:
    """Names of authors: a name, names with commas between them, a list of names, or of mappings with a name."""
    if isinstance(value, str):
        value = re.split(r",|;|\band\b|&", value)
    if isinstance(value, dict):
        value = [value] if "name" in value else list(value)
    if not isinstance(value, list):
        return ()
    names = (each.get("name", "") if isinstance(each, dict) else each for each in value)
    return tuple(dict.fromkeys(name for each in names if (name := " ".join(str(each or "").split()))))


def _robots(known: Mapping[str, Any]) -> tuple[str, ...]:
    """The tokens that the site's generator writes into the robots element of the page."""
    value = known.get("robots")
    tokens = {token.strip().lower() for token in value.split(",")} if isinstance(value, str) else set()
    if known.get("noindex") is True or known.get("no_index") is True:
        tokens.add("noindex")
    return tuple(sorted(tokens - {""}))
