"""Exports and copies of them: each format has a function that takes documents out of its files.

A function is given a part of the export's manifest, and returns it as it now is, or None where it held nothing. The
formats that are made of shards come behind these, and are made of the masked ones.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import storage
from pipelines.engine import Commit, Job
from pipelines.export import mds, megatron, text
from pipelines.export.attribution import page_of
from pipelines.export.card import NAME as CARD
from pipelines.export.card import card
from pipelines.export.lineage import COUNTED
from pipelines.export.sequences import SHARDS, ids_of, list_of, row_groups
from pipelines.parts import Counts, Layout, Part, parquet_options, read_footer, read_table, write_parquet
from pipelines.run import Run
from pipelines.shuffle import write_buckets
from pipelines.takedown.commits import part_at
from pipelines.takedown.shards import mask_shard

_ATTRIBUTION = "ATTRIBUTION.txt"


@dataclass(frozen=True)
class Cleaning:
    """Documents that go of an export in a directory or bucket. `lists`: the shards of those lists of which
    some held them; `length`: tokens of a sequence."""

    directory: str
    ids: pa.Array
    end_id: int
    length: int
    key: str
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Cleaned:
    """An export as it now is: its parts, the files that changed, and what the manifest says of those not Parquet."""

    parts: Sequence[Part]
    touched: Sequence[str]
    files: Mapping[str, Any]


Clean = Callable[[Cleaning, Part], Part | None]


def clean_export(cleaning: Cleaning, commit: Commit, run: Run, tokenized: Mapping[str, Any]) -> Cleaned:
    """Takes documents out of an export. `tokenized`: what the commit of tokenize says besides."""
    now = {part.name: _shard(cleaning, part) or part for part in commit.parts if part.name.startswith(SHARDS)}
    masked = {list_of(name) for name, part in now.items() if part.key == cleaning.key}
    lists = {each: [name for name in sorted(now) if list_of(name) == each] for each in masked}
    cleaning = replace(cleaning, lists=lists)
    for part in commit.parts:
        clean = next((clean for prefix, clean in _FORMATS.items() if part.name.startswith(prefix)), None)
        if clean is not None:
            now[part.name] = clean(cleaning, part) or part
    parts = [now.get(part.name, part) for part in commit.parts]
    touched = [name for old, new in zip(commit.parts, parts, strict=True) for name in _changed(old, new)]
    if touched:
        touched += _tell_people(cleaning.directory, parts, run, tokenized)
    return Cleaned(parts, touched, _files(cleaning.directory, commit, parts, touched))


def _tell_people(directory: str, parts: Sequence[Part], run: Run, tokenized: Mapping[str, Any]) -> list[str]:
    """Writes the pages that count documents again; returns their names."""
    of: dict[str, list[Part]] = {}
    for part in parts:
        of.setdefault(part.name.partition("/")[0], []).append(part)
    told = Counts.total([part.counts for part in of.get("lineage", ())])
    pages = {_ATTRIBUTION: page_of(run.sources, of.get("attribution", ()))}
    pages[CARD] = card(run.recipe, tokenized, of.get("shards", ()), told).encode()
    there = [name for name in pages if storage.exists(storage.join(directory, name))]
    for name in there:
        storage.write_bytes(storage.join(directory, name), pages[name])
    return there


def _files(directory: str, commit: Commit, parts: Sequence[Part], touched: Sequence[str]) -> dict[str, Any]:
    """What the manifest says of the files that are not Parquet, as they now are."""
    there = {name for part in parts for name in part.side} | {_ATTRIBUTION, CARD}
    told = dict(commit.extra.get("files", {}))
    for name in told.keys() & set(touched):
        url = storage.join(directory, name)
        told[name] = {"sha256": storage.sha256(url), "bytes": storage.size(url)} if name in there else None
    return {name: each for name, each in sorted(told.items()) if each is not None}


def _changed(old: Part, new: Part) -> Iterator[str]:
    """The files of a part that are other ones now, or gone."""
    if old.sha256 != new.sha256:
        yield f"{new.name}.parquet"
    yield from sorted(name for name in {*old.side, *new.side} if old.side.get(name) != new.side.get(name))


def _shard(cleaning: Cleaning, part: Part) -> Part | None:
    return mask_shard(cleaning.directory, part, cleaning.ids, cleaning.end_id, cleaning.key)


# ---------------------------------------------------------------- tables of documents


def _rows(cleaning: Cleaning, part: Part) -> Part | None:
    """A table with a row for each document: lineage, attribution."""
    url = storage.join(cleaning.directory, f"{part.name}.parquet")
    footer = read_footer(url)
    if footer["key"] == cleaning.key:
        return part_at(cleaning.directory, part.name, cleaning.key)
    table = read_table(url)
    hit = pc.is_in(table["doc_id"], cleaning.ids)
    if not pc.any(hit).as_py():
        return None
    kept = table.filter(pc.invert(hit))
    counts = replace(part.counts, rows=kept.num_rows, extra=_fewer(part.counts.extra, table.filter(hit)))
    write_parquet(url, kept, {**footer, "key": cleaning.key, "counts": asdict(counts)})
    return part_at(cleaning.directory, part.name, cleaning.key)


def _fewer(extra: Mapping[str, int], gone: pa.Table) -> dict[str, int]:
    """Counts of documents by what they are, without some: by `SOURCE\\tLICENCE`, or by `COLUMN\\tVALUE`."""
    left = dict(extra)
    names = [name for name in COUNTED if name in gone.column_names]
    for row in gone.select(names).to_pylist():
        told = {f"{name}\t{row[name] or 'unknown'}" for name in names}
        for key in {*told, f"{row.get('source')}\t{row.get('licence') or 'unknown'}"} & left.keys():
            left[key] -= 1
    return {key: number for key, number in left.items() if number}


# ---------------------------------------------------------------- Megatron


def _megatron(cleaning: Cleaning, part: Part) -> Part | None:
    """A prefix: its ids are overwritten at their offsets, so that `.idx` and what readers cache stay right.

    A prefix of packed sequences is that of the masked shards; of one of documents, the table says where each lies.
    """
    url = storage.join(cleaning.directory, f"{part.name}.parquet")
    footer = read_footer(url)
    if footer["key"] == cleaning.key:
        return part_at(cleaning.directory, part.name, cleaning.key)
    binary = f"{part.name}.bin"
    with storage.open_input(url) as stream:
        file = pq.ParquetFile(stream, page_checksum_verification=True)
        groups = [file.read_row_group(number).replace_schema_metadata(None) for number in range(file.num_row_groups)]
        schema = file.schema_arrow.remove_metadata()
    table = pa.concat_tables([schema.empty_table(), *groups])
    if "doc_id" in schema.names:
        hit = pc.fill_null(pc.is_in(table["doc_id"], cleaning.ids), False).combine_chunks()
        if not pc.any(hit).as_py():
            return None
        _overwrite(cleaning, binary, table["tokens"].to_numpy(), hit.to_numpy(zero_copy_only=False))
        groups = [_nameless(each, cleaning.ids) for each in groups]
    elif (name := part.name.partition("/")[2]) in cleaning.lists:
        _copy_ids(cleaning, binary, name, list(dict.fromkeys(table["shard"].to_pylist())))
    else:
        return None
    side = {**footer["side"], binary: storage.sha256(storage.join(cleaning.directory, binary))}
    counts = Counts(**footer["counts"])
    tables = zip(footer["buckets"], groups, strict=True)
    return write_buckets(
        cleaning.directory, part.name, cleaning.key, schema, tables, lambda rows: (replace(counts, rows=rows), {}), side
    )


def _nameless(table: pa.Table, ids: pa.Array) -> pa.Table:
    """The rows of documents, those that go without their names."""
    hit = pc.fill_null(pc.is_in(table["doc_id"], ids), False)
    for name in ("doc_id", "revision"):
        column = pc.if_else(hit, pa.scalar(None, pa.string()), table[name])
        table = table.set_column(table.column_names.index(name), table.schema.field(name), column)
    return table


def _overwrite(cleaning: Cleaning, name: str, tokens: npt.NDArray[np.int64], hit: npt.NDArray[np.bool_]) -> None:
    """End tokens in the place of documents; `tokens` of each tell where it lies."""
    url = storage.join(cleaning.directory, name)
    ends = np.cumsum(tokens) * 4
    with storage.writing(url) as path:
        storage.copy(url, str(path))
        with path.open("r+b") as sink:
            for begin, end in zip((ends - tokens * 4)[hit].tolist(), ends[hit].tolist(), strict=True):
                sink.seek(begin)
                sink.write(np.full((end - begin) // 4, cleaning.end_id, "<i4").tobytes())


def _copy_ids(cleaning: Cleaning, name: str, of_list: str, shards: Sequence[str]) -> None:
    """The ids of a list's shards, one behind the other."""
    with storage.writing(storage.join(cleaning.directory, name)) as path, path.open("wb") as sink:
        for shard in shards:
            for table in row_groups(storage.join(cleaning.directory, SHARDS + of_list, f"{shard}.parquet")):
                sink.write(ids_of(table, cleaning.length).data)


# ---------------------------------------------------------------- MDS


def _mds(cleaning: Cleaning, part: Part) -> Part | None:
    """The files of a list are made again of its masked shards: a sample is shorter where it names fewer documents."""
    name = part.name.removeprefix(mds.FOLDER).rpartition("/")[0]
    if name not in cleaning.lists:
        return None
    if read_footer(storage.join(cleaning.directory, f"{part.name}.parquet"))["key"] == cleaning.key:
        return part_at(cleaning.directory, part.name, cleaning.key)
    shards = [storage.join(cleaning.directory, f"{each}.parquet") for each in cleaning.lists[name]]
    spec = {"inputs": shards, "sequence_length": cleaning.length}
    fresh = mds.write_mds(Job(mds.write_mds, cleaning.directory, part.name, cleaning.key, spec))
    for left in part.side.keys() - fresh.side.keys():
        storage.delete(storage.join(cleaning.directory, left))
    return fresh


# ---------------------------------------------------------------- text


def _text(cleaning: Cleaning, part: Part) -> Part | None:
    """Files of documents, list by list; the part says how many are in each."""
    url = storage.join(cleaning.directory, f"{part.name}.parquet")
    footer = read_footer(url)
    if footer["key"] == cleaning.key:
        return part_at(cleaning.directory, part.name, cleaning.key)
    left = {
        name: _filtered(storage.join(cleaning.directory, name), digest, cleaning)
        for name, digest in footer["side"].items()
    }
    side = {name: storage.sha256(storage.join(cleaning.directory, name)) for name in left}
    if side == footer["side"]:
        return None
    table = read_table(url)
    of_list = {name.removeprefix(text.FOLDER).rpartition("/")[0]: number for name, number in left.items()}
    documents = pa.array([of_list[name] for name in table["list"].to_pylist()], pa.int64())
    table = table.set_column(table.column_names.index("documents"), "documents", documents)
    counts = replace(part.counts, extra={**part.counts.extra, "documents": sum(of_list.values())})
    write_parquet(url, table, {**footer, "key": cleaning.key, "counts": asdict(counts), "side": side})
    return part_at(cleaning.directory, part.name, cleaning.key)


def _filtered(url: str, digest: str, cleaning: Cleaning) -> int:
    """Takes documents out of a file of text, Parquet or JSON Lines; returns how many are in it. One that is not as
    the manifest says was cleaned before a kill."""
    filter_file = _filter_rows if url.endswith(".parquet") else _filter_lines
    number, found = filter_file(url, cleaning.ids, None)
    if found and storage.sha256(url) == digest:
        with storage.writing(url) as path:
            number, _ = filter_file(url, cleaning.ids, path)
    return number


def _filter_rows(url: str, ids: pa.Array, target: Path | None) -> tuple[int, bool]:
    """Documents of a Parquet file that stay, and whether some go; they are written to `target`, a row group at once."""
    number, found = 0, False
    with storage.open_input(url) as stream, ExitStack() as opened:
        file = pq.ParquetFile(stream, page_checksum_verification=True)
        writer = None
        if target:
            writer = opened.enter_context(pq.ParquetWriter(target, file.schema_arrow, **parquet_options(Layout())))
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=None if target else ["doc_id"])
            kept = table.filter(pc.invert(pc.is_in(table["doc_id"], ids)))
            number, found = number + kept.num_rows, found or kept.num_rows < table.num_rows
            if writer and kept.num_rows:
                writer.write_table(kept, row_group_size=kept.num_rows)
    return number, found


def _filter_lines(url: str, ids: pa.Array, target: Path | None) -> tuple[int, bool]:
    """The same of a packed file of JSON lines."""
    gone = set(ids.to_pylist())
    number, found = 0, False
    with storage.open_input(url) as stream, ExitStack() as opened:
        sink = None
        if target:
            raw = opened.enter_context(target.open("wb"))
            sink = opened.enter_context(gzip.GzipFile("", "wb", fileobj=raw, mtime=0))
        with gzip.open(stream) as lines:
            for line in lines:
                stays = json.loads(line)["doc_id"] not in gone
                number, found = number + stays, found or not stays
                if sink and stays:
                    sink.write(line)
    return number, found


_FORMATS: Mapping[str, Clean] = {
    "lineage/": _rows,
    "attribution/": _rows,
    megatron.FOLDER: _megatron,
    mds.FOLDER: _mds,
    text.FOLDER: _text,
}
