"""RFCs by their index."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawlers.bulk.readers.rfc_index import Entry, read_entries
from manifests.models import Source
from pipelines.extract.raw import Raw
from pipelines.extract.readers import format_of
from pipelines.extract.records import read_raw
from tests.bulk_site import BASE, Answer, Host, job, outcome_of, read, reasons, run, source, start, stored

TEXT = b"""




Network Working Group                                            A. Lee
Request for Comments: 1                                        UCLA
                                                            7 April 1969

                             Host Software
"""
XML = b'<?xml version="1.0"?><rfc number="9110"><front><title>HTTP</title></front><middle/></rfc>'


def entry(number: int, formats: str, more: str = "") -> str:
    listed = "".join(f"<file-format>{each}</file-format>" for each in formats.split())
    return (
        f"<rfc-entry><doc-id>RFC{number:04}</doc-id><title>Title of\n {number}</title><author><name>A. Lee</name></author>"
        f"<date><month>June</month><year>2022</year></date><format>{listed}</format><page-count>9</page-count>{more}"
        "<current-status>INTERNET STANDARD</current-status><publication-status>UNKNOWN</publication-status></rfc-entry>"
    )


def index(*entries: str) -> bytes:
    others = "<bcp-entry><doc-id>BCP0001</doc-id></bcp-entry><rfc-not-issued-entry><doc-id>RFC0014</doc-id></rfc-not-issued-entry>"
    root = (
        '<rfc-index xmlns="https://www.rfc-editor.org/rfc-index" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>{root}{others}{"".join(entries)}</rfc-index>'.encode()


def rfcs(**changes: object) -> Source:
    fields = {name: f"{BASE}/rfc/rfc{{}}.{ending}" for name, ending in (("xml", "xml"), ("text", "txt"))}
    return source("rfc_index", bulk_url=f"{BASE}/rfc-index.xml", bulk_fields=fields, **changes)


def test_each_rfc_comes_in_its_best_format(tmp_path: Path) -> None:
    obsolete = "<obsoleted-by><doc-id>RFC7230</doc-id><doc-id>RFC7231</doc-id></obsoleted-by>"
    entries = [
        entry(1, "ASCII HTML"),
        entry(2616, "TEXT PS PDF", obsolete),
        entry(9110, "HTML TEXT PDF XML"),
        entry(8, "PDF"),
        entry(9, "TEXT"),
    ]
    served = {
        "/rfc-index.xml": Answer(index(*entries)),
        "/rfc/rfc1.txt": Answer(TEXT, headers={"Content-Type": "text/plain"}),
        "/rfc/rfc2616.txt": Answer(TEXT, headers={"Content-Type": "text/plain"}),
        "/rfc/rfc9110.xml": Answer(XML, headers={"Content-Type": "text/xml"}),
    }
    with Host(served) as host:
        work = job(tmp_path, host, rfcs(bulk_exclude=["^RFC9$"]))
        assert read(work) == {}
        assert read(work) == {}
        assert host.asked == dict.fromkeys(["/robots.txt", *served], 1)
    assert reasons(outcome_of(work)) == {"/rfc/rfc8.txt": "no_format", "/rfc/rfc9.txt": "not_included"}
    about = {record.url.rpartition("/")[2]: record.about for record in stored(tmp_path / "bulk")}
    assert about["rfc2616.txt"] == {
        "page": "https://www.rfc-editor.org/info/rfc2616",
        "title": "Title of 2616",
        "status": "INTERNET STANDARD",
        "obsoleted-by": "RFC7230 RFC7231",
    }
    raws = list(read_raw(str(tmp_path / "bulk" / "00000.warc.gz"), "x.warc.gz", 1 << 20))
    formats = {
        each.url.rpartition("/")[2]: format_of(each.content_type, each.name, each.body)
        for each in raws
        if isinstance(each, Raw) and each.status == 200
    }
    assert formats == {"rfc-index.xml": None, "rfc1.txt": "rfc", "rfc2616.txt": "rfc", "rfc9110.xml": "rfcxml"}


@pytest.mark.parametrize(
    ("body", "brought"),
    [
        (index(entry(1, "TEXT"), entry(2, "TEXT"), entry(3, "TEXT"))[:-200], ["/rfc/rfc1.txt", "/rfc/rfc2.txt"]),
        (index(entry(1, "TEXT"), entry(0, "TEXT"), entry(3, "TEXT")), ["/rfc/rfc1.txt"]),
        (b"<html><p>no index", []),
        (b"<rfc-index/>", []),
    ],
)
def test_of_an_index_that_is_cut_what_is_whole_is_brought(tmp_path: Path, body: bytes, brought: list[str]) -> None:
    with Host({"/rfc-index.xml": Answer(body)}) as host:
        work = job(tmp_path, host, rfcs())
        assert read(work) == {}
        assert host.asked == dict.fromkeys(["/robots.txt", "/rfc-index.xml", *brought], 1)
    assert reasons(outcome_of(work)) == {"/rfc-index.xml": "malformed"}


def test_a_killed_worker_goes_on_and_asks_for_nothing_twice(tmp_path: Path) -> None:
    served = {"/rfc-index.xml": Answer(index(*(entry(k, "TEXT") for k in range(1, 30))))}
    served |= {f"/rfc/rfc{k}.txt": Answer(TEXT) for k in range(1, 30)}
    whole: set[str] = set()
    with Host(served) as host:
        work = job(tmp_path, host, rfcs())
        process = start(work)

        def watch(path: str, process: subprocess.Popen[str] = process) -> None:
            if host.asked.total() == 15:
                process.kill()

        host.before = watch
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        whole.update(record.url.removeprefix(BASE) for record in stored(tmp_path / "bulk"))
        host.asked.clear()
        assert run(work) == (0, "")
        assert not whole & set(host.asked)
    assert len(stored(tmp_path / "bulk")) == len(served) + 1
    assert outcome_of(work).unfinished == []


INDEX = index(*(entry(k, "TEXT XML") for k in range(1, 6)))


@given(st.integers(0, len(INDEX)))
def test_an_index_cut_anywhere_gives_what_is_whole(end: int) -> None:
    found: list[Entry] = []
    try:
        for each in read_entries(INDEX[:end]):
            found.append(each)
        is_cut = False
    except ValueError:
        is_cut = True
    assert [each.number for each in found] == list(range(1, len(found) + 1))
    assert is_cut == (end < len(INDEX))
    assert all(each.formats == {"TEXT", "XML"} and each.title == f"Title of {each.number}" for each in found)


def test_entities_are_not_expanded() -> None:
    bomb = b'?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
    body = index(entry(1, "TEXT")).replace(b"?>", bomb, 1).replace(b"Title of", b"&b;&f;")
    assert all("aaaa" not in each.title and "root" not in each.title for each in read_entries(body))
