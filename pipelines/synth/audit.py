"""The audit of a run: requests for marks, planned when the answers are there, kept in the same store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manifests.synthesis import Teacher
from pipelines.engine import Job
from pipelines.parts import Counts, Part, read_table, write_part
from pipelines.schema import table_of
from pipelines.synth.read import Read, read_answers
from pipelines.synth.tables import PLAN
from pipelines.synth.uses import uses_from
from synth.answer import Answer, answer_of
from synth.audit import EXPECTED_TOKENS, MAX_TOKENS, SCHEMA, audit_messages, is_sampled, mark_of
from synth.request import body_of, request_key
from synth.tokens import Counter


@dataclass(frozen=True)
class Marked:
    """The mark of an answer, where it has one, and what the auditor's answer cost."""

    mark: int | None
    cost: Answer


def plan_audit(job: Job) -> Part:
    """The requests for marks of the sampled answers of a part."""
    teacher, count = Teacher.model_validate(job.spec["teacher"]), Counter(job.spec["tokenizer"]).count
    rows = []
    for each in read_answers(job, uses_from(job.spec["uses"])):
        if each.text and is_sampled(each.row["key"], job.spec["share"]):
            messages = audit_messages(each.source, each.text)
            body = _body(teacher, each)
            place = {name: each.row[name] for name in ("order", "doc_id", "row", "use", "piece", "pieces", "sample")}
            tokens = {"prompt_tokens": count(messages), "shared_tokens": 0, "expected_tokens": EXPECTED_TOKENS}
            asked = {"key": request_key(teacher, body), "body": json.dumps(body, ensure_ascii=False)}
            rows.append({**place, **tokens, **asked})
    return write_part(job.directory, job.name, job.key, table_of(rows, PLAN), Counts(rows=len(rows)), {})


def _body(teacher: Teacher, each: Read) -> dict[str, Any]:
    return body_of(teacher, audit_messages(each.source, each.text), MAX_TOKENS, SCHEMA)


class Marks:
    """The marks of a part's answers; none where the recipe has no audit."""

    def __init__(self, spec: Mapping[str, Any] | None) -> None:
        self._teacher = Teacher.model_validate(spec["teacher"]) if spec else None
        self._bodies: dict[str, bytes] = {}
        if spec:
            table = read_table(spec["audited"], ["key", "status", "body"])
            rows = zip(*(table[name].to_pylist() for name in table.column_names), strict=True)
            self._bodies = {key: body for key, status, body in rows if status == 200}

    def of(self, each: Read) -> Marked | None:
        """What the auditor said of an answer."""
        if self._teacher is None or not each.text:
            return None
        body = self._bodies.get(request_key(self._teacher, _body(self._teacher, each)))
        if body is None:
            return None
        answer = answer_of(body)
        return Marked(mark_of(answer.text), answer)
