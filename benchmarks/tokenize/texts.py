"""Real documentation as parts of `filter`, a tokenizer trained on the first of them, and lengths that are made."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.extract.packages import Log
from benchmarks.filter import canonical
from benchmarks.filter.documents import text_bytes
from pipelines.parts import Counts, write_part
from pipelines.schema import CLUSTER, DOCUMENT, SCORES, joined
from pipelines.tokenizer import train

VOCABULARY = 65_536
END = "<|endoftext|>"
SAMPLE = 1  # raise it when the same documents would give another tokenizer
_WARM = 4  # one document in so many goes into the part that warms the encoders up
_COLUMNS = joined(DOCUMENT, SCORES, CLUSTER)


class Corpus(NamedTuple):
    """Two parts of different documents, the URL of each, and the path of a tokenizer.json.

    Encoders keep what they have split before: they read `warm` first, as a worker has read other parts, and are
    measured on `part`.
    """

    warm: str
    part: str
    tokenizer: Path
    documents: int
    megabytes: float
    digest: str


def load(cache: Path, scratch: Path, log: Log) -> Corpus:
    """The pages of Debian's documentation packages, and a tokenizer of VOCABULARY entries that the cache keeps."""
    pages = canonical.is_document(canonical.load(cache, log))
    return prepare(pages, cache, scratch, VOCABULARY, log)


def prepare(pages: pa.Table, cache: Path, scratch: Path, vocabulary: int, log: Log) -> Corpus:
    """Documents (DOCUMENT's columns) as a corpus below `scratch`."""
    pages = pages.select(DOCUMENT.names).sort_by("doc_id").combine_chunks()
    bound = pages.num_rows // _WARM
    warm, part = (
        _write(scratch, name, table) for name, table in (("warm", pages.slice(0, bound)), ("part", pages.slice(bound)))
    )
    tokenizer = _tokenizer(pages, cache, vocabulary, log)
    return Corpus(
        warm, part, tokenizer, pages.num_rows - bound, text_bytes(pages.slice(bound)) / 1e6, canonical.digest(pages)
    )


def _write(scratch: Path, name: str, table: pa.Table) -> str:
    columns = {
        field.name: table[field.name] if field.name in DOCUMENT.names else pa.nulls(table.num_rows, field.type)
        for field in _COLUMNS
    }
    rows = table.num_rows
    write_part(str(scratch), name, "given", pa.table(columns, schema=_COLUMNS), Counts(rows, rows, rows), {})
    return str(scratch / f"{name}.parquet")


def _tokenizer(pages: pa.Table, cache: Path, vocabulary: int, log: Log) -> Path:
    """Trained on one document in _WARM, from the cache if it was made of the same."""
    chosen = pages.slice(0, pages.num_rows // _WARM)
    digest = hashlib.sha256(f"{SAMPLE} {vocabulary} {canonical.digest(chosen)}".encode()).hexdigest()[:16]
    place = cache / f"tokenizer-{digest}.json"
    if not place.exists():
        log(f"training a tokenizer of {vocabulary:,} entries on {text_bytes(chosen) / 1e6:.0f} MB")
        definition = train(chosen["text"].to_pylist(), vocabulary, [END])
        partial = place.with_suffix(".partial")
        partial.write_text(definition)
        partial.rename(place)
    return place


def made_lengths(documents: int, seed: int = 1) -> npt.NDArray[np.int64]:
    """Log-normal lengths in tokens, as of documentation: a median of 800, one in fifty longer than 10,000."""
    random = np.random.default_rng(seed)
    return np.maximum(2, random.lognormal(np.log(800), 1.25, documents)).astype(np.int64)
