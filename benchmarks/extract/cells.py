"""The truth of tables: the cells of the tables of data on a page."""

from __future__ import annotations

import re
import unicodedata
from xml.etree.ElementTree import Element

from benchmarks.extract.content import NAVIGATION, NO_TEXT, is_content
from benchmarks.extract.dom import Tree, find, matches, text

LONGEST_CELL = 2000  # a cell with more characters holds a part of a page
MATHEMATICS = "math, span.math, div.math, span.MathJax, mjx-container, span.katex"
PAGE_IN_CELL = f"table, h1, h2, h3, h4, h5, hr, {MATHEMATICS}"
NO_DATA = (
    "table.highlighttable, table.rouge-table, table.hljs-ln, table.js-file-line-container, table.highlight, "
    "table.footnote, table.citation, table.indextable, table.genindextable, table.modindextable, table.contentstable, "
    "table.memname, table.mlabels, table.directory, table.qindex, table.menu, table.navigation, table.infobox, "
    "table.navbox, table.t-nv-begin, table.gtkdoc-nav, table.listing_frame, table.simplelist, table[role=presentation]"
)
LAYOUT_SUMMARIES = re.compile(r"note|tip|warning|important|caution|callout|navigation|layout|manufactured", re.I)

# White space, what Markdown may write around words, and what it may not show.
_BULLET = re.compile(r"(?:^|(?<=\s))[-•](?=\s)")
_MARKS = re.compile(r"[\s*_`\\~^$|<>\u200b-\u200d\ufeff\xad]+")


def folded(cell: str) -> str:
    """The text of a cell without white space and Markdown's markers, in NFC: what is compared."""
    return _MARKS.sub("", _BULLET.sub("", unicodedata.normalize("NFC", cell)))


def tables(tree: Tree, main: Element) -> list[list[list[str]]]:
    """The tables of data of the content: of each the rows, of each row the cells that are not empty, folded."""
    found = []
    for table in find(main, "table"):
        if not is_content(tree, main, table) or _is_no_data(tree, table):
            continue
        rows = [[cell for cell in row if cell] for row in map(_cells, find(table, "tr"))]
        if sum(len(row) > 1 for row in rows) > 1:
            found.append([row for row in rows if row])
    return found


def _cells(row: Element) -> list[str]:
    return [folded(text(cell, NO_TEXT)) for cell in row if matches(cell, "td, th")]


def _is_no_data(tree: Tree, table: Element) -> bool:
    """Whether a table is navigation, code, or there for its looks: it holds whole parts of a page."""
    if matches(table, NO_DATA) or LAYOUT_SUMMARIES.search(table.get("summary", "")):
        return True
    if any(matches(above, "pre, td, th") for above in tree.ancestors(table)):
        return True
    if next(find(table, f"{PAGE_IN_CELL}, {NAVIGATION}"), None) is not None:
        return True
    return any(len(text(cell, NO_TEXT)) > LONGEST_CELL for cell in find(table, "td, th"))
