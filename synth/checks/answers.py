"""Answers that are JSON: read, and held against the schema that the teacher was given."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from synth.schema import departure

#: Characters of an answer that is read at all.
_LONGEST = 200_000

_FENCE = re.compile(r"\A\s{0,100}```(?:json)?[ \t]{0,20}\n(.{0,200000}?)\n[ \t]{0,20}```\s{0,100}\Z", re.DOTALL)
_BLOCK_BEGINS = re.compile(r"\A(?:#{1,6}+(?: |\Z)|>|[-*+] |[0-9]{1,9}[.)] |`{3,}+|~{3,}+|[-*_]{3,}+|\||=| )++")
_BACKTICKS = re.compile(r"`{3,}")


def read_json(answer: str, schema: Mapping[str, Any] | None) -> tuple[Any, list[tuple[str, str]]]:
    """The value that an answer holds, a fence around it or not; why it is none: reason broken_json, or schema."""
    if len(answer) > _LONGEST:
        return None, [("broken_json", f"more than {_LONGEST:,} characters")]
    fenced = _FENCE.match(answer)
    try:
        value = json.loads(fenced[1] if fenced else answer, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        return None, [("broken_json", str(error)[:100])]
    wrong = departure(value, schema) if schema else ""
    return (None, [("schema", wrong)]) if wrong else (value, [])


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def sentence(text: str) -> str:
    """A text as one line, so that it cannot begin a heading, a list or a fence."""
    return _BLOCK_BEGINS.sub("", " ".join(text.split()))


def fenced(code: str, language: str) -> str:
    """Code in a fence that is longer than any run of backticks in it."""
    longest = max((len(run) for run in _BACKTICKS.findall(code)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{code.strip(chr(10))}\n{fence}"
