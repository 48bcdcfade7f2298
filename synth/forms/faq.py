"""Questions as level-two headings, each with its answer below."""

from __future__ import annotations

from collections.abc import Iterator

from manifests.synthesis import Kind
from synth.forms import Reading
from synth.outline import Outline, outline, tidy, titled
from synth.sections import Problem, before, is_empty, page_problems, problem, repeated, sections

_FEWEST = 2


def read(kind: Kind, answer: str, document: str) -> Reading:
    """The questions and answers under the title of the document."""
    text = tidy(answer)
    page = outline(text)
    return Reading(titled(text, document), (*page_problems(page), *_problems(page)))


def is_question(text: str) -> bool:
    return text.rstrip("*_ ").endswith(("?", "？"))


def _problems(page: Outline) -> Iterator[Problem]:
    found = sections(page, 2)
    if first := before(page, found[0].heading.line if found else len(page.lines)):
        yield problem("broken_form", f"text before the first question: {first}")
    for heading in page.headings:
        if (heading.level == 1 and heading != page.headings[0]) or (
            heading.level == 2 and not is_question(heading.text)
        ):
            yield problem("broken_form", f"a heading that is no question: {heading.text}")
    for section in found:
        if is_empty(page, section):
            yield problem("broken_form", f"no answer: {section.heading.text}")
    yield from repeated(section.heading.text for section in found)
    if len(found) < _FEWEST:
        yield "too_few_items", f"{len(found)} questions"
