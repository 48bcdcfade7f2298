"""What came of each request of a plan: its answer, read by the form of its kind. Judge and audit begin with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pipelines.engine import Job
from pipelines.parts import read_table
from pipelines.synth.plan import pieces_of
from pipelines.synth.tables import PLAN, REQUEST
from pipelines.synth.uses import Use
from synth import forms
from synth.answer import answer_of
from synth.prompts import finish, prepare

TOKENS = ("prompt_tokens", "cached_tokens", "completion_tokens")


@dataclass
class Read:
    """A request and what came of it: the row of the judged table, the source shown, the text read, and problems.

    `text` is empty where there is none to measure.
    """

    row: dict[str, Any]
    source: str = ""
    text: str = ""
    problems: list[tuple[str, str]] = field(default_factory=list)


def read_answers(job: Job, uses: Sequence[Use]) -> Iterator[Read]:
    """Every request of a plan with its answer, read by the form of its kind."""
    responses = _responses(job.spec["answered"])
    documents = read_table(job.spec["input"], ["title", "text"])
    for planned in read_table(job.spec["plan"], [name for name in PLAN.names if name != "body"]).to_pylist():
        row = {name: planned[name] for name in REQUEST.names}
        if planned["reason"]:
            yield Read(row, problems=[(planned["reason"], planned["value"] or "")])
        elif planned["order"] >= job.spec["below"]:
            yield Read(row, problems=[("over_cap", "")])
        else:
            yield _read(row, uses[row["use"]], documents, *responses[row["key"]])


def _responses(url: str) -> dict[str, tuple[int, bytes]]:
    table = read_table(url, ["key", "status", "body"])
    columns = [table[name].to_pylist() for name in ("key", "status", "body")]
    return {key: (status, body) for key, status, body in zip(*columns, strict=True)}


def _read(row: dict[str, Any], use: Use, documents: pa.Table, status: int, body: bytes) -> Read:
    if status != 200:
        said = body.decode("utf-8", "replace")
        row |= {"broken": "refused" if status else "unanswered", "detail": f"HTTP {status}: {said}" if status else said}
        return Read(row)
    answer = answer_of(body)
    row |= {"finish": answer.finish, **{name: getattr(answer, name) for name in TOKENS}}
    title, text = (documents[name][row["row"]].as_py() or "" for name in ("title", "text"))
    piece = pieces_of(use, text)[row["piece"]]
    source = f"{title}\n\n{piece}"
    if answer.finish != "stop" or not answer.text:
        reason = "unfinished" if answer.finish != "stop" else "empty"
        return Read(row, source, problems=[(reason, answer.finish)])
    try:
        restored, lost = finish(use.kind, answer.text, prepare(use.kind, piece))
        reading = forms.read(use.kind, restored, piece)
    except Exception as error:  # noqa: BLE001 - what one answer provokes costs that answer only
        row |= {"broken": type(error).__name__, "detail": str(error)}
        return Read(row)
    return Read(row, source, reading.text, [*lost, *reading.problems])
