"""Small runs of synth for its tests: documents committed as the filter leaves them, and a teacher on loopback."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from manifests.models import ClassifySettings, FilterSettings
from pipelines import storage
from pipelines.classify import score
from pipelines.engine import Commit, Result, Stage, run_stage
from pipelines.filter import edit
from pipelines.parts import Counts, key_of, read_table, write_part
from pipelines.pool import Pool
from pipelines.run import Run
from pipelines.schema import CLUSTER
from pipelines.synth.stage import STAGE


def put_documents(run: Run, documents: pa.Table, parts: int = 2) -> None:
    """Commits documents as the output of `classify` and of `filter`, in some parts."""
    scored = score(documents, ClassifySettings())
    alone = {"cluster_id": scored["doc_id"], "cluster_size": [1] * len(scored), "copies": [[]] * len(scored)}
    clustered = scored
    for field in CLUSTER:
        column = alone[field.name]
        array = column if isinstance(column, pa.ChunkedArray) else pa.array(column, field.type)
        clustered = clustered.append_column(field, array)
    for stage, table in (("classify", scored), ("filter", edit(clustered, FilterSettings()))):
        _commit(run, stage, table, parts)


def _commit(run: Run, stage: str, table: pa.Table, parts: int) -> None:
    size = -(-len(table) // parts)
    key = key_of(table["doc_id"].to_pylist(), table["text"].to_pylist())

    def make(work: Any) -> Result:
        made = [
            write_part(work.directory, f"part-{n:05}", key, each, Counts(len(each), len(each), len(each)), {})
            for n, each in enumerate(table.slice(n * size, size) for n in range(parts))
        ]
        return Result(made, Counts.total([part.counts for part in made]))

    run_stage(run, Stage(stage, 1, "row", lambda run: [], lambda run: {"key": key}, make), Pool(1))


def rows_of(run: Run, commit: Commit, folder: str = "") -> list[dict[str, Any]]:
    """Rows of all parts of the stage, or of what stands beside them."""
    urls = [storage.join(run.directory("synth"), f"{folder}{part.name}.parquet") for part in commit.parts]
    return [row for url in urls if storage.exists(url) for row in read_table(url).to_pylist()]


def make(run: Run, pool: Any) -> Commit:
    """Makes the stage."""
    return run_stage(run, STAGE, pool)[0]


# ---------------------------------------------------------------- documents, and what a faithful teacher says of them

TOPICS = (
    ("journal", "inodes", "disk"), ("scheduler", "threads", "runqueue"), ("allocator", "pages", "freelist"),
    ("resolver", "names", "zone"), ("balancer", "sessions", "backend"), ("watchdog", "heartbeats", "timer"),
    ("compactor", "tables", "level"), ("collector", "metrics", "scrape"), ("router", "packets", "table"),
    ("broker", "messages", "partition"), ("cache", "objects", "shelf"), ("proxy", "headers", "upstream"),
)  # fmt: skip


_SORTS = ("", "spare ", "remote ", "nightly ", "shared ", "local ", "pinned ")


def _named(topic: int) -> tuple[str, str, str]:
    it, them, place = TOPICS[topic % len(TOPICS)]
    return _SORTS[topic // len(TOPICS)] + it, them, place


def document_of(topic: int) -> str:
    """A document of some 90 words about one thing; no two have five words in a row of its own in common."""
    it, them, place = _named(topic)
    return (
        f"# The {it}\n\nThe {it} keeps {them} near the {place}, so that the {it} finds {them} there again. Whenever the "
        f"{place} is busy, the {it} lets {them} wait beside the {place} until the {it} sees it free. Each {it} writes "
        f"its {them} to the {place} before the {it} ends, and reads {them} from the {place} when the {it} begins. An "
        f"operator who moves the {place} tells the {it} where {them} now lie, or else the {it} stops with {them} in "
        f"hand and waits for the {place} to come back to the {it}.\n"
    )


def faq_of(topic: int) -> str:
    """Questions and answers that a faithful teacher would write of it."""
    it, them, place = _named(topic)
    return (
        f"## Where does the {it} look for {them}?\n\nNear the {place}: there the {it} keeps {them} and finds them.\n\n"
        f"## What becomes of {them} while the {place} is busy?\n\nThe {it} lets them wait beside the {place} until it "
        f"is free.\n\n## When does the {it} write {them}?\n\nBefore the {it} ends, to the {place}; it reads {them} from "
        f"there when it begins.\n"
    )


def topic_of(request: dict[str, Any]) -> int:
    """Which document a request is about."""
    asked = request["messages"][1]["content"]
    return next(n for n in range(len(TOPICS) * len(_SORTS)) if f"# The {_named(n)[0]}\n" in asked)
