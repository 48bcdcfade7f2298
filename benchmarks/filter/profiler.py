"""Where the time of a function goes: processor time by the functions that it calls, sampled."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Collection
from types import FrameType

INTERVAL_S = 0.002
_OURS = ("filters.", "manifests.", "pipelines.")


def profile(work: Callable[[], object], owners: Collection[str]) -> dict[str, float]:
    """Seconds of processor time by the outermost function of the project that the modules `owners` call.

    What an owner does itself, or has libraries do, counts as the owner. A sample stands for all the time since the
    one before, so that a long call into compiled code, during which none is taken, counts whole. Main thread only.
    """
    seconds: dict[str, float] = {}
    last = time.process_time()

    def take(number: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.process_time()
        name = _named(frame, owners)
        seconds[name] = seconds.get(name, 0.0) + now - last
        last = now

    before = signal.signal(signal.SIGPROF, take)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)
    try:
        work()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)
    return dict(sorted(seconds.items(), key=lambda each: -each[1]))


def _named(frame: FrameType | None, owners: Collection[str]) -> str:
    """The function of ours just below the deepest frame of an owner's, as `module.function`; else that owner."""
    below = ""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module in owners:
            return below or module
        if module.startswith(_OURS):
            below = f"{module}.{frame.f_code.co_name}"
        frame = frame.f_back
    return "elsewhere"
