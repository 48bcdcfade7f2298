"""Processes that write to a store of responses, or remove from it, to be killed: one is forked for each line of JSON.

Prints the id of each, every key when it is kept, and how the process ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines import storage
from pipelines.synth import segments, store
from pipelines.synth.journal import Journal
from synth.request import Response
from tests.runs import REPOSITORY


def response(number: int, said: str = "", came: float = 0.0) -> Response:
    """An answer of some 20 bytes to 1 kB; `said` and `came` tell answers to one request apart."""
    body = f"{said}{number}:".encode() * (10 + number % 90)
    return Response(f"{number * 2654435761 % 2**32:08x}{number:056x}", 200, body, came + number, 1, 0.5)


def _die_before(steps: list[None], module: Any, name: str) -> None:
    """Kills this process before one of the calls of a function."""
    real = getattr(module, name)

    def step(*arguments: Any, **named: Any) -> Any:
        if not steps:
            os.kill(os.getpid(), signal.SIGKILL)
        steps.pop()
        return real(*arguments, **named)

    setattr(module, name, step)


def _child(told: dict[str, Any]) -> None:
    store._JOURNAL_BYTES, store._SYNC_S, segments.FEW = told.get("journal_bytes", 3000), 0.001, 3
    if "steps" in told:
        steps = [None] * told["steps"]
        for module, name in ((os, "replace"), (storage, "delete"), (Journal, "end")):
            _die_before(steps, module, name)
    place = store.Store(told["store"])
    if "remove" in told:
        place.remove(pa.array(told["remove"], pa.string()))
        return
    with place.writer() as writer:
        for number in told["numbers"]:
            answer = response(number, told.get("said", ""), told.get("came", 0.0))
            writer.keep(answer)
            os.write(1, f"{answer.key}\n".encode())


def main() -> None:
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                _child(json.loads(line))
            except Exception:  # noqa: BLE001
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        print(f"begun {pid}", flush=True)
        _, status = os.waitpid(pid, 0)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


# ---------------------------------------------------------------- the side of the tests


class Process:
    """Does one thing after the other, each in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._pid = 0

    def begin(self, place: Path | str, **told: Any) -> None:
        """Begins to write the answers `numbers`, or to `remove` keys. It dies before one of its `steps`, if told."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"store": str(place), **told}) + "\n")
        self._process.stdin.flush()
        word, _, pid = self._line().partition(" ")
        assert word == "begun"
        self._pid = int(pid)

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def kept(self) -> Iterator[str]:
        """Each key when it is kept, until the process has ended; `code` then says how."""
        while not (line := self._line()).startswith("ended "):
            assert line
            yield line
        self.code = int(line.partition(" ")[2])

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)


@contextmanager
def process() -> Iterator[Process]:
    command = [sys.executable, "-m", "tests.response_process"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, cwd=REPOSITORY, **pipes) as made:
        try:
            yield Process(made)
        finally:
            assert made.stdin
            made.stdin.close()


if __name__ == "__main__":
    main()
