"""What wikitext must not be read in: code, formulas and the like, put aside as finished HTML behind marks.

The way of MediaWiki's own parser. A mark is a number between two delete characters, which the text itself has not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

MARK = re.compile("\x7f(\\d+)\x7f")

_DROPPED = (
    "ref references gallery timeline imagemap score templatestyles templatedata mapframe maplink graph hiero inputbox "
    "categorytree section indicator includeonly charinsert rss poll choose"
)
_KEPT = "nowiki pre syntaxhighlight source math chem ce"
_TAG = re.compile(rf"<!--|<({'|'.join((_DROPPED + ' ' + _KEPT).split())})\b([^<>]*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([a-z]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'/>]+))", re.IGNORECASE)
_FORMULA = re.compile(r'<span class="math">\\\((.*)\\\)</span>', re.DOTALL)
_NOWIKI = re.compile(r"</?nowiki\s*/?>", re.IGNORECASE)
_INLINE = re.compile(r"\binline\b|\benclose\s*=\s*[\"']?none", re.IGNORECASE)


class Kept:
    """Finished HTML, found again by its marks."""

    def __init__(self) -> None:
        self._html: list[str] = []
        self._blocks: set[int] = set()

    def keep(self, html: str, block: bool = False) -> str:
        """The mark for HTML, in which marks are replaced now. A `block` is no part of a line of text."""
        if block:
            self._blocks.add(len(self._html))
        self._html.append(self.restore(html))
        return f"\x7f{len(self._html) - 1}\x7f"

    def restore(self, text: str) -> str:
        """The text with HTML for its marks."""
        return MARK.sub(lambda mark: self._html[int(mark.group(1))], text)

    def displayed(self, text: str) -> str:
        """A formula that a line holds alone, as one on a line of its own; else the empty string."""
        mark = MARK.fullmatch(text.strip().rstrip(".,;"))
        formula = _FORMULA.fullmatch(self._html[int(mark.group(1))]) if mark else None
        return f'<div class="math">\\[{formula.group(1)}\\]</div>\n' if formula else ""

    def has_block(self, line: str) -> bool:
        """Whether a block stands in a line."""
        return any(int(number) in self._blocks for number in MARK.findall(line))


def strip(text: str, kept: Kept) -> str:
    """The text with marks for code and formulas, and without comments, references and galleries."""
    out: list[str] = []
    at = 0
    unclosed: set[str] = set()
    while tag := _TAG.search(text, at):
        start, name = tag.start(), (tag.group(1) or "").lower()
        out.append(text[at:start])
        if not name:
            at = _behind_comment(text, start, out)
            continue
        at = tag.end()
        attributes = tag.group(2)
        if attributes.endswith("/"):
            continue
        end = None if name in unclosed else re.compile(rf"</{name}\s*>", re.IGNORECASE).search(text, at)
        if end is None:
            # Nothing later closes it, either: it is not looked for again.
            unclosed.add(name)
            out.append("" if name in _DROPPED.split() else kept.keep(escape(tag.group())))
            continue
        if name in _KEPT.split():
            out.append(_HTML[name](text[at : end.start()], attributes, kept))
        at = end.end()
    out.append(text[at:])
    return "".join(out)


def _behind_comment(text: str, start: int, out: list[str]) -> int:
    """Where the text goes on behind a comment; a line that held nothing else goes with it."""
    end = text.find("-->", start)
    if end < 0:
        return len(text)
    end += 3
    line_end = text.find("\n", end)
    begins_line = "".join(out[-1:]).rpartition("\n")[2].strip() == "" and (len(out) == 1 or "\n" in out[-1])
    if begins_line and line_end >= 0 and not text[end:line_end].strip():
        return line_end + 1
    return end


def _nowiki(code: str, attributes: str, kept: Kept) -> str:
    return kept.keep(_literal(code))


def _pre(code: str, attributes: str, kept: Kept) -> str:
    return kept.keep(f"<pre>\n{_literal(_NOWIKI.sub('', code).removeprefix(chr(10)))}</pre>", block=True)


def _source(code: str, attributes: str, kept: Kept) -> str:
    language = attribute(attributes, "lang")
    named = f' class="language-{escape(language)}"' if language else ""
    if _INLINE.search(attributes):
        return kept.keep(f"<code{named}>{escape(code.strip())}</code>")
    return kept.keep(f"<pre>\n<code{named}>{escape(code.strip(chr(10)).rstrip())}\n</code></pre>", block=True)


def _math(code: str, attributes: str, kept: Kept) -> str:
    if attribute(attributes, "display") == "block":
        return kept.keep(f'<div class="math">\\[{escape(code.strip())}\\]</div>', block=True)
    return kept.keep(f'<span class="math">\\({escape(code.strip())}\\)</span>')


def _chemistry(code: str, attributes: str, kept: Kept) -> str:
    return kept.keep(f'<span class="math">\\(\\ce{{{escape(code.strip())}}}\\)</span>')


_HTML: dict[str, Callable[[str, str, Kept], str]] = {
    "nowiki": _nowiki,
    "pre": _pre,
    "syntaxhighlight": _source,
    "source": _source,
    "math": _math,
    "chem": _chemistry,
    "ce": _chemistry,
}


def _literal(code: str) -> str:
    """Code as HTML in which entities stay what they are, as MediaWiki shows them in `pre` and `nowiki`."""
    return code.replace("<", "&lt;").replace(">", "&gt;")


def attribute(attributes: str, name: str) -> str:
    """The value of an attribute, lower case, or the empty string."""
    for key, *values in _ATTRIBUTE.findall(attributes):
        if key.lower() == name:
            return next((value for value in values if value), "").strip().lower()
    return ""
