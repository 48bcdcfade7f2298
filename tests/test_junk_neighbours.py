"""What junk scores must not depend on: the documents beside one in a batch, and a script that has no spaces."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.filter import unseen_junk
from filters.junk.scores import scores
from filters.stream import read_stream

EDGES = st.text(alphabet="-a é1`\n. \ufffd:=$", max_size=30)


def rows(*texts: str) -> list[dict[str, float]]:
    columns = scores(read_stream(pa.array(texts, pa.large_string())))
    return [{name: float(column[at]) for name, column in columns.items()} for at in range(len(texts))]


@given(EDGES, EDGES, EDGES)
def test_the_bytes_of_a_neighbour_change_no_score(before, text, behind):
    assert rows(before, text, behind)[1] == rows(text)[0]


def test_a_dash_that_ends_the_document_before_makes_no_option():
    assert rows("ends with -", "x is a word")[1]["flag_density"] == 0
    assert rows("use -x here")[0]["flag_density"] == pytest.approx(1000 / 3)


def test_long_paragraphs_of_a_script_without_spaces_are_no_noise():
    chinese = "内核把内存分成页面进行管理，并在需要的时候将不常用的页面换出到磁盘上。" * 20
    assert rows(chinese)[0]["noise_share"] == 0
    assert rows("ab1" * 400)[0]["noise_share"] == 1


def test_the_unseen_set_is_the_same_each_time_and_keeps_its_wordings_apart():
    items = list(unseen_junk.items())
    assert items == list(unseen_junk.items())
    assert items != list(unseen_junk.items(seed=12))
    assert all("{" not in item.body for item in items)
    familiar = "\n".join(item.body for item in items if not item.held_out)
    assert "moved to" in familiar
    assert "The new address is" not in familiar
