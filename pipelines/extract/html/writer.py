"""Lines of Markdown behind the marks of their lists and quotes: the state of the renderer and its compiled parts.

The state is one array of int64. Output that finds no room is counted and not written: who called asks again with a
larger buffer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.compiled import inlined, inner
from pipelines.extract.html.collect import entity, longest_run
from pipelines.extract.html.tree import Bytes, Longs

# State. LINE: where the text of the open line begins, -1 without one. NEED: line ends before the next line.
# RAW: the open line is prose, which may look like a mark. FLAT: inside a heading or a term,
# where blocks are spaces. CELL: inside a cell of a GFM table; DIRTY: it has text; BROKEN: a break is due.
# AFTER_LABEL: the label of a footnote was just left out.
(
    OUT,
    LINE,
    NEED,
    SPACE,
    RAW,
    FLAT,
    CELL,
    DIRTY,
    BROKEN,
    LEVEL,
    DEPTH,
    MARKS,
    MARKED,
    TABLE_MODE,
    COLUMN,
    COLUMNS,
    HEADER,
    CODE_END,
    STRONG_END,
    EMPHASIS_END,
    AFTER_LABEL,
    ALT_END,
) = range(22)
_CONTAINERS = 22  # per container: kind, width, pending mark, number
MAX_CONTAINERS = 48
_MARKS = _CONTAINERS + 4 * MAX_CONTAINERS
MAX_MARKS = 16
CARRY = _MARKS + 3 * MAX_MARKS  # rows that a cell above still reaches into, a column each
LABEL = CARRY + 64  # of the footnote that begins: its length, its bytes
MAX_LABEL = 32
SURVEY = LABEL + 1 + MAX_LABEL  # what `tables` counts of a table
STATE_SIZE = SURVEY + 16

# Kinds of containers.
IN_QUOTE, IN_ITEM, IN_DEFINITION, IN_TIGHT_ITEM = 1, 2, 3, 4
# Marks that wait for the first line of a container.
NO_MARK, BULLET, COLON, NUMBER, STARTED, NOTE = range(6)
# Marks around words.
NOTHING, STAR, STARS, LINKED = 0, 1, 2, 3


class Pen(NamedTuple):
    """What is written: out, uint8, as far as it has room; and the state, s."""

    out: Bytes
    s: Longs


_NEWLINE, _SPACE, _QUOTE, _STAR, _TICK, _PIPE, _BACKSLASH = 10, 32, 62, 42, 96, 124, 92


def new_pen(room: int) -> Pen:
    """A pen with room for that many bytes."""
    s = np.zeros(STATE_SIZE, np.int64)
    s[[LINE, CODE_END, STRONG_END, EMPHASIS_END, ALT_END]] = -1
    return Pen(np.empty(room, np.uint8), s)


@inlined
def put(pen: Pen, byte: int) -> None:
    if pen.s[OUT] < len(pen.out):
        pen.out[pen.s[OUT]] = byte
    pen.s[OUT] += 1


@inner
def digits(number: int) -> int:
    """How many digits a number has."""
    count = 1
    while number >= 10:
        number //= 10
        count += 1
    return count


@inner
def put_number(pen: Pen, number: int) -> None:
    power = 10 ** (digits(number) - 1)
    while power:
        put(pen, 48 + number // power % 10)
        power //= 10


@inner
def label_number(pen: Pen, number: int) -> None:
    """Makes a number the label of the footnote that begins."""
    pen.s[LABEL] = digits(number)
    for k in range(pen.s[LABEL], 0, -1):
        pen.s[LABEL + k] = 48 + number % 10
        number //= 10


@inner
def in_line(pen: Pen) -> bool:
    """Whether blocks cannot begin: in a heading, a term or a cell."""
    return pen.s[FLAT] > 0 or pen.s[CELL] > 0


@inner
def put_all(pen: Pen, text: Bytes, begin: int, end: int) -> None:
    for k in range(begin, end):
        put(pen, text[k])


# ---------------------------------------------------------------- containers: quotes, items, definitions


@inner
def push_container(pen: Pen, kind: int, width: int, mark: int, number: int) -> bool:
    """Opens a container; False, and nothing done, where too many are open."""
    if pen.s[DEPTH] >= MAX_CONTAINERS:
        return False
    at = _CONTAINERS + 4 * pen.s[DEPTH]
    pen.s[at], pen.s[at + 1], pen.s[at + 2], pen.s[at + 3] = kind, width, mark, number
    pen.s[DEPTH] += 1
    return True


@inner
def push_note(pen: Pen) -> bool:
    """Opens a footnote; inside a definition it goes no deeper, so that its fences stay fences."""
    return push_container(pen, IN_DEFINITION, 0 if innermost(pen) == IN_DEFINITION else 2, NOTE, 0)


@inner
def innermost(pen: Pen) -> int:
    """The kind of the innermost container; 0 without one."""
    return pen.s[_CONTAINERS + 4 * (pen.s[DEPTH] - 1)] if pen.s[DEPTH] else 0


@inner
def is_fresh(pen: Pen) -> bool:
    """Whether nothing was written yet in the innermost container."""
    return pen.s[DEPTH] > 0 and pen.s[_CONTAINERS + 4 * (pen.s[DEPTH] - 1) + 2] != STARTED


@inner
def _put_prefix(pen: Pen, depth: int) -> None:
    """What stands before a line in the first `depth` containers; marks that wait are written now."""
    for d in range(depth):
        at = _CONTAINERS + 4 * d
        mark = pen.s[at + 2]
        pen.s[at + 2] = STARTED
        if pen.s[at] == IN_QUOTE:
            put(pen, _QUOTE)
            put(pen, _SPACE)
        elif mark == BULLET:
            put(pen, 45)
            put(pen, _SPACE)
        elif mark == COLON:
            put(pen, 58)
            put(pen, _SPACE)
        elif mark == NUMBER:
            put_number(pen, pen.s[at + 3])
            put(pen, 46)
            put(pen, _SPACE)
        elif mark == NOTE and pen.s[LABEL]:
            put(pen, 91)
            put(pen, 94)
            for k in range(pen.s[LABEL]):
                put(pen, pen.s[LABEL + 1 + k])
            put(pen, 93)
            put(pen, 58)
            put(pen, _SPACE)
            pen.s[LABEL] = 0
        else:
            for _ in range(pen.s[at + 1]):
                put(pen, _SPACE)


@inner
def _put_blank(pen: Pen) -> None:
    """The marks of an empty line: those of the quotes that go on, and what stands between them."""
    depth = 0
    while depth < pen.s[DEPTH] and pen.s[_CONTAINERS + 4 * depth + 2] == STARTED:
        depth += 1
    while depth > 0 and pen.s[_CONTAINERS + 4 * (depth - 1)] != IN_QUOTE:
        depth -= 1
    if depth:
        _put_prefix(pen, depth)
        pen.s[OUT] -= 1  # the space behind the last `>`


# ---------------------------------------------------------------- lines and blocks


@inner
def _put_note_alone(pen: Pen, depth: int) -> None:
    """Writes the mark of the footnote in container `depth` on a line of its own: a block cannot stand behind it."""
    if pen.s[OUT]:
        put(pen, _NEWLINE)
        if pen.s[NEED] > 1:
            _put_blank(pen)
            put(pen, _NEWLINE)
    _put_prefix(pen, depth + 1)
    pen.s[OUT] -= 1  # the space behind the mark
    pen.s[NEED] = 2


@inner
def begin_line(pen: Pen, is_block: bool) -> None:
    """Opens a line behind the marks of its containers. is_block: it begins code, a table, a rule or a heading."""
    # No parser knows a block right behind a colon: it stands under its term, indented; but not behind the mark of an
    # item on the same line, whose text would begin farther in then.
    behind_mark = False
    for d in range(pen.s[DEPTH]):
        mark = pen.s[_CONTAINERS + 4 * d + 2]
        if mark == NOTE and pen.s[LABEL] and (is_block or d < pen.s[DEPTH] - 1):
            _put_note_alone(pen, d)
            continue
        if (mark == COLON or mark == NOTE) and (is_block or d < pen.s[DEPTH] - 1):
            pen.s[_CONTAINERS + 4 * d + 2] = NO_MARK
            pen.s[NEED] = 2
            if behind_mark:
                pen.s[_CONTAINERS + 4 * d + 1] = 0
        behind_mark |= mark == BULLET or mark == NUMBER
    if pen.s[OUT]:
        put(pen, _NEWLINE)
        if pen.s[NEED] > 1:
            _put_blank(pen)
            put(pen, _NEWLINE)
    _put_prefix(pen, pen.s[DEPTH])
    pen.s[NEED] = 0
    pen.s[LINE] = pen.s[OUT]
    pen.s[SPACE] = 0
    pen.s[RAW] = 0


@inner
def end_line(pen: Pen) -> None:
    """Ends the open line; if its text looks like the mark of a block, a backslash stops it from being one."""
    close_marks(pen, 0)
    if pen.s[RAW] and pen.s[OUT] <= len(pen.out):
        at = pen.s[LINE] + _digits_of_mark(pen.out, pen.s[LINE], pen.s[OUT])
        if at > pen.s[LINE] or _looks_like_mark(pen.out, pen.s[LINE], pen.s[OUT]):
            put(pen, 0)
            if pen.s[OUT] <= len(pen.out):
                for k in range(pen.s[OUT] - 1, at, -1):
                    pen.out[k] = pen.out[k - 1]
                pen.out[at] = _BACKSLASH
    pen.s[LINE] = -1
    pen.s[SPACE] = 0


@inner
def _digits_of_mark(out: Bytes, begin: int, end: int) -> int:
    """How many digits stand before the point or parenthesis of what would be an item's number; 0 if it is none."""
    k = begin
    while k < end and k < begin + 10 and 48 <= out[k] <= 57:
        k += 1
    if k == begin or k == begin + 10 or k == end or (out[k] != 46 and out[k] != 41):
        return 0
    return k - begin if k + 1 == end or out[k + 1] == _SPACE else 0


@inner
def block(pen: Pen, need: int) -> None:
    """A block begins or ends: the next text stands on a new line, `need` line ends below this one."""
    if pen.s[FLAT]:
        pen.s[SPACE] = 1
        return
    if pen.s[CELL]:
        pen.s[BROKEN] |= pen.s[DIRTY]
        pen.s[SPACE] = 0
        return
    if pen.s[LINE] >= 0:
        end_line(pen)
    pen.s[NEED] = max(pen.s[NEED], 1 if is_fresh(pen) or innermost(pen) == IN_TIGHT_ITEM else need)


@inner
def _looks_like_mark(out: Bytes, begin: int, end: int) -> bool:  # noqa: C901 - one case a mark
    """Whether a line would begin a heading, item, quote, fence, rule, underline or HTML that swallows others."""
    first = out[begin]
    size = end - begin
    k = 0
    if first == 35:  # #
        while k < size and out[begin + k] == 35:
            k += 1
        return k <= 6 and (k == size or out[begin + k] == _SPACE)
    if first == _QUOTE:
        return True
    if first == 43:  # +
        return size == 1 or out[begin + 1] == _SPACE
    if first == 45 or first == _STAR or first == 95 or first == 61:  # - * _ =
        if first != 95 and first != 61 and (size == 1 or out[begin + 1] == _SPACE):
            return True
        while k < size and (out[begin + k] == first or out[begin + k] == _SPACE):
            k += 1
        return k == size or (first == 45 and _is_delimiter(out, begin, end))
    if first == 126 or first == _TICK:  # ~ and backtick: a fence of three
        while k < size and out[begin + k] == first:
            k += 1
        if k < 3:
            return False
        if first == _TICK:
            for j in range(k, size):
                if out[begin + j] == _TICK:
                    return False
        return True
    if first == 60:  # <
        return size > 1 and (out[begin + 1] in (33, 47, 63) or 97 <= out[begin + 1] | 32 <= 122)
    if first == 91:  # [
        return _defines_a_link(out, begin, end)
    return (first == _PIPE or first == 58) and _is_delimiter(out, begin, end)


@inner
def _defines_a_link(out: Bytes, begin: int, end: int) -> bool:
    """Whether a line would define the target of a link, as `[1]: http://...` does: parsers show nothing of it."""
    k = begin + 1
    while k < end and out[k] != 93:
        k += 1
    return k > begin + 1 and out[begin + 1] != 94 and k + 1 < end and out[k + 1] == 58  # not `[^1]:`


@inner
def _is_delimiter(out: Bytes, begin: int, end: int) -> bool:
    """Whether a line is what stands below the header of a table."""
    bars = 0
    for k in range(begin, end):
        if out[k] != 45 and out[k] != 58 and out[k] != _PIPE and out[k] != _SPACE:
            return False
        bars += out[k] == _PIPE
    return bars > 0


# ---------------------------------------------------------------- words and the marks around them


@inner
def push_mark(pen: Pen, kind: int, begin: int, end: int) -> None:
    """Words follow that stand between marks; a link has its target in html[begin:end]. Written with the first word."""
    if pen.s[MARKS] < MAX_MARKS:
        at = _MARKS + 3 * pen.s[MARKS]
        for other in range(pen.s[MARKS]):
            if pen.s[_MARKS + 3 * other] == kind:
                kind = NOTHING
        pen.s[at], pen.s[at + 1], pen.s[at + 2] = kind, begin, end
    pen.s[MARKS] += 1


@inner
def _open_marks(pen: Pen) -> None:
    for mark in range(pen.s[MARKED], min(pen.s[MARKS], MAX_MARKS)):
        kind = pen.s[_MARKS + 3 * mark]
        # `**a****b**` is one.
        if kind == STARS and pen.s[STRONG_END] == pen.s[OUT]:
            pen.s[OUT] -= 2
        elif kind == STAR and pen.s[EMPHASIS_END] == pen.s[OUT]:
            pen.s[OUT] -= 1
        elif kind == LINKED:
            put(pen, 91)
        elif kind != NOTHING:
            for _ in range(kind):
                put(pen, _STAR)
    pen.s[MARKED] = min(pen.s[MARKS], MAX_MARKS)


@inner
def close_marks(pen: Pen, down_to: int) -> None:
    """Closes marks that are written, the last first; those that stay on the stack open again with the next word."""
    while pen.s[MARKED] > down_to:
        pen.s[MARKED] -= 1
        at = _MARKS + 3 * pen.s[MARKED]
        kind = pen.s[at]
        if kind == LINKED:
            put(pen, 93)
            put(pen, 40)
            pen.s[at] = NOTHING
            put(pen, 0)  # where the target stands: `render.py` puts it in
            put_number(pen, pen.s[at + 1])
            put(pen, 45)
            put_number(pen, pen.s[at + 2])
            put(pen, 0)
            put(pen, 41)
        elif kind != NOTHING:
            for _ in range(kind):
                put(pen, _STAR)
            if kind == STARS:
                pen.s[STRONG_END] = pen.s[OUT]
            else:
                pen.s[EMPHASIS_END] = pen.s[OUT]


@inner
def pop_mark(pen: Pen) -> None:
    pen.s[MARKS] -= 1
    if pen.s[MARKED] > pen.s[MARKS]:
        close_marks(pen, pen.s[MARKS])


@inner
def before_word(pen: Pen) -> None:
    """What is due before the next byte of a line: a new line, a break in a cell, a space, marks."""
    if pen.s[CELL]:
        if pen.s[BROKEN]:
            for byte in (60, 98, 114, 62):  # <br>
                put(pen, byte)
            pen.s[BROKEN] = 0
        elif pen.s[SPACE] and pen.s[DIRTY]:
            put(pen, _SPACE)
        pen.s[DIRTY] = 1
    elif pen.s[LINE] < 0:
        begin_line(pen, pen.s[LEVEL] > 0)
        if pen.s[LEVEL]:
            for _ in range(pen.s[LEVEL]):
                put(pen, 35)
            put(pen, _SPACE)
        else:
            pen.s[RAW] = 1
    elif pen.s[SPACE]:
        put(pen, _SPACE)
    pen.s[SPACE] = 0
    if pen.s[MARKED] < pen.s[MARKS]:
        _open_marks(pen)


@inner
def _drop_marks(pen: Pen) -> None:
    """Takes away the marks that would stand before a star: `**kwargs` in bold stays `**kwargs`."""
    for mark in range(pen.s[MARKED], min(pen.s[MARKS], MAX_MARKS)):
        pen.s[_MARKS + 3 * mark] = NOTHING


@inlined
def is_alphanumeric(byte: int) -> bool:
    return 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122


@inner
def put_alt(pen: Pen, html: Bytes, begin: int, end: int) -> None:
    """Writes the text that stands for an image; a space parts it from a word before or behind it."""
    if begin >= end:
        return
    if 0 < pen.s[OUT] <= len(pen.out) and is_alphanumeric(pen.out[pen.s[OUT] - 1]) and is_alphanumeric(html[begin]):
        pen.s[SPACE] = 1
    put_text(pen, html, begin, end)
    if is_alphanumeric(html[end - 1]):
        pen.s[ALT_END] = pen.s[OUT]


@inner
def put_text(pen: Pen, html: Bytes, begin: int, end: int) -> None:  # noqa: C901 - the hot loop of all prose
    """Writes prose: white space folded, entities decoded, controls, soft hyphens and zero-width spaces left out."""
    at = begin
    while at < end:
        byte = html[at]
        if byte <= _SPACE or byte == 127:
            pen.s[SPACE] |= byte <= _SPACE
            at += 1
            continue
        code = np.int64(byte)
        width = 1
        if byte == 38:
            code, width = entity(html, at, end)
        elif byte == 0xC2 and at + 1 < end:
            follows = html[at + 1]
            if follows < 0xA0 or follows == 0xAD:  # a control, a soft hyphen
                at += 2
                pen.s[SPACE] |= follows != 0xAD
                continue
            if follows == 0xA0:
                code, width = 160, 2
        elif byte == 0xE2 and at + 2 < end and html[at + 1] == 0x80:
            follows = html[at + 2]
            if follows == 0x8B:  # zero-width space
                at += 3
                continue
            if 0x80 <= follows <= 0x8A or 0xA8 <= follows <= 0xAA or follows == 0xAF:  # spaces, line separators
                code, width = 160, 3
        at += width
        if code == 160 and width > 1:
            pen.s[SPACE] = 1
            continue
        if pen.s[ALT_END] == pen.s[OUT] and is_alphanumeric(code):
            pen.s[SPACE] = 1
        if code == _STAR and pen.s[MARKED] < pen.s[MARKS]:
            _drop_marks(pen)
        if pen.s[SPACE] or pen.s[LINE] < 0 or pen.s[MARKED] < pen.s[MARKS] or pen.s[CELL]:
            before_word(pen)
            if code == _PIPE and pen.s[CELL]:
                put(pen, _BACKSLASH)
        put(pen, code)
        # The rest of the word, up to what needs a look.
        while at < end and _SPACE < html[at] < 127 and html[at] != 38 and html[at] != _PIPE:
            put(pen, html[at])
            at += 1


@inner
def put_code_span(pen: Pen, text: Bytes, size: int) -> None:
    """Writes inline code between enough backticks; two spans without a space between them become one."""
    if size == 0:
        return
    ticks = longest_run(text, size, _TICK) + 1
    joined = (
        pen.s[CODE_END] == pen.s[OUT]
        and pen.s[OUT] > 0
        and not pen.s[SPACE]
        and not pen.s[BROKEN]
        and ticks == 1
        and pen.s[LINE] >= 0
    )
    if joined and pen.s[MARKED] == min(pen.s[MARKS], MAX_MARKS):
        pen.s[OUT] -= 1
    else:
        before_word(pen)
        for _ in range(ticks):
            put(pen, _TICK)
        if text[0] == _TICK or text[size - 1] == _TICK:
            put(pen, _SPACE)
    for k in range(size):
        if pen.s[CELL] and text[k] == _PIPE:
            put(pen, _BACKSLASH)
        put(pen, text[k])
    if ticks > 1 and (text[0] == _TICK or text[size - 1] == _TICK):
        put(pen, _SPACE)
    for _ in range(ticks):
        put(pen, _TICK)
    pen.s[CODE_END] = pen.s[OUT] if ticks == 1 else -1


@inner
def put_lines(pen: Pen, text: Bytes, begin: int, end: int) -> None:
    """Writes lines as they are, each after the first behind the marks of its containers; empty ones without spaces."""
    for k in range(begin, end):
        put(pen, text[k])
        if text[k] == _NEWLINE:
            if k + 1 == end or text[k + 1] == _NEWLINE:
                _put_blank(pen)
            else:
                _put_prefix(pen, pen.s[DEPTH])


@inner
def put_fence(pen: Pen, text: Bytes, size: int, language: Bytes, begin: int, end: int) -> None:
    """Writes a block of code; its language is language[begin:end]."""
    block(pen, 2)
    begin_line(pen, True)
    ticks = max(3, longest_run(text, size, _TICK) + 1)
    for _ in range(ticks):
        put(pen, _TICK)
    put_all(pen, language, begin, end)
    put(pen, _NEWLINE)
    if size and text[size - 1] == _NEWLINE:
        size -= 1
    if size == 0 or text[0] == _NEWLINE:
        _put_blank(pen)
    else:
        _put_prefix(pen, pen.s[DEPTH])
    put_lines(pen, text, 0, size)
    put(pen, _NEWLINE)
    _put_prefix(pen, pen.s[DEPTH])
    for _ in range(ticks):
        put(pen, _TICK)
    pen.s[LINE] = -1
    pen.s[NEED] = 2
