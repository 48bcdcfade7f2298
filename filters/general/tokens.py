"""Words and marks of prose as spaCy's tokenizer of English splits them, in compiled code.

Prefixes, suffixes, infixes and the contractions and abbreviations that documentation uses are spaCy's; of its 1,300
exceptions the rest (`Ill`, `Darent`, emoticons) and units behind numbers are left out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.compiled import inlined, inner
from filters.general.characters import (
    AFFIX,
    ALPHA,
    CURRENCY,
    DIGIT,
    HYPHEN,
    LOWER,
    PUNCTUATION,
    QUOTE,
    SPACE,
    UPPER,
    Kinds,
    begin_before,
    kind_at,
    kind_before,
    width_of,
)
from filters.hashing import GOLDEN
from filters.stream import Bytes, Hashes
from filters.swar import alphanumeric_run, eight_bytes

Places = npt.NDArray[np.int32]

_DOT, _PLUS, _MINUS, _SLASH, _COLON, _COMMA, _EQUALS, _LESS, _GREATER, _STAR, _CARET = (
    46, 43, 45, 47, 58, 44, 61, 60, 62, 42, 94,
)  # fmt: skip
_APOSTROPHE = 39
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


def hash_of(word: str) -> int:
    """The hash of a token, as `hash_token` has it."""
    value, content = 0, word.encode()
    for at in range(0, len(content), 8):
        value = _fold_in(value, int.from_bytes(content[at : at + 8], "little"))
    return value


def _fold_in(value: int, packed: int) -> int:
    value = ((value ^ packed) * int(GOLDEN)) % (1 << 64)
    return value ^ (value >> 32)


_ABBREVIATED = (
    "e.g. i.e. E.g. I.e. E.G. I.E. a.m. p.m. vs. v.s. Mr. Mrs. Ms. Dr. Prof. St. Jr. Co. co. Corp. Inc. Ltd. Ph.D. "
    "D.C. Jan. Feb. Mar. Apr. Jun. Jul. Aug. Sep. Sept. Oct. Nov. Dec. Gen. Rev. Rep. Mt."
)
_ABBREVIATIONS = np.array([hash_of(word) for word in _ABBREVIATED.split()], np.uint64)
_CANNOT_LETTERS = "cannot"
_CANNOT = np.array([hash_of(word) for word in (_CANNOT_LETTERS, "Cannot")], np.uint64)


IS_WORD, IS_ALPHABETIC = 1, 2  # a token has a character that is no punctuation, has a letter


class Tokens(NamedTuple):
    """Room for tokens: where each begins and ends, its hash, its characters, and IS_WORD and IS_ALPHABETIC."""

    begins: Places
    ends: Places
    hashes: Hashes
    sizes: Places
    kinds: Bytes


def tokens_for(most: int) -> Tokens:
    """Room for so many tokens."""
    begins, ends, sizes = (np.empty(most, np.int32) for _ in range(3))
    return Tokens(begins, ends, np.empty(most, np.uint64), sizes, np.empty(most, np.uint8))


@inner
def split(data: Bytes, begin: int, end: int, table: Kinds, tokens: Tokens, count: int) -> int:
    """Appends the tokens of a line; their new number.

    Most are runs of ASCII letters and digits between spaces.
    """
    at = begin
    while at < end:
        if data[at] < 0x80 and table[data[at]] & SPACE:
            at += 1
            continue
        start = at
        plain, has_letter = alphanumeric_run(data, at, end)
        at = _end_of_run(data, plain, end, table)
        if plain < at or at - start == len(_CANNOT_LETTERS) or at == start:
            count = _split_run(data, start, plain, at, table, tokens, count)
            at = max(at, start + width_of(data[start]))
        else:
            tokens.begins[count], tokens.ends[count], tokens.hashes[count] = start, at, hash_token(data, start, at)
            tokens.sizes[count] = at - start
            tokens.kinds[count] = IS_WORD | IS_ALPHABETIC if has_letter else IS_WORD
            count += 1
    return count


@inner
def _split_run(data: Bytes, begin: int, plain: int, end: int, table: Kinds, tokens: Tokens, before: int) -> int:
    """Appends the tokens of a run without spaces that is letters and digits up to `plain` at least."""
    begins, ends, count = tokens.begins, tokens.ends, before
    first, last = _word_in_marks(data, begin, plain, end, table)
    if first < last:
        for mark in range(begin, first):
            count = _append(begins, ends, count, mark, mark + 1)
        count = _append(begins, ends, count, first, last)
        for mark in range(last, end):
            count = _append(begins, ends, count, mark, mark + 1)
    else:
        count = _split_chunk(data, begin, end, table, begins, ends, count)
    for token in range(before, count):
        _weigh(data, table, tokens, token)
    return count


@inner
def _weigh(data: Bytes, table: Kinds, tokens: Tokens, token: int) -> None:
    """Writes a token's hash, characters and kinds."""
    begin, end = tokens.begins[token], tokens.ends[token]
    any_of, all_of, size = 0, -1, 0
    for at in range(begin, end):
        byte = data[at]
        if byte & 0xC0 != 0x80:
            kind = table[byte] if byte < 0x80 else kind_at(data, at, end, table)
            any_of |= kind
            all_of &= kind
            size += 1
    tokens.hashes[token], tokens.sizes[token] = hash_token(data, begin, end), size
    word = IS_WORD if all_of & PUNCTUATION == 0 else 0
    tokens.kinds[token] = word + (IS_ALPHABETIC if any_of & ALPHA else 0)


@inner
def _end_of_run(data: Bytes, at: int, end: int, table: Kinds) -> int:
    """Where the next space stands."""
    while at < end:
        byte = data[at]
        if (table[byte] if byte < 0x80 else kind_at(data, at, end, table)) & SPACE:
            break
        at += width_of(byte)
    return at


@inner
def _word_in_marks(data: Bytes, begin: int, plain: int, end: int, table: Kinds) -> tuple[int, int]:
    """The word of a run that is one of ASCII letters and digits between marks of one byte, each a token; else (0, 0).

    It is what `_split_chunk` makes of such a run, sooner. Up to `plain` there are letters and digits only.
    """
    first = begin
    if plain == begin:
        while first < end and data[first] < 0x80 and table[data[first]] & (AFFIX | QUOTE):
            first += 1
        plain, _ = alphanumeric_run(data, first, end)
    last = plain
    if end - plain == 1 and data[plain] == _DOT:
        if last - first < 3 or not table[data[last - 1]] & (LOWER | DIGIT):
            return 0, 0
    else:
        for at in range(plain, end):
            if data[at] >= 0x80 or not table[data[at]] & (AFFIX | QUOTE):
                return 0, 0
    if last - first == len(_CANNOT_LETTERS) or (last < end and _is_special(data, first, last + 1)):
        return 0, 0
    return first, last


@inner
def hash_token(data: Bytes, begin: int, end: int) -> np.uint64:
    """A hash of a token's bytes, case kept: eight at a time, so that words of up to eight letters cannot collide.

    There is at least one byte, and memory of SLACK more behind the token.
    """
    value, at = np.uint64(0), begin
    while end - at > 8:
        value = _fold(value, eight_bytes(data, at))
        at += 8
    return _fold(value, eight_bytes(data, at) & (_ALL >> np.uint64(64 - 8 * (end - at))))


@inlined
def _fold(value: np.uint64, packed: np.uint64) -> np.uint64:
    value = (value ^ packed) * GOLDEN
    return value ^ (value >> np.uint64(32))


@inner
def _is_in(values: npt.NDArray[np.uint64], value: np.uint64) -> bool:
    for each in values:
        if each == value:
            return True
    return False


@inner
def _append(begins: Places, ends: Places, count: int, begin: int, end: int) -> int:
    begins[count], ends[count] = begin, end
    return count + 1


@inner
def _split_chunk(data: Bytes, begin: int, end: int, table: Kinds, begins: Places, ends: Places, count: int) -> int:
    """Tokens of a run without spaces: prefixes in order, then the middle, then suffixes in order."""
    first, last = begin, end
    while first < last and not _is_special(data, first, last):
        width = _prefix(data, first, last, table)
        if width == 0 or first + width == last:
            break
        count = _append(begins, ends, count, first, first + width)
        first += width
    suffixes = count
    # Suffixes are found from the end; they wait behind the tokens, and are put in order below.
    while first < last and not _is_special(data, first, last):
        width = _suffix(data, first, last, table)
        if width == 0 or last - width == first:
            break
        count = _append(begins, ends, count, last - width, last)
        last -= width
    waiting = count - suffixes
    middle = count
    count = _split_middle(data, first, last, table, begins, ends, count)
    found = count - middle
    return _put_in_order(begins, ends, suffixes, waiting, found)


@inner
def _put_in_order(begins: Places, ends: Places, at: int, waiting: int, found: int) -> int:
    """`waiting` suffixes, the last one first, stand before `found` tokens: turns the whole and each part around."""
    total = waiting + found
    _reverse(begins, at, at + total)
    _reverse(ends, at, at + total)
    _reverse(begins, at, at + found)
    _reverse(ends, at, at + found)
    return at + total


@inner
def _reverse(values: Places, begin: int, end: int) -> None:
    end -= 1
    while begin < end:
        values[begin], values[end] = values[end], values[begin]
        begin += 1
        end -= 1


@inner
def _is_special(data: Bytes, begin: int, end: int) -> bool:
    """An abbreviation, or a single letter with a full stop."""
    if data[end - 1] != _DOT:
        return False
    if end - begin == 2:
        return 97 <= data[begin] <= 122
    return end - begin <= 5 and _is_in(_ABBREVIATIONS, hash_token(data, begin, end))


@inner
def _prefix(data: Bytes, begin: int, end: int, table: Kinds) -> int:
    """Bytes of the mark that a run begins with, 0 if it is none."""
    byte = data[begin]
    if byte == _DOT:
        at = begin
        while at < end and data[at] == _DOT:
            at += 1
        return at - begin if at - begin > 1 else 0
    if byte == _PLUS:
        return 0 if kind_at(data, begin + 1, end, table) & DIGIT else 1
    kind = kind_at(data, begin, end, table)
    dash = byte >= 0xC0 and kind & HYPHEN
    if kind & (AFFIX | QUOTE | CURRENCY) or dash or byte == _EQUALS or byte == 37:
        return width_of(byte)
    return 0


@inner
def _suffix(data: Bytes, begin: int, end: int, table: Kinds) -> int:
    """Bytes of the mark or ending that a run ends with, 0 if it is none."""
    at = begin_before(data, begin, end)
    byte = data[at]
    before = kind_before(data, begin, at, table)
    if byte == _DOT:
        if at > begin and data[at - 1] == _DOT:
            while at > begin and data[at - 1] == _DOT:
                at -= 1
            return end - at
        upper = before & UPPER and kind_before(data, begin, begin_before(data, begin, at), table) & UPPER
        tail = before & (DIGIT | LOWER | QUOTE | AFFIX) or upper or (at > begin and data[at - 1] in (_PLUS, _MINUS, 37))
        return 1 if tail else 0
    if (byte == 115 or byte == 83) and _is_apostrophe(data, begin, at):
        return end - begin_before(data, begin, at)
    kind = kind_at(data, at, end, table)
    dash = byte >= 0xC0 and kind & HYPHEN
    if kind & (AFFIX | QUOTE) or dash or byte == 37:
        return end - at
    if (byte == _PLUS or kind & CURRENCY) and before & DIGIT:
        return end - at
    return 0


@inner
def _is_apostrophe(data: Bytes, begin: int, at: int) -> bool:
    """Whether an apostrophe, straight or curly, ends just before a place."""
    if at > begin and data[at - 1] == _APOSTROPHE:
        return True
    return at - 2 > begin and data[at - 1] == 0x99 and data[at - 2] == 0x80 and data[at - 3] == 0xE2


@inner
def _split_middle(data: Bytes, begin: int, end: int, table: Kinds, begins: Places, ends: Places, count: int) -> int:
    if begin >= end:
        return count
    if _is_address(data, begin, end):
        return _append(begins, ends, count, begin, end)
    ending = _contraction(data, begin, end)
    if ending:
        count = _append(begins, ends, count, begin, end - ending)
        return _append(begins, ends, count, end - ending, end)
    at, token = begin, begin
    while True:
        at, _ = alphanumeric_run(data, at, end)
        if at >= end:
            break
        width = _infix(data, begin, at, end, table)
        if width:
            if at > token:
                count = _append(begins, ends, count, token, at)
            count = _append(begins, ends, count, at, at + width)
            at += width
            token = at
        else:
            at += width_of(data[at])
    return _append(begins, ends, count, token, end) if token < end else count


@inner
def _is_address(data: Bytes, begin: int, end: int) -> bool:
    """Whether a run holds `://`: a URL is one token."""
    at = begin + 3
    while at < end:
        if data[at] != _SLASH:
            at += 2  # of two slashes one lies here
        elif data[at - 1] != _SLASH:
            at += 1
        elif data[at - 2] == _COLON:
            return True
        else:
            at += 2
    return False


@inner
def _contraction(data: Bytes, begin: int, end: int) -> int:
    """Bytes of `n't`, `'ll`, `'re`, `'ve`, `'m`, `'d`, or of the `not` of `cannot`; else 0."""
    size = end - begin
    if size == len(_CANNOT_LETTERS) and _is_in(_CANNOT, hash_token(data, begin, end)):
        return 3
    last = data[end - 1]
    if size > 3 and last == 116 and _is_apostrophe(data, begin, end - 1):
        at = begin_before(data, begin, end - 1)
        return end - at + 1 if at > begin and data[at - 1] == 110 else 0
    if (last == 109 or last == 100) and _is_apostrophe(data, begin, end - 1):
        return end - begin_before(data, begin, end - 1)
    pair = size > 3 and ((last == 108 and data[end - 2] == 108) or (last == 101 and data[end - 2] in (114, 118)))
    if pair and _is_apostrophe(data, begin, end - 2):
        return end - begin_before(data, begin, end - 2)
    return 0


@inner
def _infix(data: Bytes, begin: int, at: int, end: int, table: Kinds) -> int:
    """Bytes of the mark inside a run at which it is split, 0 if there is none at this place."""
    byte = data[at]
    kind = kind_at(data, at, end, table)
    if kind & (ALPHA | DIGIT) or at == begin:
        return 0
    before = kind_before(data, begin, at, table)
    if byte == _DOT:
        stop = at
        while stop < end and data[stop] == _DOT:
            stop += 1
        if stop - at > 1:
            return stop - at
        return 1 if before & (LOWER | QUOTE) and kind_at(data, at + 1, end, table) & (UPPER | QUOTE) else 0
    if kind & HYPHEN:
        stop = at
        while stop < end and data[stop] == byte and byte == _MINUS and stop - at < 3:
            stop += 1
        stop = max(stop, at + width_of(byte))
        behind = kind_at(data, stop, end, table)
        if before & ALPHA and behind & ALPHA:
            return stop - at
        return 1 if byte == _MINUS and before & DIGIT and _is_number(data, at + 1, end, table) else 0
    behind = kind_at(data, at + width_of(byte), end, table)
    if byte == _COMMA:
        return 1 if before & ALPHA and behind & ALPHA else 0
    if byte in (_COLON, _LESS, _GREATER, _EQUALS, _SLASH):
        return 1 if before & (ALPHA | DIGIT) and behind & ALPHA else 0
    if byte in (_PLUS, _STAR, _CARET):
        return 1 if before & DIGIT and _is_number(data, at + 1, end, table) else 0
    return 0


@inner
def _is_number(data: Bytes, at: int, end: int, table: Kinds) -> bool:
    return at < end and (kind_at(data, at, end, table) & DIGIT != 0 or data[at] == _MINUS)
