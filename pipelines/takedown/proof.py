"""The proof of a takedown: a scan for what is left of the documents in a run, its exports and the copies of these.

Before anything is removed, the runs of 13 words of the documents are hashed. Afterwards every text is read again: the
columns of all parts, the shards and prefixes decoded, the responses of the teacher, the records as fetched. A run of
words counts unless it also stands in a document outside the removal set that stays under a licence of its own.

Memory: the hashes, 8 bytes each, and a batch of texts.
"""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tokenizers import Tokenizer

from crawlers.content import BodyError
from crawlers.warc import Record, read_records
from filters.hashing import GOLDEN
from filters.shingles import shingles_of
from filters.stream import Hashes, read_stream
from pipelines import storage
from pipelines.engine import read_commit
from pipelines.export import mds, megatron
from pipelines.export.sequences import SHARDS
from pipelines.parts import read_table
from pipelines.run import Run
from pipelines.synth.store import store_of
from pipelines.takedown.plan import parts_of
from pipelines.tokenize.pack import INDEX_FOLDER

WIDTH = 13
_BATCH_BYTES = 8 << 20
_STAGES = ("extract", "filter", "synth")
_ANY_SIZE = 1 << 31
_TAG = re.compile(rb"<[^<>]{0,2000}>")
#: Files that hold text and are no tables: pages, cards, guides.
_PLAIN = (".html", ".txt", ".md", ".json", ".jsonl", ".jsonl.gz")


def grams_of(texts: pa.Array) -> Hashes:
    """The runs of WIDTH words of some texts, as hashes of 64 bits, in order and each once."""
    stream = read_stream(texts)
    long = np.diff(stream.word_offsets) >= WIDTH
    one = shingles_of(stream, WIDTH)
    # Thirty-two bits would find in a large corpus what is not there: the words are hashed again for as many more.
    other = shingles_of(replace(stream, hashes=(stream.hashes ^ (stream.hashes >> np.uint64(29))) * GOLDEN), WIDTH)
    pairs = one.hashes.astype(np.uint64) << np.uint64(32) | other.hashes.astype(np.uint64)
    return np.unique(pairs[np.repeat(long, np.diff(one.offsets))])


def collect(run: Run, ids: pa.Array) -> Hashes:
    """The hashes of all texts of documents, as extracted and as filtered, and of rewrites."""
    found = [np.empty(0, np.uint64)]
    for stage in _STAGES:
        for _, table in parts_of(run, stage, ["doc_id", "text"]):
            texts = table.filter(pc.is_in(table["doc_id"], ids))["text"]
            found += [grams_of(batch) for batch in batches(texts.to_pylist())]
    return np.unique(np.concatenate(found))


def pack(grams: Hashes) -> bytes:
    """Hashes as bytes: little-endian, 8 each."""
    return grams.astype("<u8").tobytes()


def unpack(content: bytes) -> Hashes:
    """The hashes that `pack` packed."""
    return np.frombuffer(content, "<u8").astype(np.uint64)


def batches(texts: Iterable[str | None]) -> Iterator[pa.Array]:
    """Texts as arrays of some 8 MB."""
    waiting: list[str] = []
    size = 0
    for text in texts:
        if not text:
            continue
        waiting.append(text)
        size += len(text)
        if size >= _BATCH_BYTES:
            yield pa.array(waiting, pa.large_string())
            waiting, size = [], 0
    if waiting:
        yield pa.array(waiting, pa.large_string())


@dataclass
class Proof:
    """What a scan saw. `grams`: runs of words of the documents; `shared`: those that stand in others that stay;
    `found`: others that are left, by the file in which they are."""

    grams: int = 0
    shared: int = 0
    texts: int = 0
    found: dict[str, int] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """Runs of words that are left, in all files."""
        return sum(self.found.values())


class Scan:
    """Looks for some runs of words in one text after the other."""

    def __init__(self, run: Run, grams: Hashes) -> None:
        self._run = run
        self._staying = _staying(run)
        shared = _shared(run, grams)
        self._sought = np.setdiff1d(grams, shared, assume_unique=True)
        self.proof = Proof(len(grams), len(shared))

    def run(self) -> None:
        """Scans the run: its parts, records and pages; what teachers answered; its export, wherever that is."""
        self.place(self._run.url)
        store = store_of(self._run).url
        if not store.startswith(f"{self._run.url}/"):
            self.place(store)
        exported = self._run.directory("export")
        if not exported.startswith(self._run.url):
            self.place(exported)

    def place(self, url: str) -> None:
        """Scans everything in a directory or bucket, by what its names say that it is."""
        tokenizers: dict[str, Tokenizer] = {}
        for name in storage.list_files(url):
            self._file(url, name, tokenizers)

    def _file(self, url: str, name: str, tokenizers: dict[str, Tokenizer]) -> None:
        place = storage.join(url, name)
        if f"/{SHARDS}" in f"/{name}" and f"/{INDEX_FOLDER}/" not in f"/{name}":
            self._see(place, _decoded(place, _tokenizer(url, name, tokenizers)))
        elif name.endswith(".bin") and f"/{megatron.FOLDER}" in f"/{name}":
            self._see(place, _decoded_ids(place, _tokenizer(url, name, tokenizers)))
        elif name.endswith(".mds"):
            self._see(place, _decoded_samples(place, _tokenizer(url, name, tokenizers)))
        elif name.endswith(".parquet"):
            self._see(place, _strings(place))
        elif name.endswith(".warc.gz"):
            self._see(place, self._payloads(place, name))
        elif name.endswith(_PLAIN) and not name.rpartition("/")[2].startswith((".", "_")):
            self._see(place, _lines(place))

    def _see(self, place: str, texts: Iterable[str | None]) -> None:
        found = 0
        for batch in batches(texts):
            self.proof.texts += len(batch)
            found += int(np.isin(grams_of(batch), self._sought, assume_unique=True).sum())
        if found:
            self.proof.found[place] = found

    def _payloads(self, place: str, name: str) -> Iterator[str]:
        """The pages of a WARC file but those of documents that stay, with and without their tags."""
        file = "/".join(name.split("/")[-2:])
        with storage.open_input(place) as stream:
            for record in read_records(stream, name, _ANY_SIZE):
                if not isinstance(record, Record) or (file, record.offset) in self._staying:
                    continue
                try:
                    body = record.body(_ANY_SIZE)
                except BodyError:
                    continue
                yield body.decode("utf-8", "replace")
                yield _TAG.sub(b" ", body).decode("utf-8", "replace")


def _staying(run: Run) -> set[tuple[str, int]]:
    """Where the records of documents lie that stay under a licence."""
    licensed: set[str] = set()
    for _, table in parts_of(run, "extract", ["doc_id", "licence"]):
        licensed.update(_licensed(table)["doc_id"].to_pylist())
    found = set()
    commit = read_commit(run.directory("extract"))
    for part in commit.parts if commit else ():
        relative = f"records/{part.name}.parquet"
        if relative in part.side:
            table = read_table(storage.join(run.directory("extract"), relative), ["doc_id", "file", "row"])
            rows = zip(*(table[name].to_pylist() for name in table.column_names), strict=True)
            found |= {(file, row) for doc_id, file, row in rows if doc_id in licensed}
    return found


def _licensed(table: pa.Table) -> pa.Table:
    return table.filter(pc.greater(pc.utf8_length(pc.fill_null(table["licence"], "")), 0))


def _shared(run: Run, grams: Hashes) -> Hashes:
    """Those of the runs of words that stand in documents that stay under a licence."""
    found = [np.empty(0, np.uint64)]
    for stage in _STAGES:
        for _, table in parts_of(run, stage, ["licence", "text"]):
            for batch in batches(_licensed(table)["text"].to_pylist()):
                found.append(np.intersect1d(grams_of(batch), grams, assume_unique=True))
    return np.unique(np.concatenate(found))


# ---------------------------------------------------------------- texts of files


def _strings(place: str) -> Iterator[str | None]:
    """Every string of a table, also those in structs and lists of strings."""
    with storage.open_input(place) as stream:
        for batch in pq.ParquetFile(stream).iter_batches(batch_size=1024):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                yield from _bodies(column) if name == "body" else _strings_in(column)


def _strings_in(column: pa.Array) -> Iterator[str | None]:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield from column.to_pylist()
    elif pa.types.is_struct(kind):
        for child in column.flatten():
            yield from _strings_in(child)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _strings_in(column.flatten())


def _tokenizer(url: str, name: str, known: dict[str, Tokenizer]) -> Tokenizer:
    """The tokenizer.json beside the shards or prefixes."""
    beside = name[: max(f"/{name}".rfind(f"/{folder}") for folder in (SHARDS, megatron.FOLDER, mds.FOLDER))].rstrip("/")
    path = storage.join(url, *([beside] if beside else []), "tokenizer.json")
    if path not in known:
        known[path] = Tokenizer.from_str(storage.read_bytes(path).decode())
    return known[path]


def _decoded(place: str, tokenizer: Tokenizer) -> Iterator[str]:
    """The text of the sequences of a shard, without special tokens."""
    with storage.open_input(place) as stream:
        for batch in pq.ParquetFile(stream).iter_batches(batch_size=64, columns=["input_ids"]):
            yield from tokenizer.decode_batch(batch.column(0).to_pylist(), skip_special_tokens=True)


def _decoded_ids(place: str, tokenizer: Tokenizer) -> Iterator[str]:
    """The text of a file of ids, in pieces that have the last words of the one before."""
    before = np.empty(0, "<i4")
    with storage.open_input(place) as stream:
        while content := stream.read(1 << 18):
            ids: npt.NDArray[np.int32] = np.concatenate([before, np.frombuffer(content, "<i4")])
            yield tokenizer.decode(ids.tolist(), skip_special_tokens=True)
            before = ids[-64 * WIDTH :]


def _decoded_samples(place: str, tokenizer: Tokenizer) -> Iterator[str]:
    """The text of the samples of an MDS file (see `pipelines/export/mds.py`)."""
    content = storage.read_bytes(place)
    number = int.from_bytes(content[:4], "little")
    ends = np.frombuffer(content, "<u4", number + 1, 4).tolist()
    (size,) = [each for each in json.loads(content[8 + 4 * number : ends[0]])["column_sizes"] if each]
    for begin in ends[:-1]:
        at = begin + 8 + int.from_bytes(content[begin : begin + 4], "little")
        ids = np.frombuffer(content, "<i4", size // 4, at)
        yield tokenizer.decode(ids.tolist(), skip_special_tokens=True)


def _bodies(column: pa.Array) -> Iterator[str]:
    """Every string of requests to a teacher and of its responses."""
    for body in column.to_pylist():
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body or ""
        try:
            waiting: list[Any] = [json.loads(text)]
        except ValueError:
            waiting = [text]
        while waiting:
            value = waiting.pop()
            if isinstance(value, str):
                yield value
            elif isinstance(value, list | dict):
                waiting += value.values() if isinstance(value, dict) else value


def _lines(place: str) -> Iterator[str]:
    """A file of text, in pieces; JSON lines as the text that they hold."""
    if ".jsonl" in place:
        with storage.open_input(place) as raw:
            for line in gzip.GzipFile(fileobj=raw) if place.endswith(".gz") else io.BufferedReader(raw):
                yield from (value for value in _values(line) if isinstance(value, str))
        return
    text = storage.read_bytes(place).decode("utf-8", "replace")
    yield text
    if place.endswith(".html"):
        yield _TAG.sub(b" ", text.encode()).decode()


def _values(line: bytes) -> list[Any]:
    try:
        told = json.loads(line)
    except ValueError:
        return [line.decode("utf-8", "replace")]
    return list(told.values()) if isinstance(told, dict) else []
