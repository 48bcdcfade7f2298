"""LaTeX to Markdown: one source; `project.py` puts those together that were written in several files."""

from __future__ import annotations

import html
import re

from manifests.models import ExtractSettings
from pipelines.extract.decode import decode
from pipelines.extract.guards import check_body
from pipelines.extract.html.reader import to_markdown
from pipelines.extract.latex.document import read_document
from pipelines.extract.latex.project import ENDINGS
from pipelines.extract.man.reader import iso_date
from pipelines.extract.page import NoText, Page, Unreadable

_COMMAND = re.compile(r"\\(?:[A-Za-z]{2,}|[A-Za-z]\b|[\\%{}$&])")


def extract_latex(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """The page that a LaTeX source is; a pure function of its arguments.

    Nothing that it includes is read. Raises `Unreadable` (to quarantine) and `NoText` (to drop).
    """
    check_body(body, limits)
    source = decode(body, content_type).replace("\r\n", "\n").replace("\r", "\n")
    if not _COMMAND.search(source) and not name.lower().endswith(ENDINGS):
        raise Unreadable("not_text", "no LaTeX: no command in it")
    document = read_document(source)
    if not document.body.strip():
        raise NoText
    top = f"<h1>{html.escape(document.title, quote=False)}</h1>\n" if document.title else ""
    markdown = to_markdown(top + document.body)
    if not markdown.strip():
        raise NoText
    date = iso_date(document.date)
    found = {column: "latex" for column, value in (("date", date), ("authors", document.authors)) if value}
    title = document.title or document.heading
    return Page(title, markdown, (), "latex", date=date, authors=tuple(document.authors), found=found)
