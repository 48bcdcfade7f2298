"""`syscorpus train-tokenizer`: a byte-level BPE trained on documents, and how many bytes its tokens hold.

Bytes per token say what a vocabulary of the domain is worth; they are counted over all documents, category by category.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import storage
from pipelines.engine import read_commit
from pipelines.parts import read_columns
from pipelines.schema import DOCUMENT
from pipelines.tokenize.encode import encode_each
from pipelines.tokenize.stage import sample_texts
from pipelines.tokenizer import TextTokenizer, TokenizerError, train

ALL = "all"
_NONE = "no category"
_READ = pa.schema([DOCUMENT.field(name) for name in ("category", "text")])
_BATCH = 1024

#: Bytes per token of each category, and of ALL.
Held = Mapping[str, float]


@dataclass(frozen=True)
class Asked:
    """What to train: entries of the vocabulary, special tokens among them, and how much text to learn from."""

    vocabulary: int
    sample_bytes: int
    special_tokens: Sequence[str]
    seed: int = 0


def files_of(run: str | None, inputs: Sequence[str]) -> list[str]:
    """The parts of a run's filtered documents, or the Parquet files that match. Raises TokenizerError, StorageError."""
    if run is None:
        return [url for pattern in inputs for url in storage.expand(pattern)]
    commit = read_commit(storage.join(run, "filter"))
    if commit is None or not commit.parts:
        raise TokenizerError(f"{run} has no filtered documents")
    return [storage.join(run, "filter", f"{part.name}.parquet") for part in commit.parts]


def train_on(urls: Sequence[str], asked: Asked) -> str:
    """The content of a tokenizer.json. Raises TokenizerError."""
    least = 256 + len(asked.special_tokens)
    if asked.vocabulary < least:
        raise TokenizerError(f"a vocabulary of {asked.vocabulary} has no room for every byte; the least is {least}")
    texts = sample_texts(urls, asked.seed, asked.sample_bytes)
    if not texts:
        raise TokenizerError("there are no documents to train on")
    return train(texts, asked.vocabulary, asked.special_tokens)


def opened(definition: str, name: str) -> TextTokenizer:
    """A tokenizer that is measured: no token needs to end its documents. Raises TokenizerError."""
    try:
        return TextTokenizer(definition, None)
    except TokenizerError as error:
        raise TokenizerError(f"{name}: {error}") from None


def bytes_per_token(urls: Sequence[str], tokenizer: TextTokenizer) -> Held:
    """Over all documents, end tokens apart; texts that break the tokenizer are left out."""
    size, tokens = Counter[str](), Counter[str]()
    for url in urls:
        table = read_columns(url, _READ)
        for begin in range(0, table.num_rows, _BATCH):
            batch = table.slice(begin, _BATCH).combine_chunks()
            texts = batch["text"].combine_chunks()
            encoded, lost = encode_each(tokenizer, texts)
            lengths = zip(pc.binary_length(texts).to_pylist(), np.diff(encoded.offsets).tolist(), strict=True)
            for index, (category, (held, number)) in enumerate(
                zip(batch["category"].to_pylist(), lengths, strict=True)
            ):
                if index not in lost:
                    for name in (category or _NONE, ALL):
                        size[name] += held
                        tokens[name] += number
    return {name: size[name] / max(tokens[name], 1) for name in sorted(size, key=lambda each: (each == ALL, each))}


def table_of_held(held: Mapping[str, Held]) -> str:
    """Bytes per token by category, a column for each tokenizer (by its name)."""
    columns = list(held)
    rows = [["bytes per token", *columns]]
    for name in next(iter(held.values())):
        rows.append([name, *(f"{held[column][name]:.3f}" for column in columns)])
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )


def run_command(run: str | None, inputs: Sequence[str], asked: Asked, output: str, against: Sequence[str]) -> str:
    """Trains, writes the tokenizer, and says how many bytes its tokens hold beside those of others."""
    # Before the long work: a tokenizer that cannot be read, a place that cannot be written.
    others = {path: opened(storage.read_bytes(path).decode(), path) for path in against}
    storage.check_writable(output.rpartition("/")[0] or ".")
    urls = files_of(run, inputs)
    definition = train_on(urls, asked)
    storage.write_bytes(output, definition.encode())
    held = {name: bytes_per_token(urls, each) for name, each in {output: opened(definition, output), **others}.items()}
    return f"{table_of_held(held)}\ntokenizer: {output}, {asked.vocabulary:,} entries at most"
