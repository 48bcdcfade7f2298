"""The score columns of the general-web rules, for a batch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner
from filters.general import lines, repetition
from filters.general.characters import Kinds, count_characters, kinds
from filters.general.lines import count_line, count_sentences
from filters.general.pieces import Pieces, add_line, end_paragraph, no_pieces
from filters.general.prose import prose_of
from filters.general.repetition import add, clear, count_in, judge_grams, table_for
from filters.general.tokens import IS_ALPHABETIC, IS_WORD, Places, Tokens, hash_of, hash_token, split, tokens_for
from filters.stream import Bytes, Hashes, Offsets, Stream
from filters.swar import end_of_line

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_WORD_SCORES = (
    "gopher_words",
    "gopher_word_length",
    "hash_ratio",
    "ellipsis_ratio",
    "alphabetic_words",
    "stop_words",
    "newline_ratio",
)
_LINE_SCORES = (
    "bullet_lines",
    "ellipsis_lines",
    "terminal_lines",
    "short_lines",
    "sentences",
    "curly_bracket",
    "lorem_ipsum",
)
# duplicate_characters is FineWeb's: of lines, without their feeds and the empty ones.
SCORES = (*repetition.SCORES, *_WORD_SCORES, *_LINE_SCORES, "duplicate_characters")

_WORDS, _LENGTH, _HASHES, _ELLIPSES, _ALPHABETIC, _STOPS, _NEWLINES = range(
    len(repetition.SCORES), len(repetition.SCORES) + len(_WORD_SCORES)
)
_LINES = _NEWLINES + 1
_DUPLICATES = _LINES + len(_LINE_SCORES)

_MOST = 4 << 20  # bytes of prose by which a document is judged: its first ones
_SENTENCES = 5
_NEWLINE, _HASH, _DOT = 10, 35, 46


_STOP_WORDS = np.array([hash_of(word) for word in ["the", "be", "to", "of", "and", "that", "have", "with"]], np.uint64)
_MAY_STOP = np.isin(np.arange(256), _STOP_WORDS & np.uint64(255))  # by the last byte of a token's hash


def scores(stream: Stream) -> dict[str, Floats]:
    """SCORES of each document: shares from 0 to 1, but for these.

    gopher_words: words that are not punctuation alone; gopher_word_length: their mean characters; hash_ratio and
    ellipsis_ratio: for each token; stop_words: how many of Gopher's eight; newline_ratio: line feeds for each token;
    sentences: of the lines that C4 keeps, counted up to the five that it wants; curly_bracket, lorem_ipsum: 1 if such
    a line has one.
    """
    data, offsets = prose_of(stream)
    largest = min(_MOST, int(np.max(np.diff(offsets), initial=0)))
    out = np.zeros((len(stream), len(SCORES)), np.float32)
    sums = np.empty(largest + 1, np.int32)
    grams = np.empty(largest + 1, np.uint64)
    work = np.empty((2, largest + 1), np.int32)
    _judge(data, offsets, kinds(), tokens_for(largest + 1), sums, work, grams, table_for(largest + 4), out)
    return {name: out[:, column] for column, name in enumerate(SCORES)}


@compiled
def _judge(
    data: Bytes,
    offsets: Offsets,
    kinds: Kinds,
    room: Tokens,
    sums: Places,
    work: Places,
    grams: Hashes,
    table: Hashes,
    out: Floats,
) -> None:
    counts = np.zeros(len(_LINE_SCORES), np.int64)
    for document in range(len(offsets) - 1):
        begin, end = offsets[document], min(offsets[document + 1], offsets[document] + _MOST)
        text = data[begin:end]
        row = out[document]
        counts[:] = 0
        characters = count_characters(text, 0, len(text))
        tokens = _read_lines(text, characters, kinds, room, table, counts, row)
        _count_words(text, room, tokens, sums, row)
        judge_grams(room.hashes, sums, tokens, characters, work, grams, table, row)


@inner
def _read_lines(
    text: Bytes, characters: int, kinds: Kinds, room: Tokens, table: Hashes, counts: Ints, row: Floats
) -> int:
    """Splits a text into tokens line by line, and judges lines and paragraphs; how many tokens there are."""
    tokens, feeds, repeated = 0, 0, 0
    written = 1
    for at in range(1, len(text)):
        written += text[at] != _NEWLINE and text[at - 1] == _NEWLINE
    mask = clear(table, 2 * written)  # as many paragraphs as lines, at most
    pieces = no_pieces()
    all_lines, filled, at = 0, 0, 0
    while at < len(text):
        stop = end_of_line(text, at, len(text))
        feeds += stop < len(text)
        all_lines += 1
        first = tokens
        tokens = split(text, at, stop, kinds, room, tokens)
        twice, size = False, 0
        if stop > at:
            value, size = hash_token(text, at, stop), count_characters(text, at, stop)
            twice = count_in(table, add(table, mask, value)) > 1
            pieces = add_line(pieces, value, size, twice)
        elif pieces.open_size:
            pieces = end_paragraph(pieces, table, mask)
        if tokens > first:
            filled += 1
            repeated += size if twice else 0
            count_line(text, at, stop, size, kinds, counts)
            wanted = _SENTENCES - counts[lines.SENTENCES]
            sentences, drops = count_sentences(text, at, stop, kinds, room.begins, room.ends, first, tokens, wanted)
            counts[lines.SENTENCES] += sentences
            counts[lines.CURLY] |= drops == lines.HAS_BRACE
            counts[lines.LOREM] |= drops == lines.HAS_LOREM
        at = stop + 1
    pieces = end_paragraph(pieces, table, mask)
    _write_pieces(text, characters, pieces, row)
    if filled:
        row[_DUPLICATES] = repeated / (characters - feeds)
        for score in (lines.BULLETS, lines.ELLIPSES):
            row[_LINES + score] = counts[score] / all_lines
        for score in (lines.TERMINALS, lines.SHORT):
            row[_LINES + score] = counts[score] / filled
    for score in (lines.SENTENCES, lines.CURLY, lines.LOREM):
        row[_LINES + score] = counts[score]
    if tokens:
        row[_NEWLINES] = feeds / tokens
    return tokens


@inner
def _write_pieces(text: Bytes, characters: int, pieces: Pieces, row: Floats) -> None:
    """Gopher's shares of lines and paragraphs; a text that begins or ends with a line feed has an empty line there."""
    if pieces.paragraphs == 0:
        return
    begins = text[0] == _NEWLINE
    ends = text[len(text) - 1] == _NEWLINE
    row[repetition.PARAGRAPHS] = pieces.paragraphs_twice / pieces.paragraphs
    row[repetition.PARAGRAPH_CHARACTERS] = pieces.paragraph_characters / characters
    row[repetition.LINES] = (pieces.lines_twice + (begins and ends)) / (pieces.lines + begins + ends)
    row[repetition.LINE_CHARACTERS] = pieces.line_characters / characters


@inner
def _count_words(text: Bytes, room: Tokens, tokens: int, sums: Places, row: Floats) -> None:
    """Sums up the characters of the tokens, and judges them as Gopher does."""
    words, characters, alphabetic, stops = 0, 0, 0, 0
    sums[0] = 0
    for token in range(tokens):
        size, kind = room.sizes[token], room.kinds[token]
        is_word = kind & IS_WORD != 0
        words += is_word
        characters += size * is_word
        alphabetic += kind & IS_ALPHABETIC != 0
        sums[token + 1] = sums[token] + size
        if _MAY_STOP[room.hashes[token] & np.uint64(255)]:
            stops |= _stop_word(room.hashes[token])
    marks, ellipses = _count_marks(text)
    row[_WORDS] = words
    row[_LENGTH] = characters / words if words else 0
    if tokens:
        row[_HASHES], row[_ELLIPSES], row[_ALPHABETIC] = marks / tokens, ellipses / tokens, alphabetic / tokens
    for word in range(len(_STOP_WORDS)):
        row[_STOPS] += (stops >> word) & 1


@inner
def _stop_word(value: np.uint64) -> int:
    """The bit of a stop word, 0 for another word."""
    for word in range(len(_STOP_WORDS)):
        if _STOP_WORDS[word] == value:
            return 1 << word
    return 0


@inner
def _count_marks(text: Bytes) -> tuple[int, int]:
    """How many `#`, and how many ellipses that do not overlap, there are."""
    marks, dots = 0, 0
    for at in range(1, len(text)):
        marks += text[at] == _HASH
        dots += (text[at] == _DOT and text[at - 1] == _DOT) or text[at] == 0xA6
    marks += len(text) > 0 and text[0] == _HASH
    ellipses, free = 0, 2
    for at in range(2, len(text) if dots else 0):
        if text[at] == _DOT and at >= free and text[at - 1] == _DOT and text[at - 2] == _DOT:
            ellipses += 1
            free = at + 3
        elif text[at] == 0xA6 and text[at - 1] == 0x80 and text[at - 2] == 0xE2:
            ellipses += 1
    return marks, ellipses
