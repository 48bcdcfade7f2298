"""A table, then one question that it answers: a level-two heading, with its answer below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from manifests.synthesis import Kind
from synth.forms import Reading
from synth.forms.faq import is_question
from synth.outline import Outline, outline, tidy, titled
from synth.sections import Problem, before, is_empty, page_problems, problem, repeated, sections

_FEWEST_ROWS = 2


def read(kind: Kind, answer: str, document: str) -> Reading:
    """The table and its question under the title of the document."""
    text = tidy(answer)
    page = outline(text)
    return Reading(titled(text, document), (*page_problems(page), *_problems(page)))


def cells(line: str) -> list[str]:
    """The cells of a row, as GFM parts them: at each pipe that no backslash stands before."""
    parts: list[str] = []
    begin = 0
    inner = line.strip().removeprefix("|")
    for place, character in enumerate(inner):
        if character == "|" and inner[place - 1 : place] != "\\":
            parts.append(inner[begin:place].strip())
            begin = place + 1
    rest = inner[begin:].strip()
    return [*parts, rest] if rest else parts


def _problems(page: Outline) -> Iterator[Problem]:
    rows = [number for number, line in enumerate(page.lines) if line.lstrip().startswith("|")]
    if len(rows) < 2 or not _is_delimiter(cells(page.lines[rows[1]])):
        yield problem("broken_form", "there is no table with a header")
        return
    if first := before(page, rows[0]):
        yield problem("broken_form", f"text before the table: {first}")
    if rows[-1] - rows[0] >= len(rows):
        yield "broken_form", "the table is interrupted, or there are several"
    yield from _row_problems([page.lines[row] for row in rows])
    yield from _question_problems(page, rows[-1])


def _row_problems(lines: Sequence[str]) -> Iterator[Problem]:
    header, _, *rows = map(cells, lines)
    if len(header) < 2 or not all(header):
        yield problem("broken_form", f"a header without names: {lines[0]}")
    for line, row in zip(lines[1:], map(cells, lines[1:]), strict=True):
        if len(row) != len(header):
            yield problem("broken_form", f"{len(row)} cells below {len(header)}: {line}")
    if len(rows) < _FEWEST_ROWS:
        yield "too_few_items", f"{len(rows)} rows"
    yield from repeated(row[0] for row in rows if row)


def _question_problems(page: Outline, after: int) -> Iterator[Problem]:
    asked = sections(page, 2)
    if len(asked) != 1 or asked[0].heading.line < after or not is_question(asked[0].heading.text):
        yield "broken_form", f"{len(asked)} headings behind the table, in place of one question"
    elif is_empty(page, asked[0]):
        yield problem("broken_form", f"no answer: {asked[0].heading.text}")


def _is_delimiter(row: Sequence[str]) -> bool:
    return bool(row) and all(set(cell) <= set(":-") and "-" in cell for cell in row)
