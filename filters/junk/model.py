"""A model that tells pages that are no documents by what they say, in whatever words.

A small network: the mean of the vectors of a page's words and the numbers of its looks go through one layer; the sum
of the rows of its tokens is added; softmax makes probabilities of the kinds and of "it is a document". The vectors know
that words are alike, so that wordings which nobody listed are told too. `manifests/junk_pages.card.yaml` says what it
was trained on and what it was measured on.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner
from filters.junk.tokens import LOOKS, Pages, read_pages
from filters.stream import Hashes, Offsets, Stream
from filters.topics.lookup import Index, index_of, place_of
from manifests.load import load_junk

Floats = npt.NDArray[np.float32]
Small = npt.NDArray[np.int8]

MODEL = Path(__file__).resolve().parents[2] / "manifests" / "junk_pages.npz"

# The kinds of pages that it knows, each a column: the probability that a page is no document, of its likeliest kind.
KINDS = tuple(load_junk().pages)
SCORES = tuple(f"like_{kind}" for kind in KINDS)


class Network(NamedTuple):
    """The tables of a model. A vector is a row of `vectors` times `scale`; the last output is "it is a document".

    inputs: shape (dimensions + LOOKS + 2, hidden), behind the looks the share of words that have a vector, and one.
    outputs: shape (hidden + 1, outputs). rows: shape (tokens, outputs).
    """

    words: Index
    vectors: Small
    scale: Floats
    inputs: Floats
    outputs: Floats
    tokens: Index
    rows: Floats


@cache
def network() -> Network:
    """The model of the project."""
    return read_network(MODEL)


def read_network(path: Path) -> Network:
    """The model of a file. Raises ValueError: it is of other kinds, or its tables do not fit."""
    with np.load(path, allow_pickle=False) as file:
        table = {name: np.ascontiguousarray(file[name]) for name in file.files}
    vectors, inputs, outputs = (table[name] for name in ("vectors", "inputs", "outputs"))
    fits = inputs.shape[0] == vectors.shape[1] + LOOKS + 2 and outputs.shape[0] == inputs.shape[1] + 1
    if not fits or tuple(str(kind) for kind in table["kinds"]) != KINDS or outputs.shape[1] != len(KINDS) + 1:
        raise ValueError(f"{path}: no model of the pages of junk.yaml")
    return Network(
        index_of(table["word_keys"]), vectors, table["scale"], inputs.astype(np.float32), outputs.astype(np.float32),
        index_of(table["row_keys"]), table["rows"].astype(np.float32),
    )  # fmt: skip


def page_scores(stream: Stream) -> dict[str, Floats]:
    """SCORES of each document; 0 of all kinds but its likeliest, and of documents that are not short or are code."""
    pages = read_pages(stream)
    columns = np.zeros((len(KINDS), len(stream)), np.float32)
    if len(pages.rows):
        found = probabilities(pages, network())
        columns[np.argmax(found[:, :-1], axis=1), pages.rows] = 1 - found[:, -1]
    return dict(zip(SCORES, columns, strict=True))


def probabilities(pages: Pages, known: Network) -> Floats:
    """Of each page those of KINDS and, the last, that it is a document: shape (pages, kinds + 1)."""
    found = np.zeros((len(pages.rows), len(KINDS) + 1), np.float32)
    space = np.empty(known.inputs.shape[0], np.float32)
    _judge(pages.starts, pages.words, pages.pairs, pages.beginnings, pages.looks, known, space, found)
    return found


@compiled
def _judge(
    starts: Offsets,
    words: Hashes,
    pairs: Hashes,
    beginnings: Hashes,
    looks: Floats,
    known: Network,
    space: Floats,
    found: Floats,
) -> None:
    width = known.vectors.shape[1]
    for page in range(len(found)):
        first, last = starts[page], starts[page + 1]
        count, with_vector = max(1, last - first), 0
        space[:] = 0
        row = found[page]
        for at in range(first, last):
            place = place_of(words[at], known.words)
            if place >= 0:
                with_vector += 1
                for column in range(width):
                    space[column] += known.vectors[place, column]
            for token in (words[at], pairs[at], beginnings[at]):
                place = place_of(token, known.tokens) if token else -1
                if place >= 0:
                    for label in range(len(row)):
                        row[label] += known.rows[place, label]
        for column in range(width):
            space[column] *= known.scale[column] / count
        space[width : width + LOOKS] = looks[page]
        space[width + LOOKS], space[width + LOOKS + 1] = with_vector / count, 1
        for label in range(len(row)):
            row[label] = row[label] / count + known.outputs[-1, label]
        _through(space, known.inputs, known.outputs, row)
        _soften(row)


@inner
def _through(space: Floats, inputs: Floats, outputs: Floats, row: Floats) -> None:
    """Adds what the layer says of a page to its row."""
    for unit in range(inputs.shape[1]):
        total = np.float32(0)
        for column in range(len(space)):
            total += space[column] * inputs[column, unit]
        if total > 0:
            for label in range(len(row)):
                row[label] += total * outputs[unit, label]


@inner
def _soften(row: Floats) -> None:
    """Softmax."""
    highest, total = row[0], 0.0
    for label in range(1, len(row)):
        highest = max(highest, row[label])
    for label in range(len(row)):
        row[label] = math.exp(row[label] - highest)
        total += row[label]
    for label in range(len(row)):
        row[label] /= total
