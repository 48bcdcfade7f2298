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
SEEN, LOST = "documents of ", "lost of "


def dedup_part(job: Job) -> Part:
    """Drops the documents of a part that another one stands for, and adds CLUSTER to the others."""
    table = read_table(job.spec["input"])
    choices = read_bucket(job.spec["choices"], job.spec["part"], CHOICE).sort_by("row")
    leaves = np.zeros(table.num_rows, np.bool_)
    row, ids = numbers_of(choices, "row"), table["doc_id"]
    own = np.array(ids.take(choices["row"]).to_pylist(), object)
    gone = np.array(choices["survivor"].to_pylist(), object) != own
    leaves[row[gone]] = True
    dropped = _drops(table, choices.filter(pa.array(gone)), job.spec["name"])
    result = table.filter(pa.array(~leaves))
    for name, column in _clusters(table, choices, ~leaves).items():
        result = result.append_column(CLUSTER.field(name), column)
    result = result.cast(joined(table.schema, CLUSTER))
    counts = count_fates(result.num_rows, result.num_rows, dropped, [])
    lost = Counter(row["source"] for row in dropped)
    seen = {each["values"]: each["counts"] for each in table["source"].value_counts().to_pylist()}
    counts = replace(
        counts, extra={f"{SEEN}{name}": seen[name] for name in seen} | {f"{LOST}{k}": lost[k] for k in lost}
    )
    return write_part(job.directory, job.name, job.key, result, counts, side_tables(dropped, []))


def _drops(table: pa.Table, choices: pa.Table, name: str) -> list[dict[str, Any]]:
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


def _clusters(table: pa.Table, choices: pa.Table, stays: Any) -> dict[str, pa.Array]:
    """CLUSTER of the documents that stay; one that is alone is a cluster of itself."""
    at = np.full(table.num_rows, -1, np.int64)
    at[numbers_of(choices, "row")] = np.arange(choices.num_rows)
    place = at[stays]
    known = pa.array(place, pa.int64(), mask=place < 0)
    taken = choices.select(CLUSTER.names).take(known)
    ids = table["doc_id"].filter(pa.array(stays))
    alone = {"cluster_id": ids, "cluster_size": pa.scalar(1, pa.int64()), "copies": pa.scalar([], CLUSTER[2].type)}
    return {name: pc.coalesce(taken[name], alone[name]) for name in CLUSTER.names}
