"""Respond: asks for what the store does not have, one thread for each teacher; every answer is stored as it came.

The driver does this: a thousand requests in flight are the work of one core, and one limiter knows of all of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from manifests.synthesis import Caps, Teacher
from pipelines.engine import Job, StageError
from pipelines.parts import Counts, Part, read_table, write_part
from pipelines.progress import Progress
from pipelines.schema import table_of
from pipelines.synth.choose import EVERYTHING
from pipelines.synth.store import Store, Writer
from pipelines.synth.tables import ANSWERED
from pipelines.synth.uses import money_of
from synth.answer import answer_of
from synth.request import Request, Response
from synth.teachers import Endpoint, TeacherStopped, Unanswered

_LOOK_S = 0.2


@dataclass(frozen=True)
class Asked:
    """What is asked for: tables of requests, up to an order, and who answers them: by `use`, a teacher's name.

    `before`: what was asked for under the same caps, whose answers count for them.
    """

    plans: Sequence[str]
    below: int
    of_use: Sequence[str]
    teachers: Mapping[str, Teacher]
    caps: Caps
    unanswered: float
    before: Asked | None = None


def respond(asked: Asked, endpoints: Mapping[str, Endpoint], store: Store) -> dict[str, str]:
    """Asks `endpoints` for all that the store lacks. Returns the requests that got no answer, and why.

    Raises StageError.
    """
    missing = _Missing(asked, store)
    if not missing.number:
        return {}
    progress = Progress("synth", missing.number, "request")
    with store.writer() as writer:
        ledger = _Ledger(asked, writer, _spent_before(asked, store))
        try:
            left = _ask_all(endpoints, missing, ledger, progress)
        finally:
            progress.end()
    if ledger.full:
        done = ledger.answered + missing.known
        raise StageError(
            f"synth: {ledger.full} is reached: {done:,} of {missing.number + missing.known:,} requests are answered "
            "and stored; raise it, or ask for less, and run again"
        )
    most = asked.unanswered * (missing.number + missing.known)
    if len(left) > most:
        first = next(iter(left.values()))
        raise StageError(
            f"synth: {len(left):,} requests got no answer (the first: {first}); all others are stored. Run again to "
            "ask for them again, or allow more with synth.unanswered"
        )
    return left


class _Missing:
    """The requests without an answer, read again from their plans for each teacher: memory holds one plan at a time."""

    def __init__(self, asked: Asked, store: Store) -> None:
        self._asked, self._store = asked, store
        self.number = self.known = 0
        heads = []
        for url in asked.plans:
            keys = _admitted(url, asked.below, ["order", "key"])["key"]
            missing = store.missing(keys.combine_chunks())
            heads.append(_heads(missing))
            self.known += len(keys) - len(missing)
        values, counts = np.unique(np.concatenate([np.empty(0, np.uint64), *heads]), return_counts=True)
        self.number = len(values)
        self._repeated = frozenset(values[counts > 1].tolist())
        self._seen: set[str] = set()  # of the repeated ones
        self._lock = threading.Lock()

    def of(self, teacher: str) -> Iterator[Request]:
        """Those for a teacher, each once, in the order of admission within a part."""
        uses = [index for index, name in enumerate(self._asked.of_use) if name == teacher]
        for url in self._asked.plans:
            table = _admitted(url, self._asked.below, None)
            table = table.filter(pc.is_in(table["use"], pa.array(uses, pa.int16())))
            table = table.filter(pc.is_in(table["key"], self._store.missing(table["key"].combine_chunks())))
            for batch in table.to_batches(max_chunksize=256):
                for row in batch.to_pylist():
                    if self._is_first(row["key"]):
                        tokens = row["prompt_tokens"] + row["expected_tokens"]
                        yield Request(row["key"], teacher, row["body"].encode(), row["doc_id"], tokens)

    def _is_first(self, key: str) -> bool:
        """Whether a request is not that of an earlier row, perhaps of another teacher's thread."""
        if int(key[:16], 16) not in self._repeated:
            return True
        with self._lock:
            fresh = key not in self._seen
            self._seen.add(key)
        return fresh


def _admitted(url: str, below: int, columns: Sequence[str] | None) -> pa.Table:
    """The rows of a plan that are asked for."""
    table = read_table(url, columns)
    return table.filter(pc.and_(pc.is_valid(table["key"]), pc.less(table["order"], below)))


def _heads(keys: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """The first eight bytes of each key."""
    return np.array([int(each[:16], 16) for each in keys.to_pylist()], np.uint64)


@dataclass
class _Spent:
    """Tokens and money that answers have cost."""

    tokens: int = 0
    money: float = 0.0

    def add(self, body: bytes, teacher: Teacher) -> None:
        """Adds an answer. One without usage costs nothing that we know of."""
        answer = answer_of(body)
        self.tokens += answer.prompt_tokens + answer.completion_tokens
        self.money += money_of(teacher, answer.prompt_tokens, answer.cached_tokens, answer.completion_tokens)


class _Ledger:
    """Keeps answers, counts them, and says when a cap is reached. Used by several threads."""

    def __init__(self, asked: Asked, writer: Writer, spent: _Spent) -> None:
        self._caps, self._writer, self._spent = asked.caps, writer, spent
        self._teachers = asked.teachers
        self._lock = threading.Lock()
        self.answered = self.refused = 0
        self.full = ""
        self.stop = threading.Event()

    def keep(self, teacher: str) -> Callable[[Response], None]:
        """What a teacher hands its responses to."""

        def keep(response: Response) -> None:
            self._writer.keep(response)
            with self._lock:
                self.answered += 1
                self.refused += response.status != 200
                if response.status == 200 and (self._caps.tokens is not None or self._caps.money is not None):
                    self._spent.add(response.body, self._teachers[teacher])
                    self._look()

        return keep

    def _look(self) -> None:
        for name in ("tokens", "money"):
            cap = getattr(self._caps, name)
            if cap is not None and getattr(self._spent, name) >= cap and not self.full:
                self.full = f"synth.caps.{name} ({cap:,})"
                self.stop.set()

    def note(self) -> str:
        """For the line of progress."""
        spent = f", {self._spent.money:,.2f} spent" if self._spent.money else ""
        return (f"{self.refused:,} refused" if self.refused else "") + spent


def _spent_before(asked: Asked, store: Store) -> _Spent:
    """What the answers that are there have cost; only where a cap asks for it."""
    spent = _spent_before(asked.before, store) if asked.before else _Spent()
    if asked.caps.tokens is None and asked.caps.money is None:
        return spent
    for url in asked.plans:
        table = _admitted(url, asked.below, ["order", "key", "use"])
        use_of = dict(zip(table["key"].to_pylist(), table["use"].to_pylist(), strict=True))
        there = store.read(table["key"].combine_chunks())
        for key, status, body in zip(*(there[name].to_pylist() for name in ("key", "status", "body")), strict=True):
            if status == 200:
                spent.add(body, asked.teachers[asked.of_use[use_of[key]]])
    return spent


@dataclass
class _Outcome:
    """What came of asking a teacher."""

    left: list[Unanswered] = field(default_factory=list)
    stopped: str = ""
    error: BaseException | None = None


def _ask_all(
    endpoints: Mapping[str, Endpoint], missing: _Missing, ledger: _Ledger, progress: Progress
) -> dict[str, str]:
    """Asks every teacher at once, until all are done, or one stops all. Raises StageError."""
    outcomes = {name: _Outcome() for name in endpoints}

    def ask(name: str, endpoint: Endpoint) -> None:
        try:
            outcomes[name].left = endpoint.answer(missing.of(name), ledger.keep(name), ledger.stop)
        except TeacherStopped as stopped:
            outcomes[name].stopped = str(stopped)
            ledger.stop.set()
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            outcomes[name].error = error
            ledger.stop.set()

    threads = [threading.Thread(target=ask, args=each, daemon=True) for each in endpoints.items()]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(_LOOK_S)
            progress.show(ledger.answered, note=ledger.note())
    finally:
        ledger.stop.set()
        for thread in threads:
            thread.join()
    for outcome in outcomes.values():
        if outcome.error is not None:
            raise outcome.error
    stopped = [outcome.stopped for outcome in outcomes.values() if outcome.stopped]
    if stopped:
        raise StageError("synth: " + "; ".join(stopped))
    return {each.key: each.reason for outcome in outcomes.values() for each in outcome.left}


def collect_part(job: Job) -> Part:
    """The responses to the requests of a plan, out of the store, in the order of their keys."""
    plan = _admitted(job.spec["plan"], job.spec["below"], ["order", "doc_id", "key"])
    of = dict(zip(plan["key"].to_pylist(), plan["doc_id"].to_pylist(), strict=True))
    found = Store(job.spec["store"]).read(pa.array(sorted(of), pa.string())).select(["key", "status", "body"])
    there = found["key"].to_pylist()
    lost = sorted(of.keys() - set(there))
    unexpected = [key for key in lost if key not in job.spec["unanswered"]]
    if unexpected:
        raise StageError(f"{job.spec['store']}: has lost the response to {unexpected[0]}; run again to ask for it")
    rows = pa.table(
        {"doc_id": [of[key] for key in there], **{n: found[n] for n in found.column_names}}, schema=ANSWERED
    )
    without = table_of(
        [{"doc_id": of[key], "key": key, "status": 0, "body": job.spec["unanswered"][key].encode()} for key in lost],
        ANSWERED,
    )
    table = pa.concat_tables([rows, without]).sort_by("key")
    return write_part(job.directory, job.name, job.key, table, Counts(rows=table.num_rows), {})


def link(store: Store, plan: str) -> None:
    """Tells the store which documents the requests of a plan are about, so that a takedown finds their responses."""
    table = _admitted(plan, EVERYTHING, ["order", "doc_id", "key"])
    if table.num_rows:
        store.link("plan", table["key"].combine_chunks(), table["doc_id"].combine_chunks())
