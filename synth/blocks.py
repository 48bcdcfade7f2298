"""Where the blocks of a Markdown text lie: headings, paragraphs, code, tables, HTML, within lists and quotes.

Blocks are those of CommonMark 0.31 (https://spec.commonmark.org/0.31.2/#container-blocks-and-leaf-blocks) and the
tables of GFM. A text is read once, line by line; no expression goes back over what it has read.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Sort = Literal["paragraph", "heading", "rule", "fence", "indented", "table", "html", "markup"]

_END_OF_LINE = re.compile(r"\r\n|\n|\r")
_SPACE = re.compile(r"[ \t]*+")
_RULE = re.compile(r"([-_*])(?:[ \t]*+\1){2,}+[ \t]*+$")
_HEADING = re.compile(r"(#{1,6})(?=[ \t]|$)")
_UNDERLINE = re.compile(r"(=++|-++)[ \t]*+$")
_FENCE = re.compile(r"`{3,}+(?=[^`]*+$)|~{3,}+")
_ITEM = re.compile(r"(?:[-+*]|(\d{1,9})[.)])(?=[ \t]|$)")
_DELIMITERS = re.compile(r"[-|:](?<!-)[-|: \t]*+$|-[-|:][-|: \t]*+$")
_CELL_END = re.compile(r"(?<!\\)\|")
_RAW = re.compile(r"<(script|pre|style|textarea)(?=[\s>]|$)", re.IGNORECASE)
_RAW_END = re.compile(r"</(?:script|pre|style|textarea)>", re.IGNORECASE)
_RAW_ENDS = (("<!--", re.compile("-->")), ("<?", re.compile(r"\?>")), ("<![CDATA[", re.compile(r"\]\]>")))
_DECLARATION, _DECLARATION_END = re.compile(r"<![A-Za-z]"), re.compile(">")
_MARKUP = re.compile(
    r"</?(address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl"
    r"|dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main"
    r"|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead"
    r"|title|tr|track|ul)(?=[\s>]|/>|$)",
    re.IGNORECASE,
)
_ATTRIBUTE = r"""(?:\s++[a-zA-Z_:][a-zA-Z0-9:._-]*+(?:\s*+=\s*+(?:[^"'=<>`\x00-\x20]++|'[^']*+'|"[^"]*+"))?+)"""
TAG = rf"<[A-Za-z][A-Za-z0-9-]*+{_ATTRIBUTE}{{0,99}}+\s*+/?>|</[A-Za-z][A-Za-z0-9-]*+\s*+>"
_ALONE = re.compile(rf"(?:{TAG})[ \t]*+$")
_TABLE_TAG = re.compile(r"<table\b", re.IGNORECASE)


class Block(NamedTuple):
    """A block of its own text: [start, end) without the marks before it and the end of its last line.

    `line`: where its first line begins. `level`: of a heading. `item`: where the outermost quote or list item that
    holds it begins, or -1. `bare`: of code, tables and HTML the lines without the marks of what holds them, joined by
    line feeds. `markup` is HTML that holds text; `html` holds code, a comment or a table.
    """

    sort: Sort
    start: int
    end: int
    line: int
    level: int
    item: int
    bare: str


class _Container(NamedTuple):
    """A quote (width 0) or a list item: how many columns its lines are indented, and where it begins."""

    width: int
    begin: int


def blocks(text: str) -> list[Block]:
    """The blocks of a text, in their order."""
    reader = _Reader(text)
    position, size = 0, len(text)
    returns = "\r" in text
    while position < size:
        if returns:
            found = _END_OF_LINE.search(text, position)
            end, following = found.span() if found else (size, size)
        else:
            end = text.find("\n", position)
            end, following = (size, size) if end < 0 else (end, end + 1)
        reader.read(position, end)
        position = following
    reader.close()
    return reader.found


def _columns(text: str, begin: int, end: int, column: int) -> int:
    """The column behind spaces and tabs; stops of tabs are four columns apart."""
    if "\t" not in text[begin:end]:
        return column + end - begin
    for character in text[begin:end]:
        column += 4 - column % 4 if character == "\t" else 1
    return column


def _cells(row: str) -> int:
    inner = row.strip(" \t").removeprefix("|")
    return len(_CELL_END.findall(inner)) + 1 - bool(inner.endswith("|") and not inner.endswith("\\|"))


class _Reader:
    """The state of reading: which containers and which block are open."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[Block] = []
        self.containers: list[_Container] = []
        self.sort: Sort | None = None
        self.start = self.end = self.line = 0  # of the open block
        self.lines: list[str] = []  # of the open block, bare
        self.kept = 0  # how many of them belong to it surely
        # Of the open paragraph: where its last line begins, where that line's text begins, where the one before ends.
        self.last = (0, 0, 0)
        self.fence = ""
        self.fence_indent = 0
        self.until: re.Pattern[str] | None = None  # what ends the open HTML; None: an empty line
        self.hollow = False  # the innermost item has nothing in it yet
        # Of the line that is read: where it begins and ends, its first sign that is no space, the column of that,
        # and the column behind the marks of containers, with the place where the white space before the sign begins.
        self.begin = self.stop = self.sign = self.column = self.inside = self.gap = self.gap_column = 0

    # ---------------------------------------------------------------- a line

    def read(self, begin: int, end: int) -> None:
        """Reads the next line, [begin, end) without its end."""
        if not self.containers and self._read_plainly(begin, end):
            return
        self.begin, self.stop, self.inside = begin, end, 0
        self._skip(begin, 0)
        matched = self._match()
        whole = matched == len(self.containers)
        if self.sort in ("fence", "indented", "html", "markup", "table"):
            if whole and self._goes_on():
                return
            self.close()
        if self.sign >= end:
            self._read_blank(matched)
        elif not self._open(matched):
            # Nothing begins: the line goes on with the open paragraph, even where marks of its containers are missing.
            if self.sort == "paragraph":
                self._extend_paragraph(begin, self.sign, end)
            else:
                del self.containers[matched:]
                self._begin("paragraph")
                self.last = (begin, self.sign, self.sign)
                self.end = end

    def _read_plainly(self, begin: int, end: int) -> bool:
        """Reads a line outside lists and quotes that needs no second look: False if it needs one."""
        first = self.text[begin : begin + 1]
        if self.sort == "paragraph":
            if first.isalpha():
                self._extend_paragraph(begin, begin, end)
                return True
        elif self.sort == "fence" and not self.fence_indent and first != self.fence[0] and first not in " \t":
            self.lines.append(self.text[begin:end])
            self.end, self.kept = end, len(self.lines)
            return True
        return False

    def close(self) -> None:
        """Ends the open block."""
        if self.sort is not None:
            del self.lines[self.kept :]
            self._put(self.sort, self.start, self.end, self.line)
            self.sort = None
            self.lines = []

    def _put(self, sort: Sort, start: int, end: int, line: int, level: int = 0) -> None:
        item = self.containers[0].begin if self.containers else -1
        self.found.append(Block(sort, start, end, line, level, item, "\n".join(self.lines)))

    def _begin(self, sort: Sort) -> None:
        self.sort, self.start, self.line, self.kept = sort, self.sign, self.begin, 1
        self.hollow = False

    def _extend_paragraph(self, begin: int, sign: int, end: int) -> None:
        self.last = (begin, sign, self.end)
        self.end = end

    def _skip(self, position: int, column: int) -> None:
        """Finds the first sign from a position in a column."""
        self.gap, self.gap_column = position, column
        found = _SPACE.match(self.text, position, self.stop)
        self.sign = found.end() if found else position
        self.column = _columns(self.text, position, self.sign, column)

    def _content(self, indent: int) -> str:
        """The line behind the marks of its containers and at most `indent` columns more of white space."""
        goal = min(self.inside + indent, self.column)
        position, column = self.gap, self.gap_column
        while column < goal:
            column = _columns(self.text, position, position + 1, column)
            position += 1
        return " " * (column - goal) + self.text[position : self.stop]

    # ---------------------------------------------------------------- containers

    def _match(self) -> int:
        """How many of the open containers the line is in; the place behind their marks is noted."""
        for number, each in enumerate(self.containers):
            indent = self.column - self.inside
            if each.width:
                innermost = number == len(self.containers) - 1
                if self.sign >= self.stop and not (innermost and self.hollow):
                    self.inside = min(self.inside + each.width, self.column)
                elif self.sign < self.stop and indent >= each.width:
                    self.inside += each.width
                else:
                    return number
            elif indent < 4 and self.sign < self.stop and self.text[self.sign] == ">":
                self._enter_quote()
            else:
                return number
        return len(self.containers)

    def _enter_quote(self) -> None:
        self.inside = self.column + 1
        self._skip(self.sign + 1, self.inside)
        if self.column > self.inside:
            self.inside += 1

    def _open(self, matched: int) -> bool:
        """Opens what begins in the line, containers and a block; False: nothing does."""
        opened = False
        while True:
            if self.column - self.inside >= 4:
                if self.sort == "paragraph" and not opened:
                    return False
                return self._open_indented(matched, opened)
            if self.text[self.sign] == ">":
                self._leave(matched, opened)
                self.containers.append(_Container(0, self.begin))
                self._enter_quote()
                self.hollow = False
            elif not self._open_item(matched, opened):
                return self._open_block(matched, opened)
            opened = True
            if self.sign >= self.stop:
                return True

    def _leave(self, matched: int, opened: bool) -> None:
        """Ends the open block and the containers that the line is not in."""
        if not opened:
            self.close()
            del self.containers[matched:]

    def _open_item(self, matched: int, opened: bool) -> bool:
        found = _ITEM.match(self.text, self.sign, self.stop)
        if not found or _RULE.match(self.text, self.sign, self.stop):
            return False
        empty = not self.text[found.end() : self.stop].strip(" \t")
        if self.sort == "paragraph" and not opened and matched == len(self.containers):
            if empty or (found[1] and int(found[1]) != 1):
                return False
            if _UNDERLINE.match(self.text, self.sign, self.stop):
                return False
        self._leave(matched, opened)
        base = self.column - self.inside + len(found[0])
        after = self.column + len(found[0])
        self._skip(found.end(), after)
        width = base + 1 if empty or self.column - after > 4 else base + self.column - after
        self.containers.append(_Container(width, self.begin))
        self.inside = min(after + width - base, self.column)
        self.hollow = empty
        return True

    # ---------------------------------------------------------------- blocks

    def _read_blank(self, matched: int) -> None:
        self.close()
        for number in range(matched, len(self.containers)):
            if not self.containers[number].width or self.hollow:
                del self.containers[number:]
                break

    def _open_indented(self, matched: int, opened: bool) -> bool:
        self._leave(matched, opened)
        self._begin("indented")
        position, column = self.gap, self.gap_column
        while column < self.inside:
            following = _columns(self.text, position, position + 1, column)
            if following > self.inside:
                break
            position, column = position + 1, following
        self.start, self.end = position, self.stop
        self.lines = ["    " + self._content(4)]
        return True

    def _open_block(self, matched: int, opened: bool) -> bool:
        """Opens a block that is no container, at the sign; False: there is none, or only a paragraph."""
        text, sign, stop = self.text, self.sign, self.stop
        first = text[sign]
        paragraph = self.sort == "paragraph" and not opened
        begun = True
        if first == "#" and (found := _HEADING.match(text, sign, stop)):
            self._leave(matched, opened)
            self._put("heading", sign, stop, self.begin, len(found[1]))
        elif first in "`~" and (found := _FENCE.match(text, sign, stop)):
            self._leave(matched, opened)
            self._begin("fence")
            self.fence, self.fence_indent, self.end = found[0], self.column - self.inside, stop
            self.lines = [text[sign:stop]]
        elif first == "<":
            begun = self._open_html(matched, opened, paragraph)
        elif paragraph and matched == len(self.containers) and self._open_behind_paragraph(first):
            return True
        elif first in "-_*" and _RULE.match(text, sign, stop):
            self._leave(matched, opened)
            self._put("rule", sign, stop, self.begin)
        else:
            begun = False
        if begun:
            self.hollow = False
        elif opened:
            self._begin("paragraph")
            self.last, self.end = (self.begin, sign, sign), stop
        return begun or opened

    def _open_behind_paragraph(self, first: str) -> bool:
        """What makes a heading of the open paragraph, or a table of its last line."""
        text, sign, stop = self.text, self.sign, self.stop
        if first in "=-" and (found := _UNDERLINE.match(text, sign, stop)):
            self._put("heading", self.start, stop, self.line, 1 if found[0][0] == "=" else 2)
            self.sort = None
            return True
        line, head, before = self.last
        if first in "|:-" and _DELIMITERS.match(text, sign, stop):
            row = text[head : self.end]
            if "|" in row and _cells(row) == _cells(text[sign:stop]):
                if head > self.start:
                    self._put("paragraph", self.start, before, self.line)
                self.sort, self.start, self.line, self.end = "table", head, line, stop
                self.lines, self.kept = [row, text[sign:stop]], 2
                return True
        return False

    def _open_html(self, matched: int, opened: bool, paragraph: bool) -> bool:
        text, sign, stop = self.text, self.sign, self.stop
        until: re.Pattern[str] | None = None
        sort: Sort = "html"
        if _RAW.match(text, sign, stop):
            until = _RAW_END
        elif _DECLARATION.match(text, sign, stop):
            until = _DECLARATION_END
        else:
            until = next((end for start, end in _RAW_ENDS if text.startswith(start, sign, stop)), None)
        if until is None:
            sort = "html" if _TABLE_TAG.match(text, sign, stop) else "markup"
            alone = not paragraph and _ALONE.match(text, sign, stop)
            if not _MARKUP.match(text, sign, stop) and not alone:
                return False
        self._leave(matched, opened)
        self._begin(sort)
        self.until, self.end = until, stop
        self.lines = [text[sign:stop]]
        if until is not None and until.search(text, sign, stop):
            self.close()
        return True

    # ---------------------------------------------------------------- further lines

    def _goes_on(self) -> bool:
        """Whether the line, which is in all containers, is one more of the open block."""
        if self.sort == "fence":
            return self._goes_on_fence()
        blank = self.sign >= self.stop
        indent = self.column - self.inside
        if self.sort == "indented":
            if not blank and indent < 4:
                return False
            inner = self._content(4)
            self.lines.append("    " + inner if inner else "")
            if not blank:
                self._keep()
            return True
        if self.sort == "table":
            if blank or indent >= 4 or self._interrupts():
                return False
            self.lines.append(self.text[self.sign : self.stop])
        elif blank and self.until is None:
            return False
        else:
            self.lines.append(self._content(0))
        if not blank:
            self._keep()
        if self.until is not None and self.until.search(self.text, self.gap, self.stop):
            self.close()
        return True

    def _keep(self) -> None:
        """The block reaches to the end of this line; empty lines at its end are none of it."""
        self.end, self.kept = self.stop, len(self.lines)

    def _goes_on_fence(self) -> bool:
        text, sign, stop = self.text, self.sign, self.stop
        if self.column - self.inside < 4 and text.startswith(self.fence, sign, stop):
            rest = text[sign:stop].rstrip(" \t")
            if not rest.strip(self.fence[0]):
                self.lines.append(rest)
                self._keep()
                self.close()
                return True
        self.lines.append(self._content(self.fence_indent))
        self._keep()
        return True

    def _interrupts(self) -> bool:
        """Whether another block begins at the sign, which ends a table."""
        text, sign, stop = self.text, self.sign, self.stop
        first = text[sign]
        if first == ">":
            return True
        if first == "<":
            return any(each.match(text, sign, stop) for each in (_RAW, _MARKUP, _DECLARATION)) or any(
                text.startswith(each, sign, stop) for each, _ in _RAW_ENDS
            )
        patterns = (_HEADING, _FENCE, _RULE, _ITEM)
        return not first.isalpha() and any(each.match(text, sign, stop) for each in patterns)
