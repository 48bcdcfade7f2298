"""Measures of a classifier on sources that it has not seen: folds by source, scores by label, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from filters.topics.lookup import Rows

Indices = npt.NDArray[np.int64]

# A label counts for the macro-F1 with so many sources and documents.
SOURCES, DOCUMENTS = 4, 50
_BINS = 10
_CUTS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
_OF_A_SOURCE = 20


def folds(groups: Sequence[str], labels: Indices, count: int) -> Indices:
    """The fold of each document: all of a group in one; the groups of a label are dealt out, the largest first."""
    names, group = np.unique(np.array(groups), return_inverse=True)
    kinds = int(labels.max()) + 1
    table = np.zeros((len(names), kinds), np.int64)
    np.add.at(table, (group, labels), 1)
    dealt, size = np.zeros((count, kinds), np.int64), np.zeros(count, np.int64)
    fold_of = np.zeros(len(names), np.int64)
    for index in np.argsort(-table.sum(axis=1), kind="stable"):
        label = int(table[index].argmax())
        fold = min(range(count), key=lambda each: (dealt[each, label], size[each]))
        dealt[fold, label] += 1
        size[fold] += table[index].sum()
        fold_of[index] = fold
    return fold_of[group]


def by_label(predicted: Indices, labels: Indices, sources: Indices, names: Sequence[str]) -> list[dict[str, Any]]:
    """Precision, recall and F1 of each label, and whether it counts for the macro-F1."""
    found = []
    for index, name in enumerate(names):
        of_label = labels == index
        hit = int((of_label & (predicted == index)).sum())
        precision = hit / max(1, int((predicted == index).sum()))
        recall = hit / max(1, int(of_label.sum()))
        many = len(np.unique(sources[of_label]))
        found.append(
            {
                "label": name,
                "sources": many,
                "documents": int(of_label.sum()),
                "precision": round(precision, 3),
                "recall": round(recall, 3),
                "f1": round(2 * precision * recall / max(precision + recall, 1e-9), 3),
                "counts": bool(many >= SOURCES and of_label.sum() >= DOCUMENTS),
            }
        )
    return found


def macro_f1(rows: Sequence[dict[str, Any]]) -> float:
    """The mean F1 of the labels that count; 0 where none does."""
    counted = [row["f1"] for row in rows if row["counts"]]
    return sum(counted) / len(counted) if counted else 0.0


def confusion(predicted: Indices, labels: Indices, size: int) -> Indices:
    """Shape (labels, predicted)."""
    table = np.zeros((size, size), np.int64)
    np.add.at(table, (labels, predicted), 1)
    return table


def reliability(probabilities: Rows, labels: Indices) -> tuple[float, list[dict[str, float]]]:
    """The expected calibration error, and for tenths of confidence: documents, mean confidence, accuracy."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    rows, error = [], 0.0
    for index in range(_BINS):
        chosen = bins == index
        if chosen.any():
            mean, accuracy = float(confidence[chosen].mean()), float(right[chosen].mean())
            error += float(chosen.mean()) * abs(mean - accuracy)
            rows.append({"documents": int(chosen.sum()), "confidence": round(mean, 3), "accuracy": round(accuracy, 3)})
    return error, rows


def abstention(probabilities: Rows, labels: Indices) -> list[dict[str, float]]:
    """What is decided, and how well, at thresholds of the first label's probability."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    rows = []
    for threshold in (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        sure = confidence >= threshold
        accuracy = float(right[sure].mean()) if sure.any() else 1.0
        rows.append({"threshold": threshold, "decided": round(float(sure.mean()), 3), "accuracy": round(accuracy, 3)})
    return rows


def cuts(
    probabilities: Rows, labels: Indices, names: Sequence[str], sources: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Of a model of two labels, at thresholds: the share of each label's documents whose second label has at least
    that probability; and the sources of the second label, of 20 documents or more, that keep less than 99 %."""
    second, source = probabilities[:, 1], np.array(sources)
    rows = []
    for threshold in _CUTS:
        kept = second >= threshold
        row: dict[str, Any] = {"threshold": threshold}
        row |= {name: round(float(kept[labels == index].mean()), 4) for index, name in enumerate(names)}
        of_source = {name: kept[(source == name) & (labels == 1)] for name in sorted(set(sources))}
        shares = {name: float(each.mean()) for name, each in of_source.items() if len(each) >= _OF_A_SOURCE}
        row["sources_below_0.99"] = {name: round(share, 3) for name, share in shares.items() if share < 0.99}
        rows.append(row)
    return rows


def likelihood(probabilities: Rows, labels: Indices) -> float:
    """The mean logarithm of the right label's probability, every label weighing the same."""
    logs = np.log(probabilities[np.arange(len(labels)), labels] + 1e-9)
    return float(np.mean([logs[labels == label].mean() for label in np.unique(labels)]))
