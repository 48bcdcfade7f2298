"""Packed shards: segments of documents that go are masked where they lie, and nothing is packed again.

A masked segment has no doc_id and no revision, its byte columns are 0, and its token ids are all the end-of-document
token; every other row and value is what it was. `tokens` still counts the positions, for the sequences keep their
length: who trains leaves masked segments out of the loss as it leaves out padding.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import storage
from pipelines.engine import read_commit
from pipelines.export.sequences import SHARDS, begins_of, offsets_of
from pipelines.parts import Counts, Layout, Part, add_footer, parquet_options, read_footer, read_table, write_parquet
from pipelines.takedown.commits import part_at

_SPLIT = "BYTE_STREAM_SPLIT"

Ids = npt.NDArray[np.int32]


@dataclass
class Masked:
    """What was masked in a shard: documents, how many of them were cut, their bytes, and tokens."""

    doc_ids: set[str] = field(default_factory=set)
    cut: int = 0
    bytes: int = 0
    tokens: int = 0


def documents_in(directory: str, ids: pa.Array) -> dict[str, int]:
    """How many of some documents each shard of a stage's commit holds; those that hold none are left out."""
    commit = read_commit(directory)
    found = {}
    for part in commit.parts if commit else ():
        if part.name.startswith(SHARDS):
            number = len(_held(storage.join(directory, f"{part.name}.parquet"), ids))
            if number:
                found[part.name] = number
    return found


def _held(url: str, ids: pa.Array) -> set[str]:
    found: set[str] = set()
    with storage.open_input(url) as stream:
        file = pq.ParquetFile(stream)
        for batch in file.iter_batches(columns=["segments.list.element.doc_id"]):
            names = batch.column(0).flatten().field("doc_id")
            found.update(names.filter(pc.is_in(names, ids)).to_pylist())
    return found


def mask_shard(directory: str, part: Part, ids: pa.Array, end_id: int, key: str) -> Part | None:
    """Masks documents in a shard, a row group in memory, and tells its index; None where it holds none of them."""
    url = storage.join(directory, f"{part.name}.parquet")
    footer = read_footer(url)
    if footer["key"] == key:
        return part_at(directory, part.name, key)
    if not _held(url, ids):
        return None
    masked, digest = Masked(), hashlib.sha256()
    pieces: dict[str, int] = {}
    with storage.open_input(url) as stream, storage.writing(url) as path:
        file = pq.ParquetFile(stream, page_checksum_verification=True)
        schema = file.schema_arrow.remove_metadata()
        with _writer(path, file, schema) as writer:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group).replace_schema_metadata(None).combine_chunks()
                table = _mask(table, ids, end_id, masked, pieces) if table.num_rows else table
                digest.update(_token_ids(table).astype("<i4").data)
                writer.write_table(table, row_group_size=max(1, table.num_rows))
            masked.cut = sum(number > 1 for number in pieces.values())
            counts = _told(Counts(**footer["counts"]), masked)
            side = {
                name: _tell_index(storage.join(directory, name), counts, digest.hexdigest(), key)
                for name in footer["side"]
            }
            told = {**footer, "key": key, "counts": asdict(counts), "side": side}
            add_footer(writer, path, told)
    return part_at(directory, part.name, key)


def _writer(path: Any, file: pq.ParquetFile, schema: pa.Schema) -> pq.ParquetWriter:
    """Writes columns as they were written before."""
    split = []
    if file.num_row_groups:
        group = file.metadata.row_group(0)
        columns = [group.column(number) for number in range(group.num_columns)]
        split = [each.path_in_schema for each in columns if _SPLIT in each.encodings]
    return pq.ParquetWriter(path, schema, **parquet_options(Layout(split_bytes=split)))


def _mask(table: pa.Table, ids: pa.Array, end_id: int, masked: Masked, pieces: dict[str, int]) -> pa.Table:
    """The rows of a group with documents masked; adds to what was."""
    segments = table["segments"].combine_chunks()
    told = segments.flatten()
    hit = pc.fill_null(pc.is_in(told.field("doc_id"), ids), False).to_numpy(zero_copy_only=False)
    if not hit.any():
        return table
    tokens = told.field("tokens").to_numpy().astype(np.int64)
    at = begins_of(table)
    token_ids = _token_ids(table).copy()
    for begin, size in zip(at[hit], tokens[hit], strict=True):
        token_ids[begin : begin + size] = end_id
    for doc_id in told.field("doc_id").filter(pa.array(hit)).to_pylist():
        pieces[doc_id] = pieces.get(doc_id, 0) + 1
    masked.doc_ids.update(pieces)
    masked.tokens += int(tokens[hit].sum())
    masked.bytes += int((told.field("end_byte").to_numpy() - told.field("start_byte").to_numpy())[hit].sum())
    columns = [_blank(told.field(each.name), hit) for each in told.type]
    fresh = pa.StructArray.from_arrays(columns, fields=list(told.type))
    lists = pa.ListArray.from_arrays(offsets_of(segments), fresh, type=segments.type)
    numbers = table["input_ids"].combine_chunks()
    rows = pa.ListArray.from_arrays(offsets_of(numbers), pa.array(token_ids, pa.int32()), type=numbers.type)
    table = table.set_column(table.column_names.index("segments"), table.schema.field("segments"), lists)
    return table.set_column(table.column_names.index("input_ids"), table.schema.field("input_ids"), rows)


def _blank(column: pa.Array, hit: npt.NDArray[np.bool_]) -> pa.Array:
    """A field of segments, blank where masked; `tokens` stays."""
    if pa.types.is_string(column.type):
        return pc.if_else(pa.array(hit), pa.scalar(None, column.type), column)
    if column.type == pa.int32():
        return column
    return pc.if_else(pa.array(hit), pa.scalar(0, column.type), column)


def _token_ids(table: pa.Table) -> Ids:
    """The token ids of all rows, one row behind the other."""
    ids: Ids = table["input_ids"].combine_chunks().flatten().to_numpy()
    return ids


def _told(before: Counts, masked: Masked) -> Counts:
    """What the shard counts now. `masked` are tokens that are still in its sequences, and of no document."""
    lost = {"documents": len(masked.doc_ids), "documents_cut": masked.cut, "bytes": masked.bytes}
    extra = {name: number - lost.get(name, 0) for name, number in before.extra.items()}
    extra["masked"] = extra.get("masked", 0) + masked.tokens
    return replace(before, extra=extra)


def _tell_index(url: str, counts: Counts, digest: str, key: str) -> str:
    """Writes a shard's row of the index again; returns its hash."""
    table = read_table(url)
    row = table.to_pylist()[0]
    told = {**row, **{name: value for name, value in counts.extra.items() if name in row}, "ids_sha256": digest}
    write_parquet(url, pa.Table.from_pylist([told], schema=table.schema), {"key": key})
    return storage.sha256(url)
