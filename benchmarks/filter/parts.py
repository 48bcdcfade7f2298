"""The parts of the benchmark that measure on sets of their own: junk, personal data, leaks, categories, general rules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.extract.report import Held
from benchmarks.filter import categories, junk_table, labelled, leaks, privacy
from benchmarks.filter.targets import at_least
from filters.general.scores import scores
from filters.stream import read_stream
from filters.verdict import rules_of
from manifests.base import Rule
from manifests.load import load_rules
from manifests.models import FilterSettings

SEED = 23  # of what is planted; the rules were written against others
_CLEAN_MB = 25

# The limits that Gopher, C4 and FineWeb publish, and datatrove has: a larger (+) or smaller (-) value drops.
PUBLISHED: Mapping[str, tuple[float, int]] = {
    "duplicate_paragraphs": (0.3, 1), "duplicate_paragraph_characters": (0.2, 1), "duplicate_lines": (0.3, 1),
    "duplicate_line_characters": (0.2, 1), "top_2_gram": (0.2, 1), "top_3_gram": (0.18, 1), "top_4_gram": (0.16, 1),
    "duplicate_5_grams": (0.15, 1), "duplicate_10_grams": (0.1, 1), "gopher_words": (50, -1), "gopher_word_length": (10, 1),
    "hash_ratio": (0.1, 1), "ellipsis_ratio": (0.1, 1), "bullet_lines": (0.9, 1), "ellipsis_lines": (0.3, 1),
    "alphabetic_words": (0.8, -1), "stop_words": (2, -1), "terminal_lines": (0.12, -1), "short_lines": (0.67, 1),
    "duplicate_characters": (0.01, 1), "newline_ratio": (0.3, 1), "sentences": (5, -1), "curly_bracket": (0.5, 1),
}  # fmt: skip


def measure_general(documents: pa.Table) -> dict[str, Any]:
    """For each rule of the general web: what its published limit and ours drop of canonical documents."""
    stream = read_stream(documents["text"].combine_chunks())
    columns = scores(stream)
    prose = stream.column("prose_words") >= 50
    ours = {rule.column: rule for rule in rules_of(FilterSettings())}
    found = {}
    print(f"\n{'rule over prose':34} {'published':>9} {'drops':>7} {'ours':>6} {'drops':>7}")
    for column, (limit, sign) in PUBLISHED.items():
        rule = ours.get(column)
        lost = float(np.mean(sign * columns[column] > sign * limit))
        kept_to = _drops(columns[column], prose, rule) if rule else None
        found[column] = {"published": limit, "drops": lost, "ours": rule.limit if rule else None, "we_drop": kept_to}
        said = f"{rule.limit:6g} {kept_to:7.2%}" if rule else "   off"
        print(f"{column:34} {limit:9g} {lost:7.2%} {said}")
    assert {rule.column for rule in load_rules()} >= set(PUBLISHED)
    return found


def _drops(values: Any, prose: Any, rule: Rule) -> float:
    beyond = values > rule.limit if rule.above is not None else values < rule.limit
    return float(np.mean(beyond & prose))


def measure_junk() -> dict[str, Any]:
    """The sets of junk, and what of them is dropped for the right reason."""
    found = junk_table.measure()
    held = []
    for name, what in (("junk", "made beside the rules"), ("unseen", "made apart from them")):
        every = found[name]["all"]
        number = every["items"]
        for share, said in (("dropped", "dropped"), ("right_reason", "for the right reason")):
            held.append(at_least(f"junk {what}, {said}", round(every[share] * number), number, 95))
    return found | {"targets": held}


def measure_privacy(documents: pa.Table) -> dict[str, Any]:
    """Planted values, and clean documents up to so many MB."""
    sizes = np.cumsum(pc.binary_length(documents["text"]).to_numpy()) / 1e6
    found = privacy.measure(documents.slice(0, int(np.searchsorted(sizes, _CLEAN_MB)) + 1))
    privacy.table(found)
    return found


def measure_leaks(documents: pa.Table, data: Path) -> dict[str, Any]:
    """Copies planted in canonical documents, and alarms on those as they are."""
    archive = data / "man_pages_cli_reference" / "nl2bash.tar.gz"
    pairs = leaks.read_nl2bash(str(archive)) if archive.exists() else []
    print("\nleaks")
    found = leaks.run(documents["text"].to_pylist(), pairs, SEED)
    blamed, number = found["documents blamed falsely"], found["documents"]
    held = [
        _found("exact copies of items found", found, "exact", 100),
        _found("paraphrased copies found", found, "paraphrased", 95),
        Held("documents with a false alarm", f"{blamed} of {number:,}", "<= 1 in 10,000", blamed * 10_000 <= number),
    ]
    return found | {"targets": held}


def _found(name: str, figures: Mapping[str, Any], kind: str, percent: float) -> Held:
    number = figures[f"{kind} copies"]
    return at_least(name, round(figures[f"{kind} found"] * number), number, percent)


def measure_categories(data: Path, cache: Path) -> dict[str, Any]:
    """The model of categories by held-out source, without and with URL and format."""
    packages = cache / "labelled"
    if not packages.exists():
        labelled.main(["--cache", str(cache), "--output", str(packages)])
    found = categories.measure([str(packages), *([str(data)] if data.exists() else [])])
    held = []
    for name, measured in found["held_out_sources"].items():
        score = measured["macro_f1"]
        held.append(Held(f"categories, macro-F1 by held-out source, {name}", f"{score:.3f}", ">= 0.85", score >= 0.85))
    for one in held:
        print(f"{one.name}: {one.figure}")
    return found | {"targets": held}
