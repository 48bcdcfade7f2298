"""Pure gates over a request's document and its response: each says why an answer does not count."""

from __future__ import annotations

import json
import re

import numpy as np
import pyarrow as pa

from filters.shingles import shingles_of
from filters.stream import read_stream

_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)*(?![\w.]*\d)")
_OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")
_REFUSAL = re.compile(r"\b(?:as an ai|i cannot|i can['\u2019]t|i['\u2019]m sorry|i am unable)\b", re.IGNORECASE)
_FENCE = re.compile(r"^[ ]{0,3}(?:`{3,}|~{3,})", re.MULTILINE)
_SHINGLE_WORDS = 5


def answer_of(body: bytes) -> tuple[str, str]:
    """(text, finish reason) of a chat completion."""
    choice = json.loads(body)["choices"][0]
    text = (choice["message"]["content"] or "").strip() + "\n"
    # JSON can spell halves of characters, which no text may hold.
    return text.encode("utf-8", "replace").decode(), str(choice.get("finish_reason") or "")


def failures(source: str, text: str, finish: str, max_copy_share: float) -> list[tuple[str, str]]:
    """The gates that an answer fails, in a fixed order, each with the value that failed; none: it counts."""
    failed: list[tuple[str, str]] = []
    if not text.strip():
        failed.append(("empty", finish))
    if finish != "stop":
        failed.append(("unfinished", finish))
    if _REFUSAL.search(text[:400]):
        failed.append(("refusal", ""))
    if len(_FENCE.findall(text)) % 2:
        failed.append(("broken_format", "a code fence is not closed"))
    for name, pattern in (("invented_number", _NUMBER), ("invented_option", _OPTION)):
        invented = sorted(set(pattern.findall(text)) - set(pattern.findall(source)))
        # Steps and questions are numbered: small whole numbers alone prove nothing.
        invented = [each for each in invented if not (each.isdigit() and int(each) <= 20)]
        if invented:
            failed.append((name, invented[0]))
    share = copy_share(source, text)
    if share > max_copy_share:
        failed.append(("copied", f"{share:.3f}"))
    return failed


def copy_share(source: str, text: str) -> float:
    """Share of the answer's word 5-grams that stand in the source."""
    stream = read_stream(pa.array([source, text], pa.large_string()))
    hashes, (_, middle, _) = shingles_of(stream, _SHINGLE_WORDS)
    before, after = hashes[:middle], hashes[middle:]
    return float(np.isin(after, before).mean()) if len(after) else 0.0
