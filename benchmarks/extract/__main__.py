"""`make bench-extract`: what the extractor keeps, what it lets in, and how fast it is, beside its peers."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.extract import fidelity, ground, independent, packages, report, speed, summary, targets, unseen
from benchmarks.extract.tools import TOOLS, version

PARTS = ("code", "tables", "independent", "truth", "speed")
REPOSITORY = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are asked for; with `--check`, the exit code says whether every target holds."""
    options = _options(arguments)
    begin = time.monotonic()

    def log(line: str) -> None:
        print(f"{time.monotonic() - begin:5.0f} s  {line}", file=sys.stderr, flush=True)

    tools = [name for name in options.tools if version(TOOLS[name])]
    for name in sorted(set(options.tools) - set(tools)):
        log(f"skipped {name}: it is not installed")
    results: dict[str, Any] = {
        "machine": report.machine(), "tools": {name: version(TOOLS[name]) for name in tools},
    }  # fmt: skip
    if {"code", "tables", "independent", "speed"} & options.only:
        pages = packages.sample(packages.entries(options.packages), options.cache, log)
        results["pages"] = {page.hash: f"{page.entry.name}:{page.path}" for page in pages}
        _packages(pages, tools, options, results, log)
    known = ground.load(options.truth) if {"truth", "speed"} & options.only else []
    if known:
        results["ground_truths"] = ground.hashes(options.truth)
    if "truth" in options.only:
        _truth(known, tools, options, results, log)
    if "speed" in options.only:
        _speed(speed.choose(pages, known), tools, results, log)
    summary.overall(results)
    held = targets.targets(results)
    report.targets([(each.name, each.figure, each.target, each.holds) for each in held])
    results["targets"] = [each._asdict() for each in held]
    whole = options.only == set(PARTS) and not options.packages and tools == list(TOOLS)
    place = options.cache / ("extract.json" if whole else "extract-part.json")
    report.write(results, place)
    log(f"wrote {place}")
    return int(options.check and not all(each.holds or each.goal for each in held))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.extract", description=__doc__)

    def names(known: Sequence[str]) -> Any:
        def split(value: str) -> list[str]:
            chosen = value.split(",")
            if unknown := set(chosen) - set(known):
                raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(known)}")
            return [name for name in known if name in chosen]

        return split

    parser.add_argument("--only", type=names(PARTS), default=list(PARTS), help=f"parts of {','.join(PARTS)}")
    parser.add_argument("--tools", type=names(list(TOOLS)), default=list(TOOLS), help=f"tools of {','.join(TOOLS)}")
    parser.add_argument(
        "--packages", type=int, default=0, metavar="N", help="take N packages, of every generator in turn"
    )
    parser.add_argument(
        "--cache", type=Path, default=REPOSITORY / "build" / "bench", help="packages, truth and results"
    )
    parser.add_argument("--truth", type=Path, default=REPOSITORY.parent / "shared" / "bench", help="the ground truths")
    parser.add_argument("--workers", type=int, default=2, help="processes; speed is always measured in one")
    parser.add_argument("--check", action="store_true", help="fail if a target is missed")
    options = parser.parse_args(arguments)
    options.only = set(options.only)
    return options


def _packages(
    pages: Sequence[packages.Sampled],
    tools: Sequence[str],
    options: argparse.Namespace,
    results: dict[str, Any],
    log: packages.Log,
) -> None:
    parts = {"code", "tables"} & options.only
    if parts:
        measured = fidelity.measure(pages, tools, parts, options.cache, options.workers, log)
        results["packages"] = summary.fidelity(measured)
        if "code" in parts:
            summary.code_tables(measured)
        if "tables" in parts:
            summary.cell_table(measured)
        if "ours" in measured and "code" in parts:
            report.write_lines(measured["ours"].misses, options.cache / "extract-misses.jsonl")
    if "independent" in options.only:
        found = independent.measure(pages, tools, options.cache, options.workers, log)
        misses = {tool: result.pop("misses") for tool, result in found.items()}
        report.write_lines(misses.get("ours", []), options.cache / "extract-source-misses.jsonl")
        results["independent"] = found
        summary.independent_table(results["independent"])


def _truth(
    known: Sequence[ground.Known],
    tools: Sequence[str],
    options: argparse.Namespace,
    results: dict[str, Any],
    log: packages.Log,
) -> None:
    if not known:
        log(f"skipped the ground truths: there are none in {options.truth}")
        return
    results["truth"] = ground.measure(known, tools, options.workers, log)
    manuals = options.cache / "pages"
    if "ours" in tools and manuals.is_dir():
        results["truth"][unseen.NAME] = unseen.measure(known, manuals, options.workers, log)
    summary.truth_tables(results["truth"])


def _speed(pages: Sequence[speed.Timed], tools: Sequence[str], results: dict[str, Any], log: packages.Log) -> None:
    methods = speed.methods(pages)
    best = speed.measure(pages, tools, log)
    kinds = {
        "recognised": [page.kind == "recognised" for page in pages],
        "ground truth": [page.kind == "generic" for page in pages],
        "undoubted generic": [
            page.kind == "generic" and method in ("generic", "whole")
            for page, method in zip(pages, methods, strict=True)
        ],
    }
    rates = {
        kind: {tool: speed.rate(pages, seconds, wanted) for tool, seconds in best.items()}
        for kind, wanted in kinds.items()
        if any(wanted)
    }
    results["speed"] = {"rates": rates, "methods": methods}
    summary.speed_table(rates)


if __name__ == "__main__":
    sys.exit(main())
