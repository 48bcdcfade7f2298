"""Lists of words from `manifests/leaks.yaml`, and which words of a prompt are values that a copy may rename."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import yaml

import manifests

Ranges = list[tuple[int, int]]

_QUOTED = re.compile(r"""(?<![^\s(\[=])(["'`])[^"'`\n]{1,80}\1""")
_TOKEN = re.compile(r"\S+")
_VALUE = re.compile(r"[0-9/\\*$=_{}@<>~\"'`]|[A-Za-z][.-][A-Za-z]|^\.|[a-z][A-Z]|[A-Z][A-Z]")
_WORD = re.compile(r"[A-Za-z0-9_\x80-\U0010ffff]+")


@functools.cache
def word_list(name: str) -> frozenset[str]:
    """A list of `manifests/leaks.yaml`."""
    text = (Path(manifests.__file__).parent / "leaks.yaml").read_text(encoding="utf-8")
    return frozenset(str(yaml.safe_load(text)[name]).split())


def split_words(text: str) -> list[str]:
    """The words of a text as the stream splits them, in lower case."""
    return [word.lower() for word in _WORD.findall(text)]


def value_ranges(prompt: str) -> Ranges:
    """Where the values of a prompt stand, in characters: quoted text, paths, numbers, names of hosts and variables."""
    ranges = [match.span() for match in _QUOTED.finditer(prompt)]
    for match in _TOKEN.finditer(prompt):
        word = match.group().strip(".,;:!?()")
        if _VALUE.search(word) and not _is_contraction(word):
            ranges.append(match.span())
    return ranges


def _is_contraction(word: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z]+['’](?:s|t|re|ve|ll|d|m)", word))
