"""Runs a program that does not outlive who started it: `python leash.py PROGRAM ARGUMENT...`.

It goes when its standard input ends, with all the processes that it has started, whatever killed the one that held the
other end. vLLM itself leaves its workers behind when it is killed, and hears no SIGTERM while it starts. Only the
standard library: it runs by its path.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

_GRACE_S = 20.0
_LOOK_S = 0.1


def main() -> int:
    """Returns the program's exit code once its whole process group is gone."""
    child = os.fork()
    if child:  # whoever kills the children of a process that died, as Ray does, kills this one, and not the one below
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_end_with_input, args=(process,), daemon=True).start()
    code = process.wait()
    _signal(process, signal.SIGKILL)  # what it started
    return code if code >= 0 else 128 - code


def _end_with_input(process: subprocess.Popen[bytes]) -> None:
    while os.read(0, 4096):  # not through a buffer, whose lock would be held when the program ends first
        pass
    _signal(process, signal.SIGTERM)
    until = time.monotonic() + _GRACE_S
    while process.poll() is None and time.monotonic() < until:
        time.sleep(_LOOK_S)
    _signal(process, signal.SIGKILL)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches who started it, who then lets go
    sys.exit(main())
