"""tokenize: documents to packed sequences in Parquet shards, list by list.

Documents are encoded part by part, and lie there by list in a shuffled order; a shard takes of each part a range of
that order, packs the documents and shuffles the sequences. Beside them, the tokens of the documents that earlier
stages dropped are counted, so that the funnel can say what was lost.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines import storage
from pipelines.engine import Job, Result, Stage, StageError, Work, parts_before, read_commit
from pipelines.lists import SPLITS
from pipelines.parts import Counts, Part, read_table, write_part
from pipelines.run import Run
from pipelines.schema import table_of
from pipelines.shuffle import shuffle_key
from pipelines.tokenize.encode import encode_each, encode_part, load
from pipelines.tokenize.fill import sentinels
from pipelines.tokenize.pack import pack_shard
from pipelines.tokenizer import TextTokenizer, TokenizerError, canonical_sha256, read_definition, train

_BATCH = 256
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
        settings["tokenizer"] = canonical_sha256(named_definition(run))
    return {**settings, "seed": run.recipe.seed}


def named_definition(run: Run) -> str:
    """The tokenizer.json that the recipe names, or that of the ranks. Raises TokenizerError."""
    settings = run.recipe.tokenize
    content = (run.base / str(settings.tokenizer)).read_bytes()
    ranks = settings.ranks
    special = ranks.special_tokens if ranks else {}
    return read_definition(content, str(settings.tokenizer), ranks.pattern if ranks else None, special)


# ---------------------------------------------------------------- plan


def _make(work: Work) -> Result:
    settings, seed = work.run.recipe.tokenize, work.run.recipe.seed
    definition = _definition(work)
    try:
        tokenizer = TextTokenizer(definition, settings.end_of_document)
        fim = sentinels(settings.fill_in_the_middle, tokenizer) if settings.fill_in_the_middle else None
    except TokenizerError as error:
        raise StageError(f"tokenize: {settings.tokenizer}: {error}") from None
    path = storage.join(work.directory, "tokenizer.json")
    storage.write_bytes(path, definition.encode())
    common = {
        "tokenizer": path,
        "tokenizer_sha256": tokenizer.sha256,
        "end_of_document": settings.end_of_document,
    }
    # What packing alone asks for encodes nothing again. The room decides which documents can be rearranged.
    own = settings.model_dump(exclude={"tokenizer", "ranks", "train", "packing", "shard_tokens"})
    if settings.fill_in_the_middle is None:
        del own["sequence_length"]
    spec = {"settings": {**own, "sequence_length": settings.sequence_length}, "seed": seed, **common}
    encoded = work.make(
        [
            work.job(
                encode_part,
                "_encoded",
                each.name.replace("/", "-"),
                [own, seed, tokenizer.sha256, each.content],
                {"input": each.url, "name": each.name, **spec},
            )
            for each in work.inputs
        ],
        "tokenize 1/3",
    )
    shards = work.make(_packing_jobs(work, encoded, common), "tokenize 2/3")
    counted = work.make(_counting_jobs(work, common), "tokenize 3/3")
    return _result(work, tokenizer, fim, encoded, shards, counted)


def _packing_jobs(work: Work, encoded: Sequence[Part], common: Mapping[str, Any]) -> list[Job]:
    """One job a shard: of each list as many as its tokens fill."""
    settings = work.run.recipe.tokenize
    tokens = _lists(Counts.total([part.counts for part in encoded]))
    spec = {
        **common,
        "inputs": [storage.join(work.directory, "_encoded", f"{part.name}.parquet") for part in encoded],
        "sequence_length": settings.sequence_length,
        "packing": settings.packing,
        "seed": work.run.recipe.seed,
    }
    # The table says how many tokens there are; which they are, the file of ids beside it says.
    contents = [[part.content, part.side[f"{part.name}.ids"]] for part in encoded]
    jobs = []
    for name in sorted(tokens):
        shards = max(1, round(tokens[name] / settings.shard_tokens))
        for shard in range(shards):
            own = {"list": name, "shard": shard, "shards": shards}
            ingredients = [
                settings.sequence_length,
                settings.packing,
                work.run.recipe.seed,
                settings.end_of_document,
                contents,
                own,
            ]
            jobs.append(work.job(pack_shard, "", f"shards/{name}/shard-{shard:05}", ingredients, {**spec, **own}))
    return jobs


def _lists(counts: Counts) -> dict[str, int]:
    """Tokens of each list, by `SPLIT/LIST`."""
    return {name.removeprefix("list:"): number for name, number in counts.extra.items() if name.startswith("list:")}


def _counting_jobs(work: Work, common: Mapping[str, Any]) -> list[Job]:
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
                jobs.append(
                    work.job(count_dropped, "_counts", name, [common["tokenizer_sha256"], part.side[dropped]], spec)
                )
    return jobs


def _result(
    work: Work,
    tokenizer: TextTokenizer,
    fim: tuple[int, int, int] | None,
    encoded: Sequence[Part],
    shards: Sequence[Part],
    counted: Sequence[Part],
) -> Result:
    """Counts documents; the tokens of the documents, of the shards and of the drops must agree, or it refuses."""
    settings = work.run.recipe.tokenize
    counts = Counts.total([part.counts for part in encoded])
    packed = Counts.total([part.counts for part in shards])
    lists = _lists(counts)
    if sum(lists.values()) != packed.extra.get("tokens", 0) or counts.consumed != packed.extra.get("documents", 0):
        raise AssertionError(f"tokenize: {lists} tokens of {counts.consumed} documents were encoded; packed {packed}")
    lost = Counts.total([part.counts for part in counted]).extra
    totals = Counts(
        seen=counts.seen,
        consumed=counts.consumed,
        rows=packed.rows,
        dropped=counts.dropped,
        quarantined=counts.quarantined,
        extra={name: packed.extra.get(name, 0) for name in ("tokens", "padding", "documents_cut", "bytes")},
    )
    train, validation = (
        {name.partition("/")[2]: number for name, number in lists.items() if name.startswith(f"{split}/")}
        for split in SPLITS
    )
    by_source = {name: number for name, number in counts.extra.items() if name.startswith("source:")}
    extra = {
        "tokenizer": {
            "sha256": tokenizer.sha256,
            "vocabulary": tokenizer.vocabulary,
            "end_of_document": settings.end_of_document,
            "end_id": tokenizer.end_id,
            "fim": dict(zip(("prefix", "suffix", "middle"), fim, strict=True)) if fim else None,
            "encoder": f"{tokenizer.encoder} {metadata.version(tokenizer.encoder)}",
            "tokens_judged": counts.extra.get("judged", 0),
        },
        "sequence_length": settings.sequence_length,
        "lists": train,
        "validation": validation,
        "sequences": _sequences(shards),
        "filled": counts.extra.get("filled", 0),
        "tokens_by_source": {name.removeprefix("source:"): number for name, number in by_source.items()},
        "tokens_dropped": lost,
    }
    return Result(shards, totals, extra)


def _sequences(shards: Sequence[Part]) -> dict[str, int]:
    """Sequences of each list, by `SPLIT/LIST`."""
    sequences: Counter[str] = Counter()
    for part in shards:
        sequences[part.name.removeprefix("shards/").rpartition("/")[0]] += part.counts.rows
    return dict(sequences)


# ---------------------------------------------------------------- the tokenizer


def _definition(work: Work) -> str:
    """The definition of the tokenizer that the recipe names, or of one trained on the documents."""
    settings = work.run.recipe.tokenize
    if settings.tokenizer:
        return named_definition(work.run)
    if settings.train is None:
        raise StageError("tokenize: the recipe names no tokenizer; set tokenize.tokenizer or tokenize.train")
    natural = [each for each in work.inputs if not each.name.startswith("synth/")]
    fim = settings.fill_in_the_middle
    choosing = {
        **settings.train.model_dump(),
        "special_tokens": [settings.end_of_document, *([fim.prefix, fim.suffix, fim.middle] if fim else [])],
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


def sample_texts(urls: Sequence[str], seed: int, sample_bytes: int) -> list[str]:
    """A sample of documents: those of the smallest seeded hash, up to some characters."""
    sample: list[tuple[str, str]] = []
    size = 0
    for url in urls:
        table = read_table(url, ["doc_id", "text"])
        for doc_id, text in zip(table["doc_id"].to_pylist(), table["text"].to_pylist(), strict=True):
            sample.append((shuffle_key(seed, "train", doc_id), text))
            size += len(text)
        sample.sort()
        while size > sample_bytes and len(sample) > 1:
            size -= len(sample.pop()[1])
    return [text for _, text in sample]


def train_tokenizer(job: Job) -> Part:
    """Trains on a sample of the documents."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # a worker has one core
    texts = sample_texts(job.spec["inputs"], job.spec["seed"], job.spec["sample_bytes"])
    table = pa.table({"definition": [train(texts, job.spec["vocabulary"], job.spec["special_tokens"])]})
    return write_part(job.directory, job.name, job.key, table, Counts(rows=1, extra={"documents": len(texts)}), {})


# ---------------------------------------------------------------- what was lost before


def count_dropped(job: Job) -> Part:
    """Tokens of the documents that a stage dropped from one part, read where their input rows are."""
    tokenizer = load(job.spec)
    dropped = read_table(job.spec["dropped"], ["stage", "reason", "source", "category", "row"])
    texts = read_table(job.spec["texts"], ["text"]).take(dropped["row"])["text"].combine_chunks()
    rows, sums = [], Counter[str]()
    for begin in range(0, len(texts), _BATCH):
        encoded, lost = encode_each(tokenizer, texts[begin : begin + _BATCH])
        lengths = np.diff(encoded.offsets).tolist()
        for index, row in enumerate(dropped.slice(begin, _BATCH).to_pylist()):
            tokens = 0 if index in lost else lengths[index] + 1
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


STAGE = Stage("tokenize", 2, "document", lambda run: parts_before(run, "tokenize"), _settings, _make)
