"""What becomes of documents: by the product's own classify and filter, and by datatrove's filters."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from benchmarks.filter.documents import batches
from filters.datatrove_rules import NAMES, failed_rules
from filters.verdict import judge
from manifests.models import ClassifySettings, FilterSettings
from pipelines.classify import score
from pipelines.filter import edit

SEED = 20
OFF_TOPIC = "off_topic"
_CLASSIFY, _FILTER = ClassifySettings(), FilterSettings()


@dataclass(frozen=True)
class Loss:
    """A document that a rule drops."""

    url: str
    group: str
    reason: str
    value: str


def ours(table: pa.Table) -> list[list[tuple[str, str]]]:
    """Of each document the rules that it fails, with their values, by the default recipe."""
    return [failed for batch in batches(table) for failed in judge(score(batch, _CLASSIFY), _FILTER)]


def losses(table: pa.Table, group: str) -> list[Loss]:
    """The documents that leave, each with its first reason, relevance last of all.

    `group` is the column that they are counted by.
    """
    found = []
    for url, name, failed in zip(table["url"].to_pylist(), table[group].to_pylist(), ours(table), strict=True):
        if failed:
            rule, value = min(failed, key=lambda each: each[0] == OFF_TOPIC)
            found.append(Loss(url, name, rule, value))
    return found


def whole(batch: pa.Table) -> pa.Table:
    """All that `classify` and `filter` do to a batch: scores, verdicts and edits; the documents that stay."""
    scored = score(batch, _CLASSIFY)
    kept = pa.array([not failed for failed in judge(scored, _FILTER)], pa.bool_())
    return edit(scored.filter(kept), _FILTER)


def sample(table: pa.Table, number: int) -> pa.Table:
    """As many documents, drawn once for all; all of them where there are no more."""
    chosen = random.Random(SEED).sample(range(table.num_rows), min(number, table.num_rows))
    return table.take(sorted(chosen))


def datatrove_keeps(texts: Sequence[str]) -> list[bool]:
    """Whether Gopher's, C4's and FineWeb's filters, as datatrove ships them, would all keep each text."""
    return [not failed_rules(text, NAMES) for text in texts]


def datatrove_stops(texts: Sequence[str]) -> list[bool]:
    """The same, where the first filter that drops a text spares the others the work: so a chain of them runs."""
    return [not any(failed_rules(text, [name]) for name in NAMES) for text in texts]
