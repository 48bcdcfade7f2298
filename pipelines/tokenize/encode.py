"""Documents of a part to token ids: a file of ids, and a table of whose they are, list by list, in shuffled order.

The table has row groups of one list each; its footer says which list, from which order to which. So whoever packs a
shard reads of each part what belongs to the shard, and no more.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from manifests.models import TokenizeSettings
from pipelines import storage
from pipelines.engine import Job, StageError
from pipelines.lists import COLUMNS, lists_of, orders, utf8_of
from pipelines.parts import Counts, Part, read_columns
from pipelines.rows import count_fates, quarantine_row, side_tables
from pipelines.schema import CLUSTER, DOCUMENT, SCORES
from pipelines.schema import joined as joined_schemas
from pipelines.shuffle import write_buckets
from pipelines.tokenize.fill import Filler, untouched
from pipelines.tokenizer import Encoded, Ints, TextTokenizer, joined

#: A row for each document. `at` is where its ids begin in the file of ids; the end token, which `tokens` counts, is
#: not there.
ENCODED = pa.schema(
    [
        ("order", pa.uint64()),
        ("doc_id", pa.string()),
        ("revision", pa.string()),
        ("tokens", pa.int64()),
        ("bytes", pa.int64()),
        ("at", pa.int64()),
        ("middle_start", pa.int64()),
        ("middle_end", pa.int64()),
    ]
)
_BATCH_BYTES = 4 << 20
_GROUP_ROWS = 4096
_JUDGED_BYTES = 16 << 10
_KNOWN = joined_schemas(DOCUMENT, SCORES, CLUSTER)
_READ = pa.schema([_KNOWN.field(name) for name in sorted({*COLUMNS, "revision", "url", "source", "text"})])


def ids_of(url: str) -> str:
    """The file of ids beside a table of encoded documents: little-endian int32, one document behind the other."""
    return url.removesuffix(".parquet") + ".ids"


@functools.lru_cache(maxsize=2)
def _tokenizer(url: str, sha256: str, end_of_document: str) -> TextTokenizer:
    del sha256  # another tokenizer may lie at the same place
    return TextTokenizer(storage.read_bytes(url).decode(), end_of_document)


def load(spec: Mapping[str, Any]) -> TextTokenizer:
    """The tokenizer of a job; a worker keeps it."""
    return _tokenizer(spec["tokenizer"], spec["tokenizer_sha256"], spec["end_of_document"])


def encode_part(job: Job) -> Part:
    """Encodes the documents of a part, sorted by list and by seeded hash."""
    settings, seed = TokenizeSettings.model_validate(job.spec["settings"]), job.spec["seed"]
    tokenizer = load(job.spec)
    table, lists, order = _sorted(read_columns(job.spec["input"], _READ), settings, seed)
    texts = table["text"].combine_chunks()
    judged = _judge(tokenizer, texts, order, job.spec["name"])
    filler = Filler.of(settings, tokenizer, seed)
    ids = ids_of(storage.join(job.directory, job.name))
    lost: dict[int, str] = {}
    lengths, middles = [], []
    digest = hashlib.sha256()
    with storage.writing(ids) as path, path.open("wb") as sink:
        for begin, end in _batches(texts):
            rows = slice(begin, end)
            encoded, unsound = encode_each(tokenizer, texts[rows])
            filled = (
                filler.fill(table.slice(begin, end - begin), lists[rows], encoded) if filler else untouched(encoded)
            )
            sink.write(filled.encoded.ids.data)
            digest.update(filled.encoded.ids.data)
            lengths.append(np.diff(filled.encoded.offsets))
            middles.append(filled.middles)
            lost |= {begin + index: message for index, message in unsound.items()}
    told = _told(table, order, texts, np.concatenate([_NONE, *lengths]), np.concatenate([_NO_MIDDLES, *middles]))
    sound = np.ones(table.num_rows, np.bool_)
    sound[list(lost)] = False
    broken = _quarantined(table, lost, job.spec["name"])
    sums = _sums(table, lists, told, sound, filler)

    def close(rows: int) -> tuple[Counts, Mapping[str, pa.Table]]:
        counts = count_fates(rows, rows, [], broken)
        return replace(counts, extra={**sums, "judged": judged}), side_tables([], broken)

    beside = {ids.removeprefix(job.directory + "/"): digest.hexdigest()}
    groups = _groups(told.filter(pa.array(sound)), lists[sound])
    return write_buckets(job.directory, job.name, job.key, ENCODED, groups, close, beside)


_NONE = np.empty(0, np.int64)
_NO_MIDDLES = np.empty((0, 2), np.int64)


def _sorted(
    table: pa.Table, settings: TokenizeSettings, seed: int
) -> tuple[pa.Table, npt.NDArray[np.object_], npt.NDArray[np.uint64]]:
    """The documents by list and by a seeded hash of id and revision, with both."""
    lists = lists_of(table, settings, seed)
    names = pa.compute.binary_join_element_wise(table["doc_id"], table["revision"], "")
    order = orders(names, seed)
    by = np.lexsort((order, pa.compute.rank(pa.array(lists, pa.string()), tiebreaker="dense").to_numpy()))
    return table.take(pa.array(by)), lists[by], order[by]


def _batches(texts: pa.LargeStringArray) -> Iterator[tuple[int, int]]:
    """Rows (from, up to) of some 4 MiB of text."""
    _, offsets = utf8_of(texts)
    begin = 0
    while begin < len(texts):
        end = max(begin + 1, int(np.searchsorted(offsets, offsets[begin] + _BATCH_BYTES, "right")) - 1)
        yield begin, end
        begin = end


def encode_each(tokenizer: TextTokenizer, texts: pa.LargeStringArray) -> tuple[Encoded, dict[int, str]]:
    """Ids of each text; those of a text that breaks the tokenizer are none, and what broke stands by its number."""
    try:
        return tokenizer.encode(texts), {}
    except Exception:  # noqa: BLE001 - one text must not cost the batch
        pass
    lost: dict[int, str] = {}
    ids = [np.empty(0, np.int32)] * len(texts)
    for index in range(len(texts)):
        try:
            ids[index] = tokenizer.encode(texts[index : index + 1]).ids
        except Exception as error:  # noqa: BLE001
            lost[index] = str(error)
    return joined(ids), lost


def _judge(tokenizer: TextTokenizer, texts: pa.LargeStringArray, order: npt.NDArray[np.uint64], name: str) -> int:
    """Encodes some of a part's documents with the encoder that counts, too, and returns how many tokens they are.

    Raises StageError where the ids differ.
    """
    if tokenizer.encoder == "tokenizers":
        return 0
    size = 0
    sample: list[int] = []
    for index in np.argsort(order)[:64]:
        size += len(texts[int(index)].as_py().encode()) if size < _JUDGED_BYTES else 0
        if sample and size > _JUDGED_BYTES:
            break
        sample.append(int(index))
    column = texts.take(pa.array(sample, pa.int64()))
    judged = tokenizer.judge(column)
    encoded, lost = encode_each(tokenizer, column)
    for index in range(len(sample)):
        ours, theirs = (each.ids[each.offsets[index] : each.offsets[index + 1]] for each in (encoded, judged))
        if index not in lost and not np.array_equal(ours, theirs):
            raise StageError(f"tokenize: {name}: gigatoken and tokenizers give row {sample[index]} other ids")
    return len(judged.ids)


def _told(table: pa.Table, order: npt.NDArray[np.uint64], texts: pa.Array, lengths: Ints, middles: Ints) -> pa.Table:
    """The rows of ENCODED."""
    _, offsets = utf8_of(texts)
    whole = pa.array(middles[:, 0] < 0)
    null = pa.scalar(None, pa.int64())
    columns = {
        "order": pa.array(order),
        "doc_id": table["doc_id"],
        "revision": table["revision"],
        "tokens": pa.array(lengths + 1),
        "bytes": pa.array(np.diff(offsets)),
        "at": pa.array(np.cumsum(lengths) - lengths),
        "middle_start": pa.compute.if_else(whole, null, pa.array(middles[:, 0])),
        "middle_end": pa.compute.if_else(whole, null, pa.array(middles[:, 1])),
    }
    return pa.table(columns, schema=ENCODED)


def _quarantined(table: pa.Table, lost: Mapping[int, str], name: str) -> list[dict[str, Any]]:
    rows = []
    for index, message in sorted(lost.items()):
        row = table.slice(index, 1).drop_columns(["text"]).to_pylist()[0]
        rows.append(quarantine_row(row, "tokenize", "tokenizer", message, (name, index)))
    return rows


def _sums(
    table: pa.Table,
    lists: npt.NDArray[np.object_],
    told: pa.Table,
    sound: npt.NDArray[np.bool_],
    filler: Filler | None,
) -> dict[str, int]:
    """Tokens by list and by source, and how many documents were rearranged."""
    names = {"list": pa.array(lists, pa.string()), "source": table["source"]}
    counted = pa.table({**names, "tokens": told["tokens"]}).filter(pa.array(sound))
    sums: dict[str, int] = {}
    for kind in names:
        summed = counted.group_by(kind).aggregate([("tokens", "sum")])
        for name, tokens in zip(summed[kind].to_pylist(), summed["tokens_sum"].to_pylist(), strict=True):
            sums[f"{kind}:{name}"] = tokens
    if filler:
        sums["filled"] = told.num_rows - told["middle_start"].null_count
    return dict(sorted(sums.items()))


def _groups(told: pa.Table, lists: npt.NDArray[np.object_]) -> Iterator[tuple[list[Any], pa.Table]]:
    """([list, first order, last order], rows) of each row group."""
    bounds = np.flatnonzero(lists[1:] != lists[:-1]) + 1
    order = told["order"].to_numpy()
    for first, last in zip([0, *bounds.tolist()], [*bounds.tolist(), len(lists)], strict=True):
        for begin in range(first, last, _GROUP_ROWS):
            end = min(begin + _GROUP_ROWS, last)
            yield [lists[begin], int(order[begin]), int(order[end - 1])], told.slice(begin, end - begin)
