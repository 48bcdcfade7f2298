"""Brackets of wikitext that nest: from the innermost outwards, in one pass."""

from __future__ import annotations

import re
from collections.abc import Callable

#: What is nested deeper is dropped; MediaWiki's own limit for templates is 40.
MAX_DEPTH = 40


def replace_nested(text: str, opening: str, closing: str, replace: Callable[[str, str], str]) -> str:
    """The text with `replace(inside, before)` for each bracketed part, `before` the text on its left.

    Brackets without a partner stay.
    """
    stack: list[list[str]] = [[]]
    for token in re.split(f"({re.escape(opening)}|{re.escape(closing)})", text):
        if token == opening:
            stack.append([])
        elif token == closing and len(stack) > 1:
            inside = stack.pop()
            if len(stack) <= MAX_DEPTH:
                before = next((part for part in reversed(stack[-1]) if part), "")
                stack[-1].append(replace("".join(inside), before))
        elif token:
            stack[-1].append(token)
    out = stack[0]
    for level in stack[1:]:
        out += [opening, *level]
    return "".join(out)
