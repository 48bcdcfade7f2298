"""The columns that pass between stages. Each stage adds its own; none renames one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from filters import shares
from filters.general.scores import SCORES as GENERAL
from filters.junk.scores import SCORES as JUNK
from filters.stream import COUNTS

SCHEMA_VERSION = 2

_SPAN = pa.struct([("start", pa.int64()), ("end", pa.int64()), ("kind", pa.string())])

_LEAK = pa.struct(
    [
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("set", pa.string()),
        ("item", pa.int32()),
        ("kind", pa.string()),
        ("score", pa.float32()),
    ]
)

# What `extract` knows of a document. Where it came from is in RECORDS: it changes with every crawl, this does not.
DOCUMENT = pa.schema(
    [
        ("schema_version", pa.int16()),
        ("doc_id", pa.string()),
        ("revision", pa.string()),
        ("url", pa.string()),
        ("source", pa.string()),
        ("category", pa.string()),
        ("category_secondary", pa.string()),
        ("licence", pa.string()),
        ("licence_evidence", pa.string()),
        ("opt_out", pa.list_(pa.string())),
        ("title", pa.string()),
        # What the page says of itself, and where each of these was found; how its content was found, and whose it is.
        ("date", pa.string()),
        ("authors", pa.list_(pa.string())),
        ("canonical", pa.string()),
        ("licence_stated", pa.string()),
        ("found", pa.map_(pa.string(), pa.string())),
        ("method", pa.string()),
        ("generator", pa.string()),
        ("language", pa.string()),
        ("parents", pa.list_(pa.string())),
        ("kind", pa.string()),
        ("text", pa.large_string()),
    ]
)

# Beside the documents: the records each was made from. `row` is the offset of a WARC record, else the row number.
RECORDS = pa.schema(
    [
        ("doc_id", pa.string()),
        ("revision", pa.string()),
        ("url", pa.string()),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("piece", pa.int32()),
        ("digest", pa.string()),
        ("fetched_at", pa.timestamp("us", tz="UTC")),
    ]
)

# What `classify` adds.
SCORES = pa.schema(
    [
        ("language_score", pa.float32()),
        ("fold_hash", pa.string()),
        ("signature", pa.binary()),
        ("sketch", pa.binary()),
        ("spans", pa.list_(_SPAN)),
        ("leaks", pa.list_(_LEAK)),
        ("datatrove_failed", pa.list_(pa.string())),
        # What the models say: the two likeliest categories, whether it is of our domain, whether an engineer keeps it.
        ("topic", pa.string()),
        ("topic_score", pa.float32()),
        ("topic_second", pa.string()),
        ("topic_second_score", pa.float32()),
        ("relevance", pa.float32()),
        ("topic_quality", pa.float32()),
        *[(name, pa.int64()) for name in COUNTS],
        *[(name, pa.float32()) for name in (*shares.SCORES, *GENERAL, *JUNK)],
    ]
)

# What `dedup` adds.
CLUSTER = pa.schema([("cluster_id", pa.string()), ("cluster_size", pa.int64()), ("copies", pa.list_(pa.string()))])

# What `filter` adds; it lets go of the signature and the spans.
EDITS = pa.schema([("edits", pa.list_(_SPAN))])

DROPPED = pa.schema(
    [
        ("doc_id", pa.string()),
        ("revision", pa.string()),
        ("url", pa.string()),
        ("source", pa.string()),
        ("category", pa.string()),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("failed", pa.list_(pa.struct([("reason", pa.string()), ("value", pa.string())]))),
        ("input", pa.string()),
        ("row", pa.int64()),
    ]
)

QUARANTINED = pa.schema(
    [
        ("doc_id", pa.string()),
        ("url", pa.string()),
        ("source", pa.string()),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("input", pa.string()),
        ("row", pa.int64()),
    ]
)

# A packed sequence. Segments stand in order and fill `input_ids` from the left; what is left over is padding.
# `middle_start` and `middle_end` are null but for a document rearranged for fill-in-the-middle. A segment that was
# taken down has no doc_id, and end tokens in the place of its own.
SEGMENT = pa.struct(
    [
        ("doc_id", pa.string()),
        ("revision", pa.string()),
        ("tokens", pa.int32()),
        ("start_byte", pa.int64()),
        ("end_byte", pa.int64()),
        ("middle_start", pa.int64()),
        ("middle_end", pa.int64()),
    ]
)
SHARD = pa.schema([("input_ids", pa.list_(pa.int32())), ("segments", pa.list_(SEGMENT)), ("padding", pa.int32())])

# What a shard holds, one row beside it. `tokens` counts end tokens, and no padding.
INDEX = pa.schema(
    [
        *[(name, pa.int64()) for name in ("sequences", "documents", "documents_cut", "tokens", "padding", "bytes")],
        ("row_groups", pa.int32()),
        ("ids_sha256", pa.string()),
    ]
)


def table_of(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as a table of a schema; a key that is missing is null."""
    return pa.Table.from_pylist(list(rows), schema=schema)


def joined(*schemas: pa.Schema) -> pa.Schema:
    """The columns of several, in order."""
    return pa.schema([field for schema in schemas for field in schema])
