"""HTML to Markdown: the content of a page, with its code as it is."""

from __future__ import annotations

import logging
import re
import unicodedata

import html_to_markdown as h2m
import trafilatura
from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from manifests.models import ExtractSettings
from pipelines.extract import code, shape
from pipelines.extract.decode import decode
from pipelines.extract.generators import find_main
from pipelines.extract.guards import check_body, check_structure
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.xhtml import expand, is_xhtml

MIN_GENERIC_SHARE = 0.25

logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # what it gives up on is converted whole

OPTIONS = h2m.ConversionOptions(
    extract_metadata=False,
    autolinks=False,
    compact_tables=True,
    strip_tags=["a"],
    highlight_style="none",
    hidden_content="all",
    preprocessing=h2m.PreprocessingOptions(enabled=False),
)

# Line ends and controls, with the spaces after them: without code, they are no more than a space.
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f][\x00-\x20\x7f-\x9f]*")
_BLANK_LINES = re.compile(r"\n{3,}")
_BLANK_QUOTES = re.compile(r"^([ >]*>)\n(?:\1\n)+", re.MULTILINE)
# Not behind a table or a placeholder.
_DEFINITION = re.compile(r"(?<!\|)(?<!\dx)\n\n( *): ")
_QUOTE_IN_TEXT = re.compile(r"^((?!>).+)\n(?=> )", re.MULTILINE)
_DEFINITION_TAGS = re.compile(r"<(/?)d[ldt](?=[\s>])")
# What would begin a block of HTML that only its own end mark closes: it would swallow the fences after it.
_RAW_HTML = re.compile(
    r"^((?:[ ]*(?:>|[-*+][ ]|\d{1,9}[.)][ ]))*[ ]*)<(?=(?:script|pre|style|textarea)\b|!--|\?|![A-Z\[])",
    re.IGNORECASE | re.MULTILINE,
)


def extract_html(body: bytes, content_type: str | None, url: str, limits: ExtractSettings) -> Page:
    """The page that a body of HTML or XHTML holds; a pure function of its arguments.

    body: as fetched, content decoding undone; content_type: the header, or None; url: where it came from.
    Raises `Unreadable` (to quarantine) and `NoText` (to drop).
    """
    check_body(body, limits)
    text = decode(body, content_type)
    if is_xhtml(text, content_type):
        text = expand(text)
    check_structure(text, limits)
    try:
        return _extract(LexborHTMLParser(text), code.placeholder(text), url)
    except (SelectolaxError, h2m.ConversionError) as error:
        raise Unreadable("parser_error", f"{type(error).__name__}: {error}") from error


def _extract(tree: LexborHTMLParser, word: str, url: str) -> Page:
    title, opt_out, generator = _head(tree)
    body = tree.body
    if body is None:
        raise NoText
    shape.drop(body, shape.NEVER_TEXT)
    shape.open_noscript(body)
    found = find_main(tree, generator)
    main, chrome, heading = found or (body, shape.BODY_CHROME, "")
    shape.drop(main, f"{shape.CHROME}, {code.GUTTERS}" + (f", {chrome}" if chrome else ""))
    shape.drop_permalinks(main)
    if heading:
        shape.make_heading(tree, main, heading)
    shape.open_layout_tables(tree, main)
    shape.write_out(main)
    if not title and (first := main.css_first("h1")) is not None:
        title = _one_line(first.text())
    blocks = code.lift(tree, main, word)
    shape.drop_empty_tables(main)
    markdown, method = _convert(main, blocks, word, url, known=found is not None)
    text = code.restore(_tidy(markdown), blocks, word).lstrip("\n").rstrip()
    if not text:
        raise NoText
    return Page(title, text + "\n", opt_out, method)


def _head(tree: LexborHTMLParser) -> tuple[str, tuple[str, ...], str]:
    """Title, opt-out tokens and generator (lower case) of a page."""
    element = tree.css_first("head title")
    title = _one_line(element.text()) if element is not None else ""
    tokens: set[str] = set()
    generator = ""
    for meta in tree.css("meta"):
        name = (meta.attributes.get("name") or "").strip().lower()
        content = (meta.attributes.get("content") or "").strip().lower()
        if name == "robots":
            tokens.update(token.strip() for token in content.split(",") if token.strip())
        elif name == "tdm-reservation" and content == "1":
            tokens.add(name)
        elif name == "generator" and not generator:
            generator = content
    return title, tuple(sorted(tokens)), generator


def _convert(main: LexborNode, blocks: list[code.Block], word: str, url: str, *, known: bool) -> tuple[str, str]:
    """Markdown with placeholders, and the method: all of a known `main`, else what trafilatura keeps."""
    html = _BREAKS.sub(" ", main.html or "")
    if known:
        return _markdown(html), "selector"
    generic = _generic(html, url)
    words = len(main.text(separator=" ").split())
    if len(generic.split()) >= MIN_GENERIC_SHARE * words and code.is_whole(generic, blocks, word):
        return generic, "generic"
    return _markdown(html), "whole"


def _markdown(html: str) -> str:
    result = h2m.convert(html, OPTIONS)
    for warning in result.warnings:
        if warning.kind == h2m.WarningKind.DEPTH_LIMIT_EXCEEDED:
            raise Unreadable("too_deep", warning.message)
    return result.content or ""


def _generic(html: str, url: str) -> str:
    """What trafilatura takes for the content, as Markdown; empty if it fails."""
    # Definitions would become bullets: as plain blocks they stay. Not fast, it takes quadratic time.
    html = _DEFINITION_TAGS.sub(r"<\1div", html)
    try:
        found = trafilatura.extract(
            f"<html>{html}</html>",
            url=url,
            output_format="html",
            favor_recall=True,
            fast=True,
            include_tables=True,
        )
    except Exception:  # noqa: BLE001 - whatever it trips over, the whole body is still there
        return ""
    return _markdown(found) if found else ""


def _tidy(markdown: str) -> str:
    """Prose in NFC, terms right above definitions, and no line that swallows fences."""
    text = _RAW_HTML.sub(r"\1\\<", unicodedata.normalize("NFC", markdown))
    text = _BLANK_QUOTES.sub(r"\1\n", _BLANK_LINES.sub("\n\n", text))
    return _QUOTE_IN_TEXT.sub(r"\1\n\n", _DEFINITION.sub(r"\n\1: ", text))


def _one_line(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(_BREAKS.sub(" ", text).split()))
