"""The word stream against a plain reading of what a word, a fence and a line are."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.stream import (
    BLANK,
    CODE,
    COUNTS,
    FENCE,
    HEADING,
    ITEM,
    LOG,
    PROSE,
    TABLE,
    Stream,
    hash_words,
    read_stream,
)

LINES = st.one_of(
    st.sampled_from(
        [
            "```",
            "```sh",
            "````",
            "~~~",
            "~~~~ ",
            "- one",
            "12) two",
            "### three",
            "#four",
            "| five | six |",
            " > ```",
            "> ~~~",
            "``",
            "",
            "the same line",
            "The Same, Line!",
        ]
    ),
    st.text(max_size=30),
    st.text("abAB12_ .-*#|éß汉`~>", max_size=30),
)
TEXTS = st.lists(LINES, max_size=12).map("\n".join)


KINDS = {"prose": PROSE, "heading": HEADING, "item": ITEM, "table": TABLE, "code": CODE, "log": LOG}


@dataclass
class Reading:
    """What a document holds, told line by line in plain Python: the kind of each line, and its words."""

    kinds: list[int] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)

    def words(self, *kinds: int) -> list[bytes]:
        return [word for line in self.of(*kinds) for word in words_of(line)]

    def of(self, *kinds: int) -> list[bytes]:
        return [line for kind, line in zip(self.kinds, self.lines, strict=True) if kind in kinds]


def words_of(line: bytes) -> list[bytes]:
    return re.findall(rb"[A-Za-z0-9_\x80-\xff]+", line.lower())


def kind_of(line: bytes) -> int:
    """Of a line outside fences; LINES hold nothing that looks like a date."""
    begin = line.lstrip(b" >\t")
    if begin.startswith(b"|"):
        return TABLE
    kind = PROSE
    if re.match(rb"#{1,6}( |$)", begin):
        kind = HEADING
    elif re.match(rb"([-*+]|\d{1,9}[.)]) ", begin):
        kind = ITEM
    return kind if words_of(line) else BLANK


def read(text: str) -> Reading:
    reading, fence = Reading(), b""
    lines = text.encode().split(b"\n")
    for line in lines if lines[-1] else lines[:-1]:
        mark = re.match(rb"[ >\t]*(`{3,}(?!.*`)|~{3,})( *$)?", line)
        kind = CODE if fence and not is_bare(line) else BLANK if fence else kind_of(line)
        if not fence and mark:
            kind, fence = FENCE, mark[1]
        elif fence and mark and mark[1].startswith(fence) and mark[2] is not None:
            kind, fence = FENCE, b""
        reading.kinds.append(kind)
        reading.lines.append(line)
    return reading


def is_bare(line: bytes) -> bool:
    """Whether a line has nothing but spaces and the signs of quotes."""
    return line.lstrip(b" >\t") in (b"", b"\r")


def counts_of(text: str) -> dict[str, int]:
    reading = read(text)
    prose = reading.of(PROSE, HEADING, ITEM)
    marked = [line for line in reading.of(PROSE, HEADING, ITEM, BLANK) if not is_bare(line)]
    characters = [c for line in marked for c in line.decode() if ord(c) > 32]
    letters = [c for c in characters if c.isascii() <= c.isalpha()]
    worded = {kind: [line for line in reading.of(kind) if words_of(line)] for kind in KINDS.values()}
    lines = [tuple(words_of(line)) for line in prose]
    return {
        "words": len(reading.words(*KINDS.values())),
        "prose_words": len(reading.words(PROSE, HEADING, ITEM)),
        **{f"{name}_words": len(reading.words(KINDS[name])) for name in ("code", "table", "log")},
        **{f"{name}_lines": len(worded[kind]) for name, kind in KINDS.items()},
        "prose_lines": len(lines),
        "repeated_lines": len(lines) - len(set(lines)),
        "prose_characters": len(characters),
        "prose_letters": len(letters),
        "prose_word_bytes": len(letters) + sum(c in "0123456789_" for c in characters),
        "code_bytes": sum(len(line) + 1 for line in reading.of(CODE, LOG)),
    }


def stream_of(*texts: str) -> Stream:
    return read_stream(pa.array(texts, pa.large_string()))


def hashes_of(stream: Stream, document: int) -> list[int]:
    return stream.hashes[stream.word_offsets[document] : stream.word_offsets[document + 1]].tolist()


@given(st.lists(TEXTS, max_size=4))
@example([">", "> \n>", ">>\r\n", "```\n\r"])
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
        words = read(text).words(*KINDS.values())
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


@given(st.lists(TEXTS, max_size=4))
def test_lines_and_words_lie_where_the_stream_says(texts):
    stream = stream_of(*texts)
    assert stream.data.tobytes() == "".join(texts).encode()
    for document, text in enumerate(texts):
        reading = read(text)
        begin, end = stream.line_offsets[document], stream.line_offsets[document + 1]
        assert stream.line_kinds[begin:end].tolist() == reading.kinds
        for line, expected in zip(range(begin, end), reading.lines, strict=True):
            at = stream.lines[line]
            assert stream.data[at : at + len(expected)].tobytes() == expected
            if stream.line_kinds[line] not in (FENCE, BLANK):
                first, last = stream.line_words[line], stream.line_words[line + 1]
                words = words_of(expected)
                assert last - first == len(words)
                for start, word in zip(stream.starts[first:last], words, strict=True):
                    assert stream.data[start : start + len(word)].tobytes().lower() == word


@pytest.mark.parametrize(
    "line",
    [
        "2024-01-31T12:00:00Z node-1 kubelet: started",
        "2024/01/31 12:00:00 [error] 31#31: *1 open() failed",
        "[2024-01-31 12:00:00,123] INFO begun",
        "Jan  3 12:00:00 host sshd[1]: session opened",
        "12:00:00.123 worker started",
        "[   12.345678] eth0: link up",
        "I0131 12:00:00.123456 1 main.go:1] up",
    ],
)
def test_a_line_that_begins_with_a_time_is_of_a_log(line):
    assert stream_of(f"```\n{line}\n```\n").line_kinds.tolist() == [FENCE, LOG, FENCE]
    assert stream_of(line).line_kinds.tolist() == [LOG]


@pytest.mark.parametrize("line", ["[12:34] <ann> good morning", "2.4.1 Building", "2024 was a good year", "May we?"])
def test_talk_and_sections_are_no_log(line):
    assert stream_of(line).line_kinds.tolist() == [PROSE]


def test_a_short_text_has_the_hashes_of_its_words():
    assert hash_words("Sign in, please") == stream_of("sign IN please").hashes.tolist()


def test_case_is_folded_for_ascii_only():
    stream = stream_of("Kernel kERNEL Ä ä")
    kernel, again, upper, lower = hashes_of(stream, 0)
    assert kernel == again
    assert upper != lower


def test_an_empty_batch_and_empty_documents_have_no_words():
    assert stream_of().word_offsets.tolist() == [0]
    assert stream_of("", "").word_offsets.tolist() == [0, 0, 0]


def test_chunked_and_small_strings_are_read_too():
    chunked = pa.chunked_array([["one two"], ["three"]], pa.string())
    assert read_stream(chunked).word_offsets.tolist() == [0, 2, 3]


def test_line_ends_of_windows_close_a_fence_too():
    stream = stream_of("```\r\ncode\r\n```\r\nprose words")
    assert stream.column("prose_words")[0] == 2


def test_code_in_a_line_between_three_backticks_opens_no_fence():
    assert stream_of("```ls -l``` lists files\nand this is prose").column("code_bytes")[0] == 0
