"""`syscorpus synth --plan`: what the recipe's kinds would ask, and what it would cost, before a token is paid for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from manifests.synthesis import SynthSettings
from pipelines.engine import StageError, Work, claim
from pipelines.parts import read_table
from pipelines.synth.choose import EVERYTHING
from pipelines.synth.plan import Total, auditing, totals_of
from pipelines.synth.stage import Planned, plan, why_none
from pipelines.synth.store import Store, store_of
from pipelines.synth.uses import Use, money_of, uses_of
from synth.tokens import Counter as TokenCounter

_HEADER = (
    "kind", "teacher", "documents", "requests", "answered", "to ask", "prompt tokens", "of them shared", "to write",
    "cost", "GPU hours",
)  # fmt: skip


def answer(work: Work) -> str:
    """Makes the plan of a run, and tells it. Raises StageError where there is nothing to plan."""
    if not uses_of(work.run):
        raise StageError(f"synth: there is nothing to plan: {why_none(work.run)}")
    claim(work.run, work.stage.name)
    return render(plan(work), work.run.recipe.synth, store_of(work.run))


def render(planned: Planned, synth: SynthSettings, store: Store) -> str:
    """The plan in words: by kind and teacher what is asked, what the store has, and what is left to pay for."""
    tables = [_asked(url, planned.below) for url in planned.urls]
    missing = [table.filter(pc.is_in(table["key"], store.missing(table["key"].combine_chunks()))) for table in tables]
    whole, left = totals_of(planned.uses, tables), totals_of(planned.uses, missing)
    rows = [_row(use, whole[use.index], left[use.index]) for use in planned.uses]
    lines = [*_table([_HEADER, *rows, _sum(planned.uses, whole, left)]), *_audit(synth, tables), *_notes(planned)]
    return "\n".join(lines)


def _asked(url: str, below: int) -> pa.Table:
    table = read_table(url, list(_COLUMNS))
    return table.filter(pc.and_(pc.is_valid(table["key"]), pc.less(table["order"], below)))


_COLUMNS = ("order", "doc_id", "use", "key", "prompt_tokens", "shared_tokens", "expected_tokens", "reason")


def _row(use: Use, whole: Total, left: Total) -> tuple[str, ...]:
    about = "" if TokenCounter(use.tokenizer).exact else "~"
    hours = left.gpu_hours(use)
    return (
        use.kind.name,
        use.settings.teacher,
        *(f"{number:,}" for number in (whole.documents, whole.requests)),
        f"{whole.requests - left.requests:,}",
        f"{left.requests:,}",
        f"{about}{left.tokens:,}",
        f"{left.shared / max(left.tokens, 1):.0%}",
        f"~{left.expected:,}",
        "-" if use.teacher.price is None else f"~{left.money(use):,.2f}",
        "-" if hours is None else f"~{hours:,.1f}",
    )


def _sum(uses: Sequence[Use], whole: Sequence[Total], left: Sequence[Total]) -> tuple[str, ...]:
    tokens, shared = sum(each.tokens for each in left), sum(each.shared for each in left)
    priced = any(use.teacher.price for use in uses)
    money = sum(each.money(use) for use, each in zip(uses, left, strict=True))
    return (
        "all",
        "",
        "",
        f"{sum(each.requests for each in whole):,}",
        f"{sum(each.requests for each in whole) - sum(each.requests for each in left):,}",
        f"{sum(each.requests for each in left):,}",
        f"{tokens:,}",
        f"{shared / max(tokens, 1):.0%}",
        f"~{sum(each.expected for each in left):,}",
        f"~{money:,.2f}" if priced else "-",
        "",
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _audit(synth: SynthSettings, tables: Sequence[pa.Table]) -> list[str]:
    """What the audit asks beside it, of all that is planned."""
    if synth.audit is None:
        return []
    teacher = synth.teachers[synth.audit.teacher]
    marks = [auditing(synth.audit.share, table) for table in tables]
    requests, prompt, written = (
        sum(int(getattr(each, name).sum()) for each in marks) for name in ("requests", "tokens", "written")
    )
    cost = "" if teacher.price is None else f", ~{money_of(teacher, prompt, 0, written):,.2f}"
    return [f"the audit by {synth.audit.teacher}: ~{requests:,} requests, ~{prompt:,} prompt tokens{cost}"]


def _notes(planned: Planned) -> list[str]:
    """What is not asked, and what the figures rest on."""
    over, reasons = 0, Counter[str]()
    for url in planned.urls:
        table = read_table(url, ["order", "key", "reason"])
        over += pc.sum(pc.and_(pc.is_valid(table["key"]), pc.greater_equal(table["order"], planned.below))).as_py() or 0
        reasons.update(each for each in table["reason"].to_pylist() if each)
    lines = [f"not asked: {number:,} {reason}" for reason, number in sorted(reasons.items())]
    if planned.below < EVERYTHING:
        lines.append(f"not asked: {over:,} beyond synth.caps; a larger cap goes on where this one ends")
    estimated = {use.settings.teacher for use in planned.uses if not TokenCounter(use.tokenizer).exact}
    if estimated:
        lines.append(
            f"prompt tokens of {', '.join(sorted(estimated))} are estimated: give its tokenizer "
            "(synth.teachers.*.tokenizer) to have them counted"
        )
    lines.append("nothing was asked yet; the requests are in synth/_plan")
    return lines
