"""What a reader of AsciiDoc holds while it reads: the lines before it, and what was said of the next block."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_ATTRIBUTE = re.compile(
    r"\s*(?:(?P<key>[\w-]+)\s*=\s*)?"
    r"(?:\"(?P<dq>(?:[^\"\\]|\\.)*)\"|'(?P<sq>(?:[^'\\]|\\.)*)'|(?P<bare>[^,]*))\s*(?:,|$)"
)
_UNDERLINES = {"=": 1, "-": 2, "~": 3, "^": 4, "+": 5}


def underlined(lines: Sequence[str]) -> int:
    """The level of a heading that is a line and another one below it, as long as itself; 0 if these are none."""
    if len(lines) < 2:
        return 0
    text, line = lines[0].rstrip(), lines[1].rstrip()
    if len(line) < 2 or line[0] not in _UNDERLINES or line.strip(line[0]) or abs(len(line) - len(text)) > 2:
        return 0
    begins = text[0].isalnum() or text[0] in "_{<\"'`"
    return _UNDERLINES[line[0]] if begins and not text.startswith("```") else 0


@dataclass
class Lines:
    """Lines still to read, of one block or of the whole text."""

    lines: Sequence[str]
    at: int = 0

    def peek(self) -> str | None:
        """The next line without the white space at its end; None behind the last."""
        return self.lines[self.at].rstrip() if self.at < len(self.lines) else None


@dataclass
class About:
    """What the lines above a block say of it: style, further positional attributes, named ones, options, title."""

    style: str = ""
    positional: list[str] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)
    options: set[str] = field(default_factory=set)
    title: str = ""

    def read(self, text: str) -> None:
        """Take in the text between the brackets of a line of attributes."""
        for number, found in enumerate(_ATTRIBUTE.finditer(text)):
            value = next((found[name] for name in ("dq", "sq", "bare") if found[name] is not None), "").strip()
            if found["key"]:
                self.named[found["key"].lower()] = value
            elif number == 0:
                parts = re.split(r"(?=[.#%])", value)
                self.style = parts[0] or self.style
                self.options |= {part[1:] for part in parts[1:] if part[0] == "%"}
                self.positional.append(value)
            else:
                self.positional.append(value)
            if found.end() == len(text):
                break
        options = self.named.get("options") or self.named.get("opts") or ""
        self.options |= {option.strip() for option in options.split(",")}

    def clear(self) -> None:
        """Forget it: a blank line stands between it and the next block."""
        self.__dict__.update(vars(About()))
