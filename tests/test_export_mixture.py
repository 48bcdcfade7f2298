"""The mixture of an export: what is read is what was planned, and another weight moves no shard."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from pipelines.engine import read_commit
from pipelines.reader import PackedSequences
from pipelines.run import Run
from tests import corpora

MIXTURE = {
    "stages": [
        {
            "name": "stable",
            "lists": [
                {"lists": "qa_forums.*", "weight": 3},
                {"lists": "source_code_and_tests.*", "weight": 1},
            ],
            "budget": 12_000,
        },
        {"name": "anneal", "lists": [{"lists": "*.high.*", "epochs": 1.5}, {"lists": "qa_forums.*", "epochs": 0.25}]},
    ]
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that is tokenized."""
    directory = tmp_path_factory.mktemp("mixture") / "run"
    corpora.make(directory, corpora.documents(150))
    return directory


def mixed(made: Path, directory: Path, mixture: Mapping[str, Any]) -> Run:
    """The tokens of that run, to be exported with a mixture."""
    run = corpora.again(made, directory, formats=["shards", "megatron"], megatron={"weights": "epochs"})
    (directory / "mixture.yaml").write_text(yaml.safe_dump(dict(mixture)))
    return replace(run, recipe=run.recipe.model_copy(update={"mixture": "mixture.yaml"}))


def with_weight(weight: float) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(MIXTURE))
    changed["stages"][0]["lists"][0]["weight"] = weight
    return changed


def test_what_a_reader_reads_is_what_was_planned(made: Path, tmp_path: Path) -> None:
    directory = corpora.exported(mixed(made, tmp_path / "run", MIXTURE))
    told = json.loads((directory / "mixture.json").read_text())
    for stage in told["stages"]:
        sequences = PackedSequences(str(directory), stage=stage["name"])
        tokens: Counter[str] = Counter()
        for position in range(len(sequences)):
            tokens[sequences.where(position).split("/")[2]] += int(sequences.at(position)["loss_mask"].sum())
        assert dict(tokens) == {name: each["tokens"] for name, each in stage["lists"].items() if each["tokens"]}
        assert sum(tokens.values()) == stage["tokens"]
        assert sequences.drawn == {name: each["sequences"] for name, each in stage["lists"].items()}
    assert told["stages"][0]["tokens"] == pytest.approx(12_000, rel=0.02)  # in whole sequences of 128


def test_another_weight_changes_the_mixture_and_the_lists_and_nothing_else(made: Path, tmp_path: Path) -> None:
    first, second = (
        corpora.files(corpora.exported(mixed(made, tmp_path / str(weight), with_weight(weight)))) for weight in (3, 1)
    )
    assert first.keys() == second.keys()
    changed = {name for name in first if first[name] != second[name]}
    # What the cap leaves to the second stage depends on the first.
    assert changed - {"megatron/anneal.txt"} == {"mixture.json", "megatron/stable.txt"}


def test_another_weight_makes_no_shard_again(made: Path, tmp_path: Path) -> None:
    run = mixed(made, tmp_path / "run", with_weight(3))
    directory = corpora.exported(run)
    files = [path for pattern in ("*.parquet", "*.bin", "*.idx") for path in directory.rglob(pattern)]
    before = {path: path.stat().st_mtime_ns for path in files}
    (tmp_path / "run" / "mixture.yaml").write_text(yaml.safe_dump(with_weight(1)))
    corpora.exported(run)
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_documents_that_no_stage_reads_are_drops(made: Path, tmp_path: Path) -> None:
    directory = corpora.exported(mixed(made, tmp_path / "run", MIXTURE))
    commit = read_commit(str(directory))
    assert commit
    dropped = [row for path in directory.glob("dropped/**/*.parquet") for row in pq.read_table(path).to_pylist()]
    left_out = json.loads((directory / "mixture.json").read_text())["left_out"]
    assert left_out
    assert all(name.startswith("man_pages") for name in left_out)
    assert {row["reason"] for row in dropped} == {"mixture"}
    assert {(row["category"], row["stage"]) for row in dropped} == {("man_pages_cli_reference", "export")}
    tokenized = read_commit(str(made / "tokenize"))
    assert tokenized
    named = [part for part in tokenized.parts if part.name.split("/")[2] in left_out]
    assert commit.counts.dropped == {"mixture": len(named)}
    assert commit.counts.seen == len(tokenized.parts)
    assert len(dropped) == len({row["doc_id"] for row in dropped}) == sum(p.counts.extra["documents"] for p in named)
    assert not [name for name in corpora.lists(directory) if name.split("/")[1] in left_out]
