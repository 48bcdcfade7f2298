"""Lists: which documents are packed and shuffled together, and what is kept aside to validate on.

A list is `CATEGORY.TIER.ORIGIN`. What a mixture weighs are lists, so that another weight rewrites no shard.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

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
    tiers = np.full(table.num_rows, 2)
    tiers[quality >= settings.tiers.medium] = 1
    tiers[quality >= settings.tiers.high] = 0
    origins = pa.compute.list_value_length(table["parents"]).fill_null(0).to_numpy() > 0
    splits = _is_validation(table, settings.validation, seed)
    categories = table["category"].combine_chunks().dictionary_encode()
    shape = (len(SPLITS), len(categories.dictionary), len(TIERS), len(ORIGINS))
    places = (splits.astype(np.int64), categories.indices.to_numpy(), tiers, origins.astype(np.int64))
    used, numbers = np.unique(np.ravel_multi_index(places, shape), return_inverse=True)
    names = [
        f"{SPLITS[split]}/{categories.dictionary[category]}.{TIERS[tier]}.{ORIGINS[origin]}"
        for split, category, tier, origin in zip(*np.unravel_index(used, shape), strict=True)
    ]
    return np.array(names, object)[numbers]


def _is_validation(table: pa.Table, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """By a hash of the cluster, so that no near-duplicate sits on both sides; a rewrite is of its parent's cluster."""
    cluster = table["cluster_id"].fill_null("")
    clusters = pa.compute.if_else(pa.compute.equal(cluster, ""), table["doc_id"], cluster)
    hashes = orders(clusters, seed ^ _VALIDATION)
    return (hashes >> np.uint64(11)).astype(np.float64) < share * float(1 << 53)


def orders(names: Sequence[str] | pa.ChunkedArray, seed: int) -> npt.NDArray[np.uint64]:
    """Where each name stands in a shuffled order: the same for the same seed, whatever stands beside it."""
    if isinstance(names, pa.ChunkedArray):
        column = names.combine_chunks().cast(pa.large_string())
    else:
        column = pa.array(names, pa.large_string())
    text, offsets = utf8_of(column)
    return order_of(text, offsets, seed)


def utf8_of(column: pa.LargeStringArray) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """(bytes, offsets) of a column without nulls: text n is bytes[offsets[n] : offsets[n + 1]]; copies nothing."""
    _, offsets, data = column.buffers()
    places = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1] if offsets else _NONE
    return np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8), places


_NONE = np.zeros(1, np.int64)
