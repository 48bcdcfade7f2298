"""export: shards, their tokenizer, lineage and attribution to a directory or a bucket, and what other readers read.

The commit there is the index. A reader who follows `_commit.json` sees all of an export or none of it: it is deleted
first and written last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from manifests.load import mixture_of
from pipelines import storage
from pipelines.engine import Input, Result, Stage, StageError, Work, parts_before, plain_files, read_commit
from pipelines.export import mds, megatron, text
from pipelines.export.attribution import attribution_jobs, write_attribution
from pipelines.export.card import NAME as CARD
from pipelines.export.card import card
from pipelines.export.lineage import documents_of, lineage_jobs, records_of, superseded, superseded_jobs
from pipelines.export.mds import mds_jobs
from pipelines.export.megatron import megatron_jobs, write_guides
from pipelines.export.mixture import REASON, left_out_jobs, mix, write_mixture
from pipelines.export.sequences import by_list
from pipelines.export.shards import shard_jobs
from pipelines.export.text import text_jobs
from pipelines.parts import Counts, Part
from pipelines.run import Run

_FOLDERS = (mds.FOLDER, megatron.FOLDER, text.FOLDER)
# Also what readers keep beside a prefix, and would not make again when the weights or the sequences have changed.
_OURS = (".bin", ".idx", ".json", ".jsonl.gz", ".mds", ".npy", ".scale_shuffle", ".txt")


def _inputs(run: Run) -> Sequence[Input]:
    """The shards; in a run also the documents, the records that they were made from, and what they supersede."""
    if run.plain_inputs:
        return plain_files(run)
    documents = documents_of(run)
    records = {each.name: each for part in documents for each, _ in records_of(run, part)}
    return [*parts_before(run, "export"), *documents, *records.values(), *superseded(run)]


def _settings(run: Run) -> Mapping[str, Any]:
    if run.plain_inputs:
        return {"tokenizer": None}
    tokenized = read_commit(run.directory("tokenize"))
    return {
        "tokenizer": tokenized.extra["tokenizer"] if tokenized else None,
        **run.recipe.export.model_dump(exclude={"to"}),
        "mixture": mixture_of(run.recipe, run.base).model_dump(),
        "name": run.recipe.name,
        "contact": run.recipe.crawl.contact,
    }


def _make(work: Work) -> Result:
    if not work.run.plain_inputs:
        return _make_corpus(work)
    if work.run.recipe.export.formats != ["shards"]:
        raise StageError("export: of single files only the shards can be made; export.formats needs a run")
    return _result(work, len(work.inputs), work.make(shard_jobs(work, work.inputs)), [])


def _make_corpus(work: Work) -> Result:
    """The shards of a run, the formats that the recipe asks for, what is told of them, and the card."""
    tokenized = read_commit(work.run.directory("tokenize"))
    assert tokenized
    mixed = mix(work, tokenized)
    every = parts_before(work.run, "export")
    inputs = [each for each in every if not mixed.leaves_out(each)]
    dropped = work.make(left_out_jobs(work, [each for each in every if mixed.leaves_out(each)]), "left out")
    shards = work.make(shard_jobs(work, inputs))
    told = work.make(lineage_jobs(work), "lineage")
    superseding = work.make(superseded_jobs(work), "superseded")
    attributions = work.make(attribution_jobs(work), "attribution")
    formats, guides = _make_formats(work, by_list(inputs), tokenized.extra)
    write_attribution(work, attributions)
    tokenizer = storage.join(work.run.directory("tokenize"), "tokenizer.json")
    storage.copy(tokenizer, storage.join(work.directory, "tokenizer.json"))
    page = card(work.run.recipe, tokenized.extra, shards, Counts.total([part.counts for part in told]))
    storage.write_bytes(storage.join(work.directory, CARD), page.encode())
    files = ["ATTRIBUTION.txt", "tokenizer.json", CARD, *guides, *write_mixture(work, mixed)]
    parts = [*shards, *dropped, *told, *superseding, *attributions, *formats]
    return _result(work, len(inputs), parts, files, len(dropped))


def _make_formats(
    work: Work, lists: Mapping[str, Sequence[Input]], tokenized: Mapping[str, Any]
) -> tuple[list[Part], list[str]]:
    """The formats beside the shards: their parts, and the names of what was written to guide their readers."""
    formats, length = work.run.recipe.export.formats, tokenized["sequence_length"]
    parts: list[Part] = []
    guides: list[str] = []
    if "megatron" in formats:
        prefixes = work.make(megatron_jobs(work, lists, length), "megatron")
        guides = write_guides(work, prefixes, length, tokenized["tokenizer"]["vocabulary"])
        parts += prefixes
    if "mds" in formats:
        parts += work.make(mds_jobs(work, lists, length), "mds")
    if "text" in formats:
        parts += work.make(text_jobs(work, documents_of(work.run), sorted(lists)), "text")
    return parts, guides


def _result(work: Work, shards: int, parts: Sequence[Part], written: Sequence[str], left_out: int = 0) -> Result:
    """What was made, with the hash and the size of every file that is not Parquet; no other is left beside them."""
    hashes = {name: storage.sha256(storage.join(work.directory, name)) for name in written}
    hashes |= {name: digest for part in parts for name, digest in part.side.items() if not name.endswith(".parquet")}
    for name in storage.list_files(work.directory):
        if name.startswith(_FOLDERS) and name.endswith(_OURS) and name not in hashes:
            storage.delete(storage.join(work.directory, name))
    files = {
        name: {"sha256": digest, "bytes": storage.size(storage.join(work.directory, name))}
        for name, digest in sorted(hashes.items())
    }
    dropped = {REASON: left_out} if left_out else {}
    counts = Counts(seen=shards + left_out, consumed=shards, rows=shards, dropped=dropped)
    return Result(parts, counts, {"files": files})


STAGE = Stage("export", 6, "shard", _inputs, _settings, _make)
