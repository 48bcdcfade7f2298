"""Papers that a page links."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawlers.bulk.listing import titles_of
from crawlers.links import page_links
from tests.bulk_site import BASE, Answer, Host, job, outcome_of, read, reasons, source, stored

HTML = {"Content-Type": "text/html;charset=utf-8"}


PAGE = b"""<html><base href="/conf/"><body><h2>Papers</h2><ul>
<li><a class=t href="p/one.pdf">Queues &amp; <i>quotas</i></a> (<a href='p/one.pdf'>PDF</a>)
<li><a href="p/two.PDF"><img src=x></a> <a href="p/two.PDF">Two\n papers</a>
<li><a href="p/slides.pptx">Slides</a> <a href="http://other.example/three.pdf">Three</a> <a rel=nofollow href="p/no.pdf">N</a>
<li><a href="p/cut.pdf">Cut"""


def test_papers_that_a_page_links(tmp_path: Path) -> None:
    pdf = Answer(b"%PDF-1.4", headers={"Content-Type": "application/pdf"})
    served = {"/2026.html": Answer(PAGE, headers=HTML)}
    served |= dict.fromkeys(["/conf/p/one.pdf", "/conf/p/two.PDF", "/conf/p/cut.pdf"], pdf)
    with Host(served) as host:
        work = job(tmp_path, host, source("pdf_index", bulk_url=f"{BASE}/2026.html", bulk_exclude=["/cut"]))
        assert read(work) == {}
        assert read(work) == {}
        assert "/conf/p/cut.pdf" not in host.asked
        assert set(host.asked.values()) == {1}
    papers = [record for record in stored(tmp_path / "bulk") if record.url.lower().endswith(".pdf")]
    assert [(each.url.rpartition("/")[2], each.about) for each in papers] == [
        ("one.pdf", {"title": "Queues & quotas"}),
        ("two.PDF", {"title": "Two papers"}),
    ]
    assert reasons(outcome_of(work))["http://other.example/three.pdf"] == "out_of_scope"


def test_papers_that_json_names(tmp_path: Path) -> None:
    body = {
        "papers": [{"title": "One\n paper", "files": [{"pdf": "a/1"}, {"pdf": f"{BASE}/a/2"}]}, {"name": "b", "x": 3}]
    }
    with Host({"/list": Answer(json.dumps(body).encode()), "/a/1": Answer(b"%PDF-"), "/a/2": Answer(b"%PDF-")}) as host:
        work = job(tmp_path, host, source("pdf_index", bulk_url=f"{BASE}/list", bulk_include=["/a/[0-9]$"]))
        assert read(work) == {}
    about = {each.url.removeprefix(BASE): each.about for each in stored(tmp_path / "bulk")}
    assert (about["/a/1"], about["/a/2"]) == ({"title": "One paper"}, {"title": "One paper"})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<p>no links", "no_links"),
        (b'{"a": "x.pdf"', "malformed"),
        (b"[" * 200_000, "malformed"),
        (b'{"a": 1}', "no_links"),
        (b'<meta name=robots content=nofollow><a href="x.pdf">x</a>', "no_links"),
    ],
)
def test_a_page_without_papers_stands_in_the_index(tmp_path: Path, body: bytes, reason: str) -> None:
    with Host({"/list": Answer(body, headers=HTML)}) as host:
        work = job(tmp_path, host, source("pdf_index", bulk_url=f"{BASE}/list"))
        assert read(work) == {}
    assert reasons(outcome_of(work)) == {"/list": reason}


@given(
    st.lists(
        st.sampled_from(["<a href=", '"x">', "'y'>", "<b>", "t", "</a>", "<a ", ">", "&amp;", "<!--"]), max_size=40
    )
)
def test_titles_are_of_links(parts: list[str]) -> None:
    body = "".join(parts).encode()
    links = page_links(body, f"{BASE}/", "text/html")
    titles = titles_of(body, f"{BASE}/", "text/html", links)
    assert set(titles) <= set(links)
    assert all(title.strip() and len(title) <= 300 for title in titles.values())


@pytest.mark.parametrize("part", [b"<a href=x>", b"<a ", b"<a href=x>" + b"y" * 500 + b"<b", b"<base ", b"<a href=x><"])
def test_hostile_links_have_titles_in_a_moment(part: bytes) -> None:
    assert titles_of(part * (400_000 // len(part)), f"{BASE}/", None, [f"{BASE}/x"]).keys() <= {f"{BASE}/x"}
