"""Threads: who said what, when, in the order of the page; questions and answers with their scores."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise

import numpy as np

from manifests.models import ThreadRules
from pipelines.extract.html.collect import text_of
from pipelines.extract.html.generators import Found, thread_rules
from pipelines.extract.html.metadata.date import iso_date
from pipelines.extract.html.roles import DROP
from pipelines.extract.html.selectors import Sheet, compile_sheet, match
from pipelines.extract.html.tree import INNER, LAST, START, Ints, Longs, Tree

MAX_NAME = 80
# Attributes of elements that hold a date, in which engines write it in full.
_STAMP = re.compile(rb'\s(?:datetime|data-time-iso|ts|content|data-timeago|data-tippy-content|title)="([^"]+)"')
_NUMBER = re.compile(r"[-+−]?\d[\d,.]*[kKmM]?")

# The nodes that match the selectors of a field, a list for each selector, in page order.
Matches = dict[str, list[Ints]]


def thread_text(tree: Tree, found: Found, markdown: Callable[[int], str]) -> str:
    """A thread as Markdown: its title, then for each post a line (who, when, how it was rated) and its body.

    markdown: gives the Markdown of a node. Empty if the page holds no post with text.
    """
    sheet, columns = _sheet(found.number)
    bits, _ = match(tree, sheet)
    matches: Matches = {
        field: [np.flatnonzero(bits & bit).astype(np.int32) for bit in of_field] for field, of_field in columns.items()
    }
    parts = []
    posts = np.unique(np.concatenate(matches["post"])).tolist()
    found.bits[posts] |= DROP  # in the body of another: as a root it is shown
    until = -1
    for post, following in pairwise([*posts, len(tree.tag)]):
        if post < until:
            continue
        end = int(tree.nodes[LAST, post])
        # Replies may stand inside the post that they answer, behind what it says.
        if following < end and _first(matches["body"], post, following) is not None:
            end = following
        if text := _post(tree, found.bits, matches, post, end, markdown):
            parts.append(text)
            until = end
    if not parts:
        return ""
    title = text_of(tree, found.bits, found.title) if found.title >= 0 else ""
    return "\n\n".join(([f"# {title}"] if title else []) + parts)


@cache
def _sheet(number: int) -> tuple[Sheet, dict[str, list[int]]]:
    """The sheet of a generator's threads, and for each field the bits of its selectors."""
    rules = thread_rules(number)
    columns: dict[str, list[int]] = {}
    selectors: list[tuple[str, int]] = []
    for field in ThreadRules.model_fields:
        of_field = [(selector, 1 << (len(selectors) + k)) for k, selector in enumerate(getattr(rules, field))]
        columns[field] = [bit for _, bit in of_field]
        selectors += of_field
    return compile_sheet(selectors), columns


def _post(tree: Tree, bits: Longs, matches: Matches, post: int, end: int, markdown: Callable[[int], str]) -> str:
    """One post, empty if it says nothing."""
    body = _first(matches["body"], post, end)
    text = markdown(body) if body is not None else ""
    comments = [" ".join(markdown(node).split()) for nodes in matches["comments"] for node in _within(nodes, post, end)]
    if not text and not comments:
        return ""
    parts = [
        _heading(tree, bits, matches, post, end),
        text,
        "\n".join(f"- {comment}" for comment in comments if comment),
    ]
    return "\n\n".join(part for part in parts if part)


def _heading(tree: Tree, bits: Longs, matches: Matches, post: int, end: int) -> str:
    """The line before a post: `**author** (date, score 3, accepted):`; a rule if nothing is known."""
    name = _first_text(tree, bits, matches["author"], post, end)[:MAX_NAME]
    facts = [_date(tree, bits, matches, post, end)]
    if found := _NUMBER.search(_first_text(tree, bits, matches["score"], post, end)):
        facts.append(f"score {found.group()}")
    if _first(matches["accepted"], post, end) is not None:
        facts.append("accepted")
    told = ", ".join(fact for fact in facts if fact)
    if name:
        return f"**{name}** ({told}):" if told else f"**{name}**:"
    return f"**({told})**:" if told else "---"


def _date(tree: Tree, bits: Longs, matches: Matches, post: int, end: int) -> str:
    """The date of a post, as YYYY-MM-DD: of the first element that has one."""
    for nodes in matches["date"]:
        for node in _within(nodes, post, end):
            tag = tree.html[tree.nodes[START, node] : tree.nodes[INNER, node]].tobytes()
            for stamp in (*(value.decode() for value in _STAMP.findall(tag)), text_of(tree, bits, node)):
                if day := iso_date(stamp):
                    return day
    return ""


def _first(of_selectors: Sequence[Ints], begin: int, end: int) -> int | None:
    """The first match in [begin, end) of the first selector that has one."""
    for nodes in of_selectors:
        if inside := _within(nodes, begin, end):
            return inside[0]
    return None


def _first_text(tree: Tree, bits: Longs, of_selectors: Sequence[Ints], begin: int, end: int) -> str:
    """The text of the first match in [begin, end), of the first selector that has one with text; else empty."""
    for nodes in of_selectors:
        for node in _within(nodes, begin, end):
            if text := text_of(tree, bits, node):
                return text
    return ""


def _within(nodes: Ints, begin: int, end: int) -> list[int]:
    return [int(node) for node in nodes[np.searchsorted(nodes, begin) : np.searchsorted(nodes, end)]]
