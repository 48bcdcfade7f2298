"""A run of synth as a process of its own, to be killed: `python -m tests.synth_process RUN URL SAMPLES`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manifests.models import Recipe
from pipelines.engine import read_commit
from pipelines.run import Run
from tests.corpora import InProcess, documents_of
from tests.hostile_teacher import Counts, HostileTeacher
from tests.synth_runs import make, parts_of, put_documents
from tests.topics import faq_of, topic_of

CONCURRENCY = 16
_LOOK_S = 0.002


def run_of(directory: Path, url: str, samples: int) -> Run:
    """The run in a directory: FAQs of all its documents, so many of each."""
    teacher = {"urls": [url], "model": "m", "concurrency": CONCURRENCY, "timeout_s": 2.0}
    synth = {"teachers": {"m": teacher}, "kinds": [{"kind": "faq", "teacher": "m", "samples": samples}]}
    recipe = Recipe.model_validate({"name": "killed", "manifests": ["none"], "synth": synth})
    return Run(str(directory), recipe, (), directory.parent)


@dataclass(frozen=True)
class Killed:
    """A run after its kills: the server's counts, and name, hash and side files of each part that was committed."""

    kills: int
    counts: Counts
    parts: list[tuple[str, str, object]]


def make_killed(directory: Path, texts: Sequence[str], samples: int, kills: int, faults: float) -> Killed:
    """Makes the stage in processes that are killed after every few answers, so many times; the last one ends itself.

    `faults`: the share of its calls that the teacher fails.
    """
    with HostileTeacher(faults, seed=5, answer=lambda request: faq_of(topic_of(request))) as server:
        server.keeps = False
        put_documents(run_of(directory, server.url, samples), documents_of(*texts))
        each = max(1, len(texts) * samples // (kills + 1))
        killed = 0
        while not _ends_itself(directory, server, samples, each if killed < kills else sys.maxsize):
            killed += 1
        commit = read_commit(run_of(directory, server.url, samples).directory("synth"))
        assert commit
        return Killed(killed, server.counts, parts_of(commit))


def _ends_itself(directory: Path, server: HostileTeacher, samples: int, answers: int) -> bool:
    """Starts a process, and kills it when the server has sent it so many answers."""
    enough = sum(server.counts.answers.values()) + answers
    command = [sys.executable, "-m", "tests.synth_process", str(directory), server.url, str(samples)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        while process.poll() is None and sum(server.counts.answers.values()) < enough:
            time.sleep(_LOOK_S)
        if process.poll() is None:
            process.kill()
            return False
        assert process.stderr
        assert process.returncode == 0, process.stderr.read()[-2000:]
        return True


if __name__ == "__main__":
    make(run_of(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])), InProcess())
