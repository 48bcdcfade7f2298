"""Footnotes: their marks in the text, and their texts behind their labels."""

from __future__ import annotations

from filters.compiled import inner
from pipelines.extract.html import writer as w
from pipelines.extract.html.collect import Pad, line_text
from pipelines.extract.html.opened import CLOSE_BLOCK, CLOSE_CONTAINER
from pipelines.extract.html.roles import FOOTNOTE_BACK, FOOTNOTE_LABEL
from pipelines.extract.html.tree import LAST, START, STOP, Bytes, Page
from pipelines.extract.html.writer import Pen

MAX_MARK_BYTES = 2000  # of a label and its markup
MAX_LABEL_NODES = 32  # from the beginning of a footnote to its label


@inner
def _label(text: Bytes, size: int) -> tuple[int, int]:
    """Where the label of a footnote stands in its mark, such as `[1]`; empty if it is none."""
    begin = 0
    while begin < size and (text[begin] == 91 or text[begin] == 40):
        begin += 1
    while size > begin and (text[size - 1] == 93 or text[size - 1] == 41 or text[size - 1] == 46):
        size -= 1
    end = begin
    while end < size and (
        48 <= text[end] <= 57 or 65 <= text[end] <= 90 or 97 <= text[end] <= 122 or text[end] in (45, 46, 95)
    ):
        end += 1
    # What else stands there are ways back, such as `1(1,2)`; words are no label.
    if end - begin > w.MAX_LABEL or (end < size and text[end] != 40):
        return 0, 0
    return begin, end


@inner
def _label_of(page: Page, node: int, pad: Pad) -> tuple[int, int]:
    """Where the label that an element holds stands in the pad; empty if it holds more than a label."""
    if page.nodes[STOP, node] - page.nodes[START, node] > MAX_MARK_BYTES:
        return 0, 0
    return _label(pad.text, line_text(page, node, pad))


@inner
def put_footnote_mark(page: Page, node: int, pen: Pen, pad: Pad) -> bool:
    begin, end = _label_of(page, node, pad)
    if begin == end:
        return False
    w.before_word(pen)
    w.put(pen, 91)
    w.put(pen, 94)
    w.put_all(pen, pad.text, begin, end)
    w.put(pen, 93)
    return True


@inner
def keep_label(page: Page, node: int, pen: Pen, pad: Pad) -> None:
    """Keeps the label of a footnote for where its text begins."""
    begin, end = _label_of(page, node, pad)
    pen.s[w.LABEL] = end - begin
    for k in range(end - begin):
        pen.s[w.LABEL + 1 + k] = pad.text[begin + k]


@inner
def open_footnote(page: Page, node: int, pen: Pen, pad: Pad) -> tuple[int, int]:
    """Begins the text of a footnote: its label stands inside it, or stood before it."""
    if pen.s[w.LABEL] and w.is_fresh(pen):  # right inside another
        w.block(pen, 2)
        return CLOSE_BLOCK, 2
    for i in range(node + 1, min(page.nodes[LAST, node], node + MAX_LABEL_NODES)):
        if pen.s[w.LABEL] == 0 and page.bits[i] & (FOOTNOTE_LABEL | FOOTNOTE_BACK):
            keep_label(page, i, pen, pad)
            pen.s[w.AFTER_LABEL] = pen.s[w.LABEL] > 0
    w.block(pen, 2)
    if pen.s[w.LABEL] == 0 or w.in_line(pen) or not w.push_note(pen):
        return CLOSE_BLOCK, 2
    return CLOSE_CONTAINER, 2
