"""export: shards, their tokenizer, lineage and attribution to a directory or a bucket. The commit there is the index.

A reader who follows `_commit.json` sees all of an export or none of it: it is deleted first and written last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines import storage
from pipelines.engine import Input, Result, Stage, Work, parts_before, plain_files, read_commit
from pipelines.export.attribution import attribution_jobs, write_attribution
from pipelines.export.lineage import documents_of, lineage_jobs, records_of, superseded, superseded_jobs
from pipelines.export.shards import shard_jobs
from pipelines.parts import Counts
from pipelines.run import Run


def _inputs(run: Run) -> Sequence[Input]:
    """The shards; in a run also the documents, the records that they were made from, and what they supersede."""
    if run.plain_inputs:
        return plain_files(run)
    documents = documents_of(run)
    records = {each.name: each for part in documents for each, _ in records_of(run, part)}
    return [*parts_before(run, "export"), *documents, *records.values(), *superseded(run)]


def _settings(run: Run) -> Mapping[str, Any]:
    tokenized = None if run.plain_inputs else read_commit(run.directory("tokenize"))
    return {"tokenizer": tokenized.extra["tokenizer"] if tokenized else None}


def _make(work: Work) -> Result:
    shards = work.inputs if work.run.plain_inputs else parts_before(work.run, "export")
    parts = work.make(shard_jobs(work, shards))
    if not work.run.plain_inputs:
        parts += work.make(lineage_jobs(work), "lineage")
        parts += work.make(superseded_jobs(work), "superseded")
        attributions = work.make(attribution_jobs(work), "attribution")
        parts += attributions
        write_attribution(work, attributions)
        tokenizer = storage.join(work.run.directory("tokenize"), "tokenizer.json")
        storage.copy(tokenizer, storage.join(work.directory, "tokenizer.json"))
    return Result(parts, Counts(seen=len(shards), consumed=len(shards), rows=len(shards)))


STAGE = Stage("export", 4, "shard", _inputs, _settings, _make)
