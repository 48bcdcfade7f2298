"""Each stage as a tool on plain files, and the stages by name through make."""

from __future__ import annotations

import gzip
import json
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.engine import read_commit
from tests import runs

pytestmark = pytest.mark.usefixtures("on_head")

_WORDS = [
    "kernel",
    "scheduler",
    "page",
    "cache",
    "inode",
    "socket",
    "buffer",
    "latency",
    "throughput",
    "cgroup",
    "quota",
    "mount",
    "raid",
    "journal",
]


def _text(seed: int, words: int = 120) -> str:
    chance = random.Random(seed)
    lines = [" ".join(chance.choices(_WORDS, k=12)) for _ in range(words // 12)]
    return f"# Page {seed}\n\n" + ".\n".join(lines) + f".\n\n```sh\nsysctl -w vm.dirty_ratio={seed}\n```\n"


def _rows(directory: Path, pattern: str = "part-*.parquet") -> list[dict[str, object]]:
    return [row for path in sorted(directory.glob(pattern)) for row in pq.ParquetFile(path).read().to_pylist()]


def _alone(stage: str, output: Path, *inputs: object, recipe: Path | None = None) -> str:
    options = [each for one in inputs for each in ("--input", one)] + (["--recipe", recipe] if recipe else [])
    done = runs.syscorpus(stage, *options, "--output", output, "--workers", 2)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows with nothing but text in three formats; two texts stand twice, and one is too short to keep."""
    directory = tmp_path_factory.mktemp("plain")
    texts = [_text(number) for number in range(20)]
    pq.write_table(pa.table({"text": [*texts[:8], "too short"]}), directory / "a.parquet")
    rows = [{"id": f"row {number}", "text": text} for number, text in enumerate(texts[6:14])]
    (directory / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with gzip.open(directory / "c.jsonl.gz", "wt") as stream:
        stream.writelines(
            json.dumps({"text": text, "category": "books_courses_tutorials"}) + "\n" for text in texts[14:]
        )
    return directory


def test_classify_alone_adds_every_column(plain: Path, tmp_path: Path) -> None:
    _alone("classify", tmp_path / "out", plain / "a.parquet", plain / "*.jsonl")
    rows = _rows(tmp_path / "out")
    assert len(rows) == 17
    assert all(row["words"] and row["signature"] and row["fold_hash"] for row in rows)
    assert {row["language"] for row in rows if row["words"] > 10} == {"en"}  # type: ignore[operator]


def test_dedup_alone_takes_several_inputs_and_keeps_one_of_each(plain: Path, tmp_path: Path) -> None:
    printed = _alone("dedup", tmp_path / "out", plain / "*.parquet", plain / "*.jsonl", plain / "*.gz")
    assert len(_rows(tmp_path / "out")) == 21
    assert [row["reason"] for row in _rows(tmp_path / "out", "dropped/*.parquet")] == ["duplicate"] * 2
    assert "duplicate 2" in printed


def test_filter_tokenize_and_export_follow_on_each_other(plain: Path, tmp_path: Path) -> None:
    _alone("filter", tmp_path / "filtered", plain / "*.parquet", plain / "*.gz")
    assert len(_rows(tmp_path / "filtered")) == 14
    assert [row["reason"] for row in _rows(tmp_path / "filtered", "dropped/*.parquet")] == ["too_few_words"]
    _alone("tokenize", tmp_path / "tokens", tmp_path / "filtered" / "part-*.parquet")
    lists = {path.parent.name for path in (tmp_path / "tokens" / "shards").rglob("*.parquet")}
    assert lists == {"uncategorised.low.natural", "books_courses_tutorials.low.natural"}
    _alone(
        "export",
        tmp_path / "sent",
        tmp_path / "tokens" / "shards" / "train" / "uncategorised.low.natural" / "*.parquet",
    )
    for folder in ("shards", "index/shards"):
        [sent] = (tmp_path / "sent" / folder).rglob("*.parquet")
        made = tmp_path / "tokens" / sent.relative_to(tmp_path / "sent")
        assert sent.read_bytes() == made.read_bytes()


def test_synth_alone_without_a_teacher_says_so(plain: Path, tmp_path: Path) -> None:
    assert "asks for no kinds" in _alone("synth", tmp_path / "out", plain / "a.parquet")


def test_extract_alone_reads_pages_and_markdown(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "page.html").write_text(
        "<html><title>T</title><main><h1>T</h1><pre>ls  -l\n</pre></main></html>"
    )
    (tmp_path / "in" / "note.md").write_text("# Note\n\nText.\n")
    _alone("extract", tmp_path / "out", tmp_path / "in" / "*")
    assert sorted(str(row["text"]) for row in _rows(tmp_path / "out")) == [
        "# Note\n\nText.\n",
        "# T\n\n```\nls  -l\n```\n",
    ]


def test_crawl_alone_needs_a_contact(tmp_path: Path) -> None:
    done = runs.syscorpus("crawl", "--input", "http://127.0.0.1:9/docs/", "--output", tmp_path / "out")
    assert done.returncode == 1
    assert "crawl.contact" in done.stderr


@pytest.mark.parametrize("name", ["b.jsonl", "c.jsonl.gz", "a.parquet"])
def test_a_damaged_file_is_read_to_the_damage(plain: Path, tmp_path: Path, name: str) -> None:
    content = (plain / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) * 2 // 3])
    _alone("extract", tmp_path / "out", tmp_path / name)
    [row] = _rows(tmp_path / "out", "quarantine/*.parquet")
    assert row["reason"] == "malformed_row"
    commit = read_commit(str(tmp_path / "out"))
    assert commit is not None
    assert commit.counts.seen == commit.counts.rows + 1


def test_columns_of_a_row_are_checked_before_they_become_names(tmp_path: Path) -> None:
    rows = [
        {"text": _text(1), "category": "../../etc"},
        {"text": 7},
        {"text": _text(2), "opt_out": "x"},
        {"text": _text(3), "title": "1.2.\u00a0Pages"},
        [1],
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "{not json\n")
    _alone("extract", tmp_path / "out", tmp_path / "rows.jsonl")
    assert len(_rows(tmp_path / "out")) == 1
    assert len(_rows(tmp_path / "out", "quarantine/*.parquet")) == 5


def test_an_output_that_holds_other_files_is_left_alone(plain: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.parquet"
    pq.write_table(pa.table({"text": [_text(1)]}), mine)
    before = mine.read_bytes()
    done = runs.syscorpus("dedup", "--input", mine, "--output", tmp_path)
    assert done.returncode == 1
    assert "not ours (mine.parquet)" in done.stderr
    assert mine.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["extract", "--input", "/nowhere/*.warc.gz", "--output", "OUT"], "no file matches"),
        (["extract", "--input", __file__, "--output", "ftp://x/y"], "unknown scheme"),
        (["dedup", "--recipe", str(runs.SMALL), "--run", "OUT"], "crawl is not committed"),
        (["report", "--run", "OUT"], "is not a run"),
        (["run", "--recipe", "nowhere.yaml", "--run", "OUT"], "there is no such file"),
    ],
)
def test_bad_input_is_one_clear_line(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = runs.syscorpus(*[str(tmp_path / "out") if each == "OUT" else each for each in arguments])
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert said in done.stderr.strip().splitlines()[-1]


def test_make_brings_the_stages_that_a_stage_needs(tmp_path: Path) -> None:
    command = ["make", "--no-print-directory", "-j4", "crawl", "extract", "dedup"]
    settings = [f"RECIPE={runs.SMALL}", f"RUN={tmp_path / 'run'}", f"BIN={Path(sys.executable).parent}"]
    done = subprocess.run([*command, *settings], cwd=runs.REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert set(runs.commits(tmp_path / "run")) == {"crawl", "extract", "classify", "dedup"}


def test_without_apt_the_demo_says_so_and_uses_the_small_farm(tmp_path: Path) -> None:
    demo = runs.SMALL.with_name("demo.yaml")
    (tmp_path / "bin").mkdir()
    environment = {"PATH": str(tmp_path / "bin"), "SYSCORPUS_SCRATCH": str(tmp_path / "scratch")}
    for words in ("using small.yaml instead", "nothing to do"):
        done = runs.syscorpus("run", "--recipe", demo, "--run", tmp_path / "run", **environment)
        assert done.returncode == 0, done.stderr[-2000:]
        assert len([line for line in done.stderr.splitlines() if "using small.yaml instead" in line]) == 1
        assert words in done.stdout + done.stderr
    assert all("small_" in part.name for part in runs.commits(tmp_path / "run")["crawl"].parts)


def test_ctrl_c_stops_cleanly_and_the_same_command_resumes(tmp_path: Path) -> None:
    process = subprocess.Popen(
        runs.command("run", "--recipe", runs.SMALL, "--run", tmp_path / "run"),
        cwd=runs.REPOSITORY, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stderr
    lines = []
    for line in process.stderr:
        lines.append(line)
        if re.match(r"extract +[\d,]+ records", line):  # a stage is committed, and more are to come
            process.send_signal(signal.SIGINT)
            break
    lines += process.stderr.readlines()
    assert process.wait(timeout=60) == 130
    assert "the same command resumes" in lines[-1]
    assert not [line for line in lines if "Traceback" in line]
    assert "extract" in runs.commits(tmp_path / "run")
    runs.make_run(runs.SMALL, tmp_path / "run")


def test_peak_memory_follows_the_part_and_not_the_corpus(tmp_path: Path) -> None:
    """Law 5: four times the documents in four times the parts."""
    peaks = {}
    for times in (1, 4):
        recipe = tmp_path / f"{times}.yaml"
        recipe.write_text(f"name: x\nmanifests: [{runs.REPOSITORY}/manifests/farm/small.yaml]\nparts: {4 * times}\n")
        for file in range(2 * times):
            rows = ({"text": _text(file * 1000 + number, 3000)} for number in range(250))
            path = tmp_path / str(times) / f"{file}.jsonl"
            path.parent.mkdir(exist_ok=True)
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        _alone("classify", tmp_path / f"out-{times}", tmp_path / str(times) / "*.jsonl", recipe=recipe)
        for stage, directory in (("extract", "_work/extract"), ("classify", "")):
            commit = read_commit(str(tmp_path / f"out-{times}" / directory))
            assert commit is not None
            peaks[stage, times] = commit.peak_memory
    assert peaks["extract", 4] < 1.25 * peaks["extract", 1]
    assert peaks["classify", 4] < 1.25 * peaks["classify", 1]
