"""Texts by a teacher are planned, asked for once, judged, and count only behind the gates and the filter."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from manifests.load import ManifestError, load_recipe
from pipelines import storage
from pipelines.engine import Commit, StageError, Work, run_stage
from pipelines.parts import read_table
from pipelines.run import Run
from pipelines.schema import CLUSTER, EDITS, SCORES
from pipelines.synth import plan_text
from pipelines.synth.stage import STAGE
from pipelines.synth.store import store_of
from pipelines.trace_decisions import decisions_of
from pipelines.trace_text import _synth
from synth.checks.all_gather import topology_of
from synth.checks.kql_schema import schema_of
from synth.seeds.all_gather_plans import greedy
from tests.batch_server import BatchServer, Ending, answered, sound
from tests.corpora import InProcess
from tests.synth_runs import make, parts_of, put_documents, rows_of
from tests.teacher_server import Answer, TeacherServer, completion, error
from tests.topics import TOPICS, document_of, faq_of, topic_of

FAQ = {"kind": "faq", "teacher": "m"}
_KINDS = Path(__file__).resolve().parents[1] / "manifests" / "kinds"


def faithful(request: dict[str, Any], before: int) -> Answer:
    return completion(faq_of(topic_of(request)), usage=(100, 40, 50))


@pytest.fixture
def make_synth(make_run, make_documents) -> Callable[..., tuple[Run, Commit]]:
    """Runs the stage over so many documents, against a server."""

    def make_it(server: TeacherServer | None, number: int = 4, texts: list[str] | None = None, **settings: Any):
        teachers = {"m": {"urls": [server.url], "model": "m"}} if server else {}
        run = make_run(synth={"teachers": teachers, "kinds": [FAQ] if server else [], **settings})
        put_documents(run, make_documents(*(texts or [document_of(n) for n in range(number)])))
        return run, make(run, InProcess())

    return make_it


def test_without_kinds_the_stage_commits_no_rows_and_says_so(make_synth):
    run, commit = make_synth(None)
    assert commit.counts.seen == 0
    assert "asks for no kinds" in commit.extra["note"]
    assert storage.list_files(run.directory("synth")) == ["_begun.json", "_commit.json"]


def test_a_text_that_passes_is_a_document_with_its_parent_its_kind_and_every_column(make_synth, serve):
    run, commit = make_synth(serve(faithful))
    assert commit.counts.dropped == {}
    rows = rows_of(run, commit)
    assert (commit.counts.seen, commit.counts.consumed, commit.counts.rows) == (4, 4, 4)
    assert {row["parents"][0] for row in rows} == {f"{n:032x}" for n in range(4)}
    for row in rows:
        topic = int(row["parents"][0], 16)
        assert row["text"].endswith(faq_of(topic))
        assert (row["kind"], row["source"], row["licence"], row["language"]) == ("faq", "docs", "CC-BY-4.0", "en")
        assert row["cluster_id"] == row["parents"][0]
        assert row["edits"] == []
    assert {*SCORES.names, *CLUSTER.names, *EDITS.names} - set(rows[0]) == {
        *("signature", "sketch", "spans", "leaks", "fold_hash"),
    }
    for part in commit.parts:
        ids = read_table(storage.join(run.directory("synth"), f"{part.name}.parquet"), ["doc_id"])["doc_id"].to_pylist()
        assert ids == sorted(ids)


def test_who_wrote_a_text_and_what_its_gates_measured_stands_beside_it(make_synth, serve):
    server = serve(faithful)
    teacher = {"urls": [server.url], "model": "m", "revision": "r7", "licence": "apache-2.0", "temperature": 0.25}
    run, commit = make_synth(server, teachers={"m": teacher})
    told = rows_of(run, commit, "provenance/")
    assert len(told) == 4
    for row in told:
        assert (row["model"], row["revision"], row["teacher_licence"]) == ("m", "r7", "apache-2.0")
        assert json.loads(row["parameters"])["temperature"] == 0.25
        assert (row["prompt_tokens"], row["cached_tokens"], row["completion_tokens"]) == (100, 40, 50)
        assert dict(row["gates"])["novel_numbers"] == 0
    for row in rows_of(run, commit):
        written = decisions_of(run, row)["synth"]
        (beside,) = (each for each in told if each["doc_id"] == row["doc_id"])
        assert written["request_keys"] == beside["request_keys"]
        assert store_of(run).missing(_array(written["request_keys"])).to_pylist() == []
        shown = _synth(written)
        assert "faq by m r7 (apache-2.0)" in shown
        assert written["request_keys"][0] in shown


def _array(values: list[str]) -> Any:
    return pa.array(values, pa.string())


def test_a_second_run_asks_nothing_even_if_all_of_the_first_is_gone(make_synth, serve, tmp_path):
    server = serve(faithful)
    run, commit = make_synth(server)
    assert len(server.requests) == 4
    assert run_stage(run, STAGE, InProcess())[1] is False
    shutil.rmtree(tmp_path / "run")
    _, again = make_synth(server)
    assert parts_of(again) == parts_of(commit)
    assert len(server.requests) == 4


def test_the_order_of_jobs_decides_nothing(make_synth, serve, make_run, tmp_path):
    run, commit = make_synth(serve(faithful), 8)
    shutil.rmtree(tmp_path / "run" / "synth")
    assert make(run, InProcess(backwards=True)).parts == commit.parts


def test_another_limit_of_a_gate_asks_nothing_again(make_synth, serve):
    server = serve(faithful)
    make_synth(server)
    _, commit = make_synth(server, kinds=[{**FAQ, "limits": {"ungrounded": 1.0}}])
    assert commit.counts.dropped == {"ungrounded": 4}
    assert len(server.requests) == 4


def test_another_kind_or_parameter_asks_for_what_is_new_alone(make_synth, serve):
    server = serve(lambda request, before: completion(faq_of(topic_of(request))))
    make_synth(server)
    listed = {"kind": "knowledge_list", "teacher": "m"}
    make_synth(server, kinds=[FAQ, listed])
    assert len(server.requests) == 8
    make_synth(server, 6, kinds=[FAQ, listed])
    assert len(server.requests) == 12
    warm = {"urls": [server.url], "model": "m", "temperature": 0.5}
    make_synth(server, teachers={"m": {"urls": [server.url], "model": "m"}, "warm": warm},
               kinds=[FAQ, {"kind": "faq", "teacher": "warm"}])  # fmt: skip
    assert len(server.requests) == 16
    assert {request["temperature"] for request in server.requests[12:]} == {0.5}


def test_where_a_teacher_is_reached_and_how_fast_decides_no_request(make_synth, serve):
    server, other = serve(faithful), serve(faithful)
    make_synth(server)
    moved = {"urls": [other.url], "model": "m", "concurrency": 1, "timeout_s": 5.0, "requests_per_minute": 10_000}
    make_synth(server, teachers={"m": moved})
    assert other.requests == []


def test_every_request_has_one_fate(make_synth, serve):
    answers = {
        0: lambda text: completion(text),
        1: lambda text: completion(text, "length"),
        2: lambda text: error(400, "the prompt is too long"),
        3: lambda text: completion("No questions here, and nothing like them at all, which is what the form wants.\n"),
        4: lambda text: completion(f"{text}\nWrite to p.lindqvist{'@'}northwind.de about it.\n"),
        5: lambda text: completion(text + "\nSet it to 4711 first, and then wait.\n"),
        6: lambda text: completion("I'm sorry, but I cannot help with that request, as I am a language model.\n"),
        7: lambda text: completion(text * 2),
    }
    server = serve(lambda request, before: answers[topic_of(request)](faq_of(topic_of(request))))
    run, commit = make_synth(server, 7)
    assert commit.counts.seen == 7
    assert commit.counts.quarantined == {"refused": 1}
    assert commit.counts.consumed + sum(commit.counts.dropped.values()) == 6
    reasons = {_topic(run, row): row["reason"] for row in rows_of(run, commit, "dropped/")}
    assert reasons[1] == "unfinished"
    assert reasons[3] in ("broken_form", "too_few_items")
    assert reasons[5] == "invented_number"
    assert reasons[6] in ("broken_form", "refusal")
    assert not any("northwind" in row["text"] for row in rows_of(run, commit))
    (refused,) = rows_of(run, commit, "quarantine/")
    assert "too long" in refused["detail"]
    assert all("text" not in row for row in rows_of(run, commit, "dropped/"))


def _topic(run: Run, drop: dict[str, Any]) -> int:
    """Which document a drop is about, by the place of its parent."""
    table = read_table(storage.join(run.url, f"{drop['input']}.parquet"), ["doc_id"])
    return int(table["doc_id"][drop["row"]].as_py(), 16)


def test_no_more_documents_are_asked_about_than_the_recipe_says(make_synth, serve):
    server = serve(faithful)
    _, commit = make_synth(server, 8, kinds=[{**FAQ, "documents": 3}])
    assert commit.counts.seen == len(server.requests) == 3
    _, commit = make_synth(server, 8, kinds=[{**FAQ, "documents": 5}])
    assert commit.counts.seen == len(server.requests) == 5


def test_documents_are_chosen_by_category_length_and_quality(make_synth, serve):
    server = serve(faithful)
    for unmet in ({"categories": ["qa_forums"]}, {"words": [500, 1000]}, {"quality": 1.0}, {"share": 0.0}):
        _, commit = make_synth(server, kinds=[{**FAQ, **unmet}])
        assert commit.counts.seen == 0
    assert server.requests == []


def test_a_cap_of_requests_leaves_the_rest_for_a_larger_one(make_synth, serve):
    server = serve(faithful)
    _, commit = make_synth(server, 8, caps={"requests": 5})
    assert len(server.requests) == 5
    assert (commit.counts.consumed, commit.counts.dropped) == (5, {"over_cap": 3})
    _, commit = make_synth(server, 8)
    assert commit.counts.consumed == len(server.requests) == 8


def test_a_plan_stays_within_a_cap_of_money(make_synth, serve):
    server = serve(faithful)
    priced = {"urls": [server.url], "model": "m", "price": {"prompt": 1e6, "completion": 0.0}}
    run, _ = make_synth(server, 8, teachers={"m": priced}, caps={"money": 1e9})
    plans = [storage.join(run.directory("synth"), "_plan", f"part-{n:05}.parquet") for n in range(2)]
    tokens = sorted(number for url in plans for number in read_table(url)["prompt_tokens"].to_pylist())
    server.requests.clear()
    moved = priced | {"revision": "2"}
    _, commit = make_synth(server, 8, teachers={"m": moved}, caps={"money": float(sum(tokens[:3]))})
    assert 1 <= len(server.requests) <= 3
    assert commit.counts.dropped["over_cap"] == 8 - len(server.requests)


def test_answers_that_cost_more_than_was_planned_stop_at_the_cap_and_a_larger_one_goes_on(make_synth, serve):
    server = serve(lambda request, before: completion(faq_of(topic_of(request)), usage=(10, 0, 5000)))
    with pytest.raises(
        StageError, match=r"synth: synth.caps.tokens \(9,000\) is reached: \d of 8 requests are answered"
    ):
        make_synth(
            server, 8, teachers={"m": {"urls": [server.url], "model": "m", "concurrency": 1}}, caps={"tokens": 9000}
        )
    asked = len(server.requests)
    assert 2 <= asked < 8
    _, commit = make_synth(server, 8, caps={"tokens": 10**9})
    assert commit.counts.consumed == len(server.requests) == 8


def test_a_plan_says_what_is_asked_and_what_it_will_cost_and_asks_nothing(make_synth, serve, make_documents, make_run):
    server = serve(faithful)
    settings = {"price": {"prompt": 2.0, "completion": 8.0, "cached": 0.5}, "tokens_per_gpu_hour": 1000.0}
    teachers = {"m": {"urls": [server.url], "model": "m", **settings}}
    make_synth(server, 3, teachers=teachers)
    run = make_run(
        synth={
            "teachers": teachers,
            "kinds": [FAQ, {"kind": "knowledge_list", "teacher": "m"}],
            "caps": {"requests": 11},
        }
    )
    put_documents(run, make_documents(*(document_of(n) for n in range(6))))
    said = plan_text.answer(Work(run, STAGE, InProcess()))
    assert len(server.requests) == 3
    head, faq, listed, whole, *_ = said.splitlines()
    assert head.split()[:4] == ["kind", "teacher", "documents", "requests"]
    assert faq.split()[2] == "5"
    assert listed.split()[2] == "5"
    assert whole.split()[1] == "10"
    assert "not asked: 2 beyond synth.caps" in said
    assert "estimated" in said


def test_a_document_first_plan_shares_what_a_cache_can_hold(make_synth, serve):
    server = serve(faithful)
    run, _ = make_synth(server, kinds=[FAQ, {"kind": "knowledge_list", "teacher": "m"}])
    rows = [
        row
        for n in range(2)
        for row in read_table(storage.join(run.directory("synth"), "_plan", f"part-{n:05}.parquet")).to_pylist()
    ]
    second = [row for row in rows if row["use"] == 1]
    assert second
    assert all(row["shared_tokens"] > 0.5 * row["prompt_tokens"] for row in second)
    ids = [row["doc_id"] for row in rows]
    assert len([one for one, other in zip(ids, ids[1:], strict=False) if one != other]) == len(set(ids)) - 1


def test_a_teacher_that_lets_nobody_in_is_one_clear_line_and_commits_nothing(make_synth, serve, make_run):
    server = serve(lambda request, before: error(401, "bad key"))
    with pytest.raises(StageError) as caught:
        make_synth(server)
    assert str(caught.value).startswith("synth: ")
    assert "401" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not storage.exists(storage.join(make_run().directory("synth"), "_commit.json"))


def test_what_was_answered_before_a_failure_is_not_asked_again(make_synth, serve):
    server = serve(lambda request, before: error(401) if topic_of(request) == 3 else faithful(request, before))
    with pytest.raises(StageError):
        make_synth(server)
    answered = {json.dumps(request) for request in server.requests if topic_of(request) != 3}
    server.answer = faithful
    _, commit = make_synth(server)
    assert commit.counts.consumed == 4
    asked = [json.dumps(request) for request in server.requests]
    assert all(asked.count(request) == 1 for request in answered)


def test_documents_with_the_same_text_are_asked_about_once(make_synth, serve, make_documents):
    server = serve(faithful)
    _, commit = make_synth(server, texts=[document_of(0)] * 3, kinds=[FAQ])
    assert commit.counts.seen == 3
    assert len({json.dumps(request) for request in server.requests}) == len(server.requests)


def test_samples_are_requests_of_their_own(make_synth, serve):
    server = serve(faithful)
    _, commit = make_synth(server, kinds=[{**FAQ, "samples": 3}])
    assert len(server.requests) == commit.counts.seen == 12
    assert {request["seed"] for request in server.requests} == {0, 1, 2}
    assert commit.counts.dropped["near_duplicate"] == 8


def test_a_long_document_is_asked_about_in_pieces_that_become_one_text_or_none(make_synth, serve, tmp_path):
    kind = yaml.safe_load((_KINDS / "encyclopedia.yaml").read_text())
    kind |= {"name": "short", "piece_words": 120, "fewest_words": 10, "needs": [],
             "limits": dict.fromkeys(("copied", "dropped_number"))}  # fmt: skip
    (tmp_path / "short.yaml").write_text(yaml.safe_dump(kind))
    whole = "\n".join(document_of(n) for n in (0, 1, 2))
    server = serve(lambda request, before: completion(_told_again(request)))
    use = {"kind": "short.yaml", "teacher": "m"}
    run, commit = make_synth(server, texts=[whole], kinds=[use])
    assert len(server.requests) == commit.counts.consumed == 3
    (row,) = rows_of(run, commit)
    assert [row["text"].index(TOPICS[n][0]) for n in (0, 1, 2)] == sorted(
        row["text"].index(TOPICS[n][0]) for n in (0, 1, 2)
    )
    server.answer = lambda request, before: completion(
        _told_again(request), "length" if topic_of(request) == 1 else "stop"
    )
    other = {"urls": [server.url], "model": "m", "revision": "2"}
    _, commit = make_synth(server, texts=[whole], kinds=[use], teachers={"m": other})
    assert commit.counts.dropped == {"piece_failed": 2, "unfinished": 1}


def _told_again(request: dict[str, Any]) -> str:
    it, them, place = TOPICS[topic_of(request)]
    return (
        f"# The {it}\n\nA {it} is a part of a system which keeps {them}. Near the {place} it has them at hand, so they are "
        f"found there again by the {it}. While the {place} happens to be busy, {them} are left waiting next to it. They "
        f"are written by the {it} to its {place} at the end and read at the beginning.\n"
    )


def test_a_listing_too_long_for_any_piece_is_a_drop_that_says_so(make_synth, serve):
    server = serve(faithful)
    long = document_of(0) + "\n" + " ".join(["word"] * 9000) + ".\n"
    _run, commit = make_synth(server, texts=[long, document_of(1)])
    assert commit.counts.dropped == {"too_long": 1}
    assert commit.counts.consumed == len(server.requests) == 1


def test_a_prompt_longer_than_the_context_of_its_teacher_is_not_sent(make_synth, serve):
    server = serve(faithful)
    _, commit = make_synth(server, teachers={"m": {"urls": [server.url], "model": "m", "context": 400}})
    assert commit.counts.dropped == {"over_context": 4}
    assert server.requests == []


def test_answers_that_begin_alike_too_often_are_dropped_in_the_order_of_their_keys(make_synth, serve):
    server = serve(lambda request, before: completion("## What is this text about in the end?\n\n" + faq_of(topic_of(request)).partition("\n\n")[2]))  # fmt: skip
    run, commit = make_synth(server, 12, together={"fewest": 5})
    assert commit.counts.dropped == {"template": 7}
    kept = [row["request_keys"][0] for row in rows_of(run, commit, "provenance/")]
    planned = [key for n in range(2) for key in read_table(storage.join(run.directory("synth"), "_plan", f"part-{n:05}.parquet"))["key"].to_pylist()]  # fmt: skip
    assert sorted(kept) == sorted(planned)[:5]


def test_an_answer_that_is_like_another_document_is_dropped(make_synth, serve):
    server = serve(faithful)
    _run, commit = make_synth(server, texts=[document_of(0), faq_of(0) + "\n" + "The journal is told of here once more.\n" * 1],
                             kinds=[{**FAQ, "words": [80, 500]}])  # fmt: skip
    assert commit.counts.seen == 1
    assert commit.counts.dropped == {"like_source": 1}


def test_a_teacher_marks_a_sample_and_low_marks_do_not_count(make_synth, serve):
    auditor = serve(lambda request, before: completion(json.dumps({"mark": 2 if "# The journal" in request["messages"][1]["content"] else 5, "why": "so"}), usage=(10, 0, 3)))  # fmt: skip
    server = serve(faithful)
    teachers = {"m": {"urls": [server.url], "model": "m"}, "judge": {"urls": [auditor.url], "model": "j"}}
    audit = {"teacher": "judge", "share": 1.0}
    run, commit = make_synth(server, teachers=teachers, audit=audit)
    assert commit.counts.dropped == {"audit": 1}
    assert len(auditor.requests) == 4
    assert {dict(row["gates"])["audit_mark"] for row in rows_of(run, commit, "provenance/")} == {5.0}
    assert commit.extra["ledger"][-1]["kind"] == "audit"
    assert commit.extra["ledger"][-1]["prompt_tokens"] == 40
    make_synth(server, teachers=teachers, audit={**audit, "at_least": 5}, kinds=[{**FAQ, "limits": {"copied": 0.95}}])
    assert len(auditor.requests) == 4


def test_caps_and_plan_count_the_audit_along_with_what_it_audits(make_synth, serve, make_run, make_documents):
    server = serve(faithful)
    auditor = serve(lambda request, before: completion('{"mark": 5, "why": "so"}', usage=(10, 0, 3)))
    price = {"prompt": 1.0, "completion": 1.0}
    teachers = {
        "m": {"urls": [server.url], "model": "m"},
        "judge": {"urls": [auditor.url], "model": "j", "price": price},
    }
    settings = {"teachers": teachers, "audit": {"teacher": "judge", "share": 1.0}, "caps": {"requests": 5}}
    run = make_run(synth={**settings, "kinds": [FAQ]})
    put_documents(run, make_documents(*(document_of(n) for n in range(4))))
    said = plan_text.answer(Work(run, STAGE, InProcess()))
    assert "the audit by judge: ~2 requests, ~" in said
    _, commit = make_synth(server, **settings)
    assert (len(server.requests), len(auditor.requests)) == (2, 2)
    assert commit.counts.dropped == {"over_cap": 2}


def test_an_audit_that_costs_more_than_was_planned_stops_at_the_cap_of_the_whole_run(make_synth, serve):
    server = serve(lambda request, before: completion(faq_of(topic_of(request)), usage=(1000, 0, 1000)))
    auditor = serve(lambda request, before: completion('{"mark": 5, "why": "so"}', usage=(3000, 0, 0)))
    teachers = {
        "m": {"urls": [server.url], "model": "m"},
        "judge": {"urls": [auditor.url], "model": "j", "concurrency": 1},
    }
    with pytest.raises(StageError, match=r"synth.caps.tokens \(12,000\) is reached"):
        make_synth(server, teachers=teachers, audit={"teacher": "judge", "share": 1.0}, caps={"tokens": 12_000})
    assert len(server.requests) == 4
    assert 2 <= len(auditor.requests) < 4


def test_a_kind_of_ones_own_is_a_file_beside_the_recipe(make_synth, serve, tmp_path):
    kind = yaml.safe_load((_KINDS / "faq.yaml").read_text())
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**kind, "name": "mine", "task": "Ask three things."}))
    server = serve(faithful)
    run, commit = make_synth(server, kinds=[{"kind": "mine.yaml", "teacher": "m"}])
    assert {row["kind"] for row in rows_of(run, commit)} == {"mine"}
    assert "Task: Ask three things." in server.requests[0]["messages"][1]["content"]


def test_a_parent_that_leaves_takes_its_texts_along(make_synth, serve):
    server = serve(faithful)
    make_synth(server, 4)
    run, commit = make_synth(server, 3)
    assert {row["parents"][0] for row in rows_of(run, commit)} == {f"{n:032x}" for n in range(3)}
    assert len(server.requests) == 4


def test_a_recipe_is_told_what_is_wrong_with_its_kinds_before_anything_is_fetched(tmp_path, monkeypatch):
    recipe = {
        "name": "small",
        "manifests": [str(_KINDS.parent / "farm" / "small.yaml")],
        "synth": {
            "teachers": {"m": {"urls": ["http://localhost/v1"], "model": "m", "api_key_variable": "NO_SUCH_KEY"}},
            "kinds": [
                {"kind": "poem", "teacher": "m"},
                {**FAQ, "limits": {"no_such_gate": 1.0}, "categories": ["poetry"]},
                {"kind": "kql", "teacher": "m"},
            ],
        },
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    with pytest.raises(ManifestError) as caught:
        load_recipe(path)
    said = str(caught.value).splitlines()
    for wanted in ("NO_SUCH_KEY is not set", "there is no such kind", "there is no gate 'no_such_gate'",
                   "category 'poetry' must be one of", "kql is made from seeds: say how many"):  # fmt: skip
        assert any(wanted in line for line in said), wanted


def test_a_teacher_whose_variable_is_not_set_is_not_asked_and_the_stage_says_how(make_synth, serve, monkeypatch):
    server = serve(faithful)
    teachers = {"local": {"model": "m", "url_variable": "TEACHER_URL"}}
    monkeypatch.delenv("TEACHER_URL", raising=False)
    _, commit = make_synth(server, teachers=teachers, kinds=[{"kind": "faq", "teacher": "local"}])
    assert commit.extra["note"] == "set TEACHER_URL to the URL of a teacher, such as http://127.0.0.1:8080/v1"
    monkeypatch.setenv("TEACHER_URL", server.url)
    _, commit = make_synth(server, teachers=teachers, kinds=[{"kind": "faq", "teacher": "local"}])
    assert commit.counts.consumed == len(server.requests) == 4


def test_kinds_that_have_seeds_ask_about_what_is_made_for_them(make_synth, serve):
    def answer(request: dict[str, Any], before: int) -> Answer:
        asked = request["messages"][1]["content"]
        topology = topology_of(asked)
        if topology is None:
            schema = schema_of(asked)
            table = sorted(schema.tables)[0]
            items = [
                {
                    "request": f"Count what {table} holds of each {column}.",
                    "query": f'cluster("{schema.cluster}").database("{schema.database}").{table} | summarize count() by {column}',
                    "explanation": f"It groups the rows of {table} by {column} and counts each group.",
                }
                for column in sorted(schema.tables[table])[:2]
            ]
            return completion(json.dumps({"items": items}))
        plan = [str(each) for each in greedy(topology) or []]
        return completion(json.dumps({"plan": plan, "explanation": "Each link carries the chunk that is rarest."}))

    kinds = [{"kind": kind, "teacher": "m", "documents": 6} for kind in ("plan", "kql")]
    run, commit = make_synth(serve(answer), kinds=kinds, together={"alike": 1.0, "same_phrase": 1.0})
    assert commit.counts.seen == 12
    assert set(commit.counts.dropped) <= {"no_better_plan"}
    rows = rows_of(run, commit)
    assert {(row["kind"], row["category"]) for row in rows} == {
        ("plan", "benchmarks_and_performance"),
        ("kql", "query_language_and_telemetry"),
    }
    assert {(row["source"], row["licence"]) for row in rows} == {("generated", "CC0-1.0")}
    assert all(row["parents"] for row in rows)
    assert {part.name for part in commit.parts} == {"part-00000", "part-00001", "seeds-0", "seeds-1"}


def test_a_teacher_may_be_asked_in_batches(make_synth):
    server = BatchServer(lambda lines, number: Ending(output=[answered(line, 200, sound(faq_of(topic_of(line["body"])))) for line in lines]))  # fmt: skip
    try:
        batched = {"urls": [server.url], "model": "m", "api": "batch"}
        _, commit = make_synth(None, teachers={"m": batched}, kinds=[FAQ])
        assert commit.counts.consumed == 4
    finally:
        server.close()
