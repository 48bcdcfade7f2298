"""train-classifier: models of category, relevance and quality, from documents whose label is known.

Where people listed cues, a model is their head and a correction that the documents teach; else it has two heads that
fastText trains, on words and on form. How much those weigh, the temperature and the threshold come from documents of
sources that a head has not seen.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from filters.stream import read_stream
from filters.topics.bags import BAGS, Bags, PageForm, read_bags
from filters.topics.cues import cue_rows
from filters.topics.lookup import Rows
from filters.topics.model import Head, Model, dump, load, softmax
from pipelines.correction import CorrectionSettings, train_correction
from pipelines.fasttext_head import Examples, HeadSettings, Indices, train_head
from pipelines.held_out import abstention, by_label, confusion, cuts, folds, likelihood, macro_f1, reliability
from pipelines.labelled import Labelled

Cues = Mapping[str, Mapping[str, Sequence[str]]]

FOLDS = 5
GENERATED = "generated"  # the method of a document that is made from one of the others
_BATCH = 500
_WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)
_TEMPERATURES = tuple(float(value) for value in np.geomspace(0.2, 8, 30))
_SURE = 0.85  # the threshold is the least at which so many of the decided are right


@dataclass(frozen=True)
class Training:
    """What a model learns from: documents, the label of each, and the labels in their order.

    with_places: whether URL, file ending, reader and generator are read along. corrects: the bags that a correction
    of the cues reads.
    """

    documents: Sequence[Labelled]
    of_document: Sequence[str]
    labels: tuple[str, ...]
    cues: Cues | None = None
    with_places: bool = False
    settings: HeadSettings = field(default_factory=HeadSettings)
    corrects: tuple[str, ...] = ("words", "forms")
    correction: CorrectionSettings = field(default_factory=CorrectionSettings)


@dataclass(frozen=True)
class Trained:
    """A model and what was measured, None where there are too few sources to hold any out."""

    model: Model
    content: bytes
    measured: dict[str, Any] | None


def train(training: Training) -> Trained:
    """A model, measured on held-out sources. Raises ValueError where there are fewer than two labels with documents."""
    if len(set(training.of_document)) < 2:
        raise ValueError("a classifier needs documents of two labels at least")
    bags = bags_of(training.documents)
    labels = np.array([training.labels.index(label) for label in training.of_document], np.int64)
    names, sources = np.unique([each.source for each in training.documents], return_inverse=True)
    plan = _plan(training, bags, labels, sources)
    model = _model(training, plan, np.arange(len(labels)), bags)
    measured = None
    if len(names) >= FOLDS:
        model, measured = _measure(training, plan, model, bags, labels, sources)
    content = dump(model)
    return Trained(replace(model, sha256=hashlib.sha256(content).hexdigest()), content, measured)


def bags_of(documents: Sequence[Labelled]) -> Bags:
    """The tokens of all documents, places included."""
    batches = []
    for begin in range(0, len(documents), _BATCH):
        batch = documents[begin : begin + _BATCH]
        stream = read_stream(pa.array([each.text for each in batch], pa.large_string()))
        batches.append(read_bags(stream, [PageForm(each.name, each.method, each.generator) for each in batch]))
    code = np.concatenate([each.code for each in batches])
    return Bags({name: _joined([each.tokens[name] for each in batches]) for name in BAGS}, code)


def _joined(parts: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    counts = np.concatenate([np.diff(offsets) for _, offsets in parts])
    return np.concatenate([tokens for tokens, _ in parts]), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _plan(training: Training, bags: Bags, labels: Indices, sources: Indices) -> dict[tuple[str, ...], Examples]:
    """The examples of each trained head, by the bags that it reads."""
    places = ("places",) if training.with_places else ()
    read = ((*training.corrects, *places),) if training.cues else (("words",), ("forms", *places))
    plan: dict[tuple[str, ...], Examples] = {}
    for names in read:
        parts = [bags.tokens[name] for name in names]
        tokens = np.concatenate([
            part[0][part[1][index] : part[1][index + 1]] for index in range(len(labels)) for part in parts
        ])  # fmt: skip
        offsets = np.concatenate([[0], np.cumsum(sum(np.diff(part[1]) for part in parts))]).astype(np.int64)
        keys, indices = np.unique(tokens, return_inverse=True)
        plan[names] = Examples(keys, indices, offsets, labels, sources)
    return plan


def _model(training: Training, plan: Mapping[tuple[str, ...], Examples], documents: Indices, bags: Bags) -> Model:
    """A model whose heads are trained on some of the documents; those of fastText weigh 1 each."""
    heads = []
    settings = training.correction
    if training.cues:
        keys, listed = cue_rows(training.cues, training.labels)
        cues = _rounded(Head("cues", ("words", "forms"), settings.cues, keys, listed, None))
        offset = cues.logits(bags)
        heads.append(cues)
    for names, examples in plan.items():
        if training.cues:
            prose = documents[~bags.code[documents]]
            keys, rows, end = train_correction(examples, prose, offset, len(training.labels), settings)
            heads.append(_rounded(Head("correction", names, settings.weight, keys, rows, end)))
        else:
            keys, rows, end = train_head(examples, documents, len(training.labels), training.settings)
            heads.append(_rounded(Head(names[0], names, 1.0, keys, rows, end)))
    features = "text and place" if training.with_places else "text"
    return Model(training.labels, features, 1.0, 0.0, "", tuple(heads))


def _rounded(each: Head) -> Head:
    """A head as its file will have it."""
    return replace(each, rows=each.rows.astype(np.float16).astype(np.float32))


def _measure(
    training: Training,
    plan: Mapping[tuple[str, ...], Examples],
    model: Model,
    bags: Bags,
    labels: Indices,
    sources: Indices,
) -> tuple[Model, dict[str, Any]]:
    """Fits weights, temperature and threshold on held-out documents, and says how well these do."""
    names = [_group(each.source) for each in training.documents]
    scores = [np.zeros((len(labels), len(training.labels)), np.float32) for _ in model.heads]
    fold = folds(names, labels, FOLDS)
    for number in range(FOLDS):
        out = fold == number
        part = _model(training, plan, np.flatnonzero(~out), bags)
        chosen = _part(bags, np.flatnonzero(out))
        for total, each in zip(scores, part.heads, strict=True):
            total[out] = each.scores(chosen)
    weights = (1.0,) * len(scores) if training.cues else _weigh(scores, labels, sources, training.labels)
    total = _total(weights, scores)
    temperature = max(_TEMPERATURES, key=lambda value: likelihood(softmax(total / np.float32(value)), labels))
    found = softmax(total / np.float32(temperature))
    curve = abstention(found, labels)
    threshold = next((row["threshold"] for row in curve if row["accuracy"] >= _SURE), curve[-1]["threshold"])
    pairs = zip(model.heads, weights, strict=True)
    heads = tuple(replace(each, weight=each.weight * weight) for each, weight in pairs if weight > 0)
    model = replace(model, heads=heads, temperature=temperature, threshold=threshold)
    predicted = found.argmax(axis=1)
    rows = by_label(predicted, labels, sources, training.labels)
    error, bins = reliability(found, labels)
    measured = {
        "macro_f1": round(macro_f1(rows), 4),
        "accuracy": round(float((predicted == labels).mean()), 4),
        "first_or_second": round(float((np.argsort(-found, axis=1)[:, :2] == labels[:, None]).any(axis=1).mean()), 4),
        "labels": rows,
        "confusion": confusion(predicted, labels, len(training.labels)).tolist(),
        "calibration_error": round(error, 4),
        "reliability": bins,
        "abstention": curve,
        **(
            {"cuts": cuts(found, labels, training.labels, [each.source for each in training.documents])}
            if len(training.labels) == 2
            else {}
        ),
        "sources": _by_source(predicted, labels, [each.source for each in training.documents]),
    }
    return model, measured


def _group(source: str) -> str:
    """What one fold holds: a package's pages, manual pages and examples are written by the same people."""
    return source.removeprefix("deb:").split(":")[0]


def _part(bags: Bags, documents: Indices) -> Bags:
    found = {}
    for name, (tokens, offsets) in bags.tokens.items():
        pieces = [tokens[offsets[each] : offsets[each + 1]] for each in documents]
        counts = np.array([len(piece) for piece in pieces], np.int64)
        found[name] = np.concatenate(pieces), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Bags(found, bags.code[documents])


def _weigh(scores: Sequence[Rows], labels: Indices, sources: Indices, names: Sequence[str]) -> tuple[float, ...]:
    """The weights of words and form with the best macro-F1 on held-out documents; one of them is 1."""
    choices = [pair for pair in itertools.product(_WEIGHTS, _WEIGHTS) if max(pair) == 1.0]

    def quality(weights: tuple[float, ...]) -> float:
        rows = by_label(_total(weights, scores).argmax(axis=1), labels, sources, names)
        return macro_f1(rows) or sum(row["f1"] for row in rows)

    return max(choices, key=quality)


def _total(weights: Sequence[float], scores: Sequence[Rows]) -> Rows:
    total: Rows = np.sum([np.float32(weight) * each for weight, each in zip(weights, scores, strict=True)], axis=0)
    return total


def _by_source(predicted: Indices, labels: Indices, sources: Sequence[str]) -> dict[str, float]:
    """The recall of each source."""
    right, seen = Counter[str](), Counter(sources)
    for source, hit in zip(sources, predicted == labels, strict=True):
        right[source] += bool(hit)
    return {source: round(right[source] / seen[source], 3) for source in sorted(seen)}


def summary(trained: Trained) -> str:
    """A few lines for the person who trained it."""
    if trained.measured is None:
        return "not measured: too few sources to hold any out"
    rows = [
        f"{row['label']:<32} {row['precision']:>9.3f} {row['recall']:>7.3f} {row['f1']:>7.3f} {row['documents']:>9,}"
        f" {row['sources']:>7}{'' if row['counts'] else '  not counted'}"
        for row in trained.measured["labels"]
    ]
    head_line = f"{'label':<32} {'precision':>9} {'recall':>7} {'f1':>7} {'documents':>9} {'sources':>7}"
    figures = (
        f"macro-F1 {trained.measured['macro_f1']:.3f}, calibration error {trained.measured['calibration_error']:.3f}"
    )
    return "\n".join([head_line, *rows, figures])


def write(trained: Trained, training: Training, path: Path, about: str) -> None:
    """The model file and, beside it, its card."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(trained.content)
    load(path)
    text = yaml.safe_dump(card(trained, training, about), sort_keys=False, allow_unicode=True, width=120)
    path.with_suffix(".card.yaml").write_text(text, encoding="utf-8")


def card(trained: Trained, training: Training, about: str) -> dict[str, Any]:
    """What a model is, what it was made of, and how well it does on sources that it has not seen."""
    model = trained.model
    data: dict[str, dict[str, Any]] = {}
    texts: dict[str, list[str]] = {}
    for each, label in zip(training.documents, training.of_document, strict=True):
        data.setdefault(each.source, {"label": label, "documents": 0})["documents"] += 1
        texts.setdefault(each.source, []).append(hashlib.sha256(each.text.encode()).hexdigest())
    for source, hashes in texts.items():
        data[source]["sha256"] = hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()
    return {
        "about": about,
        "sha256": model.sha256,
        "bytes": len(trained.content),
        "features": model.features,
        "labels": list(model.labels),
        "heads": {each.name: {"weight": each.weight, "rows": len(each.index.keys)} for each in model.heads},
        "temperature": round(model.temperature, 4),
        "threshold": model.threshold,
        "settings": vars(training.correction if training.cues else training.settings),
        "limits": (
            "Measured on English text. Settings, temperature and threshold were chosen on the held-out documents that"
            " the figures are of; the cues were listed by someone who had read many of these sources, and corrected"
            " after their confusions. So the figures are too good: on other sources expect less."
        ),
        "generated_documents": sum(each.method == GENERATED for each in training.documents),
        "labels_by_place": (
            "Pages of documentation packages whose path says manual page, tutorial or release notes have that label"
            " and not their package's (`places` of packages.yaml): their package's is plainly wrong for them. Of all"
            " other sources every document has the label of its source."
        ),
        "held_out_sources": trained.measured or "too few sources to hold any out",
        "data": data,
    }
