"""The journal of a takedown while it is done, and its record behind it: `takedowns/` in the run. Never any text.

The journal holds the request and the whole plan, so that the same command goes on behind a kill where by then nobody
could tell any more what was to go. As long as it is there, no stage of the run is made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines import storage
from pipelines.run import Run
from pipelines.takedown.plan import Plan
from pipelines.takedown.proof import Proof
from pipelines.takedown.request import RefusedError, Request
from pipelines.takedown.versions import Versions
from pipelines.takedowns import FOLDER, OPEN


@dataclass
class Journal:
    """A takedown that has begun. `name`: of its record, DATE-NUMBER. `when`: the time of its begin.

    `files`: what changed, by place: the name, and the SHA-256 before and behind it, empty where there is none.
    """

    name: str
    when: str
    request: Mapping[str, Any]
    plan: Plan
    files: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def note(self, place: str, changes: Mapping[str, Sequence[str]]) -> None:
        """Notes changes of files of a place; what stood there before the first of them stays noted."""
        there = self.files.setdefault(place, {})
        for name, (before, after) in changes.items():
            there[name] = [there[name][0] if name in there else before, after]


def begin(run: Run, request: Request, plan: Plan, when: str) -> Journal:
    """Begins a takedown: the next number of the day."""
    day = when[:10]
    names = storage.list_files(storage.join(run.url, FOLDER))
    used = [int(found[1]) for name in names if (found := re.fullmatch(rf"{day}-(\d+)\.json", name))]
    journal = Journal(f"{day}-{max(used, default=0) + 1}", when, request.to_json(), plan)
    save(run, journal)
    return journal


def save(run: Run, journal: Journal) -> None:
    """Writes the journal, whole."""
    told = {
        "name": journal.name,
        "when": journal.when,
        "request": journal.request,
        "plan": journal.plan.to_json(),
        "files": journal.files,
    }
    storage.write_bytes(storage.join(run.url, OPEN), json.dumps(told, sort_keys=True).encode())


def resume(run: Run, request: Request) -> Journal | None:
    """The takedown that was begun and not ended; None where there is none. Raises RefusedError for another request."""
    url = storage.join(run.url, OPEN)
    if not storage.exists(url):
        return None
    told = json.loads(storage.read_bytes(url))
    if told["request"] != request.to_json():
        subjects = " ".join(f"--{subject.replace('_', '-')} {value}" for subject, value in told["request"]["subjects"])
        raise RefusedError(
            f"takedown: the one that was begun on {told['when']} ({subjects}, by {told['request']['who']}) has not "
            "ended; give that command again first"
        )
    return Journal(told["name"], told["when"], told["request"], Plan.from_json(told["plan"]), told["files"])


def grams_url(run: Run, journal: Journal) -> str:
    """The file of the hashes by which the proof knows the documents; it stays, to scan other copies by."""
    return storage.join(run.url, FOLDER, f"{journal.name}.grams")


def write_record(run: Run, journal: Journal, versions: Sequence[Versions], proof: Proof, shown: str) -> str:
    """Writes what went, why, on whose word, and what the proof found; then the journal goes. Returns its URL."""
    plan = journal.plan
    told = {
        "when": journal.when,
        **journal.request,
        "documents": [vars(each) for each in plan.leaving],
        "stay": [vars(each) for each in plan.staying],
        "counts": {
            "documents": len(plan.leaving),
            "records": sum(len(each) for each in plan.places.records.values()),
            "responses": len(plan.responses),
            "rows": {place: len(rows) for place, rows in plan.rows.items()},
            "shards": plan.shards,
        },
        "left": list(plan.places.left),
        "files": journal.files,
        "versions": [vars(each) for each in versions],
        "plan": shown.splitlines(),
        "proof": {**vars(proof), "left": proof.left},
    }
    url = storage.join(run.url, FOLDER, f"{journal.name}.json")
    storage.write_bytes(url, json.dumps(told, indent=1, sort_keys=True).encode())
    storage.delete(storage.join(run.url, OPEN))
    return url
