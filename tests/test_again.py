"""Sites visited again, through all stages: only what has changed is made again, and it is what a new run would make."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from pipelines.engine import Commit
from tests import runs
from tests.crawl_site import Answer, Site, text

pytestmark = pytest.mark.usefixtures("on_head")

_PAGES = 24
_WORDS = [
    "kernel",
    "scheduler",
    "queue",
    "thread",
    "lock",
    "memory",
    "page",
    "cache",
    "block",
    "device",
    "driver",
    "file",
    "system",
    "mount",
    "node",
    "cluster",
    "storage",
    "network",
    "socket",
    "packet",
    "route",
    "filter",
    "table",
    "index",
    "query",
    "plan",
    "commit",
    "log",
    "replica",
    "shard",
    "leader",
    "quorum",
    "timeout",
    "retry",
    "metric",
    "alert",
    "trace",
    "span",
    "agent",
    "daemon",
    "service",
    "unit",
    "container",
    "image",
    "registry",
    "volume",
    "secret",
    "token",
    "policy",
    "role",
]


class Pages:
    """Pages of a site, each with a text of its own; what `edits` holds stands in the place of the page."""

    def __init__(self) -> None:
        self.edits: dict[str, Answer | None] = {}

    def __call__(self, path: str) -> Answer | None:
        if path in self.edits:
            return self.edits[path]
        return text("User-agent: *\nDisallow: /private\n") if path == "/robots.txt" else self.page(path)

    def page(self, path: str, edition: int = 1) -> Answer | None:
        """The page at a path in some edition."""
        number = 0 if path == "/" else int(path[2:-5]) if path.startswith("/p") and path[2:-5].isdigit() else -1
        if not 0 <= number < _PAGES:
            return None
        links = [f"/p{n}.html" for n in (2 * number + 1, 2 * number + 2) if n < _PAGES]
        return self.made(path, edition, links)

    def made(self, path: str, edition: int, links: list[str]) -> Answer:
        """A page with words drawn by its path and edition, and a validator."""
        rng = random.Random(f"{path} {edition}")
        prose = "".join(
            f"<p>The {' '.join(rng.choices(_WORDS, k=12))} of the {' '.join(rng.choices(_WORDS, k=14))}, "
            f"and it is then used by the {' '.join(rng.choices(_WORDS, k=9))}.</p>"
            for _ in range(6)
        )
        anchors = "".join(f'<li><a href="{link}">{link}</a></li>' for link in links)
        body = f"<!doctype html><html><head><title>{path}</title></head><body><main><h1>Page {path}</h1>{prose}"
        body += f"</main><ul>{anchors}</ul></body></html>"
        tag = hashlib.sha256(body.encode()).hexdigest()[:16]
        return Answer(body.encode(), 200, {"Content-Type": "text/html", "ETag": f'"{tag}"'})


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
def site(pages: Pages) -> Iterator[Site]:
    with Site(lambda url: pages(_path_of(url))) as site:
        yield site


def _path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def _recipe(directory: Path, site: Site) -> Path:
    source = {
        "id": "manual", "name": "Manual", "category": "open_source_documentation", "status": "on",
        "seeds": [f"http://127.0.0.1:{site.port}/"], "scope": [rf"http://127\.0\.0\.1:{site.port}/"],
        "licence": "MIT", "licence_evidence": "test",
    }  # fmt: skip
    (directory / "sites.yaml").write_text(yaml.safe_dump([source]))
    crawl = {
        "contact": "test@example.org", "private_addresses": True, "delay_s": 0.0, "concurrency_per_host": 4, "retries": 0,
        "revisit": {"first_days": 1e-7, "shortest_days": 0.0, "longest_days": 1e-7},
    }  # fmt: skip
    tokenize = {"train": {"vocabulary": 1024}, "sequence_length": 256}
    recipe = {"name": "again", "manifests": ["sites.yaml"], "parts": 8, "crawl": crawl, "tokenize": tokenize}
    path = directory / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def _make(recipe: Path, run: Path, *options: str) -> dict[str, Commit]:
    done = runs.syscorpus("run", "--recipe", recipe, "--run", run, "--workers", 2, *options)
    assert done.returncode == 0, done.stderr[-3000:]
    return runs.commits(run)


def _make_stages(recipe: Path, run: Path, *options: str) -> dict[str, Commit]:
    """The first two stages alone."""
    for stage, own in (("crawl", options), ("extract", ())):
        done = runs.syscorpus(stage, "--recipe", recipe, "--run", run, "--workers", 2, *own)
        assert done.returncode == 0, done.stderr[-3000:]
    return runs.commits(run)


def _contents(commit: Commit) -> dict[str, str]:
    return {part.name: part.content for part in commit.parts}


def _made_at(run: Path, stage: str) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (run / stage).glob("part-*.parquet")}


def _urls(run: Path, stage: str) -> set[str]:
    found = (pq.read_table(path, columns=["url"])["url"].to_pylist() for path in (run / stage).glob("part-*.parquet"))
    return {_path_of(url) for urls in found for url in urls}


def _buckets(run: Path, paths: set[str]) -> set[str]:
    """Parts of `extract` that hold one of these pages, or its drop."""
    found = set()
    for path in [*(run / "extract").glob("part-*.parquet"), *(run / "extract" / "dropped").glob("part-*.parquet")]:
        urls = pq.read_table(path, columns=["url"])["url"].to_pylist()
        if paths & {_path_of(url) for url in urls}:
            found.add(path.name)
    return found


def test_only_what_has_changed_is_made_again_and_as_a_new_run_would(tmp_path: Path, site: Site, pages: Pages) -> None:
    recipe, run = _recipe(tmp_path, site), tmp_path / "run"
    first = _make(recipe, run)
    assert first["extract"].counts.rows == _PAGES
    asked = dict(site.asked)

    # Nothing has changed: every page says so, and no stage behind `extract` has anything to do.
    second = _make(recipe, run, "--again")
    assert second["crawl"].settings["generation"] == 2
    assert {url: number - asked[url] for url, number in site.asked.items()} == dict.fromkeys(asked, 1)
    assert second["extract"].counts.dropped["revisit"] == _PAGES + 1  # and robots.txt
    assert _contents(second["extract"]) == _contents(first["extract"])
    assert [second[stage] for stage in ("classify", "dedup", "filter", "tokenize")] == [
        first[stage] for stage in ("classify", "dedup", "filter", "tokenize")
    ]

    # One page says something else, one is gone, one is new.
    before = _made_at(run, "classify")
    pages.edits = {
        "/p3.html": pages.page("/p3.html", edition=2),
        "/p20.html": text("gone", 410),
        "/": pages.made("/", 2, ["/p1.html", "/p2.html", "/new.html"]),
        "/new.html": pages.made("/new.html", 1, []),
    }
    third = _make(recipe, run, "--again")
    assert _urls(run, "extract") == {"/", "/new.html", *(f"/p{n}.html" for n in range(1, _PAGES) if n != 20)}
    assert third["extract"].counts.dropped["http_410"] == 1
    assert third["extract"].counts.dropped["superseded"] == 3
    redone = {name for name, at in _made_at(run, "classify").items() if at != before[name]}
    assert redone
    assert redone <= _buckets(run, {"/", "/p3.html", "/p20.html", "/new.html"})
    assert runs.unbalanced(run) == []
    assert runs.untraceable(run) == []

    # A run from scratch over the same records gives the same shards.
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    shutil.copytree(run / "crawl", scratch / "crawl")
    _make(recipe, scratch)
    assert runs.shard_hashes(scratch) == runs.shard_hashes(run)


def test_what_is_forbidden_or_taken_down_leaves_and_is_not_asked_for_again(
    tmp_path: Path, site: Site, pages: Pages
) -> None:
    recipe, run = _recipe(tmp_path, site), tmp_path / "run"
    _make_stages(recipe, run)
    asked = dict(site.asked)
    word = {"who": "The author", "when": "2026-11-28", "why": "asked by mail"}
    url = f"http://127.0.0.1:{site.port}/p5.html"
    (run / "takedown.jsonl").write_text(json.dumps({"url": url, **word}) + "\n")
    pages.edits = {"/robots.txt": text("User-agent: *\nDisallow: /p7.html\nContent-Usage: /p8.html train-ai=n\n")}
    again = _make_stages(recipe, run, "--again")
    assert {url: site.asked[url] - asked[url] for url in asked if url.endswith(("/p5.html", "/p7.html"))} == {
        url: 0,
        url.replace("p5", "p7"): 0,
    }
    assert again["crawl"].counts.dropped["taken_down"] == again["crawl"].counts.dropped["robots_disallow"] == 1
    assert again["extract"].counts.dropped["taken_down"] == again["extract"].counts.dropped["withdrawn"] == 1
    assert again["extract"].counts.dropped["opt_out"] >= 1
    left = {f"/p{n}.html" for n in range(1, _PAGES)} - _urls(run, "extract")
    assert left == {"/p5.html", "/p7.html", "/p8.html"}
    (run / "takedown.jsonl").write_text('{"url": "http://a/"}\n')
    done = runs.syscorpus("extract", "--recipe", recipe, "--run", run)
    assert done.returncode == 1
    assert "takedown.jsonl:1: must have one of url, domain, doc_id, licence, and who, when, why" in done.stderr
