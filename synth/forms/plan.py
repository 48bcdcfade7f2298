"""All-gather plans for a topology that the document states; each is simulated."""

from __future__ import annotations

import re

from manifests.synthesis import Kind
from synth.checks.all_gather import PlanError, microseconds, previous_plan, read_plan, steps_of, topology_of
from synth.checks.answers import fenced, read_json, sentence
from synth.forms import Reading

_NUMBER = re.compile(r"(?<![0-9.])[0-9]{1,9}(?:\.[0-9]{1,6})?(?![0-9])")
_TIME = re.compile(r"(?<![0-9.])([0-9]{1,9}(?:\.[0-9]{1,6})?) {0,2}(?:us|µs|μs|microseconds?)\b")


def read(kind: Kind, answer: str, document: str) -> Reading:
    """An answer: {"plan": ["step 1: 0 -> 1 chunk 0", ...], "explanation": "..."}.

    Problems: broken_json, schema, no_topology (of the document), invalid_plan, no_better_plan (not faster than the
    previous one), wrong_latency (the explanation tells a time that neither the plan, a step of it, nor the document
    has).
    """
    value, problems = read_json(answer, kind.response_schema)
    if problems:
        return Reading("", problems)
    topology = topology_of(document)
    if topology is None:
        return Reading("", [("no_topology", "the document states no matrices of latency and bandwidth")])
    try:
        plan = read_plan(value["plan"])
        times = steps_of(topology, plan)
    except PlanError as error:
        return Reading("", [("invalid_plan", str(error))])
    try:
        before = previous_plan(document)
        previous = sum(steps_of(topology, before)) if before else None
    except PlanError as error:
        return Reading("", [("no_topology", f"the previous plan is none: {error}")])
    total = sum(times)
    if previous is not None and total >= previous:
        problems = [("no_better_plan", f"{microseconds(total)} us, before {microseconds(previous)} us")]
    told = {microseconds(time) for time in (*times, total)} | set(_NUMBER.findall(document))
    explanation = sentence(value["explanation"])
    for time in _TIME.findall(explanation):
        if time not in told:
            problems.append(("wrong_latency", f"{time} us"))
    gain = "" if previous is None else f", {microseconds(previous - total)} us less than before"
    steps = f"{len(times)} step{'s' if len(times) > 1 else ''}"
    parts = [
        document.strip(),
        "## Plan",
        fenced("\n".join(map(str, plan)), "text"),
        f"The plan has {steps} and takes {microseconds(total)} us{gain}. {explanation}",
    ]
    return Reading("\n\n".join(parts) + "\n", problems)
