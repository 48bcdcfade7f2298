"""Processes to be killed: one is forked for each line of JSON, which says what it does and in which environment.

Prints the id of each, and how it ended.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3  # noqa: F401 - imported once, for all of them

from manifests.models import Recipe
from pipelines import storage, upload, upload_azure  # noqa: F401
from pipelines.engine import run_stage
from pipelines.export.stage import STAGE
from pipelines.run import Run


class Serial:
    """Runs jobs in this process."""

    def map(self, function: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        yield from enumerate(map(function, jobs))


def copy(source: str, target: str, part_bytes: int) -> None:
    upload.PART_BYTES = part_bytes
    storage.copy(source, target)


def export(shards: str, target: str) -> None:
    recipe = Recipe.model_validate({"name": "test", "manifests": ["none"], "export": {"to": target}})
    run_stage(Run("none", recipe, (), Path(), ("export",), (shards,)), STAGE, Serial())


def main() -> None:
    for line in sys.stdin:
        task = json.loads(line)
        pid = os.fork()
        if not pid:
            os.environ.update(task["environment"])
            try:
                {"copy": copy, "export": export}[task["what"]](*task["arguments"])
                os._exit(0)
            except BaseException:  # noqa: BLE001 - the fork must not go on with the loop
                traceback.print_exc()
                os._exit(1)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
