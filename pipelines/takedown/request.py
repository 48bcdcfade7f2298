"""What somebody asks to be taken down, on whose word, and why."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from crawlers.takedown import SUBJECTS, Takedowns, read_takedowns
from crawlers.urls import canonical_url

_DOC_ID = re.compile(r"[0-9a-f]{32}")


class RefusedError(Exception):
    """A takedown that cannot be done, or that has not come to its end; the message says why, and what to do."""


@dataclass(frozen=True)
class Request:
    """What is to go: pairs of a subject (SUBJECTS) and its value.

    `copies_too`: also what holds the same text under other URLs. `buckets`: further copies of the export.
    """

    subjects: tuple[tuple[str, str], ...]
    who: str
    why: str
    copies_too: bool = False
    buckets: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises RefusedError and TakedownError where it names nothing that can be."""
        if not self.subjects:
            raise RefusedError(f"takedown: give one of {', '.join('--' + name.replace('_', '-') for name in SUBJECTS)}")
        for name in ("who", "why"):
            if not getattr(self, name).strip():
                raise RefusedError(f"takedown: --{name} is empty; it stands in the record")
        for subject, value in self.subjects:
            if subject == "url" and canonical_url(value) is None:
                raise RefusedError(f"takedown: {value!r} is no http URL")
            if subject == "doc_id" and not _DOC_ID.fullmatch(value):
                raise RefusedError(f"takedown: {value!r} is no doc_id, which has 32 hexadecimal digits")
            if not value.strip():
                raise RefusedError(f"takedown: a {subject} is empty")
        read_takedowns("\n".join(json.dumps(each) for each in self.entries("")), "takedown")

    def entries(self, when: str) -> list[dict[str, str]]:
        """The entries of `takedown.jsonl` that say the same."""
        return [{subject: value, "who": self.who, "when": when, "why": self.why} for subject, value in self.subjects]

    def names(self) -> Takedowns:
        """To be asked what it names."""
        return Takedowns(self.entries(""))

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        told = asdict(self)
        return {**told, "subjects": [list(each) for each in self.subjects], "buckets": list(self.buckets)}
