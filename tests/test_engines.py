"""Engines of a teacher: started on Ray's machines, asked, watched, and gone when they are no longer wanted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from manifests.synthesis import Teacher
from pipelines.engine import StageError
from pipelines.run import Run
from synth.request import body_of, request_key
from synth.teachers import leash
from tests import stand_in_engine
from tests.synth_runs import make, put_documents, rows_of
from tests.topics import document_of

FAQ = {"kind": "faq", "teacher": "m"}


@pytest.fixture
def run_with(make_run, make_documents, tmp_path):
    """A run whose teacher has engines; options of the stand-in, of the engine and of the recipe."""

    def make_it(number: int = 6, engine: dict[str, Any] | None = None, **stand_in: Any) -> tuple[Run, Path]:
        program, weights = stand_in_engine.write(tmp_path / "engine", **stand_in)
        settings = {"command": str(program), "weights": str(weights), "gpus": 0, **(engine or {})}
        teachers = {"m": {"model": "tiny", "engine": settings, "context": 4096}}
        run = make_run(synth={"teachers": teachers, "kinds": [FAQ], "patience_s": 60.0})
        put_documents(run, make_documents(*(document_of(n) for n in range(number))))
        return run, weights

    return make_it


def is_there(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_engines_are_started_for_a_plan_and_gone_with_all_that_they_started(run_with, pool) -> None:
    run, weights = run_with(engine={"number": 2, "options": {"max-num-seqs": 8, "enforce-eager": True}})
    assert len(rows_of(run, make(run, pool))) == 6
    started = stand_in_engine.starts(weights)
    assert len(started) == 2
    for each in started:
        said = " ".join(each["arguments"])
        for words in (
            "--host 127.0.0.1 ",
            "--served-model-name tiny",
            "--max-model-len 4096",
            "--max-num-seqs 8",
            "--enforce-eager",
        ):
            assert words in said
        assert not any(is_there(pid) for pid in each["pids"])


def test_a_plan_that_is_answered_starts_nothing(run_with, pool, tmp_path) -> None:
    run, weights = run_with()
    make(run, pool)
    os.rename(run.directory("synth"), tmp_path / "away")
    make(run, pool)
    assert len(stand_in_engine.starts(weights)) == 1
    assert len((weights / "answers").read_text().split()) == 6


def test_an_engine_that_dies_is_started_again_in_its_place_and_nothing_is_lost(run_with, pool) -> None:
    run, weights = run_with(dies_of=3)
    assert len(rows_of(run, make(run, pool))) == 6
    first, again = stand_in_engine.starts(weights)
    assert first["arguments"] == again["arguments"]
    assert not any(is_there(pid) for pid in [*first["pids"], *again["pids"]])


@pytest.mark.parametrize(
    ("engine", "fails", "said"),
    [
        (
            {},
            "ValueError: Free memory is low\n  See above\nRuntimeError: See root cause above.",
            "ended with code 1 before it answered: ValueError: Free memory is low",
        ),
        ({"command": "no-such-program"}, "", "has no program 'no-such-program': install vLLM there, or name its path"),
        ({"weights": "/no/such/weights"}, "", "has no directory /no/such/weights: put the weights there"),
        ({"gpus": 3}, "", "needs 3 GPUs, and Ray has 0"),
        ({"number": 9}, "", "needs 9 CPUs, and Ray has 2"),
    ],
)
def test_what_keeps_engines_from_starting_is_one_line(run_with, pool, engine, fails, said) -> None:
    run, _ = run_with(engine=engine, fails=fails)
    with pytest.raises(StageError) as raised:
        make(run, pool)
    assert str(raised.value).startswith("synth: teacher m: ") and said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_teachers_that_do_not_fit_beside_each_other_are_asked_one_after_another(
    make_run, make_documents, pool, tmp_path
):
    teachers = {}
    for name in ("a", "b"):
        program, weights = stand_in_engine.write(tmp_path / name)
        engine = {"command": str(program), "weights": str(weights), "gpus": 0, "number": 2}
        teachers[name] = {"model": name, "engine": engine}
    run = make_run(synth={"teachers": teachers, "kinds": [{"kind": "faq", "teacher": name} for name in teachers]})
    put_documents(run, make_documents(*(document_of(n) for n in range(4))))
    make(run, pool)
    for name in teachers:
        assert len((tmp_path / name / "weights" / "answers").read_text().split()) == 4


def test_engines_that_wait_for_machines_stop_when_they_are_told_to(pool) -> None:
    stop = threading.Event()
    stop.set()
    with pool.held(_nothing, 1, {"CPU": 99.0}, 60.0, stop) as held:
        assert held == []


def _nothing(address: str) -> Any:
    raise AssertionError(address)


@pytest.mark.parametrize("killed", ["holder", "holder and leash"])
def test_what_a_leash_holds_goes_with_whoever_held_it(killed: str) -> None:
    holder = subprocess.Popen([sys.executable, "-c", _HOLDER, leash.__file__], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    leashed, *held = sorted(int(holder.stdout.readline()) for _ in range(3))
    assert all(is_there(pid) for pid in held)
    if killed == "holder and leash":
        os.kill(leashed, signal.SIGKILL)
    holder.kill()
    assert holder.stdout.read() == ""  # its processes hold the other end until the last is gone
    holder.wait()
    assert not any(is_there(pid) for pid in held)


_HOLDER = """
import subprocess, sys, threading
shell = "sleep 1000 & echo $$; echo $!; wait"
leash = subprocess.Popen([sys.executable, "-I", sys.argv[1], "sh", "-c", shell], stdin=subprocess.PIPE)
print(leash.pid, flush=True)
threading.Event().wait()
"""


def test_an_option_that_may_change_answers_makes_another_teacher_and_one_that_places_work_does_not() -> None:
    def key(**options: Any) -> str:
        teacher = Teacher.model_validate({"model": "m", "engine": {"options": options}})
        return request_key(teacher, body_of(teacher, [{"role": "user", "content": "x"}], 10))

    plain = request_key(teacher := Teacher(model="m", urls=["http://h/v1"]), body_of(teacher, [{"role": "user", "content": "x"}], 10))  # fmt: skip
    assert key() == plain
    assert key(**{"max-num-seqs": 9, "gpu-memory-utilization": 0.5}) == plain
    assert len({plain, key(quantization="fp8"), key(quantization="awq")}) == 3


@pytest.mark.parametrize(
    ("teacher", "said"),
    [
        ({"engine": {}, "urls": ["http://h/v1"]}, "give one of urls, url_variable and engine"),
        ({"engine": {}, "api": "batch"}, "an engine has neither batches nor a key"),
        ({"engine": {"options": {"port": 1}}}, "port is set by what else the teacher says"),
        ({"engine": {"options": {"--dtype": "half"}}}, "'--dtype' is no name of an option"),
    ],
)
def test_an_engine_that_cannot_be_is_told_so(teacher: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Teacher.model_validate({"model": "m", **teacher})
