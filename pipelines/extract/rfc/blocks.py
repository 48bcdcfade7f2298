"""Blocks of text set in columns: what is prose is joined, what is not stays as it is, in a fence."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

from pipelines.extract.write import fence, heading, paragraph

SLACK = 4

_ITEM = re.compile(r"(?P<mark>[o*+•-]|\(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,4})[.)])(?P<gap>[ ]+)(?=\S)")
_NUMBER = re.compile(r"(\d{1,3})[.)]")
_CAPTION = re.compile(r"(?:Figure|Table|Fig\.)\s+\d+\s*(?:[:.-].*)?", re.I)
DRAWN = re.compile(
    r"[|+][-=+~]{2}|[-=~]{2}[+|>]|<[-=]{2}|[-=_~]{4}|^\s*[|:].*[|:]\s*$|[\u2500-\u257f]"
    r"|^\s*[|/\\^v](?:\s+[|/\\^v])*\s*$|^\s*\d(?:\s+\d)+\s*$"
)
_GRAMMAR = re.compile(r"\s*[\w<>.-]+\s+(?:=/?|::=)\s+\S")
_CODE = re.compile(
    r"::=|\s=/?\s|[{};]\s*$|\s;\s|^\s*(?:[CS]: |<\?|</?\w|[A-Z]+ /|\$ |# |//|/\*|\w+\()"
    r"|^\s*\S+$|%[xdb][0-9A-F]|\d\*|[A-Za-z]-[A-Za-z]+:\s\S"
)
# A word or two, a gap, and what they mean in three words or more.
_ROW = re.compile(r"[ ]*(?P<term>\S{1,24}(?:[ ]\S{1,24}){0,2})[ ]{3,}(?P<text>\S+(?:[ ]{1,2}\S+){2,})")
_INNER_GAP = re.compile(r"\S[ ]{3,}\S")
_END = re.compile(r"[.:;?!,][\"')\]]?$")


@dataclass(frozen=True)
class _Item:
    """An open list item or definition: the column of its text, and how far its blocks are indented."""

    column: int
    width: int


class Writer:
    """Writes Markdown for chunks of lines (what stands between blank lines), in their order.

    margin: the column in which plain paragraphs begin; width: the length of filled lines.
    """

    def __init__(self, margin: int, width: int) -> None:
        self.margin = margin
        self._width = width
        self._items: list[_Item] = []
        self._out: list[str] = []
        self._tight = False  # the last block is a list item that nothing has followed
        self._art: list[str] = []

    def text(self) -> str:
        """All that was written, in one text."""
        self._end_art()
        return "\n".join(self._out).strip("\n") + "\n"

    def heading(self, level: int, text: str) -> None:
        self._end_art()
        self._items = []
        self._write(unicodedata.normalize("NFC", heading(level, text)))

    def chunk(self, lines: list[str]) -> None:
        """Write lines between which no blank line stands."""
        if not lines:
            return
        if len(lines) == 1 and _CAPTION.fullmatch(lines[0].strip()):
            self._prose(lines)
        elif (items := self._split_items(lines)) is not None:
            for item in items:
                self._item(item)
        elif (row := self._row(lines)) is not None:
            self._definition(*row)
        elif (hanging := self._hanging(lines)) and self._is_filled(hanging[1]):
            self._definition(*hanging)
        elif self._is_art(lines):
            self._art += [*([""] if self._art else []), *lines]
        elif hanging:
            self._definition(*hanging)
        else:
            self._prose(lines)

    def _is_art(self, lines: list[str]) -> bool:
        """Whether lines are no prose: drawn, with gaps in them, code, or broken before the margin is full."""
        column = min(map(_indent, lines))
        if self._is_drawn(lines) or _GRAMMAR.match(lines[0]):
            return True
        deeper = column > max((item.column for item in self._items if item.column <= column), default=self.margin)
        if len(lines) == 1:
            return deeper and (bool(_CODE.search(lines[0])) or not _is_sentence(lines[0]))
        early = self._early_breaks(lines)
        coded = sum(bool(_CODE.search(line)) for line in lines)
        if coded * 2 >= len(lines) and (early or deeper):
            return True
        return deeper and (early * 2 >= len(lines) - 1 or len({_indent(line) for line in lines[1:]}) > 2)

    def _is_drawn(self, lines: list[str]) -> bool:
        return any(DRAWN.search(line) for line in lines) or sum(bool(_INNER_GAP.search(line)) for line in lines) > 1

    def _is_filled(self, lines: list[str]) -> bool:
        """Whether lines below a term are prose: as long as they can be, or one sentence."""
        if self._is_drawn(lines):
            return False
        if len(lines) == 1:
            return _is_sentence(lines[0]) and not _CODE.search(lines[0])
        return self._early_breaks(lines) * 2 < len(lines) - 1 or (len(lines) == 2 and not self._early_breaks(lines))

    def _early_breaks(self, lines: list[str]) -> int:
        """How many lines end although the next word had room on them."""
        room = self._width - SLACK
        return sum(len(line) + 1 + len(after.split()[0]) <= room for line, after in pairwise(lines))

    def _split_items(self, lines: list[str]) -> list[list[str]] | None:
        """The list items that a chunk consists of, or None if it is none."""
        column = _indent(lines[0])
        items: list[list[str]] = []
        for line in lines:
            found = _ITEM.match(line, column) if _indent(line) == column else None
            if found:
                items.append([line])
            elif not items or _indent(line) <= column:
                return None
            else:
                items[-1].append(line)
        if any(DRAWN.search(line) for line in lines):
            return None
        return items

    def _item(self, lines: list[str]) -> None:
        found = _ITEM.match(lines[0], _indent(lines[0]))
        assert found is not None
        self._end_art()
        self._close(_indent(lines[0]))
        number = _NUMBER.fullmatch(found["mark"])
        plain = found["mark"] in "o*+•-"
        mark = f"{number.group(1)}. " if number else "- "
        rest = [lines[0][found.end() :] if number or plain else lines[0].strip(), *lines[1:]]
        if len(lines) > 2 and self._early_breaks(lines[1:]) * 2 >= len(lines) - 1:
            body = "  \n".join(line.strip() for line in rest)
        else:
            body = " ".join(line.strip() for line in rest)
        self._write_block(unicodedata.normalize("NFC", body), mark)
        self._items.append(_Item(found.end(), len(mark)))

    def _hanging(self, lines: list[str]) -> tuple[str, list[str], int, int] | None:
        """Term, lines, and the columns of both, of a definition: the lines below its first are indented."""
        column = _indent(lines[0])
        if (
            len(lines) < 2
            or any(_indent(line) != _indent(lines[1]) for line in lines[1:])
            or _indent(lines[1]) <= column
        ):
            return None
        inner = _indent(lines[1])
        first = lines[0]
        if len(first) > inner and first[inner - 2 : inner] == "  " and first[inner] != " ":
            return first[:inner].strip(), [first[inner:], *lines[1:]], column, inner
        if len(first) + 1 + len(lines[1].split()[0]) <= self._width - SLACK:
            return first.strip(), lines[1:], column, inner
        return None

    def _row(self, lines: list[str]) -> tuple[str, list[str], int, int] | None:
        """Term, text, and the columns of both, of a line alone that says what a word means, a gap between them."""
        found = _ROW.fullmatch(lines[0]) if len(lines) == 1 and not self._art else None
        if found is None or DRAWN.search(lines[0]) or _CODE.search(lines[0]):
            return None
        return found["term"], [found["text"]], found.start("term"), found.start("text")

    def _definition(self, term: str, lines: list[str], outer: int, column: int) -> None:
        self._end_art()
        self._close(outer)
        body = " ".join(" ".join(lines).split())
        self._write_block(unicodedata.normalize("NFC", paragraph(term) + "\n: " + body), "")
        self._items.append(_Item(column, 2))

    def _prose(self, lines: list[str]) -> None:
        self._end_art()
        self._close(_indent(lines[0]))
        if len(lines) > 1 and self._early_breaks(lines) * 2 >= len(lines):
            text = "  \n".join(paragraph(line) for line in lines)  # an address, a list of names
        else:
            text = paragraph(" ".join(line.strip() for line in lines))
        self._write_block(unicodedata.normalize("NFC", text), "")

    def _close(self, column: int) -> None:
        """Close the items whose text lies further right."""
        while self._items and column < self._items[-1].column:
            self._items.pop()

    def _end_art(self) -> None:
        if not self._art:
            return
        lines, self._art = self._art, []
        column = min(_indent(line) for line in lines if line)
        self._close(column)
        self._write_block(fence("\n".join(line[column:] for line in lines)), "")

    def _write_block(self, text: str, mark: str) -> None:
        indent = " " * sum(item.width for item in self._items)
        first, *rest = text.split("\n")
        inner = indent + " " * len(mark)
        if mark and self._tight:
            self._out.pop()
        self._write("\n".join([indent + mark + first, *(inner + line if line else "" for line in rest)]))
        self._tight = bool(mark)

    def _write(self, block: str) -> None:
        self._out += [block, ""]
        self._tight = False


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _is_sentence(line: str) -> bool:
    """Whether a line alone ends as a sentence does, and begins as one or has some words."""
    words = line.split()
    return bool(_END.search(words[-1])) and (words[0][0].isupper() or words[0][0] in "(\"'[" or len(words) > 3)
