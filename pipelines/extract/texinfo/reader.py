"""Texinfo to Markdown, by a reader of its own: the text that the Info manual has, with code as code."""

from __future__ import annotations

import re
import unicodedata

from manifests.models import ExtractSettings
from pipelines.extract.decode import decode
from pipelines.extract.guards import check_body
from pipelines.extract.html.metadata.date import iso_date
from pipelines.extract.html.reader import to_markdown
from pipelines.extract.page import NoText, Page
from pipelines.extract.source_html import footnotes
from pipelines.extract.texinfo.blocks import Blocks
from pipelines.extract.texinfo.inline import Inline
from pipelines.extract.texinfo.source import prepare

_TITLES = ("settitle", "title", "top", "chapter", "unnumbered", "section")
_LINE = re.compile(rf"^[ \t]*@({'|'.join(_TITLES)}|author)[ \t]+(\S.*)$", re.MULTILINE)
_AND = re.compile(r",\s*(?:and\s+)?|\s+and\s+")
DATES = ("UPDATED", "LASTUPDATED", "lastupdate", "DATE")


def extract_texinfo(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """The page that a source in Texinfo is; a pure function of its arguments.

    name: its path or URL. No file that it includes is opened. Raises `Unreadable` (to quarantine) and
    `NoText` (to drop).
    """
    check_body(body, limits)
    text = decode(body, content_type).replace("\r\n", "\n").replace("\r", "\n").replace("\f", "")
    source = prepare(text)
    has_top = any(re.match(r"[ \t]*@top\b", line) for line in source.lines)
    blocks = Blocks(source.lines, source.indices, shift=0 if has_top else 1)
    content = blocks.all() + footnotes(blocks.inline.footnotes)
    markdown = to_markdown(f"<html><body>{content}</body></html>")
    if not markdown.strip():
        raise NoText
    said: dict[str, list[str]] = {}
    for command, value in _LINE.findall(text):
        said.setdefault(command, []).append(_plain(value, source.values))
    title = next((said[key][0] for key in _TITLES if key in said), "")
    date = next((day for key in DATES if (day := iso_date(source.values.get(key, "")))), "")
    names = (_AND.split(line.removeprefix("by ")) for line in said.get("author", []))
    authors = tuple(dict.fromkeys(name.strip() for line in names for name in line if name.strip()))
    columns = {"date": date, "authors": authors}
    found = {column: "texinfo" for column, value in columns.items() if value}
    return Page(unicodedata.normalize("NFC", title), markdown, (), "texinfo", date=date, authors=authors, found=found)


def _plain(text: str, values: dict[str, str]) -> str:
    text = re.sub(r"@value\{([^{}]{1,100})\}", lambda m: values.get(m[1], ""), text)
    return " ".join(Inline().html(text, code=True).split())
