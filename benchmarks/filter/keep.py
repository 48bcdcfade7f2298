"""Keep rates: of canonical documents by package, and of real files by category, beside datatrove's filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.extract.packages import Log
from benchmarks.filter import canonical, real
from benchmarks.filter.verdicts import OFF_TOPIC, datatrove_keeps, losses, sample

DATATROVE_DOCUMENTS = 600


def measure_canonical(pages: pa.Table, log: Log) -> dict[str, Any]:
    """Of the canonical pages: what stands apart, and what of the documents stays, in all and by package."""
    documents = canonical.is_document(pages)
    log(f"judging {documents.num_rows} canonical documents")
    found = _rates(documents, ["source"], log)
    stubs = pages.filter(pc.equal(pages["apart"], "stub"))
    found["kept_stubs"] = stubs.num_rows - len(losses(stubs, "source"))
    kinds = zip(pages["apart"].to_pylist(), pages["url"].to_pylist(), strict=True)
    found["apart"] = {}
    for kind, url in kinds:
        if kind:
            found["apart"].setdefault(kind, []).append(url)
    found["man_pages"] = documents.filter(pc.equal(documents["category"], "man_pages_cli_reference")).num_rows
    return found


def measure_real(files: pa.Table, log: Log) -> dict[str, Any]:
    """Of the real files: what stays, in all and by category and form (`engineering_blogs prose`), relevance apart.

    The questions and answers among them are of other fields, so what leaves for that alone is counted by itself.
    """
    documents = real.is_document(files)
    log(f"judging {documents.num_rows} real files")
    found = _rates(documents, ["category", "form"], log, OFF_TOPIC)
    print(f"\nreal files that would leave for their relevance alone: {found['set_apart']}")
    return {**found, "unread": real.unread(files)}


def _rates(documents: pa.Table, by: Sequence[str], log: Log, apart: str = "") -> dict[str, Any]:
    """Documents, those kept, and what was lost, by group; and datatrove's keep rate on a draw of them.

    What is lost for the reason `apart` counts as kept, and is told under `set_apart`.
    """
    names = [" ".join(names) for names in zip(*(documents[column].to_pylist() for column in by), strict=True)]
    grouped = documents.append_column("group", pa.array(names, pa.string()))
    every = losses(grouped, "group")
    lost = [each for each in every if each.reason != apart]
    gone = {each.url for each in lost}
    drawn = sample(grouped, DATATROVE_DOCUMENTS)
    log(f"asking datatrove for {drawn.num_rows} of them")
    keeps = datatrove_keeps(drawn["text"].to_pylist())
    return {
        "documents": grouped.num_rows,
        "kept": grouped.num_rows - len(lost),
        "groups": _groups(grouped, lost),
        "set_apart": dict(sorted(Counter(each.group for each in every if each.reason == apart).items())),
        "reasons": dict(Counter(each.reason for each in lost).most_common()),
        "lost": [vars(each) for each in lost],
        "sample": {
            "documents": drawn.num_rows,
            "ours": sum(url not in gone for url in drawn["url"].to_pylist()),
            "datatrove": sum(keeps),
            "groups": _drawn_groups(drawn, keeps),
        },
    }


def _groups(grouped: pa.Table, lost: Sequence[Any]) -> dict[str, dict[str, int]]:
    whole, gone = Counter(grouped["group"].to_pylist()), Counter(each.group for each in lost)
    return {name: {"documents": number, "kept": number - gone[name]} for name, number in sorted(whole.items())}


def _drawn_groups(drawn: pa.Table, keeps: Sequence[bool]) -> dict[str, dict[str, int]]:
    groups: dict[str, dict[str, int]] = {}
    for name, kept in zip(drawn["group"].to_pylist(), keeps, strict=True):
        counts = groups.setdefault(name, {"documents": 0, "datatrove": 0})
        counts["documents"] += 1
        counts["datatrove"] += kept
    return groups
