"""The same commands on a cluster: a real Ray head on loopback, reached by `RAY_ADDRESS` and by `ray job submit`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import runs

_BIN = Path(sys.executable).parent


@pytest.fixture
def expected(small_run: Path) -> dict[str, str]:
    """The shards of a run without a cluster."""
    return runs.shard_hashes(small_run)


@pytest.mark.slow  # a submitted run compiles its kernels anew
def test_a_submitted_run_makes_the_same_shards(head: dict[str, str], expected: dict[str, str], tmp_path: Path) -> None:
    run = tmp_path / "submitted"
    done = subprocess.run(
        ["make", "--no-print-directory", "submit", f"RAY_ADDRESS={head['jobs']}", f"RECIPE={runs.SMALL.relative_to(runs.REPOSITORY)}",
         f"RUN={run}", f"CLUSTER_PYTHON={sys.executable}", f"BIN={_BIN}"],
        cwd=runs.REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert "tokens dropped" in done.stdout
    assert runs.shard_hashes(run) == expected


def test_a_driver_uses_the_cluster_of_ray_address(
    head: dict[str, str], expected: dict[str, str], tmp_path: Path
) -> None:
    done = runs.syscorpus("run", "--recipe", runs.SMALL, "--run", tmp_path / "run", RAY_ADDRESS=head["driver"])
    assert done.returncode == 0, done.stderr[-3000:]
    assert runs.shard_hashes(tmp_path / "run") == expected


def test_make_submit_says_what_it_lacks() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "submit", f"BIN={_BIN}"],
        cwd=runs.REPOSITORY, capture_output=True, text=True, check=False, env={**os.environ, "RAY_ADDRESS": ""},
    )  # fmt: skip
    assert done.returncode != 0
    assert "RAY_ADDRESS=http://HEAD:8265" in done.stdout
