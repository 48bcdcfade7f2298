"""The words of a document as tokens, each once; pairs of words of prose too, and any number as the same token.

Words of prose, of a document that is code, and of examples in a text are kept apart.
A long document is read at its beginning and at places spread over the rest.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner
from filters.stream import CODE, LOG, Bytes, Hashes, Offsets, Stream, combine
from filters.topics import tokens
from filters.topics.tokens import SET_SIZE, is_new, salted

Flags = npt.NDArray[np.bool_]

# Words read from the beginning; windows behind it, and the words of each.
HEAD, WINDOWS, WINDOW = 1_000, 4, 200
# Tokens of one document at most.
MOST = 4_000

_PROSE, _CODE, _EXAMPLE, _PAIR = tokens.PROSE, tokens.CODE, tokens.EXAMPLE, tokens.PAIR
_NUMBER = np.uint64(tokens.NUMBER)


def word_tokens(stream: Stream) -> tuple[Hashes, Offsets]:
    """The tokens of all documents one behind the other, and where those of each begin (one entry more)."""
    counts = np.minimum(2 * np.diff(stream.word_offsets), MOST)
    found = np.empty(int(counts.sum()), np.uint64)
    offsets = np.zeros(len(stream) + 1, np.int64)
    _read(
        stream.data, stream.hashes, stream.starts, stream.word_offsets, stream.lines, stream.line_words,
        stream.line_kinds, stream.line_offsets, tokens.is_code(stream), found, offsets,
    )  # fmt: skip
    return found[: offsets[-1]], offsets


@inner
def is_read(word: int, words: int) -> bool:
    """Whether the word at this place of a document of so many words is read."""
    period = max(WINDOW, (words - HEAD) // WINDOWS)
    return word < HEAD or (word - HEAD) % period >= period - WINDOW


@compiled
def _read(
    data: Bytes, hashes: Hashes, starts: Offsets, word_offsets: Offsets, lines: Offsets, line_words: Offsets,
    line_kinds: Bytes, line_offsets: Offsets, is_code: Flags, found: Hashes, offsets: Offsets,
) -> None:  # fmt: skip
    seen, stamps = np.empty(SET_SIZE, np.uint64), np.full(SET_SIZE, -1, np.int64)
    count = 0
    for document in range(len(word_offsets) - 1):
        first, words = word_offsets[document], word_offsets[document + 1] - word_offsets[document]
        limit = count + min(2 * words, MOST)
        for line in range(line_offsets[document], line_offsets[document + 1]):
            begin, end = line_words[line], line_words[line + 1]
            if begin == end or not is_read(begin - first, words):
                continue
            code = line_kinds[line] == CODE or line_kinds[line] == LOG
            salt = (_CODE if is_code[document] else _EXAMPLE) if code else _PROSE
            count = _read_line(data, hashes, starts, begin, end, salt, found, count, limit, seen, stamps, document)
        offsets[document + 1] = count


@inner
def _read_line(
    data: Bytes, hashes: Hashes, starts: Offsets, begin: int, end: int, salt: np.uint64, found: Hashes, count: int,
    limit: int, seen: Hashes, stamps: Offsets, stamp: int,
) -> int:  # fmt: skip
    for word in range(begin, end):
        if count >= limit - 1:
            break
        first = data[starts[word]]
        value = _NUMBER if 48 <= first <= 57 else hashes[word]
        token = salted(value, salt)
        if is_new(token, seen, stamps, stamp):
            found[count] = token
            count += 1
        if salt != _PROSE or word + 1 == end:
            continue
        token = salted(combine(hashes, word, word + 2), _PAIR)
        if is_new(token, seen, stamps, stamp):
            found[count] = token
            count += 1
    return count
