"""tokenize: documents to packed sequences in Parquet shards, list by list.

A list is a category, natural or synthetic. Documents are encoded part by part and sent to the shards of
their list by a seeded hash; each shard is shuffled and packed for itself. Beside them, the tokens of the
documents that earlier stages dropped are counted, so that the funnel can say what was lost.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines import storage
from pipelines.engine import Job, Result, Stage, StageError, Work, parts_before, read_commit
from pipelines.packing import Piece, cut, pack, shuffle_key
from pipelines.parts import Counts, Part, read_table, write_part
from pipelines.rows import count_fates, quarantine_row, side_tables
from pipelines.run import Run
from pipelines.schema import SHARD, table_of
from pipelines.shuffle import read_bucket, write_buckets
from pipelines.tokenizer import Ids, TextTokenizer, TokenizerError, canonical_sha256, train

_BATCH = 256
_FLUSH_TOKENS = 8 << 20
_ENCODED = pa.schema(
    [
        ("order", pa.string()),
        ("doc_id", pa.string()),
        ("revision", pa.string()),
        ("ids", pa.list_(pa.int32())),
    ]
)
_COUNTED = pa.schema(
    [
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("source", pa.string()),
        ("category", pa.string()),
        ("tokens", pa.int64()),
    ]
)


def _settings(run: Run) -> Mapping[str, Any]:
    settings = run.recipe.tokenize.model_dump()
    if run.recipe.tokenize.tokenizer:
        settings["tokenizer"] = canonical_sha256(_read_tokenizer(run))
    return {**settings, "seed": run.recipe.seed}


def _read_tokenizer(run: Run) -> str:
    return (run.base / str(run.recipe.tokenize.tokenizer)).read_text(encoding="utf-8")


# ---------------------------------------------------------------- plan


def _make(work: Work) -> Result:
    recipe = work.run.recipe.tokenize
    definition = _tokenizer(work)
    try:
        tokenizer = TextTokenizer(definition, recipe.end_of_document)
    except TokenizerError as error:
        raise StageError(f"tokenize: {recipe.tokenizer}: {error}") from None
    path = storage.join(work.directory, "tokenizer.json")
    storage.write_bytes(path, definition.encode())
    common = {"tokenizer": path, "end_of_document": recipe.end_of_document}
    placing = {
        "shards": recipe.shards_per_list,
        "seed": work.run.recipe.seed,
        "tokenizer_sha256": tokenizer.sha256,
    }
    encoded = work.make(
        [
            work.job(
                encode_part,
                "_encoded",
                each.name.replace("/", "-"),
                [placing, recipe.end_of_document, each.content],
                {"input": each.url, "name": each.name, **common, **placing},
            )
            for each in work.inputs
        ],
        "tokenize 1/3",
    )
    shards = work.make(_packing_jobs(work, encoded), "tokenize 2/3")
    counted = work.make(_counting_jobs(work, common, tokenizer.sha256), "tokenize 3/3")
    return _result(work, tokenizer, encoded, shards, counted)


def _packing_jobs(work: Work, encoded: Sequence[Part]) -> list[Job]:
    recipe = work.run.recipe
    names = sorted({name for part in encoded for name in part.counts.extra if name.startswith("list:")})
    urls = [storage.join(work.directory, "_encoded", f"{part.name}.parquet") for part in encoded]
    contents = [part.content for part in encoded]
    length = recipe.tokenize.sequence_length
    return [
        work.job(
            pack_shard,
            "",
            f"shards/{name.removeprefix('list:')}/shard-{shard:05}",
            [length, recipe.seed, recipe.tokenize.end_of_document, contents, name, shard],
            {
                "inputs": urls,
                "bucket": f"{name}/{shard}",
                "sequence_length": length,
                "seed": recipe.seed,
                "tokenizer": storage.join(work.directory, "tokenizer.json"),
                "end_of_document": recipe.tokenize.end_of_document,
            },
        )
        for name in names
        for shard in range(recipe.tokenize.shards_per_list)
    ]


def _counting_jobs(work: Work, common: Mapping[str, Any], tokenizer: str) -> list[Job]:
    """One job for each part that dropped documents, of the stages that drop documents."""
    jobs = []
    for stage in ("dedup", "filter"):
        commit = read_commit(work.run.directory(stage)) if stage in work.run.chain else None
        for part in commit.parts if commit else []:
            dropped = f"dropped/{part.name}.parquet"
            if dropped in part.side:
                before = work.run.directory(work.run.before(stage)[0])
                spec = {
                    "dropped": storage.join(work.run.directory(stage), dropped),
                    "texts": storage.join(before, f"{part.name}.parquet"),
                    **common,
                }
                name = f"{stage}-{part.name}"
                jobs.append(work.job(count_dropped, "_counts", name, [tokenizer, part.side[dropped]], spec))
    return jobs


def _result(
    work: Work,
    tokenizer: TextTokenizer,
    encoded: Sequence[Part],
    shards: Sequence[Part],
    counted: Sequence[Part],
) -> Result:
    """Counts documents; the tokens of the documents, of the shards and of the drops must agree, or it refuses."""
    counts = Counts.total([part.counts for part in encoded])
    tokens = sum(number for name, number in counts.extra.items() if name.startswith("list:"))
    packed = sum(part.counts.extra["tokens"] for part in shards)
    if tokens != packed:
        raise AssertionError(f"tokenize: {tokens} tokens were encoded, {packed} are in the shards")
    lost: dict[str, int] = {}
    for part in counted:
        for name, number in part.counts.extra.items():
            lost[name] = lost.get(name, 0) + number
    totals = Counts(
        seen=counts.seen,
        consumed=counts.consumed,
        rows=sum(part.counts.rows for part in shards),
        dropped=counts.dropped,
        quarantined=counts.quarantined,
        extra={"tokens": tokens, "padding": sum(part.counts.extra["padding"] for part in shards)},
    )
    lists = {name.removeprefix("list:"): number for name, number in counts.extra.items() if name.startswith("list:")}
    by_source = {name: number for name, number in counts.extra.items() if name.startswith("source:")}
    extra = {
        "tokenizer": {
            "sha256": tokenizer.sha256,
            "vocabulary": tokenizer.vocabulary,
            "end_id": tokenizer.end_id,
        },
        "lists": lists,
        "tokens_by_source": {name.removeprefix("source:"): number for name, number in by_source.items()},
        "tokens_dropped": lost,
    }
    return Result(shards, totals, extra)


# ---------------------------------------------------------------- the tokenizer


def _tokenizer(work: Work) -> str:
    """The definition of the tokenizer that the recipe names, or of one trained on the documents."""
    settings = work.run.recipe.tokenize
    if settings.tokenizer:
        return _read_tokenizer(work.run)
    if settings.train is None:
        raise StageError("tokenize: the recipe names no tokenizer; set tokenize.tokenizer or tokenize.train")
    natural = [each for each in work.inputs if not each.name.startswith("synth/")]
    choosing = {
        **settings.train.model_dump(),
        "end_of_document": settings.end_of_document,
        "seed": work.run.recipe.seed,
    }
    job = work.job(
        train_tokenizer,
        "_tokenizer",
        "tokenizer",
        [choosing, [each.content for each in natural]],
        {"inputs": [each.url for each in natural], **choosing},
    )
    work.make([job], "tokenizer")
    url = storage.join(work.directory, "_tokenizer", "tokenizer.parquet")
    return str(read_table(url)["definition"][0].as_py())


def train_tokenizer(job: Job) -> Part:
    """Trains on a sample of the documents: those of the smallest seeded hash, up to `sample_bytes`."""
    sample: list[tuple[str, str]] = []
    size = 0
    for url in job.spec["inputs"]:
        table = read_table(url, ["doc_id", "text"])
        for doc_id, text in zip(table["doc_id"].to_pylist(), table["text"].to_pylist(), strict=True):
            sample.append((shuffle_key(job.spec["seed"], "train", doc_id), text))
            size += len(text)
        sample.sort()
        while size > job.spec["sample_bytes"] and len(sample) > 1:
            size -= len(sample.pop()[1])
    definition = train([text for _, text in sample], job.spec["vocabulary"], job.spec["end_of_document"])
    table = pa.table({"definition": [definition]})
    return write_part(job.directory, job.name, job.key, table, Counts(rows=1, extra={"documents": len(sample)}), {})


def _load(job: Job) -> TextTokenizer:
    # A worker has one core: threads of the tokenizer would only fight over it.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    return TextTokenizer(storage.read_bytes(job.spec["tokenizer"]).decode(), job.spec["end_of_document"])


# ---------------------------------------------------------------- 1: documents to token ids


def encode_part(job: Job) -> Part:
    """Encodes the documents of a part and sends each to a shard of its list, by a seeded hash of its id."""
    tokenizer = _load(job)
    table = read_table(job.spec["input"], ["doc_id", "revision", "url", "source", "category", "parents", "text"])
    sums: Counter[str] = Counter()
    broken: list[dict[str, Any]] = []

    def buckets() -> Iterator[tuple[str, pa.Table]]:
        waiting: dict[str, list[dict[str, Any]]] = {}
        tokens = 0
        for begin in range(0, table.num_rows, _BATCH):
            rows = table.slice(begin, _BATCH).to_pylist()
            for index, (row, ids) in enumerate(zip(rows, _encode(tokenizer, rows), strict=True), begin):
                if isinstance(ids, str):
                    broken.append(quarantine_row(row, "tokenize", "tokenizer", ids, (job.spec["name"], index)))
                    continue
                name = f"list:{row['category']}.{'synthetic' if row['parents'] else 'natural'}"
                order = shuffle_key(job.spec["seed"], row["doc_id"], row["revision"])
                bucket = f"{name}/{int(order[:12], 16) % job.spec['shards']}"
                encoded = {"order": order, "doc_id": row["doc_id"], "revision": row["revision"], "ids": ids}
                waiting.setdefault(bucket, []).append(encoded)
                sums.update({name: len(ids) + 1, f"source:{row['source']}": len(ids) + 1})
                tokens += len(ids)
            if tokens > _FLUSH_TOKENS:
                yield from _tables(waiting)
                waiting, tokens = {}, 0
        yield from _tables(waiting)

    def close(rows: int) -> tuple[Counts, Mapping[str, pa.Table]]:
        counts = count_fates(rows, rows, [], broken)
        return replace(counts, extra=dict(sorted(sums.items()))), side_tables([], broken)

    return write_buckets(job.directory, job.name, job.key, _ENCODED, buckets(), close)


def _tables(waiting: Mapping[str, list[dict[str, Any]]]) -> Iterator[tuple[str, pa.Table]]:
    for bucket, rows in sorted(waiting.items()):
        yield bucket, table_of(rows, _ENCODED)


def _encode(tokenizer: TextTokenizer, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Ids of each row's text; the error in the place of those of a text that breaks the tokenizer."""
    try:
        return list(tokenizer.encode([row["text"] for row in rows]))
    except Exception:  # noqa: BLE001 - one text must not cost the batch
        pass
    results: list[Any] = []
    for row in rows:
        try:
            results += tokenizer.encode([row["text"]])
        except Exception as error:  # noqa: BLE001
            results.append(str(error))
    return results


# ---------------------------------------------------------------- 2: token ids to packed sequences


def pack_shard(job: Job) -> Part:
    """One shard: its documents in shuffled order, each ended, packed, and the sequences shuffled again."""
    tokenizer = _load(job)
    table = read_bucket(job.spec["inputs"], job.spec["bucket"], _ENCODED).sort_by(
        [("order", "ascending"), ("doc_id", "ascending"), ("revision", "ascending")]
    )
    length, end_id = job.spec["sequence_length"], tokenizer.end_id
    identities = table.select(["doc_id", "revision"]).to_pylist()
    ended = [np.append(ids.values.to_numpy(), np.int32(end_id)) for ids in table["ids"]]
    sequences = pack(cut([len(ids) for ids in ended], length), length)
    sequences.sort(key=lambda pieces: _sequence_order(job.spec["seed"], identities, pieces))
    rows = [_sequence(pieces, ended, identities, tokenizer, length) for pieces in sequences]
    sums = {
        "tokens": sum(len(ids) for ids in ended),
        "padding": sum(row["padding"] for row in rows),
        "documents": len(ended),
        "documents_cut": sum(len(ids) > length for ids in ended),
    }
    counts = Counts(rows=len(rows), extra=sums)
    return write_part(job.directory, job.name, job.key, table_of(rows, SHARD), counts, {})


def _sequence_order(seed: int, identities: Sequence[Mapping[str, str]], pieces: Sequence[Piece]) -> str:
    first = identities[pieces[0].document]
    return shuffle_key(seed, "sequence", first["doc_id"], first["revision"], pieces[0].start)


def _sequence(
    pieces: Sequence[Piece],
    ended: Sequence[Ids],
    identities: Sequence[Mapping[str, str]],
    tokenizer: TextTokenizer,
    length: int,
) -> dict[str, Any]:
    """A row of SHARD. The end token is part of a document's last segment, and of none of its bytes."""
    filled = sum(piece.end - piece.start for piece in pieces)
    padding = np.full(length - filled, tokenizer.end_id, dtype=np.int32)
    segments = []
    for piece in pieces:
        ends = np.concatenate([[0], tokenizer.byte_ends(ended[piece.document][:-1])])
        segments.append(
            {
                **identities[piece.document],
                "tokens": piece.end - piece.start,
                "start_byte": int(ends[piece.start]),
                "end_byte": int(ends[min(piece.end, len(ends) - 1)]),
            }
        )
    ids = np.concatenate([*(ended[piece.document][piece.start : piece.end] for piece in pieces), padding])
    return {"input_ids": ids, "segments": segments, "padding": len(padding)}


# ---------------------------------------------------------------- 3: what was lost before


def count_dropped(job: Job) -> Part:
    """Tokens of the documents that a stage dropped from one part, read where their input rows are."""
    tokenizer = _load(job)
    dropped = read_table(job.spec["dropped"], ["stage", "reason", "source", "category", "row"])
    texts = read_table(job.spec["texts"], ["text"]).take(dropped["row"])["text"].to_pylist()
    rows, sums = [], Counter[str]()
    for begin in range(0, len(texts), _BATCH):
        batch = dropped.slice(begin, _BATCH).to_pylist()
        encoded = _encode(tokenizer, [{"text": text} for text in texts[begin : begin + _BATCH]])
        for row, ids in zip(batch, encoded, strict=True):
            tokens = 0 if isinstance(ids, str) else len(ids) + 1
            rows.append({**row, "tokens": tokens})
            sums[f"{row['stage']}:{row['reason']}"] += tokens
    return write_part(
        job.directory,
        job.name,
        job.key,
        table_of(rows, _COUNTED),
        Counts(rows=len(rows), extra=dict(sums)),
        {},
    )


STAGE = Stage("tokenize", 1, "document", lambda run: parts_before(run, "tokenize"), _settings, _make)
