"""Our client beside others': the same requests at the same servers, and what each makes of errors.

Every job writes its answers to files, as its own documentation has it: ours to the store, datatrove's InferenceRunner as
JSON lines, Ray's HttpRequestProcessor as Parquet. The start of processes counts for nobody: requests a second count from
the first that the server sees until the job is done, with what it writes behind the last answer; slots are busy or not
from the first request to the server's last reply.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.dedup.peers import silence
from benchmarks.extract.packages import Log
from benchmarks.synth import client
from pipelines.synth.store import Store
from synth.answer import answer_of
from synth.request import Request
from synth.teachers import TeacherStopped
from synth.teachers.openai import OpenAITeacher
from tests.hostile_teacher import HostileTeacher, Reply, error, rewrite

_ROUNDS = 2  # the best counts
_AT_FAULTS = 8  # requests
_EVERY = 4  # so many of them meet a fault that passes
_PATIENCE_S = 60.0


class Way(NamedTuple):
    """A way to ask. `run` asks a server, by its URL, and writes to a folder; `read` gives the texts that it wrote there.

    `needs`: modules; `at_once` and `in_slots`: requests that it gets at a server that answers at once, and at one of 64
    slots: fewer where it takes long. `read` is missing where there is nothing but the speed.
    """

    name: str
    run: Callable[[str, Sequence[Request], Path], None]
    read: Callable[[Sequence[Request], Path], list[str]] | None = None
    needs: tuple[str, ...] = ()
    at_once: int = 0
    in_slots: int = 0

    def missing(self) -> str:
        """A module that it needs and that is not there."""
        return next((each for each in self.needs if find_spec(each) is None), "")


def _bare(url: str, asked: Sequence[Request], folder: Path) -> None:
    client.ask_bare(url, len(asked), client.ENOUGH)


def _ours(url: str, asked: Sequence[Request], folder: Path) -> None:
    teacher = client.teacher_at(url, client.ENOUGH)
    with Store(str(folder)).writer() as writer:
        OpenAITeacher("m", teacher, _PATIENCE_S).answer(iter(asked), writer.keep, threading.Event())


def _ours_read(asked: Sequence[Request], folder: Path) -> list[str]:
    rows = Store(str(folder)).read(pa.array([each.key for each in asked], pa.string())).to_pylist()
    return [answer_of(row["body"]).text for row in rows if row["status"] == 200]


def _datatrove(url: str, asked: Sequence[Request], folder: Path, *, checkpoints: bool = False) -> None:
    """On its defaults, which keep 500 requests in flight; checkpoints are its SQLite, one row a response."""
    from datatrove.data import Document
    from datatrove.pipeline.inference.run_inference import InferenceConfig, InferenceRunner
    from datatrove.pipeline.writers import JsonlWriter

    async def rollout(document: Any, generate: Any) -> Any:
        return await generate(json.loads(document.text))

    config = InferenceConfig("endpoint", "m", endpoint_url=url.removesuffix("/v1"))
    writer = JsonlWriter(str(folder / "kept"), output_filename="${rank}_${chunk_index}.jsonl", compression=None)
    runner = InferenceRunner(
        rollout, config, writer, checkpoints_local_dir=str(folder / "checkpoints") if checkpoints else None
    )
    runner.run(Document(text=each.body.decode(), id=each.key) for each in asked)


def _datatrove_read(asked: Sequence[Request], folder: Path) -> list[str]:
    lines = [line for path in sorted(folder.glob("kept/*.jsonl")) for line in path.read_text().splitlines()]
    return [each["text"] for line in lines for each in json.loads(line)["metadata"]["rollout_results"]]


@contextmanager
def _ray_started() -> Iterator[None]:
    """Ray on the cores of this machine; its workers say nothing here."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    with silence():
        ray.init(
            address="local",
            num_cpus=max(2, os.cpu_count() or 1),
            include_dashboard=False,
            object_store_memory=100 << 20,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    try:
        yield
    finally:
        with silence():
            ray.shutdown()


def _ray(
    url: str,
    asked: Sequence[Request],
    folder: Path,
    *,
    blocks: int | None = None,
    batches: int = 4,
    whole: bool = False,
    **settings: Any,
) -> None:
    """On its defaults, but for `settings`. `blocks`: of the rows that it is given; `batches`: at a time, of an actor.

    `whole`: all that it hands over is written, else the text of the answer, as in its own example.
    """
    import ray.data
    from ray.data._internal.planner import plan_udf_map_op
    from ray.data.llm import HttpRequestProcessorConfig, build_processor

    def text(row: dict[str, Any]) -> dict[str, Any]:
        return {"answer": row["http_response"]["choices"][0]["message"]["content"]}

    def everything(row: dict[str, Any]) -> dict[str, Any]:
        return text(row) if row["http_response"].get("choices") else {"answer": str(row["http_response"])}

    processor = build_processor(
        HttpRequestProcessorConfig(url=f"{url}/chat/completions", **settings),
        preprocess=lambda row: {"payload": json.loads(row["body"])},
        postprocess=everything if whole else text,
    )
    rows = ray.data.from_items([{"body": each.body.decode()} for each in asked], override_num_blocks=blocks)
    # An environment variable says so, which is read when the module is loaded: once for all that is measured here.
    with patch.object(plan_udf_map_op, "DEFAULT_ASYNC_BATCH_UDF_MAX_CONCURRENCY", batches):
        processor(rows).write_parquet(str(folder / "kept"))


def _ray_read(asked: Sequence[Request], folder: Path) -> list[str]:
    paths = sorted((folder / "kept").glob("*.parquet"))
    return [text for path in paths for text in pq.read_table(path)["answer"].to_pylist()]


OURS = "ours, to the store"
BARE = "the HTTP library alone"
_DATATROVE = ("orjson", "aiofiles", "aiosqlite", "httpx", "xxhash")
_RAY = ("ray",)
# A batch is asked one request after another, so the most in flight are many small ones at a time, all of one block.
_WIDE = partial(_ray, blocks=1, batches=client.SLOTS * 3 // 2, batch_size=4)
_CHECKPOINTS = partial(_datatrove, checkpoints=True)
WAYS = (
    Way(BARE, _bare, None, (), 4000, 3200),
    Way(OURS, _ours, _ours_read, (), 4000, 4800),
    Way("datatrove's runner", _datatrove, _datatrove_read, _DATATROVE, 4000, 4800),
    Way("datatrove's runner, checkpoints", _CHECKPOINTS, _datatrove_read, _DATATROVE, 400, 400),
    Way("Ray's processor", _ray, _ray_read, _RAY, 2000, 48),
    Way("Ray's processor, 1 block", partial(_ray, blocks=1), _ray_read, _RAY, 4000, 256),
    Way("Ray's processor, 1 block, 96 batches of 4", _WIDE, _ray_read, _RAY, 2000, 1600),
)
_RETRIES = partial(_ray, whole=True, max_retries=3)
AT_FAULTS = (
    Way(OURS, _ours, _ours_read),
    Way("datatrove's runner", _datatrove, _datatrove_read, _DATATROVE),
    Way("Ray's processor, the text of an answer", _ray, _ray_read, _RAY),
    Way("Ray's processor, all that it gives, max_retries 3", _RETRIES, _ray_read, _RAY),
)
#: What the server answers, and whether to all; else once to every fourth.
FAULTS = {
    "500": (Reply(500, error("CUDA out of memory")), False),
    "429": (Reply(429, error("slow down")), False),
    "401": (Reply(401, error("Incorrect API key provided")), True),
}


def measure(log: Log) -> dict[str, list[dict[str, Any]]]:
    """Rows of `at_once`, `in_slots` and `faults`, of each way whose packages are there; what is skipped is said in a line."""
    there = [way for way in WAYS if _is_there(way, log)]
    at_once: list[list[dict[str, Any]]] = [[] for _ in there]
    in_slots: list[list[dict[str, Any]]] = [[] for _ in there]
    with ExitStack() as stack:
        if any(way.needs == _RAY for way in there):
            stack.enter_context(_ray_started())
        for number in range(_ROUNDS):  # way by way, so that what else the machine does is shared by all
            for way, fast, busy in zip(there, at_once, in_slots, strict=True):
                fast.append(asked(way, way.at_once))
                busy.append(asked(way, way.in_slots, *client.BUSY))
            log(f"round {number + 1} of {_ROUNDS}")
        faults = [at_fault(way, name) for name in FAULTS for way in AT_FAULTS if not way.missing()]
    return {
        "at_once": [max(rows, key=lambda row: row["per_s"]) for rows in at_once],
        "in_slots": [max(rows, key=lambda row: row["busy"]) for rows in in_slots],
        "faults": faults,
    }


def _is_there(way: Way, log: Log) -> bool:
    missing = way.missing()
    if missing:
        log(f"skipped {way.name}: {missing} is not installed: make .venv/.bench")
    return not missing


def asked(way: Way, number: int, *options: str) -> dict[str, Any]:
    """One job at a server in a process of its own: requests a second, share of slots busy, seconds until the first.

    Raises RuntimeError if an answer is missing from what it wrote.
    """
    with client.server(*options) as url, TemporaryDirectory() as folder:
        requests = client.requests_of(client.teacher_at(url, 1), number)
        begin = time.monotonic()
        with silence():
            way.run(url, requests, Path(folder))
        end = time.monotonic()
        counts = client.counts_of(url)
        if way.read and Counter(way.read(requests, Path(folder))) != _right(requests):
            raise RuntimeError(f"{way.name} has not written the answer to each of {number} requests")
    seconds = end - counts["first"]
    return {
        "name": way.name,
        "requests": number,
        "per_s": number / seconds,
        "busy": counts["busy_s"] / (client.SLOTS * (counts["last"] - counts["first"])),
        "start_s": counts["first"] - begin,
        "connections": counts["connections"],
        "most_in_flight": counts["most_in_flight"],
    }


def _right(requests: Sequence[Request]) -> Counter[str]:
    """The texts that the server answers with."""
    return Counter(rewrite(json.loads(each.body)) for each in requests)


def at_fault(way: Way, name: str) -> dict[str, Any]:
    """One small job at a server with one fault.

    `errors`: rows that it wrote and that hold no answer; `lost`: answers that the server gave and it did not write;
    `without`: requests whose answer it did not write; `ended`: done, stopped (ours, in a line), or what it died of.
    """
    reply, to_all = FAULTS[name]
    with TemporaryDirectory() as folder:
        requests = client.requests_of(client.teacher_at("http://127.0.0.1/v1", 1), _AT_FAULTS)
        chosen = {rewrite(json.loads(each.body)) for each in requests[:: 1 if to_all else _EVERY]}

        def script(request: dict[str, Any], before: int) -> Reply | None:
            return reply if rewrite(request) in chosen and (to_all or not before) else None

        with HostileTeacher(script=script) as server:
            ended = _ended(way, server.url, requests, Path(folder))
        given = len(server.counts.answers)  # when it serves no longer
        assert way.read
        rows, right = Counter(way.read(requests, Path(folder))), _right(requests)
    written = (rows & right).total()
    return {
        "fault": name,
        "name": way.name,
        "errors": (rows - right).total(),
        "lost": given - written,
        "without": len(requests) - written,
        "ended": ended,
    }


def _ended(way: Way, url: str, requests: Sequence[Request], folder: Path) -> str:
    with silence():
        try:
            way.run(url, requests, folder)
        except TeacherStopped as stopped:
            return "stopped" if len(str(stopped).splitlines()) == 1 else "died: many lines"
        except Exception as failed:  # noqa: BLE001 - how it ends is what is asked
            return f"died: {type(failed).__name__}"
    return "done"
