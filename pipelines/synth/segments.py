"""Segments: Parquet files of responses, sorted by key, each key once, that never change.

A name is `TIME-HASH-CLASS.parquet`: when its first responses came, what it was made of, and how large it is. Whoever
makes the same segment again gives it the same name. Rows of one time lie in one file, so that a part's responses, which
came together, are read from few of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import storage
from pipelines.parts import Layout, key_of, parquet_options
from synth.request import Response

RESPONSE = pa.schema(
    [
        ("key", pa.string()),
        ("status", pa.int32()),
        ("body", pa.large_binary()),
        ("received_at", pa.float64()),
        ("attempts", pa.int32()),
        ("seconds", pa.float64()),
    ]
)
#: So many of one class are merged; a segment of the last class never is.
FEW = 8
LAST_CLASS = 4
_CLASS_BYTES = 1 << 20
_GROUP_BYTES, _GROUP_ROWS = 8 << 20, 4096
_MERGED_AT_ONCE = 64 << 20
_ORDER = [(name, "ascending") for name in ("key", "received_at", "status", "body", "attempts", "seconds")]


class StoreError(Exception):
    """A store that cannot be read or changed; the message names the file and says what to do."""


class VanishedError(StoreError):
    """A segment that was there when the store was listed: it was merged, and its rows are in a new one."""


def name_of(moment: str, ingredients: Sequence[str], size: int) -> str:
    """The name of a segment of a time (the first dash ends it), made of something, of so many bytes before zstd."""
    level = 0
    while level < LAST_CLASS and size >= _CLASS_BYTES * 8**level:
        level += 1
    return f"{moment.partition('-')[0]}-{key_of(*ingredients)}-{level}.parquet"


def class_of(name: str) -> int:
    """The class of a segment: 0 is below 1 MB before compression, the next ones are each 8 times as large."""
    return int(name.removesuffix(".parquet").rpartition("-")[2])


def table_of(responses: Sequence[Response]) -> pa.Table:
    """Responses as rows, as they come."""
    columns: list[list[Any]] = [[getattr(each, name) for each in responses] for name in RESPONSE.names]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, RESPONSE, strict=True)]
    return pa.table(arrays, schema=RESPONSE)


def settled(tables: Sequence[pa.Table]) -> pa.Table:
    """Rows sorted by key, each key once: of several the first to come; of two that came at once, by their content."""
    rows = pa.concat_tables([RESPONSE.empty_table(), *tables]).sort_by(_ORDER)
    keys = rows["key"].combine_chunks()
    if len(keys) < 2:
        return rows
    is_first = pc.not_equal(keys.slice(1), keys.slice(0, len(keys) - 1))
    return rows.filter(pa.concat_arrays([pa.array([True]), is_first]))


# ---------------------------------------------------------------- reading


def keys_in(url: str) -> pa.Array:
    """The keys of a segment, sorted. Raises StoreError and VanishedError, as all that reads one."""
    return _guarded(url, lambda file: file.read(["key"])["key"].combine_chunks())


def rows_in(url: str, wanted: pa.Array) -> pa.Table:
    """The rows of a segment that have one of some keys. Only row groups that hold one are read whole."""
    return _guarded(url, lambda file: _rows(file, pc.is_in(file.read(["key"])["key"], wanted).combine_chunks()))


def _rows(file: pq.ParquetFile, mask: pa.BooleanArray) -> pa.Table:
    """The rows for which a mask holds."""
    tables, at = [RESPONSE.empty_table()], 0
    for group in range(file.num_row_groups):
        number = file.metadata.row_group(group).num_rows
        part = mask.slice(at, number)
        at += number
        if part.true_count:
            tables.append(file.read_row_group(group).filter(part))
    return pa.concat_tables(tables)


def _guarded(url: str, look: Callable[[pq.ParquetFile], Any]) -> Any:
    """What `look` reads in a segment; what goes wrong is told in one line."""
    try:
        with storage.open_input(url) as stream:
            file = pq.ParquetFile(stream, page_checksum_verification=True, pre_buffer=storage.is_remote(url))
            if not file.schema_arrow.equals(RESPONSE):
                raise pa.ArrowInvalid("it has not the columns of responses")
            return look(file)
    except (
        OSError,
        ValueError,
        LookupError,
        OverflowError,
        pa.ArrowException,
    ) as error:  # a footer may be damaged, too
        if not storage.exists(url):
            raise VanishedError(f"{url}: is gone: another process changes the store; give the command again") from None
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise StoreError(
            f"{url}: cannot be read: {reason}; if it is damaged, delete it, and its responses are asked for again"
        ) from None


# ---------------------------------------------------------------- writing


def write(folder: str, moment: str, ingredients: Sequence[str], responses: Sequence[Response]) -> str:
    """Puts responses into a segment; returns its name."""
    rows = settled([table_of(responses)])
    name = name_of(moment, ingredients, rows.nbytes)
    _write(storage.join(folder, name), [rows])
    return name


def merge(folder: str, names: Sequence[str]) -> str:
    """Makes one segment of several, sorted by name; then they go. Returns its name. Memory: some 64 MB of rows."""
    urls = [storage.join(folder, name) for name in names]
    size = sum(_guarded(url, _raw_bytes) for url in urls)
    keys = pc.unique(pa.concat_arrays([keys_in(url) for url in urls])).sort()
    step = max(1, len(keys) * _MERGED_AT_ONCE // max(1, size))
    wanted = (keys.slice(at, step) for at in range(0, len(keys), step))
    name = name_of(names[0], names, size)
    _write(storage.join(folder, name), (settled([rows_in(url, some) for url in urls]) for some in wanted))
    for url in urls:
        storage.delete(url)
    return name


def remove(folder: str, name: str, is_gone: Callable[[pa.Array], pa.BooleanArray]) -> bool:
    """Removes the rows whose keys are gone: another segment takes the place of this one. False where it has none."""
    url = storage.join(folder, name)
    keys = keys_in(url)
    mask = is_gone(keys)
    gone, kept = keys.filter(mask), keys.filter(pc.invert(mask))
    if not len(gone):
        return False
    if len(kept):
        step = max(1, len(kept) * _MERGED_AT_ONCE // max(1, _guarded(url, _raw_bytes)))
        wanted = (kept.slice(at, step) for at in range(0, len(kept), step))
        fresh = f"{name.partition('-')[0]}-{key_of(name, key_of(gone.to_pylist()))}-{class_of(name)}.parquet"
        _write(storage.join(folder, fresh), (rows_in(url, some) for some in wanted))
    storage.delete(url)
    return True


def _raw_bytes(file: pq.ParquetFile) -> int:
    return sum(file.metadata.row_group(group).total_byte_size for group in range(file.num_row_groups))


def _write(url: str, tables: Sequence[pa.Table] | Iterator[pa.Table]) -> None:
    """Writes a segment, whole, in row groups of some 8 MB."""
    with storage.writing(url) as path, pq.ParquetWriter(path, RESPONSE, **parquet_options(Layout())) as writer:
        for table in tables:
            sizes = np.cumsum(pc.binary_length(table["body"]).to_numpy())
            at = 0
            while at < table.num_rows:
                before = int(sizes[at - 1]) if at else 0
                end = int(np.searchsorted(sizes, before + _GROUP_BYTES, "right"))
                end = min(max(end, at + 1), at + _GROUP_ROWS)
                writer.write_table(table.slice(at, end - at))
                at = end
