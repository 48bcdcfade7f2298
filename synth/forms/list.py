"""A list of facts: one bullet each, a full sentence each, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from manifests.synthesis import Kind
from synth.forms import Reading
from synth.outline import Outline, outline, tidy, titled
from synth.sections import Problem, page_problems, problem, repeated

_FEWEST = 3
_FEWEST_CHARACTERS = 15
_ENDS = tuple(".!?。！？")


def read(kind: Kind, answer: str, document: str) -> Reading:
    """The list under the title of the document."""
    text = tidy(answer)
    page = outline(text)
    return Reading(titled(text, document), (*page_problems(page), *_problems(page)))


def _problems(page: Outline) -> Iterator[Problem]:
    fenced = page.fenced()
    items: list[str] = []
    holds_code: set[int] = set()
    for number, line in enumerate(page.lines):
        if number in fenced and items:
            holds_code.add(len(items) - 1)
        elif line.startswith(("- ", "* ", "+ ")):
            items.append(line[2:].strip())
        elif items and line.startswith((" ", "\t")):
            items[-1] += " " + line.strip()
        elif line.strip() and not (number == 0 and line.startswith("# ")):
            yield problem("broken_form", f"outside of the list: {line}")
    for number, item in enumerate(items):
        if not _is_sentence(item, number in holds_code):
            yield problem("broken_form", f"no sentence: {item}")
    yield from repeated(items)
    if len(items) < _FEWEST:
        yield "too_few_items", f"{len(items)} items"


def _is_sentence(item: str, holds_code: bool) -> bool:
    ends = (*_ENDS, ":", "：") if holds_code else _ENDS
    return len(item) >= _FEWEST_CHARACTERS and item.rstrip("*_`)]\"'”’» ").endswith(ends)
