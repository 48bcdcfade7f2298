"""Which reader takes a record: by its media type, and by its name where the type says no more than that it is text.

A reader is a pure function `(body, content_type, name, limits) -> Page`. It is imported when its first record comes.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from manifests.models import ExtractSettings
from pipelines.extract.page import Page, Unreadable

Reader = Callable[[bytes, str | None, str, ExtractSettings], Page]

# The function that reads a format: `extract_<function>` of a module of `pipelines.extract`.
_READERS = {
    "html": ("html.reader", "html"),
    "markdown": ("markdown.reader", "markdown"),
    "plain": ("plain", "plain"),
    "rfc": ("rfc.reader", "rfc"),
    "rfcxml": ("rfc.xml", "rfc_xml"),
    "rst": ("rst.reader", "rst"),
    "asciidoc": ("asciidoc.reader", "asciidoc"),
    "texinfo": ("texinfo.reader", "texinfo"),
    "man": ("man.reader", "man"),
    "latex": ("latex.reader", "latex"),
    "eprint": ("latex.eprint", "eprint"),
    "notebook": ("notebook", "notebook"),
    "pdf": ("pdf.reader", "pdf"),
    "source": ("source_code", "source_code"),
    "questions": ("questions", "question"),
    "mail": ("mail.reader", "thread"),
    "wikitext": ("wikitext.reader", "wikitext"),
}

# A page that only says where documents are; no format of ours.
INDEX_TYPE = "application/x-index"
# A paper as its authors sent it, whatever that is.
EPRINT_TYPE = "application/x-eprint"
# Types of records that a reader of a dump makes.
QUESTIONS_TYPE = "application/x-stackexchange-thread+json"
MAIL_TYPE = "application/x-mail-thread"
WIKITEXT_TYPE = "text/x-wiki"

_FORMAT_OF_TYPE = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "text/x-rst": "rst",
    "text/prs.fallenstein.rst": "rst",
    "text/asciidoc": "asciidoc",
    "text/x-asciidoc": "asciidoc",
    "text/troff": "man",
    "text/x-troff-man": "man",
    "application/x-troff-man": "man",
    "application/x-texinfo": "texinfo",
    "text/x-texinfo": "texinfo",
    "application/x-tex": "latex",
    "application/x-latex": "latex",
    "text/x-tex": "latex",
    "application/pdf": "pdf",
    "application/x-ipynb+json": "notebook",
    "application/rfc+xml": "rfcxml",
    EPRINT_TYPE: "eprint",
    QUESTIONS_TYPE: "questions",
    MAIL_TYPE: "mail",
    WIKITEXT_TYPE: "wikitext",
}
_FORMAT_OF_ENDING = {
    "html": "html",
    "htm": "html",
    "xhtml": "html",
    "md": "markdown",
    "markdown": "markdown",
    "mdown": "markdown",
    "mdx": "markdown",
    "mkd": "markdown",
    "mkdn": "markdown",
    "mdwn": "markdown",
    "qmd": "markdown",
    "rmd": "markdown",
    "livemd": "markdown",
    "ronn": "markdown",
    "rst": "rst",
    "adoc": "asciidoc",
    "asciidoc": "asciidoc",
    "texi": "texinfo",
    "texinfo": "texinfo",
    "txi": "texinfo",
    "tex": "latex",
    "ltx": "latex",
    "ipynb": "notebook",
    "pdf": "pdf",
    "mediawiki": "wikitext",
    "wiki": "wikitext",
}
_PLAIN_ENDINGS = frozenset(("txt", "text", "log"))
_PLAIN_NAMES = frozenset(("readme", "changelog", "changes", "news", "install", "faq", "todo"))
# Markup in files that are called text: MongoDB's and Django's manuals, git's and perf's.
_RST_DIRECTIVE = re.compile(rb"^[ ]{0,8}\.\. (?:[a-z][\w:-]*::(?:[ \r\n]|$)|_[^:\n]{1,100}:\r?$)", re.MULTILINE)
_RST_HEADING = re.compile(rb"^(\S[^\r\n]{2,100})\r?\n([=\-~^*#\"])\2{2,100}\r?$", re.MULTILINE)
_ADOC_MARK = re.compile(
    rb"^(?:\[(?:source|verse|NOTE|TIP|IMPORTANT|WARNING|CAUTION|horizontal|listing|\[[\w-]+\])[^\]\n]{0,80}\]\]?|include::\S+\[[^\]\n]*\]"
    rb"|:[\w-]+:(?: [^\n]*)?|ifn?def::\S+\[[^\]\n]*\]|={1,5} \S[^\n]*)\r?$|linkgit:[\w-]+\[\d\]",
    re.MULTILINE,
)
_XML_TYPES = ("application/xml", "text/xml")
# A file that is named without an ending, and holds comments and settings alone.
_SETTINGS = re.compile(
    rb"(?:[ \t]*(?:#[^\n]*)?\n){0,400}(?:[\w.-]{1,80}[ ]?=[^\n]*(?:\n(?:[ \t]*(?:#[^\n]*)?\n)*|$)){2,}[^\n]*"
)
_XML_COMMENT = re.compile(rb"<!--(?:[^-]|-(?!->))*-->")
_XML_ROOT = re.compile(rb"<([a-z_][\w:.-]*)")
# Roots of XML that is no configuration: lists of pages, news, dumps, drawings, and manuals in DocBook or DITA.
_ROOTS = (
    "urlset sitemapindex rss feed rdf:rdf opml mediawiki posts comments users votes badges tags postlinks posthistory "
    "svg svg:svg book article chapter appendix preface part set sect1 section refentry reference topic concept task"
)
_NO_CONFIGURATION = frozenset(_ROOTS.split())
_MAN_ENDING = re.compile(r"\.(?:[1-9][a-z]{0,8}|man|mdoc|roff)$", re.IGNORECASE)
_ROFF = re.compile(rb"^[.'](?:\\\"|[A-Za-z])", re.MULTILINE)
# An ending of the path of a URL.
_NAMED = re.compile(r"://[^/?#]*/[^?#]*\.[A-Za-z0-9]{1,8}(?:[?#]|$)")
_HEAD = 8000
_ENOUGH = 2


def format_of(content_type: str | None, name: str, body: bytes) -> str | None:
    """The format of a record, None if it is nothing that we read.

    content_type: the header, None for a file; name: URL or path; body: as fetched. The types that a web server
    gives to files it does not know, and files without a type, are told by their names.
    """
    media = (content_type or "").partition(";")[0].strip().lower()
    if media in _FORMAT_OF_TYPE:
        return _FORMAT_OF_TYPE[media]
    if media in _XML_TYPES or (not media and name.lower().endswith(".xml")):
        return _format_of_xml(body, is_file=not media and "://" not in name)
    if not media and "://" in name and not _NAMED.search(name):
        return "html"  # a page whose server did not say so
    if not media or media == "text/plain":
        return _format_of_name(name, body, is_text=bool(media))
    return None


def read(body: bytes, content_type: str | None, name: str, limits: ExtractSettings) -> Page:
    """The page that a record makes. Raises `Unreadable` and `NoText`."""
    found = format_of(content_type, name, body)
    if found is None:
        raise Unreadable("not_text", f"no reader for type {content_type or 'unknown'} of {name[-100:] or 'a record'}")
    return _reader(found)(body, content_type, name, limits)


@cache
def _reader(name: str) -> Reader:
    module, function = _READERS[name]
    reader: Any = getattr(importlib.import_module(f"pipelines.extract.{module}"), f"extract_{function}")
    return reader  # type: ignore[no-any-return]


def _format_of_xml(body: bytes, *, is_file: bool) -> str | None:
    """XHTML, the source of an RFC; of files also schemas and configuration, but no feeds, dumps and drawings."""
    head = body[:_HEAD].lower()
    if b"<html" in head:
        return "html"
    if b"<rfc" in head and b"<front" in body:
        return "rfcxml"
    root = _XML_ROOT.search(_XML_COMMENT.sub(b"", head))
    return "source" if is_file and root and root[1].decode() not in _NO_CONFIGURATION else None


def _format_of_name(name: str, body: bytes, *, is_text: bool) -> str | None:
    """The format of a file by its name; what is served as text and tells no more is plain text."""
    from pipelines.extract.rfc.reader import is_rfc
    from pipelines.extract.source_code import language_of

    base = re.split(r"[?#]", name, maxsplit=1)[0].rstrip("/").rpartition("/")[2].removesuffix(".gz")
    ending = base.rpartition(".")[2].lower() if "." in base else ""
    if ending in _FORMAT_OF_ENDING:
        return _FORMAT_OF_ENDING[ending]
    if _MAN_ENDING.search(base) and _ROFF.search(body[:_HEAD]):
        return "man"
    head = body[:_HEAD].decode("utf-8", "replace")
    if is_text or ending in _PLAIN_ENDINGS or base.lower() in _PLAIN_NAMES:
        if is_rfc(head):
            return "rfc"
        if ending in _PLAIN_ENDINGS and (markup := _markup_of_text(body[:_HEAD])):
            return markup
        if ending in _PLAIN_ENDINGS or not ending:
            return "plain"
    if language_of(name, head.partition("\n")[0]) or (not ending and _SETTINGS.fullmatch(body[:_HEAD])):
        return "source"
    return "plain" if is_text else None


def _markup_of_text(head: bytes) -> str | None:
    """The markup that the beginning of a file of text is written in, None where it is just text."""
    headings = len(_RST_HEADING.findall(head))
    if headings and len(_RST_DIRECTIVE.findall(head)) >= _ENOUGH:
        return "rst"
    marks = len(_ADOC_MARK.findall(head))
    return "asciidoc" if marks >= _ENOUGH and (headings or head.startswith(b"= ")) else None
