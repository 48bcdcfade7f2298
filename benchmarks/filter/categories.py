"""How well categories are told apart on sources that the model has not seen, and how fast.

python -m benchmarks.filter.categories --labelled PLACE [--labelled PLACE] [--speed]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from filters.stream import read_stream
from filters.topics import Model, load, read_bags
from pipelines.classifier_tasks import read_documents, training_of
from pipelines.labelled import Labelled
from pipelines.train_classifier import summary, train

MODELS = Path(__file__).parents[2] / "manifests/classifiers"
NAMES = ("category", "relevance", "quality")
MACRO_F1 = 0.85  # the target
MILLISECONDS = 8.0  # of one MB of text, all models together
_BATCH_BYTES, _MOST_BYTES = 16 << 20, 64 << 20


def measure(places: Sequence[str], most: int = 150) -> dict[str, Any]:
    """Figures of a model trained without each fifth of the sources, with and without URL and file format; and speed."""
    documents = read_documents(places, most)
    training = training_of("category", documents, (), MODELS / "cues.yaml")
    found = {}
    for name, with_places in (("text", False), ("text and place", True)):
        trained = train(replace(training, with_places=with_places))
        print(f"{name}\n{summary(trained)}", flush=True)
        found[name] = trained.measured
    return {"held_out_sources": found, "target_macro_f1": MACRO_F1, "speed": speed(documents)}


def speed(documents: Sequence[Labelled]) -> dict[str, float]:
    """Milliseconds of one core for a megabyte: making the bags, and each model's answers."""
    models = {name: load(MODELS / f"{name}.npz") for name in NAMES}
    spent = dict.fromkeys(("bags", *NAMES), 0.0)
    _time(["warm up"], models, dict(spent))
    size = 0
    for texts in _batches(documents):
        _time(texts, models, spent)
        size += sum(len(text.encode()) for text in texts)
        if size >= _MOST_BYTES:
            break
    figures = {name: round(1e3 * seconds / (size / 1e6), 2) for name, seconds in spent.items()}
    return {"megabytes": round(size / 1e6, 1), **figures, "all": round(sum(figures.values()), 2)}


def _batches(documents: Sequence[Labelled]) -> Iterator[list[str]]:
    texts: list[str] = []
    size = 0
    for each in documents:
        texts.append(each.text)
        size += len(each.text)
        if size >= _BATCH_BYTES:
            yield texts
            texts, size = [], 0
    if texts:
        yield texts


def _time(texts: Sequence[str], models: dict[str, Model], spent: dict[str, float]) -> None:
    stream = read_stream(pa.array(texts, pa.large_string()))
    begin = time.process_time()
    bags = read_bags(stream)
    spent["bags"] += time.process_time() - begin
    for name, model in models.items():
        begin = time.process_time()
        model.predict(bags)
        spent[name] += time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labelled", action="append", required=True)
    parser.add_argument("--speed", action="store_true", help="the speed alone")
    options = parser.parse_args()
    if options.speed:
        print(json.dumps(speed(read_documents(options.labelled, 150)), indent=1))
        return
    found = measure(options.labelled)
    for name, measured in found["held_out_sources"].items():
        print(f"{name}: macro-F1 {measured['macro_f1']}, target {MACRO_F1}")
    print(json.dumps(found["speed"], indent=1))


if __name__ == "__main__":
    main()
