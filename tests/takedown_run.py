"""A whole small run for the tests of takedowns: the site farm, a teacher that quotes, and every format of export."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from manifests.synthesis import gates
from tests import runs
from tests.teacher_server import REWRITE, Answer, TeacherServer, completion

_NO_LIMITS = {rule.name: None for rule in gates()}
WORD = ("--who", "A. Reader", "--why", "asked by mail")


def quoting(request: dict[str, Any], _: int) -> Answer:
    """A rewrite that holds a sentence's worth of what it is made of."""
    words = request["messages"][1]["content"].partition("\n")[2].split()
    return completion(f"{REWRITE}\nIt is put thus: {' '.join(words[10:34])}\n")


def write_recipe(directory: Path, teacher: TeacherServer, **settings: Any) -> Path:
    """The small recipe with a teacher, all formats, and one source under another licence than the others."""
    recipe = yaml.safe_load(runs.SMALL.read_text())
    before, one, behind = (runs.SMALL.parent.parent / "farm" / "small.yaml").read_text().partition("id: small_libring")
    (directory / "sites.yaml").write_text(before + one + behind.replace("CC-BY-4.0", "MIT", 1))
    recipe["manifests"] = ["sites.yaml"]
    recipe["synth"] = {
        "teachers": {"m": {"urls": [teacher.url], "model": "m"}},
        "kinds": [{"kind": "faq", "teacher": "m", "limits": _NO_LIMITS}],
        "together": {"alike": 1.0, "same_phrase": 1.0},
    }
    recipe["tokenize"] |= {"shard_tokens": 4096, "validation": 0.1}
    recipe["export"] = {"formats": ["shards", "megatron", "mds", "text"], "text": "jsonl"}
    path = directory / "recipe.yaml"
    path.write_text(yaml.safe_dump({**recipe, **settings}))
    return path


def takedown(run: Path, *options: str, code: int | None = 0) -> str:
    """Gives the command; returns what it printed."""
    done = runs.syscorpus("takedown", "--run", run, *WORD, *options)
    assert code is None or done.returncode == code, done.stdout + done.stderr[-3000:]
    return done.stdout + done.stderr


def files_of(directory: Path) -> dict[str, tuple[str, int]]:
    """Hash and time of change of every file."""
    return {
        str(path.relative_to(directory)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def copied(run: Path, target: Path) -> Path:
    """A copy of a run, times of change and all."""
    shutil.copytree(run, target, copy_function=shutil.copy2)
    return target


def rows_of(run: Path, pattern: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of tables of a run."""
    return [row for path in sorted(run.glob(pattern)) for row in pq.ParquetFile(path).read(list(columns)).to_pylist()]


def record(run: Path) -> dict[str, Any]:
    """The last record."""
    (last,) = sorted((run / "takedowns").glob("*.json"))[-1:]
    told: dict[str, Any] = json.loads(last.read_text())
    return told


def environment() -> dict[str, str]:
    """For a process of a test's own that imports the project."""
    return {**os.environ, "PYTHONPATH": str(runs.REPOSITORY)}
