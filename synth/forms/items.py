"""An answer in JSON, by the kind's `response_schema`, as Markdown.

The schema is an object of strings and of arrays of strings: `title` becomes the title, each other property a section
under the title that the schema gives it. Of an array each string is an item, or, where all of them are whole lines of
the document, a line of code; lines that follow each other there stand in one block. What is empty is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from manifests.synthesis import Kind, KindError
from synth.forms import Reading
from synth.outline import outline, titled
from synth.schema import check_schema, departure
from synth.sections import Problem, page_problems, problem, repeated

_FEWEST = 2
_DEEPEST = 200
_BACKTICKS = re.compile(r"`+")
_ALLOWED = frozenset("\n\t")


def read(kind: Kind, answer: str, document: str) -> Reading:
    """The object as sections. Raises KindError for a schema that cannot be read so."""
    properties = _properties(kind)
    try:
        value = _parsed(answer)
    except ValueError as error:
        return Reading("", (problem("broken_json", str(error)),))
    assert kind.response_schema is not None
    if found := departure(value, kind.response_schema):
        return Reading("", (problem("schema", found),))
    lines = {line.strip() for line in document.split("\n")}
    blocks = []
    problems: list[Problem] = []
    for name, schema in properties.items():
        content = value.get(name)
        if name == "title" or not content:
            continue
        strings = [content] if isinstance(content, str) else content
        problems += _problems_of(strings)
        heading = schema.get("title", name)
        body = content.strip() if isinstance(content, str) else _items(content, document, lines)
        blocks.append(f"## {heading}\n\n{body}")
    if len(blocks) < _FEWEST:
        problems.append(("too_few_items", f"{len(blocks)} sections"))
    title = " ".join(str(value.get("title", "")).split())
    text = "\n\n".join([f"# {title}"] * bool(title) + blocks)
    return Reading(titled(text, document), (*page_problems(outline(text)), *problems))


def _properties(kind: Kind) -> Mapping[str, Any]:
    """The properties of a kind's schema."""
    schema = kind.response_schema
    if schema is None or kind.code != "shown":  # code restored inside of JSON would break it
        raise KindError(f"kind {kind.name}: form items needs a response_schema, and code: shown")
    try:
        check_schema(schema)
    except ValueError as error:
        raise KindError(f"kind {kind.name}: response_schema: {error}") from None
    for name, inner in schema.get("properties", {}).items():
        if inner["type"] != "string" and inner.get("items", {}).get("type") != "string":
            raise KindError(f"kind {kind.name}: response_schema: {name} is neither a string nor an array of strings")
    return schema.get("properties", {})  # type: ignore[no-any-return]


def _parsed(answer: str) -> Any:
    """The value of an answer. Raises ValueError."""
    text = answer.strip()
    page = outline(text)
    if len(page.fences) == 1 and page.fences[0].begin == 0 and page.fences[0].end == len(page.lines) - 1:
        text = page.code(page.fences[0])
    if _depth(text) > _DEEPEST:
        raise ValueError("nested too deep")
    value = json.loads(text)
    for string in _strings(value):
        for place, character in enumerate(string):
            if (character < " " and character not in _ALLOWED) or "\ud800" <= character <= "\udfff":
                raise ValueError(f"U+{ord(character):04X} in a string, at {place}")
    return value


def _depth(text: str) -> int:
    """How deep brackets stand in each other at most; those in strings count too."""
    depth = deepest = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _strings(value: Any) -> list[str]:
    """All strings of a value, names of properties too."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [each for pair in value.items() for part in pair for each in _strings(part)]
    return [each for part in value for each in _strings(part)] if isinstance(value, list) else []


def _problems_of(strings: Sequence[str]) -> list[Problem]:
    """What would break the page: an empty string, a heading of its own, an open fence, the same again."""
    problems = list(repeated(strings)) if len(strings) > 1 else []
    for string in strings:
        page = outline(string)
        if not string.strip():
            problems.append(("broken_form", "an empty string"))
        if page.headings:
            problems.append(problem("broken_form", f"a heading in a string: {page.headings[0].text}"))
        if any(not fence.closed for fence in page.fences):
            problems.append(problem("open_fence", string))
    return problems


def _items(strings: Sequence[str], document: str, lines: set[str]) -> str:
    """Strings as items, or, if all are lines of the document, as blocks of code, one for lines that follow another."""
    if not all(string.strip() in lines for string in strings):
        return "\n".join("- " + string.strip().replace("\n", "\n  ") for string in strings)
    blocks: list[str] = []
    for string in strings:
        if blocks and f"{blocks[-1]}\n{string}" in document:
            blocks[-1] += f"\n{string}"
        else:
            blocks.append(string)
    longest = max((len(run) for run in _BACKTICKS.findall("\n".join(strings))), default=0)
    ticks = "`" * max(3, longest + 1)
    return "\n\n".join(f"{ticks}text\n{block}\n{ticks}" for block in blocks)
