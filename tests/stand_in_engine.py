"""Stands in for the program `vllm`: its command line, its key, its /health, and answers of a faithful teacher.

A directory that `write` makes takes the place of weights. Each start leaves a file there that says how, and who.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.teacher_server import Answer, TeacherServer, completion
from tests.topics import faq_of, topic_of

_ROOT = Path(__file__).parents[1]


def write(directory: Path, dies_of: int | None = None, fails: str = "") -> tuple[Path, Path]:
    """The program, and its weights. `dies_of`: the topic at which it dies, once; `fails`: its last words at its start."""
    weights = directory / "weights"
    weights.mkdir(parents=True)
    (weights / "config.json").write_text(json.dumps({"dies_of": dies_of, "fails": fails}))
    program = directory / "vllm"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={_ROOT} exec {sys.executable} -m {__spec__.name} "$@"\n')
    program.chmod(0o755)
    return program, weights


def starts(weights: Path) -> list[dict[str, Any]]:
    """Of each start the arguments that it was given, and the processes that it was."""
    return [json.loads(path.read_text()) for path in sorted(weights.glob("start-*.json"))]


def _main(weights: Path, arguments: list[str]) -> None:
    settings = json.loads((weights / "config.json").read_text())
    if settings["fails"]:
        sys.exit(f"(EngineCore pid=7) INFO 11-29 08:00:00 [core.py:1] loading\n{settings['fails']}")
    worker = subprocess.Popen(["sleep", "1000"])  # as an engine has some
    options = dict(zip(arguments[::2], arguments[1::2], strict=False))  # flags without a value stand behind these
    with (weights / f"start-{os.getpid()}.json").open("x") as file:
        json.dump({"arguments": arguments, "pids": [os.getpid(), worker.pid]}, file)

    def answer(request: dict[str, Any], before: int) -> Answer:
        topic = topic_of(request)
        if topic == settings["dies_of"] and not (weights / "died").exists():
            (weights / "died").touch()
            os._exit(1)
        with (weights / "answers").open("a") as file:
            file.write(f"{topic}\n")
        return completion(faq_of(topic), usage=(100, 40, 50))

    TeacherServer(answer, (options["--host"], int(options["--port"])), os.environ["VLLM_API_KEY"])
    threading.Event().wait()


if __name__ == "__main__":
    _main(Path(sys.argv[2]), sys.argv[3:])
