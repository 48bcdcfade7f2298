"""A parser in a process of its own, which may be killed.

The parent sends a call through a pipe and waits for the answer; whenever none has come for a moment it
looks at the child's CPU time and memory. CPU time, not the clock: a busy machine decides nothing. The
clock only ends a child that sleeps for good. Nothing that the child writes is executed or unpickled.

The child dies with the thread that started it; another thread's call starts one of its own.
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import importlib
import json
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

ROOT = Path(__file__).resolve().parents[1]
LOOK_S = 0.05
WALL_PER_CPU = 20.0
START_CPU_S = 60.0
KEPT_MEMORY_SHARE = 0.25
KEPT_S = 5.0  # seconds that a child waits for the next job of its process
MAX_ANSWER_BYTES = 1 << 30

_FRAME = struct.Struct("<QQ")  # bytes of the JSON header, bytes of the payload
_CHUNK = 1 << 20
_F_SETPIPE_SZ = 1031
_PR_SET_PDEATHSIG = 1
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGESIZE")

Function = Callable[[dict[str, Any], bytes], dict[str, Any]]


class Killed(Exception):
    """The child is gone without an answer: `cpu_time`, `memory`, `wall_time` or `crashed`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Failed(Exception):
    """The function raised an exception; the child lives on. `type` is the name of its class."""

    def __init__(self, type: str, message: str) -> None:
        super().__init__(f"{type}: {message}")
        self.type = type
        self.message = message


class Sandbox:
    """A child process that calls one function, started at the first call and again after each death.

    target: `module:function`, a literal of our own code, never data; the function takes a header and a
    payload and returns what JSON can say. max_cpu_s: per call, seconds; max_memory_bytes: resident.
    """

    def __init__(self, target: str, *, max_cpu_s: float, max_memory_bytes: int) -> None:
        self.target = target
        self.max_cpu_s = max_cpu_s
        self.max_memory_bytes = max_memory_bytes
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = threading.current_thread()  # that started it

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, header: dict[str, Any], payload: bytes) -> dict[str, Any]:
        """What the function answers. Raises `Killed` or `Failed`; the next call works in any case."""
        child = self._ready_child()
        head = json.dumps(header).encode()
        try:
            frame = _FRAME.pack(len(head), len(payload)) + head
            answer = self._exchange(child, [frame, payload], self.max_cpu_s)
        except BaseException:
            self._kill()
            raise
        if "failed" in answer:
            raise Failed(*answer["failed"])
        result: dict[str, Any] = answer["result"]
        return result

    def close(self) -> None:
        """End the child, if there is one."""
        self._kill()

    def _ready_child(self) -> subprocess.Popen[bytes]:
        """A child that waits for a call; a new one if the last has grown: no call pays for another."""
        if self._child is not None:
            usage = _usage(self._child.pid)
            unfit = usage is None or usage[1] > KEPT_MEMORY_SHARE * self.max_memory_bytes
            if unfit or self._thread is not threading.current_thread():
                self._kill()
        if self._child is None:
            self._child = self._start()
        return self._child

    def _start(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        # A fixed hash seed: no library's order of a set may change what comes out.
        environment = os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "0"}
        command = [sys.executable, "-m", "pipelines.sandbox", self.target]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, bufsize=0)
        self._child, self._thread = child, threading.current_thread()
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            _widen(pipe.fileno())
        try:
            answer = self._exchange(child, [], START_CPU_S)
        except BaseException:
            self._kill()
            raise
        if "failed" in answer:
            self._kill()
            raise RuntimeError(f"sandbox cannot load {self.target}: {': '.join(answer['failed'])}")
        return child

    def _kill(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        child.wait()

    def _exchange(self, child: subprocess.Popen[bytes], out: list[bytes], max_cpu_s: float) -> dict[str, Any]:
        """Send the buffers and wait for one answer, with an eye on the child."""
        assert child.stdin is not None and child.stdout is not None
        watch = _Watch(child.pid, max_cpu_s, self.max_memory_bytes)
        pending = [memoryview(part) for part in out if part]
        read = bytearray()
        poll = select.poll()
        poll.register(child.stdout.fileno(), select.POLLIN)
        if pending:
            poll.register(child.stdin.fileno(), select.POLLOUT)
        while (answer := _answer(read)) is None:
            events = poll.poll(LOOK_S * 1000)
            watch.look()
            for descriptor, _ in events:
                if descriptor == child.stdout.fileno():
                    part = os.read(descriptor, _CHUNK)
                    if not part:
                        raise Killed("crashed", _manner_of_death(child))
                    read += part
                elif not _write(descriptor, pending):
                    poll.unregister(descriptor)
        return answer


class _Idle:
    """The sandbox that the last job of this process has left to the next one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: tuple[Sandbox, threading.Timer] | None = None

    def take(self, target: str, max_cpu_s: float, max_memory_bytes: int) -> Sandbox:
        """That one, if it is such a one; otherwise a new one."""
        left = self._pop()
        if left is not None:
            if (left.target, left.max_cpu_s, left.max_memory_bytes) == (target, max_cpu_s, max_memory_bytes):
                return left
            left.close()
        return Sandbox(target, max_cpu_s=max_cpu_s, max_memory_bytes=max_memory_bytes)

    def leave(self, sandbox: Sandbox) -> None:
        """Leaves it to whoever comes soon."""
        self.end()
        timer = threading.Timer(KEPT_S, self.end, [sandbox])
        timer.daemon = True
        with self._lock:
            self._left = sandbox, timer
        timer.start()

    def end(self, only: Sandbox | None = None) -> None:
        """Ends what was left, if there is something; `only`: unless it is another."""
        if (left := self._pop(only)) is not None:
            left.close()

    def _pop(self, only: Sandbox | None = None) -> Sandbox | None:
        with self._lock:
            if self._left is None or (only is not None and self._left[0] is not only):
                return None
            (sandbox, timer), self._left = self._left, None
        timer.cancel()
        return sandbox


_idle = _Idle()
atexit.register(_idle.end)


@contextmanager
def kept(target: str, *, max_cpu_s: float, max_memory_bytes: int) -> Iterator[Sandbox]:
    """A `Sandbox` whose child the next job of this process goes on with: to start one takes two seconds of a core."""
    sandbox = _idle.take(target, max_cpu_s, max_memory_bytes)
    try:
        yield sandbox
    finally:
        _idle.leave(sandbox)


class _Watch:
    """Limits of one call, looked at no more than every `LOOK_S` seconds."""

    def __init__(self, pid: int, max_cpu_s: float, max_memory_bytes: int) -> None:
        self.pid = pid
        self.max_cpu_s = max_cpu_s
        self.max_memory_bytes = max_memory_bytes
        usage = _usage(pid)
        self.cpu_before = usage[0] if usage else 0.0
        self.began = self.looked = time.monotonic()

    def look(self) -> None:
        """Raise `Killed` if a limit is passed."""
        now = time.monotonic()
        if now - self.looked < LOOK_S:
            return
        self.looked = now
        usage = _usage(self.pid)
        if usage is None:  # it has just died: the pipe will say so
            return
        cpu = usage[0] - self.cpu_before
        if cpu > self.max_cpu_s:
            raise Killed("cpu_time", f"more than {self.max_cpu_s:g} s")
        if usage[1] > self.max_memory_bytes:
            raise Killed("memory", f"more than {self.max_memory_bytes} bytes")
        if now - self.began > self.max_cpu_s * WALL_PER_CPU:
            raise Killed("wall_time", f"more than {self.max_cpu_s * WALL_PER_CPU:g} s, {cpu:.1f} s of CPU")


def _usage(pid: int) -> tuple[float, int] | None:
    """CPU seconds (user and system) and resident bytes of a process; None if it is dead."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in (b"Z", b"X"):
        return None
    return (int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE


def _write(descriptor: int, pending: list[memoryview]) -> bool:
    """Write what the pipe takes; whether something is left."""
    try:
        while pending:
            written = os.write(descriptor, pending[0])
            pending[0] = pending[0][written:]
            if not pending[0]:
                pending.pop(0)
    except BlockingIOError:
        return True
    except BrokenPipeError:  # the other pipe will say how it died
        return False
    return False


def _answer(read: bytearray) -> dict[str, Any] | None:
    """The answer, once all of it is there."""
    if len(read) < _FRAME.size:
        return None
    size, _ = _FRAME.unpack_from(read)
    if size > MAX_ANSWER_BYTES:
        raise Killed("crashed", "malformed answer")
    if len(read) < _FRAME.size + size:
        return None
    try:
        answer: dict[str, Any] = json.loads(read[_FRAME.size :])
    except ValueError:
        raise Killed("crashed", "malformed answer") from None
    return answer


def _manner_of_death(child: subprocess.Popen[bytes]) -> str:
    child.kill()  # it may have closed the pipe and still live; a dead one does not mind
    code = child.wait()
    return f"signal {-code}" if code < 0 else f"exit status {code}"


def _widen(descriptor: int) -> None:
    """A pipe of 1 MiB where the system allows it: fewer switches for a large body."""
    try:
        fcntl.fcntl(descriptor, _F_SETPIPE_SZ, _CHUNK)
    except OSError:
        return


# ---------------------------------------------------------------- the child


def serve(target: str) -> None:
    """Answer calls on stdin and stdout until stdin ends. Runs in the child only."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    calls = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # what a library prints must not reach the protocol
    try:
        function = _load(target)
    except Exception as error:  # noqa: BLE001 - said to the parent
        _send(answers, _failure(error))
        return
    _send(answers, b'{"result": {}}')
    while frame := calls.read(_FRAME.size):
        head_size, payload_size = _FRAME.unpack(frame)
        header = json.loads(calls.read(head_size))
        _send(answers, _call(function, header, calls.read(payload_size)))


def _load(target: str) -> Function:
    module, _, name = target.partition(":")
    function: Function = getattr(importlib.import_module(module), name)
    return function


def _call(function: Function, header: dict[str, Any], payload: bytes) -> bytes:
    try:
        return json.dumps({"result": function(header, payload)}, ensure_ascii=False).encode()
    except Exception as error:  # noqa: BLE001 - said to the parent
        return _failure(error)


def _failure(error: Exception) -> bytes:
    return json.dumps({"failed": [type(error).__name__, str(error)]}).encode()


def _send(answers: BinaryIO, answer: bytes) -> None:
    answers.write(_FRAME.pack(len(answer), 0))
    answers.write(answer)
    answers.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
