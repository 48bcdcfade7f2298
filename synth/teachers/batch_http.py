"""A server's HTTP for files and batches: JSON calls, a file up, a file down, each in bounded memory."""

from __future__ import annotations

import http.client
import json
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO
from urllib.parse import quote, urlsplit

_MOST_BYTES = 16 << 20
_CHUNK = 1 << 18
#: As HTTP has them, and 529: overloaded.
_MAY_PASS = frozenset({408, 409, 423, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_QUOTA_ENDS = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "account_deactivated"}
)


class Passing(Exception):
    """A call that failed by something that may pass. `after_s`: what the server asks to wait, if it does."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Refused(Exception):
    """A call that the server will never do; `code` and `reason` are the server's, made safe to print."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(f"HTTP {status}{f' ({code})' if code else ''}: {reason}" if reason else f"HTTP {status}")
        self.status = status
        self.code = code


class Server:
    """The files and batches below one URL. `headers` sign each call; `secret` is cut out of what the server says.

    A redirect is an answer, and is not followed: the key would travel.
    """

    def __init__(self, url: str, headers: Mapping[str, str], secret: str, timeout_s: float) -> None:
        self._address = urlsplit(url.rstrip("/"))
        self._headers = dict(headers)
        self._secret = secret
        self._timeout_s = timeout_s

    def call(self, method: str, path: str, payload: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The JSON object that a call answers. Raises Passing, Refused."""
        body = None if payload is None else json.dumps(payload).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        with self._asked(method, path, body, headers) as response:
            return _object(self._read(response))

    def upload(self, name: str, file: BinaryIO, size: int) -> dict[str, Any]:
        """Sends `size` bytes of a file from its beginning, as the input of a batch; the server's file object."""
        boundary = secrets.token_hex(16)
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/jsonl\r\n\r\n"
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + size + len(tail)),
        }
        file.seek(0)
        with self._asked("POST", "/files", _sent(head, file, tail), headers) as response:
            return _object(self._read(response))

    def lines(self, file_id: str) -> Iterator[bytes]:
        """The lines of a file; one of more than 16 MiB is b"". Raises Passing, also when the file is cut off."""
        with self._asked("GET", f"/files/{quoted(file_id)}/content", None, {}) as response:
            while line := self._line(response):
                long = len(line) > _MOST_BYTES
                while long and not line.endswith(b"\n") and (line := self._line(response)):
                    pass
                yield b"" if long else line
            if response.length:
                raise Passing("a file was cut off")

    def _line(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.readline(_MOST_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise Passing(type(error).__name__) from None

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        """A whole body, within bytes and time."""
        until = time.monotonic() + self._timeout_s
        body = bytearray()
        try:
            while chunk := response.read1(_CHUNK):
                body += chunk
                if len(body) > _MOST_BYTES or time.monotonic() > until:
                    raise Passing("a body too long or too slow")
        except (OSError, http.client.HTTPException) as error:
            raise Passing(type(error).__name__) from None
        if response.length:
            raise Passing("a body was cut off")
        return bytes(body)

    @contextmanager
    def _asked(
        self, method: str, path: str, body: bytes | Iterable[bytes] | None, headers: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        """A response of status 2xx. Raises Passing or Refused for any other, and for none."""
        kind = http.client.HTTPSConnection if self._address.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._address.hostname or "", self._address.port, timeout=self._timeout_s)
        try:
            try:
                connection.request(method, self._address.path + path, body, {**self._headers, **headers})
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise Passing(type(error).__name__) from None
            if not 200 <= response.status < 300:
                raise self._refusal(response)
            yield response
        finally:
            connection.close()

    def _refusal(self, response: http.client.HTTPResponse) -> Passing | Refused:
        try:
            said = self._read(response)
        except Passing:
            said = b""
        code, reason = self.reason(said)
        if response.status in _MAY_PASS and code not in _QUOTA_ENDS:
            wait = response.getheader("Retry-After") or ""
            after = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 8 else None
            return Passing(f"HTTP {response.status}{f' ({code})' if code else ''}", after)
        return Refused(response.status, code, reason)

    def reason(self, body: bytes) -> tuple[str, str]:
        """The code and message of an error in JSON, safe to print; ("", "") where there are none."""
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            return "", ""
        error = said.get("error", said) if isinstance(said, dict) else None
        if isinstance(error, str):
            return "", self.safe(error)
        if not isinstance(error, dict):
            return "", ""
        return self.safe(error.get("code") or error.get("type")), self.safe(error.get("message"))

    def safe(self, said: object) -> str:
        """A server's word on one line: short, without control characters and without the key."""
        if not isinstance(said, str):
            return ""
        text = said[:2000]
        if self._secret:
            text = text.replace(self._secret, "***")
        text = "".join(c if c.isprintable() else " " for c in text)
        return " ".join(text.split())[:300]


def quoted(identifier: str) -> str:
    """A server's identifier as one segment of a path."""
    return quote(identifier, safe="")


def is_quota(code: str) -> bool:
    """Whether a code says that money has ended: waiting would not help."""
    return code in _QUOTA_ENDS


def _sent(head: bytes, file: BinaryIO, tail: bytes) -> Iterator[bytes]:
    yield head
    while chunk := file.read(_CHUNK):
        yield chunk
    yield tail


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Passing("an answer that is no JSON object")
    return value
