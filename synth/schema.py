"""The part of JSON Schema (draft 2020-12) that teachers are held to, and where a value departs from it.

Servers differ in the keywords that they enforce; these are what all of them know, and what OpenAI calls strict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_KEYWORDS = frozenset(
    ("type", "properties", "required", "additionalProperties", "items", "enum", "title", "description", "minItems",
     "maxItems", "minLength", "maxLength")
)  # fmt: skip
_IS: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}


def check_schema(schema: Mapping[str, Any], path: str = "$") -> None:
    """Raises ValueError where a schema says what nobody would check."""
    if unknown := sorted(set(schema) - _KEYWORDS):
        raise ValueError(f"{path}: {unknown[0]!r} is not among {', '.join(sorted(_KEYWORDS))}")
    if schema.get("type") not in _IS:
        raise ValueError(f"{path}: type is not one of {', '.join(_IS)}")
    for name, inner in schema.get("properties", {}).items():
        check_schema(inner, f"{path}.{name}")
    if missing := sorted(set(schema.get("required", [])) - set(schema.get("properties", {}))):
        raise ValueError(f"{path}: {missing[0]!r} is required and not among properties")
    if "items" in schema:
        check_schema(schema["items"], f"{path}[]")


def departure(value: Any, schema: Mapping[str, Any], path: str = "$") -> str:
    """Where a value departs from a schema that `check_schema` has passed, and how; empty if it does not."""
    if not _IS[schema["type"]](value):
        return f"{path}: no {schema['type']}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{path}: none of those it may be"
    if isinstance(value, str | list) and (found := _departure_of_size(value, schema, path)):
        return found
    if isinstance(value, list) and "items" in schema:
        inner = (departure(each, schema["items"], f"{path}[{place}]") for place, each in enumerate(value))
        return next(filter(None, inner), "")
    return _departure_of_object(value, schema, path) if isinstance(value, dict) else ""


def _departure_of_size(value: str | list[Any], schema: Mapping[str, Any], path: str) -> str:
    of, what = ("Length", "characters") if isinstance(value, str) else ("Items", "items")
    sound = schema.get(f"min{of}", 0) <= len(value) <= schema.get(f"max{of}", len(value))
    return "" if sound else f"{path}: {len(value)} {what}"


def _departure_of_object(value: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> str:
    properties = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            return f"{path}: {name} is missing"
    for name, each in value.items():
        if name in properties:
            if found := departure(each, properties[name], f"{path}.{name}"):
                return found
        elif schema.get("additionalProperties") is False:
            return f"{path}: {name[:40]} is unknown"
    return ""
