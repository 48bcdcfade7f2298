"""Lines of wikitext as HTML: headings, paragraphs, lists, tables and preformatted text; without links and templates."""

from __future__ import annotations

import re
from itertools import takewhile

from pipelines.extract.wikitext.inline import inline, spans
from pipelines.extract.wikitext.strip import MARK, Kept

MAX_LIST_DEPTH = 20

_BLOCK_TAG = re.compile(
    r"\s*</?(?:blockquote|caption|center|dd|div|dl|dt|h[1-6]|hr|li|ol|p|pre|table|td|th|tr|ul)\b", re.IGNORECASE
)
_ANY_BLOCK_TAG = re.compile(r"</?(?:blockquote|center|div|h[1-6]|li|ol|p|table|td|th|tr|ul)\b", re.IGNORECASE)
_LIST = re.compile(r"[*#;:]+")
_RULE = re.compile(r"-{4,}\s*")
_HEADING = re.compile(r"(={1,6})(?!=)(.*[^=\s].*?)(={1,6})\s*")
_TABLE = re.compile(r":*\s*\{\|")
# What is left of a cell whose text was a template that gives none.
_ATTRIBUTE = (
    r"(?:style|align|valign|width|height|bgcolor|class|scope|colspan|rowspan)[ ]*=[ ]*(?:\"[^\"|]*\"|[^\s\"'|=]+)"
)
_ATTRIBUTES = re.compile(rf"{_ATTRIBUTE}(?:[ ]+{_ATTRIBUTE})*", re.IGNORECASE)
_TAGS = {"*": ("ul", "li"), "#": ("ol", "li"), ";": ("dl", "dt")}


def blocks(text: str, kept: Kept) -> str:
    """The HTML of wikitext; marks are still in it."""
    writer = _Writer(kept)
    for line in text.split("\n"):
        writer.line(line)
    writer.close_all()
    return "".join(writer.out)


def heading_of(line: str) -> tuple[int, str] | None:
    """Level and text of a line that is a heading."""
    if not line.startswith("="):
        return None
    found = _HEADING.fullmatch(MARK.sub("", line).rstrip())
    return (min(len(found.group(1)), len(found.group(3))), found.group(2).strip()) if found else None


class _Writer:
    """Writes HTML line by line, and knows what is open: a paragraph, preformatted lines, lists, tables."""

    def __init__(self, kept: Kept) -> None:
        self.out: list[str] = []
        self._kept = kept
        self._paragraph: list[str] = []
        self._pre: list[str] = []
        # Of each open list: its mark, and the tags of the list and its items.
        self._lists: list[tuple[str, str, str]] = []
        # Of each open table: whether a row and which cell are open.
        self._tables: list[list[str]] = []

    def line(self, line: str) -> None:
        stripped = line.strip()
        if _TABLE.match(stripped):
            self._close_blocks()
            self._tables.append([])
            self.out.append("<table>")
        elif self._tables and stripped[:1] in ("|", "!") and not _is_text(stripped):
            self._table_line(stripped)
        elif found := heading_of(line):
            self._close_blocks()
            self.out.append(f"<h{found[0]}>{inline(found[1])}</h{found[0]}>\n")
        elif marks := _LIST.match(line):
            self._list_line(marks.group()[:MAX_LIST_DEPTH], line[marks.end() :].strip())
        elif line[:1] == " " and (stripped or self._pre) and not self._is_block(line):
            self._close_paragraph()
            self._close_lists(0)
            self._pre.append(inline(line[1:]))
        elif rule := _RULE.match(line):
            self._close_blocks()
            self.out.append(f"<hr>{inline(line[rule.end() :])}\n")
        elif not stripped:
            self._close_blocks()
        elif _BLOCK_TAG.match(line) or (MARK.match(stripped) and self._kept.has_block(line)):
            self._close_blocks()
            self.out.append(inline(line) + "\n")
        else:
            self._close_pre()
            self._close_lists(0)
            self._paragraph.append(inline(line))

    def close_all(self) -> None:
        self._close_blocks()
        while self._tables:
            self._end_table()

    def _is_block(self, line: str) -> bool:
        return bool(_ANY_BLOCK_TAG.search(line)) or self._kept.has_block(line)

    # ------------------------------------------------------------ what is open

    def _close_blocks(self) -> None:
        self._close_paragraph()
        self._close_pre()
        self._close_lists(0)

    def _close_paragraph(self) -> None:
        if self._paragraph:
            self.out.append("<p>" + "\n".join(self._paragraph) + "</p>\n")
            self._paragraph = []

    def _close_pre(self) -> None:
        if self._pre:
            text = "\n".join(self._pre).rstrip()
            self.out.append(f"<pre>\n{text}\n</pre>\n" if text else "")
            self._pre = []

    def _close_lists(self, depth: int) -> None:
        while len(self._lists) > depth:
            _, container, item = self._lists.pop()
            self.out.append(f"</{item}></{container}>\n")

    # ------------------------------------------------------------ lists

    def _list_line(self, marks: str, text: str) -> None:
        self._close_paragraph()
        self._close_pre()
        if not marks.strip(":") and (formula := self._kept.displayed(text)):
            self._close_lists(0)
            self.out.append(formula)
            return
        term, definition = _term(text) if marks.endswith(";") else (text, "")
        self._item(marks, term)
        if definition:
            self._item(marks[:-1] + ":", definition)

    def _item(self, marks: str, text: str) -> None:
        # `;` and `:` are items of one list.
        now = "".join(mark for mark, _, _ in self._lists)
        pairs = zip(now.replace(";", ":"), marks.replace(";", ":"), strict=False)
        common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        if common and common == len(marks) and marks[-1] == ";" and self._lists[common - 1][1] == "div":
            common -= 1
        self._close_lists(common)
        if common == len(marks):
            _, container, item = self._lists.pop()
            self.out.append(f"</{item}>")
            item = item if container != "dl" else "dt" if marks[-1] == ";" else "dd"
            self._lists.append((marks[-1], container, item))
            self.out.append(f"<{item}>")
        for mark in marks[common:]:
            # A colon without a term above it only indents.
            container, item = _TAGS.get(mark, ("div", "div"))
            self._lists.append((mark, container, item))
            self.out.append(f"<{container}><{item}>")
        self.out.append(inline(text))

    # ------------------------------------------------------------ tables

    def _table_line(self, line: str) -> None:
        self._close_blocks()
        if line.startswith("|}"):
            self._end_table()
            if rest := line[2:].strip():
                self.line(rest)
        elif line.startswith("|+"):
            self.out.append(f"<caption>{inline(_cell(line[2:])[1])}</caption>")
        elif line.startswith("|-"):
            self._end_row()
        else:
            tag = "th" if line[0] == "!" else "td"
            cells = line[1:].replace("!!", "||").split("||") if tag == "th" else line[1:].split("||")
            for cell in cells:
                self._begin_cell(tag, cell)

    def _begin_cell(self, tag: str, cell: str) -> None:
        table = self._tables[-1]
        if not table:
            table.append("tr")
            self.out.append("<tr>")
        elif len(table) > 1:
            self.out.append(f"</{table.pop()}>")
        table.append(tag)
        attributes, text = _cell(cell)
        self.out.append(f"<{tag}{spans(attributes)}>{inline(text)}\n")

    def _end_row(self) -> None:
        table = self._tables[-1]
        while table:
            self.out.append(f"</{table.pop()}>")

    def _end_table(self) -> None:
        self._end_row()
        self._tables.pop()
        self.out.append("</table>\n")


def _is_text(line: str) -> bool:
    """Whether a line within a table that begins like a cell is text: an exclamation."""
    return line.startswith("!") and line[1:2].isspace() is False and line.endswith("!") and "!!" not in line


def _cell(cell: str) -> tuple[str, str]:
    """Attributes and text of a cell."""
    attributes, bar, text = cell.partition("|")
    if not bar and _ATTRIBUTES.fullmatch(cell.strip()):
        return cell, ""
    return (attributes, text.strip()) if bar and not MARK.search(attributes) else ("", cell.strip())


def _term(text: str) -> tuple[str, str]:
    """A term and what follows on its line behind a colon; colons in tags and addresses do not count."""
    depth = 0
    for found in re.finditer(r"<|>|:(?!//)", text):
        depth += {"<": 1, ">": -1}.get(found.group(), 0)
        if found.group() == ":" and depth <= 0:
            return text[: found.start()].strip(), text[found.end() :].strip()
    return text, ""
