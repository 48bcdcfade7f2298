"""Forms of answers: how each is read, and what it must be to count. A form is a file, named as kinds call it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import cast

from manifests.synthesis import Kind


@dataclass(frozen=True)
class Reading:
    """The Markdown that becomes of an answer, and why it does not count: (reason, what is wrong), the worst first."""

    text: str
    problems: Sequence[tuple[str, str]] = field(default_factory=tuple)


def read(kind: Kind, answer: str, document: str) -> Reading:
    """Reads an answer to a request about a document (or a seed), code restored, by the kind's form."""
    form = import_module(f"synth.forms.{kind.form}")
    return cast(Reading, form.read(kind, answer, document))
