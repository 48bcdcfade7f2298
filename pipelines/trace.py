"""trace: from a token of a shard back to where it came from, and to what every stage decided on the way.

From an export alone: the document of each segment, its licence, its records. With the run beside it: the decisions.
Text is shown only if it is asked for, and only as `filter` or `synth` left it, behind the redactor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from pipelines import storage
from pipelines.engine import Commit, read_commit, read_run
from pipelines.run import Run
from pipelines.shuffle import bucket_of
from pipelines.tokenizer import TextTokenizer
from pipelines.trace_decisions import decisions_of, text_of

_PLACE = re.compile(r"(?P<shard>.+\.parquet):(?P<row>\d+)(?::(?P<token>\d+))?")
_SPLITS = ("train", "validation")


class TraceError(Exception):
    """A place that cannot be traced; the message says why, in one line."""


@dataclass(frozen=True)
class Place:
    """A row of a shard, and a token of it or all of them. `root`: the directory that has the shard below `shards/`."""

    root: str
    shard: str
    row: int
    token: int | None

    @property
    def list_name(self) -> str | None:
        """The list of the shard; None where it lies in none."""
        folders = self.shard.split("/")[1:-1]
        return folders[-1] if folders else None

    @property
    def split(self) -> str | None:
        """The side of the split on which it is; None where there is no split."""
        folder = self.shard.split("/")[1]
        return folder if folder in _SPLITS else None


def place_of(text: str) -> Place:
    """The place that `SHARD:ROW` or `SHARD:ROW:TOKEN` names. Raises TraceError."""
    match = _PLACE.fullmatch(text)
    if match is None:
        raise TraceError(
            f"{text!r} is not SHARD:ROW or SHARD:ROW:TOKEN, such as shards/train/LIST/shard-00000.parquet:7"
        )
    root, found, name = f"./{match['shard']}".rpartition("/shards/")
    if not found:
        raise TraceError(f"{match['shard']}: a shard lies below shards/, in an export or in a run's tokenize")
    token = None if match["token"] is None else int(match["token"])
    return Place(root.removeprefix("./") or ".", f"shards/{name}", int(match["row"]), token)


def trace(place: Place, run_url: str | None, with_text: bool) -> dict[str, Any]:
    """What is known of the segments of a row, or of the one that holds a token. Raises TraceError, StageError.

    The result can be written as JSON: place, list, split, sequence_length, padding, mixture (how often each stage reads
    the row), and segments, each with tokens, bytes, document, records, parents, stages.
    """
    sequence = _read_row(place)
    run = _run_of(place, run_url)
    if with_text and run is None:
        raise TraceError(f"{place.root}: the text is in the run; say where that is (--run)")
    chosen = _chosen(place, sequence)
    commit = read_commit(place.root)
    export = _export_of(place, commit, run)
    lineage = _Lineage(export)
    segments = []
    for segment, first in chosen:
        told: dict[str, Any] = {"tokens": [first, first + segment["tokens"]]}
        if segment["doc_id"] is None:
            segments.append({**told, "taken_down": True})
            continue
        told |= _told(segment, lineage)
        if place.token is not None:
            ids = np.array(sequence["input_ids"][first : first + segment["tokens"]], np.int32)
            told["token"] = _token(place, commit, segment, ids, place.token - first)
        if run is not None:
            told["stages"] = decisions_of(run, told["document"])
        if with_text and run is not None:
            told["text"] = text_of(run, told["document"], segment["start_byte"], segment["end_byte"])
        segments.append(told)
    return {
        "shard": storage.join(place.root, place.shard),
        "row": place.row,
        "list": place.list_name,
        "split": place.split,
        "sequence_length": len(sequence["input_ids"]),
        "padding": sequence["padding"],
        "mixture": _mixture(export, place),
        "segments": segments,
    }


# ---------------------------------------------------------------- the row and its segments


def _read_row(place: Place) -> dict[str, Any]:
    """The row, from the row group that holds it."""
    url = storage.join(place.root, place.shard)
    if not storage.exists(url):
        raise TraceError(f"{url}: there is no such shard")
    with storage.open_input(url) as stream:
        file = pq.ParquetFile(stream, page_checksum_verification=True)
        if "segments" not in file.schema_arrow.names:
            raise TraceError(f"{url}: is not a shard: it has no segments")
        if place.row >= file.metadata.num_rows:
            raise TraceError(f"{url}: has no row {place.row}, only {file.metadata.num_rows:,} (the first is 0)")
        left = place.row
        for group in range(file.metadata.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if left < rows:
                row: dict[str, Any] = file.read_row_group(group).slice(left, 1).to_pylist()[0]
                return row
            left -= rows
    raise AssertionError(f"{url}: has fewer rows than it says")


def _chosen(place: Place, sequence: Mapping[str, Any]) -> list[tuple[dict[str, Any], int]]:
    """The segments that are asked for, each with its first token's place in the row."""
    segments, at = [], 0
    for segment in sequence["segments"]:
        segments.append((segment, at))
        at += segment["tokens"]
    if place.token is None:
        return segments
    length = len(sequence["input_ids"])
    if place.token >= length:
        raise TraceError(f"row {place.row} has no token {place.token}, only {length:,} (the first is 0)")
    holding = [(segment, first) for segment, first in segments if first <= place.token < first + segment["tokens"]]
    if not holding:
        raise TraceError(f"row {place.row}: token {place.token} is padding, and of no document")
    return holding


def _token(
    place: Place, commit: Commit | None, segment: Mapping[str, Any], ids: np.ndarray[Any, np.dtype[np.int32]], at: int
) -> dict[str, Any]:
    """A token of a segment: its id, its text, and its bytes in the document; a marker has none."""
    known = (commit.extra.get("tokenizer") or commit.settings.get("tokenizer")) if commit else None
    url = storage.join(place.root, "tokenizer.json")
    if not known or not storage.exists(url):
        raise TraceError(f"{place.root}: is not committed with its tokenizer; leave the token out")
    from tokenizers import Tokenizer

    definition = storage.read_bytes(url).decode()
    reader = Tokenizer.from_str(definition)
    tokenizer = TextTokenizer(definition, str(reader.id_to_token(known["end_id"])))
    marks = {known["end_id"]: segment["end_byte"], **_marks(segment, known.get("fim"))}
    sizes = np.diff(tokenizer.byte_ends(ids), prepend=0)
    start = end = segment["start_byte"]
    for token, size in zip(ids[: at + 1].tolist(), sizes.tolist(), strict=False):
        start, end = (marks[token], marks[token]) if token in marks else (end, end + size)
    token = int(ids[at])
    text = reader.decode([token], skip_special_tokens=False)
    return {"at": place.token, "id": token, "text": text, "bytes": [start, end], "marker": token in marks}


def _marks(segment: Mapping[str, Any], fim: Mapping[str, int] | None) -> dict[int, int]:
    """Of a document rearranged for fill-in-the-middle, the byte at which the text goes on behind each marker."""
    if segment.get("middle_start") is None:
        return {}
    if fim is None:
        raise TraceError("a document is rearranged for fill-in-the-middle, but the commit names no tokens for that")
    return {
        fim["prefix"]: segment["start_byte"],
        fim["suffix"]: segment["middle_end"],
        fim["middle"]: segment["middle_start"],
    }


# ---------------------------------------------------------------- what the export tells


class _Lineage:
    """The lineage tables of an export: one row a document."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._names = [name for name in storage.list_files(storage.join(root, "lineage")) if name.endswith(".parquet")]
        if not self._names:
            raise TraceError(f"{root}: has no lineage/; a shard is traced in an export that a run made")
        self._buckets = sum(name.startswith("filter-part-") for name in self._names)

    def find(self, doc_id: str) -> dict[str, Any] | None:
        """The row of a document. Its own bucket is looked through first; rewrites and what came back lie elsewhere."""
        first = f"filter-part-{bucket_of(doc_id, self._buckets):05}.parquet" if self._buckets else ""
        for name in sorted(self._names, key=lambda name: name != first):
            with storage.open_input(storage.join(self._root, "lineage", name)) as stream:
                file = pq.ParquetFile(stream, page_checksum_verification=True)
                at = file.read(columns=["doc_id"])["doc_id"].index(doc_id).as_py()
                if at >= 0:
                    row: dict[str, Any] = file.read().slice(at, 1).to_pylist()[0]
                    return row
        return None


def _export_of(place: Place, commit: Commit | None, run: Run | None) -> str:
    """The export that has the shard; of a shard that lies in `tokenize` still, that of the run."""
    if commit is None or commit.stage != "tokenize":
        return place.root
    if run is None:
        raise TraceError(f"{place.root}: is what tokenize made; say which run it is of (--run), or trace its export")
    return run.directory("export")


def _told(segment: Mapping[str, Any], lineage: _Lineage) -> dict[str, Any]:
    """The document of a segment as the export knows it, its records, and the parents of a rewrite."""
    row = lineage.find(segment["doc_id"])
    if row is None or row["revision"] != segment["revision"]:
        raise TraceError(f"document {segment['doc_id']} of revision {segment['revision']} is not in lineage/")
    records = [{**each, "fetched_at": _time(each["fetched_at"])} for each in row.pop("records")]
    middle = segment.get("middle_start")
    return {
        "bytes": [segment["start_byte"], segment["end_byte"]],
        "middle": None if middle is None else [middle, segment["middle_end"]],
        "document": row,
        "records": records,
        "parents": [_parent(doc_id, lineage) for doc_id in row["parents"]],
    }


def _parent(doc_id: str, lineage: _Lineage) -> dict[str, Any]:
    names = ("url", "title", "licence", "licence_evidence", "source")
    row = lineage.find(doc_id) or {}
    return {"doc_id": doc_id, **{name: row.get(name) for name in names}}


def _time(moment: Any) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def _mixture(export: str, place: Place) -> list[dict[str, Any]] | None:
    """How often each stage of the export's mixture reads the row; None where it has no mixture."""
    url = storage.join(export, "mixture.json")
    if not storage.exists(url):
        return None
    return [
        {"stage": stage["name"], "times": _times(stage["lists"].get(place.list_name), place)}
        for stage in json.loads(storage.read_bytes(url))["stages"]
    ]


def _times(read: Mapping[str, Any] | None, place: Place) -> int:
    """A list is read some whole times, then the first rows of its shards."""
    if read is None or place.split == "validation":
        return 0
    shards: Sequence[Mapping[str, Any]] = read["shards"]
    drawn = next((each["drawn"] for each in shards if each["file"] == place.shard), 0)
    return int(read["sequences"] // max(1, sum(each["rows"] for each in shards))) + (place.row < drawn)


# ---------------------------------------------------------------- the run beside it


def _run_of(place: Place, url: str | None) -> Run | None:
    """The run that is named, or that the export or the stage lies in."""
    if url is not None:
        return read_run(url)
    remote = storage.is_remote(place.root)
    parent = place.root.rpartition("/")[0] if remote else str(Path(place.root).resolve().parent)
    if remote and not storage.is_remote(parent):
        return None  # it is a whole bucket
    return read_run(parent) if storage.exists(storage.join(parent, "run.json")) else None
