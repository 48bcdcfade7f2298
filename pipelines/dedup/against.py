"""Earlier snapshots of a corpus: runs that new documents are compared with, and what that changes of theirs.

A snapshot's signatures are those that its classify committed; nothing of it is computed again, and none of its files
is touched. A document of it that leaves for a new one is told in a row of `superseded`; one that it had given up for a
document that leaves comes with the new run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from filters.runs import runs_of
from pipelines import classify, storage
from pipelines.dedup.parts import add_clusters, drops_of
from pipelines.dedup.tables import CHOICE, ID, REPLACED, hash_numbers, numbers_of, part_and_row, place_of, send
from pipelines.engine import Commit, Input, Job, StageError, read_commit, read_run
from pipelines.parts import Counts, Part, read_table, write_part
from pipelines.rows import drop_row, side_tables
from pipelines.run import Run
from pipelines.schema import CLUSTER, DOCUMENT, DROPPED, SCORES, joined
from pipelines.shuffle import read_bucket

SUPERSEDED, RESTORED = "superseded", "restored"
_NEWER = "newer_revision"
_DECIDE = ("permutations", "shingle_words")  # settings of classify that signatures and sketches depend on
_IDENTITY = ["doc_id", "revision", "url", "source", "category"]
_Key = tuple[str, str]


@dataclass(frozen=True)
class Snapshot:
    """An earlier run, by its commits of classify and dedup; `key` is the latter's."""

    run: Run
    classified: Commit
    kept: Commit

    @property
    def key(self) -> str:
        return self.kept.key


def snapshots(run: Run) -> list[Snapshot]:
    """The runs that a recipe names, the oldest first. Raises StageError: one is no run, or cannot be compared with."""
    found: list[Snapshot] = []
    for named in run.recipe.dedup.against:
        url = named if storage.is_remote(named) else str((run.base / named).resolve())
        earlier = read_run(url)
        classified, kept = (read_commit(earlier.directory(stage)) for stage in ("classify", "dedup"))
        if classified is None or kept is None:
            raise StageError(f"dedup.against: {named}: its {'dedup' if classified else 'classify'} is not committed")
        settings = run.recipe.classify.model_dump()
        other = [name for name in _DECIDE if classified.settings[name] != settings[name]]
        if other:
            raise StageError(
                f"dedup.against: {named}: classify.{other[0]} is {classified.settings[other[0]]} there and "
                f"{settings[other[0]]} here; signatures of both kinds cannot be compared"
            )
        if classified.version != classify.STAGE.version:
            raise StageError(
                f"dedup.against: {named}: was classified by version {classified.version} of the stage, this is "
                f"{classify.STAGE.version}; run `syscorpus classify` and `dedup` there again"
            )
        unknown = [key for key in kept.extra.get("against", []) if key not in [each.key for each in found]]
        if unknown or kept.key in [each.key for each in found]:
            raise StageError(
                f"dedup.against: {named}: was itself compared with another run, which is not named before it"
                if unknown
                else f"dedup.against: {named}: is named twice"
            )
        found.append(Snapshot(earlier, classified, kept))
    return found


def inputs_of(earlier: Sequence[Snapshot]) -> list[Input]:
    """The documents of snapshots, as `classify` left them."""
    return [
        Input(
            f"against/{number}-{part.name}",
            storage.join(each.run.directory("classify"), f"{part.name}.parquet"),
            part.content,
            part.counts.rows,
            own=False,
        )
        for number, each in enumerate(earlier)
        for part in each.classified.parts
    ]


# ---------------------------------------------------------------- pages that were fetched again


def send_ids(job: Job) -> Part:
    """Sends each document's id and text to the bucket of the id."""
    table = read_table(job.spec["input"], ["doc_id", "fold_hash"])
    high, low = hash_numbers(table["doc_id"])
    text, _ = hash_numbers(table["fold_hash"])
    place = place_of(job.spec["part"], np.arange(len(high)))
    sent = pa.table({"high": high, "low": low, "text": text, "place": place}, schema=ID)
    return send(job, sent, high, job.spec["buckets"])


def find_replaced(job: Job) -> Part:
    """Tells the parts which of their documents a later snapshot has with another text."""
    table = read_bucket(job.spec["ids"], job.spec["bucket"], ID)
    high, low, text, place = (numbers_of(table, name) for name in ID.names)
    order = np.lexsort((place, low, high))
    high, low, text, place = high[order], low[order], text[order], place[order]
    heads, sizes = runs_of(high, low)
    latest = np.repeat(heads + sizes - 1, sizes)
    part, row = part_and_row(place[text != text[latest]])
    return send(job, pa.table({"row": row}, schema=REPLACED), part, job.spec["parts"])


# ---------------------------------------------------------------- what becomes of a snapshot


def snapshot_part(job: Job) -> Part:
    """What the new run changes of a snapshot: documents that come back, and rows of those that leave."""
    gone: list[dict[str, Any]] = []
    back = [joined(joined(DOCUMENT, SCORES), CLUSTER).empty_table()]
    for each in job.spec["inputs"]:
        choices = read_bucket(job.spec["choices"], each["part"], CHOICE).sort_by("row")
        replaced = np.sort(numbers_of(read_bucket(job.spec["replaced"], each["part"], REPLACED), "row"))
        if not choices.num_rows and not len(replaced):
            continue
        identity = read_table(each["input"], _IDENTITY)
        stands = _stands(identity, each["kept"], job.spec["later"])
        stays = choices["stays"].to_numpy(zero_copy_only=False)
        row = numbers_of(choices, "row")
        leaving = choices.filter(pa.array(~stays & stands[row]))
        gone += drops_of(identity, leaving, each["name"])
        gone += [
            drop_row(
                identity.slice(at, 1).to_pylist()[0], "dedup", [(_NEWER, identity["doc_id"][at])], (each["name"], at)
            )
            for at in replaced[stands[replaced]].tolist()
        ]
        returning = choices.filter(pa.array(stays & ~stands[row]))
        if returning.num_rows:
            documents = read_table(each["input"]).take(returning["row"])
            again = returning.set_column(0, CHOICE.field("row"), pa.array(np.arange(returning.num_rows), pa.uint32()))
            back.append(add_clusters(documents, again))
    table = pa.concat_tables(back)
    counts = Counts(rows=table.num_rows, extra={SUPERSEDED: len(gone), RESTORED: table.num_rows})
    side = {SUPERSEDED: side_tables(gone, [])["dropped"]}
    return write_part(job.directory, job.name, job.key, table, counts, side)


def later_files(earlier: Sequence[Snapshot]) -> list[dict[str, list[str]]]:
    """Of each snapshot the files that say what it changed of those before it."""
    found: list[dict[str, list[str]]] = []
    for each in earlier:
        directory = each.run.directory("dedup")
        parts = [part for part in each.kept.parts if part.name.startswith(RESTORED)]
        side = [name for part in parts for name in part.side if name.startswith(f"{SUPERSEDED}/")]
        found.append(
            {
                RESTORED: [storage.join(directory, f"{part.name}.parquet") for part in parts],
                SUPERSEDED: [storage.join(directory, name) for name in side],
            }
        )
    return found


def _stands(identity: pa.Table, kept: str, later: Sequence[dict[str, list[str]]]) -> Any:
    """Whether each document of a part stands in the corpus as the snapshots have it: shape (documents,)."""
    keys = list(_keys(identity))
    ids = set(read_table(kept, ["doc_id"])["doc_id"].to_pylist())
    standing = {key for key in keys if key[0] in ids}
    own = set(keys)
    for changes in later:
        for url in changes[RESTORED]:
            standing |= own & set(_keys(read_table(url, _IDENTITY)))
        for url in changes[SUPERSEDED]:
            standing -= set(_keys(read_table(url, DROPPED.names)))
    return np.array([key in standing for key in keys], np.bool_)


def _keys(table: pa.Table) -> Iterator[_Key]:
    return zip(table["doc_id"].to_pylist(), table["revision"].to_pylist(), strict=True)
