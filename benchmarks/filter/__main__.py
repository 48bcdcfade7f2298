"""`make bench-filter`: what the filter keeps and drops, and how fast it is, beside datatrove's."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.extract import report as common
from benchmarks.extract.packages import Log
from benchmarks.filter import canonical, keep, memory, parts, real, report, speed
from benchmarks.filter.targets import targets
from pipelines.schema import DOCUMENT

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Inputs:
    """What the parts measure on: canonical pages and real files with those that are no documents, and all documents."""

    pages: pa.Table
    files: pa.Table
    log: Log
    data: Path
    cache: Path

    def documents(self) -> pa.Table:
        """The documents of both, with DOCUMENT's columns."""
        tables = (canonical.is_document(self.pages), real.is_document(self.files))
        return pa.concat_tables(table.select(DOCUMENT.names) for table in tables)


def _canonical(inputs: Inputs) -> dict[str, Any]:
    found = keep.measure_canonical(inputs.pages, inputs.log)
    report.canonical_tables(found)
    return found


def _real(inputs: Inputs) -> dict[str, Any]:
    found = keep.measure_real(inputs.files, inputs.log)
    report.real_tables(found)
    return found


def _speed(inputs: Inputs) -> dict[str, Any]:
    found = speed.measure(inputs.documents(), inputs.log)
    report.speed_tables(found)
    return found


def _memory(inputs: Inputs) -> dict[str, Any]:
    found = memory.measure(inputs.documents())
    report.memory_table(found)
    return found


def _general(inputs: Inputs) -> dict[str, Any]:
    return parts.measure_general(canonical.is_document(inputs.pages))


def _junk(inputs: Inputs) -> dict[str, Any]:
    return parts.measure_junk()


def _privacy(inputs: Inputs) -> dict[str, Any]:
    return parts.measure_privacy(canonical.is_document(inputs.pages))


def _leaks(inputs: Inputs) -> dict[str, Any]:
    return parts.measure_leaks(canonical.is_document(inputs.pages), inputs.data)


def _categories(inputs: Inputs) -> dict[str, Any]:
    return parts.measure_categories(inputs.data, inputs.cache)


# Each measures, prints its tables and returns its figures; it may bring targets of its own as `targets`.
PARTS: Mapping[str, Callable[[Inputs], dict[str, Any]]] = {
    "canonical": _canonical,
    "real": _real,
    "speed": _speed,
    "memory": _memory,
    "general": _general,
    "junk": _junk,
    "privacy": _privacy,
    "leaks": _leaks,
    "categories": _categories,
}
OF_REAL_FILES = ("real",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are asked for; with `--check`, the exit code says whether every target holds."""
    options = _options(arguments)
    begin = time.monotonic()

    def log(line: str) -> None:
        print(f"{time.monotonic() - begin:5.0f} s  {line}", file=sys.stderr, flush=True)

    inputs = Inputs(
        canonical.load(options.cache, log, options.packages),
        real.load(options.data, options.cache, log),
        log,
        options.data,
        options.cache,
    )
    results: dict[str, Any] = {
        "machine": common.machine(),
        "versions": {name: version(name) for name in ("datatrove", "fasttext-numpy2-wheel", "numba", "pyarrow")},
        "inputs": {"canonical": canonical.digest(inputs.pages), "real": canonical.digest(inputs.files)},
    }
    for name in options.only:
        if name not in OF_REAL_FILES or inputs.files.num_rows:
            log(f"measuring {name}")
            results[name] = PARTS[name](inputs)
    held = targets(results)
    common.targets([(each.name, each.figure, each.target, each.holds) for each in held])
    results["targets"] = [each._asdict() for each in held]
    whole = set(PARTS) <= results.keys() and not options.packages
    place = options.cache / ("filter.json" if whole else "filter-part.json")
    common.write(results, place)
    log(f"wrote {place}")
    return int(options.check and not all(each.holds for each in held))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.filter", description=__doc__)

    def chosen_parts(value: str) -> list[str]:
        chosen = value.split(",")
        if unknown := set(chosen) - set(PARTS):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
        return [name for name in PARTS if name in chosen]

    parser.add_argument("--only", type=chosen_parts, default=list(PARTS), help=f"parts of {','.join(PARTS)}")
    parser.add_argument("--packages", type=int, default=0, metavar="N", help="take N packages")
    parser.add_argument(
        "--cache", type=Path, default=REPOSITORY / "build" / "bench", help="packages, documents and results"
    )
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data", help="the real files")
    parser.add_argument("--check", action="store_true", help="fail if a target is missed")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
