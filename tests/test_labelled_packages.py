"""Packages laid out as labelled documents: which label a page has by its place, and mails as one mailbox."""

import io
import tarfile

import yaml

from benchmarks.filter.labelled import LIST, _told_by, categories, compiled, lay_out_tree
from filters.topics.cues import cue_rows
from manifests.load import load_categories
from pipelines.labelled import read_labelled

LISTED = yaml.safe_load(LIST.read_text(encoding="utf-8"))
PAGES = {
    "/usr/share/doc/postgresql-doc-15/html/sql-vacuum.html": "man_pages_cli_reference",
    "/usr/share/doc/postfix/html/access.5.html": "man_pages_cli_reference",
    "/usr/share/doc/knot-doc/man_kdig.html": "man_pages_cli_reference",
    "/usr/share/doc/rust-doc/html/book/ch01-00.html": "books_courses_tutorials",
    "/usr/share/doc/snakemake/html/tutorial/basics.html": "books_courses_tutorials",
    "/usr/share/doc/postgresql-doc-15/html/release-15-2.html": "bug_trackers_and_advisories",
    "/usr/share/doc/postgresql-doc-15/html/runtime-config.html": "open_source_documentation",
    "/usr/share/doc/varnish/html/users-guide/index.html": "open_source_documentation",
}


def test_a_page_has_one_label_and_its_place_tells_it():
    places = compiled(LISTED["places"])
    for path, label in PAGES.items():
        labels = ["open_source_documentation", *(place for place, _ in places)]
        told = [each for each in labels if _told_by(places, "open_source_documentation", each)(path)]
        assert told == [label]


def test_every_label_of_the_list_is_a_category_and_every_cue_a_token():
    known = {*load_categories(), ""}
    assert set(categories(LISTED).values()) <= known and set(LISTED["places"]) <= known
    assert {label for wanted in LISTED["trees"].values() for label in wanted} <= known
    for name in ("cues.yaml", "relevance-cues.yaml"):
        cues = yaml.safe_load(LIST.with_name(name).read_text(encoding="utf-8"))
        keys, rows = cue_rows(cues, sorted(cues))
        assert len(keys) == len(rows) > 300


def test_mails_of_a_source_are_one_mailbox(tmp_path):
    archive = tmp_path / "a.orig.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for number in range(3):
            body = (
                (
                    f"From: Ann <ann@example.org>\nDate: Mon, 2 Jan 2023 10:0{number}:00 +0000\nSubject: disk {number}\n"
                    f"Message-ID: <{number}@example.org>\n\nFrom the log: the disk {number} is full, and df says so.\n"
                )
                .ljust(400, "x")
                .encode()
            )
            member = tarfile.TarInfo(f"p/test/corpora/lkml/cur/{number}")
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    wanted = {"developer_forums": "corpora/lkml/"}
    assert lay_out_tree("p", archive, wanted, tmp_path / "out") == {"developer_forums": 3}
    found = list(read_labelled(tmp_path / "out", 10))
    assert len(found) == 3 and all("From the log" in each.text for each in found)
