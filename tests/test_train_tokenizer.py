"""`syscorpus train-tokenizer`: the tokenizer is written, and what its tokens hold is counted right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from pipelines.cli import main
from pipelines.parts import Counts, write_part
from pipelines.schema import DOCUMENT, table_of
from pipelines.tokenizer import train
from tests.corpora import documents as small_corpus
from tests.corpora import make
from tests.test_tokenizer import corpus

TEXTS = {"code": corpus(), "docs": ["A daemon reads its settings when it starts. " * 9, "", "é\U0001f600 x <|end|>"]}


@pytest.fixture
def documents(tmp_path: Path) -> str:
    rows = [
        {"doc_id": f"{number:032x}", "category": category, "text": text}
        for number, (category, text) in enumerate((name, text) for name, texts in TEXTS.items() for text in texts)
    ]
    write_part(str(tmp_path), "part", "given", table_of(rows, DOCUMENT), Counts(len(rows), len(rows), len(rows)), {})
    return str(tmp_path / "part.parquet")


def figures(printed: str) -> dict[str, list[float]]:
    rows = [re.split(r"\s{2,}", line.strip()) for line in printed.splitlines()]
    return {row[0]: [float(cell) for cell in row[1:]] for row in rows if row[0] in ("all", *TEXTS)}


def test_bytes_per_token_are_counted_by_category_beside_other_tokenizers(documents, tmp_path, capsys):
    (tmp_path / "other.json").write_text(train(corpus(), 300, ["<eos>"]))
    own, other = str(tmp_path / "own.json"), str(tmp_path / "other.json")
    code = main(
        ["train-tokenizer", "--input", documents, "--vocabulary", "600", "--special-token", "<|end|>",
         "--special-token", "<|pad|>", "--output", own, "--against", other]
    )  # fmt: skip
    assert code == 0
    printed = figures(capsys.readouterr().out)
    assert list(printed) == ["code", "docs", "all"]
    for column, path in enumerate((own, other)):
        judge = Tokenizer.from_file(path)
        judge.encode_special_tokens = True
        for name, texts in {**TEXTS, "all": [text for each in TEXTS.values() for text in each]}.items():
            size = sum(len(text.encode()) for text in texts)
            tokens = sum(len(judge.encode(text).ids) for text in texts)
            assert printed[name][column] == pytest.approx(size / tokens, abs=6e-4)
    assert printed["all"][0] > printed["all"][1]
    made = Tokenizer.from_file(own)
    assert made.get_vocab_size() == 600
    assert made.token_to_id("<|end|>") is not None is not made.token_to_id("<|pad|>")


def test_a_run_lends_its_filtered_documents(tmp_path, capsys):
    run = make(tmp_path / "run", small_corpus(30))
    output = tmp_path / "own.json"
    command = ["train-tokenizer", "--run", run.url, "--vocabulary", "400", "--output", str(output)]
    assert main(command) == 0
    first = output.read_bytes()
    assert Tokenizer.from_file(str(output)).token_to_id("<|endoftext|>") is not None
    assert main(command) == 0
    assert output.read_bytes() == first
    assert main([*command, "--sample-bytes", "4096"]) == 0
    assert output.read_bytes() != first
    assert "qa_forums" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--vocabulary", "200"], "a vocabulary of 200 has no room for every byte; the least is 257"),
        (["--against", "{here}/no.json"], "no.json"),
        (["--against", "{here}/bad.json"], "bad.json: not a tokenizer.json"),
    ],
)
def test_what_cannot_be_is_one_clear_line(documents, tmp_path, capsys, more, expected):
    (tmp_path / "bad.json").write_text("{}")
    output = tmp_path / "own.json"
    more = [each.format(here=tmp_path) for each in more]
    assert main(["train-tokenizer", "--input", documents, "--output", str(output), *more]) == 1
    said = capsys.readouterr().err
    assert expected in said
    assert said.count("\n") == 1
    assert not output.exists()


def test_a_run_without_filtered_documents_is_one_clear_line(tmp_path, capsys):
    assert main(["train-tokenizer", "--run", str(tmp_path), "--output", str(tmp_path / "own.json")]) == 1
    assert f"error: {tmp_path} has no filtered documents" in capsys.readouterr().err
