"""What the tests and the acceptance do with whole runs: make them, kill them, and hold them against the laws."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from tokenizers import Tokenizer

from crawlers.urls import doc_id
from crawlers.warc import Record, WarcWriter, read_records
from pipelines import storage
from pipelines.crawl import FARM_LOG
from pipelines.engine import Commit, read_commit
from pipelines.parts import read_table
from pipelines.run import STAGES

REPOSITORY = Path(__file__).resolve().parents[1]
SMALL = REPOSITORY / "manifests" / "recipes" / "small.yaml"


def command(*arguments: object) -> list[str]:
    """The command line, as a process of its own."""
    return [sys.executable, "-m", "pipelines.cli", *map(str, arguments)]


def syscorpus(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in the repository and returns what it printed."""
    return subprocess.run(
        command(*arguments),
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def make_run(recipe: Path, run: Path, workers: int = 2, against: Sequence[Path] = ()) -> str:
    """Makes every stage of a run; returns what it printed. Raises AssertionError where it fails."""
    earlier = ("--against", *against) if against else ()
    done = syscorpus("run", "--recipe", recipe, "--run", run, "--workers", workers, *earlier)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def commits(run: Path) -> dict[str, Commit]:
    """The commits of a run, by stage; the last lies in the exported dataset."""
    directories = {stage: run / ("dataset" if stage == "export" else stage) for stage in STAGES}
    found = {stage: read_commit(str(directory)) for stage, directory in directories.items()}
    return {stage: commit for stage, commit in found.items() if commit}


def shard_hashes(run: Path) -> dict[str, str]:
    """SHA-256 of each exported shard, by its name."""
    shards = run / "dataset" / "shards"
    return {str(path.relative_to(shards)): storage.sha256(str(path)) for path in sorted(shards.rglob("*.parquet"))}


# ---------------------------------------------------------------- laws


def unbalanced(run: Path) -> list[str]:
    """Law 1: stages whose inputs do not each have one fate, or that did not read all that was written before."""
    found = commits(run)
    faults = []
    for stage, commit in found.items():
        counts = commit.counts
        if counts.seen != counts.consumed + sum(counts.dropped.values()) + sum(counts.quarantined.values()):
            faults.append(f"{stage}: {counts}")
    chain = ("crawl", "extract", "classify", "dedup", "filter")
    for before, after in zip(chain, chain[1:], strict=False):
        if found[before].counts.rows != found[after].counts.seen:
            faults.append(f"{before} wrote {found[before].counts.rows}, {after} read {found[after].counts.seen}")
    kept = found["filter"].counts.rows + found["synth"].counts.rows
    if kept != found["tokenize"].counts.seen:
        faults.append(f"filter and synth wrote {kept}, tokenize read {found['tokenize'].counts.seen}")
    return faults


def segments(run: Path) -> Iterator[tuple[dict[str, Any], list[int]]]:
    """Each segment of the exported shards, with its token ids."""
    for path in sorted((run / "dataset" / "shards").rglob("*.parquet")):
        for row in pq.read_table(path).to_pylist():
            at = 0
            for segment in row["segments"]:
                yield segment, row["input_ids"][at : at + segment["tokens"]]
                at += segment["tokens"]
            assert at + row["padding"] == len(row["input_ids"])


def decoded_documents(run: Path) -> dict[tuple[str, str], bytes]:
    """The text of each document, from the token ids of its segments alone."""
    tokenizer = Tokenizer.from_file(str(run / "dataset" / "tokenizer.json"))
    end_id = commits(run)["tokenize"].extra["tokenizer"]["end_id"]
    pieces: dict[tuple[str, str], list[tuple[int, int, list[int]]]] = defaultdict(list)
    for segment, ids in segments(run):
        if segment["doc_id"] is None:  # taken down
            continue
        pieces[segment["doc_id"], segment["revision"]].append((segment["start_byte"], segment["end_byte"], ids))
    texts = {}
    for identity, own in pieces.items():
        own.sort(key=lambda piece: (piece[0], piece[1]))
        assert all(before[1] == after[0] for before, after in zip(own, own[1:], strict=False)), identity
        ids = [each for _, _, piece in own for each in piece]
        assert ids.pop() == end_id
        assert end_id not in ids
        text = tokenizer.decode(ids, skip_special_tokens=False).encode()
        assert own[0][0] == 0
        assert own[-1][1] == len(text)
        texts[identity] = text
    return texts


def committed_documents(run: Path) -> dict[tuple[str, str], bytes]:
    """The text of each document that went into the shards, as `filter` and `synth` committed it."""
    texts = {}
    for stage in ("filter", "synth"):
        for part in commits(run)[stage].parts:
            table = read_table(str(run / stage / f"{part.name}.parquet"), ["doc_id", "revision", "text"])
            for row in table.to_pylist():
                texts[row["doc_id"], row["revision"]] = row["text"].encode()
    return texts


def untraceable(run: Path) -> list[str]:
    """Law 6: documents of the shards that do not lead to the WARC record that they were made from."""
    lineage = {
        (row["doc_id"], row["revision"]): row
        for path in sorted((run / "dataset" / "lineage").glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    }
    faults = []
    for identity in {(segment["doc_id"], segment["revision"]) for segment, _ in segments(run)}:
        row = lineage.get(identity)
        if row is None or not row["records"] or not row["licence_evidence"]:
            faults.append(f"{identity}: no lineage")
            continue
        for place in row["records"]:
            record = record_at(Path(place["run"] or run) / "crawl" / place["file"], place["row"])
            if doc_id(record.url) != row["doc_id"] or record.digest != place["digest"]:
                faults.append(f"{identity}: {place}")
    return faults


def record_at(path: Path, offset: int) -> Record:
    """The record at an offset of a WARC file."""
    with path.open("rb") as stream:
        stream.seek(offset)
        record = next(read_records(stream, path.name, 1 << 30))
    assert isinstance(record, Record), record
    return record


def records_of(directory: Path) -> Iterator[Record]:
    """Every whole record below a directory."""
    for path in sorted(directory.rglob("*.warc.gz")):
        with path.open("rb") as stream:
            yield from (each for each in read_records(stream, path.name, 1 << 30) if isinstance(each, Record))


# ---------------------------------------------------------------- other ways to the same shards


def resplit(run: Path, into: Path, seed: int) -> None:
    """A run whose crawl holds the same records in other WARC files and another order; nothing else."""
    chance = random.Random(seed)
    commit = json.loads((run / "crawl" / "_commit.json").read_text())
    files = []
    for source in sorted({name.split("/")[0] for name in (each["name"] for each in commit["extra"]["files"])}):
        records = list(records_of(run / "crawl" / source))
        chance.shuffle(records)
        (into / "crawl" / source).mkdir(parents=True)
        writer = WarcWriter(into / "crawl" / source, warc_bytes=chance.choice([20_000, 200_000, 2_000_000]))
        for record in records:
            head = [f"HTTP/1.1 {record.status} -", *(f"{name}: {value}" for name, value in record.headers)]
            writer.append(record.url, record.fetched_at, "\r\n".join(head).encode("latin-1"), record.payload)
        writer.close()
        for path in sorted((into / "crawl" / source).glob("*.warc.gz")):
            name = f"{source}/{path.name}"
            files.append({"name": name, "sha256": storage.sha256(str(path)), "bytes": path.stat().st_size})
    for name in ("parquet", "dropped"):
        for path in (run / "crawl").glob("*.parquet" if name == "parquet" else "dropped/*"):
            target = into / "crawl" / path.relative_to(run / "crawl")
            target.parent.mkdir(exist_ok=True)
            shutil.copy(path, target)
    commit["extra"]["files"] = files
    (into / "crawl" / "_commit.json").write_text(json.dumps(commit))


# ---------------------------------------------------------------- kill -9


@dataclass
class Killed:
    """What a loop of kills saw."""

    kills: int = 0
    refetched: list[str] = field(default_factory=list)
    stages: dict[str, int] = field(default_factory=dict)


def kill_and_resume(recipe: Path, run: Path, kills: int, seed: int, longest_s: float) -> Killed:
    """Starts a run, kills it at a random moment with SIGKILL, and again; then lets it end.

    By turns the driver alone is killed (its workers must die with it), the whole process group, and one
    process of it. Each time, the pages whose records were whole are noted: none may be asked for again.
    """
    chance = random.Random(seed)
    seen = Killed()
    whole: list[tuple[float, frozenset[str]]] = []
    while seen.kills < kills:
        process = subprocess.Popen(
            command("run", "--recipe", recipe, "--run", run, "--workers", 2),
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(timeout=chance.uniform(0.2, longest_s))
            break  # it came to its end between two kills
        except subprocess.TimeoutExpired:
            _kill(process, chance.choice(["driver", "group", "one"]), chance)
            seen.kills += 1
            stage = next((stage for stage in STAGES if stage not in commits(run)), "end")
            seen.stages[stage] = seen.stages.get(stage, 0) + 1
            _wait_for_end(run)
            whole.append((time.time(), frozenset(record.url for record in records_of(run / "crawl"))))
    make_run(recipe, run)
    seen.refetched = _refetched(run, whole)
    return seen


def _kill(process: subprocess.Popen[bytes], what: str, chance: random.Random) -> None:
    group = os.getpgid(process.pid)
    if what == "one":
        members = [int(name) for name in os.listdir("/proc") if name.isdigit() and _group_of(int(name)) == group]
        try:
            os.kill(chance.choice(sorted(members)), signal.SIGKILL)
        except (IndexError, ProcessLookupError):
            pass
        what = "group" if chance.random() < 0.5 else "driver"
    if what == "group":
        os.killpg(group, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _wait_for_end(run: Path) -> None:
    """Until no crawler works in the run: those of a killed driver die with it, a moment later."""
    deadline = time.monotonic() + 60
    while any(str(run) in line for line in _command_lines()):
        assert time.monotonic() < deadline, "a process outlived its killed driver by a minute"
        time.sleep(0.02)


def _command_lines() -> Iterator[str]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                text = Path("/proc", name, "cmdline").read_bytes()
            except OSError:
                continue
            if b"crawlers.worker" in text:
                yield text.replace(b"\0", b" ").decode(errors="replace")


def _refetched(run: Path, whole: list[tuple[float, frozenset[str]]]) -> list[str]:
    """URLs that the farm was asked for again after a moment at which their record was whole."""
    again = []
    for entry in farm_requests(run):
        url = f"http://{entry['host']}{entry['path']}"
        if any(entry["time"] > moment and url in urls for moment, urls in whole):
            again.append(url)
    return again


def farm_requests(run: Path) -> Iterator[Mapping[str, Any]]:
    """Every request that the farm answered for a run, in order. A killed server may leave half a line."""
    for line in (run / "crawl" / FARM_LOG).read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue
