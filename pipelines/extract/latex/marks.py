"""Citations and references: marks in the HTML until all is read, then text or nothing."""

from __future__ import annotations

import html
import re

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
_REFERENCE = re.compile(rf"([ ]?)(\(?){REFERRED}([rcC])([^{END}]*){END}(\)?)")


def settled(text: str, titles: dict[str, str]) -> str:
    """HTML whose citations are left out, and whose references are the titles of what they refer to, if known."""
    text = _CITATION.sub(_cited, _BRACKETED.sub("", text))

    def refer(found: re.Match[str]) -> str:
        before, opening, kind, names, closing = found.groups()
        known = [titles.get(name.strip(), "") for name in html.unescape(names).split(",")]
        if all(known):
            return before + opening + " and ".join(f"“{title}”" for title in known) + closing
        word = commands.KINDS.get(names.split(":")[0].strip().lower(), "")
        if kind == "r" or not word:
            return "" if bool(opening) == bool(closing) else opening + closing
        return f"{before}{opening}{'The' if kind == 'C' else 'the'} {word}{'s' if len(known) > 1 else ''}{closing}"

    return _REFERENCE.sub(refer, text)


def _cited(found: re.Match[str]) -> str:
    before, kind, keys = found.groups()
    if kind == "n" or not before or _NEEDED.fullmatch(before):
        return f"{before}[{keys}]"
    return before.rstrip(" ")
