"""The tables of the filter's benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.extract.report import share, table

_SHOWN = 25


def canonical_tables(found: Mapping[str, Any]) -> None:
    """Keep rates of canonical documents: all, the packages that lost some, what was lost, and what stands apart."""
    _rates_table("canonical documents kept, %", "package", found, only_lossy=True)
    _lost_table(found)
    kinds = {kind: len(urls) for kind, urls in found["apart"].items()}
    rows = [(kind, number, found["apart"][kind][0]) for kind, number in sorted(kinds.items())]
    table("pages apart (each is listed in the file)", ["kind", "pages", "such as"], rows)
    print(f"of {kinds.get('stub', 0)} stubs {found['kept_stubs']} would stay")


def real_tables(found: Mapping[str, Any]) -> None:
    """Keep rates of real files by category and form, and what was lost."""
    _rates_table("real files kept, %", "category and form", found, only_lossy=False)
    _lost_table(found)
    unread = ", ".join(f"{number} {why}" for why, number in found["unread"].items())
    print(f"files that the extractor made no document of: {unread or 'none'}")


def _rates_table(title: str, group: str, found: Mapping[str, Any], *, only_lossy: bool) -> None:
    drawn = found["sample"]
    rows: list[tuple[object, ...]] = [
        ("all", found["documents"], share(found["kept"], found["documents"]), "", ""),
        (
            "the draw for datatrove",
            drawn["documents"],
            share(drawn["ours"], drawn["documents"]),
            share(drawn["datatrove"], drawn["documents"]),
            drawn["documents"],
        ),
    ]
    for name, counts in sorted(found["groups"].items(), key=lambda each: each[1]["kept"] / each[1]["documents"]):
        if only_lossy and counts["kept"] == counts["documents"]:
            continue
        theirs = drawn["groups"].get(name, {"documents": 0, "datatrove": 0})
        rows.append(
            (
                name,
                counts["documents"],
                share(counts["kept"], counts["documents"]),
                share(theirs["datatrove"], theirs["documents"]),
                theirs["documents"],
            )
        )
    table(title, [group, "documents", "ours", "datatrove", "drawn"], rows)


def _lost_table(found: Mapping[str, Any]) -> None:
    if not found["lost"]:
        return
    rows = [(reason, number) for reason, number in found["reasons"].items()]
    table("lost, by first reason", ["reason", "documents"], rows)
    shown: dict[str, int] = {}
    for each in found["lost"]:
        shown[each["reason"]] = shown.get(each["reason"], 0) + 1
        if shown[each["reason"]] <= max(3, _SHOWN // len(rows)):
            print(f"  {each['reason']} {each['value']}  {each['url']}")


def speed_tables(found: Mapping[str, Any]) -> None:
    """MB/s beside datatrove's, and the time by part."""
    rates = [
        ("ours: all scores, verdicts, edits", found["ours_mb_per_s"], found["documents"]),
        ("datatrove: Gopher, C4, FineWeb", found["datatrove_mb_per_s"], found["datatrove_documents"]),
        (
            "the same, stopping at the first that drops",
            found["datatrove_stopping_mb_per_s"],
            found["datatrove_documents"],
        ),
    ]
    rows = [(name, f"{rate / found['datatrove_mb_per_s']:.1f}", f"{rate:.3g}", number) for name, rate, number in rates]
    table("speed on one core", ["", "times datatrove", "MB/s", "documents"], rows)
    costs = found["parts_ms_per_mb"]
    parts = [(name, f"{cost:.2f}", share(cost, sum(costs.values()))) for name, cost in costs.items()]
    table("where the time goes", ["part", "ms/MB", "%"], parts)


def memory_table(found: Mapping[str, Any]) -> None:
    """Peak memory over one part and over several."""
    rows = [
        ("one part", f"{found['megabytes_of_one']:.1f}", f"{found['peak_mb_of_one']:.0f}"),
        (f"{found['parts']} parts", f"{found['megabytes_of_all']:.1f}", f"{found['peak_mb_of_all']:.0f}"),
    ]
    table("peak memory of classify and filter", ["", "MB of text", "MB of memory"], rows)
