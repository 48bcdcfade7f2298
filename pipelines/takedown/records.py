"""Records as fetched: blotted out where they lie in their WARC files, and forgotten by frontier and index.

A record is overwritten by a tombstone of the same length, so that no offset moves: neither those of the frontier, from
which a killed crawl goes on, nor those of `extract/records` and of every lineage that was exported. The file is
written anew beside itself and takes its own place, so that a kill leaves the one or the other. A large file that holds
nothing else goes whole; what shares a record or a file with documents that stay cannot be cut out, and is told.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crawlers.frontier import Frontier
from crawlers.takedown import Takedowns
from crawlers.warc import beside, tombstone
from pipelines import storage
from pipelines.crawl import index_of, working_directory
from pipelines.crawl_copies import bring, leave
from pipelines.engine import Commit, read_commit
from pipelines.parts import Counts, Part, key_of, read_table
from pipelines.run import Run

#: Kinds of URLs that are documents; a robots.txt is what a site asks for, and stays in force.
_KINDS = ("page", "sitemap")
_WARC = ".warc.gz"


@dataclass(frozen=True)
class Places:
    """Where records lie: `records`: [offset, length] by file; `files`: large files that go whole; `urls` by source.

    `own`: of a file, the offsets of the responses alone. `left`: places, in words, that other documents share.
    `shared`: of these, document by document, [doc_id, file, row].
    """

    records: Mapping[str, Sequence[Sequence[int]]] = field(default_factory=dict)
    own: Mapping[str, Sequence[int]] = field(default_factory=dict)
    files: Sequence[str] = ()
    urls: Mapping[str, Sequence[str]] = field(default_factory=dict)
    left: Sequence[str] = ()
    shared: Sequence[Sequence[Any]] = ()


def find_places(run: Run, names: Takedowns, chosen: set[str]) -> Places:
    """The records of documents, and those that a request names by their URLs; empty where nothing was crawled."""
    commit = read_commit(run.directory("crawl"))
    if commit is None:
        return Places()
    directory = working_directory(run.directory("crawl"))
    mine, others = _documents_at(run, chosen)
    records: dict[str, list[list[int]]] = {}
    own: dict[str, list[int]] = {}
    urls: dict[str, list[str]] = {}
    files, left = [], {}
    for part in commit.parts:
        index = read_table(storage.join(run.directory("crawl"), f"{part.name}.parquet"))
        gone = _urls_of(index, names, chosen, mine)
        rows = index.filter(pc.is_in(index["url"], pa.array(sorted(gone), pa.string()))).to_pylist()
        if rows:
            bring(run.directory("crawl"), directory, part.name)
        ends = _ends(index)
        keep: set[str] = set()
        for row in rows:
            place = (row["file"], row["offset"] if row["file"].endswith(_WARC) else None)
            if place in others:
                keep.add(row["url"])
                left[place] = f"{row['file']} at {row['offset']}: {others[place]} other documents are in it"
        for row in rows:
            if row["url"] in keep:
                continue
            urls.setdefault(part.name, []).append(row["url"])
            if row["file"].endswith(_WARC):
                own.setdefault(row["file"], []).append(row["offset"])
                records.setdefault(row["file"], []).extend(_whole(directory / row["file"], ends[row["file"]], row))
            else:
                files.append(row["file"])
    shared = [[doc_id, *place] for (file, row), ids in mine.items() if (file, row) in left for doc_id, place in ids]
    return Places(
        {file: sorted(places) for file, places in sorted(records.items())},
        {file: sorted(offsets) for file, offsets in sorted(own.items())},
        sorted(set(files)),
        {source: sorted(set(each)) for source, each in urls.items()},
        sorted(left.values()),
        sorted(shared),
    )


_Place = tuple[str, int | None]


def _documents_at(run: Run, chosen: set[str]) -> tuple[dict[_Place, list[tuple[str, list[Any]]]], dict[_Place, int]]:
    """By place (a large file is one) the documents of the set that were made from it, and how many others were."""
    mine: dict[_Place, list[tuple[str, list[Any]]]] = {}
    others: dict[_Place, int] = {}
    for number in range(2):  # first where the set lies, then who else lies there
        for doc_id, file, row in _made_from(run):
            place = (file, row if file.endswith(_WARC) else None)
            if number == 0 and doc_id in chosen:
                mine.setdefault(place, []).append((doc_id, [file, row]))
            elif number == 1 and doc_id not in chosen and place in mine:
                others[place] = others.get(place, 0) + 1
    return mine, others


def _made_from(run: Run) -> Iterator[tuple[str, str, int]]:
    """Id, file and row of each record that extract read as a document's, whatever became of it."""
    commit = read_commit(run.directory("extract"))
    columns = {"records": ["doc_id", "file", "row"], "dropped": ["doc_id", "input", "row"]}
    for part in commit.parts if commit else ():
        for folder, names in columns.items():
            if f"{folder}/{part.name}.parquet" in part.side:
                table = read_table(storage.join(run.directory("extract"), f"{folder}/{part.name}.parquet"), names)
                yield from zip(*(table[name].to_pylist() for name in names), strict=True)


def _urls_of(index: pa.Table, names: Takedowns, chosen: set[str], mine: Mapping[_Place, Any]) -> set[str]:
    """URLs of a source whose records go, all of them: an earlier one has an earlier text of the same page."""
    gone = set()
    for row in index.select(["doc_id", "url", "kind", "file", "offset"]).to_pylist():
        place = (row["file"], row["offset"] if row["file"].endswith(_WARC) else None)
        if row["kind"] in _KINDS and (
            row["doc_id"] in chosen or place in mine or names.covers(row["url"], row["doc_id"])
        ):
            gone.add(row["url"])
    return gone


def _ends(index: pa.Table) -> dict[str, list[int]]:
    """Where the responses of each WARC file end, in order."""
    ends: dict[str, list[int]] = {}
    for file, offset, length in zip(*(index[name].to_pylist() for name in ("file", "offset", "length")), strict=True):
        ends.setdefault(file, []).append(offset + length)
    return {file: sorted(each) for file, each in ends.items()}


def _whole(path: Path, ends: Sequence[int], row: Mapping[str, Any]) -> list[list[int]]:
    """A response, and the request and metadata records of it: they lie right before it."""
    number = bisect_right(ends, row["offset"])
    more = beside(path, ends[number - 1] if number else 0, row["offset"], row["url"])
    return [[row["offset"], row["length"]], *([offset, length] for offset, length in more)]


# ---------------------------------------------------------------- removing


def remove_records(run: Run, places: Places) -> tuple[Commit | None, list[str]]:
    """Blots records out, and makes the index of their sources again.

    Returns the crawl's commit as it is now to be, not yet written, and the files that changed. What was done before a
    kill is not done again.
    """
    target = run.directory("crawl")
    commit = read_commit(target)
    if commit is None or not places.urls:
        return commit, []
    directory = working_directory(target)
    for source in places.urls:
        bring(target, directory, source)
    for file, members in places.records.items():
        _blot_out(directory / file, file, members)
    for file in places.files:
        (directory / file).unlink(missing_ok=True)
    for source, urls in places.urls.items():
        frontier = Frontier(directory / source / "frontier.sqlite")
        try:
            frontier.take_down(urls)
        finally:
            frontier.close()
    if storage.is_remote(target):
        _publish(target, directory, places)
    touched = [*places.records, *places.files]
    key = key_of("crawl", commit.version, commit.settings)
    crawled = {source: index_of(target, directory, source, key) for source in places.urls}
    for source in crawled:
        touched += [f"{source}.parquet", f"{source}/frontier.sqlite"]
    parts = [crawled[part.name].part if part.name in crawled else part for part in commit.parts]
    for part in parts:
        if part.name in crawled:
            touched += part.side
    files = [each for each in commit.extra["files"] if each["name"].split("/")[0] not in crawled]
    files += [each for one in crawled.values() for each in one.files]
    told = {"files": sorted(files, key=lambda each: str(each["name"]))}
    for what in ("signals", "withdrawn"):
        fresh = {source: getattr(one, what) for source, one in crawled.items() if getattr(one, what)}
        kept = {source: value for source, value in commit.extra[what].items() if source not in crawled}
        told[what] = dict(sorted({**kept, **fresh}.items()))  # type: ignore[assignment]
    return _with(commit, parts, told), touched


def _with(commit: Commit, parts: Sequence[Part], told: Mapping[str, Any]) -> Commit:
    counts = Counts.total([part.counts for part in parts])
    return replace(commit, parts=parts, counts=counts, extra={**commit.extra, **told})


def _blot_out(path: Path, name: str, members: Sequence[Sequence[int]]) -> None:
    """Puts tombstones into a file, unless they are there."""
    wanted = [(offset, tombstone(name, offset, length)) for offset, length in members]
    with path.open("rb") as stream:
        if all(_at(stream, offset, len(stone)) == stone for offset, stone in wanted):
            return
    with storage.writing(str(path)) as fresh:
        storage.copy(str(path), str(fresh))
        with fresh.open("r+b") as sink:
            for offset, stone in wanted:
                sink.seek(offset)
                sink.write(stone)


def _at(stream: Any, offset: int, length: int) -> bytes:
    stream.seek(offset)
    found: bytes = stream.read(length)
    return found


def _publish(target: str, directory: Path, places: Places) -> None:
    """The same in the bucket of the run; `leave` takes what has its size to be there."""
    for file in places.records:
        storage.copy(str(directory / file), storage.join(target, file))
    for file in places.files:
        storage.delete(storage.join(target, file))
    for source in places.urls:
        leave(target, directory, source)
