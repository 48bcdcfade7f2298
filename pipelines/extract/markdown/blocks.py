"""Blocks that dialects of Markdown write by lines: admonitions, tabs, containers, directives, code between tags.

MkDocs (`!!! note`, `=== "Tab"`), Docusaurus, VuePress and pandoc (`:::note`), MyST (```` ```{note} ````,
`:::{note}`), and the shortcodes and tags whose text is code (`{{< highlight >}}`, `{% highlight %}`) become
plain Markdown with `div` elements around it. What stands between fences is never looked into.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from pipelines.extract.markdown.lines import FILE_NAME, Lines, closes, titled

TAB_STOP = 4
MAX_OPEN = 100

_TITLES = {
    "seealso": "See also",
    "tldr": "TL;DR",
    "faq": "FAQ",
    "prereq": "Prerequisites",
    "keypoints": "Key points",
    "versionadded": "New in version",
    "versionchanged": "Changed in version",
    "deprecated": "Deprecated since version",
}
_WORDS_OF_ADMONITIONS = (
    "note tip info warning warn caution danger important attention error hint abstract summary success check done "
    "question help failure fail missing bug example quote cite todo aside admonition callout alert challenge "
    "solution prerequisites objectives questions discussion testimonial instructor checklist notice"
)
_ADMONITIONS = frozenset(_WORDS_OF_ADMONITIONS.split()) | frozenset(_TITLES)
# Directives of MyST whose text is Markdown; that of all others stays code.
_WORDS_OF_MARKDOWN_DIRECTIVES = (
    "dropdown tab-set tab-item tab-set-code grid grid-item grid-item-card card table list-table figure sidebar "
    "margin topic container div epigraph pull-quote"
)
_MARKDOWN_DIRECTIVES = _ADMONITIONS | frozenset(_WORDS_OF_MARKDOWN_DIRECTIVES.split())
_WORDS_OF_EMPTY_DIRECTIVES = (
    "toctree contents include literalinclude image index tableofcontents autosummary applies_to"
)
_EMPTY_DIRECTIVES = frozenset(_WORDS_OF_EMPTY_DIRECTIVES.split())
# Microsoft Learn writes these between colons too; they hold no block.
_WORDS_OF_NO_CONTAINERS = "image image-end code video icon row column zone moniker form"
_NO_CONTAINERS = frozenset(_WORDS_OF_NO_CONTAINERS.split())

_ANY = re.compile(
    r"^[ \t>]*(?:!!!|\?\?\?|===|:::|`{3,}[ ]*\{|~{3,}[ ]*\{|\{\{[<%]|\{%"
    r"|(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(?:`{3}`*|~{3})[^`\n]*(?:title|file|caption))",
    re.MULTILINE,
)
_FENCE = re.compile(r"(?P<prefix>[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?)(?P<marks>`{3,}|~{3,})(?P<info>.*)")
_DIRECTIVE = re.compile(r"[ ]*\{(?P<name>[\w:-]+)\}[ ]*(?P<title>.*)")
_MKDOCS = re.compile(r"(?P<prefix>[ \t]*)(?:!!!|\?\?\?)\+?[ ]?(?P<name>[\w-]+)[^\"]*(?:\"(?P<title>.*)\")?")
_TAB = re.compile(r"(?P<prefix>[ \t]*)===[!+]?[ ]+[\"'](?P<title>.*)[\"']")
_CONTAINER = re.compile(
    r"(?:\{[.#]?)?(?P<name>[A-Za-z][\w-]*)\}?(?:\[(?P<label>.*)\])?(?:.*?title=\"(?P<attr>[^\"]*)\".*)?(?P<title>.*)"
)
_ATTRIBUTES = re.compile(r"(?:^|(?<=[\s{]))(?:[#.][\w:-]+|[\w-]+=(?:\"[^\"]*\"|[^\s\"}]*))")
_TITLE_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class _Block:
    """An open block. `indent`: where its text begins, if indentation makes it; `marks`: what closes it, else."""

    prefix: str
    close: tuple[str, ...]
    indent: int = 0
    marks: str = ""


def open_blocks(text: str) -> str:
    """The text with those blocks as CommonMark and HTML; a text that has none is returned as it is."""
    if not _ANY.search(text):
        return text
    out: list[str] = []
    blocks: list[_Block] = []
    fence_marks = ""
    lines = Lines(text.split("\n"))
    while (line := lines.take()) is not None:
        line, closed = _dedent(line, blocks, out)
        if closed:
            fence_marks = ""
        if fence_marks:
            out.append(line)
            if closes(line, fence_marks):
                fence_marks = ""
        elif blocks and blocks[-1].marks and closes(line, blocks[-1].marks):
            out += _end(blocks.pop())
        elif match := _FENCE.fullmatch(line):
            fence_marks = _open_fence(match, blocks, out, lines)
        elif len(blocks) >= MAX_OPEN or not (_open_block(line, blocks, out, lines) or lines.code(line, out)):
            out.append(line)
    while blocks:
        out += _end(blocks.pop())
    return "\n".join(out)


def admonition(name: str, title: str | None, prefix: str = "") -> list[str]:
    """The lines that open an admonition, each behind `prefix`; `</div>` closes it. No title given: its name."""
    name = name.lower()
    if title is None or name.startswith(("version", "deprecated")):
        title = f"{_TITLES.get(name, name.capitalize())} {title or ''}"
    lines = [f'<div class="admonition {name}">']
    if title.strip():
        shown = _TITLE_CODE.sub(_code, html.escape(title.strip(), quote=False))
        lines.append(f'<p class="admonition-title">{shown}</p>')
    return [*(prefix + line for line in lines), prefix.rstrip()]


def _code(match: re.Match[str]) -> str:
    return f"<code>{match.group(1)}</code>"


def _width(line: str) -> int:
    """The columns of white space that a line begins with."""
    white = line[: len(line) - len(line.lstrip(" \t"))]
    return len(white.expandtabs(TAB_STOP))


def _dedent(line: str, blocks: list[_Block], out: list[str]) -> tuple[str, bool]:
    """The line without the indentation of the open blocks, and whether it closed one of them."""
    if not any(block.indent for block in blocks):
        return line, False
    closed = False
    width = _width(line)
    while line.strip() and any(width < block.indent for block in blocks):
        out += _end(blocks.pop())
        closed = True
    shift = TAB_STOP * sum(1 for block in blocks if block.indent)
    if shift and line.strip():
        line = (" " * (width - shift) + line.lstrip(" \t")) if "\t" in line[:shift] else line[shift:]
    return line, closed


def _end(block: _Block) -> list[str]:
    blank = block.prefix.rstrip()
    return [blank, *(block.prefix + line for line in block.close), blank]


def _open_fence(match: re.Match[str], blocks: list[_Block], out: list[str], lines: Lines) -> str:
    """Open a directive as a block, or leave a fence as it is; returns the marks of a fence."""
    marks, info = match["marks"], match["info"]
    if marks[0] == "`" and "`" in info:
        out.append(match.group())
        return ""
    directive = _DIRECTIVE.fullmatch(info)
    name = directive["name"].lower() if directive else ""
    if directive and name in _MARKDOWN_DIRECTIVES and len(blocks) < MAX_OPEN:
        lines.options()
        blocks.append(_container(name, directive["title"], match["prefix"], marks, out))
        return ""
    if name in _EMPTY_DIRECTIVES:
        lines.skip_to(marks)
        return ""
    for caption in lines.options() if directive else ():
        out += [match["prefix"] + caption, match["prefix"].rstrip()]
    if found := FILE_NAME.search(info):
        blank = re.sub(r"[^> \t]", " ", match["prefix"])
        before, title, after = titled(found[1] or found[2], blank)
        out += [before, title] if blank == match["prefix"] else [match["prefix"] + title.removeprefix(blank)]
        out += [after, blank + match.group().removeprefix(match["prefix"])]
        return marks
    out.append(match.group())
    return marks


def _open_block(line: str, blocks: list[_Block], out: list[str], lines: Lines) -> bool:
    if match := _MKDOCS.fullmatch(line.rstrip()):
        shift = TAB_STOP * sum(1 for block in blocks if block.indent)
        out += admonition(match["name"], match["title"], match["prefix"])
        blocks.append(_Block(match["prefix"], ("</div>",), indent=_width(line) + shift + TAB_STOP))
        return True
    if match := _TAB.fullmatch(line.rstrip()):
        shift = TAB_STOP * sum(1 for block in blocks if block.indent)
        out += titled(match["title"], match["prefix"])
        blocks.append(_Block(match["prefix"], (), indent=_width(line) + shift + TAB_STOP))
        return True
    return _open_or_close_colons(line, blocks, out, lines)


def _open_or_close_colons(line: str, blocks: list[_Block], out: list[str], lines: Lines) -> bool:
    bare = line.lstrip(" \t>")
    if not bare.startswith(":::"):
        return False
    prefix, rest = line[: len(line) - len(bare)], bare.strip(" \t:")
    if not rest:  # the end of a container; one that is not open leaves no trace
        if blocks and blocks[-1].marks:
            out += _end(blocks.pop())
        return True
    found = _CONTAINER.fullmatch(rest)
    is_directive = rest.startswith("{") and rest[1:2].isalpha()
    if found is None or (found["name"].lower().split("-")[0] in _NO_CONTAINERS and not is_directive):
        return False
    name = found["name"].lower().removeprefix("callout-")
    title = found["label"] or found["attr"] or _ATTRIBUTES.sub("", found["title"]).strip(' "{}')
    captions = lines.options() if is_directive else []
    if is_directive and name in _EMPTY_DIRECTIVES:
        out += [prefix + caption for caption in captions]
        lines.skip_to(":::")
        return True
    # Any row of colons closes the innermost container.
    blocks.append(_container(name, title, prefix, ":::", out))
    return True


def _container(name: str, title: str, prefix: str, marks: str, out: list[str]) -> _Block:
    if name in _ADMONITIONS:
        out += admonition(name, title.strip() or None, prefix)
        return _Block(prefix, ("</div>",), marks=marks)
    out += titled(title, prefix)
    return _Block(prefix, (), marks=marks)
