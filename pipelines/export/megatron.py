"""Megatron: a pair of files for each list, `PREFIX.bin` and `PREFIX.idx`, as megatron.core's IndexedDataset reads them.

Ids are int32 whatever the vocabulary: readers that cache a shuffled index write int32 into it, and would read 16-bit
ids wrong the second time. By `sequence`, each packed sequence is a sequence and a document of its own: all have one
length, so that fractions of documents are fractions of tokens, and a training sequence of that length is a packed one.
By `document`, each document of the corpus is one, its pieces joined again, padding and what was taken down left out.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import storage
from pipelines.engine import Input, Job, Work
from pipelines.export.sequences import Sink, begins_of, ids_of, row_groups
from pipelines.parts import Counts, Part
from pipelines.shuffle import write_buckets
from pipelines.tokenizer import Ids, Ints

FOLDER = "megatron/"
_MAGIC, _VERSION, _INT32 = b"MMIDIDX\0\0", 1, 4
#: Up to this vocabulary, a reader that is told the numbers of sequences takes ids for 16-bit ones.
_UINT16_IDS = 1 << 16
_CHUNK = 1 << 20

#: Where the sequences of a prefix come from, in their order: runs of sequences of a shard, or documents.
_OF_SEQUENCES = pa.schema([("shard", pa.string()), ("sequences", pa.int64())])
_OF_DOCUMENTS = pa.schema([("doc_id", pa.string()), ("revision", pa.string()), ("tokens", pa.int64())])


def megatron_jobs(work: Work, lists: Mapping[str, Sequence[Input]], length: int) -> list[Job]:
    """One job for each list. `length`: tokens of a packed sequence."""
    unit = work.run.recipe.export.megatron.unit
    return [
        work.job(
            write_prefix,
            "",
            FOLDER + name,
            [unit, length, [each.content for each in shards]],
            {"inputs": [each.url for each in shards], "unit": unit, "sequence_length": length},
        )
        for name, shards in lists.items()
    ]


def write_prefix(job: Job) -> Part:
    """Writes the pair of a list, a row group (by document: a shard) in memory; the part says where each came from."""
    whole = job.spec["unit"] == "document"
    lengths: list[Ints] = []
    files: dict[str, str] = {}
    padding = 0

    def rows() -> Iterator[tuple[str, pa.Table]]:
        nonlocal padding
        with storage.writing(storage.join(job.directory, f"{job.name}.bin")) as path, path.open("wb") as stream:
            sink = Sink(stream)
            for url in job.spec["inputs"]:
                shard = url.rpartition("/")[2].removesuffix(".parquet")
                groups = row_groups(url)
                for table in _joined(groups) if whole else groups:
                    ids = ids_of(table, job.spec["sequence_length"])
                    told, own, ids = _documents(table, ids) if whole else _sequences(table, ids, shard)
                    padding += 0 if whole else pc.sum(table["padding"]).as_py() or 0
                    lengths.append(own)
                    sink.write(ids.view(np.uint8).data)
                    yield shard, told
        files[f"{job.name}.bin"] = sink.sha256
        files[f"{job.name}.idx"] = _write_index(storage.join(job.directory, f"{job.name}.idx"), lengths)

    def close(number: int) -> tuple[Counts, Mapping[str, pa.Table]]:
        sequences, tokens = sum(map(len, lengths)), sum(int(own.sum()) for own in lengths)
        sums = {"sequences": sequences, "tokens": tokens - padding, "padding": padding}
        return Counts(rows=number, extra=sums), {}

    schema = _OF_DOCUMENTS if whole else _OF_SEQUENCES
    return write_buckets(job.directory, job.name, job.key, schema, rows(), close, files)


def _joined(groups: Iterator[pa.Table]) -> list[pa.Table]:
    """A shard as one table: the pieces of a document lie anywhere in it."""
    tables = list(groups)
    return [pa.concat_tables(tables).combine_chunks()] if tables else []


def _sequences(table: pa.Table, ids: Ids, shard: str) -> tuple[pa.Table, Ints, Ids]:
    """The packed sequences of some rows: where they come from, their lengths, and their ids."""
    told = pa.table({"shard": [shard], "sequences": [table.num_rows]}, schema=_OF_SEQUENCES)
    return told, np.full(table.num_rows, len(ids) // max(1, table.num_rows), np.int64), ids


def _documents(table: pa.Table, ids: Ids) -> tuple[pa.Table, Ints, Ids]:
    """The documents of a shard, in the order in which their beginnings lie in it: who, their lengths, and their ids."""
    segments = table["segments"].combine_chunks()
    told = segments.flatten()
    tokens = told.field("tokens").to_numpy().astype(np.int64)
    begins = begins_of(table)
    named = np.flatnonzero(told.field("doc_id").is_valid().to_numpy(zero_copy_only=False))
    keys = pc.binary_join_element_wise(told.field("doc_id"), told.field("revision"), "/").take(pa.array(named))
    codes = keys.dictionary_encode().indices.to_numpy()
    start, end = (told.field(name).to_numpy()[named] for name in ("start_byte", "end_byte"))
    by = np.lexsort((end, start, codes))  # the pieces of a document, in its order
    first = np.flatnonzero(np.diff(codes[by], prepend=-1))
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(by[first], kind="stable")] = np.arange(len(first))
    by = by[np.argsort(rank[codes[by]], kind="stable")]
    chosen = named[by]
    bounds = np.flatnonzero(np.diff(codes[by], prepend=-1))
    lengths = np.add.reduceat(tokens[chosen], bounds) if len(bounds) else np.empty(0, np.int64)
    pieces = [ids[begin : begin + size] for begin, size in zip(begins[chosen], tokens[chosen], strict=True)]
    who = told.take(pa.array(chosen[bounds]))
    columns = {"doc_id": who.field("doc_id"), "revision": who.field("revision"), "tokens": lengths}
    return pa.table(columns, schema=_OF_DOCUMENTS), lengths, np.concatenate([np.empty(0, "<i4"), *pieces], dtype="<i4")


# ---------------------------------------------------------------- the index


def _write_index(url: str, lengths: Sequence[Ints]) -> str:
    """Writes an .idx for sequences of these lengths (tokens), each a document. Returns its SHA-256.

    Little-endian: magic, version u64, type of ids u8, sequences u64, documents + 1 u64, then for each sequence its
    length i32, for each the byte in .bin where it begins i64, and for each document, and the end, its first sequence
    i64. Raises StorageError where a length does not fit.
    """
    total = sum(map(len, lengths))
    if any(len(own) and own.max() > np.iinfo(np.int32).max for own in lengths):
        raise storage.StorageError(f"{url}: a document has more tokens than Megatron can count")
    with storage.writing(url) as path, path.open("wb") as stream:
        sink = Sink(stream)
        sink.write(_MAGIC + struct.pack("<QBQQ", _VERSION, _INT32, total, total + 1))
        for own in lengths:
            sink.write(own.astype("<i4").tobytes())
        begin = 0
        for own in lengths:
            sink.write(((np.cumsum(own) - own + begin) * 4).astype("<i8").tobytes())
            begin += int(own.sum())
        for first in range(0, total + 1, _CHUNK):
            sink.write(np.arange(first, min(first + _CHUNK, total + 1), dtype="<i8").tobytes())
    return sink.sha256


# ---------------------------------------------------------------- what stands beside the prefixes


def write_guides(work: Work, parts: Sequence[Part], length: int, vocabulary: int) -> list[str]:
    """Writes README.txt and, where Megatron would read it right, sequences.json. Returns their names.

    The lists of a mixture's stages, for --data-args-path, stand here too.
    """
    written = {f"{FOLDER}README.txt": _readme(parts, length, work.run.recipe.export.megatron.unit)}
    if vocabulary > _UINT16_IDS:
        written[f"{FOLDER}sequences.json"] = sequences_json(parts)
    for name, text in written.items():
        storage.write_bytes(storage.join(work.directory, name), text.encode())
    return list(written)


def sequences_json(parts: Sequence[Part]) -> str:
    """What Megatron's tools/build_sequences_per_dataset.py makes: sequences and documents + 1 of each prefix."""
    numbers = {part.name: part.counts.extra["sequences"] for part in parts}
    return json.dumps({name: [number, number + 1] for name, number in sorted(numbers.items())}, indent=1) + "\n"


def too_small(part: Part, length: int) -> bool:
    """Whether a prefix has no training sample of this length, which every prefix of a blend must have."""
    return part.counts.extra["tokens"] + part.counts.extra["padding"] < length + 1


def _readme(parts: Sequence[Part], length: int, unit: str) -> str:
    small = [part.name for part in sorted(parts, key=lambda part: part.name) if too_small(part, length)]
    text = _README.format(use=_USE[unit], length=length)
    if small:
        text += "\n".join(
            ["", f"Too small for a sample of {length} + 1 tokens, so no blend may name them:", *small, ""]
        )
    return text


_README = """\
PREFIX.bin and PREFIX.idx for each list, as Megatron's IndexedDataset reads them. Ids are int32.
PREFIX.parquet says where the sequences of a prefix come from, in their order.

{use}
Train with --seq-length {length} --reset-attention-mask --reset-position-ids --eod-mask-loss: each document
and all padding ends in the end-of-document token, and what was taken down consists of it.
Blend whole prefixes (--split 1,0,0): those of validation are prefixes of their own.

Paths are relative to the directory that holds megatron/: start there, or put it before each.
--data-args-path FILE takes pairs of weight and prefix, parted by white space. Use it, and not the JSON
for each split, which --scale-shuffle cannot read.

--scale-shuffle keeps PREFIX.idx.scale_shuffle beside each prefix, and reads it again whatever the weights
and the seed are: delete *.scale_shuffle when you change them. Without --data-cache-path, Megatron keeps the
order of its samples in PREFIX/cache, and reads it again whatever the prefix holds. An export that is made
anew deletes those that it finds; give every export a --data-cache-path of its own.

sequences.json, for --per-dataset-sequences-path, is here only where the vocabulary has more than 65,536
tokens: below that Megatron would take ids of 32 bits for ids of 16.
"""
_USE = {
    "sequence": """\
A sequence is a packed one. The last label of a training sequence is the first token of another: it is left
out of the loss where the sequence ends in the end-of-document token, as all do but those that a piece of a
longer document fills.""",
    "document": "A sequence is a document of the corpus, with its end-of-document token.",
}
