"""Rewrites are asked for once, have a parent, and count only behind the gates and the filter."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from manifests.models import ClassifySettings, FilterSettings
from pipelines import storage
from pipelines.classify import score
from pipelines.engine import Commit, Result, Stage, StageError, run_stage
from pipelines.filter import edit
from pipelines.parts import Counts, read_table, write_part
from pipelines.pool import Pool
from pipelines.run import Run
from pipelines.schema import CLUSTER, EDITS, SCORES
from pipelines.synth import STAGE
from pipelines.trace_decisions import decisions_of
from tests.teacher_server import PROSE, REWRITE, TeacherServer, completion, error


def put_documents(run: Run, documents: pa.Table) -> None:
    """Commits documents as the output of `filter`, in two parts."""
    scored = score(documents, ClassifySettings())
    alone = {"cluster_id": scored["doc_id"], "cluster_size": [1] * len(scored), "copies": [[]] * len(scored)}
    for field in CLUSTER:
        column = alone[field.name]
        scored = scored.append_column(
            field, column if isinstance(column, pa.ChunkedArray) else pa.array(column, field.type)
        )
    table = edit(scored, FilterSettings())
    half = len(table) // 2

    def make(work: Any) -> Result:
        slices = (table.slice(0, half), table.slice(half))
        parts = [
            write_part(work.directory, f"part-{n}", "key", each, Counts(len(each), len(each), len(each)), {})
            for n, each in enumerate(slices)
        ]
        return Result(parts, Counts.total([part.counts for part in parts]))

    run_stage(run, Stage("filter", 1, "row", lambda run: [], lambda run: {}, make), Pool(1))


def documents_of(number: int) -> list[str]:
    return [f"# Topic {name}\n\n{PROSE}Topic {name} is told here.\n" for name in "abcdefgh"[:number]]


@pytest.fixture
def make_synth(make_run, make_documents, pool) -> Callable[..., tuple[Run, Commit, bool]]:
    """Runs the stage over so many documents, against a server or without one."""

    def make(server: TeacherServer | None, number: int = 4, **settings: Any) -> tuple[Run, Commit, bool]:
        teacher = {"teacher": {"url": server.url, "model": "m", "concurrency": 2}} if server else {}
        run = make_run(synth={**teacher, **settings})
        put_documents(run, make_documents(*documents_of(number)))
        return run, *run_stage(run, STAGE, pool)

    return make


def rows_of(run: Run, commit: Commit, folder: str = "") -> list[dict[str, Any]]:
    """Rows of all parts of the stage, or of what stands beside them."""
    urls = [storage.join(run.directory("synth"), f"{folder}{part.name}.parquet") for part in commit.parts]
    return [row for url in urls if storage.exists(url) for row in read_table(url).to_pylist()]


def topic_of(request: dict[str, Any]) -> str:
    return request["messages"][1]["content"].partition("# Topic ")[2][0]


def test_without_a_teacher_the_stage_commits_no_rows_and_says_so(make_synth):
    run, commit, made = make_synth(None)
    assert made
    assert commit.counts == Counts()
    assert "no teacher" in commit.extra["note"]
    assert storage.list_files(run.directory("synth")) == ["_begun.json", "_commit.json"]


def test_a_rewrite_that_passes_is_a_document_with_its_parent_its_kind_and_every_column(make_synth, serve):
    server = serve(lambda request, before: completion(f"{REWRITE}\nThis was topic {topic_of(request)}.\n"))
    run, commit, _ = make_synth(server, kinds=["faq", "summary"])
    rows = rows_of(run, commit)
    assert commit.counts == Counts(seen=8, consumed=8, rows=8)
    assert {(row["parents"][0], row["kind"]) for row in rows} == {
        (f"{n:032x}", kind) for n in range(4) for kind in ("faq", "summary")
    }
    assert len({row["doc_id"] for row in rows}) == 8
    for row in rows:
        assert row["text"].startswith("## Why is")
        assert (row["source"], row["licence"], row["language"]) == ("docs", "CC-BY-4.0", "en")
        assert row["cluster_id"] == row["parents"][0]
        assert row["words"] > 30
        assert row["edits"] == []
    names = set(rows[0])
    assert {*SCORES.names, *CLUSTER.names, *EDITS.names} - names == {
        "signature",
        "sketch",
        "spans",
        "leaks",
        "fold_hash",
    }
    for part in commit.parts:
        ids = read_table(storage.join(run.directory("synth"), f"{part.name}.parquet"), ["doc_id"])["doc_id"].to_pylist()
        assert ids == sorted(ids)


def test_a_second_run_asks_nothing_even_if_its_parts_are_gone(make_synth, serve, pool):
    server = serve(lambda request, before: completion(REWRITE))
    run, commit, _ = make_synth(server)
    assert len(server.requests) == 4
    assert run_stage(run, STAGE, pool)[1] is False
    for part in commit.parts:
        storage.delete(storage.join(run.directory("synth"), f"{part.name}.parquet"))
    again, made = run_stage(run, STAGE, pool)
    assert made
    assert again.parts == commit.parts
    assert len(server.requests) == 4


def test_another_threshold_of_a_gate_asks_nothing_again(make_synth, serve):
    server = serve(lambda request, before: completion(REWRITE))
    make_synth(server)
    _, commit, made = make_synth(server, max_copy_share=0.0)
    assert made
    assert commit.counts.seen == 4
    assert len(server.requests) == 4


def test_every_request_has_one_fate(make_synth, serve):
    answers = {
        "a": completion(REWRITE),
        "b": completion(REWRITE, "length"),
        "c": error(400, "too long"),
        "d": completion("Too short.\n"),
        "e": completion(f"{REWRITE}Ask p.lindqvist{'@'}northwind.de about it.\n"),
        "f": completion(REWRITE + "Set it to 4711.\n"),
    }
    server = serve(lambda request, before: answers[topic_of(request)])
    run, commit, _ = make_synth(server, number=6)
    assert commit.counts.seen == 6
    assert commit.counts.consumed == 2
    assert commit.counts.dropped == {"invented_number": 1, "too_few_words": 1, "unfinished": 1}
    assert commit.counts.quarantined == {"refused": 1}
    assert sum("user1@example.com" in row["text"] for row in rows_of(run, commit)) == 1
    assert not any("northwind" in row["text"] for row in rows_of(run, commit))
    (refused,) = rows_of(run, commit, "quarantine/")
    assert "too long" in refused["detail"]
    assert all("text" not in row for row in rows_of(run, commit, "dropped/"))


def test_a_part_whose_answers_all_fail_is_committed_without_rows(make_synth, serve):
    server = serve(lambda request, before: completion(REWRITE, "length"))
    _, commit, _ = make_synth(server)
    assert commit.counts == Counts(seen=4, dropped={"unfinished": 4})


def test_no_more_documents_are_rewritten_than_the_recipe_says(make_synth, serve):
    server = serve(lambda request, before: completion(REWRITE))
    _, commit, _ = make_synth(server, number=8, max_documents=3)
    assert commit.counts.seen == len(server.requests) == 3


def test_documents_that_are_too_long_are_not_rewritten(make_synth, serve):
    server = serve(lambda request, before: completion(REWRITE))
    _, commit, _ = make_synth(server, max_document_words=10)
    assert commit.counts.seen == len(server.requests) == 0


def test_a_teacher_that_lets_nobody_in_is_one_clear_line_and_commits_nothing(make_synth, serve, make_run):
    server = serve(lambda request, before: error(401))
    with pytest.raises(StageError, match=r"^synth: http://.*HTTP 401 for model 'm': check key, URL and model$"):
        make_synth(server)
    assert not storage.exists(storage.join(make_run().directory("synth"), "_commit.json"))


def test_what_was_answered_before_a_failure_is_not_asked_again(make_synth, serve):
    server = serve(lambda request, before: error(401) if topic_of(request) == "d" else completion(REWRITE))
    with pytest.raises(StageError):
        make_synth(server)
    answered = {json.dumps(request) for request in server.requests if topic_of(request) != "d"}
    server.answer = lambda request, before: completion(REWRITE)
    _, commit, _ = make_synth(server)
    assert commit.counts.consumed == 4
    asked = [json.dumps(request) for request in server.requests]
    assert all(asked.count(request) == 1 for request in answered)


@pytest.mark.parametrize("answer", [completion(REWRITE, "length"), completion("Too short.\n")], ids=["gate", "filter"])
def test_a_drop_says_where_its_parent_is(make_synth, serve, answer):
    server = serve(lambda request, before: answer)
    run, commit, _ = make_synth(server, number=8, max_documents=5)
    parents = set()
    for drop in rows_of(run, commit, "dropped/"):
        table = read_table(storage.join(run.url, f"{drop['input']}.parquet"), ["doc_id"])
        parents.add(int(table["doc_id"][drop["row"]].as_py(), 16))
    assert parents == {"abcdefgh".index(topic_of(request)) for request in server.requests}


def test_an_answer_that_is_no_unicode_costs_one_request(make_synth, serve):
    server = serve(lambda request, before: completion("\ud800" if topic_of(request) == "b" else REWRITE))
    _, commit, _ = make_synth(server)
    assert commit.counts.consumed == 3


def test_an_answer_that_never_has_content_costs_one_request(make_synth, serve):
    server = serve(lambda request, before: completion(None if topic_of(request) == "b" else REWRITE, "length"))
    _, commit, _ = make_synth(server)
    assert commit.counts.seen == 4


def test_a_rewrite_is_traced_to_its_teacher_and_its_request(make_synth, serve):
    server = serve(lambda request, before: completion(f"{REWRITE}\nThis was topic {topic_of(request)}.\n"))
    run, commit, _ = make_synth(server, number=2, kinds=["faq"])
    stored = {name.rpartition("/")[2].removesuffix(".json") for name in _stored(run)}
    for row in rows_of(run, commit):
        written = decisions_of(run, row)["synth"]
        assert {name: written[name] for name in ("teacher", "prompt")} == {"teacher": "m", "prompt": "faq"}
        stored.remove(written["request"])
    assert stored == set()


def _stored(run: Run) -> list[str]:
    return storage.list_files(storage.join(run.directory("synth"), "_responses"))
