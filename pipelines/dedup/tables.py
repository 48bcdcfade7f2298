"""The tables that the steps of dedup hand on, and how their rows are dealt out to buckets.

A text, however many documents have it, is a vertex: the first 64 bits of the hash of its folded form. A document's
place is its part's number times 2**32, and its row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.shingles import Sets
from filters.stream import Hashes
from filters.versions import versioned
from pipelines.engine import Job
from pipelines.parts import Counts, Part
from pipelines.shuffle import write_buckets

# The hash of a document's folded text, where the document is, and whether it changes what it is like: it is new, or
# is replaced by a new one.
FOLD = pa.schema([("high", pa.uint64()), ("low", pa.uint64()), ("place", pa.uint64()), ("fresh", pa.bool_())])
# A document's id, its text, and where it is; and rows of documents that a later snapshot has with another text.
ID = pa.schema([("high", pa.uint64()), ("low", pa.uint64()), ("text", pa.uint64()), ("place", pa.uint64())])
REPLACED = pa.schema([("row", pa.uint32())])
# Documents whose text others have too: `first` of one of them alone; and those whose vertex is not their hash.
TWIN = pa.schema([("row", pa.uint32()), ("vertex", pa.uint64()), ("first", pa.bool_())])
BAND = pa.schema([("band", pa.uint64()), ("vertex", pa.uint64())])
EDGE = pa.schema([("vertex", pa.uint64()), ("neighbour", pa.uint64())])
# The shingles of a text's sketch; `asks`: how many of them the text asks for, 0 for one that it does not ask for.
ASKED = pa.schema([("shingle", pa.uint32()), ("vertex", pa.uint64()), ("words", pa.int64()), ("asks", pa.uint8())])
HOLDER = pa.schema([("vertex", pa.uint64()), ("holder", pa.uint64()), ("asks", pa.uint8())])
# Documents that are not alone, and the component that each is in: its smallest vertex.
MEMBER = pa.schema([*TWIN, ("component", pa.uint64())])
# Components that a document is in which changes what it is like.
TOUCHED = pa.schema([("component", pa.uint64())])
# What survivors are chosen by: of each vertex its signature and its shingles, of each document its merits.
SHINGLES = pa.schema([("vertex", pa.uint64()), ("signature", pa.binary()), ("shingles", pa.large_binary())])
MERITS = (
    ("fails", pa.bool_()),  # a rule of the recipe's filter: who does stands for nobody that does not
    ("licence", pa.int8()),  # the place of its class in the order of what licences ask
    ("opted_out", pa.bool_()),  # in some way that the recipe does not obey
    ("authority", pa.int8()),
    ("version", pa.string()),  # that the URL states, in a form in which the later one is the larger
    ("words", pa.int64()),
    ("date", pa.string()),
    ("quality", pa.float32()),
)
FACTS = pa.schema(
    [
        ("component", pa.uint64()),
        ("vertex", pa.uint64()),
        ("place", pa.uint64()),
        ("doc_id", pa.string()),
        ("url", pa.string()),
        ("page", pa.uint64()),  # of which there are other versions: a hash of its URL without the version; else 0
        *MERITS,
    ]
)
# Two lines that stand together at an edge of so many pages of a source, and the first place where they do.
PAIR = pa.schema([("source", pa.string()), ("pair", pa.uint64()), ("pages", pa.int64()), ("place", pa.uint64())])
# Those of them that are boilerplate, without and with the lines; `of`: the pages that the source has.
FOUND = pa.schema([*PAIR, ("of", pa.int64())])
BOILERPLATE = pa.schema([*(FOUND.field(name) for name in ("source", "pair", "pages", "of")), ("lines", pa.string())])
# What becomes of a document that is not alone.
CHOICE = pa.schema(
    [
        ("row", pa.uint32()),
        ("stays", pa.bool_()),
        ("cluster_id", pa.string()),
        ("cluster_size", pa.int64()),
        ("survivor", pa.string()),
        ("reason", pa.string()),  # duplicate, near_duplicate, contained
        ("similarity", pa.float32()),  # of the two; of one that is contained, the share of its shingles
        ("copies", pa.list_(pa.string())),
    ]
)

_DIGITS = np.full(256, 255, np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


def hash_numbers(column: pa.ChunkedArray) -> tuple[Hashes, Hashes]:
    """The first and the last 64 bits of hashes of 32 hexadecimal digits."""
    array = column.combine_chunks().cast(pa.large_string())
    if not len(array):
        return np.empty(0, np.uint64), np.empty(0, np.uint64)
    _, offsets, data = array.buffers()
    begin = int(np.frombuffer(offsets, np.int64)[array.offset])
    digits = _DIGITS[np.frombuffer(data, np.uint8)[begin : begin + 32 * len(array)].reshape(-1, 32)]
    packed = (digits[:, ::2] << 4 | digits[:, 1::2]).copy()
    numbers = packed.view(">u8").astype(np.uint64)
    return numbers[:, 0], numbers[:, 1]


def pages_of(urls: Sequence[str]) -> tuple[Hashes, list[str | None]]:
    """Of each document the hash of its page, 0 where its URL has no version, and the version, padded with zeros."""
    pages, versions = np.zeros(len(urls), np.uint64), []
    for at, url in enumerate(urls):
        found = versioned(url)
        versions.append(".".join(f"{number:07}" for number in found.version) if found else None)
        if found:
            pages[at] = int.from_bytes(hashlib.sha256(found.page.encode()).digest()[:8], "little")
    return pages, versions


def sets_of(column: pa.ChunkedArray) -> Sets:
    """The 32-bit numbers of each row of a column of bytes, read-only, whether Arrow's memory is or not.

    To the compiler of what they are given to, those are two types: it would compile for each.
    """
    array = column.combine_chunks().cast(pa.large_binary())
    if len(array):
        _, offsets, data = array.buffers()
        ends = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
        held = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]] if data else np.empty(0, np.uint8)
        sets = Sets(held.view(np.uint32), (ends - ends[0]) // 4)
    else:
        sets = Sets(np.empty(0, np.uint32), np.zeros(1, np.int64))
    for numbers in sets:
        numbers.setflags(write=False)
    return sets


def place_of(part: int, row: npt.NDArray[np.integer]) -> Hashes:
    """The places of rows of a part."""
    place: Hashes = np.uint64(part << 32) + row.astype(np.uint64)
    return place


def part_and_row(place: Hashes) -> tuple[Hashes, npt.NDArray[np.uint32]]:
    """Where places are."""
    return place >> np.uint64(32), (place & np.uint64(0xFFFFFFFF)).astype(np.uint32)


def send(
    job: Job, table: pa.Table, number: npt.NDArray[np.integer], buckets: int, extra: Mapping[str, int] | None = None
) -> Part:
    """Commits a file of the rows for each bucket: that of a row is its number, modulo the buckets.

    extra: what the part counts beside its rows.
    """
    counts = Counts(rows=table.num_rows, extra=dict(extra or {}))
    dealt = _deal(table, number % buckets, buckets)
    return write_buckets(job.directory, job.name, job.key, table.schema, dealt, lambda _: (counts, {}))


def _deal(table: pa.Table, target: npt.NDArray[np.integer], buckets: int) -> Iterator[tuple[int, pa.Table]]:
    """The rows for each bucket, in the order in which they stand."""
    small = target.astype(np.uint16) if buckets <= 1 << 16 else target  # these are sorted several times faster
    order = np.argsort(small, kind="stable")
    ends = np.cumsum(np.bincount(target.astype(np.int64), minlength=buckets))
    dealt = table.take(pa.array(order))
    begin = 0
    for bucket, end in enumerate(ends.tolist()):
        yield bucket, dealt.slice(begin, end - begin)
        begin = end


def numbers_of(table: pa.Table, name: str) -> Hashes:
    """A column of numbers."""
    numbers: Hashes = table[name].to_numpy()
    return numbers
