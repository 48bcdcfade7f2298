"""export: shards, their tokenizer, lineage and attribution to a directory or a bucket. The commit there is the index.

A reader who follows `_commit.json` sees all of an export or none of it: it is deleted first and written last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import storage
from pipelines.dedup.against import RESTORED, SUPERSEDED, snapshots
from pipelines.engine import (
    Input,
    Job,
    Result,
    Stage,
    Work,
    parts_before,
    plain_files,
    read_commit,
)
from pipelines.extract.licences import needs_attribution
from pipelines.parts import Counts, Part, find_part, read_footer, read_table, write_part
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
_ATTRIBUTED = (
    "doc_id",
    "title",
    "authors",
    "date",
    "url",
    "source",
    "licence",
    "licence_evidence",
    "copies",
    "parents",
)


def _inputs(run: Run) -> Sequence[Input]:
    """The shards; in a run also the documents, the records that they were made from, and what they supersede."""
    if run.plain_inputs:
        return plain_files(run)
    documents = _documents(run)
    records = {each.name: each for part in documents for each, _ in _records_of(run, part)}
    return [*parts_before(run, "export"), *documents, *records.values(), *_superseded(run)]


def _documents(run: Run) -> list[Input]:
    return parts_before(run, "tokenize")


def _records_of(run: Run, documents: Input) -> list[tuple[Input, str | None]]:
    """The records that documents of a part may be of: those of its bucket; or, with the earlier run's name, all of the
    run that they come back from."""
    name = documents.name.split("/")[-1]
    if not name.startswith(f"{RESTORED}-"):
        return [(each, None) for each in _beside(run, "extract", "records") if each.name.endswith(f"/{name}.parquet")]
    number = int(name.rpartition("-")[2])
    earlier, named = snapshots(run)[number], run.recipe.dedup.against[number]
    records = _beside(earlier.run, "extract", "records") if documents.rows else []
    return [(replace(each, name=f"against-{number}/{each.name}"), named) for each in records]


def _superseded(run: Run) -> list[Input]:
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


def _settings(run: Run) -> Mapping[str, Any]:
    tokenized = None if run.plain_inputs else read_commit(run.directory("tokenize"))
    return {"tokenizer": tokenized.extra["tokenizer"] if tokenized else None}


def _make(work: Work) -> Result:
    shards = work.inputs if work.run.plain_inputs else parts_before(work.run, "export")
    jobs = [Job(export_shard, work.directory, _name_of(each), each.content, {"input": each.url}) for each in shards]
    parts = work.make(jobs)
    if not work.run.plain_inputs:
        parts += work.make(_lineage_jobs(work), "lineage")
        parts += work.make(_superseded_jobs(work), "superseded")
        attributions = work.make(_attribution_jobs(work), "attribution")
        parts += attributions
        _write_attribution(work, attributions)
        tokenizer = storage.join(work.run.directory("tokenize"), "tokenizer.json")
        storage.copy(tokenizer, storage.join(work.directory, "tokenizer.json"))
    return Result(parts, Counts(seen=len(shards), consumed=len(shards), rows=len(shards)))


def _name_of(shard: Input) -> str:
    """Below the target: as in the run, or the file's own name."""
    name = shard.name.removesuffix(".parquet")
    return name.partition("/")[2] if name.startswith("tokenize/") else f"shards/{name.rpartition('/')[2]}"


def export_shard(job: Job) -> Part:
    """Copies a shard, unless the same bytes are there."""
    source, target = job.spec["input"], storage.join(job.directory, f"{job.name}.parquet")
    if not (storage.exists(target) and storage.sha256(target) == storage.sha256(source)):
        storage.copy(source, target)
    key = read_footer(target).get("key", "")
    part = find_part(job.directory, job.name, key)
    if part is None:
        raise storage.StorageError(f"{source}: is not a shard of ours")
    return Part(part.name, part.key, part.counts, part.sha256, part.content, {})


# ---------------------------------------------------------------- lineage


def _lineage_jobs(work: Work) -> list[Job]:
    """One job for each part of documents."""
    jobs = []
    for each in _documents(work.run):
        records = _records_of(work.run, each)
        spec = {"documents": each.url, "records": [(of.url, run) for of, run in records]}
        name = "lineage/" + each.name.replace("/", "-")
        ingredients = [each.content, *([of.content, run] for of, run in records)]
        jobs.append(work.job(tell_lineage, "", name, ingredients, spec))
    return jobs


def _superseded_jobs(work: Work) -> list[Job]:
    """One job for each table of documents of earlier runs that leave for new ones."""
    return [
        work.job(copy_superseded, "", each.name.removeprefix("dedup/").removesuffix(".parquet"), [each.content],
                 {"input": each.url})
        for each in _superseded(work.run)
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
    schema = pa.schema([*documents.schema, ("records", pa.list_(_RECORD))])
    rows = [{**row, "records": records.get(row["doc_id"], [])} for row in documents.to_pylist()]
    table = table_of(rows, schema)
    return write_part(job.directory, job.name, job.key, table, Counts(rows=len(rows)), {})


# ---------------------------------------------------------------- attribution


def _attribution_jobs(work: Work) -> list[Job]:
    """One job for each part of documents."""
    return [
        work.job(attribute, "", "attribution/" + each.name.replace("/", "-"), [each.content], {"documents": each.url})
        for each in _documents(work.run)
    ]


def attribute(job: Job) -> Part:
    """Who made the documents whose licence asks for it to be said; a rewrite names its parents, which are here too."""
    documents = read_table(job.spec["documents"], list(_ATTRIBUTED))
    asked = [needs_attribution(licence) for licence in documents["licence"].to_pylist()]
    table = documents.filter(pa.array(asked, pa.bool_()))
    named = Counter(zip(table["source"].to_pylist(), table["licence"].to_pylist(), strict=True))
    extra = {
        f"{source}\t{licence or 'unknown'}": number for (source, licence), number in sorted(named.items(), key=str)
    }
    return write_part(job.directory, job.name, job.key, table, Counts(rows=table.num_rows, extra=extra), {})


def _write_attribution(work: Work, parts: Sequence[Part]) -> None:
    """A page for people: what each source gave, and under which licence."""
    names = {source.id: f"{source.name}, {', '.join(source.hosts)}" for source in work.run.sources}
    lines = [
        "The documents of this data set were made by others. attribution/*.parquet names each, with its authors.",
        "",
    ]
    for key, number in sorted(Counts.total([part.counts for part in parts]).extra.items()):
        source, licence = key.split("\t")
        lines.append(f"{names.get(source, source)}: {number:,} documents under {licence}")
    storage.write_bytes(storage.join(work.directory, "ATTRIBUTION.txt"), ("\n".join(lines) + "\n").encode())


STAGE = Stage("export", 4, "shard", _inputs, _settings, _make)
