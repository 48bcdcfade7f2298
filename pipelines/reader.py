"""The training reader: packed sequences of an export, as arrays, with pyarrow and numpy alone.

    from pipelines.reader import PackedSequences, labels_of

    for batch in PackedSequences("runs/demo/dataset", seed=1).batches(8):
        train(batch["input_ids"], labels_of(batch), batch["position_ids"], batch["segment_ids"])

`PackedSequences` has a length and gives any row, so that Grain's `MapDataset.source` and torch's `DataLoader` take it
as it is; so do its batches: `DataLoader(sequences.batches(8), batch_size=None, num_workers=2)` gives tensors, in the
same order for any number of workers. What is read is what `_commit.json` names: without one, nothing is.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import storage
from pipelines.parts import read_footer

Value = TypeVar("Value")
Ints = npt.NDArray[np.int64]
#: `input_ids`, `position_ids`, `segment_ids`: int32[L]; `loss_mask`: bool[L]. Of a batch: [B, L].
Sample = dict[str, npt.NDArray[Any]]

#: What a label is that no loss is taken of: torch's `cross_entropy` passes over it.
NO_LABEL = -100
#: Rows that are shuffled as one, and among themselves: a row group of a shard.
_BLOCK = 256
_CACHED_GROUPS = 16
_MANIFEST, _MIXTURE = "_commit.json", "mixture.json"


class ReaderError(Exception):
    """A corpus, or a state, that cannot be read; the message says why."""


class PackedSequences:
    """The packed sequences of a split, in one order for each epoch.

    - By default the shards one after the other, list by list, as they lie; each list is shuffled already.
    - With a `seed`, the row groups of each list, and the rows in each, are permuted anew in each epoch, and the lists
      are interleaved evenly: any stretch has the shares of the whole.
    - With a `stage` of `mixture.json`, what it draws of each list, interleaved in the same way. An epoch is the stage.

    `check` says when a file is that of the manifest: its footer is looked at when it is first read, or all are hashed
    here. A row costs a row group, unless it is one of those last read, so rows are best read in their order.
    """

    def __init__(
        self,
        url: str,
        split: Literal["train", "validation"] = "train",
        *,
        stage: str | None = None,
        seed: int | None = None,
        check: Literal["footer", "sha256"] = "footer",
    ) -> None:
        """Reads the manifest of a directory or bucket. Raises ReaderError."""
        self.url, self.split, self.stage, self.seed = url, split, stage, seed
        manifest = _json_of(url, _MANIFEST)
        self._shards = _shards_of(url, manifest, split)
        self._firsts = np.array([each.first for each in self._shards])
        self._lists = _lists_of(self._shards)
        if stage is not None:
            if split != "train":
                raise ReaderError(f"{url}: stage {stage} draws from train, not from {split}")
            self._lists = _drawn(self._lists, _stage_of(url, stage), f"{url}: {_MIXTURE}: stage {stage}")
        self._length = sum(each.drawn for each in self._lists)
        self._tokenizer = manifest.get("extra", {}).get("tokenizer") or manifest.get("settings", {}).get("tokenizer")
        if check == "sha256":
            for shard in self._shards:
                if storage.sha256(storage.join(url, shard.file)) != shard.sha256:
                    raise ReaderError(f"{url}: {shard.file} is not the file of the manifest: another SHA-256")
        # Each list has a row group that its next rows come from.
        self._groups = _Groups(url, self._shards, _CACHED_GROUPS + 2 * len(self._lists))
        self._orders = _Latest[Ints](self._order, 2)

    def __len__(self) -> int:
        """Sequences of an epoch."""
        return self._length

    def __getitem__(self, index: int) -> Sample:
        """One sequence of the first epoch, by its place in the order. Raises IndexError."""
        return self.at(_checked(index, self._length))

    def __iter__(self) -> Iterator[Sample]:
        """The sequences of the first epoch."""
        return (self.at(index) for index in range(self._length))

    def at(self, position: int) -> Sample:
        """A sequence by its place; places count on from epoch to epoch."""
        shard, row = self._place(position)
        return self._groups.sample(shard, row)

    def where(self, position: int) -> str:
        """`FILE:ROW` of a sequence, as `syscorpus trace` takes it."""
        shard, row = self._place(position)
        return f"{self._shards[shard].file}:{row}"

    def batches(
        self, batch_size: int, *, rank: int = 0, world_size: int = 1, epochs: int = 1, drop_last: bool = False
    ) -> Batches:
        """The batches of one rank of `world_size`; see Batches. Raises ReaderError."""
        return Batches(self, _Share(batch_size, rank, world_size, epochs, drop_last))

    @property
    def tokenizer(self) -> Mapping[str, Any]:
        """What the manifest says of it: `sha256`, `vocabulary`, `end_id`. The file is `tokenizer.json`, beside it."""
        if self._tokenizer is None:
            raise ReaderError(f"{self.url}: {_MANIFEST} names no tokenizer")
        return dict(self._tokenizer)

    @property
    def sequence_length(self) -> int:
        """Tokens of each sequence."""
        return self._groups.sequence_length

    @property
    def drawn(self) -> dict[str, int]:
        """Sequences that an epoch takes of each list."""
        return {each.name: each.drawn for each in self._lists}

    @property
    def layout(self) -> str:
        """SHA-256 over the files, their rows and what is drawn of them: of the same value, the same places."""
        return _hash_of([[each.file, each.rows] for each in self._shards], sorted(self.drawn.items()))

    @property
    def corpus(self) -> str:
        """SHA-256 over the layout and the bytes of the files: of the same value, the same sequences."""
        return _hash_of(self.layout, [each.sha256 for each in self._shards])

    def _place(self, position: int) -> tuple[int, int]:
        """(shard, row of it)."""
        epoch, index = divmod(position, self._length)
        row = int(self._orders[epoch if self.seed is not None else 0][index])
        shard = int(np.searchsorted(self._firsts, row, "right")) - 1
        return shard, row - self._shards[shard].first

    def _order(self, epoch: int) -> Ints:
        """The rows of an epoch, numbered through all shards: int64[len(self)]."""
        orders = [self._order_of(each, epoch) for each in self._lists]
        if self.seed is None and self.stage is None:
            return np.concatenate(orders)
        return interleaved(orders, _salted(self.seed or 0, epoch))

    def _order_of(self, each: _List, epoch: int) -> Ints:
        """The rows that an epoch draws of a list: whole passes, then the first ones."""
        passes = []
        for number, begin in enumerate(range(0, each.drawn, each.rows)):
            rows = np.arange(min(each.rows, each.drawn - begin))
            if self.seed is not None:
                rows = _shuffled(rows, each.blocks, _salted(self.seed, epoch, number, each.first))
            passes.append(rows + each.first)
        return np.concatenate(passes) if passes else np.empty(0, np.int64)


@dataclass(frozen=True)
class _Share:
    """What of an order one rank reads."""

    batch_size: int
    rank: int
    world_size: int
    epochs: int
    drop_last: bool

    @property
    def step(self) -> int:
        """Sequences of all ranks in one step."""
        return self.batch_size * self.world_size


class Batches:
    """What one rank trains on: arrays [batch_size, L], as many for each rank.

    A step of all ranks takes `batch_size * world_size` sequences that follow each other, so that the same step sees the
    same sequences however many ranks share it. What is left over at the end is not lost: the last step is filled up
    with copies of the last sequence that have no loss, `blank` of them, so that a rank may have none at all; or, with
    `drop_last`, the last `dropped` sequences are in no batch.

    Worker `w` of `n` takes `batches[w]`, `batches[w + n]`, ...: what torch's DataLoader does by itself.
    """

    def __init__(self, sequences: PackedSequences, share: _Share) -> None:
        if share.batch_size < 1 or share.epochs < 1 or not 0 <= share.rank < share.world_size:
            raise ReaderError(
                f"batch_size {share.batch_size}, epochs {share.epochs}, rank {share.rank} of {share.world_size}: "
                "batch_size and epochs are at least 1, and a rank is below world_size"
            )
        self._sequences, self._share = sequences, share
        self._begin, self._taken = 0, 0

    def __len__(self) -> int:
        """Steps that are left: all, or those after the state that was loaded."""
        return self._left // self._share.step if self._share.drop_last else -(-self._left // self._share.step)

    def __getitem__(self, index: int) -> Sample:
        """The batch of a step. Raises IndexError."""
        begin = self._begin + _checked(index, len(self)) * self._share.step + self._share.rank * self._share.batch_size
        samples = []
        for position in range(begin, begin + self._share.batch_size):
            sample = self._sequences.at(min(position, self._end - 1))
            if position >= self._end:
                sample["loss_mask"][:] = False
            samples.append(sample)
        return {name: np.stack([each[name] for each in samples]) for name in samples[0]}

    def __iter__(self) -> Iterator[Sample]:
        """The batches from the first one, or from the state that was loaded."""
        for step in range(len(self)):
            self._taken = step + 1
            yield self[step]

    def __repr__(self) -> str:
        over = f"{self.dropped:,} sequences dropped" if self._share.drop_last else f"{self.blank:,} sequences blank"
        return f"{len(self):,} steps of {self._share.world_size} x {self._share.batch_size} sequences, {over}"

    @property
    def dropped(self) -> int:
        """Sequences at the end that are in no batch of any rank."""
        return self._left % self._share.step if self._share.drop_last else 0

    @property
    def blank(self) -> int:
        """Sequences without loss that fill up the last step of all ranks."""
        return 0 if self._share.drop_last else -self._left % self._share.step

    @property
    def _end(self) -> int:
        return len(self._sequences) * self._share.epochs

    @property
    def _left(self) -> int:
        return max(0, self._end - self._begin)

    def state_dict(self, steps: int | None = None) -> dict[str, Any]:
        """Where to go on after `steps` batches: those that the last iteration gave, if it is not said.

        A DataLoader reads ahead, and its workers count for themselves: who uses one says the steps.
        """
        position = self._begin + (self._taken if steps is None else steps) * self._share.step
        epoch, within = divmod(min(position, self._end), len(self._sequences))
        return {"epoch": epoch, "position": within, **self._identity()}

    def load_state_dict(self, state: Mapping[str, Any], *, taken_down: bool = False) -> None:
        """Goes on from a state: from here on, the batches are those that are left. Of any rank, world or batch size.

        With `taken_down` it may be of before a takedown, which masks tokens and leaves every sequence in its place.
        Raises ReaderError where the state is of other sequences, or of another order.
        """
        for name, ours in self._identity().items():
            if state.get(name) != ours and not (taken_down and name == "corpus"):
                raise ReaderError(f"the state is of {name} {state.get(name)}, and this is {name} {ours}")
        self._begin = state["epoch"] * len(self._sequences) + state["position"]
        self._taken = 0

    def _identity(self) -> dict[str, Any]:
        of = self._sequences
        return {"split": of.split, "stage": of.stage, "seed": of.seed, "layout": of.layout, "corpus": of.corpus}


def labels_of(batch: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.int32]:
    """The next token of each, int32 as `input_ids`; NO_LABEL where it is another document's, or has no loss."""
    ids, segments = batch["input_ids"], batch["segment_ids"]
    labels = np.full(ids.shape, NO_LABEL, np.int32)
    follows = (segments[..., 1:] == segments[..., :-1]) & batch["loss_mask"][..., 1:]
    labels[..., :-1][follows] = ids[..., 1:][follows]
    return labels


# ---------------------------------------------------------------- order


def interleaved(orders: Sequence[Ints], seed: int) -> Ints:
    """Merges sequences of rows, each in its own order, so that every stretch has of each its share of the whole.

    Each is spread over the whole at equal distances, from a seeded start.
    """
    starts = (_hashes(np.arange(len(orders)), seed) >> np.uint64(11)) / float(1 << 53)
    places = [(np.arange(len(rows)) + start) / max(1, len(rows)) for rows, start in zip(orders, starts, strict=True)]
    merged: Ints = np.concatenate(orders)[np.argsort(np.concatenate(places), kind="stable")]
    return merged


def _shuffled(rows: Ints, blocks: Ints, seed: int) -> Ints:
    """Rows 0, 1, ... in another order: block by block, each of which begins at one of `blocks`."""
    block = np.searchsorted(blocks, rows, "right")
    return rows[np.lexsort((_hashes(rows, seed), _hashes(block, _salted(seed, 1))))]


def _hashes(values: Ints, seed: int) -> npt.NDArray[np.uint64]:
    """splitmix64 of each: numpy's own generators may give another order in another version."""
    with np.errstate(over="ignore"):
        value = values.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed % (1 << 64))
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(value ^ (value >> np.uint64(31)))


def _salted(seed: int, *salts: int) -> int:
    """A seed of its own for each combination of numbers."""
    for salt in salts:
        seed = int(_hashes(np.array([salt + 1]), int(_hashes(np.array([0]), seed)[0]))[0])
    return seed


def _hash_of(*told: Any) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _checked(index: int, length: int) -> int:
    """An index that may count from the end, as Python's do. Raises IndexError."""
    if not -length <= index < length:
        raise IndexError(f"{index} of {length}")
    return int(index) % length


# ---------------------------------------------------------------- what there is


@dataclass(frozen=True)
class _Shard:
    """One file, and the number that its first row has among the rows of all."""

    file: str
    list_name: str
    rows: int
    key: str
    sha256: str
    first: int


@dataclass(frozen=True)
class _List:
    """The shards of a list. `blocks` are where its row groups begin, counted from the list's first row."""

    name: str
    first: int
    rows: int
    drawn: int
    shards: tuple[_Shard, ...] = ()
    blocks: Ints = field(default_factory=lambda: np.zeros(1, np.int64))


def _json_of(url: str, name: str) -> dict[str, Any]:
    place = storage.join(url, name)
    try:
        content = json.loads(storage.read_bytes(place))
    except FileNotFoundError:
        why = "the corpus is not whole, or this is none" if name == _MANIFEST else "`syscorpus mix` writes it"
        raise ReaderError(f"{url}: has no {name}: {why}") from None
    except OSError as error:
        raise ReaderError(f"{place}: cannot be read: {str(error).splitlines()[0]}") from None
    except ValueError:
        raise ReaderError(f"{place}: is not JSON") from None
    if not isinstance(content, dict):
        raise ReaderError(f"{place}: is not an object")
    return content


def _shards_of(url: str, manifest: Mapping[str, Any], split: str) -> list[_Shard]:
    """The shards of a split by list and number; every one of them is there."""
    shards: list[_Shard] = []
    first = 0
    try:
        parts = sorted(
            (each["name"], each["counts"]["rows"], each["key"], each["sha256"]) for each in manifest["parts"]
        )
    except (KeyError, TypeError):
        raise ReaderError(f"{url}: {_MANIFEST} is not a manifest of ours") from None
    for name, rows, key, sha256 in parts:
        folders = name.split("/")
        if folders[:2] == ["shards", split] and len(folders) == 4 and rows:
            shards.append(_Shard(f"{name}.parquet", folders[2], rows, key, sha256, first))
            first += rows
    if not shards:
        raise ReaderError(f"{url}: {_MANIFEST} names no sequences of {split}")
    there = set(storage.list_files(storage.join(url, "shards", split)))
    for shard in shards:
        if shard.file.removeprefix(f"shards/{split}/") not in there:
            raise ReaderError(f"{url}: {shard.file} is in the manifest, and not there")
    return shards


def _lists_of(shards: Sequence[_Shard]) -> list[_List]:
    """The lists, each drawn once."""
    lists: dict[str, list[_Shard]] = {}
    for shard in shards:
        lists.setdefault(shard.list_name, []).append(shard)
    return [_list_of(name, of, sum(each.rows for each in of)) for name, of in lists.items()]


def _list_of(name: str, shards: Sequence[_Shard], drawn: int) -> _List:
    first = shards[0].first
    blocks = np.concatenate([np.arange(0, each.rows, _BLOCK) + each.first - first for each in shards])
    return _List(name, first, sum(each.rows for each in shards), drawn, tuple(shards), blocks)


def _stage_of(url: str, stage: str) -> dict[str, tuple[int, dict[str, tuple[int, int]]]]:
    """Of each list of a stage, the sequences that it draws, and of its shards: (rows, those drawn once more)."""
    mixture = _json_of(url, _MIXTURE)
    try:
        stages = {
            each["name"]: {
                name: (of["sequences"], {shard["file"]: (shard["rows"], shard["drawn"]) for shard in of["shards"]})
                for name, of in each["lists"].items()
            }
            for each in mixture["stages"]
        }
    except (AttributeError, KeyError, TypeError):
        raise ReaderError(f"{url}: {_MIXTURE} is not a mixture of ours") from None
    if stage not in stages:
        raise ReaderError(f"{url}: {_MIXTURE} has no stage {stage}; it has {', '.join(stages)}")
    return stages[stage]


def _drawn(
    lists: Sequence[_List], told: Mapping[str, tuple[int, Mapping[str, tuple[int, int]]]], where: str
) -> list[_List]:
    """The lists with what a stage draws of each. Raises ReaderError where the mixture is of other shards."""
    by_name = {each.name: each for each in lists}
    drawn = []
    for name, (sequences, theirs) in sorted(told.items()):
        if not sequences:
            continue
        if name not in by_name:
            raise ReaderError(f"{where}: {name} is not in the manifest")
        of = _list_of(name, by_name[name].shards, sequences)
        if theirs != {each.file: (each.rows, _drawn_last(each, of)) for each in of.shards}:
            raise ReaderError(f"{where}: {name}: draws other than whole passes and first rows of the manifest's shards")
        drawn.append(of)
    if not drawn:
        raise ReaderError(f"{where}: draws nothing")
    return drawn


def _drawn_last(shard: _Shard, of: _List) -> int:
    """How many rows of a shard are drawn once more than in whole passes: the list's first."""
    return min(max(of.drawn % of.rows - (shard.first - of.first), 0), shard.rows)


# ---------------------------------------------------------------- files


class _Latest(Generic[Value]):
    """Keeps the values of the last keys. One thread at a time makes a value: the others wait, and find it."""

    def __init__(self, make: Callable[[Any], Value], size: int) -> None:
        self._make, self._size = make, size
        self._lock, self._values = threading.Lock(), OrderedDict[Any, Value]()

    def __getitem__(self, key: Any) -> Value:
        with self._lock:
            value = self._values.pop(key) if key in self._values else self._make(key)
            self._values[key] = value
            if len(self._values) > self._size:
                self._values.popitem(last=False)
            return value

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._make, self._size)


@dataclass(frozen=True)
class _Group:
    """A row group: ids int32[rows, L]; row n has the segments bounds[n] up to bounds[n + 1]."""

    ids: npt.NDArray[np.int32]
    bounds: Ints
    tokens: npt.NDArray[np.int32]
    kept: npt.NDArray[np.bool_]

    def sample(self, row: int) -> Sample:
        """The arrays of one sequence; they are the caller's own."""
        segments = slice(self.bounds[row], self.bounds[row + 1])
        tokens = self.tokens[segments]
        used, length = int(tokens.sum()), self.ids.shape[1]
        position_ids, segment_ids = np.zeros(length, np.int32), np.zeros(length, np.int32)
        loss_mask = np.zeros(length, np.bool_)
        segment_ids[:used] = np.repeat(np.arange(1, len(tokens) + 1), tokens)
        position_ids[:used] = np.arange(used) - np.repeat(np.cumsum(tokens) - tokens, tokens)
        loss_mask[:used] = np.repeat(self.kept[segments], tokens)
        return {
            "input_ids": self.ids[row].copy(),
            "loss_mask": loss_mask,
            "position_ids": position_ids,
            "segment_ids": segment_ids,
        }


class _Groups:
    """The row groups of shards, the last ones of which are kept. No file stays open: a worker may be a fork."""

    def __init__(self, url: str, shards: Sequence[_Shard], size: int) -> None:
        self._url, self._shards = url, shards
        self._files = _Latest[tuple[pq.FileMetaData, Ints]](self._file, len(shards))
        self._latest = _Latest[_Group](self._group, size)

    def sample(self, shard: int, row: int) -> Sample:
        """A row of a shard. Raises ReaderError."""
        _, begins = self._files[shard]
        group = int(np.searchsorted(begins, row, "right")) - 1
        return self._latest[shard, group].sample(row - int(begins[group]))

    @property
    def sequence_length(self) -> int:
        """Tokens of a sequence, as the first shard's footer has them."""
        group = self._files[0][0].row_group(0)
        return int(group.column(0).num_values // group.num_rows)

    def _file(self, shard: int) -> tuple[pq.FileMetaData, Ints]:
        """The footer of a shard, and where its row groups begin."""
        of = self._shards[shard]
        place = storage.join(self._url, of.file)
        try:
            with storage.open_input(place) as stream:
                metadata = pq.read_metadata(stream)
            ours = metadata.num_rows == of.rows and read_footer(place).get("key") == of.key
        except (pa.ArrowException, OSError) as error:
            raise ReaderError(f"{self._url}: {of.file}: cannot be read: {str(error).splitlines()[0]}") from None
        if not ours:
            raise ReaderError(f"{self._url}: {of.file} is not the file of the manifest: another key in its footer")
        rows = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        return metadata, np.cumsum(rows) - rows

    def _group(self, place: tuple[int, int]) -> _Group:
        shard, group = place
        of = self._shards[shard]
        try:
            with storage.open_input(storage.join(self._url, of.file)) as stream:
                file = pq.ParquetFile(stream, metadata=self._files[shard][0], page_checksum_verification=True)
                table = file.read_row_group(group, columns=["input_ids", "segments"], use_threads=False)
            return _arrays_of(table)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ReaderError(f"{self._url}: {of.file}: cannot be read: {str(error).splitlines()[0]}") from None


def _arrays_of(table: pa.Table) -> _Group:
    """Raises ValueError where rows are not of one length, or segments are longer."""
    ids, segments = table["input_ids"].combine_chunks(), table["segments"].combine_chunks()
    lengths = np.diff(ids.offsets.to_numpy())
    bounds = segments.offsets.to_numpy().astype(np.int64)
    each = segments.flatten()
    tokens = each.field("tokens").to_numpy()
    used = np.diff(np.concatenate([[0], np.cumsum(tokens, dtype=np.int64)])[bounds - bounds[0]])
    if (lengths != lengths[0]).any() or (used > lengths[0]).any():
        raise ValueError("sequences differ in length, or segments are longer than their sequence")
    return _Group(
        ids.flatten().to_numpy().reshape(table.num_rows, -1),
        bounds - bounds[0],
        tokens,
        each.field("doc_id").is_valid().to_numpy(zero_copy_only=False),
    )
