"""The lines of a Markdown text, read one by one; what belongs together is taken at once.

Options of a directive, and the code between two tags of Hugo (`{{< highlight >}}`) or Liquid (`{% highlight %}`).
"""

from __future__ import annotations

import re

from pipelines.extract.write import fence

_CAPTION = re.compile(r"[ \t>]*:?(?:caption|alt):[ \t]*(.+)")
_OPTION = re.compile(r"[ \t>]*:[\w-]+:")
_REGION = re.compile(
    r"(?P<prefix>[ \t>]*)(?:\{\{[<%][ \t]*"
    r"(?P<shortcode>highlight|code-block|codeblock|code|prism|mermaid|tab|text|clients-example)(?![\w-])"
    r"(?P<args>[^{}]*)[>%]\}\}"
    r"|\{%-?[ \t]*(?P<tag>highlight|codeblock)\b(?P<more>[^{}]*)%\})(?P<rest>.*)"
)
_NAMED_LANGUAGE = re.compile(r"\b(?:(?:code)?lang(?:uage)?|syntax)[ ]*[=:][ ]*[\"']?([\w+#.-]+)")
# The name of a file, or a caption, that a site's generator shows above the code.
FILE_NAME = re.compile(r"(?<![\w-])(?:filename|file|title|caption)[ ]?=[ ]?(?:\"([^\"]+)\"|'([^']+)')")
_QUOTED = re.compile(r"\"([^\"]*)\"")
_FIRST_WORD = re.compile(r"[ \t]*[\"']?([A-Za-z][\w+#.-]*)(?![\w=])")


class Lines:
    """The lines still to read."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0
        self._unclosed: set[str] = set()

    def take(self) -> str | None:
        self._at += 1
        return self._lines[self._at - 1] if self._at <= len(self._lines) else None

    def options(self) -> list[str]:
        """Pass over the options of a directive, in either way of writing them; returns the caption's lines."""
        first = self._at
        if first < len(self._lines) and self._lines[first].strip(" \t>") == "---":
            self._at += 1
            while self._at < len(self._lines) and self._lines[self._at].strip(" \t>") not in ("---", "..."):
                self._at += 1
            self._at += 1
        while self._at < len(self._lines) and _OPTION.match(self._lines[self._at]):
            self._at += 1
        if first < self._at < len(self._lines) and not self._lines[self._at].strip(" \t>"):
            self._at += 1
        captions = (_CAPTION.match(line) for line in self._lines[first : self._at])
        return [match.group(1) for match in captions if match]

    def skip_to(self, marks: str) -> None:
        """Pass over what a row of marks closes; where none does, nothing."""
        if marks in self._unclosed:
            return
        for number in range(self._at, len(self._lines)):
            if closes(self._lines[number], marks):
                self._at = number + 1
                return
        self._unclosed.add(marks)

    def code(self, line: str, out: list[str]) -> bool:
        """Write a fence if the line opens a region of code that is closed; the lines are taken then."""
        match = _REGION.fullmatch(line)
        if match is None or (match["shortcode"] == "tab" and "codelang" not in match["args"]):
            return False
        name, args = match["shortcode"] or match["tag"], match["args"] or match["more"] or ""
        mark = (
            rf"\{{%-?[ \t]*end{name}\b[^{{}}]*%\}}"
            if match["tag"]
            else rf"\{{\{{[<%][ \t]*/[ \t]*{name}[ \t]*[>%]\}}\}}"
        )
        end = self._end(re.compile(mark), match["rest"])
        if end is None:
            return False
        last, found = end
        text = [found.string[: found.start()]]
        held = text if last < self._at else [match["rest"], *self._lines[self._at : last], *text]
        tail = found.string[found.end() :]
        self._at = last + 1
        title = _QUOTED.search(args) if name == "tab" else FILE_NAME.search(args)
        if title:
            out += titled(next(filter(None, title.groups()), ""), match["prefix"])
        out += _region_fence(held, match["prefix"], "mermaid" if name == "mermaid" else _language(args))
        if tail.strip():
            out.append(tail)
        return True

    def _end(self, mark: re.Pattern[str], rest: str) -> tuple[int, re.Match[str]] | None:
        """The line that closes a region and the tag there; a tag that was not found once is not sought again."""
        if found := mark.search(rest):
            return self._at - 1, found
        if mark.pattern in self._unclosed:
            return None
        for number in range(self._at, len(self._lines)):
            if found := mark.search(self._lines[number]):
                return number, found
        self._unclosed.add(mark.pattern)
        return None


def titled(title: str, prefix: str = "") -> list[str]:
    """The lines for the title of a tab or a fold; what it holds follows as it is."""
    return [prefix.rstrip(), f"{prefix}**{title.strip()}**", prefix.rstrip()] if title.strip() else [prefix.rstrip()]


def closes(line: str, marks: str) -> bool:
    """Whether a line is a row of the same marks, at least as many."""
    stripped = line.strip(" \t>")
    return len(stripped) >= len(marks) and not stripped.strip(marks[0])


def _language(args: str) -> str:
    found = _NAMED_LANGUAGE.search(args) or _FIRST_WORD.match(args)
    return found.group(1).lower() if found else ""


def _region_fence(lines: list[str], prefix: str, language: str) -> list[str]:
    """The lines of a fence for a region of code, without the blank lines at its ends."""
    kept = [number for number, line in enumerate(lines) if line.strip()]
    lines = lines[kept[0] : kept[-1] + 1] if kept else []
    if not all(line.startswith(prefix) or not line.strip() for line in lines):
        return fence("\n".join(lines), language, "").split("\n")
    return fence("\n".join(line.removeprefix(prefix) for line in lines), language, prefix).split("\n")
