"""Ray, and nothing else: runs functions over jobs on the machine's cores, or on the cluster of `RAY_ADDRESS`.

Jobs and results are small (paths, counts); tables never pass through the object store. What runs for longer than a job
and has a place, such as a server on a GPU, is held by an actor while it is wanted.
"""

from __future__ import annotations

import logging
import os
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

J = TypeVar("J")
R = TypeVar("R")


_LOOK_S = 1.0
_LEAVE_S = 30.0
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
        self._starting = threading.Lock()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._started:
            import ray

            ray.shutdown()
            self._started = False

    def _start(self) -> None:
        with self._starting:
            if not self._started:
                self._start_ray()
                self._started = True

    def _start_ray(self) -> None:
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
                yield in_flight.pop(done), _result_of(done, tries)

    @contextmanager
    def held(
        self,
        make: Callable[[str], AbstractContextManager[R]],
        number: int,
        each: Mapping[str, float],
        patience_s: float,
        stop: threading.Event,
    ) -> Iterator[list[R]]:
        """Holds so many contexts while the block runs, each where it gets `each` ("GPU", "CPU"); all of them or none.

        `make` is told the address of its machine that others reach. Yields what the contexts say when they are entered;
        nothing, where `stop` is set before. Waits for what others hold; for machines that are not there, and that an
        autoscaler may bring, `patience_s`. Raises JobFailed. A context whose machine is lost stays lost.
        """
        self._start()
        import ray
        from ray.util.placement_group import placement_group, remove_placement_group
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        group = placement_group([dict(each)] * number, strategy="PACK")
        actors: list[Any] = []
        try:
            if not self._placed(group, number, each, patience_s, stop):
                yield []
                return
            holder: Any = ray.remote(_Holder)
            for bundle in range(number):
                place = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=bundle)
                needs = {"num_cpus": each.get("CPU", 0), "num_gpus": each.get("GPU", 0)}
                actors.append(holder.options(scheduling_strategy=place, **needs).remote())
            alone = not os.environ.get("RAY_ADDRESS")
            entered = _all_of([actor.enter.remote(make, alone) for actor in actors], stop)
            try:
                yield entered
            finally:
                if entered:
                    leaving = [actor.leave.remote() for actor in actors]
                    ray.wait(leaving, num_returns=len(leaving), timeout=_LEAVE_S)
        finally:
            for actor in actors:
                ray.kill(actor)
            remove_placement_group(group)

    def _placed(
        self, group: Any, number: int, each: Mapping[str, float], patience_s: float, stop: threading.Event
    ) -> bool:
        """Waits until there is room. False: `stop` was set. Raises JobFailed where there will not be any."""
        import ray

        waited_s = 0.0
        while not group.wait(timeout_seconds=_LOOK_S):
            if stop.is_set():
                return False
            there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
            lacking = [name for name, share in each.items() if there.get(name, 0.0) < number * share]
            waited_s = waited_s + _LOOK_S if lacking else 0.0
            if lacking and (waited_s > patience_s or not os.environ.get("RAY_ADDRESS")):
                name = lacking[0]
                raise JobFailed(f"needs {number * each[name]:g} {name}s, and Ray has {there.get(name, 0.0):g}")
        return True


class _Holder:
    """An actor that holds a context."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def enter(self, make: Callable[[str], AbstractContextManager[R]], alone: bool) -> R | _Error:
        """Enters it, and returns what it says. `alone`: nobody on another machine has to reach it."""
        import ray

        address = "127.0.0.1" if alone else ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        return _guarded(lambda where: self._stack.enter_context(make(where)), address)

    def leave(self) -> None:
        """Leaves it."""
        self._stack.close()


def _all_of(results: Sequence[Any], stop: threading.Event) -> list[Any]:
    """The results of calls, or none once `stop` is set. Raises JobFailed for the first that fails."""
    import ray

    found: dict[Any, Any] = {}
    waiting = list(results)
    while waiting:
        if stop.is_set():
            return []
        done, waiting = ray.wait(waiting, num_returns=1, timeout=_LOOK_S)
        found.update((each, _result_of(each, 0)) for each in done)
    return [found[each] for each in results]


def _result_of(done: Any, tries: int) -> Any:
    """What a call returned. Raises JobFailed with what it raised."""
    import ray

    try:
        outcome = ray.get(done)
    except ray.exceptions.RayError as error:
        raise JobFailed(f"a worker died {tries + 1} times: {str(error).splitlines()[0]}") from None
    if isinstance(outcome, _Error):
        failure = JobFailed(outcome.message)
        failure.add_note(outcome.trace)
        raise failure
    return outcome


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
