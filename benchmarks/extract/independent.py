"""Code by an independent truth: blocks of the sources of manuals, looked for in the Markdown of the pages built from them."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.extract import literals, sources
from benchmarks.extract.blocks import canonical
from benchmarks.extract.dom import decode
from benchmarks.extract.markdown import fences
from benchmarks.extract.packages import Log, Sampled
from benchmarks.extract.scores import squeezed
from benchmarks.extract.tools import TOOLS, Watched

_EDGE = "\x01"

_UNSEEN = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->", re.S | re.I)
_PREFORMATTED = re.compile(r"</?(?:pre|xmp|listing)\b[^>]*>", re.I)
_TAG = re.compile(r"<[^>\x01]*>")


@dataclass(frozen=True)
class _Task:
    page: Sampled
    known: tuple[literals.Literal, ...]
    source: str
    tools: tuple[str, ...]


def measure(pages: Sequence[Sampled], tools: Sequence[str], cache: Path, workers: int, log: Log) -> dict[str, Any]:
    """By tool: counts by `FORMAT`, `FORMAT/KIND` and package, and the misses.

    A block counts on a page that shows it, but for white space, in a preformatted element of its own: what a build
    changed or left out is not the extractor's to give back. Of each: `exact`, the content of one fence is the block
    but for blank lines around it; else `fenced`, but for white space; else `text`, in no fence; else `lost`.
    """
    tasks = []
    for entry in dict.fromkeys(page.entry for page in pages if page.entry.literals):
        texts = sources.texts(entry, cache, log)
        of_package = (
            tuple(each for text in texts.values() for each in literals.read(entry.literals, text))
            if entry.source
            else ()
        )
        for page in pages:
            if page.entry == entry and (paths := sources.beside(entry, page.path, texts)):
                source = "" if entry.source else texts[paths[0]]
                tasks.append(_Task(page, of_package, source, tuple(tools)))
    results: dict[str, Any] = {tool: {"formats": {}, "packages": {}, "misses": []} for tool in tools}
    with ProcessPoolExecutor(workers) as pool:
        for task, answers in zip(tasks, pool.map(_page, tasks, chunksize=4), strict=True):
            for tool, (counts, misses) in answers.items():
                form, package = task.page.entry.literals, task.page.entry.name
                for (kind, fate), number in counts.items():
                    for groups, name in (("formats", form), ("formats", f"{form}/{kind}"), ("packages", package)):
                        group = results[tool][groups].setdefault(name, Counter())
                        group.update({"blocks": number, fate: number})
                results[tool]["misses"] += misses
    log(f"looked for the blocks of the sources of {len(tasks)} pages")
    return results


_running: dict[str, Watched] = {}


def _page(task: _Task) -> dict[str, tuple[Counter[tuple[str, str]], list[dict[str, Any]]]]:
    body = task.page.file.read_bytes()
    wanted = shown(decode(body), task.known or literals.read(task.page.entry.literals, task.source))
    answers = {}
    for name in task.tools:
        watched = _running.setdefault(name, Watched(TOOLS[name]))
        output = watched(body, f"https://docs.example{task.page.path}")
        place = {"tool": name, "package": task.page.entry.name, "file": str(task.page.file)}
        became = fates(output, TOOLS[name].markdown, wanted)
        misses = [
            {**place, "kind": kind, "fate": fate, "text": variants[0]}
            for (kind, variants), fate in zip(wanted, became, strict=True) if fate != "exact"
        ]  # fmt: skip
        answers[name] = (Counter((kind, fate) for (kind, _), fate in zip(wanted, became, strict=True)), misses)
    return answers


def shown(page: str, known: Sequence[literals.Literal]) -> list[tuple[str, list[str]]]:
    """Kind and texts of each block that a page shows; texts that differ in white space only are one block's."""
    bare = _TAG.sub("", _PREFORMATTED.sub(_EDGE, _UNSEEN.sub("", page)))
    elements = set(squeezed(html.unescape(bare)).split(_EDGE))
    found: dict[str, tuple[str, list[str]]] = {}
    for kind, code in known:
        if (small := squeezed(code)) in elements:
            found.setdefault(small, (kind, []))[1].append(code)
    return list(found.values())


def fates(output: str, markdown: bool, wanted: Sequence[tuple[str, list[str]]]) -> list[str]:
    """What became of each block in a tool's output: `exact`, `fenced`, `text` or `lost`."""
    read = [content for _, content in fences(output)] if markdown else []
    exact = {canonical(content, "pre").strip("\n") for content in read}
    loose = {squeezed(content) for content in read}
    everything = squeezed(output)

    def fate(variants: Sequence[str]) -> str:
        if any(canonical(code, "pre").strip("\n") in exact for code in variants):
            return "exact"
        small = squeezed(variants[0])
        return "fenced" if small in loose else "text" if small in everything else "lost"

    return [fate(variants) for _, variants in wanted]
