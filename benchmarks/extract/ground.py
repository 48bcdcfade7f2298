"""Ground truths: the words of the main content of pages, as people wrote them down, against each tool's words."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import lxml.html

from benchmarks.extract.dom import decode
from benchmarks.extract.markdown import plain, words
from benchmarks.extract.packages import Log
from benchmarks.extract.tools import TOOLS, Watched

_MARKS = str.maketrans({"*": None, "`": None, "_": None, "|": " "})
# Of each page; their means are over the pages that have them.
MEASURES = ("precision", "recall", "f1", "must", "must_not", "boilerplate_precision", "boilerplate_recall")

Scores = dict[str, float]


@dataclass(frozen=True)
class Known:
    """One page whose content is known: its set and type, and the bytes as fetched."""

    set: str
    type: str
    url: str
    file: Path
    text: str
    must: tuple[str, ...]
    must_not: tuple[str, ...]


@dataclass(frozen=True)
class _Task:
    page: Known
    tools: tuple[str, ...]


def load(folder: Path) -> list[Known]:
    """The pages of all sets below a directory: `SET/truth.jsonl` and `SET/html/ID.html.gz`."""
    pages = []
    for listing in sorted(folder.glob("*/truth.jsonl")):
        for line in listing.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            file = listing.parent / "html" / f"{row['id']}.html.gz"
            must, must_not = tuple(row.get("must") or ()), tuple(row.get("must_not") or ())
            pages.append(Known(listing.parent.name, row["type"], row["url"], file, row["text"], must, must_not))
    return pages


def hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of each set's listing and pages."""
    found = {}
    for listing in sorted(folder.glob("*/truth.jsonl")):
        digest = hashlib.sha256(listing.read_bytes())
        for page in sorted((listing.parent / "html").iterdir()):
            digest.update(hashlib.sha256(page.read_bytes()).digest())
        found[listing.parent.name] = digest.hexdigest()
    return found


def measure(pages: Sequence[Known], tools: Sequence[str], workers: int, log: Log) -> dict[str, dict[str, Scores]]:
    """Of each tool the `means` over the pages."""
    tasks = [_Task(page, tuple(tools)) for page in pages]
    collected: dict[str, list[Scores]] = {tool: [] for tool in tools}
    with ProcessPoolExecutor(workers) as pool:
        for number, answers in enumerate(pool.map(_page, tasks, chunksize=4), 1):
            for tool, scores in answers.items():
                collected[tool].append(scores)
            if number % 100 == 0:
                log(f"scored {number} of {len(tasks)} pages with a ground truth")
    return {tool: means(pages, scores) for tool, scores in collected.items()}


def means(pages: Sequence[Known], scores: Sequence[Scores]) -> dict[str, Scores]:
    """By `SET/all` and by `SET/TYPE` where a set has several: means over pages, and `pages`, `failed`."""
    types = {name: {page.type for page in pages if page.set == name} for name in {page.set for page in pages}}
    groups: dict[str, list[Scores]] = {}
    for page, of_page in zip(pages, scores, strict=True):
        several = len(types[page.set]) > 1
        for group in {f"{page.set}/all", f"{page.set}/{page.type if several else 'all'}"}:
            groups.setdefault(group, []).append(of_page)
    return {group: _mean(rows) for group, rows in groups.items()}


def _mean(rows: Sequence[Scores]) -> Scores:
    means: Scores = {"pages": len(rows), "failed": sum(row["failed"] for row in rows)}
    for measure in MEASURES:
        values = [row[measure] for row in rows if measure in row]
        if values:
            means[measure] = sum(values) / len(values)
    return means


_running: dict[str, Watched] = {}


def _page(task: _Task) -> dict[str, Scores]:
    body = gzip.decompress(task.page.file.read_bytes())
    answers = {}
    for name in task.tools:
        watched = _running.setdefault(name, Watched(TOOLS[name]))
        watched.failures = {}
        scores = score_page(task.page, watched(body, task.page.url))
        answers[name] = {**scores, "failed": float(bool(watched.failures))}
    return answers


def score_page(page: Known, output: str) -> Scores:
    """The measures of one page; output: a tool's Markdown or text."""
    return score(page, plain(output), _whole(page))


@lru_cache(maxsize=2)
def _whole(page: Known) -> Counter[str]:
    return Counter(words(page_text(gzip.decompress(page.file.read_bytes()))))


def page_text(body: bytes) -> str:
    """All text of a page's body that is no script or style."""
    try:
        root = lxml.html.document_fromstring(
            decode(body), parser=lxml.html.HTMLParser(huge_tree=True, remove_comments=True)
        )
    except (lxml.etree.ParserError, ValueError):
        return ""
    pieces = root.xpath("//body//text()[not(ancestor::script or ancestor::style or ancestor::template)]")
    return "\n".join(pieces)


def score(page: Known, text: str, whole: Counter[str]) -> Scores:
    """The measures of one page.

    text: the tool's output as plain text; whole: the words of the whole page. Words are counted as multisets.
    `boilerplate_precision` is the share of the words that the tool left out which are no content,
    `boilerplate_recall` the share of the words that are no content which it left out.
    """
    wanted, got = Counter(words(page.text)), Counter(words(text))
    common, nothing = (wanted & got).total(), not wanted and not got
    precision = common / got.total() if got else float(nothing)
    recall = common / wanted.total() if wanted else float(nothing)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    scores = {"precision": precision, "recall": recall, "f1": f1}
    boilerplate, left_out = whole - wanted, whole - got
    if left_out:
        scores["boilerplate_precision"] = (boilerplate & left_out).total() / left_out.total()
    if boilerplate:
        scores["boilerplate_recall"] = (boilerplate & left_out).total() / boilerplate.total()
    folded = spread(text)
    for name, snippets in (("must", page.must), ("must_not", page.must_not)):
        if snippets:
            scores[name] = sum(spread(snippet) in folded for snippet in snippets) / len(snippets)
    return scores


def spread(text: str) -> str:
    """A text without marks of emphasis, code and tables, each white space as one space."""
    return " ".join(text.translate(_MARKS).split())
