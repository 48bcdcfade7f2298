"""The score columns of the general-web rules, for a batch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner
from filters.general import lines, repetition
from filters.general.characters import ALPHA, PUNCTUATION, Kinds, count_characters, kind_at, kinds
from filters.general.lines import count_line, count_sentences
from filters.general.pieces import Pieces, add_line, end_paragraph, no_pieces
from filters.general.prose import prose_of
from filters.general.repetition import Table, add, clear, judge_grams, table_for
from filters.general.tokens import Places, hash_of, hash_token, split
from filters.stream import FNV_OFFSET, FNV_PRIME, Bytes, Hashes, Offsets, Stream, mix

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
    begins, ends, sums = (np.empty(largest + 1, np.int32) for _ in range(3))
    hashes, work = np.empty(largest + 1, np.uint64), np.empty((2, largest + 1), np.int32)
    _judge(data, offsets, kinds(), begins, ends, sums, hashes, work, table_for(largest + 4), out)
    return {name: out[:, column] for column, name in enumerate(SCORES)}


@compiled
def _judge(
    data: Bytes,
    offsets: Offsets,
    kinds: Kinds,
    begins: Places,
    ends: Places,
    sums: Places,
    hashes: Hashes,
    work: Places,
    table: Table,
    out: Floats,
) -> None:
    counts = np.zeros(len(_LINE_SCORES), np.int64)
    for document in range(len(offsets) - 1):
        begin, end = offsets[document], min(offsets[document + 1], offsets[document] + _MOST)
        text = data[begin:end]
        row = out[document]
        counts[:] = 0
        tokens, feeds = _read_lines(text, kinds, begins, ends, table, counts, row)
        _count_words(text, kinds, begins, ends, tokens, hashes, sums, row)
        if tokens:
            row[_NEWLINES] = feeds / tokens
        judge_grams(hashes, sums, tokens, count_characters(text, 0, len(text)), work, table, row)


@inner
def _read_lines(
    text: Bytes, kinds: Kinds, begins: Places, ends: Places, table: Table, counts: Ints, row: Floats
) -> tuple[int, int]:
    """Splits a text into tokens line by line, and judges lines and paragraphs; how many tokens and line feeds."""
    tokens, feeds, repeated = 0, 0, 0
    written = 1
    for at in range(len(text)):
        feeds += text[at] == _NEWLINE
        written += text[at] != _NEWLINE and at > 0 and text[at - 1] == _NEWLINE
    mask = clear(table, 2 * written)  # as many paragraphs as lines, at most
    pieces = no_pieces()
    all_lines, filled, at = 0, 0, 0
    while at < len(text):
        stop = at
        while stop < len(text) and text[stop] != _NEWLINE:
            stop += 1
        first = tokens
        tokens = split(text, at, stop, kinds, begins, ends, tokens)
        all_lines += 1
        if stop > at:
            value, size = hash_token(text, at, stop), count_characters(text, at, stop)
            twice = table.counts[add(table, mask, value, at)] > 1
            pieces = add_line(pieces, value, size, twice)
        elif pieces.open_size:
            pieces = end_paragraph(pieces, table, mask)
        if tokens > first:
            filled += 1
            repeated += size if twice else 0
            count_line(text, at, stop, kinds, counts)
            wanted = _SENTENCES - counts[lines.SENTENCES]
            found, drops = count_sentences(text, at, stop, kinds, begins, ends, first, tokens, wanted)
            counts[lines.SENTENCES] += found
            counts[lines.CURLY] |= drops == lines.HAS_BRACE
            counts[lines.LOREM] |= drops == lines.HAS_LOREM
        at = stop + 1
    pieces = end_paragraph(pieces, table, mask)
    _write_pieces(text, pieces, row)
    if filled:
        row[_DUPLICATES] = repeated / (count_characters(text, 0, len(text)) - feeds)
        for score in (lines.BULLETS, lines.ELLIPSES):
            row[_LINES + score] = counts[score] / all_lines
        for score in (lines.TERMINALS, lines.SHORT):
            row[_LINES + score] = counts[score] / filled
    for score in (lines.SENTENCES, lines.CURLY, lines.LOREM):
        row[_LINES + score] = counts[score]
    return tokens, feeds


@inner
def _write_pieces(text: Bytes, pieces: Pieces, row: Floats) -> None:
    """Gopher's shares of lines and paragraphs; a text that begins or ends with a line feed has an empty line there."""
    characters = count_characters(text, 0, len(text))
    if pieces.paragraphs == 0:
        return
    begins = text[0] == _NEWLINE
    ends = text[len(text) - 1] == _NEWLINE
    row[repetition.PARAGRAPHS] = pieces.paragraphs_twice / pieces.paragraphs
    row[repetition.PARAGRAPH_CHARACTERS] = pieces.paragraph_characters / characters
    row[repetition.LINES] = (pieces.lines_twice + (begins and ends)) / (pieces.lines + begins + ends)
    row[repetition.LINE_CHARACTERS] = pieces.line_characters / characters


@inner
def _count_words(
    text: Bytes, kinds: Kinds, begins: Places, ends: Places, tokens: int, hashes: Hashes, sums: Places, row: Floats
) -> None:
    """Hashes the tokens, sums up their characters, and judges them as Gopher does."""
    words, characters, alphabetic, stops = 0, 0, 0, 0
    sums[0] = 0
    for token in range(tokens):
        is_word, is_alphabetic, size = False, False, 0
        value = FNV_OFFSET
        for at in range(begins[token], ends[token]):
            byte = text[at]
            value = (value ^ np.uint64(byte)) * FNV_PRIME
            if byte & 0xC0 != 0x80:
                kind = kinds[byte] if byte < 0x80 else kind_at(text, at, ends[token], kinds)
                is_word |= kind & PUNCTUATION == 0
                is_alphabetic |= kind & ALPHA != 0
                size += 1
        words += is_word
        characters += size * is_word
        alphabetic += is_alphabetic
        sums[token + 1] = sums[token] + size
        hashes[token] = mix(value)
        if size <= 4 and is_alphabetic:
            stops |= _stop_word(hashes[token])
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
    marks, ellipses, dots = 0, 0, 0
    for at in range(len(text)):
        byte = text[at]
        marks += byte == _HASH
        dots = dots + 1 if byte == _DOT else 0
        if dots == 3:
            ellipses += 1
            dots = 0
        ellipses += byte == 0xA6 and at >= 2 and text[at - 1] == 0x80 and text[at - 2] == 0xE2
    return marks, ellipses
