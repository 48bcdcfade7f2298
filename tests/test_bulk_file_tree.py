"""Directories that a web server lists."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from crawlers.bulk.readers import file_tree
from tests.bulk_site import BASE, Answer, Host, job, outcome_of, read, reasons, run, source, start, stored

HTML = {"Content-Type": "text/html;charset=utf-8"}


def apache(path: str, *names: str) -> Answer:
    rows = "".join(
        f'<tr><td valign="top"><img src="/icons/unknown.gif" alt="[   ]"></td><td><a href="{name}">{name[:21]}</a></td>'
        f'<td align="right">2026-01-02 03:04  </td><td align="right">1.2K</td></tr>\n'
        for name in names
    )
    sort = '<th><a href="?C=N;O=D">Name</a></th><th><a href="?C=M;O=A">Last modified</a></th>'
    up = f'<tr><td></td><td><a href="{path.rstrip("/").rpartition("/")[0]}/">Parent Directory</a></td></tr>'
    body = f"<html><head><title>Index of {path}</title></head><body><table><tr>{sort}</tr>{up}{rows}</table>"
    return Answer(body.encode(), headers=HTML)


def nginx(path: str, *names: str) -> Answer:
    rows = "".join(f'<a href="{name}">{name}</a>{" " * 20}02-Jan-2026 03:04    1234\r\n' for name in names)
    body = (
        f'<html>\r\n<head><title>Index of {path}</title></head>\r\n<body><hr><pre><a href="../">../</a>\r\n{rows}</pre>'
    )
    return Answer(body.encode(), headers=HTML)


def lighttpd(path: str, *names: str) -> Answer:
    rows = "".join(
        f'<tr class="d"><td class="n"><a href="{name}">{name.rstrip("/")}</a>/</td><td class="m">2026-Jan-02</td></tr>'
        for name in names
    )
    body = f'<table summary="Directory Listing"><tr><td class="n"><a href="../">..</a>/</td></tr>{rows}</table>'
    return Answer(body.encode(), headers=HTML)


def files(directory: Path) -> list[str]:
    return [
        record.url.removeprefix(BASE)
        for record in stored(directory)
        if record.about.get("role") != "index" and not record.url.endswith("robots.txt")
    ]


def test_directories_are_read_down_as_each_server_lists_them(tmp_path: Path) -> None:
    served = {
        "/pub/": apache("/pub/", "v6.x/", "%23ubuntu.txt", "key.asc"),
        "/pub/v6.x/": nginx("/pub/v6.x/", "ChangeLog-6.1", "old/", "incr/"),
        "/pub/v6.x/incr/": lighttpd("/pub/v6.x/incr/", "a%20b.txt"),
    }
    text = Answer(b"text", headers={"Content-Type": "text/plain"})
    served |= dict.fromkeys(["/pub/v6.x/ChangeLog-6.1", "/pub/%23ubuntu.txt", "/pub/v6.x/incr/a%20b.txt"], text)
    with Host(served) as host:
        wanted = [r"/ChangeLog-6\.[0-9.]+$", r"\.txt$"]
        work = job(
            tmp_path, host, source("file_tree", bulk_url=f"{BASE}/pub", bulk_include=wanted, bulk_exclude=["/old/"])
        )
        assert read(work) == {}
        assert outcome_of(work).ignored == {"not_included": 1}
        assert read(work) == {}
        assert host.asked == dict.fromkeys(["/robots.txt", *served], 1)
    assert files(tmp_path / "bulk") == ["/pub/%23ubuntu.txt", "/pub/v6.x/ChangeLog-6.1", "/pub/v6.x/incr/a%20b.txt"]
    assert (outcome_of(work).unfinished, outcome_of(work).not_fetched) == ([], [])


def test_no_link_leads_out_of_the_root(tmp_path: Path) -> None:
    ways = [
        "../out.txt",
        "/out.txt",
        "..%2fout.txt",
        "%2e%2e/out.txt",
        "http://elsewhere.example/pub/x.txt",
        "..\\out.txt",
    ]
    ways += [
        "./",
        "?x=1.txt",
        "#x",
        "sub/deeper/x.txt",
        "//elsewhere.example/pub/x.txt",
        "in.txt",
        "javascript:x",
        "away/",
    ]
    served = {"/pub/": nginx("/pub/", *ways), "/pub/in.txt": Answer(b"in"), "/out/": nginx("/out/", "x.txt")}
    served["/pub/away/"] = Answer(b"", 301, {"Location": "/out/"})
    with Host(served) as host:
        work = job(tmp_path, host, source("file_tree", bulk_url=f"{BASE}/pub/"))
        assert read(work) == {}
    assert files(tmp_path / "bulk") == ["/pub/..%2fout.txt", "/pub/in.txt"]
    assert reasons(outcome_of(work)) == {"/out/": "out_of_scope"}


def test_a_tree_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Host({}) as host:
        loop = nginx("/", "f.txt", "again/", "and/")
        host.before = lambda path: host.answers.update({path: loop} if path.endswith("/") else {})
        monkeypatch.setattr(file_tree, "MAX_DEPTH", 3)
        work = job(tmp_path / "deep", host, source("file_tree", bulk_url=f"{BASE}/"))
        assert read(work) == {}
        assert Counter(reasons(outcome_of(work)).values()) == {"too_deep": 16}
        assert len(outcome_of(work).fetched) == 1 + 15 * 2
        monkeypatch.setattr(file_tree, "MAX_ENTRIES", 20)
        work = job(tmp_path / "many", host, source("file_tree", bulk_url=f"{BASE}/"))
        assert read(work) == {}
        assert Counter(reasons(outcome_of(work)).values())["too_many_files"] == 1
        assert len(outcome_of(work).fetched) < 25


def test_a_listing_that_is_missing_or_too_large_costs_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crawlers.bulk.listing.MAX_LINK_TAGS", 50)
    names = [f"{number}.txt" for number in range(60)]
    served = {"/": nginx("/", "large/", "gone/", "a.txt"), "/large/": nginx("/large/", *names), "/a.txt": Answer(b"a")}
    with Host(served) as host:
        work = job(tmp_path, host, source("file_tree", bulk_url=f"{BASE}/"))
        assert read(work) == {}
    assert files(tmp_path / "bulk") == ["/a.txt"]
    assert reasons(outcome_of(work)) == {"/large/": "too_large"}


def test_a_killed_worker_goes_on_and_asks_for_nothing_twice(tmp_path: Path) -> None:
    served = {"/": nginx("/", *(f"{d}/" for d in range(5)))}
    for d in range(5):
        served[f"/{d}/"] = apache(f"/{d}/", *(f"{k}.txt" for k in range(5)))
        served |= {f"/{d}/{k}.txt": Answer(b"text") for k in range(5)}
    whole: set[str] = set()
    again: list[str] = []
    with Host(served) as host:
        work = job(tmp_path, host, source("file_tree", bulk_url=f"{BASE}/"))
        for moment in (9, 20):
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
    assert len(files(tmp_path / "bulk")) == len(set(files(tmp_path / "bulk"))) == 25
    assert outcome_of(work).unfinished == []
