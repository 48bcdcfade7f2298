"""What an export says of its mixture: `mixture.json`, and for Megatron weights and prefixes of each stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pipelines import storage
from pipelines.engine import Commit
from pipelines.mixture import Draw, ListSize, Plan, StagePlan
from pipelines.parts import read_table

#: What a weight in Megatron's list is: a share of the samples (Megatron divides by the sum), or how many times the
#: prefix is read (`--scale-shuffle` of microsoft/ltp-megatron-lm).
Weights = Literal["tokens", "epochs"]
#: What a document of a prefix is: a packed sequence with its padding, or a document of the corpus.
Unit = Literal["sequence", "document"]

TRAIN = "shards/train/"
# Megatron counts its prefixes in 16 bits.
_MOST_PREFIXES = 32_766


class MixtureError(Exception):
    """A mixture that cannot be applied, in one line."""


@dataclass(frozen=True)
class PackedList:
    """A list as it is packed: its size, and its shards (relative path, sequences) in the order of reading."""

    size: ListSize
    shards: tuple[tuple[str, int], ...]


def packed_lists(commit: Commit, directory: str) -> dict[str, PackedList]:
    """The training lists of a commit of `tokenize` in a directory, by name. Of the shards only the padding is read."""
    length = commit.extra.get("sequence_length")
    if length is None:
        raise MixtureError(f"{directory}: is of an earlier version; run tokenize again")
    lengths: dict[str, list[Any]] = {}
    shards: dict[str, list[tuple[str, int]]] = {}
    for part in sorted(commit.parts, key=lambda part: part.name):
        if part.name.startswith(TRAIN):
            file = f"{part.name}.parquet"
            padding = read_table(storage.join(directory, file), ["padding"])["padding"].to_numpy()
            name = part.name.removeprefix(TRAIN).partition("/")[0]
            lengths.setdefault(name, []).append(length - padding.astype(np.int64))
            shards.setdefault(name, []).append((file, len(padding)))
    return {name: PackedList(_size(arrays), tuple(shards[name])) for name, arrays in lengths.items()}


def _size(lengths: Sequence[Any]) -> ListSize:
    ends = np.cumsum(np.concatenate([np.zeros(1, np.int64), *lengths]))
    return ListSize(int(ends[-1]), len(ends) - 1, ends)


# ---------------------------------------------------------------- mixture.json


def written(plan: Plan, lists: Mapping[str, PackedList], sequence_length: int) -> dict[str, Any]:
    """The content of `mixture.json`: the mixture, and what each stage reads.

    A list is read `epochs` times: whole times, then `drawn` rows of each shard, from its first on, in their order.
    """
    return {
        "mixture": plan.mixture.model_dump(),
        "sequence_length": sequence_length,
        "stages": [_stage(stage, plan, lists, sequence_length) for stage in plan.stages],
        "left_out": list(plan.left_out),
    }


def _stage(stage: StagePlan, plan: Plan, lists: Mapping[str, PackedList], sequence_length: int) -> dict[str, Any]:
    prefixes = _prefixes(plan)
    return {
        "name": stage.name,
        "asked": stage.asked,
        "tokens": stage.tokens,
        "effective_tokens": round(stage.effective),
        "lists": {
            draw.name: {**_amounts(draw), "shards": _shards(draw, lists[draw.name])}
            for draw in stage.draws
            if draw.name in lists
        },
        "elsewhere": {
            draw.name: {**_amounts(draw), "prefix": prefixes[draw.name]}
            for draw in stage.draws
            if draw.name in prefixes
        },
        "too_small": [draw.name for draw in stage.draws if is_too_small(draw, sequence_length)],
        "notes": list(stage.notes),
    }


def _prefixes(plan: Plan) -> dict[str, str]:
    return {each.name: each.prefix for each in plan.mixture.elsewhere}


def _amounts(draw: Draw) -> dict[str, Any]:
    return {"epochs": draw.epochs, "sequences": draw.sequences, "tokens": draw.tokens}


def _shards(draw: Draw, packed: PackedList) -> list[dict[str, Any]]:
    left = draw.sequences % packed.size.sequences
    shards = []
    for file, rows in packed.shards:
        drawn = min(rows, left)
        shards.append({"file": file, "rows": rows, "drawn": drawn})
        left -= drawn
    return shards


# ---------------------------------------------------------------- Megatron's list of weights and prefixes


def is_too_small(draw: Draw, sequence_length: int) -> bool:
    """Whether Megatron makes no sample of it, and stops: a sample is a sequence and the token behind it."""
    return draw.sequences < 2 or draw.tokens <= sequence_length


def data_args(
    stage: StagePlan,
    plan: Plan,
    sequence_length: int,
    prefix_of: Callable[[str], str],
    weights: Weights,
    unit: Unit,
) -> str:
    """What `--data-args-path` reads for a stage: a weight and a prefix in each line. Raises MixtureError.

    `prefix_of` gives the prefix of a list of the run. Lists that are too small are left out.
    """
    elsewhere = _prefixes(plan)
    draws = [draw for draw in stage.draws if not is_too_small(draw, sequence_length)]
    if len(draws) > _MOST_PREFIXES:
        raise MixtureError(f"stage {stage.name}: {len(draws):,} prefixes; Megatron takes {_MOST_PREFIXES:,} at most")
    lines = []
    for draw in draws:
        prefix = elsewhere.get(draw.name) or prefix_of(draw.name)
        if not prefix or prefix.split() != [prefix]:
            raise MixtureError(f"{prefix!r}: Megatron splits its list at white space; choose a path without any")
        weight = _times(draw) if weights == "epochs" else _share(draw, sequence_length, unit)
        lines.append(f"{weight} {prefix}\n")
    return "".join(lines)


def _share(draw: Draw, sequence_length: int, unit: Unit) -> str:
    """Tokens as Megatron counts them: the padding of a packed sequence is as good as any to it."""
    return str(draw.sequences * sequence_length if unit == "sequence" else draw.tokens)


def _times(draw: Draw) -> str:
    """How many times a prefix is read, of which Megatron takes int(documents * fraction) for the last, partial time.

    Half a document more, so that no rounding of the fraction loses one.
    """
    whole, rest = divmod(draw.sequences, draw.size.sequences)
    return f"{whole + (rest + 0.5) / draw.size.sequences:.15g}" if rest else str(whole)
