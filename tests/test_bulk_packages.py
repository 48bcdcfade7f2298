"""Packages of a Debian mirror: brought by the index, held against its digests, and their pages read."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from crawlers.bulk.deb import Package, read_packages
from pipelines.extract.debian_licences import licence_of_package
from pipelines.extract.raw import Broken, Raw
from pipelines.extract.readers import INDEX_TYPE, format_of
from pipelines.extract.records import read_raw
from tests.bulk_site import BASE, Answer, Host, job, outcome_of, read, reasons, source

COPYRIGHT = b"""Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: tool

Files: *
Copyright: 2020 A
License: GPL-2+
 Text.

Files: lib/*.c
License: Zlib

Files: doc/*
 man/tool.1
License: GFDL-NIV-1.3+ or Expat

Files: debian/*
License: ISC
"""
PAGE = b".TH TOOL 1\n.SH NAME\ntool \\- a tool\n"
FILES = {
    "./usr/bin/tool": b"\x7fELF",
    "./usr/share/man/man1/tool.1.gz": gzip.compress(PAGE),
    "./usr/share/man/de/man1/tool.1.gz": gzip.compress(PAGE),
    "./usr/share/doc/tool/html/index.html": b"<p>Manual",
    "./usr/share/doc/tool/html/style.css": b"p {}",
    "./usr/share/doc/tool/copyright": COPYRIGHT,
}
FIELDS = {"suite": "stable", "component": "main", "architecture": "amd64", "files": "man"}
LIMIT = 1 << 20


def deb(files: dict[str, bytes], ending: str = "xz", compress: Callable[[bytes], bytes] = lzma.compress) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    members = {"debian-binary": b"2.0\n", "control.tar.gz": b"odd", f"data.tar.{ending}": compress(raw.getvalue())}
    parts = [b"!<arch>\n"]
    for name, body in members.items():
        parts += [f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(body):<10}`\n".encode(), body, b"\n" * (len(body) % 2)]
    return b"".join(parts)


def mirror(*packages: tuple[str, bytes]) -> dict[str, Answer]:
    """Packages with their index and Release file; `pool/NAME.deb` is where each lies."""
    index = "".join(
        f"Package: {name}\nDescription: of\n Filename: nothing\nFilename: pool/{name}.deb\n"
        f"SHA256: {hashlib.sha256(body).hexdigest()}\n\n"
        for name, body in packages
    )
    packed = lzma.compress(index.encode())
    digest = hashlib.sha256(packed).hexdigest()
    release = f"Suite: stable\nSHA256:\n {digest} {len(packed)} main/binary-amd64/Packages.xz\n"
    answers = {f"/debian/pool/{name}.deb": Answer(body) for name, body in packages}
    answers["/debian/dists/stable/Release"] = Answer(release.encode())
    answers["/debian/dists/stable/main/binary-amd64/Packages.xz"] = Answer(packed)
    return answers


def wanted(**changes: object) -> object:
    return source("packages", bulk_url=f"{BASE}/debian", **({"bulk_fields": FIELDS} | changes))


def records(path: Path) -> tuple[list[Raw], list[Broken]]:
    found = list(read_raw(str(path), f"bulk/files/{path.name}", LIMIT))
    return [each for each in found if isinstance(each, Raw)], [each for each in found if isinstance(each, Broken)]


def test_packages_are_brought_by_the_index(tmp_path: Path) -> None:
    whole = deb(FILES)
    answers = mirror(("tool", whole), ("tool-extra", whole), ("other", whole), ("spoilt", whole))
    answers["/debian/pool/spoilt.deb"] = Answer(whole + b"!")
    with Host(answers) as host:
        bulk = wanted(bulk_include=["^tool", "^spoilt$"], bulk_exclude=["-extra$"])
        work = job(tmp_path, host, bulk)  # type: ignore[arg-type]
        assert read(work) == {}
        assert host.asked["/debian/pool/other.deb"] == 0
    assert reasons(outcome_of(work)) == {"/debian/pool/spoilt.deb": "checksum_mismatch"}
    (page,), broken = records(tmp_path / "bulk" / "files" / "bulk-tool.man.deb")
    assert (page.name, page.body, broken) == ("usr/share/man/man1/tool.1", PAGE, [])
    assert format_of(page.content_type, page.name, page.body) == "man"
    assert page.licence == (
        "GPL-2.0-or-later AND (GFDL-1.3-no-invariants-or-later OR MIT)",
        "debian/copyright of tool",
    )


def test_an_index_that_nothing_vouches_for_is_not_believed(tmp_path: Path) -> None:
    for name, release in (
        ("none", b"Suite: stable\n"),
        ("other", b"SHA256:\n " + b"0" * 64 + b" 1 main/binary-amd64/Packages.xz"),
    ):
        answers = mirror(("tool", deb(FILES)))
        answers["/debian/dists/stable/Release"] = Answer(release)
        with Host(answers) as host:
            work = job(tmp_path / name, host, wanted())  # type: ignore[arg-type]
            assert read(work) == {}
            assert "/debian/pool/tool.deb" not in host.asked
        assert list(reasons(outcome_of(work)).values()) == [{"none": "no_checksum", "other": "checksum_mismatch"}[name]]


def test_a_manifest_that_says_too_little_is_one_clear_line(tmp_path: Path) -> None:
    with Host({}) as host:
        work = job(tmp_path, host, wanted(bulk_fields={"suite": "stable"}))  # type: ignore[arg-type]
        assert read(work) == {"bulk": "ValueError: bulk.fields needs architecture"}


@pytest.mark.parametrize(
    ("ending", "compress"),
    [("xz", lzma.compress), ("zst", zstd.compress), ("gz", gzip.compress), ("bz2", bz2.compress)],
)
def test_documentation_of_a_package_packed_in_any_way(
    tmp_path: Path, ending: str, compress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "bulk-tool.doc.deb"
    path.write_bytes(deb(FILES, ending, compress))
    (page,), broken = records(path)
    assert (page.name, page.body, broken) == ("usr/share/doc/tool/html/index.html", b"<p>Manual", [])


def test_a_package_without_pages_is_a_record_without_a_document(tmp_path: Path) -> None:
    path = tmp_path / "bulk-tool.man.deb"
    path.write_bytes(deb({"./usr/bin/tool": b"x"}))
    (only,), broken = records(path)
    assert (only.content_type, broken) == (INDEX_TYPE, [])


def test_a_damaged_package_is_one_row_and_a_damaged_page_another(tmp_path: Path) -> None:
    path = tmp_path / "bulk-tool.man.deb"
    files = {**FILES, "./usr/share/man/man1/bad.1.gz": gzip.compress(PAGE)[:-9]}
    files["./usr/share/man/man1/bomb.1.gz"] = gzip.compress(bytes(LIMIT + 1))
    path.write_bytes(deb(files))
    (page,), broken = records(path)
    assert [each.reason for each in broken] == ["damaged_record", "too_large"]
    whole = path.read_bytes()
    for damaged in (whole[:-40], whole[:100], b"", b"!<arch>\nno header"):
        path.write_bytes(damaged)
        found, (one,) = records(path)
        assert one.reason == "damaged_archive"
        assert [each.name for each in found] in ([], [page.name])


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        (b"Permission is hereby granted, free of charge, to any person obtaining a copy of this software and", ""),
        (b"Format: x\n\nFiles: *\nLicense: LGPL-2.1+\n", "LGPL-2.1-or-later"),
        (b"Format: x\n\nFiles: *\nLicense: Expat, and BSD-3-clause\n", "MIT AND BSD-3-Clause"),
        (b"Format: x\n\nFiles: src/*\nLicense: ISC\n", ""),
        (b"Format: x\n\nFiles: a/*\n *.1\nLicense: GPL-2\n\nFiles: *\nLicense: GPL-2\n", "GPL-2.0-only"),
    ],
)
def test_licences_of_packages(text: bytes, licence: str) -> None:
    found = licence_of_package(text, "tool").licence
    assert found == licence or (not licence and found in ("", "MIT"))


@given(st.lists(st.integers(1, 60), max_size=8))
def test_an_index_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    index = b"".join(
        b"Package: p%d\nFilename: pool/%d\nSHA256: %s\n\n" % (number, number, b"a" * 64) for number in range(5)
    )
    chunks, at = [], 0
    for cut in cuts:
        chunks.append(index[at : at + cut])
        at += cut
    chunks.append(index[at:] + b"Package: no file\n")
    assert list(read_packages(chunks)) == [Package(f"p{number}", f"pool/{number}", "a" * 64) for number in range(5)]
