"""What leaks mean for their document: it goes, or what was copied is cut out of it."""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence

from filters.leaks.model import Leak, LeakLimits

_FENCE = re.compile(rb"[ >]*(`{3,}(?!`)|~{3,}(?!~))([^\n]*)")

Spans = list[tuple[int, int]]


def verdict(leaks: Sequence[Leak], settings: LeakLimits) -> list[Leak]:
    """The leaks that count, the strongest first; an answer alone never does."""
    counting = [leak for leak in leaks if leak.kind != "answer_only" and leak.score >= settings.threshold]
    return sorted(counting, key=lambda leak: (-leak.score, leak))


def cut(text: bytes, spans: Sequence[tuple[int, int]]) -> tuple[bytes, Spans]:
    """A Markdown text without the blocks that some spans touch, and where these stood: in order, without overlap."""
    if not spans:
        return text, []
    blocks = _blocks(text)
    starts = [start for start, _ in blocks]
    gone: Spans = []
    for start, end in sorted(spans):
        first = max(0, bisect.bisect_right(starts, start) - 1)
        last = max(first, bisect.bisect_left(starts, end) - 1)
        begin, stop = starts[first], blocks[last][1]
        if gone and begin <= gone[-1][1]:
            gone[-1] = (gone[-1][0], max(stop, gone[-1][1]))
        else:
            gone.append((begin, stop))
    pieces, at = [], 0
    for start, end in gone:
        pieces.append(text[at:start])
        at = end
    return b"".join([*pieces, text[at:]]), gone


def _blocks(text: bytes) -> Spans:
    """Blocks of a Markdown text with the blank lines behind them: whole fences, or lines up to a blank one."""
    blocks: Spans = []
    start = at = 0
    fence = b""
    blank = False
    for line in text.split(b"\n"):
        match = _FENCE.match(line)
        opens = match is not None and not fence and b"`" not in match.group(2)
        if at > start and (blank or opens) and line.strip(b" >\t\r\n") and not fence:
            blocks.append((start, at))
            start = at
        blank = not fence and not line.strip(b" >\t\r\n")
        if match is not None and opens:
            fence = match.group(1)
        elif match is not None and fence and match.group(1).startswith(fence) and not match.group(2).strip():
            fence, blank = b"", True
        at += len(line) + 1
    return [*blocks, (start, len(text))]
