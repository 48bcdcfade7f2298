"""A block of a man page."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.extract.man.text import Run


@dataclass
class Node:
    """A block: `tag` of HTML, the runs of a paragraph or term, the lines of literal text, or made `html`."""

    tag: str
    runs: list[Run] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    html: str = ""
    number: int = 0
