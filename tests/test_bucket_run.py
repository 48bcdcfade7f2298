"""A run in a bucket: the same commands, the same shards, and nothing of it on the local disk but the crawl's scratch."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pyarrow.parquet as pq

from pipelines import storage
from pipelines.engine import read_commit
from tests import runs


def test_a_run_in_a_bucket_makes_the_same_shards(bucket: str, small_run: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    url = f"{bucket}/runs/small"
    done = runs.syscorpus("run", "--recipe", runs.SMALL, "--run", url, SYSCORPUS_SCRATCH=str(scratch))
    assert done.returncode == 0, done.stderr[-3000:]
    commit = read_commit(f"{bucket}/runs/small/dataset")
    assert commit is not None
    names = [name for name in storage.list_files(f"{bucket}/runs/small/dataset/shards") if name.endswith(".parquet")]
    found = {name: storage.sha256(f"{bucket}/runs/small/dataset/shards/{name}") for name in names}
    assert found == runs.shard_hashes(small_run)
    row = pq.read_table(io.BytesIO(storage.read_bytes(f"{bucket}/runs/small/dataset/shards/{names[0]}"))).slice(0, 1)
    assert row.num_rows == 1
    assert any(name.endswith(".warc.gz") for name in storage.list_files(f"{bucket}/runs/small/crawl"))
    again = runs.syscorpus(
        "run", "--recipe", runs.SMALL, "--run", f"{bucket}/runs/small", SYSCORPUS_SCRATCH=str(scratch)
    )
    assert "nothing to do" in again.stdout


def test_another_machine_goes_on_with_a_crawl_in_a_bucket(bucket: str, tmp_path: Path) -> None:
    """It has neither frontier nor WARC files, visits what is due, and the records of both machines stand in the run."""
    run = f"{bucket}/runs/moved"
    first, second = tmp_path / "first", tmp_path / "second"
    done = runs.syscorpus("crawl", "--recipe", runs.SMALL, "--run", run, SYSCORPUS_SCRATCH=str(first))
    assert done.returncode == 0, done.stderr[-3000:]
    before = read_commit(f"{run}/crawl")
    done = runs.syscorpus("crawl", "--again", "--recipe", runs.SMALL, "--run", run, SYSCORPUS_SCRATCH=str(second))
    assert done.returncode == 0, done.stderr[-3000:]
    after = read_commit(f"{run}/crawl")
    assert before is not None
    assert after is not None
    assert after.settings["generation"] == 2
    files = {each["name"]: each["sha256"] for each in after.extra["files"]}
    assert {each["name"]: each["sha256"] for each in before.extra["files"]}.items() < files.items()


def test_an_export_to_a_bucket_is_all_there_or_not_said_to_be(bucket: str, small_run: Path, tmp_path: Path) -> None:
    shutil.copytree(small_run, tmp_path / "run")
    recipe = tmp_path / "recipe.yaml"
    farm = runs.SMALL.parent.parent / "farm"
    recipe.write_text(runs.SMALL.read_text().replace("../farm", str(farm)) + f"\nexport: {{to: '{bucket}/corpus'}}\n")
    done = runs.syscorpus("run", "--recipe", recipe, "--run", tmp_path / "run")
    assert done.returncode == 0, done.stderr[-3000:]
    commit = read_commit(f"{bucket}/corpus")
    assert commit is not None
    there = set(storage.list_files(f"{bucket}/corpus"))
    for part in commit.parts:
        assert f"{part.name}.parquet" in there
        assert storage.sha256(f"{bucket}/corpus/{part.name}.parquet") == part.sha256
    assert {"tokenizer.json", "_commit.json"} <= there


def test_a_bucket_that_cannot_be_written_is_one_line_before_anything_is_fetched(bucket: str) -> None:
    done = runs.syscorpus("run", "--recipe", runs.SMALL, "--run", f"{bucket}-that-is-not-there/run")
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()
    assert "cannot be written" in line
