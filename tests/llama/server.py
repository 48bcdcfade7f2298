"""llama.cpp's server, as xllamacpp carries it, in a process of its own; tests/llama.lock brings it."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from urllib.request import urlopen

from tests.llama.gguf import write_random_llama

RANDOM = "random"
"""Name of the model that knows nothing."""
START_S = 60.0
_ROOT = Path(__file__).parents[2]


def missing() -> str:
    """Why there is no server here; empty if there is one."""
    lacking = [name for name in ("xllamacpp", "gguf") if find_spec(name) is None]
    return f"llama.cpp is not there ({', '.join(lacking)}): `make .venv/.llama` installs it" if lacking else ""


def random_model(directory: Path) -> Path:
    """A model of random weights, written into a directory unless it is there."""
    model = directory / f"{RANDOM}.gguf"
    if not model.exists():
        write_random_llama(model)
    return model


@contextmanager
def serve(
    model: Path, slots: int = 8, context: int = 4096, chat_template: str = "", cache_mib: int = 0
) -> Iterator[str]:
    """Serves a model, under its file's stem, while the block runs; the URL, up to and including /v1.

    `context`: tokens of prompt and answer, of each slot. `chat_template` stands in for the model's own. `cache_mib`: of
    memory for prompts that no slot holds any more. Its log comes along with an error only.
    """
    values = [str(model), str(slots), str(context), chat_template, str(cache_mib)]
    command = [sys.executable, "-m", "tests.llama.server", *values]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=_ROOT) as process,
    ):
        try:
            yield f"{_address(process, log)}/v1"
        finally:
            process.kill()


def metric(url: str, name: str) -> float:
    """What a server counted since it started, by the name that it gives in its /metrics behind `llamacpp:`."""
    with urlopen(url.removesuffix("/v1") + "/metrics", timeout=60) as response:
        lines = response.read().decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"llamacpp:{name} ")))


def _address(process: subprocess.Popen[bytes], log: IO[bytes]) -> str:
    """Of a server that answers: it says so itself, when its model is loaded. Raises RuntimeError."""
    assert process.stdout
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        address = process.stdout.readline().decode().strip() if selector.select(START_S) else ""
    if not address:
        log.seek(0)
        raise RuntimeError(f"llama.cpp's server did not start: {log.read()[-2000:].decode(errors='replace')}")
    return address


def _main(model: str, slots: str, context: str, chat_template: str, cache_mib: str) -> None:
    import xllamacpp

    ready = os.dup(1)
    os.dup2(2, 1)  # the address alone goes to the parent, not what the library may print
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.model_alias = {Path(model).stem}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_parallel = int(slots)
    parameters.n_ctx = int(slots) * int(context)
    parameters.cache_ram_mib = int(cache_mib)
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.warmup = parameters.ui = parameters.fit_params = False
    parameters.endpoint_metrics = True
    parameters.verbosity = 1
    if chat_template:
        parameters.chat_template = chat_template
    server = xllamacpp.Server(parameters)
    os.write(ready, f"{server.listening_address}\n".encode())
    sys.stdin.read()  # until the parent closes it, or ends


if __name__ == "__main__":
    _main(*sys.argv[1:])
