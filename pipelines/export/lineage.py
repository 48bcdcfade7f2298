"""Lineage: of each document in the shards, where it came from; and which documents of earlier exports left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import storage
from pipelines.dedup.against import RESTORED, SUPERSEDED, snapshots
from pipelines.engine import Input, Job, Work, parts_before, read_commit
from pipelines.parts import Counts, Part, read_table, write_part
from pipelines.run import Run
from pipelines.schema import RECORDS, table_of

# `run`: the earlier run, as the recipe names it, whose crawl has the record; null: the run's own.
_RECORD = pa.struct(
    [
        ("run", pa.string()),
        *((name, RECORDS.field(name).type) for name in ("file", "row", "piece", "digest", "fetched_at")),
    ]
)
_TOLD = (
    "doc_id", "revision", "url", "source", "category", "licence", "licence_evidence", "opt_out",
    "title", "language", "parents", "kind", "cluster_id", "copies", "edits",
)  # fmt: skip

# Of a rewrite: who wrote it (model, revision, licence), and asked what; null of what people wrote.
_WRITTEN = pa.schema(
    [("teacher", pa.string()), ("prompt_sha256", pa.string()), ("request_keys", pa.list_(pa.string()))]
)

#: What the card of an export counts documents by.
COUNTED = ("category", "licence", "source", "language", "teacher")


def documents_of(run: Run) -> list[Input]:
    """The parts of documents that the shards were packed from."""
    return parts_before(run, "tokenize")


def records_of(run: Run, documents: Input) -> list[tuple[Input, str | None]]:
    """The records that documents of a part may be of: those of its bucket; or, with the earlier run's name, all of the
    run that they come back from."""
    name = documents.name.split("/")[-1]
    if not name.startswith(f"{RESTORED}-"):
        return [(each, None) for each in _beside(run, "extract", "records") if each.name.endswith(f"/{name}.parquet")]
    number = int(name.rpartition("-")[2])
    earlier, named = snapshots(run)[number], run.recipe.dedup.against[number]
    records = _beside(earlier.run, "extract", "records") if documents.rows else []
    return [(replace(each, name=f"against-{number}/{each.name}"), named) for each in records]


def _written_of(run: Run, documents: Input) -> list[Input]:
    """The table of who wrote the documents of a part of rewrites."""
    stage, _, name = documents.name.partition("/")
    beside = _beside(run, "synth", "provenance") if stage == "synth" else []
    return [each for each in beside if each.name == f"synth/provenance/{name}.parquet"]


def superseded(run: Run) -> list[Input]:
    """The tables of documents of earlier runs that leave for new ones."""
    return _beside(run, "dedup", SUPERSEDED)


def _beside(run: Run, stage: str, folder: str) -> list[Input]:
    """The tables of a folder beside the parts of a stage."""
    commit = read_commit(run.directory(stage))
    return [
        Input(f"{stage}/{name}", storage.join(run.directory(stage), name), digest)
        for part in (commit.parts if commit else [])
        for name, digest in part.side.items()
        if name.startswith(f"{folder}/")
    ]


def lineage_jobs(work: Work) -> list[Job]:
    """One job for each part of documents."""
    jobs = []
    for each in documents_of(work.run):
        records, written = records_of(work.run, each), _written_of(work.run, each)
        spec = {
            "documents": each.url,
            "records": [(of.url, run) for of, run in records],
            "written": [of.url for of in written],
        }
        name = "lineage/" + each.name.replace("/", "-")
        ingredients = [each.content, *([of.content, run] for of, run in records), *(of.content for of in written)]
        jobs.append(work.job(tell_lineage, "", name, ingredients, spec))
    return jobs


def superseded_jobs(work: Work) -> list[Job]:
    """One job for each table of documents of earlier runs that leave for new ones."""
    return [
        work.job(copy_superseded, "", each.name.removeprefix("dedup/").removesuffix(".parquet"), [each.content],
                 {"input": each.url})
        for each in superseded(work.run)
    ]  # fmt: skip


def copy_superseded(job: Job) -> Part:
    """Which documents of earlier exports are no part of the corpus any more, and what stands for each."""
    table = read_table(job.spec["input"])
    return write_part(job.directory, job.name, job.key, table, Counts(rows=table.num_rows), {})


def tell_lineage(job: Job) -> Part:
    """Of each document in the shards: URL, licence, edits, copies, parents, and the records it was made from."""
    documents = read_table(job.spec["documents"], list(_TOLD))
    records: dict[str, list[dict[str, Any]]] = {}
    for url, run in job.spec["records"]:
        table = read_table(url)
        for row in table.filter(pc.is_in(table["doc_id"], documents["doc_id"])).to_pylist():
            of_run = {"run": run, **row}
            records.setdefault(row["doc_id"], []).append({field.name: of_run[field.name] for field in _RECORD})
    written = {row["doc_id"]: row for url in job.spec["written"] for row in read_table(url).to_pylist()}
    schema = pa.schema([*documents.schema, *_WRITTEN, ("records", pa.list_(_RECORD))])
    rows = [
        {**_teacher(written.get(row["doc_id"])), **row, "records": records.get(row["doc_id"], [])}
        for row in documents.to_pylist()
    ]
    table = table_of(rows, schema)
    counts = Counts(rows=len(rows), extra=_numbers(table))
    return write_part(job.directory, job.name, job.key, table, counts, {})


def _teacher(written: Mapping[str, Any] | None) -> dict[str, Any]:
    if written is None:
        return {}
    name = " ".join(filter(None, [written["model"], written["revision"]]))
    return {
        "teacher": f"{name}, {written['teacher_licence'] or 'licence unknown'}",
        "prompt_sha256": written["prompt_sha256"],
        "request_keys": written["request_keys"],
    }


def _numbers(documents: pa.Table) -> dict[str, int]:
    """How many documents there are of each value of what the card counts, by `COLUMN\tVALUE`."""
    numbers = Counter(
        f"{column}\t{value or 'unknown'}"
        for column in COUNTED
        for value in documents[column].to_pylist()
        if value is not None or column != "teacher"
    )
    return dict(sorted(numbers.items()))
