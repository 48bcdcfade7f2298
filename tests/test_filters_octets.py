"""Characters that no text has, tags and their depth: compiled counts against plain ones."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from filters.octets import CLOSES_INLINE, INLINE, LEAF, count_bad, count_tags, element_names

NAMES = element_names([("br", LEAF), ("b", INLINE), ("span", INLINE), ("p", LEAF | CLOSES_INLINE)])
_BAD = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufffd]")
_ODD = "\t\n\x0b\x0c\r\x1f\x7f\x80\x9f\xa0\xc2\u00bf\u07ff\ufffc\ufffd\ufeff\U0001fffd"


@settings(max_examples=300)
@given(st.integers(0, 300), st.text(st.sampled_from(_ODD) | st.characters(codec="utf-8"), max_size=300))
def test_bad_characters_are_counted_wherever_they_stand(before: int, text: str) -> None:
    whole = "x" * before + text
    assert count_bad(whole.encode()) == (len(_BAD.findall(whole)), len(whole))


@settings(max_examples=200)
@given(st.lists(st.sampled_from(["div", "/div", "UL", "/ul", "x-y", "/x-y", "br", "/br"])))
def test_the_depth_is_what_a_stack_of_each_name_has(tags: list[str]) -> None:
    deepest, opened = 0, dict.fromkeys(("div", "ul", "x-y", "br"), 0)
    for tag in map(str.lower, tags):
        if tag == "br":
            continue
        opened[tag.lstrip("/")] = max(0, opened[tag.lstrip("/")] + (-1 if tag[0] == "/" else 1))
        deepest = max(deepest, sum(opened.values()))
    page = " ".join(f"<{tag} a='b'>" for tag in tags).encode()
    assert count_tags(page, NAMES) == (len(tags), deepest)


def test_inline_elements_count_up_to_what_closes_them() -> None:
    assert count_tags(b"<p><b><span>x<p><b><b><b>x</b></b></b>", NAMES) == (10, 3)
    assert count_tags(b"<div><b>x</p><b>y", NAMES).depth == 3


def test_what_is_no_tag() -> None:
    assert count_tags(b"a < b, <!-- x -->, <3, </>, <", NAMES) == (0, 0)
    assert count_tags(b"<div", NAMES) == (1, 1)
    assert count_tags(b"", NAMES) == (0, 0)


def test_more_names_than_there_is_room_for() -> None:
    page = "".join(f"<x{n}></x{n}>" for n in range(5000)).encode()
    assert count_tags(page, NAMES) == (10_000, 3500)


def test_a_name_may_hold_what_begins_a_tag() -> None:
    assert count_tags(b"<a" * 300_000, NAMES) == (1, 1)
