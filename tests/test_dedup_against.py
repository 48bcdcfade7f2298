"""A new snapshot compared with earlier runs: the corpus that follows, and what never changes."""

from __future__ import annotations

import hashlib
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import storage
from pipelines.engine import Commit, StageError, read_commit
from pipelines.parts import read_table
from pipelines.run import Run
from tests.dedup_runs import dedup, document, family, fates
from tests.test_dedup import SEEDS, Stops, corpus

Rows = list[dict[str, Any]]
Document = tuple[str, str]
WORDS = " ".join(f"word{n}" for n in range(200))


def snapshot(directory: Path, name: str, rows: Rows, against: Sequence[str] = (), **options: Any) -> tuple[Run, Commit]:
    return dedup(directory / name, rows, against=[str(directory / each) for each in against], **options)


def tables(run: Run, commit: Commit, prefix: str, folder: str = "") -> Rows:
    names = [
        name
        for part in commit.parts
        for name in (part.side if folder else [f"{part.name}.parquet"])
        if name.startswith(f"{folder}/{prefix}" if folder else prefix)
    ]
    return [row for name in names for row in read_table(storage.join(run.directory("dedup"), name)).to_pylist()]


def superseded(run: Run, commit: Commit) -> Rows:
    return tables(run, commit, "", "superseded")


def standing(made: Sequence[tuple[Run, Commit]]) -> set[Document]:
    """The corpus of snapshots, the oldest first: what each keeps, without what a later one supersedes."""
    found: set[Document] = set()
    for run, commit in made:
        for row in superseded(run, commit):
            found.remove((row["doc_id"], row["revision"]))
        for row in tables(run, commit, ""):
            key = (row["doc_id"], row["revision"])
            assert key not in found
            found.add(key)
    return found


def documents(seed: int) -> Rows:
    """Documents of which those with a larger number are as likely the better ones."""
    chosen = random.Random(seed)
    licences = ["MIT", "CC-BY-SA-4.0", "LicenseRef-unknown"]
    return [document(number, text, licence=chosen.choice(licences)) for number, text in enumerate(corpus(seed))]


# ---------------------------------------------------------------- as if all were done at once


@given(SEEDS, st.integers(1, 4), st.integers(1, 4))
@settings(deadline=None, max_examples=15)
def test_the_corpus_is_that_of_all_at_once(seed, parts, buckets):
    rows = documents(seed)
    chosen = random.Random(seed)
    dealt: list[Rows] = [[], [], []]
    for row in rows:
        dealt[chosen.choice([0, 0, 1, 2])].append(row)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (at_once,) = [snapshot(directory, "whole", rows, confirmed=["docs"])]
        names = ["first", "second", "third"]
        made = [
            snapshot(directory, each, dealt[at], names[:at], parts=parts, buckets=buckets, confirmed=["docs"])
            for at, each in enumerate(names)
        ]
        assert standing(made) == standing([at_once])


@given(SEEDS)
@settings(deadline=None, max_examples=10)
def test_pages_that_were_fetched_again_count_once(seed):
    """Of pages with another text the new one counts, as if the old one had never been; of others the old one stays."""
    chosen = random.Random(seed)
    rows = documents(seed)
    first = [row for row in rows if chosen.random() < 0.8]
    again = []
    for row in chosen.sample(first, len(first) // 2):
        text = chosen.choice([row["text"], chosen.choice(rows)["text"], f"{row['text']} and more"])
        again.append({**row, "text": text, "revision": hashlib.sha256(text.encode()).hexdigest()[:32]})
    again = [row if row["text"] != old["text"] else old for row, old in _with_old(again, first)]
    second = [*[row for row in rows if row not in first], *again]
    newest = {row["doc_id"]: row for row in [*first, *second]}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        at_once = snapshot(directory, "whole", list(newest.values()), confirmed=["docs"])
        made = [
            snapshot(directory, "first", first, confirmed=["docs"]),
            snapshot(directory, "second", second, ["first"], confirmed=["docs"]),
        ]
        assert standing(made) == standing([at_once])


def _with_old(again: Rows, first: Rows) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    old = {row["doc_id"]: row for row in first}
    return [(row, old[row["doc_id"]]) for row in again]


# ---------------------------------------------------------------- one by one


def test_a_better_document_supersedes_and_what_was_given_up_comes_back(tmp_path):
    """Of three in a chain the middle one stood for both; what beats it is like the first alone."""
    words = [f"w{n}" for n in range(600)]
    worse, middle, better = (" ".join(words[16 * at : 16 * at + 240]) for at in (2, 1, 0))
    first = [document(1, worse), document(2, f"{middle} extra")]
    old = snapshot(tmp_path, "first", first)
    assert [told[0] for told in fates(*old).values()].count("dropped") == 1
    (stayed,) = [doc_id for doc_id, told in fates(*old).items() if told[0] == "kept"]
    (gone,) = [row for row in first if row["doc_id"] != stayed]
    new = snapshot(tmp_path, "second", [document(3, f"{better} and much more", licence="CC0-1.0")], ["first"])
    (row,) = superseded(*new)
    assert (row["doc_id"], row["reason"]) == (stayed, "near_duplicate")
    assert row["failed"][0]["value"] == document(3, "")["doc_id"]
    (back,) = tables(*new, "restored-")
    assert back["doc_id"] == gone["doc_id"]
    assert new[1].extra["superseded"] == new[1].extra["restored"] == 1


def test_a_page_that_has_not_changed_stays_where_it_is_and_is_not_lost(tmp_path):
    rows = [document(number, f"{WORDS} about {number} " * 3) for number in range(30)]
    rows = [{**row, "text": " ".join(f"{word}{row['doc_id'][:6]}" for word in row["text"].split())} for row in rows]
    copies = [{**rows[at], "doc_id": document(100 + at, "")["doc_id"]} for at in range(10)]  # which are few
    snapshot(tmp_path, "first", [*rows, *copies])
    new = snapshot(tmp_path, "second", [*rows, *copies], ["first"])  # nothing is confirmed
    assert tables(*new, "part-") == superseded(*new) == tables(*new, "restored-") == []
    told = fates(*new)
    kept = [row["doc_id"] for row in rows[10:]]
    assert all(told[doc_id][:3] == ("dropped", "duplicate", doc_id) for doc_id in kept)


def test_of_a_page_with_another_text_the_new_one_stands(tmp_path):
    old, text = document(1, WORDS), WORDS.replace("word", "other")
    new = {**old, "text": text, "revision": "f" * 32}
    snapshot(tmp_path, "first", [old, document(2, f"{WORDS} and more")])
    made = snapshot(tmp_path, "second", [new], ["first"])
    assert [row["revision"] for row in tables(*made, "part-")] == ["f" * 32]
    was_kept = fates(*_again(tmp_path / "first"))[old["doc_id"]][0] == "kept"
    assert [row["reason"] for row in superseded(*made)] == ["newer_revision"] * was_kept


def _again(directory: Path) -> tuple[Run, Commit]:
    from pipelines.engine import read_run

    run = read_run(str(directory))
    commit = read_commit(run.directory("dedup"))
    assert commit is not None
    return run, commit


def test_earlier_runs_stay_as_they_are_and_what_hangs_together_with_nothing_new_is_not_read_again(tmp_path):
    chosen = random.Random(5)
    rows = [document(number, text) for number, text in enumerate(family(chosen, 6, 120, 1) + family(chosen, 6, 120, 1))]
    snapshot(tmp_path, "first", rows)
    before = {path: path.read_bytes() for path in sorted((tmp_path / "first").rglob("*")) if path.is_file()}
    run, commit = snapshot(tmp_path, "second", [document(99, rows[0]["text"] + " more words here")], ["first"])
    assert {path: path.read_bytes() for path in sorted((tmp_path / "first").rglob("*")) if path.is_file()} == before
    facts = storage.list_files(storage.join(run.directory("dedup"), "_facts"))
    assert sum(read_table(storage.join(run.directory("dedup"), "_facts", name)).num_rows for name in facts) == 7
    assert commit.counts.seen == 1


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_run_against_another_goes_on_where_it_was(tmp_path, share):
    rows = documents(31)
    for name in ("whole", "killed"):
        snapshot(tmp_path / name, "first", rows[::2], confirmed=["docs"])
    whole = Stops(10**9)
    options = {"against": ["first"], "confirmed": ["docs"]}
    expected = snapshot(tmp_path / "whole", "second", rows[1::2], pool=whole, **options)[1]
    with pytest.raises(KeyboardInterrupt):
        snapshot(tmp_path / "killed", "second", rows[1::2], pool=Stops(1 + int(share * whole.done)), **options)
    commit = snapshot(tmp_path / "killed", "second", rows[1::2], **options)[1]
    assert [part.sha256 for part in commit.parts] == [part.sha256 for part in expected.parts]


# ---------------------------------------------------------------- what cannot be compared


def test_what_cannot_be_compared_with_is_told_in_a_line(tmp_path):
    rows = [document(1, WORDS)]
    with pytest.raises(StageError, match=r"nowhere: is not a run"):
        snapshot(tmp_path, "new", rows, ["nowhere"])
    snapshot(tmp_path, "first", rows)
    snapshot(tmp_path, "second", [document(2, WORDS)], ["first"], confirmed=["docs"])
    with pytest.raises(StageError, match=r"second: was itself compared with another run, which is not named before it"):
        snapshot(tmp_path, "new", rows, ["second"])
    with pytest.raises(StageError, match=r"first: is named twice"):
        snapshot(tmp_path, "new", rows, ["first", "first"])
    (tmp_path / "first/dedup/_commit.json").unlink()
    with pytest.raises(StageError, match=r"first: its dedup is not committed"):
        snapshot(tmp_path, "new", rows, ["first"])
