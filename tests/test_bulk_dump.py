"""The readers of dumps: which files they bring, under which names, and what they are held against."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from crawlers.bulk.checksums import checksum_in
from tests.bulk_site import BASE, Answer, Host, job, outcome_of, read, reasons, source

MD5, SHA1, SHA256 = (hashlib.new(each, b"dump").hexdigest() for each in ("md5", "sha1", "sha256"))


@pytest.mark.parametrize(
    ("stated", "found"),
    [
        (f"{SHA256}  other.7z\n{SHA256.upper()} *x.7z\r\n", f"sha256:{SHA256}"),
        (f"{MD5}  ./x.7z", f"md5:{MD5}"),
        (f"MD5 (x.7z) = {MD5}\nSHA256 (x.7z) = {SHA256}\n", f"sha256:{SHA256}"),
        (f"MD5Sum:\n {MD5}  4 x.7z\nSHA256:\n {SHA256}   4 x.7z\n {MD5} 4 y/x.7z\n", f"sha256:{SHA256}"),
        (f"<files><file name='x.7z'><md5>{MD5}</md5><sha1>{SHA1}</sha1></file></files>", f"sha1:{SHA1}"),
        ("<files><file name='x.7z'><md5>", None),
        (
            "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><files><file name='x.7z'><md5>&x;</md5></file></files>",
            None,
        ),
        ("deadbeef  x.7z", None),
        ("", None),
    ],
)
def test_files_of_checksums(stated: str, found: str | None) -> None:
    assert checksum_in(stated.encode(), "x.7z") == found


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("dblp.xml.gz", "bulk.xml.gz"),
        ("arch-wiki-docs-20240101.pkg.tar.zst", "bulk.pkg.tar.zst"),
        ("2024-01-01-0.json.gz", "bulk.json.gz"),
        ("data/json", "bulk"),
        ("v1.2/", "bulk"),
    ],
)
def test_a_dump_is_called_as_its_source(tmp_path: Path, path: str, name: str) -> None:
    with Host({f"/{path}": Answer(b"dump")}) as host:
        assert read(job(tmp_path, host, source("dump", bulk_url=f"{BASE}/{path}"))) == {}
    assert [each.name for each in (tmp_path / "bulk" / "files").iterdir()] == [name]


def test_a_dump_that_no_checksum_stands_for_is_not_brought(tmp_path: Path) -> None:
    sums = {"checksums": f"{BASE}/sums"}
    good = source("dump", "good", bulk_url=f"{BASE}/a.7z", **{f"bulk_{k}": v for k, v in sums.items()})
    none = source("dump", "none", bulk_url=f"{BASE}/b.7z", **{f"bulk_{k}": v for k, v in sums.items()})
    other = source("dump", "other", bulk_url=f"{BASE}/c.7z", **{f"bulk_{k}": v for k, v in sums.items()})
    answers = {f"/{each}.7z": Answer(b"dump") for each in "abc"}
    answers["/sums"] = Answer(f"{MD5}  a.7z\n{'0' * 32}  c.7z\n".encode())
    with Host(answers) as host:
        work = job(tmp_path, host, good, none, other)
        assert read(work) == {}
        assert host.asked["/b.7z"] == 0
    assert (tmp_path / "good" / "files" / "good.7z").read_bytes() == b"dump"
    assert reasons(outcome_of(work, "none")) == {"/b.7z": "no_checksum"}
    assert reasons(outcome_of(work, "other")) == {"/c.7z": "checksum_mismatch"}


def test_the_tables_of_a_large_site_lie_beside_each_other(tmp_path: Path) -> None:
    changes = {"bulk_dated": "2024-04-02", "bulk_agreement": "CC BY-SA alone"}
    large = source("stackexchange", bulk_url=f"{BASE}/big.com-Posts.7z", **changes)
    small = source("stackexchange", "small", bulk_url=f"{BASE}/small.com.7z", **changes)
    tables = ("Comments", "Posts", "Users")
    answers = {f"/big.com-{table}.7z": Answer(table.encode()) for table in tables} | {"/small.com.7z": Answer(b"all")}
    with Host(answers) as host:
        work = job(tmp_path, host, large, small)
        assert read(work) == {}
    names = sorted(row.file for row in outcome_of(work).fetched if row.kind == "page")
    assert names == [f"files/big.com-{table}.7z" for table in tables]
    assert [row.file for row in outcome_of(work, "small").fetched if row.kind == "page"] == ["files/small.com.7z"]


def test_a_dump_without_its_terms_is_refused(tmp_path: Path) -> None:
    with Host({}) as host:
        broken = read(job(tmp_path, host, source("stackexchange", bulk_dated="2024-04-02")))
        assert host.asked == {}
    assert broken["bulk"].startswith("ValueError: the manifest says not of when this dump is")
