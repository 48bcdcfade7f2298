"""Words of the Kusto Query Language, after KqlTokens.g4 of microsoft/Kusto-Query-Language. Linear in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

#: Characters of a query that is read at all.
LONGEST = 20_000


def words(text: str) -> frozenset[str]:
    """Words that are parted by spaces."""
    return frozenset(text.split())


def unquoted(string: str) -> str:
    """What a string holds, escapes as they stand."""
    return string.lstrip("hH").lstrip("@").strip(string[-1:])


class KqlError(Exception):
    """A query that is none: what is wrong, and where (characters from its beginning)."""

    def __init__(self, what: str, at: int) -> None:
        super().__init__(what)
        self.at = at


@dataclass(frozen=True, slots=True)
class Token:
    kind: Literal["word", "string", "number", "literal", "sign", "end"]
    text: str
    at: int


#: Keywords with a hyphen, which would else be a subtraction.
_HYPHENATED = (
    "project-away|project-by-names|project-keep|project-rename|project-reorder|project-smart|mv-expand|mv-apply|make-series|"
    "parse-where|parse-kv|sample-distinct|top-nested|top-hitters|order-by"
)
_UNITS = (
    "days?|d|hours?|hrs?|h|minutes?|min|m|seconds?|sec|s|milliseconds?|millis?|millisec|ms|"
    "microseconds?|micros?|microsec|us|nanoseconds?|nanos?|nanosec|ns|ticks?"
)
_TYPES = "datetime|date|timespan|time|guid|uuid|uniqueid|int|long|real|double|decimal|boolean|bool|typeof"

_TOKEN = re.compile(
    rf"""
      (?P<space>[\s\u200b\ufeff]++|//[^\r\n\u2028\u2029]*+)
    | (?P<string>
          [hH]?```(?:[^`]|`(?!``))*+```
        | [hH]?~~~(?:[^~]|~(?!~~))*+~~~
        | [hH]?@"(?:[^"]|"")*+"  | [hH]?@'(?:[^']|'')*+'
        | [hH]?"(?:[^"\\\r\n]|\\[^\r\n])*+"  | [hH]?'(?:[^'\\\r\n]|\\[^\r\n])*+')
    | (?P<guid>[0-9a-fA-F]{{8}}-[0-9a-fA-F]{{4}}-[0-9a-fA-F]{{4}}-[0-9a-fA-F]{{4}}-[0-9a-fA-F]{{12}}\b)
    | (?P<literal>(?:{_TYPES})[ \t]{{0,8}}\([^()\r\n]{{0,200}}+\))
    | (?P<number>
          0[xX][0-9a-fA-F]++\b
        | [0-9]++(?:\.[0-9]++)?(?:{_UNITS})(?![A-Za-z0-9_])
        | [0-9]++(?:\.(?!\.)[0-9]*+)?(?:[eE][+-]?[0-9]++)?(?![A-Za-z0-9_]))
    | (?P<word>
          (?:{_HYPHENATED})(?![A-Za-z0-9_-])
        | !?in~
        | !(?=[a-z])[a-z_]++
        | [$_A-Za-z][_A-Za-z0-9]*+ | [0-9]++[_A-Za-z][_A-Za-z0-9]*+)
    | (?P<sign>==|=~|!=|!~|<>|<=|>=|=>|\.\.|[-+*/%<>=()\[\]{{}},;:.|@?])
    """,
    re.VERBOSE,
)

_DATETIME = re.compile(r"""["']?[0-9A-Za-z:.,+/\s-]{1,64}["']?""")
_CONTENT = {
    "datetime": _DATETIME,
    "date": _DATETIME,
    "timespan": _DATETIME,
    "time": _DATETIME,
    "int": re.compile(r"null|[+-]?(?:[0-9]{1,20}|0[xX][0-9a-fA-F]{1,16})"),
    "bool": re.compile(r"null|true|false|[01]", re.IGNORECASE),
    "real": re.compile(r"null|nan|[+-]?inf|[+-]?[0-9]{1,40}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,4})?"),
    "guid": re.compile(r"""null|["']?[0-9a-fA-F-]{32,36}["']?"""),
    "typeof": re.compile(r"[A-Za-z0-9_:,.*\s]{1,200}"),
}
_CONTENT |= {"long": _CONTENT["int"], "boolean": _CONTENT["bool"], "double": _CONTENT["real"]}
_CONTENT |= {"decimal": _CONTENT["real"], "uuid": _CONTENT["guid"], "uniqueid": _CONTENT["guid"]}


def _check_literal(text: str, at: int) -> None:
    name, content = text[:-1].split("(", 1)
    if not _CONTENT[name.strip()].fullmatch(content.strip()):
        raise KqlError(f"{name.strip()}({content.strip()[:40]}) is no literal", at)


def tokens(query: str) -> list[Token]:
    """The tokens of a query, without spaces and comments; the last is of kind `end`. Raises KqlError."""
    if len(query) > LONGEST:
        raise KqlError(f"has more than {LONGEST:,} characters", LONGEST)
    found: list[Token] = []
    at = 0
    while at < len(query):
        match = _TOKEN.match(query, at)
        if match is None:
            what = "a string that does not end" if query[at] in "\"'`" else repr(query[at])
            raise KqlError(f"{what} stands where a word is expected", at)
        kind = match.lastgroup
        text = match.group()
        if kind == "literal":
            _check_literal(text, at)
        if kind != "space":
            found.append(Token("literal" if kind == "guid" else kind, text, at))  # type: ignore[arg-type]
        at = match.end()
    found.append(Token("end", "", len(query)))
    return found
