"""Papers, standards, lists and wikis that are read in bulk, through the stages crawl and extract of a run."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import pytest
from fpdf import FPDF

from pipelines.engine import read_commit
from tests.bulk_site import Answer, Host
from tests.test_bulk_file_tree import nginx
from tests.test_bulk_lists import FEBRUARY, JANUARY, index, message
from tests.test_bulk_mediawiki import dump, page
from tests.test_bulk_oai import CLOSED, TEX, packed, paper, response
from tests.test_bulk_rfc_index import entry
from tests.test_bulk_rfc_index import index as rfc_index
from tests.test_bulk_run import TEXT, make, recipe, rows
from tests.test_extract_rfc import BODY, FIRST_PAGE

pytestmark = [pytest.mark.usefixtures("on_head"), pytest.mark.slow]

PLAIN = {"Content-Type": "text/plain"}
HTML = {"Content-Type": "text/html"}
RFC = (
    f"\n\nNetwork Working Group                 A. Lee\nRequest for Comments: 1                UCLA\n\n\n\n   {TEXT}\n"
)


def pdf(words: str) -> Answer:
    document = FPDF()
    document.add_page()
    document.set_font("helvetica", size=11)
    document.multi_cell(0, text=words)
    return Answer(bytes(document.output()), headers={"Content-Type": "application/pdf"})


def served() -> dict[str, Answer]:
    papers = "".join(
        paper(f"2601.0000{number}", CLOSED if number == 5 else paper_licence(number)) for number in range(1, 6)
    )
    tar = packed({"main.tex": TEX.replace("quota", "share").encode(), "fig.png": b"\x89PNG"})
    return {
        "/oai?metadataPrefix=arXiv&verb=ListRecords": Answer(response(papers)),
        "/e-print/2601.00001": Answer(gzip.compress(TEX.encode()), headers={"Content-Type": "application/gzip"}),
        "/e-print/2601.00002": Answer(tar, headers={"Content-Type": "application/gzip"}),
        "/e-print/2601.00003": pdf(f"A paper. {TEXT} " * 8),
        "/e-print/2601.00004": Answer(tar[:-60], headers={"Content-Type": "application/gzip"}),
        "/rfc-index.xml": Answer(rfc_index(entry(1, "TEXT"))),
        "/rfc/1.txt": Answer((FIRST_PAGE + BODY).encode(), headers=PLAIN),
        "/papers.html": Answer(b'<a href="/p/one.pdf">Queues</a>', headers=HTML),
        "/p/one.pdf": pdf(f"Queues. {TEXT} " * 8),
        "/tree/": nginx("/tree/", "sub/"),
        "/tree/sub/": nginx("/tree/sub/", "notes.txt"),
        "/tree/sub/notes.txt": Answer(TEXT.encode(), headers=PLAIN),
        "/pipermail/ops/": index("2024-February.txt", "2024-January.txt"),
        "/pipermail/ops/2024-January.txt": Answer(JANUARY, headers=PLAIN),
        "/pipermail/ops/2024-February.txt": Answer(FEBRUARY, headers=PLAIN),
        "/inbox/all.mbox.gz": Answer(gzip.compress(message(9, "May"))),
        "/wiki.xml.bz2": Answer(bz2.compress(dump(page(1, f"== Queue ==\n{TEXT}"), page(2, TEXT)))),
    }


def paper_licence(number: int) -> str:
    return f"http://creativecommons.org/licenses/{'by-sa' if number == 2 else 'by'}/4.0/"


def test_each_kind_of_source_gives_documents_with_their_places(tmp_path: Path) -> None:
    with Host(served()) as host:
        root = f"http://127.0.0.1:{host.port}"
        readers: dict[str, dict[str, object]] = {
            "oai_arxiv": {"url": f"{root}/oai", "fields": {"source": f"{root}/e-print/{{}}"}},
            "rfc_index": {"url": f"{root}/rfc-index.xml", "fields": {"text": f"{root}/rfc/{{}}.txt"}},
            "pdf_index": {"url": f"{root}/papers.html"},
            "file_tree": {"url": f"{root}/tree/"},
            "pipermail": {"url": f"{root}/pipermail/ops/"},
            "public_inbox": {"url": f"{root}/inbox/"},
            "mediawiki_dump": {"url": f"{root}/wiki.xml.bz2", "exclude": ["2$"]},
        }
        path, run = recipe(tmp_path, readers), tmp_path / "run"
        for stage in ("crawl", "extract"):
            done = make(stage, path, run)
            assert done.returncode == 0, done.stderr[-2000:]
    crawled, extracted = read_commit(str(run / "crawl")), read_commit(str(run / "extract"))
    assert crawled is not None
    assert extracted is not None
    assert crawled.counts.dropped["licence"] == 1
    assert dict(extracted.counts.quarantined) == {"damaged_archive": 1}
    documents = {row["doc_id"]: row for row in rows(run / "extract")}
    places = rows(run / "extract" / "records")
    assert sorted((row["file"], documents[row["doc_id"]]["method"]) for row in places) == sorted(
        [
            *[("of_oai_arxiv/00000.warc.gz", method) for method in ("latex", "latex", "pdf")],
            ("of_rfc_index/00000.warc.gz", "rfc"),
            ("of_pdf_index/00000.warc.gz", "pdf"),
            ("of_file_tree/00000.warc.gz", "plain"),
            *[("of_pipermail/files/of_pipermail.mbox.gz", "mail")] * 2,
            ("of_public_inbox/files/of_public_inbox.mbox.gz", "mail"),
            ("of_mediawiki_dump/files/of_mediawiki_dump.xml.gz", "wikitext"),
        ]
    )
    assert len({(row["file"], row["row"], row["piece"]) for row in places}) == len(places) == 10
    papers = [row for row in documents.values() if row["source"] == "of_oai_arxiv"]
    assert {row["licence"] for row in papers} == {"CC-BY-4.0", "CC-BY-SA-4.0"}
    # What the list calls a paper goes before what its text seems to say.
    assert {row["title"][:8] for row in papers} == {"On 2601."}
    assert all(row["authors"] for row in papers)
