"""Parts: Parquet files with the key that makes them valid in the footer.

A part and what goes with it (its drops, its quarantine, a side table) are committed by writing the part last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import storage

_FOOTER = b"syscorpus"
_ROW_GROUP_ROWS = 4096


def key_of(*ingredients: Any) -> str:
    """A hash over anything that JSON can hold: the name of a computation and of what went into it."""
    canonical = json.dumps(ingredients, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Counts:
    """What became of the inputs of a part: consumed + dropped + quarantined = seen.

    `rows` is what the part holds, which is not `consumed` where rows are split, joined or written anew.
    `extra` are further sums that the report shows (tokens, bytes).
    """

    seen: int = 0
    consumed: int = 0
    rows: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, int] = field(default_factory=dict)

    def check(self, where: str) -> None:
        """Law 1: refuses counts in which an input has no fate, or two."""
        fates = self.consumed + sum(self.dropped.values()) + sum(self.quarantined.values())
        if fates != self.seen:
            raise AssertionError(f"{where}: {self.seen} inputs have {fates} fates: {self}")

    @classmethod
    def total(cls, counts: Sequence[Counts]) -> Counts:
        """The sum of several."""
        return cls(
            seen=sum(each.seen for each in counts),
            consumed=sum(each.consumed for each in counts),
            rows=sum(each.rows for each in counts),
            dropped=_sum_maps([each.dropped for each in counts]),
            quarantined=_sum_maps([each.quarantined for each in counts]),
            extra=_sum_maps([each.extra for each in counts]),
        )


def _sum_maps(maps: Sequence[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in maps:
        for name, number in each.items():
            total[name] = total.get(name, 0) + number
    return dict(sorted(total.items()))


@dataclass(frozen=True)
class Part:
    """A committed part: what its footer says, and the hashes of its bytes.

    `content` leaves the footer out: it is the same whenever the rows are the same, so that
    what follows is not done again when only the way to the rows has changed.
    """

    name: str
    key: str
    counts: Counts
    sha256: str
    content: str
    side: Mapping[str, str]


@dataclass(frozen=True)
class Layout:
    """How rows lie in a file: rows of a row group, and columns of numbers whose bytes are parted by their place."""

    group_rows: int = _ROW_GROUP_ROWS
    split_bytes: Sequence[str] = ()


class Hashes(NamedTuple):
    """SHA-256 of a file, and of its content (see Part)."""

    sha256: str
    content: str


def write_parquet(url: str, table: pa.Table, footer: Mapping[str, Any], layout: Layout = Layout()) -> Hashes:
    """Writes a table as Parquet (zstd, plain integers), whole; the footer is kept as JSON."""
    plain = table.replace_schema_metadata(None)
    with storage.writing(url) as path:
        with pq.ParquetWriter(path, plain.schema, **parquet_options(layout)) as writer:
            writer.write_table(plain, row_group_size=layout.group_rows)
            finish = add_footer(writer, path, footer)
        return finish()


def parquet_options(layout: Layout) -> dict[str, Any]:
    """How Arrow is to write our files."""
    return {
        "compression": "zstd",
        "use_dictionary": False,
        "write_statistics": False,
        "write_page_checksum": True,
        "column_encoding": dict.fromkeys(layout.split_bytes, "BYTE_STREAM_SPLIT") or None,
    }


def add_footer(writer: pq.ParquetWriter, path: Path, footer: Mapping[str, Any]) -> Callable[[], Hashes]:
    """Gives a file whose rows are all written its footer, with the hash of what stands before it.

    So the hash is known of an object that nobody reads, and damaged rows are known on a disk. What is returned tells
    the hashes once the file is closed; it reads the footer alone.
    """
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
        size = stream.tell()
    content = _content_hash(digest.copy(), footer)
    told = {**footer, "content": content}
    writer.add_key_value_metadata({_FOOTER: json.dumps(told, sort_keys=True, separators=(",", ":")).encode()})

    def finish() -> Hashes:
        with path.open("rb") as stream:
            stream.seek(size)
            digest.update(stream.read())
        return Hashes(digest.hexdigest(), content)

    return finish


def write_part(
    directory: str,
    name: str,
    key: str,
    table: pa.Table,
    counts: Counts,
    side: Mapping[str, pa.Table],
    layout: Layout = Layout(),
    beside: Mapping[str, str] | None = None,
) -> Part:
    """Commits a part: the side tables (`dropped`, `quarantine`, ...) that have rows, then `name`.parquet.

    `beside` are files that stand there already: the SHA-256 of each by its name.
    """
    counts.check(f"{directory}/{name}")
    hashes = {**write_beside(directory, name, key, side), **(beside or {})}
    footer = {"key": key, "counts": asdict(counts), "side": hashes}
    written = write_parquet(storage.join(directory, f"{name}.parquet"), table, footer, layout)
    return Part(name, key, counts, *written, hashes)


def write_beside(directory: str, name: str, key: str, side: Mapping[str, pa.Table]) -> dict[str, str]:
    """Writes the tables that go with a part, those that have rows, and returns the SHA-256 of each by its path."""
    hashes = {}
    for folder, rows in sorted(side.items()):
        if rows.num_rows:
            relative = f"{folder}/{name}.parquet"
            hashes[relative] = write_parquet(storage.join(directory, relative), rows, {"key": key}).sha256
    return hashes


def find_part(directory: str, name: str, key: str) -> Part | None:
    """The part, if it is there, has this key, and everything beside it is as it was committed.

    What we sent to a bucket is known by what was recorded there, and not read again.
    """
    url = storage.join(directory, f"{name}.parquet")
    if not storage.exists(url):
        return None
    try:
        footer = read_footer(url)
        if footer.get("key") != key:
            return None
        for relative, digest in footer["side"].items():
            if not storage.holds(storage.join(directory, relative), digest):
                return None
        recorded = storage.recorded_sha256(url) if "content" in footer else None
        whole, content = (recorded, footer["content"]) if recorded else _hash_part(url, footer)
        if content != footer.get("content", content):
            return None
        return Part(name, key, Counts(**footer["counts"]), whole, content, footer["side"])
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, AttributeError):
        return None  # damaged, or not one of ours: it is made again


def read_footer(url: str) -> dict[str, Any]:
    """The JSON in the footer of a part; empty where the file is not one of ours."""
    with storage.open_input(url) as stream:
        metadata = pq.read_metadata(stream).metadata or {}
    footer: dict[str, Any] = json.loads(metadata.get(_FOOTER, b"{}"))
    return footer


def _hash_part(url: str, footer: Mapping[str, Any]) -> tuple[str, str]:
    """SHA-256 of the whole file, and of its column data: what stands before the footer, and whose rows are where."""
    with storage.open_input(url) as stream:
        size = stream.size()
        footer_bytes = int.from_bytes(stream.read_at(4, size - 8), "little")
        data_end = size - 8 - footer_bytes
        stream.seek(0)
        digest = hashlib.sha256()
        position = 0
        while position < data_end:
            chunk = stream.read(min(1 << 20, data_end - position))
            digest.update(chunk)
            position += len(chunk)
        content = _content_hash(digest.copy(), footer)
        digest.update(stream.read())
    return digest.hexdigest(), content


def _content_hash(data: hashlib._Hash, footer: Mapping[str, Any]) -> str:
    buckets = footer.get("buckets")
    data.update(json.dumps(buckets).encode() if buckets is not None else b"")
    return data.hexdigest()


def read_columns(url: str, schema: pa.Schema) -> pa.Table:
    """The columns of a schema; those that a part lacks (a plain file may) are null."""
    with storage.open_input(url) as stream:
        there = set(pq.read_schema(stream).names)
    table = read_table(url, [name for name in schema.names if name in there])
    columns = [
        table[field.name].cast(field.type) if field.name in there else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def read_table(url: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of a part, or some of their columns; the footer's metadata is left behind."""
    with storage.open_input(url) as stream:
        file = pq.ParquetFile(stream, page_checksum_verification=True)
        table = file.read(columns=None if columns is None else list(columns))
    return table.replace_schema_metadata(None)
