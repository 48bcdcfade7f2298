"""Copies of evaluation items as documents have them: renamed values, options in another order, other quotes."""

from __future__ import annotations

import random
import re

Pair = tuple[str, str]

_VALUE = re.compile(r"(?<![\w$%{\\-])(?:/?(?:[\w.-]+/)+[\w.-]*|\d+(?!\w)|[A-Za-z]\w+(?:[.-]\w+)+)")
_CLUSTER = re.compile(r"(?<=\s)-([A-Za-z]{2,4})(?=\s|$)")
_SINGLE = re.compile(r"(?<=\s)-([A-Za-z]) -([A-Za-z])(?=\s|$)")
_TEST = re.compile(r"(-i?name|-type|-mtime|-size|-user) (\S+) (-i?name|-type|-mtime|-size|-user) (\S+)(?=\s|$)")
_WORDS_BEHIND_ONE_DASH = ("find ", "java ", "gcc ", "openssl ", "convert ", "ffmpeg ")
_PROSE = (
    "This comes up often, and the manual has the details.",
    "Read the notes below before you run anything.",
    "The following was asked on our channel last week.",
)


def paraphrase(chance: random.Random, pair: Pair) -> Pair:
    """A copy with options reordered or joined, quotes changed and values renamed, the same in prompt and answer."""
    prompt, answer = _rename(chance, *pair)
    return _recase(chance, prompt), _requote(chance, _reorder(chance, answer))


def _rename(chance: random.Random, prompt: str, answer: str) -> Pair:
    shared = {value for value in _VALUE.findall(prompt) if value in answer and len(value) < 60}
    for value in sorted(shared, key=lambda value: (-len(value), value)):
        new = str(chance.randint(2, 999)) if value.isdigit() else _renamed(chance, value)
        edge = re.compile(rf"(?<![\w]){re.escape(value)}(?!\w)")
        prompt, answer = edge.sub(lambda _, new=new: new, prompt), edge.sub(lambda _, new=new: new, answer)
    return prompt, answer


def _renamed(chance: random.Random, value: str) -> str:
    def other(match: re.Match[str]) -> str:
        return chance.choice(("quartz", "willow", "tundra", "vortex", "saffron", "basalt"))

    return re.sub(r"[A-Za-z]{3,}", other, value)


def _recase(chance: random.Random, prompt: str) -> str:
    return prompt[:1].swapcase() + prompt[1:].rstrip(".") + chance.choice(("", ".", ":"))


def _reorder(chance: random.Random, answer: str) -> str:
    if any(name in answer for name in _WORDS_BEHIND_ONE_DASH):
        return _TEST.sub(r"\3 \4 \1 \2", answer)
    if chance.random() < 0.5:
        return _SINGLE.sub(r"-\2\1", answer)
    return _CLUSTER.sub(lambda match: " ".join(f"-{letter}" for letter in reversed(match[1])), answer)


def _requote(chance: random.Random, answer: str) -> str:
    if chance.random() < 0.5 or "'" not in answer or '"' in answer or "$" in answer or "\\" in answer:
        return answer
    return answer.replace("'", '"')


def plant(chance: random.Random, document: str, pair: Pair) -> str:
    """A document with a copy between two of its paragraphs, in one of four forms."""
    prompt, answer = pair
    said = chance.choice(_PROSE)
    copy = chance.choice(
        (
            f"{said}\n\n{prompt}\n\n```\n{answer}\n```",
            f"{prompt}\n\n{said}\n\n```sh\n$ {answer}\n```\n\n{said}",
            f"**Question:** {prompt}\n\n**Answer:**\n\n    {answer}",
            f"- {prompt}\n\n  ```\n  {answer}\n  ```\n\n{said}",
        )
    )
    places = [match.end() for match in re.finditer(r"\n\n(?=[A-Z][a-z])", document)]
    outside = [at for at in places if document.count("```", 0, at) % 2 == 0]
    at = chance.choice(outside) if outside else 0
    return f"{document[:at]}{copy}\n\n{document[at:]}"
