"""Packed shards as `tokenize` commits them, made by hand: any padding, and no text behind them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines import storage
from pipelines.engine import COMMIT, Commit
from pipelines.parts import Counts, Part, write_part

LENGTH = 64
_SHARD = pa.schema([("input_ids", pa.list_(pa.int32())), ("padding", pa.int32())])


def commit_shards(run: Path, lists: Mapping[str, Sequence[Sequence[int]]]) -> Commit:
    """Commits a `tokenize` of the training lists: of each list its shards, of each shard its sequences' padding."""
    directory = str(run / "tokenize")
    parts = [
        _write(directory, f"shards/train/{name}/shard-{number:05}", padding)
        for name, shards in lists.items()
        for number, padding in enumerate(shards)
    ]
    parts.append(_write(directory, "shards/validation/qa_forums.high.natural/shard-00000", [0, 0]))
    tokens = {name: sum(LENGTH - each for shard in shards for each in shard) for name, shards in lists.items()}
    extra = {"sequence_length": LENGTH, "lists": tokens}
    commit = Commit("tokenize", 2, "key", "document", {}, [], parts, Counts(), {}, 0.0, 0.0, 0, extra)
    storage.write_bytes(storage.join(directory, COMMIT), json_of(commit))
    return commit


def json_of(commit: Commit) -> bytes:
    """A commit as it lies in `_commit.json`."""
    return json.dumps(asdict(commit)).encode()


def _write(directory: str, name: str, padding: Sequence[int]) -> Part:
    rng = np.random.default_rng(len(padding))
    ids = [np.concatenate([rng.integers(1, 1000, LENGTH - each), np.zeros(each)]).astype(np.int32) for each in padding]
    table = pa.table({"input_ids": ids, "padding": list(padding)}, schema=_SHARD)
    return write_part(directory, name, f"key-{name}", table, Counts(rows=len(padding)), {})
