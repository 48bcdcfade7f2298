"""Exports made by hand: shards in the schema of the product, a manifest, a mixture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import storage
from pipelines.schema import SHARD

LENGTH = 32
VOCABULARY = 64
END = 0


def segment(doc_id: str | None, tokens: int) -> dict[str, Any]:
    return {"doc_id": doc_id, "revision": doc_id, "tokens": tokens, "start_byte": 0, "end_byte": tokens - 1 if doc_id else 0,
            "middle_start": None, "middle_end": None}  # fmt: skip


def packed(segments: Sequence[tuple[str | None, Sequence[int]]], length: int = LENGTH) -> dict[str, Any]:
    """A row of documents, (doc_id, ids without the end token) each; of a document that was taken down the id is None."""
    ids: list[int] = []
    for doc_id, tokens in segments:
        ids += [END] * (len(tokens) + 1) if doc_id is None else [*tokens, END]
    padding = length - len(ids)
    return {"input_ids": ids + [END] * padding, "segments": [segment(doc_id, len(tokens) + 1) for doc_id, tokens in segments],
            "padding": padding}  # fmt: skip


def random_rows(count: int, seed: int, length: int = LENGTH) -> list[dict[str, Any]]:
    """Rows of one to four documents, some of them taken down, each row with ids of its own."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        room = length - int(random.integers(0, length // 4))
        segments: list[tuple[str | None, list[int]]] = []
        while room > 1 and len(segments) < 4:
            tokens = int(random.integers(1, room))
            doc_id = None if random.random() < 0.1 else f"{seed}-{number}-{len(segments)}"
            segments.append((doc_id, random.integers(1, VOCABULARY, tokens).tolist()))
            room -= tokens + 1
        rows.append(packed(segments, length))
    return rows


def write_export(
    directory: Path, lists: Mapping[str, Sequence[Sequence[Mapping[str, Any]]]], group_rows: int = 256
) -> str:
    """Writes shards, by `SPLIT/LIST` the rows of each, and the manifest last; returns the directory."""
    parts = []
    for name, shards in sorted(lists.items()):
        for number, rows in enumerate(shards):
            part = f"shards/{name}/shard-{number:05}"
            footer = {b"syscorpus": json.dumps({"key": f"key of {part}"}).encode()}
            path = directory / f"{part}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            table = pa.Table.from_pylist(list(rows), SHARD).replace_schema_metadata(footer)
            pq.write_table(table, path, row_group_size=group_rows, write_page_checksum=True)
            parts.append({"name": part, "key": f"key of {part}", "sha256": storage.sha256(str(path)),
                          "counts": {"rows": len(rows)}})  # fmt: skip
    parts.append({"name": "lineage/filter-part-0", "key": "", "sha256": "", "counts": {"rows": 7}})
    tokenizer = {"sha256": "", "vocabulary": VOCABULARY, "end_id": END}
    manifest = {"stage": "export", "parts": parts, "extra": {}, "settings": {"tokenizer": tokenizer}}
    (directory / "_commit.json").write_text(json.dumps(manifest))
    return str(directory)


def write_mixture(directory: Path, draws: Mapping[str, int], stage: str = "anneal") -> None:
    """Writes a mixture of one stage that draws so many sequences of each list."""
    parts = json.loads((directory / "_commit.json").read_text())["parts"]
    lists = {}
    for name, sequences in draws.items():
        rows = {
            each["name"]: each["counts"]["rows"] for each in parts if each["name"].startswith(f"shards/train/{name}/")
        }
        rest = sequences % sum(rows.values())
        shards = []
        for part, number in sorted(rows.items()):
            shards.append({"file": f"{part}.parquet", "rows": number, "drawn": min(rest, number)})
            rest -= min(rest, number)
        lists[name] = {"epochs": sequences / sum(rows.values()), "sequences": sequences, "shards": shards}
    (directory / "mixture.json").write_text(json.dumps({"stages": [{"name": stage, "lists": lists}]}))
