"""arXiv's list of papers, and the sources of those under an open licence."""

from __future__ import annotations

import gzip
import io
import random
import signal
import subprocess
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawlers.bulk.oai import Paper, read_list
from crawlers.bulk.readers.oai_arxiv import licence_of
from manifests.models import ExtractSettings, Source
from pipelines.extract.latex.eprint import extract_eprint
from pipelines.extract.page import Unreadable
from pipelines.extract.raw import Raw
from pipelines.extract.readers import format_of
from pipelines.extract.records import read_raw
from tests.bulk_site import BASE, Answer, Host, job, outcome_of, read, reasons, run, source, start, stored

BY = "http://creativecommons.org/licenses/by/4.0/"
CLOSED = "http://arxiv.org/licenses/nonexclusive-distrib/1.0/"
TEX = r"""\documentclass{article}
\title{Quotas of a scheduler}
\begin{document}
\maketitle
\section{Introduction}
The scheduler runs each task of the queue until its quota is used.
\end{document}
"""


def paper(id: str, licence: str = BY, day: int = 1, categories: str = "cs.DC cs.OS", deleted: bool = False) -> str:
    header = f"<identifier>oai:arXiv.org:{id}</identifier><datestamp>2026-01-{day:02}</datestamp>"
    if deleted:
        return f'<record><header status="deleted">{header}</header></record>'
    authors = (
        "<author><keyname>Lee</keyname><forenames>Ann B.</forenames></author><author><keyname>Group</keyname></author>"
    )
    return (
        f"<record><header>{header}<setSpec>cs:cs:DC</setSpec></header>"
        f'<metadata><arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>{id}</id><authors>{authors}</authors>'
        f"<title>On\n {id}</title><categories>{categories}</categories>"
        f"{f'<license>{licence}</license>' if licence else ''}<abstract>a</abstract></arXiv></metadata></record>"
    )


def response(content: str, token: str | None = None) -> bytes:
    end = "" if token is None else f'<resumptionToken cursor="0">{escape(token)}</resumptionToken>'
    inside = content if content.startswith("<error") else f"<ListRecords>{content}{end}</ListRecords>"
    return f'<?xml version="1.0"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">{inside}</OAI-PMH>'.encode()


def asked(**arguments: str) -> str:
    return "/oai?" + urlencode(sorted({"verb": "ListRecords", **arguments}.items()))


def first(**arguments: str) -> str:
    return asked(metadataPrefix="arXiv", set="cs:cs:DC", **arguments)


def arxiv(**changes: Any) -> Source:
    fields = {"set": "cs:cs:DC", "source": f"{BASE}/e-print/{{}}"}
    return source("oai_arxiv", bulk_url=f"{BASE}/oai", bulk_fields=fields, **changes)


def packed(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return stream.getvalue()


def test_papers_under_an_open_licence_are_brought(tmp_path: Path) -> None:
    papers = [
        paper("2601.00001"),
        paper("2601.00002", CLOSED),
        paper("2601.00003", ""),
        paper("cs/0101001", deleted=True),
    ]
    last = [
        paper("2601.00004", categories="cs.LG"),
        paper("2601.00005", "http://creativecommons.org/publicdomain/zero/1.0/"),
    ]
    served = {
        first(): Answer(response("".join(papers), "6|1001"), headers={"Content-Type": "text/xml"}),
        asked(resumptionToken="6|1001"): Answer(response("".join(last), "")),
        "/e-print/2601.00001": Answer(gzip.compress(TEX.encode()), headers={"Content-Type": "application/gzip"}),
    }
    with Host(served) as host:
        work = job(tmp_path, host, arxiv(bulk_exclude=["^cs.LG"]))
        assert read(work) == {}
        assert read(work) == {}
        assert host.asked == dict.fromkeys(["/robots.txt", "/e-print/2601.00005", *served], 1)
    assert {row.url.rpartition("e-print/")[2]: (row.reason, row.detail) for row in outcome_of(work).not_fetched} == {
        "2601.00002": ("licence", CLOSED),
        "2601.00003": ("licence", "none is stated"),
        "2601.00004": ("not_included", "cs.LG"),
        "cs/0101001": ("gone", "deleted, says the list"),
    }
    (record,) = [each for each in stored(tmp_path / "bulk") if each.url.endswith("00001")]
    assert record.about == {
        "role": "eprint",
        "page": "https://arxiv.org/abs/2601.00001",
        "licence": "CC-BY-4.0",
        "licence-evidence": f"{BY} in the OAI record",
        "title": "On 2601.00001",
        "authors": "Ann B. Lee; Group",
        "categories": "cs.DC cs.OS",
    }


def test_a_paper_is_a_record_known_by_its_page(tmp_path: Path) -> None:
    served = {
        first(): Answer(response(paper("2601.00001") + paper("2601.00002"))),
        "/e-print/2601.00001": Answer(b"", 301, {"Location": "/src/2601.00001"}),
        "/src/2601.00001": Answer(gzip.compress(TEX.encode())),
    }
    with Host(served) as host:
        assert read(job(tmp_path, host, arxiv())) == {}
    file = tmp_path / "bulk" / "00000.warc.gz"
    raws = {each.url.removeprefix(BASE): each for each in read_raw(str(file), "bulk/00000.warc.gz", 1 << 20)}
    whole, redirect, missing = raws["/src/2601.00001"], raws["/e-print/2601.00001"], raws["/e-print/2601.00002"]
    assert isinstance(whole, Raw)
    assert isinstance(redirect, Raw)
    assert isinstance(missing, Raw)
    assert format_of(whole.content_type, whole.name, whole.body) == "eprint"
    assert (whole.licence.licence, whole.licence.where) == ("CC-BY-4.0", f"{BY} in the OAI record")
    assert len({whole.doc_id, redirect.doc_id, missing.doc_id}) == 3
    assert (redirect.status, missing.status) == (301, 404)


def test_an_expired_token_begins_again_at_the_last_date(tmp_path: Path) -> None:
    expired = '<error code="badResumptionToken">expired</error>'
    served = {
        first(): Answer(response(paper("2601.00001", CLOSED, 1) + paper("2601.00002", CLOSED, 3), "a")),
        asked(resumptionToken="a"): Answer(response(expired)),
        first(**{"from": "2026-01-03"}): Answer(response(paper("2601.00002", CLOSED, 3), "b")),
        asked(resumptionToken="b"): Answer(response(paper("2601.00003", CLOSED, 9))),
    }
    with Host(served) as host:
        work = job(tmp_path, host, arxiv())
        assert read(work) == {}
        assert host.asked == dict.fromkeys(["/robots.txt", *served], 1)
    assert set(reasons(outcome_of(work))) == {f"/e-print/2601.0000{k}" for k in (1, 2, 3)}


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (Answer(response('<error code="badResumptionToken">expired</error>')), "list_broken_off"),
        (Answer(b"not now", 403), "list_broken_off"),
        (Answer(response("", "a")), "list_broken_off"),
        (Answer(response("")[:-9]), "list_broken_off"),
        (Answer(b"<html></html>"), "list_broken_off"),
        (Answer(response('<error code="badArgument">no</error>')), "malformed"),
    ],
)
def test_what_was_listed_before_a_fault_is_brought(tmp_path: Path, second: Answer, reason: str) -> None:
    served = {first(): Answer(response(paper("2601.00001"), "a")), asked(resumptionToken="a"): second}
    served[first(**{"from": "2026-01-01"})] = Answer(response(paper("2601.00001"), "a"))
    with Host(served) as host:
        work = job(tmp_path, host, arxiv())
        assert read(work) == {}
        assert host.asked["/e-print/2601.00001"] == 1
    assert outcome_of(work).unfinished == []
    assert set(reasons(outcome_of(work)).values()) == {reason}


def test_of_a_list_that_is_cut_the_whole_records_are_brought(tmp_path: Path) -> None:
    body = response("".join(paper(f"2601.0000{k}", CLOSED) for k in range(4)))
    with Host({first(): Answer(body[: body.index(b"2601.00003") + 40])}) as host:
        work = job(tmp_path, host, arxiv())
        assert read(work) == {}
    assert Counter(reasons(outcome_of(work)).values()) == {"licence": 3, "list_broken_off": 1}


def test_a_killed_worker_goes_on_and_asks_for_nothing_twice(tmp_path: Path) -> None:
    tex = Answer(gzip.compress(TEX.encode()))
    tokens = ["", *(f"t{k}" for k in range(1, 8)), ""]
    served = {}
    for number, token in enumerate(tokens[:-1]):
        path = asked(resumptionToken=token) if token else first()
        papers = [paper(f"2601.{10 * number + k:05}", BY if k else CLOSED) for k in range(4)]
        served[path] = Answer(response("".join(papers), tokens[number + 1]))
        served |= {f"/e-print/2601.{10 * number + k:05}": tex for k in range(1, 4)}
    whole: set[str] = set()
    again: list[str] = []
    with Host(served) as host:
        work = job(tmp_path, host, arxiv())
        for moment in sorted(random.Random(5).sample(range(3, 30), 3)):
            process = start(work)

            def watch(path: str, process: subprocess.Popen[str] = process, moment: int = moment) -> None:
                again.extend([path] if BASE + path in whole else [])
                if host.asked.total() >= moment:
                    process.kill()

            host.before = watch
            process.communicate(timeout=60)
            assert process.returncode == -signal.SIGKILL
            whole.update(record.url for record in stored(tmp_path / "bulk"))
        host.before = lambda path: again.append(path) if BASE + path in whole else None
        assert run(work) == (0, "")
    assert again == []
    outcome = outcome_of(work)
    assert Counter(record.url for record in stored(tmp_path / "bulk")) == Counter(row.url for row in outcome.fetched)
    assert len(outcome.fetched) == len(served) + 1
    assert (outcome.unfinished, Counter(reasons(outcome).values())) == ([], {"licence": 8})


# ---------------------------------------------------------------- a response


LIST = response("".join(paper(f"2601.0000{k}", day=k + 1) for k in range(5)), "next & more")


@given(st.integers(0, len(LIST)))
def test_a_list_cut_anywhere_gives_what_is_whole(end: int) -> None:
    listed, complete = read_list(LIST[:end]), read_list(LIST)
    assert (len(complete.papers), complete.token, complete.is_cut) == (5, "next & more", False)
    assert listed.papers == complete.papers[: len(listed.papers)]
    assert listed.is_cut == bool(listed.faults) == (end < len(LIST))


@pytest.mark.parametrize("id", ["", "../../etc/passwd", "2601.1", "2601.00001v2?x", "cs.DC/0101001/..", "a" * 9999])
def test_what_is_no_identifier_is_told(id: str) -> None:
    listed = read_list(response(paper(id) + paper("math.GT/0309136")))
    assert [each.id for each in listed.papers] == ["math.GT/0309136"]
    assert len(listed.faults) == 1


def test_entities_are_not_expanded() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
    listed = read_list(response(paper("2601.00001").replace("On\n", "&b;&f;")).replace(b"?>", b"?>" + bomb.encode(), 1))
    assert all("aaaa" not in each.title and "root" not in each.title for each in listed.papers)
    deep = read_list(b"<a>" * 100_000)
    assert deep.is_cut


@pytest.mark.parametrize(
    ("url", "spdx"),
    [
        ("http://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by-sa/3.0", "CC-BY-SA-3.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("http://creativecommons.org/licenses/by-nc-sa/4.0/", None),
        ("http://creativecommons.org/licenses/by-nc-nd/4.0/", None),
        ("http://creativecommons.org/licenses/publicdomain/", None),
        (CLOSED, None),
        ("", None),
        ("https://evil.example/creativecommons.org/licenses/by/4.0/", None),
    ],
)
def test_open_licences(url: str, spdx: str | None) -> None:
    assert licence_of(url) == spdx


def test_what_a_record_says() -> None:
    (found,) = read_list(response(paper("2601.00001", day=7))).papers
    assert found == Paper(
        "2601.00001", "2026-01-07", False, "On 2601.00001", ("Ann B. Lee", "Group"), "cs.DC cs.OS", BY
    )


# ---------------------------------------------------------------- a paper

MAIN = TEX.replace("The scheduler", "\\input{parts/how}\nThe scheduler").encode()
PARTS = {"parts/how.tex": b"How tasks wait.", "fig/a.png": b"\x89PNG", "00README.XXX": b"other.tex toplevelfile\n"}


def page_of(body: bytes) -> str:
    return extract_eprint(
        body, "application/gzip", "https://export.arxiv.org/e-print/2601.00001", ExtractSettings()
    ).text


@pytest.mark.parametrize(
    "body",
    [TEX.encode(), gzip.compress(TEX.encode()), packed({"main.tex": TEX.encode()}), gzip.decompress(packed({"m.tex": TEX.encode()}))],
)  # fmt: skip
def test_a_paper_is_latex_however_it_is_packed(body: bytes) -> None:
    assert page_of(body).startswith("# Quotas of a scheduler\n\n## Introduction\n\nThe scheduler runs each")


def test_a_project_is_one_document() -> None:
    letter = TEX.replace("Quotas", "Answer").replace(" until its quota is used", "").encode()
    body = packed({"main.tex": MAIN, "letter.tex": letter, "macros.tex": b"\\newcommand{\\x}{y}" * 99, **PARTS})
    page = extract_eprint(body, None, "2601.00001", ExtractSettings())
    assert "How tasks wait. The scheduler runs each" in page.text.replace("\n", " ")
    assert "Answer" not in page.text
    assert (page.title, page.found["left_out"]) == ("Quotas of a scheduler", "letter.tex")


@pytest.mark.parametrize(
    "readme",
    [
        {"00README.XXX": b"letter.tex toplevelfile\nmain.tex toplevelfile\n"},
        {"00README.json": b'{"sources": [{"filename": "letter.tex", "usage": "toplevel"},{"filename": "main.tex", "usage": "toplevel"}]}'},
    ],
)  # fmt: skip
def test_a_project_says_what_its_document_is(readme: dict[str, bytes]) -> None:
    letter = TEX.replace("Quotas", "Answer").encode()
    page = extract_eprint(packed({"main.tex": MAIN, "letter.tex": letter, **readme}), None, "", ExtractSettings())
    assert page.title == "Answer of a scheduler"
    assert page.text.index("# Answer") < page.text.index("# Quotas")
    assert "left_out" not in page.found


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (gzip.compress(TEX.encode() * 50)[:-30], "damaged_archive"),
        (packed({"main.tex": TEX.encode() * 50, "b.tex": random.Random(1).randbytes(9000)})[:-400], "damaged_archive"),
        (gzip.decompress(packed({"main.tex": TEX.encode() * 50}))[:3000], "damaged_archive"),
        (gzip.compress(b"%!PS-Adobe-3.0", mtime=0), "not_text"),
        (b"no markup at all", "not_text"),
        (gzip.compress(b"\x89PNG\r\n\x1a\n", mtime=0), "not_text"),
    ],
)
def test_what_is_no_whole_paper_is_unreadable(body: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        page_of(body)
    assert caught.value.reason == reason


def test_a_paper_unpacked_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.extract.latex.eprint.MAX_UNPACKED_BYTES", 10_000)
    with pytest.raises(Unreadable, match="too_large"):
        page_of(gzip.compress(TEX.encode() * 100))
