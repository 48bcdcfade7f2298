"""Queries in KQL: what the parser accepts and refuses, which names it knows, and the kind that asks for them."""

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.synthesis import load_kind
from synth.checks.answers import sentence
from synth.checks.kql_grammar import parse
from synth.checks.kql_names import Schema, unknown_names
from synth.checks.kql_schema import schema_of
from synth.checks.kql_tokens import LONGEST, KqlError
from synth.forms import read
from synth.forms.kql import check
from synth.seeds import make

KIND = load_kind("kql", Path())
SCHEMA = Schema(
    {
        "Jobs": frozenset(("JobId", "UserName", "State", "StartTime", "EndTime", "NodeList", "GpuCount")),
        "Alerts": frozenset(("FiredAt", "AlertName", "Node", "Labels", "Summary")),
        "GpuMetrics": frozenset(("Timestamp", "Node", "GpuIndex", "TemperatureC")),
    },
    "aiops",
    "hardware",
)
GOOD = [
    "Jobs | where StartTime > ago(7d) and State == 'failed' | summarize Failures = count() by UserName | top 5 by Failures desc",
    'cluster("aiops").database("hardware").Alerts | where AlertName startswith "Gpu" | distinct Node, AlertName',
    "Jobs | extend Hours = (EndTime - StartTime) / 1h | summarize percentiles(Hours, 50, 95) by State, bin(StartTime, 1d)",
    "let bad = Jobs | where State in~ ('failed', 'timeout') | project JobId, UserName;\nbad | join kind=leftanti (Jobs | where GpuCount > 8) on JobId",
    "Jobs | mv-expand Node = NodeList to typeof(string) | join kind=inner (Alerts | project Node, FiredAt) on Node | where FiredAt between (StartTime .. EndTime)",
    "Jobs | join kind=leftouter Alerts on $left.UserName == $right.Node | project-away Node | project JobId, Summary",
    "Alerts | parse Summary with * 'xid ' Xid:int ' on ' Where | where isnotempty(Xid) | project FiredAt, Xid, Where",
    "Alerts | where tostring(Labels.team) == 'net' or Labels['tier'] =~ 'gold' | count",
    "GpuMetrics | make-series Heat = avg(TemperatureC) default = 0 on Timestamp from ago(1d) to now() step 1h by Node | render timechart with (title='heat')",
    "let limitC = 85.0;\nlet hot = (since: timespan) { GpuMetrics | where Timestamp > ago(since) and TemperatureC > limitC };\nhot(2h) | summarize arg_max(Timestamp, *) by Node, GpuIndex | project Node, TemperatureC",
    "union withsource=Origin Jobs, (Alerts | extend State = 'alert') | summarize count() by Origin, State | order by count_ asc nulls last",
    "GpuMetrics | summarize avg(TemperatureC) by Node | where avg_TemperatureC >= 80",
    "Jobs | evaluate bag_unpack(NodeList) | where AnyColumn has 'x'",
    "print x = datetime(2026-01-01T00:00:00Z), y = dynamic({'a': [1, 2.5, null]}), z = @'c:\\temp'",
    "range Step from 1 to 10 step 1 | extend Square = Step * Step | where Square !between (4 .. 9)",
    "datatable (Name: string, Size: long) ['a', 1, 'b', 2] | sort by Size | take 1",
    "Jobs | where UserName matches regex @'^svc-[a-z]+$' | top-nested 3 of UserName by count()",
    "Jobs | where JobId in ((Jobs | where State == 'failed' | project JobId)) // inner query",
    "Alerts | summarize Nodes = make_set(Node, 10) by AlertName | mv-apply N = Nodes to typeof(string) on (where N has 'r1' | summarize Hits = count()) | project AlertName, Hits",
]
BAD_NAMES = [
    ("Job | take 1", ("unknown_table", "Job")),
    ("Jobs | where Sate == 'failed'", ("unknown_column", "Sate")),
    ("Jobs | project JobId | where State == 'x'", ("unknown_column", "State")),
    ("Jobs | project-away State | summarize count() by State", ("unknown_column", "State")),
    ("Jobs | summarize n = count() by State | where count_ > 1", ("unknown_column", "count_")),
    ("Jobs | where before(1d) < StartTime", ("unknown_function", "before")),
    ("Jobs | join kind=inner (Alerts) on JobId", ("unknown_column", "JobId")),
    ("Jobs | join Alerts on $left.UserName == $right.Host", ("unknown_column", "$right.Host")),
    ('cluster("other").database("hardware").Jobs | take 1', ("unknown_table", 'cluster("other")')),
    ('cluster("aiops").database("soft").Jobs | take 1', ("unknown_table", 'database("soft")')),
    ('cluster("aiops").database("hardware").Jbs | take 1', ("unknown_table", "Jbs")),
    ("let x = Jobs | project JobId; x | project State", ("unknown_column", "State")),
    ("Jobs | evaluate unbag(NodeList)", ("unknown_function", "unbag")),
    ("Jobs | distinct UserName | extend d = EndTime - now()", ("unknown_column", "EndTime")),
]
BROKEN = [
    "",
    "Jobs || take 1",
    "Jobs | where (State == 'a'",
    "Jobs | where State == 'a' | summarise count() by State",
    "Jobs | wher State == 'a'",
    "Jobs | where State contans 'a'",
    "Jobs | where State = 'a'",
    "Jobs | where State == 'a",
    "Jobs | where State == 'a' == 'b'",
    "Jobs | summarize",
    "Jobs | join kind=sideways Alerts on JobId",
    "Jobs | join kind=inner (Alerts)",
    "Jobs | top 5",
    "Jobs | order UserName",
    "Jobs | take 5;; take 1",
    "Jobs | render chartjunk",
    "Jobs | where StartTime > datetime(2026-01-01",
    "let x = 5;",
    "SELECT * FROM Jobs",
    "Jobs | where State in 'a', 'b'",
    "Jobs | mv-expand",
    "Jobs | where a between (1, 2)",
    "Jobs | extend x = long(five)",
    "Jobs | extend x = dynamic({a: 1})",
    "Jobs | where State == “a”",
]


@pytest.mark.parametrize("query", GOOD)
def test_good_queries_parse_and_their_names_are_known(query):
    assert check(query, SCHEMA) == []


@pytest.mark.parametrize(("query", "problem"), BAD_NAMES)
def test_names_that_are_not_there_are_told(query, problem):
    assert check(query, SCHEMA)[0] == problem


@pytest.mark.parametrize("query", BROKEN)
def test_broken_queries_are_refused(query):
    with pytest.raises(KqlError):
        parse(query)


def test_the_place_of_a_fault_is_told():
    assert check("Jobs\n| where State ==\n| take 1", SCHEMA) == [
        ("invalid_query", "line 3, column 1: a value is expected, and '|' stands there")
    ]


def _tokens_of(query):
    from synth.checks.kql_tokens import tokens

    return [token for token in tokens(query) if token.kind != "end"]


@pytest.mark.parametrize("query", GOOD)
def test_a_bracket_that_is_dropped_or_a_pipe_that_is_doubled_breaks_a_query(query):
    for token in _tokens_of(query):
        if token.kind == "sign" and token.text in "()[]{}":
            mutated = query[: token.at] + query[token.at + 1 :]
            assert check(mutated, SCHEMA), mutated
        if token.text == "|":
            mutated = query[: token.at] + "|" + query[token.at :]
            assert check(mutated, SCHEMA), mutated


@pytest.mark.parametrize("query", GOOD)
def test_a_misspelt_operator_breaks_a_query(query):
    for before, token in zip(_tokens_of(query), _tokens_of(query)[1:], strict=False):
        if before.text == "|":
            mutated = query[: token.at] + token.text[:-1] + "q" + query[token.at + len(token.text) :]
            assert [reason for reason, _ in check(mutated, SCHEMA)][:1] == ["invalid_query"], mutated


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("Jobs| where()[]{}=.,;'\"`@~!-*/%0d1:\n\\let in\u200bé"), max_size=80))
def test_no_text_crashes_the_parser(text):
    try:
        unknown_names(parse(text), SCHEMA)
    except KqlError as error:
        assert 0 <= error.at <= len(text)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(GOOD), st.data())
def test_no_mutation_crashes_the_check(query, data):
    at = data.draw(st.integers(0, len(query)))
    cut = data.draw(st.integers(0, 12))
    check(query[:at] + data.draw(st.text(max_size=4)) + query[at + cut :], SCHEMA)


HOSTILE = [
    "(" * 15_000,
    "Jobs | where " + "(" * 5_000 + "1" + ")" * 5_000,
    "Jobs | extend x = " + "f(" * 3_000,
    "Jobs | extend x = a" + ".b" * 9_000,
    "Jobs" + " | extend x = x" * 1_300,
    "Jobs | where " + " or ".join(["a == 1"] * 1_900),
    "let a = 1;" * 1_900 + "Jobs",
    "print dynamic(" + "[" * 9_000,
    "Jobs | project-away " + "a*" * 8_000,
    "'" * 19_999,
    "`" * 19_999,
    "-" * 19_999,
    "Jobs | summarize " + ",".join(["f(f(f(a,b),f(a,b)),f(f(a,b)))"] * 600),
    "print " + "".join(f"f{at}(a{'.c' * 30}, " for at in range(31)) + "1" + ")" * 31,
]


@pytest.mark.parametrize("query", HOSTILE)
def test_deep_and_long_queries_end_without_a_crash(query):
    frames = sys.getrecursionlimit()
    check(query[:LONGEST], SCHEMA)
    assert sys.getrecursionlimit() == frames


def test_a_query_that_is_too_long_is_refused():
    with pytest.raises(KqlError):
        parse("Jobs" + " " * LONGEST)


def test_the_golden_example_is_read_as_it_says():
    reading = read(KIND, KIND.example.answer, KIND.example.document)
    assert (reading.text, list(reading.problems)) == (KIND.example.text, [])


def _answer(*queries):
    items = [{"request": "Which are they, please?", "query": each, "explanation": "It says which."} for each in queries]
    return json.dumps({"items": items})


def test_a_query_on_another_table_and_one_that_is_said_twice_do_not_count():
    query = "GpuErrors | take 5"
    assert not read(KIND, _answer(query), KIND.example.document).problems
    assert read(KIND, _answer("Jobs | take 5"), KIND.example.document).problems[0] == ("unknown_table", "Jobs")
    assert read(KIND, _answer(query, query), KIND.example.document).problems == [("repeated_item", query)]
    assert read(KIND, _answer("GpuErrors"), KIND.example.document).problems == [("trivial_query", "GpuErrors")]


@pytest.mark.parametrize(
    "answer", ["", "[]", '{"items": []}', '{"items": [{"request": 1}]}', "[" * 5000, '{"items": NaN}']
)
def test_what_is_not_the_schema_does_not_count(answer):
    assert read(KIND, answer, KIND.example.document).problems[0][0] in ("broken_json", "schema")


def test_a_fence_around_the_answer_is_no_fault():
    assert not read(KIND, f"```json\n{KIND.example.answer}```\n", KIND.example.document).problems


def test_seeds_are_the_same_each_time_and_a_larger_number_begins_with_them():
    few, many = list(make("schemas", 20, 7)), list(make("schemas", 60, 7))
    assert few == many[:20]
    assert len({seed.id for seed in many}) == 60
    assert few[0].id == "e6f362875401970a1586e3c15d3804d5"
    assert list(make("schemas", 5, 8)) != few[:5]


def test_each_seed_states_a_schema_that_queries_can_be_checked_on():
    for seed in make("schemas", 40, 1):
        schema = schema_of(seed.text)
        assert 2 <= len(schema.tables) <= 4 and schema.cluster and schema.database
        for table, columns in schema.tables.items():
            first = sorted(columns)[0]
            query = f'cluster("{schema.cluster}").database("{schema.database}").{table} | summarize count() by {first}'
            assert check(query, schema) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("`-r` removes\n  it", "`-r` removes it"),
        ("# A heading", "A heading"),
        ("- - > ```sh", "sh"),
        ("1. First | of all", "First | of all"),
        ("---", ""),
        ("**bold** and -x", "**bold** and -x"),
        ("=" * 50_000 + "#" * 50_000, "#" * 50_000),
    ],
)
def test_a_sentence_keeps_its_code_and_begins_no_block(text, line):
    assert sentence(text) == line
