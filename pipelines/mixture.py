"""The plan of a mixture: how much of which list each stage reads, in whole packed sequences, and what it is worth.

A stage reads a list some whole times and then its first sequences again, in the order in which they are packed.
Everything here is arithmetic on counts: no shard is opened, and none changes with the mixture.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from manifests.mixture import WILDCARDS, Entry, Mixture, MixtureStage

Ints = npt.NDArray[np.int64]

_SHOWN = 5
# Of a stage's tokens; what whole sequences change beyond it is said.
_ROUNDED = 0.001


@dataclass(frozen=True)
class ListSize:
    """What there is of a list. `ends`: tokens of its first n sequences, from 0 to all; None: all hold as many."""

    tokens: int
    sequences: int
    ends: Ints | None = None

    def first(self, sequences: int) -> int:
        """Tokens of so many sequences from the first on, beginning anew behind the last."""
        whole, rest = divmod(sequences, self.sequences)
        within = int(self.ends[rest]) if self.ends is not None else self.tokens * rest // self.sequences
        return whole * self.tokens + within

    def nearest(self, tokens: float) -> int:
        """How many sequences from the first on come nearest to so many tokens; the fewer of two that are as near."""
        whole, rest = divmod(tokens, self.tokens)
        if self.ends is None:
            return int(whole) * self.sequences + math.ceil(rest * self.sequences / self.tokens - 0.5)
        within = int(np.searchsorted(self.ends, rest, side="right")) - 1
        if within < self.sequences and rest - self.ends[within] > self.ends[within + 1] - rest:
            within += 1
        return int(whole) * self.sequences + within


@dataclass(frozen=True)
class Draw:
    """What a stage reads of a list of a size. `effective`: the tokens, a repeated one counting less than a new one."""

    name: str
    size: ListSize
    sequences: int
    effective: float

    @property
    def tokens(self) -> int:
        """Tokens that are read, each as often as it is."""
        return self.size.first(self.sequences)

    @property
    def epochs(self) -> float:
        """How many times the list is read."""
        return self.sequences / self.size.sequences


@dataclass(frozen=True)
class StagePlan:
    """A stage: the tokens that it was to read, what it reads of each list, by name, and why the two differ."""

    name: str
    asked: int
    draws: tuple[Draw, ...]
    notes: tuple[str, ...]

    @property
    def tokens(self) -> int:
        """Tokens that are read."""
        return sum(draw.tokens for draw in self.draws)

    @property
    def effective(self) -> float:
        """What they are worth, in tokens that nobody has read before."""
        return sum(draw.effective for draw in self.draws)


@dataclass(frozen=True)
class Plan:
    """The stages in their order. `left_out`: lists of the run that none of them reads, sorted."""

    mixture: Mixture
    stages: tuple[StagePlan, ...]
    left_out: tuple[str, ...]

    @property
    def asked(self) -> int:
        """Tokens that all stages were to read."""
        return sum(stage.asked for stage in self.stages)

    @property
    def tokens(self) -> int:
        """Tokens that all stages read."""
        return sum(stage.tokens for stage in self.stages)

    @property
    def effective(self) -> float:
        """What they are worth, in tokens that nobody has read before."""
        return sum(stage.effective for stage in self.stages)

    @property
    def epochs(self) -> float:
        """How often a token of the lists that are read is read, in the mean."""
        there = sum({draw.name: draw.size.tokens for stage in self.stages for draw in stage.draws}.values())
        return self.tokens / there if there else 0.0

    def least(self) -> tuple[str, float] | None:
        """The list whose last token is worth least, and what share of a new one that is; None: nothing is read."""
        reads: Counter[str] = Counter()
        for stage in self.stages:
            for draw in stage.draws:
                reads[draw.name] += _reads(draw.sequences, 0, draw.size.sequences)
        worth = {name: _kept(self.mixture, name) ** (often - 1) for name, often in sorted(reads.items())}
        return min(worth.items(), key=lambda item: item[1], default=None)


# ---------------------------------------------------------------- the plan


def plan(mixture: Mixture, lists: Mapping[str, ListSize], sequence_length: int) -> Plan:
    """What each stage reads of the lists of a run (by name), and of those from elsewhere."""
    sizes = _sizes(mixture, lists, sequence_length)
    read: dict[str, list[int]] = {name: [] for name in sizes}  # sequences, by the stages so far
    stages = []
    for stage in mixture.stages:
        planned = _stage(stage, mixture, sizes, read)
        for draw in planned.draws:
            read[draw.name].append(draw.sequences)
        stages.append(planned)
    return Plan(mixture, tuple(stages), tuple(sorted(name for name in lists if not read.get(name))))


def asked(mixture: Mixture, lists: Mapping[str, ListSize], sequence_length: int) -> int:
    """Tokens that a mixture asks for, whether or not they can be had."""
    sizes = _sizes(mixture, lists, sequence_length)
    return sum(_asked(stage, sizes, _matches(stage, sizes)) for stage in mixture.stages)


def scaled(mixture: Mixture, factor: float) -> Mixture:
    """The same mixture for a training so many times as long: budgets, tokens and epochs grow, their caps do not."""

    def tokens(value: int | None) -> int | None:
        return None if value is None else max(1, round(value * factor))

    def entry(each: Entry) -> Entry:
        epochs = None if each.epochs is None else each.epochs * factor
        return each.model_copy(update={"tokens": tokens(each.tokens), "epochs": epochs})

    stages = [
        stage.model_copy(update={"budget": tokens(stage.budget), "lists": [entry(each) for each in stage.lists]})
        for stage in mixture.stages
    ]
    return mixture.model_copy(update={"stages": stages})


def water_fill(weights: Sequence[float], limits: Sequence[float], total: float) -> list[float]:
    """Shares `total` in proportion to weights; what a limit holds back goes to the others in proportion."""
    order = sorted(range(len(weights)), key=lambda index: limits[index] / weights[index])
    behind = list(accumulate(weights[index] for index in reversed(order)))[::-1]
    given, left = [0.0] * len(weights), total
    for index, weight in zip(order, behind, strict=True):
        given[index] = min(limits[index], left * (weights[index] / weight))
        left = max(0.0, left - given[index])
    return given


# ---------------------------------------------------------------- which lists


def _sizes(mixture: Mixture, lists: Mapping[str, ListSize], sequence_length: int) -> dict[str, ListSize]:
    """The lists that hold anything, by name; of those from elsewhere, as many whole sequences as their tokens fill."""
    sizes = {name: size for name, size in sorted(lists.items()) if size.sequences}
    for each in mixture.elsewhere:
        sizes[each.name] = ListSize(each.tokens, max(1, each.tokens // sequence_length))
    return sizes


def _matches(stage: MixtureStage, sizes: Mapping[str, ListSize]) -> list[list[str]]:
    """The lists of each entry: a list goes to the first that names it; one from elsewhere only to its own name."""
    taken: set[str] = set()
    found = []
    for entry in stage.lists:
        named = [name for name in sizes if _is_named(entry.lists, name) and name not in taken]
        taken.update(named)
        found.append(named)
    return found


def _is_named(pattern: str, name: str) -> bool:
    if not set(pattern) & set(WILDCARDS):
        return pattern == name
    return "." in name and fnmatchcase(name, pattern)


def _tier(mixture: Mixture, name: str) -> str:
    for each in mixture.elsewhere:
        if each.name == name:
            return each.tier
    return name.split(".")[-2]


def _room(mixture: Mixture, name: str, size: ListSize, read: Iterable[int]) -> int:
    """Sequences of a list that may still be read."""
    cap = float(getattr(mixture.max_epochs, _tier(mixture, name)))
    return max(0, math.floor(cap * size.sequences) - sum(read))


# ---------------------------------------------------------------- one stage


@dataclass(frozen=True)
class _Wish:
    """An entry with its lists: tokens asked for (None: by weight), and the most that each list may give."""

    entry: Entry
    names: Sequence[str]
    asked: float | None
    limits: Sequence[float]

    @property
    def most(self) -> float:
        there = sum(self.limits)
        return there if self.asked is None else min(self.asked, there)


def _stage(
    stage: MixtureStage, mixture: Mixture, sizes: Mapping[str, ListSize], read: Mapping[str, Sequence[int]]
) -> StagePlan:
    matches = _matches(stage, sizes)
    rooms = {name: _room(mixture, name, sizes[name], read[name]) for names in matches for name in names}
    wishes = [_wish(entry, names, sizes, rooms) for entry, names in zip(stage.lists, matches, strict=True) if names]
    given = _shared(stage, wishes)
    draws = []
    for wish, amount in zip(wishes, given, strict=True):
        tokens = [float(sizes[name].tokens) for name in wish.names]
        for name, target in zip(wish.names, water_fill(tokens, wish.limits, amount), strict=True):
            sequences = min(sizes[name].nearest(target), rooms[name])
            if sequences:
                effective = _effective(sizes[name], read[name], sequences, _kept(mixture, name))
                draws.append(Draw(name, sizes[name], sequences, effective))
    draws.sort(key=lambda draw: draw.name)
    wanted = _asked(stage, sizes, matches)
    notes = [*_unmatched(stage, sizes, matches), *_held_back(stage, wishes, given)]
    whole = sum(draw.tokens for draw in draws)
    if abs(whole - sum(given)) > _ROUNDED * sum(given):
        notes.append(f"in whole sequences it is {whole:,} tokens, not {sum(given):,.0f}")
    return StagePlan(stage.name, wanted, tuple(draws), tuple(notes))


def _asked(stage: MixtureStage, sizes: Mapping[str, ListSize], matches: Sequence[Sequence[str]]) -> int:
    """The budget of a stage; without one, what its entries come to."""
    if stage.budget is not None:
        return stage.budget
    amounts = [_amount(entry, names, sizes) for entry, names in zip(stage.lists, matches, strict=True) if names]
    return round(sum(amount or 0.0 for amount in amounts))


def _amount(entry: Entry, names: Iterable[str], sizes: Mapping[str, ListSize]) -> float | None:
    """Tokens that an entry asks for; None where a weight decides."""
    if entry.epochs is not None:
        return entry.epochs * sum(sizes[name].tokens for name in names)
    return entry.tokens


def _wish(entry: Entry, names: Sequence[str], sizes: Mapping[str, ListSize], rooms: Mapping[str, int]) -> _Wish:
    limits = [float(sizes[name].first(rooms[name])) for name in names]
    if entry.epochs is not None:
        limits = [min(limit, entry.epochs * sizes[name].tokens) for name, limit in zip(names, limits, strict=True)]
    return _Wish(entry, names, _amount(entry, names, sizes), limits)


def _shared(stage: MixtureStage, wishes: Sequence[_Wish]) -> list[float]:
    """Tokens for each entry: those that ask for a number come first, the others share what is left by weight."""
    fixed = [index for index, wish in enumerate(wishes) if wish.asked is not None]
    weighted = [index for index, wish in enumerate(wishes) if wish.asked is None]
    most = [wish.most for wish in wishes]
    there = sum(most[index] for index in fixed)
    budget = there if stage.budget is None else float(stage.budget)
    given = [0.0] * len(wishes)
    _fill(given, fixed, [wishes[index].asked or 0.0 for index in fixed], most, min(budget, there))
    left = max(0.0, budget - there)
    _fill(given, weighted, [wishes[index].entry.weight or 0.0 for index in weighted], most, left)
    return given


def _fill(
    given: list[float], indices: Sequence[int], weights: Sequence[float], most: Sequence[float], total: float
) -> None:
    shares = water_fill(weights, [most[index] for index in indices], total)
    for index, share in zip(indices, shares, strict=True):
        given[index] = share


# ---------------------------------------------------------------- why it is not what was asked


def _unmatched(stage: MixtureStage, sizes: Mapping[str, ListSize], matches: Sequence[Sequence[str]]) -> Iterable[str]:
    for entry, names in zip(stage.lists, matches, strict=True):
        if not names:
            there = any(_is_named(entry.lists, name) for name in sizes)
            yield f"{entry.lists}: {'earlier entries take all its lists' if there else 'there is no such list'}"


def _held_back(stage: MixtureStage, wishes: Sequence[_Wish], given: Sequence[float]) -> Iterable[str]:
    fixed = [wish for wish in wishes if wish.asked is not None]
    for wish in fixed:
        if wish.asked is not None and wish.most < wish.asked - 0.5:
            yield f"{wish.entry.lists}: {wish.asked:,.0f} tokens are asked for, max_epochs leaves {wish.most:,.0f}"
    there = sum(wish.most for wish in fixed)
    if stage.budget is None:
        return
    if there > stage.budget:
        yield f"tokens and epochs come to {there:,.0f}, more than the budget: each is cut in proportion"
    weighted = [(wish, share) for wish, share in zip(wishes, given, strict=True) if wish.asked is None]
    if there >= stage.budget and weighted:
        yield "tokens and epochs leave nothing of the budget to the weights"
    held = [wish.entry.lists for wish, share in weighted if share >= wish.most]
    if held:
        yield f"held back by max_epochs: {_some(held)}"
    short = stage.budget - sum(given)
    if short >= 0.5:
        why = "every list is read as often as it may be" if weighted else "no entry with a weight takes the rest"
        yield f"{short:,.0f} tokens of the budget cannot be had: {why}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


# ---------------------------------------------------------------- what repetition is worth


def _kept(mixture: Mixture, name: str) -> float:
    """What a repetition leaves of a token's worth."""
    return float(0.5 ** (1.0 / getattr(mixture.half_life, _tier(mixture, name))))


def _reads(sequences: int, at: int, there: int) -> int:
    """How often a draw of so many sequences, of a list of `there`, reads the sequence at a place."""
    return sequences // there + (at < sequences % there)


def _effective(size: ListSize, before: Sequence[int], sequences: int, kept: float) -> float:
    """Tokens of a draw, each worth `kept` to the power of how often it was read before, in this stage or earlier.

    So do Goyal et al. 2024 for whole epochs (`get_effective_samples` of their code).
    """
    edges = sorted({0, size.sequences, *(each % size.sequences for each in (*before, sequences))})
    worth = 0.0
    for start, end in pairwise(edges):
        earlier = sum(_reads(each, start, size.sequences) for each in before)
        now = _reads(sequences, start, size.sequences)
        worth += (size.first(end) - size.first(start)) * sum(kept ** (earlier + again) for again in range(now))
    return worth
