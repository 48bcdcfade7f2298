"""Byte-level BPE tokenizers in Hugging Face's `tokenizer.json` format: loaded, checked, trained.

Only tokenizers from whose ids the text comes back byte for byte are taken: byte-level, without a normaliser.
Text that spells a special token is encoded as text, always.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

Ids = npt.NDArray[np.int32]

# How Llama 3 splits text before BPE: contractions, words, numbers of up to three digits, punctuation, white space.
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class TokenizerError(Exception):
    """A tokenizer that cannot be used, in one line."""


class TextTokenizer:
    """A tokenizer whose ids lose nothing of the text."""

    def __init__(self, definition: str, end_of_document: str) -> None:
        try:
            self._tokenizer = Tokenizer.from_str(definition)
        except Exception as error:  # noqa: BLE001 - the library raises plain Exception
            raise TokenizerError(f"not a tokenizer.json: {error}") from None
        _check_lossless(json.loads(definition))
        self._tokenizer.encode_special_tokens = True
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        end = self._tokenizer.token_to_id(end_of_document)
        if end is None:
            raise TokenizerError(f"end_of_document {end_of_document!r} is not in the vocabulary")
        self.end_id: int = end
        self.vocabulary: int = self._tokenizer.get_vocab_size(with_added_tokens=True)
        self.sha256 = canonical_sha256(definition)
        self._bytes_of = _token_bytes(self._tokenizer)
        self._probe()

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        """Token ids of each text, without any that is not text. Raises TokenizerError if a byte were lost."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        ids = [np.array(each.ids, dtype=np.int32) for each in encodings]
        for text, own in zip(texts, ids, strict=True):
            if int(self._bytes_of[own].sum()) != len(text.encode()):
                raise TokenizerError("the tokens of a text do not add up to its bytes")
            if (own == self.end_id).any():
                raise TokenizerError("a text was encoded with the end-of-document token in it")
        return ids

    def _probe(self) -> None:
        """Refuses a tokenizer that loses something of the text, whatever its definition says."""
        text = " a  b\tc\r\n\n  d\u00a0\u200b\u00e9e\u0301\U0001f600 \ufffd\x00\x7f A1234 " + "".join(
            map(chr, range(256))
        )
        ids = self.encode([text])[0]
        if self._tokenizer.decode(ids.tolist(), skip_special_tokens=False) != text:
            raise TokenizerError("its tokens do not give a text back")

    def byte_ends(self, ids: Ids) -> npt.NDArray[np.int64]:
        """For each token of a text, where it ends in the text's bytes."""
        ends: npt.NDArray[np.int64] = np.cumsum(self._bytes_of[ids])
        return ends


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


def _token_bytes(tokenizer: Tokenizer) -> npt.NDArray[np.int64]:
    """Bytes of text that each id stands for: one a character of the byte-level alphabet."""
    added = {token_id: len(token.content.encode()) for token_id, token in tokenizer.get_added_tokens_decoder().items()}
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    lengths = np.zeros(max(vocabulary.values()) + 1, dtype=np.int64)
    for token, token_id in vocabulary.items():
        lengths[token_id] = added.get(token_id, len(token))
    return lengths


def train(texts: Sequence[str], vocabulary: int, end_of_document: str) -> str:
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
        special_tokens=[end_of_document],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return str(tokenizer.to_str(pretty=False))
