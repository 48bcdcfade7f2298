"""The process that reads bulk sources: its end, kills, signals; the readers `json_api` and what `split` makes of it."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from crawlers.bulk.readers import check_source, find_reader, reader_names
from crawlers.bulk.split import Piece
from crawlers.bulk.worker import main
from crawlers.warc import Damage, Record, read_records, warc_files
from manifests.load import load_sources
from tests.bulk_site import BASE, Answer, Host, job, outcome_of, read, reasons, run, source, start
from tests.crawl_site import source as crawled

FIELDS = {"items": "bugs", "id": "id", "title": "summary", "text": "comments.text", "page": f"{BASE}/show?id={{}}"}
PAGES = 60
SITES = Path(__file__).resolve().parents[1] / "manifests" / "sites"


def answers(pages: int) -> dict[str, Answer]:
    """Pages of two bugs, each of which links to the next."""
    found = {}
    for number in range(pages):
        bugs = [
            {"id": 2 * number + k, "summary": "It hangs", "comments": [{"text": "First."}, {"text": f"Then {number}."}]}
            for k in range(2)
        ]
        answer: dict[str, Any] = {"bugs": bugs, "more": f"/index.json?page={number + 1}"}
        if number + 1 == pages:
            del answer["more"]
        path = f"/index.json?page={number}" if number else "/index.json"
        found[path] = Answer(json.dumps(answer).encode(), headers={"Content-Type": "application/json"})
    return found


def stored(directory: Path) -> list[Record]:
    found: list[Record] = []
    for path in warc_files(directory):
        with path.open("rb") as stream:
            for item in read_records(stream, path.name, 1 << 20):
                assert not isinstance(item, Damage)
                found.append(item)
    return found


def pieces(records: list[Record]) -> list[Piece]:
    split = find_reader("json_api").split
    assert split is not None
    return [piece for record in records if record.about.get("reader") == "json_api" for piece in split(record)]


def test_an_interface_is_read_page_after_page(tmp_path: Path) -> None:
    with Host(answers(3)) as host:
        work = job(tmp_path, host, source(bulk_fields={**FIELDS, "next": "more"}))
        assert read(work) == {}
        assert read(work) == {}
        assert host.asked == {"/robots.txt": 1, "/index.json": 1, "/index.json?page=1": 1, "/index.json?page=2": 1}
    assert outcome_of(work).unfinished == []
    found = pieces(stored(tmp_path / "bulk"))
    assert [(piece.number, piece.id) for piece in found] == [(k % 2, str(k)) for k in range(6)]
    assert found[4].body == b"# It hangs\n\nFirst.\n\nThen 2."
    assert (found[4].url, found[4].content_type) == (f"{BASE}/show?id=4", "text/markdown")


@pytest.mark.parametrize(
    ("fields", "headers", "paths"),
    [
        ({"next": "link"}, {"Link": '<?page=9>; rel="last", <?page=1>; title="a"; rel="next"'}, ["", "?page=1"]),
        ({"cursor": "after", "parameter": "c"}, {}, ["", "?c=x+y"]),
        ({"parameter": "start", "first": "0", "step": "50"}, {}, ["", "?start=50"]),
        ({"parameter": "page"}, {}, ["", "?page=2"]),
        ({}, {}, [""]),
    ],
)
def test_ways_to_the_next_page(
    tmp_path: Path, fields: dict[str, str], headers: dict[str, str], paths: list[str]
) -> None:
    first = Answer(json.dumps({"bugs": [{"id": 1}], "after": "x y"}).encode(), headers=headers)
    last = Answer(b'{"bugs": []}')
    served = {f"/index.json{path}": last for path in paths} | {"/index.json": first}
    with Host(served) as host:
        assert read(job(tmp_path, host, source(bulk_fields={**FIELDS, **fields}))) == {}
        assert host.asked == {"/robots.txt": 1} | {f"/index.json{path}": 1 for path in paths}


def test_a_list_of_items_that_have_pages_of_their_own(tmp_path: Path) -> None:
    fields = {"each": f"{BASE}/item/{{}}.json", "text": "text", "format": "html", "title": "title", "licence": "terms"}
    served = {
        "/index.json": Answer(b"[7, 8, 9]"),
        "/item/7.json": Answer(b'{"text": "<p>Seven</p>", "title": "1 < 2", "terms": "CC0-1.0"}'),
        "/item/9.json": Answer(b'{"text": true}'),
    }
    with Host(served) as host:
        work = job(tmp_path, host, source(bulk_fields=fields))
        assert read(work) == {}
    records = stored(tmp_path / "bulk")
    assert {record.url.removeprefix(BASE): record.about.get("role") for record in records} == {
        "/robots.txt": None, "/index.json": "index", "/item/7.json": None, "/item/8.json": None, "/item/9.json": None,
    }  # fmt: skip
    found = pieces([record for record in records if record.status == 200])
    assert [(each.body, each.licence, each.url) for each in found] == [
        (b"<h1>1 &lt; 2</h1>\n\n<p>Seven</p>", "CC0-1.0", f"{BASE}/item/7.json")
    ]


@pytest.mark.parametrize("body", [b"no json", b'{"bugs": 1', b'{"other": []}', b"[" * 200_000])
def test_what_is_no_list_of_items_stands_in_the_index(tmp_path: Path, body: bytes) -> None:
    with Host({"/index.json": Answer(body)}) as host:
        work = job(tmp_path, host, source(bulk_fields=FIELDS))
        assert read(work) == {}
    assert reasons(outcome_of(work)) == {"/index.json": "malformed"}


def test_a_killed_worker_goes_on_and_asks_for_nothing_twice(tmp_path: Path) -> None:
    moments = sorted(random.Random(2).sample(range(2, PAGES), 4))
    whole: set[str] = set()
    again: list[str] = []
    with Host(answers(PAGES)) as host:
        work = job(tmp_path, host, source(bulk_fields={**FIELDS, "next": "more"}), warc_bytes=64 * 1024)
        for moment in moments:
            process = start(work)

            def watch(path: str, process: subprocess.Popen[str] = process, moment: int = moment) -> None:
                if BASE + path in whole:
                    again.append(path)
                if host.asked.total() >= moment:
                    process.kill()

            host.before = watch
            process.communicate(timeout=60)
            assert process.returncode == -signal.SIGKILL
            whole.update(record.url for record in stored(tmp_path / "bulk"))
        host.before = lambda path: again.append(path) if BASE + path in whole else None
        assert run(work) == (0, "")
    assert again == []
    assert len(whole) > PAGES / 3
    outcome = outcome_of(work)
    assert Counter(record.url for record in stored(tmp_path / "bulk")) == Counter(row.url for row in outcome.fetched)
    assert len(outcome.fetched) == PAGES + 1
    assert (outcome.unfinished, outcome.not_fetched) == ([], [])
    assert len(pieces(stored(tmp_path / "bulk"))) == 2 * PAGES


def test_a_signal_ends_it_between_two_pages_or_in_one(tmp_path: Path) -> None:
    with Host(answers(8)) as host:
        work = job(tmp_path, host, source(bulk_fields={**FIELDS, "next": "more"}), source(id="later"))
        process = start(work)
        host.before = lambda path: process.send_signal(signal.SIGTERM) if host.asked.total() == 5 else None
        _, said = process.communicate(timeout=60)
        assert process.returncode == 128 + signal.SIGTERM
        assert said == "crawlers.bulk.worker: stopped by SIGTERM; unfinished: bulk, later\n"
        host.before = lambda path: None
        assert run(work) == (0, "")
        assert {path: count for path, count in host.asked.items() if count > 1}.keys() <= {
            "/index.json?page=3", "/robots.txt", "/index.json",
        }  # fmt: skip
    assert len(outcome_of(work).fetched) == 9


def test_a_broken_source_does_not_stop_the_others(tmp_path: Path) -> None:
    with Host(answers(1)) as host:
        work = job(tmp_path, host, source("nowhere", "first"), source(id="held"), source(id="last"))
        (tmp_path / "held").write_text("in the way")
        code, said = run(work)
    assert code == 1
    names = ", ".join(reader_names())
    assert said.startswith("crawlers.bulk.worker: first: ValueError: there is no bulk reader 'nowhere'; there are ")
    assert names in said
    assert "; held: " in said
    assert said.count("\n") == 1
    assert len(outcome_of(work, "last").fetched) == 2


@pytest.mark.parametrize("name", ["../worker", "json_api.x", "os", "", "__init__"])
def test_only_readers_are_readers(name: str) -> None:
    with pytest.raises(ValueError, match="there is no bulk reader"):
        find_reader(name)


def test_a_field_that_a_reader_does_not_know_is_refused() -> None:
    check_source(source(bulk_fields=FIELDS))
    check_source(crawled())
    with pytest.raises(ValueError, match="the bulk reader json_api knows no field 'itmes'"):
        check_source(source(bulk_fields={"itmes": "bugs"}))
    with pytest.raises(ValueError, match="the bulk reader dump knows no field 'page'"):
        check_source(source("dump", bulk_fields={"page": "x"}))


@pytest.mark.parametrize("path", sorted(SITES.glob("*.yaml")), ids=lambda path: path.stem)
def test_readers_understand_what_manifests_tell_them(path: Path) -> None:
    for each in load_sources(path):
        if each.bulk and each.bulk.reader in reader_names():
            check_source(each)


def test_no_job_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "job.json"
    path.write_text("{}")
    assert (main([str(path)]), main([])) == (1, 1)
    assert capsys.readouterr().err.count("\n") == 2
