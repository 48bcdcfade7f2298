"""classify: every column that depends on one document alone. Words are split and hashed here, once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters import language, shares
from filters.datatrove_rules import failed_rules
from filters.general import scores as general
from filters.junk import scores as junk
from filters.minhash import signatures
from filters.privacy.spans import find_spans
from filters.stream import COUNTS, read_stream
from manifests.models import ClassifySettings
from pipelines.engine import Job, Result, Stage, Work, parts_before
from pipelines.parts import Part, read_table, write_part
from pipelines.rows import count_fates, isolate, side_tables
from pipelines.run import Run
from pipelines.schema import DOCUMENT, SCORES, joined

_BATCH_BYTES = 16 << 20


def _settings(run: Run) -> Mapping[str, Any]:
    return {**run.recipe.classify.model_dump(), "language_model": language.model_sha256()}


def _make(work: Work) -> Result:
    return work.make_each(classify_part, {"settings": work.run.recipe.classify.model_dump()})


def classify_part(job: Job) -> Part:
    """Adds SCORES to the documents of one part."""
    settings = ClassifySettings.model_validate(job.spec["settings"])
    tables, broken = [], []
    for batch in _batches(read_table(job.spec["input"])):
        scored, _, failed = isolate(lambda rows: score(rows, settings), batch, "classify", job.spec["name"])
        tables += scored
        broken += failed
    table = pa.concat_tables(tables) if tables else joined(DOCUMENT, SCORES).empty_table()
    counts = count_fates(table.num_rows, table.num_rows, [], broken)
    return write_part(job.directory, job.name, job.key, table, counts, side_tables([], broken))


def score(documents: pa.Table, settings: ClassifySettings) -> pa.Table:
    """The documents with SCORES added; `language` stays as it was where the text has too little prose to tell."""
    texts = documents["text"].combine_chunks()
    strings = texts.to_pylist()
    raw = [text.encode() for text in strings]
    stream = read_stream(texts)
    detected = language.detect(strings)
    signed = signatures(stream, settings.permutations, settings.shingle_words)
    known = documents["language"].to_pylist()
    columns: dict[str, Any] = {name: documents[name] for name in DOCUMENT.names}
    columns["language"] = [
        before if code == language.UNDETERMINED and before else code
        for before, (code, _) in zip(known, detected, strict=True)
    ]
    columns["language_score"] = [confidence for _, confidence in detected]
    columns["fold_hash"] = [hashlib.sha256(b" ".join(text.split())).hexdigest()[:32] for text in raw]
    columns["signature"] = [row.tobytes() for row in signed]
    columns["spans"] = [
        [{"start": start, "end": end, "kind": kind} for start, end, kind in spans] for spans in find_spans(stream)
    ]
    columns["datatrove_failed"] = [failed_rules(text, settings.datatrove) for text in strings]
    columns |= {name: stream.column(name) for name in COUNTS}
    columns |= shares.scores(stream) | general.scores(stream) | junk.scores(stream)
    return pa.table(columns, schema=joined(DOCUMENT, SCORES))


def _batches(table: pa.Table) -> Iterator[pa.Table]:
    """Slices of a table of some 16 MB of text, so that memory follows the batch."""
    begin, size = 0, 0
    lengths = pc.binary_length(table["text"]).to_pylist()
    for index, length in enumerate(lengths):
        size += length
        if size >= _BATCH_BYTES or index + 1 == len(lengths):
            yield table.slice(begin, index + 1 - begin)
            begin, size = index + 1, 0


STAGE = Stage("classify", 2, "document", lambda run: parts_before(run, "classify"), _settings, _make)
