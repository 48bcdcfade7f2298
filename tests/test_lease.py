"""Two commands that make stages of one run never overlap: two processes, a file system, and a bucket."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines import conditional, lease, storage
from pipelines.lease import LEASE, LeaseError, held
from tests import runs
from tests.blob_server import blob_server

_HOLD = """
import sys
from pipelines.lease import held
with held(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
print("let go", flush=True)
"""


@contextmanager
def holding(url: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lease of a run until its input is closed, or it is killed."""
    command = [sys.executable, "-c", _HOLD, url]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=runs.REPOSITORY
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of an empty container of Azure's protocol."""
    with blob_server() as address:
        account = f"AccountName=account;AccountKey=a2V5;BlobEndpoint={address}/account;"
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", account)
        yield "az://container"


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of an empty bucket of Google's protocol."""
    with blob_server() as address:
        monkeypatch.setenv("CLOUD_STORAGE_EMULATOR_ENDPOINT", address)
        yield "gs://container"


@pytest.fixture(params=["directory", "bucket", "azure", "google"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a run may lie."""
    return f"{tmp_path if request.param == 'directory' else request.getfixturevalue(request.param)}/run"


def test_a_second_command_is_told_who_holds_the_run_and_goes_on_when_it_is_let_go(place: str) -> None:
    with holding(place) as other:
        with pytest.raises(LeaseError, match=f"is being made by process {other.pid} on .* since 20"), held(place):
            pass
        out, _ = other.communicate()
        assert out == "let go\n"
    for _ in range(2):  # it is free, and is free again
        with held(place):
            pass


def test_another_run_is_not_held(place: str) -> None:
    with holding(place), held(f"{place}-other"):
        pass


def test_kill_9_of_the_holder_frees_a_directory_at_once(tmp_path: Path) -> None:
    with holding(str(tmp_path)) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
        with held(str(tmp_path)):
            pass


def test_kill_9_of_the_holder_frees_a_bucket_with_its_term(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with holding(bucket) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
        with pytest.raises(LeaseError, match=r"should that process be dead, its lease ends in 1\d\d s"), held(bucket):
            pass
        monkeypatch.setattr(lease, "_TERM_S", 0.0)
        with held(bucket):
            assert json.loads(storage.read_bytes(f"{bucket}/{LEASE}"))["pid"] != other.pid


def test_one_of_many_takes_a_lease_that_has_ended(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with holding(bucket):
        pass  # killed
    monkeypatch.setattr(lease, "_TERM_S", 0.0)
    place = conditional.conditional_object(f"{bucket}/{LEASE}")
    found = place.read()
    assert found
    place.write(b"{}", found.etag)
    with pytest.raises(conditional.Changed):
        place.write(b"{}", found.etag)
    with pytest.raises(conditional.Changed):
        place.write(b"{}", None)


@pytest.mark.parametrize("store", ["azure", "google"])
def test_other_stores_are_held_as_a_bucket_is(
    store: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = request.getfixturevalue(store)
    monkeypatch.setattr(lease, "_RENEW_S", 0.01)
    place = conditional.conditional_object(f"{url}/{LEASE}")
    with held(url):
        while json.loads(_content_of(place))["renewals"] < 3:
            pass
    assert _content_of(place) == b""
    with holding(url) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
        monkeypatch.setattr(lease, "_TERM_S", 0.0)
        with held(url):
            assert json.loads(_content_of(place))["pid"] != other.pid


def _content_of(place: conditional.ConditionalObject) -> bytes:
    found = place.read()
    assert found
    return found.content


def test_a_lease_is_renewed(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_RENEW_S", 0.01)
    with held(bucket):
        while json.loads(storage.read_bytes(f"{bucket}/{LEASE}"))["renewals"] < 3:
            pass
    assert storage.read_bytes(f"{bucket}/{LEASE}") == b""


def test_a_command_whose_lease_was_taken_over_stops(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_RENEW_S", 0.01)
    with pytest.raises(LeaseError, match="its lease was taken over by process 7 on elsewhere"), held(bucket):
        other = lease.Holder("0", "elsewhere", 7, "2026-01-01T00:00:00Z")
        storage.write_bytes(f"{bucket}/{LEASE}", lease._content(other))
        threading.Event().wait(5)  # interrupted; in a thread beside the main one, told at its end


def test_a_command_that_cannot_renew_for_a_term_stops(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_RENEW_S", 0.01)
    monkeypatch.setattr(lease, "_TERM_S", 0.1)
    with pytest.raises(LeaseError, match="its lease could not be renewed"), held(bucket):
        monkeypatch.setattr(conditional._S3Object, "write", _out_of_reach)
        threading.Event().wait(5)


def _out_of_reach(*_: object) -> str:
    raise storage.StorageError("out of reach")


def test_an_answer_that_was_lost_does_not_lose_the_lease(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client asks again when an answer is lost; its own first writing then fails the condition."""
    write = conditional._S3Object.write

    def twice(place: conditional._S3Object, content: bytes, etag: str | None) -> str:
        write(place, content, etag)
        return write(place, content, etag)

    monkeypatch.setattr(conditional._S3Object, "write", twice)
    monkeypatch.setattr(lease, "_RENEW_S", 0.01)
    with held(bucket):
        while json.loads(storage.read_bytes(f"{bucket}/{LEASE}"))["renewals"] < 3:
            pass


def test_a_bucket_that_keeps_no_conditions_is_said(
    bucket: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(conditional._S3Object, "write", lambda *_: "")
    with held(bucket):
        pass
    assert "no lease is kept in this bucket" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "extract"])
def test_commands_of_a_run_that_is_held_are_one_line(command: str, tmp_path: Path) -> None:
    with holding(str(tmp_path)) as other:
        done = runs.syscorpus(command, "--recipe", runs.SMALL, "--run", tmp_path)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert f"{tmp_path}: is being made by process {other.pid}" in line
    assert [path.name for path in tmp_path.iterdir()] == [LEASE]


def test_a_stage_alone_holds_its_output(tmp_path: Path) -> None:
    (tmp_path / "page.jsonl").write_text('{"text": "a page"}\n')
    with holding(str(tmp_path / "out" / "_work")):
        done = runs.syscorpus("filter", "--input", tmp_path / "page.jsonl", "--output", tmp_path / "out")
    assert done.returncode == 1
    assert "is being made by" in done.stderr
