"""The main job, end to end, on the small site farm: real HTTP, real WARC, real Ray, real Parquet."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest

from pipelines.extract.licences import needs_attribution
from pipelines.trace import place_of, trace
from tests import runs
from tests.runs import SMALL


@pytest.fixture
def run(small_run: Path) -> Path:
    return small_run


def test_every_input_of_every_stage_has_one_fate(run: Path) -> None:
    assert runs.unbalanced(run) == []


def test_the_funnel_and_the_places_are_printed_and_a_second_time_nothing_is_done(run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(run, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*.parquet")}
    printed = runs.make_run(SMALL, run)
    assert "nothing to do" in printed
    assert str(run / "dataset" / "shards") in printed
    assert str(run / "report.html") in printed
    assert "tokens dropped" in printed
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*.parquet")} == before


def test_each_page_is_fetched_once_and_none_that_robots_forbid(run: Path) -> None:
    asked = [f"{each['host']}{each['path']}" for each in runs.farm_requests(run)]
    assert len(asked) == len(set(asked))
    assert not [url for url in asked if "/private/" in url]
    dropped = runs.commits(run)["crawl"].counts.dropped
    assert dropped["robots_disallow"] >= 1


def test_decoding_the_shards_gives_every_document_back(run: Path) -> None:
    documents = runs.committed_documents(run)
    assert len(documents) >= 30
    assert runs.decoded_documents(run) == documents


def test_a_literal_special_token_is_text(run: Path) -> None:
    # decoded_documents refuses an end-of-document token inside a document.
    assert any(b"<|endoftext|>" in text for text in runs.decoded_documents(run).values())


def test_every_document_leads_to_its_record(run: Path) -> None:
    assert runs.untraceable(run) == []


def test_the_shards_open_with_datasets(run: Path, tmp_path: Path) -> None:
    files = [str(path) for path in sorted((run / "dataset" / "shards").rglob("*.parquet"))]
    loaded = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
    assert loaded.num_rows == sum(pq.read_metadata(path).num_rows for path in files)
    length = runs.commits(run)["tokenize"].settings["sequence_length"]
    assert all(len(row["input_ids"]) == length for row in loaded)


def test_xhtml_pages_are_extracted_as_any_other(run: Path) -> None:
    """No page of the host that serves application/xhtml+xml is lost without a word."""
    index = pq.read_table(run / "crawl" / "small_httpd.parquet").to_pylist()
    pages = {row["doc_id"] for row in index if row["content_type"] == "application/xhtml+xml" and row["status"] == 200}
    kept = _ids(run / "extract", "part-*.parquet")
    lost = _ids(run / "extract", "dropped/*.parquet") | _ids(run / "extract", "quarantine/*.parquet")
    assert len(pages) >= 3
    assert pages <= kept | lost
    assert len(pages & kept) >= 3


def _ids(directory: Path, pattern: str) -> set[str]:
    return {
        each for path in directory.glob(pattern) for each in pq.ParquetFile(path).read(["doc_id"])["doc_id"].to_pylist()
    }


def test_opted_out_pages_and_duplicates_are_drops_with_their_reason(run: Path) -> None:
    found = runs.commits(run)
    assert found["extract"].counts.dropped["opt_out"] == 1
    assert found["dedup"].counts.dropped["duplicate"] >= 1
    assert found["dedup"].counts.dropped["near_duplicate"] >= 1
    assert found["filter"].counts.dropped["too_few_words"] >= 1


def test_a_drop_never_holds_text(run: Path) -> None:
    for path in run.rglob("dropped/*.parquet"):
        assert "text" not in pq.read_schema(path).names


def test_secrets_and_mailboxes_leave_and_placeholders_stay(run: Path) -> None:
    """The farm's page about keys holds a well-formed secret beside a documentation placeholder."""
    text = b"\n".join(runs.committed_documents(run).values())
    assert re.search(rb"AKIA[X0]{16}", text)
    assert b"user1@example.com" in text
    assert b"AKIAIOSFODNN7EXAMPLE" in text


def test_synth_commits_zero_rows_and_says_why(run: Path) -> None:
    commit = runs.commits(run)["synth"]
    assert commit.counts.rows == 0
    assert "asks for no kinds" in commit.extra["note"]


def test_the_report_is_one_page_without_network(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert "<script" not in page
    assert "src=" not in page
    for word in ("Funnel", "near_duplicate", "too_few_words", "open_source_documentation", "vocabulary"):
        assert word in page


# ---------------------------------------------------------------- determinism, resume


def test_one_worker_makes_the_same_shards(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "crawl", tmp_path / "one" / "crawl")
    runs.make_run(SMALL, tmp_path / "one", workers=1)
    assert runs.shard_hashes(tmp_path / "one") == runs.shard_hashes(run)


@pytest.mark.usefixtures("on_head")
def test_other_warc_files_make_the_same_shards(run: Path, tmp_path: Path) -> None:
    runs.resplit(run, tmp_path / "split", seed=7)
    runs.make_run(SMALL, tmp_path / "split")
    assert runs.shard_hashes(tmp_path / "split") == runs.shard_hashes(run)


@pytest.mark.usefixtures("on_head")
def test_a_new_crawl_makes_the_same_shards_and_parts_after_extract_keep_their_content(
    run: Path, tmp_path: Path
) -> None:
    """Fetch times and places decide nothing: they are beside the documents, not in them."""
    runs.make_run(SMALL, tmp_path / "again")
    assert runs.shard_hashes(tmp_path / "again") == runs.shard_hashes(run)
    for stage in ("extract", "classify", "dedup", "filter", "tokenize"):
        contents = [[part.content for part in runs.commits(each)[stage].parts] for each in (run, tmp_path / "again")]
        assert contents[0] == contents[1], stage


def test_every_document_whose_licence_asks_for_it_is_attributed(run: Path) -> None:
    files = list((run / "dataset" / "attribution").glob("*.parquet"))
    attributed = {row["doc_id"]: row for path in files for row in pq.read_table(path).to_pylist()}
    lineage = [
        row for path in (run / "dataset" / "lineage").glob("*.parquet") for row in pq.read_table(path).to_pylist()
    ]
    assert lineage
    assert set(attributed) == {row["doc_id"] for row in lineage if needs_attribution(row["licence"])}
    told = (run / "dataset" / "ATTRIBUTION.txt").read_text()
    for row in attributed.values():
        assert row["url"] and row["licence"] and f"documents under {row['licence']}" in told


def test_kill_9_at_random_moments_loses_nothing_and_refetches_nothing(run: Path, tmp_path: Path) -> None:
    seen = runs.kill_and_resume(SMALL, tmp_path / "killed", kills=6, seed=11, longest_s=6.0)
    assert seen.kills >= 3
    assert runs.shard_hashes(tmp_path / "killed") == runs.shard_hashes(run)
    assert seen.refetched == []
    assert runs.unbalanced(tmp_path / "killed") == []


def test_what_if_wants_scores_of_this_version(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    commit = tmp_path / "run" / "classify" / "_commit.json"
    commit.write_text(json.dumps(json.loads(commit.read_text()) | {"version": 1}))
    asked = runs.syscorpus("filter", "--what-if", "--recipe", SMALL, "--run", tmp_path / "run")
    assert asked.returncode == 1
    assert "has the scores of another version; make the run again" in asked.stderr
    assert "KeyError" not in asked.stderr


@pytest.mark.usefixtures("on_head")
def test_a_changed_threshold_keeps_scores_and_clusters(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    recipe = tmp_path / "recipe.yaml"
    text = SMALL.read_text().replace("../farm/", f"{SMALL.parent.parent / 'farm'}/")
    recipe.write_text(text + "filter:\n  limits: {too_few_words: 90}\n")
    before = {path: path.stat().st_mtime_ns for path in _made_once(tmp_path / "run")}
    asked = runs.syscorpus("filter", "--what-if", "--recipe", recipe, "--run", tmp_path / "run")
    assert asked.returncode == 0, asked.stderr
    everything = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.parquet")}
    assert everything == {path: (run / path.relative_to(tmp_path / "run")).stat().st_mtime_ns for path in everything}
    printed = runs.make_run(recipe, tmp_path / "run")
    assert {path: path.stat().st_mtime_ns for path in _made_once(tmp_path / "run")} == before
    assert "classify" in printed
    changed = runs.commits(tmp_path / "run")["filter"].counts.dropped["too_few_words"]
    today = runs.commits(run)["filter"].counts.dropped["too_few_words"]
    (told,) = [line.split() for line in asked.stdout.splitlines() if line.startswith("too_few_words")]
    assert told == ["too_few_words", str(today), str(changed)]
    assert "would be kept: 0" in asked.stdout
    then, now = (sum(runs.commits(each)["filter"].counts.dropped.values()) for each in (tmp_path / "run", run))
    assert f"would be dropped: {then - now}" in asked.stdout
    assert (tmp_path / "run" / "what-if.html").read_text().count("<h3>") == min(10, then - now)
    assert changed > runs.commits(run)["filter"].counts.dropped["too_few_words"]


def _made_once(run: Path) -> list[Path]:
    patterns = ("extract/*.parquet", "classify/*.parquet", "dedup/_bands/*", "dedup/_members/*", "dedup/_shingles/*")
    return [path for pattern in patterns for path in run.glob(pattern)]


def test_every_shard_is_traced_to_what_each_stage_decided(run: Path) -> None:
    """From the export, and from where tokenize has the same shard; the text is what was packed."""
    documents = runs.committed_documents(run)
    for path in sorted((run / "dataset" / "shards").rglob("*.parquet")):
        found = trace(place_of(f"{path}:0"), None, True)
        packed = trace(place_of(f"{run / 'tokenize' / path.relative_to(run / 'dataset')}:0"), None, True)
        assert packed["segments"] == found["segments"]
        for segment in found["segments"]:
            document = segment["document"]
            start, end = segment["bytes"]
            text = documents[document["doc_id"], document["revision"]][start:end]
            assert segment["text"] == text.decode(errors="replace")
            assert [record["digest"] for record in segment["records"]]
            assert set(segment["stages"]) == {"extract", "classify", "dedup", "filter", "tokenize"}
            assert all(segment["stages"].values())
            assert segment["stages"]["filter"]["passed"]
            assert {"rule": "too_many_words", "limit": "at most 1,000,000"}.items() <= (
                segment["stages"]["filter"]["rules"][0].items()
            )
    done = runs.syscorpus("trace", f"{path}:0:5", "--text")
    assert done.returncode == 0, done.stderr
    assert "passed" in done.stdout
