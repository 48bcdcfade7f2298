"""Ways to ask a teacher: each takes requests, and hands over responses as they come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from synth.request import Request, Response


class TeacherStopped(Exception):
    """A teacher that answers nobody: its key, its model, its quota, or it is gone. One line says which."""


@dataclass(frozen=True)
class Unanswered:
    """A request that got no answer, after all tries, from a teacher that answers others; it may be asked again."""

    key: str
    reason: str


class Endpoint(Protocol):
    """A teacher behind its server or engine."""

    def answer(
        self, requests: Iterator[Request], keep: Callable[[Response], None], stop: threading.Event
    ) -> list[Unanswered]:
        """Asks for each request; `keep` has made a response durable when it returns.

        Takes requests only as fast as it can ask for them. When `stop` is set it takes no more, and returns soon.
        Raises TeacherStopped; what was kept until then is kept.
        """
        ...
