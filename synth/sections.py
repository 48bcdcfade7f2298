"""What the forms of answers in Markdown have in common: sections under their headings, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from synth.outline import Heading, Outline

_LONGEST_VALUE = 80

Problem = tuple[str, str]


@dataclass(frozen=True)
class Section:
    """A heading, and the lines behind it up to the next of its level or above."""

    heading: Heading
    begin: int
    end: int


def problem(reason: str, value: str) -> Problem:
    """A reason, and on one line where it is."""
    return reason, " ".join(value.split())[:_LONGEST_VALUE].rstrip()


def page_problems(page: Outline) -> Iterator[Problem]:
    """What no answer in Markdown may be: empty, cut in a fence, or a fence and nothing else."""
    if not any(line.strip() for line in page.lines):
        yield "empty", ""
        return
    for fence in page.fences:
        if not fence.closed:
            yield problem("open_fence", f"line {fence.begin + 1}: {page.lines[fence.begin]}")
    if len(page.fences) == 1 and page.fences[0].begin == 0 and page.fences[0].end >= len(page.lines) - 1:
        yield "broken_form", "the answer is one block of code"
    last = max((number for number, line in enumerate(page.lines) if line.strip()), default=0)
    if page.headings and page.headings[-1].line == last:
        yield problem("broken_form", f"nothing follows the heading: {page.headings[-1].text}")


def sections(page: Outline, level: int) -> list[Section]:
    """The sections under headings of one level; what is below is part of them."""
    found = []
    above = [heading for heading in page.headings if heading.level <= level]
    ends = (*(heading.line for heading in above[1:]), len(page.lines))
    for heading, end in zip(above, ends, strict=False):
        if heading.level == level:
            found.append(Section(heading, heading.line + 1, end))
    return found


def is_empty(page: Outline, section: Section) -> bool:
    """Whether a section holds nothing but headings."""
    headings = {heading.line for heading in page.headings}
    return not any(page.lines[line].strip() for line in range(section.begin, section.end) if line not in headings)


def before(page: Outline, end: int) -> str:
    """The first line of text before a line, apart from a title at the top; empty if there is none."""
    title = page.headings[0].line if page.headings and page.headings[0].level == 1 else -1
    for number, line in enumerate(page.lines[:end]):
        if line.strip() and number != title:
            return line
    return ""


def repeated(names: Iterable[str]) -> Iterator[Problem]:
    """Each name that stands twice; case, marks and spaces do not count."""
    seen: set[str] = set()
    for name in names:
        plain = "".join(character for character in name.casefold() if character.isalnum()) or name.strip()
        if plain in seen:
            yield problem("repeated_item", name)
        seen.add(plain)
