"""The word stream against a plain reading of what a word, a fence and a line are."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from filters.stream import COUNTS, Stream, read_stream

LINES = st.one_of(
    st.sampled_from(
        ["```", "```sh", "````", "~~~", "~~~~ ", " > ```", "> ~~~", "``", "", "the same line", "The Same, Line!"]
    ),
    st.text(max_size=30),
    st.text("abAB12_ .-éß汉`~>", max_size=30),
)
TEXTS = st.lists(LINES, max_size=12).map("\n".join)


@dataclass
class Reading:
    """What a document holds, told line by line in plain Python."""

    words: list[bytes] = field(default_factory=list)
    prose_words: int = 0
    prose: list[bytes] = field(default_factory=list)
    code_bytes: int = 0


def words_of(line: bytes) -> list[bytes]:
    return re.findall(rb"[A-Za-z0-9_\x80-\xff]+", line.lower())


def read(text: str) -> Reading:
    reading, fence = Reading(), b""
    lines = text.encode().split(b"\n")
    for line in lines if lines[-1] else lines[:-1]:
        mark = re.match(rb"[ >]*(`{3,}|~{3,})( *$)?", line)
        if not fence and mark:
            fence = mark[1]
        elif fence and mark and mark[1].startswith(fence) and mark[2] is not None:
            fence = b""
        else:
            words = words_of(line)
            reading.words += words
            if fence:
                reading.code_bytes += len(line) + 1
            else:
                reading.prose_words += len(words)
                reading.prose.append(line)
    return reading


def counts_of(text: str) -> dict[str, int]:
    reading = read(text)
    characters = [c for line in reading.prose for c in line.decode() if ord(c) > 32]
    letters = [c for c in characters if c.isascii() <= c.isalpha()]
    lines = [words for line in reading.prose if (words := tuple(words_of(line)))]
    return {
        "words": len(reading.words),
        "prose_words": reading.prose_words,
        "prose_word_bytes": len(letters) + sum(c in "0123456789_" for c in characters),
        "code_bytes": reading.code_bytes,
        "prose_characters": len(characters),
        "prose_letters": len(letters),
        "prose_lines": len(lines),
        "repeated_lines": len(lines) - len(set(lines)),
    }


def stream_of(*texts: str) -> Stream:
    return read_stream(pa.array(texts, pa.large_string()))


def hashes_of(stream: Stream, document: int) -> list[int]:
    return stream.hashes[stream.offsets[document] : stream.offsets[document + 1]].tolist()


@given(st.lists(TEXTS, max_size=4))
@example(["one\n```\ntwo\n```\nthree", "~~~\n```\nfour", "> ```sh\n> five\n> ```\nsix\n"])
def test_counts_are_those_of_a_plain_reading(texts):
    stream = stream_of(*texts)
    for document, text in enumerate(texts):
        assert {name: int(stream.column(name)[document]) for name in COUNTS} == counts_of(text)


@given(st.lists(TEXTS, max_size=4))
def test_two_words_have_one_hash_exactly_if_they_are_equal(texts):
    stream = stream_of(*texts)
    hash_of: dict[bytes, int] = {}
    for document, text in enumerate(texts):
        hashes = hashes_of(stream, document)
        words = read(text).words
        assert len(hashes) == len(words)
        for word, value in zip(words, hashes, strict=True):
            assert hash_of.setdefault(word, value) == value
    assert len(set(hash_of.values())) == len(hash_of)


@given(st.lists(TEXTS, min_size=1, max_size=4), st.data())
def test_a_document_reads_the_same_alone_in_a_batch_and_in_a_slice(texts, data):
    at = data.draw(st.integers(0, len(texts) - 1))
    alone = stream_of(texts[at])
    sliced = read_stream(pa.array(texts, pa.large_string()).slice(at, 1))
    assert hashes_of(alone, 0) == hashes_of(stream_of(*texts), at) == hashes_of(sliced, 0)
    assert np.array_equal(alone.counts, sliced.counts)


def test_case_is_folded_for_ascii_only():
    stream = stream_of("Kernel kERNEL Ä ä")
    kernel, again, upper, lower = hashes_of(stream, 0)
    assert kernel == again
    assert upper != lower


def test_an_empty_batch_and_empty_documents_have_no_words():
    assert stream_of().offsets.tolist() == [0]
    assert stream_of("", "").offsets.tolist() == [0, 0, 0]


def test_chunked_and_small_strings_are_read_too():
    chunked = pa.chunked_array([["one two"], ["three"]], pa.string())
    assert read_stream(chunked).offsets.tolist() == [0, 2, 3]


def test_line_ends_of_windows_close_a_fence_too():
    stream = stream_of("```\r\ncode\r\n```\r\nprose words")
    assert stream.column("prose_words")[0] == 2


def test_code_in_a_line_between_three_backticks_opens_no_fence():
    assert stream_of("```ls -l``` lists files\nand this is prose").column("code_bytes")[0] == 0
