"""filter: decides by thresholds over the columns, and edits: placeholders for personal data and secrets, leaks cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.leaks import Leak, cut
from filters.privacy.placeholders import CUT, redact
from filters.privacy.spans import Span
from filters.verdict import decides, judge, leaks_of
from manifests.models import FilterSettings
from pipelines.engine import Job, Result, Stage, Work, parts_before
from pipelines.parts import Part, read_table, write_part
from pipelines.rows import count_fates, drop_row, isolate, side_tables
from pipelines.run import Run
from pipelines.schema import EDITS, joined

_LISTS = ("spans", "leaks")
_LET_GO = ("signature", "sketch", *_LISTS, "fold_hash")


def _settings(run: Run) -> Mapping[str, Any]:
    return decides(run.recipe.filter)


def _make(work: Work) -> Result:
    return work.make_each(filter_part, {"settings": work.run.recipe.filter.model_dump()})


def filter_part(job: Job) -> Part:
    """Drops the documents of a part that fail a rule, and edits those that stay."""
    settings = FilterSettings.model_validate(job.spec["settings"])
    table = read_table(job.spec["input"])
    verdicts = judge(table, settings)
    dropped = [
        drop_row(_identity(table, index), "filter", failed, (job.spec["name"], index))
        for index, failed in enumerate(verdicts)
        if failed
    ]
    kept = table.filter(pa.array([not failed for failed in verdicts], pa.bool_()))
    edited, _, broken = isolate(lambda rows: edit(rows, settings), kept, "filter", job.spec["name"])
    result = pa.concat_tables(edited) if edited else edit(kept.slice(0, 0), settings)
    counts = count_fates(result.num_rows, result.num_rows, dropped, broken)
    return write_part(job.directory, job.name, job.key, result, counts, side_tables(dropped, broken))


def _identity(table: pa.Table, index: int) -> dict[str, Any]:
    names = ("doc_id", "revision", "url", "source", "category")
    return {name: table[name][index].as_py() for name in names}


def edit(documents: pa.Table, settings: FilterSettings) -> pa.Table:
    """The documents with spans to redact replaced; `edits` are those spans, in bytes of the text before."""
    edits: list[list[dict[str, Any]]] = [[] for _ in range(documents.num_rows)]
    changed: dict[int, str] = {}
    marked = pc.or_(*(pc.greater(pc.fill_null(pc.list_value_length(documents[name]), 0), 0) for name in _LISTS))
    for row in pc.indices_nonzero(marked).to_pylist():  # the others keep their texts where they lie
        text = documents["text"][row].as_py().encode()
        leaks = leaks_of(documents["leaks"][row].as_py(), settings)
        if chosen := _chosen(text, documents["spans"][row].as_py() or (), leaks, settings):
            edits[row] = [{"start": start, "end": end, "kind": kind} for start, end, kind in chosen]
            changed[row] = redact(text, chosen).decode()
    texts = _replaced(documents["text"], changed)
    schema = joined(pa.schema([each for each in documents.schema if each.name not in _LET_GO]), EDITS)
    columns: dict[str, Any] = {name: documents[name] for name in schema.names if name not in ("text", "edits")}
    return pa.table({**columns, "text": texts, "edits": edits}, schema=schema)


def _replaced(texts: pa.ChunkedArray, changed: Mapping[int, str]) -> pa.ChunkedArray:
    """The texts, those of some rows, in order, replaced."""
    if not changed:
        return texts
    mask = np.zeros(len(texts), np.bool_)
    mask[list(changed)] = True
    values = pa.array(list(changed.values()), texts.type)
    return pc.replace_with_mask(texts, pa.array(mask), values)


def _chosen(
    text: bytes, spans: Sequence[Mapping[str, Any]], leaks: Sequence[Leak], settings: FilterSettings
) -> list[Span]:
    """What is edited: the blocks with leaks, where the recipe cuts; elsewhere personal data and secrets."""
    gone = cut(text, [(leak.start, leak.end) for leak in leaks])[1] if settings.leaks.action == "cut" else []
    private = [
        (span["start"], span["end"], span["kind"])
        for span in spans
        if span["kind"].partition(".")[0] in settings.redact
        and all(span["end"] <= start or end <= span["start"] for start, end in gone)
    ]
    return sorted([*private, *((start, end, CUT) for start, end in gone)])


STAGE = Stage("filter", 4, "document", lambda run: parts_before(run, "filter"), _settings, _make)
