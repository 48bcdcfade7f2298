"""A page cut into blocks of text, and what is known of each of them and of the elements above it: compiled.

A block is a run of text that no block-level element interrupts: a paragraph, an item, a cell, a heading, what
stands in a `div` before and after another one; a `pre` is one block whatever is in it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner
from filters.hashing import FNV_OFFSET, FNV_PRIME
from pipelines.extract.html.roles import (
    BREAK,
    CODE,
    DROP,
    EMPHASIS,
    IMAGE,
    INLINE,
    INLINE_CODES,
    KIND,
    LINK,
    NEVER,
    NOSCRIPT,
    PREFORMATTED,
    RAISED,
    STRONG,
)
from pipelines.extract.html.tree import (
    INNER,
    LAST,
    PARENT,
    START,
    STOP,
    TAG,
    TEXT,
    Bytes,
    Hashes,
    Ints,
    Longs,
    Tags,
    Tree,
    feature_hash,
)

# Words of class names, ids, itemprops and roles, a group a bit: what authors of templates call the parts of a page.
HINTS = (
    "content main primary",
    "article post entry story articlebody body text prose markdown richtext wysiwyg rte copy paragraph",
    "comment comments reply replies response responses disqus",
    "thread topic message messages msg forum posts conversation question answer discussion",
    "sidebar side aside rail widget widgets secondary complementary",
    "related recommended recommendation recommendations recirc more similar popular trending latest suggested also",
    "promo promotion ad ads advert advertisement sponsor sponsored banner outbrain taboola cta",
    "share sharing social follow facebook twitter",
    "footer foot bottom copyright legal",
    "nav navigation navbar menu breadcrumb breadcrumbs pagination pager toolbar topbar",
    "toc tabs tab",
    "author byline bio avatar user username profile member",
    "meta date time published timestamp info postmeta posted stats",
    "tag tags category categories label labels keywords",
    "cookie cookies consent gdpr modal popup overlay dialog notice alert",
    "newsletter subscribe subscription signup login signin register form",
    "header head masthead hero",
    "title headline heading subtitle",
    "product products price prices cart buy sku basket",
    "card cards grid item items list listing tile teaser",
    "slider carousel swiper slide",
    "description desc summary excerpt details overview specs specification features lead intro",
    "review reviews rating ratings testimonial testimonials feedback votes vote score",
    "signature sig",
    "quote quoted",
    "caption figcaption credit gallery image photo figure media video",
    "hidden hide collapse collapsed screen invisible",
    "code highlight source snippet",
    "search filter filters sort facet facets",
    "faq accordion",
)
# Words of the text, a group a row of counts: what the controls of a page say in English.
SAYINGS = (
    "share tweet facebook twitter linkedin pinterest instagram youtube follow email print whatsapp reddit",
    "copyright reserved privacy policy terms cookies cookie rights legal disclaimer",
    "reply quote report joined posts likes member members thread threads views replies like topic forum",
    "related more read next previous also popular latest trending recommended similar see view all",
    "january february march april may june july august september october november december jan feb mar apr jun jul aug "
    "sep oct nov dec am pm ago monday tuesday wednesday thursday friday saturday sunday",
    "by posted written author published updated edited reviewed",
    "price cart add buy shipping order checkout wishlist usd eur stock sale",
    "sign login log register subscribe newsletter signup account password subscribed",
    "comments comment leave post responses",
    "menu search home skip contact about navigation toggle close open show hide",
)
# Types that a page gives itself (og:type, JSON-LD, microdata), a group a bit.
TYPES = (
    "article newsarticle blogposting techarticle report howto",
    "product productgroup individualproduct productitem offer",
    "discussionforumposting qapage question socialmediaposting",
    "itemlist collectionpage searchresultspage productcollection",
    "website webpage organization localbusiness service softwareapplication",
)
MIN_NOSCRIPT = 500  # bytes: as in rendering
MIN_PROSE_WORDS = 10
SLOTS = 4096

# Rows of Blocks.counts.
(
    OWNER,
    FIRST,
    END,
    BYTES,
    WORDS,
    LINK_BYTES,
    LINKS,
    LETTERS,
    CAPITALS,
    DIGITS,
    ENDS,
    COMMAS,
    MARKS,
    CLOSED,
    CODE_BYTES,
) = range(15)
SAID = 15
BLOCK_ROWS = SAID + len(SAYINGS)
# Rows of Blocks.sums, of each element.
ALL, LINKED, PROSE, SENTENCES, PARTS = range(5)
SUM_ROWS = 5
# Rows of Blocks.marks, of each element: the hints of the element and all above it, of it and the two above it.
ABOVE, NEAR, OWN = range(3)


class Blocks(NamedTuple):
    """The blocks of a page, and sums over its elements.

    counts (BLOCK_ROWS, blocks): what is counted in each block. sums (SUM_ROWS, nodes): bytes of text, in links, in
    prose, ends of sentences and blocks below each element. hints (3, nodes): groups of `HINTS`, a bit each.
    level (nodes,): elements above. wider (nodes,): the nearest element above with more text, -1 if none.
    path (nodes,): hash of the tags and classes down to an element, modulo SLOTS. types: groups of `TYPES`, a bit each.
    """

    counts: Ints
    sums: Ints
    hints: Longs
    level: Ints
    wider: Ints
    path: Ints
    types: int


def _word_table(groups: tuple[tuple[str, ...], ...]) -> tuple[Hashes, Longs]:
    """Open addressing from the hash of a word to bits: hints from bit 0, sayings (their number + 1) from bit 32."""
    meanings: dict[int, int] = {}
    for shift, words_of in enumerate(groups):
        for number, words in enumerate(words_of):
            for word in words.split():
                bit = (number + 1) << 32 if shift else 1 << number
                meanings[feature_hash(word)] = meanings.get(feature_hash(word), 0) | bit
    keys, values = np.zeros(2048, np.uint64), np.zeros(2048, np.int64)
    for key, value in meanings.items():
        slot = key & 2047
        while keys[slot]:
            slot = (slot + 1) & 2047
        keys[slot], values[slot] = key, value
    return keys, values


_KEYS, _VALUES = _word_table((HINTS, SAYINGS))
_TYPE_KEYS, _TYPE_VALUES = _word_table((TYPES,))
_MARKS = np.frombuffer(b'og:type"@type"ld+json', np.uint8)
_OG_TYPE, _LD_TYPE = 7, 14  # where each ends

# Attributes whose words are hints, by length and first byte; others that hide an element.
_HIDES = np.int64(1 << HINTS.index("hidden hide collapse collapsed screen invisible"))
_IS_INLINE: npt.NDArray[np.bool_] = np.zeros(int(KIND.max()) + 1, np.bool_)
_IS_INLINE[[INLINE, EMPHASIS, STRONG, INLINE_CODES, RAISED, LINK, BREAK, IMAGE]] = True
_HAS_NO_HINTS: npt.NDArray[np.bool_] = np.zeros(int(KIND.max()) + 1, np.bool_)
_HAS_NO_HINTS[[EMPHASIS, STRONG, INLINE_CODES, RAISED, BREAK, IMAGE]] = True
_BODY, _HTML, _META, _SCRIPT = TAG["body"], TAG["html"], TAG["meta"], TAG["script"]


def cut(tree: Tree, bits: Longs) -> Blocks:
    """The blocks of all that is not dropped."""
    nodes = len(tree.tag)
    counts = np.zeros((BLOCK_ROWS, nodes + 1), np.int32)
    blocks = Blocks(
        counts,
        np.zeros((SUM_ROWS, nodes), np.int32),
        np.zeros((3, nodes), np.int64),
        np.zeros(nodes, np.int32),
        np.full(nodes, -1, np.int32),
        np.zeros(nodes, np.int32),
        _page_types(tree.html, tree.nodes, tree.tag, _TYPE_KEYS, _TYPE_VALUES),
    )
    near = np.zeros(nodes, np.int32)
    size = _cut(tree.html, tree.nodes, tree.tag, bits, _KEYS, _VALUES, blocks, near)
    return blocks._replace(counts=counts[:, :size])


@compiled
def _page_types(html: Bytes, nodes: Ints, tag: Tags, keys: Hashes, values: Longs) -> int:
    """What the page says that it is: the groups of `TYPES` in its meta elements and its JSON-LD, a bit each."""
    types = np.int64(0)
    for i in range(len(tag)):
        start, text = nodes[START, i], nodes[INNER, i]
        if tag[i] == _META:
            types |= _types_behind(html, start, text, 0, _OG_TYPE, keys, values)
        elif tag[i] == _SCRIPT and _find(html, start, text, _LD_TYPE, len(_MARKS)) >= 0:
            types |= _types_behind(html, text, nodes[STOP, i], _OG_TYPE, _LD_TYPE, keys, values)
    return types


@inner
def _find(html: Bytes, begin: int, end: int, mark: int, close: int) -> int:
    """Where _MARKS[mark:close] ends in a text, -1 if it is not there."""
    for at in range(begin, end - (close - mark) + 1):
        k = 0
        while k < close - mark and html[at + k] == _MARKS[mark + k]:
            k += 1
        if k == close - mark:
            return at + k
    return -1


@inner
def _types_behind(html: Bytes, begin: int, end: int, mark: int, close: int, keys: Hashes, values: Longs) -> int:
    """The types whose names stand in the next quotes behind each mark, _MARKS[mark:close], in a text."""
    types = np.int64(0)
    at = _find(html, begin, end, mark, close)
    while at >= 0:
        quotes = -1 if html[at] == 34 else 0  # the one that ends the mark's own value
        while at < end and quotes < 1:
            quotes += html[at] == 34
            at += 1
        value = FNV_OFFSET
        while at < end and html[at] != 34:
            value = (value ^ np.uint64(html[at] | 32)) * FNV_PRIME
            at += 1
        types |= _meaning(value, keys, values)
        at = _find(html, at, end, mark, close)
    return types


@compiled
def _cut(html: Bytes, nodes: Ints, tag: Tags, bits: Longs, keys: Hashes, values: Longs, b: Blocks, near: Ints) -> int:
    """Fills the arrays of Blocks, returns their number; near[i]: the block-level element that node i is in or is."""
    counts = b.counts
    size = 0
    is_open = False
    i = 0
    while i < len(tag):
        above = nodes[PARENT, i]
        if tag[i] == TEXT:
            owner = near[above] if above >= 0 else 0
            if not _is_blank(html, nodes[START, i], nodes[INNER, i]):
                if not is_open or counts[OWNER, size - 1] != owner:
                    counts[OWNER, size], counts[FIRST, size] = owner, i
                    size += 1
                    is_open = True
                counts[END, size - 1] = i + 1
                _count_text(
                    html,
                    nodes[START, i],
                    nodes[INNER, i],
                    keys,
                    values,
                    counts,
                    size - 1,
                    above >= 0 and b.level[above] < 0,
                )
            i += 1
            continue
        kind = KIND[tag[i]]
        if bits[i] & DROP or kind == NEVER or (kind == NOSCRIPT and nodes[STOP, i] - nodes[START, i] < MIN_NOSCRIPT):
            i = nodes[LAST, i]
            continue
        _enter(html, nodes, tag, kind, i, above, keys, values, b)
        if _IS_INLINE[kind] and not bits[i] & CODE and above >= 0:
            near[i] = near[above]
            if kind == LINK and is_open:
                counts[LINKS, size - 1] += 1
        else:
            near[i] = near[above] if above >= 0 and is_code(tag, bits, near[above]) else i
            is_open = is_open and near[i] != i
        i += 1
    _add_up(nodes, tag, b, size)
    return size


@inner
def is_code(tag: Tags, bits: Longs, owner: int) -> bool:
    """Whether what an element holds is a block of code."""
    return KIND[tag[owner]] == PREFORMATTED or bits[owner] & CODE != 0


@inner
def _is_blank(html: Bytes, begin: int, end: int) -> bool:
    """Whether a text is white space, no-break spaces too."""
    at = begin
    while at < end:
        if html[at] == 38 and at + 5 < end and html[at + 1] == 110 and html[at + 5] == 59:
            at += 6
            continue
        if html[at] > 32 and html[at] != 0xC2 and html[at] != 0xA0:
            return False
        at += 1
    return True


@inner
def _enter(
    html: Bytes, nodes: Ints, tag: Tags, kind: int, i: int, above: int, keys: Hashes, values: Longs, b: Blocks
) -> None:
    """Notes the hints, the level and the path of an element. A level is negative (-1 - level) inside a link."""
    own = np.int64(0)
    path = np.int64(tag[i]) * 40503
    if not _HAS_NO_HINTS[kind] and nodes[INNER, i] - nodes[START, i] > 8 and tag[i] != _BODY and tag[i] != _HTML:
        own, name = _read_hints(html, nodes[START, i], nodes[INNER, i], keys, values)
        path += name
    if above < 0:
        b.level[i] = 0
        return
    in_link = kind == LINK or b.level[above] < 0
    level = abs(b.level[above] + 1) if b.level[above] < 0 else b.level[above]
    b.level[i] = -2 - level if in_link else level + 1
    b.hints[OWN, i] = own
    b.hints[NEAR, i] = (
        own | b.hints[OWN, above] | (b.hints[OWN, nodes[PARENT, above]] if nodes[PARENT, above] >= 0 else 0)
    )
    b.hints[ABOVE, i] = own | b.hints[ABOVE, above]
    b.path[i] = b.path[above] if _IS_INLINE[kind] else (np.int64(b.path[above]) * 31 + path) & (SLOTS - 1)


@inner
def _read_hints(  # noqa: C901 - one loop over letters
    html: Bytes, begin: int, end: int, keys: Hashes, values: Longs
) -> tuple[int, int]:
    """The hints in the start tag html[begin:end], and a hash of its classes."""
    hints = np.int64(0)
    name = np.int64(0)
    at = begin + 1
    while at < end and html[at] != 32:
        at += 1
    while at < end:
        at += 1
        word = at
        while at < end and html[at] != 61 and html[at] != 62 and html[at] != 32:
            at += 1
        length = at - word
        # class, id, role, itemprop, hidden; aria-hidden="true"
        is_class = length == 5 and html[word] == 99 and html[word + 1] == 108
        is_read = (
            is_class
            or (length == 2 and html[word] == 105)
            or (length == 4 and html[word] == 114 and html[word + 1] == 111)
        )
        is_read = is_read or (length == 8 and html[word] == 105 and html[word + 4] == 112)
        if length == 6 and html[word] == 104 and html[word + 1] == 105:
            hints |= _HIDES
        if at + 1 >= end or html[at] != 61 or html[at + 1] != 34:
            continue
        at += 2
        if length == 11 and html[word] == 97 and html[word + 5] == 104 and html[at] == 116:
            hints |= _HIDES
        value = FNV_OFFSET
        letters = 0
        while at < end and html[at] != 34:
            if is_read:
                byte = html[at]
                is_upper = 65 <= byte <= 90
                is_lower = 97 <= byte <= 122
                if letters and (not (is_upper or is_lower) or (is_upper and 97 <= html[at - 1] <= 122)):
                    hints |= _meaning(value, keys, values) & np.int64(0xFFFFFFFF)
                    value = FNV_OFFSET
                    letters = 0
                if is_upper or is_lower:
                    value = (value ^ np.uint64(byte | 32)) * FNV_PRIME
                    letters += 1
                    if is_class:
                        name = (name * 33 + np.int64(byte)) & 0xFFFFFF
            at += 1
        if letters:
            hints |= _meaning(value, keys, values) & np.int64(0xFFFFFFFF)
        at += 1
    return hints, name


@inner
def _meaning(word: np.uint64, keys: Hashes, values: Longs) -> int:
    slot = np.int64(word & np.uint64(2047))
    while keys[slot] != 0 and keys[slot] != word:
        slot = (slot + 1) & 2047
    return values[slot]


@inner
def _count_text(  # noqa: C901 - one loop over letters
    html: Bytes, begin: int, end: int, keys: Hashes, values: Longs, counts: Ints, k: int, in_link: bool
) -> None:
    """Adds a text to the counts of block k."""
    value = FNV_OFFSET
    length = 0
    size = 0
    words = 0
    capitals, digits, ends, commas, marks, letters = 0, 0, 0, 0, 0, 0
    last = np.uint8(0)
    at = begin - 1
    while at < end:
        at += 1
        byte = html[at] if at < end else np.uint8(32)
        if byte == 38:  # the writer knows `&amp;`, `&lt;`, `&gt;`, `&quot;` and `&nbsp;`
            is_space = at + 5 < end and html[at + 1] == 110 and html[at + 2] == 98
            while at < end and html[at] != 59 and html[at] > 32:
                at += 1
            byte = np.uint8(32 if is_space else 38)
        is_upper = 65 <= byte <= 90
        if is_upper or 97 <= byte <= 122 or byte >= 0x80:
            if length == 0 and is_upper:
                capitals += 1
            if length < 16:
                value = (value ^ np.uint64(byte | 32 if byte < 0x80 else byte)) * FNV_PRIME
            length += 1
            letters += 1
            size += 1
            last = byte
            continue
        if 48 <= byte <= 57:
            digits += 1
            size += 1
            length += 1
            value = (value ^ np.uint64(byte)) * FNV_PRIME
            last = byte
            continue
        if length:
            words += 1
            meaning = _meaning(value, keys, values) >> 32
            if meaning:
                counts[SAID + meaning - 1, k] += 1
            value = FNV_OFFSET
            length = 0
        if byte <= 32:
            if last == 46 or last == 33 or last == 63:
                ends += 1
            if last > 32:
                counts[CLOSED, k] = last
            last = np.uint8(0)
            continue
        size += 1
        last = byte
        commas += byte == 44
        marks += byte == 124 or byte == 62 or byte == 47 or byte == 58 or byte == 36
    counts[BYTES, k] += size
    counts[WORDS, k] += words
    counts[LETTERS, k] += letters
    counts[CAPITALS, k] += capitals
    counts[DIGITS, k] += digits
    counts[ENDS, k] += ends
    counts[COMMAS, k] += commas
    counts[MARKS, k] += marks
    if in_link:
        counts[LINK_BYTES, k] += size


@inner
def _add_up(nodes: Ints, tag: Tags, b: Blocks, size: int) -> None:
    """Sums over the elements, from below; then, from above, the next wider one of each."""
    counts = b.counts
    for k in range(size):
        owner = counts[OWNER, k]
        b.sums[ALL, owner] += counts[BYTES, k]
        b.sums[LINKED, owner] += counts[LINK_BYTES, k]
        if counts[WORDS, k] >= MIN_PROSE_WORDS and 2 * counts[LINK_BYTES, k] < counts[BYTES, k]:
            b.sums[PROSE, owner] += counts[BYTES, k] - counts[LINK_BYTES, k]
        b.sums[SENTENCES, owner] += counts[ENDS, k]
        b.sums[PARTS, owner] += 1
    for i in range(len(tag) - 1, 0, -1):
        above = nodes[PARENT, i]
        if b.sums[ALL, i] and above >= 0:
            for row in range(SUM_ROWS):
                b.sums[row, above] += b.sums[row, i]
    for i in range(1, len(tag)):
        above = nodes[PARENT, i]
        if b.level[i] < 0:
            b.level[i] = -1 - b.level[i]
        if above >= 0:
            b.wider[i] = above if b.sums[ALL, above] > b.sums[ALL, i] else b.wider[above]
