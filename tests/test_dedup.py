"""What leaves is like what stays for it, what stays is like nothing else, and the way there makes no difference."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.clusters import choose, jaccard
from filters.components import connected, large_star, small_star
from filters.lsh import star_edges
from filters.minhash import signatures
from filters.shingles import Sets, shingle_sets, shingles_of
from filters.versions import versioned
from manifests.load import load_rules
from pipelines.dedup import exact, tables
from pipelines.dedup.survivors import best_first
from pipelines.dedup.tables import FACTS, hash_numbers
from pipelines.engine import StageError
from tests.dedup_runs import (
    WORDS,
    Here,
    contained,
    dedup,
    document,
    family,
    fates,
    fates_of,
    similar_pairs,
)
from tests.dedup_runs import jaccard as true_jaccard
from tests.runs import REPOSITORY
from tests.test_filters_minhash import stream_of

# So many short bands that no pair of the threshold is missed: one in 10**11.
SURE = {"bands": 36, "rows": 3}

SEEDS = st.integers(0, 2**32)


def corpus(seed: int) -> list[str]:
    """Families of texts of which some are alike, some nearly so, and some equal."""
    chosen = random.Random(seed)
    texts: list[str] = []
    for _ in range(chosen.randint(1, 8)):
        texts += family(chosen, chosen.randint(1, 8), chosen.randint(5, 120), chosen.randint(0, 6))
    texts += chosen.choices(texts, k=chosen.randint(0, 5))
    chosen.shuffle(texts)
    return texts


# ---------------------------------------------------------------- the stage against brute force


@given(SEEDS)
@settings(deadline=None, max_examples=12)
def test_what_leaves_is_like_what_stays_and_nothing_that_stays_is_like_another(seed):
    texts = corpus(seed)
    rows = [document(number, text) for number, text in enumerate(texts)]
    found = fates_of(rows, **SURE)
    assert set(found) == {row["doc_id"] for row in rows}
    text_of = {row["doc_id"]: row["text"] for row in rows}
    kept = [at for at, row in enumerate(rows) if found[row["doc_id"]][0] == "kept"]
    assert not similar_pairs([texts[at] for at in kept], 0.8)
    for doc_id, (fate, *told) in found.items():
        if fate == "dropped":
            reason, survivor, similarity = told
            likeness, least = (contained, 0.9) if reason == "contained" else (true_jaccard, 0.8)
            true = likeness(text_of[doc_id], text_of[survivor])
            assert found[survivor][0] == "kept"
            assert true >= least - 1e-3
            assert float(similarity) == pytest.approx(true, abs=1e-3)
            assert (reason == "duplicate") == (text_of[doc_id] == text_of[survivor])


@given(SEEDS, st.integers(1, 5), st.integers(1, 7))
@settings(deadline=None, max_examples=8)
def test_parts_buckets_and_the_order_of_the_work_change_nothing(seed, parts, buckets):
    rows = [document(number, text) for number, text in enumerate(corpus(seed))]
    chosen = random.Random(seed)

    def shuffled(jobs: list[Any]) -> list[Any]:
        return chosen.sample(jobs, len(jobs))

    assert fates_of(rows) == fates_of(rows[::-1], parts=parts, buckets=buckets, pool=Here(shuffled))


def test_a_cluster_is_told_on_the_document_that_stays():
    texts = family(random.Random(3), 4, 200, 1)
    rows = [document(number, text) for number, text in enumerate([*texts, texts[0]])]
    found = fates_of(rows)
    (kept,) = [told for told in found.values() if told[0] == "kept"]
    assert kept[1] == min(found)
    assert kept[2] == "5"
    survivors = {told[2] for told in found.values() if told[0] == "dropped"}
    (survivor,) = survivors
    assert list(kept[3:]) == sorted(row["url"] for row in rows if row["doc_id"] != survivor)


def test_a_chain_of_likenesses_joins_nobody_at_its_ends():
    """Each text shares 11 in 12 shingles with the next, and none with one that is far: of 40, some four stay."""
    words = [f"w{n}" for n in range(700)]
    texts = [" ".join(words[12 * at : 12 * at + 240]) for at in range(38)]
    rows = [document(number, text) for number, text in enumerate(texts)]
    found = fates_of(rows, **SURE)
    text_of = {row["doc_id"]: row["text"] for row in rows}
    for doc_id, told in found.items():
        if told[0] == "dropped":
            assert true_jaccard(text_of[doc_id], text_of[told[2]]) >= 0.8
    assert sum(told[0] == "kept" for told in found.values()) > 8


def test_documents_without_words_and_short_ones_have_their_fate():
    rows = [document(0, ""), document(1, " \n"), document(2, "one two"), document(3, "one  two"), document(4, "two")]
    found = fates_of(rows)
    assert [found[row["doc_id"]][0] for row in rows] == ["kept", "dropped", "kept", "dropped", "kept"]


def test_nothing_in_gives_nothing_out(tmp_path):
    run, commit = dedup(tmp_path, [], parts=1)
    assert fates(run, commit) == {}


# ---------------------------------------------------------------- contained


@given(SEEDS)
@settings(deadline=None, max_examples=10)
def test_excerpts_leave_for_what_holds_them(seed):
    """Of a few manuals some pages stand alone too, one with words of its own; a sketch of a page misses few of them."""
    chosen = random.Random(seed)
    manuals = [chosen.choices(WORDS, k=chosen.randint(900, 1500)) for _ in range(3)]
    texts = [" ".join(manual) for manual in manuals]
    excerpts = []
    for manual in manuals:
        begin = chosen.randrange(400)
        excerpts.append(" ".join(manual[begin : begin + chosen.randint(300, 450)]))
    mixed = " ".join([*manuals[0][:200], *chosen.choices(WORDS, k=200)])
    rows = [document(number, text) for number, text in enumerate([*texts, *excerpts, mixed])]
    found = fates_of(rows)
    for at in range(3):
        told = found[rows[3 + at]["doc_id"]]
        assert told == ("dropped", "contained", rows[at]["doc_id"], "1.0000")
        assert rows[3 + at]["url"] in found[rows[at]["doc_id"]]
        assert found[rows[at]["doc_id"]][2] == "1"  # an excerpt is no copy that a mixture should count
    assert found[rows[6]["doc_id"]][0] == "kept"
    assert all(told[0] == "kept" for told in fates_of(rows, contained=None).values())


def test_the_pages_of_a_manual_leave_for_its_single_page_and_take_their_copies_along():
    chosen = random.Random(8)
    pages = [" ".join(chosen.choices(WORDS, k=200)) for _ in range(30)]
    copy = pages[3] + " and more"
    texts = [*pages, copy, "\n\n".join([*pages, "and more"])]
    rows = [document(number, text) for number, text in enumerate(texts)]
    found = fates_of(rows)
    whole = rows[-1]["doc_id"]
    assert {told[0] for doc_id, told in found.items() if doc_id != whole} == {"dropped"}
    assert {told[2] for doc_id, told in found.items() if doc_id != whole} == {whole}
    assert len(found[whole][3:]) == 31


def test_who_left_for_an_excerpt_stays_with_it_unless_it_is_held_too():
    chosen = random.Random(9)
    manual = chosen.choices(WORDS, k=1000)
    excerpt = manual[:300]
    edited = [*excerpt[:270], *chosen.choices(WORDS, k=40)]  # like the excerpt, and a tenth of it its own
    rows = [document(number, " ".join(text)) for number, text in enumerate([manual, excerpt, edited])]
    assert true_jaccard(rows[1]["text"], rows[2]["text"]) > 0.75
    found = fates_of(rows, threshold=0.75, **SURE)
    assert [found[row["doc_id"]][0] for row in rows] == ["kept", "dropped", "kept"]
    assert found[rows[1]["doc_id"]][1:3] == ("near_duplicate", rows[2]["doc_id"])


def test_nobody_is_given_up_for_one_that_the_filter_drops_or_that_asks_for_more():
    chosen = random.Random(10)
    manual = chosen.choices(WORDS, k=1000)
    texts = [" ".join(manual), " ".join(manual[:300])]
    for worse in ({"licence": "GPL-3.0-only"}, {"opt_out": ["noai"]}):
        rows = [document(0, texts[0], **worse), document(1, texts[1])]
        assert {told[0] for told in fates_of(rows).values()} == {"kept"}
    rows = [document(number, text) for number, text in enumerate(texts)]
    limits = {rule.name: None for rule in load_rules()} | {"too_many_words": 900}
    assert {told[0] for told in fates_of(rows, rules={"limits": limits}).values()} == {"kept"}
    limits["too_many_words"] = None
    assert {told[0] for told in fates_of(rows, rules={"limits": limits}).values()} == {"kept", "dropped"}


# ---------------------------------------------------------------- versions


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("https://www.postgresql.org/docs/9.6/sql-select.html", "https://www.postgresql.org/docs/15/sql-select.html"),
        ("https://access.example/documentation/en-us/linux/8/html/install", "https://access.example/documentation/en-us/linux/9/html/install"),
        ("https://kubernetes.example/v1.29/docs/concepts", "https://kubernetes.example/v1.30/docs/concepts"),
        ("https://docs.example/en/2.9/x.html", "https://docs.example/en/2.10/x.html"),
        ("https://docs.example/en/3.2.x/x.html", "https://docs.example/en/dev/x.html"),
        ("https://docs.example/en/dev/x.html", "https://docs.example/en/stable/x.html"),
        ("suse/docs/15-SP4/html/deploy.html", "suse/docs/16/html/deploy.html"),
    ],
)  # fmt: skip
def test_versions_of_a_page_are_told_by_their_urls(older, newer):
    one, other = versioned(older), versioned(newer)
    assert one and other
    assert one.page == other.page
    assert one.version < other.version


@pytest.mark.parametrize(
    "url",
    [
        "https://blog.example/2024/05/12/release.html",
        "https://forge.example/project/issues/123/",
        "https://docs.example/project/issues/12/comments",
        "https://docs.example/man/3/printf.html",
        "https://docs.example/x.html",
        "https://docs.example/15.html",
        "https://forum.example/t/topic/15/2",
        "",
    ],
)
def test_other_numbers_are_no_versions(url):
    assert versioned(url) is None


@given(st.text("/.v0123456789abcdocs-:", max_size=40))
def test_any_url_has_a_page_or_none(url):
    found = versioned(url)
    assert found is None or ("*" in found.page and all(number >= 0 for number in found.version))


def test_of_the_versions_of_a_page_the_newest_stays_and_what_only_the_older_says_is_told():
    chosen = random.Random(12)
    page = chosen.choices(WORDS, k=400)
    newest = [*page[:300], *chosen.choices(WORDS, k=150)]
    other = chosen.choices(WORDS, k=400)
    texts = {"9.6": page, "13": [*page[:330], *newest[300:380]], "15": newest}
    rows = [
        document(number, " ".join(text), url=f"https://db.example/docs/{version}/select.html")
        for number, (version, text) in enumerate(texts.items())
    ]
    rows.append(document(3, " ".join(other), url="https://db.example/docs/8/select.html"))  # says something else
    rows.append(
        document(4, " ".join(page), url="https://db.example/docs/9.6/insert.html")
    )  # another page, the same text
    found = fates_of(rows, contained=None)
    told = [found[row["doc_id"]] for row in rows]
    assert [each[0] for each in told] == ["dropped", "dropped", "kept", "kept", "dropped"]
    assert told[0][1:3] == ("older_version", rows[2]["doc_id"])
    assert float(told[0][3]) == pytest.approx(contained(rows[0]["text"], rows[2]["text"]), abs=1e-3)
    assert told[4][1] in ("older_version", "duplicate")
    assert sorted(row["url"] for row in (rows[0], rows[1], rows[4])) == list(told[2][3:])
    assert told[2][2] == "1"
    assert [fates_of(rows, contained=None, versions=None)[row["doc_id"]][0] for row in rows].count("kept") >= 3


def test_a_copy_of_two_versions_stays_as_the_newest():
    text = " ".join(random.Random(13).choices(WORDS, k=100))
    rows = [
        document(at, text, url=f"https://db.example/docs/{version}/x.html") for at, version in enumerate((9, 15, 11))
    ]
    found = fates_of(rows)
    assert [found[row["doc_id"]][0] for row in rows] == ["dropped", "kept", "dropped"]


# ---------------------------------------------------------------- who stays


def facts(**columns: Any) -> Any:
    row = {
        "component": 1, "vertex": 1, "place": 1, "doc_id": "b", "url": "u", "licence": 1, "opted_out": False,
        "fails": False, "authority": 0, "version": None, "page": 0, "words": 100, "date": "2020-01-01", "quality": 0.5,
    }  # fmt: skip
    return FACTS, {**row, **columns}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"fails": False, "licence": 5}, {"fails": True, "licence": 0}),
        ({"licence": 0, "opted_out": True}, {"licence": 2}),
        ({"opted_out": False, "authority": -1}, {"opted_out": True}),
        ({"authority": 3, "version": None}, {"authority": 2, "version": "0000015"}),
        ({"version": "0000015", "words": 5}, {"version": "0000009.0000006"}),
        ({"version": "0000009", "words": 5}, {"version": None}),
        ({"words": 101, "date": None}, {"words": 100}),
        ({"date": "2021-01-01", "quality": 0.1}, {"date": "2020-12-31"}),
        ({"date": "2019-01-01", "quality": 0.1}, {"date": None}),
        ({"quality": 0.6, "doc_id": "c"}, {"quality": 0.5}),
        ({"doc_id": "a"}, {"doc_id": "b"}),
    ],
)
def test_the_first_merit_in_which_two_differ_decides(better, worse):
    schema, good = facts(url="good", **better)
    _, bad = facts(url="bad", **worse)
    for rows in ([good, bad], [bad, good]):
        assert best_first(pa.Table.from_pylist(rows, schema=schema))["url"].to_pylist() == ["good", "bad"]


def test_a_document_that_the_filter_drops_does_not_stand_for_one_that_it_keeps():
    """The one with the better licence has a word too many for the recipe."""
    words = random.Random(5).choices(WORDS, k=300)
    rows = [document(0, " ".join([*words, "more"]), licence="CC0-1.0"), document(1, " ".join(words))]
    limits = {rule.name: None for rule in load_rules()}
    for most, stays in ((300, 1), (None, 0)):
        found = fates_of(rows, rules={"limits": {**limits, "too_many_words": most}})
        assert [found[row["doc_id"]][0] for row in rows] == ["kept" if at == stays else "dropped" for at in range(2)]


def test_of_two_licences_the_one_that_asks_for_less_stays():
    text = family(random.Random(5), 1, 300, 0)[0]
    rows = [document(0, text, licence="GPL-2.0-only"), document(1, text, licence="CC0-1.0")]
    assert fates_of(rows)[rows[0]["doc_id"]] == ("dropped", "duplicate", rows[1]["doc_id"], "1.0000")


# ---------------------------------------------------------------- losses


def test_a_source_that_would_lose_most_stops_the_stage_until_the_recipe_says_that_it_may(tmp_path):
    text = family(random.Random(7), 1, 100, 0)[0]
    rows = [document(number, text, source="mirror") for number in range(30)]
    message = "source mirror would lose 29 of its 30 documents .* add it to dedup.confirmed"
    with pytest.raises(StageError, match=message):
        dedup(tmp_path / "run", rows)
    assert not (tmp_path / "run" / "dedup" / "_commit.json").exists()
    _, commit = dedup(tmp_path / "run", rows, confirmed=["mirror"])
    assert commit.counts.dropped == {"duplicate": 29}
    assert commit.counts.extra == {}


# ---------------------------------------------------------------- resumed


class Stops(Here):
    """Dies at its so-and-so-manieth job."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self.left, self.done = left, 0

    def map(self, function: Callable[[Any], Any], jobs: Any) -> Any:
        for index, made in super().map(function, jobs):
            self.done += not made.reused
            yield index, made
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt


@pytest.mark.parametrize("share", [0.01, 0.2, 0.4, 0.6, 0.8, 0.95])
def test_a_run_that_was_killed_goes_on_where_it_was(tmp_path, share):
    rows = [document(number, text) for number, text in enumerate(corpus(11))]
    whole = Stops(10**9)
    expected = dedup(tmp_path / "whole", rows, pool=whole)[1]
    first, second = Stops(1 + int(share * whole.done)), Stops(10**9)
    with pytest.raises(KeyboardInterrupt):
        dedup(tmp_path / "killed", rows, pool=first)
    commit = dedup(tmp_path / "killed", rows, pool=second)[1]
    assert [part.sha256 for part in commit.parts] == [part.sha256 for part in expected.parts]
    assert first.done + second.done == whole.done


def test_another_rule_of_the_filter_repeats_the_choice_alone(tmp_path):
    rows = [document(number, text) for number, text in enumerate(corpus(12))]
    dedup(tmp_path, rows)
    made = Stops(10**9)
    dedup(tmp_path, rows, pool=made, rules={"languages": ["de"]})
    assert 0 < made.done <= 2 + 3 + 2  # parts of facts, buckets of survivors, parts


# ---------------------------------------------------------------- kernels


def test_what_is_compiled_brings_no_other_package_with_it():
    """numba imports what other packages add to it, when it first compiles or loads something."""
    code = (
        "import sys, numpy as np; from filters.lsh import band_hashes\n"
        "band_hashes(np.zeros((2, 4), np.uint32), 2, 2); sys.exit('awkward' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)


def test_a_column_of_sets_is_read_only_whether_its_memory_is_or_not():
    """Else what it is given to is compiled a second time, in the middle of a run."""
    column = pa.chunked_array([pa.array([b"\1\0\0\0", b"\2\0\0\0\3\0\0\0"], pa.large_binary())])
    for each, expected in ((column, [1, 2, 3]), (column.take(pa.array([1, 0])), [2, 3, 1]), (column.slice(2), [])):
        sets = tables.sets_of(each)
        assert sets.hashes.tolist() == expected
        assert not sets.hashes.flags.writeable and not sets.offsets.flags.writeable


def sets_of(texts: list[str]) -> tuple[Sets, Any]:
    stream = stream_of(*texts)
    shingles = shingles_of(stream, 5)
    return shingle_sets(shingles), signatures(shingles, 108)


@given(SEEDS)
@settings(deadline=None, max_examples=30)
def test_similarity_is_that_of_the_sets_of_shingles(seed):
    texts = corpus(seed)[:6]
    sets, _ = sets_of(texts)
    for a, b in itertools.product(range(len(texts)), repeat=2):
        one, other = (sets.hashes[sets.offsets[at] : sets.offsets[at + 1]] for at in (a, b))
        assert jaccard(one, other) == pytest.approx(true_jaccard(texts[a], texts[b]), abs=1e-3)


def test_in_a_large_component_those_that_share_a_band_are_compared():
    """A hundred families of three: each is found, as it is where all are compared with all."""
    chosen = random.Random(9)
    texts = [text for _ in range(100) for text in family(chosen, 3, 150, 1)]
    sets, signed = sets_of(texts)
    whole = choose(sets, signed, np.array([0, len(texts)]), 0.8, 36, 3)
    by_family = choose(sets, signed, np.arange(0, len(texts) + 1, 3), 0.8, 36, 3)
    assert np.array_equal(whole.survivor, by_family.survivor)
    assert np.array_equal(whole.similarity, by_family.similarity)


def test_a_band_that_many_documents_share_without_being_alike_costs_little():
    signed = np.tile(np.arange(108, dtype=np.uint32), (5000, 1))
    hashes = np.arange(5000 * 10, dtype=np.uint32)
    sets = Sets(hashes, np.arange(0, 50_001, 10))
    found = choose(sets, signed, np.array([0, 5000]), 0.8, 18, 6)
    assert np.array_equal(found.survivor, np.arange(5000))


VERTICES = st.integers(0, 12).map(lambda n: n * 1_000_003)


@given(st.lists(st.tuples(VERTICES, VERTICES), max_size=25), st.integers(1, 5))
@settings(deadline=None)
def test_stars_end_at_the_smallest_of_each_component(pairs, buckets):
    """Rounds over buckets that see only the edges of their own vertices."""
    edges = {(max(pair), min(pair)) for pair in pairs if pair[0] != pair[1]}
    expected = {vertex: min(group) for group in components(edges) for vertex in group if vertex != min(group)}
    for _ in range(64):
        before = edges
        for step, both in ((large_star, True), (small_star, False)):
            found: set[tuple[int, int]] = set()
            sent = edges | {(b, a) for a, b in edges} if both else edges
            for bucket in range(buckets):
                here = [edge for edge in sent if edge[0] % buckets == bucket]
                columns = np.array(here, np.uint64).reshape(-1, 2)
                star = step(columns[:, 0].copy(), columns[:, 1].copy())
                found |= set(zip(star.larger.tolist(), star.smaller.tolist(), strict=True))
            edges = found
        if edges == before:
            break
    assert dict(edges) == expected
    assert len(edges) == len(expected)


NAMES = st.text("abcdef", min_size=1, max_size=2)


@given(st.lists(st.tuples(NAMES, NAMES), max_size=15), st.randoms(use_true_random=False))
def test_names_that_hang_together_have_the_smallest_of_them(pairs, chosen):
    found = connected(pairs)
    assert found == {name: min(group) for group in components(set(pairs)) for name in group}
    chosen.shuffle(pairs)
    assert connected(pairs) == found


def components(edges: set[tuple[Any, Any]]) -> list[set[Any]]:
    """By merging sets until nothing changes."""
    groups = [set(edge) for edge in edges]
    while merged := next(((a, b) for a, b in itertools.combinations(groups, 2) if a & b), None):
        groups = [group for group in groups if group is not merged[0] and group is not merged[1]]
        groups.append(merged[0] | merged[1])
    return groups


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20)), max_size=60))
def test_a_band_joins_its_vertices_by_one_edge_less_than_it_has(entries):
    bands, vertices = (np.array([entry[at] for entry in set(entries)], np.uint64) for at in (0, 1))
    larger, smaller = star_edges(bands, vertices)
    expected = set()
    for band in set(bands.tolist()):
        members = sorted(vertices[bands == band].tolist())
        expected |= {(member, members[0]) for member in members[1:]}
    assert list(zip(larger.tolist(), smaller.tolist(), strict=True)) == sorted(expected)


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=20))
def test_hashes_are_read_as_two_numbers(values):
    high, low = hash_numbers(pa.chunked_array([pa.array([each.hex() for each in values], pa.string())]))
    assert [(int(a) << 64) + int(b) for a, b in zip(high, low, strict=True)] == [
        int.from_bytes(each, "big") for each in values
    ]


def test_two_texts_whose_hashes_begin_alike_are_two(monkeypatch):
    rows = [(7, 1, 10), (7, 2, 11), (7, 2, 12), (10, 0, 13), (13, 5, 14)]
    names = ("high", "low", "place")
    table = pa.table({name: pa.array([row[at] for row in rows], pa.uint64()) for at, name in enumerate(names)})
    table = table.append_column("fresh", pa.array([True] * len(rows)))
    monkeypatch.setattr(exact, "read_bucket", lambda *_: table)
    texts = exact.read_texts([], 1, 3)
    assert texts.vertex.tolist() == [7, 16, 16, 10, 13]
    assert texts.moved.tolist() == [False, True, True, False, False]
    assert texts.first.tolist() == [True, True, False, True, True]
    assert texts.shared.tolist() == [False, True, True, False, False]


def test_on_ray_it_is_the_same(tmp_path, pool):
    rows = [document(number, text) for number, text in enumerate(corpus(21))]
    assert fates(*dedup(Path(tmp_path), rows, pool=pool)) == fates_of(rows)
