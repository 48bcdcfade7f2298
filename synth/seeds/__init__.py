"""Seeds: texts that are made instead of read, for kinds whose documents no site has. A seed's maker is a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import cast


@dataclass(frozen=True)
class Seed:
    """What a teacher is given in place of a document. `id`: 32 hex digits of a hash of its text; `text`: Markdown."""

    id: str
    title: str
    text: str


def seed_of(title: str, text: str) -> Seed:
    """The seed of a text: the same text is the same seed on any machine."""
    return Seed(hashlib.sha256(text.encode()).hexdigest()[:32], title, text)


def draw(*what: int | str) -> int:
    """A whole number below 2**64 that follows from what names it alone, the same on any machine."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, what)).encode()).digest()[:8], "big")


def make(name: str, number: int, seed: int) -> Iterator[Seed]:
    """The first `number` seeds of synth/seeds/`name`.py; fewer than a larger number has, they are its first."""
    return cast(Iterator[Seed], import_module(f"synth.seeds.{name}").make(number, seed))
