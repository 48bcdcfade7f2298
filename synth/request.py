"""Requests to a teacher and its responses, apart from how they travel."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from manifests.synthesis import Teacher

_VERSION = 1


class Request(NamedTuple):
    """One request: its name in the store, which teacher it is for, and the JSON that is sent.

    `route` is the same for requests that share a prefix: they go to the same replica. `tokens` of prompt and answer,
    about, for limits by the minute.
    """

    key: str
    teacher: str
    body: bytes
    route: str
    tokens: int


class Response(NamedTuple):
    """What came back, as it came. A `status` other than 200 is a refusal that will never be another.

    `attempts`: how often it was asked for; `seconds`: how long the last one took.
    """

    key: str
    status: int
    body: bytes
    received_at: float
    attempts: int
    seconds: float


def body_of(
    teacher: Teacher,
    messages: Sequence[Mapping[str, str]],
    max_tokens: int,
    schema: Mapping[str, Any] | None = None,
    sample: int = 0,
) -> dict[str, Any]:
    """All of a request that decides its answer: every parameter, after defaults, and nothing else."""
    body: dict[str, Any] = {
        "model": teacher.model,
        "temperature": teacher.temperature,
        "top_p": teacher.top_p,
        "max_tokens": max_tokens,
        "seed": teacher.seed + sample,
        "n": 1,
        **teacher.parameters,
    }
    if teacher.api == "completion":
        return {**body, "prompt": "\n\n".join([*(each["content"] for each in messages), ""])}
    if schema is not None:
        form = {"name": "answer", "schema": schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    return {**body, "messages": [dict(each) for each in messages]}


def request_key(teacher: Teacher, body: Mapping[str, Any], sample: int = 0) -> str:
    """The name of a request in the store: the SHA-256 of all of it (hex). Where it is sent to is no part of it."""
    whole = {
        "version": _VERSION,
        "revision": teacher.revision,
        "kind": "completion" if teacher.api == "completion" else "chat",
        "sample": sample,
        "body": body,
    }
    if teacher.engine and teacher.engine.deciding:
        whole["engine"] = teacher.engine.deciding
    canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
