"""Rows that leave: drops and quarantine, and the isolation of a row that breaks a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pyarrow as pa

from pipelines.parts import Counts
from pipelines.schema import DROPPED, QUARANTINED, table_of

T = TypeVar("T")


def drop_row(
    row: Mapping[str, Any], stage: str, failed: Sequence[tuple[str, Any]], where: tuple[str, int]
) -> dict[str, Any]:
    """A drop of a document (or of a record: what it lacks is null). Its text is not in it, and never may be."""
    columns = ("doc_id", "revision", "url", "source", "category")
    return {
        **{name: row.get(name) for name in columns},
        "stage": stage,
        "reason": failed[0][0],
        "failed": [{"reason": reason, "value": str(value)} for reason, value in failed],
        "input": where[0],
        "row": where[1],
    }


def quarantine_row(
    row: Mapping[str, Any], stage: str, reason: str, detail: str, where: tuple[str, int]
) -> dict[str, Any]:
    """A record that broke a stage. The detail is shortened: an error may quote what it choked on."""
    columns = ("doc_id", "url", "source")
    return {
        **{name: row.get(name) for name in columns},
        "stage": stage,
        "reason": reason,
        "detail": detail[:300],
        "input": where[0],
        "row": where[1],
    }


def count_fates(
    consumed: int, rows: int, dropped: Sequence[Mapping[str, Any]], quarantined: Sequence[Mapping[str, Any]]
) -> Counts:
    """Counts of a part from the rows that left it."""
    return Counts(
        seen=consumed + len(dropped) + len(quarantined),
        consumed=consumed,
        rows=rows,
        dropped=dict(sorted(Counter(row["reason"] for row in dropped).items())),
        quarantined=dict(sorted(Counter(row["reason"] for row in quarantined).items())),
    )


def side_tables(dropped: Sequence[Mapping[str, Any]], quarantined: Sequence[Mapping[str, Any]]) -> dict[str, pa.Table]:
    """The tables that stand beside a part, by folder."""
    return {
        "dropped": table_of([dict(row) for row in dropped], DROPPED),
        "quarantine": table_of([dict(row) for row in quarantined], QUARANTINED),
    }


def isolate(
    function: Callable[[pa.Table], T], table: pa.Table, stage: str, name: str
) -> tuple[list[T], pa.Table, list[dict[str, Any]]]:
    """Law 4 for whole tables: runs a batch, and row by row where the batch breaks.

    Returns the results (one for the batch, or one for each sound row), the rows they stand for,
    and a quarantine row for each that broke.
    """
    try:
        return [function(table)], table, []
    except Exception:  # noqa: BLE001 - whatever one row provokes must cost that row only
        pass
    results, sound, broken = [], [], []
    for index in range(table.num_rows):
        row = table.slice(index, 1)
        try:
            results.append(function(row))
            sound.append(row)
        except Exception as error:  # noqa: BLE001
            broken.append(quarantine_row(row.to_pylist()[0], stage, type(error).__name__, str(error), (name, index)))
    kept = pa.concat_tables(sound) if sound else table.slice(0, 0)
    return results, kept, broken
