"""What tells content from the rest of a page: numbers for each block, from it, its elements and its neighbours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner
from pipelines.extract.html.content_blocks import (
    ABOVE,
    ALL,
    BYTES,
    CAPITALS,
    CLOSED,
    COMMAS,
    DIGITS,
    ENDS,
    FIRST,
    HINTS,
    LETTERS,
    LINK_BYTES,
    LINKED,
    LINKS,
    MARKS,
    NEAR,
    OWNER,
    PARTS,
    PROSE,
    SAID,
    SAYINGS,
    SENTENCES,
    SLOTS,
    TYPES,
    WORDS,
    Blocks,
)
from pipelines.extract.html.roles import HEADING, KIND
from pipelines.extract.html.tree import LAST, PARENT, TAG, Ints, Longs, Tags, Tree

Floats = npt.NDArray[np.float32]

WIDER_LEVELS = 4
NEIGHBOURS = (-1, 1)
WINDOW = 6
_H1 = TAG["h1"]
# Elements that say what stands in them, a bit each, from bit 0 of `inside` on.
_SPEAKING = (
    "article",
    "main",
    "header",
    "aside",
    "form",
    "table",
    "ul",
    "ol",
    "dl",
    "blockquote",
    "figure",
    "label",
    "section",
    "p",
    "footer",
)
_INSIDE: npt.NDArray[np.int64] = np.zeros(len(TAG) + 2, np.int64)
for _bit, _name in enumerate(_SPEAKING):
    _INSIDE[TAG[_name]] = 1 << _bit

_OWN = (
    "bytes",
    "words",
    "link_share",
    "links",
    "word_length",
    "capital_share",
    "digit_share",
    "ends",
    "commas",
    "marks",
    "closed",
    "tag",
    "kind",
    "level",
)
_PLACE = (
    "at",
    "number",
    "share",
    "page_bytes",
    "page_prose",
    "page_parts",
    "page_links",
    "since_h1",
    "headings_before",
)
_SUM = ["bytes", "link_share", "prose_share", "sentences", "parts", "share", "number", "same_path", "same_path_bytes"]
_NEAR = ["bytes", "link_share", "kind", "closed", "same_parent"]
NAMES = (
    *_OWN,
    *_PLACE,
    *(f"page_said{k}" for k in range(len(SAYINGS))),
    *(f"page_is_{words.split()[0]}" for words in TYPES),
    *("same_path", "same_path_bytes", "same_path_link_share"),
    *("top_climb", "top_share", "top_before"),
    *(f"wider{k}_{name}" for k in range(1, WIDER_LEVELS + 1) for name in _SUM),
    *(f"{'before' if k < 0 else 'behind'}_{name}" for k in NEIGHBOURS for name in _NEAR),
    *("all_before_bytes", "all_before_link_share", "all_behind_bytes", "all_behind_link_share"),
    *(f"said{k}" for k in range(len(SAYINGS))),
    *(f"inside_{name}" for name in _SPEAKING),
    *(f"near_{words.split()[0]}" for words in HINTS),
    *(f"above_{words.split()[0]}" for words in HINTS),
)


def features(tree: Tree, blocks: Blocks) -> Floats:
    """(blocks, len(NAMES)): the numbers of each block, in the order of `NAMES`."""
    out = np.zeros((blocks.counts.shape[1], len(NAMES)), np.float32)
    nodes = len(tree.tag)
    _fill(
        tree.nodes,
        tree.tag,
        blocks,
        out,
        np.zeros((5, SLOTS), np.int64),
        np.zeros(nodes, np.int64),
        np.zeros(nodes, np.int64),
        np.zeros(nodes, np.int32),
    )
    return out


@compiled
def _fill(
    nodes: Ints, tag: Tags, b: Blocks, out: Floats, paths: Longs, inside: Longs, score: Longs, climb: Ints
) -> None:
    """paths: blocks, their bytes, those in links by path of the owner, elements by path; last what the page says."""
    counts = b.counts
    size = counts.shape[1]
    if size == 0:
        return
    top = _find_top(nodes, b, score)
    _measure_elements(nodes, tag, b, top, inside, climb, paths)
    page = max(b.sums[ALL, 0], 1)
    before = 0
    h1 = -1
    headings = 0
    page_words = 0
    for k in range(size):
        path = b.path[counts[OWNER, k]]
        paths[0, path] += 1
        paths[1, path] += counts[BYTES, k]
        paths[2, path] += counts[LINK_BYTES, k]
        page_words += counts[WORDS, k]
        for said in range(len(SAYINGS)):
            paths[4, said] += counts[SAID + said, k]
        if h1 < 0 and tag[counts[OWNER, k]] == _H1:
            h1 = k
    for k in range(size):
        owner = counts[OWNER, k]
        row = out[k]
        own = max(counts[BYTES, k], 1)
        headings += KIND[tag[owner]] == HEADING
        at = _put_own(counts, k, row, tag[owner], b.level[owner])
        row[at] = before / page
        row[at + 1] = k / size
        row[at + 2] = own / page
        row[at + 3] = page
        row[at + 4] = b.sums[PROSE, 0] / page
        row[at + 5] = size
        row[at + 6] = b.sums[LINKED, 0] / page
        row[at + 7] = k - h1 if h1 >= 0 else -1000
        row[at + 8] = headings
        at += len(_PLACE)
        for said in range(len(SAYINGS)):
            row[at + said] = paths[4, said] / (page_words + 1)
        at += len(SAYINGS)
        for bit in range(len(TYPES)):
            row[at + bit] = (b.types >> bit) & 1
        at += len(TYPES)
        path = b.path[owner]
        row[at + 0] = paths[0, path]
        row[at + 1] = paths[1, path] / paths[0, path]
        row[at + 2] = paths[2, path] / max(paths[1, path], 1)
        row[at + 3] = climb[owner]
        row[at + 4] = b.sums[ALL, top] / page
        row[at + 5] = 1.0 if owner < top else (2.0 if owner >= nodes[LAST, top] else 0.0)
        at = _put_wider(b, k, row, at + 6, page, paths)
        at = _put_near(tag, nodes, b, k, row, at)
        first = nodes[PARENT, counts[FIRST, k]]
        for said in range(len(SAYINGS)):
            row[at + said] = counts[SAID + said, k]
        at += len(SAYINGS)
        for bit in range(len(_SPEAKING)):
            row[at + bit] = (inside[owner] >> bit) & 1
        at += len(_SPEAKING)
        for bit in range(len(HINTS)):
            row[at + bit] = (b.hints[NEAR, first] >> bit) & 1
            row[at + len(HINTS) + bit] = (b.hints[ABOVE, first] >> bit) & 1
        before += counts[BYTES, k]


@inner
def _find_top(nodes: Ints, b: Blocks, score: Longs) -> int:
    """The element whose own paragraphs hold most prose, those of its children half: readability's choice."""
    counts = b.counts
    top = 0
    for k in range(counts.shape[1]):
        prose = counts[BYTES, k] - counts[LINK_BYTES, k]
        if counts[WORDS, k] < 10 or prose < counts[LINK_BYTES, k]:
            continue
        i = b.wider[counts[OWNER, k]]
        share = 4
        while i >= 0 and share:
            score[i] += prose * share
            if score[i] > score[top]:
                top = i
            i = b.wider[i]
            share //= 2
    return top


@inner
def _measure_elements(nodes: Ints, tag: Tags, b: Blocks, top: int, inside: Longs, climb: Ints, paths: Longs) -> None:
    """Of each element what it is in, and how many elements above `top` the first one is that holds both."""
    i = top
    steps = 0
    while i >= 0:
        climb[i] = steps
        steps += 1
        i = nodes[PARENT, i]
    i = top
    for i in range(len(tag)):
        above = nodes[PARENT, i]
        if b.sums[ALL, i] == 0:
            continue
        inside[i] = _INSIDE[tag[i]] | (inside[above] if above >= 0 else 0)
        paths[3, b.path[i]] += 1
        is_above = i <= top and top < nodes[LAST, i]
        if not is_above and above >= 0:
            climb[i] = climb[above]


@inner
def _put_own(counts: Ints, k: int, row: Floats, tag: int, level: int) -> int:
    own = max(counts[BYTES, k], 1)
    words = max(counts[WORDS, k], 1)
    row[0] = counts[BYTES, k]
    row[1] = counts[WORDS, k]
    row[2] = counts[LINK_BYTES, k] / own
    row[3] = counts[LINKS, k]
    row[4] = counts[LETTERS, k] / words
    row[5] = counts[CAPITALS, k] / words
    row[6] = counts[DIGITS, k] / own
    row[7] = counts[ENDS, k]
    row[8] = counts[COMMAS, k]
    row[9] = counts[MARKS, k]
    row[10] = _closing(counts[CLOSED, k])
    row[11] = tag
    row[12] = KIND[tag]
    row[13] = level
    return 14


@inner
def _closing(byte: int) -> int:
    """How a text ends: 3 as a sentence, 2 as an introduction, 1 with another sign, 0 with a letter."""
    if byte == 46 or byte == 33 or byte == 63:
        return 3
    if byte == 58:
        return 2
    return 0 if byte >= 128 or 97 <= (byte | 32) <= 122 or 48 <= byte <= 57 else 1


@inner
def _put_wider(b: Blocks, k: int, row: Floats, at: int, page: int, paths: Longs) -> int:
    """The elements above, each with more text than the one before."""
    owner = b.counts[OWNER, k]
    i = owner
    if b.sums[ALL, i] == b.counts[BYTES, k]:
        i = b.wider[i]
    for _ in range(WIDER_LEVELS):
        if i >= 0:
            total = max(b.sums[ALL, i], 1)
            row[at] = total
            row[at + 1] = b.sums[LINKED, i] / total
            row[at + 2] = b.sums[PROSE, i] / total
            row[at + 3] = b.sums[SENTENCES, i]
            row[at + 4] = b.sums[PARTS, i]
            row[at + 5] = total / page
            row[at + 6] = b.counts[BYTES, k] / total
            row[at + 7] = paths[3, b.path[i]]
            row[at + 8] = b.level[owner] - b.level[i]
            i = b.wider[i]
        else:
            for column in range(9):
                row[at + column] = -1.0
        at += 9
    return at


@inner
def _put_near(tag: Tags, nodes: Ints, b: Blocks, k: int, row: Floats, at: int) -> int:
    """The blocks before and behind, and sums over some more."""
    counts = b.counts
    size = counts.shape[1]
    owner = counts[OWNER, k]
    for step in NEIGHBOURS:
        j = k + step
        if 0 <= j < size:
            other = counts[OWNER, j]
            row[at] = counts[BYTES, j]
            row[at + 1] = counts[LINK_BYTES, j] / max(counts[BYTES, j], 1)
            row[at + 2] = KIND[tag[other]]
            row[at + 3] = _closing(counts[CLOSED, j])
            row[at + 4] = nodes[PARENT, other] == nodes[PARENT, owner]
        else:
            for column in range(5):
                row[at + column] = -1.0
        at += 5
    for side in (-1, 1):
        total, linked = 0, 0
        for step in range(1, WINDOW + 1):
            j = k + side * step
            if 0 <= j < size:
                total += counts[BYTES, j]
                linked += counts[LINK_BYTES, j]
        row[at] = total
        row[at + 1] = linked / max(total, 1)
        at += 2
    return at
