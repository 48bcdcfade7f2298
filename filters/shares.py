"""Shares and means over what the word stream counted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.stream import Stream

SCORES = ("mean_word_length", "letter_share", "repeated_line_share", "prose_share")

Scores = npt.NDArray[np.float32]


def scores(stream: Stream) -> dict[str, Scores]:
    """Of each document, 0 where there is nothing to divide by.

    mean_word_length: characters of a word of prose; letter_share: letters among the characters of prose;
    repeated_line_share: lines of prose that stand before in it; prose_share: words that are of prose.
    """
    return {
        "mean_word_length": _ratio(stream, "prose_word_bytes", "prose_words"),
        "letter_share": _ratio(stream, "prose_letters", "prose_characters"),
        "repeated_line_share": _ratio(stream, "repeated_lines", "prose_lines"),
        "prose_share": _ratio(stream, "prose_words", "words"),
    }


def _ratio(stream: Stream, part: str, whole: str) -> Scores:
    below = stream.column(whole)
    return np.divide(stream.column(part), below, out=np.zeros(len(stream)), where=below > 0).astype(np.float32)
