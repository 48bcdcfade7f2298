"""HTML to Markdown: the content of a page, with its code as it is."""

from __future__ import annotations

import html as entities
import logging
import re
import unicodedata

import numpy as np
import trafilatura
from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from manifests.models import ExtractSettings
from pipelines.extract.decode import decode_utf8
from pipelines.extract.guards import check_body, check_structure
from pipelines.extract.html.collect import block_text
from pipelines.extract.html.content import find_main_content
from pipelines.extract.html.formulas import read_formula
from pipelines.extract.html.generators import UNKNOWN_PAGE, WHOLE_TEXT, Found, find_content, recognise, text_size
from pipelines.extract.html.language import language_of
from pipelines.extract.html.metadata.page import Element, Metadata, read_metadata
from pipelines.extract.html.render import (
    AS_CODE,
    AS_FORMULA,
    AS_FORMULA_BLOCK,
    AS_MARKDOWN,
    Places,
    find_places,
    mark_links,
    render,
)
from pipelines.extract.html.roles import FORMULA, TYPED
from pipelines.extract.html.thread import thread_text
from pipelines.extract.html.tree import INNER, LAST, NAMES, START, STOP, Longs, Tree, read_tree
from pipelines.extract.html.xhtml import expand, is_xhtml
from pipelines.extract.mail.text import typed_markdown
from pipelines.extract.page import NoText, Page, Unreadable

MIN_JUDGED = 500  # bytes of text: of less, all is taken
MIN_SURE = 0.35  # the F1 to be expected, below which trafilatura is asked

logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # what it gives up on is converted whole

_ATTRIBUTE = re.compile(r'\s([^\s=>]+)="([^"]*)"')
_FENCE = re.compile(r"[ >]*(?:(?:[-*+]|\d{1,9}[.)]) [ >]*)*(`{3,})([^`]*)$")
_TICKS = re.compile(r"(`+)")
_TAGS = re.compile(r"<[^>]*>")


def extract_html(body: bytes, content_type: str | None, url: str, limits: ExtractSettings) -> Page:
    """The page that a body of HTML or XHTML holds; a pure function of its arguments.

    body: as fetched, content decoding undone; content_type: the header, or None; url: where it came from.
    Raises `Unreadable` (to quarantine) and `NoText` (to drop).
    """
    check_body(body, limits)
    text = decode_utf8(body, content_type)
    if is_xhtml(text, content_type):
        text = expand(text)
    check_structure(text, limits)
    tree = _parse(text)
    numbers, said = recognise(tree)
    metadata = read_metadata([_element(tree, node) for node in said], url)
    found = next((found for number in numbers if (found := _find(tree, number, limits.keep_links))), None)
    markdown, method = (_content(tree, found), "selector") if found else ("", "")
    if not markdown:
        markdown, method = _generic(tree, text, url, keep_links=limits.keep_links)
    if not markdown:
        raise NoText
    return _page(metadata, markdown, method, found.generator if found else "")


def to_markdown(html: str, *, keep_links: bool = False) -> str:
    """All of an HTML text as Markdown: for readers whose format is converted by way of HTML."""
    tree = _parse(html.encode("utf-8", "replace"))
    found = _find(tree, WHOLE_TEXT, keep_links)
    text = _prose_nfc(_markdown(tree, found.bits, 0)) if found else ""
    return text and text + "\n"


def _parse(text: bytes) -> Tree:
    try:
        return read_tree(LexborHTMLParser(text).html or "")
    except SelectolaxError as error:
        raise Unreadable("parser_error", f"{type(error).__name__}: {error}") from error


def _find(tree: Tree, number: int, keep_links: bool) -> Found | None:
    """`find_content`, and the links whose targets are kept."""
    found = find_content(tree, number)
    if found and keep_links:
        mark_links(tree, found.bits)
    return found


def _element(tree: Tree, node: int) -> Element:
    start, inner, stop = (int(tree.nodes[row, node]) for row in (START, INNER, STOP))
    name = NAMES[tree.tag[node] - 1] if 0 < tree.tag[node] <= len(NAMES) else ""
    tag = tree.html[start:inner].tobytes().decode()
    attributes = {key.lower(): entities.unescape(value) for key, value in _ATTRIBUTE.findall(tag)}
    if name in ("meta", "link", "base", "html"):
        return Element(name, attributes)
    inside = tree.html[inner : min(stop, inner + 100_000)].tobytes().decode("utf-8", "ignore")
    if name == "script":
        return Element(name, attributes, inside.removesuffix("</script>"))
    return Element(name, attributes, entities.unescape(_TAGS.sub("", inside[:4000])))


def _content(tree: Tree, found: Found) -> str:
    if found.is_thread and (thread := thread_text(tree, found, lambda node: _markdown(tree, found.bits, node))):
        return thread
    text = _markdown(tree, found.bits, found.main)
    if found.title >= 0 and not found.main <= found.title < tree.nodes[LAST, found.main]:
        text = "\n\n".join(part for part in (_markdown(tree, found.bits, found.title), text) if part)
    return text


def _generic(tree: Tree, html: bytes, url: str, *, keep_links: bool) -> tuple[str, str]:
    """The Markdown of a page that no generator entry knows, and the method that found its content.

    Where our model is not sure, trafilatura is asked; it is believed if it kept every block of code that the body has.
    """
    found = _find(tree, UNKNOWN_PAGE, keep_links)
    assert found is not None
    if text_size(tree, found.bits, 0) < MIN_JUDGED:
        return _markdown(tree, found.bits, 0), "whole"
    sure = find_main_content(tree, found.bits)
    markdown = _markdown(tree, found.bits, 0)
    if sure < MIN_SURE:
        blocks = len(find_places(tree, found.bits, 0))
        if judged := _judged(html, url, blocks, keep_links=keep_links):
            return judged, "judged"
    return markdown, "generic"


def _judged(html: bytes, url: str, blocks: int, *, keep_links: bool) -> str:
    """What trafilatura takes for the content, as Markdown; empty if it fails, or loses blocks of code."""
    try:
        kept = trafilatura.extract(
            html.decode("utf-8"),
            url=url or None,
            output_format="html",
            include_tables=True,
            include_links=keep_links,
            fast=True,
        )
    except Exception:  # noqa: BLE001 - whatever it trips over, our own answer is still there
        return ""
    if not kept:
        return ""
    tree = _parse(kept.encode("utf-8", "replace"))
    whole = _find(tree, WHOLE_TEXT, keep_links)
    if whole is None or len(find_places(tree, whole.bits, 0)) < blocks:
        return ""
    return _markdown(tree, whole.bits, 0)


def _markdown(tree: Tree, bits: Longs, root: int) -> str:
    """The Markdown of a node and all below it."""
    text = render(tree, bits, root, _places(tree, bits, root)).decode("utf-8", "replace")
    return text.removesuffix("\n\n---").strip("\n")


def _places(tree: Tree, bits: Longs, root: int) -> Places:
    """What stands for the blocks below a node: of code their languages, of formulas their TeX, of mail its Markdown."""
    nodes = find_places(tree, bits, root)
    kinds, texts = [], []
    for node in nodes.tolist():
        if bits[node] & FORMULA:
            tex, is_block = read_formula(tree, node)
            kinds.append(AS_FORMULA_BLOCK if is_block else AS_FORMULA)
            texts.append(tex.encode())
        elif bits[node] & TYPED:
            kinds.append(AS_MARKDOWN)
            texts.append(typed_markdown(block_text(tree, bits, node)).encode())
        else:
            kinds.append(AS_CODE)
            texts.append(language_of(tree, node).encode())
    at = np.zeros(len(texts) + 1, np.int32)
    np.cumsum([len(text) for text in texts], out=at[1:])
    blob = np.frombuffer(b"".join(texts) + b"\0", np.uint8)
    return Places(nodes, np.array(kinds, np.int32), at, blob)


def _page(metadata: Metadata, markdown: str, method: str, generator: str) -> Page:
    title = metadata.title
    if not title and markdown.startswith("# "):
        title = markdown[2:].partition("\n")[0]
    return Page(
        title=title,
        text=_prose_nfc(markdown) + "\n",
        opt_out=metadata.opt_out,
        method=method,
        generator=generator,
        date=metadata.date,
        authors=metadata.authors,
        canonical=metadata.canonical,
        licence=metadata.licence,
        found=metadata.found,
    )


def _prose_nfc(markdown: str) -> str:
    """Prose in NFC, code as it is."""
    if unicodedata.is_normalized("NFC", markdown):
        return markdown
    lines = markdown.split("\n")
    fence = ""
    for number, line in enumerate(lines):
        ticks = _FENCE.match(line)
        if fence:
            fence = "" if ticks and ticks[1] == fence and not ticks[2] else fence
        elif ticks:
            fence = ticks[1]
        else:
            lines[number] = _line_nfc(line)
    return "\n".join(lines)


def _line_nfc(line: str) -> str:
    """A line of prose in NFC, its spans of code as they are."""
    pieces = _TICKS.split(line)
    ends = {run: number for number, run in enumerate(pieces) if number % 2}
    opened = ""
    for number, piece in enumerate(pieces):
        if number % 2 == 0 and not opened:
            pieces[number] = unicodedata.normalize("NFC", piece)
        elif number % 2 and not opened and ends[piece] > number:
            opened = piece
        elif piece == opened:
            opened = ""
    return "".join(pieces)
