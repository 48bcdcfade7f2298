"""Shards: copied as they are, each with its row of the index."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines import storage
from pipelines.engine import Input, Job, Work
from pipelines.parts import Part, find_part, read_footer


def shard_jobs(work: Work, shards: Sequence[Input]) -> list[Job]:
    """One job for each shard. Its key is the content of the shard, whichever run made it."""
    return [Job(export_shard, work.directory, _name_of(each), each.content, {"input": each.url}) for each in shards]


def _name_of(shard: Input) -> str:
    """Below the target as in the run: `shards/SPLIT/LIST/...`; a file that lies nowhere such: its own name."""
    name = shard.name.removesuffix(".parquet")
    _, found, below = f"/{name}".rpartition("/shards/")
    return f"shards/{below}" if found else f"shards/{name.rpartition('/')[2]}"


def export_shard(job: Job) -> Part:
    """Copies a shard and its row of the index, unless the same bytes are there."""
    source, target = job.spec["input"], storage.join(job.directory, f"{job.name}.parquet")
    footer = read_footer(source)
    for relative in footer.get("side", {}):
        _copy(_beside(source, relative), storage.join(job.directory, relative))
    _copy(source, target)
    part = find_part(job.directory, job.name, footer.get("key", ""))
    if part is None:
        raise storage.StorageError(f"{source}: is not a shard of ours")
    return part


def _beside(source: str, relative: str) -> str:
    """Where the file lies that goes with a shard: its name is that of the shard, in a folder of its own.

    Raises StorageError where a shard was taken from where it belongs.
    """
    shard = relative.partition("/")[2]
    if not source.endswith(f"/{shard}"):
        raise storage.StorageError(f"{source}: is not where it was made: its path must end in {shard}")
    return storage.join(source.removesuffix(f"/{shard}"), relative)


def _copy(source: str, target: str) -> None:
    if not (storage.exists(target) and storage.sha256(target) == storage.sha256(source)):
        storage.copy(source, target)
