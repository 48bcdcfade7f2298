"""Requests in words, each with the command line that does it: it parses, and has only options that the document has."""

from __future__ import annotations

import re

from manifests.synthesis import Kind
from synth.checks.answers import fenced, read_json, sentence
from synth.forms import Reading
from synth.outline import titled
from synth.shell import ShellError, parse_shell

#: What may stand beside the document's own program in a command line, before it or behind a pipe.
_BESIDE = frozenset(
    {"env", "time", "nohup", "xargs", "grep", "sort", "uniq", "head", "tail", "wc", "cat", "tee", "cut", "tr", "awk",
     "sed", "echo", "printf", "cd", "true"}
)  # fmt: skip
_NUMBER = re.compile(r"-[0-9]+")


def read(kind: Kind, answer: str, document: str) -> Reading:
    """An answer: {"items": [{"request", "command", "explanation"}]}.

    Problems: broken_json, schema, broken_command (it does not parse), other_program (of which the document does not
    speak), unknown_option (of which it does not either), repeated_item. One is enough: the teacher knows no better.
    """
    value, problems = read_json(answer, kind.response_schema)
    if problems:
        return Reading("", problems)
    parts: list[str] = []
    seen: set[str] = set()
    for item in value["items"]:
        command = item["command"].strip()
        problems += check(command, document)
        if command in seen:
            problems.append(("repeated_item", command[:80]))
        seen.add(command)
        parts += [f"## {sentence(item['request'])}", fenced(command, "sh"), sentence(item["explanation"])]
    return Reading(titled("\n\n".join(parts) + "\n", document), problems)


def check(command: str, document: str) -> list[tuple[str, str]]:
    """What is wrong with a command line beside a document: (reason, what)."""
    try:
        script = parse_shell(command.removeprefix("sudo "))
    except ShellError as error:
        return [("broken_command", str(error)[:80])]
    if command.endswith(("|", "&&", "\\")):
        return [("broken_command", "it goes on behind its end")]
    own = {each.rpartition("/")[2] for each in script.programs} - _BESIDE
    if not own:
        return [("other_program", command[:80])]
    problems = [("other_program", each[:80]) for each in sorted(own) if not _stands(each, document)]
    problems += [("unknown_option", each[:80]) for each in sorted(script.options) if not _has_option(each, document)]
    return problems


def _stands(word: str, document: str) -> bool:
    """Whether a word stands in a document as one."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", document) is not None


def _has_option(option: str, document: str) -> bool:
    """Whether a document has an option: as it stands, without its value, or letter by letter of several in one."""
    bare = option.partition("=")[0]
    if bare in ("-", "--") or _NUMBER.fullmatch(option) or _stands(bare, document):
        return True
    if bare.startswith("--") or not bare[1:].isalpha():
        with_value = bare[:2]  # -j8, -n5
        return not bare.startswith("--") and bare[2:].isdigit() and _stands(with_value, document)
    return all(_stands(f"-{letter}", document) for letter in bare[1:])
