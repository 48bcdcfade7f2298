"""`make bench-synth`: the stage killed, changed and left by its teacher; gates; the client, also beside peers; a prefix cache."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.extract import report
from benchmarks.extract.packages import Log
from benchmarks.extract.report import Held
from benchmarks.synth import client, gates, peers, prefix, stage

PACKAGES = ("aiohttp", "datatrove", "numba", "pyarrow", "ray")
REPOSITORY = Path(__file__).resolve().parents[2]


def _gates(options: argparse.Namespace, log: Log) -> dict[str, Any]:
    return gates.run(options.data, options.cache, log)


def _client(options: argparse.Namespace, log: Log) -> dict[str, Any]:
    found = client.measure()
    share = found["ours_per_s"] / found["bare_per_s"]
    rows = [
        ("ours, times the HTTP library alone", f"{share:.2f}"),
        ("requests/s, ours", f"{found['ours_per_s']:,.0f}"),
        ("requests/s, the HTTP library alone", f"{found['bare_per_s']:,.0f}"),
        (f"{client.SLOTS} slots busy", f"{found['busy']:.1%}"),
    ]
    report.table("the client, one process", ["", ""], rows)
    fast = found["ours_per_s"] >= 5000 or share >= 0.8
    held = [
        Held("requests/s, or times the HTTP library", f"{rows[1][1]}, {share:.2f}", ">= 5,000, or >= 0.80", fast),
        Held(f"{client.SLOTS} slots busy", f"{found['busy']:.1%}", ">= 95 %", found["busy"] >= 0.95),
    ]
    return {**found, "targets": held}


def _peers(options: argparse.Namespace, log: Log) -> dict[str, Any]:
    found = peers.measure(log)
    rows = [
        (each["name"], f"{each['requests']:,}", f"{each['per_s']:,.0f}", f"{each['start_s']:.1f}", f"{each['connections']:,}")
        for each in found["at_once"]
    ]  # fmt: skip
    header = ["", "requests", "requests/s", "s before the first", "connections"]
    report.table("a server that answers at once, requests of 1,000 characters", header, rows)
    rows = [
        (each["name"], f"{each['requests']:,}", f"{each['busy']:.1%}", f"{each['per_s']:,.0f}", f"{each['most_in_flight']}")
        for each in found["in_slots"]
    ]  # fmt: skip
    header = ["", "requests", "slots busy", "requests/s", "most at the server"]
    report.table(f"a server of {client.SLOTS} slots, 0.05 to 0.2 s an answer", header, rows)
    rows = [
        (f"{each['fault']}, {each['name']}", each["errors"], each["lost"], each["without"], each["ended"])
        for each in found["faults"]
    ]
    header = ["8 requests", "errors taken for answers", "answers lost", "requests without", "job"]
    report.table("401 to all requests, 500 and 429 once to every fourth, all in JSON", header, rows)
    return {**found, "targets": [*_beside(found), _sound(found["faults"])]}


def _beside(found: dict[str, Any]) -> list[Held]:
    """Ours beside the best peer; nothing where no peer is there."""
    fast, busy = (
        {each["name"]: each[figure] for each in found[part] if each["name"] != peers.BARE}
        for part, figure in (("at_once", "per_s"), ("in_slots", "busy"))
    )
    our_fast, our_busy = fast.pop(peers.OURS), busy.pop(peers.OURS)
    if not fast:
        return []
    fastest, busiest = max(fast, key=fast.__getitem__), max(busy, key=busy.__getitem__)
    times = our_fast / fast[fastest]
    beside = f"{our_busy:.1%} beside {busy[busiest]:.1%}, {busiest}"
    return [
        Held("requests/s, times the fastest peer's", f"{times:.2f}, {fastest}", ">= 1", times >= 1),
        # A client that begins with few requests in flight, for the server's sake, loses a tenth of a second once.
        Held("slots busy beside the best peer", beside, "no less, to a point", our_busy >= busy[busiest] - 0.01),
    ]


def _sound(faults: Sequence[Mapping[str, Any]]) -> Held:
    """Ours takes no error for an answer, loses none and does not die; without a key that is let in it stops in a line."""
    ours = [each for each in faults if each["name"] == peers.OURS]
    ended = ", ".join(f"{each['fault']} {each['ended']}" for each in ours)
    errors, lost = (sum(each[name] for each in ours) for name in ("errors", "lost"))
    without = sum(each["without"] for each in ours if each["fault"] != "401")
    right = [each["ended"] for each in ours] == ["done", "done", "stopped"]
    return Held("ours at faults: errors taken for answers, answers lost, requests without", f"{errors}, {lost}, {without}; {ended}",
                "0, 0, 0; 401 stops in a line", right and not errors + lost + without)  # fmt: skip


def _prefix(options: argparse.Namespace, log: Log) -> dict[str, Any]:
    if why := prefix.server.missing():
        log(f"skipped the prefix cache: {why}")
        return {"targets": []}
    found = prefix.measure()
    rows = [(each["layout"], each["order"], f"{each['prompt_tokens']:,}", f"{each['share']:.1%}") for each in found]
    report.table("prompt tokens from llama.cpp's prefix cache, one slot", ["layout", "by", "tokens", "cached"], rows)
    share = found[0]["share"]
    held = [Held("cached, document first, by document", f"{share:.1%}", ">= 70 %", share >= 0.7)]
    return {"rows": found, "targets": held}


def _kills(options: argparse.Namespace, log: Log) -> dict[str, Any]:
    found = stage.kills()
    rows = [
        ("requests of the plan", f"{found['requests']:,}"),
        ("calls", f"{found['asked']:,}"),
        (f"calls that failed, in {found['ways']} ways", f"{found['faults']:,}"),
        ("whole answers that the server sent", f"{found['answered']:,}"),
        ("seconds", f"{found['seconds']:.0f}"),
    ]
    report.table(f"a plan whose process is killed {found['kills']} times", ["", ""], rows)
    paid, most = found["answered"], found["most"]
    same = f"{found['parts']} of {found['parts']} parts" if found["identical"] else "they differ"
    held = [
        Held("kills", str(found["kills"]), f">= {stage.KILLS}", found["kills"] >= stage.KILLS),
        Held("answers paid for", f"{paid:,}", f"<= plan + in flight at kills = {most:,}", paid <= most),
        Held(
            "requests answered",
            f"{found['different']:,}",
            f"{found['requests']:,}",
            found["different"] == found["requests"],
        ),
        Held("files as of an undisturbed run", same, "all", found["identical"]),
    ]
    return {**found, "targets": held}


def _changes(options: argparse.Namespace, log: Log) -> dict[str, Any]:
    found = stage.changes()
    report.table(
        "requests that a change asks for", ["changed", "new", "asked"], [(c.name, c.new, c.asked) for c in found]
    )
    held = [Held(f"asked for: {each.name}", str(each.asked), str(each.new), each.asked == each.new) for each in found]
    return {"rows": [vars(each) for each in found], "targets": held}


def _endings(options: argparse.Namespace, log: Log) -> dict[str, Any]:
    found = stage.endings()
    for each in found:
        print(f"\n{each.name}, after {each.seconds:.1f} s and {each.answered} answers:\n  {each.line}")
    held = [
        Held(
            each.name,
            f"{each.line.count(chr(10)) + 1} line; {each.answered} kept, {each.asked_after} asked when it was well again",
            "1 line, nothing lost or asked twice, the same files",
            each.holds,
        )
        for each in found
    ]
    return {"rows": [vars(each) for each in found], "targets": held}


PARTS: Mapping[str, Callable[[argparse.Namespace, Log], dict[str, Any]]] = {
    "kills": _kills,
    "changes": _changes,
    "endings": _endings,
    "gates": _gates,
    "client": _client,
    "peers": _peers,
    "prefix": _prefix,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are asked for; with `--check`, the exit code says whether every target holds."""
    options = _options(arguments)
    begin = time.monotonic()

    def log(line: str) -> None:
        print(f"{time.monotonic() - begin:5.0f} s  {line}", file=sys.stderr, flush=True)

    options.cache.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"machine": report.machine(), "versions": report.versions(PACKAGES)}
    held: list[Held] = []
    for name in options.only:
        log(f"measuring {name}")
        results[name] = PARTS[name](options, log)
        held += results[name].pop("targets")
    place = options.cache / ("synth.json" if set(PARTS) <= results.keys() else "synth-part.json")
    code = report.settled(results, held, place, options.check)
    log(f"wrote {place}")
    return code


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.synth", description=__doc__)
    parser.add_argument("--only", type=lambda value: value.split(","), default=list(PARTS), help=",".join(PARTS))
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data", help="real files")
    parser.add_argument("--cache", type=Path, default=REPOSITORY / "build" / "bench", help="what was read, and results")
    parser.add_argument("--check", action="store_true", help="fail if a target is missed")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
