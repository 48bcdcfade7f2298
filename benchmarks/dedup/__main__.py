"""`make bench-dedup`: what dedup finds and misses on real sets, how fast it is, and how its cost grows."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.dedup import boilerplate, growth, incremental, peers, real, speed
from benchmarks.extract import report
from benchmarks.extract.packages import Log
from benchmarks.extract.report import Held, share
from benchmarks.filter import canonical
from manifests.models import ClassifySettings
from pipelines.pool import Pool

PACKAGES = ("datasketch", "datatrove", "numba", "pyarrow", "ray", "rensa", "text-dedup")
REPOSITORY = Path(__file__).resolve().parents[2]
_GIB = 1 << 30
_EQUAL = 1_000_000  # documents of one text
_SNAPSHOTS = 1_000_000  # documents of `incremental`


@dataclass(frozen=True)
class Inputs:
    """What the parts measure on."""

    cache: Path
    scratch: Path
    sizes: Sequence[int]
    pool: Pool
    log: Log

    @cached_property
    def documents(self) -> pa.Table:
        return real.load(self.cache, self.log)

    @cached_property
    def pairs(self) -> real.Pairs:
        pairs = real.brute_force(self.documents, ClassifySettings().shingle_words)
        self.log(f"brute force: {int((pairs.similarity >= real.ALIKE).sum()):,} pairs of {real.ALIKE} or more")
        return pairs


def _real(inputs: Inputs) -> dict[str, Any]:
    found = real.measure(inputs.documents, inputs.pairs, inputs.scratch, inputs.pool)
    report.table(
        "real sets, beside brute force",
        ["source", "documents", "lost", "like another by brute force"],
        [(name, each["documents"], each["lost"], each["alike"]) for name, each in found["sources"].items()],
    )
    caught = found["pairs"] - found["missed"]
    more = [name for name, each in found["sources"].items() if each["lost"] > each["alike"]]
    held = [
        Held("pairs of 0.8 or more of which one left", f"{share(caught, found['pairs'])} % of {found['pairs']:,}",
             ">= 99 %", caught >= 0.99 * found["pairs"] > 0),
        Held("removed for one that is less than 0.7 like it", f"{found['removed_below']} of {found['removed']:,}",
             "0", found["removed_below"] == 0),
        Held("excerpts that left, where what holds them stays",
             f"{share(found['excerpts'] - found['excerpts_kept'], found['excerpts'])} % of {found['excerpts']:,}",
             ">= 95 %", found["excerpts_kept"] <= 0.05 * found["excerpts"]),
        Held("left for one that holds less than 0.9 of it", f"{found['contained_below']} of {found['contained']:,}",
             "0", found["contained_below"] == 0),
        Held("sources that lose more than brute force confirms", str(len(more)), "0", not more),
    ]  # fmt: skip
    return {**found, "targets": held}


def _speed(inputs: Inputs) -> dict[str, Any]:
    found = speed.measure(inputs.documents, inputs.pairs, inputs.scratch, inputs.pool, inputs.log)
    ways: dict[str, speed.Way] = found["ways"]
    datatroves = ways[peers.DATATROVE].speed
    rows = [
        (
            name, f"{way.speed / datatroves:.1f}", f"{way.seconds:.2f}", f"{way.megabytes:.0f}", f"{way.speed:.1f}", way.kept,
            f"{way.quality.missed} of {way.quality.pairs:,}", "-" if name == speed.WHOLE else way.quality.unlike,
        )
        for name, way in ways.items()
    ]  # fmt: skip
    header = ["", "times datatrove", "s", "MB", "MB/s", "kept", "pairs missed", "removed, like nothing kept"]
    report.table(f"speed, {found['megabytes']:.0f} MB on {found['workers']} workers", header, rows)
    times = ways[speed.NEAR].speed / datatroves
    others = sorted(
        (name for name in ways if name not in (speed.NEAR, speed.WHOLE)), key=lambda name: -ways[name].speed
    )
    fastest, right = others[0], next(name for name in others if not ways[name].quality.unlike)
    beside, beside_right = (ways[speed.NEAR].speed / ways[name].speed for name in (fastest, right))
    with_words = found["signature_with_words_mb_per_s"]
    held = [
        Held("signatures on one core, the splitting of words with it", f"{with_words:.0f} MB/s", ">= 100 MB/s", with_words >= 100),
        Held("near duplicates, times datatrove's four stages", f"{times:.1f}", ">= 30", times >= 30),
        Held("... the fastest peer that removes only what is like something kept", f"{beside_right:.2f}, {right}", "> 1", beside_right > 1),
        Held("... the fastest peer that runs", f"{beside:.2f}, {fastest}", "> 1", beside > 1),
    ]  # fmt: skip
    told = {name: {**way._asdict(), "quality": way.quality._asdict()} for name, way in ways.items()}
    return {**found, "ways": told, "targets": held}


def _growth(inputs: Inputs) -> dict[str, Any]:
    found = growth.measure(inputs.sizes, inputs.scratch, inputs.pool, inputs.log)
    equal = growth.measure_equal(_EQUAL, inputs.scratch, inputs.pool, inputs.log)
    rows = [
        (
            f"{each['documents']:,}{' equal' if each is equal else ''}", f"{each['seconds']:.1f}", f"{each['microseconds_a_document']:.1f}",
            f"{each['peak_memory'] / _GIB:.2f}", f"{each['copies_found']:,}", f"{each['copies_known']:,}",
        )
        for each in (*found, equal)
    ]  # fmt: skip
    header = ["documents", "s", "us/document", "peak GiB of a worker", "copies found", "copies made"]
    report.table("growth", header, rows)
    most = max(each["peak_memory"] for each in (*found, equal))
    held = [Held("peak memory of a worker", f"{most / _GIB:.2f} GiB", "< 2 GiB", most < 2 * _GIB)]
    cost = {each["documents"]: each["microseconds_a_document"] for each in found}
    if {100_000, 10_000_000} <= cost.keys():
        ratio = cost[10_000_000] / cost[100_000]
        held.append(
            Held("cost of a document at 10 million, times that at 100,000", f"{ratio:.2f}", "<= 1.3", ratio <= 1.3)
        )
    right = all(each["copies_found"] >= 0.99 * each["copies_known"] for each in (*found, equal))
    held.append(Held("made copies found at each size", "all sizes" if right else "not at all", ">= 99 %", right))
    return {"sizes": found, "equal": equal, "targets": held}


def _boilerplate(inputs: Inputs) -> dict[str, Any]:
    pages = canonical.is_document(canonical.load(inputs.cache, inputs.log))
    found = boilerplate.measure(pages, inputs.scratch, inputs.pool, inputs.log)
    rows = [
        (
            source, each["pages"], each["cut_pages"], f"{100 * each['cut_share']:.2f}", each["pairs"],
            lines.replace("\n", " / ")[:100],
        )
        for source, each in found["sources"].items()
        for lines in each["lines"]
    ]  # fmt: skip
    header = ["package", "pages", "of them cut", "% of bytes", "pairs", "lines"]
    report.table(f"boilerplate of {found['sources_seen']} documentation packages", header, rows)
    return {**found, "targets": []}


def _incremental(inputs: Inputs) -> dict[str, Any]:
    found = incremental.measure(_SNAPSHOTS, inputs.scratch, inputs.pool, inputs.log)
    rows = [
        ("all at once", f"{found['documents']:,}", f"{found['seconds_at_once']:.1f}", f"{found['kept_at_once']:,}"),
        ("a tenth against the others", f"{found['new']:,}", f"{found['seconds_of_new']:.1f}", f"{found['kept_apart']:,}"),
    ]  # fmt: skip
    report.table("snapshots", ["", "documents", "s", "documents that stay in all"], rows)
    held = Held("documents that stay in one way alone", f"{found['differing']}", "0", found["differing"] == 0)
    return {**found, "targets": [held]}


PARTS: Mapping[str, Callable[[Inputs], dict[str, Any]]] = {
    "real": _real,
    "speed": _speed,
    "boilerplate": _boilerplate,
    "incremental": _incremental,
    "growth": _growth,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are asked for; with `--check`, the exit code says whether every target holds."""
    options = _options(arguments)
    begin = time.monotonic()

    def log(line: str) -> None:
        print(f"{time.monotonic() - begin:5.0f} s  {line}", file=sys.stderr, flush=True)

    scratch = options.cache / "dedup"
    scratch.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {
        "machine": report.machine(),
        "versions": report.versions(PACKAGES),
    }
    held: list[Held] = []
    with Pool() as pool:
        inputs = Inputs(options.cache, scratch, options.sizes, pool, log)
        for name in options.only:
            log(f"measuring {name}")
            results[name] = PARTS[name](inputs)
            held += results[name].pop("targets")
    place = options.cache / ("dedup.json" if set(PARTS) <= results.keys() else "dedup-part.json")
    code = report.settled(results, held, place, options.check)
    shutil.rmtree(scratch)
    log(f"wrote {place}")
    return code


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dedup", description=__doc__)
    parser.add_argument("--only", type=lambda value: value.split(","), default=list(PARTS), help=",".join(PARTS))
    parser.add_argument(
        "--sizes", type=lambda value: [int(float(each)) for each in value.split(",")],
        default=[10_000, 100_000, 1_000_000], help="documents of `growth`; 1e7 takes eight minutes and 25 GB of disk",
    )  # fmt: skip
    parser.add_argument("--cache", type=Path, default=REPOSITORY / "build" / "bench", help="packages and results")
    parser.add_argument("--check", action="store_true", help="fail if a target is missed")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
