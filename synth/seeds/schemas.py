"""Seeds of queries: a database of telemetry, its tables with columns and types, and what queries shall be about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from synth.seeds import Seed, draw, seed_of

_TABLES = Path(__file__).parents[2] / "manifests" / "seeds" / "schemas.yaml"


@lru_cache(maxsize=1)
def _pool() -> dict[str, Any]:
    pool: dict[str, Any] = yaml.safe_load(_TABLES.read_text(encoding="utf-8"))
    return pool


def make(number: int, seed: int) -> Iterator[Seed]:
    """Databases with two to four tables each. Their texts may repeat after some ten million."""
    pool = _pool()
    for at in range(number):
        cluster = _one(pool["clusters"], seed, at, "cluster")
        database = _one(pool["databases"], seed, at, "database")
        names = _some(list(pool["tables"]), 2 + draw(seed, at, "tables") % 3, seed, at, "table")
        themes = _some(pool["themes"], 3, seed, at, "theme")
        tables = "\n\n".join(_table(name, pool["tables"][name], seed, at) for name in names)
        asked = "\n".join(f"- {theme}" for theme in themes)
        text = (
            f"# Telemetry in cluster {cluster}, database {database}\n\nCluster: `{cluster}`\nDatabase: `{database}`\n\n"
            f"{tables}\n\n## What is asked about\n\n{asked}\n"
        )
        yield seed_of(f"Telemetry of {', '.join(names)} in {cluster}/{database}", text)


def _table(name: str, table: Mapping[str, Any], seed: int, at: int) -> str:
    """A table with most of its columns: the first two always, one or two of the others not."""
    about, columns = table["about"], table["columns"]
    names = list(columns)
    left_out = _some(names[2:], draw(seed, at, name) % 3, seed, at, name, "out")
    rows = "\n".join(f"| {each} | {columns[each][0]} | {columns[each][1]} |" for each in names if each not in left_out)
    return f"## Table `{name}`\n\n{about}\n\n| column | type | meaning |\n|---|---|---|\n{rows}"


def _one(of: Sequence[str], *what: int | str) -> str:
    return of[draw(*what) % len(of)]


def _some(of: Sequence[str], number: int, *what: int | str) -> list[str]:
    """So many of them, in an order that follows from what is drawn for."""
    return sorted(of, key=lambda each: draw(*what, each))[:number]
