"""The model of pages that are no documents: it judges as it was trained, tells unlisted wordings, and leaves documents."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.filter import software_junk, train_pages
from benchmarks.filter.made_pages import HANDS, WORDINGS, make_documents, make_page, read_wordings
from filters.junk.model import KINDS, MODEL, SCORES, network, page_scores, probabilities, read_network
from filters.junk.tokens import FEWEST, IDENTIFIER, INLINE, MOST, NUMBER, read_pages
from filters.stream import hash_words, read_stream
from manifests.load import load_rules

WORDS = ["page", "cookie", "server", "password", "result", "domain", "kernel", "scheduler", "disk", "moved"]
PAGES = [
    "# Page moved\n\nThe server moved the page, see `move(1)`. 3 results\n",
    "- kernel scheduler\n- disk_map\n\nパスワード。\n",
    "The kernel keeps a page on disk until the scheduler wakes.\n",
]

# Nothing of these stands in `junk.yaml` or `junk_pages.yaml`.
FAR = {
    "error_page": "We combed our shelves for that web page and regret that it cannot be supplied. Kindly verify the "
    "address, or return to the entrance of our site.\n",
    "login_wall": "# Account holders\n\nEnter your user identification and password in order to view this article. "
    "Unregistered? Request an account today.\n",
    "cookie_wall": "Our pages would like to save cookies in your browser for advertising and audience analysis. "
    "Permit all / Permit necessary / Read our privacy declaration\n",
    "captcha": "Our systems suspect an automated visitor. Please mark the pictures with motorcycles to demonstrate that "
    "a human is using this browser.\n",
}
DOCUMENTS = [
    "# passwd(1)\n\nChanges the password of a user. The superuser may change the password of any account.\n",
    "# Cookies\n\nThe module sets a cookie for each session. Its lifetime is given by `session.lifetime` in seconds.\n",
    "# 404\n\nThe handler returns 404 if no route matches the path, and 405 if the method is not allowed.\n",
    "# Redirects\n\nThe directive sends the client to another URL with status 301 unless `temporary` is given.\n",
    "# Text queries\n\nThe analyzer splits a query into terms. Each shard scores its matches, and the node merges what they return.\n",
]


def stream_of(*texts: str):
    return read_stream(pa.array(texts, pa.large_string()))


def scores_of(*texts: str) -> list[dict[str, float]]:
    columns = page_scores(stream_of(*texts))
    return [{name: float(columns[name][at]) for name in SCORES} for at in range(len(texts))]


@pytest.mark.parametrize("kind", FAR)
def test_wordings_that_nobody_listed_are_told(kind):
    (row,) = scores_of(FAR[kind])
    assert max(row, key=row.__getitem__) == f"like_{kind}"
    assert row[f"like_{kind}"] > 0.3


@pytest.mark.parametrize("text", DOCUMENTS)
def test_documents_on_the_same_things_are_left(text):
    assert max(scores_of(text)[0].values()) < 0.3


def test_long_pages_and_code_are_not_judged():
    wall = FAR["login_wall"]
    code = "```sh\n" + "sudo login --user me --password you\n" * 20 + "```\n\nSign in to continue.\n"
    assert not any(max(row.values()) for row in scores_of(wall * (MOST // 10), code, "Sign in", ""))
    assert len(["Sign", "in", "now"]) == FEWEST


def test_only_the_likeliest_kind_has_a_score():
    assert all(sum(value > 0 for value in row.values()) <= 1 for row in scores_of(*FAR.values(), *DOCUMENTS))


@given(st.lists(st.text(alphabet="ab `_1あ。\n#-|é", max_size=60), min_size=1, max_size=4))
def test_any_text_has_finite_scores_that_no_neighbour_changes(texts):
    together = scores_of(*texts)
    assert together == [scores_of(text)[0] for text in texts]
    assert all(0 <= value <= 1 for row in together for value in row.values())


def test_tokens_of_a_page():
    pages = read_pages(stream_of("Page `two words` 12 a_b\n\nパスワ\n"))
    page, first, second = hash_words("page")[0], *pages.words[-2:]
    assert list(pages.words[:-2]) == [page, INLINE, NUMBER, IDENTIFIER]
    assert first != second
    assert list(pages.beginnings) == [0] * 6
    assert pages.looks[0, 1] == pytest.approx(np.log1p(2) / 3)


def test_the_kernel_answers_as_the_trainer_does(tmp_path):
    chosen = np.random.default_rng(2)
    vectors = tmp_path / "vectors.npz"
    np.savez(vectors, words=np.array(WORDS), vectors=chosen.normal(size=(len(WORDS), 8)))
    read = train_pages.read_vectors(vectors)
    features, rows, keys = train_pages.read_features(PAGES * 2, read, None)
    labels = np.array([at % (len(KINDS) + 1) for at in range(len(rows))])
    trained = train_pages.train(features, labels, np.ones(len(rows), np.float32), 8)
    train_pages.save(tmp_path / "m.npz", trained, keys, read)
    told = np.abs(trained.rows).max(axis=1, keepdims=True) >= 0.3
    expected = train_pages.answers(trained._replace(rows=trained.rows * told), features)
    found = probabilities(read_pages(stream_of(*PAGES * 2)), read_network(tmp_path / "m.npz"))
    assert found == pytest.approx(expected, abs=2e-3)


def test_a_file_that_is_no_such_model_is_refused(tmp_path):
    tables = {
        name: np.zeros((2, 2)) for name in ("vectors", "inputs", "outputs", "rows", "word_keys", "row_keys", "scale")
    }
    np.savez(tmp_path / "m.npz", kinds=np.array(["other"]), **tables)
    with pytest.raises(ValueError, match=r"m\.npz: no model of the pages"):
        read_network(tmp_path / "m.npz")


def test_the_card_is_of_the_model_and_of_the_wordings():
    card = yaml.safe_load(MODEL.with_suffix(".card.yaml").read_text())
    assert card["sha256"] == hashlib.sha256(MODEL.read_bytes()).hexdigest()
    assert card["wordings"] == hashlib.sha256(WORDINGS.read_bytes()).hexdigest()
    assert len(network().rows) == len(network().tokens.keys)


def test_every_kind_has_a_rule_and_wordings_of_every_hand():
    assert set(SCORES) <= {rule.column for rule in load_rules()}
    for hand in range(HANDS):
        assert tuple(sorted(read_wordings([hand]))) == tuple(sorted(KINDS))


@pytest.mark.parametrize("kind", KINDS)
def test_made_pages_are_the_same_each_time_and_have_no_slots_left(kind):
    wordings, topics = read_wordings(range(HANDS))[kind], ["NUMA nodes", "Timers"]
    pages = [make_page(kind, wordings, topics, random.Random(seed)) for seed in range(40)]
    assert pages == [make_page(kind, wordings, topics, random.Random(seed)) for seed in range(40)]
    assert not any("{" in page for page in pages)
    assert len(set(pages)) > 35


def test_made_documents_are_of_the_listed_sentences():
    listed = yaml.safe_load(WORDINGS.read_text())["documents"]
    made = make_documents(30, ["Timers"], random.Random(1))
    assert made == make_documents(30, ["Timers"], random.Random(1))
    assert all(any(sentence in text for sentence in listed) for text in made)


def test_no_page_of_the_third_set_is_a_wording():
    known = WORDINGS.read_text()
    items = list(software_junk.items())
    assert {item.kind for item in items} == set(KINDS)
    assert not any(item.body.strip() in known for item in items)
