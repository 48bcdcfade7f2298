"""From a token back to its document, its record and its licence: over an export made by hand, and one in a bucket."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from pipelines import cli, storage
from pipelines.engine import Commit
from pipelines.parts import Counts
from pipelines.shuffle import bucket_of
from pipelines.trace import TraceError, place_of, trace

_LENGTH = 64
_LIST = "man_pages_cli_reference.high.natural"
_SHARD = f"shards/train/{_LIST}/shard-00000.parquet"
_SPECIAL = ("<|end|>", "<|prefix|>", "<|suffix|>", "<|middle|>")
_END, _PREFIX, _SUFFIX, _MIDDLE = range(258, 262)

_SEGMENT = pa.struct(
    [
        ("doc_id", pa.string()),
        ("revision", pa.string()),
        ("tokens", pa.int32()),
        *((name, pa.int64()) for name in ("start_byte", "end_byte", "middle_start", "middle_end")),
    ]
)
_ROWS = pa.schema([("input_ids", pa.list_(pa.int32())), ("segments", pa.list_(_SEGMENT)), ("padding", pa.int32())])
_RECORD = pa.struct(
    [
        ("run", pa.string()),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("piece", pa.int32()),
        ("digest", pa.string()),
        ("fetched_at", pa.timestamp("us", tz="UTC")),
    ]
)
_LINEAGE = pa.schema(
    [
        *((name, pa.string()) for name in ("doc_id", "revision", "url", "source", "category", "licence")),
        ("licence_evidence", pa.string()),
        ("opt_out", pa.list_(pa.string())),
        *((name, pa.string()) for name in ("title", "language", "kind", "cluster_id")),
        ("parents", pa.list_(pa.string())),
        ("copies", pa.list_(pa.string())),
        ("edits", pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64()), ("kind", pa.string())]))),
        ("records", pa.list_(_RECORD)),
    ]
)

_TEXTS = {
    "a": "the café, the sockets",
    "b": "a page that is longer than what is left of the first sequence, so it is cut",
    "c": "def head(rows):\n    return rows[:5]\n",
    "d": "a rewrite of the café",
}


def _definition() -> str:
    """A tokenizer of every byte, two merges ("th", "the"), and the special tokens."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: at for at, token in enumerate([*letters, "th", "the"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[("t", "h"), ("th", "e")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(each, special=True) for each in _SPECIAL])
    return str(tokenizer.to_str())


def _ids(text: str) -> list[int]:
    return list(Tokenizer.from_str(_definition()).encode(text, add_special_tokens=False).ids)


def _doc_id(name: str) -> str:
    return f"{ord(name):012x}{0:020x}"


def _segment(name: str, tokens: int, start: int, end: int, *middle: int) -> dict[str, Any]:
    told = {"doc_id": _doc_id(name), "revision": name * 32, "tokens": tokens, "start_byte": start, "end_byte": end}
    return {**told, **dict(zip(("middle_start", "middle_end"), middle, strict=False))}


def _rows() -> list[dict[str, Any]]:
    """A whole document and a piece; the rest of that, one that was taken down, padding; one rearranged; a rewrite."""
    a, b, d = (_ids(_TEXTS[name]) for name in "abd")
    room = _LENGTH - len(a) - 1
    cut = sum({256: 2, 257: 3}.get(token, 1) for token in b[:room])
    start, end = 4, 14  # of the middle: "head(rows)"
    text = _TEXTS["c"]
    moved = [_PREFIX, *_ids(text[:start]), _SUFFIX, *_ids(text[end:]), _MIDDLE, *_ids(text[start:end]), _END]
    rest = len(b) - room + 1
    rows = [
        ([*a, _END, *b[:room]], [_segment("a", len(a) + 1, 0, len(_TEXTS["a"].encode())), _segment("b", room, 0, cut)]),
        (
            [*b[room:], _END, _END, _END, _END],
            [
                _segment("b", rest, cut, len(_TEXTS["b"].encode())),
                {"doc_id": None, "revision": None, "tokens": 3, "start_byte": 0, "end_byte": 0},
            ],
        ),
        (moved, [_segment("c", len(moved), 0, len(text), start, end)]),
        ([*d, _END], [_segment("d", len(d) + 1, 0, len(_TEXTS["d"].encode()))]),
    ]
    return [
        {"input_ids": ids + [_END] * (_LENGTH - len(ids)), "segments": segments, "padding": _LENGTH - len(ids)}
        for ids, segments in rows
    ]


def _lineage_row(name: str, **changed: Any) -> dict[str, Any]:
    record = {"run": None, "file": "docs/00000.warc.gz", "row": 17, "piece": 0, "digest": "sha1:ABC"}
    return {
        "doc_id": _doc_id(name),
        "revision": name * 32,
        "url": f"http://docs.localhost/{name}",
        "source": "docs",
        "category": "man_pages_cli_reference",
        "licence": "CC-BY-4.0",
        "licence_evidence": "stated on the page",
        "opt_out": [],
        "title": f"Page {name}",
        "language": "en",
        "kind": None,
        "cluster_id": _doc_id(name),
        "parents": [],
        "copies": ["http://mirror.localhost/a"] if name == "a" else [],
        "edits": [{"start": 3, "end": 9, "kind": "email"}] if name == "a" else [],
        "records": [{**record, "fetched_at": datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)}],
        **changed,
    }


def _put(root: str, name: str, table: pa.Table) -> None:
    with storage.writing(f"{root}/{name}") as path:
        pq.write_table(table, path, row_group_size=2)


def put_export(root: str) -> str:
    """An export of four documents; returns where it is."""
    _put(root, _SHARD, pa.Table.from_pylist(_rows(), schema=_ROWS))
    own = [_lineage_row(name) for name in "abc"]
    for bucket in range(2):
        rows = [row for row in own if bucket_of(row["doc_id"], 2) == bucket]
        _put(root, f"lineage/filter-part-{bucket:05}.parquet", pa.Table.from_pylist(rows, schema=_LINEAGE))
    child = _lineage_row("d", url="", title="\x1b[2Jd", kind="faq", parents=[_doc_id("a")], records=[])
    _put(root, "lineage/synth-part-00000.parquet", pa.Table.from_pylist([child], schema=_LINEAGE))
    storage.write_bytes(f"{root}/tokenizer.json", _definition().encode())
    shard = {"file": _SHARD, "rows": 4, "drawn": 2}
    stages = [
        {"name": "stable", "lists": {_LIST: {"sequences": 6, "shards": [shard]}}},
        {"name": "anneal", "lists": {"other.high.natural": {"sequences": 4, "shards": [shard]}}},
    ]
    storage.write_bytes(f"{root}/mixture.json", json.dumps({"stages": stages}).encode())
    fim = {"prefix": _PREFIX, "suffix": _SUFFIX, "middle": _MIDDLE}
    settings = {
        "tokenizer": {"sha256": "0", "vocabulary": 262, "end_id": _END, "end_of_document": "<|end|>", "fim": fim}
    }
    commit = Commit("export", 1, "k", "shard", settings, [], [], Counts(), {}, 0.0, 0.0, 0, {})
    storage.write_bytes(f"{root}/_commit.json", json.dumps(asdict(commit)).encode())
    return root


@pytest.fixture
def export(tmp_path: Path) -> str:
    return put_export(str(tmp_path / "export"))


def _at(export: str, row: int, token: int | None = None) -> dict[str, Any]:
    where = f"{export}/{_SHARD}:{row}" + ("" if token is None else f":{token}")
    found = trace(place_of(where), None, False)
    json.dumps(found)
    return found


# ---------------------------------------------------------------- rows and tokens


def test_each_segment_of_a_row_leads_to_its_document(export: str) -> None:
    found = _at(export, 0)
    assert (found["list"], found["split"], found["sequence_length"], found["padding"]) == (_LIST, "train", _LENGTH, 0)
    first, second = found["segments"]
    assert first["document"]["url"] == "http://docs.localhost/a"
    assert first["document"]["licence_evidence"] == "stated on the page"
    assert first["document"]["copies"] == ["http://mirror.localhost/a"]
    assert first["document"]["edits"] == [{"start": 3, "end": 9, "kind": "email"}]
    assert first["records"] == [
        {
            "run": None,
            "file": "docs/00000.warc.gz",
            "row": 17,
            "piece": 0,
            "digest": "sha1:ABC",
            "fetched_at": "2026-05-04T03:02:01Z",
        }
    ]
    assert first["bytes"] == [0, len(_TEXTS["a"].encode())]
    assert second["document"]["doc_id"] == _doc_id("b")
    assert first["tokens"][1] == second["tokens"][0]
    assert second["tokens"][1] == _LENGTH


@pytest.mark.parametrize("row", range(4))
def test_each_token_is_the_bytes_of_the_document_that_it_says(export: str, row: int) -> None:
    """The tokens of a document, in the order of their bytes, are its text; a marker is none of it."""
    ids = _rows()[row]["input_ids"]
    reader = Tokenizer.from_str(_definition())
    for segment in _at(export, row)["segments"]:
        first, end = segment["tokens"]
        if segment.get("taken_down"):
            continue
        spans = []
        for token in range(first, end):
            [held] = _at(export, row, token)["segments"]
            assert held["document"] == segment["document"]
            told = held["token"]
            assert (told["at"], told["id"]) == (token, ids[token])
            assert told["marker"] == (ids[token] >= _END)
            if not told["marker"]:
                spans.append((*told["bytes"], ids[token]))
        spans.sort()
        assert [start for start, _, _ in spans[1:]] == [end for _, end, _ in spans[:-1]]
        assert [spans[0][0], spans[-1][1]] == segment["bytes"]
        name = chr(int(segment["document"]["doc_id"][:12], 16))
        text = _TEXTS[name].encode()[segment["bytes"][0] : segment["bytes"][1]].decode()
        assert reader.decode([token for _, _, token in spans]) == text


def test_a_document_that_was_taken_down_says_so(export: str) -> None:
    assert _at(export, 1)["segments"][1] == {
        "tokens": [_at(export, 1)["segments"][0]["tokens"][1], _at(export, 1)["segments"][0]["tokens"][1] + 3],
        "taken_down": True,
    }


def test_a_rearranged_document_says_what_was_moved(export: str) -> None:
    [segment] = _at(export, 2)["segments"]
    assert segment["middle"] == [4, 14]


def test_a_rewrite_leads_to_its_parent(export: str) -> None:
    [segment] = _at(export, 3)["segments"]
    assert segment["document"]["kind"] == "faq"
    [parent] = segment["parents"]
    assert (parent["doc_id"], parent["url"], parent["licence"]) == (
        _doc_id("a"),
        "http://docs.localhost/a",
        "CC-BY-4.0",
    )


def test_the_mixture_says_how_often_a_row_is_read(export: str) -> None:
    assert [each["times"] for each in _at(export, 1)["mixture"]] == [2, 0]
    assert [each["times"] for each in _at(export, 2)["mixture"]] == [1, 0]


def test_an_export_in_a_bucket_is_traced_as_one_on_a_disk(export: str, bucket: str) -> None:
    remote = put_export(f"{bucket}/corpus")
    here, there = _at(export, 0, 5), _at(remote, 0, 5)
    assert {**here, "shard": ""} == {**there, "shard": ""}


def test_an_export_is_traced_from_within_it(export: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(export)
    found = trace(place_of(f"{_SHARD}:0"), None, False)
    assert {**found, "shard": ""} == {**_at(export, 0), "shard": ""}


# ---------------------------------------------------------------- the command


def test_the_command_prints_a_line_for_each_thing_that_is_known(
    export: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["trace", f"{export}/{_SHARD}:0:9"]) == 0
    printed = capsys.readouterr().out
    for expected in (
        "http://docs.localhost/a",
        "CC-BY-4.0: stated on the page",
        "crawl/docs/00000.warc.gz at 17, sha1:ABC, fetched",
        "http://mirror.localhost/a",
        "email at bytes 3 to 9 of the text before",
        "stable reads it twice, anneal reads it never",
    ):
        assert expected in printed
    assert "  | " not in printed


def test_the_command_prints_json(export: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trace", "--json", f"{export}/{_SHARD}:1"]) == 0
    assert json.loads(capsys.readouterr().out) == _at(export, 1)


def test_a_title_cannot_write_to_the_terminal(export: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trace", f"{export}/{_SHARD}:3"]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\\x1b[2Jd" in printed


def test_a_parent_that_the_export_has_not_is_said(export: str, capsys: pytest.CaptureFixture[str]) -> None:
    child = _lineage_row("d", url="", kind="faq", parents=[_doc_id("z")], records=[])
    _put(export, "lineage/synth-part-00000.parquet", pa.Table.from_pylist([child], schema=_LINEAGE))
    assert cli.main(["trace", f"{export}/{_SHARD}:3"]) == 0
    assert f"{_doc_id('z')}, which is not in this export" in capsys.readouterr().out


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "text", ["", "shard", "a/shards/x.parquet", "a/shards/x.parquet:", "a/shards/x.parquet:-1", "x.parquet:0"]
)
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(TraceError):
        place_of(text)


@pytest.mark.parametrize(
    ("where", "why"),
    [
        (f"{_SHARD}:4", "has no row 4, only 4"),
        (f"{_SHARD}:0:64", "has no token 64, only 64"),
        (f"{_SHARD}:1:63", "token 63 is padding"),
        ("shards/none.parquet:0", "there is no such shard"),
    ],
)
def test_a_place_that_is_not_there_is_one_line(export: str, where: str, why: str) -> None:
    with pytest.raises(TraceError, match=why):
        trace(place_of(f"{export}/{where}"), None, False)


def test_text_needs_the_run(export: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trace", "--text", f"{export}/{_SHARD}:0"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "the text is in the run" in line


def test_a_revision_that_the_lineage_has_not_is_said(export: str) -> None:
    rows = [_lineage_row(name, revision="f" * 32) for name in "abc"]
    for bucket in range(2):
        _put(export, f"lineage/filter-part-{bucket:05}.parquet", pa.Table.from_pylist(rows, schema=_LINEAGE))
    with pytest.raises(TraceError, match="is not in lineage/"):
        _at(export, 0)


def test_shards_without_lineage_are_said(export: str) -> None:
    for name in storage.list_files(f"{export}/lineage"):
        storage.delete(f"{export}/lineage/{name}")
    with pytest.raises(TraceError, match="has no lineage/"):
        _at(export, 0)


def test_a_token_needs_the_commit(export: str) -> None:
    storage.delete(f"{export}/_commit.json")
    assert _at(export, 0)
    with pytest.raises(TraceError, match="leave the token out"):
        _at(export, 0, 3)
