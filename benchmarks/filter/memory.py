"""Peak memory of classify and filter over parts, in a process of its own: `python -m benchmarks.filter.memory PART...`.

Each part passes through the stages' own functions, one after the other, as a worker makes them.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.filter.documents import text_bytes
from benchmarks.filter.verdicts import sample
from manifests.models import ClassifySettings, FilterSettings
from pipelines.classify import classify_part, own_spec
from pipelines.engine import Job
from pipelines.filter import filter_part
from pipelines.parts import Counts, write_part
from pipelines.rows import side_tables

PARTS, PART_DOCUMENTS = 4, 1000
REPOSITORY = Path(__file__).resolve().parents[2]


def measure(documents: pa.Table) -> dict[str, Any]:
    """Peak memory in MB over one part, and over PARTS of as many other documents."""
    number = min(PART_DOCUMENTS, documents.num_rows // PARTS)
    chosen = sample(documents, PARTS * number)
    with tempfile.TemporaryDirectory() as folder:
        parts = [_write(chosen.slice(at * number, number), Path(folder), f"part-{at:05}") for at in range(PARTS)]
        # The part that has the most text is among both.
        parts.sort(key=lambda part: -part[0])
        one, all_of_them = (_peak([path for _, path in some]) for some in (parts[:1], parts))
    return {
        "parts": PARTS,
        "megabytes_of_one": parts[0][0] / 1e6,
        "megabytes_of_all": sum(size for size, _ in parts) / 1e6,
        "peak_mb_of_one": one,
        "peak_mb_of_all": all_of_them,
    }


def _write(table: pa.Table, folder: Path, name: str) -> tuple[int, Path]:
    counts = Counts(seen=table.num_rows, consumed=table.num_rows, rows=table.num_rows, dropped={}, quarantined={})
    write_part(str(folder), name, name, table, counts, side_tables([], []))
    return text_bytes(table), folder / f"{name}.parquet"


def _peak(paths: Sequence[Path]) -> float:
    command = [sys.executable, "-m", "benchmarks.filter.memory", *map(str, paths)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY)
    return float(done.stdout.split()[-1])


def main(paths: Sequence[str]) -> None:
    """Make the parts and print the peak memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            name = Path(path).stem
            scored, kept = f"{folder}/classify", f"{folder}/filter"
            specification = {"input": path, "name": name, **own_spec(ClassifySettings())}
            classify_part(Job(classify_part, scored, name, name, specification))
            specification = {
                "input": f"{scored}/{name}.parquet", "name": name, "settings": FilterSettings().model_dump(),
                "boilerplate": None,
            }  # fmt: skip
            filter_part(Job(filter_part, kept, name, name, specification))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)


if __name__ == "__main__":
    main(sys.argv[1:])
