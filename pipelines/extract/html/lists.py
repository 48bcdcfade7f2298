"""Lists, and terms with their definitions."""

from __future__ import annotations

from filters.compiled import inner
from pipelines.extract.html import writer as w
from pipelines.extract.html.collect import has_text, holds_code
from pipelines.extract.html.opened import (
    CLOSE_BLOCK,
    CLOSE_CONTAINER,
    CLOSE_ITEM,
    CLOSE_LIST,
    CLOSE_TERM,
    CLOSE_TERMS,
    Stack,
)
from pipelines.extract.html.roles import (
    ADMONITION,
    BLOCK,
    CODE,
    DROP,
    FOOTNOTE,
    HEADING,
    IMAGE,
    ITEM,
    KIND,
    NUMBERED,
    PREFORMATTED,
    QUOTED,
    SECTION,
    TABLE,
    TERM,
    TERMS,
)
from pipelines.extract.html.tree import LAST, START_AT, TEXT, VALUE, Page, value_of
from pipelines.extract.html.writer import Pen

MAX_NUMBER = 999_999_999  # nine digits: longer ones are no mark of a list
_TIGHT_DEPTH = 16  # lists in deeper containers are not looked through


_LOOSE = (PREFORMATTED, TABLE, QUOTED, TERMS, HEADING)


@inner
def open_list(page: Page, node: int, kind: int, pen: Pen, stack: Stack, top: int) -> tuple[int, int]:
    """Begins a list or an item. A list keeps its next number (-1: bullets), whether it has an
    item, whether it indents, and whether it is tight: bits from the third, and three bits.
    """
    parent = top - 1
    while parent >= 0 and stack.action[parent] == CLOSE_BLOCK:
        parent -= 1
    if kind == ITEM:
        return _open_item(page, node, pen, stack, parent)
    tight = pen.s[w.DEPTH] < _TIGHT_DEPTH and _is_tight(page, node)
    first = -1
    if kind == NUMBERED:
        first = _number_in(page, node, START_AT)
        first = 1 if first < 0 else first
    in_item = parent >= 0 and stack.action[parent] == CLOSE_ITEM
    in_list = parent >= 0 and stack.action[parent] == CLOSE_LIST
    w.block(pen, 1 if (in_item or in_list) and tight else 2)
    # A list right inside a list belongs to the item before it.
    if (
        in_list
        and stack.number[parent] & 4
        and not w.in_line(pen)
        and w.push_container(pen, w.IN_ITEM, 2, w.STARTED, 0)
    ):
        return CLOSE_LIST, 8 * first + 2 + tight
    return CLOSE_LIST, 8 * first + tight


@inner
def _open_item(page: Page, node: int, pen: Pen, stack: Stack, parent: int) -> tuple[int, int]:
    """Begins an item of the list at stack[parent], if it is one."""
    tight, value, is_first = True, -1, False
    if parent >= 0 and stack.action[parent] == CLOSE_LIST:
        is_first = not stack.number[parent] & 4
        tight = stack.number[parent] & 1 == 1
        value = stack.number[parent] >> 3
        own = _number_in(page, node, VALUE)
        if value >= 0:
            value = own if own >= 0 else value
            stack.number[parent] = 8 * min(value + 1, MAX_NUMBER) + (stack.number[parent] & 7)
        stack.number[parent] |= 4
    w.block(pen, 1 if tight else 2)
    if pen.s[w.FLAT]:
        return CLOSE_BLOCK, 1
    if pen.s[w.CELL]:
        w.before_word(pen)
        w.put(pen, 45)
        pen.s[w.SPACE] = 1
        return CLOSE_BLOCK, 1
    if is_first and value >= 0 and value != 1 and not w.is_fresh(pen):
        pen.s[w.NEED] = 2  # only a list from 1 on may follow a paragraph without an empty line
    if page.bits[node] & FOOTNOTE and value >= 0 and w.push_note(pen):
        w.label_number(pen, value)
        return CLOSE_CONTAINER, 1
    width = 2 + w.digits(value) if value >= 0 else 2
    container, mark = (w.IN_TIGHT_ITEM if tight else w.IN_ITEM), (w.NUMBER if value >= 0 else w.BULLET)
    if not w.push_container(pen, container, width, mark, value):
        return CLOSE_BLOCK, 1
    return CLOSE_ITEM, 1 if tight else 2


@inner
def _is_tight(page: Page, node: int) -> bool:
    """Whether no item of a list holds more than one paragraph, or code, a table, a quote or definitions."""
    item = node + 1
    while item < page.nodes[LAST, node]:
        paragraphs = 0
        words = False
        inside = 0  # up to this node, a block of the item goes on
        for i in range(item + 1, page.nodes[LAST, item]):
            kind = KIND[page.tag[i]]
            is_block = kind == BLOCK or kind == SECTION
            if i >= inside and is_block and page.nodes[LAST, i] > i + 1:
                paragraphs += 1
            if i >= inside and not words and page.tag[i] == TEXT and has_text(page, i):
                words = True
                paragraphs += 1
            if is_block or kind == ITEM or kind == HEADING:
                inside = max(inside, page.nodes[LAST, i])
            if paragraphs > 1 or kind in _LOOSE or page.bits[i] & (CODE | ADMONITION):
                return False
        item = page.nodes[LAST, item]
    return True


@inner
def _number_in(page: Page, node: int, which: int) -> int:
    """The number in an attribute; -1 if it has none."""
    begin, end = value_of(page, node, which)
    value = -1
    for k in range(max(begin, 0), min(max(end, 0), begin + 9)):
        if not 48 <= page.html[k] <= 57:
            break
        value = max(value, 0) * 10 + page.html[k] - 48
    return value


@inner
def _has_words(page: Page, node: int) -> bool:
    """Whether an element holds text, or an image, that is not dropped."""
    i = node + 1
    while i < page.nodes[LAST, node]:
        if page.tag[i] == TEXT:
            if has_text(page, i):
                return True
        elif page.bits[i] & DROP:
            i = page.nodes[LAST, i]
            continue
        elif KIND[page.tag[i]] == IMAGE:
            return True
        i += 1
    return False


@inner
def open_terms(page: Page, node: int, kind: int, pen: Pen, stack: Stack, top: int) -> tuple[int, int]:
    """Terms and definitions. A list of them inside a definition is one of bullets, each with a term and what it means.

    The number of an open list: 1 if it is such a list, 2 more if a bullet of it is open, 4 more behind a term.
    """
    if kind == TERMS:
        w.block(pen, 2)
        return CLOSE_TERMS, 1 if w.innermost(pen) == w.IN_DEFINITION else 0
    parent = top - 1
    while parent >= 0 and stack.action[parent] not in (CLOSE_TERMS, CLOSE_ITEM, CLOSE_CONTAINER):
        parent -= 1
    known = parent >= 0 and stack.action[parent] == CLOSE_TERMS
    state = stack.number[parent] if known else 0
    if w.in_line(pen):
        w.block(pen, 1)
        return CLOSE_BLOCK, 1
    if kind == TERM:
        if not _has_words(page, node):
            return CLOSE_BLOCK, 1
        return _open_term(page, node, pen, stack, parent if known else -1, state)
    w.block(pen, 1)
    if not known:
        return CLOSE_BLOCK, 1
    stack.number[parent] = state & ~4
    # One right inside another, without a term, goes no deeper: from four spaces on, a parser sees code.
    if w.innermost(pen) == w.IN_DEFINITION or not w.push_container(pen, w.IN_DEFINITION, 2, w.COLON, 0):
        return CLOSE_BLOCK, 1
    return CLOSE_CONTAINER, 1


@inner
def _open_term(page: Page, node: int, pen: Pen, stack: Stack, parent: int, state: int) -> tuple[int, int]:
    """Begins a term of the list at stack[parent], which is in that state; -1: of none."""
    w.block(pen, 1 if state & 4 else 2)
    if state & 1 and not state & 4:
        if state & 2:
            pen.s[w.DEPTH] -= 1
        state = state & ~2
        if w.push_container(pen, w.IN_ITEM, 2, w.BULLET, 0):
            state |= 2
    if parent >= 0:
        stack.number[parent] = state | 4
    if holds_code(page, node):
        return CLOSE_BLOCK, 1
    pen.s[w.FLAT] += 1
    return CLOSE_TERM, 0
