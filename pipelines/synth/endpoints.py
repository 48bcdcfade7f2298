"""The teachers of a recipe, ready to be asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from pipelines.engine import StageError
from pipelines.pool import Pool
from pipelines.run import Run
from pipelines.synth.store import store_of
from pipelines.synth.uses import variable_of
from synth.teachers import Endpoint


def endpoints_of(run: Run, names: Iterable[str], pool: Pool) -> dict[str, Endpoint]:
    """The teachers of some names, each once; `pool` has the machines of engines. Raises StageError where one cannot
    be reached."""
    return {name: _endpoint(name, run, pool) for name in dict.fromkeys(names)}


def _endpoint(name: str, run: Run, pool: Pool) -> Endpoint:
    synth = run.recipe.synth
    teacher = synth.teachers[name]
    if variable_of(teacher):
        raise StageError(f"synth: {teacher.url_variable} is not set: it holds the URL of teacher {name!r}")
    if teacher.url_variable:
        teacher = teacher.model_copy(update={"urls": [os.environ[teacher.url_variable]]})
    if teacher.api == "batch":
        from synth.teachers.batch import BatchTeacher

        return BatchTeacher(name, teacher, synth.patience_s, _say, store_of(run).url)
    if teacher.engine:
        from pipelines.synth.engines import EngineTeacher

        return EngineTeacher(name, teacher, run.base, synth.patience_s, _say, pool)
    from synth.teachers.openai import OpenAITeacher

    return OpenAITeacher(name, teacher, synth.patience_s, _say)


def _say(line: str) -> None:
    print(line, file=sys.stderr)
