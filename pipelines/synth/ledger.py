"""What answers cost, and what came of them: by kind and teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from manifests.synthesis import Teacher
from pipelines.synth.render import COUNTED
from pipelines.synth.uses import Use, money_of


def rows_of(uses: Sequence[Use], counted: Mapping[str, int]) -> list[dict[str, Any]]:
    """A row for each use: requests and tokens, money, and money for a thousand tokens of accepted texts.

    `money` is null where the teacher has no price, `per_thousand` also where nothing was accepted.
    """
    rows = []
    for use in uses:
        row: dict[str, Any] = {"kind": use.kind.name, "teacher": use.settings.teacher, "model": use.teacher.model}
        row |= {name: counted.get(f"{use.index}:{name}", 0) for name in COUNTED}
        money = None
        if use.teacher.price is not None:
            money = money_of(use.teacher, row["prompt_tokens"], row["cached_tokens"], row["completion_tokens"])
        row["money"] = money
        row["per_thousand"] = money / row["accepted_tokens"] * 1000 if money and row["accepted_tokens"] else None
        rows.append(row)
    return rows


def audit_row(name: str, teacher: Teacher, spent: Mapping[str, int]) -> dict[str, Any]:
    """The row of the audit, of which no text comes."""
    row: dict[str, Any] = {"kind": "audit", "teacher": name, "model": teacher.model}
    row |= {each: spent.get(f"audit:{each}", 0) for each in COUNTED}
    row["answered"] = row["requests"]
    money = money_of(teacher, row["prompt_tokens"], row["cached_tokens"], row["completion_tokens"])
    return {**row, "money": None if teacher.price is None else money, "per_thousand": None}
