"""Gradient boosting of trees of equal depth, for labels of 0 and 1: small, and the same on every run.

Newton steps on the logistic loss over histograms of 64 bins a column, with a fixed seed for the columns that a tree
may use. Chen and Guestrin 2016, section 2 (gain, regularised leaves) and section 3.2 (quantiles).
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]

BINS = 64
NO_SPLIT = 255


class Settings(NamedTuple):
    """trees, their depth, the learning rate, L2 on leaves, the least weight of a leaf, the share of columns for a tree."""

    trees: int = 120
    depth: int = 5
    rate: float = 0.1
    l2: float = 5.0
    min_weight: float = 3.0
    columns: float = 0.2
    seed: int = 0


class Forest(NamedTuple):
    """Heaps: at inner node n of tree t, column[t, n] > limit[t, n] goes right; value (trees, leaves)."""

    column: npt.NDArray[np.int32]
    limit: npt.NDArray[np.float32]
    value: npt.NDArray[np.float32]


def fit(rows: Array, labels: Array, weights: Array, settings: Settings) -> Forest:
    """rows (n, columns), labels (n,) of 0 and 1, weights (n,) with a mean of 1."""
    edges = [_edges(rows[:, column]) for column in range(rows.shape[1])]
    binned = np.stack([np.searchsorted(edge, rows[:, c], side="left").astype(np.uint8) for c, edge in enumerate(edges)])
    useful = np.array([c for c, edge in enumerate(edges) if len(edge)], np.int32)
    inner = (1 << settings.depth) - 1
    columns = np.zeros((settings.trees, inner), np.int32)
    bins = np.zeros((settings.trees, inner), np.uint8)
    value = np.zeros((settings.trees, inner + 1))
    leaf = np.zeros(len(rows), np.int32)
    odds = np.zeros(len(rows))
    random = np.random.default_rng(settings.seed)
    for t in range(settings.trees):
        chance = 1 / (1 + np.exp(-odds))
        chosen = np.sort(random.choice(useful, max(1, int(len(useful) * settings.columns)), replace=False))
        slope, bend = weights * (labels - chance), weights * chance * (1 - chance) + 1e-12
        _grow(binned, slope, bend, chosen, settings, columns[t], bins[t], value[t], leaf)
        value[t] = np.round(value[t] * settings.rate, 4)
        odds += value[t][leaf]
    limit = np.full(bins.shape, np.inf, np.float32)
    for place in np.argwhere(bins != NO_SPLIT):
        limit[tuple(place)] = edges[columns[tuple(place)]][bins[tuple(place)]]
    return Forest(columns, limit, value.astype(np.float32))


def _edges(values: Array) -> npt.NDArray[np.float32]:
    """What stands between the bins of a column: at most BINS - 1 numbers of five digits."""
    distinct = np.unique(values)
    if len(distinct) > BINS:
        distinct = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1], method="nearest"))
    middles = (distinct[:-1].astype(np.float64) + distinct[1:]) / 2
    return np.unique(np.array([float(f"{middle:.5g}") for middle in middles], np.float32))


@numba.njit
def _grow(
    binned: Array,
    slope: Array,
    bend: Array,
    chosen: Array,
    settings: Settings,
    column: Array,
    split: Array,
    value: Array,
    leaf: Array,
) -> None:
    """One tree, level by level; leaf[i]: where row i ends."""
    leaf[:] = 0
    sums = np.zeros((1 << settings.depth, BINS, 2))
    for level in range(settings.depth):
        width = 1 << level
        best = np.zeros(width)
        column[width - 1 : 2 * width - 1] = 0
        split[width - 1 : 2 * width - 1] = NO_SPLIT
        for c in chosen:
            sums[:width] = 0
            for i in range(len(leaf)):
                sums[leaf[i], binned[c, i], 0] += slope[i]
                sums[leaf[i], binned[c, i], 1] += bend[i]
            for node in range(width):
                gain, at = _best_split(sums[node], settings)
                if gain > best[node] + 1e-9:
                    best[node], column[width - 1 + node], split[width - 1 + node] = gain, c, at
        for i in range(len(leaf)):
            node = width - 1 + leaf[i]
            leaf[i] = 2 * leaf[i] + (binned[column[node], i] > split[node])
    totals = np.zeros((len(value), 2))
    for i in range(len(leaf)):
        totals[leaf[i], 0] += slope[i]
        totals[leaf[i], 1] += bend[i]
    for node in range(len(value)):
        value[node] = totals[node, 0] / (totals[node, 1] + settings.l2)


@numba.njit
def _best_split(sums: Array, settings: Settings) -> tuple[float, int]:
    """The gain of the best split of a node's rows, and the last bin that goes left."""
    slope, bend = 0.0, 0.0
    for b in range(BINS):
        slope += sums[b, 0]
        bend += sums[b, 1]
    best, at = 0.0, NO_SPLIT
    left, left_bend = 0.0, 0.0
    for b in range(BINS - 1):
        left += sums[b, 0]
        left_bend += sums[b, 1]
        right, right_bend = slope - left, bend - left_bend
        if left_bend >= settings.min_weight and right_bend >= settings.min_weight:
            gain = left * left / (left_bend + settings.l2) + right * right / (right_bend + settings.l2)
            gain -= slope * slope / (bend + settings.l2)
            if gain > best:
                best, at = gain, b
    return best, at
