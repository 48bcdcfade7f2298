"""Shards: copied as they are, each with its row of the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

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
    source, footer = job.spec["input"], read_footer(job.spec["input"])
    above, name = _place(source, footer.get("side", {}))
    part = find_part(above, name, footer.get("key", ""))
    if part is None:
        raise storage.StorageError(f"{source}: is not a shard of ours")
    for relative, digest in part.side.items():
        _copy(storage.join(above, relative), storage.join(job.directory, relative), digest)
    _copy(source, storage.join(job.directory, f"{job.name}.parquet"), part.sha256)
    return replace(part, name=job.name)


def _place(source: str, side: Mapping[str, str]) -> tuple[str, str]:
    """The directory that a shard was made in, and its name there, which the files beside it have, in folders.

    Raises StorageError where a shard was taken from where it belongs.
    """
    names = {relative.partition("/")[2] for relative in side}
    shard = names.pop() if names else source.rpartition("/")[2]
    if not f"/{source}".endswith(f"/{shard}"):
        raise storage.StorageError(f"{source}: is not where it was made: its path must end in {shard}")
    return source[: -len(shard)].rstrip("/") or ".", shard.removesuffix(".parquet")


def _copy(source: str, target: str, sha256: str) -> None:
    if not storage.holds(target, sha256):
        storage.copy(source, target)
