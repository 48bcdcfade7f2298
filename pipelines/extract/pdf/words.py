"""Prose of a PDF put together again: words that line ends have cut, and the styles of their letters as Markdown."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from pipelines.extract.pdf.chars import Font
from pipelines.extract.pdf.glyphs import Run
from pipelines.extract.pdf.layout import Line, spaced
from pipelines.extract.write import inline_code

_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_CUT = re.compile(r"([^\W\d_]+(?:-[^\W_]+)*)-$")
_NEXT = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_ADDRESS = re.compile(r"(?:://|[@./])[^\s/@]{0,300}[.\-?&=#%]$")
_MARKS = {(True, False): "**", (False, True): "*", (True, True): "***", (False, False): ""}
_LETTER = re.compile(r"[^\W_]")
_CURLY = str.maketrans(
    {"\u2018": "`", "\u2019": "'", "\u2212": "-", "\u2010": "-", "\u00a0": " "} | {"ˆ": "^", "˜": "~"}
)
# troff draws quotes of two, and the hyphen of an option as a minus.
_OPTION = re.compile(r"(?<![^\s([{,|/=])\u2212(?=[\u2212A-Za-z])|(?<=\u2212)\u2212(?=[A-Za-z])")
_QUOTES = (("\u2018\u2018", "“"), ("\u2019\u2019", "”"))

Vocabulary = Counter[str]
Piece = tuple[str, Font]


def vocabulary(lines: Iterable[Line]) -> Vocabulary:
    """How often each word stands in the lines, hyphenated ones whole and in parts; halves at line ends do not count."""
    words: Vocabulary = Counter()
    cut = False
    for line in lines:
        text = line.text.lower().rstrip()
        found = list(_WORD.finditer(text))
        found = found[1:] if cut else found
        cut = text.endswith("-")
        for match in found[:-1] if cut else found:
            words[match.group()] += 1
            parts = match.group().split("-")
            words.update(parts if len(parts) > 1 else ())
    return words


def joins(left: str, right: str, words: Vocabulary) -> bool:
    """Whether the hyphen at the end of `left` was only put there because the line ended before `right`."""
    cut, following = _CUT.search(left), _NEXT.match(right)
    if not cut or not following:
        return False
    head, tail = cut.group(1).lower().rsplit("-", 1)[-1], following.group().lower().split("-")[0]
    if words[head + tail]:
        return True
    if not right[0].islower():
        return False
    if words[f"{cut.group(1)}-{following.group()}".lower()] or words[f"{head}-{tail}"]:
        return False
    return not (words[head] and words[tail])


def code_text(text: str) -> str:
    """Text of a fixed font with the quotes and hyphens that a program has, where a typesetter drew others."""
    return text.translate(_CURLY)


def pieces_of(lines: list[Line], words: Vocabulary) -> list[Piece]:
    """The text of lines as pieces of one font each, with one space where a line ended."""
    pieces: list[Piece] = []
    for line in lines:
        runs = line.runs
        if not runs:
            continue
        if pieces:
            text, font = pieces[-1]
            following = runs[0].font
            if font.mono and following.mono and (text[-1] in "_/" or _ADDRESS.search(text)):
                pass  # a name or an address that was broken where it may be
            elif font.mono or not text.endswith("-"):
                pieces.append((" ", font if font == following else Font(False, False, False)))
            elif joins(text, runs[0].text, words):
                pieces[-1] = (text[:-1], font)
            elif not text[-2:-1].isalnum():
                pieces.append((" ", font))
        pieces += _of_line(runs)
    return pieces


def _of_line(runs: list[Run]) -> list[Piece]:
    pieces = [(runs[0].text, runs[0].font)]
    for left, right in pairwise(runs):
        if spaced(left, right):
            pieces.append((" ", right.font if right.font == left.font else Font(False, False, False)))
        pieces.append((right.text, right.font))
    return pieces


def markdown(pieces: list[Piece], styled: bool = True) -> str:
    """Pieces as one line of Markdown: fixed fonts as code, bold and italic words marked where `styled`."""
    parts: list[tuple[list[str], str]] = []
    for text, font in pieces:
        mark = "`" if font.mono else _MARKS[font.bold, font.italic] if styled else ""
        if parts and (parts[-1][1] == mark or not text.strip()):
            parts[-1][0].append(text)
        else:
            parts.append(([text], mark))
    merged = [("".join(texts), mark) for texts, mark in parts]
    for index, (text, mark) in enumerate(merged):
        if mark != "`":
            before = (merged[index - 1][0][-1:] if index else "") or " "
            merged[index] = (_prose(before + text)[1:], mark)
    out = []
    for index, (text, mark) in enumerate(merged):
        out.append(_marked(text, mark, merged[index - 1][0][-1:] if index else "", merged[index + 1 : index + 2]))
    return unicodedata.normalize("NFC", " ".join("".join(out).split()))


def _prose(text: str) -> str:
    for drawn, meant in _QUOTES:
        text = text.replace(drawn, meant)
    return _OPTION.sub("-", text)


def _marked(text: str, mark: str, before: str, after: list[tuple[str, str]]) -> str:
    core = text.strip()
    if not core or not mark:
        return text
    head, tail = text[: text.index(core[0])], text[len(text.rstrip()) :]
    if mark == "`":
        return head + inline_code(code_text(core)) + tail
    # Marks inside a word, or around signs alone, would be read as text.
    inside = (not head and before[-1:].isalnum()) or (not tail and bool(after) and after[0][0][:1].isalnum())
    if inside or not _LETTER.search(core) or len(core) < 2 or "*" in core:
        return text
    return head + mark + core + mark + tail
