"""filter: decides by thresholds over the columns, and edits: placeholders for personal data and secrets; leaks and the
boilerplate of sources are cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.boilerplate import spans_of as boilerplate_spans
from filters.leaks import Leak, cut
from filters.privacy.placeholders import BOILERPLATE, CUT, redact
from filters.privacy.spans import Span
from filters.stream import Hashes, read_stream
from filters.verdict import decides, judge, leaks_of
from manifests.models import FilterSettings
from pipelines import storage
from pipelines.engine import Job, Result, Stage, Work, parts_before, read_commit
from pipelines.parts import Part, read_table, write_part
from pipelines.rows import count_fates, drop_row, isolate, side_tables
from pipelines.run import Run
from pipelines.schema import EDITS, joined

_LISTS = ("spans", "leaks")
_LET_GO = ("signature", "sketch", *_LISTS, "fold_hash")


def _settings(run: Run) -> Mapping[str, Any]:
    lines = _boilerplate_of(run)
    return {**decides(run.recipe.filter), "boilerplate": lines.content if lines else None}


def _make(work: Work) -> Result:
    run = work.run
    lines = storage.join(run.directory("dedup"), f"{BOILERPLATE}.parquet") if _boilerplate_of(run) else None
    return work.make_each(filter_part, {"settings": run.recipe.filter.model_dump(), "boilerplate": lines})


def _boilerplate_of(run: Run) -> Part | None:
    """The table of the run's dedup; none where the filter works without it."""
    commit = read_commit(run.directory("dedup")) if "dedup" in run.before("filter") else None
    return commit.artefacts[0] if commit and commit.artefacts else None


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
    lines = read_lines(job.spec["boilerplate"]) if job.spec["boilerplate"] else {}
    edited, _, broken = isolate(lambda rows: edit(rows, settings, lines), kept, "filter", job.spec["name"])
    result = pa.concat_tables(edited) if edited else edit(kept.slice(0, 0), settings)
    counts = count_fates(result.num_rows, result.num_rows, dropped, broken)
    return write_part(job.directory, job.name, job.key, result, counts, side_tables(dropped, broken))


def _identity(table: pa.Table, index: int) -> dict[str, Any]:
    names = ("doc_id", "revision", "url", "source", "category")
    return {name: table[name][index].as_py() for name in names}


def read_lines(url: str) -> dict[str, Hashes]:
    """Of each source the pairs of lines that are boilerplate."""
    table = read_table(url, ["source", "pair"])
    sources = np.array(table["source"].to_pylist(), object)
    pairs: Hashes = table["pair"].to_numpy()
    return {source: pairs[sources == source] for source in np.unique(sources)}


def edit(documents: pa.Table, settings: FilterSettings, lines: Mapping[str, Hashes] | None = None) -> pa.Table:
    """The documents with spans to redact replaced, and without the boilerplate of their sources.

    `edits` are these spans, in bytes of the text before.
    """
    edits: list[list[dict[str, Any]]] = [[] for _ in range(documents.num_rows)]
    changed: dict[int, str] = {}
    marked = pc.or_(*(pc.greater(pc.fill_null(pc.list_value_length(documents[name]), 0), 0) for name in _LISTS))
    cuts = _boilerplate_in(documents, lines or {})
    for row in sorted({*pc.indices_nonzero(marked).to_pylist(), *cuts}):  # the others keep their texts where they lie
        text = documents["text"][row].as_py().encode()
        leaks = leaks_of(documents["leaks"][row].as_py(), settings)
        spans = documents["spans"][row].as_py() or ()
        if chosen := _chosen(text, spans, leaks, cuts.get(row, []), settings):
            edits[row] = [{"start": start, "end": end, "kind": kind} for start, end, kind in chosen]
            changed[row] = redact(text, chosen).decode()
    texts = _replaced(documents["text"], changed)
    schema = joined(pa.schema([each for each in documents.schema if each.name not in _LET_GO]), EDITS)
    columns: dict[str, Any] = {name: documents[name] for name in schema.names if name not in ("text", "edits")}
    return pa.table({**columns, "text": texts, "edits": edits}, schema=schema)


def _boilerplate_in(documents: pa.Table, lines: Mapping[str, Hashes]) -> dict[int, list[tuple[int, int]]]:
    """What is cut of each row that has boilerplate of its source."""
    found: dict[int, list[tuple[int, int]]] = {}
    for source, pairs in lines.items():
        rows = pc.indices_nonzero(pc.equal(documents["source"], source))
        spans = boilerplate_spans(read_stream(documents["text"].take(rows)), pairs)
        found |= {row: cut for row, cut in zip(rows.to_pylist(), spans, strict=True) if cut}
    return found


def _replaced(texts: pa.ChunkedArray, changed: Mapping[int, str]) -> pa.ChunkedArray:
    """The texts, those of some rows, in order, replaced."""
    if not changed:
        return texts
    mask = np.zeros(len(texts), np.bool_)
    mask[list(changed)] = True
    values = pa.array(list(changed.values()), texts.type)
    return pc.replace_with_mask(texts, pa.array(mask), values)


def _chosen(
    text: bytes,
    spans: Sequence[Mapping[str, Any]],
    leaks: Sequence[Leak],
    lines: Sequence[tuple[int, int]],
    settings: FilterSettings,
) -> list[Span]:
    """What is edited: blocks with leaks, where the recipe cuts; boilerplate; elsewhere personal data and secrets."""
    private = [
        (span["start"], span["end"], span["kind"])
        for span in spans
        if span["kind"].partition(".")[0] in settings.redact
    ]
    leaked = cut(text, [(leak.start, leak.end) for leak in leaks])[1] if settings.leaks.action == "cut" else []
    gone = [(start, end, CUT) for start, end in leaked]
    # What is half in a run of lines must be replaced whole, so the run stays.
    gone += [(*run, BOILERPLATE) for run in lines if not any(_is_half_in(each, run) for each in (*private, *gone))]
    return sorted([*gone, *(each for each in private if not any(_meet(each, run) for run in gone))])


def _meet(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return bool(one[0] < other[1] and other[0] < one[1])


def _is_half_in(span: Sequence[Any], run: Sequence[Any]) -> bool:
    return _meet(span, run) and not (run[0] <= span[0] and span[1] <= run[1])


STAGE = Stage("filter", 5, "document", lambda run: parts_before(run, "filter"), _settings, _make)
