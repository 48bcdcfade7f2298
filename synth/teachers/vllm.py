"""vLLM's own server, started here, watched, and stopped; a teacher asks it as any other server.

Its server and not the engine in this process: so an engine that crashes takes nothing along, and what is said of
status, `finish_reason` and limits (`synth/teachers/openai.py`) holds for both.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from manifests.synthesis import Teacher

_LEASH = Path(__file__).with_name("leash.py")
_LOOK_S = 0.2
_START_S = 3600.0  # weights may be fetched first
_AGAIN_S = 5.0
_LAST_BYTES = 64 << 10
_LONGEST = 300  # characters of its words that are repeated
_SAYS_WHY = re.compile(r"^(?:.*\s)?([A-Z]\w*(?:Error|Exception)|\w+ error|error):? .+", re.IGNORECASE)
_STAMP = re.compile(r"^(?:\([^)]*\) )?(?:ERROR|INFO|WARNING) [\d-]+ [\d:.]+ (?:\[[^]]*\] )?")


class EngineFailed(Exception):
    """An engine that does not start; one line says why, as it said itself."""


def weights_of(teacher: Teacher, base: Path) -> str:
    """What a teacher's engine loads: a directory's whole path, or a name; `base`: what paths of its recipe are
    relative to."""
    assert teacher.engine
    weights = teacher.engine.weights or teacher.model
    return str((base / weights).resolve()) if (base / weights).is_dir() else weights


@contextmanager
def serving(teacher: Teacher, weights: str, key: str, host: str) -> Iterator[str]:
    """An engine while the block runs: its URL, up to and including /v1, from when it answers. Raises EngineFailed.

    `key`: what it asks its callers for; `host`: the address of this machine that they reach. One that dies is started
    again in its place.
    """
    port = _free_port(host)
    with tempfile.TemporaryFile() as log:
        process = _Process(_command(teacher, weights, host, port), key, log)
        try:
            process.wait(host, port)
            yield f"http://{host}:{port}/v1"
        finally:
            process.stop()


class _Process:
    """The server's process. A thread starts it, and starts it again when it has ended."""

    def __init__(self, command: Sequence[str], key: str, log: IO[bytes]) -> None:
        self._command, self._log = command, log
        self._environment = {**os.environ, "VLLM_API_KEY": key, "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
        self._stopping = threading.Event()
        self._process = self._start()
        self._watching: threading.Thread | None = None

    def wait(self, host: str, port: int) -> None:
        """Until it answers. Raises EngineFailed where it ends before, or takes an hour."""
        until = time.monotonic() + _START_S
        while not _answers(host, port):
            code = self._process.poll()
            if code is not None:
                raise EngineFailed(f"its engine ended with code {code} before it answered: {self._last_words()}")
            if time.monotonic() > until:
                raise EngineFailed(f"its engine did not answer within {_START_S:.0f} s: {self._last_words()}")
            time.sleep(_LOOK_S)
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()

    def stop(self) -> None:
        """Ends it, and waits until it is gone."""
        self._stopping.set()
        if self._watching:
            self._watching.join()
        self._let_go()

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                self._process.wait(_LOOK_S)
            except subprocess.TimeoutExpired:
                continue
            if not self._stopping.wait(_AGAIN_S):
                self._let_go()
                self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self._log.seek(0)
        self._log.truncate()
        return subprocess.Popen(
            [sys.executable, "-I", str(_LEASH), *self._command],
            stdin=subprocess.PIPE, stdout=self._log, stderr=subprocess.STDOUT, env=self._environment,
        )  # fmt: skip

    def _let_go(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _last_words(self) -> str:
        """The line of its output that says most of why it ended."""
        end = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, end - _LAST_BYTES))
        lines = [_STAMP.sub("", line).strip() for line in self._log.read().decode("utf-8", "replace").splitlines()]
        lines = [line for line in lines if line]
        causes = [line for line in lines if _SAYS_WHY.match(line) and "root cause" not in line]
        return (causes or lines or ["no word"])[-1][:_LONGEST]


def _command(teacher: Teacher, weights: str, host: str, port: int) -> list[str]:
    """What is run. Raises EngineFailed where program or weights are not there."""
    engine = teacher.engine
    assert engine
    program = shutil.which(engine.command)
    if program is None:
        raise EngineFailed(
            f"{socket.gethostname()} has no program {engine.command!r}: install vLLM there, or name its path in "
            "engine.command"
        )
    if os.path.isabs(weights) and not os.path.isdir(weights):
        raise EngineFailed(f"{socket.gethostname()} has no directory {weights}: put the weights there")
    options: dict[str, bool | int | float | str] = {
        "host": host,
        "port": port,
        "served-model-name": teacher.model,
        "tensor-parallel-size": max(1, engine.gpus),
        # What the weights' own file has for temperature and others would be in no request's key.
        "generation-config": "vllm",
        "enable-prompt-tokens-details": True,
        "disable-uvicorn-access-log": True,  # a line for each request
        **engine.options,
    }
    if engine.gpus > 1:
        options.setdefault("distributed-executor-backend", "mp")
    if teacher.context is not None:
        options["max-model-len"] = teacher.context
    if teacher.revision and not Path(weights).is_dir():
        options["revision"] = teacher.revision
    return [program, "serve", weights, *(word for option in options.items() for word in _words(*option))]


def _words(name: str, value: bool | int | float | str) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    return [f"--{name}", str(value)]


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _answers(host: str, port: int) -> bool:
    """Whether the server says that it is well."""
    connection = http.client.HTTPConnection(host, port, timeout=5.0)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
