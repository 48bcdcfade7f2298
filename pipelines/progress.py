"""How far a stage is: one line that renews itself in a terminal, plain log lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_EVERY_S = {True: 0.2, False: 10.0}


class Progress:
    """Shows done, remaining, rate and losses of one stage. Units are the stage's own (records, documents)."""

    def __init__(self, stage: str, total: int | None, unit: str, stream: TextIO | None = None) -> None:
        self._stage, self._total, self._unit = stage, total, unit
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._begin = self._shown = time.monotonic()

    def show(self, done: int, of: int | None = None, note: str = "", last: bool = False) -> None:
        """Renews the line, unless it was renewed a moment ago."""
        now = time.monotonic()
        if not last and now - self._shown < _EVERY_S[self._terminal]:
            return
        self._shown = now
        total = of if of is not None else self._total
        rate = done / max(now - self._begin, 1e-9)
        left = f", {max(total - done, 0) / rate:,.0f} s left" if total and rate and not last else ""
        counted = f"{done:,} of {total:,}" if total else f"{done:,}"
        line = f"{self._stage:<9} {counted} {self._unit}s, {rate:,.1f}/s{left}{', ' + note if note else ''}"
        if self._terminal:
            self._stream.write(f"\r\x1b[K{line}")
        elif not last:
            self._stream.write(f"{line}\n")
        self._stream.flush()

    def end(self) -> None:
        """Clears the terminal's line; the stage's summary takes its place."""
        if self._terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
