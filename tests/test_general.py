"""The ports of Gopher's, C4's and FineWeb's rules against datatrove's own code, document by document."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.filters.gopher_quality_filter import STOP_WORDS
from datatrove.pipeline.filters.gopher_repetition_filter import (
    find_all_duplicate,
    find_duplicates,
    find_top_duplicate,
    get_n_grams,
)
from datatrove.utils.text import PUNCTUATION_SET, TERMINAL_PUNCTUATION, split_into_words
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.general.prose import texts_of
from filters.general.scores import SCORES, scores
from filters.stream import read_stream

WORDS = [
    "the",
    "be",
    "to",
    "of",
    "and",
    "that",
    "have",
    "with",
    "kernel",
    "page",
    "scheduler",
    "memory",
    "lock",
    "thread",
    "disk",
    "queue",
    "server",
    "client",
    "cannot",
    "don't",
    "it's",
    "reads",
    "writes",
    "waits",
    "wakes",
    "maps",
    "fails",
    "grows",
    "shrinks",
    "quickly",
    "slowly",
    "well-known",
    "read/write",
    "e.g.",
    "i.e.",
    "don’t",
    "we'll",
    "3.5",
    "42",
    "2024",
    "éclair",
    "naïve",
    "Straße",
    "x86_64",
    "key=value",
    "http://example.org/a_b",
    "U.S.",
    "(briefly)",
    '"quoted"',
    "Dr.",
    "vs.",
    "A-Z",
]
ENDS = (".", ".", ".", ".", "!", "?", "...", ":", "", ";", '."', " [1]", " {")
LINES = st.tuples(st.lists(st.sampled_from(WORDS), min_size=1, max_size=14), st.sampled_from(ENDS)).map(
    lambda line: (" ".join(line[0]) + line[1]).capitalize()
)
PARAGRAPHS = st.lists(
    st.one_of(LINES, st.just("We use cookies, see the privacy policy."), st.just("• a point…")), max_size=5
)
TEXTS = st.lists(PARAGRAPHS.map("\n".join), min_size=1, max_size=10).map("\n\n".join).filter(str.strip)
# Texts of which a good part stands in them twice.
REPETITIVE = st.tuples(
    st.lists(LINES, min_size=1, max_size=3), st.lists(st.integers(0, 2), min_size=3, max_size=20)
).map(lambda drawn: "\n".join(drawn[0][at % len(drawn[0])] for at in drawn[1]))


def expected(text: str) -> dict[str, float]:
    """The values that datatrove's filters compare with their limits, by its own functions."""
    words = split_into_words(text, "eng")
    paragraphs, lines = re.split(r"\n{2,}", text.strip()), re.split(r"\n+", text)
    filled = [line for line in text.split("\n") if line.strip()]
    real = [word for word in words if any(character not in PUNCTUATION_SET for character in word)]
    values = {
        "duplicate_paragraphs": find_duplicates(paragraphs)[0] / len(paragraphs),
        "duplicate_paragraph_characters": find_duplicates(paragraphs)[1] / len(text),
        "duplicate_lines": find_duplicates(lines)[0] / len(lines),
        "duplicate_line_characters": find_duplicates(lines)[1] / len(text),
        "gopher_words": len(real),
        "gopher_word_length": sum(map(len, real)) / max(1, len(real)),
        "hash_ratio": text.count("#") / len(words),
        "ellipsis_ratio": (text.count("...") + text.count("…")) / len(words),
        "alphabetic_words": sum(any(c.isalpha() for c in word) for word in words) / len(words),
        "stop_words": len(set(STOP_WORDS) & set(words)),
        "newline_ratio": text.count("\n") / len(words),
        "bullet_lines": sum(line.lstrip().startswith(("•", "-")) for line in text.splitlines())
        / len(text.splitlines()),
        "ellipsis_lines": sum(line.rstrip().endswith(("...", "…")) for line in text.splitlines())
        / len(text.splitlines()),
        "terminal_lines": sum(line.endswith(tuple(TERMINAL_PUNCTUATION)) for line in filled) / len(filled),
        "short_lines": sum(len(line) <= 30 for line in filled) / len(filled),
        "duplicate_characters": find_duplicates(filled)[1] / len(text.replace("\n", "")),
    }
    for n in (2, 3, 4):
        grams = get_n_grams(words, n)
        values[f"top_{n}_gram"] = find_top_duplicate(grams) / len(text) if grams else 0.0
    for n in range(5, 11):
        values[f"duplicate_{n}_grams"] = find_all_duplicate(words, n) / len(text)
    return values


def scores_of(*texts: str) -> list[dict[str, float]]:
    columns = scores(read_stream(pa.array(texts, pa.large_string())))
    assert tuple(columns) == SCORES
    return [{name: float(column[at]) for name, column in columns.items()} for at in range(len(texts))]


def verdict_of(filter_: object, text: str) -> str:
    answer = filter_.filter(Document(text=text, id=""))  # type: ignore[attr-defined]
    return answer[1] if isinstance(answer, tuple) else "" if answer else "dropped"


def our_c4(row: dict[str, float]) -> str:
    if row["lorem_ipsum"]:
        return "lorem_ipsum"
    if row["curly_bracket"]:
        return "curly_bracket"
    return "too_few_sentences" if row["sentences"] < 5 else ""


@settings(max_examples=150)
@given(st.one_of(TEXTS, REPETITIVE))
def test_values_on_prose_are_those_of_datatrove(text):
    (ours,) = scores_of(text)
    for name, value in expected(text).items():
        assert ours[name] == pytest.approx(value, abs=1e-5), name


@settings(max_examples=100)
@given(TEXTS)
def test_the_verdict_of_c4_is_the_same(text):
    assert our_c4(scores_of(text)[0]) == verdict_of(C4QualityFilter(), text)


def test_verdicts_are_the_same_at_the_limits_of_all_four():
    """Texts around each limit, and whether each of the four filters drops them."""
    sentence = "The {} of the kernel is what this line is about, and it has a lot to say of that."
    prose = "\n".join(sentence.format(word) for word in WORDS[8:30])
    texts = [prose, prose.replace("the", "a"), *(prose + "\n- point" * n for n in range(0, 60, 6))]
    texts += [prose + ("\n" + prose.split("\n")[0]) * n for n in range(12)]
    texts += [" ".join([prose, *("#" * 1 for _ in range(n))]) for n in range(0, 90, 9)]
    texts += [prose + "\nshort line" * n for n in range(0, 60, 5)]
    for text, row in zip(texts, scores_of(*texts), strict=True):
        assert our_c4(row) == verdict_of(C4QualityFilter(), text)
        assert (row["alphabetic_words"] < 0.8) == ("alpha" in verdict_of(GopherQualityFilter(), text)) or (
            row["hash_ratio"] > 0.1
        )
        assert (row["hash_ratio"] > 0.1) == (verdict_of(GopherQualityFilter(), text) == "gopher_too_many_hashes")
        repeated = (
            row["duplicate_paragraphs"] > 0.3
            or row["duplicate_paragraph_characters"] > 0.2
            or row["duplicate_lines"] > 0.3
            or row["duplicate_line_characters"] > 0.2
            or any(row[f"top_{n}_gram"] > limit for n, limit in ((2, 0.2), (3, 0.18), (4, 0.16)))
            or any(row[f"duplicate_{n}_grams"] > 0.2 - n / 100 for n in range(5, 11))
        )
        assert repeated == bool(verdict_of(GopherRepetitionFilter(), text))
        bad_lines = (
            row["terminal_lines"] < 0.12
            or row["short_lines"] > 0.67
            or row["duplicate_characters"] > 0.01
            or row["newline_ratio"] > 0.3
        )
        assert bad_lines == bool(verdict_of(FineWebQualityFilter(), text))


@given(st.lists(st.one_of(TEXTS, REPETITIVE), min_size=1, max_size=4), st.data())
def test_a_document_is_judged_the_same_alone_and_in_a_batch(texts, data):
    at = data.draw(st.integers(0, len(texts) - 1))
    assert scores_of(*texts)[at] == scores_of(texts[at])[0]


def test_prose_has_no_code_tables_logs_or_marks():
    text = (
        "# The `ls` command\n\n> It **lists** files.\n\n```sh\nls -l {}\n\n```\n\n| a | b |\n|---|---|\n\n"
        "- one *point*\n2 * 3\n\n```\n2024-01-31 12:00:00 begun\n```\nThe end.\n"
    )
    stream = read_stream(pa.array([text], pa.large_string()))
    assert texts_of(stream) == ["The ls command\n\nIt lists files.\n\n\n\n- one point\n2 * 3\n\nThe end.\n"]


@pytest.mark.parametrize("text", ["", "\n", " \n \n", "```\nx\n```\n", "\ufffd", "." * 5000, "a" * 5000, "\n" * 5000])
def test_texts_without_words_have_scores(text):
    (row,) = scores_of(text)
    assert all(np.isfinite(value) for value in row.values())
