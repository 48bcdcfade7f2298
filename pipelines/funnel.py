"""The funnel: what came in, what went on, and what was lost at each stage of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.engine import Commit

HEADER = ("stage", "unit", "in", "out", "dropped", "quarantined", "tokens in", "tokens out", "tokens dropped")


@dataclass(frozen=True)
class Step:
    """One stage in the funnel. Tokens are None before documents exist, or before any were tokenized."""

    stage: str
    unit: str
    seen: int
    rows: int
    dropped: Mapping[str, int]
    quarantined: Mapping[str, int]
    tokens_in: int | None
    tokens_out: int | None
    tokens_dropped: int | None
    seconds: float
    note: str

    @property
    def numbers(self) -> tuple[int | None, ...]:
        """In, out, dropped and quarantined; tokens in, out and dropped."""
        lost = (sum(self.dropped.values()), sum(self.quarantined.values()))
        return (self.seen, self.rows, *lost, self.tokens_in, self.tokens_out, self.tokens_dropped)


def funnel(commits: Sequence[Commit]) -> list[Step]:
    """The steps of a run's commits, in their order.

    Tokens are counted by `tokenize`, for the documents in the shards and for those that were dropped
    on the way; what a stage took in is what it let go on plus what it dropped.
    """
    tokens = _tokens({commit.stage: commit for commit in commits})
    return [
        Step(
            commit.stage,
            commit.unit,
            commit.counts.seen,
            commit.counts.rows,
            commit.counts.dropped,
            commit.counts.quarantined,
            *tokens.get(commit.stage, (None, None, None)),
            commit.seconds,
            commit.extra.get("note", ""),
        )
        for commit in commits
    ]


def _tokens(commits: Mapping[str, Commit]) -> dict[str, tuple[int | None, int | None, int | None]]:
    """(in, out, dropped) by stage, from the shards backwards."""
    if "tokenize" not in commits:
        return {}
    said = commits["tokenize"].extra
    total = commits["tokenize"].counts.extra["tokens"]
    lists = [*said["lists"].items(), *said["validation"].items()]
    synthetic = sum(number for name, number in lists if name.endswith(".synthetic"))
    tokens: dict[str, tuple[int | None, int | None, int | None]] = {"tokenize": (total, total, 0)}
    if "synth" in commits:
        tokens["synth"] = (None, synthetic, None)
    going_on = total - synthetic
    for stage in ("filter", "dedup", "classify", "extract"):
        if stage in commits:
            lost = sum(number for name, number in said["tokens_dropped"].items() if name.startswith(f"{stage}:"))
            taken_in = None if stage == "extract" else going_on + lost
            tokens[stage] = (taken_in, going_on, None if stage == "extract" else lost)
            going_on += lost
    return tokens


def render(steps: Sequence[Step]) -> str:
    """The funnel as a table of text, with the reasons under each stage."""
    rows = [HEADER, *(_cells(step) for step in steps)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = []
    for row, step in zip(rows, [None, *steps], strict=True):
        cells = [
            cell.ljust(width) if n < 2 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
        if step:
            lines += [f"{'':>{widths[0]}}  {text}" for text in _reasons(step)]
    return "\n".join(lines)


def _cells(step: Step) -> tuple[str, ...]:
    return (step.stage, step.unit, *("-" if number is None else f"{number:,}" for number in step.numbers))


def _reasons(step: Step) -> list[str]:
    lines = []
    for label, reasons in (("dropped", step.dropped), ("quarantined", step.quarantined)):
        if reasons:
            ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
            lines.append(f"{label}: " + ", ".join(f"{reason} {number:,}" for reason, number in ordered))
    return [*lines, step.note] if step.note else lines
