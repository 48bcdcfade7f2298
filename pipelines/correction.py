"""Trains a correction: what documents teach beyond the cues, as weights of words and form.

A multinomial logistic regression whose offset is the cues' answer, by stochastic gradients over drawn documents, so
that it learns where the cues are wrong and no more. Documents that are code teach nothing: what such files look like
differs more from source to source than from label to label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from filters.stream import Hashes
from filters.topics.learn import learn
from filters.topics.lookup import Rows
from pipelines.fasttext_head import Examples, Indices, draw_of_label, of_many_sources


@dataclass(frozen=True)
class CorrectionSettings:
    """draws: documents read of each label in a round; sources weigh as the root of their number of documents.
    sources: a token of fewer sources is no feature. cues: how much the cues' answer weighs; weight: how much the
    correction weighs beside it. decay: how much weights shrink in a step, per rate."""

    draws: int = 600
    rounds: int = 8
    sources: int = 25
    cues: float = 0.7
    weight: float = 0.5
    rate: float = 0.25
    decay: float = 2e-4
    seed: int = 1


def train_correction(
    examples: Examples, documents: Indices, offset: Rows, labels: int, settings: CorrectionSettings
) -> tuple[Hashes, Rows, Rows]:
    """Keys and rows of the tokens that were learnt, with their squared rarity as last column, and the labels' bias.

    documents: those to learn from; offset, shape (all documents, labels): the cues' logits. Deterministic.
    """
    random = np.random.default_rng(settings.seed)
    occurs = of_many_sources(examples, documents)
    known = np.flatnonzero(occurs >= settings.sources)
    number = np.full(len(examples.keys), -1, np.int64)
    number[known] = np.arange(len(known))
    sources = len(np.unique(examples.sources[documents]))
    rarity = (np.log(sources / np.maximum(occurs[known], 1)) + 0.3).astype(np.float32)
    drawn = _draw(examples, documents, labels, settings, random)
    rows, bias = np.zeros((len(known), labels), np.float32), np.zeros(labels, np.float32)
    learn(
        drawn, number[examples.tokens], examples.offsets, examples.labels, rarity,
        np.ascontiguousarray(offset * np.float32(settings.cues)), np.float32(settings.rate),
        np.float32(settings.decay), rows, bias,
    )  # fmt: skip
    return examples.keys[known], np.hstack([rows * rarity[:, None], rarity[:, None] ** 2]), bias


def _draw(
    examples: Examples, documents: Indices, labels: int, settings: CorrectionSettings, random: np.random.Generator
) -> Indices:
    """The documents in the order in which they are read, again and again."""
    rounds = []
    for _ in range(settings.rounds):
        drawn = [draw_of_label(examples, documents, label, settings.draws, random) for label in range(labels)]
        rounds.append(random.permutation(np.concatenate(drawn)))
    return np.concatenate(rounds)
