"""Documents that are made for a kind instead of read: a part of them stands beside those of the filter."""

from __future__ import annotations

from typing import Any

from pipelines.engine import Job
from pipelines.parts import Counts, Part, write_part
from pipelines.schema import CLUSTER, DOCUMENT, SCHEMA_VERSION, joined, table_of
from synth.seeds import Seed, make

SOURCE, LICENCE = "generated", "CC0-1.0"


def make_seeds(job: Job) -> Part:
    """The seeds of a kind as documents, in the order of their ids."""
    made = make(job.spec["seeds"], job.spec["number"], job.spec["seed"])
    rows = sorted((_document(each, job.spec["category"]) for each in made), key=lambda row: str(row["doc_id"]))
    schema = joined(DOCUMENT, CLUSTER)
    table = table_of(rows, schema)
    table = table.append_column("words", [[len(row["text"].split()) for row in rows]])
    table = table.append_column("topic_quality", [[1.0] * len(rows)])
    return write_part(job.directory, job.name, job.key, table, Counts(rows=len(rows)), {})


def _document(seed: Seed, category: str) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "doc_id": seed.id,
        "revision": seed.id,
        "url": "",
        "source": SOURCE,
        "category": category,
        "licence": LICENCE,
        "licence_evidence": "made by syscorpus",
        "title": seed.title,
        "language": "en",
        "parents": [],
        "text": seed.text,
    }
