"""Rows sent to buckets: one file a sender, one row group (or more) a bucket, read back bucket by bucket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import storage
from pipelines.parts import Counts, Layout, Part, add_footer, key_of, parquet_options, write_beside


def bucket_of(doc_id: str, buckets: int) -> int:
    """The bucket of a document: its id is a hash already."""
    return int(doc_id[:12], 16) % buckets


def write_buckets(
    directory: str,
    name: str,
    key: str,
    schema: pa.Schema,
    tables: Iterable[tuple[Any, pa.Table]],
    close: Callable[[int], tuple[Counts, Mapping[str, pa.Table]]] = lambda rows: (Counts(rows=rows), {}),
    beside: Mapping[str, str] | None = None,
) -> Part:
    """Commits a file of (bucket, rows) in the order given; memory holds one table at a time.

    `close` is asked at the end, with the number of rows, for the counts and for the tables to stand beside.
    `beside` are files that stand there already: the SHA-256 of each by its name.
    """
    url = storage.join(directory, f"{name}.parquet")
    buckets: list[Any] = []
    rows = 0
    with storage.writing(url) as path:
        with pq.ParquetWriter(path, schema, **parquet_options(Layout())) as writer:
            for bucket, table in tables:
                if table.num_rows:
                    writer.write_table(table, row_group_size=table.num_rows)
                    buckets.append(bucket)
                    rows += table.num_rows
            counts, side = close(rows)
            counts.check(url)
            hashes = {**write_beside(directory, name, key, side), **(beside or {})}
            footer = {"key": key, "counts": asdict(counts), "side": hashes, "buckets": buckets}
            finish = add_footer(writer, path, footer)
        written = finish()
    return Part(name, key, counts, *written, hashes)


def read_bucket(urls: Sequence[str], bucket: Any, schema: pa.Schema) -> pa.Table:
    """All rows that the senders sent to a bucket, in the order of the senders."""
    tables = [schema.empty_table()]
    for url in urls:
        with storage.open_input(url) as stream:
            file = pq.ParquetFile(stream, page_checksum_verification=True)
            held = json.loads(file.metadata.metadata[b"syscorpus"])["buckets"]
            if groups := [index for index, each in enumerate(held) if each == bucket]:
                tables.append(file.read_row_groups(groups).replace_schema_metadata(None))
    return pa.concat_tables(tables)


def shuffle_key(seed: int, *identity: object) -> str:
    """Where something stands in a shuffled order: the same for the same seed, whatever stands beside it."""
    return key_of("shuffle", seed, *identity)
