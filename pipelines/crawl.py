"""crawl: sites to WARC files. Each host belongs to one crawler process; each source to one directory.

The crawler keeps its frontier beside its WARC files, and resumes from both. When no URL is left the stage
commits an index: one part a source, with a row for each record, and a drop for each URL that was not fetched.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from crawlers.bulk.readers import check_source
from crawlers.farm.packages import FarmUnavailable, prepare
from crawlers.farm.server import serve
from crawlers.job import CrawlJob
from crawlers.optout import SiteSignals, signal_lines
from crawlers.outcome import Outcome, progress, read_outcome, read_site_texts
from crawlers.urls import doc_id
from crawlers.warc import warc_files
from filters.components import connected
from manifests.models import CrawlSettings, Source
from pipelines import __version__, storage
from pipelines.crawl_copies import bring, leave
from pipelines.engine import Input, Result, Stage, StageError, Work, read_commit
from pipelines.parts import Counts, Part, key_of, write_part
from pipelines.pool import JobFailed
from pipelines.progress import Progress
from pipelines.rows import count_fates, drop_row, quarantine_row, side_tables
from pipelines.run import Run
from pipelines.schema import table_of
from pipelines.takedowns import read_list
from pipelines.yields import write_yields

__all__ = ["STAGE", "FarmUnavailable"]

GENERATION = "_generation.json"
FARM_LOG = "_farm.jsonl"  # every request that the farm got: what politeness and resume are judged by
_EVERY_S = 0.5

_INDEX = pa.schema(
    [
        ("doc_id", pa.string()),
        ("url", pa.string()),
        ("kind", pa.string()),
        ("status", pa.int32()),
        ("content_type", pa.string()),
        ("file", pa.string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("digest", pa.string()),
        ("fetched_at", pa.timestamp("us", tz="UTC")),
        ("is_revisit", pa.bool_()),
    ]
)


def _inputs(run: Run) -> Sequence[Input]:
    """The sources: what of them decides which pages are fetched."""
    return [Input(source.id, "", key_of(_scope_of(source))) for source in run.sources]


def _scope_of(source: Source) -> dict[str, Any]:
    where = {"bulk"} if source.kind == "bulk" else {"seeds", "scope", "exclude", "further_hosts", "farm"}
    return source.model_dump(include={"id", *where})


def _settings(run: Run) -> Mapping[str, Any]:
    limits = run.recipe.crawl.model_dump(include={"max_pages_per_source", "max_pages_per_pattern", "max_body_bytes"})
    return {**limits, "generation": _generation(run)}


def _generation(run: Run) -> int:
    """Which time the sites are visited: one more than the committed one where a run goes over them again.

    The number stands in a file before the first request: what was killed goes on with it.
    """
    directory = run.directory("crawl")
    url = storage.join(directory, GENERATION)
    number = json.loads(storage.read_bytes(url))["generation"] if storage.exists(url) else 1
    commit = read_commit(directory) if run.again else None
    return number + 1 if commit and commit.settings.get("generation") == number else number


# ---------------------------------------------------------------- plan


def _make(work: Work) -> Result:
    _check_readers(work.run.sources)
    generation = {"generation": work.settings["generation"]}
    storage.write_bytes(storage.join(work.directory, GENERATION), json.dumps(generation).encode())
    write_yields(work.run, working_directory(work.directory))
    with _farm(work.run) as connect_to, _watched(work):
        specs = _groups(work, connect_to)
        crawled: list[Crawled] = []
        try:
            for _, group in work.pool.map(crawl_group, specs):
                crawled += group.crawled
                work.cpu_seconds += group.cpu_seconds
                work.peak_memory = max(work.peak_memory, group.peak_memory)
        except JobFailed as error:
            raise StageError(f"crawl: {error}") from error
    crawled.sort(key=lambda each: each.part.name)
    files = [file for each in crawled for file in each.files]
    signals = {each.part.name: each.signals for each in crawled if each.signals}
    withdrawn = {each.part.name: each.withdrawn for each in crawled if each.withdrawn}
    return Result(
        [each.part for each in crawled],
        Counts.total([each.part.counts for each in crawled]),
        {"files": files, "signals": signals, "withdrawn": withdrawn},
    )


def _check_readers(sources: Sequence[Source]) -> None:
    """Refuses, before the first byte is fetched, a bulk source that no reader understands."""
    for source in sources:
        try:
            check_source(source)
        except ValueError as error:
            raise StageError(f"crawl: source {source.id}: {error}") from None


def working_directory(target: str) -> Path:
    """Where crawlers work: frontiers need a local disk, so a run in a bucket is crawled beside it and copied."""
    if not storage.is_remote(target):
        return Path(target).absolute()
    return storage.scratch("crawl") / hashlib.sha256(target.encode()).hexdigest()[:16]


def bring_documents(run: Run) -> dict[str, Path]:
    """The document root of each host of the run's farm; missing packages are downloaded. Raises FarmUnavailable."""
    farmed = [source for source in run.sources if source.farm]
    return prepare(farmed, storage.scratch("farm"), lambda line: print(line, file=sys.stderr)) if farmed else {}


@contextmanager
def _farm(run: Run) -> Iterator[dict[str, str]]:
    """Serves the sources that lie in a farm, on loopback; yields where each of their hosts is."""
    farmed = [source for source in run.sources if source.farm]
    if not farmed:
        yield {}
        return
    roots = bring_documents(run)
    xhtml = [host for source in farmed if source.farm and source.farm.xhtml for host in source.hosts]
    log = working_directory(run.directory("crawl")) / FARM_LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    with serve(roots, xhtml, log) as address:
        yield dict.fromkeys(roots, address)


def _groups(work: Work, connect_to: Mapping[str, str]) -> list[dict[str, Any]]:
    """One crawler process each. Sources that share a host go together, so that a host has one owner."""
    recipe, sources = work.run.recipe, work.run.sources
    owner = connected((source.hosts[0], host) for source in sources for host in source.hosts)
    owners = sorted(set(owner.values()), key=key_of)
    groups: dict[int, list[Source]] = {}
    for source in sources:
        groups.setdefault(owners.index(owner[source.hosts[0]]) % recipe.crawl.processes, []).append(source)
    return [
        {
            "sources": [source.model_dump() for source in groups[number]],
            "settings": recipe.crawl.model_dump(),
            "target": work.directory,
            "directory": str(working_directory(work.directory)),
            "connect_to": dict(connect_to),
            "generation": work.settings["generation"],
            "taken_down": read_list(work.run),
            "key": key_of("crawl", work.stage.version, work.settings),
        }
        for number in sorted(groups)
    ]


@contextmanager
def _watched(work: Work) -> Iterator[None]:
    """Shows how far the crawl is, from the frontiers, for as long as the block lasts."""
    shown = Progress("crawl", None, "page")
    ended = threading.Event()
    directory = working_directory(work.directory)

    def watch() -> None:
        took = 0.0
        # Frontiers of millions of URLs take their time to be counted, and have better things to do.
        while not ended.wait(max(_EVERY_S, 20 * took)):
            began = time.monotonic()
            counts = [progress(directory / source.id) for source in work.run.sources]
            done, waiting = sum(each.pages for each in counts), sum(each.unfinished for each in counts)
            shown.show(done, of=done + waiting)
            took = time.monotonic() - began

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        shown.end()


# ---------------------------------------------------------------- on a worker


@dataclass(frozen=True)
class Crawled:
    """What became of one source: its index, its files (name, sha256, bytes), and what its sites say of their pages.

    `signals`: the files of a site that opt its pages out, by its origin (scheme, host and port); none without.
    `withdrawn`: URLs whose earlier records are not to be used any more, with the reason.
    """

    part: Part
    files: Sequence[Mapping[str, Any]]
    signals: Mapping[str, Any]
    withdrawn: Mapping[str, str]


@dataclass(frozen=True)
class Group:
    """What one crawler process came to, and what it cost."""

    crawled: Sequence[Crawled]
    cpu_seconds: float
    peak_memory: int


def crawl_group(spec: Mapping[str, Any]) -> Group:
    """Runs one crawler process to its end, then one that reads the bulk sources; publishes what they fetched.

    It is a process of its own because its event loop starts only once.
    """
    directory = Path(spec["directory"])
    sources = [Source.model_validate(each) for each in spec["sources"]]
    for source in sources:
        bring(spec["target"], directory, source.id)
        _claim(directory / source.id, source)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        _run_worker("crawlers.worker", spec, [source for source in sources if source.kind == "site"])
        _run_worker("crawlers.bulk.worker", spec, [source for source in sources if source.kind == "bulk"])
    finally:
        for source in sources:
            leave(spec["target"], directory, source.id)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    crawled = [index_of(spec["target"], directory, source.id, spec["key"]) for source in sources]
    cpu_seconds = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return Group(crawled, cpu_seconds, used.ru_maxrss * 1024)


def index_of(target: str, directory: Path, source: str, key: str) -> Crawled:
    """What became of a source whose crawl lies in a directory; its index is written to the target."""
    outcome = read_outcome(directory / source)
    return Crawled(
        part=_index(target, key, outcome, source),
        files=_files(outcome, directory, source),
        signals=_signals(directory / source),
        withdrawn=outcome.withdrawn,
    )


def _run_worker(module: str, spec: Mapping[str, Any], sources: Sequence[Source]) -> None:
    """Runs a process over some sources of a group to its end; StageError where it does not come to it."""
    if not sources:
        return
    directory = Path(spec["directory"])
    job = CrawlJob(
        sources=list(sources),
        settings=CrawlSettings.model_validate(spec["settings"]),
        directory=directory,
        version=__version__,
        connect_to=spec["connect_to"],
        parent_pid=os.getpid(),
        generation=spec["generation"],
        taken_down=spec["taken_down"],
    )
    path = directory / f"_job-{key_of([source.id for source in sources])[:12]}.json"
    path.write_text(job.to_json(), encoding="utf-8")
    ended = subprocess.run([sys.executable, "-m", module, str(path)], stderr=subprocess.PIPE, text=True)
    if ended.returncode:
        lines = ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"]
        raise StageError(f"the crawler of {', '.join(source.id for source in sources)} stopped: {lines[-1]}")


def _claim(directory: Path, source: Source) -> None:
    """Refuses to go on in a frontier that was begun with another scope: its URLs would be of two minds."""
    note = directory / "source.json"
    now = _scope_of(source)
    if note.exists() and json.loads(note.read_text()) != now:
        raise StageError(f"{source.id} has changed since its crawl began; take a new run, or remove {directory}")
    storage.write_bytes(str(note), json.dumps(now, sort_keys=True).encode())


def _files(outcome: Outcome, directory: Path, source: str) -> list[dict[str, Any]]:
    """The WARC and the large files of a source, with their hashes."""
    large = sorted({each.file for each in outcome.fetched if each.file.startswith("files/")})
    files = []
    for name in [path.name for path in warc_files(directory / source)] + large:
        path, place = directory / source / name, f"{source}/{name}"
        files.append({"name": place, "sha256": storage.sha256(str(path)), "bytes": path.stat().st_size})
    return files


def _signals(directory: Path) -> dict[str, dict[str, str | None]]:
    """What the sites of a source say of the use of their pages, by origin; none of those that say nothing."""
    found = {}
    for origin, texts in read_site_texts(directory).items():
        if not SiteSignals(texts.robots_txt, texts.tdmrep, texts.ai_txt).says_nothing():
            files = (signal_lines(texts.robots_txt), texts.tdmrep, texts.ai_txt)
            said = [None if each is None else each.decode("utf-8", "replace") for each in files]
            found[origin] = dict(zip(("robots_txt", "tdmrep", "ai_txt"), said, strict=True))
    return found


def _index(target: str, key: str, outcome: Outcome, source: str) -> Part:
    """One row for each record of a source, of all generations; of URLs that this one did not get, a drop for each that
    was excluded, a quarantine row for each that failed."""
    if outcome.unfinished:
        raise StageError(f"the crawler of {source} left {len(outcome.unfinished)} URLs without a fate; run crawl again")
    rows = []
    for each in outcome.fetched:
        row = {name: getattr(each, name) for name in _INDEX.names}
        rows.append({**row, "file": f"{source}/{each.file}"})
    dropped, broken = [], []
    for lost in outcome.not_fetched:
        identity = {"doc_id": doc_id(lost.url), "url": lost.url, "source": source}
        if lost.failed:
            broken.append(quarantine_row(identity, "crawl", lost.reason, lost.detail, (source, 0)))
        else:
            dropped.append(drop_row(identity, "crawl", [(lost.reason, lost.detail)], (source, 0)))
    walls = {f"wall_{name}": number for name, number in outcome.walls.items()}
    counts = replace(count_fates(len(rows), len(rows), dropped, broken), extra={**outcome.ignored, **walls})
    side = side_tables(dropped, broken)
    return write_part(target, source, key, table_of(rows, _INDEX), counts, side)


STAGE = Stage("crawl", 3, "visit", _inputs, _settings, _make)
