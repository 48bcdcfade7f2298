"""A child that hangs, crashes, grows or lies costs one call, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import sandbox as sandboxes
from pipelines.sandbox import ROOT, Failed, Killed, Sandbox, kept

TARGET = "tests.sandbox_targets:misbehave"
MIB = 1 << 20


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(TARGET, max_cpu_s=0.2, max_memory_bytes=256 * MIB) as made:
        yield made


def echo(sandbox: Sandbox, text: str = "hello") -> int:
    """Check that the sandbox works, and give the child's process id."""
    answer = sandbox.call({"do": "echo"}, text.encode())
    assert answer["text"] == text
    pid: int = answer["pid"]
    return pid


@pytest.mark.parametrize(
    ("deed", "reason", "detail"),
    [
        ("loop", "cpu_time", "0.2 s"),
        ("abort", "crashed", f"signal {signal.SIGABRT:d}"),
        ("segfault", "crashed", f"signal {signal.SIGSEGV:d}"),
        ("exit", "crashed", "exit status 3"),
        ("sleep", "wall_time", "0.0 s of CPU"),
        ("close", "crashed", "signal 9"),
    ],
)
def test_death_costs_one_call(sandbox: Sandbox, deed: str, reason: str, detail: str) -> None:
    before = echo(sandbox)
    with pytest.raises(Killed) as caught:
        sandbox.call({"do": deed}, b"")
    assert caught.value.reason == reason
    assert detail in caught.value.detail
    assert echo(sandbox) != before
    assert not Path(f"/proc/{before}").exists()


def test_a_huge_allocation_costs_one_call() -> None:
    with Sandbox(TARGET, max_cpu_s=20, max_memory_bytes=256 * MIB) as sandbox:
        before = echo(sandbox)
        with pytest.raises(Killed) as caught:
            sandbox.call({"do": "allocate"}, b"")
        assert caught.value.reason == "memory"
        assert echo(sandbox) != before


def test_exception_comes_back_and_the_child_lives(sandbox: Sandbox) -> None:
    before = echo(sandbox)
    with pytest.raises(Failed) as caught:
        sandbox.call({"do": "raise", "message": "no such thing: é\n"}, b"")
    assert (caught.value.type, caught.value.message) == ("ValueError", "no such thing: é\n")
    with pytest.raises(Failed, match="Unicode"):
        sandbox.call({"do": "surrogate"}, b"")
    assert echo(sandbox) == before


def test_prints_do_not_reach_the_protocol(sandbox: Sandbox) -> None:
    assert sandbox.call({"do": "print"}, b"") == {}
    echo(sandbox)


def test_large_payloads_and_answers() -> None:
    text = "é\n" * (5 * MIB)
    with Sandbox(TARGET, max_cpu_s=20, max_memory_bytes=1024 * MIB) as sandbox:
        answer = sandbox.call({"do": "echo"}, text.encode())
    assert answer["text"] == text


def test_body_larger_than_the_pipe_to_a_child_that_does_not_read(sandbox: Sandbox) -> None:
    pid = echo(sandbox)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(Killed, match="wall_time"):
        sandbox.call({"do": "echo"}, b"x" * (20 * MIB))
    echo(sandbox)


def test_a_child_that_has_grown_is_replaced() -> None:
    with Sandbox(TARGET, max_cpu_s=5, max_memory_bytes=400 * MIB) as sandbox:
        grown = sandbox.call({"do": "grow", "bytes": 150 * MIB}, b"")["pid"]
        assert echo(sandbox) != grown


def test_a_child_killed_between_calls_is_replaced(sandbox: Sandbox) -> None:
    pid = echo(sandbox)
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.05)
    assert echo(sandbox) != pid


def test_a_target_that_cannot_be_loaded_is_an_error() -> None:
    with (
        Sandbox("tests.no_such_module:f", max_cpu_s=1, max_memory_bytes=256 * MIB) as sandbox,
        pytest.raises(RuntimeError, match="no_such_module"),
    ):
        sandbox.call({}, b"")


def test_close_leaves_no_child() -> None:
    with Sandbox(TARGET, max_cpu_s=1, max_memory_bytes=256 * MIB) as sandbox:
        pid = echo(sandbox)
    assert not Path(f"/proc/{pid}").exists()


def test_the_next_job_of_a_process_goes_on_with_the_child_of_the_last() -> None:
    with kept(TARGET, max_cpu_s=1, max_memory_bytes=256 * MIB) as sandbox:
        pid = echo(sandbox)
    with kept(TARGET, max_cpu_s=1, max_memory_bytes=256 * MIB) as sandbox:
        assert echo(sandbox) == pid
        with kept(TARGET, max_cpu_s=1, max_memory_bytes=256 * MIB) as beside:
            assert echo(beside) != pid
    with kept(TARGET, max_cpu_s=2, max_memory_bytes=256 * MIB) as sandbox:
        assert echo(sandbox) != pid
    assert not Path(f"/proc/{pid}").exists()


def test_a_child_that_no_job_comes_for_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandboxes, "KEPT_S", 0.05)
    with kept(TARGET, max_cpu_s=1, max_memory_bytes=256 * MIB) as sandbox:
        pid = echo(sandbox)
    assert _ends(pid)


def test_a_child_is_called_by_the_thread_that_it_dies_with(sandbox: Sandbox) -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(echo(sandbox)))
    thread.start()
    thread.join()
    pid = echo(sandbox)
    assert found[0] != pid == echo(sandbox)


def test_the_child_dies_with_its_parent() -> None:
    script = (
        "from pipelines.sandbox import Sandbox\n"
        f"s = Sandbox({TARGET!r}, max_cpu_s=60, max_memory_bytes=1 << 28)\n"
        "print(s.call({'do': 'echo'}, b'')['pid'], flush=True)\n"
        "s.call({'do': 'loop'}, b'')\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert _ends(pid)


def _ends(pid: int) -> bool:
    """Whether it is gone soon."""
    deadline = time.monotonic() + 10
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_call_is_cheap(sandbox: Sandbox) -> None:
    """Loose: a mistake that sleeps or polls costs 50 ms a call; a call takes about 0.1 ms."""
    echo(sandbox)
    best = min(_seconds(sandbox) for _ in range(200))
    assert best < 0.005


def _seconds(sandbox: Sandbox) -> float:
    began = time.perf_counter()
    sandbox.call({"do": "echo"}, b"x")
    return time.perf_counter() - began
