"""Answers without what a copy may change: commands as (program, options, arity), queries and code without names."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from filters.leaks.words import word_list

# Of longer ones the beginning is compared.
_LONGEST = 4096

_SHELL = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\|\||&&|[|;&\n]|(?:[^\s'"|;&\\]|\\.)+|\S""", re.DOTALL)
_SYNTAX = re.compile(r"""'[^'\n]*'|"[^"\n]*"|[A-Za-z_][A-Za-z0-9_-]*|[0-9][\w.]*|[=!<>]=|[^\w\s]""")
_QUERY = re.compile(
    r"^\s*(?:select|with|insert|update|delete|let)\b[^\n]*\s(?:from|into|set|as|where|=)\s"
    r"|\|\s*(?:where|summarize|project|extend|take|top|count|order|sort|join|distinct|render)\b",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"^\s*(?:def|class|return|import|from|for|if|function|const|let|var|#include)\b|[{;]\s*$", re.MULTILINE
)
_COMMAND = re.compile(r"^\s*(?:[$#%>]\s+)?(?:[A-Z_]+=\S*\s+)?(?:\.{0,2}/)?[a-z0-9_][\w.+/-]*(?:\s|$)")
_SHELL_MARK = re.compile(r"""\s-|[|/$'"<>*=~;]""")
_COMMENT = re.compile(r"[ \t]#[ \t][^\n]*")
_NUMBER = re.compile(r"[-+]?[0-9][\w.:]*")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_OPERATORS = frozenset(["|", "||", "&&", ";", "&", "\n"])
_EXEC = frozenset(["-exec", "-execdir", "-ok", "-okdir"])

Shape = Literal["command", "query", "code", "text"]


@dataclass(frozen=True)
class Command:
    """One command of a pipeline: its program, the set of its options, and how many other arguments it has."""

    program: str
    options: frozenset[str]
    arity: int


def shape_of(answer: str) -> Shape:
    """What an answer is."""
    text = answer[:_LONGEST]
    if _QUERY.search(text):
        return "query"
    if text.count("\n") < 8 and _COMMAND.match(text) and (_SHELL_MARK.search(text) or len(text.split()) <= 2):
        return "command"
    if _CODE.search(text) or text.lstrip()[:1] in ("{", "["):
        return "code"
    return "text"


@lru_cache(maxsize=4096)
def commands(text: str) -> tuple[Command, ...]:
    """The commands of a line of shell, in their order."""
    found: list[Command] = []
    words: list[str] = []
    end = -1
    for match in _SHELL.finditer(_COMMENT.sub("", text[:_LONGEST]).replace("\\\n", " ")):
        token = match.group()
        if token in _OPERATORS or token in _EXEC:
            found += _command(words)
            words, end = [], -1
            continue
        if match.start() == end:
            words[-1] += token
        else:
            words.append(token)
        end = match.end()
    return tuple(found + _command(words))


def _command(words: list[str]) -> list[Command]:
    """The command of some words; none if they hold none."""
    at = 0
    while at < len(words) and (
        words[at] in ("$", "#", "%", ">") or words[at] in word_list("prefixes") or _ASSIGNMENT.match(words[at])
    ):
        at += 1
    rest = [word.strip("()`{}").removeprefix("$(") for word in words[at:]]
    rest = [word for word in rest if word and word != "\\"]
    if not rest:
        return []
    program = rest[0].strip("'\"").rpartition("/")[2].lower()
    options: set[str] = set()
    arity = 0
    for word in rest[1:]:
        names, values = _options(program, word.strip("'\""))
        options |= names
        arity += values
    return [Command(program, frozenset(options), arity)]


def _options(program: str, word: str) -> tuple[set[str], int]:
    """The options of a word, and how many values it has."""
    if not word.startswith("-") or len(word) < 2:
        return set(), 1
    if _NUMBER.fullmatch(word):
        return {"-#"}, 0
    name, equals, _ = word.partition("=")
    if name.startswith("--") or program in word_list("word_options"):
        return {name.lower()}, int(bool(equals))
    letters = re.match(r"-[A-Za-z]*", name)
    cluster = letters.group()[1:] if letters else ""
    return set(cluster), int(len(name) > len(cluster) + 1 or bool(equals))


def command_likeness(answer: tuple[Command, ...], other: tuple[Command, ...]) -> float:
    """From 0 to 1: programs in their order, sets of options, and arity, command by command."""
    if not answer or not other:
        return 0.0
    total = sum(_likeness(mine, theirs) for mine, theirs in zip(answer, other, strict=False))
    return total / max(len(answer), len(other))


def _likeness(mine: Command, theirs: Command) -> float:
    if mine.program != theirs.program:
        return 0.0
    both = mine.options | theirs.options
    options = len(mine.options & theirs.options) / len(both) if both else 1.0
    arity = 1 - abs(mine.arity - theirs.arity) / max(1, mine.arity, theirs.arity)
    return 0.5 + 0.35 * options + 0.15 * arity


def syntax_of(text: str, shape: Shape) -> Counter[tuple[str, str]]:
    """Pairs of neighbours among keywords and marks of a query or code, names and values being `_`; of a text, words."""
    if shape == "text":
        return Counter((word, "") for word in _plain_words(text[: 4 * _LONGEST]))
    known = word_list("query" if shape == "query" else "code")
    tokens = [_syntax(token, known) for token in _SYNTAX.findall(text[: 4 * _LONGEST])]
    return Counter(pairwise(tokens))


def _plain_words(text: str) -> list[str]:
    """The words of a text that are neither stop words nor, with a digit or a mark in them, values."""
    found = [word.strip(".,;:!?()'\"*`").lower() for word in text.split()]
    return [word for word in found if word.isalpha() and word not in word_list("stop")]


def _syntax(token: str, known: frozenset[str]) -> str:
    word = token.lower().replace("-", "_") if len(token) > 1 else token.lower()
    if word in known:
        return word
    return "_" if token[0].isalnum() or token[0] in "_'\"" else token


def contained(part: Counter[tuple[str, str]], whole: Counter[tuple[str, str]]) -> float:
    """Which share of some pairs stands in a text."""
    total = sum(part.values())
    return sum((part & whole).values()) / total if total else 0.0
