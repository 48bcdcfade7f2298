"""`syscorpus mix --plan`: what a mixture reads of the lists of a run, and what other budgets would buy.

It reads what `tokenize` committed, and makes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from manifests.load import load_mixture, load_recipe, mixture_of
from manifests.mixture import Mixture
from pipelines import storage
from pipelines.engine import StageError, read_commit
from pipelines.mixture import ListSize, Plan, StagePlan, asked, plan, scaled
from pipelines.mixture_files import packed_lists

_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
_LIST = ("list", "tokens there", "epochs", "tokens read", "worth", "share")
_BUDGET = ("budget", "tokens asked", "tokens had", "worth", "epochs", "last token worth least")


def answer(recipe_path: str, url: str, mixture_path: str | None, budget: int | None) -> str:
    """The plan for a run in words: of the recipe's mixture, or another; with a budget, for a training of that length.

    Raises ManifestError, MixtureError and StageError.
    """
    loaded = load_recipe(recipe_path)
    mixture = load_mixture(Path(mixture_path)) if mixture_path else mixture_of(loaded.recipe, loaded.path.parent)
    directory = storage.join(url, "tokenize")
    commit = read_commit(directory)
    if commit is None:
        raise StageError(f"mix: tokenize is not committed in {url}; run tokenize first")
    lists = {name: packed.size for name, packed in packed_lists(commit, directory).items()}
    return render(mixture, lists, commit.extra["sequence_length"], budget)


def render(mixture: Mixture, lists: Mapping[str, ListSize], sequence_length: int, budget: int | None) -> str:
    """The plan as plain text: a table for each stage, the lists that none reads, and what other budgets buy."""
    whole = asked(mixture, lists, sequence_length)
    if budget is not None and whole:
        mixture = scaled(mixture, budget / whole)
    planned = plan(mixture, lists, sequence_length)
    lines = [line for stage in planned.stages for line in (*_stage(stage), "")]
    if planned.left_out:
        there = sum(lists[name].tokens for name in planned.left_out)
        lines += [f"no stage reads {len(planned.left_out)} lists of {there:,} tokens:"]
        lines += [f"  {name} ({lists[name].tokens:,})" for name in planned.left_out] + [""]
    plans = [(factor, plan(scaled(mixture, factor), lists, sequence_length)) for factor in _FACTORS]
    return "\n".join([*lines, "what a budget buys", *_aligned([_BUDGET, *(_bought(*each) for each in plans)])])


def _stage(stage: StagePlan) -> Iterator[str]:
    yield f"{stage.name}: {stage.asked:,} tokens asked, {stage.tokens:,} read, worth {stage.effective:,.0f} new ones"
    rows = [
        (
            draw.name,
            f"{draw.size.tokens:,}",
            f"{draw.epochs:.3f}",
            f"{draw.tokens:,}",
            f"{draw.effective:,.0f}",
            f"{draw.tokens / stage.tokens:.2%}",
        )
        for draw in stage.draws
    ]
    if rows:
        yield from _aligned([_LIST, *rows])
    for note in stage.notes:
        yield f"  ! {note}"


def _bought(factor: float, planned: Plan) -> tuple[str, ...]:
    least = planned.least()
    return (
        f"x {factor:g}",
        f"{planned.asked:,}",
        f"{planned.tokens:,}",
        f"{planned.effective:,.0f}",
        f"{planned.epochs:.3f}",
        f"{least[0]} ({least[1]:.2f})" if least else "-",
    )


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of a table: the first column and the last of words to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    words = {index for index, cell in enumerate(rows[0]) if cell in (_LIST[0], _BUDGET[0], _BUDGET[-1])}
    for row in rows:
        cells = [
            cell.ljust(width) if index in words else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield ("  " + "  ".join(cells)).rstrip()
