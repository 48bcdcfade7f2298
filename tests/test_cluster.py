"""The same commands on a cluster: a real Ray head on loopback, reached by `RAY_ADDRESS` and by `ray job submit`."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import runs

_RAY = Path(sys.executable).with_name("ray")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A head of two cores, on ports and in a directory of its own; its addresses for jobs and for drivers."""
    ports = {"gcs": _free_port(), "dashboard": _free_port()}
    scratch = Path("/tmp", f"syscorpus-head-{os.getpid()}")  # Ray's sockets need a short path
    process = subprocess.Popen(
        [_RAY, "start", "--head", "--block", "--num-cpus=2", f"--port={ports['gcs']}", f"--temp-dir={scratch}",
         "--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1", f"--dashboard-port={ports['dashboard']}",
         "--include-dashboard=true", "--object-store-memory=100000000", "--disable-usage-stats"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        env={**os.environ, "RAY_ADDRESS": "", "RAY_AUTH_MODE": "disabled"},
    )  # fmt: skip
    assert process.stdout
    try:
        for line in process.stdout:
            if "--block" in line:  # its last words before it waits
                break
        yield {"jobs": f"http://127.0.0.1:{ports['dashboard']}", "driver": f"127.0.0.1:{ports['gcs']}"}
    finally:
        process.terminate()
        process.wait(timeout=60)
        shutil.rmtree(scratch, ignore_errors=True)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The shards of a run without a cluster."""
    run = tmp_path_factory.mktemp("local") / "small"
    runs.make_run(runs.SMALL, run)
    return runs.shard_hashes(run)


def test_a_submitted_run_makes_the_same_shards(head: dict[str, str], expected: dict[str, str], tmp_path: Path) -> None:
    run = tmp_path / "submitted"
    done = subprocess.run(
        ["make", "--no-print-directory", "submit", f"RAY_ADDRESS={head['jobs']}", f"RECIPE={runs.SMALL.relative_to(runs.REPOSITORY)}",
         f"RUN={run}", f"CLUSTER_PYTHON={sys.executable}", f"BIN={_RAY.parent}"],
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
        ["make", "--no-print-directory", "submit", f"BIN={_RAY.parent}"],
        cwd=runs.REPOSITORY, capture_output=True, text=True, check=False, env={**os.environ, "RAY_ADDRESS": ""},
    )  # fmt: skip
    assert done.returncode != 0
    assert "RAY_ADDRESS=http://HEAD:8265" in done.stdout
