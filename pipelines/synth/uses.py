"""The recipe's kinds with all that they name: which kind, which teacher, which limits."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from filters.language import model_sha256
from manifests.base import Limits
from manifests.synthesis import Kind, KindUse, Teacher, gates, load_kind
from pipelines import storage
from pipelines.run import Run
from synth.gates.phrases import PATH as PHRASES
from synth.prompts import prompt_hash

#: What of a teacher decides its answers, or which requests are made; the rest is how it is reached.
_DECIDES = (
    "model", "revision", "licence", "api", "temperature", "top_p", "seed", "parameters", "context", "price",
)  # fmt: skip


@dataclass(frozen=True)
class Use:
    """An entry of `synth.kinds`. `tokenizer` is the path of the teacher's, empty where it has none."""

    index: int
    settings: KindUse
    kind: Kind
    teacher: Teacher
    tokenizer: str

    @property
    def limits(self) -> Limits:
        """Limits of gates that differ from the manifest's: the kind's, and over them the recipe's."""
        return {**self.kind.limits, **self.settings.limits}


def uses_of(run: Run) -> list[Use]:
    """The entries of a recipe whose teacher can be reached. Raises KindError."""
    teachers = run.recipe.synth.teachers
    asked = [each for each in run.recipe.synth.kinds if not variable_of(teachers[each.teacher])]
    return [
        Use(index, each, load_kind(each.kind, run.base), teacher, tokenizer_of(run, teacher))
        for index, each in enumerate(asked)
        for teacher in [teachers[each.teacher]]
    ]


def variable_of(teacher: Teacher) -> str:
    """The environment variable that must be set for a teacher to be asked; empty where none is missing."""
    return teacher.url_variable if teacher.url_variable and not os.environ.get(teacher.url_variable) else ""


def tokenizer_of(run: Run, teacher: Teacher) -> str:
    """The path of a teacher's tokenizer, empty where it has none."""
    return str((run.base / teacher.tokenizer).resolve()) if teacher.tokenizer else ""


def spec_of(uses: Sequence[Use]) -> list[dict[str, Any]]:
    """The entries as JSON holds them, for a worker."""
    return [
        {
            "settings": each.settings.model_dump(mode="json"),
            "kind": each.kind.model_dump(mode="json"),
            "teacher": each.teacher.model_dump(mode="json"),
            "tokenizer": each.tokenizer,
        }
        for each in uses
    ]


def uses_from(spec: Sequence[Mapping[str, Any]]) -> list[Use]:
    """The entries that `spec_of` told."""
    return [
        Use(
            index,
            KindUse.model_validate(each["settings"]),
            Kind.model_validate(each["kind"]),
            Teacher.model_validate(each["teacher"]),
            each["tokenizer"],
        )
        for index, each in enumerate(spec)
    ]


def asking(uses: Sequence[Use]) -> list[dict[str, Any]]:
    """All of the entries that decides which requests are made: what a plan depends on."""
    return [
        {
            "settings": each.settings.model_dump(mode="json", exclude={"limits"}),
            "kind": each.kind.model_dump(mode="json", exclude={"limits", "example", "about", "form"}),
            "teacher": each.teacher.model_dump(mode="json", include=set(_DECIDES)),
            "engine": each.teacher.engine.deciding if each.teacher.engine else None,
            "prompt": prompt_hash(each.kind),
            "tokenizer": storage.sha256(each.tokenizer) if each.tokenizer else None,
        }
        for each in uses
    ]


def judging(uses: Sequence[Use]) -> list[dict[str, Any]]:
    """All of the entries that decides which answers count."""
    return [{"limits": each.limits, "form": each.kind.form} for each in uses]


def gates_in_force() -> dict[str, Any]:
    """All of the gates that decides which answers count, apart from limits of kinds and recipes."""
    phrases = storage.sha256(str(PHRASES))
    return {"rules": [rule.model_dump() for rule in gates()], "phrases": phrases, "language": model_sha256()}


def money_of(teacher: Teacher, prompt: Any, cached: Any, completion: Any) -> Any:
    """What tokens cost by a teacher's price: numbers, or arrays of them; nothing where it has none.

    `cached` of the prompt's tokens came from a cache.
    """
    price = teacher.price
    if price is None:
        return 0.0 * prompt
    of_cached = price.prompt if price.cached is None else price.cached
    return ((prompt - cached) * price.prompt + cached * of_cached + completion * price.completion) / 1e6
