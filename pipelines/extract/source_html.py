"""Pieces of HTML that readers of markup sources write."""

from __future__ import annotations

import html
import re

from selectolax.lexbor import LexborHTMLParser

_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,30}")
_NO_LANGUAGE = frozenset(["none", "default", "text", "guess", "plain", "plaintext"])


def escape(text: str) -> str:
    """Text as HTML text."""
    return html.escape(text, quote=False)


def pre(code: str, language: str = "") -> str:
    """A block of code as it is; its language, if that is a name and says something."""
    named = _LANGUAGE.fullmatch(language) and language.lower() not in _NO_LANGUAGE
    name = f' class="language-{escape(language.lower())}"' if named else ""
    return f"<pre><code{name}>{escape(code)}\n</code></pre>"


def balanced(fragment: str) -> str:
    """HTML from inside a page, with what it leaves open closed and what it never opened left out."""
    body = LexborHTMLParser(fragment).body
    return "".join(child.html or "" for child in body.iter(include_text=True)) if body is not None else ""


def titled(title: str) -> str:
    """The title of a block (HTML) as a paragraph; nothing without one."""
    return f"<p><strong>{title}</strong></p>" if title else ""


def admonition(title: str, content: str) -> str:
    """An admonition of HTML content below its title."""
    head = f'<p class="admonition-title">{title}</p>' if title else ""
    return f'<div class="admonition">{head}{content}</div>'


def footnotes(texts: list[str]) -> str:
    """The footnotes 1, 2, ... of a page, each of HTML text."""
    notes = enumerate(texts, 1)
    return "".join(
        f'<aside class="footnote"><span class="label">{number}</span><p>{text}</p></aside>' for number, text in notes
    )


def footnote_mark(number: int) -> str:
    """The mark of a footnote in the text."""
    return f'<a class="footnote-reference">{number}</a>'
