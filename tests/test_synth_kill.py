"""Killed again and again against a teacher that fails in every way: nothing is paid for twice, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.engine import read_commit
from tests.hostile_teacher import HostileTeacher
from tests.synth_process import CONCURRENCY, run_of
from tests.synth_runs import put_documents
from tests.topics import document_of, faq_of, topic_of


def make_killed(directory: Path, server: HostileTeacher, samples: int, kills: int, requests: int) -> int:
    """Starts the stage and kills it after every few answers, so many times, then lets it end. Returns how often."""
    killed = 0
    while True:
        before = sum(server.counts.answers.values())
        enough = before + max(1, requests // (kills + 1)) if killed < kills else sys.maxsize
        command = [sys.executable, "-m", "tests.synth_process", str(directory), server.url, str(samples)]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
            while process.poll() is None and sum(server.counts.answers.values()) < enough:
                time.sleep(0.002)
            if process.poll() is None:
                process.kill()
                killed += 1
                continue
            assert process.stderr
            assert process.returncode == 0, process.stderr.read()[-2000:]
            return killed


def parts_of(directory: Path, url: str, samples: int) -> list[tuple[str, str, object]]:
    """What the stage committed: the hashes of all its files."""
    commit = read_commit(run_of(directory, url, samples).directory("synth"))
    assert commit
    return [(part.name, part.sha256, part.side) for part in commit.parts]


@pytest.mark.parametrize(
    ("documents", "samples", "kills"), [(12, 20, 6), pytest.param(84, 60, 100, marks=pytest.mark.slow)]
)
def test_a_stage_that_is_killed_pays_for_nothing_twice_and_makes_what_an_undisturbed_one_makes(
    make_documents, tmp_path, documents, samples, kills
):
    texts = [document_of(n) for n in range(documents)]
    requests = len(texts) * samples
    made = {}
    for name, times in (("calm", 0), ("killed", kills)):
        directory = tmp_path / name / "run"
        with HostileTeacher(faults=0.2 if times else 0.0, seed=5, answer=lambda each: faq_of(topic_of(each))) as server:
            server.keeps = False
            put_documents(run_of(directory, server.url, samples), make_documents(*texts))
            assert make_killed(directory, server, samples, times, requests) == times
            made[name] = parts_of(directory, server.url, samples)
            counts = server.counts
            assert len(counts.answers) == requests
            assert sum(counts.answers.values()) <= requests + times * CONCURRENCY
            assert bool(counts.faults) == bool(times)
    assert made["killed"] == made["calm"]
