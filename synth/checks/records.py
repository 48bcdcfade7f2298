"""Records of results that a document holds: rows of its tables, of CSV, and objects of JSON; and names within them."""

from __future__ import annotations

import csv
import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synth.outline import Fence, Outline, outline

#: Records of a document that are read at all, and fields of one.
MOST_RECORDS, MOST_FIELDS = 500, 60
_LONGEST_LINE = 4000

_PIPE = re.compile(r"(?<!\\)\|")
_SEPARATOR = re.compile(r"[ \t]{0,8}\|?[ \t:|-]{3,2000}")
_MARKUP = str.maketrans("", "", "*`\\")
_NUMBER = re.compile(
    r"(?<![\w.])[-+]?[0-9]{1,3}(?:,[0-9]{3}){1,6}(?:\.[0-9]{1,18})?(?![\w])|[0-9]{1,18}(?:\.[0-9]{1,18})?"
)

_Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Record:
    """`section`: the headings above it, from the highest on; fields: (name, value) as they are written."""

    section: tuple[str, ...]
    fields: _Fields

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(value for _, value in self.fields)

    @property
    def words(self) -> str:
        """All that is said of it: headings, names of fields, values."""
        return " | ".join([*self.section, *(part for pair in self.fields for part in pair)])


def records_of(document: str | Outline) -> list[Record]:
    """The records of a document, in its order."""
    page = outline(document) if isinstance(document, str) else document
    paths = _paths(page)
    found = [*_in_tables(page, paths)]
    for fence in page.fences:
        section = _section(paths, fence.begin)
        found += [(fence.begin, Record(section, fields)) for fields in _in_fence(page, fence)]
    found.sort(key=lambda each: each[0])
    return [record for _, record in found[:MOST_RECORDS]]


def same_record(records: Sequence[Record], text: str) -> list[Record]:
    """Those that a text writes out: a row of a table, a line of CSV, or an object of JSON."""
    values = _values_of(text)
    return [each for each in records if values and tuple(map(_folded, each.values)) in values]


def stands_in(name: str, text: str) -> bool:
    """Whether a name stands in a text as whole words, whatever its case and spaces."""
    wanted, within = _folded(name), _folded(text)
    at = within.find(wanted) if wanted else -1
    while at >= 0:
        end = at + len(wanted)
        if not within[at - 1 : at].isalnum() and not within[end : end + 1].isalnum():
            return True
        at = within.find(wanted, at + 1)
    return False


def numbers_of(text: str) -> set[str]:
    """The numbers of a text, without signs, commas of thousands, and zeros that say nothing."""
    return {_canonical(each) for each in _NUMBER.findall(text)}


def _canonical(number: str) -> str:
    whole, _, decimals = number.replace(",", "").partition(".")
    decimals = decimals.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{decimals}" if decimals else "")


def _folded(text: str) -> str:
    return " ".join(text.translate(_MARKUP).split()).casefold()


def _paths(page: Outline) -> list[tuple[int, tuple[str, ...]]]:
    """For each heading its line, and it with those above it."""
    path: list[tuple[int, str]] = []
    found = []
    for heading in page.headings:
        path = [each for each in path if each[0] < heading.level]
        path.append((heading.level, heading.text.translate(_MARKUP).strip()))
        found.append((heading.line, tuple(text for _, text in path)))
    return found


def _section(paths: Sequence[tuple[int, tuple[str, ...]]], line: int) -> tuple[str, ...]:
    before = bisect_left(paths, (line,))
    return paths[before - 1][1] if before else ()


def _fields(names: Sequence[str], values: Sequence[str]) -> _Fields:
    """A name that stands twice has its place with it."""
    unique = [name if name and names.index(name) == at else f"{name} ({at + 1})" for at, name in enumerate(names)]
    return tuple(zip(unique, values, strict=True))


# Tables


def _in_tables(page: Outline, paths: Sequence[tuple[int, tuple[str, ...]]]) -> Iterator[tuple[int, Record]]:
    """Records of tables with their lines. A line is of one table only."""
    fenced = page.fenced()
    number, left = 1, MOST_RECORDS
    while number < len(page.lines) and left > 0:
        line = page.lines[number]
        number += 1
        if "-" not in line or "|" not in page.lines[number - 2] or "|" not in line or number - 1 in fenced:
            continue
        names = _cells(page.lines[number - 2])
        if not _SEPARATOR.fullmatch(line) or not 2 <= len(names) <= MOST_FIELDS:
            continue
        section = _section(paths, number)
        while number < len(page.lines) and left > 0 and "|" in page.lines[number]:
            values = _cells(page.lines[number])
            if len(values) == len(names):
                left -= 1
                yield number, Record(section, _fields(names, values))
            number += 1


def _cells(line: str) -> list[str]:
    text = line[:_LONGEST_LINE].strip().removeprefix("|")
    if text.endswith("|") and not text.endswith("\\|"):
        text = text[:-1]
    return [cell.translate(_MARKUP).strip() for cell in _PIPE.split(text)]


# Fences


def _in_fence(page: Outline, fence: Fence) -> Iterator[_Fields]:
    code = page.code(fence)
    if fence.language in ("json", "jsonl", "ndjson", "jsonlines"):
        for value in _json_values(code):
            fields = tuple(_flat(value))
            if 2 <= len(fields) <= MOST_FIELDS:
                yield fields
    elif fence.language in ("csv", "tsv"):
        rows = _csv_rows(code, "\t" if fence.language == "tsv" else ",")
        names = rows[0] if rows else []
        if 2 <= len(names) <= MOST_FIELDS:
            yield from (_fields(names, row) for row in rows[1:] if len(row) == len(names))


def _csv_rows(code: str, delimiter: str) -> list[list[str]]:
    try:
        rows = list(csv.reader(code.split("\n")[: MOST_RECORDS + 1], delimiter=delimiter))
    except csv.Error:
        return []
    return [[cell.strip() for cell in row] for row in rows if row]


def _json_values(code: str) -> list[dict[str, Any]]:
    """Objects of an array, of an object alone, or of a line each."""
    texts = [code] if code.lstrip()[:1] == "[" else [code, *code.split("\n")]
    for number, text in enumerate(texts):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if number == 0:
            return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else _objects(value)
        break
    else:
        return []
    found = []
    for text in texts[1 : MOST_RECORDS + 1]:
        try:
            found += _objects(json.loads(text))
        except (ValueError, RecursionError):
            continue
    return found


def _objects(value: Any) -> list[dict[str, Any]]:
    return [value] if isinstance(value, dict) else []


def _flat(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Scalars of an object, those of objects in it with both names; a number as JSON writes it."""
    for name, each in value.items():
        if isinstance(each, dict):
            inner = ((f"{name}.{key}", of) for key, of in each.items() if not isinstance(of, dict | list))
            yield from ((key, _written(of)) for key, of in inner)
        elif not isinstance(each, list):
            yield name, _written(each)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _values_of(text: str) -> set[tuple[str, ...]]:
    """The values that a text may write out, read as a row of a table, as CSV, as JSON."""
    found = {tuple(map(_folded, _cells(text)))} if "|" in text else set()
    for delimiter in ",\t":
        rows = _csv_rows(text, delimiter)
        found |= {tuple(map(_folded, rows[0]))} if len(rows) == 1 and len(rows[0]) > 1 else set()
    if text.lstrip()[:1] == "{":
        found |= {tuple(_folded(of) for _, of in _flat(each)) for each in _json_values(text)}
    return found
