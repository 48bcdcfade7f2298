"""The typed shape of a mixture: in which stages a model is trained, and how much of which list each of them reads.

A list is `CATEGORY.TIER.ORIGIN`, packed and shuffled for itself; so another mixture rewrites no shard.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from manifests.base import Identifier, Model

Tier = Literal["high", "medium", "low"]
Tokens = Annotated[int, Field(ge=1)]
Epochs = Annotated[float, Field(gt=0.0, le=1000.0)]
WILDCARDS = "*?"


class MaxEpochs(Model):
    """How often a list of each tier may be read at most, over all stages.

    Language models lose next to nothing by four passes over the same text (Muennighoff et al. 2023, "Scaling
    Data-Constrained Language Models").
    """

    high: Epochs = 4.0
    medium: Epochs = 2.0
    low: Epochs = 1.0


class HalfLife(Model):
    """After how many repetitions a token of each tier is worth half of a new one (Goyal et al. 2024, "Scaling Laws for
    Data Filtering").

    They fit 2.3 to 8.5 to pools of images with captions, of which the worst has the least; for text the decay that
    Muennighoff et al. 2023 fit comes to about ten.
    """

    high: Epochs = 10.0
    medium: Epochs = 10.0
    low: Epochs = 3.0


class Entry(Model):
    """What a stage reads of the lists that a pattern names; among them they share in proportion to their tokens."""

    lists: str = Field(
        pattern=r"^[a-z0-9_.*?]+$", description="name of a list, * and ? standing for any characters, or any one"
    )
    weight: float | None = Field(default=None, gt=0.0, description="share of what the budget has left for weights")
    tokens: Tokens | None = None
    epochs: Epochs | None = None

    @model_validator(mode="after")
    def _one_amount(self) -> Entry:
        if sum(amount is not None for amount in (self.weight, self.tokens, self.epochs)) != 1:
            raise ValueError("give exactly one of weight, tokens, epochs")
        return self


class Elsewhere(Model):
    """A list of another team's data; a stage names it in full."""

    name: Identifier
    prefix: str = Field(pattern=r"^\S+$", description="of its .bin and .idx, as Megatron is to be told it; no spaces")
    tokens: Tokens
    tier: Tier = Field(description="whose max_epochs and half_life hold for it")


class MixtureStage(Model):
    """A part of the training with a mixture of its own."""

    name: Identifier
    budget: Tokens | None = Field(default=None, description="tokens; null: what its entries come to")
    lists: list[Entry] = Field(min_length=1, description="a list belongs to the first entry that names it")

    @model_validator(mode="after")
    def _sound(self) -> MixtureStage:
        patterns = [entry.lists for entry in self.lists]
        for entry in self.lists:
            if patterns.count(entry.lists) > 1:
                raise ValueError(f"lists: {entry.lists!r} stands twice")
            if entry.weight is not None and self.budget is None:
                raise ValueError(f"lists: {entry.lists!r} has a weight, which needs the stage's budget")
        return self


class Mixture(Model):
    """The stages of a training in their order, and what holds over all of them."""

    stages: list[MixtureStage] = Field(min_length=1)
    max_epochs: MaxEpochs = MaxEpochs()
    half_life: HalfLife = HalfLife()
    elsewhere: list[Elsewhere] = Field(default=[], description="lists beside those of the run")

    @model_validator(mode="after")
    def _names_agree(self) -> Mixture:
        stages = [stage.name for stage in self.stages]
        known = [each.name for each in self.elsewhere]
        for kind, names in (("stages", stages), ("elsewhere", known)):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{kind}: {twice[0]!r} stands twice")
        for stage in self.stages:
            for entry in stage.lists:
                if not set(entry.lists) & set(f".{WILDCARDS}") and entry.lists not in known:
                    raise ValueError(f"stage {stage.name}: {entry.lists!r} is no list, and is not under elsewhere")
        return self


# What a recipe without a mixture means.
READ_ONCE = Mixture(stages=[MixtureStage(name="stable", lists=[Entry(lists="*", epochs=1.0)])])
