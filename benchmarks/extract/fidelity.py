"""Code and tables of the documentation packages: each tool converts each page, and the truth is looked for in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.extract import truth
from benchmarks.extract.packages import Log, Sampled
from benchmarks.extract.scores import Counts, score_blocks, score_tables
from benchmarks.extract.tools import TOOLS, Watched


@dataclass
class Result:
    """What one tool did: counts by generator and by package, pages that gave nothing by why, and blocks missed."""

    generators: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counter))
    packages: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counter))
    failures: Counts = field(default_factory=Counter)
    misses: list[dict[str, Any]] = field(default_factory=list)

    def total(self) -> Counts:
        """The counts of all packages."""
        return sum(self.generators.values(), Counter())


@dataclass(frozen=True)
class _Task:
    page: Sampled
    tools: tuple[str, ...]
    parts: frozenset[str]
    cache: Path


def measure(
    pages: Sequence[Sampled], tools: Sequence[str], parts: Collection[str], cache: Path, workers: int, log: Log
) -> dict[str, Result]:
    """Run the tools over the pages; `parts` holds `code`, `tables` or both."""
    truth.prepare(pages, cache, workers, log)
    results = {tool: Result() for tool in tools}
    tasks = [_Task(page, tuple(tools), frozenset(parts), cache) for page in pages]
    with ProcessPoolExecutor(workers) as pool:
        for number, (task, answers) in enumerate(zip(tasks, pool.map(_page, tasks, chunksize=4), strict=True), 1):
            for tool, (counts, failure, misses) in answers.items():
                result = results[tool]
                result.generators[task.page.entry.generator].update(counts)
                result.packages[task.page.entry.name].update(counts)
                result.failures.update(failure)
                result.misses += misses
            if number % 200 == 0:
                log(f"converted {number} of {len(tasks)} pages")
    return results


_running: dict[str, Watched] = {}


def _page(task: _Task) -> dict[str, tuple[Counts, Counts, list[dict[str, Any]]]]:
    """Counts, failures and misses of each tool on one page."""
    true = truth.load(task.page, task.cache)
    body = task.page.file.read_bytes()
    url = f"https://docs.example{task.page.path}"
    answers = {}
    for name in task.tools:
        tool = TOOLS[name]
        watched = _running.setdefault(name, Watched(tool))
        watched.failures = {}
        output = watched(body, url)
        counts: Counts = Counter()
        misses: list[dict[str, Any]] = []
        if "code" in task.parts:
            code, missed = score_blocks(true["blocks"], output, tool.markdown)
            counts.update(code)
            place = {"tool": name, "package": task.page.entry.name, "path": task.page.path, "file": str(task.page.file)}
            misses = [{**place, "number": number, **true["blocks"][number]} for number in missed]
        if "tables" in task.parts:
            counts.update(score_tables(true["tables"], output, tool.markdown))
        answers[name] = (counts, Counter(watched.failures), misses)
    return answers
