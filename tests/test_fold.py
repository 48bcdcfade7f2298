"""The hash of a folded text is that of its words."""

from __future__ import annotations

import hashlib

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from filters.fold import fold_hashes
from filters.stream import read_stream


@given(st.lists(st.text("ab \t\n\r\x0b\x0cé\xa0", max_size=20), max_size=5))
def test_the_hash_is_that_of_the_words_with_a_space_between(texts):
    expected = [hashlib.sha256(b" ".join(text.encode().split())).hexdigest()[:32] for text in texts]
    assert fold_hashes(read_stream(pa.array(texts, pa.large_string()))) == expected
