"""Byte-level BPE tokenizers: loaded from Hugging Face's `tokenizer.json` or tiktoken's ranks, checked, trained.

Only tokenizers from whose ids the text comes back byte for byte are taken: byte-level, without a normaliser.
Text that spells a special token is encoded as text, always.

gigatoken encodes, some forty times as fast as Hugging Face's encoder, which is the judge: it encodes whatever
gigatoken cannot (a tokenizer that it does not know, code points that its Unicode tables class otherwise), and a sample
of every part again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gigatoken
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from filters.packing import Pieces
from filters.token_sums import byte_ranges, first_unsound, holds_any
from pipelines.lists import utf8_of
from pipelines.tiktoken_ranks import RankError, definition_of
from pipelines.unicode_tables import DISPUTED

Ids = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]

# How Llama 3 splits text before BPE: contractions, words, numbers of up to three digits, punctuation, white space.
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class TokenizerError(Exception):
    """A tokenizer that cannot be used, in one line."""


@dataclass(frozen=True)
class Encoded:
    """Token ids of texts: those of text n are ids[offsets[n] : offsets[n + 1]]."""

    ids: Ids
    offsets: Ints

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[Ids]:
        for start, end in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield self.ids[start:end]


class TextTokenizer:
    """A tokenizer whose ids lose nothing of the text. `definition` is the content of a tokenizer.json.

    `end_of_document` is None, and `end_id` -1, where nothing but text is encoded.
    """

    def __init__(self, definition: str, end_of_document: str | None) -> None:
        try:
            self._judge = Tokenizer.from_str(definition)
        except Exception as error:  # noqa: BLE001 - the library raises plain Exception
            raise TokenizerError(f"not a tokenizer.json: {error}") from None
        told = json.loads(definition)
        _check_lossless(told)
        self._judge.encode_special_tokens = True
        self._judge.no_padding()
        self._judge.no_truncation()
        self.end_id: int = -1 if end_of_document is None else self.special(end_of_document)
        self.vocabulary: int = self._judge.get_vocab_size(with_added_tokens=True)
        self.sha256 = canonical_sha256(definition)
        self._bytes_of = _token_bytes(self._judge)
        self._fast = _fast(told)
        self._probe()

    def special(self, token: str) -> int:
        """The id of a special token. Raises TokenizerError where there is none."""
        found: int | None = self._judge.token_to_id(token)
        if found is None:
            raise TokenizerError(f"{token!r} is not in the vocabulary")
        return found

    @property
    def encoder(self) -> str:
        """Who encodes."""
        return "gigatoken" if self._fast else "tokenizers"

    def encode(self, texts: Sequence[str] | pa.LargeStringArray) -> Encoded:
        """Token ids of each text, without any that is not text. Raises TokenizerError if a byte were lost."""
        column = texts if isinstance(texts, pa.LargeStringArray) else pa.array(texts, pa.large_string())
        text, places = utf8_of(column)
        if self._fast is None:
            encoded = self.judge(column)
        else:
            encoded = self._encode_fast(column)
            disputed = np.flatnonzero(holds_any(text, places, DISPUTED))
            if len(disputed):
                encoded = _replaced(encoded, disputed, self.judge(column.take(pa.array(disputed))))
        unsound = first_unsound(encoded.ids, encoded.offsets, np.diff(places), self._bytes_of, self.end_id)
        if unsound >= 0:
            raise TokenizerError("the tokens of a text are not its bytes, or one of them ends documents")
        return encoded

    def judge(self, texts: pa.LargeStringArray) -> Encoded:
        """The ids that count: those of Hugging Face's encoder."""
        encodings = self._judge.encode_batch_fast(texts.to_pylist(), add_special_tokens=False)
        ids = [np.array(each.ids, dtype=np.int32) for each in encodings]
        return joined(ids)

    def _encode_fast(self, texts: pa.LargeStringArray) -> Encoded:
        # One thread: a worker has one core.
        layout = self._fast.encode_batch(gigatoken_input(texts), parallel=False).layout
        return Encoded(np.asarray(layout.content.data).view(np.int32), np.asarray(layout.offsets, dtype=np.int64))

    def _probe(self) -> None:
        """Refuses a tokenizer that loses something of the text; leaves the judge alone where the other one differs."""
        text = " a  b\tc\r\n\n  d\u00a0\u200b\u00e9e\u0301\U0001f600 \ufffd\x00\x7f A1234 " + "".join(
            map(chr, range(256))
        )
        column = pa.array([text, "x = {'a': [1, 22, 333, 4444]}  # DON'T\n\n\tif (a!=b)\n", ""], pa.large_string())
        if self._fast and not np.array_equal(self._encode_fast(column).ids, self.judge(column).ids):
            self._fast = None
        ids = self.encode([text]).ids
        if self._judge.decode(ids.tolist(), skip_special_tokens=False) != text:
            raise TokenizerError("its tokens do not give a text back")

    def byte_ends(self, ids: Ids) -> Ints:
        """For each token of a text, where it ends in the text's bytes."""
        ends: Ints = np.cumsum(self._bytes_of[ids], dtype=np.int64)
        return ends

    def byte_ranges(self, ids: Ids, begins: Ints, pieces: Pieces) -> tuple[Ints, Ints]:
        """Where pieces begin and end in the bytes of their documents, whose ids begin at `begins`.

        The pieces of a document stand in order and are all of it; the last has an end token that `ids` lacks.
        """
        return byte_ranges(ids, begins, self._bytes_of, pieces.document, pieces.start, pieces.end)


def gigatoken_input(texts: pa.LargeStringArray) -> Any:
    """A column as gigatoken takes it, without a copy of the text."""
    import awkward  # gigatoken brings it; half a second to import

    text, offsets = utf8_of(texts)
    content = awkward.contents.NumpyArray(text, parameters={"__array__": "char"})
    layout = awkward.contents.ListOffsetArray(
        awkward.index.Index64(offsets), content, parameters={"__array__": "string"}
    )
    return awkward.Array(layout)


def _fast(definition: Mapping[str, Any]) -> Any:
    """gigatoken's tokenizer, or None where it does not know one of this kind.

    It has no switch for special tokens in text: without their names they are text.
    """
    stripped = {**definition, "added_tokens": [], "post_processor": None}
    try:
        return gigatoken.Tokenizer.from_json(json.dumps(stripped))
    except Exception:  # noqa: BLE001 - whatever it says, there is the judge
        return None


def joined(ids: Sequence[Ids]) -> Encoded:
    """Ids of texts, one behind the other."""
    offsets = np.zeros(len(ids) + 1, np.int64)
    np.cumsum([len(each) for each in ids], out=offsets[1:])
    return Encoded(np.concatenate(ids) if ids else np.empty(0, np.int32), offsets)


def _replaced(encoded: Encoded, where: npt.NDArray[np.intp], by: Encoded) -> Encoded:
    """With the ids of some texts in the place of theirs."""
    ids = list(encoded)
    for index, other in zip(where, by, strict=True):
        ids[index] = other
    return joined(ids)


def read_definition(content: bytes, name: str, pattern: str | None, special_tokens: Mapping[str, int]) -> str:
    """The tokenizer.json of a file: its content, or that of tiktoken's ranks. Raises TokenizerError."""
    try:
        return content.decode() if pattern is None else definition_of(content, pattern, special_tokens)
    except (UnicodeDecodeError, RankError) as error:
        raise TokenizerError(f"{name}: {error}") from None


def canonical_sha256(definition: str) -> str:
    """Hash of a tokenizer's definition; white space and the order of keys do not count."""
    canonical = json.dumps(json.loads(definition), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _check_lossless(definition: dict[str, Any]) -> None:
    if definition.get("normalizer"):
        raise TokenizerError("it normalises the text, so that the text would not come back byte for byte")
    if (definition.get("decoder") or {}).get("type") != "ByteLevel":
        raise TokenizerError("it is not byte-level, so that the text would not come back byte for byte")
    before = definition.get("pre_tokenizer") or {}
    steps = before.get("pretokenizers", [before])
    if any(step.get("type") == "ByteLevel" and step.get("add_prefix_space") for step in steps):
        raise TokenizerError("it puts a space before the text (add_prefix_space)")


def _token_bytes(tokenizer: Tokenizer) -> Ids:
    """Bytes of text that each id stands for: one a character of the byte-level alphabet."""
    added = {token_id: len(token.content.encode()) for token_id, token in tokenizer.get_added_tokens_decoder().items()}
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    lengths = np.zeros(max(vocabulary.values()) + 1, dtype=np.int32)
    for token, token_id in vocabulary.items():
        lengths[token_id] = added.get(token_id, len(token))
    return lengths


def train(texts: Sequence[str], vocabulary: int, special_tokens: Sequence[str]) -> str:
    """A byte-level BPE trained on texts, as the content of a tokenizer.json. The same texts give the same bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(special_tokens),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return str(tokenizer.to_str(pretty=False))
