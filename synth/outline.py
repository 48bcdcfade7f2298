"""Where the fences and headings of a Markdown text are: one pass over its lines, whatever it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_LONGEST_TITLE = 200
_MARKDOWN = ("markdown", "md")


@dataclass(frozen=True)
class Fence:
    """A fenced block: the line that opens it, the one that closes it, and its language (lower case, or empty).

    `end` is the number of lines if nothing closes it.
    """

    begin: int
    end: int
    language: str
    closed: bool


@dataclass(frozen=True)
class Heading:
    """An ATX heading outside of fences."""

    line: int
    level: int
    text: str


@dataclass(frozen=True)
class Outline:
    lines: Sequence[str]
    fences: Sequence[Fence]
    headings: Sequence[Heading]

    def fenced(self) -> set[int]:
        """The lines of fences, and those between them."""
        return {line for fence in self.fences for line in range(fence.begin, fence.end + 1)}

    def code(self, fence: Fence) -> str:
        """What stands between the lines of a fence, without the indentation that its first line has."""
        first = self.lines[fence.begin]
        margin = first[: len(first) - len(first.lstrip(" \t"))]
        return "\n".join(line.removeprefix(margin) for line in self.lines[fence.begin + 1 : fence.end])


def outline(text: str) -> Outline:
    """The outline of a text. Fences may stand in items and quotes; a line ends at a line feed and nowhere else."""
    lines = text.split("\n")
    fences: list[Fence] = []
    headings: list[Heading] = []
    opened: tuple[int, str, str] | None = None
    for number, line in enumerate(lines):
        mark = _mark(line)
        if opened is not None:
            begin, ticks, language = opened
            if mark[:1] == ticks[0] and len(mark) >= len(ticks) and not _after(line, mark):
                fences.append(Fence(begin, number, language, True))
                opened = None
        elif mark and not ("`" in mark and "`" in _after(line, mark)):
            opened = number, mark, (_after(line, mark).lower().split() or [""])[0]
        elif heading := _heading(number, line):
            headings.append(heading)
    if opened is not None:
        fences.append(Fence(opened[0], len(lines), opened[2], False))
    return Outline(lines, fences, headings)


def tidy(answer: str) -> str:
    """An answer with line feeds at its line ends, and without the fence that teachers put around all of it.

    Lone surrogates, which JSON can bring and no file can hold, become question marks.
    """
    text = answer.encode("utf-8", "replace").decode().replace("\r\n", "\n").strip()
    lines = text.split("\n")
    mark = _mark(lines[0])
    if len(lines) > 2 and mark and _after(lines[0], mark).lower() in _MARKDOWN and lines[-1].strip() == mark:
        return "\n".join(lines[1:-1]).strip()
    return text


@lru_cache(maxsize=64)  # kinds and samples of a document follow one another
def title_of(document: str) -> str:
    """The first heading of the highest level that a document has, on one line; empty if it has none."""
    headings = outline(document).headings
    if not headings:
        return ""
    best = min(headings, key=lambda heading: heading.level)
    return best.text[:_LONGEST_TITLE].rstrip()


def titled(text: str, document: str) -> str:
    """A text with a title: its own, or the document's."""
    if not text or text.startswith("# "):
        return text
    title = title_of(document)
    return f"# {title}\n\n{text}" if title else text


def _mark(line: str) -> str:
    """The run of backticks or tildes that opens or closes a fence; empty if the line is none."""
    rest = line.lstrip(" \t>")
    if not rest.startswith(("```", "~~~")):
        return ""
    return rest[: len(rest) - len(rest.lstrip(rest[0]))]


def _after(line: str, mark: str) -> str:
    return line.lstrip(" \t>")[len(mark) :].strip()


def _heading(number: int, line: str) -> Heading | None:
    rest = line.lstrip(" ")
    level = len(rest) - len(rest.lstrip("#"))
    if not 1 <= level <= 6 or len(line) - len(rest) > 3 or rest[level : level + 1] not in ("", " ", "\t"):
        return None
    text = rest[level:].strip()
    shorter = text.rstrip("#")
    if not shorter or shorter[-1] in " \t":  # a closing run of marks stands apart
        text = shorter
    return Heading(number, level, " ".join(text.split()))
