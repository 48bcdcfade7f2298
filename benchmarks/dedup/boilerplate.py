"""What stands at the edges of the pages of documentation packages, and how much of them the filter cuts."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.dedup.stages import prepare, run_dedup
from benchmarks.extract.packages import Log
from benchmarks.filter.documents import batches
from filters.privacy.placeholders import BOILERPLATE
from manifests.models import ClassifySettings, FilterSettings
from pipelines import storage
from pipelines.classify import score
from pipelines.filter import edit, read_lines
from pipelines.parts import read_table
from pipelines.pool import Pool
from pipelines.schema import DOCUMENT

_SHOWN = 3  # pairs of lines of a source: those on most pages


def measure(table: pa.Table, scratch: Path, pool: Pool, log: Log) -> dict[str, Any]:
    """Of each source the pairs of lines that are found, the pages that lose some, and their share of its bytes."""
    shutil.rmtree(scratch / "edges", ignore_errors=True)
    scored = [score(batch.select(DOCUMENT.names), ClassifySettings()) for batch in batches(table)]
    prepared = prepare(scratch / "edges", scored)
    commit, _ = run_dedup(prepared, pool)
    directory = prepared.run.directory("dedup")
    place = storage.join(directory, f"{commit.artefacts[0].name}.parquet")
    size: Counter[str] = Counter()
    pages: Counter[str] = Counter()
    cut: Counter[str] = Counter()
    for part in commit.parts:
        documents = read_table(storage.join(directory, f"{part.name}.parquet"))
        texts = documents["text"].to_pylist()
        edited = edit(documents, FilterSettings(), read_lines(place))
        for source, text, edits in zip(
            documents["source"].to_pylist(), texts, edited["edits"].to_pylist(), strict=True
        ):
            gone = sum(each["end"] - each["start"] for each in edits if each["kind"] == BOILERPLATE)
            size[source] += len(text.encode())
            cut[source] += gone
            pages[source] += gone > 0
    found: dict[str, Any] = {}
    for row in read_table(place).to_pylist():
        source = row["source"]
        of_source = found.setdefault(
            source,
            {"pages": row["of"], "pairs": 0, "cut_pages": pages[source], "cut_share": cut[source] / size[source], "lines": []},
        )  # fmt: skip
        of_source["pairs"] += 1
        of_source["lines"] += [row["lines"]] if len(of_source["lines"]) < _SHOWN else []
    log(f"boilerplate: {len(found)} of {len(size)} sources have some")
    shutil.rmtree(scratch / "edges")
    return {"documents": table.num_rows, "sources_seen": len(size), "sources": found}
