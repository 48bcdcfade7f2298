"""A source in Texinfo before it is read: comments, conditions, values and macros.

The text is that of the Info manual: what is for Info or plain text stays, what is for TeX, HTML or DocBook goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

MAX_EXPANSIONS = 20_000
MAX_GROWTH = 8
_SPARE_CHARACTERS = 1 << 20

_SHOWN_NAMES = "ifinfo ifplaintext ifnottex ifnothtml ifnotdocbook ifnotxml ifnotlatex"
_SHOWN = frozenset(_SHOWN_NAMES.split())
_HIDDEN_NAMES = (
    "iftex tex ifhtml html ifdocbook docbook ifxml xml iflatex latex ifnotinfo ifnotplaintext titlepage menu "
    "detailmenu direntry ignore documentdescription"
)
_HIDDEN = frozenset(_HIDDEN_NAMES.split())
_ASKED = frozenset(["ifset", "ifclear", "ifcommanddefined", "ifcommandnotdefined"])

_COMMAND = re.compile(r"[ \t]*@([A-Za-z]+)(?![A-Za-z{])[ \t]*(.*)$")
_COMMENT = re.compile(r"(?<!@)((?:@@)*)@c(?:omment)?(?![A-Za-z{]).*$")
_VALUE = re.compile(r"@value\{([^{}@\s]{1,100})\}")
_BRACES = re.compile(r"@.|[{},]", re.DOTALL)
_MACRO = re.compile(r"([\w-]+)[ \t]*(?:\{(.*)\})?[ \t]*$")


@dataclass
class Source:
    """What the text says before it is read.

    lines: those to read; values: what `@set` sets; copying: the text of `@copying`; indices: names of index
    commands that the text defines.
    """

    lines: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    copying: list[str] = field(default_factory=list)
    indices: set[str] = field(default_factory=set)
    macros: dict[str, tuple[list[str], str]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)


def prepare(text: str) -> Source:
    """The lines of a text that an Info manual shows, values and macros replaced."""
    source = Source()
    walk = iter(text.split("\n"))
    while (line := next(walk, None)) is not None:
        found = _COMMAND.match(line)
        name, rest = (found[1], found[2].strip()) if found else ("", "")
        if name == "bye":
            break
        if name == "insertcopying":
            walk, source.copying = chain(source.copying, walk), []
        elif not _takes_block(source, name, rest, line, walk) and not _is_definition(source, name, rest):
            shown = _COMMENT.sub(r"\1", line)
            if (shown.strip() or not line.strip()) and not line.startswith("\\input"):  # a comment is no blank line
                source.lines.append(_VALUE.sub(lambda m: source.values.get(m[1], m[1]), shown))
    if source.macros or source.aliases:
        source.lines = _expanded(source, "\n".join(source.lines)).split("\n")
    return source


def _takes_block(source: Source, name: str, rest: str, line: str, walk: Iterator[str]) -> bool:
    """Take a block that is hidden, kept for later or not to be read; or the first or last line of one that is shown."""
    if name == "verbatim":
        source.lines += [line, *_until(walk, name), "@end verbatim"]
    elif name in ("macro", "rmacro", "linemacro"):
        _define(source, rest, list(_until(walk, name)))
    elif name == "copying":
        source.copying = list(_until(walk, name))
    elif name in _HIDDEN or (name in _ASKED and not _holds(source, name, rest)):
        for _ in _until(walk, name):
            pass
    else:
        shown = _SHOWN | _ASKED
        return name in shown or (name == "end" and rest.split(" ")[0] in shown)
    return True


def _until(lines: Iterator[str], name: str) -> Iterator[str]:
    """The lines before the `@end` of a block, which is taken too; blocks of the same name may nest."""
    depth = 1
    for line in lines:
        found = _COMMAND.match(line)
        if found and found[1] == name:
            depth += 1
        elif found and found[1] == "end" and found[2].split()[:1] == [name]:
            depth -= 1
            if not depth:
                return
        yield line


def _holds(source: Source, name: str, rest: str) -> bool:
    word = rest.split()[0] if rest else ""
    if name in ("ifset", "ifclear"):
        return (word in source.values) == (name == "ifset")
    # Every command of Texinfo is defined; of others, those that the text defines.
    return (word not in source.macros and word.startswith("txi")) != (name == "ifcommanddefined")


def _is_definition(source: Source, name: str, rest: str) -> bool:
    """Take a line that defines something or names a file; whether the command is such."""
    if name == "set":
        key, _, value = rest.partition(" ")
        source.values[key] = value.strip()
    elif name == "clear":
        source.values.pop(rest, None)
    elif name in ("defindex", "defcodeindex"):
        source.indices.add(rest + "index")
    elif name == "alias":
        new, _, old = rest.partition("=")
        source.aliases[new.strip()] = old.strip()
    elif name not in ("include", "verbatiminclude", "unmacro"):
        return False
    return True


def _define(source: Source, head: str, body: Sequence[str]) -> None:
    if found := _MACRO.match(head):
        parameters = [part.strip() for part in (found[2] or "").split(",") if part.strip()]
        source.macros[found[1]] = (parameters, "\n".join(body))


def _expanded(source: Source, text: str) -> str:
    """The text with its macros and aliases replaced, within a limit of replacements and of size."""
    names = "|".join(sorted(map(re.escape, {*source.macros, *source.aliases}), key=len, reverse=True))
    call = re.compile(rf"(?<!@)((?:@@)*)@({names})(?![A-Za-z0-9_-])")
    limit = MAX_GROWTH * len(text) + _SPARE_CHARACTERS
    size = len(text)
    done: list[str] = []
    waiting = [(text, 0)]  # texts with what is still to read of them, the next one last
    for _ in range(MAX_EXPANSIONS):
        if not waiting:
            break
        piece, at = waiting.pop()
        found = call.search(piece, at)
        if found is None:
            done.append(piece[at:])
            continue
        done += (piece[at : found.start()], found[1])
        name = source.aliases.get(found[2], found[2])
        if name not in source.macros:
            done.append("@" + name)
            waiting.append((piece, found.end()))
            continue
        parameters, body = source.macros[name]
        values, end = _arguments(piece, found.end(), len(parameters))
        written = _filled(body, parameters, values)
        waiting += ((piece, end), (written, 0))
        size += len(written)
        if size > limit:
            break
    return "".join([*done, *(piece[at:] for piece, at in reversed(waiting))])


def _filled(body: str, parameters: Sequence[str], values: Sequence[str]) -> str:
    given = dict(zip(parameters, values, strict=False))
    return re.sub(r"\\([\w-]*)\\", lambda m: given.get(m[1], "") if m[1] else "\\", body)


def _arguments(text: str, at: int, count: int) -> tuple[list[str], int]:
    """The arguments of a call that ends at `at`, in braces or on the rest of the line, and where they end."""
    begin = at + len(text[at : at + 80]) - len(text[at : at + 80].lstrip(" \t"))
    if text[begin : begin + 1] != "{":
        if not count:
            return [], at
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        return [text[at:end].strip()], end
    depth, start = 0, begin + 1
    parts: list[str] = []
    for mark in _BRACES.finditer(text, begin):
        here = mark.start()
        depth += {"{": 1, "}": -1}.get(mark[0], 0)
        if not depth or (mark[0] == "," and depth == 1 and len(parts) < count - 1):
            parts.append(text[start:here].strip())
            start = here + 1
        if not depth:
            return parts, here + 1
    return [], at
