"""A small corpus for the tests of what follows the filter: documents, committed as the filter does, and tokenized."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from manifests.models import Recipe
from pipelines import storage
from pipelines.engine import Commit, run_stage
from pipelines.export import stage as export
from pipelines.parts import Counts, Part, write_part
from pipelines.run import Run
from pipelines.schema import CLUSTER, DOCUMENT, EDITS, SCHEMA_VERSION, joined, table_of
from pipelines.tokenize import stage as tokenize

CATEGORIES = ("man_pages_cli_reference", "qa_forums", "source_code_and_tests")
LENGTH = 128
_WORDS = [
    "kernel",
    "page",
    "fault",
    "socket",
    "mount",
    "journal",
    "cgroup",
    "thread",
    "lock",
    "buffer",
    "cache",
    "inode",
    "driver",
    "packet",
    "queue",
]


def documents_of(*texts: str) -> pa.Table:
    """Documents of given texts, as `extract` makes them, in the order of their ids."""
    rows = [
        {
            "schema_version": SCHEMA_VERSION,
            "doc_id": f"{index:032x}",
            "revision": f"{index + 1000:032x}",
            "url": f"http://docs.localhost/{index}",
            "source": "docs",
            "category": "man_pages_cli_reference",
            "licence": "CC-BY-4.0",
            "licence_evidence": "stated on the page",
            "opt_out": [],
            "title": f"Page {index}",
            "parents": [],
            "text": text,
        }
        for index, text in enumerate(texts)
    ]
    return table_of(rows, DOCUMENT)


class InProcess:
    """A pool without workers: jobs one after the other, from the first or from the last; it may stop in the middle."""

    def __init__(self, backwards: bool = False, most: int | None = None) -> None:
        self.backwards, self.most = backwards, most

    def map(self, function: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """(index, result) of each job."""
        order = range(len(jobs))
        for index in reversed(order) if self.backwards else order:
            if self.most is not None:
                self.most -= 1
                if self.most < 0:
                    raise KeyboardInterrupt
            yield index, function(jobs[index])


def documents(number: int, seed: int = 1) -> pa.Table:
    """Documents of 5 to 900 words: of three categories, four sources, all tiers; every fifth is a rewrite."""
    chance = random.Random(seed)
    rows = []
    for index in range(number):
        words = chance.choice([5, 20, 60, 200, 900])
        rows.append(
            {
                "schema_version": SCHEMA_VERSION,
                "doc_id": f"{chance.getrandbits(128):032x}",
                "revision": f"{chance.getrandbits(128):032x}",
                "url": f"http://docs.localhost/{index}",
                "source": f"source_{index % 4}",
                "category": CATEGORIES[index % 3],
                "licence": ("CC-BY-4.0", "GPL-2.0-only", None, "LicenseRef-own")[index % 4],
                "licence_evidence": "stated on the page",
                "title": f"Page {index} | of many",
                "language": "en",
                "authors": ["A. Writer"],
                "parents": [f"{index - 1:032x}"] if index % 5 == 4 else [],
                "text": " ".join(chance.choice(_WORDS) for _ in range(words)) + f" é{index}\n",
                "topic_quality": chance.random(),
                "cluster_id": None,
                "copies": [],
                "edits": [],
            }
        )
    schema = joined(DOCUMENT, pa.schema([("topic_quality", pa.float32())]), CLUSTER, EDITS)
    return table_of(sorted(rows, key=lambda row: row["doc_id"]), schema)


def settings(**export_settings: Any) -> dict[str, Any]:
    """A recipe whose lists are many, and whose shards hold few sequences."""
    return {
        "name": "small",
        "manifests": ["none"],
        "crawl": {"contact": "mailto:data@example.org"},
        "tokenize": {
            "train": {"vocabulary": 512},
            "sequence_length": LENGTH,
            "shard_tokens": 2048,
            "validation": 0.1,
            "tiers": {"high": 0.8, "medium": 0.4},
            "fill_in_the_middle": {"categories": [CATEGORIES[2]], "share": 1.0},
        },
        "export": export_settings,
    }


def make(directory: Path, table: pa.Table, parts: int = 3, **export_settings: Any) -> Run:
    """A run whose filter has committed the documents, and whose tokens are packed; nothing is exported."""
    run = _run(directory, export_settings)
    own = [
        write_part(
            run.directory("filter"),
            f"part-{number:05}",
            "key",
            rows := table.take(pa.array(np.arange(number, table.num_rows, parts))),
            Counts(seen=rows.num_rows, consumed=rows.num_rows, rows=rows.num_rows),
            {},
        )
        for number in range(parts)
    ]
    _commit(run.directory("filter"), "filter", own, {})
    run_stage(run, tokenize.STAGE, InProcess())  # type: ignore[arg-type]
    return run


def again(made: Path, directory: Path, **export_settings: Any) -> Run:
    """Another run with the filter's documents and the tokens of one that was made; nothing is exported."""
    for stage in ("filter", "tokenize"):
        shutil.copytree(made / stage, directory / stage)
    return _run(directory, export_settings)


def _run(directory: Path, export_settings: Mapping[str, Any]) -> Run:
    recipe = Recipe.model_validate(settings(**export_settings))
    return Run(str(directory), recipe, (), directory, ("filter", "tokenize", "export"))


def _commit(directory: str, stage: str, parts: Sequence[Part], extra: Mapping[str, Any]) -> None:
    counts = Counts.total([part.counts for part in parts])
    commit = Commit(stage, 1, "key", "document", {}, [], parts, counts, {}, 0.0, 0.0, 0, extra)
    storage.write_bytes(storage.join(directory, "_commit.json"), json.dumps(asdict(commit)).encode())


def exported(run: Run, pool: Any = None) -> Path:
    """Makes the export of a run; returns where it lies."""
    run_stage(run, export.STAGE, pool or InProcess())
    return Path(run.directory("export"))


# ---------------------------------------------------------------- what the shards say


def lists(directory: Path) -> list[str]:
    """`SPLIT/LIST` of every list of an export."""
    shards = directory / "shards"
    return sorted({str(path.parent.relative_to(shards)) for path in shards.rglob("*.parquet")})


def sequences(directory: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a list's shards, in their order."""
    paths = sorted((directory / "shards" / name).glob("*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def tokens_of_documents(directory: Path, name: str) -> dict[tuple[str, str], list[int]]:
    """The ids of each document of a list, its pieces in their order; none of what was taken down."""
    pieces: dict[tuple[str, str], list[tuple[int, int, list[int]]]] = {}
    for row in sequences(directory, name):
        at = 0
        for segment in row["segments"]:
            ids = row["input_ids"][at : at + segment["tokens"]]
            at += segment["tokens"]
            if segment["doc_id"]:
                own = pieces.setdefault((segment["doc_id"], segment["revision"]), [])
                own.append((segment["start_byte"], segment["end_byte"], ids))
    return {who: [each for _, _, ids in sorted(own) for each in ids] for who, own in pieces.items()}


def files(directory: Path) -> dict[str, str]:
    """SHA-256 of every file below a directory but the commit, which tells of seconds."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file() and not path.name.startswith("_"))
    return {str(path.relative_to(directory)): storage.sha256(str(path)) for path in paths}
