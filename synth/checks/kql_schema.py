"""The schema that a document states: a cluster, a database, and tables with columns."""

from __future__ import annotations

import re

from synth.checks.kql_names import Schema

_PLACE = re.compile(r"^(Cluster|Database): `([^`\n]{1,200})`[ \t]*$", re.MULTILINE)
_TABLE = re.compile(r"^#{2,4} Table `([A-Za-z_][A-Za-z0-9_]{0,199})`[ \t]*$")
_ROW = re.compile(r"^\| *`?([A-Za-z_][A-Za-z0-9_]{0,199})`? *\| *`?([a-z0-9]{2,12})`? *\|")
_TYPES = frozenset(["bool", "datetime", "decimal", "dynamic", "guid", "int", "long", "real", "string", "timespan"])


def schema_of(document: str) -> Schema:
    """Tables: headings "Table `Name`", each with a table below, whose rows begin with a column and its type."""
    places = dict(_PLACE.findall(document))
    tables: dict[str, set[str]] = {}
    columns: set[str] | None = None
    for line in document.splitlines():
        if line.startswith("#"):
            heading = _TABLE.match(line)
            columns = tables.setdefault(heading[1], set()) if heading else None
        elif columns is not None and (row := _ROW.match(line)) and row[2] in _TYPES:
            columns.add(row[1])
    return Schema(
        {name: frozenset(of) for name, of in tables.items()}, places.get("Cluster", ""), places.get("Database", "")
    )
