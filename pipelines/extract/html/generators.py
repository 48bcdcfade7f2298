"""Which generator made a page, where its content is, and what its elements are, by `manifests/generators/`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from filters.compiled import compiled, inner
from manifests.load import load_generators
from manifests.models import CommonRules, Generator, PageRules, ThreadRules
from pipelines.extract.html import roles
from pipelines.extract.html.collect import Pad, line_text, new_pad
from pipelines.extract.html.roles import (
    ADMONITION,
    ADMONITION_TITLE,
    DROP,
    FOOTNOTE,
    FOOTNOTE_LABEL,
    KEEP,
    KIND,
    LIST,
    NUMBERED,
    PERMALINK,
    PLACED,
    QUOTE,
    TABLE,
    TERMS,
)
from pipelines.extract.html.selectors import Sheet, compile_sheet, match
from pipelines.extract.html.tree import INNER, LAST, START, STOP, TEXT, Bytes, Ints, Longs, Page, Tree

ROLES = {
    "never": roles.DROP,
    "drop": roles.DROP,
    "gutter": roles.DROP,
    "footnote_back": roles.DROP | roles.FOOTNOTE_BACK,
    "keep": roles.KEEP,
    "code": roles.CODE,
    "code_line": roles.LINE,
    "inline_code": roles.INLINE_CODE,
    "layout": roles.PLACED,
    "admonition": roles.ADMONITION,
    "admonition_title": roles.ADMONITION_TITLE,
    "quote": roles.QUOTE,
    "math": roles.FORMULA,
    "typed": roles.TYPED,
    "permalink": roles.PERMALINK,
    "footnote_mark": roles.FOOTNOTE_MARK,
    "footnote_text": roles.FOOTNOTE,
    "footnote_label": roles.FOOTNOTE_LABEL,
    "classifier": roles.CLASSIFIER,
}
BODY_ROLES = ROLES | {"body_drop": roles.DROP, "body_keep": roles.KEEP}
WHOLE_ROLES = {name: role for name, role in ROLES.items() if name != "drop"}

# In place of the number of a generator: a page of none, and a text of which nothing is chrome.
UNKNOWN_PAGE, WHOLE_TEXT = -1, -2

MAX_LABEL_NODES = 16  # of the label of a footnote, the way back among them
MAX_PERMALINK_BYTES = 1 << 12
MAX_TITLE_NODES = 64  # from the beginning of an admonition to its title

# What `metadata` reads.
SAYS = 1
SAID_BY = (
    "html",
    "title",
    "meta",
    "link[rel~=canonical]",
    "link[rel~=license]",
    "base",
    "time",
    'script[type="application/ld+json"]',
    "a[rel~=license]",
    "a[rel~=author]",
    "[itemprop~=datePublished]",
    "[itemprop~=dateModified]",
    "[itemprop~=author]",
    "[itemprop~=license]",
    "footer a[href*=creativecommons.org]",
)


@dataclass(frozen=True)
class Found:
    """What a page is: the name of its generator ("" if none is known), and its content.

    number: of the generator, -1 if none is known; main: the node of the content; bits: the roles of each node;
    title: the node of the title, -1 if none is marked; is_thread: whether its posts are marked.
    """

    generator: str
    number: int
    main: int
    bits: Longs
    title: int = -1
    is_thread: bool = False


@cache
def _known() -> tuple[CommonRules, tuple[Generator, ...], Sheet, Ints]:
    """The rules, the sheet that recognises generators, and for each of its selectors the generator (-1: metadata)."""
    common, generators = load_generators()
    marks = [(selector, number) for number, each in enumerate(generators) for selector in each.known_by]
    sheet = compile_sheet([(selector, 0) for selector, _ in marks] + [(selector, SAYS) for selector in SAID_BY])
    return common, tuple(generators), sheet, np.array([number for _, number in marks], np.int32)


@cache
def _sheet(number: int) -> Sheet:
    """The sheet of a generator: first its `main`, then its `title`, then what each element is."""
    common, generators, _, _ = _known()
    of_roles: Iterable[tuple[PageRules, dict[str, int]]]
    of_roles = ((common, BODY_ROLES if number == UNKNOWN_PAGE else WHOLE_ROLES),)
    rules: list[tuple[str, int]] = []
    if number >= 0:
        entry = generators[number]
        of_roles = ((common, ROLES), (entry, ROLES))
        rules = [(selector, 0) for selector in (*entry.main, *entry.title)]
    rules += [
        (selector, role)
        for source, names in of_roles
        for name, role in names.items()
        for selector in getattr(source, name, ())
    ]
    return compile_sheet(rules)


def recognise(tree: Tree) -> tuple[list[int], list[int]]:
    """The generators of which a mark is on the page, in the order to try them, and the nodes that metadata reads."""
    _, _, sheet, owners = _known()
    bits, found = match(tree, sheet)
    marks = owners[found[: len(owners)] >= 0]
    return sorted(set(marks.tolist())), np.flatnonzero(bits).tolist()


def find_content(tree: Tree, number: int) -> Found | None:
    """The content of a page of a generator, None if it is not there; all of it for UNKNOWN_PAGE and WHOLE_TEXT."""
    generators = _known()[1]
    sheet = _sheet(number)
    bits, found = match(tree, sheet)
    _settle(Page(tree.html, tree.nodes, tree.tag, bits), _permalink_texts(), new_pad(len(tree.html)))
    if number < 0:
        return Found("", number, 0, bits)
    entry = generators[number]
    for main in found[: len(entry.main)]:
        size = text_size(tree, bits, int(main)) if main >= 0 else 0
        if size and size >= entry.min_share * text_size(tree, bits, 0):
            titles = found[len(entry.main) : len(entry.main) + len(entry.title)]
            title = int(next((node for node in titles if node >= 0 and text_size(tree, bits, int(node))), -1))
            if title >= 0:
                bits[title] |= roles.TITLE
            return Found(entry.name, number, int(main), bits, title, entry.thread is not None)
    return None


def thread_rules(number: int) -> ThreadRules:
    """The rules of a generator for threads; it must have some."""
    rules = _known()[1][number].thread
    assert rules is not None
    return rules


@cache
def _permalink_texts() -> Bytes:
    """The texts of permalinks, each behind its length: one byte."""
    texts = [text.encode() for text in _known()[0].permalink_text]
    return np.frombuffer(b"".join(bytes([len(text)]) + text for text in texts), np.uint8)


@compiled
def _settle(page: Page, texts: Bytes, pad: Pad) -> None:
    """Makes roles final: what is kept is not dropped, permalinks are, and the items of a layout are parts of it."""
    title = -1
    footnote_end = 0
    for i in range(len(page.tag)):
        if page.bits[i] & KEEP:
            page.bits[i] &= ~DROP
        if page.bits[i] & FOOTNOTE:
            if i < footnote_end:
                page.bits[i] &= ~FOOTNOTE  # an item of a list in a footnote
            else:
                footnote_end = page.nodes[LAST, i]
        if page.bits[i] & FOOTNOTE_LABEL:
            for j in range(i + 1, min(page.nodes[LAST, i], i + MAX_LABEL_NODES)):
                page.bits[j] &= ~DROP
        if page.bits[i] & ADMONITION:
            title = i + 1
            while title < min(page.nodes[LAST, i], i + MAX_TITLE_NODES) and not page.bits[title] & ADMONITION_TITLE:
                title += 1
        if i != title:
            page.bits[i] &= ~ADMONITION_TITLE
        if page.bits[i] & PERMALINK and _says_no_more(page, i, texts, pad):
            page.bits[i] |= DROP
        _settle_layout(page, i)


@inner
def _says_no_more(page: Page, node: int, texts: Bytes, pad: Pad) -> bool:
    """Whether the text of a permalink is one of those that only mark it."""
    if page.bits[node] & DROP or page.nodes[STOP, node] - page.nodes[START, node] > MAX_PERMALINK_BYTES:
        return False
    return _is_one_of(pad.text, line_text(page, node, pad), texts)


@inner
def _settle_layout(page: Page, node: int) -> None:
    """A table that lays out a quote is opened in it; the parts of what only places things are blocks."""
    kind = KIND[page.tag[node]]
    if kind == TABLE and page.bits[node] & (ADMONITION | QUOTE) and node + 1 < page.nodes[LAST, node]:
        page.bits[node + 1] |= page.bits[node] & (ADMONITION | QUOTE)
        page.bits[node] = (page.bits[node] & ~(ADMONITION | QUOTE)) | PLACED
    if page.bits[node] & PLACED and (kind == LIST or kind == NUMBERED or kind == TERMS):
        child = node + 1
        while child < page.nodes[LAST, node]:
            page.bits[child] |= PLACED
            child = page.nodes[LAST, child]


@inner
def _is_one_of(text: Bytes, size: int, texts: Bytes) -> bool:
    at = 0
    while at < len(texts):
        length = np.int64(texts[at])
        k = 0
        while k < length and k < size and texts[at + 1 + k] == text[k]:
            k += 1
        if k == length and length == size:
            return True
        at += 1 + length
    return False


def text_size(tree: Tree, bits: Longs, node: int) -> int:
    """The bytes of text below a node, dropped or not itself, that are no spaces and not dropped."""
    return int(_text_size(Page(tree.html, tree.nodes, tree.tag, bits), node))


@compiled
def _text_size(page: Page, node: int) -> int:
    size = 0
    i = node + 1
    while i < page.nodes[LAST, node]:
        if page.tag[i] == TEXT:
            for k in range(page.nodes[START, i], page.nodes[INNER, i]):
                size += page.html[k] > 32
        elif page.bits[i] & DROP or KIND[page.tag[i]] == roles.NEVER:
            i = page.nodes[LAST, i]
            continue
        i += 1
    return size
