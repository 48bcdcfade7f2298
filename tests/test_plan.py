"""All-gather plans: a simulator says which are plans, and how long they take; seeds are the same on any machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.synthesis import load_kind
from synth.checks.all_gather import (
    PlanError,
    Topology,
    Transfer,
    microseconds,
    previous_plan,
    read_plan,
    steps_of,
    topology_of,
)
from synth.forms import read
from synth.seeds import all_gather_plans as known
from synth.seeds import make

KIND = load_kind("plan", Path("/"))
MAKERS = (known.ring, known.recursive_doubling, known.all_pairs, known.one_at_a_time, known.greedy)
SEEDS = list(make("topologies", 60, 3))


def switch(gpus: int, bandwidth: int = 100_000, alpha_ps: int = 1_000_000, port: int = 100_000) -> Topology:
    """All are linked with all."""
    links = [(a, b) for a in range(gpus) for b in range(gpus) if a != b]
    return Topology(gpus, 10**6, dict.fromkeys(links, alpha_ps), dict.fromkeys(links, bandwidth), (port,) * gpus)


def test_the_golden_example_is_what_the_simulator_makes_of_it():
    reading = read(KIND, KIND.example.answer, KIND.example.document)
    assert reading.problems == []
    assert reading.text == KIND.example.text


def test_times_are_those_of_the_model_by_hand():
    # 1 MB at 100 GB/s takes 10 us; latency 1 us.
    assert steps_of(switch(4), known.ring(switch(4))) == [11_000_000] * 3
    # Three transfers leave each port in one step: 1 us + 30 us.
    assert steps_of(switch(4), known.all_pairs(switch(4))) == [31_000_000]
    # Ports that are three times as fast as a link do not hold it up.
    assert steps_of(switch(4, port=300_000), known.all_pairs(switch(4))) == [11_000_000]
    # One chunk, then two over the same link.
    assert steps_of(switch(4), known.recursive_doubling(switch(4))) == [11_000_000, 21_000_000]
    assert microseconds(11_005_000) == "11.01"


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.id[:8])
def test_known_plans_are_valid_on_every_topology_that_has_their_links(seed):
    topology = topology_of(seed.text)
    assert topology is not None
    plans = [plan for maker in MAKERS if (plan := maker(topology))]
    assert plans
    for plan in plans:
        assert len(plan) == topology.gpus * (topology.gpus - 1)
        steps_of(topology, plan)


@given(st.sampled_from(SEEDS), st.sampled_from(MAKERS), st.data())
def test_a_plan_without_one_of_its_transfers_is_none(seed, maker, data):
    topology = topology_of(seed.text)
    plan = maker(topology)
    if plan:
        gone = data.draw(st.integers(0, len(plan) - 1))
        with pytest.raises(PlanError):
            steps_of(topology, [*plan[:gone], *plan[gone + 1 :]])


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 11))
def test_a_transfer_that_is_put_in_another_s_place_is_never_a_crash(sender, receiver, chunk, at):
    plan = known.ring(switch(4))
    plan[at] = replace(plan[at], sender=sender, receiver=receiver, chunk=chunk)
    try:
        steps_of(switch(4), plan)
    except PlanError as error:
        assert str(error)


def test_a_chunk_that_arrives_in_a_step_is_not_handed_on_in_the_same():
    plan = [Transfer(1, 0, 1, 0), Transfer(1, 1, 2, 0)]
    with pytest.raises(PlanError, match="GPU 1 does not hold chunk 0 before step 1"):
        steps_of(switch(3), plan)


@pytest.mark.parametrize(
    "lines",
    [
        ["step 2: 0 -> 1 chunk 0"],
        ["step 1: 0 -> 1 chunk 0", "step 3: 0 -> 1 chunk 0"],
        ["step 1: 0 to 1"],
        ["; rm -rf /"],
    ],
)
def test_lines_that_are_no_plan_say_which(lines):
    with pytest.raises(PlanError, match="line [12] is"):
        read_plan(lines)


def test_the_first_seeds_of_more_are_the_same():
    assert [each.id for each in make("topologies", 20, 3)] == [each.id for each in SEEDS[:20]]
    assert {each.id for each in make("topologies", 20, 4)}.isdisjoint(each.id for each in SEEDS[:20])


def test_a_plan_must_be_faster_than_the_one_to_improve_on():
    improved = [seed for seed in SEEDS if previous_plan(seed.text)]
    assert len(improved) > 10
    for seed in improved:
        topology = topology_of(seed.text)
        plans = sorted(
            (plan for maker in MAKERS if (plan := maker(topology))), key=lambda plan: sum(steps_of(topology, plan))
        )
        best, worst = plans[0], previous_plan(seed.text)
        assert read(KIND, answer_of(best), seed.text).problems == []
        assert [reason for reason, _ in read(KIND, answer_of(worst), seed.text).problems] == ["no_better_plan"]


def answer_of(plan: list[Transfer]) -> str:
    return json.dumps(
        {"plan": [str(each) for each in plan], "explanation": "Links of one step do not wait for another."}
    )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "broken_json"),
        ("{}", "schema"),
        (
            '{"plan": ["step 1: 0 -> 1 chunk 0", "step 1: 0 -> 1 chunk 0"], "explanation": "None of it is so."}',
            "invalid_plan",
        ),
        (KIND.example.answer.replace("0 -> 1 chunk 2", "1 -> 0 chunk 2"), "invalid_plan"),
        (KIND.example.answer.replace("Each GPU", "In 7.5 us each GPU"), "wrong_latency"),
    ],
)
def test_an_answer_that_is_no_plan_says_why(answer, reason):
    assert read(KIND, answer, KIND.example.document).problems[0][0] == reason


@pytest.mark.parametrize("text", ["", "No matrices.", "## Latency (us)\n", "## Data\n\nA chunk of 0 bytes.\n"])
def test_a_document_without_matrices_states_no_topology(text):
    assert topology_of(text) is None
    assert read(KIND, KIND.example.answer, text).problems[0][0] == "no_topology"


def test_a_time_that_is_only_a_part_of_a_number_of_the_document_does_not_count():
    plan = json.loads(KIND.example.answer)["plan"]
    for told, problems in (("23.00", []), ("1.5", []), ("00", [("wrong_latency", "00 us")])):
        answer = json.dumps({"plan": plan, "explanation": f"The plan takes {told} us, as every link is busy."})
        assert list(read(KIND, answer, KIND.example.document).problems) == problems


@given(st.integers(2, 7), st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=20))
def test_plans_for_any_links_reach_everybody_or_are_not_made(gpus, pairs):
    around = {(gpu, (gpu + 1) % gpus) for gpu in range(gpus)}
    links = sorted(around | {(a, b) for a, b in pairs if a != b and a < gpus and b < gpus})
    all_linked = switch(gpus)
    topology = replace(
        all_linked,
        alpha_ps={link: all_linked.alpha_ps[link] for link in links},
        bandwidth={link: all_linked.bandwidth[link] for link in links},
    )
    for make_plan in (known.greedy, known.one_at_a_time):
        plan = make_plan(topology)
        assert len(plan) == gpus * (gpus - 1)
        assert steps_of(topology, plan)
    cut = {link: alpha for link, alpha in topology.alpha_ps.items() if link[1] != 0}
    assert known.greedy(replace(topology, alpha_ps=cut)) is None
    assert known.one_at_a_time(replace(topology, alpha_ps=cut)) is None
