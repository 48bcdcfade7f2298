"""MDX: imports, exports and the tags of components leave a Markdown text; what stands between tags stays."""

from __future__ import annotations

import html
import re

from pipelines.extract.markdown.blocks import admonition
from pipelines.extract.markdown.lines import titled
from pipelines.extract.markdown.templates import block_lines

MAX_TAG = 20_000
MAX_UNCLOSED = 100

_TAG = re.compile(r"</?([A-Z][\w.]*|[a-z][a-z0-9]*)(?=[\s/>])")
_PIECE = re.compile(r"[^\"'`{}<>]+|\"[^\"]*\"|'[^'\n]*'|`[^`]*`|.", re.DOTALL)
_BRACED = re.compile(r"=\{[ ]*(?:\"([^\"{}]*)\"|'([^'{}]*)'|`([^`{}]*)`)[ ]*\}")
_IMPORT = re.compile(
    r"^import\s+(?:[\w*{][^'\"\n]*(?:\n[^'\"\n]+){0,100}?\sfrom\s+)?['\"][^'\"\n]+['\"];?[ \t]*$", re.MULTILINE
)
_EXPORT = re.compile(
    r"^export\s+(?:(?:const|let|var|function|default|async|class)\b|\{|\*)[^\n]*(?:\n[^\n]+)*", re.MULTILINE
)
_ATTRIBUTE = re.compile(r"([\w-]+)=(?:\"([^\"]*)\"|'([^']*)')")
_COMMENT = re.compile(r"\{/\*(?:[^*]|\*(?!/\}))*\*/\}")
_SPACE = re.compile(r"\{\s*(['\"])\s*\1\s*\}")
_NOTES = frozenset(["note", "tip", "info", "warning", "caution", "danger", "important", "check", "error", "success"])
_TITLES = ("title", "label", "header", "heading", "summary", "name", "caption")


def without_components(text: str, name: str) -> str:
    """A Markdown text without its code, and then without JSX.

    Imports and exports go where the record's name or an import says that the text is MDX; so does a
    component (`<Tabs …>`) anywhere. A word in angle brackets that is no component stays.
    """
    if name.lower().endswith(".mdx") or _IMPORT.search(text):
        text = _SPACE.sub(" ", _COMMENT.sub("", _EXPORT.sub("", _IMPORT.sub("", text))))
    return _without_tags(text) if re.search(r"</?[A-Z]|=\{", text) else text


def _without_tags(text: str) -> str:
    parts: list[str] = []
    done = unclosed = 0
    closed = set(re.findall(r"</([A-Z][\w.]*)[ \t]*>", text))
    for match in _TAG.finditer(text):
        if match.start() < done:
            continue
        component = match.group(1)[0].isupper()
        end = _tag_end(text, match.end())
        if not end:
            unclosed += 1
            if unclosed > MAX_UNCLOSED:
                break
            continue
        inside = text[match.end() : end - 1]
        if component and not (match.group(1) in closed or inside.rstrip().endswith("/") or "=" in inside):
            continue
        if not component and "={" not in inside:
            continue
        parts += [text[done : match.start()], _shown(match, inside) if component else _plain_tag(match, inside)]
        done = end
    return "".join(parts) + text[done:]


def _tag_end(text: str, start: int) -> int:
    """The position behind the `>` of a tag, braces and quotes taken as they pair; 0 if there is none."""
    depth = 0
    for piece in _PIECE.finditer(text, start, start + MAX_TAG):
        mark = piece.group()
        if mark == "{":
            depth += 1
        elif mark == "}":
            depth -= 1
        elif mark == ">" and depth <= 0:
            return piece.end()
        elif mark == "<" and depth <= 0:
            return 0
    return 0


def _plain_tag(match: re.Match[str], inside: str) -> str:
    """An HTML element whose attributes are written as expressions: of these, the text of a picture stays."""
    alt = _attributes(inside).get("alt", "")
    close = "/>" if inside.rstrip().endswith("/") else ">"
    return match.group() + (f' alt="{html.escape(alt)}"' if alt else "") + close


def _shown(match: re.Match[str], inside: str) -> str:
    """What the tag of a component leaves: the frame of a note, a title, the text of a picture."""
    name, closing = match.group(1).rsplit(".", 1)[-1], match.group().startswith("</")
    values = _attributes(inside)
    kind = name.lower()
    if kind in ("admonition", "callout", "aside", "alert", "hint"):
        kind = values.get("type", "note").lower() if not closing else "note"
    if kind in _NOTES and not inside.rstrip().endswith("/"):
        return block_lines(match, ["</div>", ""] if closing else admonition(kind, values.get("title")))
    if closing:
        return _at_line_start(match)
    keys = (*_TITLES, "value") if kind == "tabitem" else _TITLES
    title = next((values[key] for key in keys if values.get(key)), "")
    if title and _begins_line(match):
        return block_lines(match, titled(title))
    return values.get("alt", "") or values.get("text", "") or title or _at_line_start(match)


def _begins_line(match: re.Match[str]) -> bool:
    text = match.string
    return not text[text.rfind("\n", 0, match.start()) + 1 : match.start()].strip(" \t>")


def _at_line_start(match: re.Match[str]) -> str:
    """A tag on a line of its own parts blocks, as a blank line does."""
    return "\n" if _begins_line(match) else ""


def _attributes(inside: str) -> dict[str, str]:
    """The attributes of a tag whose values are texts, written with or without braces."""
    found = _ATTRIBUTE.findall(_BRACED.sub(_quoted, inside))
    return {name.lower(): double or single for name, double, single in found}


def _quoted(match: re.Match[str]) -> str:
    return '="' + (match.group(1) or match.group(2) or match.group(3) or "").replace('"', "'") + '"'
