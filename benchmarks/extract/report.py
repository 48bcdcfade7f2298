"""The tables of the benchmark, its targets, and its file."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

Row = Sequence[object]


class Held(NamedTuple):
    """A target beside its figure; a goal is wished for, and missing it is no failure."""

    name: str
    figure: str
    target: str
    holds: bool
    goal: bool = False


def share(part: float, whole: float) -> str:
    """A share as a percentage, rounded down: a lost block never disappears in the rounding."""
    if not whole:
        return "-"
    return f"{int(10_000 * part / whole) / 100:.2f}"


def table(title: str, header: Sequence[str], rows: Sequence[Row]) -> None:
    """Print a table; the first column is text, the others are figures."""
    cells = [[*header], *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    print(f"\n{title}")
    for row in cells:
        first, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join([first.strip().ljust(widths[0]), *others]).rstrip(), flush=True)


def targets(rows: Sequence[tuple[str, str, str, bool]]) -> None:
    """Print each target beside its figure."""
    if rows:
        print("\ntargets")
    for name, figure, wanted, holds in rows:
        print(f"{'held  ' if holds else 'MISSED'}  {name}: {figure}  (target: {wanted})", flush=True)


def machine() -> dict[str, Any]:
    """The machine that the figures are of."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    model = next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
    return {"cpu": model, "cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}


def versions(packages: Sequence[str]) -> dict[str, str | None]:
    """What is installed of some packages; None: it is not."""
    found: dict[str, str | None] = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def settled(results: dict[str, Any], held: Sequence[Held], place: Path, check: bool) -> int:
    """Print the targets, write all that was found, and return the exit code: 1 if a target that is checked is missed."""
    targets([(each.name, each.figure, each.target, each.holds) for each in held])
    results["targets"] = [each._asdict() for each in held]
    write(results, place)
    return int(check and not all(each.holds for each in held))


def write(results: Mapping[str, Any], place: Path) -> None:
    """Write the file, whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_suffix(".partial")
    partial.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    partial.rename(place)


def write_lines(rows: Iterable[Mapping[str, Any]], place: Path) -> None:
    """Write one JSON object a line: the blocks that ours did not give back, for whoever wants to know why."""
    place.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
