"""The teachers of a recipe, ready to be asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from pipelines.pool import Pool
from pipelines.run import Run
from synth.teachers import Endpoint


def endpoints_of(run: Run, names: Iterable[str], pool: Pool) -> dict[str, Endpoint]:
    """The teachers of some names, each once."""
    return {name: _endpoint(name, run, pool) for name in dict.fromkeys(names)}


def _endpoint(name: str, run: Run, pool: Pool) -> Endpoint:
    from synth.teachers.openai import OpenAITeacher

    synth = run.recipe.synth
    teacher = synth.teachers[name]
    if teacher.url_variable:
        teacher = teacher.model_copy(update={"urls": [os.environ[teacher.url_variable]]})
    return OpenAITeacher(name, teacher, synth.patience_s, _say)


def _say(line: str) -> None:
    print(line, file=sys.stderr)
