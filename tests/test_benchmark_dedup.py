"""The benchmark's own judge: made copies are those that it says, and brute force is what it says."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.dedup import incremental, made, real
from benchmarks.dedup.stages import dropped, prepare, run_dedup
from tests.dedup_runs import Here, document, family
from tests.dedup_runs import jaccard as true_jaccard


def test_the_copies_that_are_made_are_found_and_no_others(tmp_path):
    tables = list(made.parts(np.arange(600), 3))
    texts = pa.concat_tables(tables).sort_by("url")
    numbers = [int(url.rpartition("/")[2]) for url in texts["url"].to_pylist()]
    assert sorted(numbers) == list(range(600))
    prepared = prepare(tmp_path, tables)
    commit, _ = run_dedup(prepared, Here())
    drops = dropped(prepared.run, commit)
    assert len(drops) == made.duplicates(600) > 20
    family_of = dict(zip(texts["doc_id"].to_pylist(), (number // made.FAMILY for number in numbers), strict=True))
    assert all(family_of[each["doc_id"]] == family_of[each["survivor"]] for each in drops)
    assert all(each["similarity"] > 0.85 for each in drops)


def test_what_is_new_against_what_was_there_is_measured_beside_all_at_once(tmp_path):
    found = incremental.measure(600, tmp_path, Here(), lambda line: None)
    assert found["kept_apart"] == found["kept_at_once"] == 600 - made.duplicates(600)
    assert found["differing"] == 0
    assert found["new"] == 60


def test_a_document_is_made_the_same_in_any_part():
    whole = {row["doc_id"]: row["text"] for row in pa.concat_tables(made.parts(np.arange(60), 1)).to_pylist()}
    assert whole == {row["doc_id"]: row["text"] for row in pa.concat_tables(made.parts(np.arange(60), 4)).to_pylist()}
    assert len(whole) == 60


@pytest.mark.parametrize("seed", [1, 2])
def test_brute_force_knows_every_pair(seed):
    chosen = random.Random(seed)
    texts = [text for _ in range(40) for text in family(chosen, 8, 60, 2)]
    table = pa.table({"text": pa.array(texts, pa.large_string())})
    pairs = real.brute_force(table, 5)
    found = dict(
        zip(zip(pairs.one.tolist(), pairs.other.tolist(), strict=True), pairs.similarity.tolist(), strict=True)
    )
    for a, b in itertools.combinations(range(len(texts)), 2):
        similarity = true_jaccard(texts[a], texts[b])
        if similarity >= real.UNLIKE:
            assert found.pop((a, b)) == pytest.approx(similarity, abs=1e-3)
    assert not found


def test_what_is_removed_is_judged_by_the_pairs_of_brute_force(tmp_path, monkeypatch):
    texts = family(random.Random(4), 6, 200, 2)
    rows = [document(number, text) for number, text in enumerate(texts)]
    table = real.score(real.documents(sorted(rows, key=lambda row: row["doc_id"])), real.ClassifySettings())
    found = real.measure(table, tmp_path, Here(), lambda line: None)
    assert found["missed"] == 0
    assert found["removed_below"] == 0
    assert found["removed"] == found["sources"]["docs"]["lost"] > 0
    monkeypatch.setattr(
        real,
        "dropped",
        lambda *_: [{"doc_id": rows[0]["doc_id"], "survivor": rows[0]["doc_id"], "reason": "duplicate"}],
    )
    other = real.measure(table, tmp_path / "other", Here(), lambda line: None)
    assert other["missed"] > 0
    assert other["removed_below"] == 1
    assert np.isclose(other["smallest_similarity"], 0.0)
