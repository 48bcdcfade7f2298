"""The targets that the project has set itself, beside the figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.extract import unseen
from benchmarks.extract.ground import Scores
from benchmarks.extract.report import Held, share
from benchmarks.extract.summary import added


def targets(results: Mapping[str, Any]) -> list[Held]:
    """The targets whose figures were measured: name, figure, target, whether it holds."""
    held: list[Held] = []
    if (ours := results.get("packages", {}).get("ours")) is not None:
        held += _package_targets(ours)
    if "ours" in results.get("independent", {}):
        held += _independent_targets(results["independent"]["ours"])
    if set(results.get("truth", {})) - {"ours", unseen.NAME} and "ours" in results["truth"]:
        held += _truth_targets(results["truth"])
    if "speed" in results:
        held += _speed_targets(results["speed"])
    return held


def _package_targets(ours: Mapping[str, Any]) -> list[Held]:
    def target(name: str, part: str, whole: str, percent: float) -> list[Held]:
        counts = ours["all"]
        if not counts.get(whole):
            return []
        figure = f"{share(counts.get(part, 0), counts[whole])} % of {counts[whole]:,}"
        return [Held(name, figure, f">= {percent} %", 100 * counts.get(part, 0) >= percent * counts[whole])]

    held = target("blocks byte-exact in a fence", "exact", "blocks", 99.9)
    held += target("Doxygen fragments and line listings", "marked_exact", "marked_blocks", 99)
    held += target("languages that a block's page names", "language_kept", "language_blocks", 95)
    held += target("cells of tables in their row", "in_row", "cells", 99.5)
    if held and held[0][0].startswith("blocks"):
        held.append(Held("packages", str(len(ours["packages"])), ">= 60", len(ours["packages"]) >= 60))
    return held


def _independent_targets(ours: Mapping[str, Any]) -> list[Held]:
    counts = added(ours["packages"])
    figure = f"{share(counts['exact'], counts['blocks'])} % of {counts['blocks']:,}"
    held = 1000 * counts["exact"] >= 999 * counts["blocks"]
    number = len(ours["packages"])
    return [
        Held("blocks of the sources byte-exact in a fence", figure, ">= 99.9 %", held),
        Held("manuals whose sources were read", str(number), ">= 5", number >= 5),
    ]


def _truth_targets(truth: Mapping[str, Mapping[str, Scores]]) -> list[Held]:
    held: list[Held] = []
    peers = {tool: scores for tool, scores in truth.items() if tool not in ("ours", unseen.NAME)}
    for ours, of_sites in (("ours", ""), (unseen.NAME, ", sites that our model has not seen")):
        for group, scores in sorted(truth.get(ours, {}).items()):
            best, name = max((its[group]["f1"], tool) for tool, its in peers.items())
            ahead = group.endswith(("/documentation", "/forum"))
            holds = scores["f1"] > best if ahead else scores["f1"] >= best
            target = f"{'>' if ahead else '>='} {best:.3f} of {name}"
            held.append(Held(f"F1 on {group}{of_sites}", f"{scores['f1']:.3f}", target, holds))
    return held


def _speed_targets(speed: Mapping[str, Any]) -> list[Held]:
    held: list[Held] = []
    rates = speed["rates"]

    def ratio(kind: str, peer: str, bar: float, goal: bool = False) -> None:
        ours, its = (rates.get(kind, {}).get(tool, {}).get("pages_per_s") for tool in ("ours", peer))
        if ours and its:
            name = f"{'goal: ' if goal else ''}speed on {kind} pages, times {peer}"
            held.append(Held(name, f"{ours / its:.2f}", f">= {bar}", ours / its >= bar, goal))

    ratio("recognised", "trafilatura", 12)
    ratio("recognised", "resiliparse-main", 0.5)
    ratio("recognised", "resiliparse-main", 1, goal=True)
    ratio("recognised", "resiliparse-plain", 1, goal=True)
    ratio("undoubted generic", "trafilatura", 8)
    if methods := speed["methods"]:
        doubtful = methods.count("judged")
        held.append(
            Held(
                "pages that trafilatura judged",
                f"{share(doubtful, len(methods))} %",
                "<= 5 %",
                20 * doubtful <= len(methods),
            )
        )
    return held
