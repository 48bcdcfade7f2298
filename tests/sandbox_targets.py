"""What a sandbox may have to survive: functions for `tests/test_sandbox.py`."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from typing import Any

KEPT: list[bytes] = []


def misbehave(header: dict[str, Any], payload: bytes) -> dict[str, Any]:
    """Do what `header["do"]` says; `echo` is the only well-behaved one."""
    return DEEDS[header["do"]](header, payload)


def echo(header: dict[str, Any], payload: bytes) -> dict[str, Any]:
    return {"pid": os.getpid(), "text": payload.decode()}


def loop(header: dict[str, Any], payload: bytes) -> dict[str, Any]:
    while True:
        pass


def allocate(header: dict[str, Any], payload: bytes) -> dict[str, Any]:
    while True:
        KEPT.append(b"x" * (1 << 24))


def grow(header: dict[str, Any], payload: bytes) -> dict[str, Any]:
    KEPT.append(b"x" * header["bytes"])
    return {"pid": os.getpid()}


def fail(header: dict[str, Any], payload: bytes) -> dict[str, Any]:
    raise ValueError(header["message"])


def chatter(header: dict[str, Any], payload: bytes) -> dict[str, Any]:
    print("to stdout")
    os.write(1, b"to descriptor 1\n")
    return {}


def hang_up(header: dict[str, Any], payload: bytes) -> dict[str, Any]:
    os.closerange(3, 64)
    return sleep(header, payload)


def sleep(header: dict[str, Any], payload: bytes) -> dict[str, Any]:
    time.sleep(3600)
    return {}


DEEDS: dict[str, Callable[[dict[str, Any], bytes], dict[str, Any]]] = {
    "echo": echo,
    "loop": loop,
    "allocate": allocate,
    "grow": grow,
    "raise": fail,
    "print": chatter,
    "close": hang_up,
    "sleep": sleep,
    "abort": lambda header, payload: os.abort(),
    "segfault": lambda header, payload: {"read": ctypes.string_at(0).hex()},
    "exit": lambda header, payload: os._exit(3),
    "surrogate": lambda header, payload: {"text": "\ud800"},
}
