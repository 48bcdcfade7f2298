"""Parts of lines of roff: arguments, numeric expressions, comments and lines that go on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_ARGUMENT = re.compile(r'"((?:[^"]|"")*)"?|((?:\\ |[^ ])+)')
_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b if b else 0,
    "%": lambda a, b: a % b if b else 0,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "&": lambda a, b: a > 0 and b > 0,
    ":": lambda a, b: a > 0 or b > 0,
}
_TOKEN = re.compile(r"(\d*\.?\d+)[a-zA-Z]?|([<>=]=|[-+*/%<>=&:()])")


def evaluate(text: str) -> float:
    """A numeric expression, from left to right as roff does it; what is no expression is 0."""
    stack: list[tuple[float, str]] = []
    value, operator, sign = 0.0, "+", 1.0
    expect = True
    for number, mark in _TOKEN.findall(text[:1000]):
        if mark == "(":
            stack.append((value, operator))
            value, operator, sign, expect = 0.0, "+", 1.0, True
        elif expect and mark in ("-", "+"):
            sign = -sign if mark == "-" else sign
        elif number or (mark == ")" and stack):
            operand = sign * float(number) if number else value
            if mark:
                value, operator = stack.pop()
            value = float(_OPERATORS[operator](value, operand))
            sign, expect = 1.0, False
        elif mark != ")":
            operator, sign, expect = mark, 1.0, True
    return value


def split_arguments(text: str) -> tuple[str, ...]:
    """The arguments of a macro: words, or what stands between double quotes."""
    arguments = []
    for found in _ARGUMENT.finditer(text):
        quoted, word = found.groups()
        arguments.append(quoted.replace('""', '"') if quoted is not None else word)
    return tuple(arguments)


def joined_lines(source: str) -> Iterator[str]:
    """The lines of a page without comments; a line that ends with a backslash goes on in the next."""
    parts: list[str] = []
    for line in source.split("\n"):
        kept, ends = _without_comment(line)
        parts.append(kept)
        if ends == "joined":
            continue
        whole = "".join(parts)
        parts = []
        if ends != "comment" or whole.strip(" .'\t"):
            yield whole
    if parts:
        yield "".join(parts)


def _without_comment(line: str) -> tuple[str, str]:
    """A line without its comment, and how it ends: in a `comment`, `joined` with the next, or plainly."""
    at = line.find("\\")
    while at >= 0:
        letter = line[at + 1 : at + 2]
        if letter == '"':
            kept = line[:at]
            return (kept.rstrip(" \t") if kept[:1] in (".", "'") else kept), "comment"
        if letter == "#":
            return line[:at], "joined"
        if not letter:
            return line[:at], "joined"
        at = line.find("\\", at + 2)
    return line, ""
