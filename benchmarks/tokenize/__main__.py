"""`make bench-tokenize`: tokens/s beside the ceilings and beside others, what packing wastes, and what a corpus takes."""

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

from benchmarks.extract import report
from benchmarks.extract.packages import Log
from benchmarks.extract.report import Held
from benchmarks.tokenize import packing, peers, speed, texts

PACKAGES = ("datatrove", "gigatoken", "megatron-core", "numba", "pyarrow", "tokenizers")
REPOSITORY = Path(__file__).resolve().parents[2]
_MADE = 1_000_000  # documents of log-normal length
_CORPUS = 19.5e9  # tokens that must be practical


@dataclass(frozen=True)
class Inputs:
    """What the parts measure on."""

    cache: Path
    scratch: Path
    log: Log

    @cached_property
    def corpus(self) -> texts.Corpus:
        return texts.load(self.cache, self.scratch, self.log)

    @cached_property
    def speed(self) -> dict[str, Any]:
        return speed.measure(self.corpus, self.scratch, self.log)


def _speed(inputs: Inputs) -> dict[str, Any]:
    found = inputs.speed
    million = found["tokens"] / 1e6
    rows = [(name, f"{1000 * each / million:.1f}", f"{million / each:.1f}") for name, each in found["seconds"].items()]
    ours = found["tokens"] / (found["seconds"]["encode"] + found["seconds"]["pack"])
    rows.append(("both steps", f"{1e9 / ours:.1f}", f"{ours / 1e6:.1f}"))
    title = f"speed on one core, {found['megabytes']:.0f} MB, {million:.1f} million tokens"
    report.table(title, ["", "ms/million tokens", "million tokens/s"], rows)
    report.table(
        "where it goes",
        ["", "ms/million tokens"],
        [(name, f"{each:.2f}") for name, each in found["profile_ms_per_million"].items()],
    )
    report.table("peers", ["", "ours is times as fast", "million tokens/s"], peers.summary(found["peers"], ours))
    beside = found["peers"].get(peers.DATATROVE)
    times = ours / beside["tokens_per_s"] if beside else 0.0
    held = [
        Held("both steps, times encoder and writer alone", f"{found['ratio']:.2f}", "<= 1.15", found["ratio"] <= 1.15),
        Held("tokens/s, times datatrove's", f"{times:.1f}" if beside else "not installed", ">= 20", times >= 20),
    ]
    return {**found, "tokens_per_s_of_both_steps": ours, "targets": held}


def _packing(inputs: Inputs) -> dict[str, Any]:
    found = packing.measure(speed.lengths(inputs.corpus, inputs.scratch), _MADE)
    rows = [
        (
            name, f"{each['documents']:,}", f"{100 * each['padding_share']:.3f}", f"{each['cut']:,}",
            f"{each['cut_by_concatenation']:,}", f"{each['cut_ratio']:.3f}", f"{each['ms_per_million_documents']:.0f}",
        )
        for name, each in found.items()
    ]  # fmt: skip
    header = ["", "documents", "padding %", "cut", "by concatenation", "ratio", "ms/million documents"]
    report.table(f"packing at {packing.LENGTH:,}", header, rows)
    held = []
    for name, each in found.items():
        padding, ratio = each["padding_share"], each["cut_ratio"]
        held += [
            Held(f"padding, {name}", f"{100 * padding:.3f} %", "<= 1 %", padding <= 0.01),
            Held(f"documents cut, times concatenation's, {name}", f"{ratio:.3f}", "<= 0.5", ratio <= 0.5),
        ]
    return {**found, "targets": held}


def _practicality(inputs: Inputs) -> dict[str, Any]:
    found = inputs.speed
    seconds = (found["seconds"]["encode"] + found["seconds"]["pack"]) / found["tokens"] * _CORPUS
    gigabytes = {name: found[f"{name}_bytes_per_token"] * _CORPUS / 1e9 for name in ("encoded", "shard")}
    rows = [
        ("core hours", f"{seconds / 3600:.2f}"),
        ("GB of encoded documents, until the shards are made", f"{gigabytes['encoded']:.0f}"),
        ("GB of shards", f"{gigabytes['shard']:.0f}"),
    ]
    report.table(f"{_CORPUS / 1e9:.1f} billion tokens, from these rates", ["", ""], rows)
    return {"tokens": _CORPUS, "core_hours": seconds / 3600, "gigabytes": gigabytes, "targets": []}


PARTS: Mapping[str, Callable[[Inputs], dict[str, Any]]] = {
    "speed": _speed,
    "packing": _packing,
    "practicality": _practicality,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are asked for; with `--check`, the exit code says whether every target holds."""
    options = _options(arguments)
    begin = time.monotonic()

    def log(line: str) -> None:
        print(f"{time.monotonic() - begin:5.0f} s  {line}", file=sys.stderr, flush=True)

    scratch = options.cache / "tokenize"
    scratch.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {
        "machine": report.machine(),
        "versions": report.versions(PACKAGES),
    }
    held: list[Held] = []
    inputs = Inputs(options.cache, scratch, log)
    results["inputs"] = {"documents": inputs.corpus.documents, "sha256": inputs.corpus.digest}
    for name in options.only:
        log(f"measuring {name}")
        results[name] = PARTS[name](inputs)
        held += results[name].pop("targets")
    place = options.cache / ("tokenize.json" if set(PARTS) <= results.keys() else "tokenize-part.json")
    code = report.settled(results, held, place, options.check)
    shutil.rmtree(scratch)
    log(f"wrote {place}")
    return code


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tokenize", description=__doc__)
    parser.add_argument("--only", type=lambda value: value.split(","), default=list(PARTS), help=",".join(PARTS))
    parser.add_argument("--cache", type=Path, default=REPOSITORY / "build" / "bench", help="packages and results")
    parser.add_argument("--check", action="store_true", help="fail if a target is missed")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
