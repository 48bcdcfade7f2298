"""Citations and references: marks in the HTML until all is read, then text or nothing."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping

from pipelines.extract.latex import commands

CITED, REFERRED, END = "\ue000", "\ue001", "\ue002"
MARKS = re.compile("[\ue000-\ue002]")

# Citations in brackets of their own; one that a sentence needs (`as shown by`) stays as its key.
_ONE = rf"{CITED}[^{END}]*{END}"
_BRACKETED = re.compile(rf"[ ]?[(\[](?:see|e\.g\.,?|cf\.)?[ ,;]*{_ONE}(?:[ ,;]*(?:and )?{_ONE})*[ ,;]*[)\]]")
_CITATION = re.compile(rf"([^ >]{{0,20}}[ ]?){CITED}([nc])([^{END}]*){END}")
_NEEDED = re.compile(
    r"(?:by|in|of|see|and|or|from|to|with|on|both|use|using|follow|per|than|e\.g\.,|[^ ]*[.!?;:]) ", re.IGNORECASE
)
# A reference to a page, with the words that lead to it.
_ON = r"(?:pages?|pp?\.)"
_PAGE = re.compile(
    rf"[ ]?\((?:(?:on|at|see) )?(?:{_ON} )?{REFERRED}p{END}\)"
    rf"|(?:,? (?:(?:starting|beginning) )?(?:on|at|from))?(?: {_ON})? ?{REFERRED}p{END}"
)
_REFERENCE = re.compile(rf"([ ]?)(\(?){REFERRED}([rcCe])([^{END}]*){END}(\)?)")


def settled(text: str, titles: Mapping[str, str], numbers: Mapping[str, str]) -> str:
    """HTML whose citations are left out, and whose references are what they refer to, if known: a title or a number."""
    text = _CITATION.sub(_cited, _BRACKETED.sub("", _PAGE.sub("", text)))

    def refer(found: re.Match[str]) -> str:
        before, opening, kind, names, closing = found.groups()
        labels = [name.strip() for name in html.unescape(names).split(",")]
        word = commands.KINDS.get(names.split(":")[0].strip().lower(), "")
        word = f"{word}s" if word and len(labels) > 1 else word
        if all(name in titles for name in labels):
            return before + opening + " and ".join(f"“{titles[name]}”" for name in labels) + closing
        if all(name in numbers for name in labels):
            listed = _list(numbers[name] for name in labels)
            listed = f"({listed})" if kind == "e" and not opening else listed
            named = "" if kind in "re" or not word else f"{word.capitalize() if kind == 'C' else word} "
            return f"{before}{opening}{named}{listed}{closing}"
        if kind in "re" or not word:
            return "" if bool(opening) == bool(closing) else opening + closing
        return f"{before}{opening}{'The' if kind == 'C' else 'the'} {word}{closing}"

    return _REFERENCE.sub(refer, text)


def _list(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _cited(found: re.Match[str]) -> str:
    before, kind, keys = found.groups()
    if kind == "n" or not before or _NEEDED.fullmatch(before):
        return f"{before}[{keys}]"
    return before.rstrip(" ")
