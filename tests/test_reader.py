"""The training reader gives each sequence once, in one order for any number of ranks, and goes on where it was left."""

from __future__ import annotations

import functools
import json
import pickle
import subprocess
import sys
import threading
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.reader import NO_LABEL, PackedSequences, ReaderError, interleaved, labels_of
from tests.readers import reader
from tests.shards import END, LENGTH, packed, random_rows, segment, write_export, write_mixture

DOCS, FORUM, BOOKS = "docs.high.natural", "forum.low.natural", "books.medium.synthetic"
SIZES = {f"train/{DOCS}": (300, 41), f"train/{FORUM}": (90,), f"train/{BOOKS}": (25, 3), f"validation/{DOCS}": (19,)}
TRAINING = sum(sum(rows) for name, rows in SIZES.items() if name.startswith("train/"))
FIELDS = {"input_ids", "loss_mask", "position_ids", "segment_ids"}
DRAWS = {DOCS: 500, FORUM: 31, BOOKS: 28 * 3}


@pytest.fixture(scope="module")
def rows():
    """The rows of each file, as they were written."""
    return {
        f"shards/{name}/shard-{number:05}.parquet": random_rows(count, 100 * index + number)
        for index, (name, counts) in enumerate(SIZES.items())
        for number, count in enumerate(counts)
    }


@pytest.fixture(scope="module")
def export(tmp_path_factory, rows) -> str:
    directory = tmp_path_factory.mktemp("export")
    lists: dict[str, list] = {}
    for file, of in sorted(rows.items()):
        lists.setdefault("/".join(file.split("/")[1:3]), []).append(of)
    # Row groups that are not those of the product: no order may follow from how a file is written.
    write_export(directory, lists, group_rows=70)
    write_mixture(directory, DRAWS)
    return str(directory)


ORDERS = [{}, {"seed": 3}, {"stage": "anneal"}, {"stage": "anneal", "seed": 3}]


@pytest.fixture(scope="module", params=ORDERS, ids=str)
def sequences(request, export) -> PackedSequences:
    return PackedSequences(export, **request.param)


def ids_of(sample) -> tuple[int, ...]:
    return tuple(sample["input_ids"].tolist())


def places(sequences: PackedSequences, epoch: int = 0) -> list[str]:
    return [sequences.where(epoch * len(sequences) + index) for index in range(len(sequences))]


# ---------------------------------------------------------------- one sequence


def test_masks_and_positions_are_those_of_the_segments(tmp_path):
    row = packed([("a", [5, 6, 7]), (None, [8, 9]), ("b", [4])], 12)
    write_export(tmp_path, {f"train/{DOCS}": [[row]]})
    (sample,) = PackedSequences(str(tmp_path))
    assert sample["input_ids"].tolist() == [5, 6, 7, END, END, END, END, 4, END, END, END, END]
    assert sample["loss_mask"].astype(int).tolist() == [1, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0]
    assert sample["position_ids"].tolist() == [0, 1, 2, 3, 0, 1, 2, 0, 1, 0, 0, 0]
    assert sample["segment_ids"].tolist() == [1, 1, 1, 1, 2, 2, 2, 3, 3, 0, 0, 0]
    none = NO_LABEL
    assert labels_of(sample).tolist() == [6, 7, END, none, none, none, none, END, none, none, none, none]
    assert {name: each.dtype.name for name, each in sample.items()} == {
        "input_ids": "int32", "loss_mask": "bool", "position_ids": "int32", "segment_ids": "int32"
    }  # fmt: skip


def test_every_sequence_is_as_it_was_written(sequences, rows):
    for index in range(len(sequences)):
        file, _, number = sequences.where(index).partition(":")
        row, sample = rows[file][int(number)], sequences[index]
        assert sample["input_ids"].tolist() == row["input_ids"]
        expected = [n for n, each in enumerate(row["segments"], 1) for _ in range(each["tokens"])] + [0] * row[
            "padding"
        ]
        assert sample["segment_ids"].tolist() == expected
        told = [each["doc_id"] is not None for each in row["segments"] for _ in range(each["tokens"])]
        assert sample["loss_mask"].tolist() == told + [False] * row["padding"]
        positions = [at for each in row["segments"] for at in range(each["tokens"])] + [0] * row["padding"]
        assert sample["position_ids"].tolist() == positions


def test_the_arrays_are_the_caller_s_own(export):
    sequences = PackedSequences(export)
    before = ids_of(sequences[5])
    sequences[5]["input_ids"][:] = 1
    assert ids_of(sequences[5]) == before


# ---------------------------------------------------------------- order


def test_random_access_is_iteration(sequences):
    walked = [ids_of(sample) for sample in sequences]
    assert len(walked) == len(sequences)
    random = np.random.default_rng(1)
    assert all(ids_of(sequences[int(i)]) == walked[i] for i in random.integers(0, len(walked), 200))
    assert ids_of(sequences[-1]) == walked[-1]
    with pytest.raises(IndexError):
        sequences[len(sequences)]


def test_without_a_seed_the_shards_are_read_as_they_lie(export, rows):
    expected = [f"{file}:{row}" for file in sorted(rows) if "/train/" in file for row in range(len(rows[file]))]
    assert places(PackedSequences(export)) == expected
    assert len(PackedSequences(export, "validation")) == 19


def test_a_seed_gives_every_sequence_once_and_another_order_in_each_epoch(export):
    sequences = PackedSequences(export, seed=1)
    first, second = places(sequences), places(sequences, 1)
    assert sorted(first) == sorted(second) == sorted(places(PackedSequences(export)))
    assert first != second and first == places(PackedSequences(export, seed=1))
    assert places(PackedSequences(export, seed=2)) != first


def test_a_seeded_order_is_read_row_group_by_row_group(export):
    docs = [place for place in places(PackedSequences(export, seed=1)) if DOCS in place]
    blocks = [(file, int(row) // 256) for file, _, row in (place.partition(":") for place in docs)]
    assert sum(before != after for before, after in pairwise(blocks)) == len(set(blocks)) - 1


def test_an_order_is_the_same_in_every_version(export):
    """What a checkpoint of today means must not change."""
    sequences = PackedSequences(export, seed=1)
    first = [sequences.where(index).removeprefix(f"shards/train/{DOCS}/shard-") for index in range(4)]
    assert first == ["00001.parquet:28", "00001.parquet:36", "00001.parquet:35", "00001.parquet:38"]


@pytest.mark.parametrize("seed", [None, 5])
def test_a_stage_draws_exactly_what_the_mixture_says(export, rows, seed):
    sequences = PackedSequences(export, stage="anneal", seed=seed)
    assert sequences.drawn == DRAWS and len(sequences) == sum(DRAWS.values())
    drawn = Counter(places(sequences))
    for name, draws in DRAWS.items():
        of = [f"{file}:{row}" for file in sorted(rows) if f"train/{name}/" in file for row in range(len(rows[file]))]
        whole, rest = divmod(draws, len(of))
        assert [drawn[place] for place in of] == [whole + (index < rest) for index in range(len(of))]


@pytest.mark.parametrize("order", ORDERS[1:], ids=str)
def test_every_window_has_the_shares_of_the_whole(export, order):
    sequences = PackedSequences(export, **order)
    lists = np.array([place.split("/")[2] for place in places(sequences)])
    for name, draws in sequences.drawn.items():
        share = draws / len(sequences)
        ahead = np.cumsum(lists == name) - share * np.arange(1, len(lists) + 1)
        assert np.ptp(np.concatenate([[0], ahead])) <= 2 * (1 + share * len(DRAWS))


@given(st.lists(st.integers(0, 60), min_size=1, max_size=6), st.integers(0, 2**64 - 1))
def test_interleaving_keeps_each_order_and_spreads_it(lengths, seed):
    begins = np.cumsum([0, *lengths])
    orders = [np.arange(begin, begin + length) for begin, length in zip(begins[:-1], lengths, strict=True)]
    merged = interleaved(orders, seed)
    of = np.searchsorted(begins, merged, "right") - 1
    for number, order in enumerate(orders):
        assert merged[of == number].tolist() == order.tolist()
        share = len(order) / max(1, len(merged))
        ahead = np.cumsum(of == number) - share * np.arange(1, len(merged) + 1)
        assert np.ptp(np.concatenate([[0], ahead])) <= 2 * (1 + share * len(orders))


# ---------------------------------------------------------------- ranks, workers, resume


@given(st.data())
def test_ranks_and_workers_read_every_sequence_once_in_as_many_steps(export, data):
    sequences = _cached(export, data.draw(st.sampled_from(range(len(ORDERS)))))
    world, size = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 40))
    workers, drop_last = data.draw(st.integers(1, 4)), data.draw(st.booleans())
    seen: Counter[tuple[int, ...]] = Counter()
    blank, lengths = 0, set()
    for rank in range(world):
        batches = sequences.batches(size, rank=rank, world_size=world, drop_last=drop_last)
        lengths.add(len(batches))
        for worker in range(workers):
            for step in range(worker, len(batches), workers):
                batch = batches[step]
                real = batch["loss_mask"].any(axis=1)
                seen.update(map(tuple, batch["input_ids"][real].tolist()))
                blank += int((~real).sum())
    learnt = [sample for sample in _samples(export, sequences) if sample["loss_mask"].any()]
    assert len(lengths) == 1
    if drop_last:
        left = len(sequences) % (world * size)
        assert batches.dropped == left and batches.blank == 0
        kept = _samples(export, sequences)[: len(sequences) - left]
        learnt = [sample for sample in kept if sample["loss_mask"].any()]
        assert blank == len(kept) - len(learnt)
    else:
        assert batches.dropped == 0
        assert blank == batches.blank + len(sequences) - len(learnt)
    assert seen == Counter(map(ids_of, learnt))


@functools.cache
def _cached(export: str, order: int) -> PackedSequences:
    return PackedSequences(export, **ORDERS[order])


_WALKED: dict[PackedSequences, list] = {}


def _samples(export: str, sequences: PackedSequences) -> list:
    if sequences not in _WALKED:
        _WALKED[sequences] = list(sequences)
    return _WALKED[sequences]


def test_a_step_sees_the_same_sequences_however_many_ranks_share_it(sequences):
    alone = sequences.batches(12, epochs=2)
    shared = [sequences.batches(4, rank=rank, world_size=3, epochs=2) for rank in range(3)]
    assert len(alone) == len(shared[0])
    for step in range(len(alone)):
        together = {name: np.concatenate([each[step][name] for each in shared]) for name in FIELDS}
        assert all(np.array_equal(together[name], alone[step][name]) for name in FIELDS)


def test_what_is_left_over_is_said(export):
    sequences = PackedSequences(export)
    assert TRAINING == 459
    assert repr(sequences.batches(10, world_size=4)) == "12 steps of 4 x 10 sequences, 21 sequences blank"
    assert (
        repr(sequences.batches(10, world_size=4, drop_last=True))
        == "11 steps of 4 x 10 sequences, 19 sequences dropped"
    )
    last = sequences.batches(10, rank=3, world_size=4)[11]
    assert not last["loss_mask"].any()
    assert (labels_of(last) == NO_LABEL).all()


@given(st.data())
def test_a_state_goes_on_exactly_where_it_was(export, data):
    order = data.draw(st.sampled_from(range(len(ORDERS))))
    size, epochs = data.draw(st.integers(5, 40)), data.draw(st.integers(1, 3))
    rank, drop_last = data.draw(st.integers(0, 2)), data.draw(st.booleans())
    share = {"rank": rank, "world_size": 3, "epochs": epochs, "drop_last": drop_last}
    batches = _cached(export, order).batches(size, **share)
    stop = data.draw(st.integers(0, len(batches)))
    for _ in islice(batches, stop):
        pass
    state = json.loads(json.dumps(batches.state_dict()))
    assert state == batches.state_dict(steps=stop)
    again = PackedSequences(export, **ORDERS[order]).batches(size, **share)
    again.load_state_dict(state)
    assert len(again) == len(batches) - stop
    if stop < len(batches):  # the first, the last, and what a state of the continued one says
        for ours, theirs in ((0, stop), (-1, -1)):
            assert all(np.array_equal(again[ours][name], batches[theirs][name]) for name in FIELDS)
        next(iter(again))
        assert again.state_dict() == batches.state_dict(steps=stop + 1)


def test_a_state_goes_on_with_more_ranks(export):
    sequences = PackedSequences(export, seed=1)
    before = sequences.batches(8, world_size=2)
    after = [sequences.batches(3, rank=rank, world_size=5) for rank in range(5)]
    for each in after:
        each.load_state_dict(before.state_dict(steps=7))
    seen = [tuple(row) for step in range(7) for rank in range(2)
            for row in sequences.batches(8, rank=rank, world_size=2)[step]["input_ids"].tolist()]  # fmt: skip
    for step in range(len(after[0])):
        seen += [tuple(row) for each in after for row in each[step]["input_ids"].tolist()]
    assert seen[: len(sequences)] == [ids_of(sample) for sample in sequences]


def test_a_state_of_another_corpus_or_order_is_refused(export, tmp_path):
    state = PackedSequences(export, seed=1).batches(8).state_dict()
    for other in ({"seed": 2}, {}, {"seed": 1, "stage": "anneal"}):
        with pytest.raises(ReaderError, match="the state is of (seed|stage) .*, and this is"):
            PackedSequences(export, **other).batches(8).load_state_dict(state)
    write_export(tmp_path, {f"train/{DOCS}": [random_rows(20, 1)]})
    with pytest.raises(ReaderError, match=r"^the state is of layout \w+, and this is layout \w+$"):
        PackedSequences(str(tmp_path), seed=1).batches(8).load_state_dict(state, taken_down=True)


def test_after_a_takedown_one_goes_on_if_one_says_so(tmp_path):
    rows = random_rows(40, 1)
    before = PackedSequences(write_export(tmp_path, {f"train/{DOCS}": [rows]}), seed=1).batches(4)
    expected, state = [ids_of(sample) for sample in PackedSequences(str(tmp_path), seed=1)], before.state_dict(steps=3)
    gone = {
        **rows[0],
        "input_ids": [END] * LENGTH,
        "segments": [segment(None, each["tokens"]) for each in rows[0]["segments"]],
    }
    after = PackedSequences(write_export(tmp_path, {f"train/{DOCS}": [[gone, *rows[1:]]]}), seed=1)
    with pytest.raises(ReaderError, match=r"^the state is of corpus \w+, and this is corpus \w+$"):
        after.batches(4).load_state_dict(state)
    rest = after.batches(4)
    rest.load_state_dict(state, taken_down=True)
    found = [tuple(row) for batch in rest for row in batch["input_ids"].tolist()]
    masked = tuple(gone["input_ids"])
    original = tuple(rows[0]["input_ids"])
    assert found == [masked if ids == original else ids for ids in expected[12:]]


def test_threads_and_processes_read_the_same(export):
    sequences = PackedSequences(export, seed=1)
    expected = [ids_of(sample) for sample in sequences]
    assert [ids_of(sample) for sample in pickle.loads(pickle.dumps(sequences))] == expected
    found: dict[int, tuple[int, ...]] = {}

    def read(begin: int) -> None:
        for index in range(begin, len(sequences), 4):
            found[index] = ids_of(sequences[index])

    threads = [threading.Thread(target=read, args=[begin]) for begin in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[index] for index in range(len(sequences))] == expected


# ---------------------------------------------------------------- what is refused


@pytest.fixture
def small(tmp_path) -> Path:
    write_export(tmp_path, {f"train/{DOCS}": [random_rows(10, 1), random_rows(5, 2)]})
    write_mixture(tmp_path, {DOCS: 12})
    return tmp_path


FIRST = f"shards/train/{DOCS}/shard-00000.parquet"


def test_without_a_manifest_nothing_is_read(small):
    (small / "_commit.json").unlink()
    with pytest.raises(ReaderError, match=r"has no _commit\.json: the corpus is not whole, or this is none$"):
        PackedSequences(str(small))


@pytest.mark.parametrize(
    "content", ["{", "[]", "{}", '{"parts": [{"name": "shards/train/x/shard-0"}]}', '{"parts": 3}']
)
def test_a_manifest_that_is_none_is_one_line(small, content):
    (small / "_commit.json").write_text(content)
    with pytest.raises(ReaderError, match=r"\A.*_commit\.json[^\n]*\Z"):
        PackedSequences(str(small))


def test_a_file_that_is_gone_is_missed_at_once(small):
    (small / FIRST).unlink()
    with pytest.raises(ReaderError, match="shard-00000.parquet is in the manifest, and not there"):
        PackedSequences(str(small))


def test_a_file_of_another_making_is_refused(small):
    other = small / FIRST.replace("00000", "00001")
    (small / FIRST).write_bytes(other.read_bytes())
    with pytest.raises(ReaderError, match="shard-00000.parquet is not the file of the manifest"):
        PackedSequences(str(small))[0]
    with pytest.raises(ReaderError, match="another SHA-256"):
        PackedSequences(str(small), check="sha256")


def test_a_damaged_file_is_one_line(small):
    content = bytearray((small / FIRST).read_bytes())
    content[100:200] = bytes(100)
    (small / FIRST).write_bytes(bytes(content))
    with pytest.raises(ReaderError, match=r"\A.*shard-00000.parquet: cannot be read[^\n]*\Z"):
        list(PackedSequences(str(small)))
    (small / FIRST).write_bytes(b"PAR1")
    with pytest.raises(ReaderError, match=r"\A.*shard-00000.parquet: cannot be read[^\n]*\Z"):
        PackedSequences(str(small)).sequence_length  # noqa: B018


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([packed([("a", [1])], 8), packed([("b", [1])], 9)], "differ in length"),
        ([{**packed([("a", [1, 2, 3])], 8), "input_ids": [1, 2]}], "longer than their sequence"),
    ],
)
def test_rows_that_are_no_packed_sequences_are_refused(tmp_path, rows, why):
    write_export(tmp_path, {f"train/{DOCS}": [rows]})
    with pytest.raises(ReaderError, match=why):
        PackedSequences(str(tmp_path))[0]


def test_a_mixture_of_another_export_is_refused(small):
    with pytest.raises(ReaderError, match="has no stage decay; it has anneal"):
        PackedSequences(str(small), stage="decay")
    with pytest.raises(ReaderError, match="draws from train, not from validation"):
        PackedSequences(write_export(small, {f"validation/{DOCS}": [random_rows(3, 1)]}), "validation", stage="anneal")
    write_export(small, {f"train/{DOCS}": [random_rows(9, 1), random_rows(6, 2)]})
    with pytest.raises(ReaderError, match="draws other than whole passes and first rows"):
        PackedSequences(str(small), stage="anneal")
    write_export(small, {f"train/{FORUM}": [random_rows(9, 1)]})
    with pytest.raises(ReaderError, match=f"{DOCS} is not in the manifest"):
        PackedSequences(str(small), stage="anneal")
    (small / "mixture.json").write_text('{"stages": [{"name": "anneal", "lists": {"a": {}}}]}')
    with pytest.raises(ReaderError, match=r"mixture\.json is not a mixture of ours"):
        PackedSequences(str(small), stage="anneal")
    (small / "mixture.json").unlink()
    with pytest.raises(ReaderError, match=r"has no mixture\.json"):
        PackedSequences(str(small), stage="anneal")


@pytest.mark.parametrize("share", [{"rank": 2, "world_size": 2}, {"rank": -1}, {"epochs": 0}, {"batch_size": 0}])
def test_a_rank_that_is_none_is_refused(small, share):
    with pytest.raises(ReaderError, match="a rank is below world_size"):
        PackedSequences(str(small)).batches(**{"batch_size": 4, **share})


def test_the_manifest_says_what_a_model_needs(small):
    sequences = PackedSequences(str(small))
    assert sequences.sequence_length == LENGTH
    assert (sequences.tokenizer["vocabulary"], sequences.tokenizer["end_id"]) == (64, END)


def test_the_reader_needs_pyarrow_and_numpy_alone():
    heavy = "{'torch', 'grain', 'ray', 'pydantic', 'numba', 'tokenizers', 'scrapy', 'yaml'}"
    code = f"import sys, pipelines.reader; sys.exit(sorted({heavy} & set(sys.modules)) or None)"
    subprocess.run([sys.executable, "-c", code], check=True)


# ---------------------------------------------------------------- the loaders of others


def documents(path: str) -> dict[str, list[int]]:
    """The tokens of each document of a split, by what the file says, read with pyarrow alone."""
    found: dict[str, list[int]] = {}
    for row in pq.read_table(path).to_pylist():
        _cut(row["input_ids"], row["segments"], found)
    return found


def _cut(ids, segments, found: dict[str, list[int]]) -> None:
    begin = 0
    for each in segments:
        if each["doc_id"] is not None:
            found[each["doc_id"]] = [int(token) for token in ids[begin : begin + each["tokens"]]]
        begin += each["tokens"]


def runs(sample) -> list[tuple[int, ...]]:
    """The tokens of each segment that a sample has loss of."""
    ids, segments, mask = (np.asarray(sample[name]) for name in ("input_ids", "segment_ids", "loss_mask"))
    return [tuple(ids[of].tolist()) for n in range(1, segments.max() + 1) if mask[of := segments == n].any()]


def test_ours_gives_every_document_its_tokens(export):
    expected = Counter(map(tuple, documents(f"{export}/shards/train").values()))
    assert Counter(run for sample in PackedSequences(export, seed=1) for run in runs(sample)) == expected


@pytest.mark.parametrize("workers", [0, 2])
def test_torch_gives_every_document_its_tokens(export, workers):
    data = reader("torch.utils.data")
    sequences = PackedSequences(export, seed=1)
    batches = sequences.batches(16)
    loaded = list(data.DataLoader(batches, batch_size=None, num_workers=workers))
    assert all(
        np.array_equal(ours[name], theirs[name].numpy())
        for ours, theirs in zip(batches, loaded, strict=True)
        for name in FIELDS
    )
    expected = Counter(map(tuple, documents(f"{export}/shards/train").values()))
    single = data.DataLoader(sequences, batch_size=9, num_workers=workers)
    found = [run for batch in single for row in range(len(batch["input_ids"]))
             for run in runs({name: batch[name][row] for name in FIELDS})]  # fmt: skip
    assert Counter(found) == expected


def test_grain_gives_every_document_its_tokens(export):
    grain = reader("grain")
    expected = Counter(map(tuple, documents(f"{export}/shards/train").values()))
    sequences = PackedSequences(export)
    shuffled = grain.MapDataset.source(sequences).shuffle(seed=7)
    assert Counter(run for index in range(len(shuffled)) for run in runs(shuffled[index])) == expected
    batched = grain.MapDataset.source(sequences).batch(8).to_iter_dataset()
    assert sum(len(batch["input_ids"]) for batch in batched) == TRAINING


def test_grain_reads_the_shards_as_they_are(export):
    experimental = reader("grain.experimental")
    files = sorted(str(path) for path in Path(export, "shards", "train").rglob("*.parquet"))
    found: dict[str, list[int]] = {}
    for row in experimental.ParquetIterDataset(files):
        _cut(row["input_ids"], row["segments"], found)
    assert found == documents(f"{export}/shards/train")
