"""The formats of an export, each read by the reader that it is for: the same tokens in the same documents."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from pydantic import ValidationError

from manifests.models import ExportSettings, Recipe
from pipelines import storage
from pipelines.engine import Job, StageError, read_commit, run_stage
from pipelines.export.megatron import sequences_json, too_small, write_prefix
from pipelines.export.stage import STAGE
from pipelines.parts import Counts, Part, write_part
from pipelines.run import Run
from pipelines.schema import SHARD, table_of
from tests import corpora
from tests.corpora import LENGTH, InProcess
from tests.readers import mds, reader

pytestmark = pytest.mark.filterwarnings("ignore")  # of what the readers import
DOCUMENTS = corpora.documents(120)
EVERY = ["shards", "megatron", "mds", "text"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export in every format, by sequence."""
    return corpora.exported(corpora.make(tmp_path_factory.mktemp("corpus") / "run", DOCUMENTS, formats=EVERY))


@pytest.fixture(scope="module")
def by_document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same documents, by document and as JSON Lines."""
    directory = tmp_path_factory.mktemp("by-document") / "run"
    megatron = {"unit": "document"}
    return corpora.exported(corpora.make(directory, DOCUMENTS, formats=EVERY, megatron=megatron, text="jsonl"))


def index_of(directory: Path, name: str) -> dict[str, int]:
    """The sums of a list's rows of the index."""
    rows = [
        row for path in (directory / "index").glob(f"**/{name}/*.parquet") for row in pq.read_table(path).to_pylist()
    ]
    return {key: sum(row[key] for row in rows) for key in ("sequences", "documents", "tokens", "padding", "bytes")}


def test_the_corpus_has_what_the_formats_must_stand(corpus: Path) -> None:
    names = corpora.lists(corpus)
    assert {name.split("/")[0] for name in names} == {"train", "validation"}
    assert any(name.endswith(".synthetic") for name in names)
    rows = [row for name in names for row in corpora.sequences(corpus, name)]
    assert any(row["padding"] for row in rows)
    assert any(segment["middle_start"] is not None for row in rows for segment in row["segments"])
    starts = [segment["start_byte"] for row in rows for segment in row["segments"]]
    assert any(starts)  # documents are cut
    assert max(len(list((corpus / "shards" / name).glob("*"))) for name in names) > 1


def test_the_index_is_exported_and_agrees_with_the_shards(corpus: Path) -> None:
    for name in corpora.lists(corpus):
        told, rows = index_of(corpus, name), corpora.sequences(corpus, name)
        documents = corpora.tokens_of_documents(corpus, name)
        assert told["sequences"] == len(rows)
        assert told["documents"] == len(documents)
        assert told["tokens"] == sum(map(len, documents.values()))
        assert told["padding"] == sum(row["padding"] for row in rows)


# ---------------------------------------------------------------- Megatron


def test_megatron_reads_each_packed_sequence(corpus: Path) -> None:
    module = reader("megatron.core.datasets.indexed_dataset")
    for name in corpora.lists(corpus):
        read = module.IndexedDataset(str(corpus / "megatron" / name))
        rows = corpora.sequences(corpus, name)
        assert len(read) == len(rows) == index_of(corpus, name)["sequences"]
        assert read.index.dtype == np.int32
        assert read.document_indices.tolist() == list(range(len(rows) + 1))
        assert all(read[number].tolist() == row["input_ids"] for number, row in enumerate(rows))


def test_megatron_reads_each_document(by_document: Path) -> None:
    module = reader("megatron.core.datasets.indexed_dataset")
    for name in corpora.lists(by_document):
        read = module.IndexedDataset(str(by_document / "megatron" / name))
        documents = corpora.tokens_of_documents(by_document, name)
        told = pq.read_table(by_document / "megatron" / f"{name}.parquet").to_pylist()
        assert len(read) == len(told) == len(documents) == index_of(by_document, name)["documents"]
        assert int(read.sequence_lengths.sum()) == index_of(by_document, name)["tokens"]
        for number, row in enumerate(told):
            assert read[number].tolist() == documents[row["doc_id"], row["revision"]]
            assert row["tokens"] == read.sequence_lengths[number]


def test_the_pair_is_what_megatron_itself_would_write(corpus: Path, by_document: Path, tmp_path: Path) -> None:
    module, torch = reader("megatron.core.datasets.indexed_dataset"), reader("torch")
    for directory in (corpus, by_document):
        name = corpora.lists(directory)[0]
        read = module.IndexedDataset(str(directory / "megatron" / name))
        writer = module.IndexedDatasetBuilder(str(tmp_path / "theirs.bin"), dtype=np.int32)
        for number in range(len(read)):
            writer.add_document(torch.from_numpy(read[number].copy()), [len(read[number])])
        writer.finalize(str(tmp_path / "theirs.idx"))
        for ending in ("bin", "idx"):
            ours = (directory / "megatron" / f"{name}.{ending}").read_bytes()
            assert ours == (tmp_path / f"theirs.{ending}").read_bytes()


def config_of(directory: Path, blend: tuple[list[str], list[float] | None], **more: Any) -> Any:
    """How README.txt says that a run is to be trained on."""
    gpt = reader("megatron.core.datasets.gpt_dataset")
    reader("megatron.core.datasets.helpers_cpp")
    commit = read_commit(str(directory.parent / "tokenize"))
    assert commit
    told = commit.extra["tokenizer"]

    class Tokenizer:
        vocab_size, eod, pad, unique_identifiers = more.pop("vocabulary", told["vocabulary"]), told["end_id"], -1, {}

    return gpt.GPTDatasetConfig(
        random_seed=7, sequence_length=LENGTH, blend=blend, split="1,0,0", reset_position_ids=True,
        reset_attention_mask=True, eod_mask_loss=True, tokenizer=Tokenizer(),
        path_to_cache=str(directory.parent / "cache"), **more,
    )  # fmt: skip


def gpt_dataset(directory: Path, name: str, samples: int | None, **more: Any) -> Any:
    """Megatron's own training samples of a prefix."""
    gpt, utils = reader("megatron.core.datasets.gpt_dataset"), reader("megatron.core.datasets.utils")
    config = config_of(directory, ([str(directory / "megatron" / name)], None), **more)
    indexed = gpt.GPTDataset.build_low_level_dataset(str(directory / "megatron" / name), config)
    documents = np.arange(len(indexed.document_indices) - 1, dtype=np.int32)
    return gpt.GPTDataset(indexed, None, documents, samples, utils.Split.train, config)


def longest(directory: Path) -> str:
    """The list of most sequences."""
    return max(corpora.lists(directory), key=lambda name: len(corpora.sequences(directory, name)))


def test_megatrons_training_samples_are_packed_sequences(corpus: Path) -> None:
    name = longest(corpus)
    rows = corpora.sequences(corpus, name)
    dataset = gpt_dataset(corpus, name, len(rows) - 1)
    end = read_commit(str(corpus.parent / "tokenize")).extra["tokenizer"]["end_id"]  # type: ignore[union-attr]
    expected = {tuple(row["input_ids"]): row for row in rows}
    assert len(dataset) == len(rows) - 1  # the last has no token after it
    for number in range(len(dataset)):
        sample = dataset[number]
        row = expected[tuple(sample["tokens"].tolist())]
        trained = sample["loss_mask"].numpy().astype(bool)
        assert not trained[LENGTH - row["padding"] :].any()
        assert trained.sum() == sum(token != end for token in row["input_ids"])
        restarts = np.cumsum([segment["tokens"] for segment in row["segments"]])[:-1]
        assert (sample["position_ids"].numpy()[restarts] == 0).all()


def test_megatron_blends_the_list_of_a_stage(corpus: Path) -> None:
    """As `--data-args-path` reads it: weights and prefixes, parted by white space."""
    builder, gpt = (
        reader("megatron.core.datasets.blended_megatron_dataset_builder"),
        reader("megatron.core.datasets.gpt_dataset"),
    )
    distributed = reader("torch.distributed")
    fields = (corpus / "megatron" / "stable.txt").read_text().split()
    weights, prefixes = [float(each) for each in fields[::2]], fields[1::2]
    config = config_of(corpus, ([str(corpus / each) for each in prefixes], weights))
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        train, _, _ = builder.BlendedMegatronDatasetBuilder(gpt.GPTDataset, [100, 0, 0], lambda: True, config).build()
    finally:
        distributed.destroy_process_group()
    whose = {
        tuple(row["input_ids"]): number
        for number, prefix in enumerate(prefixes)
        for row in corpora.sequences(corpus, prefix.removeprefix("megatron/"))
    }
    seen = np.bincount(
        [whose[tuple(train[number]["tokens"].tolist())] for number in range(100)], minlength=len(prefixes)
    )
    assert np.abs(seen - 100 * np.array(weights) / sum(weights)).max() <= 1


def test_a_fraction_of_documents_is_the_same_fraction_of_tokens(corpus: Path) -> None:
    """Readers that draw a fraction of a prefix draw documents."""
    module = reader("megatron.core.datasets.indexed_dataset")
    read = module.IndexedDataset(str(corpus / "megatron" / longest(corpus)))
    half = len(read) // 2
    assert read.sequence_lengths[:half].sum() * len(read) == read.sequence_lengths.sum() * half


def test_a_prefix_without_a_sample_is_named(corpus: Path) -> None:
    commit = read_commit(str(corpus))
    assert commit
    prefixes = [part for part in commit.parts if part.name.startswith("megatron/")]
    small = [part.name for part in prefixes if too_small(part, LENGTH)]
    named = (corpus / "megatron" / "README.txt").read_text().partition("no blend may name them:\n")[2].split()
    assert named == sorted(small)
    for part in prefixes:
        name = part.name.removeprefix("megatron/")
        assert too_small(part, LENGTH) == (len(corpora.sequences(corpus, name)) < 2)


def test_megatron_cannot_sample_what_is_named_too_small(tmp_path: Path) -> None:
    run = corpora.make(tmp_path / "run", corpora.documents(1), formats=["shards", "megatron"])
    directory = corpora.exported(run)
    [name] = corpora.lists(directory)
    [part] = [part for part in read_commit(str(directory)).parts if part.name.startswith("megatron/")]  # type: ignore[union-attr]
    rows = corpora.sequences(directory, name)
    assert too_small(part, LENGTH) == (len(rows) < 2)
    assert len(gpt_dataset(directory, name, None)) == len(rows) - 1


def test_numbers_of_sequences_are_told_only_where_megatron_takes_ids_for_32_bits(corpus: Path) -> None:
    name = longest(corpus)
    assert not (corpus / "megatron" / "sequences.json").exists()
    [part] = [part for part in read_commit(str(corpus)).parts if part.name == f"megatron/{name}"]  # type: ignore[union-attr]
    told = {str(corpus / key): value for key, value in json.loads(sequences_json([part])).items()}
    known = gpt_dataset(corpus, name, None)
    right = gpt_dataset(corpus, name, None, vocabulary=65_537, sequences_per_dataset=told)
    assert all((known[number]["tokens"] == right[number]["tokens"]).all() for number in range(len(known)))
    wrong = gpt_dataset(corpus, name, None, vocabulary=65_536, sequences_per_dataset=told)
    assert (known[0]["tokens"] != wrong[0]["tokens"]).any()


def test_numbers_of_sequences_are_those_of_megatrons_own_tool() -> None:
    part = Part("megatron/train/a", "", Counts(extra={"sequences": 3, "tokens": 1, "padding": 0}), "", "", {})
    assert json.loads(sequences_json([part])) == {"megatron/train/a": [3, 4]}


# ---------------------------------------------------------------- shards that were made by hand


def shard(directory: Path, rows: list[dict[str, Any]], name: str = "shard-00000") -> str:
    """A shard of such rows in row groups of two; returns its URL."""
    url = directory / f"{name}.parquet"
    directory.mkdir(parents=True, exist_ok=True)
    pq.write_table(table_of(rows, SHARD), url, row_group_size=2)
    return str(url)


def row(*segments: tuple[str | None, int, int, list[int]], length: int = 8) -> dict[str, Any]:
    """A sequence of (document, start, end, ids), padded with 0."""
    ids = [each for *_, own in segments for each in own]
    told = [
        {"doc_id": doc_id, "revision": doc_id and "r", "tokens": len(own), "start_byte": start, "end_byte": end}
        for doc_id, start, end, own in segments
    ]
    padding = length - len(ids)
    return {"input_ids": ids + [0] * padding, "segments": told, "padding": padding}


BY_HAND = [
    row(("long", 16, 16, [0]), ("short", 0, 3, [1, 2, 3, 0])),  # an end token alone in its sequence
    row(("long", 8, 16, [21, 22, 23, 24, 25, 26, 27, 28])),
    row((None, 0, 0, [0, 0, 0]), ("after", 0, 2, [4, 0])),
    row(("long", 0, 8, [11, 12, 13, 14, 15, 16, 17, 18])),
    row((None, 0, 0, [0])),
]


def prefix(directory: Path, urls: list[str], unit: str) -> Part:
    spec = {"inputs": urls, "unit": unit, "sequence_length": 8}
    return write_prefix(Job(write_prefix, str(directory), "megatron/train/a", "key", spec))


def read_pair(path: Path) -> list[list[int]]:
    """The sequences of a pair, by the layout of its bytes."""
    raw = path.with_suffix(".idx").read_bytes()
    assert raw[:9] == b"MMIDIDX\0\0"
    assert raw[9:18] == (1).to_bytes(8, "little") + b"\4"
    sequences, documents = (int.from_bytes(raw[at : at + 8], "little") for at in (18, 26))
    assert documents == sequences + 1
    lengths = np.frombuffer(raw, "<i4", sequences, 34)
    begins = np.frombuffer(raw, "<i8", sequences, 34 + 4 * sequences)
    assert np.frombuffer(raw, "<i8", documents, 34 + 12 * sequences).tolist() == list(range(documents))
    assert len(raw) == 34 + 12 * sequences + 8 * documents
    data = path.with_suffix(".bin").read_bytes()
    return [np.frombuffer(data, "<i4", size, begin).tolist() for begin, size in zip(begins, lengths, strict=True)]


def test_what_was_taken_down_stays_masked_at_its_place(tmp_path: Path) -> None:
    part = prefix(tmp_path, [shard(tmp_path / "in", BY_HAND)], "sequence")
    assert read_pair(tmp_path / "megatron/train/a") == [each["input_ids"] for each in BY_HAND]
    assert part.counts.extra == {"sequences": 5, "tokens": 27, "padding": 13}
    told = pq.read_table(tmp_path / "megatron/train/a.parquet").to_pylist()
    assert [each["sequences"] for each in told] == [2, 2, 1]


def test_pieces_are_joined_and_what_was_taken_down_is_left_out(tmp_path: Path) -> None:
    urls = [shard(tmp_path / "in", BY_HAND), shard(tmp_path / "in", [row(("last", 0, 1, [9, 0]))], "shard-00001")]
    part = prefix(tmp_path, urls, "document")
    long = [*range(11, 19), *range(21, 29), 0]
    assert read_pair(tmp_path / "megatron/train/a") == [[1, 2, 3, 0], [4, 0], long, [9, 0]]
    assert part.counts.extra == {"sequences": 4, "tokens": 25, "padding": 0}
    told = pq.read_table(tmp_path / "megatron/train/a.parquet").to_pylist()
    assert [each["doc_id"] for each in told] == ["short", "after", "long", "last"]


@pytest.mark.parametrize("unit", ["sequence", "document"])
def test_a_shard_of_which_all_was_taken_down_is_read(tmp_path: Path, unit: str) -> None:
    part = prefix(
        tmp_path, [shard(tmp_path / "in", [row((None, 0, 0, [0, 0]))]), shard(tmp_path / "in", [], "b")], unit
    )
    assert len(read_pair(tmp_path / "megatron/train/a")) == part.counts.extra["sequences"] == (unit == "sequence")


def test_a_sequence_of_another_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(storage.StorageError, match="has not 8 tokens"):
        prefix(tmp_path, [shard(tmp_path / "in", [row(("a", 0, 1, [1, 0]), length=4)])], "sequence")
    assert not (tmp_path / "megatron/train/a.bin").exists()


# ---------------------------------------------------------------- Hugging Face, Grain, MosaicML Streaming


def test_datasets_streams_each_list_and_all_of_them(corpus: Path) -> None:
    datasets = reader("datasets")
    name = longest(corpus)
    split, own = name.split("/")
    read = datasets.load_dataset(str(corpus), own, split=split, streaming=True)
    assert list(read) == corpora.sequences(corpus, name)
    every = [
        row for each in corpora.lists(corpus) if each.startswith("train/") for row in corpora.sequences(corpus, each)
    ]
    rows = list(datasets.load_dataset(str(corpus), split="train", streaming=True))
    assert sorted(json.dumps(row) for row in rows) == sorted(json.dumps(row) for row in every)


def test_datasets_finds_every_configuration_of_the_card(corpus: Path) -> None:
    datasets = reader("datasets")
    head = yaml.safe_load((corpus / "README.md").read_text().split("---\n")[1])
    names = {name.split("/")[1] for name in corpora.lists(corpus)}
    assert {each["config_name"] for each in head["configs"]} == {"default", *names, "text", "lineage"}
    assert set(datasets.get_dataset_config_names(str(corpus))) == {"default", *names, "text", "lineage"}
    lineage = list(datasets.load_dataset(str(corpus), "lineage", split="train", streaming=True))
    assert {each["doc_id"] for each in lineage} == set(DOCUMENTS["doc_id"].to_pylist())


def test_grain_reads_a_shard(corpus: Path) -> None:
    grain = reader("grain")
    for name in corpora.lists(corpus)[:3]:
        rows = []
        for path in sorted((corpus / "shards" / name).glob("*.parquet")):
            rows += list(grain.experimental.ParquetIterDataset(str(path)))
        expected = corpora.sequences(corpus, name)
        assert [list(row["input_ids"]) for row in rows] == [row["input_ids"] for row in expected]
        assert [[each["doc_id"] for each in row["segments"]] for row in rows] == [
            [each["doc_id"] for each in row["segments"]] for row in expected
        ]


def test_mosaicml_streaming_reads_each_sequence(corpus: Path) -> None:
    streaming = mds()
    for name in corpora.lists(corpus)[:3]:
        read = streaming.LocalDataset(str(corpus / "mds" / name))
        same_sequences([read[number] for number in range(len(read))], corpora.sequences(corpus, name))


def test_mosaicml_streaming_streams_each_sequence_once(corpus: Path) -> None:
    streaming = mds()
    name = longest(corpus)
    read = list(streaming.StreamingDataset(local=str(corpus / "mds" / name), batch_size=1))
    rows = corpora.sequences(corpus, name)
    assert sorted(row["input_ids"].tolist() for row in read) == sorted(row["input_ids"] for row in rows)


def test_mds_is_laid_out_as_it_should_be(corpus: Path) -> None:
    for name in corpora.lists(corpus):
        folder = corpus / "mds" / name
        index = json.loads((folder / "index.json").read_text())
        read = []
        for each in index["shards"]:
            raw = (folder / each["raw_data"]["basename"]).read_bytes()
            assert len(raw) == each["raw_data"]["bytes"]
            number = int(np.frombuffer(raw, "<u4", 1)[0])
            ends = np.frombuffer(raw, "<u4", number + 1, 4)
            assert number == each["samples"]
            read += [_sample(raw[begin:end]) for begin, end in zip(ends, ends[1:], strict=False)]
        same_sequences(read, corpora.sequences(corpus, name))


def _sample(raw: bytes) -> dict[str, Any]:
    names, sizes = np.frombuffer(raw, "<u4", 2)
    ids = 8 + names
    lengths = raw[ids + LENGTH * 4 :]
    assert lengths[0] == 1 << 2  # one axis, its length in a byte
    assert len(lengths) == sizes == 2 + 4 * lengths[1]
    return {
        "doc_ids": json.loads(raw[8:ids]),
        "input_ids": np.frombuffer(raw, "<i4", LENGTH, ids),
        "tokens": np.frombuffer(lengths, "<i4", offset=2),
    }


def same_sequences(read: list[Any], expected: list[dict[str, Any]]) -> None:
    assert len(read) == len(expected)
    for ours, row in zip(read, expected, strict=True):
        assert ours["input_ids"].tolist() == row["input_ids"]
        assert ours["tokens"].tolist() == [segment["tokens"] for segment in row["segments"]]
        assert ours["doc_ids"] == [segment["doc_id"] for segment in row["segments"]]


# ---------------------------------------------------------------- text


def told_texts(directory: Path) -> list[dict[str, Any]]:
    rows = []
    for path in sorted((directory / "text").glob("*/*/part-*")):
        if path.suffix == ".gz":
            own = [json.loads(line) for line in gzip.open(path, "rt")]
        else:
            own = pq.read_table(path).to_pylist()
        assert {f"{row['split']}/{row['category']}.{row['tier']}.{row['origin']}" for row in own} == {
            str(path.parent.relative_to(directory / "text"))
        }
        rows += own
    return rows


def test_the_text_is_that_of_the_documents_in_the_lists_of_the_shards(corpus: Path, by_document: Path) -> None:
    documents = {each["doc_id"]: each for each in DOCUMENTS.to_pylist()}
    for directory in (corpus, by_document):
        told = told_texts(directory)
        assert len(told) == len(documents)
        names = ("doc_id", "revision", "text", "url", "source", "category", "licence", "title")
        assert all(row[name] == documents[row["doc_id"]][name] for row in told for name in names)
        for name in corpora.lists(directory):
            own = {(row["doc_id"], row["revision"]) for row in told
                   if f"{row['split']}/{row['category']}.{row['tier']}.{row['origin']}" == name}  # fmt: skip
            assert own == set(corpora.tokens_of_documents(directory, name))


def test_datasets_streams_the_text(corpus: Path, by_document: Path) -> None:
    datasets = reader("datasets")
    parquet = datasets.load_dataset(str(corpus), "text", split="train", streaming=True)
    data_files = str(by_document / "text/train/*/*.jsonl.gz")
    jsonl = datasets.load_dataset("json", data_files=data_files, split="train", streaming=True)
    for directory, read in ((corpus, parquet), (by_document, jsonl)):
        expected = [row for row in told_texts(directory) if row["split"] == "train"]
        assert sorted(json.dumps(row) for row in read) == sorted(json.dumps(row) for row in expected)


# ---------------------------------------------------------------- the card


def test_the_numbers_of_the_card_are_those_of_the_index(corpus: Path) -> None:
    page = (corpus / "README.md").read_text()
    total = {key: sum(index_of(corpus, name)[key] for name in corpora.lists(corpus)) for key in index_of(corpus, "a/b")}
    assert (
        f"{total['documents']:,} documents, {total['bytes']:,} bytes of text, {total['tokens']:,} tokens in "
        f"{total['sequences']:,} sequences of {LENGTH}" in page
    )
    assert total["documents"] == 120
    for name in corpora.lists(corpus):
        own = index_of(corpus, name)
        cells = [
            *name.split("/"),
            *(f"{own[key]:,}" for key in ("documents", "tokens", "sequences", "padding", "bytes")),
        ]
        assert "| " + " | ".join(cells) + " |" in page
    commit = read_commit(str(corpus.parent / "tokenize"))
    assert commit
    for source, tokens in commit.extra["tokens_by_source"].items():
        assert f"| {source} | 30 | {tokens:,} |" in page
    assert "| CC-BY-4.0 | 30 |" in page
    assert "| unknown | 30 |" in page
    assert commit.extra["tokenizer"]["sha256"] in page
    assert "mailto:data@example.org" in page


def test_the_head_of_the_card_is_what_the_hub_reads(corpus: Path) -> None:
    head = yaml.safe_load((corpus / "README.md").read_text().split("---\n")[1])
    assert head["license"] == ["cc-by-4.0", "gpl-2.0", "other", "unknown"]
    assert head["language"] == ["en"]
    assert head["size_categories"] == ["n<1K"]
    assert set(corpora.CATEGORIES) <= set(head["tags"])


# ---------------------------------------------------------------- the stage


def test_every_file_stands_in_the_commit(corpus: Path) -> None:
    commit = read_commit(str(corpus))
    assert commit
    told = {f"{part.name}.parquet": part.sha256 for part in commit.parts}
    told |= {name: digest for part in commit.parts for name, digest in part.side.items()}
    told |= {name: each["sha256"] for name, each in commit.extra["files"].items()}
    assert told == corpora.files(corpus)
    assert all((corpus / name).stat().st_size == each["bytes"] for name, each in commit.extra["files"].items())


@pytest.mark.parametrize("backwards", [False, True])
def test_two_runs_are_the_same_bytes(corpus: Path, tmp_path: Path, backwards: bool) -> None:
    run = corpora.make(tmp_path / "run", DOCUMENTS, formats=EVERY)
    assert corpora.files(corpora.exported(run, InProcess(backwards))) == corpora.files(corpus)


def test_real_workers_make_the_same_bytes(corpus: Path, tmp_path: Path, pool: Any) -> None:
    run = corpora.again(corpus.parent, tmp_path / "run", formats=EVERY)
    assert corpora.files(corpora.exported(run, pool)) == corpora.files(corpus)


def test_an_export_that_was_cut_off_goes_on_where_it_was(corpus: Path, tmp_path: Path) -> None:
    run = corpora.again(corpus.parent, tmp_path / "run", formats=EVERY)
    jobs = len([name for name in corpora.files(corpus) if name.startswith("shards/")]) + 20
    with pytest.raises(KeyboardInterrupt):
        corpora.exported(run, InProcess(most=jobs))
    directory = Path(run.directory("export"))
    assert not (directory / "_commit.json").exists()
    there = {path: path.stat().st_mtime_ns for path in directory.glob("megatron/*/*.bin")}
    assert there
    assert corpora.files(corpora.exported(run)) == corpora.files(corpus)
    assert all(path.stat().st_mtime_ns == written for path, written in there.items())


def test_a_damaged_file_is_made_again(corpus: Path, tmp_path: Path) -> None:
    run = corpora.again(corpus.parent, tmp_path / "run", formats=EVERY)
    directory = corpora.exported(run)
    (directory / "_commit.json").unlink()
    whole = sorted(directory.glob("megatron/*/*.bin"))
    whole[0].write_bytes(whole[0].read_bytes()[:-4] + b"\0\0\0\7")
    whole[1].unlink()
    assert corpora.files(corpora.exported(run)) == corpora.files(corpus)


def with_settings(run: Run, **export_settings: Any) -> Run:
    settings = ExportSettings.model_validate(export_settings)
    return Run(run.url, run.recipe.model_copy(update={"export": settings}), run.sources, run.base, run.chain)


def test_a_format_that_is_switched_off_leaves_and_so_do_cached_shuffles(tmp_path: Path) -> None:
    run = corpora.make(tmp_path / "run", corpora.documents(30), formats=EVERY)
    directory = corpora.exported(run)
    kept = next(directory.glob("megatron/train/*.idx"))
    cached = kept.with_name(kept.name + ".scale_shuffle")
    cached.write_bytes(b"an order of yesterday's weights")
    indices = kept.with_suffix("") / "cache" / "GPTDataset_indices" / "sample_index.npy"
    indices.parent.mkdir(parents=True)
    indices.write_bytes(b"samples of yesterday's sequences")
    (directory / "megatron" / "notes.md").write_text("somebody's own")
    before = {path: path.stat().st_mtime_ns for path in directory.glob("megatron/*/*.bin")}
    corpora.exported(with_settings(run, formats=["shards", "megatron", "text"], text="jsonl"))
    assert not cached.exists()
    assert not indices.exists()
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (directory / "megatron" / "notes.md").exists()
    assert not [path for path in (directory / "mds").rglob("*") if path.is_file()]
    assert {path.name for path in directory.glob("text/*/*/*")} == {"part-00000.jsonl.gz"}
    corpora.exported(with_settings(run))
    assert {path.name for path in directory.rglob("*") if path.is_file()} & {"README.txt", "index.json"} == set()


def test_an_export_with_nothing_new_is_not_made_again(tmp_path: Path) -> None:
    run = corpora.make(tmp_path / "run", corpora.documents(10), formats=EVERY)
    corpora.exported(run)
    assert run_stage(run, STAGE, InProcess(most=0))[1] is False  # type: ignore[arg-type]


def test_a_bucket_gets_the_same_files(corpus: Path, tmp_path: Path, bucket: str) -> None:
    run = corpora.again(corpus.parent, tmp_path / "run", formats=EVERY, to=f"{bucket}/corpus")
    run_stage(run, STAGE, InProcess())  # type: ignore[arg-type]
    names = [name for name in storage.list_files(f"{bucket}/corpus") if not name.startswith("_")]
    assert {name: storage.sha256(f"{bucket}/corpus/{name}") for name in names} == corpora.files(corpus)


def test_of_single_files_only_shards_are_made(corpus: Path, tmp_path: Path) -> None:
    shards = (str(next((corpus / "shards").rglob("*.parquet"))),)
    recipe = Recipe.model_validate(corpora.settings(formats=EVERY))
    run = Run(str(tmp_path / "run"), recipe, (), tmp_path, ("export",), shards)
    with pytest.raises(StageError, match="needs a run"):
        run_stage(run, STAGE, InProcess())  # type: ignore[arg-type]
    alone = with_settings(run)
    run_stage(Run(alone.url, alone.recipe, (), tmp_path, ("export",), shards), STAGE, InProcess())  # type: ignore[arg-type]
    sent = corpora.files(Path(alone.directory("export")))
    assert {name: digest for name, digest in corpora.files(corpus).items() if name in sent} == sent
    assert len(sent) == 2  # and its row of the index


def test_a_shard_without_its_index_is_refused(corpus: Path, tmp_path: Path) -> None:
    source = next((corpus / "shards").rglob("*.parquet"))
    (tmp_path / "shards").mkdir()
    os.link(source, tmp_path / "shards" / source.name)
    run = Run(
        str(tmp_path / "run"), Recipe.model_validate(corpora.settings()), (), tmp_path, ("export",),
        (str(tmp_path / "shards" / source.name),),
    )  # fmt: skip
    with pytest.raises(storage.StorageError, match="is not where it was made"):
        run_stage(run, STAGE, InProcess())  # type: ignore[arg-type]


def test_what_is_no_shard_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "shards" / "a.parquet")
    run = Run(
        str(tmp_path / "run"), Recipe.model_validate(corpora.settings()), (), tmp_path, ("export",),
        (str(tmp_path / "shards" / "a.parquet"),),
    )  # fmt: skip
    with pytest.raises(storage.StorageError, match="is not a shard of ours"):
        run_stage(run, STAGE, InProcess())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("formats", "said"), [(["megatron"], "name them, too"), (["shards", "shards"], "stands twice"), (["npz"], "Input")]
)
def test_formats_that_make_no_sense_are_refused(formats: list[str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ExportSettings.model_validate({"formats": formats})


def test_files_beside_a_part_are_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"x")
    beside = {"a.bin": storage.sha256(str(tmp_path / "a.bin"))}
    part = write_part(str(tmp_path), "a", "key", pa.table({"n": [1]}), Counts(rows=1), {}, beside=beside)
    assert part.side == beside
