"""Questions on results of benchmarks: records that documents hold, and what an answer must agree with."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.synthesis import load_kind
from synth.checks.records import numbers_of, records_of, same_record, stands_in
from synth.forms import read
from synth.needs import meets

KIND = load_kind("retrieval_item", Path("/"))
EXAMPLE = KIND.example
GOOD = json.loads(EXAMPLE.answer)
MIXED = """# Results

## H100

| Workload | Batch | Throughput |
|---|--:|---|
| bert-large | 32 | **1,204.5** |
| not a row |
| gpt2 \\| small | 8 | 96 |

## Files

```csv
sku,workload,time_s
ND96,"fio, random",12.50
ND40,fio,13
```

```json
[{"hardware": "A100", "results": {"bw": 231.5, "all": [1, 2]}, "ok": true}, {"hardware": "V100", "results": {"bw": 130}, "ok": null}]
```

```jsonl
{"sku": "HB120", "stream": 650}
broken
{"sku": "HB60", "stream": 263}
```
"""


def changed(**fields):
    value = json.loads(EXAMPLE.answer)
    for name, field in fields.items():
        (value["design"] if name in ("target", "baseline") else value)[name] = field
    return read(KIND, json.dumps(value), EXAMPLE.document)


def reasons(**fields):
    return [reason for reason, _ in changed(**fields).problems]


def test_the_golden_example_is_read_as_it_says():
    reading = read(KIND, EXAMPLE.answer, EXAMPLE.document)
    assert (reading.text, list(reading.problems)) == (EXAMPLE.text, [])


def test_records_of_tables_csv_and_json_are_read_with_their_headings():
    records = records_of(MIXED)
    assert [record.values for record in records] == [
        ("bert-large", "32", "1,204.5"),
        ("gpt2 | small", "8", "96"),
        ("ND96", "fio, random", "12.50"),
        ("ND40", "fio", "13"),
        ("A100", "231.5", "true"),
        ("V100", "130", "null"),
        ("HB120", "650"),
        ("HB60", "263"),
    ]
    assert records[0].section == ("Results", "H100")
    assert dict(records[4].fields)["results.bw"] == "231.5"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("| bert-large | 32 | **1,204.5** |", 0),
        ("bert-large | 32 | 1,204.5", 0),
        ('ND96,"fio, random",12.50', 2),
        ('{"hardware": "A100", "results": {"bw": 231.5, "all": [1, 2]}, "ok": true}', 4),
        ("| bert-large | 32 | 1,204.6 |", None),
        ("bert-large", None),
        ("", None),
        ("{", None),
    ],
)
def test_a_row_that_an_answer_copies_is_found(text, number):
    records = records_of(MIXED)
    assert same_record(records, text) == ([] if number is None else [records[number]])


def test_columns_of_the_same_name_and_of_none_are_kept_apart():
    (record,) = records_of("| a | a | |\n|---|---|---|\n| 1 | 2 | 3 |\n")
    assert record.fields == (("a", "1"), ("a (2)", "2"), (" (3)", "3"))


def test_names_stand_as_whole_words():
    assert stands_in("a100", "on  A100, twice") and stands_in("ND H100 v5", "**ND  H100**\nv5")
    assert not stands_in("A10", "on A100") and not stands_in("", "text")


def test_numbers_are_compared_by_value():
    assert numbers_of("1,204.50 and 012, 3.0; H100 at 5%") == {"1204.5", "12", "3", "100", "5"}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"records": ["| node-h100 | all_reduce | 448.3 | 18.3 |"]}, "not_a_record"),
        (
            {"target": "node-b200", "question": "What does all_reduce reach on node-b200 beside node-a100?"},
            "unknown_name",
        ),
        (
            {"workload": "broadcast", "question": "What does broadcast reach on node-h100 beside node-a100?"},
            "unknown_name",
        ),
        ({"criterion": "Energy"}, "unknown_criterion"),
        ({"question": "How fast is all_reduce on node-h100?"}, "inconsistent_design"),
        ({"baseline": "node-h100"}, "inconsistent_design"),
        ({"records": GOOD["records"][:1]}, "inconsistent_design"),
        ({"records": [GOOD["records"][0], "| node-a100 | all_gather | 228.9 | 21.7 |"]}, "inconsistent_design"),
        ({"answer": "It reaches 448.2 GB/s, which is 1.94 times as much."}, "invented_number"),
        ({"answer": "It reaches 310.4 GB/s on node-h100."}, "invented_number"),
        ({"answer": "It is much faster on node-h100."}, "no_result"),
        ({"question": "Does node-h100 reach 500 GB/s with all_reduce, unlike node-a100?"}, "invented_number"),
    ],
)
def test_what_disagrees_with_the_records_does_not_count(fields, reason):
    assert reason in reasons(**fields)


def test_a_question_about_one_machine_needs_one_record():
    one = {"question": "What is the latency of all_gather on node-a100?", "target": "node-a100", "baseline": ""}
    row = "| node-a100 | all_gather | 228.9 | 21.7 |"
    assert reasons(**one, workload="all_gather", criterion="default", records=[row], answer="It takes 21.7 us.") == []


def test_some_questions_are_shown_only_results_that_do_not_suit():
    none = 0
    for at in range(60):
        question = (
            f"{'Please tell: ' * (at % 3)}How does all_reduce on node-h100{' ' * at}do{'?' * (at + 1)} And node-a100?"
        )
        text = changed(question=question).text
        (results,) = [json.loads(part.split("\n```")[0]) for part in text.split("## Results\n\n```json\n")[1:]]
        assert [each["index"] for each in results] == list(range(1, len(results) + 1))
        right = [
            each["index"]
            for each in results
            if each["record"]["Workload"] == "all_reduce" and each["record"]["Hardware"] in ("node-h100", "node-a100")
        ]
        said = text.split("## Answer\n\n")[1]
        if said.startswith("None: "):
            none += 1
            assert not right and "448.2" not in text
        else:
            assert said.startswith(f"Results {right[0]} and {right[1]}. ")
    assert 0 < none < 30


def test_results_that_suit_as_well_are_not_shown_as_others():
    document = EXAMPLE.document + "| node-h100 | all_reduce | 441.0 | 19.0 |\n"
    assert "441.0" not in read(KIND, EXAMPLE.answer, document).text


@pytest.mark.parametrize("broken", ["", "{}", "[]", json.dumps(GOOD | {"records": []})])
def test_what_is_not_the_schema_does_not_count(broken):
    assert read(KIND, broken, EXAMPLE.document).problems[0][0] in ("broken_json", "schema")


def test_a_document_without_results_is_told_and_is_not_asked():
    assert read(KIND, EXAMPLE.answer, "# A page\n\ntext").problems[0][0] == "no_records"
    assert not meets("results", "# A page\n\n| a | b |\n|---|---|\n| c | d |\n")
    assert meets("results", EXAMPLE.document) and meets("results", MIXED)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('|- \n,:"{}[]`#1.aé\\*\t\u2028jsoncv'), max_size=200))
def test_no_document_crashes_the_reader(document):
    for record in records_of(document):
        same_record([record], " | ".join(record.values))
    read(KIND, EXAMPLE.answer, document)
    read(KIND, json.dumps(GOOD | {"records": [document[:2000] + "..."]}), EXAMPLE.document)


@pytest.mark.parametrize(
    "document",
    [
        "```json\n" + "[" * 50_000 + "\n```",
        "|a|b|\n|-|-|\n" + "|1|2|\n" * 50_000,
        "|" * 50_000 + "\n" + "|-" * 25_000 + "\n" + "|" * 50_000,
        "```jsonl\n" + "{\n" * 50_000 + "```",
        "```csv\n" + '"' * 50_000 + "\n```",
        "|a|b|\n|-|-|\n" * 5_000,
    ],
)
def test_large_and_deep_documents_end(document):
    assert len(records_of(document)) <= 500
