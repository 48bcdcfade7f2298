"""Bulk sources through the stages crawl and extract of a run."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from pipelines.engine import read_commit
from tests import runs
from tests.bulk_site import Answer, Host
from tests.test_bulk_archives import sevenzip
from tests.test_bulk_packages import COPYRIGHT, FIELDS, deb, mirror
from tests.test_bulk_stackexchange import answer, dump, question

pytestmark = pytest.mark.usefixtures("on_head")

TEXT = "The scheduler runs each task of the queue until its quota is used, and then the next one."


def recipe(directory: Path, readers: dict[str, dict[str, object]]) -> Path:
    base = {"name": "Bulk", "category": "bug_trackers_and_advisories", "kind": "bulk", "status": "on"}
    base |= {"licence": "CC-BY-4.0", "licence_evidence": "test"}
    sources = [{**base, "id": f"of_{reader}", "bulk": {"reader": reader, **bulk}} for reader, bulk in readers.items()]
    (directory / "sites.yaml").write_text(yaml.safe_dump(sources))
    path = directory / "recipe.yaml"
    crawl = {"contact": "test@example.org", "private_addresses": True, "delay_s": 0.0, "retries": 0}
    path.write_text(yaml.safe_dump({"name": "bulk", "manifests": ["sites.yaml"], "parts": 2, "crawl": crawl}))
    return path


def make(stage: str, recipe: Path, run: Path) -> subprocess.CompletedProcess[str]:
    return runs.syscorpus(stage, "--recipe", recipe, "--run", run, "--workers", 2)


def rows(directory: Path) -> list[dict[str, Any]]:
    return [row for part in sorted(directory.glob("part-*.parquet")) for row in pq.read_table(part).to_pylist()]


def test_documents_of_bulk_sources_come_out_with_their_places(tmp_path: Path) -> None:
    bugs = [{"id": number, "text": f"# Bug {number}\n\n{TEXT}"} for number in range(3)]
    fields = {"items": "bugs", "id": "id", "text": "text", "next": "more", "page": "https://bugs.example/{}"}
    man = f".TH TOOL 1\n.SH NAME\ntool \\- a tool\n.SH DESCRIPTION\n{TEXT}\n".encode()
    package = deb({"./usr/share/man/man1/tool.1.gz": gzip.compress(man), "./usr/share/doc/tool/copyright": COPYRIGHT})
    posts = dump(question(7, Body=f"&lt;p&gt;{TEXT}"), answer(8, 7, Body=TEXT), answer(9, 99))
    answers = {
        "/bugs": Answer(json.dumps({"bugs": bugs[:2], "more": "/bugs?page=2"}).encode()),
        "/bugs?page=2": Answer(json.dumps({"bugs": bugs[2:]}).encode()),
        "/unix.stackexchange.com.7z": Answer(sevenzip({"Posts.xml": posts})),
        **mirror(("tool", package)),
    }
    with Host(answers) as host:
        root = f"http://127.0.0.1:{host.port}"
        terms = {"dated": "2024-04-02", "agreement": "CC BY-SA alone"}
        readers = {
            "json_api": {"url": f"{root}/bugs", "fields": fields},
            "packages": {"url": f"{root}/debian", "fields": FIELDS},
            "stackexchange": {"url": f"{root}/unix.stackexchange.com.7z", **terms},
        }
        path, run = recipe(tmp_path, readers), tmp_path / "run"
        for stage in ("crawl", "extract"):
            done = make(stage, path, run)
            assert done.returncode == 0, done.stderr[-2000:]
    extracted = read_commit(str(run / "extract"))
    assert extracted is not None
    # The robots.txt of their one host is stored by each source; the index of the mirror is two pages; an answer has lost its question.
    assert dict(extracted.counts.dropped) == {"http_404": 1, "superseded": 2, "not_a_document": 2}
    assert dict(extracted.counts.quarantined) == {"orphan": 1}
    found = {row["url"]: row for row in rows(run / "extract")}
    assert found.keys() == {
        *(f"https://bugs.example/{number}" for number in range(3)),
        "https://unix.stackexchange.com/questions/7",
        "",
    }
    assert found[""]["licence"] == "GPL-2.0-or-later AND (GFDL-1.3-no-invariants-or-later OR MIT)"
    assert found["https://unix.stackexchange.com/questions/7"]["licence"] == "CC-BY-SA-3.0 AND CC-BY-SA-4.0"
    assert (
        "dump of 2024-04-02, CC BY-SA alone" in found["https://unix.stackexchange.com/questions/7"]["licence_evidence"]
    )
    places = rows(run / "extract" / "records")
    assert {(row["file"], row["piece"]) for row in places} == {
        ("of_json_api/00000.warc.gz", 0),
        ("of_json_api/00000.warc.gz", 1),
        ("of_packages/files/of_packages-tool.man.deb", 0),
        ("of_stackexchange/files/unix.stackexchange.com.7z", 0),
    }
    assert len({(row["file"], row["row"], row["piece"]) for row in places}) == 5


def test_a_reader_that_is_none_is_refused_before_the_first_byte(tmp_path: Path) -> None:
    with Host({}) as host:
        path = recipe(tmp_path, {"nowhere": {"url": f"http://127.0.0.1:{host.port}/"}})
        done = make("crawl", path, tmp_path / "run")
        assert done.returncode != 0
        assert "source of_nowhere: there is no bulk reader 'nowhere'; there are " in done.stderr
        assert host.asked == {}
