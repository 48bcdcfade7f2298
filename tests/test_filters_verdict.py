"""The language of prose, and the rules of the filter one by one."""

from __future__ import annotations

import pyarrow as pa
import pytest

from filters.datatrove_rules import NAMES, failed_rules
from filters.language import UNDETERMINED, detect, model_sha256, prose_of
from filters.verdict import COLUMNS, judge
from manifests.models import ClassifySettings, FilterSettings
from pipelines.classify import score

SAMPLES = {
    "en": "The scheduler picks the process that has waited longest, and gives it the processor for one time slice.",
    "de": "Der Speicher wird vom Kern in Seiten verwaltet und bei Bedarf auf die Festplatte ausgelagert.",
    "fr": "Le noyau gère la mémoire par pages et les écrit sur le disque lorsque la mémoire vient à manquer.",
    "zh": "内核把内存分成页面进行管理，并在需要的时候将不常用的页面换出到磁盘上。",
    "ja": "カーネルはメモリをページ単位で管理し、必要に応じて使われていないページをディスクに退避します。",
}
CODE = "```python\n" + "for index in range(10): print(index, 'einer der Speicher wird verwaltet')\n" * 20 + "```\n"


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
    assert prose_of(f"one `two`\nthree\n{CODE}four") == "one three four"


def test_the_model_has_a_hash():
    assert len(model_sha256()) == 64


# ---------------------------------------------------------------- verdicts

SOUND = {
    "words": 500,
    "prose_words": 400,
    "prose_word_bytes": 2000,
    "prose_characters": 2500,
    "prose_letters": 2000,
    "prose_lines": 40,
    "repeated_lines": 2,
    "language": "en",
    "language_score": 0.9,
    "datatrove_failed": ["gopher_quality:gopher_too_many_hashes", "fineweb_quality:line_punct_ratio"],
}
SETTINGS = FilterSettings(languages=["en", "zh"])


def failed(settings: FilterSettings = SETTINGS, **columns: object) -> list[tuple[str, float]]:
    assert set(SOUND) == set(COLUMNS)
    return judge(pa.Table.from_pylist([SOUND | columns]), settings)[0]


def test_a_sound_document_stays():
    assert failed() == []


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"words": 29}, [("too_few_words", 29)]),
        ({"words": 1_000_001}, [("too_many_words", 1_000_001)]),
        ({"prose_word_bytes": 400 * 26}, [("long_words", 26)]),
        ({"prose_letters": 900}, [("few_letters", 0.36)]),
        ({"repeated_lines": 30}, [("repeated_lines", 0.75)]),
        ({"language": "de"}, [("language", 0.9)]),
        ({"words": 3, "language": "de"}, [("too_few_words", 3), ("language", 0.9)]),
    ],
)
def test_each_rule_says_what_failed_and_by_which_value(columns, expected):
    found = failed(**columns)
    assert [name for name, _ in found] == [name for name, _ in expected]
    assert [value for _, value in found] == pytest.approx([value for _, value in expected], abs=1e-4)


@pytest.mark.parametrize(
    "columns", [{"words": 30}, {"words": 1_000_000}, {"prose_word_bytes": 400 * 25}, {"repeated_lines": 28}]
)
def test_a_value_at_the_threshold_stays(columns):
    assert failed(**columns) == []


def test_prose_rules_do_not_judge_a_page_with_little_prose():
    bad = {"prose_word_bytes": 99_999, "prose_letters": 0, "repeated_lines": 40}
    assert len(failed(**bad)) == 3
    assert failed(**bad, prose_words=49) == []


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
    assert judge(pa.Table.from_pylist([SOUND]).slice(0, 0), SETTINGS) == []


def test_a_page_that_is_only_code_is_not_judged_by_rules_of_prose(make_documents):
    hexdump = "```\n" + "0x00000000000000000000000000000000 ff\n" * 60 + "```\n"
    prose = hexdump.replace("```\n", "")
    scored = score(make_documents(hexdump, prose), ClassifySettings())
    code, same_as_prose = judge(scored, FilterSettings(languages=["en"]))
    assert code == []
    assert {name for name, _ in same_as_prose} == {"few_letters", "repeated_lines"}


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
