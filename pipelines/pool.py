"""Ray, and nothing else: runs functions over jobs on the machine's cores, or on the cluster of `RAY_ADDRESS`.

Jobs and results are small (paths, counts); tables never pass through the object store.
"""

from __future__ import annotations

import logging
import os
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

J = TypeVar("J")
R = TypeVar("R")


_LOOK_S = 1.0
_interrupted = threading.Event()


def on_interrupt(*_: object) -> None:
    """Handles SIGINT: raises KeyboardInterrupt at once, and again at the next job, should a library swallow it."""
    _interrupted.set()
    raise KeyboardInterrupt


class JobFailed(Exception):
    """A job that failed by an error of its own, or whose worker died again and again."""


class Pool:
    """Starts Ray at the first job, and stops a Ray that it started."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1
        self._started = False

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._started:
            import ray

            ray.shutdown()
            self._started = False

    def _start(self) -> None:
        if self._started:
            return
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        if os.environ.get("RAY_ADDRESS"):
            ray.init(log_to_driver=True, logging_level=logging.ERROR)
            resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
            self.workers = max(1, int(resources.get("CPU", 1)))
        else:
            ray.init(
                address="local",
                num_cpus=self.workers,
                include_dashboard=False,
                object_store_memory=100 << 20,
                logging_level=logging.ERROR,
            )
        self._started = True

    def map(self, function: Callable[[J], R], jobs: Sequence[J], tries: int = 3) -> Iterator[tuple[int, R]]:
        """Yields (index of the job, result) as jobs end; at most two jobs a core are in flight.

        A job whose worker is killed is run again, up to `tries` times. Raises JobFailed.
        """
        if not jobs:
            return
        self._start()
        import ray

        remote: Any = ray.remote(_guarded).options(num_cpus=1, max_retries=tries)
        waiting = iter(enumerate(jobs))
        in_flight: dict[Any, int] = {}
        while True:
            if _interrupted.is_set():
                raise KeyboardInterrupt
            while len(in_flight) < 2 * self.workers and (entry := next(waiting, None)):
                in_flight[remote.remote(function, entry[1])] = entry[0]
            if not in_flight:
                return
            for done in ray.wait(list(in_flight), num_returns=1, timeout=_LOOK_S)[0]:
                index = in_flight.pop(done)
                try:
                    outcome = ray.get(done)
                except ray.exceptions.RayError as error:
                    raise JobFailed(f"a worker died {tries + 1} times: {str(error).splitlines()[0]}") from None
                if isinstance(outcome, _Error):
                    failure = JobFailed(outcome.message)
                    failure.add_note(outcome.trace)
                    raise failure
                yield index, outcome


@dataclass(frozen=True)
class _Error:
    """An error on a worker, as text: an exception of its own might not survive the way to the driver."""

    message: str
    trace: str


def _guarded(function: Callable[[J], R], job: J) -> R | _Error:
    try:
        return function(job)
    except Exception as error:  # noqa: BLE001 - the driver raises it again
        return _Error(_explain(error), traceback.format_exc())


def _explain(error: Exception) -> str:
    """One line. Errors of ours say what to do; of others the name says more than the message."""
    ours = type(error).__module__.split(".")[0] in ("pipelines", "crawlers", "filters", "synth", "manifests")
    message = (str(error).splitlines() or [""])[0]
    return message if ours else f"{type(error).__name__}: {message}"
