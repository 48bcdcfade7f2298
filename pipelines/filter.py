"""filter: decides by thresholds over the columns, and edits: placeholders for personal data and secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from filters.privacy.placeholders import redact
from filters.verdict import decides, judge
from manifests.models import FilterSettings
from pipelines.engine import Job, Result, Stage, Work, parts_before
from pipelines.parts import Part, read_table, write_part
from pipelines.rows import count_fates, drop_row, isolate, side_tables
from pipelines.run import Run
from pipelines.schema import EDITS, joined

_LET_GO = ("signature", "spans", "fold_hash")


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
    texts, edits = [], []
    for text, spans in zip(documents["text"].to_pylist(), documents["spans"].to_pylist(), strict=True):
        chosen = [span for span in spans if span["kind"].partition(".")[0] in settings.redact]
        edits.append(chosen)
        edited = redact(text.encode(), [(span["start"], span["end"], span["kind"]) for span in chosen])
        texts.append(edited.decode())
    schema = joined(pa.schema([each for each in documents.schema if each.name not in _LET_GO]), EDITS)
    columns: dict[str, Any] = {name: documents[name] for name in schema.names if name not in ("text", "edits")}
    return pa.table({**columns, "text": texts, "edits": edits}, schema=schema)


STAGE = Stage("filter", 2, "document", lambda run: parts_before(run, "filter"), _settings, _make)
