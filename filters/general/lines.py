"""Rules over lines: Gopher's of bullets and ellipses, FineWeb's (Penedo et al. 2024) and C4's (Raffel et al. 2020)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.compiled import inner
from filters.general.characters import (
    MARK,
    SENTENCE_END,
    SPACE,
    TERMINAL,
    Kinds,
    begin_before,
    count_characters,
    kind_at,
    kind_before,
    width_of,
)
from filters.general.tokens import Places
from filters.stream import Bytes

Floats = npt.NDArray[np.float32]

SHORT_LINE = 30  # characters, FineWeb's
_LONGEST_WORD = 1000  # characters, C4's
_FEWEST_WORDS = 3
_DOT, _HASH, _BRACE, _BRACKET, _DASH, _BACK_BRACKET = 46, 35, 123, 91, 45, 93

SCORES = (
    "bullet_lines",
    "ellipsis_lines",
    "terminal_lines",
    "short_lines",
    "sentences",
    "curly_bracket",
    "lorem_ipsum",
)
HAS_BRACE, HAS_LOREM = 1, 2
BULLETS, ELLIPSES, TERMINALS, SHORT, SENTENCES, CURLY, LOREM = range(7)


def _letters(word: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(word.encode(), np.uint8)


_LOREM, _JAVASCRIPT = _letters("lorem ipsum"), _letters("javascript")
_POLICIES = tuple(
    map(_letters, ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"))
)
_HAS_LOREM, _HAS_JAVASCRIPT, _HAS_CURLY, _HAS_POLICY = 1, 2, 4, 8


def _pairs() -> npt.NDArray[np.bool_]:
    """Whether two letters may begin one of the phrases, by the lower five bits of each: a table that stays near."""
    pairs = np.zeros(1024, np.bool_)
    for phrase in (_LOREM, _JAVASCRIPT, *_POLICIES):
        pairs[(int(phrase[0]) & 31) * 32 + (int(phrase[1]) & 31)] = True
    return pairs


_PAIRS = _pairs()
_CITATIONS = tuple(map(_letters, ("[edit]", "[citation needed]")))


@inner
def stripped(data: Bytes, begin: int, end: int, table: Kinds) -> tuple[int, int]:
    """A run without the spaces at its ends."""
    while begin < end and kind_at(data, begin, end, table) & SPACE:
        begin += width_of(data[begin])
    while end > begin and kind_before(data, begin, end, table) & SPACE:
        end = begin_before(data, begin, end)
    return begin, end


@inner
def count_line(data: Bytes, begin: int, end: int, size: int, table: Kinds, counts: npt.NDArray[np.int64]) -> None:
    """Adds a line of so many characters, its line feed apart, to what Gopher and FineWeb divide by the lines."""
    first, last = stripped(data, begin, end, table)
    if first == last:
        return
    counts[BULLETS] += data[first] == _DASH or _is_bullet(data, first, last)
    counts[ELLIPSES] += _ends_with_ellipsis(data, first, last)
    counts[TERMINALS] += kind_before(data, begin, end, table) & TERMINAL != 0
    counts[SHORT] += size <= SHORT_LINE


@inner
def _is_bullet(data: Bytes, begin: int, end: int) -> bool:
    return end - begin >= 3 and data[begin] == 0xE2 and data[begin + 1] == 0x80 and data[begin + 2] == 0xA2


@inner
def _ends_with_ellipsis(data: Bytes, begin: int, end: int) -> bool:
    if end - begin < 3:
        return False
    dots = data[end - 1] == _DOT and data[end - 2] == _DOT and data[end - 3] == _DOT
    return dots or (data[end - 3] == 0xE2 and data[end - 2] == 0x80 and data[end - 1] == 0xA6)


@inner
def count_sentences(
    data: Bytes, begin: int, end: int, table: Kinds, begins: Places, ends: Places, first: int, last: int, most: int
) -> tuple[int, int]:
    """Sentences of a line that C4 keeps, of which no more than `most` matter, and what it holds that drops the page.

    first, last: its tokens. A sentence ends with a mark that ends sentences; the marks behind it belong to it.
    """
    begin, end = stripped(data, begin, end, table)
    end = _without_citation(data, begin, end)
    if begin >= end or not _is_ended(data, end) or _ends_with_ellipsis(data, begin, end):
        return 0, 0
    if not _has_words(data, begin, end, table):
        return 0, 0
    found = _find_phrases(data, begin, end)
    if found & _HAS_LOREM:
        return 0, HAS_LOREM
    if found & _HAS_JAVASCRIPT:
        return 0, 0
    if found & _HAS_CURLY:
        return 0, HAS_BRACE
    if found & _HAS_POLICY:
        return 0, 0
    sentences, ended = min(most, 1), False
    for token in range(first, last if most > 1 else first):
        kind = kind_at(data, begins[token], ends[token], table)
        single = ends[token] - begins[token] == width_of(data[begins[token]])
        mark = single and kind & SENTENCE_END != 0
        if ended and not mark and not (kind & MARK):
            sentences += 1
            ended = False
            if sentences >= most:
                break
        ended = ended or mark
    return sentences, 0


@inner
def _is_ended(data: Bytes, end: int) -> bool:
    last = data[end - 1]
    return last == _DOT or last == 63 or last == 33 or last == 34 or last == 39


@inner
def _without_citation(data: Bytes, begin: int, end: int) -> int:
    """The end of a line before the citations that it ends with: `[1]`, `[edit]`."""
    while end > begin and data[end - 1] == _BACK_BRACKET:
        at = end - 2
        while at > begin and 48 <= data[at] <= 57:
            at -= 1
        if at >= begin and data[at] == _BRACKET:
            end = at
            continue
        before = end
        for citation in _CITATIONS:
            size = len(citation)
            if end - begin >= size and _is_at(data, end - size, end, citation):
                end -= size
                break
        if end == before:
            break
    return end


@inner
def _has_words(data: Bytes, begin: int, end: int, table: Kinds) -> bool:
    """Whether a line has words enough, and none that is too long."""
    words, begun = 0, begin
    at, spaced = begin, True
    while at < end:
        space = kind_at(data, at, end, table) & SPACE != 0
        if spaced and not space:
            words += 1
            begun = at
        if at - begun > _LONGEST_WORD and not space and count_characters(data, begun, at) > _LONGEST_WORD:
            return False
        if words == _FEWEST_WORDS and end - begin <= _LONGEST_WORD:
            return True
        spaced = space
        at += width_of(data[at])
    return words >= _FEWEST_WORDS


@inner
def _find_phrases(data: Bytes, begin: int, end: int) -> int:
    """Which of the phrases that C4 looks for stand in a run, in any case, and whether a curly bracket does."""
    found, before = 0, 0
    for at in range(begin, end):
        low = data[at] & 31
        if _PAIRS[before + low]:
            found |= _phrase_at(data, at - 1, end) if at > begin else 0
        found |= (data[at] == _BRACE) * _HAS_CURLY
        before = 32 * low
    return found


@inner
def _phrase_at(data: Bytes, at: int, end: int) -> int:
    """Which phrase of C4's begins at a place."""
    if _is_at(data, at, end, _LOREM):
        return _HAS_LOREM
    if _is_at(data, at, end, _JAVASCRIPT):
        return _HAS_JAVASCRIPT
    for policy in _POLICIES:
        if _is_at(data, at, end, policy):
            return _HAS_POLICY
    return 0


@inner
def _is_at(data: Bytes, at: int, end: int, word: npt.NDArray[np.uint8]) -> bool:
    if at + len(word) > end:
        return False
    for i in range(len(word)):
        byte = data[at + i]
        if (byte | 32 if 65 <= byte <= 90 else byte) != word[i]:
            return False
    return True
