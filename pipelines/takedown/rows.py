"""Rows of the parts of a stage: those of documents that go leave, with all that stands beside the part.

A document that leaves does so as if it had never been read: its rows in side tables go, too, and where the rows behind
it move up, drops say the new row. One that its file still holds is a drop of `extract` (reason `taken_down`).

The key of a part that was touched is one that no job has, so that a stage that is made anew makes it anew.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import storage
from pipelines.dedup.parts import KEPT, LOST, SEEN
from pipelines.engine import Commit
from pipelines.parts import Counts, Part, read_footer, read_table, write_parquet
from pipelines.rows import drop_row
from pipelines.run import Run
from pipelines.schema import DROPPED, table_of
from pipelines.takedown.commits import part_at
from pipelines.takedown.plan import Leaving, Plan

_BOILERPLATE = "boilerplate"


@dataclass(frozen=True)
class Removal:
    """What goes of a stage. `rows`: of parts, by `STAGE/PART`; `records`: places in files whose records are gone;
    `left`: drops of documents whose records are not, by doc_id. `key`: of the parts that are touched."""

    stage: str
    directory: str
    rows: Mapping[str, Sequence[int]]
    records: frozenset[tuple[str, int]]
    left: Mapping[str, Mapping[str, Any]]
    key: str


def removal_of(run: Run, stage: str, plan: Plan, key: str) -> Removal:
    """What a plan removes of a stage."""
    leaving = {each.doc_id: each for each in plan.leaving}
    records = {(file, row) for file, rows in plan.places.own.items() for row in rows}
    left = {doc_id: _drop(leaving[doc_id], file, row) for doc_id, file, row in plan.places.shared}
    return Removal(stage, run.directory(stage), plan.rows, frozenset(records), left, key)


def _drop(each: Leaving, file: str, row: int) -> dict[str, Any]:
    identity = {"doc_id": each.doc_id, "url": each.url, "source": each.source}
    return drop_row(identity, "extract", [("taken_down", "")], (file, row))


def remove_rows(removal: Removal, commit: Commit) -> list[Part]:
    """The parts of a stage as they now are; those that held something are written anew."""
    return [_clean(removal, part) or part for part in commit.parts]


def _clean(removal: Removal, part: Part) -> Part | None:
    """Cleans one part; None where nothing of it goes."""
    url = storage.join(removal.directory, f"{part.name}.parquet")
    footer = read_footer(url)
    if footer["key"] == removal.key:
        return part_at(removal.directory, part.name, removal.key)
    gone = removal.rows.get(f"{removal.stage}/{part.name}", ())
    table = read_table(url)
    ids = frozenset(table["doc_id"].take(pa.array(gone, pa.int64())).to_pylist())
    side: dict[str, str] = {}
    changed = bool(gone)
    for relative, digest in footer["side"].items():
        now = _clean_beside(removal, relative, digest, ids)
        changed |= now != digest
        if now:
            side[relative] = now
    changed |= _add_left(removal, part, ids, side)
    if not changed:
        return None
    kept = table.filter(pa.array(np.isin(np.arange(table.num_rows), gone, invert=True)))
    counts = _counts(removal, part, kept, table.num_rows - kept.num_rows, side)
    write_parquet(url, kept, {"key": removal.key, "counts": asdict(counts), "side": side})
    return part_at(removal.directory, part.name, removal.key)


def _clean_beside(removal: Removal, relative: str, digest: str, ids: frozenset[str]) -> str:
    """Cleans a table beside a part; returns its hash, empty where it has no rows left.

    One that has not the hash of the footer was cleaned before a kill.
    """
    url = storage.join(removal.directory, relative)
    if not storage.exists(url):
        return ""
    if storage.sha256(url) != digest:
        return storage.sha256(url)
    table = read_table(url)
    if relative.startswith(("records/", "provenance/")):
        fresh = table.filter(pc.invert(pc.is_in(table["doc_id"], pa.array(sorted(ids), pa.string()))))
    elif {"input", "row"} <= set(table.column_names):
        fresh = _moved(removal, table)
    else:
        return digest
    if fresh.equals(table):
        return digest
    if not fresh.num_rows:
        storage.delete(url)
        return ""
    write_parquet(url, fresh, {"key": removal.key})
    return storage.sha256(url)


def _moved(removal: Removal, table: pa.Table) -> pa.Table:
    """Drops and quarantine rows: without those of rows and records that are gone, with the rows that are now right."""
    keep, rows = [], []
    for place, row in zip(table["input"].to_pylist(), table["row"].to_pylist(), strict=True):
        gone = removal.rows.get(place, ())
        before = bisect_left(gone, row)
        is_gone = (place, row) in removal.records or (before < len(gone) and gone[before] == row)
        keep.append(not is_gone)
        rows.append(row - before)
    at = table.column_names.index("row")
    return table.set_column(at, table.schema.field(at), pa.array(rows, pa.int64())).filter(pa.array(keep, pa.bool_()))


def _add_left(removal: Removal, part: Part, ids: frozenset[str], side: dict[str, str]) -> bool:
    """Adds the drops of documents whose record cannot be cut out, to those of their part."""
    rows = [dict(removal.left[doc_id]) for doc_id in sorted(ids & removal.left.keys())]
    if removal.stage != "extract" or not rows:
        return False
    relative = f"dropped/{part.name}.parquet"
    url = storage.join(removal.directory, relative)
    there = read_table(url) if storage.exists(url) else DROPPED.empty_table()
    known = set(zip(there["doc_id"].to_pylist(), there["reason"].to_pylist(), strict=True))
    more = table_of([row for row in rows if (row["doc_id"], row["reason"]) not in known], DROPPED)
    write_parquet(url, pa.concat_tables([there, more]).sort_by("doc_id"), {"key": removal.key})
    side[relative] = storage.sha256(url)
    return True


def _counts(removal: Removal, part: Part, kept: pa.Table, lost: int, side: Mapping[str, str]) -> Counts:
    """The counts of a part that lost so many rows. What it drops is what stands beside it."""
    before = part.counts
    told = {folder: _reasons(removal, f"{folder}/{part.name}.parquet", side) for folder in ("dropped", "quarantine")}
    consumed = max(0, before.consumed - lost)
    counts = Counts(
        seen=consumed + sum(told["dropped"].values()) + sum(told["quarantine"].values()),
        consumed=consumed,
        rows=kept.num_rows,
        dropped=told["dropped"],
        quarantined=told["quarantine"],
        extra=before.extra,
    )
    if removal.stage == "dedup":
        return replace(counts, extra=_by_source(removal, part, kept, side))
    return counts


def _reasons(removal: Removal, relative: str, side: Mapping[str, str]) -> dict[str, int]:
    if relative not in side:
        return {}
    table = read_table(storage.join(removal.directory, relative), ["reason"])
    return dict(sorted(Counter(table["reason"].to_pylist()).items()))


def _by_source(removal: Removal, part: Part, kept: pa.Table, side: Mapping[str, str]) -> dict[str, int]:
    """What a part of dedup counts of each source (see `dedup_part`); of one of an earlier run, its rows."""
    if not any(name.startswith(SEEN) for name in part.counts.extra):
        return {name: kept.num_rows if name == "restored" else number for name, number in part.counts.extra.items()}
    relative = f"dropped/{part.name}.parquet"
    rows = read_table(storage.join(removal.directory, relative)).to_pylist() if relative in side else []
    stay = Counter(kept["source"].to_pylist())
    lost = Counter(row["source"] for row in rows if row["failed"][0]["value"] != row["doc_id"])
    seen = stay + Counter(row["source"] for row in rows)
    return {f"{what}{name}": of[name] for what, of in ((SEEN, seen), (KEPT, stay), (LOST, lost)) for name in of}


# ---------------------------------------------------------------- boilerplate


def clean_boilerplate(run: Run, commit: Commit, sources: set[str], key: str) -> list[Part]:
    """The table of boilerplate without lines that stand on no page of their source any more."""
    directory = run.directory("dedup")
    return [_clean_lines(run, directory, part, sources, key) for part in commit.artefacts]


def _clean_lines(run: Run, directory: str, part: Part, sources: set[str], key: str) -> Part:
    url = storage.join(directory, f"{part.name}.parquet")
    if read_footer(url)["key"] == key:
        return part_at(directory, part.name, key)
    table = read_table(url)
    doubted = {row["lines"] for row in table.to_pylist() if row["source"] in sources}
    for text in _texts_of(run, sources) if doubted else ():
        doubted = {lines for lines in doubted if lines not in text}
        if not doubted:
            break
    if not doubted:
        return part
    gone = [row["source"] in sources and row["lines"] in doubted for row in table.to_pylist()]
    kept = table.filter(pc.invert(pa.array(gone, pa.bool_())))
    counts = replace(part.counts, rows=kept.num_rows)
    write_parquet(url, kept, {"key": key, "counts": asdict(counts), "side": {}})
    return part_at(directory, part.name, key)


def _texts_of(run: Run, sources: set[str]) -> Iterator[str]:
    """The texts of sources, as extract left them."""
    directory = run.directory("extract")
    for name in storage.list_files(directory):
        if name.startswith("part-") and name.endswith(".parquet"):
            table = read_table(storage.join(directory, name), ["source", "text"])
            yield from table.filter(pc.is_in(table["source"], pa.array(sorted(sources))))["text"].to_pylist()


# ---------------------------------------------------------------- files between the steps


def remove_steps(run: Run, stage: str, ids: pa.Array) -> list[str]:
    """Deletes files of a stage's steps that hold documents.

    Those of dedup (bands, sketches, shingles and so on) hold rows of hashes that cannot be told apart: they go whole.
    None is missed: what a later making of the stage needs, it makes again.
    """
    directory = run.directory(stage)
    names = storage.list_files(directory)
    gone: list[str] = []
    steps = [name for name in names if name.startswith("_") and "/" in name]
    for name in steps:
        if stage == "dedup":
            gone.append(name)
        elif name.endswith(".parquet") and _holds(storage.join(directory, name), ids):
            folder = name.partition("/")[0]
            gone += [name, *(f"{folder}/{beside}" for beside in read_footer(storage.join(directory, name))["side"])]
        elif name.endswith(".ids") and name.removesuffix(".ids") + ".parquet" not in names:
            gone.append(name)  # of a writer that was killed
    for name in gone:
        storage.delete(storage.join(directory, name))
    return sorted(set(gone))


def _holds(url: str, ids: pa.Array) -> bool:
    """Whether a table has rows of documents; they are named by their ids, or by their parents'."""
    with storage.open_input(url) as stream:
        file = pq.ParquetFile(stream)
        if "doc_id" not in file.schema_arrow.names:
            return False
        return any(pc.any(pc.is_in(batch.column(0), ids)).as_py() for batch in file.iter_batches(columns=["doc_id"]))
