"""The language of prose, and the rules of the filter one by one."""

from __future__ import annotations

from functools import cache

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import language
from filters.datatrove_rules import NAMES, failed_rules
from filters.language import UNDETERMINED, leads, model_sha256
from filters.stream import read_stream
from filters.verdict import columns_of, decides, judge, rules_of
from manifests.base import Bound, Rule
from manifests.models import ClassifySettings, FilterSettings, LeakSettings
from pipelines.classify import score
from pipelines.schema import DOCUMENT, table_of

SAMPLES = {
    "en": "The scheduler picks the process that has waited longest, and gives it the processor for one time slice.",
    "de": "Der Speicher wird vom Kern in Seiten verwaltet und bei Bedarf auf die Festplatte ausgelagert.",
    "fr": "Le noyau gère la mémoire par pages et les écrit sur le disque lorsque la mémoire vient à manquer.",
    "zh": "内核把内存分成页面进行管理，并在需要的时候将不常用的页面换出到磁盘上。",
    "ja": "カーネルはメモリをページ単位で管理し、必要に応じて使われていないページをディスクに退避します。",
}
CODE = "```python\n" + "for index in range(10): print(index, 'einer der Speicher wird verwaltet')\n" * 20 + "```\n"


def detect(texts):
    return language.detect(read_stream(pa.array(texts, pa.large_string())))


@pytest.mark.parametrize("code", SAMPLES)
def test_prose_has_its_language(code):
    ((found, confidence),) = detect([f"# {SAMPLES[code]}\n\n{CODE}\n{SAMPLES[code]}\n"])
    assert found == code
    assert 0.5 < confidence <= 1.0


@pytest.mark.parametrize(
    "text", ["", CODE, "`code only` and", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22"]
)
def test_a_page_without_prose_has_no_language(text):
    assert detect([text]) == [(UNDETERMINED, 0.0)]


def test_texts_of_a_batch_do_not_touch_each_other():
    texts = [*SAMPLES.values(), "", CODE]
    assert detect(texts) == [detect([text])[0] for text in texts]


def test_prose_is_one_line_without_code():
    (lead,) = leads(read_stream(pa.array([f"one `two`\nthree in a line\n{CODE}| four | with letters |\n"])))
    assert lead == "one three in a line four with letters"


def test_a_lead_ends_between_characters():
    (lead,) = leads(read_stream(pa.array(["字" * 1000])))
    assert lead == "字" * 300


def test_the_model_has_a_hash():
    assert len(model_sha256()) == 64


# ---------------------------------------------------------------- verdicts

SOUND = {
    "category": "open_source_documentation",
    "words": 500,
    "prose_words": 400,
    "prose_characters": 60,
    "mean_word_length": 5.0,
    "letter_share": 0.8,
    "repeated_line_share": 0.05,
    "language": "en",
    "language_score": 0.9,
    "datatrove_failed": ["gopher_quality:gopher_too_many_hashes", "fineweb_quality:line_punct_ratio"],
}
NOUNS = "clock timer queue stack heap cache lock mutex futex pipe socket signal thread task scheduler driver"
SETTINGS = FilterSettings(languages=["en", "zh"])


@cache
def base() -> dict[str, object]:
    """The columns of a sound document, some of them as SOUND has them."""
    text = "".join(
        f"The {name} of the kernel has its own page, and it says what it is for.\n\n" for name in NOUNS.split()
    )
    (row,) = score(table_of([{"text": text, "category": SOUND["category"]}], DOCUMENT), ClassifySettings()).to_pylist()
    return row | SOUND


def row_of(settings: FilterSettings, **columns: object) -> pa.Table:
    """A table of one document that is sound but for some columns."""
    row = base() | columns
    return pa.Table.from_pylist([{name: row[name] for name in columns_of(settings)}])


def failed(settings: FilterSettings = SETTINGS, **columns: object) -> list[tuple[str, str]]:
    return judge(row_of(settings, **columns), settings)[0]


def test_a_sound_document_stays():
    assert failed() == []


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"words": 3}, [("too_few_words", "3 < 4")]),
        ({"words": 1_000_001}, [("too_many_words", "1e+06 > 1e+06")]),
        ({"mean_word_length": 26.0}, [("long_words", "26 > 25")]),
        ({"letter_share": 0.25}, [("few_letters", "0.25 < 0.3")]),
        ({"repeated_line_share": 0.85}, [("repeated_lines", "0.85 > 0.8")]),
        ({"language": "de"}, [("language", "de (0.90)")]),
        ({"words": 3, "language": "de"}, [("too_few_words", "3 < 4"), ("language", "de (0.90)")]),
    ],
)
def test_each_rule_says_what_failed_and_by_which_value(columns, expected):
    assert failed(**columns) == expected


@pytest.mark.parametrize(
    "columns", [{"words": 4}, {"words": 1_000_000}, {"mean_word_length": 25.0}, {"repeated_line_share": 0.8}]
)
def test_a_value_at_the_threshold_stays(columns):
    assert failed(**columns) == []


def test_prose_rules_do_not_judge_a_page_with_little_prose():
    bad = {"mean_word_length": 99.0, "letter_share": 0.0, "repeated_line_share": 1.0}
    assert len(failed(**bad)) == 3
    assert failed(**bad, prose_words=49) == []


def test_a_recipe_changes_limits_of_all_and_of_one_category():
    settings = FilterSettings(
        limits={"too_few_words": 12, "repeated_lines": None, "sentences": 5},
        limits_by_category={"qa_forums": {"too_few_words": 5}, "code_and_config": {"too_few_words": None}},
    )
    assert failed(settings, words=9, sentences=5) == [("too_few_words", "9 < 12")]
    assert failed(settings, sentences=4) == [("sentences", "4 < 5")]
    assert failed(settings, words=4, sentences=5, category="qa_forums") == [("too_few_words", "4 < 5")]
    assert failed(settings, words=5, sentences=5, category="qa_forums") == []
    assert failed(settings, words=0, sentences=5, category="code_and_config") == []
    assert failed(settings, repeated_line_share=1.0, sentences=5) == []


def test_a_recipe_adds_rules_that_judge_some_categories_under_a_condition():
    rule = Rule(
        name="shouts",
        column="letter_share",
        above=0.9,
        when=[Bound(column="words", at_most=100)],
        only=["qa_forums"],
        why="nobody reads it",
    )
    settings = FilterSettings(rules=[rule])
    shouting = {"letter_share": 0.95, "words": 60}
    assert failed(settings, **shouting) == []
    assert failed(settings, **shouting, category="qa_forums") == [("shouts", "0.95 > 0.9")]
    assert failed(settings, letter_share=0.95, words=101, category="qa_forums") == []


def test_what_decides_changes_with_every_limit():
    assert decides(FilterSettings(limits={"too_few_words": 5})) != decides(FilterSettings())
    assert decides(FilterSettings(limits={"too_few_words": None}))["rules_in_force"] == [
        rule.model_dump() for rule in rules_of(FilterSettings()) if rule.name != "too_few_words"
    ]


@given(
    st.lists(st.fixed_dictionaries({"words": st.integers(0, 60), "category": st.sampled_from(["a", "b"])}), max_size=8),
    st.none() | st.integers(0, 60),
    st.none() | st.integers(0, 60),
)
def test_documents_are_judged_one_by_one(rows, limit, special):
    """The verdicts over a table are those over its rows, and follow the limit of each one's category."""
    settings = FilterSettings(limits={"too_few_words": limit}, limits_by_category={"b": {"too_few_words": special}})
    table = pa.concat_tables([row_of(settings, **row) for row in rows]) if rows else row_of(settings).slice(0, 0)
    verdicts = judge(table, settings)
    assert verdicts == [judge(table.slice(at, 1), settings)[0] for at in range(table.num_rows)]
    for row, verdict in zip(rows, verdicts, strict=True):
        least = special if row["category"] == "b" else limit
        assert bool(verdict) == (least is not None and row["words"] < least)


LEAK = {"start": 3, "end": 60, "set": "cmd", "item": 7, "kind": "prompt_answer", "score": 0.75}


def test_a_leak_drops_its_document_with_set_item_score_and_place():
    assert failed(leaks=[LEAK]) == [("leak", "cmd 7: prompt_answer 0.75, bytes 3 to 60")]
    assert failed(leaks=[{**LEAK, "score": 0.5}]) == []
    assert failed(leaks=[{**LEAK, "kind": "answer_only", "score": 1.0}]) == []
    assert failed(FilterSettings(leaks=LeakSettings(threshold=0.5)), leaks=[{**LEAK, "score": 0.5}])
    assert failed(FilterSettings(leaks=LeakSettings(action="cut")), leaks=[LEAK]) == []


def test_a_language_that_is_not_sure_does_not_drop():
    assert failed(language="de", language_score=0.49) == []
    assert failed(language=None, language_score=0.0) == []


def test_without_languages_all_stay():
    assert failed(FilterSettings(), language="de") == []


def test_rules_of_datatrove_drop_only_where_the_recipe_asks_for_them():
    asked = FilterSettings(datatrove=["c4_quality", "gopher_quality"])
    assert failed(asked) == [("datatrove_gopher_quality", "gopher_too_many_hashes")]
    assert failed(asked, datatrove_failed=[]) == []


def test_no_rows_have_no_verdicts():
    assert judge(row_of(SETTINGS).slice(0, 0), SETTINGS) == []


def test_a_page_that_is_only_code_is_not_judged_by_rules_of_prose(make_documents):
    lines = [f"0x{at:04x}: {at * 7} {at * 11} {at * 13} ={at % 3}" for at in range(20)]
    code = "```\n" + "\n".join(lines * 6) + "\n```\n"
    prose = code.replace("```\n", "")
    scored = score(make_documents(code, prose), ClassifySettings())
    as_code, as_prose = judge(scored, FilterSettings(languages=["en"]))
    assert {name for name, _ in as_code} <= {"machine_noise"}
    assert {"few_letters", "repeated_lines"} <= {name for name, _ in as_prose}


def test_the_rules_of_datatrove_are_its_own():
    names = ("gopher_quality", "c4_quality", "fineweb_quality")
    sentences = [
        f"The {name} of the kernel is what this sentence is about, and what it has to say." for name in SAMPLES
    ]
    assert failed_rules("\n".join(sentences), names) == []
    assert failed_rules("{ }", names) == [
        "gopher_quality:gopher_short_doc",
        "c4_quality:too_few_sentences",
        "fineweb_quality:line_punct_ratio",
    ]
    assert failed_rules(CODE, ()) == []
    assert {each.split(":")[0] for each in failed_rules("", NAMES)} == set(NAMES)
