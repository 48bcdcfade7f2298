"""Code and formulas of a Markdown text, lifted out before its tags are looked for, and put back as they were."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import pyromark

OPTIONS = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_FOOTNOTES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_HEADING_ATTRIBUTES
    | pyromark.Options.ENABLE_MATH
    | pyromark.Options.ENABLE_DEFINITION_LIST
)
_TEXT_ROLES = frozenset(
    ["ref", "doc", "term", "numref", "abbr", "guilabel", "menuselection", "download", "std:ref", "std:doc"]
)
_ROLE_TARGET = re.compile(r"[ ]*<[^<>]*>$")
_TARGET = re.compile(r"^[ \t>]*\([\w .:/-]+\)=[ \t]*$", re.MULTILINE)
_LINE_COMMENT = re.compile(r"^%[ \t].*$", re.MULTILINE)
_SILENT_ROLES = frozenset(["applies_to", "icon", "preview", "sub-ref"])
_INFO = re.compile(r"([ \t]*(?:`{3,}|~{3,}))[ \t]*([^\n]*)")
_DIRECTIVE_INFO = re.compile(r"\{(?:code-block|code-cell|code|sourcecode|parsed-literal|prompt)\}[ ]*([\w+#.-]*)")
_BRACED_INFO = re.compile(
    r"\{(?:[^{}]*?[ ])?\.(?!number|line-?numbers)([\w+#-]+)|\{[ ]*[.=]?([\w+-][\w+#-]*)", re.IGNORECASE
)
_OPTION = re.compile(r"[ \t>]*(?::[\w-]+:|$)")
_CODE_BREAK = re.compile(r"[ \t]*\n[ \t>]*")


def lift(text: str) -> tuple[str, list[str], str]:
    """The text with a word and a number for each piece of code or formula, the pieces, and the word."""
    raw = text.encode("utf-8", "replace")
    word = "code" + blake2b(raw, digest_size=8).hexdigest() + "n"
    parts: list[bytes] = []
    pieces: list[str] = []
    done = 0
    for event, start, end in events(text):
        if start < done or not _is_code(event, raw, start):
            continue
        if raw[end - 1 : end] == b"\n":
            end -= 1
        parts += [raw[done:start], f"{word}{len(pieces)}x".encode()]
        pieces.append(_piece(event, raw[start:end].decode()))
        done = end
    return (b"".join(parts) + raw[done:]).decode(), pieces, word


def events(text: str) -> Iterator[tuple[Any, int, int]]:
    """Each event of the parser with the range of its source, in bytes of UTF-8."""
    for event, span in pyromark.events_with_range(text, options=OPTIONS):
        yield event, span["start"], span["end"]


def _is_code(event: Any, raw: bytes, start: int) -> bool:
    match event:
        case {"Start": {"CodeBlock": _}} | {"Code": _} | {"InlineMath": _} | {"DisplayMath": _}:
            return True
        case {"Start": "HtmlBlock"}:
            return raw[start : start + 4].lower() == b"<pre"
    return False


def _piece(event: Any, source: str) -> str:
    """The source of a piece of code; the info string of a fence becomes the language alone."""
    match event:
        case {"Start": {"CodeBlock": {"Fenced": str(info)}}} if info:
            first = _INFO.match(source)
            if first and info.startswith("{math}"):
                inside = source.split("\n")[1:-1]
                return "\n".join(["$$", *(line for line in inside if not _OPTION.match(line)), "$$"])
            if first:
                return first.group(1) + _language(info.strip()) + source[first.end() :]
        case {"Code": _}:
            return _CODE_BREAK.sub(" ", source)
    return source


def _language(info: str) -> str:
    """The language that an info string names: `sh title="x"`, `{.sh .cls}`, `{code-block} sh`, `{r, echo=F}`."""
    if info.startswith("{"):
        found = _DIRECTIVE_INFO.match(info) or _BRACED_INFO.match(info)
        return next(filter(None, found.groups()), "").lower() if found else ""
    return re.split(r"[\s,{:;]", info, maxsplit=1)[0].lower()


def without_roles(text: str, pieces: list[str], word: str) -> str:
    """The text without what MyST adds to it: roles in front of code, targets (`(name)=`), comments (`% …`)."""

    def role(match: re.Match[str]) -> str:
        name, number = match.groups()
        inside = pieces[int(number)].strip("`")
        if name == "math":
            return f"${inside}$"
        if name in _SILENT_ROLES:
            return ""
        if name in _TEXT_ROLES:
            return _ROLE_TARGET.sub("", inside)
        return match.group()[len(name) + 2 :]

    text, roles = re.subn(r"\{([a-z][\w:+-]*)\}" + word + r"(\d+)x", role, text)
    text = re.sub(r"(" + word + r"\d+x)\{[.#][^{}\n]*\}", r"\1", text)  # pandoc's way to name the language of code
    text, targets = _TARGET.subn("", text)
    return _LINE_COMMENT.sub("", text) if roles or targets else text
