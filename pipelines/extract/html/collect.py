"""The text of a subtree, as code or as one line: compiled, into a buffer that the caller gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from filters.compiled import compiled, inlined, inner
from pipelines.extract.html.roles import (
    BLOCK,
    BREAK,
    CELL,
    CODE,
    DEFINITION,
    DROP,
    HEADING,
    INLINE_CODES,
    ITEM,
    KIND,
    KINDS,
    LINE,
    NEVER,
    PREFORMATTED,
    QUOTED,
    ROW,
    SECTION,
    TERM,
)
from pipelines.extract.html.tree import INNER, LAST, START, STOP, TEXT, Bytes, Longs, Page, Tree, is_space

NEWLINE = 10
MAX_OPEN_BLOCKS = 256

BREAKS_LINE = np.zeros(len(KINDS), dtype=np.bool_)
BREAKS_LINE[[SECTION, BLOCK, ROW, ITEM, HEADING, QUOTED, TERM, DEFINITION, PREFORMATTED]] = True

# The state of a pad: bytes written, whether a line ended or a space stands before the next one, whether a line
# number was just left out, where open blocks end.
SIZE, ENDED, SPACED, GUTTER, UNTIL = range(5)


class Pad(NamedTuple):
    """Where text is collected: text, uint8, with room for all text of a page, and the state."""

    text: Bytes
    c: Longs


def new_pad(room: int) -> Pad:
    return Pad(np.empty(room + 64, np.uint8), np.zeros(STATE_SIZE, np.int64))


# What becomes of white space: all stays, as in a `pre`; all but that a no-break space is a space, as in its lines
# elsewhere; runs become one space, no-break spaces aside; all runs do.
EXACT, LINES, FOLDED, ONE_LINE = range(4)
STATE_SIZE = UNTIL + MAX_OPEN_BLOCKS


@inner
def entity(html: Bytes, at: int, end: int) -> tuple[int, int]:
    """The character that the entity at html[at] stands for, and its length; lexbor writes five. No entity: itself."""
    left = end - at
    if left >= 4 and html[at + 2] == 116 and html[at + 3] == 59:
        if html[at + 1] == 108:
            return 60, 4
        if html[at + 1] == 103:
            return 62, 4
    if left >= 5 and html[at + 1] == 97 and html[at + 2] == 109 and html[at + 3] == 112 and html[at + 4] == 59:
        return 38, 5
    if left >= 6 and html[at + 5] == 59:
        if html[at + 1] == 110 and html[at + 2] == 98 and html[at + 3] == 115 and html[at + 4] == 112:
            return 160, 6
        if html[at + 1] == 113 and html[at + 2] == 117 and html[at + 3] == 111 and html[at + 4] == 116:
            return 34, 6
    return 38, 1


@inlined
def _put(pad: Pad, byte: int) -> None:
    """Writes a byte, and before it the line end or the space that is due."""
    if pad.c[ENDED]:
        pad.c[ENDED] = 0
        pad.c[SPACED] = 0
        if byte != NEWLINE:
            pad.text[pad.c[SIZE]] = NEWLINE
            pad.c[SIZE] += 1
    if pad.c[SPACED]:
        pad.c[SPACED] = 0
        if pad.c[SIZE] > 0 and pad.text[pad.c[SIZE] - 1] != NEWLINE:
            pad.text[pad.c[SIZE]] = 32
            pad.c[SIZE] += 1
    pad.text[pad.c[SIZE]] = byte
    pad.c[SIZE] += 1


@inner
def _is_break_hint(html: Bytes, at: int, end: int) -> bool:
    """Whether a soft hyphen or a zero-width space stands at html[at]."""
    if html[at] == 0xC2:
        return at + 1 < end and html[at + 1] == 0xAD
    return html[at] == 0xE2 and at + 2 < end and html[at + 1] == 0x80 and html[at + 2] == 0x8B


@inner
def _put_text(html: Bytes, begin: int, end: int, how: int, pad: Pad) -> None:
    """Writes text, its entities decoded, line ends as in Unix, white space as `how` says."""
    at = begin
    while at < end:
        byte = np.int64(html[at])
        width = 1
        if byte == 38:
            byte, width = entity(html, at, end)
        elif byte == 0xC2 and at + 1 < end and html[at + 1] == 0xA0:
            byte, width = 160, 2
        elif how == ONE_LINE and _is_break_hint(html, at, end):
            at += 2 if byte == 0xC2 else 3  # where a line may break
            continue
        at += width
        no_break = width > 1 and byte == 160
        if pad.c[GUTTER]:
            pad.c[GUTTER] = 0
            if no_break:  # between the number of a line and the line
                continue
        if no_break and how == EXACT:
            _put(pad, 0xC2)
            _put(pad, 0xA0)
            continue
        if no_break:
            byte = 32
        if byte == 13:
            if at < end and html[at] == NEWLINE:
                continue
            byte = NEWLINE
        if is_space(byte) and (how == ONE_LINE or (how == FOLDED and not no_break)):
            pad.c[SPACED] = 1
        else:
            _put(pad, byte)


@inner
def _survey(page: Page, node: int) -> tuple[bool, bool, bool]:
    """Whether elements mark the lines of a block, whether nothing else does, whether each `br` has a line end."""
    lines, breaks, doubled, ends = 0, 0, 0, 0
    i = node + 1
    while i < page.nodes[LAST, node]:
        if page.bits[i] & DROP:
            i = page.nodes[LAST, i]
            continue
        if page.tag[i] == TEXT:
            for k in range(page.nodes[START, i], page.nodes[INNER, i]):
                ends += page.html[k] == NEWLINE
        elif KIND[page.tag[i]] == BREAK:
            breaks += 1
            if (
                i + 1 < page.nodes[LAST, node]
                and page.tag[i + 1] == TEXT
                and page.html[page.nodes[START, i + 1]] == NEWLINE
            ):
                doubled += 1
        elif page.bits[i] & LINE:
            lines += 1
        i += 1
    return (
        lines > 0,
        lines > 1 and ends == 0 and breaks == 0,
        breaks > 0 and breaks == doubled and KIND[page.tag[node]] == PREFORMATTED,
    )


@inner
def is_code_block(page: Page, node: int) -> bool:
    """Whether an element is a block of code: a `pre`, one marked so with none in it, or inline code with breaks."""
    kind = KIND[page.tag[node]]
    if kind == PREFORMATTED:
        return True
    if not page.bits[node] & CODE and kind != INLINE_CODES:
        return False
    broken = False
    i = node + 1
    while i < page.nodes[LAST, node]:
        if page.tag[i] != TEXT and page.bits[i] & DROP:
            i = page.nodes[LAST, i]
            continue
        if KIND[page.tag[i]] == PREFORMATTED:
            return False
        broken |= KIND[page.tag[i]] == BREAK and i > node + 1 and i + 1 < page.nodes[LAST, node]
        i += 1
    return broken or page.bits[node] & CODE != 0


@inner
def holds_code(page: Page, node: int) -> bool:
    """Whether a heading or a term holds a block of code: it stays a block, and cannot be a line."""
    i = node + 1
    while i < page.nodes[LAST, node]:
        if page.bits[i] & DROP or KIND[page.tag[i]] == NEVER:
            i = page.nodes[LAST, i]
            continue
        if is_code_block(page, i):
            return True
        i += 1
    return False


@inner
def has_text(page: Page, node: int) -> bool:
    """Whether a text is more than white space."""
    for k in range(page.nodes[START, node], page.nodes[INNER, node]):
        if not is_space(page.html[k]):
            return True
    return False


@inner
def code_text(page: Page, node: int, pad: Pad) -> int:  # noqa: C901 - one loop with one state
    """Writes the text of a block of code as a browser shows it, line ends as in Unix; returns its length.

    In a `pre`, and in the lines of other blocks, every space counts; elsewhere white space is one space.
    Elements that are blocks end lines, and `br` does. A no-break space outside `pre` is a space.
    """
    pre = KIND[page.tag[node]] == PREFORMATTED
    has_lines, only_lines, doubled = _survey(page, node)
    end = page.nodes[LAST, node]
    exact_until = end if pre else node
    pad.c[SIZE] = pad.c[ENDED] = pad.c[SPACED] = pad.c[GUTTER] = 0
    top = 0
    i = node + 1
    while i <= end:
        while top > 0 and pad.c[UNTIL + top - 1] <= i:
            top -= 1
            pad.c[ENDED] |= pad.c[SIZE] > 0 and pad.text[pad.c[SIZE] - 1] != NEWLINE
        if i == end:
            break
        kind = KIND[page.tag[i]]
        if page.tag[i] == TEXT:
            if i < exact_until or not has_lines:
                how = EXACT if pre else (LINES if i < exact_until else FOLDED)
                _put_text(page.html, page.nodes[START, i], page.nodes[INNER, i], how, pad)
            i += 1
            continue
        if page.bits[i] & DROP or kind == NEVER:
            pad.c[GUTTER] = not pre
            i = page.nodes[LAST, i]
            continue
        is_line = page.bits[i] & LINE and (only_lines or not pre)
        if page.bits[i] & LINE:
            exact_until = max(exact_until, page.nodes[LAST, i])
        if kind == BREAK:
            if not doubled:
                pad.c[SPACED] = 0
                _put(pad, NEWLINE)
        elif kind == CELL and not pre:
            pad.c[SPACED] = 1
        elif (is_line or BREAKS_LINE[kind]) and top < MAX_OPEN_BLOCKS:
            if _is_empty(page, i):  # a line without text
                pad.c[SPACED] = 0
                ended = pad.c[ENDED]
                if ended or pad.c[SIZE] == 0 or pad.text[pad.c[SIZE] - 1] == NEWLINE:
                    _put(pad, NEWLINE)
                pad.c[ENDED] = ended or (pad.c[SIZE] > 1 and page.nodes[LAST, i] == i + 1)
                i = page.nodes[LAST, i]
                continue
            pad.c[ENDED] |= pad.c[SIZE] > 0 and pad.text[pad.c[SIZE] - 1] != NEWLINE
            pad.c[UNTIL + top] = page.nodes[LAST, i]
            top += 1
        i += 1
    return pad.c[SIZE] if pre else _without_blanks(pad.text, pad.c[SIZE])


@inner
def _is_empty(page: Page, node: int) -> bool:
    """Whether nothing below an element is shown but a line end."""
    i = node + 1
    while i < page.nodes[LAST, node]:
        if KIND[page.tag[i]] == BREAK:
            return False
        if page.tag[i] == TEXT:
            for k in range(page.nodes[START, i], page.nodes[INNER, i]):
                if page.html[k] != NEWLINE:
                    return False
        i = page.nodes[LAST, i] if page.bits[i] & DROP else i + 1
    return True


@inner
def _without_blanks(text: Bytes, size: int) -> int:
    """Empties the lines that hold nothing but spaces; returns the new length."""
    kept = 0
    begin = 0
    for k in range(size):
        text[kept] = text[k]
        kept += 1
        if text[k] == NEWLINE:
            begin = kept
        elif text[k] != 32:
            begin = -1
        elif begin >= 0 and (k + 1 == size or text[k + 1] == NEWLINE):
            kept = begin
    return kept


@inner
def line_text(page: Page, node: int, pad: Pad) -> int:
    """Writes the text of a subtree as one line, white space folded, none around it; returns its length."""
    pad.c[SIZE] = pad.c[ENDED] = pad.c[SPACED] = pad.c[GUTTER] = 0
    i = node + 1
    while i < page.nodes[LAST, node]:
        kind = KIND[page.tag[i]]
        if page.tag[i] == TEXT:
            _put_text(page.html, page.nodes[START, i], page.nodes[INNER, i], ONE_LINE, pad)
        elif page.bits[i] & DROP or kind == NEVER:
            i = page.nodes[LAST, i]
            continue
        elif kind == BREAK or kind == CELL or BREAKS_LINE[kind]:
            pad.c[SPACED] = 1
        i += 1
    size = pad.c[SIZE]
    while size > 0 and pad.text[size - 1] == 32:
        size -= 1
    begin = 0
    while begin < size and pad.text[begin] == 32:
        begin += 1
    for k in range(begin, size):
        pad.text[k - begin] = pad.text[k]
    return size - begin


@inner
def longest_run(text: Bytes, size: int, byte: int) -> int:
    """The length of the longest run of a byte."""
    longest, run = 0, 0
    for k in range(size):
        run = run + 1 if text[k] == byte else 0
        longest = max(longest, run)
    return longest


@compiled
def _code_text(page: Page, node: int, pad: Pad) -> int:
    return code_text(page, node, pad)


@compiled
def _line_text(page: Page, node: int, pad: Pad) -> int:
    return line_text(page, node, pad)


def block_text(tree: Tree, bits: Longs, node: int) -> str:
    """The text of a block of code, as it is."""
    return _collected(_code_text, tree, bits, node)


def text_of(tree: Tree, bits: Longs, node: int) -> str:
    """The text of a subtree as one line."""
    return _collected(_line_text, tree, bits, node)


def _collected(write: Callable[[Page, int, Pad], int], tree: Tree, bits: Longs, node: int) -> str:
    pad = new_pad(int(tree.nodes[STOP, node] - tree.nodes[START, node]))
    size = write(Page(tree.html, tree.nodes, tree.tag, bits), node, pad)
    return pad.text[:size].tobytes().decode("utf-8", "replace")
