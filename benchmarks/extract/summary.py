"""Figures to tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from benchmarks.extract import report
from benchmarks.extract.fidelity import Result
from benchmarks.extract.ground import Scores
from benchmarks.extract.report import share
from benchmarks.extract.scores import Counts


def fidelity(measured: Mapping[str, Result]) -> dict[str, Any]:
    """The counts for the file."""
    return {
        tool: {
            "all": dict(result.total()),
            "generators": {name: dict(counts) for name, counts in result.generators.items()},
            "packages": {name: dict(counts) for name, counts in result.packages.items()},
            "failures": dict(result.failures),
        }
        for tool, result in measured.items()
    }


def code_tables(measured: Mapping[str, Result]) -> None:
    """Code: each tool over all packages, then exact blocks by generator."""
    header = (
        "tool",
        "exact %",
        "fenced %",
        "verbatim %",
        "squeezed %",
        "indented %",
        "marked %",
        "languages %",
        "whole pages %",
        "no output",
    )
    rows = []
    for tool, result in measured.items():
        all_ = result.total()
        kinds = [share(all_[name], all_["blocks"]) for name in ("exact", "fenced", "verbatim", "squeezed")]
        groups = [share(all_[f"{group}_exact"], all_[f"{group}_blocks"]) for group in ("indented", "marked")]
        others = [share(all_["language_kept"], all_["language_blocks"]), share(all_["whole_pages"], all_["pages"])]
        rows.append((tool, *kinds, *groups, *others, result.failures.total()))
    total = _any(measured).total()
    packages = len(_any(measured).packages)
    report.table(
        f"blocks of code: {total['blocks']:,} on {total['pages']:,} pages of {packages} packages", header, rows
    )
    _by_generator("exact blocks by generator, %", measured, "exact", "blocks")


def cell_table(measured: Mapping[str, Result]) -> None:
    """Cells of tables: each tool over all packages, then by generator."""
    total = _any(measured).total()
    rows = []
    for tool, result in measured.items():
        all_ = result.total()
        rows.append((tool, share(all_["in_row"], all_["cells"]), share(all_["present"], all_["cells"])))
    report.table(
        f"cells of tables: {total['cells']:,} of {total['tables']:,} tables", ("tool", "in row %", "present %"), rows
    )
    _by_generator("cells in their row by generator, %", measured, "in_row", "cells")


def independent_table(measured: Mapping[str, Any]) -> None:
    """Blocks of the manuals' sources: exact ones by format, and what became of the others."""
    first = next(iter(measured.values()))
    rows = [
        (
            name,
            counts["blocks"],
            *(share(result["formats"][name].get("exact", 0), counts["blocks"]) for result in measured.values()),
        )
        for name, counts in sorted(first["formats"].items())
    ]
    title = f"blocks of code read from the sources of {len(first['packages'])} manuals, exact in the pages' Markdown, %"
    report.table(title, ("format", "blocks", *measured), rows)
    fates = ("exact", "fenced", "text", "lost")
    totals = {tool: added(result["packages"]) for tool, result in measured.items()}
    rows = [(tool, *(share(counts[fate], counts["blocks"]) for fate in fates)) for tool, counts in totals.items()]
    report.table(
        "what became of them, %", ("tool", "exact", "fenced but for spaces", "in no fence", "lost or changed"), rows
    )


def speed_table(rates: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Pages a second on one core; first how many times faster ours is."""
    for kind, measured in rates.items():
        any_ = next(iter(measured.values()))
        title = f"speed, {kind}: {any_['pages']:,} pages, mean {any_.get('mean_bytes', 0) / 1000:.0f} kB, one core"
        rows = [
            (tool, _times(measured, tool), f"{rate['pages_per_s']:.0f}", f"{rate['mb_per_s']:.1f}")
            for tool, rate in measured.items()
            if rate.get("pages_per_s")
        ]
        report.table(title, ("tool", "ours is times faster", "pages/s", "MB/s"), rows)


def _by_generator(title: str, measured: Mapping[str, Result], part: str, whole: str) -> None:
    def row(name: str, counts: Mapping[str, Counts]) -> tuple[object, ...]:
        any_ = next(iter(counts.values()))
        return (name, any_[whole], *(share(each[part], each[whole]) for each in counts.values()))

    rows = [
        row(name, {tool: result.generators[name] for tool, result in measured.items()})
        for name, counts in _any(measured).generators.items()
        if counts[whole]
    ]
    report.table(title, ("generator", whole, *measured), rows)


def truth_tables(truth: Mapping[str, Mapping[str, Scores]]) -> None:
    """Ground truths: F1 by set and type, then every measure of each set."""
    groups = sorted(next(iter(truth.values())), key=lambda group: (group.split("/")[0], group.endswith("/all"), group))
    rows = [
        (
            group,
            int(next(iter(truth.values()))[group]["pages"]),
            *(f"{scores[group]['f1']:.3f}" for scores in truth.values()),
        )
        for group in groups
    ]
    report.table("ground truths: F1 of words, mean over pages", ("set", "pages", *truth), rows)
    names = ("precision", "recall", "f1", "must", "must_not", "boilerplate_precision", "boilerplate_recall", "failed")
    for group in groups:
        if group.endswith(("/all", "/documentation", "/forum")):
            cells = [
                (tool, *(f"{scores[group].get(name, float('nan')):.3f}" for name in names))
                for tool, scores in truth.items()
            ]
            report.table(group, ("tool", *(name.replace("_", " ") for name in names)), cells)


def overall(results: Mapping[str, Any]) -> None:
    """One row for each tool: how many times faster ours is, then what the tool keeps."""
    rates: Mapping[str, Any] = results.get("speed", {}).get("rates", {})
    truth: Mapping[str, Mapping[str, Scores]] = results.get("truth", {})
    groups = [group for group in next(iter(truth.values()), {}) if group.endswith(("/all", "/documentation", "/forum"))]
    rows = []
    for tool in results["tools"]:
        ratios = [_times(measured, tool) for measured in rates.values()]
        counts = results.get("packages", {}).get(tool, {}).get("all", {})
        parts = ("exact", "marked_exact", "language_kept", "in_row")
        wholes = ("blocks", "marked_blocks", "language_blocks", "cells")
        kept = [share(counts.get(part, 0), counts.get(whole, 0)) for part, whole in zip(parts, wholes, strict=True)]
        sources = added(results.get("independent", {}).get(tool, {}).get("packages", {}))
        words = [f"{truth[tool][group]['f1']:.3f}" for group in groups]
        rows.append((tool, *ratios, *kept, share(sources["exact"], sources["blocks"]), *words))
    header = ("tool", *(f"x {kind}" for kind in rates), "code %", "marked %", "languages %", "cells %", "sources %")
    columns = [column for column in zip((*header, *groups), *rows, strict=True) if set(column[1:]) != {"-"}]
    first, *others = zip(*columns, strict=True)
    report.table("all of it: ours is x times faster; kept; F1", first, others)


def _times(measured: Mapping[str, Mapping[str, float]], tool: str) -> str:
    ours, its = (measured.get(name, {}).get("pages_per_s") for name in ("ours", tool))
    return f"{ours / its:.2f}" if ours and its else "-"


def added(groups: Mapping[str, Mapping[str, int]]) -> Counts:
    """The counts of all groups together."""
    total: Counts = Counter()
    for counts in groups.values():
        total.update(counts)
    return total


def _any(measured: Mapping[str, Result]) -> Result:
    return next(iter(measured.values()))
