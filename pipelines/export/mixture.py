"""The mixture of an export: which lists are in it, what each stage reads of them, and what was left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from manifests.load import mixture_of
from pipelines import storage
from pipelines.engine import Commit, Input, Job, Work
from pipelines.export.sequences import list_of, row_groups
from pipelines.mixture import Plan, plan
from pipelines.mixture_files import PackedList, data_args, packed_lists, written
from pipelines.parts import Counts, Part, write_part
from pipelines.rows import drop_row
from pipelines.schema import DROPPED, table_of

NAME = "mixture.json"
REASON = "mixture"


@dataclass(frozen=True)
class Mixed:
    """A mixture over the lists of a run."""

    plan: Plan
    lists: dict[str, PackedList]
    sequence_length: int

    def leaves_out(self, shard: Input) -> bool:
        """Whether no stage reads the list of a shard; its validation part is of no use then, either."""
        return list_of(shard.name.removeprefix("tokenize/")).partition("/")[2] in self.plan.left_out


def mix(work: Work, tokenized: Commit) -> Mixed:
    """The recipe's mixture over what tokenize committed."""
    length = tokenized.extra["sequence_length"]
    lists = packed_lists(tokenized, work.run.directory("tokenize"))
    sizes = {name: each.size for name, each in lists.items()}
    return Mixed(plan(mixture_of(work.run.recipe, work.run.base), sizes, length), lists, length)


def write_mixture(work: Work, mixed: Mixed) -> list[str]:
    """Writes mixture.json, and for Megatron a list of weights and prefixes for each stage. Returns their names."""
    settings = work.run.recipe.export
    told: dict[str, Any] = written(mixed.plan, mixed.lists, mixed.sequence_length)
    files = {NAME: json.dumps(told, indent=1) + "\n"}
    if "megatron" in settings.formats:
        for stage in mixed.plan.stages:
            weights, unit = settings.megatron.weights, settings.megatron.unit
            blend = data_args(stage, mixed.plan, mixed.sequence_length, _prefix, weights, unit)
            if blend:  # else no list of the stage has a sample for Megatron, as mixture.json says
                files[f"megatron/{stage.name}.txt"] = blend
    for name, text in files.items():
        storage.write_bytes(storage.join(work.directory, name), text.encode())
    return list(files)


def _prefix(name: str) -> str:
    return f"megatron/train/{name}"


def left_out_jobs(work: Work, shards: Sequence[Input]) -> list[Job]:
    """One job for each shard that the mixture leaves out."""
    jobs = []
    for each in shards:
        name = f"dropped/{each.name.removeprefix('tokenize/')}"
        jobs.append(work.job(leave_out, "", name, [each.content], {"input": each.url, "name": each.name}))
    return jobs


def leave_out(job: Job) -> Part:
    """The documents of a shard as drops; `row` is the sequence in which a document begins."""
    name = list_of(job.spec["name"].removeprefix("tokenize/"))
    rows: list[dict[str, Any]] = []
    before = 0
    for table in row_groups(job.spec["input"]):
        segments = table["segments"].combine_chunks()
        told = segments.flatten()
        begins = pc.and_(pc.equal(told.field("start_byte"), 0), pc.is_valid(told.field("doc_id")))
        whose = pa.table(
            {
                "doc_id": told.field("doc_id"),
                "revision": told.field("revision"),
                "row": pc.add(pc.list_parent_indices(segments), before),
            }
        ).filter(begins)
        for document in whose.to_pylist():
            document["category"] = name.partition("/")[2].rsplit(".", 2)[0]
            rows.append(drop_row(document, "export", [(REASON, name)], (job.spec["name"], document["row"])))
        before += table.num_rows
    return write_part(job.directory, job.name, job.key, table_of(rows, DROPPED), Counts(rows=len(rows)), {})
