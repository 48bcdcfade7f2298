"""MDX: imports, exports and the tags of components leave a Markdown text; what stands between tags stays."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from pipelines.extract.markdown.blocks import admonition
from pipelines.extract.markdown.lines import closes, titled
from pipelines.extract.markdown.templates import block_lines

MAX_TAG = 20_000
MAX_UNCLOSED = 100
MAX_TAG_LINES = 200

_TAG = re.compile(r"</?([A-Z][\w.]*|[a-z][a-z0-9]*)(?=[\s/>])")
_PIECE = re.compile(r"[^\"'`{}<>]+|\"[^\"]*\"|'[^'\n]*'|`[^`]*`|.", re.DOTALL)
_ANY_TAG = re.compile(r"<[^<>]*>")
_BRACED_ELEMENT = re.compile(r"=\{\s*(<[^{}]*>)\s*\}")
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
_TITLES = ("title", "label", "header", "heading", "summary", "name", "caption", "filename")
_ELEMENT_LINE = re.compile(r"[ \t]*<(/?)([A-Za-z][\w.]*)(?=[\s/>]|$)")
_FENCE_LINE = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(`{3,}|~{3,})")
_VOID = frozenset(["br", "hr", "img", "input", "source", "wbr", "col", "meta", "link"])


def without_components(text: str, name: str) -> str:
    """A Markdown text without its code, and then without JSX.

    Imports and exports go where the record's name or an import says that the text is MDX; so does a
    component (`<Tabs …>`) anywhere. A word in angle brackets that is no component stays.
    """
    if name.lower().endswith(".mdx") or _IMPORT.search(text):
        text = _SPACE.sub(" ", _COMMENT.sub("", _EXPORT.sub("", _IMPORT.sub("", text))))
    return _without_tags(text) if re.search(r"</?[A-Z]|=\{", text) else text


@dataclass
class _Element:
    """An open element: where its tag begins in what is written, and where its text begins in the source."""

    name: str
    base: int
    width: int = -1


def without_indentation(text: str, name: str) -> str:
    """The text; of MDX, what stands between tags begins where the tags begin: there, indentation makes no code.

    MDX is told by the record's name, or by an import at the top.
    """
    if not (name.lower().endswith(".mdx") or _IMPORT.match(text.lstrip())):
        return text
    out: list[str] = []
    elements: list[_Element] = []
    lines = text.split("\n")
    at = unclosed = 0
    marks = ""
    while at < len(lines):
        line = lines[at]
        at += 1
        tag = None if marks else _ELEMENT_LINE.match(line)
        if tag and tag[1]:
            _close(tag[2], elements)
        elif tag and unclosed < MAX_UNCLOSED:
            taken = _open(tag, lines[at - 1 : at - 1 + MAX_TAG_LINES], elements, out)
            unclosed += not taken
            if taken:
                at += taken - 1
                continue
        elif marks:
            marks = "" if closes(line, marks) else marks
        elif fence := _FENCE_LINE.match(line):
            marks = fence[1]
        out.append(_shifted(line, elements))
    return "\n".join(out)


def _open(match: re.Match[str], lines: list[str], elements: list[_Element], out: list[str]) -> int:
    """Write the tag that begins on the first of these lines, on one line; returns how many lines it takes."""
    source = "\n".join(lines)
    end = _tag_end(source, match.end())
    if not end:
        return 0
    begin = _shifted(lines[0], elements)
    base = len(begin) - len(begin.lstrip(" \t"))
    tag, rest = " ".join(source[:end].split("\n")).strip(), source[end:].partition("\n")[0]
    out.append(" " * base + tag + rest)
    if not (rest.strip() or tag.endswith("/>") or match[2] in _VOID or len(elements) >= MAX_UNCLOSED):
        elements.append(_Element(match[2], base))
    return source.count("\n", 0, end) + 1


def _close(name: str, elements: list[_Element]) -> None:
    depth = next((at for at in range(len(elements) - 1, -1, -1) if elements[at].name == name), len(elements))
    del elements[depth:]


def _shifted(line: str, elements: list[_Element]) -> str:
    """A line of the innermost open element, its indentation that of the element's tag."""
    if not elements or not line.strip():
        return line
    inner = elements[-1]
    indent = len(line) - len(line.lstrip(" \t"))
    if inner.width < 0:
        inner.width = indent
    return " " * inner.base + line[min(indent, inner.width) :]


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
        kind = (values.get("type") or values.get("variant") or "note").lower() if not closing else "note"
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
    inside = _BRACED_ELEMENT.sub(lambda match: '="' + _ANY_TAG.sub("", match[1]).replace('"', "'") + '"', inside)
    found = _ATTRIBUTE.findall(_BRACED.sub(_quoted, inside))
    return {name.lower(): double or single for name, double, single in found}


def _quoted(match: re.Match[str]) -> str:
    return '="' + (match.group(1) or match.group(2) or match.group(3) or "").replace('"', "'") + '"'
