"""Which document of those that are alike stays: what each is chosen by, and the choice."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters import verdict
from filters.clusters import choose, contain, supersede
from filters.runs import runs_of
from filters.shingles import bytes_of, shingle_sets, shingles_of
from filters.stream import read_stream
from manifests.load import load_licences
from manifests.models import FilterSettings
from pipelines.dedup.near import signatures_of
from pipelines.dedup.tables import (
    CHOICE,
    FACTS,
    MEMBER,
    MERITS,
    REPLACED,
    SHINGLES,
    numbers_of,
    pages_of,
    part_and_row,
    place_of,
    send,
    sets_of,
)
from pipelines.engine import Job
from pipelines.extract.licences import class_of
from pipelines.parts import Part, read_table
from pipelines.shuffle import read_bucket

Places = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float32]

REASONS = ("duplicate", "near_duplicate", "older_version", "contained")
_DUPLICATE, _NEAR_DUPLICATE, _OLDER, _CONTAINED = range(len(REASONS))
_NOT_WORSE = ("fails", "licence", "opted_out")  # a document is not given up for one that holds it and is worse in these
_MORE = ("authority", "version", "words", "date", "quality")  # of these, more is better


def send_shingles(job: Job) -> Part:
    """Sends the shingles of each text that is not alone to the bucket of its component."""
    members = _members(job)
    members = members.filter(members["first"])
    table = read_table(job.spec["input"], ["signature", "text"]).take(members["row"])
    sets = shingle_sets(shingles_of(read_stream(table["text"].combine_chunks()), job.spec["width"]))
    columns = {"vertex": members["vertex"], "signature": table["signature"], "shingles": bytes_of(sets)}
    return send(job, pa.table(columns, schema=SHINGLES), numbers_of(members, "component"), job.spec["buckets"])


def send_facts(job: Job) -> Part:
    """Sends what each document that is not alone is chosen by to the bucket of its component."""
    members = _members(job)
    replaced = read_bucket(job.spec["replaced"], job.spec["part"], REPLACED)
    members = members.filter(pc.invert(pc.is_in(members["row"], replaced["row"])))
    settings = FilterSettings.model_validate(job.spec["filter"])
    named = ["doc_id", "url", "source", "licence", "opt_out", "words", "date", "topic_quality"]
    table = read_table(job.spec["input"], list(dict.fromkeys([*named, *verdict.columns_of(settings)])))
    table = table.take(members["row"])
    order: dict[str, int] = {name: at for at, name in enumerate(load_licences().classes)}
    classes = {
        licence: order.get(class_of(licence or ""), len(order)) for licence in table["licence"].unique().to_pylist()
    }
    authority = job.spec["authority"]
    pages, versions = pages_of(table["url"].to_pylist())
    columns = {
        "component": members["component"],
        "vertex": members["vertex"],
        "place": place_of(job.spec["part"], numbers_of(members, "row")),
        "doc_id": table["doc_id"],
        "url": table["url"],
        "page": pages,
        "fails": [bool(failed) for failed in verdict.judge(table, settings)],
        "licence": [classes[licence] for licence in table["licence"].to_pylist()],
        "opted_out": pc.greater(pc.fill_null(pc.list_value_length(table["opt_out"]), 0), 0),
        "authority": [authority.get(source, 0) for source in table["source"].to_pylist()],
        "version": versions,
        "words": table["words"],
        "date": table["date"],
        "quality": table["topic_quality"],
    }
    return send(job, pa.table(columns, schema=FACTS), numbers_of(members, "component"), job.spec["buckets"])


def _members(job: Job) -> pa.Table:
    return read_bucket(job.spec["members"], job.spec["part"], MEMBER).sort_by("row")


def choose_survivors(job: Job) -> Part:
    """Chooses in each component of a bucket, and tells the parts."""
    facts = best_first(read_bucket(job.spec["facts"], job.spec["bucket"], FACTS))
    survivor, reason, similarity = _stand_for(facts, job)
    size = np.bincount(survivor[reason <= _NEAR_DUPLICATE], minlength=len(survivor))
    place = numbers_of(facts, "place")
    # A snapshot may have given a document up, so those of snapshots are told in any case.
    is_earlier = place < np.uint64(job.spec["earlier"] << 32)
    told = np.flatnonzero((np.bincount(survivor, minlength=len(survivor))[survivor] > 1) | is_earlier)
    told = told[np.argsort(survivor[told], kind="stable")]  # a cluster together, its survivor first
    heads = np.flatnonzero(survivor[told] == told)
    cluster = np.repeat(np.arange(len(heads)), np.diff(np.append(heads, len(told))))
    ids, urls = facts["doc_id"].take(told).to_pylist(), facts["url"].take(told).to_pylist()
    ends = np.append(heads, len(told)).tolist()
    names = [min(ids[begin:end]) for begin, end in itertools.pairwise(ends)]
    copies: list[list[str]] = [[]] * len(told)
    for begin, end in itertools.pairwise(ends):
        copies[begin] = sorted(urls[begin + 1 : end])
    part, row = part_and_row(place[told])
    columns = {
        "row": row,
        "stays": survivor[told] == told,
        "cluster_id": pa.array(names, pa.string()).take(pa.array(cluster)),
        "cluster_size": size[survivor[told]],
        "survivor": facts["doc_id"].take(survivor[told]),
        "reason": pa.array(REASONS).take(pa.array(reason[told])),
        "similarity": similarity[told],
        "copies": pa.array(copies, pa.list_(pa.string())),
    }
    sizes = np.diff(ends)
    extra = {"clusters": int(np.count_nonzero(sizes > 1)), "documents_in_clusters": int(sizes[sizes > 1].sum())}
    return send(job, pa.table(columns, schema=CHOICE), part, job.spec["parts"], extra)


def best_first(facts: pa.Table) -> pa.Table:
    """The documents of each component, the one that should stay before the others.

    Kept by the recipe's filter, a licence that asks for less, no signal against its use, the source with more
    authority, the later version in its URL, the more words, the later date that the page states, the better quality;
    and last the smaller id. When and from where it was fetched says nothing; of two snapshots of a page with the same
    text the earlier one stays.
    """
    less, more = "ascending", "descending"
    keys = [("component", less), *((name, more if name in _MORE else less) for name, _ in MERITS)]
    keys += [("doc_id", less), ("place", less)]
    return facts.sort_by(keys)


def _stand_for(facts: pa.Table, job: Job) -> tuple[Places, Places, Shares]:
    """For each document the one that stands for it, why (a place in REASONS), and how similar their texts are."""
    vertices, first, of_document = np.unique(numbers_of(facts, "vertex"), return_index=True, return_inverse=True)
    order = np.argsort(first)
    component = numbers_of(facts, "component")[first[order]]
    begins, _ = runs_of(component)
    table = read_bucket(job.spec["shingles"], job.spec["bucket"], SHINGLES)
    known = numbers_of(table, "vertex")
    by_vertex = np.argsort(known)
    table = table.take(pa.array(by_vertex[np.searchsorted(known[by_vertex], vertices[order])]))
    sets, signed, spec = sets_of(table["shingles"]), signatures_of(table["signature"]), job.spec
    ends = np.append(begins, len(order)).astype(np.int64)
    chosen = choose(sets, signed, ends, spec["threshold"], spec["bands"], spec["rows"])
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    own, best = rank[of_document], facts.take(pa.array(first[order]))
    survivor, similarity = chosen.survivor[own], chosen.similarity[own]
    reason = np.where(own == survivor, _DUPLICATE, _NEAR_DUPLICATE)
    merits = np.stack([best[name].to_numpy(zero_copy_only=False).astype(np.int64) for name in _NOT_WORSE], axis=1)
    if spec["versions"] is not None:
        newer = supersede(sets, component, numbers_of(best, "page"), _ages(best), chosen, merits, spec["versions"])
        is_older = newer.holder[own] >= 0
        chosen = chosen._replace(survivor=np.where(newer.holder >= 0, newer.holder, chosen.survivor))
        survivor = chosen.survivor[own]
        similarity = np.where(is_older, newer.share[own], similarity)
        reason = np.where(is_older, _OLDER, reason)
    if spec["contained"] is not None:
        held = contain(sets, ends, chosen, merits, spec["contained"])
        is_held = held.holder[own] >= 0
        survivor = np.where(is_held, held.holder[own], survivor)
        similarity = np.where(is_held, held.share[own], similarity)
        reason = np.where(is_held, _CONTAINED, reason)
    return first[order][survivor], reason, similarity


def _ages(best: pa.Table) -> Places:
    """A number for each document that is the smaller the later its version is."""
    _, place = np.unique(np.array([version or "" for version in best["version"].to_pylist()], str), return_inverse=True)
    ages: Places = -place.astype(np.int64)
    return ages
