"""The lines of a batch's file, as OpenAI's batch API has them, kept on disk until they are answered."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from synth.request import Request

ENDPOINT = "/v1/chat/completions"


def line_of(request: Request) -> bytes:
    """A request as one line; its key is the line's custom_id (64 characters, the most that is allowed)."""
    body = request.body
    if b"\n" in body or b"\r" in body:
        body = json.dumps(json.loads(body)).encode()
    head = json.dumps({"custom_id": request.key, "method": "POST", "url": ENDPOINT})[:-1]
    return head.encode() + b', "body": ' + body + b"}\n"


@dataclass(frozen=True)
class Outcome:
    """A line that came back: the status and body of one request, or the code and message of why there is none."""

    key: str
    status: int
    body: bytes
    code: str
    message: str


def outcome_of(line: bytes) -> Outcome | None:
    """Reads a line of an output or error file; None: it is none. Its custom_id is whatever the server says."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not isinstance(said.get("custom_id"), str):
        return None
    response, error = _dict(said.get("response")), _dict(said.get("error"))
    status, body = response.get("status_code"), response.get("body")
    if isinstance(body, dict):
        error = error or _dict(body.get("error"))
    code, message = error.get("code") or error.get("type"), error.get("message")
    return Outcome(
        said["custom_id"],
        status if isinstance(status, int) else 0,
        b"" if body is None else json.dumps(body).encode(),
        code if isinstance(code, str) else "",
        message if isinstance(message, str) else "",
    )


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def digest_of(keys: Iterable[str]) -> str:
    """The name of a set of requests: the SHA-256 of their sorted keys (hex)."""
    digest = hashlib.sha256()
    for key in sorted(keys):
        digest.update(key.encode() + b"\n")
    return digest.hexdigest()


class Lot:
    """Lines in a nameless file on disk, found by key; memory holds keys and places only."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self.size = 0
        self._places: dict[str, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    @property
    def keys(self) -> list[str]:
        """The keys of its lines, in the order in which they were added."""
        return list(self._places)

    def add(self, key: str, line: bytes) -> None:
        """Adds a line at the end."""
        self.file.seek(self.size)
        self.file.write(line)
        self._places[key] = (self.size, len(line))
        self.size += len(line)

    def pop(self) -> tuple[str, bytes]:
        """Takes a line out: the first that is left."""
        key = next(iter(self._places))
        start, length = self._places.pop(key)
        self.file.seek(start)
        return key, self.file.read(length)

    def drop(self, key: str) -> None:
        """Forgets a line."""
        self._places.pop(key, None)

    def close(self) -> None:
        """Frees the disk."""
        self.file.close()
