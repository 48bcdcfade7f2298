"""What each stage of a run decided about a document, read where the stage wrote it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from filters.verdict import columns_of, measured
from pipelines import storage
from pipelines.engine import read_commit
from pipelines.parts import read_table
from pipelines.run import Run
from pipelines.shuffle import bucket_of

_EXTRACTED = (
    "method", "generator", "found", "date", "authors", "canonical", "licence_stated",
)  # fmt: skip
_CLASSIFIED = (
    "language", "language_score", "topic", "topic_score", "topic_second", "topic_second_score", "relevance",
    "topic_quality", "words",
)  # fmt: skip
_COMPARED = ("cluster_id", "cluster_size", "copies")


def decisions_of(run: Run, document: Mapping[str, Any]) -> dict[str, Any]:
    """What the stages decided, by stage; a stage that does not know the document, or this revision of it, is null.

    A rewrite was written by `synth`, and its parents went through the stages before.
    """
    if document["parents"]:
        row = _row(run, "synth", document, _CLASSIFIED)
        stages: dict[str, Any] = {"synth": _written(run, document), "classify": _some(row, _CLASSIFIED)}
    else:
        stages = {
            "extract": _some(_row(run, "extract", document, _EXTRACTED), _EXTRACTED),
            "classify": _some(_row(run, "classify", document, _CLASSIFIED), _CLASSIFIED),
            "dedup": _some(_row(run, "dedup", document, _COMPARED), _COMPARED),
            "filter": _judged(run, document),
        }
        row = _row(run, "filter", document, ("topic_quality",))
    return {**stages, "tokenize": _listed(run, document, row)}


def text_of(run: Run, document: Mapping[str, Any], start: int, end: int) -> str | None:
    """Bytes of the text of a document, as they went into the shards; None where the run has another revision."""
    row = _row(run, "synth" if document["parents"] else "filter", document, ("text",))
    return row["text"].encode()[start:end].decode(errors="replace") if row else None


# ---------------------------------------------------------------- rows of a document


def _row(run: Run, stage: str, document: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any] | None:
    """Columns of the row that a stage has of a document, as far as it has them."""
    table = _table(run, stage, document, columns)
    return table.to_pylist()[0] if table is not None else None


def _table(run: Run, stage: str, document: Mapping[str, Any], columns: Sequence[str]) -> pa.Table | None:
    """The same as a table of one row. The document's own bucket is looked through first."""
    commit = read_commit(run.directory(stage))
    first = f"part-{bucket_of(document['doc_id'], run.recipe.parts):05}"
    for name in sorted((part.name for part in (commit.parts if commit else ())), key=lambda name: name != first):
        with storage.open_input(storage.join(run.directory(stage), f"{name}.parquet")) as stream:
            file = pq.ParquetFile(stream, page_checksum_verification=True)
            at = file.read(columns=["doc_id"])["doc_id"].index(document["doc_id"]).as_py()
            if at >= 0:
                there = [each for each in ("revision", *columns) if each in file.schema_arrow.names]
                table = file.read(columns=there).slice(at, 1)
                return table if table["revision"][0].as_py() == document["revision"] else None
    return None


def _some(row: Mapping[str, Any] | None, names: Sequence[str]) -> dict[str, Any] | None:
    """What a row says of some columns, nulls and empty ones left out."""
    if row is None:
        return None
    told = {name: dict(row[name]) if name == "found" and row[name] else row.get(name) for name in names}
    return {name: value for name, value in told.items() if value not in (None, "", [], {})}


# ---------------------------------------------------------------- stages


def _judged(run: Run, document: Mapping[str, Any]) -> dict[str, Any] | None:
    """Every rule that judged the document, with its value and limit, and what was edited."""
    settings = run.recipe.filter
    table = _table(run, "dedup", document, columns_of(settings))
    if table is None:
        return None
    rules = [
        {"rule": rule, "value": value, "limit": f"{'at most' if above else 'at least'} {limit:,.10g}"}
        for rule, value, above, limit in measured(table, settings)
    ]
    return {"passed": _row(run, "filter", document, ()) is not None, "rules": rules, "edits": document["edits"] or []}


def _listed(run: Run, document: Mapping[str, Any], row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Why the document is in its list: category, quality and the limits of tiers, origin."""
    commit = read_commit(run.directory("tokenize"))
    if commit is None or row is None:
        return None
    return {
        "category": document["category"],
        "quality": row.get("topic_quality"),
        "tiers_from": commit.settings.get("tiers"),
        "origin": "synthetic" if document["parents"] else "natural",
    }


def _written(run: Run, document: Mapping[str, Any]) -> dict[str, Any] | None:
    """Who wrote a rewrite, asked what, and what its gates measured."""
    commit = read_commit(run.directory("synth"))
    for part in commit.parts if commit else ():
        relative = f"provenance/{part.name}.parquet"
        if relative in part.side:
            table = read_table(storage.join(run.directory("synth"), relative))
            at = table["doc_id"].index(document["doc_id"]).as_py()
            if at >= 0:
                row: dict[str, Any] = table.slice(at, 1).to_pylist()[0]
                return {**row, "gates": dict(row["gates"] or ()), "parameters": json.loads(row["parameters"])}
    return None
