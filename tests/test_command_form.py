"""Command lines by a teacher parse, and have only programs and options of the document."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.synthesis import load_kind
from synth import gates
from synth.forms import read
from synth.forms.command import check
from synth.needs import meets

KIND = load_kind("command", Path("/"))
DOCUMENT = KIND.example.document


def test_the_golden_example_is_read_as_it_should_be():
    assert all(meets(need, DOCUMENT) for need in KIND.needs)
    reading = read(KIND, KIND.example.answer, DOCUMENT)
    assert reading.problems == []
    assert reading.text == KIND.example.text


@pytest.mark.parametrize(
    "command",
    [
        "ringdump",
        "ringdump -n 5 | head -20 | sort",
        "sudo ringdump -kz --device=/dev/a > 'my file'",
        "ringdump -n5 --keep-going 2>/dev/null",
        "/usr/bin/ringdump -z -- - | wc",
    ],
)
def test_what_the_document_has_may_be_used(command):
    assert check(command, DOCUMENT) == []


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("ringdump -x", "unknown_option"),
        ("ringdump -kx", "unknown_option"),
        ("ringdump --keep", "unknown_option"),
        ("ringdump --keep-going-on", "unknown_option"),
        ("ringdump -q5", "unknown_option"),
        ("ringread -z", "other_program"),
        ("ringdump -z | gzip", "other_program"),
        ("echo hello", "other_program"),
        ("ringdump -z |", "broken_command"),
        ("ringdump 'one", "broken_command"),
        ("ringdump $(", "broken_command"),
    ],
)
def test_what_it_does_not_have_is_told(command, reason):
    assert [each for each, _ in check(command, DOCUMENT)] == [reason]


@given(st.text(max_size=200))
def test_no_answer_is_a_crash(text):
    read(KIND, text, DOCUMENT)
    item = {"request": "Show what there is of it.", "command": text, "explanation": "It shows all that there is."}
    read(KIND, json.dumps({"items": [item]}), DOCUMENT)


@pytest.mark.parametrize("name", ["command", "plan", "kql"])
def test_no_gate_rejects_the_golden_example(name):
    kind = load_kind(name, Path("/"))
    source, text = (pa.array([each], pa.large_string()) for each in (kind.example.document, kind.example.text))
    assert gates.judge(gates.measure(source, text), kind.limits) == [[]]
