"""A tree to Markdown, in one compiled walk over its nodes.

Conventions: CommonMark, GFM tables, `term` and `: definition`, admonitions as quotes with a bold title. Prose
is escaped only where a line would begin a block. Code stands between fences byte for byte, its lines behind
the marks of the lists and quotes that it is in.
"""

from __future__ import annotations

import html as entities
import re
from functools import partial
from typing import NamedTuple
from urllib.parse import quote

import numpy as np

from filters.compiled import compiled, inner
from pipelines.extract.html import writer as w
from pipelines.extract.html.collect import Pad, code_text, holds_code, is_code_block, line_text, new_pad
from pipelines.extract.html.footnotes import keep_label, open_footnote, put_footnote_mark
from pipelines.extract.html.lists import open_list, open_terms
from pipelines.extract.html.opened import (
    CLOSE_BLOCK,
    CLOSE_CELL,
    CLOSE_CONTAINER,
    CLOSE_HEADING,
    CLOSE_ITEM,
    CLOSE_LIST,
    CLOSE_MARK,
    CLOSE_ROW,
    CLOSE_ROW_ITEM,
    CLOSE_TABLE,
    CLOSE_TERM,
    CLOSE_TERMS,
    CLOSE_TITLE,
    MAX_OPEN,
    Stack,
)
from pipelines.extract.html.roles import (
    ADMONITION,
    ADMONITION_TITLE,
    BLOCK,
    BREAK,
    CAPTION,
    CELL,
    CLASSIFIER,
    DEFINITION,
    DROP,
    EMPHASIS,
    FOOTNOTE,
    FOOTNOTE_LABEL,
    FOOTNOTE_MARK,
    FORMULA,
    HEADING,
    IMAGE,
    INLINE_CODE,
    INLINE_CODES,
    ITEM,
    KIND,
    LINK,
    LINKS,
    LIST,
    NEVER,
    NOSCRIPT,
    NUMBERED,
    PLACED,
    PREFORMATTED,
    QUOTE,
    QUOTED,
    RAISED,
    ROW,
    RULE,
    SECTION,
    STRONG,
    TABLE,
    TERM,
    TERMS,
    TITLE,
)
from pipelines.extract.html.tables import GFM, close_cell, close_row, close_table, open_table
from pipelines.extract.html.tree import (
    ALT,
    HREF,
    INNER,
    LAST,
    PARENT,
    START,
    STOP,
    TAG,
    TEXT,
    TITLE_TEXT,
    Bytes,
    Ints,
    Longs,
    Page,
    Tree,
    value_of,
)
from pipelines.extract.html.writer import Pen
from pipelines.extract.page import Unreadable

# What stands for a node: the language of a block of code, the TeX of a formula, or its Markdown.
AS_CODE, AS_FORMULA, AS_FORMULA_BLOCK, AS_MARKDOWN = 1, 2, 3, 4

MIN_NOSCRIPT = 500  # bytes: a page for readers without scripts, not a notice
MAX_EXPONENT = 6
MAX_GROWTH = 16
FIGURE_LEVELS = 3  # above an image
_H1 = TAG["h1"]
_P = TAG["p"]
_FIGURE, _FIGCAPTION = TAG["figure"], TAG["figcaption"]
_SCHEMES = tuple(np.frombuffer(scheme, np.uint8) for scheme in (b"http://", b"https://"))
_LINK = re.compile(rb"(?:\[([^\[\]\n]*))?\]\(\0(\d+)-(\d+)\0\)")
_LINE_ENDS = {9: None, 10: None, 13: None}  # as URLs are read: WHATWG URL, 4.1
_IN_TARGETS = "!#$%&'*+,-./:;=?@[]_~"  # what a target may hold as it is; brackets and pipes end it or its cell


class Places(NamedTuple):
    """What stands for nodes, in page order: node k[i] is written as kind[i] with text[at[i] : at[i + 1]]."""

    node: Ints
    kind: Ints
    at: Ints
    text: Bytes


def render(tree: Tree, bits: Longs, root: int, places: Places) -> bytes:
    """The Markdown of a node and what is below it: UTF-8, without the line end behind the last line.

    The targets of the links that `mark_links` marked are kept.

    Raises `Unreadable` with `too_large` where the marks of nested lists and quotes make many times more of it.
    """
    page = Page(tree.html, tree.nodes, tree.tag, bits)
    pad = new_pad(len(tree.html))
    stack = Stack(np.empty(MAX_OPEN, np.int32), np.empty(MAX_OPEN, np.int32), np.empty(MAX_OPEN, np.int64))
    room = 2 * int(tree.nodes[STOP, root] - tree.nodes[START, root]) + 256
    while True:
        pen = w.new_pen(room)
        size = _walk(page, root, places, pen, pad, stack)
        if size <= room:
            out = pen.out[:size].tobytes()
            return _LINK.sub(partial(_linked, tree.html), out) if b"\0" in out else out
        if size > MAX_GROWTH * len(tree.html) + (1 << 20):
            raise Unreadable("too_large", f"{size} bytes of Markdown from {len(tree.html)} bytes of HTML")
        room = size


def mark_links(tree: Tree, bits: Longs) -> None:
    """Marks the links whose targets can stand in a text that left its page: the absolute ones, of http and https."""
    _mark_links(Page(tree.html, tree.nodes, tree.tag, bits), *_SCHEMES)


@compiled
def _mark_links(page: Page, plain: Bytes, secure: Bytes) -> None:
    for i in range(len(page.tag)):
        if KIND[page.tag[i]] == LINK:
            begin, end = value_of(page, i, HREF)
            if _begins_with(page.html, begin, end, plain) or _begins_with(page.html, begin, end, secure):
                page.bits[i] |= LINKS


@inner
def _begins_with(html: Bytes, begin: int, end: int, letters: Bytes) -> bool:
    """Whether html[begin:end] begins with letters, and is more than these; in any case."""
    k = 0
    while k < len(letters) and begin + k < end and html[begin + k] | 32 == letters[k] | 32:
        k += 1
    return k == len(letters) and begin + k < end


def _linked(html: Bytes, match: re.Match[bytes]) -> bytes:
    """A link whose target stands at match's two offsets in html; a text that is its target alone is an autolink."""
    text, begin, end = match[1], int(match[2]), int(match[3])
    target = entities.unescape(html[begin:end].tobytes().decode("utf-8", "replace")).strip().translate(_LINE_ENDS)
    written = quote(target, safe=_IN_TARGETS).encode()
    if text == written:
        return b"<" + written + b">"
    return (b"" if text is None else b"[" + text) + b"](" + written + b")"


def find_places(tree: Tree, bits: Longs, root: int) -> Ints:
    """The nodes below a root that are blocks of code or formulas, the outermost of each, in page order."""
    found = np.empty(len(tree.tag), dtype=np.int32)
    return found[: _find_places(Page(tree.html, tree.nodes, tree.tag, bits), root, found)]


@compiled
def _find_places(page: Page, root: int, found: Ints) -> int:
    count = 0
    i = root
    while i < page.nodes[LAST, root]:
        is_out = page.bits[i] & DROP and i != root
        if page.tag[i] == TEXT:
            i += 1
        elif page.bits[i] & FORMULA or (not is_out and is_code_block(page, i)):
            found[count] = i
            count += 1
            i = page.nodes[LAST, i]
        else:
            i = page.nodes[LAST, i] if is_out or KIND[page.tag[i]] == NEVER else i + 1
    return count


@compiled
def _walk(page: Page, root: int, places: Places, pen: Pen, pad: Pad, stack: Stack) -> int:  # noqa: C901 - the one loop over nodes
    """Writes the Markdown of a root; returns its length, which may be more than the pen has room for."""
    top = 0
    place = 0
    i = root
    end = page.nodes[LAST, root]
    while True:
        while top > 0 and page.nodes[LAST, stack.node[top - 1]] <= i:
            top -= 1
            _close(pen, stack.action[top], stack.number[top])
        if i >= end:
            break
        kind = KIND[page.tag[i]]
        while place < len(places.node) and places.node[place] < i:
            place += 1
        if page.tag[i] == TEXT:
            if not page.bits[i] & DROP:
                _put_text(page, i, pen)
        elif place < len(places.node) and places.node[place] == i:
            _put_place(page, i, places, place, pen, pad)
            i = page.nodes[LAST, i]
            continue
        elif _is_left_out(page, i, kind, root) or top + 1 >= MAX_OPEN:
            i = page.nodes[LAST, i]
            continue
        elif (page.bits[i] or kind) and not (i == root and kind == QUOTED):
            if _put_whole(page, i, kind, pen, pad):
                i = page.nodes[LAST, i]
                continue
            action, value = _open(page, i, kind, pen, pad, stack, top)
            if action:
                stack.node[top], stack.action[top], stack.number[top] = i, action, value
                top += 1
            if page.bits[i] & INLINE_CODE and _holds_a_span(kind) and not holds_code(page, i):
                w.put_code_span(pen, pad.text, line_text(page, i, pad))
                i = page.nodes[LAST, i]
                continue
        i += 1
    w.block(pen, 1)
    return pen.s[w.OUT]


@inner
def _is_left_out(page: Page, node: int, kind: int, root: int) -> bool:
    """Whether an element is no text: chrome, unless it is the root itself, or a notice for readers without scripts."""
    if kind == NOSCRIPT:
        return page.nodes[STOP, node] - page.nodes[START, node] < MIN_NOSCRIPT
    return (page.bits[node] & DROP and node != root) or kind == NEVER


@inner
def _put_text(page: Page, node: int, pen: Pen) -> None:
    """Writes a text; behind the label of a footnote, what parts them is left out."""
    begin, end = page.nodes[START, node], page.nodes[INNER, node]
    while pen.s[w.AFTER_LABEL] and begin < end and (page.html[begin] <= 32 or page.html[begin] in (41, 46, 58, 93)):
        begin += 1
    pen.s[w.AFTER_LABEL] &= begin == end
    w.put_text(pen, page.html, begin, end)


@inner
def _holds_a_span(kind: int) -> bool:
    """Whether an element marked as inline code is a block: its text is a span of code in it."""
    return kind in (TERM, CELL, HEADING, BLOCK, SECTION, ITEM, DEFINITION, CAPTION)


@inner
def _put_place(page: Page, node: int, places: Places, place: int, pen: Pen, pad: Pad) -> None:
    """Writes a block of code, or what stands for a node."""
    text, begin, end = places.text, places.at[place], places.at[place + 1]
    if places.kind[place] == AS_MARKDOWN and not w.in_line(pen):
        w.block(pen, 2)
        if begin < end:
            w.begin_line(pen, True)
            w.put_lines(pen, text, begin, end)
            pen.s[w.LINE] = -1
        w.block(pen, 2)
    elif places.kind[place] == AS_CODE or places.kind[place] == AS_MARKDOWN:
        if w.in_line(pen):
            w.put_code_span(pen, pad.text, line_text(page, node, pad))
            return
        size = code_text(page, node, pad)
        for k in range(size):
            if pad.text[k] > 32:
                w.put_fence(pen, pad.text, size, text, begin, end)
                return
        w.block(pen, 2)
    elif begin < end:
        is_block = places.kind[place] == AS_FORMULA_BLOCK and not w.in_line(pen)
        if is_block:
            w.block(pen, 2)
        w.before_word(pen)
        for k in range(begin, end):
            if pen.s[w.CELL] and text[k] == 124:
                w.put(pen, 92)
            w.put(pen, text[k])
        if is_block:
            w.block(pen, 2)


@inner
def _put_span(page: Page, node: int, pen: Pen, pad: Pad) -> None:
    """Writes inline code, the spaces at its ends outside of it."""
    size = line_text(page, node, pad)
    last = page.nodes[LAST, node] - 1
    pen.s[w.SPACE] |= page.html[page.nodes[INNER, node]] <= 32 and size > 0
    w.put_code_span(pen, pad.text, size)
    pen.s[w.SPACE] |= size > 0 and page.tag[last] == TEXT and page.html[page.nodes[INNER, last] - 1] <= 32


@inner
def _put_whole(page: Page, node: int, kind: int, pen: Pen, pad: Pad) -> bool:
    """Writes an element that is taken as one piece; False, and nothing written, if it is none."""
    role = page.bits[node]
    if kind == INLINE_CODES or (role & INLINE_CODE and not _holds_a_span(kind)):
        if role & (ADMONITION | ADMONITION_TITLE | TITLE) or _has_blocks(page, node):
            return False
        _put_span(page, node, pen, pad)
    elif role & FOOTNOTE_LABEL:
        if pen.s[w.LABEL] == 0:
            keep_label(page, node, pen, pad)
    elif role & FOOTNOTE_MARK:
        return put_footnote_mark(page, node, pen, pad)
    elif kind == IMAGE and not role & ADMONITION_TITLE:
        begin, end = value_of(page, node, ALT)
        if begin >= 0 and not _is_in_caption(page, node, begin, end, pad):
            w.put_alt(pen, page.html, begin, end)
    elif kind == BREAK:
        if pen.s[w.LINE] >= 0 or w.in_line(pen):
            w.block(pen, 1)
        elif pen.s[w.OUT] and not w.is_fresh(pen):
            pen.s[w.NEED] = 2
    elif kind == RULE:
        _put_rule(pen)
    else:
        return False
    return True


@inner
def _is_in_caption(page: Page, image: int, begin: int, end: int, pad: Pad) -> bool:
    """Whether the caption of the figure that an image is in begins with html[begin:end], but for signs and spaces."""
    figure = page.nodes[PARENT, image]
    for _ in range(FIGURE_LEVELS):
        if figure >= 0 and page.tag[figure] != _FIGURE:
            figure = page.nodes[PARENT, figure]
    if figure < 0 or page.tag[figure] != _FIGURE:
        return False
    caption = figure + 1
    while caption < page.nodes[LAST, figure] and page.tag[caption] != _FIGCAPTION:
        caption += 1
    if caption == page.nodes[LAST, figure]:
        return False
    size = line_text(page, caption, pad)
    at = 0
    for k in range(begin, end):
        if not w.is_alphanumeric(page.html[k]):
            continue
        while at < size and not w.is_alphanumeric(pad.text[at]):
            at += 1
        if at == size or pad.text[at] != page.html[k]:
            return False
        at += 1
    return True


@inner
def _put_rule(pen: Pen) -> None:
    w.block(pen, 2)
    if pen.s[w.OUT] and not w.in_line(pen):
        w.begin_line(pen, True)
        for _ in range(3):
            w.put(pen, 45)
        w.block(pen, 2)


@inner
def _has_blocks(page: Page, node: int) -> bool:
    """Whether an element of inline code holds blocks of text: then it is none."""
    for i in range(node + 1, page.nodes[LAST, node]):
        kind = KIND[page.tag[i]]
        if kind == PREFORMATTED or kind == HEADING or kind == TABLE or kind == LIST or page.tag[i] == _P:
            return True
    return False


@inner
def _open(page: Page, node: int, kind: int, pen: Pen, pad: Pad, stack: Stack, top: int) -> tuple[int, int]:
    """Begins an element: what closing it does, and a number that this needs; (0, 0) where nothing is to be done."""
    role = page.bits[node]
    if role & (TITLE | ADMONITION_TITLE | ADMONITION | QUOTE | PLACED | FOOTNOTE):
        action, value = _open_role(page, node, kind, role, pen, pad)
        if action:
            return action, value
    if kind == SECTION or kind == BLOCK or kind == NOSCRIPT:
        w.block(pen, 2)
        return CLOSE_BLOCK, 2
    if kind == LIST or kind == NUMBERED or kind == ITEM:
        return open_list(page, node, kind, pen, stack, top)
    if kind == TERMS or kind == TERM or kind == DEFINITION:
        return open_terms(page, node, kind, pen, stack, top)
    if kind == TABLE or kind == ROW or kind == CELL or kind == CAPTION:
        return open_table(page, node, kind, pen)
    if kind == HEADING:
        return _open_heading(page, node, page.tag[node] - _H1 + 1, pen)
    if kind == QUOTED:
        return _open_quote(pen)
    return _open_inline(page, node, kind, pen)


@inner
def _open_role(page: Page, node: int, kind: int, role: int, pen: Pen, pad: Pad) -> tuple[int, int]:
    """Begins an element that is more than its tag says; (0, 0) if its tag says all."""
    if role & TITLE:
        return _open_heading(page, node, 1, pen)
    if role & ADMONITION_TITLE:
        return _open_admonition_title(page, node, pen)
    if role & FOOTNOTE and kind != ITEM:
        return open_footnote(page, node, pen, pad)
    if kind == TABLE:
        return 0, 0
    if role & PLACED:
        w.block(pen, 2)
        return CLOSE_BLOCK, 2
    return _open_quote(pen) if role & (ADMONITION | QUOTE) else (0, 0)


@inner
def _open_inline(page: Page, node: int, kind: int, pen: Pen) -> tuple[int, int]:
    """Begins an element inside a line."""
    if page.bits[node] & CLASSIFIER and 0 < pen.s[w.OUT] <= len(pen.out) and pen.out[pen.s[w.OUT] - 1] != 58:
        pen.s[w.SPACE] = 1
        w.before_word(pen)
        w.put(pen, 58)
        pen.s[w.SPACE] = 1
    if kind == EMPHASIS or kind == STRONG:
        plain = pen.s[w.LEVEL] > 0 or (kind == STRONG and pen.s[w.TABLE_MODE] == GFM and pen.s[w.HEADER])
        w.push_mark(pen, w.NOTHING if plain else (w.STARS if kind == STRONG else w.STAR), 0, 0)
        return CLOSE_MARK, 0
    if kind == LINK and page.bits[node] & LINKS:
        begin, end = value_of(page, node, HREF)
        w.push_mark(pen, w.LINKED if begin >= 0 else w.NOTHING, begin, end)
        return CLOSE_MARK, 0
    if kind == RAISED:
        _put_exponent(page, node, pen)
    return 0, 0


@inner
def _open_quote(pen: Pen) -> tuple[int, int]:
    w.block(pen, 2)
    if w.in_line(pen) or not w.push_container(pen, w.IN_QUOTE, 2, w.NO_MARK, 0):
        return CLOSE_BLOCK, 2
    return CLOSE_CONTAINER, 2


@inner
def _open_admonition_title(page: Page, node: int, pen: Pen) -> tuple[int, int]:
    """Begins the bold title of an admonition; an icon's title is what its attributes say."""
    w.block(pen, 2)
    if w.in_line(pen) or holds_code(page, node):
        return CLOSE_BLOCK, 2
    pen.s[w.FLAT] += 1
    w.push_mark(pen, w.STARS, 0, 0)
    if page.nodes[LAST, node] == node + 1:
        begin, end = value_of(page, node, TITLE_TEXT)
        if begin < 0:
            begin, end = value_of(page, node, ALT)
        w.put_text(pen, page.html, max(begin, 0), max(end, 0))
    return CLOSE_TITLE, 0


@inner
def _open_heading(page: Page, node: int, level: int, pen: Pen) -> tuple[int, int]:
    w.block(pen, 2)
    if w.in_line(pen) or holds_code(page, node):
        return CLOSE_BLOCK, 2
    pen.s[w.LEVEL] = level
    pen.s[w.FLAT] += 1
    return CLOSE_HEADING, 0


@inner
def _put_exponent(page: Page, node: int, pen: Pen) -> None:
    """Writes `^` before a short exponent that stands right behind a letter or digit, but not before `th` or `TM`."""
    child = node + 1
    if (
        page.nodes[LAST, node] != child + 1
        or page.tag[child] != TEXT
        or pen.s[w.SPACE]
        or pen.s[w.LINE] < 0
        or not 0 < pen.s[w.OUT] <= len(pen.out)
    ):
        return
    begin, size = page.nodes[START, child], page.nodes[INNER, child] - page.nodes[START, child]
    before = pen.out[pen.s[w.OUT] - 1]
    digits = 0
    for k in range(begin, begin + size):
        letter = page.html[k]
        if not (
            48 <= letter <= 57 or 65 <= letter <= 90 or 97 <= letter <= 122 or letter in (43, 45, 0xE2, 0x88, 0x92)
        ):
            return
        digits += 48 <= page.html[k] <= 57
    if size > MAX_EXPONENT or not (before == 41 or 48 <= before <= 57 or 65 <= before <= 90 or 97 <= before <= 122):
        return
    if digits or size == 1:
        w.put(pen, 94)


@inner
def _close(pen: Pen, action: int, value: int) -> None:
    """Ends an element as `_open` said."""
    if action == CLOSE_MARK:
        w.pop_mark(pen)
    elif action == CLOSE_BLOCK:
        w.block(pen, value)
    elif action == CLOSE_HEADING or action == CLOSE_TERM or action == CLOSE_TITLE:
        if action == CLOSE_TITLE:
            w.pop_mark(pen)
        pen.s[w.FLAT] -= 1
        w.block(pen, 1 if action == CLOSE_TERM else 2)
        pen.s[w.LEVEL] = 0
    elif action == CLOSE_LIST or action == CLOSE_TERMS:
        w.block(pen, 2)
        pen.s[w.DEPTH] -= (value & 2) // 2
    elif action == CLOSE_TABLE:
        close_table(pen, value)
    elif action == CLOSE_ROW:
        close_row(pen)
    elif action == CLOSE_CELL:
        close_cell(pen, value)
    elif action in (CLOSE_CONTAINER, CLOSE_ITEM, CLOSE_ROW_ITEM):
        _close_container(pen, action, value)


@inner
def _close_container(pen: Pen, action: int, value: int) -> None:
    was_empty = w.is_fresh(pen)
    w.block(pen, 1)
    pen.s[w.DEPTH] -= 1
    if action == CLOSE_ITEM and not was_empty:
        pen.s[w.NEED] = value
    elif action == CLOSE_ROW_ITEM or value == 2:
        pen.s[w.NEED] = max(pen.s[w.NEED], 2)
