"""`syscorpus takedown`: the plan, and its steps in their order.

Each step may be done again: what is clean already stays as it is. First the request is remembered, so that whatever
happens nothing comes back; then the stages are cleaned in the order of the data, each with its commit last; then the
export and the copies of it; then older versions of objects; and the proof.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from pipelines import storage
from pipelines.engine import COMMIT, Commit, read_commit, read_run
from pipelines.lease import held
from pipelines.parts import Part, key_of
from pipelines.run import Run
from pipelines.takedown import record
from pipelines.takedown.commits import Contents, is_done, renewed, write_generation
from pipelines.takedown.exports import Cleaning, clean_export
from pipelines.takedown.plan import STAGES, Plan, entries_of, make_plan, render
from pipelines.takedown.proof import Proof, Scan, collect, pack, unpack
from pipelines.takedown.record import Journal
from pipelines.takedown.records import remove_records
from pipelines.takedown.request import RefusedError, Request
from pipelines.takedown.responses import files_with, remove_responses
from pipelines.takedown.rows import clean_boilerplate, removal_of, remove_rows, remove_steps
from pipelines.takedown.shards import mask_shard
from pipelines.takedown.versions import Versions, delete_older, summary
from pipelines.takedowns import read_list, remember


def take_down(url: str, request: Request, do_it: bool) -> int:
    """Prints the plan, and does it where that is asked. Returns the exit code: 0 where nothing is left to do.

    Raises RefusedError, StageError, TakedownError and StorageError.
    """
    request.check()
    run = read_run(url)
    if do_it:
        with held(url):
            return _take_down(run, request)
    _show(record.resume(run, request), run, request)
    print("nothing was changed; --yes does it")
    return 0


def _show(journal: Journal | None, run: Run, request: Request) -> tuple[Plan, str]:
    """Prints the plan, that of the journal if there is one."""
    _check_buckets(request)
    plan = journal.plan if journal else make_plan(run, request)
    shown = render(plan)
    print(shown)
    return plan, shown


def _take_down(run: Run, request: Request) -> int:
    journal = record.resume(run, request)
    plan, shown = _show(journal, run, request)
    if journal is None:
        journal = record.begin(run, request, plan, datetime.now(UTC).isoformat(timespec="seconds"))
    else:
        print(f"goes on with {journal.name}, begun on {journal.when}")
    _do(run, request, journal)
    versions = _delete_versions(run, journal)
    proof = _prove(run, request, journal)
    print("\n".join([*summary(versions), *_told(proof)]))
    place = record.write_record(run, journal, versions, proof, shown)
    print(f"record: {place}")
    return 1 if proof.left or plan.places.left or any(each.left for each in versions) else 0


def _check_buckets(request: Request) -> None:
    for place in request.buckets:
        if not storage.exists(storage.join(place, COMMIT)):
            raise RefusedError(f"takedown: {place} holds no export: it has no {COMMIT}")


def _told(proof: Proof) -> list[str]:
    lines = [
        f"proof: {proof.left:,} of {proof.grams:,} runs of 13 words are left in {proof.texts:,} texts "
        f"({proof.shared:,} stand in documents that stay under a licence)"
    ]
    return [*lines, *(f"  {number:,} in {place}" for place, number in sorted(proof.found.items()))]


# ---------------------------------------------------------------- the steps


def _do(run: Run, request: Request, journal: Journal) -> None:
    """All that changes files of the run, its export and the copies."""
    key = key_of("taken down", journal.name)
    grams = record.grams_url(run, journal)
    ids = pa.array(journal.plan.doc_ids(), pa.string())
    if not storage.exists(grams):
        storage.write_bytes(grams, pack(collect(run, ids)))
    remember(run, entries_of(journal.plan, request, journal.when))
    contents = Contents()
    _clean_crawl(run, journal, contents)
    for stage in STAGES:
        _clean_stage(run, stage, journal, key, ids, contents)
    _clean_tokenize(run, journal, key, ids, contents)
    for place in (run.directory("export"), *request.buckets):
        _clean_export(run, place, journal, key, ids, contents)
    for place in (run.url, run.directory("export"), *request.buckets):
        _remove_unfinished(place)
    _write_report(run, journal)


def _remove_unfinished(place: str) -> None:
    """Removes what writers that were killed have left, which may be copies of what went."""
    for name in storage.list_files(place):
        if name.endswith(".tmp"):
            storage.delete(storage.join(place, name))
    storage.abort_unfinished(place)


def _finish(run: Run, directory: str, commit: Commit, journal: Journal, changes: Mapping[str, list[str]]) -> None:
    """Notes what changed, then writes the commit: as long as it is the old one, the step is done again."""
    journal.note(directory, changes)
    record.save(run, journal)
    write_generation(directory, commit, journal.name)


def _clean_crawl(run: Run, journal: Journal, contents: Contents) -> None:
    directory = run.directory("crawl")
    before = read_commit(directory)
    if before is None:
        return
    if not is_done(before, journal.name):
        old = _hashes_of(before)
        fresh, touched = remove_records(run, journal.plan.places)
        assert fresh is not None
        new = _hashes_of(fresh)
        if touched:
            _finish(run, directory, fresh, journal, {name: [old.get(name, ""), new.get(name, "")] for name in touched})
    after = read_commit(directory)
    assert after is not None
    now = {each["name"]: each["sha256"] for each in after.extra["files"]}
    contents.changed |= now
    contents.gone |= set(journal.plan.places.files) - now.keys()


def _hashes_of(commit: Commit) -> dict[str, str]:
    """SHA-256 of each file that a commit names."""
    parts = [*commit.parts, *commit.artefacts]
    hashes = {f"{part.name}.parquet": part.sha256 for part in parts}
    for part in parts:
        hashes |= part.side
    files = commit.extra.get("files", {})
    if isinstance(files, dict):  # of an export; those of a crawl are a list
        return hashes | {name: each["sha256"] for name, each in files.items()}
    return hashes | {each["name"]: each["sha256"] for each in files}


def _clean_stage(run: Run, stage: str, journal: Journal, key: str, ids: pa.Array, contents: Contents) -> None:
    """One of the stages whose parts hold documents."""
    directory = run.directory(stage)
    commit = read_commit(directory)
    if commit is None:
        return
    if not is_done(commit, journal.name):
        gone = {name: ["", ""] for name in remove_steps(run, stage, ids)}
        if stage == "synth":
            _clean_store(run, journal)
        parts = remove_rows(removal_of(run, stage, journal.plan, key), commit)
        artefacts: list[Part] = list(commit.artefacts)
        if stage == "dedup":
            sources = {each.source for each in journal.plan.leaving}
            artefacts = clean_boilerplate(run, commit, sources, key)
        fresh = replace(renewed(commit, parts, contents, _settings(run, stage), {}), artefacts=artefacts)
        old, new = _hashes_of(commit), _hashes_of(fresh)
        changed = {
            name: [old.get(name, ""), new.get(name, "")]
            for name in old.keys() | new.keys()
            if old.get(name) != new.get(name)
        }
        if changed or fresh.key != commit.key:
            _finish(run, directory, fresh, journal, {**gone, **changed})
    after = read_commit(directory)
    assert after is not None
    contents.add(stage, after, journal.files.get(directory, {}))


def _clean_store(run: Run, journal: Journal) -> None:
    """The store of the teachers' responses, which other runs may share; what will change is noted first."""
    url, names = files_with(run, journal.plan.responses)
    if names:
        journal.note(url, {name: ["", ""] for name in names})
        record.save(run, journal)
        remove_responses(run, journal.plan.responses)


def _settings(run: Run, stage: str) -> dict[str, Any]:
    """What of a stage's settings follows from what was cleaned before it."""
    if stage == "extract":
        crawled = read_commit(run.directory("crawl"))
        told = {name: crawled.extra[name] for name in ("signals", "withdrawn")} if crawled else {}
        return {**told, "taken_down": read_list(run)}
    if stage == "filter":
        deduplicated = read_commit(run.directory("dedup"))
        lines = deduplicated.artefacts if deduplicated else ()
        return {"boilerplate": lines[0].content if lines else None}
    return {}


def _clean_tokenize(run: Run, journal: Journal, key: str, ids: pa.Array, contents: Contents) -> None:
    directory = run.directory("tokenize")
    commit = read_commit(directory)
    if commit is None:
        return
    if not is_done(commit, journal.name):
        gone = {name: ["", ""] for name in remove_steps(run, "tokenize", ids)}
        end_id = commit.extra["tokenizer"]["end_id"]
        parts = [mask_shard(directory, part, ids, end_id, key) or part for part in commit.parts]
        fresh = _fewer_documents(renewed(commit, parts, contents, {}, {}), commit, journal)
        old, new = _hashes_of(commit), _hashes_of(fresh)
        changed = {name: [old[name], digest] for name, digest in new.items() if old[name] != digest}
        if changed or fresh.key != commit.key:
            _finish(run, directory, fresh, journal, {**gone, **changed})
    after = read_commit(directory)
    assert after is not None
    contents.add("tokenize", after, {})


def _fewer_documents(fresh: Commit, before: Commit, journal: Journal) -> Commit:
    """The commit of `tokenize`, which counts documents: fewer were read; what no shard held was quarantined."""
    masked = sum(part.counts.extra["documents"] for part in before.parts)
    masked -= sum(part.counts.extra["documents"] for part in fresh.parts)
    read = sum(len(rows) for place, rows in journal.plan.rows.items() if place.startswith(("filter/", "synth/")))
    broken = dict(fresh.counts.quarantined)
    if read > masked:
        broken["tokenizer"] = broken.get("tokenizer", 0) - (read - masked)
    counts = replace(
        fresh.counts,
        seen=fresh.counts.seen - read,
        consumed=fresh.counts.consumed - masked,
        quarantined={reason: number for reason, number in broken.items() if number},
    )
    return replace(fresh, counts=counts)


def _clean_export(run: Run, place: str, journal: Journal, key: str, ids: pa.Array, contents: Contents) -> None:
    """The export of a run, or a copy of it."""
    commit, tokenized = read_commit(place), read_commit(run.directory("tokenize"))
    if commit is None or tokenized is None or is_done(commit, journal.name):
        return
    told = tokenized.extra
    cleaning = Cleaning(place, ids, told["tokenizer"]["end_id"], told["sequence_length"], key)
    cleaned = clean_export(cleaning, commit, run, told)
    fresh = renewed(commit, cleaned.parts, contents, {}, {"files": cleaned.files})
    fresh = replace(fresh, counts=commit.counts)  # it counts shards, of which none goes
    old, new = _hashes_of(commit), _hashes_of(fresh)
    changes = {name: [old.get(name, ""), new.get(name, "")] for name in cleaned.touched}
    if changes or fresh.key != commit.key:
        _finish(run, place, fresh, journal, changes)


def _write_report(run: Run, journal: Journal) -> None:
    """The report shows texts; it is written again, and what was asked of a filter once goes."""
    from pipelines.report import write_report

    pages = {name: storage.join(run.url, name) for name in ("report.html", "what-if.html")}
    there = {name: storage.sha256(url) for name, url in pages.items() if storage.exists(url)}
    if "report.html" in there:
        write_report(run.url)
    storage.delete(pages["what-if.html"])
    now = {name: storage.sha256(pages[name]) if storage.exists(pages[name]) else "" for name in there}
    journal.note(run.url, {name: [digest, now[name]] for name, digest in there.items()})
    record.save(run, journal)


# ---------------------------------------------------------------- behind them


def _delete_versions(run: Run, journal: Journal) -> list[Versions]:
    found: list[Versions] = []
    for place, files in journal.files.items():
        found += delete_older(place, [*files, COMMIT])
    return found


def _prove(run: Run, request: Request, journal: Journal) -> Proof:
    scan = Scan(run, unpack(storage.read_bytes(record.grams_url(run, journal))))
    scan.run()
    for place in request.buckets:
        scan.place(place)
    return scan.proof


def places_of(names: Sequence[str]) -> tuple[str, ...]:
    """Directories and buckets without a slash at their end, each once."""
    return tuple(dict.fromkeys(name.rstrip("/") for name in names))
