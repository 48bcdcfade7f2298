"""extract: records to documents, and at once away with what may not be used.

Two steps: each input file's records are extracted and sent to the hash buckets of their doc_id; each
bucket becomes a part, in which the newest record of a document stands for it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from crawlers.optout import TDM_RESERVED, SiteSignals, merge
from crawlers.takedown import Takedowns
from crawlers.urls import origin_of
from manifests.load import generators_digest, load_licences
from manifests.models import ExtractSettings, Source
from pipelines import storage
from pipelines.engine import Input, Job, Result, Stage, StageError, Work, plain_files, read_commit
from pipelines.extract.licences import Stated, allowed, choose, class_of
from pipelines.extract.readers import INDEX_TYPE, format_of
from pipelines.extract.records import Broken, Raw, read_raw
from pipelines.parts import Counts, Part, read_table, write_part
from pipelines.poison import add_poison, read_poison, record_key
from pipelines.rows import count_fates, drop_row, quarantine_row, side_tables
from pipelines.run import Run
from pipelines.sandbox import Failed, Killed, Sandbox, kept
from pipelines.schema import DOCUMENT, DROPPED, QUARANTINED, RECORDS, SCHEMA_VERSION, table_of
from pipelines.shuffle import bucket_of, read_bucket, write_buckets
from pipelines.takedowns import read_list

_FLUSH_BYTES = 32 << 20
_BROUGHT = frozenset(DOCUMENT.names) - {"schema_version", "doc_id", "revision", "url", "text"}
#: Settings that decide the rows of one source each.
_BY_SOURCE = ("signals", "withdrawn")
_XML_TYPES = ("application/xml", "text/xml")
_GLOB = re.compile(r"[*?\[]")

# A record on its way to its bucket: what it was, and the one of the three that it became.
_MAPPED = pa.schema(
    [
        *(field for field in RECORDS),
        ("document", pa.struct(list(DOCUMENT))),
        ("dropped", pa.struct(list(DROPPED))),
        ("quarantined", pa.struct(list(QUARANTINED))),
        ("is_revisit", pa.bool_()),
    ]
)
#: A hash of what a file sent to each bucket: a bucket to which all files sent what they did is not gathered again.
_DIGESTS = pa.schema([("bucket", pa.int32()), ("digest", pa.string())])


# ---------------------------------------------------------------- plan


def _inputs(run: Run) -> Sequence[Input]:
    if run.plain_inputs:
        return plain_files(run)
    directory = run.directory("crawl")
    commit = read_commit(directory)
    if commit is None:
        raise StageError(f"extract: crawl is not committed in {run.url}; run crawl first")
    return [
        Input(each["name"], storage.join(directory, each["name"]), each["sha256"]) for each in commit.extra["files"]
    ]


def _settings(run: Run) -> Mapping[str, Any]:
    poison = read_poison(storage.join(run.url, "poison"))
    return {
        **run.recipe.extract.model_dump(),
        "parts": run.recipe.parts,
        "generators": generators_digest(),
        "licence_terms": load_licences().model_dump(),
        "signals": _told_by_crawl(run, "signals"),
        "withdrawn": _told_by_crawl(run, "withdrawn"),
        "taken_down": read_list(run),
        "sources": {source.id: _told_by(source) for source in run.sources},
        "poison": sorted(key for key, entry in poison.items() if entry["by"] == "operator"),
    }


def _told_by_crawl(run: Run, what: str) -> Mapping[str, Mapping[str, Any]]:
    """What the crawl found out of its sources beside records, by source."""
    commit = None if run.plain_inputs else read_commit(run.directory("crawl"))
    found: Mapping[str, Mapping[str, Any]] = commit.extra[what] if commit else {}
    return found


def _told_by(source: Source) -> dict[str, Any]:
    """What a source's manifest says of each of its documents."""
    columns = ("category", "licence", "licence_evidence", "language")
    told = {"source": source.id, **{name: getattr(source, name) for name in columns}}
    if source.bulk and source.bulk.dated:
        terms = f", {source.bulk.agreement}" if source.bulk.agreement else ""
        told["licence_evidence"] += f"; dump of {source.bulk.dated}{terms}"
    return told


def _make(work: Work) -> Result:
    told = work.settings["sources"]
    common = {
        "settings": work.run.recipe.extract.model_dump(),
        "taken_down": work.settings["taken_down"],
        "poison": storage.join(work.run.url, "poison"),
        "buckets": work.run.recipe.parts,
    }
    decides = {name: value for name, value in work.settings.items() if name not in ("sources", *_BY_SOURCE)}
    maps = []
    for each in work.inputs:
        source = told.get(each.name.split("/")[0]) or next(iter(told.values()))
        name = PurePosixPath(each.name).name.split(".")[0] + "-" + each.content[:16]
        path = _path_in(each.url, work.run.plain_inputs)
        own = {name: work.settings[name].get(source["source"], {}) for name in _BY_SOURCE}
        spec = {"input": each.url, "name": each.name, "path": path, "source": source, **own, **common}
        decided_by = [decides, source, own, each.content, each.name, path]
        maps.append(work.job(extract_file, "_records", name, decided_by, spec))
    sent = work.make(maps, "extract 1/2")
    urls = [storage.join(work.directory, "_records", f"{part.name}.parquet") for part in sent]
    digests = _digests(work, sent)
    jobs = [
        work.job(gather_bucket, "", f"part-{k:05}", [digests.get(k, []), k], {"inputs": urls, "bucket": k})
        for k in range(work.run.recipe.parts)
    ]
    parts = work.make(jobs, "extract 2/2")
    counts = Counts.total([part.counts for part in parts])
    seen = sum(part.counts.rows for part in sent)
    if counts.seen != seen:
        raise AssertionError(f"extract: {seen} records were read, {counts.seen} have a fate")
    crawled = None if work.run.plain_inputs else read_commit(work.run.directory("crawl"))
    records = sum(part.counts.extra["records"] for part in sent)
    if crawled and crawled.counts.rows != records:
        raise StageError(
            f"extract: crawl committed {crawled.counts.rows} records, and {records} are in its files; "
            f"they were changed since: crawl again into a new run"
        )
    return Result(parts, counts)


def _digests(work: Work, sent: Sequence[Part]) -> dict[int, list[str]]:
    """What was sent to each bucket, as hashes in the order of these: which file sent it does not matter."""
    found: dict[int, list[str]] = {}
    for part in sent:
        url = storage.join(work.directory, "_records", f"digests/{part.name}.parquet")
        for row in read_table(url).to_pylist() if part.counts.rows else ():
            found.setdefault(row["bucket"], []).append(row["digest"])
    return {bucket: sorted(each) for bucket, each in found.items()}


def _path_in(url: str, patterns: Sequence[str]) -> str:
    """What a plain file is called below the directory that its pattern names: the same wherever that directory is."""
    for pattern in patterns:
        fixed = _GLOB.split(pattern, maxsplit=1)[0]
        base = fixed[: fixed.rfind("/") + 1]
        if fixed != pattern and base and (at := url.find(base)) >= 0:
            return url[at + len(base) :]
    return PurePosixPath(url).name


# ---------------------------------------------------------------- 1: a file's records


def extract_file(job: Job) -> Part:
    """Extracts the records of one input file and sends each, with its fate, to its bucket."""

    digests: dict[int, Any] = {}
    places: set[int] = set()

    def tables() -> Iterator[tuple[int, pa.Table]]:
        for bucket, table in batches():
            digest = digests.setdefault(bucket, hashlib.blake2b(digest_size=16))
            for batch in table.to_batches():
                digest.update(batch.serialize())
            yield bucket, table

    def batches() -> Iterator[tuple[int, pa.Table]]:
        waiting: list[dict[str, Any]] = []
        size = 0
        for row in _fates(job):
            places.add(row["row"])
            waiting.append(row)
            size += len(row["document"]["text"]) if row.get("document") else 200
            if size > _FLUSH_BYTES:
                yield from _split(waiting, job.spec["buckets"])
                waiting, size = [], 0
        yield from _split(waiting, job.spec["buckets"])

    def close(rows: int) -> tuple[Counts, Mapping[str, pa.Table]]:
        found = [{"bucket": bucket, "digest": each.hexdigest()} for bucket, each in sorted(digests.items())]
        # A WARC file has a record at each place; of the records of a bulk source, one may hold many documents.
        held = {"records": len(places) if ".warc" in job.spec["name"] else 1}
        return Counts(rows=rows, extra=held), {"digests": table_of(found, _DIGESTS)}

    return write_buckets(job.directory, job.name, job.key, _MAPPED, tables(), close)


def _split(rows: Sequence[dict[str, Any]], buckets: int) -> Iterator[tuple[int, pa.Table]]:
    by_bucket: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        by_bucket.setdefault(bucket_of(row["doc_id"], buckets), []).append(row)
    for bucket in sorted(by_bucket):
        yield bucket, table_of(by_bucket[bucket], _MAPPED)


def _fates(job: Job) -> Iterator[dict[str, Any]]:
    """One row a record: its identity, and the document, the drop or the quarantine row that it became."""
    settings = ExtractSettings.model_validate(job.spec["settings"])
    poison = read_poison(job.spec["poison"])
    taken_down = Takedowns(job.spec["taken_down"])
    sites = {origin: _site_signals_of(texts) for origin, texts in job.spec["signals"].items()}
    with kept(
        "pipelines.extract.child:extract",
        max_cpu_s=settings.max_cpu_s,
        max_memory_bytes=settings.max_memory_bytes,
    ) as sandbox:
        for each in read_raw(job.spec["input"], job.spec["name"], settings.max_body_bytes, job.spec["path"]):
            if isinstance(each, Broken):
                yield _quarantined_unread(each, job.spec["source"]["source"])
                continue
            site = sites.get(origin_of(each.url)) if each.url else None
            raw = replace(each, site_opt_out=site.of(each.url)) if site else each
            record = {name: getattr(raw, name) for name in RECORDS.names if name != "revision"}
            if taken_down and taken_down.covers(raw.url, raw.doc_id):
                yield record | {"dropped": _drop(raw, job, [("taken_down", "")])}
            elif raw.url in job.spec["withdrawn"]:
                yield record | {"dropped": _drop(raw, job, [("withdrawn", job.spec["withdrawn"][raw.url])])}
            else:
                fate = _fate(raw, job, settings, poison, sandbox)
                licence = (fate.get("document") or {}).get("licence") or ""
                if taken_down.covers_licence(licence):
                    fate = {"dropped": _drop(raw, job, [("taken_down", licence)])}
                yield record | fate


def _site_signals_of(texts: Mapping[str, str | None]) -> SiteSignals:
    robots_txt, tdmrep, ai_txt = (
        None if text is None else text.encode() for text in (texts["robots_txt"], texts["tdmrep"], texts["ai_txt"])
    )
    return SiteSignals(robots_txt or b"", tdmrep, ai_txt)


def _drop(raw: Raw, job: Job, reasons: Sequence[tuple[str, str]]) -> dict[str, Any]:
    source = job.spec["source"]
    identity = {"doc_id": raw.doc_id, "url": raw.url, "source": source["source"], "category": source["category"]}
    return drop_row(identity, "extract", reasons, (raw.file, raw.row))


def _quarantined_unread(broken: Broken, source: str) -> dict[str, Any]:
    """A record that has no readable identity gets one from where it lies."""
    identity = hashlib.sha256(f"{broken.file}\0{broken.row}".encode()).hexdigest()[:32]
    row = {"doc_id": identity, "url": broken.url, "source": source}
    fate = quarantine_row(row, "extract", broken.reason, broken.detail, (broken.file, broken.row))
    return {
        "doc_id": identity,
        "url": broken.url,
        "file": broken.file,
        "row": broken.row,
        "quarantined": fate,
    }


def _fate(
    raw: Raw, job: Job, settings: ExtractSettings, poison: Mapping[str, Mapping[str, str]], sandbox: Sandbox
) -> dict[str, Any]:
    source = job.spec["source"]
    identity = {
        "doc_id": raw.doc_id,
        "url": raw.url,
        "source": source["source"],
        "category": source["category"],
    }
    where = (raw.file, raw.row)
    refusal = _refusal(raw, settings)
    if refusal:
        return {"dropped": _drop(raw, job, [refusal])}
    if raw.is_revisit:
        return {"is_revisit": True, "dropped": _drop(raw, job, [("revisit", raw.digest)])}
    if raw.columns is not None:
        own = {**raw.columns, "title": raw.columns.get("title") or ""}
        return _judged(raw, source, raw.body.decode(), own, settings)
    key = record_key(raw.url, raw.digest)
    if key in poison:
        entry = poison[key]
        return {"quarantined": quarantine_row(identity, "extract", entry["reason"], entry["detail"], where)}
    header = {"name": raw.name, "content_type": raw.content_type, "limits": settings.model_dump()}
    try:
        answer = sandbox.call(header, raw.body)
    except Killed as killed:
        add_poison(job.spec["poison"], key, raw.url, killed.reason, killed.detail)
        return {"quarantined": quarantine_row(identity, "extract", killed.reason, killed.detail, where)}
    except Failed as failed:
        return {"quarantined": quarantine_row(identity, "extract", "parser_error", str(failed), where)}
    if "unreadable" in answer:
        reason, detail = answer["unreadable"]
        return {"quarantined": quarantine_row(identity, "extract", reason, detail, where)}
    if "no_text" in answer:
        return {"dropped": _drop(raw, job, [("no_text", "")])}
    page = answer["page"]
    signals = list(merge(raw.site_opt_out, raw.opt_out, page["opt_out"]))
    objections = [signal for signal in signals if signal in settings.obey]
    if objections:
        return {"dropped": _drop(raw, job, [("opt_out", signal) for signal in objections])}
    return _judged(raw, source, page["text"], _stated(page) | _listed(raw) | {"opt_out": signals}, settings)


def _listed(raw: Raw) -> dict[str, Any]:
    """What an index says of a document; it knows the title better than a look at the pages of a PDF."""
    listed = {"title": raw.title, "authors": list(raw.authors)}
    return {name: value for name, value in listed.items() if value}


def _stated(page: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that a page fills itself."""
    columns = {name: page[name] for name in ("title", "method", "generator", "date", "authors", "canonical")}
    columns["found"] = sorted(page["found"].items())
    if page["licence"]:
        columns |= {"licence_stated": page["licence"], "licence": page["licence"]}
        columns["licence_evidence"] = page["found"].get("licence", "the page")
    return columns


def _judged(
    raw: Raw, source: Mapping[str, Any], text: str, columns: Mapping[str, Any], settings: ExtractSettings
) -> dict[str, Any]:
    """The document under the licence that is in force for it, or its drop where the policy lets that not in."""
    own = Stated(columns.get("licence") or "", columns.get("licence_evidence") or "the document")
    manifest = Stated(source["licence"] or "", f"manifest: {source['licence_evidence']}")
    licence, evidence = choose([own, raw.licence, manifest])
    fate = _document(raw, source, text, {**columns, "licence": licence, "licence_evidence": evidence})
    if allowed(licence or None, settings.licences):
        return fate
    said = f"{licence} ({class_of(licence)}), {evidence}" if licence else "no licence is known"
    return {"dropped": drop_row(fate["document"], "extract", [("licence", said)], (raw.file, raw.row))}


def _refusal(raw: Raw, settings: ExtractSettings) -> tuple[str, str] | None:
    """Why a record makes no document whatever its body says."""
    if raw.is_revisit:
        return _objection(raw, settings)
    if raw.status in range(300, 400):
        return ("redirect", str(raw.status))
    if raw.status != 200:
        return (f"http_{raw.status}", "")
    if raw.columns is not None:
        return None
    if raw.wall:
        return ("wall", raw.wall)
    mime = (raw.content_type or "").partition(";")[0].strip().lower()
    if mime == INDEX_TYPE:
        return ("not_a_document", "index")
    if format_of(raw.content_type, raw.name, raw.body) is None:
        # A sitemap or a feed, or something that no reader knows.
        return ("not_a_document", mime) if mime in _XML_TYPES else ("unsupported_type", mime or raw.name[-80:])
    if raw.url.endswith("/robots.txt"):
        return ("not_a_document", "robots.txt")
    return _objection(raw, settings)


def _objection(raw: Raw, settings: ExtractSettings) -> tuple[str, str] | None:
    """An opt-out that needs no look into the page. Of a reservation of mining a page may say otherwise."""
    signals = merge(raw.site_opt_out, raw.opt_out, ())
    obeyed = {*settings.obey} if raw.is_revisit else {*settings.obey} - {TDM_RESERVED}
    objections = [signal for signal in signals if signal in obeyed]
    return ("opt_out", objections[0]) if objections else None


def _document(raw: Raw, source: Mapping[str, Any], text: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    """A document of DOCUMENT's columns; what its record brought along wins over what its source says."""
    revision = hashlib.sha256(text.encode()).hexdigest()[:32]
    document = {
        "schema_version": SCHEMA_VERSION,
        "doc_id": raw.doc_id,
        "revision": revision,
        "url": raw.url,
        **source,
        "opt_out": [],
        "parents": [],
        "title": "",
        "authors": [],
        "found": [],
        "text": text,
        **{name: value for name, value in columns.items() if value and name in _BROUGHT | set(source)},
    }
    return {"revision": revision, "document": document}


# ---------------------------------------------------------------- 2: a bucket's documents


def gather_bucket(job: Job) -> Part:
    """The part of a bucket, in doc_id order: of several records of one document the newest decides.

    Where that is a revisit, the record that it found unchanged does.
    """
    rows = read_bucket(job.spec["inputs"], job.spec["bucket"], _MAPPED).to_pylist()
    rows.sort(key=_newest_first)
    documents, records, dropped, quarantined = [], [], [], []
    for _, group in groupby(rows, key=itemgetter("doc_id")):
        same = list(group)
        quarantined += [row["quarantined"] for row in same if row["quarantined"]]
        sound = [row for row in same if not row["quarantined"]]
        chosen = _deciding(sound)
        for row in sound:
            if row is chosen and row["document"]:
                documents.append(row["document"])
                records.append({name: row[name] for name in RECORDS.names})
            elif row is chosen or row["is_revisit"]:
                dropped.append(row["dropped"])
            else:
                identity = row["document"] or row["dropped"]
                by = (chosen or {}).get("digest") or ""
                dropped.append(drop_row(identity, "extract", [("superseded", by)], (row["file"], row["row"])))
    side = side_tables(dropped, quarantined) | {"records": table_of(records, RECORDS)}
    counts = count_fates(len(documents), len(documents), dropped, quarantined)
    return write_part(job.directory, job.name, job.key, table_of(documents, DOCUMENT), counts, side)


def _deciding(rows: Sequence[Any]) -> Any:
    """Of the records of a document, the newest first, the one that says what became of it; None where none can."""
    newest = rows[0] if rows else None
    if newest is None or not newest["is_revisit"]:
        return newest
    return next((row for row in rows if row["digest"] == newest["digest"] and not row["is_revisit"]), None)


def _newest_first(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Order by document, then newest record; what remains equal is ordered by content, never by place."""
    fetched = row["fetched_at"].timestamp() if row["fetched_at"] else 0.0
    return (row["doc_id"], -fetched, row["digest"] or "", row["revision"] or "", row["file"], row["row"])


STAGE = Stage("extract", 5, "record", _inputs, _settings, _make)
