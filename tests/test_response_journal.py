"""The journal of a writer: what it was given is in it, whatever became of the writer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.synth import journal
from synth.request import Response
from tests.response_process import response

RESPONSES = st.builds(
    Response,
    key=st.text(max_size=70).filter(lambda key: key.isprintable()),
    status=st.integers(200, 599),
    body=st.binary(max_size=300),
    received_at=st.floats(0, 2e9),
    attempts=st.integers(1, 99),
    seconds=st.floats(0, 1e4),
)


def written(folder: Path, responses: list[Response]) -> Path:
    """The journal of a writer that is dead."""
    made = journal.create(folder)
    for each in responses:
        made.append(each)
    made.let_go()
    return made.path


@given(st.lists(RESPONSES, max_size=6))
def test_what_was_added_is_read_in_its_order(tmp_path_factory: pytest.TempPathFactory, responses: list) -> None:
    assert list(journal.read(written(tmp_path_factory.mktemp("journal"), responses))) == responses


def test_a_journal_torn_at_any_byte_has_the_whole_records_before(tmp_path: Path) -> None:
    responses = [response(number) for number in (1, 2, 3)]
    path = written(tmp_path / "whole", responses)
    content = path.read_bytes()
    ends = [path.stat().st_size for path in (written(tmp_path / str(n), responses[:n]) for n in range(4))]
    assert ends[-1] == len(content)
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        whole = sum(end <= size for end in ends[1:])
        assert list(journal.read(path)) == responses[:whole], size


def test_a_spoilt_byte_costs_one_record(tmp_path: Path) -> None:
    responses = [response(number) for number in (1, 2, 3)]
    path = written(tmp_path, responses)
    content = path.read_bytes()
    for at in range(16, len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x20]) + content[at + 1 :])
        read = list(journal.read(path))
        assert len(read) == 2, at
        assert set(read) < set(responses)


def test_zeros_behind_the_last_record_are_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, [response(1)])
    path.write_bytes(path.read_bytes() + bytes(5000))
    assert list(journal.read(path)) == [response(1)]
    path.write_bytes(bytes(5000))
    assert list(journal.read(path)) == []


def test_a_response_that_looks_like_a_record_is_none(tmp_path: Path) -> None:
    """A torn record whose body is a whole journal."""
    inner = written(tmp_path / "inner", [response(1), response(2)]).read_bytes()
    path = written(tmp_path / "outer", [response(3), Response("k", 200, inner + bytes(100), 1.0, 1, 1.0)])
    path.write_bytes(path.read_bytes()[:-50])
    assert list(journal.read(path)) == [response(3)]


def test_a_full_disk_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = journal.create(tmp_path)
    made.append(response(1))
    size = made.path.stat().st_size
    real, calls = os.write, []

    def write(descriptor: int, content: memoryview) -> int:
        calls.append(len(content))
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return real(descriptor, content[:30])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(OSError, match="No space"):
            made.append(response(2))
    assert made.path.stat().st_size == size
    made.append(response(3))
    assert list(journal.read(made.path)) == [response(1), response(3)]
    made.end()


def test_a_dead_writers_journal_is_found_once_and_a_living_ones_never(tmp_path: Path) -> None:
    living = journal.create(tmp_path)
    path = written(tmp_path, [response(1)])
    (found,) = journal.dead(tmp_path)
    assert found.path == path
    assert list(journal.dead(tmp_path)) == []
    found.end()
    assert journal.files(tmp_path) == [living.path]
    living.let_go()
    (found,) = journal.dead(tmp_path)
    assert found.path == living.path
    found.end()
    assert os.listdir(tmp_path) == []


def test_a_journal_that_ended_meanwhile_is_empty(tmp_path: Path) -> None:
    assert list(journal.read(tmp_path / "none.journal")) == []
    assert list(journal.dead(tmp_path / "none")) == []
