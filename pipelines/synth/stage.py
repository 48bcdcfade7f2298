"""synth: a teacher writes from filtered documents; what it wrote counts only behind the gates and the filter.

Steps, with files between them:

1. choose    which documents each kind is asked of; kinds with seeds are asked of documents made for them
2. plan      the requests, with what each will cost; caps say up to which document they are asked
3. respond   what the store lacks is asked for; each answer is stored as it came, before anything reads it
4. judge     each answer through its gates
5. together  answers that are like others, or like sources
6. render    documents, classified and filtered as any other

Without kinds in the recipe the stage commits zero rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from filters.verdict import decides
from manifests.synthesis import KindUse
from pipelines import classify, storage
from pipelines.engine import Input, Job, Result, Stage, Work, parts_before
from pipelines.parts import Counts, Part
from pipelines.run import Run
from pipelines.synth import ledger
from pipelines.synth.audit import plan_audit
from pipelines.synth.choose import bounds_of, choose_part
from pipelines.synth.endpoints import endpoints_of
from pipelines.synth.judge import judge_part
from pipelines.synth.plan import admitted_below, plan_part
from pipelines.synth.render import render_part
from pipelines.synth.respond import Asked, collect_part, link, respond
from pipelines.synth.seeds import make_seeds
from pipelines.synth.store import store_of
from pipelines.synth.together import judge_together
from pipelines.synth.uses import Use, asking, gates_in_force, judging, spec_of, tokenizer_of, uses_of, variable_of

_NOTHING = "the recipe asks for no kinds (synth.kinds)"


def _settings(run: Run) -> Mapping[str, Any]:
    uses = uses_of(run)
    if not uses:
        return {"kinds": []}
    audit = run.recipe.synth.audit
    return {
        "asking": asking(uses),
        "judging": judging(uses),
        "caps": run.recipe.synth.caps.model_dump(),
        "audit": audit.model_dump() if audit else None,
        "together": run.recipe.synth.together.model_dump(),
        "seed": run.recipe.seed,
        "gates": gates_in_force(),
        "classify": classify.settings_of(run),
        "filter": decides(run.recipe.filter),
    }


@dataclass(frozen=True)
class Planned:
    """Requests, before any is sent: where their plans lie, and below which order they are asked."""

    uses: Sequence[Use]
    inputs: Sequence[Input]
    parts: Sequence[Part]
    urls: Sequence[str]
    below: int


class _Steps:
    """Runs a step: a job for each part of documents, those made from seeds included."""

    def __init__(self, work: Work, uses: Sequence[Use]) -> None:
        self.work, self.uses = work, uses
        self.spec = spec_of(uses)
        self.inputs = [*work.inputs, *self._seeds()]

    def _seeds(self) -> list[Input]:
        """Parts of documents that are made for the kinds that have seeds."""
        work, jobs = self.work, []
        for use in self.uses:
            if use.kind.seeds:
                spec = {
                    "seeds": use.kind.seeds,
                    "number": use.settings.documents,
                    "seed": work.run.recipe.seed,
                    "category": use.kind.categories[0],
                }
                jobs.append(work.job(make_seeds, "_seeds", f"seeds-{use.index}", spec, spec))
        parts = work.make(jobs, "synth: seeds") if jobs else []
        return [Input(f"seeds/{part.name}", self.url("_seeds", part), part.content, part.counts.rows) for part in parts]

    def url(self, step: str, part: Part) -> str:
        """Where a part of a step lies."""
        return storage.join(self.work.directory, step, f"{part.name}.parquet")

    def of_parts(
        self, function: Callable[[Job], Part], step: str, key: Any, spec: Callable[[int], Mapping[str, Any]]
    ) -> list[Part]:
        """What a step makes of each part; `spec` says what it needs of the steps before. No step: the stage's own."""
        jobs = [
            self.work.job(
                function,
                step,
                each.name.split("/")[-1],
                [key, each.content, (told := spec(index)).get("contents")],
                {"input": each.url, "name": each.name, "uses": self.spec, **told},
            )
            for index, each in enumerate(self.inputs)
        ]
        return self.work.make(jobs, f"synth: {step.strip('_') or 'render'}")

    def asks(self, index: int) -> list[int]:
        """The uses that ask about the documents of a part."""
        name = self.inputs[index].name
        return [
            each.index
            for each in self.uses
            if (name == f"seeds/seeds-{each.index}" if each.kind.seeds else not name.startswith("seeds/"))
        ]


def plan(work: Work) -> Planned:
    """Makes the tables of requests. Nothing is asked yet."""
    uses = uses_of(work.run)
    steps = _Steps(work, uses)
    seed = work.run.recipe.seed
    chosen = steps.of_parts(
        choose_part, "_chosen", [asking(uses), seed], lambda index: {"seed": seed, "asks": steps.asks(index)}
    )
    candidates = [steps.url("_chosen", part) for part in chosen]
    bounds = bounds_of(uses, candidates)
    parts = steps.of_parts(
        plan_part,
        "_plan",
        [asking(uses), bounds],
        lambda index: {"candidates": candidates[index], "bounds": bounds, "contents": chosen[index].content},
    )
    urls = [steps.url("_plan", part) for part in parts]
    return Planned(uses, steps.inputs, parts, urls, admitted_below(uses, work.run.recipe.synth, urls))


def _make(work: Work) -> Result:
    if not uses_of(work.run):
        return Result([], Counts(), {"note": why_none(work.run)})
    planned = plan(work)
    steps = _Steps(work, planned.uses)
    answered = _respond(steps, planned, "_answered")
    judged = _judge(steps, planned, answered)
    urls = [steps.url("_judged", part) for part in judged]
    together = judge_together(work, judged, urls)
    parts = steps.of_parts(
        render_part,
        "",
        [work.settings, [part.content for part in judged]],
        lambda index: {
            "judged": urls[index],
            "together": together,
            "classify": classify.spec_of(work.run),
            "filter": work.run.recipe.filter.model_dump(),
        },
    )
    counts = Counts.total([part.counts for part in parts])
    return Result(parts, replace(counts, extra={}), {"ledger": _ledger(work, planned, counts.extra, judged)})


def _ledger(work: Work, planned: Planned, counted: Mapping[str, int], judged: Sequence[Part]) -> list[dict[str, Any]]:
    """What each kind and teacher cost, the audit's last."""
    rows = ledger.rows_of(planned.uses, counted)
    audit = work.run.recipe.synth.audit
    if audit is not None:
        spent = Counts.total([part.counts for part in judged]).extra
        rows.append(ledger.audit_row(audit.teacher, work.run.recipe.synth.teachers[audit.teacher], spent))
    return rows


def why_none(run: Run) -> str:
    """Why nothing is asked."""
    synth = run.recipe.synth
    missing = sorted({variable_of(synth.teachers[each.teacher]) for each in synth.kinds})
    return f"set {missing[0]} to the URL of a teacher, such as http://127.0.0.1:8080/v1" if missing else _NOTHING


def _asked(work: Work, planned: Planned, before: Asked | None = None) -> Asked:
    of_use, synth = [each.settings.teacher for each in planned.uses], work.run.recipe.synth
    return Asked(planned.urls, planned.below, of_use, synth.teachers, synth.caps, synth.unanswered, before)


def _respond(steps: _Steps, planned: Planned, step: str, before: Asked | None = None) -> list[Part]:
    """Asks for what the store lacks, and brings each part its responses."""
    work = steps.work
    store = store_of(work.run)
    for url in planned.urls:
        link(store, url)
    asked = _asked(work, planned, before)
    left = respond(asked, endpoints_of(work.run, asked.of_use, work.pool), store)
    return steps.of_parts(
        collect_part,
        step,
        [planned.below, sorted(left)],
        lambda index: {
            "plan": planned.urls[index],
            "below": planned.below,
            "store": store.url,
            "unanswered": left,
            "contents": planned.parts[index].content,
        },
    )


def _judge(steps: _Steps, planned: Planned, answered: Sequence[Part]) -> list[Part]:
    """Puts every answer through its gates, those of a sample through the audit, too."""
    rules = gates_in_force()
    audits = _audit(steps, planned, answered)
    return steps.of_parts(
        judge_part,
        "_judged",
        [judging(planned.uses), rules, planned.below, steps.work.settings["audit"]],
        lambda index: {
            **_read_from(steps, planned, answered, index),
            "audit": audits[index] if audits else None,
            "contents": [
                planned.parts[index].content,
                answered[index].content,
                audits[index]["content"] if audits else None,
            ],
        },
    )


def _read_from(steps: _Steps, planned: Planned, answered: Sequence[Part], index: int) -> dict[str, Any]:
    return {
        "plan": planned.urls[index],
        "answered": steps.url("_answered", answered[index]),
        "below": planned.below,
    }


def _audit(steps: _Steps, planned: Planned, answered: Sequence[Part]) -> list[dict[str, Any]]:
    """Has a sample of the answers marked; says for each part where the marks are, and which count."""
    audit, teachers = steps.work.run.recipe.synth.audit, steps.work.run.recipe.synth.teachers
    if audit is None:
        return []
    teacher = teachers[audit.teacher]
    uses = [replace(each, settings=_by(each.settings, audit.teacher), teacher=teacher) for each in planned.uses]
    tokenizer = tokenizer_of(steps.work.run, teacher)
    parts = steps.of_parts(
        plan_audit,
        "_audit",
        [judging(planned.uses), planned.below, audit.model_dump(), asking(uses)],
        lambda index: {
            **_read_from(steps, planned, answered, index),
            "teacher": teacher.model_dump(mode="json"),
            "tokenizer": tokenizer,
            "share": audit.share,
            "contents": [planned.parts[index].content, answered[index].content],
        },
    )
    urls = [steps.url("_audit", part) for part in parts]
    audited = replace(planned, uses=uses, parts=parts, urls=urls)
    marks = _respond(steps, audited, "_audited", before=_asked(steps.work, planned))
    return [
        {
            "audited": steps.url("_audited", part),
            "content": part.content,
            "teacher": teacher.model_dump(mode="json"),
            "at_least": audit.at_least,
        }
        for part in marks
    ]


def _by(use: KindUse, teacher: str) -> KindUse:
    return use.model_copy(update={"teacher": teacher})


STAGE = Stage("synth", 5, "request", lambda run: parts_before(run, "synth"), _settings, _make)
