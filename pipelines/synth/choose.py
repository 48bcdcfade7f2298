"""Which documents each kind is asked of: by category, quality, length, what they have, and a hash of their id."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.engine import Job
from pipelines.parts import Counts, Part, read_table, write_part
from pipelines.synth.tables import CANDIDATE
from pipelines.synth.uses import Use, uses_from
from synth.needs import meets

_COLUMNS = ("doc_id", "category", "topic_quality", "words")
EVERYTHING = (1 << 63) - 1  # above every order


def order_of(seed: int, doc_id: str) -> int:
    """Where a document stands in the order of admission: the same for all kinds, so that they meet at documents."""
    return int.from_bytes(hashlib.sha256(f"synth:{seed}:{doc_id}".encode()).digest()[:8], "big") >> 1


def choose_part(job: Job) -> Part:
    """The candidates of each use among the documents of a part."""
    uses = [each for each in uses_from(job.spec["uses"]) if each.index in job.spec["asks"]]
    needy = any(each.kind.needs for each in uses)
    table = read_table(job.spec["input"], [*_COLUMNS, *(["text"] if needy else [])])
    orders = np.array([order_of(job.spec["seed"], each) for each in table["doc_id"].to_pylist()], np.int64)
    tables = [CANDIDATE.empty_table()]
    for use in uses:
        rows = _candidates(table, orders, use)
        columns = {"use": np.full(len(rows), use.index, np.int16), "order": orders[rows], "row": rows}
        tables.append(pa.table(columns, schema=CANDIDATE))
    found = pa.concat_tables(tables)
    return write_part(job.directory, job.name, job.key, found, Counts(rows=found.num_rows), {})


def _candidates(table: pa.Table, orders: npt.NDArray[np.int64], use: Use) -> npt.NDArray[np.int64]:
    """Rows of the documents that suit a use."""
    wanted = use.settings
    words = table["words"].to_numpy()
    suits = (words >= max(use.kind.fewest_words, wanted.words[0])) & (words <= wanted.words[1])
    suits &= np.nan_to_num(table["topic_quality"].to_numpy().astype(np.float64)) >= wanted.quality
    suits &= orders < min(int(wanted.share * EVERYTHING), EVERYTHING)
    categories = wanted.categories or use.kind.categories
    if categories:
        suits &= pc.fill_null(pc.is_in(table["category"], pa.array(categories)), False).to_numpy()
    rows = np.flatnonzero(suits)
    if use.kind.needs:
        texts = table["text"].take(pa.array(rows)).to_pylist()
        has = [all(meets(need, text) for need in use.kind.needs) for text in texts]
        rows = rows[np.array(has, np.bool_)]
    return rows


def bounds_of(uses: Sequence[Use], urls: Sequence[str]) -> list[int]:
    """For each use, below which order a candidate is chosen, so that no more are than the recipe says."""
    orders = [np.empty(0, np.int64) for _ in uses]
    for url in urls:
        table = read_table(url, ["use", "order"])
        of, order = table["use"].to_numpy(), table["order"].to_numpy()
        for use in uses:
            if use.settings.documents is not None:
                found = np.concatenate([orders[use.index], order[of == use.index]])
                orders[use.index] = _least(found, use.settings.documents + 1)
    return [_bound(use, orders[use.index]) for use in uses]


def _least(orders: npt.NDArray[np.int64], number: int) -> npt.NDArray[np.int64]:
    """The smallest of some orders."""
    return np.partition(orders, number - 1)[:number] if len(orders) > number else orders


def _bound(use: Use, least: npt.NDArray[np.int64]) -> int:
    number = use.settings.documents
    return int(least.max()) if number is not None and len(least) > number else EVERYTHING
