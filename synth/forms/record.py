"""Questions that results of a benchmark answer, and which results do: what is asked as a design, and candidates.

After the task Infrawise of AIMicius ("Sigma: Differential Rescaling of Query, Key and Value", arXiv 2501.13629): a
question becomes a design (target, baseline), a criterion and a workload; of some results those that suit are found, or
none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from manifests.synthesis import Kind
from synth.checks.answers import fenced, read_json, sentence
from synth.checks.records import Record, numbers_of, records_of, same_record, stands_in
from synth.forms import Reading
from synth.outline import title_of, titled

_CANDIDATES = 10
_FEWEST_OTHERS = 3  # that a question without a suiting result is shown
_NONE_OF = 6  # one question of so many is shown results that do not suit


def read(kind: Kind, answer: str, document: str) -> Reading:
    """An answer: {"question", "design": {"target", "baseline"}, "criterion", "workload", "records", "answer"}.

    `records` are rows that suit, written as the document does. Problems: broken_json, schema, no_records (of the
    document), not_a_record, unknown_name (of hardware or workload), unknown_criterion, inconsistent_design,
    invented_number, no_result (the answer gives none). The same answer makes the same text: others are chosen by hash.
    """
    value, problems = read_json(answer, kind.response_schema)
    if problems:
        return Reading("", problems)
    records = records_of(document)
    if not records:
        return Reading("", [("no_records", "the document has no table, CSV or JSON of results")])
    chosen: list[Record] = []
    for row in value["records"]:
        found = same_record(records, row)
        suiting = [each for each in found if stands_in(value["design"]["target"], each.words)]
        if not found:
            problems.append(("not_a_record", " ".join(row.split())[:80]))
        chosen += [each for each in (suiting or found)[:1] if each not in chosen]
    problems += _name_problems(value, document) + _design_problems(value, chosen, title_of(document))
    problems += _number_problems(value, chosen)
    return Reading(titled(_text(value, chosen, records), document) if chosen else "", problems)


def _name_problems(value: dict[str, Any], document: str) -> list[tuple[str, str]]:
    names = (value["design"]["target"], value["design"]["baseline"], value["workload"])
    problems = [("unknown_name", name[:80]) for name in names if name and not stands_in(name, document)]
    criterion = value["criterion"]
    if criterion != "default" and not stands_in(criterion, document):
        problems.append(("unknown_criterion", criterion[:80]))
    return problems


def _design_problems(value: dict[str, Any], chosen: Sequence[Record], title: str) -> list[tuple[str, str]]:
    """Question, design and records speak of the same."""
    target, baseline, workload = value["design"]["target"], value["design"]["baseline"], value["workload"]
    problems = [
        ("inconsistent_design", f"the question does not name {name[:60]}")
        for name in (target, baseline, workload)
        if name and not stands_in(name, value["question"])
    ]
    said = [f"{title} | {each.words}" for each in chosen]
    for name in (target, baseline):
        if name and said and not any(stands_in(name, words) for words in said):
            problems.append(("inconsistent_design", f"no record is of {name[:60]}"))
    if not all(stands_in(workload, words) for words in said):
        problems.append(("inconsistent_design", f"a record is not of {workload[:60]}"))
    if baseline and target.casefold() == baseline.casefold():
        problems.append(("inconsistent_design", "target and baseline are one"))
    return problems


def _number_problems(value: dict[str, Any], chosen: Sequence[Record]) -> list[tuple[str, str]]:
    design = value["design"]
    results = {number for each in chosen for field in each.values for number in numbers_of(field)}
    named = numbers_of(" | ".join((design["target"], design["baseline"], value["workload"], value["criterion"])))
    results -= named  # the 100 of an H100 is no result
    named |= {number for each in chosen for number in numbers_of(each.words)}
    told = numbers_of(value["answer"])
    problems = [
        ("invented_number", number) for number in sorted((told | numbers_of(value["question"])) - results - named)
    ]
    return problems if told & results else [*problems, ("no_result", sentence(value["answer"])[:80])]


def _text(value: dict[str, Any], chosen: Sequence[Record], records: Sequence[Record]) -> str:
    """The question, its design, candidates in an order of their own, and which suit."""
    question = sentence(value["question"])
    names = [name for name in value["design"].values() if name]
    # What is of the same hardware and workload may suit as well, and stands in no list as one that does not.
    others = [
        each
        for each in dict.fromkeys(records)
        if each not in chosen
        and not (stands_in(value["workload"], each.words) and any(stands_in(name, each.words) for name in names))
    ]
    others = sorted(others, key=lambda each: _draw(question, each.words))
    suits = len(others) < _FEWEST_OTHERS or _draw(question) % _NONE_OF != 0
    shown = [*chosen, *others[: _CANDIDATES - len(chosen)]] if suits else others[:_CANDIDATES]
    shown = sorted(shown, key=lambda each: _draw("order", question, each.words))
    design = {
        "Design": {"Target": value["design"]["target"], "Baseline": value["design"]["baseline"]},
        "Criterion": value["criterion"],
        "Workload": value["workload"],
    }
    lines = ",\n".join("  " + json.dumps(_shown(each, at), ensure_ascii=False) for at, each in enumerate(shown, 1))
    if suits:
        indices = sorted(shown.index(each) + 1 for each in chosen)
        heads = f"Result{'s' if len(indices) > 1 else ''} {' and '.join(map(str, indices))}."
        said = f"{heads} {sentence(value['answer'])}"
    else:
        said = f"None: no result is of {value['workload']} on {' or '.join(names)}."
    parts = ["## Question", question, "## Design", fenced(json.dumps(design, ensure_ascii=False, indent=2), "json")]
    parts += ["## Results", fenced(f"[\n{lines}\n]", "json"), "## Answer", said]
    return "\n\n".join(parts) + "\n"


def _shown(record: Record, index: int) -> dict[str, Any]:
    section = {"section": " / ".join(record.section[1:])} if len(record.section) > 1 else {}
    return {"index": index, **section, "record": dict(record.fields)}


def _draw(*what: str) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(what).encode("utf-8", "replace")).digest()[:8], "big")
