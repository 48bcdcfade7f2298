"""A parsed page as flat arrays, so that compiled loops can walk it.

lexbor builds the tree as HTML says and writes it out again; what it writes is regular (every element closed,
every value quoted, `<` only where a tag begins), and one pass over it gives the nodes in page order. The
nodes below node i are those from i + 1 up to, and without, nodes[LAST, i].
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inlined, inner
from filters.hashing import FNV_OFFSET, FNV_PRIME

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Tags = npt.NDArray[np.int16]
Hashes = npt.NDArray[np.uint64]

# Names that rendering knows, each with a number from 1 on; 0 is text, UNKNOWN any other element.
_NAMES = (
    "a abbr address article aside audio b bdi bdo big blink blockquote body br button canvas caption center cite code "
    "col colgroup dd del details dfn dialog dir div dl dt em embed fieldset figcaption figure font footer form frame "
    "frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe img input ins kbd label legend li link listing "
    "main map mark marquee math menu meta nav nobr noembed noframes noscript object ol optgroup option p param "
    "picture plaintext pre progress q rp rt ruby s samp script search section select slot small source span strike "
    "strong style sub summary sup svg table tbody td template textarea tfoot th thead time title tr track tt u ul var "
    "video wbr xmp area base basefont bgsound keygen"
)
NAMES = tuple(_NAMES.split())
TAG = {name: number for number, name in enumerate(NAMES, 1)}
TEXT = 0
START, INNER, STOP, PARENT, LAST, FEATURES = range(6)  # rows of Tree.nodes
UNKNOWN = len(NAMES) + 1

_VOID = "area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr"
_RAW = "script style xmp iframe noembed noframes plaintext"

_SEARCHED_LEVELS = 16  # for the element that an end tag closes; only foreign markup has any to search
MAX_OPEN = 1 << 14


class Tree(NamedTuple):
    """The nodes of a page and their features.

    html: the page as written out, UTF-8. tag (nodes,): number of the name. nodes (6, nodes): row START, INNER
    and STOP are offsets of a node's begin, of the end of its start tag (of text: its end), and behind its end
    tag; PARENT is -1 at the root; features[nodes[FEATURES, i] : nodes[FEATURES, i + 1]] are hashes
    (`feature_hash`) of what a selector may ask of node i: `name`, `#id`, `.class`, `[attribute`.
    """

    html: Bytes
    tag: Tags
    nodes: Ints
    features: Hashes


class Page(NamedTuple):
    """A Tree as compiled functions take it, and what each of its nodes is: bits (nodes,), roles of `roles`."""

    html: Bytes
    nodes: Ints
    tag: Tags
    bits: Longs


def feature_hash(feature: str) -> int:
    """FNV-1a, 64 bits, of a feature such as `div`, `#top`, `.note` or `[role`."""
    value = int(FNV_OFFSET)
    for byte in feature.encode():
        value = ((value ^ byte) * int(FNV_PRIME)) & 0xFFFFFFFFFFFFFFFF
    return value


def _name_table() -> tuple[Hashes, Tags]:
    """Open addressing from the hash of a name to its number."""
    keys = np.zeros(512, dtype=np.uint64)
    numbers = np.zeros(512, dtype=np.int16)
    for name, number in TAG.items():
        slot = feature_hash(name) & 511
        while keys[slot]:
            slot = (slot + 1) & 511
        keys[slot], numbers[slot] = feature_hash(name), number
    return keys, numbers


_KEYS, _NUMBERS = _name_table()
_KIND = np.zeros(UNKNOWN + 1, dtype=np.int8)
_KIND[[TAG[name] for name in _VOID.split()]] = 1
_KIND[[TAG[name] for name in _RAW.split()]] = 2


def read_tree(html: str) -> Tree:
    """The nodes of a page that lexbor wrote out. Comments, doctypes and processing instructions are left out."""
    data = np.frombuffer(html.encode("utf-8", "replace"), dtype=np.uint8)
    room = 2 * html.count("<") + 2
    ints = np.empty((6, room), dtype=np.int32)
    tag = np.empty(room, dtype=np.int16)
    features = np.empty(len(data) // 2 + 8, dtype=np.uint64)
    count = _scan(data, _KEYS, _NUMBERS, _KIND, tag, ints, features)
    return Tree(data, tag[:count], ints[:, : count + 1], features[: ints[FEATURES, count]])


@inlined
def _mixed(value: np.uint64, byte: np.uint8) -> np.uint64:
    return (value ^ np.uint64(byte)) * FNV_PRIME


@inlined
def is_space(byte: np.uint8) -> bool:
    return byte == 32 or byte == 10 or byte == 9 or byte == 13 or byte == 12


@compiled
def _scan(html: Bytes, keys: Hashes, numbers: Tags, kinds: Tags, tag: Tags, ints: Ints, features: Hashes) -> int:  # noqa: C901 - one loop with one state
    """Fills the arrays of a Tree; returns the number of nodes."""
    start, inner, stop, parent, last, feature_at = (
        ints[START],
        ints[INNER],
        ints[STOP],
        ints[PARENT],
        ints[LAST],
        ints[FEATURES],
    )
    size = len(html)
    stack = np.empty(MAX_OPEN, dtype=np.int32)
    hashes = np.empty(MAX_OPEN, dtype=np.uint64)
    depth = 0
    n = 0
    f = 0
    at = 0
    while at < size:
        if html[at] != 60:  # <
            begin = at
            while at < size and html[at] != 60:
                at += 1
            tag[n], start[n], inner[n], stop[n] = TEXT, begin, at, at
            parent[n] = stack[depth - 1] if depth else -1
            feature_at[n] = f
            n += 1
            last[n - 1] = n
            continue
        if at + 1 < size and html[at + 1] == 47:  # </
            value = FNV_OFFSET
            end = at + 2
            while end < size and html[end] != 62:
                value = _mixed(value, html[end])
                end += 1
            at = min(end + 1, size)
            level = depth - 1
            while level >= 0 and level >= depth - _SEARCHED_LEVELS and hashes[level] != value:
                level -= 1
            if level >= 0 and level >= depth - _SEARCHED_LEVELS:
                for closed in range(level, depth):
                    last[stack[closed]] = n
                    stop[stack[closed]] = at
                depth = level
            continue
        if at + 1 < size and (html[at + 1] == 33 or html[at + 1] == 63):  # <! or <?
            comment = at + 3 < size and html[at + 2] == 45 and html[at + 3] == 45
            at += 4 if comment else 1
            while at < size and not (html[at] == 62 and (not comment or (html[at - 1] == 45 and html[at - 2] == 45))):
                at += 1
            at = min(at + 1, size)
            continue
        begin = at
        value = FNV_OFFSET
        at += 1
        while at < size and html[at] != 62 and html[at] != 32:
            value = _mixed(value, html[at])
            at += 1
        slot = np.int64(value & np.uint64(511))
        while keys[slot] != 0 and keys[slot] != value:
            slot = (slot + 1) & 511
        number = numbers[slot] if keys[slot] == value else UNKNOWN
        feature_at[n] = f
        if f < len(features):
            features[f] = value
            f += 1
        at, f = _read_attributes(html, at, features, f)
        tag[n], start[n], inner[n], stop[n] = number, begin, at, at
        parent[n] = stack[depth - 1] if depth else -1
        n += 1
        last[n - 1] = n
        if kinds[number] == 1:
            continue
        if kinds[number] == 2:
            at = _raw_text(html, at, begin + 1, tag, ints, n, f)
            if at > inner[n - 1]:
                n += 1
                last[n - 2] = n
            end = at
            while at < size and html[at] != 62:
                at += 1
            at = min(at + 1, size)
            stop[n - 1 if end == inner[n - 1] and tag[n - 1] != TEXT else n - 2] = at
            continue
        if depth < MAX_OPEN:
            stack[depth] = n - 1
            hashes[depth] = value
            depth += 1
    for closed in range(depth):
        last[stack[closed]] = n
        stop[stack[closed]] = size
    feature_at[n] = f
    return n


@inner
def _read_attributes(html: Bytes, at: int, features: Hashes, f: int) -> tuple[int, int]:
    """Reads ` name="value"` up to the end of a start tag; returns the offset behind it and the features' end."""
    size = len(html)
    room = len(features)
    while at < size and html[at] == 32:
        at += 1
        begin = at
        value = _mixed(FNV_OFFSET, np.uint8(91))
        while at < size and html[at] != 61 and html[at] != 62 and html[at] != 32:
            value = _mixed(value, html[at])
            at += 1
        if f < room:
            features[f] = value
            f += 1
        if at + 1 >= size or html[at] != 61 or html[at + 1] != 34:
            continue
        is_class = at - begin == 5 and html[begin] == 99 and html[begin + 1] == 108 and html[begin + 4] == 115
        is_id = at - begin == 2 and html[begin] == 105 and html[begin + 1] == 100
        at += 2
        if not is_class and not is_id:
            while at < size and html[at] != 34:
                at += 1
            at += 1
            continue
        mark = np.uint8(46) if is_class else np.uint8(35)
        while at < size and html[at] != 34:
            while at < size and is_space(html[at]):
                at += 1
            value = _mixed(FNV_OFFSET, mark)
            token = at
            while at < size and html[at] != 34 and not is_space(html[at]):
                value = _mixed(value, html[at])
                at += 1
            if at > token and f < room:
                features[f] = value
                f += 1
        at += 1
    while at < size and html[at] != 62:
        at += 1
    return min(at + 1, size), f


@inner
def _raw_text(html: Bytes, at: int, name: int, tag: Tags, ints: Ints, n: int, f: int) -> int:
    """Makes a text node of what stands up to the end tag of the element whose name begins at `name`."""
    size = len(html)
    begin = at
    length = 0
    while html[name + length] != 32 and html[name + length] != 62:
        length += 1
    while at < size:
        if html[at] == 60 and at + 2 + length < size and html[at + 1] == 47:
            same = True
            for k in range(length):
                if html[at + 2 + k] != html[name + k]:
                    same = False
                    break
            if same and html[at + 2 + length] == 62:
                break
        at += 1
    if at > begin:
        tag[n] = TEXT
        ints[START, n], ints[INNER, n], ints[STOP, n] = begin, at, at
        ints[PARENT, n], ints[LAST, n], ints[FEATURES, n] = n - 1, n + 1, f
    return at


# Attributes that rendering reads, by number.
_READ = ("colspan", "rowspan", "alt", "start", "value", "href", "title")
COLSPAN, ROWSPAN, ALT, START_AT, VALUE, HREF, TITLE_TEXT = range(len(_READ))
_LETTERS = np.frombuffer("".join(_READ).encode(), np.uint8)
_ENDS = np.cumsum([0] + [len(name) for name in _READ])


@inner
def value_of(page: Page, node: int, which: int) -> tuple[int, int]:
    """Where the value of an attribute, such as ALT, stands in `page.html`; (-1, -1) if the element has none."""
    begin, end = page.nodes[START, node], page.nodes[INNER, node]
    return attribute(page.html, begin, end, _LETTERS, _ENDS[which], _ENDS[which + 1])


@inner
def attribute(html: Bytes, begin: int, end: int, letters: Bytes, name: int, close: int) -> tuple[int, int]:
    """Where the value of the attribute letters[name:close] stands in a start tag, html[begin:end]; else (-1, -1)."""
    at = begin
    while at < end and html[at] != 32 and html[at] != 62:
        at += 1
    while at < end and html[at] == 32:
        at += 1
        k = name
        while at < end and k < close and html[at] == letters[k]:
            at += 1
            k += 1
        found = k == close and at < end and html[at] == 61
        while at < end and html[at] != 61 and html[at] != 62 and html[at] != 32:
            at += 1
        if at + 1 >= end or html[at] != 61 or html[at + 1] != 34:
            continue
        at += 2
        value = at
        while at < end and html[at] != 34:
            at += 1
        if found:
            return value, at
        at += 1
    return -1, -1
