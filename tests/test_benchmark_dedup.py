"""The benchmark's own judge: made copies are those that it says, brute force is what it says, and so are the peers."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.dedup import boilerplate, incremental, made, peers, real, speed
from benchmarks.dedup.stages import dropped, prepare, run_dedup
from tests.dedup_runs import Here, document, family
from tests.dedup_runs import jaccard as true_jaccard
from tests.test_boilerplate import NOTICE, page


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


def test_what_the_filter_cuts_of_a_source_is_measured(tmp_path):
    rows = [page(number, notice=number % 2 == 0) for number in range(60)]
    table = real.documents(sorted(rows, key=lambda row: row["doc_id"]))
    found = boilerplate.measure(table, tmp_path, Here(), lambda line: None)
    (of_source,) = found["sources"].values()
    assert (of_source["pages"], of_source["cut_pages"], of_source["lines"]) == (60, 30, [NOTICE])
    whole = sum(len(row["text"].encode()) for row in rows)
    assert of_source["cut_share"] == pytest.approx(30 * len(NOTICE.encode()) / whole, abs=1e-9)


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
    pairs = real.brute_force(table, 5)
    found = real.measure(table, pairs, tmp_path, Here())
    assert found["missed"] == 0
    assert found["removed_below"] == 0
    assert found["removed"] == found["sources"]["docs"]["lost"] > 0
    monkeypatch.setattr(
        real,
        "dropped",
        lambda *_: [{"doc_id": rows[0]["doc_id"], "survivor": rows[0]["doc_id"], "reason": "duplicate"}],
    )
    other = real.measure(table, pairs, tmp_path / "other", Here())
    assert other["missed"] > 0
    assert other["removed_below"] == 1
    assert np.isclose(other["smallest_similarity"], 0.0)


def test_a_pair_is_missed_if_both_stay_and_a_removal_is_unlike_if_nothing_like_it_stays():
    pairs = real.Pairs(*(np.array(each) for each in ([0, 1, 2], [1, 2, 3], [0.9, 0.7, 0.8], [], [], [], [9] * 5)))
    everything = np.ones(5, np.bool_)
    assert real.judged(pairs, everything, everything) == (2, 2, 0)
    assert real.judged(pairs, everything, np.array([1, 0, 1, 0, 1], np.bool_)) == (2, 0, 0)
    assert real.judged(pairs, everything, np.array([1, 1, 0, 0, 0], np.bool_)) == (2, 1, 2)  # 3 is like 2, which left
    assert real.judged(pairs, np.array([1, 1, 0, 0, 0], np.bool_), np.array([1, 0, 0, 0, 0], np.bool_)) == (1, 0, 0)


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: peer.name)
def test_a_peer_keeps_one_of_each_family(peer, tmp_path):
    if not peer.installed():
        pytest.skip("not installed")
    chosen = random.Random(5)
    letters = str.maketrans("0123456789", "abcdefghij")  # to datatrove all numbers are the same
    families = [[family(chosen, 1, 200, 0)[0].translate(letters)] * 2 for _ in range(6)]
    kept = peer.run([text for texts in zip(*families, strict=True) for text in texts], tmp_path, 2).kept
    assert sorted(number % 6 for number in kept) == list(range(6))


def test_a_peer_that_is_not_installed_is_skipped_in_one_line(tmp_path, monkeypatch):
    texts = family(random.Random(4), 6, 200, 2)
    rows = [document(number, text) for number, text in enumerate(texts)]
    table = real.score(real.documents(rows), real.ClassifySettings())
    absent = peers.Peer("absent's index", "no_such_module", "absent", peers.datasketch)
    monkeypatch.setattr(peers, "PEERS", (absent,))
    lines = []
    found = speed.measure(table, real.brute_force(table, 5), tmp_path, Here(), lines.append)
    assert list(found["ways"]) == [speed.NEAR, speed.WHOLE]
    assert "skipped absent's index: not installed: pip install absent" in lines
    assert found["ways"][speed.NEAR].quality.missed == 0
