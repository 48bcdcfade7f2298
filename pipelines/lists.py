"""Lists: which documents are packed and shuffled together, and what is kept aside to validate on.

A list is `CATEGORY.TIER.ORIGIN`. What a mixture weighs are lists, so that another weight rewrites no shard.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.packing import order_of
from manifests.models import TokenizeSettings

TIERS = ("high", "medium", "low")
ORIGINS = ("natural", "synthetic")
SPLITS = ("train", "validation")
#: The columns that decide.
COLUMNS = ("doc_id", "category", "topic_quality", "parents", "cluster_id")

_VALIDATION = 0x76616C69  # keeps the split apart from the order of documents


def lists_of(table: pa.Table, settings: TokenizeSettings, seed: int) -> npt.NDArray[np.object_]:
    """`SPLIT/LIST` of each row. A quality that nobody has told is the lowest."""
    quality = table["topic_quality"].to_numpy().astype(np.float64)
    tiers = np.full(table.num_rows, TIERS[2], object)
    tiers[quality >= settings.tiers.medium] = TIERS[1]
    tiers[quality >= settings.tiers.high] = TIERS[0]
    synthetic = [bool(parents) for parents in table["parents"].to_pylist()]
    origins = np.where(synthetic, ORIGINS[1], ORIGINS[0]).astype(object)
    splits = np.where(_is_validation(table, settings.validation, seed), SPLITS[1], SPLITS[0]).astype(object)
    categories = np.array(table["category"].to_pylist(), object)
    named = splits + "/" + categories + "." + tiers + "." + origins
    return np.asarray(named, object)


def _is_validation(table: pa.Table, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """By a hash of the cluster, so that no near-duplicate sits on both sides; a rewrite is of its parent's cluster."""
    clusters = [cluster or doc_id for cluster, doc_id in zip(*_names(table), strict=True)]
    hashes = orders(clusters, seed ^ _VALIDATION)
    return (hashes >> np.uint64(11)).astype(np.float64) < share * float(1 << 53)


def _names(table: pa.Table) -> tuple[list[str | None], list[str]]:
    return table["cluster_id"].to_pylist(), table["doc_id"].to_pylist()


def orders(names: list[str], seed: int) -> npt.NDArray[np.uint64]:
    """Where each name stands in a shuffled order: the same for the same seed, whatever stands beside it."""
    column = pa.array(names, pa.large_string())
    text, offsets = utf8_of(column)
    return order_of(text, offsets, seed)


def utf8_of(column: pa.LargeStringArray) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """(bytes, offsets) of a column without nulls: text n is bytes[offsets[n] : offsets[n + 1]]; copies nothing."""
    _, offsets, data = column.buffers()
    places = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1] if offsets else _NONE
    return np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8), places


_NONE = np.zeros(1, np.int64)
