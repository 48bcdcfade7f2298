"""What the gates reject of pairs whose fault is known, and how many pairs they judge in a second on one core."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.extract.packages import Log
from benchmarks.extract.report import Held, share, table
from benchmarks.filter import real
from benchmarks.filter.speed import one_core
from benchmarks.synth.pairs import Pair, pairs_of
from benchmarks.synth.rewording import Piece, pieces_of
from synth.gates import SCORES, details, judge, measure

REPOSITORY = Path(__file__).resolve().parents[2]
WORDS = (90, 300)  # of a piece
_OF_A_SOURCE = 24  # pieces at most
_ROUNDS = 5
_SHOWN = 12


def load(data: Path, cache: Path, log: Log) -> list[Piece]:
    """Pieces of the real files in English prose; none without the data."""
    rows = real.is_document(real.load(data, cache, log))
    by_source: dict[str, list[Piece]] = defaultdict(list)
    for source, form, text in zip(*(rows[name].to_pylist() for name in ("source", "form", "text")), strict=True):
        if form == real.PROSE and "french" not in source:
            by_source[source] += pieces_of([text], WORDS)
    chosen = []
    for pieces in by_source.values():
        pieces.sort(key=lambda piece: hashlib.sha256(piece.text.encode()).digest())
        chosen += pieces[:_OF_A_SOURCE]
    return sorted(chosen, key=lambda piece: hashlib.sha256(piece.text.encode()).digest())


def judged(pairs: Sequence[Pair]) -> list[list[tuple[str, float]]]:
    """The gates that each pair fails."""
    scores = measure(_column([each.source for each in pairs]), _column([each.answer for each in pairs]))
    failed: list[list[tuple[str, float]]] = [[] for _ in pairs]
    by_limits: dict[tuple[tuple[str, float | None], ...], list[int]] = defaultdict(list)
    for at, pair in enumerate(pairs):
        by_limits[tuple(sorted(pair.limits.items()))].append(at)
    for limits, places in by_limits.items():
        for at, verdict in zip(
            places, judge({name: scores[name][places] for name in SCORES}, dict(limits)), strict=True
        ):
            failed[at] = verdict
    return failed


def _column(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.large_string())


def outcome(pairs: Sequence[Pair], failed: Sequence[list[tuple[str, float]]]) -> dict[str, dict[str, Any]]:
    """By label: pairs, those rejected, those rejected by a gate that may, and the gates that rejected most."""
    found: dict[str, dict[str, Any]] = {}
    for pair, gates in zip(pairs, failed, strict=True):
        each = found.setdefault(pair.label, {"pairs": 0, "rejected": 0, "rightly": 0, "gates": Counter()})
        names = {name for name, _ in gates}
        each["pairs"] += 1
        each["rejected"] += bool(names)
        each["rightly"] += bool(names & pair.expected)
        each["gates"].update(names)
    return dict(sorted(found.items()))


def speed(pairs: Sequence[Pair]) -> dict[str, float]:
    """Pairs in a second of one core, all columns and verdicts, by the best of some rounds; the mean sizes."""
    sources, answers = _column([each.source for each in pairs]), _column([each.answer for each in pairs])
    measure(sources, answers)
    best = float("inf")
    with one_core():
        for _ in range(_ROUNDS):
            begin = time.process_time()
            judge(measure(sources, answers), {})
            best = min(best, time.process_time() - begin)
    sizes = [float(pc.mean(pc.binary_length(column)).as_py()) for column in (sources, answers)]
    return {"pairs": len(pairs), "pairs_per_s": len(pairs) / best, "source_bytes": sizes[0], "answer_bytes": sizes[1]}


def run(data: Path, cache: Path, log: Log, *, develop: bool = False) -> dict[str, Any]:
    """Prints the tables and gives their figures, with the targets beside them; of the half for reporting."""
    pieces = load(data, cache, log)
    if not pieces:
        log("skipped the gates: there are no real files")
        return {"targets": []}
    every = pairs_of(pieces)
    pairs = [each for each in every if each.develop == develop]
    log(f"{len(pieces)} pieces, {len(every)} pairs, {len(pairs)} of them in this half")
    failed = judged(pairs)
    found = outcome(pairs, failed)
    wrong = {label: each for label, each in found.items() if not label.startswith("faithful")}
    right = {label: each for label, each in found.items() if label.startswith("faithful")}
    _table("corruptions", wrong, "rightly")
    _table("faithful rewrites", right, "rejected")
    total = {name: sum(each[name] for each in wrong.values()) for name in ("pairs", "rejected", "rightly")}
    kept = {name: sum(each[name] for each in right.values()) for name in ("pairs", "rejected")}
    fast = speed([each for each in pairs if each.label.startswith("faithful")])
    rows = [(f"{fast['pairs_per_s']:,.0f}", f"{fast['source_bytes']:,.0f}", f"{fast['answer_bytes']:,.0f}")]
    table("pairs/s on one core", ["all gates", "bytes of a source", "bytes of an answer"], rows)
    if develop:
        _show(pairs, failed, log)
    targets = [
        Held("corruptions rejected by the right gate", f"{share(total['rightly'], total['pairs'])} %", ">= 98 %",
             total["rightly"] >= 0.98 * total["pairs"]),
        Held("faithful rewrites rejected", f"{share(kept['rejected'], kept['pairs'])} %", "<= 2 %",
             kept["rejected"] <= 0.02 * kept["pairs"]),
        Held("pairs/s", f"{fast['pairs_per_s']:,.0f}", ">= 5,000", fast["pairs_per_s"] >= 5000),
    ]  # fmt: skip
    outcomes = {label: {**each, "gates": dict(each["gates"])} for label, each in found.items()}
    return {"pieces": len(pieces), "outcomes": outcomes, "speed": fast, "targets": targets}


def _table(title: str, found: dict[str, dict[str, Any]], column: str) -> None:
    rows = []
    for label, each in found.items():
        gates = ", ".join(f"{name} {number}" for name, number in each["gates"].most_common(4))
        rows.append(
            (label, each["pairs"], share(each[column], each["pairs"]), share(each["rejected"], each["pairs"]), gates)
        )
    table(
        f"{title}, %",
        ["", "pairs", "by the right gate" if column == "rightly" else "rejected", "by any", "gates"],
        rows,
    )


def _show(pairs: Sequence[Pair], failed: Sequence[list[tuple[str, float]]], log: Log) -> None:
    """Pairs that were judged wrongly, some of each label."""
    shown: Counter[str] = Counter()
    for pair, gates in zip(pairs, failed, strict=True):
        names = {name for name, _ in gates}
        if bool(names) != bool(pair.expected) or (pair.expected and not names & pair.expected):
            shown[pair.label] += 1
            if shown[pair.label] <= _SHOWN:
                log(f"{pair.label}: {gates} {details(pair.source, pair.answer)} … {pair.answer[-90:]!r}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the tables; the exit code says whether every target holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.synth.gates", description=__doc__)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data", help="the real files")
    parser.add_argument("--cache", type=Path, default=REPOSITORY / "build" / "bench", help="what was read of them")
    parser.add_argument("--develop", action="store_true", help="the half that limits are chosen by, with its mistakes")
    options = parser.parse_args(arguments)
    found = run(options.data, options.cache, lambda line: print(line, file=sys.stderr), develop=options.develop)
    for name, figure, target, holds, _ in found["targets"]:
        print(f"{'held  ' if holds else 'MISSED'}  {name}: {figure}  (target: {target})")
    return 0 if all(each.holds for each in found["targets"]) else 1


if __name__ == "__main__":
    sys.exit(main())
