"""classify: every column that depends on one document alone. Words are split and hashed here, once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import language, shares
from filters.datatrove_rules import failed_rules
from filters.fold import fold_hashes
from filters.general import scores as general
from filters.junk import scores as junk
from filters.junk.model import MODEL as JUNK_MODEL
from filters.leaks import Index
from filters.minhash import signatures
from filters.privacy.spans import find_spans
from filters.shingles import bytes_of, shingles_of, sketches
from filters.stream import COUNTS, Stream, read_stream
from filters.topics.bags import Bags, PageForm, read_bags
from filters.topics.model import Model, load
from manifests.load import mixed_categories
from manifests.models import Classifiers, ClassifySettings
from pipelines import storage
from pipelines.engine import Job, Result, Stage, Work, parts_before
from pipelines.leak_sets import read_set
from pipelines.parts import Part, read_table, write_part
from pipelines.rows import count_fates, isolate, side_tables
from pipelines.run import Run
from pipelines.schema import DOCUMENT, SCORES, joined

_BATCH_BYTES = 16 << 20


@dataclass(frozen=True)
class Tools:
    """What classify needs beside its settings: its models, and the evaluation sets that it looks for."""

    category: Model
    relevance: Model
    quality: Model
    leaks: Index | None = None


_MODELS = Path(__file__).resolve().parents[1] / "manifests" / "classifiers"
_SECOND = 0.2  # the probability from which a second category is told
_SURE = 0.8  # a category that a source states is overruled only by a model that is surer than it need be to answer
_FEWEST_WORDS = 100  # of a document whose category a model may decide


def settings_of(run: Run) -> dict[str, Any]:
    """All that decides the columns: settings, and hashes of the models and files that they name."""
    return {
        **run.recipe.classify.model_dump(),
        "language_model": language.model_sha256(),
        "models": {name: storage.sha256(place) for name, place in _model_places(run).items()},
        "junk_model": storage.sha256(str(JUNK_MODEL)),
        "leak_files": {each.name: storage.sha256(_place(run, each.file)) for each in run.recipe.classify.leaks},
    }


def spec_of(run: Run) -> dict[str, Any]:
    """What a worker needs to make the columns."""
    return {
        "settings": run.recipe.classify.model_dump(),
        "models": _model_places(run),
        "leaks": [each.model_dump() | {"file": _place(run, each.file)} for each in run.recipe.classify.leaks],
    }


def _place(run: Run, file: str) -> str:
    """Where a file lies that the recipe names: a URL, or a path relative to the recipe."""
    return file if storage.is_remote(file) else str((run.base / file).resolve())


def _model_places(run: Run) -> dict[str, str]:
    named = run.recipe.classify.models.model_dump()
    return {name: str((run.base / file).resolve() if file else _MODELS / f"{name}.npz") for name, file in named.items()}


def tools_of(spec: Mapping[str, Any]) -> Tools:
    """The tools of a spec, made once in a process. Raises LeakSetError and ModelError."""
    return _make_tools(
        json.dumps({"models": spec["models"], "leaks": spec["leaks"], "run": spec["settings"]["leak_run"]})
    )


@lru_cache(maxsize=2)
def _make_tools(key: str) -> Tools:
    wanted = json.loads(key)
    category, relevance, quality = (load(wanted["models"][name]) for name in Classifiers.model_fields)
    if not wanted["leaks"]:
        return Tools(category, relevance, quality)
    sets = [read_set(each["name"], each["file"], each["prompt"], each["answer"]) for each in wanted["leaks"]]
    return Tools(category, relevance, quality, Index.build(sets, wanted["run"]))


def _make(work: Work) -> Result:
    return work.make_each(classify_part, spec_of(work.run))


def classify_part(job: Job) -> Part:
    """Adds SCORES to the documents of one part."""
    settings, tools = ClassifySettings.model_validate(job.spec["settings"]), tools_of(job.spec)
    tables, broken = [], []
    for batch in _batches(read_table(job.spec["input"])):
        scored, _, failed = isolate(lambda rows: score(rows, settings, tools), batch, "classify", job.spec["name"])
        tables += scored
        broken += failed
    table = pa.concat_tables(tables) if tables else joined(DOCUMENT, SCORES).empty_table()
    counts = count_fates(table.num_rows, table.num_rows, [], broken)
    return write_part(job.directory, job.name, job.key, table, counts, side_tables([], broken))


def score(documents: pa.Table, settings: ClassifySettings, tools: Tools | None = None) -> pa.Table:
    """The documents with SCORES added, by the project's own models where no tools are given.

    `language` stays as it was where the text has too little prose to tell, and `category` unless it is of a mixed
    source and the model is sure.
    """
    tools = tools or tools_of(own_spec(settings))
    texts = documents["text"].combine_chunks()
    stream = read_stream(texts)
    detected = language.detect(stream)
    shingles = shingles_of(stream, settings.shingle_words)
    known = documents["language"].to_pylist()
    columns: dict[str, Any] = {name: documents[name] for name in DOCUMENT.names}
    columns["language"] = [
        before if code == language.UNDETERMINED and before else code
        for before, (code, _) in zip(known, detected, strict=True)
    ]
    columns["language_score"] = [confidence for _, confidence in detected]
    columns["fold_hash"] = fold_hashes(stream)
    columns["signature"] = [row.tobytes() for row in signatures(shingles, settings.permutations)]
    columns["sketch"] = bytes_of(sketches(shingles)).cast(pa.binary())
    columns["spans"] = [
        [{"start": start, "end": end, "kind": kind} for start, end, kind in spans] for spans in find_spans(stream)
    ]
    found = tools.leaks.find(stream) if tools.leaks else [[]] * len(stream)
    columns["leaks"] = [[asdict(leak) for leak in leaks] for leaks in found]
    columns |= _topics(documents, stream, tools)
    asked = settings.datatrove  # by most recipes nothing
    columns["datatrove_failed"] = (
        [failed_rules(text, asked) for text in texts.to_pylist()] if asked else [[]] * len(texts)
    )
    columns |= {name: stream.column(name) for name in COUNTS}
    columns |= shares.scores(stream) | general.scores(stream) | junk.scores(stream)
    return pa.table(columns, schema=joined(DOCUMENT, SCORES))


def own_spec(settings: ClassifySettings) -> dict[str, Any]:
    """A spec of the project's own models, without evaluation sets."""
    models = {name: str(_MODELS / f"{name}.npz") for name in Classifiers.model_fields}
    return {"settings": settings.model_dump(), "models": models, "leaks": []}


def _topics(documents: pa.Table, stream: Stream, tools: Tools) -> dict[str, Any]:
    """What the models say of each document, and the category that follows."""
    pages: list[PageForm] = []
    if tools.category.features == "places":
        rows = documents.select(["url", "method", "generator"]).to_pylist()
        pages = [PageForm(row["url"] or "", row["method"] or "", row["generator"] or "") for row in rows]
    bags = read_bags(stream, pages)
    found = tools.category.predict(bags)
    labels = np.array(tools.category.labels, object)
    first, second = labels[found.first], labels[found.second]
    sure = (found.p_first >= max(_SURE, tools.category.threshold)) & (stream.column("words") >= _FEWEST_WORDS)
    known = documents["category"].to_pylist()
    mixed = np.array([category in mixed_categories() for category in known], np.bool_)
    return {
        "category": [new if decides else old for old, new, decides in zip(known, first, sure & mixed, strict=True)],
        "category_secondary": [
            new if score >= _SECOND else None for new, score in zip(second, found.p_second, strict=True)
        ],
        "topic": first,
        "topic_score": found.p_first,
        "topic_second": second,
        "topic_second_score": found.p_second,
        "relevance": _probability(tools.relevance, bags, "system"),
        "topic_quality": _probability(tools.quality, bags, "keep"),
    }


def _probability(model: Model, bags: Bags, label: str) -> Any:
    return model.probabilities(bags)[:, model.labels.index(label)]


def _batches(table: pa.Table) -> Iterator[pa.Table]:
    """Slices of a table of some 16 MB of text, so that memory follows the batch."""
    begin, size = 0, 0
    lengths = pc.binary_length(table["text"]).to_pylist()
    for index, length in enumerate(lengths):
        size += length
        if size >= _BATCH_BYTES or index + 1 == len(lengths):
            yield table.slice(begin, index + 1 - begin)
            begin, size = index + 1, 0


STAGE = Stage("classify", 7, "document", lambda run: parts_before(run, "classify"), settings_of, _make)
