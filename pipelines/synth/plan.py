"""Plan: a deterministic table of requests, with what each will cost, before a token is paid for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from manifests.synthesis import Caps, SynthSettings
from pipelines.engine import Job
from pipelines.parts import Counts, Part, read_table, write_part
from pipelines.schema import table_of
from pipelines.synth.choose import EVERYTHING
from pipelines.synth.tables import PLAN
from pipelines.synth.uses import Use, money_of, uses_from
from synth.audit import EXPECTED_TOKENS, is_sampled
from synth.pieces import TooLong, headings_before, split
from synth.prompts import messages_for, prepare, shown_words
from synth.request import body_of, request_key
from synth.tokens import Counter


def plan_part(job: Job) -> Part:
    """The requests about the chosen documents of a part, in the order of admission."""
    uses = {each.index: each for each in uses_from(job.spec["uses"])}
    chosen = _chosen(job)
    documents = read_table(job.spec["input"], ["doc_id", "title", "text"])
    planner = _Planner(uses)
    rows: list[dict[str, Any]] = []
    for order, row in sorted({(order, row) for order, row, _ in chosen}):
        document = documents.slice(row, 1).to_pylist()[0]
        asked = [uses[use] for o, r, use in chosen if (o, r) == (order, row)]
        for use in asked:
            rows += [{**each, "order": order, "row": row} for each in planner.requests(document, use)]
    return write_part(job.directory, job.name, job.key, table_of(rows, PLAN), Counts(rows=len(rows)), {})


def _chosen(job: Job) -> list[tuple[int, int, int]]:
    """(order, row, use) of the candidates within the bounds."""
    table = read_table(job.spec["candidates"])
    bounds = np.array(job.spec["bounds"], np.int64)
    kept = table["order"].to_numpy() < bounds[table["use"].to_numpy()] if table.num_rows else np.empty(0, np.bool_)
    columns = [table[name].to_numpy()[kept].tolist() for name in ("order", "row", "use")]
    return sorted(zip(*columns, strict=True))


class _Planner:
    """Makes requests one after the other, and knows what each shares with the one before."""

    def __init__(self, uses: Mapping[int, Use]) -> None:
        self._counters = {each.index: Counter(each.tokenizer) for each in uses.values()}
        self._before: dict[str, str] = {}

    def requests(self, document: Mapping[str, Any], use: Use) -> Iterator[dict[str, Any]]:
        """The rows of a document and a use: each piece, each sample; or one that says why there is none."""
        common = {"doc_id": document["doc_id"], "use": use.index}
        try:
            pieces = pieces_of(use, document["text"])
        except TooLong as error:
            yield {**common, "piece": 0, "pieces": 1, "sample": 0, "reason": "too_long", "value": str(error)}
            return
        for piece in range(len(pieces)):
            messages = messages_of(use, document["title"], pieces, piece)
            prompt = self._counters[use.index].count(messages)
            shared = round(prompt * self._shared(use, messages))
            for sample in range(use.settings.samples):
                place = {**common, "piece": piece, "pieces": len(pieces), "sample": sample}
                yield {**place, **self._asked(use, messages, prompt, shared if sample == 0 else prompt, sample)}

    def _asked(self, use: Use, messages: list[dict[str, str]], prompt: int, shared: int, sample: int) -> dict[str, Any]:
        kind, teacher = use.kind, use.teacher
        if teacher.context is not None and prompt + kind.max_tokens > teacher.context:
            value = f"{prompt} tokens and an answer of {kind.max_tokens} in {teacher.context}"
            return {"reason": "over_context", "value": value}
        body = body_of(teacher, messages, kind.max_tokens, kind.response_schema, sample)
        return {
            "key": request_key(teacher, body, sample),
            "prompt_tokens": prompt,
            "shared_tokens": shared,
            "expected_tokens": min(kind.max_tokens, round(prompt * kind.expected)),
            "body": json.dumps(body, ensure_ascii=False),
        }

    def _shared(self, use: Use, messages: list[dict[str, str]]) -> float:
        """The share of a prompt that stands at the beginning of its teacher's last one, too."""
        prompt = "\n".join(each["content"] for each in messages)
        before = self._before.get(use.settings.teacher, "")
        self._before[use.settings.teacher] = prompt
        return _common(before, prompt) / max(len(prompt), 1)


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with alike, by bisection."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if one[:middle] == other[:middle]:
            least = middle
        else:
            most = middle - 1
    return least


def pieces_of(use: Use, text: str) -> Sequence[str]:
    """The pieces in which a document is shown. Raises TooLong."""
    return _pieces(use.kind.code, use.kind.piece_words, text)


@lru_cache(maxsize=16)  # of the last documents, for their other kinds and samples
def _pieces(code: str, most: int, text: str) -> Sequence[str]:
    return tuple(split(text, most, shown_words(code)))


def messages_of(use: Use, title: str | None, pieces: Sequence[str], piece: int) -> list[dict[str, str]]:
    """The messages that ask for a kind of one piece of a document."""
    prepared = prepare(use.kind, pieces[piece])
    return messages_for(use.kind, title or "", prepared.text, headings_before(pieces, piece))


# ---------------------------------------------------------------- what it comes to


@dataclass
class Total:
    """What the requests of a use come to. `tokens` are of prompts; `shared` of them a cache may hold."""

    requests: int = 0
    documents: int = 0
    tokens: int = 0
    shared: int = 0
    expected: int = 0

    def money(self, use: Use) -> float:
        """By the teacher's price; zero where it has none."""
        return float(money_of(use.teacher, self.tokens, self.shared, self.expected))

    def gpu_hours(self, use: Use) -> float | None:
        """By the tokens that a GPU writes in an hour; None where nobody knows."""
        rate = use.teacher.tokens_per_gpu_hour
        return self.expected / rate if rate else None


_TOKENS = ("prompt_tokens", "shared_tokens", "expected_tokens")


@dataclass(frozen=True)
class Auditing:
    """What the audit of planned requests comes to, for each: 1 or 0 requests, and their tokens."""

    requests: np.ndarray[Any, np.dtype[np.int64]]
    tokens: np.ndarray[Any, np.dtype[np.int64]]
    written: np.ndarray[Any, np.dtype[np.int64]]


def auditing(share: float, asked: pa.Table) -> Auditing:
    """The audit of requests of a plan. Their prompt holds the document and the answer."""
    sampled = np.array([is_sampled(key, share) for key in asked["key"].to_pylist()], np.int64)
    shown = asked["prompt_tokens"].to_numpy() + asked["expected_tokens"].to_numpy()
    return Auditing(sampled, sampled * shown, sampled * EXPECTED_TOKENS)


def admitted_below(uses: Sequence[Use], synth: SynthSettings, urls: Sequence[str]) -> int:
    """Below which order documents are asked about, so that requests, tokens and money stay within the caps.

    A document is admitted with all of its requests, those of the audit included, or not.
    """
    caps, audit = synth.caps, synth.audit
    if caps == Caps():
        return EVERYTHING
    columns: dict[str, Any] = {name: [np.empty(0, np.int64)] for name in ("order", "requests", "tokens", "money")}
    for url in urls:
        table = read_table(url, ["order", "use", "key", *_TOKENS])
        asked = table.filter(pc.is_valid(table["key"]))
        use_of, tokens = asked["use"].to_numpy(), [asked[name].to_numpy() for name in _TOKENS]
        requests, money = np.ones(len(asked), np.int64), np.zeros(len(asked))
        for use in uses:
            own = use_of == use.index
            money[own] = money_of(use.teacher, *(each[own] for each in tokens))
        spent = tokens[0] + tokens[2]
        if audit is not None:
            marks = auditing(audit.share, asked)
            requests = requests + marks.requests
            spent = spent + marks.tokens + marks.written
            money = money + money_of(synth.teachers[audit.teacher], marks.tokens, 0, marks.written)
        found = {"order": asked["order"].to_numpy(), "requests": requests, "tokens": spent, "money": money}
        for name, values in found.items():
            columns[name].append(values)
    whole = {name: np.concatenate(values) for name, values in columns.items()}
    turn = np.argsort(whole["order"], kind="stable")
    order = whole["order"][turn]
    first = len(order)
    for name in ("requests", "tokens", "money"):
        cap = getattr(caps, name)
        if cap is not None:
            first = min(first, int(np.searchsorted(np.cumsum(whole[name][turn]), cap, side="right")))
    return int(order[first]) if first < len(order) else EVERYTHING


def totals_of(uses: Sequence[Use], tables: Sequence[Any]) -> list[Total]:
    """What planned requests come to, by use; of those that are asked."""
    totals = [Total() for _ in uses]
    for table in tables:
        asked = table.filter(pc.is_valid(table["key"]))
        of = asked["use"].to_numpy()
        for use in uses:
            own = asked.filter(of == use.index)
            total = totals[use.index]
            total.requests += own.num_rows
            total.documents += pc.count_distinct(own["doc_id"]).as_py()
            total.tokens += pc.sum(own["prompt_tokens"]).as_py() or 0
            total.shared += pc.sum(own["shared_tokens"]).as_py() or 0
            total.expected += pc.sum(own["expected_tokens"]).as_py() or 0
    return totals
