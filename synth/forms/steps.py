"""A tutorial: a title, what it is for, what is needed first, and numbered steps under headings of level two."""

from __future__ import annotations

import re
from collections.abc import Iterator

from manifests.synthesis import Kind
from synth.forms import Reading
from synth.outline import Outline, outline, tidy, titled
from synth.sections import Problem, Section, is_empty, page_problems, problem, repeated, sections

_FEWEST = 3
_STEP = re.compile(r"[*_]{0,2}step ?(\d{1,3})[*_]{0,2} ?[:.)–—-]? ?(.*)", re.IGNORECASE)


def read(kind: Kind, answer: str, document: str) -> Reading:
    """The tutorial under its own title."""
    text = tidy(answer)
    page = outline(text)
    return Reading(titled(text, document), (*page_problems(page), *_problems(page)))


def _problems(page: Outline) -> Iterator[Problem]:
    if not page.headings or page.headings[0].level != 1 or page.headings[0].line != 0:
        yield problem("broken_form", f"no title at the top: {page.lines[0]}")
    found = sections(page, 2)
    steps = [(section, step) for section in found if (step := _STEP.match(section.heading.text))]
    for number, (_, step) in enumerate(steps, 1):
        if int(step[1]) != number:
            yield problem("broken_form", f"step {number} is called {step[0]}")
            break
    if steps and not _together(found, [section for section, _ in steps]):
        yield "broken_form", "other headings stand between the steps"
    for section in found:
        if is_empty(page, section):
            yield problem("broken_form", f"nothing stands below: {section.heading.text}")
    yield from repeated(step[2] or step[0] for _, step in steps)
    if len(steps) < _FEWEST:
        yield "too_few_items", f"{len(steps)} steps"


def _together(found: list[Section], steps: list[Section]) -> bool:
    begin = found.index(steps[0])
    return found[begin : begin + len(steps)] == steps
