"""`syscorpus label`: a teacher labels a sample of a run's documents, for `syscorpus train-classifier`.

Requests and answers go the way of all others: planned, asked for once, kept in the store as they came.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from manifests.load import category_definitions
from manifests.synthesis import Teacher
from pipelines import storage
from pipelines.engine import Commit, StageError, claim, read_commit
from pipelines.parts import key_of, read_table, write_parquet
from pipelines.pool import Pool
from pipelines.run import Run
from pipelines.schema import table_of
from pipelines.synth.choose import EVERYTHING, order_of
from pipelines.synth.endpoints import endpoints_of
from pipelines.synth.respond import Asked, link, respond
from pipelines.synth.store import Store, store_of
from pipelines.synth.tables import PLAN
from pipelines.synth.uses import tokenizer_of
from synth.answer import answer_of
from synth.label import MAX_TOKENS, label_messages, label_of, schema_of
from synth.pieces import TooLong, split
from synth.request import body_of, request_key
from synth.tokens import Counter as TokenCounter

_WORDS = 1200  # of a document that a teacher is shown: its beginning
LABELLED = pa.schema(
    [
        *((name, pa.string()) for name in ("category", "source", "name", "title", "method", "generator")),
        ("text", pa.large_string()),
        ("relevance", pa.int8()),
        ("quality", pa.int8()),
        *((name, pa.string()) for name in ("doc_id", "teacher", "request_key")),
    ]
)
_COLUMNS = ("doc_id", "source", "url", "title", "method", "generator", "text")


@dataclass(frozen=True)
class Sample:
    """Which documents are labelled, by which teacher of the recipe, and where the labels go."""

    teacher: str
    documents: int
    output: str


def label(run: Run, sample: Sample, pool: Pool) -> str:
    """Labels a sample of what classify has made, and writes a table of it. Returns what came of it, in words.

    Raises StageError where classify is not committed, or no teacher has this name.
    """
    teachers = run.recipe.synth.teachers
    commit = read_commit(run.directory("classify"))
    if commit is None:
        raise StageError(f"label: classify is not committed in {run.url}; run classify first")
    if sample.teacher not in teachers:
        known = ", ".join(teachers) or "none"
        raise StageError(f"label: teacher {sample.teacher!r} is not among synth.teachers ({known})")
    claim(run, "synth")
    asking = _Asking(run, teachers[sample.teacher])
    places = [storage.join(run.directory("classify"), f"{part.name}.parquet") for part in commit.parts]
    store, rows, plans = store_of(run), 0, []
    for place, chosen in zip(places, _choose(run, places, sample.documents), strict=True):
        plan = table_of(list(asking.requests(read_table(place, list(_COLUMNS)), chosen)), PLAN)
        rows += plan.num_rows
        plans.append(_write_plan(run, sample, place, plan, commit))
        link(store, plans[-1])
    synth = run.recipe.synth
    endpoints = endpoints_of(run, [sample.teacher], pool)
    asked = Asked(plans, EVERYTHING, [sample.teacher], teachers, synth.caps, synth.unanswered)
    left = respond(asked, endpoints, store)
    labelled = [row for place, plan in zip(places, plans, strict=True) for row in asking.labelled(place, plan, store)]
    write_parquet(sample.output, table_of(labelled, LABELLED), {"teacher": asking.name})
    return _summary(labelled, rows, len(left), sample)


def _choose(run: Run, places: Sequence[str], number: int) -> list[list[int]]:
    """Of each part the rows of the sample: the documents with the smallest hashes."""
    ids = [read_table(place, ["doc_id"])["doc_id"].to_pylist() for place in places]
    orders = [np.array([order_of(run.recipe.seed, f"label:{each}") for each in part], np.int64) for part in ids]
    whole = np.sort(np.concatenate([np.empty(0, np.int64), *orders]))
    below = whole[number] if len(whole) > number else EVERYTHING
    return [np.flatnonzero(each < below).tolist() for each in orders]


def _write_plan(run: Run, sample: Sample, place: str, plan: pa.Table, commit: Commit) -> str:
    name = f"{key_of(sample.teacher, sample.documents, commit.key)[:12]}-{place.rpartition('/')[2]}"
    url = storage.join(run.directory("synth"), "_labels", name)
    write_parquet(url, plan, {"side": {}})
    return url


class _Asking:
    """Makes requests for labels, and reads them."""

    def __init__(self, run: Run, teacher: Teacher) -> None:
        self._teacher = teacher
        self._categories = category_definitions()
        self._count = TokenCounter(tokenizer_of(run, teacher)).count
        self.name = " ".join(filter(None, [teacher.model, teacher.revision]))

    def requests(self, table: pa.Table, rows: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Rows of PLAN for some documents of a part."""
        for row in rows:
            document = table.slice(row, 1).to_pylist()[0]
            messages = label_messages(self._categories, document["title"] or "", _beginning(document["text"]))
            body = body_of(self._teacher, messages, MAX_TOKENS, schema_of(self._categories))
            yield {
                "order": 0,
                "doc_id": document["doc_id"],
                "row": row,
                "use": 0,
                "piece": 0,
                "pieces": 1,
                "sample": 0,
                "key": request_key(self._teacher, body),
                "prompt_tokens": self._count(messages),
                "shared_tokens": 0,
                "expected_tokens": MAX_TOKENS // 4,
                "body": json.dumps(body, ensure_ascii=False),
            }

    def labelled(self, place: str, plan: str, store: Store) -> Iterator[dict[str, Any]]:
        """Rows of LABELLED: the documents of a plan whose label can be read."""
        planned = read_table(plan, ["row", "key"])
        found = store.read(planned["key"].combine_chunks())
        columns = (found[name].to_pylist() for name in ("key", "status", "body"))
        answers: Mapping[str, bytes] = {key: body for key, status, body in zip(*columns, strict=True) if status == 200}
        table = read_table(place, list(_COLUMNS))
        for row, key in zip(planned["row"].to_pylist(), planned["key"].to_pylist(), strict=True):
            told = label_of(answer_of(answers[key]).text, self._categories) if key in answers else None
            if told is not None:
                document = table.slice(row, 1).to_pylist()[0]
                yield {
                    **document,
                    "name": document["url"],
                    **vars(told),
                    "teacher": self.name,
                    "request_key": key,
                }


def _beginning(text: str) -> str:
    """What a teacher is shown of a document: as many whole sections of it as it can well read."""
    try:
        return split(text, _WORDS)[0]
    except TooLong:
        return " ".join(text.split(" ")[:_WORDS])


def _summary(labelled: Sequence[Mapping[str, Any]], asked: int, unanswered: int, sample: Sample) -> str:
    counted = Counter(row["category"] for row in labelled)
    lines = [f"{number:>7,} {name}" for name, number in sorted(counted.items(), key=lambda item: (-item[1], item[0]))]
    unread = asked - unanswered - len(labelled)
    return "\n".join(
        [
            *lines,
            f"{len(labelled):,} of {asked:,} documents labelled; {unanswered:,} got no answer, {unread:,} one that is "
            "no label",
            f"labels: {sample.output} (syscorpus train-classifier --labelled {sample.output})",
        ]
    )
