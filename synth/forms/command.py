"""Commands for what somebody wants to do, of the program that a document is about; each is parsed and looked up."""

from __future__ import annotations

from manifests.synthesis import Kind
from synth.checks.answers import fenced, read_json, sentence
from synth.checks.commands import options_of, problems_of, reference_of
from synth.forms import Reading
from synth.outline import titled


def read(kind: Kind, answer: str, document: str) -> Reading:
    """An answer: {"items": [{"request", "command", "explanation"}]}.

    Problems: broken_json, schema, no_program (the document is about none), those of `problems_of`, invented_option also
    where only words tell of it, repeated_item.
    """
    value, problems = read_json(answer, kind.response_schema)
    if problems:
        return Reading("", problems)
    reference = reference_of(document)
    if not reference.programs:
        return Reading("", [("no_program", "the document is about no program that it names")])
    parts = []
    seen: set[str] = set()
    for item in value["items"]:
        request, command, explanation = (
            sentence(item["request"]),
            item["command"].strip(),
            sentence(item["explanation"]),
        )
        problems += problems_of(command, request, reference)
        told = sorted(options_of(f"{request}\n{explanation}") - options_of(command) - reference.options)
        problems += [("invented_option", option) for option in told]
        words = " ".join(command.split())
        if words in seen:
            problems.append(("repeated_item", words[:80]))
        seen.add(words)
        parts += [f"## {request}", fenced(command, "sh"), explanation]
    return Reading(titled("\n\n".join(parts) + "\n", document), problems)
