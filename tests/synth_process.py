"""A run of synth as a process of its own, to be killed: `python -m tests.synth_process RUN URL SAMPLES`."""

from __future__ import annotations

import sys
from pathlib import Path

from manifests.models import Recipe
from pipelines.run import Run
from tests.corpora import InProcess
from tests.synth_runs import make

CONCURRENCY = 16


def run_of(directory: Path, url: str, samples: int) -> Run:
    """The run in a directory: FAQs of all its documents, so many of each."""
    teacher = {"urls": [url], "model": "m", "concurrency": CONCURRENCY, "timeout_s": 2.0}
    synth = {"teachers": {"m": teacher}, "kinds": [{"kind": "faq", "teacher": "m", "samples": samples}]}
    recipe = Recipe.model_validate({"name": "killed", "manifests": ["none"], "synth": synth})
    return Run(str(directory), recipe, (), directory.parent)


if __name__ == "__main__":
    make(run_of(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])), InProcess())
