"""Real sets in which much is said twice, and what brute force says of them.

Two releases of the kernel's documentation, two architectures of the installation guide, a handbook in many languages, a
manual in many pages and in one, and edits that are made of some of their pages.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse as sp  # type: ignore[import-untyped]

from benchmarks.dedup.stages import dropped, prepare, run_dedup
from benchmarks.extract.packages import Log, download, members
from benchmarks.filter.documents import documents, page_of, row
from filters.clusters import LARGER
from filters.shingles import shingle_sets, shingles_of
from filters.stream import read_stream
from manifests.models import ClassifySettings
from pipelines.classify import score
from pipelines.pool import Pool

PACKAGES = (
    "linux-doc-6.1",
    "linux-doc-6.12",
    "installation-guide-amd64",
    "installation-guide-arm64",
    "debian-handbook",
    "debian-policy",
)
ALIKE, UNLIKE, HELD = 0.8, 0.7, 0.9
FEWEST = 26  # shingles of a text that is looked for in others
EDITED = 1500  # documents of which an edited copy is made
_PAGE = re.compile(r"\.html?(?:\.gz)?$")
_SMALLEST, _LARGEST = 500, 4_000_000
_BLOCK = 256


class Pairs(NamedTuple):
    """All pairs with a similarity of UNLIKE or more, the smaller number first; and what lies in another text: HELD of its
    shingles or more, and what share; sizes: the shingles of each document."""

    one: npt.NDArray[np.int64]
    other: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float64]
    held: npt.NDArray[np.int64]
    holder: npt.NDArray[np.int64]
    share: npt.NDArray[np.float64]
    sizes: npt.NDArray[np.int64]

    def excerpts(self) -> npt.NDArray[np.bool_]:
        """Of what lies in another, which is so much smaller than that, and large enough, that it is looked for."""
        sizes = self.sizes[self.held]
        wanted: npt.NDArray[np.bool_] = (sizes < LARGER * self.sizes[self.holder]) & (sizes >= FEWEST)
        return wanted


def load(cache: Path, log: Log) -> pa.Table:
    """The documents of the packages, and the edited copies, with every column of `classify`."""
    rows: list[dict[str, Any]] = []
    for package, deb in download(PACKAGES, cache, log).items():
        before = len(rows)
        for path, body in members(deb, _PAGE, _SMALLEST, _LARGEST):
            page, _ = page_of(body, "text/html", path)
            if page is not None:
                url = f"https://{package}.example/{path.lstrip('./')}"
                rows.append(row(page, url, package, "open_source_documentation"))
        log(f"{package}: {len(rows) - before:,} documents")
    rows += _edited(rows)
    return score(documents(sorted(rows, key=lambda each: str(each["doc_id"]))), ClassifySettings())


def _edited(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Copies in which words are replaced, dropped or put in, some only a few, some so many that it is another text."""
    chosen = random.Random(1)
    for each in chosen.sample(rows, min(EDITED, len(rows))):
        words = each["text"].split(" ")
        for _ in range(int(len(words) * chosen.choice((0.002, 0.005, 0.01, 0.02, 0.04)))):
            at = chosen.randrange(len(words))
            words[at : at + 1] = chosen.choice(([], ["edited"], [words[at], "and", "more"]))
        url = f"https://edited.example/{each['doc_id']}"
        yield {
            **each,
            "doc_id": f"{chosen.getrandbits(128):032x}",
            "url": url,
            "source": "edited",
            "text": " ".join(words),
        }


def brute_force(table: pa.Table, width: int) -> Pairs:
    """Every pair compared with every other, by the sets of their shingles."""
    sets = shingle_sets(shingles_of(read_stream(table["text"].combine_chunks()), width))
    _, columns = np.unique(sets.hashes, return_inverse=True)
    sizes = np.diff(sets.offsets)
    matrix = sp.csr_matrix((np.ones(len(columns), np.int32), columns, sets.offsets))
    transposed = matrix.T.tocsr()
    found = []
    for begin in range(0, len(sizes), _BLOCK):
        common = (matrix[begin : begin + _BLOCK] @ transposed).tocoo()
        one, other = common.row.astype(np.int64) + begin, common.col.astype(np.int64)
        similarity = common.data / (sizes[one] + sizes[other] - common.data)
        chosen = (one < other) & (similarity >= UNLIKE)
        share = common.data / np.maximum(sizes[one], 1)
        held = (one != other) & (share >= HELD)
        found.append((one[chosen], other[chosen], similarity[chosen], one[held], other[held], share[held]))
    return Pairs(*(np.concatenate(column) for column in zip(*found, strict=True)), sizes)


class Quality(NamedTuple):
    """Pairs of ALIKE; missed: of which both stay; unlike: texts that left and that nothing that stays is UNLIKE, or more,
    like."""

    pairs: int
    missed: int
    unlike: int


def judged(pairs: Pairs, given: npt.NDArray[np.bool_], stays: npt.NDArray[np.bool_]) -> Quality:
    """What brute force says of what stays, of the documents that were given."""
    alike = (pairs.similarity >= ALIKE) & given[pairs.one] & given[pairs.other]
    stand_for = stays.copy()
    stand_for[pairs.one[stays[pairs.other]]] = stand_for[pairs.other[stays[pairs.one]]] = True
    both_stay = alike & stays[pairs.one] & stays[pairs.other]
    return Quality(int(alike.sum()), int(both_stay.sum()), int((given & ~stand_for).sum()))


def measure(table: pa.Table, pairs: Pairs, scratch: Path, pool: Pool) -> dict[str, Any]:
    """Pairs found and missed, removed pairs that are unlike, and what each source loses beside what brute force says."""
    prepared = prepare(scratch / "real", (table.take(pa.array(np.arange(at, table.num_rows, 4))) for at in range(4)))
    commit, seconds = run_dedup(prepared, pool)
    number = {doc_id: at for at, doc_id in enumerate(table["doc_id"].to_pylist())}
    drops = dropped(prepared.run, commit)
    lost = np.zeros(table.num_rows, np.bool_)
    lost[[number[each["doc_id"]] for each in drops]] = True
    alike = pairs.similarity >= ALIKE
    quality = judged(pairs, np.ones_like(lost), ~lost)
    true, shares = _true(pairs, drops, number)
    excerpts = np.unique(pairs.held[pairs.excerpts()])
    excerpts_kept = [at for at in excerpts.tolist() if not lost[at] and _may_leave(at, pairs, lost)]
    has_twin = np.zeros(table.num_rows, np.bool_)
    has_twin[pairs.one[alike]] = has_twin[pairs.other[alike]] = has_twin[excerpts] = True
    sources = np.array(table["source"].to_pylist(), object)
    return {
        "documents": table.num_rows,
        "megabytes": prepared.text_bytes / 1e6,
        "seconds": seconds,
        "pairs": quality.pairs,
        "missed": quality.missed,
        "removed": len(drops),
        "removed_below": int(np.count_nonzero(np.array(true) < UNLIKE)),
        "smallest_similarity": float(min(true, default=1.0)),
        "contained": len(shares),
        "contained_below": int(np.count_nonzero(np.array(shares) < HELD)),
        "excerpts": len(excerpts),
        "excerpts_kept": len(excerpts_kept),
        "sources": {
            name: {
                "documents": int((sources == name).sum()),
                "lost": int(lost[sources == name].sum()),
                "alike": int(has_twin[sources == name].sum()),
            }
            for name in sorted(set(sources.tolist()))
        },
    }


def _true(pairs: Pairs, drops: Sequence[dict[str, Any]], number: Mapping[str, int]) -> tuple[list[float], list[float]]:
    """By brute force, of what left for its like the similarity, and of what left for what holds it the share; 0 of a
    pair that brute force does not list."""
    known = {(a, b): s for a, b, s in zip(pairs.one.tolist(), pairs.other.tolist(), pairs.similarity, strict=True)}
    held = {(a, b): s for a, b, s in zip(pairs.held.tolist(), pairs.holder.tolist(), pairs.share, strict=True)}
    like, within = [], []
    for each in drops:
        a, b = number[each["doc_id"]], number[each["survivor"]]
        if each["reason"] == "contained":
            within.append(held.get((a, b), known.get(_ordered(a, b), 0.0)))
        else:
            like.append(known.get(_ordered(a, b), 0.0))
    return like, within


def _may_leave(document: int, pairs: Pairs, lost: npt.NDArray[np.bool_]) -> bool:
    """Whether one that holds a document stays."""
    return bool((~lost[pairs.holder[pairs.excerpts() & (pairs.held == document)]]).any())


def _ordered(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)
