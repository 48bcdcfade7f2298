"""Speed: every tool over the same pages on one core, in turns, so that a busy machine is busy for all of them."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.extract.ground import Known
from benchmarks.extract.packages import Log, Sampled
from benchmarks.extract.tools import METHOD, TOOLS, Watched

ROUNDS = 5
SECONDS = 45  # a tool that has used as many gets no further round
GROUP = 20
UNKNOWN_GENERATOR = "hand-written"
RECOGNISED, MEAN_BYTES = 300, 33_000
GENERIC = 150


@dataclass(frozen=True)
class Timed:
    """A page to be timed."""

    kind: str  # `recognised` or `generic`
    url: str
    body: bytes


def choose(pages: Sequence[Sampled], known: Sequence[Known]) -> list[Timed]:
    """The pages to be timed: of recognised generators, with their usual mean size; and of the ground truths.

    Both in the order of hashes, so that the choice is always the same.
    """
    recognised: list[Sampled] = []
    total = 0
    for page in sorted(pages, key=lambda page: page.hash):
        too_large = total > MEAN_BYTES * len(recognised)
        if page.entry.generator != UNKNOWN_GENERATOR and (page.size > MEAN_BYTES) != too_large:
            recognised.append(page)
            total += page.size
        if len(recognised) == RECOGNISED:
            break
    generic = sorted(known, key=lambda page: hashlib.sha256(page.url.encode()).hexdigest())[:GENERIC]
    return [Timed("recognised", f"https://docs.example{page.path}", page.file.read_bytes()) for page in recognised] + [
        Timed("generic", page.url, gzip.decompress(page.file.read_bytes())) for page in generic
    ]


def measure(pages: Sequence[Timed], tools: Sequence[str], log: Log) -> dict[str, list[float]]:
    """Of each tool, the least processor time of each page over the rounds, in seconds.

    The tools take turns over groups of pages. A page on which a tool hangs costs the whole limit, once.
    """
    best: dict[str, list[float]] = {tool: [float("inf")] * len(pages) for tool in tools}
    spent = dict.fromkeys(tools, 0.0)
    watched = {tool: Watched(TOOLS[tool]) for tool in tools}
    for number in range(1, ROUNDS + 1):
        turn = [tool for tool in tools if spent[tool] < SECONDS]
        if not turn:
            break
        log(f"round {number} of at most {ROUNDS}: {', '.join(turn)}")
        for start in range(0, len(pages), GROUP):
            for tool in turn:
                for place in range(start, min(start + GROUP, len(pages))):
                    if number > 1 and best[tool][place] >= watched[tool].limit_s:
                        continue
                    watched[tool](pages[place].body, pages[place].url)
                    best[tool][place] = min(best[tool][place], watched[tool].seconds)
                    spent[tool] += watched[tool].seconds
    for each in watched.values():
        each.close()
    return best


def methods(pages: Sequence[Timed]) -> list[str]:
    """By which way our extractor chose the content of each page; nothing where it gave no text."""
    watched = Watched(METHOD)
    found = [watched(page.body, page.url) for page in pages]
    watched.close()
    return found


def rate(pages: Sequence[Timed], seconds: Sequence[float], wanted: Sequence[bool]) -> dict[str, float]:
    """Pages and megabytes a second over the pages that are wanted."""
    chosen = [(page, second) for page, second, each in zip(pages, seconds, wanted, strict=True) if each]
    total = sum(second for _, second in chosen)
    size = sum(len(page.body) for page, _ in chosen)
    if not chosen or not total:
        return {"pages": len(chosen)}
    return {
        "pages": len(chosen), "mean_bytes": size / len(chosen), "pages_per_s": len(chosen) / total, "mb_per_s": size / total / 1e6,
    }  # fmt: skip
