"""Where the content of a page is when no generator entry knows it.

The page is cut into blocks of text; boosted trees give each the log-odds that it is content; the threshold is the
one with the best F1 to be expected; and a block goes another way than what is around it only if it gains by that.
`manifests/content.json` is the model; `benchmarks/train_content.py` makes it, and says how good it is.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner
from pipelines.extract.html.content_blocks import (
    ALL,
    BYTES,
    END,
    FIRST,
    LINK_BYTES,
    MIN_PROSE_WORDS,
    OWNER,
    PARTS,
    PROSE,
    WORDS,
    Blocks,
    cut,
    is_code,
)
from pipelines.extract.html.content_features import NAMES, features
from pipelines.extract.html.roles import DROP, IMAGE, KIND, TABLE
from pipelines.extract.html.tree import PARENT, TEXT, Ints, Longs, Tags, Tree

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Columns = npt.NDArray[np.uint16]
Bools = npt.NDArray[np.bool_]

MODEL = Path(__file__).resolve().parents[3] / "manifests" / "content.json"
DEPTH = 5  # of the trees
STEPS = 200  # of thresholds that are tried, from -5 to 5
MIN_TABLE_PARTS = 6
NEVER_SPLIT = 1e9


class Model(NamedTuple):
    """Trees of one depth, as heaps: at node n of tree t, column[t, n] > limit[t, n] goes right; value: (trees, leaves).

    shift: added to all log-odds before the threshold is chosen; switch: the cost of another way than what is around.
    """

    column: Columns
    limit: Floats
    value: Floats
    shift: float
    switch: float


def find_main_content(tree: Tree, bits: Longs) -> float:
    """Adds DROP to the bits of what is not content, elements and texts. How sure that is: the F1 to be expected."""
    blocks = cut(tree, bits)
    model = _model()
    return mark(tree, bits, blocks, score(features(tree, blocks), model), model)


def score(rows: Floats, model: Model) -> Floats:
    """The log-odds of each block that it is content; rows (blocks, len(NAMES))."""
    out = np.zeros(len(rows), np.float32)
    _score(rows, model.column, model.limit, model.value, out)
    return out


def mark(tree: Tree, bits: Longs, blocks: Blocks, scores: Floats, model: Model) -> float:
    """Drops the blocks that the scores speak against; the F1 to be expected, 0 where there is no block."""
    if not len(scores):
        return 0.0
    nodes = len(tree.tag)
    keep = np.zeros(len(scores), np.bool_)
    gain = scores.astype(np.float64)
    expected = _gains(blocks.counts, gain, model.shift, np.zeros((2, STEPS)))
    _choose(
        tree.nodes, tree.tag, bits, blocks, gain, model.switch, keep, np.zeros((2, nodes)), np.zeros(nodes, np.int32)
    )
    _drop(tree.nodes, tree.tag, bits, blocks, keep, np.zeros(nodes, np.bool_))
    return float(expected)


@cache
def _model() -> Model:
    return read_model(MODEL)


def read_model(path: Path) -> Model:
    """The model of a file. Raises ValueError if it was made for other features than these."""
    said = json.loads(path.read_text(encoding="utf-8"))
    if said["features"] != list(NAMES):
        raise ValueError(f"{path}: made for other features: train it anew")
    column = np.array([tree["column"] for tree in said["trees"]], np.uint16)
    limit = np.array(
        [[np.inf if each is None else each for each in tree["limit"]] for tree in said["trees"]], np.float32
    )
    value = np.array([tree["value"] for tree in said["trees"]], np.float32)
    return Model(column, limit, value, float(said["shift"]), float(said["switch"]))


@compiled
def _score(rows: Floats, column: Columns, limit: Floats, value: Floats, out: Floats) -> None:
    """Adds the value of the leaf that each row comes to in each tree."""
    one = np.uint32(1)  # unsigned: an index that may be negative costs a comparison
    leaves = np.uint32(value.shape[1] - 1)
    for t in range(len(column)):
        for k in range(len(rows)):
            n = np.uint32(0)
            for _ in range(DEPTH):
                n = n + n + (np.uint32(2) if rows[k, column[t, n]] > limit[t, n] else one)
            out[k] += value[t, n - leaves]


@compiled
def _gains(counts: Ints, gain: Doubles, shift: float, mass: Doubles) -> float:
    """Subtracts from the scores in `gain` the threshold with the best F1 to be expected, and returns that F1.

    The F1 of what scores above a threshold is 2 p(kept) / (kept + p(all)), by words, p being those expected to be
    content. mass: words and expected words by step of the threshold.
    """
    steps = mass.shape[1]
    expected = 0.0
    for k in range(len(gain)):
        words = counts[WORDS, k] + 0.01
        odds = 1.0 / (1.0 + np.exp(-gain[k] - shift))
        step = min(max(int((gain[k] + 5.0) * (steps / 10.0)), 0), steps - 1)
        mass[0, step] += words
        mass[1, step] += words * odds
        expected += words * odds
    best, best_step = 0.0, 0
    kept, right = 0.0, 0.0
    for step in range(steps - 1, -1, -1):
        kept += mass[0, step]
        right += mass[1, step]
        f1 = 2.0 * right / (kept + expected)
        if f1 > best:
            best, best_step = f1, step
    threshold = best_step * (10.0 / steps) - 5.0
    for k in range(len(gain)):
        gain[k] = (gain[k] - threshold) * np.sqrt(max(counts[BYTES, k], 1))
    return best


@compiled
def _choose(  # noqa: C901 - two passes over one state
    nodes: Ints,
    tag: Tags,
    bits: Longs,
    b: Blocks,
    gain: Doubles,
    switch: float,
    keep: Bools,
    cost: Doubles,
    around: Ints,
) -> None:
    """Which blocks to keep, so that what is lost and what switching costs is least: exact, from below and back.

    cost: of an element's subtree if it is dropped and if it is kept. Code is always kept. The cells of a table of
    data go together. around: first 1 for elements inside such a table, then 1 for elements that are kept.
    """
    counts = b.counts
    _find_tables(nodes, tag, b, around)
    for k in range(len(gain)):
        owner = counts[OWNER, k]
        if is_code(tag, bits, owner):
            gain[k] = max(gain[k], 0.0) + 1.0
            keep[k] = True
        limit = NEVER_SPLIT if around[owner] else switch
        lost_kept, lost_dropped = max(-gain[k], 0.0), max(gain[k], 0.0)
        cost[0, owner] += min(lost_dropped, lost_kept + limit)
        cost[1, owner] += min(lost_kept, lost_dropped + limit)
    for i in range(len(tag) - 1, 0, -1):
        above = nodes[PARENT, i]
        if b.sums[ALL, i] and above >= 0:
            limit = NEVER_SPLIT if around[above] else switch
            cost[0, above] += min(cost[0, i], cost[1, i] + limit)
            cost[1, above] += min(cost[1, i], cost[0, i] + limit)
    kept_any = False
    kept_above = 1 if cost[1, 0] <= cost[0, 0] else 0
    for i in range(len(tag)):
        if not b.sums[ALL, i]:
            continue
        is_fixed = nodes[PARENT, i] >= 0 and around[nodes[PARENT, i]] & 1
        limit = NEVER_SPLIT if is_fixed else switch
        way = (around[nodes[PARENT, i]] >> 1) if nodes[PARENT, i] >= 0 else kept_above
        if cost[way, i] > cost[1 - way, i] + limit:
            way = 1 - way
        around[i] |= way << 1
    for k in range(len(gain)):
        owner = counts[OWNER, k]
        way = around[owner] >> 1
        if around[owner] & 1 == 0:
            limit = switch
            if way and -gain[k] > limit:
                way = 0
            elif not way and gain[k] > limit:
                way = 1
        keep[k] |= way == 1
        kept_any |= keep[k]
    if not kept_any:
        for k in range(len(gain)):
            keep[k] = gain[k] >= 0.0


@inner
def _find_tables(nodes: Ints, tag: Tags, b: Blocks, inside: Ints) -> None:
    """Marks tables of data and what is in them: no table in it, several cells, and they hold little prose."""
    for i in range(len(tag) - 1, -1, -1):
        if KIND[tag[i]] == TABLE and nodes[PARENT, i] >= 0:
            above = nodes[PARENT, i]
            while above >= 0 and KIND[tag[above]] != TABLE:
                above = nodes[PARENT, above]
            if above >= 0:
                inside[above] = 2
            is_data = b.sums[PARTS, i] >= MIN_TABLE_PARTS and 2 * b.sums[PROSE, i] < b.sums[ALL, i]
            inside[i] = 1 if is_data and inside[i] == 0 else 0
    for i in range(1, len(tag)):
        if inside[i] == 0 and nodes[PARENT, i] >= 0:
            inside[i] = inside[nodes[PARENT, i]]


@compiled
def _drop(nodes: Ints, tag: Tags, bits: Longs, b: Blocks, keep: Bools, holds: Bools) -> None:
    """Drops what holds text and nothing that is kept; holds[i]: whether node i holds some that is."""
    counts = b.counts
    for k in range(len(keep)):
        for i in range(counts[FIRST, k], counts[END, k]):
            if keep[k]:
                holds[i] = True
            elif tag[i] == TEXT:
                bits[i] |= DROP
        holds[counts[OWNER, k]] |= keep[k]
    for i in range(len(tag) - 1, 0, -1):
        if holds[i] and nodes[PARENT, i] >= 0:
            holds[nodes[PARENT, i]] = True
    behind = 0
    for i in range(1, len(tag)):
        if b.sums[ALL, i] and not holds[i]:
            bits[i] |= DROP
        while behind < len(keep) and counts[FIRST, behind] < i:
            behind += 1
        if KIND[tag[i]] == IMAGE and not (_is_kept_prose(b, keep, behind - 1) and _is_kept_prose(b, keep, behind)):
            bits[i] |= DROP


@inner
def _is_kept_prose(b: Blocks, keep: Bools, k: int) -> bool:
    """Whether a block is a paragraph that is kept. What an image between two of them shows is told; others adorn."""
    if k < 0 or k >= len(keep) or not keep[k]:
        return False
    return b.counts[WORDS, k] >= MIN_PROSE_WORDS and 2 * b.counts[LINK_BYTES, k] < b.counts[BYTES, k]
