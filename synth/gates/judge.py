"""Which answers count: the rules of `manifests/gates.yaml` over the measures, with the limits of kind and recipe."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from manifests.base import Rule
from manifests.synthesis import gates

Scores = Mapping[str, npt.NDArray[np.float32] | npt.NDArray[np.int64]]


def judge(scores: Scores, limits: Mapping[str, float | None]) -> list[list[tuple[str, float]]]:
    """For each pair the gates that it fails, in their order, each with the value that failed; none: it counts.

    `limits`: other limits by a gate's name; null: the gate does not judge. Raises ValueError for a name of no gate.
    """
    rules = gates()
    unknown = sorted(set(limits) - {rule.name for rule in rules})
    if unknown:
        raise ValueError(f"there is no gate {unknown[0]!r}; there are {', '.join(rule.name for rule in rules)}")
    failed: list[list[tuple[str, float]]] = [[] for _ in range(len(scores["words"]))]
    for rule in rules:
        limit = limits.get(rule.name, None if rule.off else rule.limit)
        if limit is None:
            continue
        values = scores[rule.column]
        for pair in np.flatnonzero(_fails(rule, limit, scores)).tolist():
            failed[pair].append((rule.name, float(values[pair])))
    return failed


def _fails(rule: Rule, limit: float, scores: Scores) -> npt.NDArray[np.bool_]:
    """The pairs whose column lies beyond the limit, where the rule judges."""
    # A share is compared as it is stored: a limit of .9 does not lie below a share of .9.
    values, bound = scores[rule.column], np.float32(limit)
    failed: npt.NDArray[np.bool_] = values > bound if rule.above is not None else values < bound
    for each in rule.when:
        held = scores[each.column]
        if each.at_least is not None:
            failed &= held >= np.float32(each.at_least)
        if each.at_most is not None:
            failed &= held <= np.float32(each.at_most)
    return failed
