"""Shards: copied as they are."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines import storage
from pipelines.engine import Input, Job, Work
from pipelines.parts import Part, find_part, read_footer


def shard_jobs(work: Work, shards: Sequence[Input]) -> list[Job]:
    """One job for each shard. Its key is the content of the shard, whichever run made it."""
    return [Job(export_shard, work.directory, _name_of(each), each.content, {"input": each.url}) for each in shards]


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
