"""What a CommonMark parser reads back from a tool's Markdown, and its words."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

# The preset's limit of 20 is a protection, no part of the standard: a list in a list already takes four.
_READER = MarkdownIt("commonmark", {"maxNesting": 200}).enable("table")
_BLOCK_READER = MarkdownIt("commonmark", {"maxNesting": 200}).enable("table").disable(["inline", "text_join"])

_FENCE = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(?:`{3,}|~{3,}).*$", re.M)
_TABLE_RULE = re.compile(r"^[ \t>]*\|?(?:[ \t]*:?-+:?[ \t]*\|)+(?:[ \t]*:?-+:?[ \t]*)?$", re.M)
_MARKER = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)]|#{1,6}|:)(?:[ \t]+|$))+", re.M)
_LINK = re.compile(
    r"!?\[([^\[\]]*)\]\((?:<[^>\n]*>|[^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:\s+(?:\"[^\"\n]*\"|'[^'\n]*'))?\)"
)
_TAG = re.compile(
    r"</?(?:a|b|br|div|em|i|img|kbd|p|span|strong|sub|sup|table|tbody|td|th|thead|tr|u)(?:\s[^<>]*)?/?>", re.I
)
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_UNDERSCORES = re.compile(r"(?<!\w)_+|_+(?!\w)")
_WORD = re.compile(r"\w+")


def fences(markdown: str) -> list[tuple[str, str]]:
    """Language (first word of the info string, lower case) and content of each fence, wherever it stands."""
    return [
        ((token.info.split() or [""])[0].lower(), token.content)
        for token in _BLOCK_READER.parse(markdown)
        if token.type == "fence"
    ]


def rows(markdown: str) -> tuple[list[list[str]], list[str]]:
    """The rows of tables, as texts of their cells, and the text of each list item with all that is in it."""
    table_rows: list[list[str]] = []
    items: list[str] = []
    open_items: list[list[str]] = []
    in_cell = False
    for token in _READER.parse(markdown):
        if token.type == "tr_open":
            table_rows.append([])
        elif token.type in ("th_open", "td_open", "th_close", "td_close"):
            in_cell = token.nesting == 1
        elif token.type == "list_item_open":
            open_items.append([])
        elif token.type == "list_item_close":
            items.append("\n".join(open_items.pop()))
            if open_items:
                open_items[-1].append(items[-1])
        elif token.type in ("inline", "fence", "code_block", "html_block"):
            content = _text(token.children) if token.type == "inline" else token.content
            if in_cell:
                table_rows[-1].append(content)
            if open_items:
                open_items[-1].append(content)
    return table_rows, items


def _text(tokens: Sequence[Token] | None) -> str:
    """The text of inline tokens; of tags in it, only line breaks count."""
    out: list[str] = []
    for token in tokens or ():
        if token.type in ("softbreak", "hardbreak"):
            out.append("\n")
        elif token.type == "html_inline":
            out.append(_TAG.sub(" ", token.content))
        elif token.type == "image":
            out.append(_text(token.children))
        else:
            out.append(token.content)
    return "".join(out)


def plain(markdown: str) -> str:
    """The text of Markdown: fence lines, markers, targets of links and tags go; the same for every tool."""
    text = _TABLE_RULE.sub("", _FENCE.sub("", markdown))
    text = _LINK.sub(r"\1", _LINK.sub(r"\1", text))
    text = html.unescape(_TAG.sub(" ", _MARKER.sub("", text)))
    return _ESCAPE.sub(r"\1", text)


def words(text: str) -> list[str]:
    """The words of a plain text, lower case; underscores around a word are emphasis."""
    return _WORD.findall(_UNDERSCORES.sub(" ", text.lower()))
