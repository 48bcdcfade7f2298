"""Documents with a known structure of copies, made from a seed: as many as are wanted, part by part.

Document n is the copy of document n - n % FAMILY if n % FAMILY is less than the size of that family; all others are
alone. So what is a copy of what can be told without a look at a text.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.compiled import compiled, inlined
from filters.fold import fold_hashes
from filters.hashing import GOLDEN, mix
from filters.minhash import signatures
from filters.shingles import bytes_of, shingles_of, sketches
from filters.stream import Bytes, Hashes, Offsets, read_stream
from pipelines.schema import DOCUMENT, SCORES, joined

FAMILY = 10  # documents of which some of the first are copies of the first
_WORDS = 20_000
_FEWEST, _MOST = 60, 140  # words of a document
_EDITED = 3  # one of the first so many words is another in a copy: any two of a family have a similarity above 0.89
PERMUTATIONS, SHINGLE = 108, 5


def copies_of(family: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How many documents of a family are one: half of the families have none, one in a hundred all."""
    drawn = (_mixed(family, 1) % np.uint64(100)).astype(np.int64)
    sizes = np.where(drawn < 50, 1, np.where(drawn < 80, 2, np.where(drawn < 99, 4, FAMILY)))
    return np.asarray(sizes, np.int64)


def duplicates(number: int) -> int:
    """How many of the first `number` documents are copies of one before."""
    at = np.arange(number)
    return int(np.count_nonzero((at % FAMILY > 0) & (at % FAMILY < copies_of(at // FAMILY))))


def parts(numbers: npt.NDArray[np.int64], parts_: int) -> Iterator[pa.Table]:
    """Documents with the columns of `classify`, dealt out to parts; scores that dedup does not compute with are zero."""
    for part in range(parts_):
        yield _table(numbers[part::parts_])


def equal_parts(number: int, parts_: int) -> Iterator[pa.Table]:
    """So many documents that all have one text."""
    for part in range(parts_):
        numbers = np.arange(part, number, parts_)
        yield _table(numbers, texts_of(np.zeros(1, np.int64)).take(pa.array(np.zeros(len(numbers), np.int64))))


def _table(numbers: npt.NDArray[np.int64], texts: pa.Array | None = None) -> pa.Table:
    texts = texts_of(numbers) if texts is None else texts
    stream = read_stream(texts)
    shingles = shingles_of(stream, SHINGLE)
    rows = len(numbers)
    ids = _ids(numbers)
    order = np.argsort(ids)
    known = {
        "doc_id": pa.array(ids),
        "revision": pa.array(ids),
        "url": pa.array(np.char.add("https://docs.example/", numbers.astype(str))),
        "source": pa.array(np.char.add("source_", (numbers // FAMILY % 50).astype(str))),
        "category": pa.array(["open_source_documentation"]).take(pa.array(np.zeros(rows, np.int64))),
        "licence": pa.array(["MIT"]).take(pa.array(np.zeros(rows, np.int64))),
        "language": pa.array(["en"]).take(pa.array(np.zeros(rows, np.int64))),
        "text": texts,
        "fold_hash": pa.array(fold_hashes(stream)),
        "signature": _packed(signatures(shingles, PERMUTATIONS)),
        "sketch": bytes_of(sketches(shingles)).cast(pa.binary()),
        "words": pa.array(stream.column("words")),
    }
    schema = joined(DOCUMENT, SCORES)
    columns = {field.name: known[field.name] if field.name in known else _nothing(field, rows) for field in schema}
    return pa.table(columns, schema=schema).take(pa.array(order))


def _nothing(field: pa.Field, rows: int) -> pa.Array:
    if pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
        return pa.array(np.zeros(rows), field.type, safe=False)
    return pa.nulls(rows, field.type)


def _packed(signed: npt.NDArray[np.uint32]) -> pa.Array:
    width = signed.shape[1] * 4
    offsets = np.arange(len(signed) + 1, dtype=np.int32) * width
    return pa.BinaryArray.from_buffers(pa.binary(), len(signed), [None, pa.py_buffer(offsets), pa.py_buffer(signed)])


def _ids(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.str_]:
    halves = np.stack([_mixed(numbers, 2), _mixed(numbers, 3)], axis=1).astype(">u8")
    text = np.frombuffer(halves.tobytes().hex().encode(), "S32")
    return text.astype(str)


def _mixed(numbers: npt.NDArray[np.int64], salt: int) -> Hashes:
    out = np.empty(len(numbers), np.uint64)
    _mix_all(numbers, np.uint64(salt), out)
    return out


def texts_of(numbers: npt.NDArray[np.int64]) -> pa.Array:
    """The texts of documents by their numbers."""
    vocabulary = [f"{_SYLLABLES[n % 40]}{_SYLLABLES[n // 40 % 40]}{_SYLLABLES[n // 1600 % 40]}" for n in range(_WORDS)]
    letters = np.frombuffer("".join(vocabulary).encode(), np.uint8)
    begins = np.cumsum([0, *map(len, vocabulary)])
    out = np.empty(len(numbers) * _MOST * (max(map(len, vocabulary)) + 1), np.uint8)
    offsets = np.zeros(len(numbers) + 1, np.int64)
    _write(numbers, copies_of(numbers // FAMILY), letters, begins, out, offsets)
    data = out[: offsets[-1]].copy()
    return pa.LargeStringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(data))


_SYLLABLES = [a + b for a in "bdfgklmnprst"[:10] for b in "aeio"]


@inlined
def _drawn(a: np.uint64, b: np.uint64, salt: np.uint64) -> np.uint64:
    return mix(mix(a * GOLDEN + salt) + b)


@compiled
def _mix_all(numbers: Offsets, salt: np.uint64, out: Hashes) -> None:
    for at in range(len(numbers)):
        out[at] = _drawn(np.uint64(numbers[at]), np.uint64(0), salt)


@compiled
def _write(numbers: Offsets, copies: Offsets, letters: Bytes, begins: Offsets, out: Bytes, offsets: Offsets) -> None:
    size = 0
    for at in range(len(numbers)):
        own = np.uint64(numbers[at])
        first = numbers[at] % FAMILY < copies[at]
        of = own - own % np.uint64(FAMILY) if first else own
        words = _FEWEST + np.int64(_drawn(of, np.uint64(0), np.uint64(7)) % np.uint64(_MOST - _FEWEST))
        changed = np.int64(_drawn(own, np.uint64(0), np.uint64(8)) % np.uint64(_EDITED))
        for word in range(words):
            by = own if word == changed else of
            number = np.int64(_drawn(by, np.uint64(word), np.uint64(9)) % np.uint64(_WORDS))
            for letter in range(begins[number], begins[number + 1]):
                out[size] = letters[letter]
                size += 1
            out[size] = 32
            size += 1
        offsets[at + 1] = size
