"""Junk is dropped for the right reason, and what resembles it stays."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.junk.phrases import phrase_shares, phrases
from filters.junk.scores import SCORES, scores
from filters.stream import read_stream
from filters.verdict import judge
from manifests.load import load_junk
from manifests.models import ClassifySettings, FilterSettings
from pipelines.classify import score
from pipelines.schema import DOCUMENT, table_of

PROSE = "The scheduler keeps a queue for each processor and moves tasks between them when one of them runs dry. "
NAMES = ["alloc_page", "free_page", "map_page", "lock_page", "wake_page", "sync_page", "init_page", "drop_page"]

JUNK = {
    "error_page": "# 404 Not Found\n\nThe requested URL /a.html was not found on this server.\n",
    "login_wall": "# Sign in\n\nEmail address\n\nPassword\n\nForgot your password? Don't have an account? Sign up\n",
    "cookie_wall": "We use cookies to improve your experience. Accept all cookies. Manage preferences. Cookie policy\n",
    "redirect_stub": "You are being redirected. If you are not redirected automatically, click here.\n",
    "captcha": "Just a moment... Checking your browser before accessing the site. Ray ID: 1a2b3c\n",
    "paywall": "# A story\n\nIt began at night ...\n\nSubscribe to continue reading. Already a subscriber? Log in.\n",
    "placeholder": "# Tuning\n\nComing soon. This page is under construction.\n",
    "parked_domain": "This domain is for sale. Buy this domain. Related searches: web hosting.\n",
    "search_listing": "# Search results for raid\n\nNo results found. Try different keywords.\n",
    "tag_listing": "# Posts tagged raid\n\nPosted in raid. Read more\n\nOlder posts Newer posts\n",
    "spam": "Buy now at the best price, free shipping! Click here for a coupon code and a free download with crack.\n",
    "menu": "Home\n\nAbout us\n\nContact\n\nCareers\n\nPrivacy policy\n\nTerms of service\n\nSitemap\n\nFollow us\n\nNewsletter\n\nHelp center\n\nInvestor relations\n",
    "link_list": "# Links\n\n" + "".join(f"- Notes on topic number {name}\n" for name in "abcdefghijklmnopq"),
    "index_page": "# Index\n\n" + "".join(f"## {name[0]}\n\n{name}\n\n" for name in NAMES * 3),
    "empty_api": "# page.h\n\n" + "".join(f"`void {name}(struct page *)`\n\n" for name in NAMES),
    "garbled": (PROSE.replace("e", "é") * 3).encode().decode("latin-1"),
    "replaced_letters": PROSE.replace("e", "\ufffd") * 3,
    "numbers": "# Calendar\n\n" + "| 1 | 2 | 3 | 4 | 5 | 6 | 7 |\n" * 8,
    "machine_noise": "```\n" + "".join(f"{n:032x}\n" for n in range(10**30, 10**30 + 90 * 7**9, 7**9)) + "```\n",
    "repeated_log": "```\n"
    + "".join(f"2026-01-01 10:00:{n % 60:02} worker {n} says ok\n" for n in range(300))
    + "```\n",
    "keyword_stuffing": "Raid tips: raid tools, raid tricks and raid tests for raid users who like raid and want raid. "
    * 6,
    "too_few_words": "# Threads\n",
}
CONTENT = {
    "a page about error 404": "# Error pages\n\n" + PROSE * 4 + "Apache answers 404 Not Found where no file is.\n",
    "a manual of a log-in": "# login(1)\n\nSign in to the system. The program asks for a password. " + PROSE * 3,
    "a curated list": "# Reading\n\n"
    + "".join(f"- {name}: what it does to a page, and when it should be called.\n" for name in NAMES * 2),
    "an API with descriptions": "".join(
        f"`void {name}(struct page *)`\n: Does what its name says to one page.\n\n" for name in NAMES
    ),
    "a changelog": "# 1.4.2\n\n" + "".join(f"- Fixed a crash in {name} (#12{n}).\n" for n, name in enumerate(NAMES)),
    "commands": "```sh\n" + "".join(f"$ systemctl restart {name}.service --now\n" for name in NAMES) + "```\n",
    "a log that varies": "```\n"
    + "".join(f"2026-01-01 10:00:0{n} {name}: failed with {name[::-1]}\n" for n, name in enumerate(NAMES))
    + "```\n",
    "rules": "```yaml\nalert: HighLoad\nexpr: node_load1 > 4\nfor: 5m\nlabels:\n  severity: page\n```\n",
    "a table of results": "# Results\n\nThroughput in MB/s by block size, mean of five runs on one node.\n\n"
    + "| size | read | write |\n|---|---|---|\n"
    + "".join(f"| {n} | {n * 3} | {n * 2} |\n" for n in range(1, 9)),
    "a table of contents": "# Storage\n\n"
    + "".join(f"- Chapter {name}\n  - How to {name}\n  - When to {name}\n" for name in NAMES),
    "another language": "Der Speicher wird vom Kern in Seiten verwaltet und bei Bedarf auf die Festplatte ausgelagert. "
    * 3,
    "a language without spaces": "内核把内存分成页面进行管理，并在需要的时候将不常用的页面换出到磁盘上。" * 4,
}


@cache
def judged() -> dict[str, list[tuple[str, str]]]:
    """The verdicts of the default rules over all texts."""
    texts = JUNK | CONTENT
    rows = [{"text": text, "category": "open_source_documentation"} for text in texts.values()]
    verdicts = judge(score(table_of(rows, DOCUMENT), ClassifySettings()), FilterSettings())
    return dict(zip(texts, verdicts, strict=True))


@pytest.mark.parametrize("kind", JUNK)
def test_junk_is_dropped_with_its_reason(kind):
    assert judged()[kind], kind
    assert judged()[kind][0][0] == kind


@pytest.mark.parametrize("name", CONTENT)
def test_what_resembles_junk_stays(name):
    assert judged()[name] == []


def scores_of(*texts: str) -> list[dict[str, float]]:
    columns = scores(read_stream(pa.array(texts, pa.large_string())))
    assert set(columns) == set(SCORES)
    return [{name: float(column[at]) for name, column in columns.items()} for at in range(len(texts))]


TEXTS = st.lists(
    st.one_of(st.sampled_from([*JUNK.values(), *CONTENT.values()]), st.text(max_size=200)), max_size=4
).map("\n".join)


@given(st.lists(TEXTS, min_size=1, max_size=3), st.data())
def test_a_document_has_the_same_scores_alone_and_in_a_batch(texts, data):
    at = data.draw(st.integers(0, len(texts) - 1))
    assert scores_of(*texts)[at] == scores_of(texts[at])[0]


@given(TEXTS)
def test_shares_are_shares(text):
    (row,) = scores_of(text)
    assert all(np.isfinite(value) and value >= 0 for value in row.values())
    for name in (*phrases().kinds, "item_share", "ended_share", "function_words", "noise_share", "numbers", "top_word"):
        assert row[name] <= 1, name


def test_the_longest_phrase_counts_once_in_any_case_and_across_lines():
    text = "Sign IN to\ncontinue, then more"
    shares = phrase_shares(read_stream(pa.array([text], pa.large_string())))
    assert shares["login_wall"][0] == pytest.approx(4 / 6)
    assert shares["captcha"][0] == 0


def test_phrases_stand_once_in_their_kind():
    for kind, listed in load_junk().phrases.items():
        assert len(set(listed)) == len(listed), kind
