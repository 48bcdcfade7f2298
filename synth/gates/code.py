"""Code of answers that does not stand in their sources byte for byte, open fences, and tokens that steer a model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.compiled import compiled, inner
from filters.junk.phrases import Table, look_up, table_of
from filters.stream import FENCE, TABLE, Bytes, Offsets, Stream
from synth.gates.lexicon import hash_of
from synth.gates.literals import AS_IT_IS, hash_span
from synth.gates.search import find, stands_across_lines

COUNTS = ("changed_code", "open_fences", "control_tokens")
_CHANGED, _OPEN, _TOKENS = range(3)

_SEARCHED = 64  # pieces of code that the source may lack; more are not looked for
_LONGEST_TOKEN = 48

# Besides all of `<|…|>` and of `<｜…｜>`.
_TOKENS_OF_MODELS = (
    "<s> </s> <bos> <eos> <pad> <unk> <start_of_turn> <end_of_turn> <think> </think> <tool_call> </tool_call> "
    "<tool_response> <start_of_image> [INST] [/INST] <<SYS>> <</SYS>> [SYSTEM_PROMPT] [/SYSTEM_PROMPT] [TOOL_CALLS] "
    "<system> </system> <assistant> </assistant>"
)
_TABLE = table_of({hash_of(token): 1 for token in _TOKENS_OF_MODELS.split()})


class Code(NamedTuple):
    """counts: shape (pairs, len(COUNTS)); examples: bytes in the answers' data of the first of each, shape
    (pairs, len(COUNTS), 2)."""

    counts: Offsets
    examples: Offsets


def compare(sources: Stream, rows: Offsets, answers: Stream) -> Code:
    """What answer i has that source rows[i] lacks."""
    found = Code(np.zeros((len(answers), len(COUNTS)), np.int64), np.zeros((len(answers), len(COUNTS), 2), np.int64))
    _compare(
        sources.data, sources.offsets, rows, answers.data, answers.offsets, answers.lines, answers.line_kinds,
        answers.line_offsets, _TABLE, found.counts, found.examples,
    )  # fmt: skip
    return found


@compiled
def _compare(
    data: Bytes,
    offsets: Offsets,
    rows: Offsets,
    texts: Bytes,
    text_offsets: Offsets,
    lines: Offsets,
    kinds: Bytes,
    line_offsets: Offsets,
    tokens: Table,
    counts: Offsets,
    examples: Offsets,
) -> None:
    for pair in range(len(rows)):
        begin, end = offsets[rows[pair]], offsets[rows[pair] + 1]
        stop = text_offsets[pair + 1]
        opened = -1
        for line in range(line_offsets[pair], line_offsets[pair + 1]):
            last = stop if line + 1 == line_offsets[pair + 1] else lines[line + 1]
            if kinds[line] == FENCE:
                if opened >= 0:
                    _judge(data, begin, end, texts, opened, lines[line], False, counts[pair], examples[pair])
                opened = last if opened < 0 else -1
            elif kinds[line] <= TABLE:
                _inline(data, begin, end, texts, lines[line], last, counts[pair], examples[pair])
        if opened >= 0:
            counts[pair, _OPEN] = 1
            _judge(data, begin, end, texts, opened, stop, False, counts[pair], examples[pair])
        _control_tokens(data, begin, end, texts, text_offsets[pair], stop, tokens, counts[pair], examples[pair])


@inner
def _judge(
    data: Bytes,
    begin: int,
    end: int,
    texts: Bytes,
    first: int,
    last: int,
    flows: bool,
    counts: Offsets,
    examples: Offsets,
) -> None:
    """Counts a piece of code that does not stand in the source, whatever white space is around it.

    What `flows` within a paragraph may have been broken into lines there, where a line break is a space.

    One option of a letter may stand there among others (`-xzf`): whether it does is told with other options.
    """
    while first < last and texts[first] <= 32:
        first += 1
    while last > first and texts[last - 1] <= 32:
        last -= 1
    if first == last or (last - first == 2 and texts[first] == 45):
        return
    if counts[_CHANGED] < _SEARCHED:
        if find(data, begin, end, texts, first, last, AS_IT_IS) >= 0:
            return
        if flows and stands_across_lines(data, begin, end, texts, first, last):
            return
    _count(_CHANGED, first, last, counts, examples)


@inner
def _count(column: int, first: int, last: int, counts: Offsets, examples: Offsets) -> None:
    if counts[column] == 0:
        examples[column, 0], examples[column, 1] = first, last
    counts[column] += 1


@inner
def _inline(
    data: Bytes, begin: int, end: int, texts: Bytes, at: int, last: int, counts: Offsets, examples: Offsets
) -> None:
    """Judges the code between runs of backticks, as long as each other, on a line (CommonMark 6.1)."""
    while at < last:
        if texts[at] != 96:
            at += 1
            continue
        first = at
        while at < last and texts[at] == 96:
            at += 1
        size, inside = at - first, at
        place, closing = at, -1
        while place < last and closing < 0:
            if texts[place] != 96:
                place += 1
                continue
            run = place
            while place < last and texts[place] == 96:
                place += 1
            if place - run == size:
                closing = run
        if closing < 0:
            return
        _judge(data, begin, end, texts, inside, closing, True, counts, examples)
        at = closing + size


@inner
def _control_tokens(
    data: Bytes,
    begin: int,
    end: int,
    texts: Bytes,
    at: int,
    last: int,
    tokens: Table,
    counts: Offsets,
    examples: Offsets,
) -> None:
    """Counts what steers a model and does not stand in the source."""
    while at < last:
        if texts[at] != 60 and texts[at] != 91:
            at += 1
            continue
        closing = np.uint8(62) if texts[at] == 60 else np.uint8(93)
        stop = at + 1
        while stop < last and stop - at < _LONGEST_TOKEN and texts[stop] != closing and texts[stop] > 32:
            stop += 1
        if stop == last or texts[stop] != closing:
            at += 1
            continue
        while stop + 1 < last and texts[stop + 1] == closing:
            stop += 1
        stop += 1
        barred = stop - at > 4 and (
            (texts[at + 1] == 124 and texts[stop - 2] == 124)
            or (texts[at + 1] == 0xEF and texts[at + 2] == 0xBD and texts[at + 3] == 0x9C)
        )
        if barred or look_up(tokens, hash_span(texts, at, stop, AS_IT_IS)):
            if counts[_TOKENS] >= _SEARCHED or find(data, begin, end, texts, at, stop, AS_IT_IS) < 0:
                _count(_TOKENS, at, stop, counts, examples)
            at = stop
        else:
            at += 1
