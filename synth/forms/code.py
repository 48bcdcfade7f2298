"""Rewritten code: a paragraph, then one block of code, which parses and has lost nothing of what was there before."""

from __future__ import annotations

from collections.abc import Iterator

from manifests.synthesis import Kind
from synth.code import Block, CodeError, UnknownLanguage, language_of, longest_block, losses, parse
from synth.forms import Reading
from synth.outline import Outline, outline, tidy, titled
from synth.sections import Problem, page_problems, problem


def read(kind: Kind, answer: str, document: str) -> Reading:
    """The paragraph and the code under the title of the document, whose longest block was to be rewritten."""
    text = tidy(answer)
    page = outline(text)
    problems = tuple(page_problems(page))
    return Reading(titled(text, document), problems or tuple(_problems(page, outline(document))))


def _problems(page: Outline, document: Outline) -> Iterator[Problem]:
    source = longest_block(document)
    if source is None:
        yield "no_code", "the document has none"
        return
    if len(page.fences) != 1:
        yield "broken_form", f"{len(page.fences)} blocks of code in place of one"
        return
    fence = page.fences[0]
    if any(line.strip() for line in page.lines[fence.end + 1 :]):
        yield problem("broken_form", f"text behind the code: {' '.join(page.lines[fence.end + 1 :])}")
    after = Block(language_of(fence.language), page.code(fence))
    if after.language != source.language:
        yield problem("other_code", f"{after.language or 'no language'} in place of {source.language or 'none'}")
        return
    try:
        before = parse(source.language, source.code)
    except UnknownLanguage as error:
        yield problem("unparsed_code", str(error))
        return
    except CodeError as error:
        yield problem("source_does_not_parse", str(error))
        return
    try:
        shape = parse(after.language, after.code)
    except CodeError as error:
        yield problem("code_does_not_parse", str(error))
        return
    for reason, value in losses(before, shape):
        yield problem(reason, value)
