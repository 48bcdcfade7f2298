"""What a reader of a dump could not make a record of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A stretch of a dump that gave no record: its byte offset, why (a word), and what a person should know."""

    offset: int
    reason: str
    detail: str
