"""What is searched for, and what is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["exact_run", "prompt_answer", "near_prompt_answer", "answer_only"]


@dataclass(frozen=True)
class ItemSet:
    """An evaluation set: prompt and answer of each item; an answer may be missing."""

    name: str
    prompts: Sequence[str]
    answers: Sequence[str | None]

    def __post_init__(self) -> None:
        if len(self.prompts) != len(self.answers):
            raise ValueError(f"{self.name}: {len(self.prompts)} prompts, {len(self.answers)} answers")


@dataclass(frozen=True, order=True)
class Leak:
    """A copy of (a part of) an item, from byte `start` to before byte `end` of the document's UTF-8 text."""

    start: int
    end: int
    set: str
    item: int
    kind: Kind
    score: float


class LeakLimits(Protocol):
    """The settings that decide."""

    @property
    def threshold(self) -> float:
        """The score from which on a leak counts."""

    @property
    def action(self) -> Literal["drop", "cut"]:
        """What happens to its document."""
