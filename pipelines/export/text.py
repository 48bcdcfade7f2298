"""Text: the documents themselves, list by list, for those who tokenize on their own.

`text/SPLIT/LIST/part-*`, as Parquet or as JSON Lines; the splits and the lists are those of the shards.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.models import TokenizeSettings
from pipelines import storage
from pipelines.engine import Input, Job, Work
from pipelines.lists import COLUMNS, lists_of
from pipelines.parts import Counts, Layout, Part, parquet_options, read_table, write_part

FOLDER = "text/"
_GROUP_DOCUMENTS = 200_000
_ROW_GROUP = 4096
_TOLD = ("doc_id", "revision", "text", "url", "source", "category", "licence", "title")
_TEXT = pa.schema(
    [
        *[(name, pa.large_string() if name == "text" else pa.string()) for name in _TOLD],
        *[(name, pa.string()) for name in ("tier", "origin", "split")],
    ]
)
_FILES = pa.schema([("list", pa.string()), ("documents", pa.int64())])

Write = Callable[[pa.Table], None]


def text_jobs(work: Work, documents: Sequence[Input], wanted: Sequence[str]) -> list[Job]:
    """One job for each group of parts of documents: it writes a file for each of the wanted `SPLIT/LIST` it meets."""
    tokenize, kind = work.run.recipe.tokenize, work.run.recipe.export.text
    deciding = tokenize.model_dump(include={"tiers", "validation"})
    return [
        work.job(
            write_texts,
            "",
            f"{FOLDER}part-{number:05}",
            [kind, deciding, work.run.recipe.seed, [each.content for each in group], list(wanted)],
            {
                "inputs": [each.url for each in group],
                "kind": kind,
                "settings": deciding,
                "seed": work.run.recipe.seed,
                "lists": list(wanted),
            },
        )
        for number, group in enumerate(_groups(documents))
    ]


def _groups(documents: Sequence[Input]) -> list[list[Input]]:
    """Parts together, so that a list has few files, and none is too large for a reader."""
    groups: list[list[Input]] = []
    held = _GROUP_DOCUMENTS
    for each in documents:
        if held >= _GROUP_DOCUMENTS:
            groups.append([])
            held = 0
        groups[-1].append(each)
        held += each.rows or 0
    return groups


def write_texts(job: Job) -> Part:
    """Writes the documents of some parts, in their order, each to the file of its list; one part in memory."""
    settings = TokenizeSettings.model_validate(job.spec["settings"])
    name = job.name.rpartition("/")[2]
    ending = "parquet" if job.spec["kind"] == "parquet" else "jsonl.gz"
    writers: dict[str, Write] = {}
    rows: dict[str, int] = {}
    files: dict[str, str] = {}
    with ExitStack() as open_files:
        for url in job.spec["inputs"]:
            table = read_table(url, sorted({*COLUMNS, *_TOLD}))
            lists = lists_of(table, settings, job.spec["seed"])
            for each in sorted(set(lists) & set(job.spec["lists"])):
                if each not in writers:
                    target = f"{FOLDER}{each}/{name}.{ending}"
                    writers[each] = open_files.enter_context(_file(job.directory, target, job.spec["kind"], files))
                own = table.filter(pa.array(lists == each))
                writers[each](_told(own, each))
                rows[each] = rows.get(each, 0) + own.num_rows
    told = pa.table({"list": sorted(rows), "documents": [rows[each] for each in sorted(rows)]}, schema=_FILES)
    counts = Counts(rows=len(rows), extra={"documents": sum(rows.values())})
    return write_part(job.directory, job.name, job.key, told, counts, {}, beside=files)


def _told(rows: pa.Table, name: str) -> pa.Table:
    """Documents of a list `SPLIT/CATEGORY.TIER.ORIGIN`, as they are told."""
    split, _, own = name.partition("/")
    _, tier, origin = own.rsplit(".", 2)
    columns = {each: rows[each] for each in _TOLD}
    same = {"tier": tier, "origin": origin, "split": split}
    return pa.table({**columns, **{each: pa.repeat(value, rows.num_rows) for each, value in same.items()}}).cast(_TEXT)


@contextmanager
def _file(directory: str, name: str, kind: str, files: dict[str, str]) -> Iterator[Write]:
    """A file to write documents to; its SHA-256 is put into `files` when it is whole."""
    with storage.writing(storage.join(directory, name)) as path:
        with _KINDS[kind](path) as write:
            yield write
        files[name] = storage.sha256(str(path))


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    with pq.ParquetWriter(path, _TEXT, **parquet_options(Layout())) as writer:
        yield lambda rows: writer.write_table(rows, row_group_size=_ROW_GROUP)


@contextmanager
def _jsonl(path: Path) -> Iterator[Write]:
    # Neither the name nor the time of writing may stand in the file.
    with path.open("wb") as stream, gzip.GzipFile("", "wb", fileobj=stream, mtime=0) as sink:

        def write(rows: pa.Table) -> None:
            for row in rows.to_pylist():
                sink.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")

        yield write


_KINDS: dict[str, Callable[[Path], AbstractContextManager[Write]]] = {"parquet": _parquet, "jsonl": _jsonl}
