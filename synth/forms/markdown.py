"""An answer in plain Markdown. Of pieces that are joined, only one that has a title itself is given it again."""

from __future__ import annotations

from manifests.synthesis import Kind
from synth.forms import Reading
from synth.outline import outline, tidy, titled
from synth.sections import page_problems


def read(kind: Kind, answer: str, document: str) -> Reading:
    """The answer under its title, or under that of the document."""
    text = tidy(answer)
    has_title = not kind.joined or document.lstrip().startswith("# ")
    return Reading(titled(text, document) if has_title else text, tuple(page_problems(outline(text))))
