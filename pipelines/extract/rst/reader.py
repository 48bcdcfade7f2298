"""reStructuredText, that of docutils and that of Sphinx, to Markdown."""

from __future__ import annotations

import re
import unicodedata

from docutils import nodes
from docutils.frontend import get_default_settings
from docutils.parsers.rst import Parser
from docutils.transforms.references import Footnotes, Substitutions
from docutils.utils import new_document

from manifests.models import ExtractSettings
from pipelines.extract.decode import decode
from pipelines.extract.guards import check_body
from pipelines.extract.html.metadata.date import iso_date
from pipelines.extract.html.reader import to_markdown
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.rst.directives import known_directives
from pipelines.extract.rst.html import HtmlOf
from pipelines.extract.rst.roles import any_inliner
from pipelines.extract.spdx import stated_licence

# Fields at the top of a page that tell Sphinx what to do with it, and no reader anything.
_SWITCHES = "orphan tocdepth nocomments nosearch no-search allow_comments hide-toc html_theme.sidebar_secondary.remove"
SWITCHES = frozenset(_SWITCHES.split())
DATES = ("last-updated", "last updated", "last modified", "last-modified", "updated", "date", "created")
AUTHORS = ("author", "authors")
LICENCES = ("license", "licence")
_NO_REPORT = 5
# What stands above the title; it may be nothing.
_COMMENTS = re.compile(r"(?:[ \t]*\r?\n|\.\.[ \r\n][^\n]*\n|[ \t]+[^\n]*\n)*")


def extract_rst(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """The page that a source in reStructuredText is; a pure function of its arguments.

    name: its path or URL. No file that it names is opened. Raises `Unreadable` (to quarantine) and `NoText` (to drop).
    """
    check_body(body, limits)
    text = decode(body, content_type)
    try:
        document = _parse(text, limits)
        fields = _take_fields(document)
        content = HtmlOf(text.splitlines()).of(document)
    except RecursionError:
        raise Unreadable("too_deep", "nested too deep for docutils") from None
    except Exception as error:
        raise Unreadable("parser_error", f"{type(error).__name__}: {error}") from error
    markdown = to_markdown(f"<html><body>{content}</body></html>", keep_links=limits.keep_links)
    if not markdown.strip():
        raise NoText
    return _page(document, fields, markdown, stated_licence(text, _COMMENTS))


def _parse(text: str, limits: ExtractSettings) -> nodes.document:
    """The document tree, substitutions replaced and footnotes numbered."""
    settings = get_default_settings(Parser)
    settings.report_level = settings.halt_level = _NO_REPORT
    settings.file_insertion_enabled = settings.raw_enabled = False
    settings.line_length_limit = limits.max_body_bytes
    settings.warning_stream = False
    document = new_document("page", settings)
    with known_directives(text):
        Parser(inliner=any_inliner()).parse(text, document)
        for transform in (Substitutions, Footnotes):
            transform(document).apply()
    return document


def _take_fields(document: nodes.document) -> dict[str, str]:
    """The fields before the text, by name in lower case; those that are no text are removed from the tree."""
    holder: nodes.Element = document
    fields: dict[str, str] = {}
    while True:
        found = next((child for child in holder if not isinstance(child, nodes.Invisible | nodes.title)), None)
        if isinstance(found, nodes.section):
            holder = found
            continue
        if not isinstance(found, nodes.field_list):
            return fields
        for field in list(found):
            name = field[0].astext().strip().lower()
            fields[name] = field[1].astext().strip()
            read = name in AUTHORS or (name in DATES and iso_date(fields[name]))
            if name in SWITCHES or read or not fields[name]:
                found.remove(field)
        if not len(found):
            holder.remove(found)
        return fields


def _page(document: nodes.document, fields: dict[str, str], markdown: str, spdx: str) -> Page:
    titles = (node.astext() for node in document.findall(nodes.title) if isinstance(node.parent, nodes.section))
    date = next((day for key in DATES if (day := iso_date(fields.get(key, "")))), "")
    licence = next((fields[key] for key in LICENCES if fields.get(key)), "")
    written = next((fields[key] for key in AUTHORS if fields.get(key)), "")
    authors = [part.strip() for part in written.replace("\n", ";").split(";")]
    authors += [
        node["author"].partition("<")[0].strip() for node in document.findall(nodes.comment) if "author" in node
    ]
    metas = [node for node in document.findall(nodes.meta) if str(node.get("name", "")).lower() == "robots"]
    opt_out = {token.strip() for node in metas for token in str(node.get("content", "")).lower().split(",")}
    columns = {"date": date, "authors": tuple(dict.fromkeys(filter(None, authors))), "licence": licence or spdx}
    found = {column: "docinfo" for column, value in columns.items() if value}
    if spdx and not licence:
        found["licence"] = "spdx-comment"
    return Page(
        unicodedata.normalize("NFC", " ".join(next(titles, "").split())),
        markdown,
        tuple(sorted(filter(None, opt_out))),
        "rst",
        **columns,  # type: ignore[arg-type]
        found=found,
    )
