"""Man pages: sources in man(7) and mdoc(7) to Markdown."""

from __future__ import annotations

import html
import re
import unicodedata
from datetime import datetime

from manifests.models import ExtractSettings
from pipelines.extract.decode import decode
from pipelines.extract.guards import check_body
from pipelines.extract.html.reader import to_markdown
from pipelines.extract.man.macros import NATIVE, Man
from pipelines.extract.man.mdoc import NATIVE_MDOC, Mdoc
from pipelines.extract.man.roff import Roff
from pipelines.extract.man.text import Fonts, plain, runs_of
from pipelines.extract.page import NoText, Page, Unreadable

_REDIRECT = re.compile(r"(?:[ \t]*(?:[.'](?:[ \t]*\\\".*)?)?\n)*\.so[ \t]+\S+\s*(?:[.'][ \t]*\\\".*\s*)*")
_CALLS = re.compile(r"^[.'][ \t]*([A-Za-z]\w*)", re.MULTILINE)
_MDOC = frozenset({"Dd", "Dt", "Sh"})
_MAN = frozenset({"TH", "SH"})
_FILE = re.compile(r"([^/]+?)\.(\d\w*|n|l)(?:\.gz)?$")
_SPDX = re.compile(r"^[.']?[ \t]*\\[\"#].*?SPDX-License-Identifier:\s*([\w.+() -]+)", re.MULTILINE)
_DATES = ("%Y-%m-%d", "%d %B %Y", "%B %d %Y", "%d %b %Y", "%b %d %Y", "%Y/%m/%d", "%m/%d/%Y", "%a %b %d %Y")
_MONTHS = {"%B %Y": "%Y-%m", "%b %Y": "%Y-%m", "%Y-%m": "%Y-%m", "%Y": "%Y"}


def extract_man(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """The page that a source in man(7) or mdoc(7) is; a pure function of its arguments.

    body: the source, not compressed; name: its path or URL. A page that only points at another (`.so`)
    holds no text. Raises `Unreadable` (to quarantine) and `NoText` (to drop).
    """
    check_body(body, limits)
    source = decode(body, content_type).replace("\r\n", "\n").replace("\r", "\n")
    if _REDIRECT.fullmatch(source):
        raise NoText
    calls = set(_CALLS.findall(source))
    if not calls & (_MDOC | _MAN):
        raise Unreadable("not_text", "no man page: neither .TH nor .Dd")
    mdoc = calls & _MDOC and "TH" not in calls
    reader = Mdoc(Roff(source, NATIVE_MDOC)) if mdoc else Man(Roff(source, NATIVE))
    reader.read()
    content = reader.blocks.html()
    if not content.strip():
        raise NoText
    title = _title(reader.title, reader.name, name)
    markdown = to_markdown(f"<h1>{html.escape(title)}</h1>\n{content}")
    found = {}
    date = iso_date(reader.date)
    licence = spdx[1].strip() if (spdx := _SPDX.search(source)) else ""
    if date:
        found["date"] = "man"
    if reader.authors:
        found["authors"] = "man"
    if licence:
        found["licence"] = "spdx"
    return Page(title, markdown, (), "man", date=date, authors=tuple(reader.authors), licence=licence, found=found)


def _title(heading: tuple[str, ...], documented: str, path: str) -> str:
    """A title such as `sbatch(1)`; the case is that of the page's text or file, which shout less than headings."""
    file = _FILE.search(path)
    name, section = (_clean(part) for part in (*heading, "", "")[:2])
    if not name:
        return f"{file[1]}({file[2]})" if file else ""
    if name.isupper():
        spellings = (documented, file[1] if file else "", name.lower())
        same = [each for each in spellings if _same(each, name)]
        name = next((each for each in same[:2] if not each.isupper()), same[0])
    section = section or (file[2] if file else "")
    return f"{name}({section})" if section else name


def _same(one: str, other: str) -> bool:
    return one.lower().replace("_", " ") == other.lower().replace("_", " ")


def _clean(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(plain(runs_of(text, Fonts())).split()))


def iso_date(text: str) -> str:
    """A date as man pages write it, in ISO 8601 (of what is named: year, month, day), else nothing."""
    text = " ".join(text.replace("$Mdocdate:", "").replace("$", "").replace(",", " ").split())
    for pattern in (*_DATES, *_MONTHS):
        try:
            read = datetime.strptime(text, pattern)
        except ValueError:
            continue
        return read.strftime(_MONTHS.get(pattern, "%Y-%m-%d"))
    return ""
