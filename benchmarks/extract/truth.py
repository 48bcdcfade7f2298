"""What a page holds, by the judge: made once for each page, and kept under the hash of its bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypedDict

from benchmarks.extract import blocks, cells
from benchmarks.extract.content import main_node
from benchmarks.extract.dom import decode, parse
from benchmarks.extract.packages import Log, Sampled

TRUTH = 5  # raise it when the same page would give another truth


class Truth(TypedDict):
    """The blocks of code of a page, and the rows of its tables of data."""

    blocks: list[blocks.Block]
    tables: list[list[list[str]]]


def page_truth(body: bytes) -> Truth:
    """The truth of a page."""
    tree = parse(decode(body))
    main = main_node(tree)
    return Truth(blocks=blocks.blocks(tree, main), tables=cells.tables(tree, main))


def load(page: Sampled, cache: Path) -> Truth:
    """The truth that `prepare` has made."""
    truth: Truth = json.loads(_place(page, cache).read_text(encoding="utf-8"))
    return truth


def prepare(pages: Sequence[Sampled], cache: Path, workers: int, log: Log) -> None:
    """Make the truth of each page that has none in the cache."""
    missing = [page for page in pages if not _place(page, cache).exists()]
    if not missing:
        return
    log(f"reading {len(missing)} pages for the truth")
    with ProcessPoolExecutor(workers) as pool:
        for number, _ in enumerate(pool.map(_make, missing, [cache] * len(missing), chunksize=8), 1):
            if number % 500 == 0:
                log(f"read {number} of {len(missing)}")


def _place(page: Sampled, cache: Path) -> Path:
    return cache / "truth" / f"{TRUTH}" / page.hash[:2] / f"{page.hash}.json"


def _make(page: Sampled, cache: Path) -> None:
    place = _place(page, cache)
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_suffix(f".{page.entry.name}.partial")
    partial.write_text(json.dumps(page_truth(page.file.read_bytes())), encoding="utf-8")
    partial.rename(place)
