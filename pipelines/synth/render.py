"""Render: documents from what passed: pieces joined, classified and filtered as any document, with who wrote them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.verdict import judge
from manifests.models import ClassifySettings, FilterSettings
from pipelines import __version__, classify
from pipelines.engine import Job
from pipelines.filter import edit
from pipelines.parts import Part, key_of, read_columns, read_table, write_part
from pipelines.rows import count_fates, drop_row, quarantine_row, side_tables
from pipelines.schema import CLUSTER, DOCUMENT, SCHEMA_VERSION, joined, table_of
from pipelines.synth.tables import PROVENANCE
from pipelines.synth.uses import Use, uses_from
from synth.pieces import join
from synth.prompts import prompt_hash

_INHERITED = ("source", "category", "licence", "licence_evidence", "language", "title")
#: What a part counts of each use, by `USE:NAME`.
COUNTED = (
    "requests", "answered", "accepted", "prompt_tokens", "cached_tokens", "completion_tokens", "accepted_tokens",
)  # fmt: skip

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class _Text:
    """A text that a teacher wrote: its requests in the order of their pieces, and the document that it becomes."""

    requests: Rows
    document: dict[str, Any]
    failed: Sequence[tuple[str, str]] = ()


def render_part(job: Job) -> Part:
    """The documents of a part of judged requests, in the order of their ids."""
    uses = uses_from(job.spec["uses"])
    parents = _Parents(job.spec["input"], job.spec["name"])
    rows = read_table(job.spec["judged"]).to_pylist()
    together = _together(job.spec["together"], [row["key"] for row in rows if row["text"]])
    dropped: list[dict[str, Any]] = []
    broken: list[dict[str, Any]] = []
    texts = []
    for requests in _groups(rows, uses):
        text = _text(requests, uses[requests[0]["use"]], parents, together)
        if text.failed:
            _lose(text, parents.name, together, dropped, broken)
        else:
            texts.append(text)
    kept, lost = _filter(texts, job, parents)
    for text in lost:
        _lose(text, parents.name, together, dropped, broken)
    alive = set(kept["doc_id"].to_pylist())
    accepted = [text for text in texts if text.document["doc_id"] in alive]
    counts = count_fates(sum(len(text.requests) for text in accepted), kept.num_rows, dropped, broken)
    counts = replace(counts, extra=_extra(rows, accepted))
    side = {**side_tables(dropped, broken), "provenance": _provenance(accepted, uses)}
    return write_part(job.directory, job.name, job.key, kept, counts, side)


def _groups(rows: Rows, uses: Sequence[Use]) -> Iterator[list[Mapping[str, Any]]]:
    """The requests that become one text: the pieces of a document, if their kind joins them."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        apart = 0 if uses[row["use"]].kind.joined else row["piece"]
        groups.setdefault((row["doc_id"], row["use"], row["sample"], apart), []).append(row)
    for group in groups.values():
        yield sorted(group, key=lambda row: row["piece"])


def _text(requests: Rows, use: Use, parents: _Parents, together: Mapping[str, tuple[str, str]]) -> _Text:
    """One text, or why there is none: the first of its pieces that failed."""
    parent = parents.row(requests[0]["row"])
    text = join([row["text"] or "" for row in requests])
    document = {
        "schema_version": SCHEMA_VERSION,
        "doc_id": _hash(":".join(["synth", parent["doc_id"], *(row["key"] or "" for row in requests)])),
        "url": "",
        "opt_out": [],
        "parents": [parent["doc_id"]],
        "kind": use.kind.name,
        "text": text,
        "revision": _hash(text),
        **{name: parent[name] for name in _INHERITED},
    }
    failed = [reason for row in requests for reason in _failures(row, together)]
    return _Text(requests, document, failed[:1])


def _failures(row: Mapping[str, Any], together: Mapping[str, tuple[str, str]]) -> list[tuple[str, str]]:
    if row["broken"]:
        return [(row["broken"], row["detail"])]
    if row["failed"]:
        return [(each["reason"], each["value"] or "") for each in row["failed"]]
    return [together[row["key"]]] if row["key"] in together else []


def _lose(
    text: _Text,
    name: str,
    together: Mapping[str, tuple[str, str]],
    dropped: list[dict[str, Any]],
    broken: list[dict[str, Any]],
) -> None:
    """A fate for each request of a text that does not count: its own, that of another piece, or that of the whole."""
    failures = [_failures(row, together) for row in text.requests]
    other = [("piece_failed", " ".join(first).strip()) for own in failures for first in own[:1]]
    for row, own in zip(text.requests, failures, strict=True):
        where = (name, row["row"])
        if row["broken"]:
            broken.append(quarantine_row(text.document, "synth", row["broken"], row["detail"], where))
        else:
            dropped.append(drop_row(text.document, "synth", own or other[:1] or text.failed, where))


class _Parents:
    """The documents of the part that requests were about."""

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        names = ("doc_id", "cluster_id", *_INHERITED)
        schema = pa.schema([field for field in joined(DOCUMENT, CLUSTER) if field.name in names])
        self._table = read_columns(url, schema)

    def row(self, index: int) -> dict[str, Any]:
        """A document without its text."""
        found: dict[str, Any] = self._table.slice(index, 1).to_pylist()[0]
        return found

    def cluster(self, index: int) -> str:
        """The cluster of a document: its rewrites are of it, too, wherever clusters are kept together."""
        row = self.row(index)
        return str(row["cluster_id"] or row["doc_id"])


def _together(urls: Sequence[str], keys: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Of some requests those that fail for what others say."""
    found = {}
    for url in urls:
        table = read_table(url)
        for row in table.filter(pc.is_in(table["key"], pa.array(keys, pa.string()))).to_pylist():
            found[row["key"]] = (row["reason"], row["value"])
    return found


def _filter(texts: Sequence[_Text], job: Job, parents: _Parents) -> tuple[pa.Table, list[_Text]]:
    """The same classify and filter functions as for any document; rows in doc_id order, and the texts that fail."""
    texts = sorted(texts, key=lambda text: str(text.document["doc_id"]))
    thresholds = FilterSettings.model_validate(job.spec["filter"])
    told = job.spec["classify"]
    documents = table_of([text.document for text in texts], DOCUMENT)
    scored = classify.score(documents, ClassifySettings.model_validate(told["settings"]), classify.tools_of(told))
    verdicts = judge(scored, thresholds)
    lost = [replace(text, failed=failed) for text, failed in zip(texts, verdicts, strict=True) if failed]
    stays = [not failed for failed in verdicts]
    kept = scored.filter(pa.array(stays, pa.bool_()))
    clusters = [parents.cluster(text.requests[0]["row"]) for text, stay in zip(texts, stays, strict=True) if stay]
    alone = {"cluster_id": clusters, "cluster_size": [1] * kept.num_rows, "copies": [[]] * kept.num_rows}
    for field in CLUSTER:
        kept = kept.append_column(field, pa.array(alone[field.name], field.type))
    return edit(kept, thresholds), lost


def _extra(rows: Rows, accepted: Sequence[_Text]) -> dict[str, int]:
    """Requests and tokens of each use, those of accepted texts apart."""
    sums: Counter[str] = Counter()
    for row in rows:
        use = row["use"]
        sums[f"{use}:requests"] += row["key"] is not None
        sums[f"{use}:answered"] += row["finish"] is not None
        for name in ("prompt_tokens", "cached_tokens", "completion_tokens"):
            sums[f"{use}:{name}"] += row[name] or 0
    for row in (row for text in accepted for row in text.requests):
        sums[f"{row['use']}:accepted"] += 1
        sums[f"{row['use']}:accepted_tokens"] += row["completion_tokens"] or 0
    return dict(sorted(sums.items()))


def _provenance(accepted: Sequence[_Text], uses: Sequence[Use]) -> pa.Table:
    """Who wrote each document, asked what."""
    rows = [_told(text, uses[text.requests[0]["use"]]) for text in accepted]
    return table_of(sorted(rows, key=lambda row: str(row["doc_id"])), PROVENANCE)


def _told(text: _Text, use: Use) -> dict[str, Any]:
    teacher = use.teacher
    parameters = {name: getattr(teacher, name) for name in ("temperature", "top_p", "seed", "parameters")}
    tokens = {
        name: sum(row[name] or 0 for row in text.requests)
        for name in ("prompt_tokens", "cached_tokens", "completion_tokens")
    }
    return {
        "doc_id": text.document["doc_id"],
        "parents": text.document["parents"],
        "kind": use.kind.name,
        "prompt_sha256": prompt_hash(use.kind),
        "teacher": use.settings.teacher,
        "model": teacher.model,
        "revision": teacher.revision,
        "teacher_licence": teacher.licence,
        "parameters": json.dumps({**parameters, "max_tokens": use.kind.max_tokens}, sort_keys=True),
        "request_keys": [row["key"] for row in text.requests],
        "sample": text.requests[0]["sample"],
        "finish": [row["finish"] for row in text.requests],
        **tokens,
        "gates": _worst(text.requests),
        "limits_sha256": key_of(use.limits),
        "generator": __version__,
    }


def _worst(requests: Rows) -> list[tuple[str, float]]:
    """What the gates measured; of several pieces the largest value."""
    worst: dict[str, float] = {}
    for row in requests:
        for name, value in row["scores"] or ():
            worst[name] = max(value, worst.get(name, value))
    return sorted(worst.items())


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
