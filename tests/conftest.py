"""What several test files share: two real Ray workers, an S3 server on loopback, and a recipe to start from."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pyarrow as pa
import pytest
from filelock import FileLock
from xdist.scheduler import LoadScopeScheduling

from manifests.models import Recipe
from pipelines import storage
from pipelines.pool import Pool
from pipelines.run import Run
from tests import runs
from tests.corpora import documents_of
from tests.llama import server as llama_server
from tests.teacher_server import Answer, TeacherServer

hypothesis.settings.register_profile("tests", deadline=None, derandomize=True, max_examples=60)
hypothesis.settings.load_profile("tests")

_S3_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


_ON_THE_POOL = ("test_dedup.py", "test_engine.py", "test_engines.py", "test_export_formats.py")
_LONGEST = ("test_takedown_run.py", "test_stages_alone.py", "test_main_job.py", "test_bucket_run.py", *_ON_THE_POOL,
            "test_snapshots.py", "test_again.py", "test_dedup_against.py", "test_leaks_stages.py")  # fmt: skip


class _ByFile(LoadScopeScheduling):
    """With several workers of pytest, a file stays on one, and so do those that share a pool.

    Not by marks of groups: pytest-xdist 3.8 puts them into names of tests that pytest 9.2 no longer lets it change.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.partition("::")[0]).name
        return _ON_THE_POOL[0] if file in _ON_THE_POOL else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    config.option.loadscopereorder = False  # by the number of tests, which says nothing of their time
    return _ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no worker is left alone with it."""
    places = {file: place for place, file in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One undisturbed run of the small recipe with two workers, made once for all workers of pytest; only to be read."""
    own = tmp_path_factory.getbasetemp()
    run = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "small"
    with FileLock(run.with_suffix(".lock")):
        if not (run / "dataset" / "_commit.json").exists():
            runs.make_run(runs.SMALL, run)
    return run


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """Two workers of a local Ray, started at the first job and shared by all tests."""
    os.environ.pop("RAY_ADDRESS", None)
    with Pool(2) as workers:
        yield workers


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def head() -> Iterator[dict[str, str]]:
    """A head on ports and in a directory of its own; its addresses for jobs and for drivers.

    It has one core, as a worker of pytest has no more: every command begins with the imports of each of its workers.
    """
    ports = {name: free_port() for name in ("gcs", "dashboard", "agent", "agent_grpc")}
    scratch = Path("/tmp", f"syscorpus-head-{os.getpid()}")  # Ray's sockets need a short path
    process = subprocess.Popen(
        [Path(sys.executable).with_name("ray"), "start", "--head", "--block", "--num-cpus=1", f"--port={ports['gcs']}", f"--temp-dir={scratch}",
         "--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1", f"--dashboard-port={ports['dashboard']}",
         f"--dashboard-agent-listen-port={ports['agent']}", f"--dashboard-agent-grpc-port={ports['agent_grpc']}",
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


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Address of a real S3 server, in a process of its own."""
    command = [sys.executable, "-c", _S3_SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdin and server.stdout
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.stdin.close()
        server.wait()


_AZURITE = Path(__file__).resolve().parents[1] / "build/azurite/node_modules/azurite/dist/src/blob/main.js"
#: The emulator's own, which its manual prints.
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@pytest.fixture(scope="session")
def azurite() -> Iterator[str]:
    """Address of Azure's own storage emulator, which holds what it is sent in memory."""
    if not _AZURITE.exists() or not shutil.which("node"):
        pytest.skip("Azurite is not there: install node and npm, then `make build/azurite/.ready`")
    options = ["--inMemoryPersistence", "--loose", "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    command = ["node", _AZURITE, "--blobHost", "127.0.0.1", "--blobPort", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout
        try:
            address = next((line.split()[-1] for line in server.stdout if "successfully listens" in line), None)
            assert address, "Azurite did not start"
            yield address
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of llama.cpp's server, up to and including /v1, with the model `random`: 8 slots of 2,048 tokens."""
    if why := llama_server.missing():
        pytest.skip(why)
    with llama_server.serve(llama_server.random_model(tmp_path_factory.mktemp("llama")), context=2048) as url:
        yield url


@pytest.fixture
def bucket(s3_server: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of an empty bucket; the environment says where it is, as for any S3 client."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name.lower())[-60:].strip("-")
    urllib.request.urlopen(urllib.request.Request(f"{s3_server}/{name}", method="PUT")).close()
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    storage._remote.cache_clear()
    yield f"s3://{name}"
    storage._remote.cache_clear()


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    """A run in a directory of the test's own; keyword arguments are settings of the recipe."""

    def make(**settings: Any) -> Run:
        recipe = Recipe.model_validate({"name": "test", "manifests": ["none"], **settings})
        return Run(url=str(tmp_path / "run"), recipe=recipe, sources=(), base=tmp_path)

    return make


@pytest.fixture
def make_documents() -> Callable[..., pa.Table]:
    """`documents_of`, for a test to call."""
    return documents_of


@pytest.fixture
def serve() -> Iterator[Callable[..., TeacherServer]]:
    """Starts servers; all are stopped at the end."""
    servers: list[TeacherServer] = []

    def start(answer: Callable[[dict[str, Any], int], Answer]) -> TeacherServer:
        servers.append(TeacherServer(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def on_head(head: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands of the test use the head that runs already, instead of starting a Ray of their own."""
    monkeypatch.setenv("RAY_ADDRESS", head["driver"])
