"""A teacher whose engines are started for it, on Ray's machines, and stopped when it has answered."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path

from manifests.synthesis import Teacher
from pipelines.pool import JobFailed, Pool
from synth.request import Request, Response
from synth.teachers import TeacherStopped, Unanswered
from synth.teachers.openai import OpenAITeacher
from synth.teachers.vllm import serving, weights_of


class EngineTeacher:
    """Starts a teacher's engines at its first request, and asks them (`Endpoint`).

    `base`: what paths of its recipe are relative to; `patience_s`: how long machines, and engines that died, are waited
    for; `say` is told in a line what is started.
    """

    def __init__(
        self, name: str, teacher: Teacher, base: Path, patience_s: float, say: Callable[[str], None], pool: Pool
    ) -> None:
        self._name, self._teacher, self._base = name, teacher, base
        self._patience_s, self._say, self._pool = patience_s, say, pool

    def answer(
        self, requests: Iterator[Request], keep: Callable[[Response], None], stop: threading.Event
    ) -> list[Unanswered]:
        """As `Endpoint` says."""
        first = next(requests, None)
        if first is None:
            return []
        engine = self._teacher.engine
        assert engine
        weights = weights_of(self._teacher, self._base)
        key = secrets.token_urlsafe(32)  # whoever else is on the cluster's network is no caller
        each = {"CPU": 1.0, "GPU": float(engine.gpus)} if engine.gpus else {"CPU": 1.0}
        self._say(f"teacher {self._name}: starts {engine.number} x {engine.command} serve {weights}")
        try:
            start = partial(serving, self._teacher, weights, key)
            with self._pool.held(start, engine.number, each, self._patience_s, stop) as urls:
                if not urls:
                    return []
                self._say(f"teacher {self._name}: answers")
                teacher = self._teacher.model_copy(update={"urls": urls})
                asked = OpenAITeacher(self._name, teacher, self._patience_s, self._say, key=key)
                return asked.answer(chain([first], requests), keep, stop)
        except JobFailed as error:
            raise TeacherStopped(f"teacher {self._name}: {error}") from None
