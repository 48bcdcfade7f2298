"""The jobs of tokenize, in this process: no byte and no token is lost, whatever the parts and the packing."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from manifests.models import TokenizeSettings
from pipelines.engine import Job, StageError, run_stage
from pipelines.lists import lists_of
from pipelines.parts import Counts, Part, read_table, write_part
from pipelines.schema import CLUSTER, DOCUMENT, SCORES, joined, table_of
from pipelines.tokenize.encode import encode_part
from pipelines.tokenize.pack import LAYOUT, pack_shard
from pipelines.tokenize.stage import STAGE
from pipelines.tokenizer import Encoded, TextTokenizer, train
from tests.corpora import InProcess, make
from tests.corpora import documents as small_corpus
from tests.test_tokenizer import corpus

END, PREFIX, SUFFIX, MIDDLE = "<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"
LENGTH = 32
COLUMNS = joined(DOCUMENT, SCORES, CLUSTER)
FIM = {"categories": ["code"], "share": 0.7}
Row = dict[str, Any]

PIECES = st.sampled_from(
    ["the kernel", " mounts\n", "\n\n\t", "  ", "é", "٣٤", "\U0001f600", "x = f(y)\n", END, MIDDLE, "\x00", "a" * 40]
)
TEXTS = st.one_of(
    st.lists(PIECES, max_size=40).map("".join), st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)
QUALITIES = st.sampled_from([None, 0.0, 0.95, 1.0])
CORPORA = st.lists(st.tuples(TEXTS, st.sampled_from(["docs", "code"]), QUALITIES, st.booleans()), max_size=12)


@pytest.fixture(scope="module")
def tokenizer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    path.write_text(train(corpus(), 600, [END, PREFIX, SUFFIX, MIDDLE]))
    return path


def rows_of(drawn: Sequence[tuple[str, str, float | None, bool]]) -> list[Row]:
    return [
        row(number, text, category=category, topic_quality=quality, parents=["0" * 32] if is_rewrite else [])
        for number, (text, category, quality, is_rewrite) in enumerate(drawn)
    ]


def row(number: int, text: str, **others: Any) -> Row:
    doc_id = hashlib.sha256(str(number).encode()).hexdigest()[:32]
    return {
        "doc_id": doc_id,
        "revision": hashlib.sha256(text.encode()).hexdigest()[:32],
        "url": f"https://docs.example/{number}",
        "source": f"source-{number % 2}",
        "category": "docs",
        "parents": [],
        "cluster_id": doc_id,
        "text": text,
        **others,
    }


@dataclass(frozen=True)
class Made:
    """What the jobs made below a directory."""

    directory: Path
    encoded: list[Part]
    shards: list[Part]

    @property
    def counts(self) -> Counts:
        return Counts.total([part.counts for part in self.encoded])

    def table(self, part: Part) -> pa.Table:
        return read_table(str(self.directory / f"{part.name}.parquet"))

    def index(self, part: Part) -> Row:
        (told,) = read_table(str(self.directory / "index" / f"{part.name}.parquet")).to_pylist()
        return dict(told)

    def sequences(self) -> list[tuple[Part, Row]]:
        return [(part, each) for part in self.shards for each in self.table(part).to_pylist()]

    def files(self) -> dict[str, str]:
        """SHA-256 of each shard."""
        return {part.name: part.sha256 for part in self.shards}


def made(
    directory: Path, tokenizer_file: Path, parts: Sequence[Sequence[Row]], shards: int = 1, **changed: Any
) -> Made:
    """Runs the jobs over parts of these rows: of each list so many shards."""
    recipe = TokenizeSettings.model_validate(
        {"tokenizer": "t.json", "sequence_length": LENGTH, "validation": 0.2, **changed}
    )
    common = {"tokenizer": str(tokenizer_file), "tokenizer_sha256": "given", "end_of_document": END}
    encoded = []
    for number, rows in enumerate(parts):
        table = table_of(sorted(rows, key=lambda each: str(each["doc_id"])), COLUMNS)
        counts = Counts(len(rows), len(rows), len(rows))
        write_part(str(directory / "input"), f"part-{number}", "given", table, counts, {})
        spec = {"input": str(directory / "input" / f"part-{number}.parquet"), "name": f"part-{number}",
                "settings": recipe.model_dump(exclude={"tokenizer"}), "seed": 3, **common}  # fmt: skip
        encoded.append(encode_part(Job(encode_part, str(directory / "_encoded"), f"part-{number}", "key", spec)))
    names = {name for part in encoded for name in part.counts.extra if name.startswith("list:")}
    spec = {"inputs": [str(directory / "_encoded" / f"{part.name}.parquet") for part in encoded], "seed": 3,
            "sequence_length": LENGTH, "packing": recipe.packing, **common}  # fmt: skip
    jobs = [
        Job(pack_shard, str(directory), f"shards/{name}/shard-{shard:05}", "key",
            {**spec, "list": name, "shard": shard, "shards": shards})
        for name in sorted(each.removeprefix("list:") for each in names)
        for shard in range(shards)
    ]  # fmt: skip
    return Made(directory, encoded, [pack_shard(job) for job in jobs])


def texts_of(of: Made, tokenizer_file: Path) -> dict[str, bytes]:
    """The text of each document, put together from the segments; each byte must be there once."""
    judge = Tokenizer.from_file(str(tokenizer_file))
    end, prefix, suffix, middle = (judge.token_to_id(each) for each in (END, PREFIX, SUFFIX, MIDDLE))
    alphabet = bytes_of_ids(judge)
    pieces: dict[str, list[tuple[int, int, bytes, bool]]] = {}
    for _, each in of.sequences():
        at = 0
        for segment in each["segments"]:
            ids = each["input_ids"][at : at + segment["tokens"]]
            at += segment["tokens"]
            ended = ids[-1] == end
            ids = ids[:-1] if ended else ids
            assert end not in ids
            if segment["middle_start"] is None:
                found = b"".join(alphabet[number] for number in ids)
            else:
                assert ids[0] == prefix and ended
                behind, last = ids.index(suffix), ids.index(middle)
                parts = (ids[1:behind], ids[last + 1 :], ids[behind + 1 : last])
                before, between, after = (b"".join(alphabet[number] for number in part) for part in parts)
                assert segment["middle_start"] == len(before)
                assert segment["middle_end"] == len(before) + len(between)
                found = before + between + after
            assert segment["end_byte"] - segment["start_byte"] == len(found)
            pieces.setdefault(segment["doc_id"], []).append((segment["start_byte"], segment["end_byte"], found, ended))
        assert at + each["padding"] == LENGTH == len(each["input_ids"])
        assert each["input_ids"][at:] == [end] * each["padding"]
    texts = {}
    for doc_id, found_pieces in pieces.items():
        found_pieces.sort(key=lambda piece: (piece[0], piece[1], piece[3]))
        assert [piece[3] for piece in found_pieces] == [False] * (len(found_pieces) - 1) + [True]
        assert all(a[1] == b[0] for a, b in itertools.pairwise(found_pieces)) and found_pieces[0][0] == 0
        texts[doc_id] = b"".join(piece[2] for piece in found_pieces)
    return texts


def bytes_of_ids(judge: Tokenizer) -> dict[int, bytes]:
    """The bytes of each id, told by the byte-level alphabet."""
    themselves = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in themselves]
    alphabet = {chr(byte): byte for byte in themselves} | {chr(256 + at): byte for at, byte in enumerate(others)}
    special = {END, PREFIX, SUFFIX, MIDDLE}
    return {
        number: bytes(map(alphabet.__getitem__, token))
        for token, number in judge.get_vocab().items()
        if token not in special
    }


def dealt(rows: Sequence[Row], parts: int) -> list[list[Row]]:
    return [list(rows[at::parts]) for at in range(parts)]


# ---------------------------------------------------------------- nothing is lost


LONG = "the kernel mounts é\U0001f600 " * 60
CODE = "def f(x):\n    return x\n"
WAYS: list[Mapping[str, Any]] = [{}, {"packing": "concatenate"}, {"fill_in_the_middle": FIM}]


@pytest.mark.parametrize("way", WAYS, ids=["best_fit", "concatenate", "fill_in_the_middle"])
@given(drawn=CORPORA, parts=st.integers(1, 3), shards=st.integers(1, 3))
@settings(max_examples=20)
@example(drawn=[(LONG, "docs", None, False), ("", "code", 1.0, False), (END, "code", 1.0, False)], parts=2, shards=2)
@example(drawn=[(CODE * (1 + n % 2), "code", None, False) for n in range(12)], parts=2, shards=1)
def test_every_byte_comes_back_once_and_all_counts_agree(tokenizer_file, way, drawn, parts, shards):
    rows = rows_of(drawn)
    with tempfile.TemporaryDirectory() as directory:
        of = made(Path(directory), tokenizer_file, dealt(rows, parts), shards, **way)
        assert texts_of(of, tokenizer_file) == {each["doc_id"]: each["text"].encode() for each in rows}
        agree(of, rows)


def agree(of: Made, rows: Sequence[Row]) -> None:
    """Sums of the encoded parts, index rows, hashes and shards, to the token."""
    extra = of.counts.extra
    by_list: Counter[str] = Counter()
    for part in of.shards:
        told, table = of.index(part), of.table(part)
        segments = [segment for each in table["segments"].to_pylist() for segment in each]
        ids = np.array(table["input_ids"].to_pylist(), "<i4")
        assert told == {
            "sequences": table.num_rows,
            "documents": len({segment["doc_id"] for segment in segments}),
            "documents_cut": sum(n > 1 for n in Counter(segment["doc_id"] for segment in segments).values()),
            "tokens": sum(segment["tokens"] for segment in segments),
            "padding": sum(table["padding"].to_pylist()),
            "bytes": sum(segment["end_byte"] - segment["start_byte"] for segment in segments),
            "row_groups": -(-table.num_rows // LAYOUT.group_rows),
            "ids_sha256": hashlib.sha256(ids.tobytes()).hexdigest(),
        }
        assert {name: told[name] for name in part.counts.extra} == part.counts.extra
        assert told["tokens"] + told["padding"] == table.num_rows * LENGTH
        by_list[f"list:{part.name.removeprefix('shards/').rpartition('/')[0]}"] += told["tokens"]
    assert by_list == {name: tokens for name, tokens in extra.items() if name.startswith("list:")}
    by_source = {name: tokens for name, tokens in extra.items() if name.startswith("source:")}
    assert sum(by_source.values()) == by_list.total()
    assert set(by_source) == {f"source:{each['source']}" for each in rows}


def test_some_documents_are_rearranged_and_some_are_cut(tokenizer_file, tmp_path):
    rows = [row(n, CODE, category="code") for n in range(30)] + [row(99, LONG)]
    of = made(tmp_path, tokenizer_file, [rows], fill_in_the_middle=FIM)
    segments = [segment for _, each in of.sequences() for segment in each["segments"]]
    filled = {segment["doc_id"] for segment in segments if segment["middle_start"] is not None}
    assert 5 < len(filled) == of.counts.extra["filled"] < 30
    assert Counter(segment["doc_id"] for segment in segments)[rows[-1]["doc_id"]] > 1
    trained = [each for part in of.shards if "/train/" in part.name for each in of.table(part).to_pylist()]
    assert filled <= {segment["doc_id"] for each in trained for segment in each["segments"]}


def test_a_special_token_that_a_text_spells_is_text(tokenizer_file, tmp_path):
    special = {Tokenizer.from_file(str(tokenizer_file)).token_to_id(each) for each in (END, PREFIX, SUFFIX, MIDDLE)}
    of = made(tmp_path, tokenizer_file, [[row(0, f"{PREFIX}a{SUFFIX}b{MIDDLE}{END}{END}\n")]])
    inside = [number for _, each in of.sequences() for number in each["input_ids"][: LENGTH - each["padding"]]]
    assert sum(number in special for number in inside) == 1


# ---------------------------------------------------------------- layout decides nothing


@pytest.mark.parametrize("way", WAYS, ids=["best_fit", "concatenate", "fill_in_the_middle"])
def test_another_layout_of_the_same_documents_gives_the_same_shards(tokenizer_file, tmp_path, way):
    rows = [row(n, f"{CODE * (n % 7)}{n}", category=("code", "docs")[n % 2]) for n in range(60)]
    whole = made(tmp_path / "a", tokenizer_file, [rows], 2, **way)
    others = [rows[::-1][:50], [], rows[::-1][50:]]
    assert made(tmp_path / "b", tokenizer_file, others, 2, **way).files() == whole.files()
    assert made(tmp_path / "c", tokenizer_file, dealt(rows, 5), 2, **way).files() == whole.files()


def test_the_shards_of_a_list_share_its_documents_by_their_order(tokenizer_file, tmp_path):
    rows = [row(n, f"{CODE}{n}") for n in range(60)]
    one = made(tmp_path / "one", tokenizer_file, [rows])
    four = made(tmp_path / "four", tokenizer_file, [rows], 4)
    documents = {
        of.directory.name: {
            part.name: {segment["doc_id"] for each in of.table(part).to_pylist() for segment in each["segments"]}
            for part in of.shards
        }
        for of in (one, four)
    }
    for name, whole in documents["one"].items():
        own = [documents["four"][f"{name[:-5]}{shard:05}"] for shard in range(4)]
        assert set().union(*own) == whole
        assert sum(map(len, own)) == len(whole)
    assert len([name for name, own in documents["four"].items() if own and "/train/" in name]) == 4


def test_a_list_of_no_documents_of_a_shard_is_an_empty_shard(tokenizer_file, tmp_path):
    of = made(tmp_path, tokenizer_file, [[row(0, "one")]], 8)
    assert sorted(part.counts.rows for part in of.shards) == [0] * 7 + [1]


def test_any_row_group_can_be_read_alone(tokenizer_file, tmp_path):
    rows = [row(n, "the kernel " * 14 + str(n)) for n in range(700)]
    of = made(tmp_path, tokenizer_file, [rows], validation=0.0)
    (part,) = of.shards
    file = pq.ParquetFile(tmp_path / f"{part.name}.parquet")
    whole = of.table(part)
    assert file.num_row_groups == of.index(part)["row_groups"] > 1
    for group in reversed(range(file.num_row_groups)):
        alone = file.read_row_group(group).replace_schema_metadata(None)
        assert alone == whole.slice(group * LAYOUT.group_rows, LAYOUT.group_rows)


def test_other_ids_of_as_many_tokens_make_other_shards(tmp_path):
    run = make(tmp_path / "run", small_corpus(20))
    (tmp_path / "t.json").write_bytes((tmp_path / "run" / "tokenize" / "tokenizer.json").read_bytes())
    asked = run.recipe.tokenize.model_dump(exclude={"train"})
    files = []
    for swapped in (False, True):
        first, second = (SUFFIX, PREFIX) if swapped else (PREFIX, SUFFIX)
        fim = {**asked["fill_in_the_middle"], "prefix": first, "suffix": second}
        recipe = run.recipe.model_copy(
            update={
                "tokenize": TokenizeSettings.model_validate({**asked, "tokenizer": "t.json", "fill_in_the_middle": fim})
            }
        )
        again = replace(run, recipe=recipe, base=tmp_path)
        elsewhere = replace(again, directories={"tokenize": str(tmp_path / f"fresh-{swapped}")})
        kept, fresh = (
            {part.name: part.sha256 for part in run_stage(each, STAGE, InProcess())[0].parts}
            for each in (again, elsewhere)
        )
        assert kept == fresh
        files.append(kept)
    assert files[0].keys() == files[1].keys()
    assert files[0] != files[1]


# ---------------------------------------------------------------- lists


def test_tiers_are_by_limits_and_an_unknown_quality_is_the_lowest():
    qualities = [None, float("nan"), 0.0, 0.49, 0.5, 0.79, 0.8, 1.0]
    table = table_of([row(n, "x", topic_quality=quality) for n, quality in enumerate(qualities)], COLUMNS)
    asked = TokenizeSettings.model_validate({"tiers": {"high": 0.8, "medium": 0.5}, "validation": 0.0})
    tiers = ["low", "low", "low", "low", "medium", "medium", "high", "high"]
    assert lists_of(table, asked, 0).tolist() == [f"train/docs.{tier}.natural" for tier in tiers]


def test_no_cluster_is_on_both_sides_and_rewrites_are_with_their_parents():
    rows = [row(n, str(n), cluster_id=f"cluster-{n // 3}", parents=["x"] if n % 3 == 2 else []) for n in range(600)]
    table = table_of(rows, COLUMNS)
    lists = lists_of(table, TokenizeSettings.model_validate({"validation": 0.25}), 5).tolist()
    sides: dict[str, set[str]] = {}
    for each, name in zip(rows, lists, strict=True):
        sides.setdefault(each["cluster_id"], set()).add(name.partition("/")[0])
        assert name.endswith(".synthetic" if each["parents"] else ".natural")
    assert all(len(side) == 1 for side in sides.values())
    validation = sum(side == {"validation"} for side in sides.values())
    assert 25 < validation < 75
    alone = lists_of(table.slice(7, 1), TokenizeSettings.model_validate({"validation": 0.25}), 5).tolist()
    assert alone == [lists[7]]


def test_a_document_of_no_cluster_is_a_cluster_of_its_own():
    for nothing in (None, ""):
        rows = [row(n, "x", cluster_id=nothing) for n in range(200)]
        lists = lists_of(table_of(rows, COLUMNS), TokenizeSettings.model_validate({"validation": 0.5}), 0).tolist()
        assert 60 < sum(name.startswith("validation/") for name in lists) < 140
        clustered = [row(n, "x") for n in range(200)]
        assert (
            lists_of(table_of(clustered, COLUMNS), TokenizeSettings.model_validate({"validation": 0.5}), 0).tolist()
            == lists
        )


# ---------------------------------------------------------------- what breaks


def test_a_text_that_breaks_the_tokenizer_costs_one_row(tokenizer_file, tmp_path, monkeypatch):
    encode = TextTokenizer.encode

    def breaks(self: TextTokenizer, texts: Any) -> Encoded:
        if any("BREAK" in text for text in (texts.to_pylist() if isinstance(texts, pa.Array) else texts)):
            raise ValueError("it broke")
        return encode(self, texts)

    rows = [row(n, f"text {n}") for n in range(9)] + [row(9, "BREAK it")]
    sound = made(tmp_path / "sound", tokenizer_file, [rows[:9]])
    monkeypatch.setattr(TextTokenizer, "encode", breaks)
    of = made(tmp_path / "broken", tokenizer_file, [rows])
    assert (of.counts.seen, of.counts.consumed) == (10, 9)
    assert of.counts.quarantined == {"tokenizer": 1}
    (quarantined,) = read_table(str(tmp_path / "broken/_encoded/quarantine/part-0.parquet")).to_pylist()
    assert (quarantined["doc_id"], quarantined["detail"]) == (rows[9]["doc_id"], "it broke")
    assert of.files() == sound.files()


def test_an_encoder_that_is_wrong_stops_the_run(tokenizer_file, tmp_path, monkeypatch):
    encode = TextTokenizer._encode_fast

    def wrong(self: TextTokenizer, texts: pa.LargeStringArray) -> Encoded:
        encoded = encode(self, texts)
        ids = np.array(encoded.ids)
        swapped = ids[:2].copy()  # as many bytes in another order
        ids[:2] = swapped[::-1]
        return Encoded(ids, encoded.offsets)

    TextTokenizer(tokenizer_file.read_text(), END)
    made(tmp_path / "right", tokenizer_file, [[row(0, "the kernel")]])  # whose tokenizer the worker keeps
    monkeypatch.setattr(TextTokenizer, "_encode_fast", wrong)
    with pytest.raises(StageError, match="part-0: gigatoken and tokenizers give row 0 other ids") as caught:
        made(tmp_path / "wrong", tokenizer_file, [[row(0, "the kernel mounts")]])
    assert "\n" not in str(caught.value)


def test_ids_that_are_too_few_are_noticed(tokenizer_file, tmp_path):
    of = made(tmp_path, tokenizer_file, [[row(0, "the kernel mounts")]])
    ids = tmp_path / "_encoded" / "part-0.ids"
    ids.write_bytes(ids.read_bytes()[:-4])
    (part,) = of.shards
    name = part.name.removeprefix("shards/").rpartition("/")[0]
    spec = {"inputs": [str(tmp_path / "_encoded/part-0.parquet")], "seed": 3, "sequence_length": LENGTH, "list": name,
            "packing": "best_fit", "shard": 0, "shards": 1, "tokenizer": str(tokenizer_file),
            "tokenizer_sha256": "given", "end_of_document": END}  # fmt: skip
    with pytest.raises(Exception, match=r"part-0\.ids: is too short"):
        pack_shard(Job(pack_shard, str(tmp_path), part.name, "key", spec))
