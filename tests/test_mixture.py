"""A mixture asks, its plan says in whole sequences what is read, and an export says the same; no shard changes with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import floor, isclose
from pathlib import Path
from textwrap import dedent

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.load import ManifestError, load_mixture, load_recipe, mixture_of
from manifests.mixture import READ_ONCE, Elsewhere, Entry, HalfLife, MaxEpochs, Mixture, MixtureStage
from pipelines import commands, storage, trace
from pipelines.cli import main
from pipelines.mixture import ListSize, Plan, asked, plan, scaled, water_fill
from pipelines.mixture_files import MixtureError, PackedList, data_args, is_too_small, packed_lists, written
from pipelines.reader import PackedSequences
from pipelines.run import Run
from tests import shards as exports
from tests.packed_shards import LENGTH, commit_shards

REPOSITORY = Path(__file__).parents[1]
MIXTURES = sorted((REPOSITORY / "manifests" / "mixtures").glob("*.yaml"))
FREE = MaxEpochs(high=1000.0, medium=1000.0, low=1000.0)

DOCS = "open_source_documentation.high.natural"
FORUMS = "qa_forums.medium.natural"
REWRITES = "qa_forums.low.synthetic"


def size(*lengths: int) -> ListSize:
    """A list of sequences of these lengths."""
    return ListSize(sum(lengths), len(lengths), np.cumsum([0, *lengths]))


def even(tokens: int, sequences: int) -> ListSize:
    return ListSize(tokens, sequences)


def mixture(*entries: Entry, budget: int | None = None, caps: MaxEpochs = FREE, **more: object) -> Mixture:
    return Mixture(stages=[MixtureStage(name="stable", budget=budget, lists=list(entries))], max_epochs=caps, **more)


def read(planned: Plan, stage: int = 0) -> dict[str, int]:
    """Sequences that a stage reads, by list."""
    return {draw.name: draw.sequences for draw in planned.stages[stage].draws}


# ---------------------------------------------------------------- manifests


@pytest.mark.parametrize("path", MIXTURES, ids=lambda path: path.stem)
def test_every_mixture_of_the_repository_is_sound(path):
    assert load_mixture(path).stages


def test_sigmas_mixture_reads_what_the_paper_says():
    planned = plan(
        load_mixture(REPOSITORY / "manifests/mixtures/sigma.yaml"), {DOCS: even(19_500_000_000, 4_760_742)}, 4096
    )
    stable, math_code, synthetic, anneal = planned.stages
    shares = [
        {draw.name: round(draw.tokens / stage.tokens, 4) for draw in stage.draws}
        for stage in (stable, math_code, synthetic)
    ]
    assert shares[0] == {"general_1": 0.8, "math": 0.1, "code": 0.1}
    assert shares[1] == {"general_2": 0.4, "math": 0.3, "code": 0.3}
    assert shares[2] == {"rewritten": 0.6, "general_2": 0.4}
    assert isclose(planned.tokens, 6.5e12, rel_tol=1e-6)
    assert {draw.name: draw.epochs for draw in anneal.draws}[DOCS] == 2
    assert not any(note for stage in planned.stages for note in stage.notes if "cannot be had" in note)


FAULTS = [
    ("", "is empty"),
    ("stages: []", "m.yaml:1: stages: List should have at least 1 item"),
    ("stages: [{name: a, lists: []}]", "m.yaml:1: stages.0.lists: List should have at least 1 item"),
    ("stages: [{name: a, lists: [{lists: '*'}]}]", "stages.0.lists.0: give exactly one of weight, tokens, epochs"),
    (
        "stages:\n  - name: a\n    lists:\n      - {lists: '*', tokens: 1, epochs: 1}",
        "m.yaml:4: stages.0.lists.0: give exactly one of weight, tokens, epochs",
    ),
    (
        "stages:\n  - name: a\n    lists: [{lists: '*', weight: 1}]",
        "m.yaml:2: stages.0: lists: '*' has a weight, which needs the stage's budget",
    ),
    (
        "stages:\n  - name: a\n    lists: [{lists: '*', epochs: 1}, {lists: '*', epochs: 2}]",
        "m.yaml:2: stages.0: lists: '*' stands twice",
    ),
    (
        "stages:\n  - name: a\n    lists:\n      - {lists: '*', epoch: 1}",
        "m.yaml:4: stages.0.lists.0.epoch: unknown key; allowed here: epochs, lists, tokens, weight",
    ),
    ("stages: [{name: a, lists: [{lists: '*', epochs: 0}]}]", "epochs: must be greater than 0, not 0"),
    ("stages: [{name: a, lists: [{lists: '*', weight: -1}], budget: 1}]", "weight: must be greater than 0, not -1"),
    ("stages: [{name: a, lists: [{lists: '../x', epochs: 1}]}]", "lists: String should match pattern"),
    ("stages: [{name: a, budget: 0, lists: [{lists: '*', epochs: 1}]}]", "budget: must be greater than or equal to 1"),
    ("stages: [{name: a, budget: 1.5e+9, lists: [{lists: '*', epochs: 1}]}]", "budget: must be a valid integer"),
    (
        "stages: [{name: a, lists: [{lists: '*', epochs: 1}]}, {name: a, lists: [{lists: '*', epochs: 1}]}]",
        "m.yaml:1: stages: 'a' stands twice",
    ),
    (
        "stages: [{name: a, lists: [{lists: general, epochs: 1}]}]",
        "m.yaml:1: stage a: 'general' is no list, and is not under elsewhere",
    ),
    (
        "stages: [{name: a, lists: [{lists: '*', epochs: 1}]}]\nelsewhere:\n  - {name: b, prefix: a b, tokens: 1, tier: low}",
        "m.yaml:3: elsewhere.0.prefix: String should match pattern",
    ),
    (
        "stages: [{name: a, lists: [{lists: '*', epochs: 1}]}]\nelsewhere:\n  - {name: b, prefix: b, tokens: 1, tier: best}",
        "m.yaml:3: elsewhere.0.tier: must be 'high', 'medium' or 'low', not 'best'",
    ),
    (
        "stages: [{name: a, lists: [{lists: '*', epochs: 1}]}]\nmax_epochs: {high: 0}",
        "m.yaml:2: max_epochs.high: must be greater than 0, not 0",
    ),
]


@pytest.mark.parametrize(("text", "fault"), FAULTS)
def test_a_fault_of_a_mixture_is_one_line(tmp_path, text, fault):
    path = tmp_path / "m.yaml"
    path.write_text(text)
    with pytest.raises(ManifestError) as caught:
        load_mixture(path)
    assert len(str(caught.value).splitlines()) == 1
    assert fault in str(caught.value)


def recipe_of(directory: Path, mixture_file: str | None = None) -> Path:
    (directory / "sources.yaml").write_text(
        dedent(r"""
            - id: pages
              name: Pages
              category: man_pages_cli_reference
              status: on
              seeds: ["http://pages.localhost/"]
              scope: ['^http://pages\.localhost/']
              licence: null
              licence_evidence: the footer
              farm: {directory: pages}
        """)
    )
    path = directory / "recipe.yaml"
    named = f"mixture: {mixture_file}\n" if mixture_file else ""
    path.write_text(f"name: test\nmanifests: [sources.yaml]\n{named}")
    return path


def test_a_recipe_names_its_mixture_and_without_one_every_list_is_read_once(tmp_path):
    recipe = load_recipe(recipe_of(tmp_path)).recipe
    assert mixture_of(recipe, tmp_path) == READ_ONCE
    lists = {DOCS: size(60, 64), REWRITES: size(5)}
    assert read(plan(READ_ONCE, lists, LENGTH)) == {DOCS: 2, REWRITES: 1}


def test_a_recipe_whose_mixture_is_missing_or_unsound_is_refused(tmp_path):
    with pytest.raises(ManifestError, match=r"recipe\.yaml:3: mixture: .*other\.yaml: there is no such file"):
        load_recipe(recipe_of(tmp_path, "other.yaml"))
    (tmp_path / "other.yaml").write_text("stages: []\n")
    with pytest.raises(ManifestError, match=r"recipe\.yaml:3: mixture: .*other\.yaml:1: stages"):
        load_recipe(recipe_of(tmp_path, "other.yaml"))


# ---------------------------------------------------------------- plans, one by one


def test_a_list_belongs_to_the_first_entry_that_names_it_and_what_names_nothing_is_said():
    asks = mixture(
        Entry(lists="*.high.*", epochs=2.0),
        Entry(lists="*.natural", epochs=1.0),
        Entry(lists="open_source_*.natural", epochs=1.0),
        Entry(lists="books.*", epochs=1.0),
    )
    stage = plan(asks, {DOCS: even(640, 10), FORUMS: even(320, 5), REWRITES: even(64, 1)}, LENGTH).stages[0]
    assert {draw.name: draw.epochs for draw in stage.draws} == {DOCS: 2, FORUMS: 1}
    assert stage.notes == (
        "open_source_*.natural: earlier entries take all its lists",
        "books.*: there is no such list",
    )


def test_a_list_from_elsewhere_is_named_in_full():
    asks = mixture(
        Entry(lists="general", weight=1.0),
        Entry(lists="*", weight=3.0),
        budget=8 * LENGTH,
        elsewhere=[Elsewhere(name="general", prefix="pools/general", tokens=100 * LENGTH, tier="high")],
    )
    assert read(plan(asks, {DOCS: even(10 * LENGTH, 10)}, LENGTH)) == {"general": 2, DOCS: 6}
    asks = mixture(Entry(lists="*", epochs=1.0), elsewhere=asks.elsewhere)
    assert read(plan(asks, {DOCS: even(10 * LENGTH, 10)}, LENGTH)) == {DOCS: 10}


def test_inside_a_pattern_lists_share_in_proportion_to_their_tokens():
    asks = mixture(Entry(lists="*.natural", tokens=40 * LENGTH))
    assert read(plan(asks, {DOCS: even(100 * LENGTH, 100), FORUMS: even(300 * LENGTH, 300)}, LENGTH)) == {
        DOCS: 10,
        FORUMS: 30,
    }


def test_what_a_cap_holds_back_goes_to_the_others_and_then_is_said():
    caps = MaxEpochs(high=1.0, medium=3.0, low=1.0)
    lists = {DOCS: even(10 * LENGTH, 10), FORUMS: even(10 * LENGTH, 10)}
    entries = (Entry(lists=DOCS, weight=1.0), Entry(lists=FORUMS, weight=1.0))
    stage = plan(mixture(*entries, budget=30 * LENGTH, caps=caps), lists, LENGTH).stages[0]
    assert {draw.name: draw.sequences for draw in stage.draws} == {DOCS: 10, FORUMS: 20}
    assert stage.notes == (f"held back by max_epochs: {DOCS}",)
    stage = plan(mixture(*entries, budget=50 * LENGTH, caps=caps), lists, LENGTH).stages[0]
    assert {draw.name: draw.sequences for draw in stage.draws} == {DOCS: 10, FORUMS: 30}
    assert stage.notes == (
        f"held back by max_epochs: {DOCS}, {FORUMS}",
        "640 tokens of the budget cannot be had: every list is read as often as it may be",
    )


def test_caps_count_over_all_stages():
    stages = [MixtureStage(name=name, lists=[Entry(lists="*", epochs=0.75)]) for name in ("stable", "decay", "anneal")]
    asks = Mixture(stages=stages, max_epochs=MaxEpochs(high=2.0))
    planned = plan(asks, {DOCS: even(100 * LENGTH, 100)}, LENGTH)
    assert [stage.draws[0].sequences for stage in planned.stages] == [75, 75, 50]
    assert planned.stages[2].notes == ("*: 4,800 tokens are asked for, max_epochs leaves 3,200",)


def test_numbers_come_before_weights_and_are_cut_where_they_exceed_the_budget():
    lists = {DOCS: even(10 * LENGTH, 10), FORUMS: even(30 * LENGTH, 30), REWRITES: even(100 * LENGTH, 100)}
    entries = (
        Entry(lists=DOCS, epochs=1.0),
        Entry(lists=FORUMS, tokens=30 * LENGTH),
        Entry(lists=REWRITES, weight=1.0),
    )
    assert read(plan(mixture(*entries, budget=60 * LENGTH), lists, LENGTH)) == {DOCS: 10, FORUMS: 30, REWRITES: 20}
    planned = plan(mixture(*entries, budget=20 * LENGTH), lists, LENGTH)
    assert read(planned) == {DOCS: 5, FORUMS: 15}
    assert planned.left_out == (REWRITES,)
    assert planned.stages[0].notes == (
        "tokens and epochs come to 2,560, more than the budget: each is cut in proportion",
        "tokens and epochs leave nothing of the budget to the weights",
    )
    planned = plan(mixture(*entries[:2], budget=50 * LENGTH), lists, LENGTH)
    assert planned.stages[0].notes == ("640 tokens of the budget cannot be had: no entry with a weight takes the rest",)


def test_what_whole_sequences_make_of_a_small_budget_is_said():
    stage = plan(mixture(Entry(lists="*", weight=1.0), budget=90), {DOCS: even(10 * LENGTH, 10)}, LENGTH).stages[0]
    assert stage.tokens == 64
    assert stage.notes == ("in whole sequences it is 64 tokens, not 90",)


def test_repetition_halves_what_a_token_is_worth_each_half_life():
    asks = mixture(Entry(lists="*", epochs=3.0), half_life=HalfLife(high=1.0, medium=2.0))
    planned = plan(asks, {DOCS: even(1000 * LENGTH, 1000), FORUMS: even(1000 * LENGTH, 1000)}, LENGTH)
    worth = {draw.name: draw.effective / (1000 * LENGTH) for draw in planned.stages[0].draws}
    assert worth[DOCS] == pytest.approx(1 + 1 / 2 + 1 / 4)
    assert worth[FORUMS] == pytest.approx(1 + 2**-0.5 + 1 / 2)
    assert planned.least() == (DOCS, 0.25)


def test_a_stage_that_reads_the_beginning_again_is_worth_less_for_it():
    stages = [MixtureStage(name=name, lists=[Entry(lists="*", epochs=0.5)]) for name in ("stable", "decay")]
    asks = Mixture(stages=stages, half_life=HalfLife(high=1.0))
    planned = plan(asks, {DOCS: size(*([LENGTH] * 5 + [10] * 5))}, LENGTH)
    first, second = (stage.draws[0] for stage in planned.stages)
    assert first.sequences == second.sequences
    assert second.effective == pytest.approx(first.effective / 2)


# ---------------------------------------------------------------- plans, all of them

CATEGORIES = ("arxiv_preprints", "qa_forums", "code_and_config")
NAMES = [f"{category}.{tier}.natural" for category in CATEGORIES for tier in ("high", "medium", "low")]
PATTERNS = [*NAMES[:4], "*.high.*", "*.medium.*", "qa_forums.*", "*"]


@st.composite
def sizes(draw: st.DrawFn) -> dict[str, ListSize]:
    """Lists of sequences of which the padding is at most 2 %, as best-fit packing leaves them."""
    length = 1000
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True))
    found = {}
    for name in names:
        sequences, seed = draw(st.integers(1, 300)), draw(st.integers(0, 99))
        found[name] = size(*np.random.default_rng(seed).integers(length * 98 // 100, length + 1, sequences).tolist())
    return found


@st.composite
def mixtures(draw: st.DrawFn) -> Mixture:
    stages = []
    for name in ("stable", "decay", "anneal")[: draw(st.integers(1, 3))]:
        patterns = draw(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=4, unique=True))
        budget = draw(st.none() | st.integers(1, 1_000_000))
        kinds = ("tokens", "epochs") if budget is None else ("tokens", "epochs", "weight")
        amounts = {"tokens": st.integers(1, 500_000), "epochs": st.floats(0.01, 5.0), "weight": st.floats(0.01, 100.0)}
        entries = []
        for pattern in patterns:
            kind = draw(st.sampled_from(kinds))
            entries.append(Entry(lists=pattern, **{kind: draw(amounts[kind])}))
        stages.append(MixtureStage(name=name, budget=budget, lists=entries))
    caps = [draw(st.floats(0.1, 6.0)) for _ in range(3)]
    return Mixture(stages=stages, max_epochs=MaxEpochs(high=caps[0], medium=caps[1], low=caps[2]))


def totals(planned: Plan) -> dict[str, int]:
    """Sequences of all stages, by list."""
    found: dict[str, int] = {}
    for stage in planned.stages:
        for draw in stage.draws:
            found[draw.name] = found.get(draw.name, 0) + draw.sequences
    return found


@given(mixtures(), sizes())
@settings(max_examples=150, deadline=None)
def test_no_list_is_read_beyond_its_cap(asks, lists):
    for name, sequences in totals(plan(asks, lists, 1000)).items():
        assert sequences <= floor(getattr(asks.max_epochs, name.split(".")[1]) * lists[name].sequences)


@given(mixtures(), sizes())
@settings(max_examples=150, deadline=None)
def test_a_budget_is_reached_or_it_is_said_why_not(asks, lists):
    for stage in plan(asks, lists, 1000).stages:
        assert stage.tokens <= stage.asked + 500 * len(lists)  # each is within half a sequence
        if abs(stage.tokens - stage.asked) > 0.001 * stage.asked:
            assert stage.notes


@given(mixtures(), sizes(), st.floats(0.01, 20.0), st.floats(0.01, 20.0))
@settings(max_examples=100, deadline=None)
def test_more_budget_never_means_less_of_any_list(asks, lists, one, other):
    less, more = (totals(plan(scaled(asks, factor), lists, 1000)) for factor in sorted((one, other)))
    assert all(sequences <= more.get(name, 0) for name, sequences in less.items())


@given(sizes(), st.lists(st.floats(0.01, 100.0), min_size=9, max_size=9), st.integers(200_000, 900_000))
@settings(max_examples=100, deadline=None)
def test_shares_are_as_asked_where_no_cap_binds(lists, weights, budget):
    entries = [Entry(lists=name, weight=weight) for name, weight in zip(NAMES, weights, strict=True) if name in lists]
    asks = {entry.lists: entry.weight / sum(each.weight for each in entries) * budget for entry in entries}
    stage = plan(mixture(*entries, budget=budget), lists, 1000).stages[0]
    got = {draw.name: draw.tokens for draw in stage.draws}
    for name, tokens in asks.items():
        assert abs(got.get(name, 0) - tokens) <= 500


@given(mixtures(), sizes())
@settings(max_examples=100, deadline=None)
def test_what_is_read_is_worth_no_more_than_its_tokens_and_no_less_than_what_is_new(asks, lists):
    planned = plan(asks, lists, 1000)
    new = sum(lists[name].first(min(sequences, lists[name].sequences)) for name, sequences in _most(planned).items())
    assert new * (1 - 1e-9) <= planned.effective <= planned.tokens * (1 + 1e-9)
    assert planned.left_out == tuple(sorted(set(lists) - set(totals(planned))))


def _most(planned: Plan) -> dict[str, int]:
    """The longest draw of each list: what lies before its end is read for the first time at least once."""
    found: dict[str, int] = {}
    for stage in planned.stages:
        for draw in stage.draws:
            found[draw.name] = max(found.get(draw.name, 0), draw.sequences)
    return found


@given(
    st.lists(st.tuples(st.floats(0.01, 100.0), st.floats(0.0, 1e6)), min_size=1, max_size=12),
    st.floats(0.0, 1e7),
)
def test_water_fills_in_proportion_up_to_the_limits(pairs, total):
    weights, limits = [weight for weight, _ in pairs], [limit for _, limit in pairs]
    filled = water_fill(weights, limits, total)
    assert sum(filled) == pytest.approx(min(total, sum(limits)))
    assert all(share <= limit for share, limit in zip(filled, limits, strict=True))
    free = [share / weight for share, weight, limit in zip(filled, weights, limits, strict=True) if share < limit]
    assert not free or max(free) == pytest.approx(min(free))


# ---------------------------------------------------------------- what is written


def _padding(sequences: int, seed: int) -> list[int]:
    """Mostly none, now and then most of a sequence, as best-fit packing leaves the last sequences."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(sequences) < 0.95, 0, rng.integers(0, LENGTH, sequences)).tolist()


LISTS = {
    DOCS: [_padding(40, 1), _padding(33, 2)],
    FORUMS: [_padding(25, 3)],
    REWRITES: [_padding(7, 4), _padding(2, 5), _padding(1, 6)],
    "books_courses_tutorials.low.natural": [[60]],
}


def walk(run: Path, told: dict) -> Iterator[tuple[str, int, int]]:
    """(list, sequences, tokens) of a stage of mixture.json, counted by reading the rows that it names."""
    for name, entry in told["lists"].items():
        counted = []
        for whole in [True] * int(entry["epochs"]) + [False]:
            for shard in entry["shards"]:
                table = pq.read_table(run / "tokenize" / shard["file"])
                assert table.num_rows == shard["rows"]
                rows = table if whole else table.slice(0, shard["drawn"])
                ids = rows["input_ids"].to_pylist()
                counted += [len(row) - padding for row, padding in zip(ids, rows["padding"].to_pylist(), strict=True)]
        yield name, len(counted), sum(counted)


ASKS = Mixture(
    stages=[
        MixtureStage(
            name="stable",
            budget=9000,
            lists=[Entry(lists="*.natural", weight=3.0), Entry(lists="*.synthetic", weight=1.0)],
        ),
        MixtureStage(name="anneal", lists=[Entry(lists="*.high.*", epochs=1.3), Entry(lists="qa_*", tokens=1000)]),
    ],
    max_epochs=MaxEpochs(high=3.0, medium=3.0, low=2.5),
)


@pytest.mark.parametrize("factor", [0.1, 0.33, 1.0, 1.7, 5.0])
def test_the_plan_is_what_a_walk_over_the_rows_counts(tmp_path, factor):
    commit = commit_shards(tmp_path, LISTS)
    lists = packed_lists(commit, str(tmp_path / "tokenize"))
    assert {name: packed.size.tokens for name, packed in lists.items()} == commit.extra["lists"]
    planned = plan(scaled(ASKS, factor), {name: packed.size for name, packed in lists.items()}, LENGTH)
    told = written(planned, lists, LENGTH)
    for stage, entry in zip(planned.stages, json.loads(json.dumps(told))["stages"], strict=True):
        counted = list(walk(tmp_path, entry))
        assert counted == [(draw.name, draw.sequences, draw.tokens) for draw in stage.draws]
        assert entry["tokens"] == sum(tokens for _, _, tokens in counted)
        for draw in stage.draws:
            assert entry["lists"][draw.name]["epochs"] == draw.sequences / lists[draw.name].size.sequences


def test_the_reader_and_the_trace_read_a_stage_as_it_is_planned(tmp_path):
    shards = {DOCS: [23, 18], FORUMS: [30]}
    rows = {f"train/{name}": [exports.random_rows(count, 7) for count in counts] for name, counts in shards.items()}
    directory = exports.write_export(tmp_path, rows)
    lists = {
        name: PackedList(
            size(*(exports.LENGTH - row["padding"] for shard in rows[f"train/{name}"] for row in shard)),
            tuple((f"shards/train/{name}/shard-{number:05}.parquet", count) for number, count in enumerate(counts)),
        )
        for name, counts in shards.items()
    }
    planned = plan(scaled(ASKS, 0.4), {name: packed.size for name, packed in lists.items()}, exports.LENGTH)
    told = written(planned, lists, exports.LENGTH)
    (tmp_path / "mixture.json").write_text(json.dumps(told))
    for number, stage in enumerate(planned.stages):
        sequences = PackedSequences(directory, stage=stage.name)
        assert sequences.drawn == read(planned, number)
        for name, packed in lists.items():
            entry = told["stages"][number]["lists"].get(name)
            times = sum(
                trace._times(entry, trace.Place(directory, file, row, None))
                for file, count in packed.shards
                for row in range(count)
            )
            assert times == read(planned, number).get(name, 0)


def test_another_weight_changes_mixture_json_and_no_shard(tmp_path):
    other = ASKS.model_copy(deep=True)
    other.stages[0].lists[1] = Entry(lists="*.synthetic", weight=2.0)
    lists = packed_lists(commit_shards(tmp_path, LISTS), str(tmp_path / "tokenize"))
    sizes_of = {name: packed.size for name, packed in lists.items()}
    before = {path: storage.sha256(str(path)) for path in tmp_path.rglob("*.parquet")}
    first, again, changed = (
        json.dumps(written(plan(asks, sizes_of, LENGTH), lists, LENGTH)) for asks in (ASKS, ASKS, other)
    )
    assert first == again != changed
    assert before == {path: storage.sha256(str(path)) for path in tmp_path.rglob("*.parquet")}


def test_no_stage_before_export_depends_on_the_mixture(tmp_path):
    (tmp_path / "mixture.yaml").write_text("stages: [{name: stable, lists: [{lists: '*', epochs: 1}]}]\n")
    plain, mixed = load_recipe(recipe_of(tmp_path)), load_recipe(recipe_of(tmp_path, "mixture.yaml"))
    runs = [Run(str(tmp_path / "run"), each.recipe, each.sources, tmp_path) for each in (plain, mixed)]
    for name in ("crawl", "extract", "classify", "dedup", "filter", "synth", "tokenize"):
        one, other = (commands._STAGES[name].settings(run) for run in runs)
        assert one == other, name


def test_an_export_made_by_an_earlier_version_is_one_clear_line(tmp_path):
    commit = commit_shards(tmp_path, LISTS)
    commit.extra.pop("sequence_length")
    with pytest.raises(MixtureError, match="is of an earlier version; run tokenize again"):
        packed_lists(commit, str(tmp_path / "tokenize"))


# ---------------------------------------------------------------- Megatron


def scale_shuffle_documents(documents: int, weight: float) -> int:
    """Documents that microsoft/ltp-megatron-lm reads of a prefix under --scale-shuffle."""
    return int(weight) * documents + int(documents * (weight - int(weight)))


@given(mixtures(), sizes(), st.sampled_from(["sequence", "document"]))
@settings(max_examples=100, deadline=None)
def test_megatron_reads_as_many_sequences_as_planned(asks, lists, unit):
    planned = plan(asks, lists, 1000)
    for stage in planned.stages:
        kept = [draw for draw in stage.draws if not is_too_small(draw, 1000)]
        words = data_args(stage, planned, 1000, "megatron/train/{}".format, "epochs", unit).split()
        assert words[1::2] == [f"megatron/train/{draw.name}" for draw in kept]
        for draw, weight in zip(kept, words[::2], strict=True):
            assert scale_shuffle_documents(draw.size.sequences, float(weight)) == draw.sequences
        words = data_args(stage, planned, 1000, "megatron/train/{}".format, "tokens", unit).split()
        weights = [draw.sequences * 1000 if unit == "sequence" else draw.tokens for draw in kept]
        assert list(map(int, words[::2])) == weights


def test_lists_of_which_megatron_makes_no_sample_are_left_out_and_named(tmp_path):
    rows = {DOCS: [[0] * 10], FORUMS: [[0]], REWRITES: [[60, 60]]}
    lists = packed_lists(commit_shards(tmp_path, rows), str(tmp_path / "tokenize"))
    planned = plan(READ_ONCE, {name: packed.size for name, packed in lists.items()}, LENGTH)
    told = written(planned, lists, LENGTH)["stages"][0]
    assert told["too_small"] == [REWRITES, FORUMS]
    assert set(told["lists"]) == {DOCS, FORUMS, REWRITES}
    args = data_args(planned.stages[0], planned, LENGTH, "d/{}".format, "tokens", "sequence")
    assert args == f"640 d/{DOCS}\n"


def test_pools_from_elsewhere_stand_beside_the_lists_with_their_own_prefix():
    asks = mixture(
        Entry(lists="general", epochs=0.5),
        Entry(lists="*", epochs=2.0),
        elsewhere=[Elsewhere(name="general", prefix="pools/general", tokens=100 * LENGTH, tier="high")],
    )
    planned = plan(asks, {DOCS: even(10 * LENGTH, 10)}, LENGTH)
    args = data_args(planned.stages[0], planned, LENGTH, "d/{}".format, "epochs", "sequence")
    assert args == f"0.505 pools/general\n2 d/{DOCS}\n"
    told = written(planned, {}, LENGTH)["stages"][0]
    assert told["elsewhere"] == {"general": {"epochs": 0.5, "sequences": 50, "tokens": 3200, "prefix": "pools/general"}}


def test_a_prefix_with_a_space_and_too_many_prefixes_are_refused(monkeypatch):
    planned = plan(READ_ONCE, {DOCS: even(640, 10), FORUMS: even(640, 10)}, LENGTH)
    with pytest.raises(MixtureError, match="Megatron splits its list at white space"):
        data_args(planned.stages[0], planned, LENGTH, "my data/{}".format, "tokens", "sequence")
    monkeypatch.setattr("pipelines.mixture_files._MOST_PREFIXES", 1)
    with pytest.raises(MixtureError, match="stage stable: 2 prefixes; Megatron takes 1 at most"):
        data_args(planned.stages[0], planned, LENGTH, "data/{}".format, "tokens", "sequence")


# ---------------------------------------------------------------- the command


def test_the_command_says_what_each_stage_reads_and_what_a_budget_buys(tmp_path, capsys):
    commit_shards(tmp_path / "run", LISTS)
    (tmp_path / "mixture.yaml").write_text(
        dedent("""
            stages:
              - {name: stable, budget: 6000, lists: [{lists: "*.natural", weight: 1}]}
              - {name: anneal, lists: [{lists: "*.high.*", epochs: 1}, {lists: "books.*", epochs: 1}]}
        """)
    )
    recipe = recipe_of(tmp_path, "mixture.yaml")
    assert main(["mix", "--plan", "--recipe", str(recipe), "--run", str(tmp_path / "run")]) == 0
    told = capsys.readouterr().out
    lines = told.splitlines()
    assert lines[0].startswith("stable: 6,000 tokens asked, ")
    assert any(line.startswith(f"  {DOCS} ") and line.endswith("%") for line in lines)
    assert "  ! books.*: there is no such list" in lines
    assert any(line.startswith(f"  {REWRITES} (") for line in lines)
    assert [line.split()[1] for line in lines[lines.index("what a budget buys") + 2 :]] == [
        "0.25",
        "0.5",
        "1",
        "2",
        "4",
    ]


def test_another_mixture_and_another_budget_are_tried_without_a_new_recipe(tmp_path, capsys):
    commit_shards(tmp_path / "run", LISTS)
    other = tmp_path / "other.yaml"
    other.write_text(f"stages: [{{name: only, lists: [{{lists: {DOCS}, epochs: 1}}]}}]\n")
    arguments = ["mix", "--plan", "--recipe", str(recipe_of(tmp_path)), "--run", str(tmp_path / "run")]
    assert main([*arguments, "--mixture", str(other), "--budget", "2e3"]) == 0
    assert capsys.readouterr().out.startswith("only: 2,000 tokens asked, ")
    assert main([*arguments, "--mixture", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml: there is no such file" in capsys.readouterr().err


def test_without_tokens_there_is_nothing_to_plan(tmp_path, capsys):
    arguments = ["mix", "--plan", "--recipe", str(recipe_of(tmp_path)), "--run", str(tmp_path / "run")]
    assert main(arguments) == 1
    assert "tokenize is not committed in" in capsys.readouterr().err
    for budget in ("none", "0", "nan", "inf"):
        with pytest.raises(SystemExit):
            main([*arguments, "--budget", budget])


def test_a_budget_is_shared_by_the_stages_in_proportion():
    lists = {DOCS: even(1000 * LENGTH, 1000)}
    stages = [
        MixtureStage(name="stable", budget=300 * LENGTH, lists=[Entry(lists="*", weight=1.0)]),
        MixtureStage(name="decay", lists=[Entry(lists="*", epochs=0.1)]),
    ]
    asks = Mixture(stages=stages)
    assert asked(asks, lists, LENGTH) == 400 * LENGTH
    planned = plan(scaled(asks, 0.5), lists, LENGTH)
    assert [stage.asked for stage in planned.stages] == [150 * LENGTH, 50 * LENGTH]
