"""From the ids of a text its bytes come back, and training is a function of the texts."""

from __future__ import annotations

import base64
import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tiktoken
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

import pipelines
from pipelines.tiktoken_ranks import PATTERNS
from pipelines.tokenizer import TextTokenizer, TokenizerError, canonical_sha256, read_definition, train

END = "<|endoftext|>"
CODE = Path(pipelines.__file__).parent
TEXTS = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        st.sampled_from([END, "\r\n\r\n", "  the kernel", "١٢٣"]),
    ),
    max_size=8,
).map("".join)


def corpus() -> list[str]:
    """Real text of some kilobytes, in a fixed order."""
    return [path.read_text() for path in (CODE / "parts.py", CODE / "shuffle.py", CODE / "run.py")]


def bytes_of_characters() -> dict[str, int]:
    """The byte-level alphabet: printable bytes are themselves, the others stand from U+0100 on."""
    themselves = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in themselves]
    return {chr(byte): byte for byte in themselves} | {chr(256 + at): byte for at, byte in enumerate(others)}


@pytest.fixture(scope="module")
def definition() -> str:
    return train(corpus(), 700, [END])


@pytest.fixture(scope="module")
def tokenizer(definition) -> TextTokenizer:
    return TextTokenizer(definition, END)


@pytest.fixture(scope="module")
def pieces(definition) -> dict[int, bytes]:
    """The bytes of each id, told from the vocabulary alone."""
    alphabet = bytes_of_characters()
    vocabulary = json.loads(definition)["model"]["vocab"]
    return {number: bytes(map(alphabet.__getitem__, token)) for token, number in vocabulary.items() if token != END}


@given(TEXTS)
@example("")
@example("".join(map(chr, range(0x250))))
@example("\U0010ffff\U0001f600 \ufeff\u0000")
def test_the_bytes_of_a_text_come_back(tokenizer, definition, pieces, text):
    (ids,) = tokenizer.encode([text])
    assert ids.dtype == np.int32
    assert b"".join(pieces[number] for number in ids.tolist()) == text.encode()
    assert Tokenizer.from_str(definition).decode(ids.tolist(), skip_special_tokens=False) == text


@given(TEXTS)
def test_the_end_of_each_token_is_known_in_bytes(tokenizer, pieces, text):
    (ids,) = tokenizer.encode([text])
    lengths = [len(pieces[number]) for number in ids.tolist()]
    assert tokenizer.byte_ends(ids).tolist() == [sum(lengths[: at + 1]) for at in range(len(lengths))]


@pytest.mark.parametrize("text", [END, f"a {END} b", f"{END}{END}", END + "\n", f"`{END}`"])
def test_a_text_that_spells_the_end_token_never_has_it(tokenizer, text):
    (ids,) = tokenizer.encode([text])
    assert tokenizer.end_id not in ids
    assert len(ids) > 1


@given(st.lists(TEXTS, max_size=4))
def test_texts_of_a_batch_do_not_touch_each_other(tokenizer, texts):
    batch = tokenizer.encode(texts)
    assert [ids.tolist() for ids in batch] == [tokenizer.encode([text]).ids.tolist() for text in texts]


def test_a_trained_tokenizer_has_the_size_asked_for_and_shortens_text(tokenizer):
    (ids,) = tokenizer.encode([corpus()[0]])
    assert tokenizer.vocabulary == 700
    assert 0 <= tokenizer.end_id < 700
    assert len(ids) < len(corpus()[0].encode()) / 1.5


def test_numbers_are_split_into_at_most_three_digits(tokenizer, pieces):
    (ids,) = tokenizer.encode(["1234567 x86_64 10.0.0.255"])
    assert all(sum(chr(byte).isdigit() for byte in pieces[number]) <= 3 for number in ids.tolist())


_TRAIN = """
import hashlib, sys
from tests.test_tokenizer import END, corpus
from pipelines.tokenizer import train
print(hashlib.sha256(train(corpus(), 1500, [END]).encode()).hexdigest())
"""


def test_training_gives_the_same_bytes_in_every_process_and_with_any_number_of_threads():
    found = set()
    for threads, seed in (("1", "1"), ("2", "2"), ("2", "3"), ("7", "4")):
        environment = {**os.environ, "RAYON_NUM_THREADS": threads, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", _TRAIN]
        root = Path(__file__).parents[1]
        done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=True)
        found.add(done.stdout)
    assert len(found) == 1


def test_the_order_of_texts_does_not_matter_to_training(definition):
    assert train(corpus()[::-1], 700, [END]) == definition


def test_the_hash_is_of_the_definition_and_not_of_its_layout(definition, tokenizer):
    laid_out = json.dumps(json.loads(definition), indent=2)
    assert laid_out != definition
    assert canonical_sha256(laid_out) == canonical_sha256(definition) == tokenizer.sha256
    assert canonical_sha256(train(corpus(), 600, [END])) != tokenizer.sha256


# ---------------------------------------------------------------- the judge


def same_ids(tokenizer: TextTokenizer, texts: list[str]) -> None:
    column = pa.array(texts, pa.large_string())
    ours, theirs = tokenizer.encode(column), tokenizer.judge(column)
    for text, a, b in zip(texts, ours, theirs, strict=True):
        assert a.tolist() == b.tolist(), ascii(text)


def code_points() -> Iterator[int]:
    """All that may stand in a text; of the planes that nobody uses, some."""
    yield from range(0xD800)
    yield from range(0xE000, 0x34000)
    yield from range(0x34000, 0x110000, 251)


def test_the_ids_are_the_judges_on_all_of_unicode(tokenizer):
    assert tokenizer.encoder == "gigatoken"
    same_ids(tokenizer, [f"a{c}1{c}\n{c}'s{c}{c}A{c}b.{c}/{c}" for c in map(chr, code_points())])


ODD = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.text(st.sampled_from("\n\r\t \u00a0\u2028'sSlLtT019a-_.,/é中\u088f\U0001faea"), max_size=30),
)


@given(st.lists(ODD, max_size=5))
@settings(max_examples=500)
def test_the_ids_are_the_judges_on_odd_texts(tokenizer, texts):
    same_ids(tokenizer, texts)


def test_the_ids_are_the_judges_on_real_text(tokenizer):
    root = Path(__file__).parents[1]
    same_ids(tokenizer, [path.read_text("utf-8") for path in sorted(root.glob("*/*.py")) + sorted(root.glob("*.md"))])


def test_a_tokenizer_that_gigatoken_does_not_know_is_left_to_the_judge(definition):
    digits = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, BYTE_LEVEL]}
    tokenizer = TextTokenizer(changed(definition, pre_tokenizer=digits), END)
    assert tokenizer.encoder == "tokenizers"
    (ids,) = tokenizer.encode(["kernel 6.12\n"])
    assert tokenizer.byte_ends(ids)[-1] == len("kernel 6.12\n")


# ---------------------------------------------------------------- tiktoken's ranks


@pytest.fixture(scope="module")
def rank_file(definition, pieces) -> bytes:
    """The trained vocabulary as a rank file. Its ids begin at 0, so that the end token's has to go behind them."""
    tokens = [pieces[number] for number in sorted(pieces)]
    return b"".join(b"%s %d\n" % (base64.b64encode(token), rank) for rank, token in enumerate(tokens))


def encoding_of(rank_file: bytes, pattern: str) -> tiktoken.Encoding:
    ranks = {base64.b64decode(line.split()[0]): int(line.split()[1]) for line in rank_file.splitlines()}
    return tiktoken.Encoding("own", pat_str=PATTERNS[pattern], mergeable_ranks=ranks, special_tokens={END: len(ranks)})


@pytest.mark.parametrize("pattern", ["cl100k", "llama3", "o200k"])
@given(texts=st.lists(st.one_of(ODD, TEXTS), max_size=4))
@example(texts=["  \n\n\tDon't DON'T x\u0301 HTTPServer 12345 \r\n \n"])
def test_ranks_give_the_ids_of_tiktoken(rank_file, pattern, texts):
    encoding = encoding_of(rank_file, pattern)
    tokenizer = TextTokenizer(_definition_of(rank_file, pattern, encoding.n_vocab - 1), END)
    assert [ids.tolist() for ids in tokenizer.encode(texts)] == [encoding.encode_ordinary(text) for text in texts]
    assert tokenizer.end_id == encoding.eot_token


@functools.cache
def _definition_of(rank_file: bytes, pattern: str, end_id: int) -> str:
    return read_definition(rank_file, "own.tiktoken", pattern, {END: end_id})


@pytest.mark.parametrize(
    ("content", "special", "expected"),
    [
        (b"IQ== 0\nnot a rank\n", {END: 9}, "own.tiktoken: line 2 is not a token in base64 and its rank"),
        (b"IQ== 0\n", {END: 9}, "it has no token for the byte 0x00"),
        (b"".join(b"%s %d\n" % (base64.b64encode(bytes([n])), n) for n in range(256)), {END: 7}, "has the id 7, which"),
    ],
)
def test_ranks_that_cannot_be_used_are_refused_in_one_line(content, special, expected):
    with pytest.raises(TokenizerError, match=expected) as caught:
        read_definition(content, "own.tiktoken", "cl100k", special)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- what is refused


def changed(definition: str, **values: object) -> str:
    return json.dumps({**json.loads(definition), **values})


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
SPLIT = {"type": "WhitespaceSplit"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"normalizer": {"type": "NFC"}}, "it normalises the text"),
        ({"decoder": None}, "it is not byte-level"),
        ({"decoder": {"type": "Fuse"}}, "it is not byte-level"),
        ({"pre_tokenizer": {**BYTE_LEVEL, "add_prefix_space": True}}, "it puts a space before the text"),
        (
            {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{**BYTE_LEVEL, "add_prefix_space": True}]}},
            "it puts a space before the text",
        ),
        ({"model": {"type": "unknown"}}, "not a tokenizer.json"),
    ],
)
def test_a_tokenizer_that_loses_something_is_refused_in_one_line(definition, values, expected):
    with pytest.raises(TokenizerError, match=expected) as caught:
        TextTokenizer(changed(definition, **values), END)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "{}", "[]", "not JSON\nat all"])
def test_what_is_no_tokenizer_is_refused_in_one_line(content):
    with pytest.raises(TokenizerError, match=r"not a tokenizer\.json") as caught:
        TextTokenizer(content, END)
    assert "\n" not in str(caught.value)


def test_an_end_token_that_is_not_in_the_vocabulary_is_refused(definition):
    with pytest.raises(TokenizerError, match="'</s>' is not in the vocabulary"):
        TextTokenizer(definition, "</s>")


def lossy(definition: str) -> str:
    """A tokenizer that says it is byte-level, and throws white space away."""
    return changed(definition, pre_tokenizer={"type": "Sequence", "pretokenizers": [SPLIT, BYTE_LEVEL]})


def test_ids_that_do_not_add_up_to_the_text_are_an_error(definition):
    tokenizer = TextTokenizer.__new__(TextTokenizer)
    try:
        tokenizer.__init__(lossy(definition), END)
    except TokenizerError:
        return
    with pytest.raises(TokenizerError, match="are not its bytes"):
        tokenizer.encode(["white space is lost"])


def test_a_tokenizer_that_throws_white_space_away_is_refused(definition):
    with pytest.raises(TokenizerError):
        TextTokenizer(lossy(definition), END)
