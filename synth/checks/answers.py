"""Answers that are JSON: read, and held against the schema that the teacher was given."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

#: Characters of an answer that is read at all.
_LONGEST = 200_000

_FENCE = re.compile(r"\A\s{0,100}```(?:json)?[ \t]{0,20}\n(.{0,200000}?)\n[ \t]{0,20}```\s{0,100}\Z", re.DOTALL)
_BACKTICKS = re.compile(r"`{3,}")


def read_json(answer: str, schema: Mapping[str, Any] | None) -> tuple[Any, list[tuple[str, str]]]:
    """The value that an answer holds, a fence around it or not, and why it is none: [("broken_json", ...)].

    Of JSON schema it knows type, properties, required, items, minItems, maxItems, minLength, maxLength and enum.
    """
    if len(answer) > _LONGEST:
        return None, [("broken_json", f"more than {_LONGEST:,} characters")]
    fenced = _FENCE.match(answer)
    try:
        value = json.loads(fenced[1] if fenced else answer, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        return None, [("broken_json", str(error)[:100])]
    wrong = _against(value, schema or {}, "answer", 0)
    return (None, [("broken_json", wrong)]) if wrong else (value, [])


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


def _against(value: Any, schema: Mapping[str, Any], where: str, depth: int) -> str:
    """The first way in which a value is not of its schema; "" if there is none."""
    types = schema.get("type", [])
    allowed = [types] if isinstance(types, str) else types
    if allowed and not any(_is_a(value, each) for each in allowed):
        return f"{where} is not of type {' or '.join(allowed)}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where} is none of {', '.join(map(str, schema['enum']))}"
    if depth > 16:
        return f"{where} is nested too deeply"
    size = len(value) if isinstance(value, str | list) else 0
    kind = "Length" if isinstance(value, str) else "Items"
    if size < schema.get(f"min{kind}", 0) or size > schema.get(f"max{kind}", size):
        return f"{where} has {size} {'characters' if kind == 'Length' else 'items'}"
    if isinstance(value, list):
        inner = [(each, schema.get("items", {}), f"{where}[{at}]") for at, each in enumerate(value)]
    elif isinstance(value, dict):
        known = schema.get("properties", {})
        lacking = [name for name in schema.get("required", []) if name not in value]
        if lacking:
            return f"{where} lacks {lacking[0]}"
        inner = [(value[name], known[name], f"{where}.{name}") for name in known if name in value]
    else:
        inner = []
    return next((wrong for each in inner if (wrong := _against(*each, depth + 1))), "")


def _is_a(value: Any, name: str) -> bool:
    return isinstance(value, _TYPES[name]) and (not isinstance(value, bool) or name == "boolean")


def sentence(text: str) -> str:
    """A text as one line, so that it cannot begin a heading, a list or a fence."""
    return " ".join(text.split()).lstrip("#>-*+|`~= ")


def fenced(code: str, language: str) -> str:
    """Code in a fence that is longer than any run of backticks in it."""
    longest = max((len(run) for run in _BACKTICKS.findall(code)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{code.strip(chr(10))}\n{fence}"
