"""The engine with a stage of our own and real workers: what is made, what is kept, and what is refused."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import storage
from pipelines.engine import (
    Input,
    Job,
    Result,
    Stage,
    StageError,
    Work,
    is_current,
    parts_before,
    read_commit,
    run_stage,
)
from pipelines.parts import Counts, Part, find_part, read_table, write_part

NAMES = ("part-0", "part-1", "part-2", "part-3")


def write_numbers(job: Job) -> Part:
    """Writes `rows` numbers, drops one, and notes that it ran."""
    Path(job.spec["notes"], job.name).open("a").write(f"{os.getpid()}\n")
    rows = job.spec["rows"]
    counts = Counts(seen=rows + 1, consumed=rows, rows=rows, dropped={"odd": 1})
    table = pa.table({"number": list(range(rows))})
    return write_part(job.directory, job.name, job.key, table, counts, {"dropped": table.slice(0, 1)})


def die_once(job: Job) -> Part:
    """Kills its own process at the first try of one part."""
    mark = Path(job.spec["notes"], "died")
    if job.name == "part-1" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return write_numbers(job)


def die_always(job: Job) -> Part:
    """Never comes back."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def fail(job: Job) -> Part:
    """An error of ours, or of somebody else's."""
    raise StageError("the teacher is away; run again") if job.spec["ours"] else ValueError("bad row 7")


class OddError(Exception):
    """One that pickles, and does not unpickle."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{what} at {where}")


def fail_at_length(job: Job) -> Part:
    """An error of two lines."""
    raise ValueError("bad row 7\nof this table")


def fail_oddly(job: Job) -> Part:
    """An error of a class that does not travel."""
    raise OddError("bad row", "7")


def square(number: int) -> int:
    """A job that is no part."""
    return number * number


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Where jobs note that they ran: a file for each name, a line for each time."""
    path = tmp_path / "notes"
    path.mkdir()
    return path


def ran(notes: Path) -> dict[str, int]:
    """How often each job ran since the last question."""
    found = {path.name: len(path.read_text().splitlines()) for path in sorted(notes.iterdir())}
    for path in notes.iterdir():
        path.unlink()
    return found


def stage_of(notes: Path, function=write_numbers, rows=3, names=NAMES, **changes) -> Stage:
    def make(work: Work) -> Result:
        spec = {"rows": rows, "notes": str(notes), "ours": changes.get("ours", True)}
        parts = work.make([work.job(function, "", name, [rows], spec) for name in names])
        return Result(parts, Counts.total([part.counts for part in parts]), {"said": "so"})

    return Stage(
        "toy", changes.get("version", 1), "number", lambda run: [], lambda run: {"rows": rows, "names": names}, make
    )


def test_a_stage_is_made_once_and_its_commit_says_all(make_run, pool, notes):
    run = make_run()
    commit, made = run_stage(run, stage_of(notes), pool)
    assert made
    assert ran(notes) == dict.fromkeys(NAMES, 1)
    assert [part.name for part in commit.parts] == list(NAMES)
    assert commit.counts == Counts(seen=16, consumed=12, rows=12, dropped={"odd": 4})
    assert commit.extra == {"said": "so"}
    assert (commit.stage, commit.version, commit.unit, commit.settings["rows"]) == ("toy", 1, "number", 3)
    assert commit.peak_memory > 1 << 20
    assert {"syscorpus", "python", "pyarrow"} <= set(commit.software)
    assert run_stage(run, stage_of(notes), pool)[1] is False
    assert ran(notes) == {}


def test_a_commit_reads_back_as_it_was_written(make_run, pool, notes):
    run = make_run()
    commit, _ = run_stage(run, stage_of(notes), pool)
    again = read_commit(run.directory("toy"))
    assert again is not None
    assert replace(again, parts=tuple(again.parts), settings={}) == replace(
        commit, parts=tuple(commit.parts), settings={}
    )
    assert read_commit(run.directory("other")) is None


def test_parts_do_not_change_with_the_way_they_were_made(make_run, pool, notes, tmp_path):
    commit, _ = run_stage(make_run(), stage_of(notes), pool)
    other = replace(make_run(), url=str(tmp_path / "other"))
    run_stage(other, stage_of(notes, names=NAMES[:2]), pool)
    again, _ = run_stage(other, stage_of(notes), pool)
    assert again.parts == commit.parts


@pytest.mark.parametrize("lost", ["part-2.parquet", "dropped/part-2.parquet"])
def test_only_what_is_missing_is_made_again(make_run, pool, notes, lost):
    run = make_run()
    commit, _ = run_stage(run, stage_of(notes), pool)
    ran(notes)
    storage.delete(storage.join(run.directory("toy"), lost))
    again, made = run_stage(run, stage_of(notes), pool)
    assert made
    assert ran(notes) == {"part-2": 1}
    assert again.parts == commit.parts


def test_a_stage_without_commit_keeps_its_parts(make_run, pool, notes):
    run = make_run()
    run_stage(run, stage_of(notes), pool)
    ran(notes)
    storage.delete(storage.join(run.directory("toy"), "_commit.json"))
    assert run_stage(run, stage_of(notes), pool)[1]
    assert ran(notes) == {}


@pytest.mark.parametrize("change", [{"rows": 4}, {"version": 2}])
def test_another_key_makes_every_part_again(make_run, pool, notes, change):
    run = make_run()
    run_stage(run, stage_of(notes), pool)
    ran(notes)
    commit, made = run_stage(run, stage_of(notes, **change), pool)
    assert made
    assert ran(notes) == dict.fromkeys(NAMES, 1)
    assert all(
        read_table(f"{run.directory('toy')}/{part.name}.parquet").num_rows == part.counts.rows for part in commit.parts
    )


def test_another_content_of_an_input_is_another_key(make_run, pool, notes):
    run = make_run()
    keys = set()
    for content in ("a", "b"):
        stage = replace(stage_of(notes), inputs=lambda run, content=content: [Input("in", "/in", content, None)])
        keys.add(Work(run, stage, pool).key)
    moved = replace(stage_of(notes), inputs=lambda run: [Input("in", "/elsewhere", "a", 7)])
    assert len(keys) == 2
    assert Work(run, moved, pool).key in keys


def test_parts_of_an_earlier_making_and_temporaries_are_removed(make_run, pool, notes):
    run = make_run()
    directory = Path(run.directory("toy"))
    run_stage(run, stage_of(notes), pool)
    (directory / ".part-9.parquet.123.tmp").touch()
    (directory / "dropped" / ".part-9.parquet.123.tmp").touch()
    (directory / "_steps").mkdir()
    (directory / "_steps" / "part-9.parquet").touch()
    (directory / "readme.txt").touch()
    run_stage(run, stage_of(notes, names=NAMES[:1]), pool)
    assert storage.list_files(str(directory)) == [
        "_begun.json",
        "_commit.json",
        "_steps/part-9.parquet",
        "dropped/part-0.parquet",
        "part-0.parquet",
        "readme.txt",
    ]


def test_a_file_that_no_stage_wrote_is_not_removed(make_run, pool, notes):
    run = make_run()
    theirs = Path(run.directory("toy"), "mine.parquet")
    theirs.parent.mkdir(parents=True)
    pq.write_table(pa.table({"text": ["not ours"]}), theirs)
    try:
        run_stage(run, stage_of(notes), pool)
    except StageError:
        pass
    assert theirs.exists()


# ---------------------------------------------------------------- refusals


def test_a_commit_whose_fates_do_not_add_up_is_refused(make_run, pool, notes):
    run = make_run()
    stage = replace(stage_of(notes), make=lambda work: Result([], Counts(seen=2, consumed=1)))
    with pytest.raises(AssertionError, match="toy: 2 inputs have 1 fates"):
        run_stage(run, stage, pool)
    assert read_commit(run.directory("toy")) is None


@pytest.mark.parametrize(("seen", "fits"), [(7, True), (6, False), (8, False), (0, False)])
def test_documents_that_were_not_read_are_refused(make_run, pool, notes, seen, fits):
    run = make_run()
    stage = replace(
        stage_of(notes),
        unit="document",
        inputs=lambda run: [Input("a", "/a", "a", 3), Input("b", "/b", "b", 4)],
        make=lambda work: Result([], Counts(seen=seen, consumed=seen)),
    )
    if fits:
        assert run_stage(run, stage, pool)[1]
    else:
        with pytest.raises(AssertionError, match=f"toy: read {seen} documents of 7"):
            run_stage(run, stage, pool)
        assert read_commit(run.directory("toy")) is None


def test_a_stage_that_fails_takes_back_the_commit_that_was_there(make_run, pool, notes):
    run = make_run()
    run_stage(run, stage_of(notes), pool)
    with pytest.raises(StageError):
        run_stage(run, stage_of(notes, fail, rows=9), pool)
    assert read_commit(run.directory("toy")) is None


def test_a_stage_whose_input_is_not_committed_says_what_to_run(make_run):
    with pytest.raises(StageError, match="filter: dedup is not committed in .*; run dedup first"):
        parts_before(make_run(), "filter")


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize(
    ("ours", "expected"), [(True, "toy: the teacher is away; run again"), (False, "toy: ValueError: bad row 7")]
)
def test_a_job_that_fails_is_one_clear_line(make_run, pool, notes, ours, expected):
    with pytest.raises(StageError) as caught:
        run_stage(make_run(), stage_of(notes, fail, ours=ours), pool)
    assert str(caught.value) == expected


@pytest.mark.parametrize("function", [fail_at_length, fail_oddly])
def test_odd_errors_of_a_job_are_one_clear_line_too(make_run, pool, notes, function):
    with pytest.raises(StageError) as caught:
        run_stage(make_run(), stage_of(notes, function), pool)
    assert "bad row" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_worker_that_is_killed_is_replaced_and_the_stage_completes(make_run, pool, notes):
    run = make_run()
    commit, made = run_stage(run, stage_of(notes, die_once), pool)
    assert made
    assert (notes / "died").exists()
    assert [part.name for part in commit.parts] == list(NAMES)
    assert is_current(Work(run, stage_of(notes, die_once), pool)) == read_commit(run.directory("toy"))


def test_a_worker_that_dies_again_and_again_is_one_line_and_parts_that_were_made_stay(make_run, pool, notes):
    run = make_run()
    run_stage(run, stage_of(notes, names=NAMES[:2]), pool)
    with pytest.raises(StageError, match=r"^toy: ") as caught:
        run_stage(run, stage_of(notes, die_always), pool)
    assert "\n" not in str(caught.value)
    key = Work(run, stage_of(notes), pool).job(write_numbers, "", "part-0", [3], {}).key
    assert find_part(run.directory("toy"), "part-0", key) is not None


def test_results_come_with_the_index_of_their_job(pool):
    jobs = list(range(9))
    assert sorted(pool.map(square, jobs)) == [(number, number * number) for number in jobs]
    assert list(pool.map(square, [])) == []
