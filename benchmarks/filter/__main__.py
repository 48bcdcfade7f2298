"""`make bench-filter`: what the filter keeps and drops, and how fast it is, beside datatrove's."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.extract import report as common
from benchmarks.extract.packages import Log
from benchmarks.filter import canonical, keep, memory, real, report, speed, targets
from pipelines.schema import DOCUMENT

PARTS = ("canonical", "real", "speed", "memory")
REPOSITORY = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are asked for; with `--check`, the exit code says whether every target holds."""
    options = _options(arguments)
    begin = time.monotonic()

    def log(line: str) -> None:
        print(f"{time.monotonic() - begin:5.0f} s  {line}", file=sys.stderr, flush=True)

    pages = canonical.load(options.cache, log, options.packages)
    files = real.load(options.data, options.cache, log)
    results: dict[str, Any] = {
        "machine": common.machine(),
        "versions": {name: version(name) for name in ("datatrove", "numba", "numpy", "pyarrow")},
        "inputs": {"canonical": canonical.digest(pages), "real": canonical.digest(files)},
    }
    _keep(pages, files, options.only, results, log)
    documents = pa.concat_tables(
        table.select(DOCUMENT.names) for table in (canonical.is_document(pages), real.is_document(files))
    )
    if "speed" in options.only:
        results["speed"] = speed.measure(documents, log)
        report.speed_tables(results["speed"])
    if "memory" in options.only:
        results["memory"] = memory.measure(documents)
        report.memory_table(results["memory"])
    held = targets.targets(results)
    common.targets([(each.name, each.figure, each.target, each.holds) for each in held])
    results["targets"] = [each._asdict() for each in held]
    whole = options.only == set(PARTS) and not options.packages and files.num_rows > 0
    place = options.cache / ("filter.json" if whole else "filter-part.json")
    common.write(results, place)
    log(f"wrote {place}")
    return int(options.check and not all(each.holds for each in held))


def _keep(pages: pa.Table, files: pa.Table, only: set[str], results: dict[str, Any], log: Log) -> None:
    if "canonical" in only:
        results["canonical"] = keep.measure_canonical(pages, log)
        report.canonical_tables(results["canonical"])
    if "real" in only and files.num_rows:
        results["real"] = keep.measure_real(files, log)
        report.real_tables(results["real"])


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.filter", description=__doc__)

    def parts(value: str) -> list[str]:
        chosen = value.split(",")
        if unknown := set(chosen) - set(PARTS):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
        return chosen

    parser.add_argument("--only", type=parts, default=list(PARTS), help=f"parts of {','.join(PARTS)}")
    parser.add_argument("--packages", type=int, default=0, metavar="N", help="take N packages")
    parser.add_argument(
        "--cache", type=Path, default=REPOSITORY / "build" / "bench", help="packages, documents and results"
    )
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data", help="the real files")
    parser.add_argument("--check", action="store_true", help="fail if a target is missed")
    options = parser.parse_args(arguments)
    options.only = set(options.only)
    return options


if __name__ == "__main__":
    sys.exit(main())
