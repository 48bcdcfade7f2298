"""The client of teachers: how much one process can ask, and whether it keeps a server busy."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from manifests.synthesis import Teacher
from synth.request import Request, Response, body_of, request_key
from synth.teachers.openai import OpenAITeacher

SLOTS = 64
#: Requests in flight that keep so many slots busy: some wait at the server when one becomes free.
ENOUGH = SLOTS + 16
_ROUNDS = 6
#: Of a server that takes its time.
BUSY = ("--slots", str(SLOTS), "--seconds", "0.05", "0.2")


@contextmanager
def server(*options: str) -> Iterator[str]:
    """A server in a process of its own; its URL."""
    command = [sys.executable, "-m", "tests.hostile_teacher", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def counts_of(url: str) -> dict[str, Any]:
    """What a server has counted."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/counts") as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def teacher_at(url: str, concurrency: int) -> Teacher:
    """A teacher with one server."""
    return Teacher(model="m", urls=[url], concurrency=concurrency)


def requests_of(teacher: Teacher, number: int) -> list[Request]:
    """Requests of about a thousand characters each, no two the same."""
    found = []
    for index in range(number):
        text = f"# Page {index}\n\n" + "The kernel keeps pages of files in memory. " * 25
        body = body_of(teacher, [{"role": "user", "content": text}], 256)
        found.append(Request(request_key(teacher, body), "m", json.dumps(body).encode(), str(index // 4), 500))
    return found


def ask_ours(url: str, number: int, concurrency: int) -> float:
    """Seconds for so many requests through our client."""
    teacher = teacher_at(url, concurrency)
    asked, kept = requests_of(teacher, number), []

    def keep(response: Response) -> None:
        kept.append(response.status)

    begin = time.perf_counter()
    left = OpenAITeacher("m", teacher, 60.0).answer(iter(asked), keep, threading.Event())
    seconds = time.perf_counter() - begin
    assert not left and kept == [200] * number
    return seconds


def ask_bare(url: str, number: int, concurrency: int) -> float:
    """Seconds for so many requests through the HTTP library alone, which reads bodies and looks at nothing."""
    bodies = [each.body for each in requests_of(teacher_at(url, concurrency), number)]
    return asyncio.run(_bare(url, bodies, concurrency))


async def _bare(url: str, bodies: Sequence[bytes], concurrency: int) -> float:
    import aiohttp

    waiting = iter(bodies)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def work() -> None:
            for body in waiting:
                headers = {"Content-Type": "application/json"}
                async with session.post(f"{url}/chat/completions", data=body, headers=headers) as response:
                    await response.read()

        begin = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(concurrency)))
        return time.perf_counter() - begin


def measure(number: int = 10_000) -> dict[str, Any]:
    """Requests a second, ours and the bare library's against a server that answers at once; busy share of slots."""
    rates: dict[str, list[float]] = {"ours": [], "bare": []}
    for _ in range(_ROUNDS):  # turn by turn, and the best of each: what else the machine does is in neither
        with server() as url:
            rates["bare"].append(number / ask_bare(url, number, SLOTS))
        with server() as url:
            rates["ours"].append(number / ask_ours(url, number, SLOTS))
    with server(*BUSY) as url:
        seconds = ask_ours(url, SLOTS * 100, ENOUGH)
        busy = counts_of(url)["busy_s"] / (SLOTS * seconds)
    return {"ours_per_s": max(rates["ours"]), "bare_per_s": max(rates["bare"]), "busy": busy, "seconds": seconds}
