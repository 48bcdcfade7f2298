"""The language under man pages: requests, strings, registers, conditions and macros, each line once.

What comes out are lines of text and calls of macros that a page does not define itself. All of it is a
machine over lines in memory: no file is opened, no program started, and what macros may write is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pipelines.extract.man.lines import evaluate, joined_lines, split_arguments
from pipelines.extract.man.text import name_at
from pipelines.extract.page import Unreadable

MAX_MACRO_DEPTH = 64
MAX_GROWTH = 1_000_000

_CONTROL = re.compile(r"[.'][ \t]*([^\s\\]*)[ \t]*(.*)", re.DOTALL)
_TRANSLATED = re.compile(r"(\\\([^ ]{2})([^\\ ])")
_STRINGS = {"R": "®", "Tm": "™", "lq": "“", "rq": "”", "Lq": "“", "Rq": "”", "S": "", "Aq": "'", "-": "-", "q": '"'}
_STRINGS |= {
    "Ba": "|",
    "Lt": "<",
    "Gt": ">",
    "Am": "&",
    "Le": "≤",
    "Ge": "≥",
    "Ne": "≠",
    "Pm": "±",
    "If": "∞",
    "lp": "(",
}
_STRINGS |= {"rp": ")"}
_QUOTED_TERM = re.compile(r'\s*\.(?:IP|S[HS])\s+".*""')
# The quotes that pod2man puts around code on terminals; with fonts there are none.
_CODE_QUOTES = frozenset(["C`", "C'"])


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, or the call of a macro: then `name`, its arguments, and all behind the name."""

    text: str
    name: str = ""
    arguments: tuple[str, ...] = ()


@dataclass
class _Frame:
    lines: Iterator[str]
    arguments: tuple[str, ...] = ()


@dataclass
class Roff:
    """The state of the machine. `native` names the macros whose meaning a page cannot change."""

    source: str
    native: frozenset[str]
    strings: dict[str, str] = field(default_factory=lambda: dict(_STRINGS))
    macros: dict[str, list[str]] = field(default_factory=dict)
    registers: dict[str, float] = field(default_factory=lambda: {".g": 1, ".H": 24, ".V": 40, ".l": 78, "F": 0})
    _letters: dict[str, str] = field(default_factory=dict)
    _frames: list[_Frame] = field(default_factory=list)
    _otherwise: list[bool] = field(default_factory=list)
    _budget: int = 0

    def __post_init__(self) -> None:
        self._frames = [_Frame(iter(joined_lines(self.source)))]
        self._budget = 4 * len(self.source) + MAX_GROWTH

    def lines(self) -> Iterator[Line]:
        """Text and calls in their order. Raises `Unreadable` where macros write without end."""
        while (raw := self._next()) is not None:
            if raw.startswith("\\*"):
                raw = self.interpolate(raw)  # a string may hold a request
            if raw[:1] in (".", "'"):
                yield from self._request(raw)
            else:
                yield Line(self.interpolate(raw).replace("\\}", ""))

    def raw_until(self, end: str) -> Iterator[str]:
        """The lines up to the request `end`, their strings put in; for tables and equations."""
        while (raw := self._next()) is not None:
            if raw[:1] in (".", "'") and raw[1:].strip() == end:
                return
            yield self.interpolate(raw)

    def _next(self) -> str | None:
        while self._frames:
            for raw in self._frames[-1].lines:
                self._spend(len(raw) + 1)
                return raw
            self._frames.pop()
        return None

    def _spend(self, characters: int) -> None:
        self._budget -= characters
        if self._budget < 0:
            raise Unreadable("parser_error", "the macros of the page write without end")

    def _request(self, raw: str) -> Iterator[Line]:
        found = _CONTROL.match(raw)
        name, rest = found.groups() if found else ("", "")
        if name in _HANDLERS:
            _HANDLERS[name](self, rest)
            return
        if name in self.macros:
            arguments = split_arguments(self.interpolate(rest))
            if len(self._frames) < MAX_MACRO_DEPTH:
                self._frames.append(_Frame(iter(self.macros[name]), arguments))
            return
        text = self.interpolate(rest).replace("\\}", "").replace("\\{", "")
        if name:
            yield Line(text, name, split_arguments(text))

    def interpolate(self, text: str) -> str:
        """The text with strings, number registers and arguments of the macro put in."""
        at = 0
        while (escape := text.find("\\", at)) >= 0:
            letter = text[escape + 1 : escape + 2]
            if letter not in ("*", "n", "$", "w"):
                at = escape + 2
                continue
            value, end = self._value(text, letter, escape + 2)
            self._spend(len(value) + 20 + (len(text) >> 6))
            text = text[:escape] + value + text[end:]
            at = escape if letter == "*" else escape + len(value)
        for character, other in self._letters.items():
            text = text.replace(character, other)
        return text

    def _value(self, text: str, letter: str, at: int) -> tuple[str, int]:
        if letter == "w":
            end = text.find(text[at : at + 1] or " ", at + 1)
            return (str(end - at - 1), end + 1) if end >= 0 else ("0", len(text))
        step = 0
        if letter == "n" and text[at : at + 1] in ("+", "-"):
            step = 1 if text[at] == "+" else -1
            at += 1
        name, end = name_at(text, at)
        if letter == "*":
            return self.strings.get(name.split(" ")[0], ""), end
        arguments = self._frames[-1].arguments if self._frames else ()
        if letter == "$":
            if name in ("*", "@"):
                return " ".join(f'"{each}"' if name == "@" else each for each in arguments), end
            return (arguments[int(name) - 1] if name.isdecimal() and 0 < int(name) <= len(arguments) else ""), end
        self.registers[name] = self.registers.get(name, 0) + step if name != ".$" else len(arguments)
        return f"{self.registers[name]:.0f}", end

    # ------------------------------------------------------------ requests

    def _define(self, rest: str, *, append: bool = False) -> None:
        name, _, end = rest.strip().partition(" ")
        end = end.strip() or "."
        body = self.macros.get(name, []) if append else []
        while (raw := self._next()) is not None and not (raw[:1] in (".", "'") and raw[1:].strip() == end):
            body.append(raw.replace("\\\\", "\\"))
        if name not in self.native:
            self.macros[name] = body

    def _ignore(self, rest: str) -> None:
        end = rest.strip() or "."
        while (raw := self._next()) is not None and raw[1:].strip() != end:
            pass

    def _set_string(self, rest: str, *, append: bool = False) -> None:
        name, _, value = rest.partition(" ")
        if name in _CODE_QUOTES:
            return
        value = value.lstrip(" ").removeprefix('"')
        self.strings[name] = (self.strings.get(name, "") if append else "") + value.replace("\\\\", "\\")
        self._spend(len(self.strings[name]))

    def _set_register(self, rest: str) -> None:
        name, _, value = self.interpolate(rest).partition(" ")
        value = value.strip()
        change = value[:1] in ("+", "-")
        number = evaluate(value[1:] if change else value)
        old = self.registers.get(name, 0) if change else 0
        self.registers[name] = max(min(old + (-number if value[:1] == "-" else number), 1e9), -1e9)

    def _remove(self, rest: str) -> None:
        for name in rest.split():
            self.macros.pop(name, None)
            self.strings.pop(name, None)

    def _translate(self, rest: str) -> None:
        self._letters |= _TRANSLATED.findall(rest)[:9]

    def _alias(self, rest: str) -> None:
        new, _, old = rest.strip().partition(" ")
        if old.strip() in self.macros and new not in self.native:
            self.macros[new] = self.macros[old.strip()]

    def _if(self, rest: str, *, alternative: bool = False) -> None:
        # What pages made from DocBook do for terminals draws a bullet; their other way says "list". Those made from
        # POD put quotes around the code in terms and headings; their other way sets it as code.
        rest = self.interpolate(rest)
        holds, then = self._condition(rest)
        if alternative:
            first = self._peek() if then.strip() in ("\\{", "\\{\\") else then
            holds = holds and not first.strip().removeprefix("\\{").startswith("\\h'-0")
            holds = holds and not (_QUOTED_TERM.match(then) and "\\f(C" in self._peek())
            self._otherwise.append(not holds)
        self._branch(then, holds)

    def _peek(self) -> str:
        raw = self._next() or ""
        self._frames.append(_Frame(iter([raw])))
        return raw

    def _else(self, rest: str) -> None:
        self._branch(rest, self._otherwise.pop() if self._otherwise else False)

    def _branch(self, then: str, holds: bool) -> None:
        then = then.lstrip(" ")
        if holds:
            line = then.replace("\\{", "", 1) if then.startswith("\\{") else then
            if line.strip():
                self._frames.append(
                    _Frame(iter([line.lstrip(" ")]), self._frames[-1].arguments if self._frames else ())
                )
            return
        depth = then.count("\\{") - then.count("\\}")
        while depth > 0 and (raw := self._next()) is not None:
            depth += raw.count("\\{") - raw.count("\\}")

    def _condition(self, text: str) -> tuple[bool, str]:
        """Whether a condition holds, and what follows it. The page is for a terminal (`n`)."""
        negated = text.startswith("!")
        text = text.removeprefix("!").lstrip(" ") if negated else text
        first = text[:1]
        if first in ("d", "r", "c", "m", "F", "S") and text[1:2] in (" ", "\\") and first:
            name, _, rest = text[1:].lstrip(" ").partition(" ")
            holds = (name in self.macros or name in self.strings or name in self.native) if first == "d" else False
            holds = name in self.registers if first == "r" else holds
        elif first in ("n", "t", "o", "e", "v") and not text[1:2].isalnum():
            holds, rest = first in "no", text[1:]
        elif first and not first.isdigit() and first not in "(-+.\\":
            one, two, rest = _split_three(text, first)
            holds = one == two
        else:
            end = _expression_end(text)
            holds, rest = evaluate(text[:end]) > 0, text[end:]
        return holds != negated, rest


_Handler = Callable[[Roff, str], None]
_HANDLERS: dict[str, _Handler] = {
    **dict.fromkeys(("de", "de1", "dei", "dei1"), Roff._define),
    **dict.fromkeys(("am", "am1"), lambda roff, rest: roff._define(rest, append=True)),
    **dict.fromkeys(("ds", "ds1"), Roff._set_string),
    **dict.fromkeys(("as", "as1"), lambda roff, rest: roff._set_string(rest, append=True)),
    **dict.fromkeys(("if", "while"), Roff._if),
    "ig": Roff._ignore,
    "nr": Roff._set_register,
    "rm": Roff._remove,
    "als": Roff._alias,
    "tr": Roff._translate,
    "ie": lambda roff, rest: roff._if(rest, alternative=True),
    "el": Roff._else,
}


def _split_three(text: str, mark: str) -> tuple[str, str, str]:
    """The two strings of a comparison between marks, and what follows."""
    one, _, rest = text[1:].partition(mark)
    two, _, rest = rest.partition(mark)
    return one, two, rest


def _expression_end(text: str) -> int:
    """Where a numeric expression ends: at the first space outside parentheses."""
    depth = 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if (character == " " and depth <= 0) or text.startswith("\\{", index):
            return index
    return len(text)
