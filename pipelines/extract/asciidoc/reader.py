"""AsciiDoc to Markdown, by a reader of its own: what pandoc reads of it stops at every `include`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from selectolax.lexbor import LexborHTMLParser

from manifests.models import ExtractSettings
from pipelines.extract.asciidoc.about import underlined
from pipelines.extract.asciidoc.blocks import Blocks
from pipelines.extract.asciidoc.inline import Inline
from pipelines.extract.decode import decode
from pipelines.extract.front_matter import split_front_matter
from pipelines.extract.guards import check_body
from pipelines.extract.html.metadata.date import iso_date
from pipelines.extract.html.reader import to_markdown
from pipelines.extract.page import NoText, Page
from pipelines.extract.source_html import footnotes
from pipelines.extract.spdx import stated_licence

DATES = ("revdate", "docdate", "date", "page-date", "updated")
LICENCES = ("license", "licence", "page-license", "spdx-license-identifier")

_DIRECTIVE = re.compile(r"(\\?)(include|ifdef|ifndef|ifeval|endif)::(\S*?)\[(.*)\][ \t]*$")
# What a page for the web is not; all other conditions may hold, and what stands below them is kept.
_FALSE = re.compile(r"(?:env-.*|(?:base)?backend-(?:pdf|docbook\d*|manpage)|doctype-manpage)$")
# What stands above the title; it may be nothing.
_COMMENTS = re.compile(r"(?:[ \t]*\n|//[^\n]*\n)*")
_TITLE = re.compile(r"=[ \t]+\S")
_AUTHOR = re.compile(r"([^\W\d][\w.'-]*(?:[ \t]+[\w.'-]+){0,3})(?:[ \t]+<[^<>\s]+>)?$")
_REVISION = re.compile(r"(?:v?\d[\w.]*|.*\d{4}.*)(?:,|:|$)")
_INLINE_MACRO = re.compile(r"(?<![\w:\\])([a-z][a-z0-9_-]{1,20}):[^\s\[\]:][^\s\[\]]{0,200}\[\]")
_KNOWN = frozenset(
    ["link", "xref", "mailto", "image", "icon", "anchor", "footnote", "http", "https", "ftp", "kbd", "pass"]
)


def extract_asciidoc(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """The page that a source in AsciiDoc is; a pure function of its arguments.

    name: its path or URL. No file that it includes is opened. Raises `Unreadable` (to quarantine) and
    `NoText` (to drop).
    """
    check_body(body, limits)
    _, text = split_front_matter(decode(body, content_type).replace("\r\n", "\n").replace("\r", "\n"))
    lines = list(_without_directives(text.split("\n")))
    attributes: dict[str, str] = {}
    macros = frozenset(_INLINE_MACRO.findall(text)) - _KNOWN
    blocks = Blocks(Inline(attributes, macros))
    header = _take_header(lines)
    content = blocks.all(lines) + footnotes(blocks.inline.footnotes)
    markdown = to_markdown(f"<html><body>{content}</body></html>", keep_links=limits.keep_links)
    if not markdown.strip():
        raise NoText
    return _page(markdown, blocks.title, {**header, **attributes}, stated_licence(text, _COMMENTS))


def _without_directives(lines: Sequence[str]) -> Iterator[str]:
    """The lines without includes and without those below a condition that a page for the web does not meet."""
    hidden: list[bool] = []
    for line in lines:
        found = _DIRECTIVE.match(line)
        if found is None:
            if not any(hidden):
                yield line
            continue
        escaped, kind, target, text = found.groups()
        if escaped:
            if not any(hidden):
                yield line[1:]
        elif kind == "endif":
            if hidden:
                hidden.pop()
        elif kind != "include":
            hides = kind == "ifdef" and bool(_FALSE.match(target))
            if text and kind != "ifeval":
                if not hides and not any(hidden):
                    yield text
            else:
                hidden.append(hides)


def _take_header(lines: list[str]) -> dict[str, str]:
    """Author and revision, which stand right below the title; their lines are taken out."""
    for at, line in enumerate(lines):
        below = at + 1 if _TITLE.match(line) else at + 2 if underlined(lines[at : at + 2]) == 1 else 0
        if below:
            break
        if line[:1].isalnum():
            return {}
    else:
        return {}
    said: dict[str, str] = {}
    names = [_AUTHOR.match(part.strip()) for part in "".join(lines[below : below + 1]).split(";")]
    if not all(names) and re.match(r":[\w-]+:", "".join(lines[below + 1 : below + 2])):
        del lines[below]  # an author all the same, by what stands below it
    elif all(names):
        said["authors"] = "; ".join(name[1] for name in names if name)
        del lines[below]
        revision = "".join(lines[below : below + 1])
        if _REVISION.match(revision):
            said["revdate"] = revision.partition(":")[0].partition(",")[2].strip() or revision
            del lines[below]
    return said


def _page(markdown: str, title: str, said: dict[str, str], spdx: str) -> Page:
    body = LexborHTMLParser(title).body
    date = next((day for key in DATES if (day := iso_date(said.get(key, "")))), "")
    licence = next((said[key] for key in LICENCES if said.get(key)), "")
    written = said.get("author") or said.get("authors") or ""
    authors = tuple(name.partition("<")[0].strip() for name in written.split(";") if name.strip())
    columns = {"date": date, "authors": authors, "licence": licence or spdx}
    found = {column: "header" for column, value in columns.items() if value}
    if spdx and not licence:
        found["licence"] = "spdx-comment"
    return Page(
        unicodedata.normalize("NFC", " ".join((body.text() if body else "").split())),
        markdown,
        (),
        "asciidoc",
        **columns,  # type: ignore[arg-type]
        found=found,
    )
