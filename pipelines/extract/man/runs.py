"""Runs of characters in fonts as inline HTML: what is bold in a man page is code."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise

from pipelines.extract.man.text import STRAIGHT, Run, plain

_REFERENCE = re.compile(r"[\w.+:@/-]+\(\d\w{0,8}\)")
_SPLIT = re.compile(r"(\s+)")
_LEADING = "\"'“‘("
_TRAILING = ".,;:!?\"'”’"
_KINDS = {"C": "B", "J": "R"}
_EMPHASIS = re.compile(
    r"(?:note|warning|caution|important|tip|bug|example|attention|remark)s?:?"
    r"|not|and|or|all|any|must|only|never|always|do not|is not",
    re.IGNORECASE,
)
_ENDING = re.compile(r"['’]?s|es|d|ed|['’]ed|ing")
# What is set in italics and would not come back as emphasis, or is an option: code, if it is no sentence.
_TECHNICAL = re.compile(r"-{1,2}\w|_|.*[*<`\\]|.*_$", re.DOTALL)
_TECHNICAL_WORDS = 8
# Quotes as typewriters have them: `word' and ``words''.
_QUOTED = re.compile(r"(?<![\w`])(?:``([^`'\n]{1,200})''|`([^`'\n]{1,200})')(?=[\s.,;:!?)\]/-]|$)")


def html_of(runs: Iterable[Run]) -> str:
    """Inline HTML. What is bold is code, with what hangs on it; a line break is `br`."""
    parts: list[str] = []
    kind, text = "R", ""
    pieces = [*_pieces(_with_quotes(list(runs))), ("", "")]
    for (piece_kind, piece), (next_kind, _) in zip(pieces, [*pieces[1:], ("", "")], strict=True):
        # A space between words of one font is part of what they say, whatever its own font.
        if piece_kind == kind or (piece == " " and kind == next_kind):
            text += piece
            continue
        parts.append(_marked(text, kind))
        kind, text = piece_kind, piece
    return "".join(parts)


def _with_quotes(runs: list[Run]) -> list[Run]:
    """The runs with typewriter quotes as typographic ones: a grave accent alone would begin code."""
    text = plain(runs)
    if "`" not in text:
        return runs
    fonts = "".join(font * len(part) for part, font in runs)
    letters = list(text)
    for found in _QUOTED.finditer(text):
        if "C" in (fonts[found.start()], fonts[found.end() - 1]):
            continue
        size = 2 if found[1] is not None else 1
        letters[found.start() : found.start() + size] = ("“", "") if size > 1 else "‘"
        letters[found.end() - size : found.end()] = ("”", "") if size > 1 else "’"
    made: list[Run] = []
    begin = 0
    for part, font in runs:
        made.append(("".join(letters[begin : begin + len(part)]), font))
        begin += len(part)
    return made


def _pieces(runs: Iterable[Run]) -> Iterator[Run]:
    """The text in pieces that are code (B), emphasis (I) or neither (R); what is spaced keeps its own.

    Only words at the ends of runs can have several fonts: what lies between them is a piece.
    """
    word: list[Run] = []
    for text, font in _merged(runs):
        first, last = _ends(text)
        if first < 0:
            word += [(text, font)] if text else []
            continue
        if first:
            word.append((text[:first], font))
        yield from _word(word)
        yield from _inside(text[first:last], font)
        word = [(text[last:], font)] if last < len(text) else []
    yield from _word(word)


def _merged(runs: Iterable[Run]) -> Iterator[Run]:
    """The runs with neighbours of one font as one."""
    for kind, group in groupby(runs, _kind):
        yield plain(group), kind


def _kind(run: Run) -> str:
    return _KINDS.get(run[1], run[1])


def _ends(text: str) -> tuple[int, int]:
    """Where the first space begins and where the last one ends; -1 without one."""
    if not text or not (words := text.split(None, 1)):
        return (0, len(text)) if text else (-1, -1)
    first = 0 if text[0].isspace() else len(words[0])
    if first == len(text):
        return -1, -1
    return first, len(text) if text[-1].isspace() else len(text) - len(text.rsplit(None, 1)[-1])


def _inside(text: str, kind: str) -> Iterator[Run]:
    """Words of one font between spaces; a reference to a page is neither code nor emphasis."""
    if kind == "R" or "(" not in text:
        yield kind, text
        return
    for piece in _SPLIT.split(text):
        if piece:
            yield "R" if _REFERENCE.fullmatch(piece.rstrip(_TRAILING)) else kind, piece


def _word(word: list[Run]) -> Iterator[Run]:
    """The pieces of one word, which may have several fonts."""
    fonts = {font for _, font in word}
    text = plain(word)
    if fonts <= {"R"} or _REFERENCE.fullmatch(text.rstrip(_TRAILING)):
        yield from [("R", text)] if text else ()
    elif "B" in fonts or _is_torn(word):
        head, middle, tail = _hanging(word)
        kind = "B" if "B" in fonts else "I"
        yield from (piece for piece in (("R", head), (kind, middle), ("R", tail)) if piece[1])
    else:
        for part, font in word:
            yield font, part


def _is_torn(word: list[Run]) -> bool:
    """Whether stars between parts of a word would not be read as emphasis: next to marks, they need a space."""
    for (one, font), (other, next_font) in pairwise(word):
        outer, within = (one[-1:], other[:1]) if font != "I" else (other[:1], one[-1:])
        if (font == "I") != (next_font == "I") and not within.isalnum() and outer.isalnum():
            return True
    return False


def _marked(text: str, kind: str) -> str:
    """A piece in its markup, the spaces around it outside."""
    inner = text.strip()
    if not inner:
        return "<br>" if "\n" in text else text
    made = html.escape(inner)
    if kind == "I" and _TECHNICAL.match(inner) and inner.count(" ") < _TECHNICAL_WORDS:
        kind = "C"
    if kind == "B" and (_REFERENCE.fullmatch(inner) or not inner.strip(_TRAILING)):
        pass
    elif kind == "B" and (_EMPHASIS.fullmatch(inner) or _is_sentence(inner)):
        made = f"<strong>{made}</strong>"
    elif kind in "BC":
        made = f"<code>{html.escape(inner.translate(STRAIGHT))}</code>"
    elif kind == "I":
        made = f"<em>{made}</em>"
    else:
        made = made.replace("\n", "<br>")
    begin = text.find(inner[0])
    return text[:begin] + made + text[begin + len(inner) :]


def _is_sentence(text: str) -> bool:
    return text[0].isupper() and " " in text and all(word.strip(_TRAILING).isalnum() for word in text.split())


def term_html(runs: list[Run]) -> str:
    """Inline HTML of the term of a definition: one piece of code, if it is no prose."""
    text = " ".join(plain(runs).split())
    roman = "".join(part if font == "R" else " " for part, font in runs).split()
    marked = any(font != "R" for part, font in runs if part.strip())
    prose = sum(1 for word in roman if word.strip(_TRAILING + "()").isalpha())
    if text and prose <= 2 and (marked or text.startswith("-")) and not text.endswith(":"):
        return f"<code>{html.escape(text.translate(STRAIGHT))}</code>"
    return html_of(runs)


def _hanging(word: list[Run]) -> tuple[str, str, str]:
    """A marked word without the punctuation around it that is not marked."""
    head = tail = ""
    first, last = word[0], word[-1]
    marked = "B" if any(font == "B" for _, font in word) else "I"
    if first[1] != marked:
        head = first[0][: len(first[0]) - len(first[0].lstrip(_LEADING))]
    if last[1] != marked:
        tail = last[0][len(last[0].rstrip(_TRAILING)) :]
    text = plain(word)[len(head) : len(plain(word)) - len(tail)]
    if last[1] != marked and word[-2][0][-1:].isalnum() and (ending := _ENDING.fullmatch(last[0].removesuffix(tail))):
        text, tail = text.removesuffix(ending[0]), ending[0] + tail
    while last[1] != marked and text.endswith(")") and text.count(")") > text.count("("):
        text, tail = text[:-1], ")" + tail
    return head, text, tail
