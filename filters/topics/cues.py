"""Cues: words and phrases that people listed for each label, as the tokens of the bags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from filters.stream import Hashes, hash_words
from filters.topics import tokens
from filters.topics.lookup import Rows

STRENGTHS = {"strong": 3.0, "weak": 1.0}
_HEADING_WORDS = 8
_WORD_SALTS = {"code": tokens.CODE, "example": tokens.EXAMPLE, "upper": tokens.UPPER}


class CueError(Exception):
    """A cue that no token can stand for; the message names it."""


def cue_rows(cues: Mapping[str, Mapping[str, Sequence[str]]], labels: Sequence[str]) -> tuple[Hashes, Rows]:
    """Keys, and for each the weight it has for every label; a label's weights are divided by their sum.

    cues: for each label lists of `strong` and `weak` cues. A cue is a word, a phrase of two, or behind `heading `,
    `fence ` or `code ` a whole heading, the language or a word of a document that is code; behind `block ` or
    `example ` the same of code in a text; behind `upper ` a word of prose all in capitals. Raises CueError.
    """
    found: dict[int, list[float]] = {}
    for label, lists in cues.items():
        whole = sum(weight * len(lists[strength]) for strength, weight in STRENGTHS.items())
        for strength, weight in STRENGTHS.items():
            for cue in lists[strength]:
                for token in cue_tokens(str(cue)):
                    row = found.setdefault(token, [0.0] * len(labels))
                    row[labels.index(label)] = weight / whole
    keys = np.array(sorted(found), np.uint64)
    return keys, np.array([found[int(key)] for key in keys], np.float32).reshape(len(keys), len(labels))


def cue_tokens(cue: str) -> list[int]:
    """The tokens that a cue is seen as; a word alone counts in prose, and in a document that is code."""
    where, _, rest = cue.partition(" ")
    if where in ("fence", "block") and rest:
        salt = tokens.FENCE_NAME if where == "fence" else tokens.BLOCK_NAME
        return [tokens.of_text("".join(chr(ord(each) | 32) for each in rest), salt)]
    words = hash_words(rest if where in ("heading", *_WORD_SALTS) and rest else cue)
    if where == "heading" and words:
        return [tokens.of_run(words[:_HEADING_WORDS], tokens.HEADING_WHOLE)]
    if where in _WORD_SALTS and len(words) == 1:
        return [tokens.of_value(words[0], _WORD_SALTS[where])]
    if len(words) == 1:
        return [tokens.of_value(words[0], tokens.PROSE), tokens.of_value(words[0], tokens.CODE)]
    if len(words) == 2:
        return [tokens.of_run(words, tokens.PAIR)]
    raise CueError(f"{cue!r} is neither a word nor a phrase of two")
