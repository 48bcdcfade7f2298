"""Documents are taken out of a whole run, its export and a copy of that in a bucket; nothing of them is left or comes back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from crawlers.urls import doc_id
from pipelines import storage
from pipelines.engine import read_run
from pipelines.takedown import versions
from pipelines.takedown.proof import Scan, collect
from pipelines.upload_s3 import s3_client
from tests import runs
from tests.takedown_run import copied, environment, files_of, quoting, record, rows_of, takedown, write_recipe
from tests.teacher_server import TeacherServer

DOMAIN = "storage.localhost"
COPY, SURVIVOR = "http://blog.localhost/print/conntrack.html", "http://blog.localhost/2024/conntrack.html"
#: A page in English whose text no other page has.
PAGE = "http://manuals.localhost/"


@pytest.fixture(scope="module", autouse=True)
def on_the_head(head: dict[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", head["driver"])
        yield


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    teacher = TeacherServer(quoting)
    yield write_recipe(tmp_path_factory.mktemp("recipe"), teacher)
    teacher.close()


@pytest.fixture(scope="module")
def run(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run as it is made; no test changes it."""
    directory = tmp_path_factory.mktemp("runs") / "whole"
    runs.make_run(recipe, directory)
    return directory


@pytest.fixture(scope="module")
def cleaned(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run without the pages of a domain; no test changes it."""
    target = copied(run, tmp_path_factory.mktemp("runs") / "cleaned")
    printed = takedown(target, "--domain", DOMAIN, "--yes")
    assert "proof: 0 of" in printed
    return target


def _ids(directory: Path) -> set[str]:
    """The documents that went."""
    return {each["doc_id"] for each in record(directory)["documents"]}


# ---------------------------------------------------------------- the plan


def test_the_plan_is_shown_and_nothing_is_changed(run: Path, tmp_path: Path) -> None:
    target = copied(run, tmp_path / "run")
    before = files_of(target)
    printed = takedown(target, "--domain", DOMAIN)
    assert "nothing was changed; --yes does it" in printed
    assert "15 named" in printed
    assert "rewrite of" in printed
    assert takedown(target, "--domain", DOMAIN, "--plan") == printed
    assert files_of(target) == before


def test_the_same_text_from_other_urls_is_for_a_person_to_decide(run: Path, tmp_path: Path) -> None:
    printed = takedown(run, "--url", COPY)
    assert "1 documents go: 1 named" in printed
    assert f"stands for it: {doc_id(SURVIVOR)} {SURVIVOR} (small_blog, CC-BY-4.0, similarity 1.0000)" in printed
    other = takedown(run, "--url", SURVIVOR)
    assert f"was given up for it: {doc_id(COPY)} {COPY}" in other
    target = copied(run, tmp_path / "run")
    both = takedown(target, "--url", COPY, "--copies-too", "--yes")
    assert f"copy of {doc_id(COPY)}" in both
    assert {doc_id(COPY), doc_id(SURVIVOR)} <= _ids(target)
    remembered = [json.loads(line) for line in (target / "takedown.jsonl").read_text().splitlines()]
    assert [each.get("url") or each["doc_id"] for each in remembered] == [COPY, doc_id(SURVIVOR)]


def test_what_cannot_be_is_one_clear_line(run: Path, tmp_path: Path) -> None:
    assert "give one of --url" in takedown(run, code=1)
    assert "no http URL" in takedown(run, "--url", "nothing", code=1)
    rewrite = rows_of(run, "synth/part-*.parquet", ["doc_id", "parents"])[0]
    refused = takedown(run, "--doc-id", rewrite["doc_id"], code=1)
    assert f"{rewrite['doc_id']} is a rewrite; take down {rewrite['parents'][0]}, its parent" in refused
    assert "is not a run" in takedown(tmp_path, "--url", PAGE, code=1)
    assert "holds no export" in takedown(run, "--url", PAGE, "--bucket", str(tmp_path), code=1)


# ---------------------------------------------------------------- removal


def test_the_documents_are_gone_and_the_others_are_as_they_were(run: Path, cleaned: Path) -> None:
    gone = _ids(cleaned)
    assert len(gone) >= 20
    assert {each["why"] for each in record(cleaned)["documents"]} == {"named", "rewrite"}
    for path in cleaned.rglob("*.parquet"):
        schema = pq.read_schema(path)
        if "doc_id" in schema.names and not path.is_relative_to(cleaned / "crawl"):
            held = set(pq.ParquetFile(path).read(["doc_id"])["doc_id"].to_pylist())
            assert not held & gone, path
    assert not [each for each in runs.records_of(cleaned / "crawl") if DOMAIN in each.url and "robots" not in each.url]
    assert len(list(runs.records_of(cleaned / "crawl" / "small_blog"))) == len(
        list(runs.records_of(run / "crawl" / "small_blog"))
    )
    kept = {identity: text for identity, text in runs.committed_documents(run).items() if identity[0] not in gone}
    assert runs.committed_documents(cleaned) == kept
    assert runs.decoded_documents(cleaned) == kept
    assert runs.unbalanced(cleaned) == []
    # Rewrites have no records of their own.
    assert set(runs.untraceable(cleaned)) - set(runs.untraceable(run)) <= {"(None, None): no lineage"}


def test_only_files_that_held_them_are_written_again(run: Path, cleaned: Path) -> None:
    before, after = files_of(run), files_of(cleaned)
    told = {
        str(Path(place, name).relative_to(cleaned))
        for place, files in record(cleaned)["files"].items()
        for name in files
    }
    changed = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    commits = {str(path.relative_to(cleaned)) for path in cleaned.rglob("_commit.json")}
    assert changed <= told | commits | {
        ".lease",
        *(f"crawl/small_storage/frontier.sqlite-{end}" for end in ("shm", "wal")),
    }
    assert {name for name in before.keys() - after.keys() if not name.startswith("dedup/_")} <= told
    for place, files in record(cleaned)["files"].items():
        for name, (old, new) in files.items():
            path = Path(place, name)
            if old and new:
                assert before[str(path.relative_to(cleaned))][0] == old
                assert storage.sha256(str(path)) == new
            elif old:
                assert not path.exists()
    shards = [name for name in before if name.startswith("dataset/shards/")]
    assert 0 < len([name for name in shards if name in changed]) < len(shards)
    lengths = {path.name: path.stat().st_size for path in (run / "dataset" / "megatron").rglob("*.bin")}
    assert lengths == {path.name: path.stat().st_size for path in (cleaned / "dataset" / "megatron").rglob("*.bin")}


def test_manifests_are_a_new_generation_that_names_the_old_one(run: Path, cleaned: Path) -> None:
    for stage, commit in runs.commits(cleaned).items():
        directory = Path("dataset" if stage == "export" else stage)
        old = storage.sha256(str(run / directory / "_commit.json"))
        told = commit.extra["generation"]
        assert told == {"number": 2, "supersedes": old, "takedown": record_name(cleaned)}, stage
        for part in commit.parts:
            assert storage.sha256(str(cleaned / directory / f"{part.name}.parquet")) == part.sha256
            for name, digest in part.side.items():
                assert storage.sha256(str(cleaned / directory / name)) == digest
    for name, each in runs.commits(cleaned)["export"].extra["files"].items():
        path = cleaned / "dataset" / name
        assert (storage.sha256(str(path)), path.stat().st_size) == (each["sha256"], each["bytes"])


def record_name(directory: Path) -> str:
    (path,) = (directory / "takedowns").glob("*.json")
    return path.stem


def test_the_record_holds_no_text(cleaned: Path, run: Path) -> None:
    told = (cleaned / "takedowns" / f"{record_name(cleaned)}.json").read_text()
    said = record(cleaned)
    assert (said["who"], said["why"]) == ("A. Reader", "asked by mail")
    assert said["proof"]["left"] == 0 < said["proof"]["grams"]
    assert said["subjects"] == [["domain", DOMAIN]]
    texts = [text.decode() for (each, _), text in runs.committed_documents(run).items() if each in _ids(cleaned)]
    assert texts
    assert not [line for text in texts for line in text.splitlines() if len(line) > 60 and line in told]


def test_the_proof_would_have_found_them_in_every_store(run: Path, cleaned: Path) -> None:
    """The same scan over the run as it was before."""
    before = read_run(str(run))
    scan = Scan(read_run(str(cleaned)), collect(before, pa.array(sorted(_ids(cleaned)))))
    scan.place(str(run))
    assert scan.proof.left
    found = [str(Path(place).relative_to(run)) for place in scan.proof.found]
    stores = ("crawl/small_storage/", "extract/_records/", "extract/part", "classify/part", "dedup/part", "filter/part", "synth/part",
              "synth/_plan/", "synth/_answered/", "synth/_judged/", "tokenize/shards/", "dataset/shards/", "dataset/megatron/", "dataset/mds/", "dataset/text/")  # fmt: skip
    assert [store for store in stores if not any(name.startswith(store) for name in found)] == []
    again = Scan(read_run(str(cleaned)), collect(before, pa.array(sorted(_ids(cleaned)))))
    again.run()
    assert again.proof.found == {}


def test_a_later_run_finds_every_stage_current(recipe: Path, cleaned: Path, tmp_path: Path) -> None:
    target = copied(cleaned, tmp_path / "run")
    before = files_of(target)
    assert "nothing to do" in runs.make_run(recipe, target)
    after = files_of(target)
    assert {name for name in before if before[name] != after.get(name)} <= {"run.json", ".lease"}


def test_a_run_over_the_records_that_are_left_makes_the_same_documents(
    recipe: Path, cleaned: Path, tmp_path: Path
) -> None:
    """What was cleaned is, byte for byte, what the stages make of what is left."""
    target = tmp_path / "run"
    (copied(cleaned / "crawl", target / "crawl").parent / "takedown.jsonl").write_bytes(
        (cleaned / "takedown.jsonl").read_bytes()
    )
    runs.make_run(recipe, target)
    ours, theirs = runs.commits(cleaned), runs.commits(target)
    for stage in ("crawl", "extract", "classify", "dedup", "filter", "synth"):
        assert ours[stage].key == theirs[stage].key, stage
        assert [(part.name, part.content) for part in ours[stage].parts] == [
            (part.name, part.content) for part in theirs[stage].parts
        ]
        if stage != "extract":  # of a robots.txt on the list it says so
            assert ours[stage].counts == theirs[stage].counts, stage
    assert ours["tokenize"].key == theirs["tokenize"].key


def test_a_new_crawl_brings_nothing_back(recipe: Path, cleaned: Path, tmp_path: Path) -> None:
    target = copied(cleaned, tmp_path / "run")
    asked = len(list(runs.farm_requests(target)))
    done = runs.syscorpus("run", "--recipe", recipe, "--run", target, "--workers", 2, "--again")
    assert done.returncode == 0, done.stderr[-3000:]
    fresh = list(runs.farm_requests(target))[asked:]
    assert fresh
    assert {each["path"] for each in fresh if each["host"] == DOMAIN} <= {"/robots.txt"}
    assert not {each["doc_id"] for each in rows_of(target, "*/part-*.parquet", ["doc_id"])} & _ids(cleaned)
    assert runs.unbalanced(target) == []
    printed = takedown(target, "--domain", DOMAIN, "--yes")
    assert "no document of the run is named" in printed
    scan = Scan(read_run(str(target)), collect(read_run(str(cleaned)), pa.array(["0" * 32])))
    scan.run()
    assert scan.proof.left == 0


def test_all_documents_under_a_licence_go_and_no_new_one_comes(run: Path, recipe: Path, tmp_path: Path) -> None:
    target = copied(run, tmp_path / "run")
    takedown(target, "--licence", "mit", "--yes")
    assert {each["licence"] for each in rows_of(target, "extract/part-*.parquet", ["licence"])} == {"CC-BY-4.0"}
    assert {each["source"] for each in record(target)["documents"]} == {"small_libring"}
    remembered = [json.loads(line) for line in (target / "takedown.jsonl").read_text().splitlines()]
    pages = {each["doc_id"] for each in record(target)["documents"] if each["why"] == "named"}
    assert [each for each in remembered if "licence" in each] == [remembered[0]]
    assert {each["doc_id"] for each in remembered[1:]} == pages
    # The list without the ids: the pages are read again, and left out for their licence.
    (target / "takedown.jsonl").write_text(json.dumps(remembered[0]) + "\n")
    fresh = tmp_path / "fresh"
    copied(run / "crawl", fresh / "crawl")
    (fresh / "takedown.jsonl").write_text(json.dumps(remembered[0]) + "\n")
    for stage in ("crawl", "extract"):
        done = runs.syscorpus(stage, "--recipe", recipe, "--run", fresh, "--workers", 2)
        assert done.returncode == 0, done.stderr[-2000:]
    assert runs.commits(fresh)["extract"].counts.dropped["taken_down"] == len(pages)


# ---------------------------------------------------------------- kills

_DYING = """
import os, signal, sys
left = int(sys.argv.pop(1))
real = os.replace
def replace(source, target):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(source, target)
os.replace = replace
from pipelines.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_takedown_that_is_killed_goes_on_with_the_same_command(
    run: Path, cleaned: Path, recipe: Path, tmp_path: Path
) -> None:
    """kill -9 before a file takes its place: before the first, then each time some files later."""
    target = copied(run, tmp_path / "run")
    arguments = [
        "takedown",
        "--run",
        str(target),
        "--who",
        "A. Reader",
        "--why",
        "asked by mail",
        "--domain",
        DOMAIN,
        "--yes",
    ]
    kills = 0
    for step in range(60):
        command = [sys.executable, "-c", _DYING, str(step % 7 + step // 4 if step else 0), *arguments]
        done = subprocess.run(command, cwd=runs.REPOSITORY, env=environment(), capture_output=True, text=True)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
        kills += 1
        if kills == 4:
            refused = runs.syscorpus("run", "--recipe", recipe, "--run", target)
            assert (refused.returncode, "give its command again first" in refused.stderr) == (1, True)
            assert "has not ended; give that command again first" in takedown(target, "--url", PAGE, "--yes", code=1)
    assert kills >= 10
    assert "proof: 0 of" in done.stdout
    assert not (target / "takedowns" / "_open.json").exists()
    assert runs.unbalanced(target) == []
    # As if it had not been killed, but for the time of its begin.
    ours, theirs = files_of(target), files_of(cleaned)
    assert ours.keys() == theirs.keys()
    dated = {name for name in ours if name.endswith(("_commit.json", ".sqlite", "takedown.jsonl", ".html"))}
    dated |= {f"takedowns/{record_name(cleaned)}.json", ".lease"}
    assert {name for name in ours if ours[name][0] != theirs[name][0]} <= dated
    assert "nothing to do" in runs.make_run(recipe, target)


# ---------------------------------------------------------------- buckets


def _fill(bucket: str, directory: Path) -> dict[str, str]:
    """Puts an export into a versioned bucket, twice; the version of each object by its key."""
    name = urllib.parse.urlsplit(bucket).netloc
    s3_client().put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        for path in sorted(directory.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                s3_client().put_object(Bucket=name, Key=f"corpus/{path.relative_to(directory)}", Body=path.read_bytes())
    return {each["Key"]: each["VersionId"] for each in _versions(name) if each["IsLatest"]}


def _versions(name: str) -> list[dict]:
    pages = s3_client().get_paginator("list_object_versions").paginate(Bucket=name)
    return [each for page in pages for each in page.get("Versions", ())]


def test_a_copy_in_a_versioned_bucket_is_cleaned_with_its_older_versions(
    run: Path, cleaned: Path, bucket: str, tmp_path: Path
) -> None:
    target = copied(run, tmp_path / "run")
    before = _fill(bucket, run / "dataset")
    printed = takedown(target, "--domain", DOMAIN, "--bucket", f"{bucket}/corpus/", "--yes")
    name = urllib.parse.urlsplit(bucket).netloc
    files = record(target)["files"][f"{bucket}/corpus"]
    now: dict[str, list[dict]] = {}
    for each in _versions(name):
        now.setdefault(each["Key"].removeprefix("corpus/"), []).append(each)
    for key, version in before.items():
        key = key.removeprefix("corpus/")
        if key in files or key == "_commit.json":
            assert [each["IsLatest"] for each in now[key]] == [True], key
            assert now[key][0]["VersionId"] != version
            assert f"{bucket}/corpus/{key}: 2 older versions deleted" in printed
        else:  # no other object was sent again
            assert [each["VersionId"] for each in now[key] if each["IsLatest"]] == [version], key
    for key in now:
        got = s3_client().get_object(Bucket=name, Key=f"corpus/{key}")["Body"].read()
        if key not in ("_commit.json", "_begun.json"):
            assert got == (cleaned / "dataset" / key).read_bytes(), key
    assert json.loads(storage.read_bytes(f"{bucket}/corpus/_commit.json"))["extra"]["generation"]["number"] == 2
    assert record(target)["proof"]["left"] == 0


def test_versions_that_cannot_be_deleted_are_told(
    run: Path, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = urllib.parse.urlsplit(bucket).netloc
    client = s3_client()
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for content in (b"1", b"2", b"3"):
        client.put_object(Bucket=name, Key="a/x", Body=content)
        client.put_object(Bucket=name, Key="a/xy", Body=content)
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DeleteObject")

    def deny(**asked: str) -> None:
        assert asked["Key"] == "a/x"
        raise denied

    with monkeypatch.context() as patch:
        patch.setattr(client, "delete_object", deny)
        (told,) = versions.delete_older(f"{bucket}/a", ["x"])
    assert (told.deleted, told.left) == (0, 2)
    assert "AccessDenied" in told.why
    assert versions.summary([told]) == [f"{bucket}/a/x: 0 older versions deleted, 2 left: {told.why}"]
    (told,) = versions.delete_older(f"{bucket}/a", ["x"])
    assert (told.deleted, told.left) == (2, 0)
    assert versions.delete_older(f"{bucket}/a", ["x"]) == []
    assert versions.delete_older(str(tmp_path), ["x"]) == []
    (told,) = versions.delete_older("gs://somewhere/a", ["x"])
    assert told.left
