"""The tree made fit for conversion: chrome out, layout tables opened, what Markdown lacks written as text."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

NEVER_TEXT = "script, style, template, svg, iframe, canvas, audio, video, embed"
CHROME = (
    "nav, footer, dialog, input, select, button, [role=navigation], [role=search], [role=contentinfo], "
    ".copybtn, .copy-button, clipboard-copy, .headerlink, .visually-hidden, .sr-only"
)
BODY_CHROME = "header, aside, [role=banner], [role=complementary]"
PERMALINKS = "a.anchor, a.header-anchor, a.hash-link, a.permalink, a.anchorjs-link, h1 a, h2 a, h3 a, h4 a, dt a"
PERMALINK_TEXTS = frozenset({"", "#", "¶", "§", "∞", "\U0001f517", "\uf0c1"})
MIN_PAGE_WITHOUT_SCRIPTS = 500
PAGE_IN_CELL = "table, h1, h2, h3, h4, hr, td.icon"
_BLOCK_TAGS = "ul ol dl table pre xmp listing blockquote h1 h2 h3 h4 h5 h6 hr figure"
BLOCK_TAGS = frozenset(_BLOCK_TAGS.split())

_EXPONENT = re.compile(r"[-+−]?\w{1,6}")


def drop(node: LexborNode, selectors: str) -> None:
    """Remove everything below `node` that matches. Inner ones first: removal frees what is inside."""
    found = {match.mem_id: match for match in node.css(selectors)}
    found.pop(node.mem_id, None)
    for match in reversed(found.values()):
        match.decompose()


def open_noscript(node: LexborNode) -> None:
    """Keep a `noscript` that holds a page (some forums put all of it there), remove any other."""
    for element in {match.mem_id: match for match in node.css("noscript")}.values():
        if len(element.text().strip()) >= MIN_PAGE_WITHOUT_SCRIPTS:
            element.unwrap()
        else:
            element.replace_with("")


def drop_permalinks(node: LexborNode) -> None:
    """Remove the links of headings and terms to themselves."""
    for link in {link.mem_id: link for link in node.css(PERMALINKS)}.values():
        if link.text().strip() in PERMALINK_TEXTS and link.css_first("img") is None:
            link.replace_with("")


def make_heading(tree: LexborHTMLParser, main: LexborNode, selector: str) -> None:
    """Turn the first match, a title that the generator does not mark as a heading, into `h1`."""
    title = main.css_first(selector)
    if title is not None:
        heading = tree.create_node("h1")
        heading.insert_child(title.text().strip())
        title.replace_with(heading, move=True)


def open_layout_tables(tree: LexborHTMLParser, main: LexborNode) -> None:
    """Turn tables that only place things (one column, or whole sections in a cell) into their content."""
    for table in main.css("table"):
        cells = _layout_cells(table)
        if cells is None:
            continue
        box = tree.create_node("div")
        for cell in cells:
            if not cell.text().strip():
                continue
            part = tree.create_node("div")
            while (child := cell.child) is not None:
                part.insert_child(child, move=True)
            box.insert_child(part, move=True)
        table.replace_with(box, move=True)


def write_out(main: LexborNode) -> None:
    """Images as their alternative text, formulas as TeX, exponents with `^`, definitions with `: `."""
    for formula in main.css("math"):
        tex = formula.css_first('annotation[encoding*="tex"]')
        formula.replace_with(f"${tex.text().strip()}$" if tex is not None else formula.text())
    for image in main.css("img"):
        image.replace_with(image.attributes.get("alt") or "")
    for raised in main.css("sup"):
        if raised.child is not None and _EXPONENT.fullmatch(raised.text()) and raised.css_first("a") is None:
            raised.child.insert_before("^")
    for definition in main.css("dd"):
        _mark(definition)


def drop_empty_tables(main: LexborNode) -> None:
    """Remove tables that lifting code has left without text."""
    found = {table.mem_id: table for table in main.css("table") if not table.text().strip()}
    for table in reversed(found.values()):
        table.decompose()


def _layout_cells(table: LexborNode) -> list[LexborNode] | None:
    """The cells of a layout table, None for a table of data."""
    rows: list[list[LexborNode]] = []
    for part in table.iter():
        for row in [part] if part.tag == "tr" else part.iter():
            if row.tag == "tr":
                rows.append([cell for cell in row.iter() if cell.tag in ("td", "th")])
    caption = [part for part in table.iter() if part.tag == "caption"]
    one_column = all(sum(1 for cell in row if cell.text().strip()) <= 1 for row in rows)
    if one_column or any(cell.css_first(PAGE_IN_CELL) is not None for row in rows if len(row) > 1 for cell in row):
        return caption + [cell for row in rows for cell in row]
    return None


def _mark(definition: LexborNode) -> None:
    """Write `: ` before the first text of a definition, if it begins with text and not with a block."""
    node = definition
    while True:
        child = node.child
        while child is not None and (child.is_comment_node or child.is_empty_text_node):
            child = child.next
        if child is None or child.tag in BLOCK_TAGS:
            return
        if child.tag not in ("div", "p", "section"):
            if child.is_text_node:
                child.replace_with(": " + (child.text_content or "").lstrip())
            else:
                child.insert_before(": ")
            return
        node = child
