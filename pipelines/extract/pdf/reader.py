"""PDF with a text layer to Markdown: columns in order, code with its layout, nothing that repeats on every page.

What a PDF does not say is guessed from geometry and fonts; pages without letters (scans) and fonts without Unicode
give no text, unless it can be proved what their characters are.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pypdfium2 as pdfium

from manifests.models import ExtractSettings
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.pdf import unmapped
from pipelines.extract.pdf.blocks import Block, blocks_of, style_of, without_gutter
from pipelines.extract.pdf.columns import aligned, columns
from pipelines.extract.pdf.drawn import composed_text
from pipelines.extract.pdf.glyphs import Glyphs, Reader
from pipelines.extract.pdf.layout import lines_of, without_furniture
from pipelines.extract.pdf.markdown import joined, render
from pipelines.extract.pdf.notes import number_notes
from pipelines.extract.pdf.words import vocabulary

MAX_PAGES = 4000
MAX_UNKNOWN_SHARE = 0.05
_MAGIC_WITHIN = 1024

_TEX = re.compile(r"tex|dvi", re.IGNORECASE)
_DATE = re.compile(r"D?:?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:Z|([+-])(\d\d)'?(\d\d)?'?)?")
_FILE_NAME = re.compile(
    r"^microsoft (?:word|powerpoint|excel)\b|"
    r"^(?:powerpoint presentation|untitled.*|unknown|title|\(anonymous\)|slide \d+)$|"
    r"\.(?:docx?|pptx?|xlsx?|dvi|tex|pdf|ps|indd|rtf|odt|fm)$",
    re.IGNORECASE,
)
_BETWEEN_NAMES = re.compile(r"\s*(?:;|\band\b|&|\n)\s*")


def extract_pdf(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """The page that a PDF makes; a pure function of its arguments.

    content_type, name: not used. Raises `Unreadable` (encrypted, damaged, too large, fonts without Unicode) and
    `NoText` (a scan).
    """
    _check(body, limits)
    try:
        with pdfium.PdfDocument(body) as document:
            if len(document) > MAX_PAGES:
                raise Unreadable("too_large", f"{len(document)} pages, limit {MAX_PAGES}")
            about = document.get_metadata_dict()
            pages = _pages(document, f"{about.get('Creator', '')} {about.get('Producer', '')}")
    except pdfium.PdfiumError as error:
        raise Unreadable("parser_error", str(error)) from error
    text, heading = _markdown(pages)
    if not text:
        raise NoText
    title = _title(about.get("Title", ""))
    dates = [(date, key) for key in ("ModDate", "CreationDate") if (date := iso_date(about.get(key, "")))]
    authors = tuple(author for each in _BETWEEN_NAMES.split(about.get("Author", "")) if (author := each.strip(" ()")))
    found = {"authors": "Author"} if authors else {}
    if dates:
        found["date"] = dates[0][1]
    return Page(
        title=title or heading,
        text=text + "\n",
        opt_out=(),
        method="pdf",
        date=dates[0][0] if dates else "",
        authors=authors,
        found=found,
    )


def _check(body: bytes, limits: ExtractSettings) -> None:
    if len(body) > limits.max_body_bytes:
        raise Unreadable("too_large", f"{len(body)} bytes, limit {limits.max_body_bytes}")
    if not body.strip():
        raise Unreadable("empty_body", f"{len(body)} bytes")
    if b"%PDF-" not in body[:_MAGIC_WITHIN]:
        raise Unreadable("parser_error", "no PDF header")


def _pages(document: pdfium.PdfDocument, made_by: str) -> list[Glyphs]:
    """The pages; `made_by` is what the document says of the programs that made it."""
    reader = Reader(document)
    pages = []
    for index in range(len(document)):
        page = document[index]
        pages.append(reader.glyphs(page))
        page.close()
    count = sum(page.count for page in pages)
    unknown = sum(page.unknown for page in pages) + _settle(pages, made_by)
    if unknown > MAX_UNKNOWN_SHARE * count:
        raise Unreadable("undecodable", f"{unknown} of {count} characters have no Unicode")
    return pages


def _settle(pages: list[Glyphs], made_by: str) -> int:
    """Put characters in the place of those that wait for the whole document; how many are not known."""
    counts = unmapped.used(run.text for page in pages for run in page.runs)
    if not counts:
        return 0
    known = unmapped.tables(counts, from_tex=bool(_TEX.search(made_by)))
    unknown = 0
    for page in pages:
        for run in page.runs:
            if unmapped.has_places(run.text):
                text, xs, lost = unmapped.resolve(run.text, run.xs, known)
                run.text, run.xs = composed_text(text, xs, run.size)
                unknown += lost
        page.runs[:] = [run for run in page.runs if run.text]
    return unknown


def _markdown(pages: list[Glyphs]) -> tuple[str, str]:
    """The text of all pages, and its first heading of the highest level."""
    lines = without_furniture([lines_of(page) for page in pages])
    parts = aligned([(index, column) for index, page in enumerate(lines) for column in columns(page)])
    parts = [(index, without_gutter(column)) for index, column in parts]
    style = style_of(column for _, column in parts)
    words = vocabulary(line for _, column in parts for line in column.lines)
    blocks: list[tuple[int, Block]] = []
    for index, column in parts:
        joined(blocks, [(index, block) for block in blocks_of(column, style)], style)
    number_notes(blocks)
    return render(blocks, style, words)


def _title(stated: str) -> str:
    title = unicodedata.normalize("NFC", " ".join(stated.split()))
    return "" if _FILE_NAME.search(title) or len(title) < 3 else title


def iso_date(stated: str) -> str:
    """A PDF date (ISO 32000-1, 7.9.4) as ISO 8601, or the empty string."""
    match = _DATE.match(stated.strip())
    if not match:
        return ""
    year, month, day, hour, minute, second = (int(each) if each else None for each in match.groups()[:6])
    try:
        zone: timezone = UTC
        if match.group(7):
            shift = timedelta(hours=int(match.group(8)), minutes=int(match.group(9) or 0))
            zone = timezone(shift if match.group(7) == "+" else -shift)
        return datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0, second or 0, tzinfo=zone).isoformat()
    except ValueError:
        return ""
