"""Files of tiktoken ranks (`o200k_base.tiktoken` and the like) as the content of a `tokenizer.json`.

A rank file says which byte strings are tokens, and in which order they are merged. How text is split into words
before that, and which special tokens there are, stands in the code of whoever trained it: the recipe names both.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

# cl100k's own spelling of this has possessive quantifiers, which Oniguruma reads otherwise; the ids are the same.
_CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_O200K = "|".join(
    [
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)
#: How text is split before it is merged, by the name of the encoding that does so. Llama 3 splits as cl100k does.
PATTERNS = {"cl100k": _CL100K, "llama3": _CL100K, "o200k": _O200K}


class RankError(Exception):
    """A rank file that cannot be used, in one line."""


def definition_of(content: bytes, pattern: str, special_tokens: Mapping[str, int]) -> str:
    """A `tokenizer.json` that encodes as tiktoken does: the same ids, and each special token with its id.

    A token is merged from any two tokens that it consists of, those of the smaller ranks first.
    Raises RankError.
    """
    ranks = _read(content)
    taken = {rank: token for token, rank in ranks.items()}
    if len(taken) < len(ranks):
        raise RankError("two tokens have one rank")
    for name, token_id in special_tokens.items():
        if token_id in taken:
            raise RankError(f"special token {name!r} has the id {token_id}, which is a rank of the file")
    spelled = _alphabet()
    written = {token: "".join(spelled[byte] for byte in token) for token in ranks}
    split = {"type": "Split", "pattern": {"Regex": PATTERNS[pattern]}, "behavior": "Isolated", "invert": False}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [_added(name, token_id) for name, token_id in sorted(special_tokens.items())],
            "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, level]},
            "post_processor": None,
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None,
                "fuse_unk": False,
                "byte_fallback": False,
                "ignore_merges": True,
                "vocab": {written[token]: rank for token, rank in sorted(ranks.items(), key=lambda each: each[1])},
                "merges": [[written[left], written[right]] for left, right in _merges(ranks)],
            },
        },
        ensure_ascii=False,
    )


def _read(content: bytes) -> dict[bytes, int]:
    """Ranks by token. Raises RankError."""
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            spelled, rank = line.split()
            token = base64.b64decode(spelled, validate=True)
            ranks[token] = int(rank)
        except (ValueError, binascii.Error):
            raise RankError(f"line {number} is not a token in base64 and its rank") from None
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise RankError(f"it has no token for the byte {missing[0]:#04x}")
    return ranks


def _merges(ranks: Mapping[bytes, int]) -> list[tuple[bytes, bytes]]:
    """Every pair of tokens that makes a token, by the rank of what they make."""
    merges = []
    for token, _ in sorted(ranks.items(), key=lambda each: each[1]):
        halves = [(token[:at], token[at:]) for at in range(1, len(token))]
        pairs = [(left, right) for left, right in halves if left in ranks and right in ranks]
        merges += sorted(pairs, key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))
    return merges


def _alphabet() -> list[str]:
    """The character that stands for each byte in byte-level vocabularies (GPT-2's)."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in shown]
    of = {byte: chr(byte) for byte in shown} | {byte: chr(256 + at) for at, byte in enumerate(hidden)}
    return [of[byte] for byte in range(256)]


def _added(content: str, token_id: int) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": token_id, "content": content, **flags}
