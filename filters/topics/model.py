"""A model file: tables of rows for tokens, and how their sums become probabilities.

A head that fastText trained is its supervised model with the two matrices multiplied into one: the mean of the rows of
the tokens that it knows, its end-of-line token among them, are the logits; softmax makes probabilities. The head of
cues sums weights of words that people listed. A model weighs the logarithms of its heads' answers.

A correction is what documents taught beyond the cues: it reads the words of prose, and leaves documents that are code
to the cues. Its rows are weights of tokens and, in their last column, the square of the token's rarity: a document's
rarities are scaled to the length 1.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from filters.stream import Hashes
from filters.topics.bags import BAGS, Bags
from filters.topics.lookup import Index, Rows, index_of, sum_rows

FORMAT = 1
_FLOOR = 1e-4  # a head may not veto a label that another is sure of
_CUE_SCALE = 10.0


class ModelError(Exception):
    """A model file that cannot be used; the message says why."""


@dataclass(frozen=True)
class Head:
    """Rows of the tokens of some bags, by their keys. `end` is the row that every document has; none: rows are cues.

    A correction's rows have one column more than its `end`.
    """

    name: str
    bags: tuple[str, ...]
    weight: float
    keys: Hashes
    rows: Rows
    end: Rows | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", np.ascontiguousarray(self.rows, np.float32))

    @cached_property
    def index(self) -> Index:
        """Where the keys stand; made for the first document, as who only checks a model file needs none."""
        return index_of(self.keys)

    def logits(self, bags: Bags) -> Rows:
        """Shape (documents, labels): of fastText the mean of rows, of cues the root of their sums, of a correction the
        sums by the length of the document."""
        sums = np.zeros((len(bags), self.rows.shape[1]), np.float32)
        hits = np.zeros(len(bags), np.int64)
        for name in self.bags:
            tokens, offsets = bags.tokens[name]
            sum_rows(tokens, offsets, self.index, self.rows, sums, hits)
        if self.end is None:
            return np.sqrt(sums) * np.float32(_CUE_SCALE)
        if self.corrects:
            length = np.sqrt(np.maximum(sums[:, -1:], np.float32(_FLOOR)))
            return np.where(bags.code[:, None], np.float32(0), sums[:, :-1] / length + self.end)
        return (sums + self.end) / (hits + 1).astype(np.float32)[:, None]

    def scores(self, bags: Bags) -> Rows:
        """What the head adds to the model's logits."""
        logits = self.logits(bags)
        plain = self.end is None or self.corrects
        return self.weight * (logits if plain else np.log(softmax(logits) + np.float32(_FLOOR)))

    @property
    def corrects(self) -> bool:
        return self.end is not None and self.rows.shape[1] == len(self.end) + 1


@dataclass(frozen=True)
class Prediction:
    """Of each document the two likeliest labels (indices of Model.labels) and their probabilities."""

    first: npt.NDArray[np.int64]
    p_first: Rows
    second: npt.NDArray[np.int64]
    p_second: Rows


@dataclass(frozen=True)
class Model:
    """labels: in their order. threshold: below it the first label's probability says nothing, the model abstains."""

    labels: tuple[str, ...]
    features: str
    temperature: float
    threshold: float
    sha256: str
    heads: tuple[Head, ...]

    def probabilities(self, bags: Bags) -> Rows:
        """Shape (documents, labels); rows sum to 1."""
        total = np.zeros((len(bags), len(self.labels)), np.float32)
        for head in self.heads:
            total += head.scores(bags)
        return softmax(total / np.float32(self.temperature))

    def predict(self, bags: Bags) -> Prediction:
        found = self.probabilities(bags)
        rows = np.arange(len(found))
        order = np.argsort(-found, axis=1, kind="stable")
        first, second = order[:, 0], order[:, 1]
        return Prediction(first, found[rows, first], second, found[rows, second])


def softmax(logits: Rows) -> Rows:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Rows = raised / raised.sum(axis=1, keepdims=True)
    return found


def dump(model: Model) -> bytes:
    """The bytes of a model file: a NumPy archive without objects; the same model gives the same bytes."""
    about = {
        "format": FORMAT,
        "labels": model.labels,
        "features": model.features,
        "temperature": model.temperature,
        "threshold": model.threshold,
        "heads": [{"name": each.name, "bags": each.bags, "weight": each.weight} for each in model.heads],
    }
    arrays: dict[str, Any] = {"about": np.frombuffer(json.dumps(about, sort_keys=True).encode(), np.uint8)}
    for each in model.heads:
        arrays[f"{each.name}_keys"] = each.keys
        arrays[f"{each.name}_rows"] = each.rows.astype(np.float16)
        if each.end is not None:
            arrays[f"{each.name}_end"] = each.end
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def load(path: Path | str) -> Model:
    """The model of a file. Raises ModelError: not there, no model, damaged, of another format."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from None
    try:
        return _read(content)
    except (KeyError, TypeError, ValueError, BadZipFile, EOFError) as error:
        raise ModelError(f"{path}: no model of topics: {error}") from None


def _read(content: bytes) -> Model:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        about: dict[str, Any] = json.loads(arrays["about"].tobytes())
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']}, not {FORMAT}")
        heads = tuple(_head(each, arrays, len(about["labels"])) for each in about["heads"])
    return Model(
        labels=tuple(about["labels"]),
        features=about["features"],
        temperature=float(about["temperature"]),
        threshold=float(about["threshold"]),
        sha256=hashlib.sha256(content).hexdigest(),
        heads=heads,
    )


def _head(about: dict[str, Any], arrays: Any, labels: int) -> Head:
    name, bags = about["name"], tuple(about["bags"])
    keys, rows = arrays[f"{name}_keys"], arrays[f"{name}_rows"].astype(np.float32)
    end = arrays.get(f"{name}_end")
    wide = end is not None and rows.shape == (len(keys), labels + 1)
    fits = rows.shape == (len(keys), labels) or wide
    if not set(bags) <= set(BAGS) or keys.dtype != np.uint64 or not fits or (end is not None and len(end) != labels):
        raise ValueError(f"head {name}: its tables do not fit")
    return Head(name, bags, float(about["weight"]), keys, rows, end)
