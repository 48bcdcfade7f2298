"""Sections with given headings: those of level two that the kind's golden example has, in its order.

A section of which the document says nothing is left out, so that nobody has to invent it.
"""

from __future__ import annotations

from collections.abc import Iterator

from manifests.synthesis import Kind
from synth.forms import Reading
from synth.outline import Outline, outline, tidy, titled
from synth.sections import Problem, before, is_empty, page_problems, problem, repeated, sections

_FEWEST = 2


def read(kind: Kind, answer: str, document: str) -> Reading:
    """The sections under their own title, or that of the document."""
    text = tidy(answer)
    page = outline(text)
    wanted = [section.heading.text for section in sections(outline(kind.example.text), 2)]
    return Reading(titled(text, document), (*page_problems(page), *_problems(page, wanted)))


def _problems(page: Outline, wanted: list[str]) -> Iterator[Problem]:
    found = sections(page, 2)
    names = [section.heading.text for section in found]
    if first := before(page, found[0].heading.line if found else len(page.lines)):
        yield problem("broken_form", f"text before the first section: {first}")
    for name in names:
        if name not in wanted:
            yield problem("broken_form", f"a section that nobody asked for: {name}")
    order = [wanted.index(name) for name in names if name in wanted]
    if order != sorted(order):
        yield problem("broken_form", f"not in order: {', '.join(names)}")
    for section in found:
        if is_empty(page, section):
            yield problem("broken_form", f"nothing stands below: {section.heading.text}")
    yield from repeated(names)
    if len(found) < _FEWEST:
        yield "too_few_items", f"{len(found)} sections"
