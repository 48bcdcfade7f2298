"""Together: answers that fail for what others say: like a source, like another answer, or begun or ended as too many.

Of answers that are alike the one with the smallest request key stays. Steps, with files between them that are dealt
out to buckets, so that no worker holds more than a bucket:

1. signed     of each answer that passed: its MinHash signature, how it begins and ends
2. bands      who shares a band of signatures: answers, and the documents that the filter kept
3. pairs      pairs that may be alike, sent to where the other one's signature lies
4. lent       that signature, sent to the answer
5. alike      pairs that are
6. phrases    beginnings and ends of answers, counted over the whole
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.lsh import band_hashes, similarity
from filters.minhash import signatures
from filters.runs import runs_of
from filters.shingles import shingles_of
from filters.stream import Hashes, read_stream
from pipelines import storage
from pipelines.dedup.near import signatures_of
from pipelines.dedup.tables import numbers_of, part_and_row, place_of, send
from pipelines.engine import Job, Work
from pipelines.parts import Counts, Part, read_table, write_part
from pipelines.schema import table_of
from pipelines.shuffle import read_bucket
from pipelines.synth.tables import TOGETHER

_PERMUTATIONS, _WIDTH, _BANDS, _ROWS = 108, 5, 18, 6
_PHRASE = 5  # words
_WORD = re.compile(r"\w+")

SIGNED = pa.schema(
    [
        ("key", pa.string()),
        ("use", pa.int16()),
        ("begins", pa.string()),
        ("ends", pa.string()),
        ("signature", pa.binary()),
    ]
)
# Who has a band. Answers have their key's first 64 bits in `rank`; documents have 0.
_BAND = pa.schema([("band", pa.uint64()), ("rank", pa.uint64()), ("place", pa.uint64())])
_PAIR = pa.schema([("place", pa.uint64()), ("other", pa.uint64())])
_LENT = pa.schema([*_PAIR, ("signature", pa.binary())])
_SAID = pa.schema([("phrase", pa.uint64()), ("use", pa.int16()), ("where", pa.string()), ("key", pa.string())])


def judge_together(work: Work, judged: Sequence[Part], urls: Sequence[str]) -> list[str]:
    """Tables of the requests that fail for what others say (TOGETHER)."""
    steps = _Steps(work, [part.content for part in judged])
    signed = steps.each(sign_part, "_signed", [{"judged": url} for url in urls])
    sources = steps.sources()
    places = [*({"signed": url} for url in signed), *sources]
    bands = steps.each(send_bands, "_bands", places)
    pairs = steps.buckets(join_bands, "_pairs", {"bands": bands, "parts": len(places)})
    lent = steps.each(lend_signatures, "_lent", [{**each, "pairs": pairs, "parts": len(urls)} for each in places])
    settings = work.run.recipe.synth.together
    told = {"alike": settings.alike, "answers": len(urls)}
    alike = steps.each(tell_alike, "_alike", [{"signed": url, "lent": lent, **told} for url in signed], settings)
    said = steps.each(send_phrases, "_said", [{"signed": url} for url in signed])
    totals = Counts.total([part.counts for part in steps.parts["_signed"]]).extra
    limits = {use: max(settings.fewest, int(settings.same_phrase * number)) for use, number in totals.items()}
    return [*alike, *steps.buckets(count_phrases, "_phrases", {"said": said, "limits": limits}, limits)]


class _Steps:
    """Runs a step: a job for each of some places, or for each bucket. All depend on all answers."""

    def __init__(self, work: Work, contents: Sequence[str]) -> None:
        self.work = work
        self.key = [list(contents), [each.content for each in work.inputs]]
        self.number = max(1, min(work.run.recipe.parts, len(work.inputs)))
        self.parts: dict[str, list[Part]] = {}

    def sources(self) -> list[dict[str, Any]]:
        """Where the signatures of the documents lie that the filter kept: beside those of classify."""
        directory = self.work.run.directory("classify")
        found = []
        for each in self.work.inputs:
            scored = storage.join(directory, f"{each.name.split('/')[-1]}.parquet")
            if storage.exists(scored):  # one that came back from an earlier run has none
                found.append({"scored": scored, "kept": each.url})
        return found

    def each(
        self, function: Callable[[Job], Part], step: str, specs: Sequence[Mapping[str, Any]], settings: Any = None
    ) -> list[str]:
        """URLs of what a step makes of each place."""
        key = [self.key, settings.model_dump() if settings else None]
        return self._make(
            step,
            [
                self.work.job(function, step, f"part-{at:05}", [*key, at], {"part": at, "buckets": self.number, **spec})
                for at, spec in enumerate(specs)
            ],
        )

    def buckets(
        self, function: Callable[[Job], Part], step: str, spec: Mapping[str, Any], settings: Any = None
    ) -> list[str]:
        """URLs of what a step makes of each bucket."""
        return self._make(
            step,
            [
                self.work.job(function, step, f"bucket-{at:05}", [self.key, settings, at], {"bucket": at, **spec})
                for at in range(self.number)
            ],
        )

    def _make(self, step: str, jobs: Sequence[Job]) -> list[str]:
        self.parts[step] = self.work.make(jobs, f"synth: {step.strip('_')}")
        return [storage.join(self.work.directory, step, f"{part.name}.parquet") for part in self.parts[step]]


# ---------------------------------------------------------------- who is like whom


def sign_part(job: Job) -> Part:
    """Signs the answers of a part that passed, in the order of their keys, each once; counts them by use."""
    table = read_table(job.spec["judged"], ["key", "use", "text"])
    table = table.filter(pc.is_valid(table["text"])).sort_by("key")
    keys = table["key"].to_numpy(zero_copy_only=False)
    table = table.filter(pa.array(np.append(True, keys[1:] != keys[:-1]) if len(keys) else [], pa.bool_()))
    texts = table["text"].combine_chunks()
    signed = signatures(shingles_of(read_stream(texts), _WIDTH), _PERMUTATIONS)
    words = [_WORD.findall(text.lower()) for text in texts.to_pylist()]
    rows = pa.table(
        {
            "key": table["key"],
            "use": table["use"],
            "begins": [" ".join(each[:_PHRASE]) for each in words],
            "ends": [" ".join(each[-_PHRASE:]) for each in words],
            "signature": [row.tobytes() for row in signed],
        },
        schema=SIGNED,
    )
    numbers = {str(pair["values"]): pair["counts"] for pair in rows["use"].value_counts().to_pylist()}
    counts = Counts(rows=rows.num_rows, extra=dict(sorted(numbers.items())))
    return write_part(job.directory, job.name, job.key, rows, counts, {})


def _signatures(spec: Mapping[str, Any]) -> tuple[pa.ChunkedArray, Hashes]:
    """The signatures of a place, and of answers the first 64 bits of their keys; of documents zeros."""
    if "signed" in spec:
        table = read_table(spec["signed"], ["key", "signature"])
        return table["signature"], np.array([int(key[:16], 16) for key in table["key"].to_pylist()], np.uint64)
    table = read_table(spec["scored"], ["doc_id", "signature"])
    table = table.filter(pc.is_in(table["doc_id"], read_table(spec["kept"], ["doc_id"])["doc_id"].combine_chunks()))
    return table["signature"], np.zeros(len(table), np.uint64)


def send_bands(job: Job) -> Part:
    """Sends every band of every signature of a place to its bucket."""
    column, rank = _signatures(job.spec)
    signed = signatures_of(column)
    bands = band_hashes(signed[:, : _BANDS * _ROWS], _BANDS, _ROWS) if len(column) else np.empty((0, _BANDS), np.uint64)
    place = place_of(job.spec["part"], np.arange(len(column)))
    sent = pa.table(
        {"band": bands.ravel(), "rank": np.repeat(rank, _BANDS), "place": np.repeat(place, _BANDS)}, schema=_BAND
    )
    return send(job, sent, bands.ravel(), job.spec["buckets"])


def join_bands(job: Job) -> Part:
    """Pairs each answer with the first document that shares a band with it, and with the answer of the smallest key."""
    table = read_bucket(job.spec["bands"], job.spec["bucket"], _BAND)
    band, rank, place = (numbers_of(table, name) for name in _BAND.names)
    order = np.lexsort((place, rank, band))
    band, rank, place = band[order], rank[order], place[order]
    heads, sizes = runs_of(band)
    of_document = rank == 0
    documents = np.add.reduceat(of_document, heads) if len(heads) else np.empty(0, np.int64)
    first = np.repeat(place[heads], sizes)
    smallest = np.repeat(place[np.minimum(heads + documents, len(place) - 1)], sizes)
    with_document = ~of_document & (np.repeat(documents, sizes) > 0)
    with_answer = ~of_document & (place != smallest)
    pairs = np.unique(
        np.concatenate(
            [np.stack([place[who], other[who]], 1) for who, other in ((with_document, first), (with_answer, smallest))]
        ),
        axis=0,
    )
    rows = pa.table({"place": pairs[:, 0], "other": pairs[:, 1]}, schema=_PAIR)
    return send(job, rows, part_and_row(pairs[:, 1])[0].astype(np.int64), job.spec["parts"])


def lend_signatures(job: Job) -> Part:
    """Sends the signatures of a place that pairs ask for to the answers that ask."""
    pairs = read_bucket(job.spec["pairs"], job.spec["part"], _PAIR)
    column, _ = _signatures(job.spec) if pairs.num_rows else (pa.chunked_array([], pa.binary()), None)
    _, rows = part_and_row(numbers_of(pairs, "other"))
    lent = pairs.append_column("signature", column.take(pa.array(rows)))
    target, _ = part_and_row(numbers_of(pairs, "place"))
    return send(job, lent.cast(_LENT), target.astype(np.int64), job.spec["parts"])


def tell_alike(job: Job) -> Part:
    """The answers of a part that are like a document, or like an answer of a smaller key."""
    signed = read_table(job.spec["signed"], ["key", "signature"])
    own, keys = signatures_of(signed["signature"]), signed["key"].to_pylist()
    lent = read_bucket(job.spec["lent"], job.spec["part"], _LENT).sort_by(
        [("place", "ascending"), ("other", "ascending")]
    )
    others = signatures_of(lent["signature"])
    _, rows = part_and_row(numbers_of(lent, "place"))
    parts, _ = part_and_row(numbers_of(lent, "other"))
    found: dict[str, dict[str, Any]] = {}
    for at, (row, part) in enumerate(zip(rows.tolist(), parts.tolist(), strict=True)):
        alike = similarity(own[row], others[at])
        if alike >= job.spec["alike"]:
            reason = "like_source" if part >= job.spec["answers"] else "near_duplicate"
            before = found.get(keys[row])
            if before is None or (before["reason"], before["value"]) < (reason, f"{alike:.3f}"):
                found[keys[row]] = {"key": keys[row], "reason": reason, "value": f"{alike:.3f}"}
    rows_found = [found[key] for key in sorted(found)]
    return write_part(job.directory, job.name, job.key, table_of(rows_found, TOGETHER), Counts(rows=len(found)), {})


# ---------------------------------------------------------------- beginnings and ends


def send_phrases(job: Job) -> Part:
    """Sends how each answer begins and ends to the bucket of the phrase."""
    table = read_table(job.spec["signed"], ["key", "use", "begins", "ends"])
    rows = list(_said(table))
    sent = table_of(rows, _SAID)
    return send(job, sent, numbers_of(sent, "phrase"), job.spec["buckets"])


def _said(table: pa.Table) -> Iterator[dict[str, Any]]:
    for row in table.to_pylist():
        for where in ("begins", "ends"):
            text = f"{where}:{row['use']}:{row[where]}"
            phrase = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
            yield {"phrase": phrase, "use": row["use"], "where": where, "key": row["key"]}


def count_phrases(job: Job) -> Part:
    """Of answers that begin or end alike those beyond the limit of their use, the smallest keys first."""
    table = read_bucket(job.spec["said"], job.spec["bucket"], _SAID).sort_by(
        [("phrase", "ascending"), ("key", "ascending")]
    )
    rows: dict[str, dict[str, Any]] = {}
    heads, sizes = runs_of(numbers_of(table, "phrase"))
    for head, size in zip(heads.tolist(), sizes.tolist(), strict=True):
        limit = job.spec["limits"][str(table["use"][head].as_py())]
        if size > limit:
            for row in table.slice(head + limit, size - limit).to_pylist():
                value = f"{row['where']} as {size:,} others"
                rows.setdefault(row["key"], {"key": row["key"], "reason": "template", "value": value})
    found = [rows[key] for key in sorted(rows)]
    return write_part(job.directory, job.name, job.key, table_of(found, TOGETHER), Counts(rows=len(found)), {})
