"""A file is there whole, or it is not there: on a disk and in a bucket."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import storage
from pipelines.parts import Counts, find_part, read_table, write_part
from pipelines.storage import StorageError

CONTENT = bytes(range(256)) * 5000


def check_verbs(place: str) -> None:
    """Every verb once, below a place that is empty."""
    url = storage.join(place, "deep", "er", "file.bin")
    assert not storage.exists(url)
    assert storage.list_files(place) == []
    storage.write_bytes(url, CONTENT)
    storage.write_bytes(storage.join(place, "empty"), b"")
    assert storage.exists(url)
    assert not storage.exists(storage.join(place, "deep"))
    assert storage.read_bytes(url) == CONTENT
    assert storage.sha256(url) == hashlib.sha256(CONTENT).hexdigest()
    with storage.open_input(url) as stream:
        assert stream.read_at(10, 256) == CONTENT[256:266]
    assert storage.list_files(place) == ["deep/er/file.bin", "empty"]
    assert storage.list_files(storage.join(place, "deep")) == ["er/file.bin"]
    storage.write_bytes(url, b"another")
    storage.copy(url, storage.join(place, "copy"))
    assert storage.read_bytes(storage.join(place, "copy")) == b"another"
    storage.check_writable(place)
    for name in storage.list_files(place):
        storage.delete(storage.join(place, name))
        storage.delete(storage.join(place, name))
    assert storage.list_files(place) == []
    with pytest.raises(FileNotFoundError):
        storage.read_bytes(url)


def check_failed_writer(place: str) -> None:
    """What a writer that raises had begun is not there; what stood there before still is."""
    url = storage.join(place, "file")
    for there in ([], ["file"]):
        with pytest.raises(ZeroDivisionError), storage.writing(url) as path:
            path.write_bytes(b"half")
            raise ZeroDivisionError
        assert storage.list_files(place) == there
        storage.write_bytes(url, b"whole")
    assert storage.read_bytes(url) == b"whole"


def check_part(place: str) -> None:
    """A part with a side table comes back."""
    table = pa.table({"id": ["a", "b"]})
    counts = Counts(seen=3, consumed=2, rows=2, dropped={"short": 1})
    part = write_part(place, "part-0", "key", table, counts, {"dropped": table.slice(1)})
    assert find_part(place, "part-0", "key") == part
    assert find_part(place, "part-0", "other") is None
    assert storage.list_files(place) == ["dropped/part-0.parquet", "part-0.parquet"]
    assert read_table(storage.join(place, "part-0.parquet")).equals(table)


def test_the_verbs_of_a_disk(tmp_path):
    check_verbs(str(tmp_path))


def test_a_writer_that_fails_leaves_nothing_on_a_disk(tmp_path):
    check_failed_writer(str(tmp_path))


def test_the_verbs_of_a_bucket(bucket):
    check_verbs(f"{bucket}/below")


def test_a_writer_that_fails_leaves_no_object(bucket):
    check_failed_writer(f"{bucket}/below")


def test_a_part_in_a_bucket(bucket):
    check_part(f"{bucket}/run/filter")


def test_patterns_in_a_bucket(bucket):
    for name in ("part-1.parquet", "part-10.parquet", "part-2.parquet", "other.txt", "deep/part-3.parquet"):
        storage.write_bytes(f"{bucket}/x/{name}", b"")
    assert storage.expand(f"{bucket}/x/part-?.parquet") == [f"{bucket}/x/part-1.parquet", f"{bucket}/x/part-2.parquet"]
    assert len(storage.expand(f"{bucket}/x/*.parquet")) == 3
    assert storage.expand(f"{bucket}/x/other.txt") == [f"{bucket}/x/other.txt"]
    with pytest.raises(StorageError, match="no file matches"):
        storage.expand(f"{bucket}/x/*.warc")


def test_between_disk_and_bucket(bucket, tmp_path):
    storage.write_bytes(str(tmp_path / "a"), CONTENT)
    storage.copy(str(tmp_path / "a"), f"{bucket}/b")
    storage.copy(f"{bucket}/b", str(tmp_path / "c"))
    assert (tmp_path / "c").read_bytes() == CONTENT


def test_a_bucket_that_is_not_there_is_one_line(bucket):
    with pytest.raises(StorageError, match="cannot be written: NoSuchBucket") as caught:
        storage.check_writable(f"{bucket}-none/x")
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "..", "a/.."])
def test_a_name_that_leaves_its_place_is_refused(name):
    for place in ("/data", "s3://bucket/x"):
        with pytest.raises(StorageError, match="is not a name below"):
            storage.join(place, name)
        with pytest.raises(StorageError, match="is not a name below"):
            storage.join(place, "a", name)


@given(st.lists(st.text("ab./", max_size=6), max_size=4))
def test_whatever_join_lets_through_stays_below(names):
    try:
        joined = storage.join("/data/x", *names)
    except StorageError:
        return
    assert os.path.normpath(joined).startswith("/data/x")


def test_names_with_dots_are_names():
    assert storage.join("/data/", "..a", "b..", "...") == "/data/..a/b../..."
    assert storage.join("s3://bucket", "a/b") == "s3://bucket/a/b"


@pytest.mark.parametrize(
    ("url", "remote"),
    [
        ("s3://b/x", True),
        ("gs://b", True),
        ("az://b", True),
        ("/data/s3://x", False),
        ("s3", False),
        ("http://x", False),
    ],
)
def test_which_places_are_remote(url, remote):
    assert storage.is_remote(url) == remote


def test_an_unknown_scheme_is_one_line_that_says_which_are_known():
    with pytest.raises(StorageError, match=r"unknown scheme; .*s3://, gs://, az://"):
        storage.exists("hdfs://host/x")


def test_an_unknown_scheme_leaves_no_directory_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match="unknown scheme"):
        storage.write_bytes("ftp://host/file", b"")
    assert list(tmp_path.iterdir()) == []


def test_azure_says_which_variable_it_needs(monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT", raising=False)
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    with pytest.raises(StorageError, match="AZURE_STORAGE_ACCOUNT"):
        storage.exists("az://container/x")


# ---------------------------------------------------------------- a disk


def test_patterns_on_a_disk(tmp_path):
    for name in ("b.warc.gz", "a.warc.gz", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / "dir.warc.gz").mkdir()
    assert storage.expand(f"{tmp_path}/*.warc.gz") == [f"{tmp_path}/a.warc.gz", f"{tmp_path}/b.warc.gz"]
    with pytest.raises(StorageError, match="no file matches"):
        storage.expand(f"{tmp_path}/*.parquet")


def test_a_place_that_is_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written") as caught:
        storage.check_writable(str(tmp_path / "file"))
    assert "\n" not in str(caught.value)


def test_a_writer_sees_the_old_file_until_the_block_ends(tmp_path):
    url = str(tmp_path / "file")
    storage.write_bytes(url, b"old")
    with storage.writing(url) as path:
        path.write_bytes(b"new")
        assert storage.read_bytes(url) == b"old"
    assert storage.read_bytes(url) == b"new"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_scratch_lies_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("SYSCORPUS_SCRATCH", str(tmp_path))
    assert storage.scratch("farm") == tmp_path / "farm"
    monkeypatch.delenv("SYSCORPUS_SCRATCH")
    assert storage.scratch("farm") == Path("build/farm").absolute()
