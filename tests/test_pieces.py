"""Long documents are split where they have seams, and nothing of them is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth.blocks import blocks
from synth.pieces import TooLong, headings_before, join, split, words
from tests.test_mask import MARKDOWN

LETTERS = "abcdefghij"


def section(level: int, name: str, count: int) -> str:
    return f"{'#' * level} {name}\n\n{' '.join([name.lower()] * count)}\n\n"


@settings(max_examples=300)
@given(MARKDOWN | st.text(), st.integers(1, 12))
def test_pieces_together_are_the_text_and_none_is_too_large(text: str, most: int) -> None:
    try:
        pieces = split(text, most)
    except TooLong:
        return
    assert "".join(pieces) == text
    assert all(words(each) <= most for each in pieces)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 6)), min_size=1, max_size=9), st.integers(7, 30))
def test_a_text_of_sections_that_fit_is_cut_at_headings_alone(sections: list[tuple[int, int]], most: int) -> None:
    text = "".join(section(level, f"{LETTERS[k]}", count) for k, (level, count) in enumerate(sections))
    pieces = split(text, most + 3)
    assert all(each.startswith("#") for each in pieces)


def test_neighbouring_sections_go_together_as_far_as_they_fit() -> None:
    text = "".join(section(2, name, 8) for name in "ABCDE")
    assert [words(each) for each in split(text, 20)] == [20, 20, 10]
    assert split(text, 50) == [text]


def test_a_large_section_is_cut_at_its_own_headings_and_then_between_blocks() -> None:
    text = section(1, "A", 3) + section(2, "B", 9) + section(3, "C", 4) + section(2, "D", 2) + "d d d d\n\ne e e e\n"
    pieces = split(text, 11)
    assert [each.split("\n")[0] for each in pieces] == ["# A", "## B", "### C", "## D", "e e e e"]


def test_fences_and_tables_and_items_are_never_cut() -> None:
    fence = "```\n" + "# no heading\n\n" * 3 + "```\n"
    text = f"# A\n\n{fence}\n| a | b |\n| - | - |\n| 1 | 2 |\n\n- x\n\n  ```\n  # y\n  ```\n- z\n\n> # q\n>\n> r\n"
    for most in range(17, 40):
        for piece in split(text, most):
            starts = [each.sort for each in blocks(piece)]
            assert "# no heading" not in piece or fence in piece
            assert ("| 1 | 2 |" in piece) == ("| a | b |" in piece)
            assert ("- x" in piece) == ("# y" in piece)
            assert starts


def test_a_heading_stays_with_what_follows_it_while_that_fits() -> None:
    text = "a a a a a a\n\n## B\n\nb b b b b b\n\nc c c c\n"
    assert split(text, 9) == ["a a a a a a\n\n", "## B\n\nb b b b b b\n\n", "c c c c\n"]


def test_a_block_that_is_larger_than_a_piece_is_named() -> None:
    text = "# A\n\n" + "a " * 30 + "\n"
    with pytest.raises(TooLong, match=r"^a paragraph of 30 at line 3: a piece is 20 at most$"):
        split(text, 20)
    with pytest.raises(TooLong, match=r"^a fence of "):
        split("a\n\n```\n" + "b\n" * 30 + "```\n", 20)


def test_another_measure_than_words_can_be_used() -> None:
    assert split("aaaa\n\nbbbb\n\ncccc\n", 12, len) == ["aaaa\n\nbbbb\n\n", "cccc\n"]


def test_the_headings_above_a_piece_say_where_it_lies() -> None:
    pieces = ["# A\n\na\n\n", "## B\n\nb\n\n", "b\n\n### C `c` #\n\n", "c\n\n", "## D\n\nd\n\n", "Title\n=====\n\ne\n"]
    assert [headings_before(pieces, index) for index in range(6)] == [
        [],
        ["A"],
        ["A", "B"],
        ["A", "B", "C `c`"],
        ["A"],
        [],
    ]


def test_texts_are_joined_with_one_empty_line_between() -> None:
    assert join(["# A\n\na\n\n\n", "", "\n## B\n\nb"]) == "# A\n\na\n\n## B\n\nb\n"
    assert join(["    code\n", "a"]) == "    code\n\na\n"


def test_deep_nesting_and_long_documents_are_split_in_one_go() -> None:
    text = "".join(section(1 + k % 6, f"S{k}", 5) for k in range(3000)) + "> " * 300 + "a\n"
    pieces = split(text, 400)
    assert "".join(pieces) == text
    assert len(pieces) < 100
