"""Judge: pure gates over each request and its response; their scores are columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from manifests.synthesis import gates as gate_rules
from pipelines.engine import Job
from pipelines.parts import Counts, Part, write_part
from pipelines.schema import table_of
from pipelines.synth.audit import Marks
from pipelines.synth.read import TOKENS, Read, read_answers
from pipelines.synth.tables import JUDGED
from pipelines.synth.uses import Use, uses_from
from synth import gates


def judge_part(job: Job) -> Part:
    """What became of each request of a plan: its text where it passes the gates, else why it does not."""
    uses = uses_from(job.spec["uses"])
    read = list(read_answers(job, uses))
    for use in uses:
        _measure([each for each in read if each.row["use"] == use.index and each.text], use)
    spent = _mark(read, Marks(job.spec["audit"]), job.spec["audit"])
    for each in read:
        if each.problems:
            each.row["failed"] = [{"reason": reason, "value": value} for reason, value in each.problems]
        elif not each.row.get("broken"):
            each.row["text"] = each.text
    table = table_of([each.row for each in read], JUDGED)
    return write_part(job.directory, job.name, job.key, table, Counts(rows=len(read), extra=spent), {})


def _measure(read: Sequence[Read], use: Use) -> None:
    """Measures the answers of a use together, and says of each which gates it fails."""
    sources, texts = [each.source for each in read], [each.text for each in read]
    scores = gates.measure(pa.array(sources, pa.large_string()), pa.array(texts, pa.large_string()))
    for index, (each, failed) in enumerate(zip(read, gates.judge(scores, use.limits), strict=True)):
        each.row["scores"] = sorted((name, float(values[index])) for name, values in scores.items())
        each.problems += _with_details(each, failed)


def _with_details(each: Read, failed: Sequence[tuple[str, float]]) -> list[tuple[str, str]]:
    """What the gates measured, with an example of what they found."""
    if not failed:
        return []
    columns = {rule.name: rule.column for rule in gate_rules()}
    found: Mapping[str, str] = gates.details(each.source, each.text)
    return [(gate, f"{value:.6g} {found.get(columns[gate], '')}".strip()) for gate, value in failed]


def _mark(read: Sequence[Read], marks: Marks, spec: Mapping[str, Any] | None) -> dict[str, int]:
    """Fails answers whose mark is too low; returns what the audit cost in tokens."""
    spent: Counter[str] = Counter()
    for each in read:
        marked = marks.of(each)
        if marked is not None and spec is not None:
            spent.update({f"audit:{name}": getattr(marked.cost, name) for name in TOKENS})
            spent["audit:requests"] += 1
            if marked.mark is not None:
                each.row["scores"] = [*(each.row.get("scores") or ()), ("audit_mark", float(marked.mark))]
                if marked.mark < spec["at_least"]:
                    each.problems.append(("audit", f"{marked.mark} of 5"))
    return dict(sorted(spent.items()))
