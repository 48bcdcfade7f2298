"""How many planted copies of evaluation items are found, how many documents are blamed without one, and how fast.

python -m benchmarks.filter.leaks DOCUMENTS.parquet NL2BASH.tar.gz
"""

from __future__ import annotations

import argparse
import hashlib
import random
import tarfile
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.filter.leak_copies import Pair, paraphrase, plant
from benchmarks.filter.leak_items import make_items
from filters.leaks import Index, ItemSet, Leak
from filters.stream import read_stream

_COPIES = 1500
_BATCH = 400
_BLAMES = ("prompt_answer", "near_prompt_answer", "exact_run")
# Alarms that were read and are true: bash's manual, from which NL2Bash took a prompt, and Debian's reference, which has
# a pair of it. Told by the first digits of a hash of the document's words from an alarm's begin to its end.
_TRUE = frozenset(["02e8be468ad5e211", "66b643f8a42eddc1", "95947aa712163727", "616a90a6c5964d06"])


def read_nl2bash(path: str) -> list[Pair]:
    """The pairs of NL2Bash's archive."""
    with tarfile.open(path) as archive:
        sides = []
        for name in ("data/bash/all.nl", "data/bash/all.cm"):
            file = archive.extractfile(name)
            assert file is not None
            sides.append(file.read().decode("utf-8").split("\n"))
    return [(nl.strip(), cm.strip()) for nl, cm in zip(*sides, strict=True) if nl.strip() and cm.strip()]


def run(documents: Sequence[str], nl2bash: Sequence[Pair], seed: int = 7) -> dict[str, Any]:
    """All figures; prints them as a table. Every document is searched as it is, some with a copy planted too."""
    items = {**make_items(seed), "nl2bash": list(nl2bash)}
    sets = [ItemSet(name, [p for p, _ in pairs], [a for _, a in pairs]) for name, pairs in items.items()]
    begin = time.perf_counter()
    index = Index.build(sets)
    built = time.perf_counter() - begin
    Index.build(sets[:1]).find(read_stream(pa.array(["warm up"], pa.large_string())))
    alarms, seconds = _search(index, documents)
    blamed = Counter(kind for found in alarms for kind in {leak.kind for leak in found})
    chance = random.Random(seed)
    pairs = _sample(chance, items)
    blames = [[leak for leak in found if leak.kind in _BLAMES] for found in alarms]
    false = [found for text, found in zip(documents, blames, strict=True) if not _are_true(text, found)]
    exact = [(pair, plant(chance, chance.choice(documents), pair)) for pair in pairs]
    near = [(pair, plant(chance, chance.choice(documents), paraphrase(chance, pair))) for pair in pairs]
    size = sum(len(text.encode()) for text in documents)
    figures: dict[str, Any] = {
        "items": sum(map(len, items.values())),
        "documents": len(documents),
        "MB": round(size / 1e6, 1),
        "build seconds": round(built, 2),
        "milliseconds per MB": round(1e3 * seconds / (size / 1e6), 2),
        **{f"alarms {kind}": blamed[kind] for kind in _BLAMES},
        "documents blamed": sum(map(bool, blames)),
        "documents blamed falsely": len(false),
        **_found("exact", index, exact),
        **_found("paraphrased", index, near),
    }
    for name, value in figures.items():
        print(f"{name:48} {value}")
    return figures


def _are_true(text: str, alarms: Sequence[Leak]) -> bool:
    """Whether all alarms on a document were read and are true."""
    content = text.encode()
    return all(hashlib.sha256(content[each.start : each.end]).hexdigest()[:16] in _TRUE for each in alarms)


def _sample(chance: random.Random, items: dict[str, list[Pair]]) -> list[Pair]:
    """All made items and some of NL2Bash."""
    made = [pair for name, pairs in items.items() if name != "nl2bash" for pair in pairs]
    return made + chance.sample(items["nl2bash"], min(_COPIES - len(made), len(items["nl2bash"])))


def _search(index: Index, documents: Sequence[str]) -> tuple[list[list[Leak]], float]:
    """The leaks of each document, and the seconds of the search alone, the reading of the words apart."""
    found: list[list[Leak]] = []
    seconds = 0.0
    for at in range(0, len(documents), _BATCH):
        stream = read_stream(pa.array(documents[at : at + _BATCH], pa.large_string()))
        begin = time.perf_counter()
        found += index.find(stream)
        seconds += time.perf_counter() - begin
    return found, seconds


def _found(name: str, index: Index, planted: list[tuple[Pair, str]]) -> dict[str, Any]:
    """Shares of the planted copies found by any kind, and by runs of thirteen words of any prompt alone."""
    leaks, _ = _search(index, [text for _, text in planted])
    kinds = [{leak.kind for leak in found if leak.kind in _BLAMES} for found in leaks]
    grams = _thirteen_grams([pair[0] for pair, _ in planted])
    classic = sum(bool(grams & _thirteen_grams([text])) for _, text in planted)
    return {
        f"{name} copies": len(planted),
        f"{name} found": round(sum(map(bool, kinds)) / len(planted), 4),
        f"{name} found by 13-grams alone": round(classic / len(planted), 4),
    }


def _thirteen_grams(texts: Sequence[str]) -> set[tuple[str, ...]]:
    grams: set[tuple[str, ...]] = set()
    for text in texts:
        words = text.lower().split()
        grams |= set(zip(*(words[at:] for at in range(13)), strict=False))
    return grams


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents")
    parser.add_argument("nl2bash")
    arguments = parser.parse_args()
    run(pq.read_table(arguments.documents, columns=["text"])["text"].to_pylist(), read_nl2bash(arguments.nl2bash))
