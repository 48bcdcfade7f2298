"""Commands of Texinfo in running text, as HTML or as the plain text of an example.

Without recursion: an open command waits on a stack until its brace closes.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from pipelines.extract.source_html import escape, footnote_mark

_CODE = frozenset(["code", "samp", "file", "option", "command", "env", "t", "verb", "indicateurl"])
_KEYS = frozenset(["kbd", "key"])
_TAGS = {"strong": "strong", "b": "strong", "sup": "sup", "sub": "sub"}
_TAGS |= dict.fromkeys(["emph", "i", "slanted", "sl", "cite", "dfn", "var"], "em")
_SIGNS = {
    "dots": "...", "enddots": "...", "bullet": "•", "minus": "-", "copyright": "©", "registeredsymbol": "®",
    "TeX": "TeX", "LaTeX": "LaTeX", "result": "=>", "expansion": "==>", "print": "-|", "error": "error-->",
    "equiv": "==", "point": "-!-", "comma": ",", "atchar": "@", "lbracechar": "{", "rbracechar": "}",
    "backslashchar": "\\", "hashchar": "#", "ampchar": "&", "pounds": "£", "euro": "€", "textdegree": "°",
    "tie": "\xa0", "leq": "≤", "geq": "≥", "arrow": "→", "click": "→", "ss": "ß", "aa": "å", "AA": "Å", "ae": "æ",
    "AE": "Æ", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "oe": "œ", "OE": "Œ", "exclamdown": "¡", "questiondown": "¿",
    "quotedblleft": "“", "quotedblright": "”", "quoteleft": "‘", "quoteright": "’", "quotedblbase": "„",
    "quotesinglbase": "‚", "guillemetleft": "«", "guillemetright": "»", "guilsinglleft": "‹", "guilsinglright": "›",
    "ordf": "ª", "ordm": "º", "dh": "ð", "th": "þ", "today": "",
}  # fmt: skip
_ACCENTS = {
    "'": "\u0301", "`": "\u0300", '"': "\u0308", "^": "\u0302", "~": "\u0303", "=": "\u0304", ",": "\u0327",
    "ringaccent": "\u030a", "v": "\u030c", "u": "\u0306", "H": "\u030b", "dotaccent": "\u0307",
    "ubaraccent": "\u0331", "udotaccent": "\u0323", "ogonek": "\u0328", "tieaccent": "\u0361",
}  # fmt: skip
_SINGLE = {
    "@": "@",
    "{": "{",
    "}": "}",
    " ": " ",
    "\t": " ",
    "\n": " ",
    ".": ".",
    "!": "!",
    "?": "?",
    "\\": "\\",
    "&": "&",
}
_WITH_ARGUMENTS_NAMES = (
    "xref pxref ref inforef link uref url email mailto image abbr acronym "
    "inlinefmt inlinefmtifelse inlineraw inlineifset inlineifclear"
)
_WITH_ARGUMENTS = frozenset(_WITH_ARGUMENTS_NAMES.split())
_NOTHING = frozenset(["anchor", "hyphenation", "caption", "shortcaption", "errormsg", "findex", "cindex"])
_SHOWN_FORMATS = frozenset(["info", "plaintext"])

_TOKEN = re.compile(r"@([A-Za-z]+|.)(\{)?|[{}]|[^@{}]+|@$", re.DOTALL)
_BRACES = re.compile(r"@.|[{}]", re.DOTALL)
_QUOTES = (("---", "—"), ("--", "–"), ("``", "“"), ("''", "”"), ("`", "‘"), ("'", "’"))


@dataclass
class _Open:
    """A command whose brace is open, and what has been written in it."""

    name: str
    written: list[str] = field(default_factory=list)


class Inline:
    """Inline commands of one document. `footnotes`: their HTML texts, in order."""

    def __init__(self) -> None:
        self.footnotes: list[str] = []

    def html(self, text: str, code: bool = False) -> str:
        """Text with its commands as HTML; with `code`, as the plain text of code, not escaped."""
        stack = [_Open("")]
        plain = 1 if code else 0  # open commands inside which all is code
        at = 0
        while found := _TOKEN.match(text, at):
            at = found.end()
            name, brace = found[1], found[2]
            if name is None and found[0] == "}":
                if len(stack) > 1:
                    done = stack.pop()
                    plain -= done.name in _CODE or done.name in _KEYS
                    stack[-1].written.append(self._closed(done, bool(plain), code, stack))
            elif name is None:
                if found[0] == "{":
                    stack.append(_Open("{"))
                else:
                    stack[-1].written.append(_words(found[0], bool(plain), code))
            elif name in ("math", "verb") and brace:
                end = _end_of_raw(text, at, name)
                stack[-1].written.append(_raw(name, text[at:end], bool(plain), code))
                at = end + 1
            elif brace and (name.isalpha() or name in _ACCENTS):
                stack.append(_Open(name))
                plain += name in _CODE or name in _KEYS
            else:
                at -= 1 if brace else 0
                written, at = _bare(name, text, at, code)
                stack[-1].written.append(written)
        while len(stack) > 1:
            done = stack.pop()
            plain -= done.name in _CODE or done.name in _KEYS
            stack[-1].written.append(self._closed(done, bool(plain), code, stack))
        return "".join(stack[0].written)

    def _closed(self, done: _Open, plain: bool, code: bool, above: list[_Open]) -> str:
        name, text = done.name, "".join(done.written)
        if name == "{":
            return "{" + text + "}"
        if name in _SIGNS:
            return _SIGNS[name] if code else escape(_SIGNS[name])
        if name in _ACCENTS:
            return unicodedata.normalize("NFC", text[:1] + _ACCENTS[name] + text[1:])
        if name in _NOTHING:
            return ""
        if name == "footnote":
            if code:
                return f" ({text})"
            self.footnotes.append(" ".join(text.split()))
            return footnote_mark(len(self.footnotes))
        if name == "U":
            return chr(int(text, 16)) if re.fullmatch(r"[0-9A-Fa-f]{1,5}", text) else ""
        if name in _WITH_ARGUMENTS:
            return _reference(name, [part.strip() for part in text.split(",")], text)
        if plain:
            return f"'{text}'" if code and name == "samp" and not any(map(_is_code, above)) else text
        if name in _KEYS:
            return f"<kbd>{text}</kbd>"
        if name in _CODE:
            return f"<code>{text}</code>" if text.strip() else f"‘{text}’" if text else ""
        tag = _TAGS.get(name)
        return f"<{tag}>{text}</{tag}>" if tag else text


def _is_code(command: _Open) -> bool:
    return command.name in _CODE


def _reference(name: str, parts: list[str], text: str) -> str:
    """What a command with arguments shows."""
    parts = parts + [""] * 5
    if name in ("xref", "pxref", "ref", "inforef", "link"):
        shown = parts[2] or parts[1] or parts[0]
        manual = parts[4] or parts[3]
        shown = f"{shown} in {manual}" if manual and shown else manual or shown
        return {"xref": "See ", "pxref": "see "}.get(name, "") + shown
    if name in ("uref", "url"):
        return parts[2] or (f"{parts[1]} ({parts[0]})" if parts[1] else parts[0])
    if name in ("email", "mailto"):
        return parts[1] or parts[0]
    if name == "image":
        return parts[3]
    if name in ("abbr", "acronym"):
        return f"{parts[0]} ({parts[1]})" if parts[1] else parts[0]
    rest = text.partition(",")[2].strip()
    if name == "inlinefmt":
        return rest if parts[0] in _SHOWN_FORMATS else ""
    if name == "inlinefmtifelse":
        return parts[1] if parts[0] in _SHOWN_FORMATS else parts[2]
    return rest if name in ("inlineifset", "inlineifclear") else ""


def _bare(name: str, text: str, at: int, code: bool) -> tuple[str, int]:
    """A command without braces, and where the text goes on."""
    if name == "*":
        return ("\n" if code else "<br>"), at
    if name in _SINGLE:
        return (_SINGLE[name] if code else escape(_SINGLE[name])), at
    if name in _ACCENTS and not name.isalpha() and at < len(text):
        return unicodedata.normalize("NFC", text[at] + _ACCENTS[name]), at + 1
    return "", at


def _words(text: str, plain: bool, code: bool) -> str:
    if not plain:
        for written, shown in _QUOTES:
            text = text.replace(written, shown)
    return text if code else escape(text)


def _end_of_raw(text: str, at: int, name: str) -> int:
    """Where the brace closes of a command whose text is not in Texinfo."""
    if name == "verb" and at < len(text):
        end = text.find(text[at] + "}", at + 1)
        return end + 1 if end >= 0 else len(text)
    depth = 1
    for mark in _BRACES.finditer(text, at):
        depth += {"{": 1, "}": -1}.get(mark[0], 0)
        if not depth:
            return mark.start()
    return len(text)


def _raw(name: str, text: str, plain: bool, code: bool) -> str:
    if name == "verb":
        text = text[1:-1]
        return text if code else escape(text) if plain else f"<code>{escape(text)}</code>"
    text = re.sub(r"@(?:([a-zA-Z]+)(?:\{\})?|(.))", lambda m: "\\" + m[1] + " " if m[1] else m[2], text).strip()
    return text if code else escape(text) if plain else f'<span class="math">\\({escape(text)}\\)</span>'
