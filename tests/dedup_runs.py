"""Runs of dedup for tests: documents in, fates out, and what brute force says of them."""

from __future__ import annotations

import itertools
import json
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.dedup.stages import commit_classify
from manifests.models import ClassifySettings, Recipe
from pipelines import storage
from pipelines.classify import score
from pipelines.dedup import stage
from pipelines.engine import Commit, run_stage
from pipelines.parts import read_table
from pipelines.run import Run
from pipelines.schema import DOCUMENT, table_of

WORDS = [f"word{n}" for n in range(4000)]


class Here:
    """Runs jobs in this process, one after the other, in the order given or another."""

    def __init__(self, order: Callable[[list[Any]], list[Any]] = lambda jobs: jobs) -> None:
        self.workers, self._order = 1, order

    def map(self, function: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        for index, job in self._order(list(enumerate(jobs))):
            yield index, function(job)


def document(number: int, text: str, **columns: Any) -> dict[str, Any]:
    """A document as `extract` makes it."""
    return {
        "schema_version": 1, "doc_id": f"{number * 2654435761 % 2**32:08x}{number:024x}", "revision": f"{number:032x}",
        "url": f"https://docs.example/{number}", "source": "docs", "category": "open_source_documentation",
        "licence": "MIT", "opt_out": [], "parents": [], "text": text, **columns,
    }  # fmt: skip


def dedup(
    directory: Path,
    documents: Sequence[dict[str, Any]],
    parts: int = 2,
    pool: Any = None,
    buckets: int = 3,
    rules: Mapping[str, Any] | None = None,
    **settings: Any,
) -> tuple[Run, Commit]:
    """Scores documents and runs dedup over them, dealt out to so many parts."""
    recipe = Recipe.model_validate(
        {"name": "test", "manifests": ["none"], "parts": buckets, "dedup": settings, "filter": rules or {}}
    )
    run = Run(url=str(directory), recipe=recipe, sources=(), base=directory)
    told = json.dumps({"recipe": recipe.model_dump(), "sources": []})
    storage.write_bytes(storage.join(run.url, "run.json"), told.encode())
    ordered = sorted(documents, key=lambda row: row["doc_id"])
    dealt = (ordered[at::parts] for at in range(parts))
    commit_classify(run, (score(table_of(rows, DOCUMENT), ClassifySettings()) for rows in dealt))
    with mock.patch.object(stage, "_DOCUMENTS", 1):  # so that there are as many buckets as asked for
        commit, _ = run_stage(run, stage.STAGE, pool or Here())
    return run, commit


def fates(run: Run, commit: Commit) -> dict[str, tuple[str, ...]]:
    """Of each document its fate: ("kept", cluster, size, copies) or ("dropped", reason, survivor, similarity)."""
    found: dict[str, tuple[str, ...]] = {}
    for part in commit.parts:
        url = storage.join(run.directory("dedup"), f"{part.name}.parquet")
        for row in read_table(url).to_pylist():
            found[row["doc_id"]] = ("kept", row["cluster_id"], str(row["cluster_size"]), *row["copies"])
        for name in part.side:
            if not name.startswith("dropped/"):
                continue
            for row in read_table(storage.join(run.directory("dedup"), name)).to_pylist():
                found[row["doc_id"]] = ("dropped", row["reason"], *(each["value"] for each in row["failed"]))
    return found


def fates_of(documents: Sequence[dict[str, Any]], **options: Any) -> dict[str, tuple[str, ...]]:
    """Runs dedup in a directory of its own."""
    with tempfile.TemporaryDirectory() as directory:
        return fates(*dedup(Path(directory), documents, **{"confirmed": ["docs"], **options}))


def shingles(text: str, width: int = 5) -> set[tuple[str, ...]]:
    """Shingles of a text of plain words."""
    words = text.lower().split()
    return {tuple(words[at : at + width]) for at in range(max(1, len(words) - width + 1))}


def jaccard(one: str, other: str) -> float:
    return _jaccard(shingles(one), shingles(other))


def _jaccard(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    common = len(one & other)
    return common / (len(one) + len(other) - common)


def contained(one: str, other: str) -> float:
    """The share of the shingles of a text that lie in another."""
    a, b = shingles(one), shingles(other)
    return len(a & b) / len(a)


def similar_pairs(texts: Sequence[str], least: float) -> set[tuple[int, int]]:
    """By brute force."""
    pairs = itertools.combinations(enumerate(map(shingles, texts)), 2)
    return {(a, b) for (a, one), (b, other) in pairs if _jaccard(one, other) >= least}


def family(chosen: random.Random, members: int, words: int, edits: int) -> list[str]:
    """A text and versions of it, each with some words replaced."""
    first = chosen.choices(WORDS, k=words)
    texts = [first]
    for _ in range(members - 1):
        text = list(chosen.choice(texts))
        for _ in range(edits):
            text[chosen.randrange(len(text))] = chosen.choice(WORDS)
        texts.append(text)
    return [" ".join(text) for text in texts]
