"""synth: a teacher rewrites filtered documents; what it wrote counts only behind the gates and the filter.

The raw answer to each request is stored under the hash of the whole request before anything reads it, so a
request is paid for once, whatever is killed. Without a teacher in the recipe the stage commits zero rows.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from filters.verdict import decides, judge
from manifests.models import ClassifySettings, FilterSettings, SynthSettings, Teacher
from pipelines import classify, storage
from pipelines.engine import Job, Result, Stage, StageError, Work, parts_before
from pipelines.filter import edit
from pipelines.parts import Counts, Part, read_table, write_part
from pipelines.rows import count_fates, drop_row, quarantine_row, side_tables
from pipelines.run import Run
from pipelines.schema import CLUSTER, DOCUMENT, SCHEMA_VERSION, table_of
from pipelines.shuffle import shuffle_key
from synth import client, gates, prompts

_NO_TEACHER = "the recipe names no teacher (synth.teacher)"


def _settings(run: Run) -> Mapping[str, Any]:
    if run.recipe.synth.teacher is None:
        return {"teacher": None}
    return {
        **run.recipe.synth.model_dump(),
        "seed": run.recipe.seed,
        "prompts": prompts.VERSION,
        "classify": classify.settings_of(run),
        "filter": decides(run.recipe.filter),
    }


def _make(work: Work) -> Result:
    settings = work.run.recipe.synth
    if settings.teacher is None:
        return Result([], Counts(), {"note": _NO_TEACHER})
    chosen = _choose_documents(work, settings)
    jobs = [
        work.job(
            rewrite_part,
            "",
            each.name.split("/")[-1],
            [work.settings, each.content, chosen.get(each.name, [])],
            {
                "input": each.url,
                "name": each.name,
                "documents": chosen[each.name],
                "settings": work.settings,
                "classify": classify.spec_of(work.run),
                "filter": work.run.recipe.filter.model_dump(),
                "store": storage.join(work.directory, "_responses"),
            },
        )
        for each in work.inputs
        if each.name in chosen
    ]
    parts = work.make(jobs)
    return Result(parts, Counts.total([part.counts for part in parts]), {"teacher": settings.teacher.model})


def _choose_documents(work: Work, settings: SynthSettings) -> dict[str, list[str]]:
    """Parents by part: of the documents that are short enough, those of the smallest seeded hash."""
    candidates = (
        (shuffle_key(work.run.recipe.seed, "synth", row["doc_id"]), each.name, row["doc_id"])
        for each in work.inputs
        for row in read_table(each.url, ["doc_id", "words"]).to_pylist()
        if row["words"] <= settings.max_document_words
    )
    chosen: dict[str, list[str]] = {}
    for _, name, doc_id in heapq.nsmallest(settings.max_documents, candidates):
        chosen.setdefault(name, []).append(doc_id)
    return {name: sorted(ids) for name, ids in chosen.items()}


# ---------------------------------------------------------------- a part


def rewrite_part(job: Job) -> Part:
    """Asks for each kind of each chosen document of a part, and keeps the answers that pass."""
    # The settings carry the keys of other stages beside the model's own.
    settings = SynthSettings.model_validate({name: job.spec["settings"][name] for name in SynthSettings.model_fields})
    assert settings.teacher is not None
    table = read_table(job.spec["input"])
    wanted = set(job.spec["documents"])
    places = {doc_id: index for index, doc_id in enumerate(table["doc_id"].to_pylist()) if doc_id in wanted}
    rows = [table.slice(index, 1).select(DOCUMENT.names).to_pylist()[0] for index in places.values()]
    requests = [(row, kind) for row in rows for kind in settings.kinds]
    with ThreadPoolExecutor(settings.teacher.concurrency) as threads:
        answers = list(threads.map(lambda each: _respond(settings.teacher, each, job.spec["store"]), requests))
    written, dropped, broken = [], [], []
    for (parent, kind), (key, body) in zip(requests, answers, strict=True):
        child = _child(parent, kind, key)
        where = (job.spec["name"], places[parent["doc_id"]])
        if isinstance(body, str):
            broken.append(quarantine_row(child, "synth", "refused", body, where))
            continue
        text, finish = gates.answer_of(body)
        failed = gates.failures(parent["text"], text, finish, settings.max_copy_share)
        if failed:
            dropped.append(drop_row(child, "synth", failed, where))
        else:
            written.append({**child, "text": text, "revision": _hash(text)})
    kept, late = _filter(written, job, places, _clusters(table, places))
    counts = count_fates(kept.num_rows, kept.num_rows, [*dropped, *late], broken)
    return write_part(job.directory, job.name, job.key, kept, counts, side_tables([*dropped, *late], broken))


def _respond(teacher: Teacher | None, request: tuple[dict[str, Any], str], store: str) -> tuple[str, bytes | str]:
    """(request key, raw answer), from the store or from the teacher; a string is the reason of a final refusal."""
    assert teacher is not None
    parent, kind = request
    effective = client.request_of(teacher, prompts.messages_for(kind, parent["title"], parent["text"]))
    key = client.request_key(effective)
    url = storage.join(store, key[:2], f"{key}.json")
    if not storage.exists(url):
        try:
            entry: dict[str, Any] = {"body": client.ask(teacher, effective).decode("utf-8", "replace")}
        except client.Refused as refused:
            entry = {"refused": f"HTTP {refused.status}: {refused.body}"}
        except client.TeacherUnavailable as error:
            raise StageError(str(error)) from None
        storage.write_bytes(url, json.dumps(entry).encode())
    stored = json.loads(storage.read_bytes(url))
    return key, stored["body"].encode() if "body" in stored else stored["refused"]


def _child(parent: Mapping[str, Any], kind: str, key: str) -> dict[str, Any]:
    """The identity of a rewrite: of its parent, and of the request that made it."""
    inherited = ("source", "category", "licence", "licence_evidence", "language", "title")
    return {
        "schema_version": SCHEMA_VERSION,
        "doc_id": _hash(f"synth:{parent['doc_id']}:{key}"),
        "url": "",
        "opt_out": [],
        "parents": [parent["doc_id"]],
        "kind": kind,
        **{name: parent[name] for name in inherited},
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _clusters(table: pa.Table, places: Mapping[str, int]) -> dict[str, str]:
    """The cluster of each parent: its rewrites are of it, too, wherever clusters are kept together."""
    if "cluster_id" not in table.column_names:
        return {doc_id: doc_id for doc_id in places}
    return {doc_id: table["cluster_id"][index].as_py() or doc_id for doc_id, index in places.items()}


def _filter(
    written: Sequence[dict[str, Any]], job: Job, places: Mapping[str, int], clusters: Mapping[str, str]
) -> tuple[pa.Table, list[dict[str, Any]]]:
    """The same classify and filter functions as for any document; rows in doc_id order, and the drops."""
    thresholds = FilterSettings.model_validate(job.spec["filter"])
    documents = table_of(sorted(written, key=lambda row: row["doc_id"]), DOCUMENT)
    told = job.spec["classify"]
    scored = classify.score(documents, ClassifySettings.model_validate(told["settings"]), classify.tools_of(told))
    verdicts = judge(scored, thresholds)
    rows = documents.to_pylist()
    dropped = [
        drop_row(rows[index], "synth", failed, (job.spec["name"], places[rows[index]["parents"][0]]))
        for index, failed in enumerate(verdicts)
        if failed
    ]
    kept = scored.filter(pa.array([not failed for failed in verdicts], pa.bool_()))
    alone = {
        "cluster_id": [clusters[parents[0]] for parents in kept["parents"].to_pylist()],
        "cluster_size": [1] * kept.num_rows,
        "copies": [[]] * kept.num_rows,
    }
    for field in CLUSTER:
        kept = kept.append_column(field, pa.array(alone[field.name], field.type))
    return edit(kept, thresholds), dropped


STAGE = Stage("synth", 3, "request", lambda run: parts_before(run, "synth"), _settings, _make)
