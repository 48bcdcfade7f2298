"""The benchmark of tokenize over a few documents: its parts run, and its figures are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.filter.documents import documents
from benchmarks.tokenize import packing, peers, speed, texts
from benchmarks.tokenize.texts import END, Corpus
from pipelines.parts import read_table
from pipelines.tokenizer import TextTokenizer
from tests.test_tokenize_stage import row
from tests.test_tokenizer import corpus


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    place = tmp_path_factory.mktemp("bench")
    lines = [line for text in corpus() for line in text.splitlines() if line]
    table = documents([row(number, "\n".join(lines[number : number + 9])) for number in range(60)])
    return texts.prepare(table, place, place / "parts", 400, lambda line: None)


def test_parts_are_of_different_documents_and_the_tokenizer_is_kept(small):
    warm, part = (set(read_table(url, ["doc_id"])["doc_id"].to_pylist()) for url in (small.warm, small.part))
    assert len(warm) + len(part) == len(warm | part) == 60
    assert small.documents == len(part) == 45
    assert TextTokenizer(small.tokenizer.read_text(), END).vocabulary == 400


def test_ours_and_the_ceilings_are_measured_over_the_same_tokens(small, tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "ROUNDS", 1)
    found = speed.measure(small, tmp_path, lambda line: None)
    assert found["tokens"] == speed.lengths(small, tmp_path).sum() > 1000
    assert set(found["seconds"]) == {"encode", "pack", "encoder alone", "writer alone"}
    assert any("read_columns" in name for name in found["profile_ms_per_million"])
    assert all(name.startswith(("encode_part", "pack_shard")) for name in found["profile_ms_per_million"])


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: peer.name)
def test_a_peer_writes_the_tokens_of_its_documents(small, tmp_path, peer):
    if not peers.installed(peer.module):
        pytest.skip("not installed")
    source = peers._write(small, tmp_path / "source")
    (tmp_path / "output").mkdir()
    column = read_table(small.part, ["text"])["text"].to_pylist()[:: peers.EVERY]
    expected = sum(len(ids) + 1 for ids in TextTokenizer(small.tokenizer.read_text(), END).encode(column))
    assert peer.run(source, small.tokenizer, tmp_path / "output") == expected


def test_a_peer_that_is_not_installed_is_said_to_be_so(small, tmp_path, monkeypatch):
    absent = peers.Peer("absent", "no_such_module", lambda *_: 0)
    monkeypatch.setattr(peers, "PEERS", (absent,))
    lines: list[str] = []
    assert peers.measure(small, tmp_path / "peers", lines.append) == {}
    assert lines == ["skipped absent: not installed"]
    assert peers.summary({}, 1.0) == [("absent", "not installed", "")]


def test_padding_and_cuts_are_counted():
    found = packing.measure(np.array([4096, 2048, 2048, 5000], np.int64), 3000)
    real = found["real documents"]
    assert real["padding_share"] == pytest.approx(1 - 13192 / (4 * 4096))
    assert (real["cut"], real["cut_by_concatenation"]) == (1, 1)
    made = found["log-normal lengths"]
    assert made["documents"] == 3000
    assert made["cut"] < made["cut_by_concatenation"]
