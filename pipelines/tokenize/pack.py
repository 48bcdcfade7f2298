"""One shard: the documents of a list from one order to another, packed into sequences, the sequences shuffled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.packing import Pieces, best_fit, concatenated, lay_out, shuffled
from pipelines import storage
from pipelines.engine import Job
from pipelines.parts import Counts, Layout, Part, write_part
from pipelines.schema import INDEX, SEGMENT, SHARD
from pipelines.tokenize.encode import ENCODED, ids_of, load
from pipelines.tokenizer import Ids, Ints, TextTokenizer

#: Small row groups: a reader that wants one sequence reads few others. The upper bytes of ids are mostly nought.
LAYOUT = Layout(group_rows=256, split_bytes=("input_ids.list.element",))
INDEX_FOLDER = "index"
_ORDERS = 1 << 64


@dataclass(frozen=True)
class _Documents:
    """The documents of a shard, in shuffled order: their rows, and where the ids of each begin in `ids`."""

    rows: pa.Table
    ids: Ids
    begins: Ints


def pack_shard(job: Job) -> Part:
    """Writes a shard, and its row of the index beside it."""
    tokenizer = load(job.spec)
    length, seed = job.spec["sequence_length"], job.spec["seed"]
    documents = _read(job.spec["inputs"], job.spec["list"], _orders(job.spec["shard"], job.spec["shards"]))
    tokens = documents.rows["tokens"].to_numpy()
    pack = best_fit if job.spec["packing"] == "best_fit" else concatenated
    pieces = shuffled(pack(tokens, length), documents.rows["order"].to_numpy(), seed)
    rows = pieces.sequences
    ids = _room(rows * length)
    lay_out(ids, documents.ids, documents.begins, tokens, pieces, length, tokenizer.end_id)
    table = _table(ids, pieces, documents, tokenizer, length)
    told = {
        "sequences": rows,
        "documents": documents.rows.num_rows,
        "documents_cut": int((np.bincount(pieces.document, minlength=1) > 1).sum()),
        "tokens": int(tokens.sum()),
        "padding": rows * length - int(tokens.sum()),
        "bytes": int(documents.rows["bytes"].to_numpy().sum()),
    }
    index = {**told, "row_groups": -(-rows // LAYOUT.group_rows), "ids_sha256": ids_sha256(ids)}
    side = {INDEX_FOLDER: pa.Table.from_pylist([index], schema=INDEX)}
    return write_part(job.directory, job.name, job.key, table, Counts(rows=rows, extra=told), side, LAYOUT)


def ids_sha256(ids: Ids) -> str:
    """Hex digest of ids as little-endian int32."""
    return hashlib.sha256(np.ascontiguousarray(ids, "<i4").data).hexdigest()


# ---------------------------------------------------------------- what belongs to a shard


def _orders(shard: int, shards: int) -> tuple[int, int]:
    """The orders of a shard's documents, from and up to."""
    return shard * _ORDERS // shards, (shard + 1) * _ORDERS // shards


def _room(tokens: int) -> Ids:
    """Memory for ids, of Arrow's pool: it keeps what one shard has used for the next, and new pages are dear."""
    return np.frombuffer(pa.allocate_buffer(4 * tokens), "<i4")


def _read(urls: Sequence[str], name: str, between: tuple[int, int]) -> _Documents:
    found = [(url, rows) for url in urls if (rows := _rows_of(url, name, between)).num_rows]
    # The ids of a part's rows lie one behind the other; an end token that a row counts is not there.
    sizes = [int(pa.compute.sum(rows["tokens"]).as_py()) - rows.num_rows for _, rows in found]
    ids = _room(sum(sizes))
    begins = [np.empty(0, np.int64)]
    before = 0
    for (url, rows), size in zip(found, sizes, strict=True):
        places = rows["at"].to_numpy()
        with storage.open_input(ids_of(url)) as stream:
            stream.seek(int(places[0]) * 4)
            if stream.readinto(ids[before : before + size].view(np.uint8)) != size * 4:
                raise storage.StorageError(f"{ids_of(url)}: is too short")
        begins.append(places - places[0] + before)
        before += size
    rows = pa.concat_tables([ENCODED.empty_table(), *(each for _, each in found)])
    by = pa.compute.sort_indices(rows, [("order", "ascending"), ("doc_id", "ascending"), ("revision", "ascending")])
    return _Documents(rows.take(by).combine_chunks(), ids, np.concatenate(begins)[by.to_numpy()])


def _rows_of(url: str, name: str, between: tuple[int, int]) -> pa.Table:
    """The rows of one part that belong to a list and lie between two orders; they lie one behind the other."""
    with storage.open_input(url) as stream:
        file = pq.ParquetFile(stream, page_checksum_verification=True)
        held = json.loads(file.metadata.metadata[b"syscorpus"])["buckets"]
        groups = [
            index
            for index, (each, first, last) in enumerate(held)
            if each == name and last >= between[0] and first < between[1]
        ]
        if not groups:
            return ENCODED.empty_table()
        table = file.read_row_groups(groups).replace_schema_metadata(None)
    order = table["order"].to_numpy()
    first, end = (int(np.searchsorted(order, np.uint64(bound))) if bound < _ORDERS else len(order) for bound in between)
    return table.slice(first, end - first)


# ---------------------------------------------------------------- rows of SHARD


def _table(ids: Ids, pieces: Pieces, documents: _Documents, tokenizer: TextTokenizer, length: int) -> pa.Table:
    rows = len(ids) // length
    bounds = np.searchsorted(pieces.sequence, np.arange(rows + 1))
    filled = np.add.reduceat(pieces.sizes, bounds[:-1]) if rows else np.empty(0, np.int64)
    columns = {
        "input_ids": pa.ListArray.from_arrays(pa.array(np.arange(rows + 1, dtype=np.int32) * length), pa.array(ids)),
        "segments": pa.ListArray.from_arrays(pa.array(bounds, pa.int32()), _segments(pieces, documents, tokenizer)),
        "padding": pa.array(length - filled, pa.int32()),
    }
    return pa.table(columns, schema=SHARD)


def _segments(pieces: Pieces, documents: _Documents, tokenizer: TextTokenizer) -> pa.StructArray:
    """The end token is part of a document's last segment, and of none of its bytes."""
    told = documents.rows.take(pa.array(pieces.document)).combine_chunks()
    starts, ends = _byte_ranges(pieces, documents, tokenizer)
    columns: Mapping[str, Any] = {
        "doc_id": told["doc_id"],
        "revision": told["revision"],
        "tokens": pa.array(pieces.sizes, pa.int32()),
        "start_byte": pa.array(starts),
        "end_byte": pa.array(ends),
        "middle_start": told["middle_start"],
        "middle_end": told["middle_end"],
    }
    arrays = [each.combine_chunks() if isinstance(each, pa.ChunkedArray) else each for each in columns.values()]
    return pa.StructArray.from_arrays(arrays, fields=list(SEGMENT))


def _byte_ranges(pieces: Pieces, documents: _Documents, tokenizer: TextTokenizer) -> tuple[Ints, Ints]:
    """Where each piece begins and ends in the bytes of its document; only what was cut needs its tokens counted."""
    starts, ends = np.zeros(len(pieces), np.int64), documents.rows["bytes"].to_numpy()[pieces.document]
    tokens = documents.rows["tokens"].to_numpy()
    cut = np.flatnonzero(pieces.sizes < tokens[pieces.document])
    by = cut[np.lexsort((pieces.start[cut], pieces.document[cut]))]
    ordered = Pieces(pieces.document[by], pieces.start[by], pieces.end[by], pieces.sequence[by])
    starts[by], ends[by] = tokenizer.byte_ranges(documents.ids, documents.begins, ordered)
    return starts, ends
