"""A teacher behind OpenAI's batch API, or Azure's: requests go up in files, and are answered within a day for half.

https://platform.openai.com/docs/api-reference/batch, https://learn.microsoft.com/azure/ai-foundry/openai/how-to/batch

What costs money is a batch, from the moment it is created, whoever hears of it. So each carries in its metadata whose
it is, and who begins asks the server first for batches that nobody collected: their answers are kept, and not asked
for again. A batch is collected when its input file is gone: that is deleted once every answer is kept.
"""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from manifests.synthesis import Teacher
from synth.request import Request, Response
from synth.teachers import TeacherStopped, Unanswered
from synth.teachers.batch_file import ENDPOINT, Lot, Outcome, digest_of, line_of, outcome_of
from synth.teachers.batch_http import Passing, Refused, Server, is_quota, quoted
from synth.teachers.outcomes import found

T = TypeVar("T")
Sleep = Callable[[threading.Event, float], object]

_ROUNDS = 3
_SHORTEST_S, _LONGEST_S = 2.0, 60.0
_MOST_PAGES = 200
_KEPT_S = 30 * 86400.0  # results of batches, by the server
_ENDED = frozenset({"completed", "expired", "cancelled", "failed"})
_UNREADY = frozenset({"pending", "running", "notrunning", "uploading"})  # of a file, as Azure has them
_REFUSED = frozenset({400, 413, 422})
_GONE = frozenset({404, 410})
#: So many refusals and no answer: what is wrong is no request, but what all of them have in common.
_ALL_REFUSED, _MOST_HELD = 20, 1000


@dataclass(frozen=True)
class Limits:
    """Of a file, in requests and bytes, and how many batches are under way at once."""

    requests: int = 50_000
    size: int = 100_000_000
    batches: int = 4


@dataclass
class _Flight:
    """A batch under way. `lot`: its requests, as far as this run has asked for them; `theirs`: the keys of one that an
    earlier run created."""

    batch: str
    file: str
    lot: Lot
    theirs: frozenset[str] | None = None
    done: set[str] = field(default_factory=set)
    reasons: dict[str, str] = field(default_factory=dict)
    refused: list[Response] = field(default_factory=list)
    why_refused: str = ""
    fatal: str = ""
    status: str = ""

    def asked(self, key: str) -> bool:
        """Whether a request is among those of the batch."""
        return key in self.lot or (self.theirs is not None and key in self.theirs)


class _Stopping(Exception):
    """The caller wants it to end."""


class BatchTeacher:
    """A teacher that is asked in batches.

    `scope` names the store of answers: batches of another are left alone. `say` is told in a line what is waited for.
    `sleep` waits for an event, at most so many seconds; `clock` is in seconds.
    """

    def __init__(
        self,
        name: str,
        teacher: Teacher,
        patience_s: float,
        say: Callable[[str], None] = lambda line: None,
        scope: str = "",
        limits: Limits = Limits(),
        sleep: Sleep = threading.Event.wait,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.teacher = teacher
        self.patience_s = patience_s
        self.say = say
        self.scope = hashlib.sha256(f"{scope}\n{teacher.model}".encode()).hexdigest()
        self.limits = limits
        self.sleep = sleep
        self.clock = clock

    def answer(
        self, requests: Iterator[Request], keep: Callable[[Response], None], stop: threading.Event
    ) -> list[Unanswered]:
        """As `Endpoint` says. When `stop` is set, batches under way go on at the server: the next run collects them."""
        asking = _Asking(self, self._server(), requests, keep, stop)
        try:
            asking.run()
        except _Stopping:
            pass
        except Refused as refusal:
            raise TeacherStopped(f"{self.place}: {refusal}{_advice(refusal)}") from None
        finally:
            asking.close()
        return asking.unanswered

    @property
    def place(self) -> str:
        """Which it is, and where."""
        return f"teacher {self.name} ({self.teacher.urls[0]})"

    def _server(self) -> Server:
        variable, key, headers = self.teacher.api_key_variable, "", {}
        if variable:
            key = os.environ.get(variable, "").strip()
            if not key or not key.isascii() or not key.isprintable():
                raise TeacherStopped(f"{self.place}: set {variable} to its key")
            bearer = self.teacher.api_key_header == "authorization"
            headers = {"Authorization": f"Bearer {key}"} if bearer else {"api-key": key}
        return Server(self.teacher.urls[0], headers, key, self.teacher.timeout_s)


class _Asking:
    """One call of `answer`: what is under way, and what is to be sent again."""

    def __init__(
        self,
        teacher: BatchTeacher,
        server: Server,
        requests: Iterator[Request],
        keep: Callable[[Response], None],
        stop: threading.Event,
    ) -> None:
        self.unanswered: list[Unanswered] = []
        self._teacher, self._server, self._requests, self._keep, self._stop = teacher, server, requests, keep, stop
        self._flights: list[_Flight] = []
        self._back: deque[Lot] = deque()  # what is sent again, before anything new
        self._held: tuple[str, bytes] | None = None  # what did not fit into the last file
        self._rounds: dict[str, int] = {}  # of requests that failed: how often
        self._kept_of_theirs: set[str] = set()
        self._answers = 0
        self._limits = teacher.limits
        self._pause = _SHORTEST_S
        self._not_before = float("-inf")
        self._limited_since: float | None = None

    def run(self) -> None:
        """Until each request is answered, or given up."""
        self._adopt()
        while True:
            if self._stop.is_set():
                raise _Stopping
            for flight in list(self._flights):
                self._look(flight)
            waits = self._send()
            if not self._flights and not waits:
                return
            self._wait(self._pause * random.uniform(0.8, 1.0))
            self._pause = min(self._pause * 1.5, _LONGEST_S)

    def close(self) -> None:
        """Frees the disk."""
        for lot in [flight.lot for flight in self._flights] + list(self._back):
            lot.close()

    # What earlier runs left

    def _adopt(self) -> None:
        """Takes over batches of earlier runs whose answers nobody collected."""
        for batch in self._own():
            if _status(batch) == "failed" and not _text(batch, "output_file_id"):
                continue
            file = _text(batch, "input_file_id")
            try:
                keys = self._patiently(partial(self._keys_of, file))
            except Refused as refusal:
                if refusal.status not in _GONE:
                    raise
                continue  # it was collected
            self._flights.append(_Flight(_text(batch, "id"), file, Lot(), theirs=keys))
        if self._flights:
            requests = sum(len(flight.theirs or ()) for flight in self._flights)
            self._say(f"{len(self._flights)} batches of an earlier run are collected ({requests:,} requests)")

    def _own(self) -> list[dict[str, Any]]:
        """The batches that carry our mark, newest first as the server lists them."""
        own: list[dict[str, Any]] = []
        after = ""
        for _ in range(_MOST_PAGES):
            path = f"/batches?limit=100{f'&after={quoted(after)}' if after else ''}"
            page = self._patiently(partial(self._server.call, "GET", path))
            listed = page.get("data")
            batches = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
            own += [each for each in batches if self._is_ours(each)]
            after = _text(batches[-1], "id") if batches else ""
            if page.get("has_more") is not True or not after:
                break
        return own

    def _is_ours(self, batch: dict[str, Any]) -> bool:
        metadata, created = batch.get("metadata"), batch.get("created_at")
        if isinstance(created, int) and created < time.time() - _KEPT_S:
            return False
        return isinstance(metadata, dict) and metadata.get("syscorpus_scope") == self._teacher.scope

    def _keys_of(self, file: str) -> frozenset[str]:
        return frozenset(outcome.key for outcome in self._outcomes(file))

    def _outcomes(self, file: str) -> Iterator[Outcome]:
        """The lines of a file that can be read. Where none can, it is a proxy's page and no file: raises Passing."""
        lines = read = 0
        for line in self._server.lines(file):
            outcome = outcome_of(line)
            lines += 1
            if outcome:
                read += 1
                yield outcome
        if lines and not read:
            raise Passing("a file without a line of a batch")

    # What goes up

    def _send(self) -> bool:
        """Creates batches as far as limits allow; whether there is something that must wait."""
        while len(self._flights) < self._limits.batches:
            if self._teacher.clock() < self._not_before:
                return True
            lot = self._fill()
            if lot is None:
                return False
            if self._stop.is_set():
                self._back.append(lot)
                raise _Stopping
            self._create(lot)
        return True

    def _fill(self) -> Lot | None:
        """The requests of one file, in their order; None: there are no more."""
        lot = Lot()
        while len(lot) < self._limits.requests and not self._stop.is_set():
            entry = self._held or self._next()
            self._held = None
            if entry is None:
                break
            if len(lot) and lot.size + len(entry[1]) > self._limits.size:
                self._held = entry
                break
            lot.add(*entry)
        if len(lot):
            return lot
        lot.close()
        return None

    def _next(self) -> tuple[str, bytes] | None:
        """The next line to send: what was sent before, and then what nobody asked for yet."""
        while self._back:
            if len(self._back[0]):
                return self._back[0].pop()
            self._back.popleft().close()
        for request in self._requests:
            if request.key in self._kept_of_theirs or any(request.key in flight.lot for flight in self._flights):
                continue
            line = line_of(request)
            adopted = next((each for each in self._flights if each.theirs and request.key in each.theirs), None)
            if adopted is None:
                return request.key, line
            adopted.lot.add(request.key, line)
        return None

    def _create(self, lot: Lot) -> None:
        """Sends a file and makes it a batch. From here on it costs."""
        digest = digest_of(lot.keys)
        try:
            lot.file.flush()
            file = self._uploaded(f"syscorpus-{digest[:16]}.jsonl", lot)
            batch = self._created(file, digest)
        except BaseException:
            self._back.appendleft(lot)  # for `close`
            raise
        if isinstance(batch, Refused):
            self._discard(file)
            self._limited(lot, str(batch))
            return
        if not self._is_ours(batch):
            self._say("keeps no metadata of batches: a run that is killed pays for its batches twice")
        self._flights.append(_Flight(_text(batch, "id"), file, lot))
        self._pause = _SHORTEST_S

    def _uploaded(self, name: str, lot: Lot) -> str:
        """The server's name of the file, once the server has looked at it."""
        said = self._patiently(lambda: self._server.upload(name, lot.file, lot.size))
        file = _text(said, "id")
        pause = _SHORTEST_S
        while _status(said) in _UNREADY:
            self._wait(pause)
            pause = min(pause * 1.5, _LONGEST_S)
            said = self._patiently(lambda: self._server.call("GET", f"/files/{quoted(file)}"))
        if not file or _status(said) == "error":
            raise Refused(200, "", f"the file cannot be read {self._server.safe(said.get('status_details'))}".strip())
        return file

    def _created(self, file: str, digest: str) -> dict[str, Any] | Refused:
        """The batch of a file, created once: where no answer came, the server is asked whether there is one.

        Returns the refusal where too much is enqueued.
        """
        payload = {
            "input_file_id": file,
            "endpoint": ENDPOINT,
            "completion_window": "24h",
            "metadata": {"syscorpus": digest, "syscorpus_scope": self._teacher.scope},
        }
        asked = False

        def create() -> dict[str, Any]:
            nonlocal asked
            there = [each for each in self._own() if _text(each, "input_file_id") == file] if asked else []
            asked = True
            batch = there[0] if there else self._server.call("POST", "/batches", payload)
            if not _text(batch, "id"):
                raise Passing("a batch without an id")
            return batch

        try:
            return self._patiently(create)
        except Refused as refusal:
            if _is_limit(refusal.code, str(refusal)):
                return refusal
            raise

    def _limited(self, lot: Lot, reason: str) -> None:
        """More is enqueued than the server allows: fewer batches at once, or if ours is the only one, smaller ones."""
        now = self._teacher.clock()
        others = len(self._flights)
        if others:
            self._limits = Limits(self._limits.requests, self._limits.size, others)
        else:
            self._limited_since = now if self._limited_since is None else self._limited_since
            if len(lot) == 1 and now - self._limited_since > self._teacher.patience_s:
                self._back.append(lot)
                raise TeacherStopped(f"{self._teacher.place}: {reason}; run again when other batches have ended")
            self._limits = Limits(max(1, len(lot) // 2), max(1, lot.size // 2), 1)
        self._back.appendleft(lot)
        self._not_before = now + self._pause
        self._say(f"{reason}; waits, and asks {self._limits.batches} at once of {self._limits.requests:,} requests")

    # What comes back

    def _look(self, flight: _Flight) -> None:
        """Asks how a batch does, and collects it when it has ended."""
        try:
            batch = self._patiently(lambda: self._server.call("GET", f"/batches/{quoted(flight.batch)}"))
        except Refused as refusal:
            if refusal.status not in _GONE:
                raise
            batch = {"status": "cancelled"}  # it is gone, and what it held is asked again
        status = _status(batch)
        if status not in ("validating", "failed"):
            self._limited_since = None
        if status != flight.status:
            flight.status, self._pause = status, _SHORTEST_S
        if status not in _ENDED:
            return
        if status == "failed" and not self._collects_failed(flight, batch):
            return
        self._collect(flight, batch)
        self._end(flight)

    def _collects_failed(self, flight: _Flight, batch: dict[str, Any]) -> bool:
        """Whether a batch that failed has answers to collect. One that failed its checks has none, and cost nothing."""
        if _text(batch, "output_file_id") or _text(batch, "error_file_id") or flight.theirs is not None:
            return True
        code, reason = self._first_error(batch)
        if not _is_limit(code, reason):
            raise TeacherStopped(f"{self._teacher.place}: batch {self._server.safe(flight.batch)} failed: {reason}")
        self._flights.remove(flight)
        self._discard(flight.file)
        self._limited(flight.lot, reason)
        return False

    def _first_error(self, batch: dict[str, Any]) -> tuple[str, str]:
        errors = batch.get("errors")
        listed = errors.get("data") if isinstance(errors, dict) else errors
        first = listed[0] if isinstance(listed, list) and listed else {}
        if not isinstance(first, dict):
            return "", self._server.safe(first)
        code, message = self._server.safe(first.get("code")), self._server.safe(first.get("message"))
        line = first.get("line")
        where = f" (line {line})" if isinstance(line, int) else ""
        return code, f"{code}: {message}{where}" if message else code or "the server does not say why"

    def _collect(self, flight: _Flight, batch: dict[str, Any]) -> None:
        """Keeps what a batch's files hold."""
        seconds = _seconds(batch)
        for name in ("output_file_id", "error_file_id"):
            file = _text(batch, name)
            if not file:
                continue
            try:
                self._patiently(partial(self._read, flight, file, seconds))
            except Refused as refusal:
                if refusal.status not in _GONE:
                    raise
                self._say(f"{name} of a batch is gone ({refusal}); its requests are asked again")
        if not self._answers and len(flight.refused) >= _ALL_REFUSED:
            self._all_refused(flight)
        for response in flight.refused:
            self._done(flight, response)

    def _read(self, flight: _Flight, file: str, seconds: float) -> None:
        for outcome in self._outcomes(file):
            if outcome.key not in flight.done and flight.asked(outcome.key):
                self._judge(flight, outcome, seconds)

    def _judge(self, flight: _Flight, outcome: Outcome, seconds: float) -> None:
        """Tells apart what is an answer, what is none for ever, and what may be one in another batch."""
        fault = found(outcome.status, "application/json", outcome.body, "chat").reason
        attempts = self._rounds.get(outcome.key, 0) + 1
        response = Response(outcome.key, outcome.status, outcome.body, time.time(), attempts, seconds)
        if not fault:
            self._answers += 1
            self._done(flight, response)
            return
        reason = self._server.safe(outcome.code) or fault
        message = self._server.safe(outcome.message)
        if outcome.status in (401, 404) or is_quota(outcome.code):
            flight.fatal = f"{reason}: {message}"
        elif outcome.status in _REFUSED:
            flight.why_refused = f"{reason}: {message}"
            if self._answers:
                self._done(flight, response)
            elif len(flight.refused) < _MOST_HELD:
                flight.done.add(outcome.key)
                flight.refused.append(response)
        flight.reasons[outcome.key] = reason

    def _done(self, flight: _Flight, response: Response) -> None:
        self._keep(response)
        flight.done.add(response.key)
        flight.lot.drop(response.key)
        self._rounds.pop(response.key, None)
        if flight.theirs is not None:
            self._kept_of_theirs.add(response.key)

    def _all_refused(self, flight: _Flight) -> None:
        """Every request was refused: none of that is kept, for a parameter, and no document, is wrong."""
        count = len(flight.refused)
        flight.refused.clear()
        if flight.theirs is None:
            why = flight.why_refused
            raise TeacherStopped(f"{self._teacher.place}: refuses each of {count:,} requests and answers none: {why}")

    def _end(self, flight: _Flight) -> None:
        """What a batch left without an answer goes into another; its input file is deleted, now that all is kept."""
        for key in flight.lot.keys:
            reason = flight.reasons.get(key, f"not in the results of a batch that {flight.status or 'is gone'}")
            self._rounds[key] = self._rounds.get(key, 0) + 1
            if self._rounds[key] >= _ROUNDS:
                del self._rounds[key]
                flight.lot.drop(key)
                self.unanswered.append(Unanswered(key, f"{reason}, in {_ROUNDS} batches"))
        self._flights.remove(flight)
        self._back.append(flight.lot)
        self._discard(flight.file)
        if flight.fatal and flight.theirs is None:
            raise TeacherStopped(f"{self._teacher.place}: {flight.fatal}")

    # What they share

    def _discard(self, file: str) -> None:
        try:
            self._server.call("DELETE", f"/files/{quoted(file)}")
        except (Passing, Refused):
            pass  # a later run would collect the batch once more, and find nothing new

    def _patiently(self, call: Callable[[], T]) -> T:
        """The result of a call that is repeated while what it fails by may pass. Raises Refused, TeacherStopped."""
        since: float | None = None
        pause = _SHORTEST_S
        while True:
            try:
                result = call()
            except Passing as failure:
                now = self._teacher.clock()
                if since is None:
                    since = now
                    self._say(f"does not answer ({failure}); waits")
                if now - since >= self._teacher.patience_s:
                    raise TeacherStopped(
                        f"{self._teacher.place}: does not answer ({failure}); batches under way go on there; "
                        "run again to collect them"
                    ) from None
                self._wait(max(pause, min(failure.after_s or 0.0, 10 * _LONGEST_S)) * random.uniform(1.0, 1.2))
                pause = min(pause * 2, _LONGEST_S)
            else:
                if since is not None:
                    self._say("answers again")
                return result

    def _wait(self, seconds: float) -> None:
        self._teacher.sleep(self._stop, seconds)
        if self._stop.is_set():
            raise _Stopping

    def _say(self, line: str) -> None:
        self._teacher.say(f"{self._teacher.place}: {line}")


def _advice(refusal: Refused) -> str:
    if is_quota(refusal.code):
        return "; its quota has ended"
    advice = {401: "; check its key", 403: "; check its key", 404: "; check its URL, and whether it has a batch API"}
    return advice.get(refusal.status, "")


def _is_limit(code: str, reason: str) -> bool:
    return code == "token_limit_exceeded" or "enqueued" in reason.lower()


def _text(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _status(value: dict[str, Any]) -> str:
    return _text(value, "status").lower()


def _seconds(batch: dict[str, Any]) -> float:
    """From a batch's creation to its end, by the server's clock; 0 where it does not say."""
    begun = batch.get("created_at")
    ended = next((batch[each] for each in ("completed_at", "expired_at", "cancelled_at") if batch.get(each)), None)
    return float(max(0, ended - begun)) if isinstance(begun, int) and isinstance(ended, int) else 0.0
