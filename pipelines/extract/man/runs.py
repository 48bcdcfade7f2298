"""Runs of characters in fonts as inline HTML: what is bold in a man page is code."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from pipelines.extract.man.text import BREAK, STRAIGHT, Run, plain

_WORDS = re.compile(r"\n|[^\S\n]+|\S+")
_REFERENCE = re.compile(r"[\w.+:@/-]+\(\d\w{0,8}\)")
_LEADING = "\"'“‘("
_TRAILING = ".,;:!?\"'”’"
_KINDS = {"C": "B", "J": "R"}
_EMPHASIS = re.compile(
    r"(?:note|warning|caution|important|tip|bug|example|attention|remark)s?:?"
    r"|not|and|or|all|any|must|only|never|always|do not|is not",
    re.IGNORECASE,
)


def html_of(runs: Iterable[Run]) -> str:
    """Inline HTML. What is bold is code, with what hangs on it; a line break is `br`."""
    parts: list[str] = []
    kind, text = "R", ""
    pieces = [*_pieces(runs), ("", "")]
    for (piece_kind, piece), (next_kind, _) in zip(pieces, [*pieces[1:], ("", "")], strict=True):
        # A space between words of one font is part of what they say, whatever its own font.
        if piece_kind == kind or (piece == " " and kind == next_kind):
            text += piece
            continue
        parts.append(_marked(text, kind))
        kind, text = piece_kind, piece
    return "".join(parts)


def _pieces(runs: Iterable[Run]) -> Iterator[Run]:
    """The text in pieces that are code (B), emphasis (I) or neither (R); what is spaced keeps its own."""
    for word in _words(runs):
        text = plain(word)
        if _REFERENCE.fullmatch(text.rstrip(_TRAILING)):
            yield "R", text
        elif text.isspace() or not any(font in "BC" for _, font in word):
            for part, font in word:
                yield _KINDS.get(font, font), part
        else:
            head, middle, tail = _hanging(word)
            yield from (piece for piece in (("R", head), ("B", middle), ("R", tail)) if piece[1])


def _marked(text: str, kind: str) -> str:
    """A piece in its markup, the spaces around it outside."""
    inner = text.strip()
    if not inner:
        return "<br>" if "\n" in text else text
    made = html.escape(inner)
    if kind == "B" and (_REFERENCE.fullmatch(inner) or not inner.strip(_TRAILING)):
        pass
    elif kind == "B" and (_EMPHASIS.fullmatch(inner) or _is_sentence(inner)):
        made = f"<strong>{made}</strong>"
    elif kind == "B":
        made = f"<code>{html.escape(inner.translate(STRAIGHT))}</code>"
    elif kind == "I":
        made = f"<em>{made}</em>"
    else:
        made = made.replace("\n", "<br>")
    begin = text.find(inner[0])
    return text[:begin] + made + text[begin + len(inner) :]


def _is_sentence(text: str) -> bool:
    return text[0].isupper() and " " in text and text.replace(" ", "").strip(_TRAILING).isalpha()


def term_html(runs: list[Run]) -> str:
    """Inline HTML of the term of a definition: one piece of code, if it is no prose."""
    text = " ".join(plain(runs).split())
    roman = "".join(part if font == "R" else " " for part, font in runs).split()
    marked = any(font != "R" for part, font in runs if part.strip())
    prose = sum(1 for word in roman if word.strip(_TRAILING + "()").isalpha())
    if text and prose <= 2 and (marked or text.startswith("-")) and not text.endswith(":"):
        return f"<code>{html.escape(text.translate(STRAIGHT))}</code>"
    return html_of(runs)


def _words(runs: Iterable[Run]) -> Iterator[list[Run]]:
    """The runs cut into words, spaces and line breaks; a word may have several fonts."""
    word: list[Run] = []
    for text, font in runs:
        for piece in _WORDS.findall(text):
            if not piece.isspace():
                word.append((piece, font))
                continue
            if word:
                yield word
                word = []
            yield [BREAK] if piece == "\n" else [(piece, font)]
    if word:
        yield word


def _hanging(word: list[Run]) -> tuple[str, str, str]:
    """A bold word without the punctuation around it that is not bold."""
    head = tail = ""
    first, last = word[0], word[-1]
    if first[1] not in "BC":
        head = first[0][: len(first[0]) - len(first[0].lstrip(_LEADING))]
    if last[1] not in "BC":
        tail = last[0][len(last[0].rstrip(_TRAILING)) :]
    text = plain(word)[len(head) : len(plain(word)) - len(tail)]
    while last[1] not in "BC" and text.endswith(")") and text.count(")") > text.count("("):
        text, tail = text[:-1], ")" + tail
    return head, text, tail
