"""Dumps of a wiki: which files, which articles, and what of a damaged one."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import signal
import subprocess
from pathlib import Path

import pytest

from manifests.models import Source
from pipelines.extract.raw import Broken, Raw
from pipelines.extract.records import read_raw
from tests.bulk_site import BASE, Answer, Host, job, outcome_of, read, reasons, run, source, start
from tests.test_bulk_mediawiki import dump, page

LATEST = "/xwiki/latest/xwiki-latest"
ARTICLES = "pages-articles-multistream"


def sums(files: dict[str, bytes]) -> Answer:
    return Answer("".join(f"{hashlib.sha1(body).hexdigest()}  {name}\n" for name, body in files.items()).encode())


def served(files: dict[str, bytes]) -> dict[str, Answer]:
    """A dump of 20 January, and the checksums that `latest` has of it."""
    found = {f"/xwiki/20260120/{name}": Answer(body, headers={"ETag": '"1"'}) for name, body in files.items()}
    return {f"{LATEST}-sha1sums.txt": sums({**files, "xwiki-20260120-abstract.xml.gz": b""}), **found}


def wiki(name: str = f"{LATEST}-{ARTICLES}.xml.bz2", **changes: object) -> Source:
    values = {"bulk_checksums": f"{BASE}{LATEST}-sha1sums.txt", **changes}
    return source("mediawiki_dump", "wiki", bulk_url=f"{BASE}{name}", **values)


def articles(directory: Path, name: str) -> list[Raw | Broken]:
    return list(read_raw(str(directory / "wiki/files" / name), f"wiki/files/{name}", 1 << 20))


PAGES = [page(1), page(2, "#REDIRECT", extra='<redirect title="B" />'), page(3, ns=4), page(4, "text & more"), page(5)]
WHOLE = bz2.compress(dump(*PAGES[:2])[:-13]) + bz2.compress("".join(PAGES[2:]).encode() + b"</mediawiki>\n")
FILE = f"xwiki-20260120-{ARTICLES}.xml.bz2"


def test_the_dump_of_the_date_that_the_checksums_tell_is_kept_whole(tmp_path: Path) -> None:
    answers = served({FILE: WHOLE})
    with Host(answers) as host:
        work = job(tmp_path, host, wiki(bulk_dated="2026-01-20"))
        assert read(work) == {}
        assert read(work) == {}
        assert host.asked == dict.fromkeys(["/robots.txt", *answers], 1)
    assert (tmp_path / "wiki/files/wiki.xml.bz2").read_bytes() == WHOLE
    assert [each.name for each in articles(tmp_path, "wiki.xml.bz2") if isinstance(each, Raw)] == [
        "Page 1", "Page 4", "Page 5",
    ]  # fmt: skip


def test_with_patterns_the_wanted_articles_are_kept(tmp_path: Path) -> None:
    with Host(served({FILE: WHOLE})) as host:
        work = job(tmp_path, host, wiki(bulk_include=["^Page [1-4]$"], bulk_exclude=["1"]))
        assert read(work) == {}
        assert outcome_of(work, "wiki").ignored == {"no_article": 2, "not_included": 2}
        assert read(work) == {}
        assert host.asked[f"/xwiki/20260120/{FILE}"] == 1
    assert outcome_of(work, "wiki").ignored == {"no_article": 2, "not_included": 2}
    kept = gzip.decompress((tmp_path / "wiki/files/wiki.xml.gz").read_bytes())
    assert kept.count(b"<page>") == 1
    assert PAGES[3].strip().encode() in kept
    (found,) = articles(tmp_path, "wiki.xml.gz")
    assert isinstance(found, Raw)
    assert (found.name, found.body) == ("Page 4", b"text & more")
    assert sorted(path.name for path in (tmp_path / "wiki/files").iterdir()) == ["wiki.xml.gz"]


def test_an_article_is_the_same_in_whichever_part_it_stands(tmp_path: Path) -> None:
    identities = []
    for cut in (1, 4):
        files = {
            f"xwiki-20260120-{ARTICLES}{number}.xml-p{number}p9.bz2": bz2.compress(dump(*pages))
            for number, pages in ((10, PAGES[cut:]), (2, PAGES[:cut]))
        }
        with Host(served(files)) as host:
            directory = tmp_path / str(cut)
            assert read(job(directory, host, wiki("/xwiki/latest/"))) == {}
        names = [f"wiki.part{number:04}.xml.bz2" for number in (0, 1)]
        found = [each for name in names for each in articles(directory, name) if isinstance(each, Raw)]
        assert [each.name for each in found] == ["Page 1", "Page 4", "Page 5"]
        identities.append([each.doc_id for each in found])
    assert identities[0] == identities[1]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"bulk_dated": "2025-12-01"}, "other_date"), ({"name": f"{LATEST}-pages-meta.xml.bz2"}, "no_checksum")],
)
def test_what_the_checksums_do_not_tell_is_not_fetched(tmp_path: Path, changes: dict[str, str], reason: str) -> None:
    with Host(served({FILE: WHOLE})) as host:
        work = job(tmp_path, host, wiki(**changes))
        assert read(work) == {}
        assert host.asked.total() == 2
    assert set(reasons(outcome_of(work, "wiki")).values()) == {reason}


@pytest.mark.parametrize("narrowed", [{}, {"bulk_include": ["Page"]}])
def test_what_does_not_fit_its_checksum_is_not_kept(tmp_path: Path, narrowed: dict[str, list[str]]) -> None:
    answers = served({FILE: WHOLE})
    answers[f"/xwiki/20260120/{FILE}"] = Answer(WHOLE[:-1] + b"x")
    with Host(answers) as host:
        work = job(tmp_path, host, wiki(**narrowed))
        assert read(work) == {}
    assert reasons(outcome_of(work, "wiki")) == {f"/xwiki/20260120/{FILE}": "checksum_mismatch"}
    assert not list((tmp_path / "wiki/files").glob("wiki*"))


def test_of_a_damaged_dump_the_whole_articles_are_kept(tmp_path: Path) -> None:
    damaged = bz2.compress(dump(*PAGES[:2])[:-13]) + bz2.compress("".join(PAGES[2:]).encode())[:-200]
    url = f"{BASE}/dump.xml.bz2"
    with Host({"/dump.xml.bz2": Answer(damaged)}) as host:
        sources = [
            source("mediawiki_dump", "wiki", bulk_url=url, bulk_include=["Page"]),
            source("mediawiki_dump", "other", bulk_url=url),
        ]
        work = job(tmp_path, host, *sources)
        assert read(work) == {}
        assert read(work) == {}
    assert reasons(outcome_of(work, "wiki")) == {"/dump.xml.bz2": "damaged_dump"}
    assert [each.name for each in articles(tmp_path, "wiki.xml.gz") if isinstance(each, Raw)] == ["Page 1"]
    found = list(read_raw(str(tmp_path / "other/files/other.xml.bz2"), "other.xml.bz2", 1 << 20))
    assert [each.reason for each in found if isinstance(each, Broken)] == ["damaged_dump"]


def test_a_killed_worker_fetches_no_part_again_that_it_had(tmp_path: Path) -> None:
    files = {f"xwiki-20260120-{ARTICLES}{k}.xml-p{k}p{k}.bz2": bz2.compress(dump(page(k))) for k in range(1, 7)}
    with Host(served(files)) as host:
        work = job(tmp_path, host, wiki("/xwiki/latest/", bulk_include=["Page"]))
        process = start(work)

        def watch(path: str, process: subprocess.Popen[str] = process) -> None:
            if host.asked.total() == 6:
                process.kill()

        host.before = watch
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        host.before = lambda path: None
        assert run(work) == (0, "")
        assert {path for path, count in host.asked.items() if count > 1} <= {
            f"/xwiki/20260120/xwiki-20260120-{ARTICLES}4.xml-p4p4.bz2"
        }
    names = sorted(path.name for path in (tmp_path / "wiki/files").iterdir())
    assert names == [f"wiki.part{number:04}.xml.gz" for number in range(6)]
    assert [each.name for name in names for each in articles(tmp_path, name) if isinstance(each, Raw)] == [
        f"Page {k}" for k in range(1, 7)
    ]
    assert outcome_of(work, "wiki").unfinished == []
