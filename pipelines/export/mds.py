"""MDS, the layout of MosaicML Streaming: for each list `mds/SPLIT/LIST/index.json` and its `shard.*.mds`.

Written without the library, so that the bytes are ours; the tests read them with it. A sample is a packed sequence:
`input_ids` int32[sequence length], `tokens` int32[segments], and `doc_ids`, a JSON list with null for a segment that
was taken down. What `tokens` leave over is padding.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines import storage
from pipelines.engine import Input, Job, Work
from pipelines.export.sequences import Sink, ids_of, row_groups
from pipelines.parts import Counts, Part, write_part

FOLDER = "mds/"
_SHARD_BYTES = 1 << 26
_NUMBER = 4  # bytes of a number in the head of a shard
_TOLD = pa.schema([("samples", pa.int64())])


def mds_jobs(work: Work, lists: Mapping[str, Sequence[Input]], length: int) -> list[Job]:
    """One job for each list. `length`: tokens of a packed sequence."""
    return [
        work.job(
            write_mds,
            "",
            f"{FOLDER}{name}/sequences",
            [length, [each.content for each in shards]],
            {"inputs": [each.url for each in shards], "sequence_length": length},
        )
        for name, shards in lists.items()
    ]


def write_mds(job: Job) -> Part:
    """Writes the files of a list, one of them in memory; the part says how many samples each has."""
    folder = job.name.rpartition("/")[0]
    length = job.spec["sequence_length"]
    shards: list[dict[str, Any]] = []
    files: dict[str, str] = {}
    for samples in _batches(job.spec["inputs"], length):
        name = f"shard.{len(shards):05}.mds"
        with storage.writing(storage.join(job.directory, f"{folder}/{name}")) as path, path.open("wb") as stream:
            sink = Sink(stream)
            size = _write_shard(sink, samples, length)
        files[f"{folder}/{name}"] = sink.sha256
        raw = {"basename": name, "bytes": size, "hashes": {}}
        shards.append({**_columns(length), "samples": len(samples), "raw_data": raw, "zip_data": None})
    with storage.writing(storage.join(job.directory, f"{folder}/index.json")) as path, path.open("wb") as stream:
        sink = Sink(stream)
        sink.write(json.dumps({"version": 2, "shards": shards}, sort_keys=True).encode())
    files[f"{folder}/index.json"] = sink.sha256
    table = pa.table({"samples": [shard["samples"] for shard in shards]}, schema=_TOLD)
    counts = Counts(rows=len(shards), extra={"sequences": sum(shard["samples"] for shard in shards)})
    return write_part(job.directory, job.name, job.key, table, counts, {}, beside=files)


def _columns(length: int) -> dict[str, Any]:
    """What a shard says of its columns, which stand in the order of their names. None: of no fixed size."""
    return {
        "column_encodings": ["json", f"ndarray:int32:{length}", "ndarray:int32"],
        "column_names": ["doc_ids", "input_ids", "tokens"],
        "column_sizes": [None, length * 4, None],
        "compression": None,
        "format": "mds",
        "hashes": [],
        "size_limit": _SHARD_BYTES,
        "version": 2,
    }


def _batches(urls: Sequence[str], length: int) -> Iterator[list[bytes]]:
    """Encoded samples, as many as fill a file."""
    samples: list[bytes] = []
    size = 0
    for url in urls:
        for table in row_groups(url):
            for sample in _samples(table, length):
                if samples and size + len(sample) > _SHARD_BYTES:
                    yield samples
                    samples, size = [], 0
                samples.append(sample)
                size += len(sample)
    if samples:
        yield samples


def _samples(table: pa.Table, length: int) -> Iterator[bytes]:
    """Each packed sequence, encoded: the sizes u32 of the columns that have no fixed one, then the columns."""
    ids = ids_of(table, length).reshape(-1, length)
    segments = table["segments"].combine_chunks()
    bounds, told = segments.offsets.to_numpy(), segments.flatten()
    names, tokens = told.field("doc_id").to_pylist(), told.field("tokens").to_numpy().astype("<i4")
    for row, (begin, end) in enumerate(zip(bounds[:-1] - bounds[0], bounds[1:] - bounds[0], strict=True)):
        doc_ids = json.dumps(names[begin:end]).encode()
        sizes = _array(tokens[begin:end])
        yield b"".join([np.array([len(doc_ids), len(sizes)], "<u4").tobytes(), doc_ids, ids[row].tobytes(), sizes])


def _array(values: np.ndarray[Any, Any]) -> bytes:
    """An array of one axis: how its shape is written (one axis, numbers of 2^n bytes: n), its shape, its values."""
    power = 0 if len(values) < 1 << 8 else 1 if len(values) < 1 << 16 else 2
    return bytes([1 << 2 | power]) + len(values).to_bytes(1 << power, "little") + values.tobytes()


def _write_shard(sink: Sink, samples: Sequence[bytes], length: int) -> int:
    """Number of samples u32, where each begins and the last ends u32, the columns as JSON, the samples.

    Returns its bytes.
    """
    columns = json.dumps(_columns(length), sort_keys=True).encode()
    begin = _NUMBER + _NUMBER * (len(samples) + 1) + len(columns)
    ends = np.cumsum([begin, *map(len, samples)])
    for data in (np.uint32(len(samples)).tobytes(), ends.astype("<u4").tobytes(), columns, *samples):
        sink.write(data)
    return int(ends[-1])
