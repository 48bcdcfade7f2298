"""What a takedown would remove, and what stays: told from the columns of a run, before anything is changed.

The removal set are the documents that a request names, their rewrites, and excerpts: documents that dedup gave up
because they are contained in one of these. The same text under other URLs (the survivor of a cluster, copies that were
given up for a document that goes, larger documents that hold it) stays unless the request says `copies_too`: a person
decides, and the plan says under which licence it does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crawlers.takedown import Takedowns
from pipelines import storage
from pipelines.dedup.against import RESTORED
from pipelines.engine import read_commit
from pipelines.parts import read_table
from pipelines.run import Run
from pipelines.takedown import records, responses
from pipelines.takedown.records import Places
from pipelines.takedown.request import RefusedError, Request
from pipelines.takedown.shards import documents_in

#: Stages whose parts hold rows of documents.
STAGES = ("extract", "classify", "dedup", "filter", "synth")
NAMED, REWRITE, EXCERPT, COPY = "named", "rewrite", "excerpt", "copy"
STANDS, HOLDS, GIVEN_UP = "stands for it", "holds it", "was given up for it"
_CONTAINED = "contained"
_IDENTITY = ("doc_id", "url", "source", "licence")


@dataclass(frozen=True)
class Leaving:
    """A document that goes, why (NAMED, REWRITE, EXCERPT, COPY), and of which other one."""

    doc_id: str
    url: str
    source: str
    licence: str
    why: str
    of: str


@dataclass(frozen=True)
class Staying:
    """A document outside the set that has text of one in it, and how (STANDS, HOLDS, GIVEN_UP).

    One of which only an earlier run knows has no licence here.
    """

    doc_id: str
    url: str
    source: str
    licence: str
    how: str
    of: str
    similarity: str


@dataclass(frozen=True)
class Plan:
    """What goes. `rows`: rows of parts, by `STAGE/PART`; `responses`: keys of requests about it.

    `shards`: shards of `tokenize` that hold some of it, with the number of documents.
    """

    leaving: Sequence[Leaving]
    staying: Sequence[Staying]
    rows: Mapping[str, Sequence[int]]
    places: Places
    responses: Sequence[str]
    shards: Mapping[str, int] = field(default_factory=dict)

    def doc_ids(self) -> list[str]:
        """The ids of the documents that go, sorted."""
        return sorted(each.doc_id for each in self.leaving)

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it: for the journal, from which a takedown that was killed goes on."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Plan:
        """The plan that `to_json` told."""
        return cls(
            [Leaving(**each) for each in told["leaving"]],
            [Staying(**each) for each in told["staying"]],
            told["rows"],
            Places(**told["places"]),
            told["responses"],
            told["shards"],
        )


def make_plan(run: Run, request: Request) -> Plan:
    """Finds what a request removes of a run. Raises RefusedError where the run has no documents."""
    if read_commit(run.directory("extract")) is None:
        raise RefusedError(f"takedown: extract is not committed in {run.url}; there are no documents to take down")
    search = _Search(run, request)
    search.find()
    chosen = search.chosen
    known = dict(search.known())
    leaving = [
        Leaving(doc_id, *known.get(doc_id, ("", "", "")), why, of) for doc_id, (why, of) in sorted(chosen.items())
    ]
    staying = [
        Staying(doc_id, *known.get(doc_id, ("", "", "")), how, of, similarity)
        for (doc_id, of), (how, similarity) in sorted(search.staying.items())
    ]
    ids = pa.array(sorted(chosen), pa.string())
    shards = documents_in(run.directory("tokenize"), ids) if read_commit(run.directory("tokenize")) else {}
    return Plan(
        leaving,
        staying,
        dict(_rows(run, ids)),
        records.find_places(run, request.names(), set(chosen)),
        responses.find_responses(run, ids),
        shards,
    )


def parts_of(run: Run, stage: str, columns: Sequence[str]) -> Iterator[tuple[str, pa.Table]]:
    """Name and some columns of each committed part of a stage; one that a part lacks is left out of its table."""
    commit = read_commit(run.directory(stage))
    for part in commit.parts if commit else ():
        url = storage.join(run.directory(stage), f"{part.name}.parquet")
        with storage.open_input(url) as stream:
            there = set(pq.read_schema(stream).names)
        yield part.name, read_table(url, [name for name in columns if name in there])


def _rows(run: Run, ids: pa.Array) -> Iterator[tuple[str, list[int]]]:
    """The rows of each part that hold documents of the set."""
    for stage in STAGES:
        for name, table in parts_of(run, stage, ["doc_id"]):
            found = pc.indices_nonzero(pc.is_in(table["doc_id"], ids)).to_pylist()
            if found:
                yield f"{stage}/{name}", found


class _Search:
    """Finds the set. It grows until nothing is added: an excerpt may have rewrites, a copy may have excerpts."""

    def __init__(self, run: Run, request: Request) -> None:
        self._run, self._copies_too = run, request.copies_too
        self._names = request.names()
        self.chosen: dict[str, tuple[str, str]] = {}
        #: By id, and the id of the document of the set that it has text of.
        self.staying: dict[tuple[str, str], tuple[str, str]] = {}

    def find(self) -> None:
        """Fills `chosen` and `staying`. Raises RefusedError for a rewrite: its parent would be rewritten again."""
        for doc_id, parents in self._rewrites():
            if self._names.covers("", doc_id):
                raise RefusedError(f"takedown: {doc_id} is a rewrite; take down {', '.join(parents)}, its parent")
        for doc_id, (url, _, licence) in self.known(("extract", "dedup")):
            if self._names.covers(url, doc_id) or self._names.covers_licence(licence):
                self.chosen[doc_id] = (NAMED, "")
        while self._follow():
            pass

    def known(
        self, stages: Sequence[str] = ("extract", "dedup", "synth")
    ) -> Iterator[tuple[str, tuple[str, str, str]]]:
        """Id, and URL, source and licence, of every document: of `extract`, of earlier runs, and rewrites."""
        for stage in stages:
            for name, table in parts_of(self._run, stage, _IDENTITY):
                if stage != "dedup" or name.startswith(RESTORED):
                    columns = [[value or "" for value in table[each].to_pylist()] for each in _IDENTITY]
                    for doc_id, *told in zip(*columns, strict=True):
                        yield doc_id, (told[0], told[1], told[2])

    def _follow(self) -> bool:
        """Adds what hangs on what is chosen; False where that is nothing."""
        before = len(self.chosen)
        self.staying.clear()
        for doc_id, reason, survivor, similarity in self._given_up():
            self._weigh(doc_id, reason, survivor, similarity)
        for doc_id, parents in self._rewrites():
            for parent in parents:
                if parent in self.chosen:
                    self.chosen.setdefault(doc_id, (REWRITE, parent))
        self._weigh_copies()
        return len(self.chosen) > before

    def _weigh(self, doc_id: str, reason: str, survivor: str, similarity: str) -> None:
        """A document that dedup gave up for another one."""
        if survivor in self.chosen and doc_id not in self.chosen:
            if reason == _CONTAINED:
                self.chosen[doc_id] = (EXCERPT, survivor)
            else:
                self._is_copy(doc_id, survivor, GIVEN_UP, similarity)
        elif doc_id in self.chosen and survivor not in self.chosen and survivor != doc_id:
            self._is_copy(survivor, doc_id, HOLDS if reason == _CONTAINED else STANDS, similarity)

    def _is_copy(self, doc_id: str, of: str, how: str, similarity: str) -> None:
        if self._copies_too:
            self.chosen[doc_id] = (COPY, of)
        else:
            self.staying[doc_id, of] = (how, similarity)

    def _weigh_copies(self) -> None:
        """Survivors that name a URL of the request among their copies: one of an earlier run has no row here."""
        told_of = {doc_id for doc_id, _ in self.staying}
        for _, table in parts_of(self._run, "dedup", ["doc_id", "copies"]):
            told = table.filter(pc.greater(pc.fill_null(pc.list_value_length(table["copies"]), 0), 0))
            for row in told.to_pylist():
                named = [url for url in row["copies"] if url and self._names.covers(url, "")]
                if named and row["doc_id"] not in self.chosen and row["doc_id"] not in told_of:
                    self._is_copy(row["doc_id"], named[0], STANDS, "")

    def _given_up(self) -> Iterator[tuple[str, str, str, str]]:
        """Id, reason, survivor and similarity of each drop of dedup."""
        commit = read_commit(self._run.directory("dedup"))
        for part in commit.parts if commit else ():
            relative = f"dropped/{part.name}.parquet"
            if relative in part.side:
                url = storage.join(self._run.directory("dedup"), relative)
                for row in read_table(url, ["doc_id", "reason", "failed"]).to_pylist():
                    survivor, *others = row["failed"]
                    yield row["doc_id"], row["reason"], survivor["value"], others[0]["value"] if others else ""

    def _rewrites(self) -> Iterator[tuple[str, list[str]]]:
        for _, table in parts_of(self._run, "synth", ["doc_id", "parents"]):
            yield from zip(
                table["doc_id"].to_pylist(), (each or [] for each in table["parents"].to_pylist()), strict=True
            )


def entries_of(plan: Plan, request: Request, when: str) -> list[dict[str, str]]:
    """The entries by which it is remembered: what the request names, and each document that these do not cover.

    A licence is known only when a page has been read; so that it is not fetched again, each of its documents is named.
    """
    by_url = Takedowns([each for each in request.entries("") if "licence" not in each])
    more = [
        {"doc_id": each.doc_id, "who": request.who, "when": when, "why": f"{request.why} ({_because(each)})"}
        for each in plan.leaving
        if each.why != REWRITE and not by_url.covers(each.url, each.doc_id)
    ]
    return [*request.entries(when), *more]


def _because(each: Leaving) -> str:
    return f"{each.why} of {each.of}" if each.of else f"under {each.licence}"


# ---------------------------------------------------------------- for people


def render(plan: Plan, most: int = 40) -> str:
    """The plan in words; of long lists the first."""
    whys = [each.why for each in plan.leaving]
    lines = [f"{len(whys):,} documents go: " + ", ".join(f"{whys.count(why):,} {why}" for why in dict.fromkeys(whys))]
    if not whys:
        lines = ["no document of the run is named; the request will be remembered all the same"]
    for each in plan.leaving[:most]:
        of = f" of {each.of}" if each.of else ""
        lines.append(
            f"  {each.why}{of}: {each.doc_id} {each.url or '(no URL)'} ({each.source}, {_named(each.licence)})"
        )
    lines += _more(len(plan.leaving) - most)
    if plan.staying:
        lines.append(f"{len(plan.staying):,} documents stay that have text of it; --copies-too removes them as well:")
    for other in plan.staying[:most]:
        where = other.url or "in an earlier run, where it must be taken down for itself"
        alike = f", similarity {other.similarity}" if other.similarity else ""
        lines.append(f"  {other.how}: {other.doc_id} {where} ({other.source}, {_named(other.licence)}{alike})")
    lines += _more(len(plan.staying) - most)
    records, files = sum(map(len, plan.places.records.values())), len(plan.places.records)
    lines.append(f"{records:,} records in {files:,} WARC files are blotted out where they lie")
    lines += [f"  whole file: {name}" for name in plan.places.files[:most]]
    lines += [f"  cannot be cut out: {each}" for each in plan.places.left[:most]]
    for stage in STAGES:
        touched = {name: rows for name, rows in plan.rows.items() if name.startswith(f"{stage}/")}
        lines.append(f"{stage}: {sum(map(len, touched.values())):,} rows in {len(touched):,} parts")
    lines.append(f"responses of the teacher: {len(plan.responses):,}")
    lines.append(f"shards: {sum(plan.shards.values()):,} documents are masked in {len(plan.shards):,}")
    return "\n".join(lines)


def _named(licence: str) -> str:
    return licence or "licence not known"


def _more(number: int) -> list[str]:
    return [f"  and {number:,} more"] if number > 0 else []
