"""The parts of dedup: the documents that stay, with their clusters, and drops of the others."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.dedup.tables import CHOICE, numbers_of
from pipelines.engine import Job
from pipelines.parts import Part, read_table, write_part
from pipelines.rows import count_fates, drop_row, side_tables
from pipelines.schema import CLUSTER, joined
from pipelines.shuffle import read_bucket

# What a part counts of each source, by its name.
SEEN, KEPT, LOST = "documents of ", "kept of ", "lost of "


def dedup_part(job: Job) -> Part:
    """Drops the documents of a part that another one stands for, and adds CLUSTER to the others."""
    table = read_table(job.spec["input"])
    choices = read_bucket(job.spec["choices"], job.spec["part"], CHOICE).sort_by("row")
    leaves = np.zeros(table.num_rows, np.bool_)
    gone = ~choices["stays"].to_numpy(zero_copy_only=False)
    leaves[numbers_of(choices, "row")[gone]] = True
    dropped = drops_of(table, choices.filter(pa.array(gone)), job.spec["name"])
    result = add_clusters(table, choices).filter(pa.array(~leaves))
    counts = count_fates(result.num_rows, result.num_rows, dropped, [])
    # A page that a snapshot has already is not lost.
    lost = Counter(row["source"] for row in dropped if row["failed"][0]["value"] != row["doc_id"])
    numbers = ((SEEN, _count(table["source"])), (KEPT, _count(result["source"])), (LOST, lost))
    counts = replace(counts, extra={f"{what}{name}": of[name] for what, of in numbers for name in of})
    return write_part(job.directory, job.name, job.key, result, counts, side_tables(dropped, []))


def _count(sources: pa.ChunkedArray) -> dict[str, int]:
    return {each["values"]: each["counts"] for each in sources.value_counts().to_pylist()}


def drops_of(table: pa.Table, choices: pa.Table, name: str) -> list[dict[str, Any]]:
    """A drop names the document that stands for it, and how similar the two are."""
    identity = table.select(["doc_id", "revision", "url", "source", "category"]).take(choices["row"]).to_pylist()
    told = choices.select(["row", "survivor", "reason", "similarity"]).to_pylist()
    return [
        drop_row(
            row,
            "dedup",
            [
                (choice["reason"], choice["survivor"]),
                ("similarity", f"{choice['similarity']:.4f}"),
            ],
            (name, choice["row"]),
        )
        for row, choice in zip(identity, told, strict=True)
    ]


def add_clusters(table: pa.Table, choices: pa.Table) -> pa.Table:
    """The documents with CLUSTER; one that is alone is a cluster of itself."""
    at = np.full(table.num_rows, -1, np.int64)
    at[numbers_of(choices, "row")] = np.arange(choices.num_rows)
    taken = choices.select(CLUSTER.names).take(pa.array(at, mask=at < 0))
    alone = {
        "cluster_id": table["doc_id"],
        "cluster_size": pa.scalar(1, pa.int64()),
        "copies": pa.scalar([], CLUSTER.field("copies").type),
    }
    schema = joined(table.schema, CLUSTER)
    for name in CLUSTER.names:
        table = table.append_column(CLUSTER.field(name), pc.coalesce(taken[name], alone[name]))
    return table.cast(schema)
