"""The wish of a signal to end this process: seen between two steps, and by whatever waits."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopped(Exception):
    """A signal asked this process to end."""


class Stop:
    """Set once, by a signal handler. A pipe carries the wish: it ends a wait, whenever it comes."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._is_set = False
        self._break: Callable[[], None] | None = None

    def set(self) -> None:
        """Ask for the end; what waits for the network or for a program is broken off."""
        if self._is_set:
            return
        self._is_set = True
        os.write(self._write, b"x")
        if self._break is not None:
            self._break()

    def check(self) -> None:
        """Raises Stopped where the end was asked for."""
        if self._is_set:
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Sleep; raises Stopped as soon as the end is asked for."""
        self.check()
        if seconds > 0:
            select.select([self._read], [], [], seconds)
            self.check()

    @contextmanager
    def breaking(self, off: Callable[[], None]) -> Iterator[None]:
        """While the block lasts, `off` is called when the end is asked for: it makes what hangs return."""
        self._break = off
        try:
            self.check()
            yield
        finally:
            self._break = None

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._read)
        os.close(self._write)
