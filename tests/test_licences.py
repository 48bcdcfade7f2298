"""Licences: what is stated, which is in force, what the policy lets in, and who is attributed."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawlers.optout import SiteSignals, header_signals, signal_lines
from manifests.load import load_licences
from manifests.models import LicencePolicy
from pipelines.extract.licences import (
    UNKNOWN,
    Repository,
    Stated,
    allowed,
    choose,
    class_of,
    is_licence_file,
    licence_of_text,
    needs_attribution,
    normalised,
)
from tests import runs

MIT = b"""Copyright (c) 2020 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy, without restriction, subject to:
The above copyright notice and this permission notice shall be included in all copies.
"""
GPL = b"                    GNU GENERAL PUBLIC LICENSE\n                       Version 2, June 1991\n\n Preamble\n"
LGPL = (
    b"  GNU LESSER GENERAL PUBLIC LICENSE\n     Version 3, 29 June 2007\n\n the GNU General Public License, version 3\n"
)
CC = b"# Attribution-ShareAlike 4.0 International\n\nCreative Commons Corporation is not a law firm.\n"
POLICY = LicencePolicy()


@pytest.mark.parametrize(
    ("stated", "spdx"),
    [
        ("MIT", "MIT"),
        ("mit or apache-2.0", "MIT OR Apache-2.0"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        ("GPLv3+", "GPL-3.0-or-later"),
        ("Apache 2.0", "Apache-2.0"),
        ("https://creativecommons.org/licenses/by-sa/4.0/", "CC-BY-SA-4.0"),
        ("LicenseRef-CC-BY-SA", "LicenseRef-CC-BY-SA"),
        ("call us!", "call us!"),
    ],
)
def test_what_is_stated_becomes_spdx_where_it_is_known(stated, spdx):
    assert normalised(stated) == spdx
    assert normalised(spdx) == spdx


@pytest.mark.parametrize(
    ("licence", "found", "let_in"),
    [
        ("CC0-1.0", "public_domain", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "copyleft", True),
        ("CC-BY-SA-3.0-US", "share_alike", True),
        ("GFDL-1.3-no-invariants-or-later", "share_alike", True),
        ("CC-BY-NC-SA-4.0", "non_commercial", False),
        ("CC-BY-ND-4.0", "no_derivatives", False),
        ("MIT OR CC-BY-NC-4.0", "permissive", True),
        ("MIT AND CC-BY-NC-4.0", "non_commercial", False),
        ("(MIT OR CC-BY-NC-4.0) AND BUSL-1.1", "source_available", False),
        ("NoSuchLicence-9", UNKNOWN, False),
        ("call us!", UNKNOWN, False),
    ],
)
def test_a_policy_lets_classes_in(licence, found, let_in):
    assert class_of(licence) == found
    assert allowed(licence, POLICY) == let_in


def test_a_policy_may_name_single_licences_and_let_unknown_ones_in():
    assert allowed("CC-BY-NC-4.0", LicencePolicy(allow=["CC-BY-NC-4.0"]))
    assert not allowed("MIT", LicencePolicy(deny=["MIT"]))
    assert allowed("MIT OR Apache-2.0", LicencePolicy(deny=["MIT"]))
    everything = LicencePolicy(train=["permissive", "unknown"])
    assert allowed(None, everything) and allowed("call us!", everything)
    assert not allowed(None, POLICY)


@given(st.lists(st.sampled_from(["MIT", "GPL-2.0-only", "CC-BY-NC-4.0", "NoSuchLicence-9"]), min_size=1, max_size=4))
def test_all_of_an_and_and_one_of_an_or_must_be_allowed(licences):
    each = [allowed(licence, POLICY) for licence in licences]
    assert allowed(" AND ".join(licences), POLICY) == all(each)
    assert allowed(" OR ".join(licences), POLICY) == any(each)


def test_the_strictest_statement_is_in_force_and_its_evidence_names_the_others():
    page, manifest = Stated("CC-BY-NC-4.0", "json-ld"), Stated("MIT", "manifest: its footer")
    assert choose([page, manifest]) == ("CC-BY-NC-4.0", "json-ld (not manifest: its footer: MIT)")
    assert choose([manifest, page]).licence == "CC-BY-NC-4.0"
    assert choose([Stated("CC-BY-4.0", "page"), Stated("CC-BY-3.0", "manifest")]).licence == "CC-BY-4.0"
    assert choose([Stated("call us!", "page"), manifest]).licence == "MIT"
    assert choose([Stated("", "page"), Stated(" ", "file")]) == ("", "")
    assert choose([Stated("call us!", "page")]) == ("call us!", "page")


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        (MIT, "MIT"),
        (GPL, "GPL-2.0-only"),
        (LGPL, "LGPL-3.0-only"),
        (CC, "CC-BY-SA-4.0"),
        (b"This work is licensed under the Creative Commons Attribution 4.0 International License.", "CC-BY-4.0"),
        (b"All rights reserved.", ""),
        (b"\xff\xfe\x00", ""),
    ],
)
def test_the_text_of_a_licence_is_known(text, licence):
    assert licence_of_text(text) == licence


def test_of_a_repository_the_nearest_licence_files_count():
    found = Repository([("LICENSE", CC), ("LICENSE-CODE", MIT), ("vendor/lib/COPYING", GPL), ("docs/LICENSE.md", b"?")])
    assert found.licence_of("docs/guide/a.md") == ("CC-BY-SA-4.0 AND MIT", "LICENSE, LICENSE-CODE")
    assert found.licence_of("vendor/lib/src/x.c") == ("GPL-2.0-only", "vendor/lib/COPYING")
    assert Repository([]).licence_of("a") == ("", "")
    assert is_licence_file("a/COPYING.LESSER") and is_licence_file("licence.txt") and not is_licence_file("license.py")


def test_every_class_has_patterns_and_attribution_is_needed_unless_nothing_is_asked():
    assert all(terms.patterns and terms.why for terms in load_licences().classes.values())
    assert not needs_attribution("CC0-1.0")
    assert needs_attribution("CC0-1.0 AND MIT") and needs_attribution("CC-BY-4.0") and needs_attribution(None)


# ---------------------------------------------------------------- signals


def test_signals_of_a_site():
    ours = b"User-agent: *\nContent-Signal: search=yes, ai-train=no\n\nUser-agent: other\nContent-Usage: train-ai=n\n"
    assert SiteSignals(ours).of("http://h.example/") == ("content-signal-ai-train",)
    own = b"User-agent: *\nContent-Signal: ai-train=no\n\nUser-agent: syscorpus\nuser-agent: b\nContent-Usage: /x train-ai=n\n"
    assert SiteSignals(own).of("http://h.example/") == ()
    assert SiteSignals(own).of("http://h.example/x/y") == ("content-usage-train-ai",)
    assert SiteSignals(b"License: https://a.example/rsl.xml\nUser-agent: *\nAllow: /\n").of("http://h.example/") == (
        "rsl-licence",
    )
    assert SiteSignals(b"Content-Usage: train-ai=y\n# Content-Signal: ai-train=no\n").of("http://h.example/") == ()
    assert header_signals([("Content-Usage", "train-ai=n, search=y")]) == ("content-usage-train-ai",)


_LINES = [
    b"User-agent: *", b"user-agent: syscorpus", b"User-agent: other", b"Disallow: /x", b"Allow: /", b"Crawl-delay: 1",
    b"Content-Signal: ai-train=no", b"Content-Usage: /x train-ai=n", b"Content-Usage: train-ai=y", b"License: /l", b"",
]  # fmt: skip


@given(st.lists(st.sampled_from(_LINES), max_size=12).map(b"\n".join) | st.binary(max_size=300))
@settings(max_examples=500, deadline=None)
def test_what_is_kept_of_a_robots_txt_decides_its_signals(body):
    kept = signal_lines(body)
    assert signal_lines(kept) == kept
    for url in ("http://h.example/", "http://h.example/x/y"):
        found = SiteSignals(body).of(url)
        assert list(found) == sorted(set(found))
        assert SiteSignals(kept).of(url) == found


# ---------------------------------------------------------------- through the stages


def _archive(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, body in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))


@pytest.mark.usefixtures("on_head")
def test_documents_of_an_archive_have_the_licence_of_their_repository_and_forbidden_ones_leave(tmp_path):
    page = b"# Guide\n\nHow to run the server, and what to do when it stops.\n"
    nc = b"---\nlicense: CC-BY-NC-4.0\n---\n# Own terms\n\nText under other terms than the rest of it.\n"
    _archive(tmp_path / "repo.tar.gz", {"docs/a.md": page, "docs/nc.md": nc, "LICENSE": CC})
    (tmp_path / "free.md").write_bytes(page + b"\nMore.\n")
    done = runs.syscorpus("extract", "--input", tmp_path / "*.*", "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rows = [row for path in (tmp_path / "out").glob("part-*.parquet") for row in pq.read_table(path).to_pylist()]
    assert {(row["title"], row["licence"], row["licence_evidence"]) for row in rows if row["licence"]} == {
        ("Guide", "CC-BY-SA-4.0", "LICENSE")
    }
    assert len([row for row in rows if row["licence"] is None]) == 1  # it has no repository, and came by hand
    lost = [row for path in (tmp_path / "out/dropped").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    (licence,) = [row for row in lost if row["reason"] == "licence"]
    assert licence["failed"][0]["value"].startswith("CC-BY-NC-4.0 (non_commercial), front-matter")
    assert "LICENSE: CC-BY-SA-4.0" in licence["failed"][0]["value"]
