"""What packing wastes: padding, and documents that are cut, beside concatenation."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.tokenize.texts import made_lengths
from filters.packing import Ints, Pieces, best_fit, concatenated

LENGTH = 4096
_ROUNDS = 3


def measure(real: Ints, documents: int) -> dict[str, dict[str, Any]]:
    """Of the lengths (tokens) of real documents, and of so many that are made."""
    return {"real documents": _of(real), "log-normal lengths": _of(made_lengths(documents))}


def _of(lengths: Ints) -> dict[str, Any]:
    seconds = []
    for _ in range(_ROUNDS):
        begin = time.process_time()
        pieces = best_fit(lengths, LENGTH)
        seconds.append(time.process_time() - begin)
    tokens = int(lengths.sum())
    cut, others = _cut(pieces), _cut(concatenated(lengths, LENGTH))
    return {
        "documents": len(lengths),
        "tokens": tokens,
        "padding_share": 1 - tokens / (pieces.sequences * LENGTH),
        "cut": cut,
        "cut_by_concatenation": others,
        "cut_ratio": cut / max(others, 1),
        "ms_per_million_documents": min(seconds) * 1e9 / len(lengths),
    }


def _cut(pieces: Pieces) -> int:
    return int((np.bincount(pieces.document) > 1).sum())
