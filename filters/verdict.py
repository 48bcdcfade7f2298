"""Which documents stay: rules over the columns that `classify` computed. Nothing is read again.

The rules are data: those of `manifests/quality.yaml`, with the limits that a recipe changes and the rules it adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.leaks import Leak
from filters.leaks import verdict as counting
from manifests.base import Bound, Rule
from manifests.load import load_rules
from manifests.models import FilterSettings

Failed = list[tuple[str, str]]
Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_ALWAYS = ("category", "language", "language_score", "leaks", "datatrove_failed")


def rules_of(settings: FilterSettings) -> list[Rule]:
    """The rules that judge, in their order, with every limit that the settings change."""
    changed = [_changed(rule, settings) for rule in (*load_rules(), *settings.rules)]
    return [rule for rule in changed if rule is not None]


def _changed(rule: Rule, settings: FilterSettings) -> Rule | None:
    """A rule as the settings have it, None if it judges nothing."""
    special = {name: limits[rule.name] for name, limits in settings.limits_by_category.items() if rule.name in limits}
    limit = settings.limits.get(rule.name, None if rule.off else rule.limit)
    if limit is None:
        on = {"off": False, "only": list(special), "categories": special}
        return rule.model_copy(update=on) if special else None
    if rule.name in settings.limits:
        rule = rule.with_limit(limit)
    return rule.model_copy(update={"categories": {**rule.categories, **special}}) if special else rule


def decides(settings: FilterSettings) -> dict[str, Any]:
    """All that decides which documents stay, fit for JSON: the settings, and the rules that they leave in force."""
    return {**settings.model_dump(), "rules_in_force": [rule.model_dump() for rule in rules_of(settings)]}


def columns_of(settings: FilterSettings) -> list[str]:
    """The columns that `judge` needs, each once."""
    rules = rules_of(settings)
    named = [name for rule in rules for name in (rule.column, *(bound.column for bound in rule.when))]
    return list(dict.fromkeys((*_ALWAYS, *named)))


def judge(table: pa.Table, settings: FilterSettings) -> list[Failed]:
    """For each row of a table with `columns_of(settings)`, the rules that it fails and by what; none: it stays."""
    verdicts: list[Failed] = [[] for _ in range(table.num_rows)]
    if settings.leaks.action == "drop":
        _judge_leaks(table, settings, verdicts)
    categories = table["category"].to_numpy(zero_copy_only=False)
    for rule in rules_of(settings):
        value, limit = _numbers(table, rule.column), _limits(rule, categories)
        failed = value > limit if rule.above is not None else value < limit
        for bound in rule.when:
            failed &= _within(table, bound)
        sign = ">" if rule.above is not None else "<"
        for row in np.flatnonzero(failed).tolist():
            verdicts[row].append((rule.name, f"{value[row]:.6g} {sign} {limit[row]:.6g}"))
    _judge_language(table, settings, verdicts)
    if settings.datatrove:
        _judge_datatrove(table, settings, verdicts)
    return verdicts


def measured(table: pa.Table, settings: FilterSettings) -> list[tuple[str, float, bool, float]]:
    """Of the one row of a table: each rule that judges it, the value, whether the limit is the most, and the limit."""
    found = []
    categories = table["category"].to_numpy(zero_copy_only=False)
    for rule in rules_of(settings):
        value, limit = _numbers(table, rule.column)[0], _limits(rule, categories)[0]
        if not np.isnan(limit) and all(_within(table, bound)[0] for bound in rule.when):
            found.append((rule.name, float(value), rule.above is not None, float(limit)))
    return found


def _numbers(table: pa.Table, column: str) -> Values:
    values: Values = table[column].to_numpy(zero_copy_only=False).astype(np.float64)
    return values


def _limits(rule: Rule, categories: npt.NDArray[np.object_]) -> Values:
    """The limit of a rule for each row; NaN, which nothing lies beyond, where it does not judge."""
    limits = np.full(len(categories), rule.limit if not rule.only else np.nan)
    if rule.only:
        limits[np.isin(categories, rule.only)] = rule.limit
    for name, limit in rule.categories.items():
        limits[categories == name] = np.nan if limit is None else limit
    return limits


def _within(table: pa.Table, bound: Bound) -> Mask:
    value = _numbers(table, bound.column)
    low = -np.inf if bound.at_least is None else bound.at_least
    high = np.inf if bound.at_most is None else bound.at_most
    return (value >= low) & (value <= high)


def leaks_of(row: Sequence[dict[str, Any]] | None, settings: FilterSettings) -> list[Leak]:
    """The leaks of a document's column `leaks` that count, the strongest first."""
    return counting([Leak(**leak) for leak in row or ()], settings.leaks)


def _judge_leaks(table: pa.Table, settings: FilterSettings, verdicts: Sequence[Failed]) -> None:
    for verdict, row in zip(verdicts, table["leaks"].to_pylist(), strict=True):
        for leak in leaks_of(row, settings)[:1]:
            place = f"bytes {leak.start} to {leak.end}"
            verdict.append(("leak", f"{leak.set} {leak.item}: {leak.kind} {leak.score:.2f}, {place}"))


def _judge_language(table: pa.Table, settings: FilterSettings, verdicts: Sequence[Failed]) -> None:
    if not settings.languages:
        return
    languages = table["language"].to_pylist()
    score = _numbers(table, "language_score")
    sure = score >= settings.min_language_score
    other = np.array([language not in settings.languages for language in languages], np.bool_)
    for row in np.flatnonzero(sure & other).tolist():
        verdicts[row].append(("language", f"{languages[row]} ({score[row]:.2f})"))


def _judge_datatrove(table: pa.Table, settings: FilterSettings, verdicts: Sequence[Failed]) -> None:
    for verdict, failed_there in zip(verdicts, table["datatrove_failed"].to_pylist(), strict=True):
        named = (each.split(":", 1) for each in failed_there)
        verdict += [(f"datatrove_{name}", reason) for name, reason in named if name in settings.datatrove]
