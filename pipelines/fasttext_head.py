"""Trains a head with fastText, on tokens written as text.

Two faults of fastText 0.9.2 are worked around. With one thread it fills a tenth of its input matrix and leaves the rest
as memory was, so it is given starting vectors for every token. And gradients are divided by a document's length, so
documents are read in short random samples of their tokens, many times; that also keeps it from learning them by heart.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from filters.stream import Hashes, Offsets
from filters.topics.lookup import Rows

Indices = npt.NDArray[np.int64]

END = "</s>"
_LABEL = "__label__"


@dataclass(frozen=True)
class HeadSettings:
    """draws: documents read of each label; sources weigh as the root of their number of documents.
    sample: tokens of a draw at most; sources: a token of fewer sources is no feature. rows: tokens kept, those
    that tell the labels apart best."""

    draws: int = 600
    sample: int = 150
    sources: int = 3
    dimensions: int = 16
    epochs: int = 10
    rows: int = 30_000
    rate: float = 1.0
    seed: int = 1


@dataclass(frozen=True)
class Examples:
    """Tokens as indices of `keys`; those of document i are `tokens[offsets[i]:offsets[i + 1]]`. labels and sources
    are numbers."""

    keys: Hashes
    tokens: Indices
    offsets: Offsets
    labels: Indices
    sources: Indices


def train_head(
    examples: Examples, documents: Indices, labels: int, settings: HeadSettings
) -> tuple[Hashes, Rows, Rows]:
    """Keys and rows of the tokens that were learnt, and the row of fastText's end of line.

    Deterministic: one thread, every random number from the seed.
    """
    random = np.random.default_rng(settings.seed)
    known = of_many_sources(examples, documents) >= settings.sources
    lines = _draw(examples, documents, labels, known, settings, random)
    with tempfile.TemporaryDirectory() as work:
        corpus, vectors = Path(work) / "corpus", Path(work) / "vectors"
        corpus.write_text("".join(lines), encoding="ascii")
        _write_vectors(vectors, [f"{index:x}" for index in np.flatnonzero(known)] + [END], settings, random)
        model = fit(corpus, vectors, settings)
    return _prune(*collapse(model, examples.keys, labels), settings.rows)


def fit(corpus: Path, vectors: Path, settings: HeadSettings) -> Any:
    """fastText's supervised model of a file of lines."""
    import fasttext

    fasttext.FastText.eprint = lambda *_: None
    return fasttext.train_supervised(
        str(corpus),
        pretrainedVectors=str(vectors),
        dim=settings.dimensions,
        epoch=settings.epochs,
        lr=settings.rate,
        seed=settings.seed,
        minCount=1,
        wordNgrams=1,
        bucket=0,
        minn=0,
        maxn=0,
        thread=1,
        verbose=0,
    )


def collapse(model: Any, keys: Hashes, labels: int) -> tuple[Hashes, Rows, Rows]:
    """Both matrices of a model as one: the logits that each token stands for. A label never seen is very unlikely."""
    product = model.get_input_matrix() @ model.get_output_matrix().T
    rows = np.full((len(product), labels), product.min() - 10, np.float32)
    rows[:, [int(name.removeprefix(_LABEL)) for name in model.get_labels()]] = product
    words = model.get_words()
    end = rows[words.index(END)]
    at = [place for place, word in enumerate(words) if word != END]
    found = keys[[int(words[place], 16) for place in at]]
    order = np.argsort(found)
    return found[order], rows[np.array(at)[order]], end


def _prune(keys: Hashes, rows: Rows, end: Rows, most: int) -> tuple[Hashes, Rows, Rows]:
    """The tokens whose rows spread widest over the labels."""
    kept = np.sort(np.argsort(-np.ptp(rows, axis=1), kind="stable")[:most])
    return keys[kept], rows[kept], end


def of_many_sources(examples: Examples, documents: Indices) -> Indices:
    """In how many sources each token occurs: names of one project are not to be learnt."""
    sources = int(examples.sources.max()) + 1
    pairs = [
        np.unique(examples.tokens[examples.offsets[document] : examples.offsets[document + 1]]) * sources
        + examples.sources[document]
        for document in documents
    ]
    return np.bincount(np.unique(np.concatenate(pairs)) // sources, minlength=len(examples.keys))


def draw_of_label(
    examples: Examples, documents: Indices, label: int, draws: int, random: np.random.Generator
) -> Indices:
    """So many of a label's documents, none if it has none; sources weigh as the root of their number of documents."""
    chosen: Indices = documents[examples.labels[documents] == label]
    if not len(chosen):
        return chosen
    weights = np.bincount(examples.sources[chosen])[examples.sources[chosen]] ** -0.5
    drawn: Indices = random.choice(chosen, draws, p=weights / weights.sum())
    return drawn


def _draw(
    examples: Examples,
    documents: Indices,
    labels: int,
    known: npt.NDArray[np.bool_],
    settings: HeadSettings,
    random: np.random.Generator,
) -> list[str]:
    lines = []
    for label in range(labels):
        for document in draw_of_label(examples, documents, label, settings.draws, random):
            tokens = examples.tokens[examples.offsets[document] : examples.offsets[document + 1]]
            tokens = tokens[known[tokens]]
            share = min(settings.sample / max(len(tokens), 1), 1 - 0.5 * random.random())
            tokens = tokens[random.random(len(tokens)) < share]
            lines.append(f"{_LABEL}{label} {' '.join(f'{token:x}' for token in tokens)}\n")
    random.shuffle(lines)
    return lines


def _write_vectors(path: Path, names: Sequence[str], settings: HeadSettings, random: np.random.Generator) -> None:
    """Starting vectors in word2vec's text format, drawn as fastText draws its own."""
    size = settings.dimensions
    form = " ".join(["%.4f"] * size)
    with path.open("w", encoding="ascii") as stream:
        stream.write(f"{len(names)} {size}\n")
        for name, row in zip(names, random.uniform(-1 / size, 1 / size, (len(names), size)).tolist(), strict=True):
            stream.write(f"{name} {form % tuple(row)}\n")
