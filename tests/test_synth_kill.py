"""Killed again and again against a teacher that fails in every way: nothing is paid for twice, and nothing is lost."""

from __future__ import annotations

from tests.synth_process import CONCURRENCY, make_killed
from tests.topics import document_of


def test_a_stage_that_is_killed_pays_for_nothing_twice_and_makes_what_an_undisturbed_one_makes(tmp_path):
    texts, samples, kills = [document_of(n) for n in range(12)], 20, 6
    calm = make_killed(tmp_path / "calm" / "run", texts, samples, kills=0, faults=0.0)
    killed = make_killed(tmp_path / "killed" / "run", texts, samples, kills, faults=0.2)
    requests = len(texts) * samples
    assert sum(calm.counts.answers.values()) == len(calm.counts.answers) == len(killed.counts.answers) == requests
    assert killed.kills == kills and killed.counts.faults
    assert sum(killed.counts.answers.values()) <= requests + kills * CONCURRENCY
    assert killed.parts == calm.parts
