"""Asks an OpenAI-compatible server (`POST /chat/completions`), with patience for what may pass."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from manifests.models import Teacher

_TRIES = 6
_MOST_WAIT_S = 60.0
_MOST_BYTES = 16 << 20
_MAY_PASS = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


class TeacherUnavailable(Exception):
    """The server did not answer, after all tries, or refuses this client altogether."""


@dataclass(frozen=True)
class Refused(Exception):
    """The server will never answer this request: the status and what it said."""

    status: int
    body: str


def request_of(teacher: Teacher, messages: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """The whole effective request: everything that decides the answer, and nothing else."""
    return {
        "model": teacher.model,
        "messages": list(messages),
        "temperature": teacher.temperature,
        "max_tokens": teacher.max_tokens,
        "seed": 0,
        "n": 1,
    }


def request_key(request: Mapping[str, Any]) -> str:
    """The name of a request in the store of responses: the hash of all of it."""
    canonical = json.dumps(request, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def ask(teacher: Teacher, request: Mapping[str, Any]) -> bytes:
    """The raw body of the server's answer. Raises Refused (final) or TeacherUnavailable (may pass)."""
    last = ""
    for attempt in range(_TRIES):
        try:
            status, headers, body = _post(teacher, json.dumps(request).encode())
        except (OSError, http.client.HTTPException) as error:
            status, headers, last = 0, {}, f"{type(error).__name__}: {error}"
        else:
            if status == 200 and _is_completion(body):
                return body
            last = f"HTTP {status}"
            if status in (401, 403, 404):
                raise TeacherUnavailable(f"{teacher.url}: {last} for model {teacher.model!r}: check key, URL and model")
            if status not in _MAY_PASS and status != 200:
                raise Refused(status, body[:300].decode("utf-8", "replace"))
        if attempt + 1 < _TRIES:
            time.sleep(_wait(attempt, headers.get("retry-after")))
    raise TeacherUnavailable(f"{teacher.url}: no answer after {_TRIES} tries (last: {last}); run again to resume")


def _post(teacher: Teacher, payload: bytes) -> tuple[int, dict[str, str], bytes]:
    address = urlsplit(teacher.url)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.hostname or "", address.port, timeout=teacher.timeout_s)
    headers = {"Content-Type": "application/json"}
    if teacher.api_key_variable:
        headers["Authorization"] = f"Bearer {_key(teacher)}"
    try:
        connection.request("POST", address.path.rstrip("/") + "/chat/completions", payload, headers)
        response = connection.getresponse()
        body = response.read(_MOST_BYTES)
        return response.status, {name.lower(): value for name, value in response.getheaders()}, body
    finally:
        connection.close()


def _key(teacher: Teacher) -> str:
    key = os.environ.get(teacher.api_key_variable)
    if not key:
        raise TeacherUnavailable(f"{teacher.url}: {teacher.api_key_variable} is not set where the worker runs")
    return key


def _is_completion(body: bytes) -> bool:
    """Some servers answer 200 with an error, or with half an answer: those are asked again.

    A choice that was finished without content is an answer: the model spent its tokens on something else.
    """
    try:
        choice = json.loads(body)["choices"][0]
        content = choice["message"]["content"]
        return isinstance(content, str) or (content is None and bool(choice["finish_reason"]))
    except (ValueError, LookupError, TypeError):
        return False


def _wait(attempt: int, retry_after: str | None) -> float:
    """Seconds: what the server asks for, else twice as long each time, with jitter. Decides no row."""
    if retry_after and retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), _MOST_WAIT_S)
    return float(min(_MOST_WAIT_S, 0.5 * 2**attempt)) * random.uniform(0.5, 1.0)
