"""Whether an answer, or one like it, stands in a piece of text."""

from __future__ import annotations

import re

from filters.leaks.skeleton import command_likeness, commands, contained, shape_of, syntax_of
from filters.leaks.words import split_words

# How often a program's name is tried in one piece of text.
_TRIES = 16

# The share of an answer's pairs of neighbours that a copy has at least.
_LIKE = 0.7
_ALMOST = 0.99

# An answer of fewer words counts only where a command begins, and only under its whole prompt.
_SHORT = 3

# What stands before a command where one begins: a line's or inline code's begin, a prompt, `sudo`.
_BEFORE = (
    r"(?:^[ \t>]*(?:\S{0,40}[$#%>][ \t]+|[*+-][ \t]+`?)?|`(?:\$ )?)"
    r"(?:(?:sudo|time|nohup|doas)[ \t]+)?(?:[\w./-]{0,64}/)?(?=\w)()"
)
# What a manual says of a command is like every use of it: `tail [OPTION]... [FILE]`, `tail - output the last part`.
_MANUAL = re.compile(r"\[-{0,2}[A-Za-z]{3,}[\w=-]{0,40}\]|\A\S{1,64} [-–—] [A-Za-z]+ [A-Za-z]+")
_MARK = re.compile(r"^[ \t]*(?:[$#%>*+-]|[0-9]+[.)])[ \t]+", re.MULTILINE)

Found = tuple[float, int, int]
NOTHING: Found = (0.0, 0, 0)


def find_answer(answer: str, text: str) -> Found:
    """Likeness of the best place, and the place in characters of the text; 1 is for equal words alone."""
    shape = shape_of(answer)
    if shape == "command" and is_short(answer):
        return _find_command(answer, text)
    exact = _find_words(answer, text)
    if exact is not None:
        return 1.0, *exact
    if shape == "command":
        return _find_command(answer, text)
    wanted = syntax_of(answer, shape)
    if sum(wanted.values()) < 3:
        return NOTHING
    share = contained(wanted, syntax_of(text, shape))
    return (min(share, _ALMOST), 0, len(text)) if share >= _LIKE else NOTHING


def is_short(answer: str) -> bool:
    """Whether an answer has so few words that prose about something else has them too."""
    return len(split_words(answer)) < _SHORT


def _find_words(answer: str, text: str) -> tuple[int, int] | None:
    """Where the words of an answer stand in a row, whatever stands between them."""
    words = split_words(answer)
    if not words:
        at = text.find(answer.strip()) if answer.strip() else -1
        return None if at < 0 else (at, at + len(answer.strip()))
    places = list(re.finditer(r"[A-Za-z0-9_\x80-\U0010ffff]+", text))
    run = [place.group().lower() for place in places]
    for at in range(len(run) - len(words) + 1):
        if run[at] == words[0] and run[at : at + len(words)] == words:
            return places[at].start(), places[at + len(words) - 1].end()
    return None


def _find_command(answer: str, text: str) -> Found:
    """The best of the places where the answer's program is named; a command ends with its line or inline code."""
    wanted = commands(answer.strip())
    if not wanted:
        return NOTHING
    lines = answer.strip().count("\n") + 1
    best = NOTHING
    name = re.compile(_BEFORE + re.escape(wanted[0].program) + r"(?![\w-])", re.IGNORECASE | re.MULTILINE)
    for number, match in enumerate(name.finditer(text)):
        if number == _TRIES:
            break
        end = _end_of(text, match.start(1), lines)
        piece = text[match.start(1) : end]
        if _MANUAL.search(piece) and not _MANUAL.search(answer):
            continue
        likeness = command_likeness(wanted, commands(_MARK.sub("", piece)))
        if likeness > best[0]:
            equal = split_words(piece) == split_words(answer)
            best = (1.0 if equal else min(likeness, _ALMOST), match.start(1), end)
    return best


def _end_of(text: str, at: int, lines: int) -> int:
    """The end of some lines from a place on, a line that ends in a backslash going on; or of the inline code there."""
    if at and text[at - 1] == "`" and (tick := text.find("`", at)) >= 0:
        return tick
    end = at
    while lines:
        stop = text.find("\n", end)
        if stop < 0:
            return len(text)
        lines -= text[stop - 1] != "\\"
        end = stop + 1
    return end - 1
