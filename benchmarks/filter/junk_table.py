"""How much junk the default recipe drops, and whether it says rightly why; beside it, what datatrove's filters drop."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.filter import junk, software_junk, unseen_junk
from benchmarks.filter.documents import documents, page_of, row
from benchmarks.filter.junk import Item
from benchmarks.filter.verdicts import ours
from filters.datatrove_rules import NAMES, failed_rules
from pipelines.extract.page import Page

_SAMPLE = 200  # documents that datatrove judges; it is slow

# The rules that name a kind rightly, where they are not the one of its own name.
REASONS: dict[str, tuple[str, ...]] = {
    "link_list": ("link_list", "addresses"),
    "garbled": ("garbled", "replaced_letters", "single_letters", "no_sentences"),
    "machine_noise": ("machine_noise", "numbers", "long_words", "few_letters", "no_sentences"),
    "minified_code": ("machine_noise",),
    "repeated_text": (
        "repeated_lines", "duplicate_paragraphs", "duplicate_paragraph_characters", "duplicate_line_characters",
        "duplicate_5_grams", "duplicate_10_grams", "top_2_gram", "top_3_gram", "top_4_gram",
    ),
    "repeated_log": ("repeated_log",),
    "version_list": ("numbers",),
    "calendar": ("numbers",),
    "keyword_stuffing": ("keyword_stuffing", "top_2_gram", "top_3_gram", "top_4_gram"),
    "truncated": ("paywall", "like_paywall"),
    "seo_spam": ("spam", "like_spam"),
    "navigation": ("menu", "short_menu", "like_menu"),
    "search_listing": ("search_listing", "search_hits", "like_search_listing"),
    "tag_listing": ("tag_listing", "tag_titles", "like_tag_listing"),
    "placeholder": ("placeholder", "too_few_words", "like_placeholder"),
}  # fmt: skip


class Verdict(NamedTuple):
    """What became of an item: the first rule that drops it, "" if it stays."""

    item: Item
    text: str
    reason: str

    @property
    def right(self) -> bool:
        return self.reason in REASONS.get(self.item.kind, (self.item.kind, f"like_{self.item.kind}"))


def verdicts(items: Iterable[Item]) -> list[Verdict]:
    """Items through the extractor, classify and filter. Those that the extractor finds no text in have `no_text`."""
    read = [(item, _page_of(item)) for item in items]
    found = [(item, page) for item, page in read if page is not None]
    failed = iter(ours(documents([row(page, item.url, "junk", "uncategorised") for item, page in found])))
    return [
        Verdict(item, page.text, _first(next(failed))) if page is not None else Verdict(item, "", "no_text")
        for item, page in read
    ]


def _page_of(item: Item) -> Page | None:
    if item.is_html:
        return page_of(item.body.encode(), "text/html", item.url)[0]
    return Page(title="", text=item.body, opt_out=(), method="plain")


def _first(rules: Sequence[tuple[str, str]]) -> str:
    return rules[0][0] if rules else ""


def table(judged: Sequence[Verdict]) -> dict[str, dict[str, float]]:
    """For each kind, and for `all` and `held_out`: items with text, and of these the shares dropped and rightly so."""
    groups: Mapping[str, list[Verdict]] = defaultdict(list)
    for verdict in judged:
        if verdict.reason != "no_text":
            for group in (verdict.item.kind, "all", *(["held_out"] if verdict.item.held_out else [])):
                groups[group].append(verdict)
    return {
        group: {
            "items": len(of),
            "dropped": sum(bool(each.reason) for each in of) / len(of),
            "right_reason": sum(each.right for each in of) / len(of),
            "held_out_right": _share([each.right for each in of if each.item.held_out]),
            "datatrove": _share([bool(failed_rules(each.text, NAMES)) for each in _sample(of)])
            if group == "all"
            else -1.0,
        }
        for group, of in groups.items()
    }


def _sample(judged: Sequence[Verdict]) -> list[Verdict]:
    return random.Random(1).sample(list(judged), min(_SAMPLE, len(judged)))


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else 0.0


def measure() -> dict[str, Any]:
    """The set that the rules were written beside, and the two that they were not."""
    result: dict[str, Any] = {}
    for name, items in (("junk", junk.items()), ("unseen", unseen_junk.items()), ("software", software_junk.items())):
        judged = verdicts(items)
        result[name] = table(judged)
        print(f"\n{name:20} items  dropped  right reason  of held out")
        for group, shares in sorted(result[name].items()):
            print(
                f"{group:20} {shares['items']:5} {shares['dropped']:8.1%} {shares['right_reason']:13.1%} {shares['held_out_right']:12.1%}"
            )
        print(f"datatrove drops {result[name]['all']['datatrove']:.1%} of a sample of {_SAMPLE}")
        wrong = Counter(
            (each.item.kind, each.reason or "kept") for each in judged if each.reason != "no_text" and not each.right
        )
        print("missed:", ", ".join(f"{kind} {reason} {count}" for (kind, reason), count in wrong.most_common(20)))
        print("no text:", sum(each.reason == "no_text" for each in judged))
    return result
