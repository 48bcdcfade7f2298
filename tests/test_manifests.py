"""A fault of a manifest is one line that says file, line, key, and what is allowed there."""

from __future__ import annotations

from pathlib import Path

import pytest

from manifests.load import ManifestError, load_categories, load_recipe, load_rules, load_sources
from pipelines.schema import DOCUMENT, SCORES, joined

REPOSITORY = Path(__file__).parents[1]

SOURCE = """\
- id: pages
  name: Pages
  category: man_pages_cli_reference
  status: on
  seeds: ["http://pages.localhost/"]
  scope: ['^http://pages\\.localhost/']
  licence: null
  licence_evidence: the footer
  farm: {directory: pages}
"""
REAL = SOURCE.replace("pages.localhost", "pages.example").replace("  farm: {directory: pages}\n", "")
RECIPE = "name: test\nmanifests: [sources.yaml]\n"


def write(directory: Path, recipe: str = RECIPE, sources: str = SOURCE) -> Path:
    (directory / "sources.yaml").write_text(sources)
    path = directory / "recipe.yaml"
    path.write_text(recipe)
    return path


def faults(path: Path) -> list[str]:
    """The lines of the error, without the directory of the test."""
    with pytest.raises(ManifestError) as caught:
        load_recipe(path)
    return [line.replace(f"{path.parent}/", "") for line in str(caught.value).splitlines()]


def test_a_sound_recipe_brings_its_sources_and_the_documented_defaults(tmp_path):
    loaded = load_recipe(write(tmp_path))
    assert [source.id for source in loaded.sources] == ["pages"]
    assert loaded.recipe.parts == 16
    assert loaded.beside("sources.yaml") == (tmp_path / "sources.yaml").resolve()


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "manifests" / "recipes").glob("*.yaml")), ids=lambda path: path.stem
)
def test_every_recipe_of_the_repository_lacks_at_most_a_contact(path):
    try:
        assert load_recipe(path).sources
    except ManifestError as error:
        assert "crawl.contact: is missing" in str(error)
        assert len(str(error).splitlines()) == 1


def test_a_preset_says_what_the_recipe_does_not(tmp_path):
    recipe = load_recipe(write(tmp_path, f"{RECIPE}dedup: {{preset: fineweb}}\n")).recipe
    assert (recipe.dedup.bands, recipe.dedup.rows, recipe.classify.permutations) == (14, 8, 112)
    other = load_recipe(write(tmp_path, f"{RECIPE}dedup: {{preset: fineweb, bands: 10}}\n")).recipe
    assert (other.dedup.bands, other.dedup.rows) == (10, 8)


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ("filters: {}\n", ["recipe.yaml:3: filters: unknown key; allowed here: classify, crawl, dedup, export"]),
        (
            "dedup:\n  thresold: 1\n",
            [
                "recipe.yaml:4: dedup.thresold: unknown key; allowed here: against, bands, boilerplate, confirmed, contained, most_lost, preset, rows, threshold, versions"
            ],
        ),
        (
            "synth: {teachers: {t: {urls: [http://t/v1], model: m,\n  key: k}}}\n",
            ["recipe.yaml:4: synth.teachers.t.key: unknown key; allowed here: api, api_key_header, api_key_variable,"],
        ),
        ("synth: {teachers: {t: {urls: [http://t/v1]}}}\n", ["recipe.yaml:3: synth.teachers.t.model: is missing"]),
        ("parts: '16'\n", ["recipe.yaml:3: parts: must be a valid integer, not '16'"]),
        ("crawl: {contact: [a]}\n", ["recipe.yaml:3: crawl.contact: must be a valid string"]),
        (
            "crawl: {private_addresses: yes}\n",
            ["recipe.yaml:3: crawl.private_addresses: must be a valid boolean, not 'yes'"],
        ),
        ("filter:\n", ["recipe.yaml:3: filter: must be a mapping"]),
        ("parts: 0\n", ["recipe.yaml:3: parts: must be greater than or equal to 1, not 0"]),
        ("dedup: {threshold: 1.5}\n", ["recipe.yaml:3: dedup.threshold: must be less than or equal to 1, not 1.5"]),
        ("dedup: {threshold: .nan}\n", ["recipe.yaml:3: dedup.threshold: must be"]),
        (
            "synth:\n  teachers: {t: {urls: [http://t/v1], model: m}}\n  kinds:\n  - {kind: faq, teacher: u}\n",
            ["recipe.yaml:3: synth: teacher 'u' is not among teachers (t)"],
        ),
        ("dedup: {bands: null}\n", ["recipe.yaml:3: dedup: give both bands and rows, or neither"]),
        ("tokenize: {tokenizer: t, train: {}}\n", ["recipe.yaml:3: tokenize: give tokenizer or train, not both"]),
        ("tokenize:\n  tokenizer: t.json\n", ["recipe.yaml:4: tokenize.tokenizer: there is no t.json"]),
        ("fallback: other.yaml\n", ["recipe.yaml:3: fallback: there is no other.yaml"]),
        ("sources: [pages,\n  manuals]\n", ["recipe.yaml:4: sources.1: no source has the id 'manuals'"]),
        ("parts: 1\nparts: 2\n", ["recipe.yaml:4: key 'parts' stands twice"]),
        ("parts: [1\n", ["recipe.yaml:4: not YAML:"]),
        ("parts: *other\n", ["recipe.yaml:3: not YAML: found undefined alias 'other'"]),
        (
            "filter: {datatrove: [c4_quality]}\n",
            ["recipe.yaml:1: filter.datatrove names c4_quality, which classify.datatrove does not ask"],
        ),
        ("dedup: {bands: 20, rows: 6}\n", ["recipe.yaml:1: dedup: 20 bands of 6 rows need 120 permutations"]),
        ("---\nparts: 1\n", ["recipe.yaml:3: not YAML: but found another document"]),
        ("parts: !!python/object:os.system {}\n", ["recipe.yaml:3: not YAML: could not determine a constructor"]),
    ],
)
def test_each_fault_of_a_recipe_is_one_line(tmp_path, added, expected):
    found = faults(write(tmp_path, RECIPE + added))
    assert len(found) == len(expected)
    for line, beginning in zip(found, expected, strict=True):
        assert line.startswith(beginning)


def test_several_faults_are_told_at_once(tmp_path):
    path = write(tmp_path, RECIPE + "parts: 0\nfilter: {limits: {too_few_words: x}}\ntokeniser: {}\n")
    assert [line.split(": ")[0] for line in faults(path)] == ["recipe.yaml:3", "recipe.yaml:4", "recipe.yaml:5"]


def test_limits_name_rules_and_categories_that_there_are(tmp_path):
    limits = "filter:\n  limits:\n    too_few: 3\n  limits_by_category:\n    nowhere: {long_words: 9, none: null}\n"
    found = faults(write(tmp_path, RECIPE + limits))
    assert [line.split("; there are")[0].split("; must")[0].split(" must")[0] for line in found] == [
        "recipe.yaml:5: filter.limits.too_few: there is no such rule",
        "recipe.yaml:7: filter.limits_by_category.nowhere.none: there is no such rule",
        "recipe.yaml:7: filter.limits_by_category.nowhere:",
    ]


def test_the_rules_that_hold_by_default_are_sound():
    rules = load_rules()
    assert len({rule.name for rule in rules}) == len(rules)
    columns = joined(DOCUMENT, SCORES).names
    assert len(set(columns)) == len(columns)
    named = {name for rule in rules for name in (rule.column, *(bound.column for bound in rule.when))}
    assert named <= set(columns)
    assert {category for rule in rules for category in (*rule.only, *rule.categories)} <= set(load_categories())


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("", "recipe.yaml: is empty"),
        ("manifests: [sources.yaml]\n", "recipe.yaml:1: name: is missing"),
        ("name: test\nmanifests: [none.yaml]\n", "recipe.yaml:2: manifests.0: there is no none.yaml"),
        ("name: test\nmanifests: []\n", "recipe.yaml:2: manifests: List should have at least 1 item"),
        ("name: Test\nmanifests: [sources.yaml]\n", "recipe.yaml:1: name: String should match pattern"),
        ("- name\n", "recipe.yaml:1: must be a mapping"),
    ],
)
def test_a_recipe_that_lacks_something_is_one_line(tmp_path, recipe, expected):
    (line,) = faults(write(tmp_path, recipe))
    assert line.startswith(expected)


def test_a_missing_recipe_is_one_line(tmp_path):
    assert faults(tmp_path / "recipe.yaml") == ["recipe.yaml: there is no such file"]


def test_a_recipe_that_is_not_text_is_one_line(tmp_path):
    path = write(tmp_path)
    path.write_bytes(b"name: \xff\n")
    (line,) = faults(path)
    assert line.startswith("recipe.yaml: cannot be read")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("status: on", "status: maybe"), "sources.yaml:4: status: must be 'on', 'review' or 'off', not 'maybe'"),
        (("status: on", "status: true"), "sources.yaml:4: status: must be 'on', 'review' or 'off', not True"),
        (("status: on", "status: off"), "sources.yaml:1: source pages is 'off': give a reason"),
        (("'^http", "'(^http"), "sources.yaml:6: scope: '(^http://pages\\\\.localhost/' is not a regular expression"),
        (("http://pages.localhost/", "pages.localhost"), "sources.yaml:5: seeds: 'pages.localhost' is not an http"),
        (("pages.localhost/", "pages.example/"), "sources.yaml:1: source pages is served on loopback"),
        (
            ("directory: pages", "directories: pages"),
            "sources.yaml:9: farm.directories: unknown key; allowed here: directory",
        ),
        (("  licence: null\n", ""), "sources.yaml:1: licence: is missing"),
        (("- id: pages", "- id: Pages"), "sources.yaml:1: id: String should match pattern"),
        ((SOURCE, SOURCE + SOURCE), "sources.yaml:10: id 'pages' stands in sources.yaml too"),
        ((SOURCE, "pages: {}\n"), "sources.yaml:1: must be a list of sources"),
    ],
)
def test_each_fault_of_a_source_is_one_line(tmp_path, change, expected):
    (line,) = faults(write(tmp_path, sources=SOURCE.replace(*change)))
    assert line.startswith(expected)


def test_status_words_are_strings(tmp_path):
    (tmp_path / "sources.yaml").write_text(
        SOURCE + SOURCE.replace("id: pages", "id: old").replace("status: on", "status: off\n  reason: gone")
    )
    assert [(source.id, source.status) for source in load_sources(tmp_path)] == [("old", "off"), ("pages", "on")]


def test_a_source_that_is_not_on_is_refused_with_its_reason(tmp_path):
    sources = SOURCE.replace("status: on", "status: review\n  reason: licence unclear")
    path = write(tmp_path, RECIPE + "sources: [pages]\n", sources)
    assert faults(path) == ["recipe.yaml:3: sources.0: pages is review: licence unclear"]


def test_a_recipe_whose_sources_are_all_off_is_refused(tmp_path):
    path = write(tmp_path, sources=SOURCE.replace("status: on", "status: off\n  reason: gone"))
    assert faults(path) == ["recipe.yaml:2: manifests: no source is on"]


def test_a_real_site_needs_a_contact(tmp_path):
    (line,) = faults(write(tmp_path, sources=REAL))
    assert line.startswith("recipe.yaml:1: crawl.contact: is missing")
    assert load_recipe(write(tmp_path, RECIPE + "crawl: {contact: 'mailto:me@example.org'}\n", REAL)).sources


def test_the_variable_of_an_api_key_must_be_set(tmp_path, monkeypatch):
    monkeypatch.delenv("TEACHER_KEY", raising=False)
    teacher = "synth:\n  teachers:\n    t:\n      urls: [http://localhost/v1]\n      model: m\n      api_key_variable: TEACHER_KEY\n"
    path = write(tmp_path, RECIPE + teacher)
    assert faults(path) == ["recipe.yaml:8: synth.teachers.t.api_key_variable: TEACHER_KEY is not set"]
    monkeypatch.setenv("TEACHER_KEY", "k")
    assert load_recipe(path).recipe.synth.teachers


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(RECIPE + "x: \0\n", id="control-character"),
        pytest.param(RECIPE + "? [a]\n: b\n", id="key-is-a-list"),
        pytest.param(RECIPE + "x: &a [*a]\n", id="holds-itself"),
    ],
)
def test_odd_yaml_is_a_fault_too(tmp_path, recipe):
    assert len(faults(write(tmp_path, recipe))) == 1


def test_an_empty_list_of_sources_is_refused(tmp_path):
    assert len(faults(write(tmp_path, RECIPE + "sources: []\n"))) == 1


def test_one_id_in_two_manifests_is_refused(tmp_path):
    (tmp_path / "more.yaml").write_text(SOURCE)
    assert len(faults(write(tmp_path, "name: test\nmanifests: [sources.yaml, more.yaml]\n"))) == 1


def test_a_teacher_url_that_is_none_is_refused(tmp_path):
    assert len(faults(write(tmp_path, RECIPE + "synth: {teachers: {t: {urls: [nowhere], model: m}}}\n"))) == 1


_TWICE = "synth: {teachers: {t: {urls: [http://t/v1], model: m}}, kinds: [{kind: faq, teacher: t}, {kind: faq, teacher: t}]}\n"


def test_a_kind_given_twice_is_refused(tmp_path):
    assert len(faults(write(tmp_path, RECIPE + _TWICE))) == 1
