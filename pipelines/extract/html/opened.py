"""Elements that are open while a tree is rendered, and what their ends do."""

from __future__ import annotations

from typing import NamedTuple

from pipelines.extract.html.tree import Ints, Longs

MAX_OPEN = 1 << 14

(
    CLOSE_BLOCK,
    CLOSE_HEADING,
    CLOSE_CONTAINER,
    CLOSE_MARK,
    CLOSE_TERM,
    CLOSE_TERMS,
    CLOSE_TABLE,
    CLOSE_ROW,
    CLOSE_CELL,
    CLOSE_ITEM,
    CLOSE_TITLE,
    CLOSE_ROW_ITEM,
    CLOSE_LIST,
) = range(1, 14)


class Stack(NamedTuple):
    """Open elements, the outermost first: their nodes, what their ends do, and a number that this needs."""

    node: Ints
    action: Ints
    number: Longs
