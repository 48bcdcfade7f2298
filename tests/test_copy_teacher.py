"""The stage against a model that does what it is asked, mostly: its slips are dropped, and what counts is faithful."""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from manifests.synthesis import gates
from pipelines import storage
from pipelines.engine import Commit
from pipelines.parts import read_table
from pipelines.run import Run
from tests.copy_teacher import MODEL
from tests.corpora import InProcess
from tests.llama import server
from tests.synth_runs import make, parts_of, put_documents, rows_of

_DOCUMENTS = 60
# Some that the teacher knows, and some that it never saw.
_SUBJECTS = (
    "server", "queue", "cache", "scheduler", "journal", "volume", "router", "broker", "snapshot", "resolver", "kernel",
    "packet", "socket", "driver", "table", "bucket", "sluice", "lantern", "granite", "harbour",
)  # fmt: skip
_SENTENCES = (
    "The {one} keeps {count} {other}s in memory and reads each {third} from {path}.",
    "If a {other} needs {count} MiB, the {one} must remove it before the {third} can start.",
    "Only {code} can show the last {one}, because no {other} writes {path} in time.",
    "When the {one} is old, each {other} waits {count} seconds for a new {third}.",
    "A {other} with {count} errors is so large that the {one} sends it to port {port}.",
    "Small machines use {code}, but the {third} needs {count} jobs.",
    "Then {code} stops the {one} with a limit of {count} bytes.",
    "Many {one}s find the {other} near {path} when {count} minutes have passed.",
)
_RESTATE = {
    "name": "restate",
    "about": "The whole document again, in other words",
    "task": "Say this document again in other words, and change no number and no code.\n",
    "code": "shown",
    "fewest_words": 20,
    "max_tokens": 320,
    "expected": 1.0,
    "limits": {"dropped_number": 1.0},
    "example": {"document": "It is fast.", "answer": "It is quick.", "text": "It is quick."},
}


def document_of(seed: int) -> str:
    """A document of some 25 to 100 words, other ones than the teacher learned from."""
    chance = random.Random(seed)
    things = iter(chance.sample(_SUBJECTS, len(_SUBJECTS)))
    sentences = []
    for sentence in chance.sample(_SENTENCES, 2 + seed % 5):
        one, other, third = (next(things) for _ in range(3))
        code = chance.choice((f"`{one} --{other}`", f"`{one}.{other}`", f"`show {other} -n {chance.randint(2, 99)}`"))
        values = {
            "count": chance.randint(2, 900),
            "port": chance.randint(1024, 9999),
            "path": f"/etc/{one}/{third}.conf",
        }
        sentences.append(sentence.format(one=one, other=other, third=third, code=code, **values))
    return "\n\n".join(" ".join(sentences[at : at + 3]) for at in range(0, len(sentences), 3))


def without_titles(documents: pa.Table) -> pa.Table:
    """The teacher does not see titles, and theirs have numbers, which count as its documents'."""
    at = documents.schema.get_field_index("title")
    return documents.set_column(at, documents.schema.field(at), pa.array([""] * len(documents), pa.string()))


def run_of(make_run: Any, directory: Path, url: str) -> Run:
    (directory / "restate.yaml").write_text(yaml.safe_dump(_RESTATE))
    teachers = {"copy": {"urls": [url], "model": MODEL.stem, "context": 2048}}
    kinds = [{"kind": kind, "teacher": "copy"} for kind in ("restate.yaml", "encyclopedia")]
    return make_run(synth={"teachers": teachers, "kinds": kinds})


def code_of(text: str) -> set[str]:
    return set(re.findall(r"`[^`\n]*`", text))


def numbers_of(text: str) -> set[str]:
    return set(re.findall(r"\d+", text))


def test_of_what_a_real_model_says_only_the_faithful_counts(make_run, make_documents, tmp_path):
    if why := server.missing():
        pytest.skip(why)
    documents = {f"{number:032x}": document_of(number) for number in range(_DOCUMENTS)}
    with server.serve(MODEL, context=2048) as url:
        run = run_of(make_run, tmp_path, url)
        put_documents(run, without_titles(make_documents(*documents.values())))
        commit = make(run, InProcess())
        asked = server.metric(url, "prompt_tokens_total")
        assert asked > 0
        shutil.rmtree(run.directory("synth"))
        again = make(run, InProcess())
        assert server.metric(url, "prompt_tokens_total") == asked
    assert parts_of(again) == parts_of(commit)
    check_fates(run, commit)
    check_drops(run, commit)
    check_texts(run, commit, documents)


def check_fates(run: Run, commit: Commit) -> None:
    """Each request of the plan counts, was dropped, or had no answer, by the rows themselves."""
    planned = sum(len(rows_of_plan(run, part.name)) for part in commit.parts)
    accepted = sum(len(row["request_keys"]) for row in rows_of(run, commit, "provenance/"))
    dropped, unanswered = (len(rows_of(run, commit, folder)) for folder in ("dropped/", "quarantine/"))
    assert planned == accepted + dropped + unanswered == commit.counts.seen
    assert planned > _DOCUMENTS and accepted >= 10 and unanswered == 0


def rows_of_plan(run: Run, name: str) -> list[dict[str, Any]]:
    return read_table(storage.join(run.directory("synth"), "_plan", f"{name}.parquet")).to_pylist()


def check_drops(run: Run, commit: Commit) -> None:
    """Gates of content find slips of the model, of more than one sort, and say what they measured."""
    of_content = {gate.name for gate in gates()}
    found = Counter(row["reason"] for row in rows_of(run, commit, "dropped/"))
    assert len(of_content & found.keys()) >= 2
    for row in rows_of(run, commit, "dropped/"):
        assert all(failed["value"] for failed in row["failed"] if failed["reason"] in of_content)


def check_texts(run: Run, commit: Commit, documents: dict[str, str]) -> None:
    """What counts has the numbers and the code of its document, in other words, and passed every gate."""
    limits = {gate.name: gate for gate in gates()}
    measured = {row["doc_id"]: dict(row["gates"]) for row in rows_of(run, commit, "provenance/")}
    texts = rows_of(run, commit)
    assert {row["kind"] for row in texts} >= {"restate"}
    for row in texts:
        source = documents[row["parents"][0]]
        assert numbers_of(row["text"]) <= numbers_of(source)
        assert code_of(row["text"]) <= code_of(source)
        assert measured[row["doc_id"]]["copy_share"] <= limits["copied"].limit
        assert row["text"].split() != source.split()
