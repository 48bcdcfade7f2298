"""The steps by which a correction learns; `pipelines/correction.py` says from what."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled
from filters.stream import Offsets
from filters.topics.lookup import Rows

Indices = npt.NDArray[np.int64]

_BIAS_PACE = np.float32(0.05)  # a bias moves with every document, a word's weight with those that have it
_SMALLEST = np.float32(1e-4)


@compiled
def learn(
    drawn: Indices, tokens: Indices, offsets: Offsets, labels: Indices, rarity: Rows, cues: Rows, rate: np.float32,
    decay: np.float32, rows: Rows, bias: Rows,
) -> None:  # fmt: skip
    """One step for each drawn document, ever smaller; changes `rows`, shape (tokens, labels), and `bias`.

    tokens: of all documents one behind the other, -1 where none is learnt. rarity: of each token. cues: shape
    (documents, labels), what is added to the answer before it is judged.
    """
    size = rows.shape[1]
    found = np.zeros(size, np.float32)
    for step in range(len(drawn)):
        document = drawn[step]
        begin, end = offsets[document], offsets[document + 1]
        square = _SMALLEST
        found[:] = 0
        for at in range(begin, end):
            token = tokens[at]
            if token >= 0:
                square += rarity[token] * rarity[token]
                for label in range(size):
                    found[label] += rarity[token] * rows[token, label]
        scale = np.float32(1) / np.sqrt(square)
        for label in range(size):
            found[label] = found[label] * scale + bias[label] + cues[document, label]
        found[:] = np.exp(found - found.max())
        found[:] = found / found.sum()
        found[labels[document]] -= 1
        pace = rate * np.float32(len(drawn) - step) / np.float32(len(drawn))
        for at in range(begin, end):
            token = tokens[at]
            if token >= 0:
                for label in range(size):
                    slope = found[label] * rarity[token] * scale + decay * rows[token, label]
                    rows[token, label] -= pace * slope
        for label in range(size):
            bias[label] -= _BIAS_PACE * pace * found[label]
