"""dedup: compares documents with each other, exactly and by MinHash, and keeps one of each cluster.

Four steps, with files between them: documents are sent to the buckets of their band hashes; a bucket's
documents make candidate pairs; pairs that hold make clusters; a cluster's survivor is chosen among the
documents that the recipe's filter will keep. A changed filter threshold repeats only the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from filters import verdict
from filters.lsh import band_hashes, choose_bands, connected, pairs_of, similarity
from filters.minhash import Words32
from manifests.models import DedupSettings, FilterSettings, Recipe
from pipelines import storage
from pipelines.engine import Job, Result, Stage, Work, parts_before
from pipelines.parts import Counts, Part, read_table, write_part
from pipelines.rows import count_fates, drop_row, side_tables
from pipelines.run import Run
from pipelines.schema import CLUSTER, joined
from pipelines.shuffle import bucket_of, read_bucket, write_buckets

_BAND = pa.schema([("band", pa.uint64()), ("doc_id", pa.string())])
_PAIR = pa.schema([("a", pa.string()), ("b", pa.string())])
_MEMBER = pa.schema([("doc_id", pa.string()), ("cluster_id", pa.string()), ("cluster_size", pa.int64())])
_CHOICE = pa.schema([*_MEMBER, ("survivor", pa.string()), ("exact", pa.bool_()), ("copies", pa.list_(pa.string()))])


def _settings(run: Run) -> Mapping[str, Any]:
    bands, rows = _bands(run.recipe)
    chosen = verdict.decides(run.recipe.filter)
    return {"threshold": run.recipe.dedup.threshold, "bands": bands, "rows": rows, "filter": chosen}


def _bands(recipe: Recipe) -> tuple[int, int]:
    settings: DedupSettings = recipe.dedup
    if settings.bands is None or settings.rows is None:
        return choose_bands(settings.threshold, recipe.classify.permutations)
    return settings.bands, settings.rows


def _make(work: Work) -> Result:
    recipe, buckets = work.run.recipe, work.run.recipe.parts
    bands, rows = _bands(recipe)
    contents = [each.content for each in work.inputs]
    urls = [each.url for each in work.inputs]
    banding = {"bands": bands, "rows": rows, "buckets": buckets}
    names = [each.name.split("/")[-1] for each in work.inputs]
    send = [
        work.job(send_to_bands, "_bands", name, [banding, each.content], {"input": each.url, **banding})
        for name, each in zip(names, work.inputs, strict=True)
    ]
    sent = [_url(work, "_bands", part) for part in work.make(send, "dedup 1/5")]
    pair = [
        work.job(find_pairs, "_pairs", f"bucket-{k:05}", [banding, contents, k], {"inputs": sent, "bucket": k})
        for k in range(buckets)
    ]
    paired = [_url(work, "_pairs", part) for part in work.make(pair, "dedup 2/5")]
    clustering = {"threshold": recipe.dedup.threshold, **banding}
    spec = {"pairs": paired, "documents": urls, **clustering}
    cluster = [work.job(make_clusters, "_clusters", "clusters", [clustering, contents], spec)]
    clusters = [_url(work, "_clusters", part) for part in work.make(cluster, "dedup 3/5")]
    choosing = {"filter": verdict.decides(recipe.filter), "buckets": buckets}
    spec = {"clusters": clusters[0], "documents": urls, "filter": recipe.filter.model_dump(), "buckets": buckets}
    choose = [work.job(choose_survivors, "_survivors", "survivors", [choosing, clustering, contents], spec)]
    chosen = work.make(choose, "dedup 4/5")
    choices = _url(work, "_survivors", chosen[0])
    jobs = [
        work.job(
            dedup_part,
            "",
            name,
            [each.content, chosen[0].content],
            {"input": each.url, "name": each.name, "choices": choices, "bucket": index, "buckets": buckets},
        )
        for index, (name, each) in enumerate(zip(names, work.inputs, strict=True))
    ]
    parts = work.make(jobs, "dedup 5/5")
    return Result(parts, Counts.total([part.counts for part in parts]), {"clusters": chosen[0].counts.extra})


def _url(work: Work, step: str, part: Part) -> str:
    return storage.join(work.directory, step, f"{part.name}.parquet")


# ---------------------------------------------------------------- 1: documents to band buckets


def send_to_bands(job: Job) -> Part:
    """Sends each document to the buckets of its band hashes, and of the hash of its folded text."""
    table = read_table(job.spec["input"], ["doc_id", "signature", "fold_hash", "words"])
    ids = np.array(table["doc_id"].to_pylist(), dtype=object)
    exact = np.array([int(each[:16], 16) for each in table["fold_hash"].to_pylist()], dtype=np.uint64)
    keys, owners = [exact], [ids]
    worded = table["words"].to_numpy() > 0
    if worded.any():
        signed = _signatures(table)[worded]
        hashes = band_hashes(signed, job.spec["bands"], job.spec["rows"])
        keys += list(hashes.T)
        owners += [ids[worded]] * job.spec["bands"]
    key, owner = np.concatenate(keys), np.concatenate(owners)
    target = key % np.uint64(job.spec["buckets"])

    def buckets() -> Iterator[tuple[int, pa.Table]]:
        for bucket in range(job.spec["buckets"]):
            here = target == bucket
            yield (
                bucket,
                pa.table({"band": key[here], "doc_id": pa.array(owner[here], pa.string())}, schema=_BAND),
            )

    return write_buckets(job.directory, job.name, job.key, _BAND, buckets())


def _signatures(table: pa.Table) -> Words32:
    """Shape (documents, permutations)."""
    packed = b"".join(table["signature"].to_pylist())
    return np.frombuffer(packed, dtype=np.uint32).reshape(table.num_rows, -1)


# ---------------------------------------------------------------- 2: candidate pairs


def find_pairs(job: Job) -> Part:
    """Candidate pairs among the documents of one bucket that share a band."""
    table = read_bucket(job.spec["inputs"], job.spec["bucket"], _BAND).sort_by([("band", "ascending")])
    bands = table["band"].to_numpy()
    edges = np.flatnonzero(np.diff(bands)) + 1
    begins, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(bands)]])
    ids = table["doc_id"].combine_chunks() if table.num_rows else table["doc_id"]
    found: set[tuple[str, str]] = set()
    for begin, end in zip(begins, ends, strict=True):
        if end - begin > 1:
            found.update(pairs_of(ids[int(begin) : int(end)].to_pylist()))
    ordered = sorted(found)
    result = pa.table({"a": [a for a, _ in ordered], "b": [b for _, b in ordered]}, schema=_PAIR)
    return write_part(job.directory, job.name, job.key, result, Counts(rows=len(ordered)), {})


# ---------------------------------------------------------------- 3: clusters


def make_clusters(job: Job) -> Part:
    """Clusters of documents joined by pairs that hold: the same folded text, or similar enough signatures."""
    pairs = sorted({(row["a"], row["b"]) for url in job.spec["pairs"] for row in read_table(url).to_pylist()})
    wanted = {member for pair in pairs for member in pair}
    known: dict[str, tuple[str, Words32]] = {}
    for row in _rows_of(job.spec["documents"], ["doc_id", "fold_hash", "signature"], wanted):
        known[row["doc_id"]] = (row["fold_hash"], np.frombuffer(row["signature"], dtype=np.uint32))

    def holds(pair: tuple[str, str]) -> bool:
        (fold_a, signature_a), (fold_b, signature_b) = known[pair[0]], known[pair[1]]
        return fold_a == fold_b or similarity(signature_a, signature_b) >= job.spec["threshold"]

    cluster_of = connected(pair for pair in pairs if holds(pair))
    sizes: dict[str, int] = {}
    for cluster in cluster_of.values():
        sizes[cluster] = sizes.get(cluster, 0) + 1
    rows = [{"doc_id": member, "cluster_id": c, "cluster_size": sizes[c]} for member, c in sorted(cluster_of.items())]
    table = pa.Table.from_pylist(rows, schema=_MEMBER)
    extra = {"candidate_pairs": len(pairs), "clusters": len(sizes), "documents_in_clusters": len(rows)}
    return write_part(job.directory, job.name, job.key, table, Counts(rows=len(rows), extra=extra), {})


def _rows_of(urls: Sequence[str], columns: list[str], wanted: set[str]) -> Iterator[dict[str, Any]]:
    """Columns of the wanted documents, part by part."""
    for url in urls:
        table = read_table(url, columns)
        here = [index for index, doc_id in enumerate(table["doc_id"].to_pylist()) if doc_id in wanted]
        yield from table.take(pa.array(here, pa.int64())).to_pylist()


# ---------------------------------------------------------------- 4: survivors


def choose_survivors(job: Job) -> Part:
    """Of each cluster one document stays: one that the filter will keep, then the longest, then the shortest URL."""
    members = read_table(job.spec["clusters"])
    wanted = set(members["doc_id"].to_pylist())
    settings = FilterSettings.model_validate(job.spec["filter"])
    facts: dict[str, tuple[Any, ...]] = {}
    for url in job.spec["documents"]:
        needed = ["doc_id", "url", "fold_hash", "words", *verdict.columns_of(settings)]
        table = read_table(url, list(dict.fromkeys(needed)))
        failed = verdict.judge(table, settings)
        for index, row in enumerate(table.select(["doc_id", "url", "fold_hash", "words"]).to_pylist()):
            if row["doc_id"] in wanted:
                rank = (bool(failed[index]), -row["words"], len(row["url"]), row["doc_id"])
                facts[row["doc_id"]] = (rank, row["url"], row["fold_hash"])
    clusters: dict[str, list[str]] = {}
    for row in members.to_pylist():
        clusters.setdefault(row["cluster_id"], []).append(row["doc_id"])
    chosen = [row for cluster in sorted(clusters) for row in _choose(cluster, clusters[cluster], facts)]
    counts = Counts(rows=len(chosen), extra={"clusters": len(clusters), "documents_in_clusters": len(chosen)})
    tables = _by_bucket(chosen, job.spec["buckets"])
    return write_buckets(job.directory, job.name, job.key, _CHOICE, tables, lambda _: (counts, {}))


def _choose(cluster: str, members: Sequence[str], facts: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    survivor = min(members, key=lambda member: facts[member][0])
    copies = sorted(facts[member][1] for member in members if member != survivor)
    for member in members:
        yield {
            "doc_id": member,
            "cluster_id": cluster,
            "cluster_size": len(members),
            "survivor": survivor,
            "exact": facts[member][2] == facts[survivor][2],
            "copies": copies if member == survivor else [],
        }


def _by_bucket(rows: Sequence[dict[str, Any]], buckets: int) -> Iterator[tuple[int, pa.Table]]:
    for bucket in range(buckets):
        here = [row for row in rows if bucket_of(row["doc_id"], buckets) == bucket]
        yield bucket, pa.Table.from_pylist(here, schema=_CHOICE)


# ---------------------------------------------------------------- 5: the parts


def dedup_part(job: Job) -> Part:
    """Drops the documents of a part whose cluster another one stands for, and adds CLUSTER to the others."""
    table = read_table(job.spec["input"])
    choices = {
        row["doc_id"]: row for row in read_bucket([job.spec["choices"]], job.spec["bucket"], _CHOICE).to_pylist()
    }
    kept, dropped, added = [], [], []
    identity = table.select(["doc_id", "revision", "url", "source", "category"]).to_pylist()
    for index, row in enumerate(identity):
        choice = choices.get(row["doc_id"])
        if choice is None or choice["survivor"] == row["doc_id"]:
            kept.append(index)
            added.append(choice or {"cluster_id": row["doc_id"], "cluster_size": 1, "copies": []})
        else:
            reason = "duplicate" if choice["exact"] else "near_duplicate"
            failed = [(reason, choice["survivor"])]
            dropped.append(drop_row(row, "dedup", failed, (job.spec["name"], index)))
    result = table.take(pa.array(kept, pa.int64()))
    for field in CLUSTER:
        result = result.append_column(field, pa.array([row[field.name] for row in added], field.type))
    result = result.cast(joined(table.schema, CLUSTER))
    counts = count_fates(result.num_rows, result.num_rows, dropped, [])
    return write_part(job.directory, job.name, job.key, result, counts, side_tables(dropped, []))


STAGE = Stage("dedup", 2, "document", lambda run: parts_before(run, "dedup"), _settings, _make)
