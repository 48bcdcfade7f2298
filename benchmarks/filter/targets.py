"""The targets that the project has set itself for the filter, beside the figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.extract.report import Held, share
from benchmarks.filter.real import CODE, PROSE

_ENOUGH = 50
_FLAT = 1.15


def targets(results: Mapping[str, Any]) -> list[Held]:
    """The targets whose figures were measured; a part may bring its own as `targets`."""
    held: list[Held] = []
    if "canonical" in results:
        held += _canonical(results["canonical"])
    if "real" in results:
        held += _real(results["real"])
    if "speed" in results:
        held += _speed(results["speed"])
    if "memory" in results:
        held.append(_memory(results["memory"]))
    for part in results.values():
        held += part.get("targets", ()) if isinstance(part, Mapping) else ()
    return held


def at_least(name: str, part: int, whole: int, percent: float) -> Held:
    """A share of things counted that must reach so many per cent."""
    holds = whole > 0 and 100 * part >= percent * whole
    return Held(name, f"{share(part, whole)} % of {whole:,}", f">= {percent:g} %", holds)


def _canonical(found: Mapping[str, Any]) -> list[Held]:
    groups = found["groups"]
    number = found["documents"]
    return [
        Held("canonical documents", f"{number:,}", ">= 5,000", number >= 5000),
        Held("their packages", str(len(groups)), ">= 40", len(groups) >= 40),
        Held("manual pages among them", str(found["man_pages"]), ">= 1", found["man_pages"] >= 1),
        at_least("canonical documents kept", found["kept"], number, 99),
        _worst("kept of the package that loses most", groups, 95),
    ]


def _worst(name: str, groups: Mapping[str, Mapping[str, int]], percent: float) -> Held:
    worst = min(groups, key=lambda each: groups[each]["kept"] / groups[each]["documents"])
    held = at_least(name, groups[worst]["kept"], groups[worst]["documents"], percent)
    return held._replace(figure=f"{held.figure}, {worst}")


def _real(found: Mapping[str, Any]) -> list[Held]:
    held = []
    for form, what, percent in ((PROSE, "prose", 97), (CODE, "code, logs, rules and queries", 95)):
        groups = {name: counts for name, counts in found["groups"].items() if name.endswith(f" {form}")}
        kept, whole = (sum(counts[key] for counts in groups.values()) for key in ("kept", "documents"))
        held.append(at_least(f"real files of {what} kept", kept, whole, percent))
        if enough := {name: counts for name, counts in groups.items() if counts["documents"] >= _ENOUGH}:
            held.append(_worst(f"... of the category that loses most, of {_ENOUGH} files or more", enough, percent))
    return held


def _speed(found: Mapping[str, Any]) -> list[Held]:
    ours, times = found["ours_mb_per_s"], found["ours_mb_per_s"] / found["datatrove_mb_per_s"]
    return [
        Held("scores, verdicts and edits on one core", f"{ours:.1f} MB/s", ">= 20 MB/s", ours >= 20),
        Held("times datatrove's Gopher, C4 and FineWeb", f"{times:.1f}", ">= 30", times >= 30),
    ]


def _memory(found: Mapping[str, Any]) -> Held:
    ratio = found["peak_mb_of_all"] / found["peak_mb_of_one"]
    return Held(
        f"peak memory of {found['parts']} parts, times that of one", f"{ratio:.2f}", f"<= {_FLAT}", ratio <= _FLAT
    )
