"""Literals of a text: its numbers with their units, options, paths and names, found in one pass over its bytes.

Letters, digits and underscores are ASCII's; whatever lies beyond ends a literal, so that one in Chinese text is found.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.compiled import inner
from filters.hashing import FNV_OFFSET, FNV_PRIME, mix
from filters.junk.phrases import look_up
from filters.stream import Bytes, Hashes, Offsets
from synth.gates.lexicon import Lexicon

# What a literal is. PART: of another (the major version, the digits of a name), or a numeral in words; OWN: a number
# by which a text counts its own steps; FUNCTION: a name before a parenthesis.
NUMBER, PART, OWN, FLAG, NAME, PATH, FUNCTION = range(1, 8)

RATE = 100  # is added to a unit that is one per second

_LOWER, _UPPER, _DIGIT, _UNDERSCORE = 1, 2, 4, 8
_LETTER, WORD = _LOWER | _UPPER, _LOWER | _UPPER | _DIGIT | _UNDERSCORE
_OPENS, _MARKS, _IN_PATH, _ENDS = 16, 32, 64, 128


def _byte_classes() -> Bytes:
    kinds = np.zeros(256, np.uint8)
    kinds[97:123] |= _LOWER | _IN_PATH
    kinds[65:91] |= _UPPER | _IN_PATH
    kinds[48:58] |= _DIGIT | _IN_PATH
    kinds[95] |= _UNDERSCORE | _IN_PATH
    for byte in b" \t\r\n([{\"'`|,/=*<:;":
        kinds[byte] |= _OPENS  # an option begins behind it
    for byte in b" \t>#*-_+[(|\"'`":
        kinds[byte] |= _MARKS  # before what a line says
    for byte in b".-+@%~:/":
        kinds[byte] |= _IN_PATH
    for byte in b" \t\r\n<>\"'`)]}|\\":
        kinds[byte] |= _ENDS  # a URL ends before it
    return kinds


BYTE = _byte_classes()
FOLDED = np.arange(256, dtype=np.uint8)
FOLDED[65:91] |= 32
AS_IT_IS = np.arange(256, dtype=np.uint8)

_LONGEST_UNIT = 14
_DIGIT_RUNS = 3  # of a name that count as numbers, too


class Found(NamedTuple):
    """Literals in their order: what each is, its hash, its unit (0: none), and its bytes."""

    kinds: Bytes
    hashes: Hashes
    units: Offsets
    begins: Offsets
    ends: Offsets


def room_for(longest: int) -> Found:
    """Room for the literals of a text of so many bytes: of each byte at most one begins."""
    size = longest + 8
    return Found(
        np.empty(size, np.uint8), np.empty(size, np.uint64), *(np.empty(size, np.int64) for _ in range(3))
    )  # fmt: skip


@inner
def hash_span(data: Bytes, begin: int, end: int, fold: Bytes) -> np.uint64:
    """FNV-1a, mixed, of bytes, each as `fold` has it."""
    value = FNV_OFFSET
    for at in range(begin, end):
        value = (value ^ np.uint64(fold[data[at]])) * FNV_PRIME
    return mix(value)


@inner
def _keep(out: Found, count: int, kind: int, value: np.uint64, unit: int, begin: int, end: int) -> int:
    if count < len(out.kinds):
        out.kinds[count], out.hashes[count], out.units[count] = kind, value, unit
        out.begins[count], out.ends[count] = begin, end
        count += 1
    return count


@inner
def scan(data: Bytes, begin: int, end: int, lexicon: Lexicon, out: Found) -> int:
    """Writes the literals of a text; how many there are."""
    count, at = 0, begin
    fresh, heading, label = True, False, np.uint64(0)
    row = 0  # rows of a table that are numbered, so far
    while at < end:
        byte = data[at]
        what = BYTE[byte]
        if byte == 10:
            fresh, heading, label = True, False, np.uint64(0)
            at += 1
        elif what & _DIGIT:
            numbered = fresh and _is_row(data, at, end, row + 1)
            row += numbered
            own = numbered or (fresh and _is_ordinal(data, at, end, heading)) or look_up(lexicon.labels, label) != 0
            count, at = _number(data, at, end, lexicon, own, False, out, count)
            fresh, label = False, np.uint64(0)
        elif what & _LETTER or (byte == 95 and at + 1 < end and BYTE[data[at + 1]] & WORD):
            count, at, label = _word(data, at, end, lexicon, out, count)
            fresh = False
        elif byte == 45:
            opened = at == begin or BYTE[data[at - 1]] & _OPENS
            count, after = _flag(data, at, end, opened != 0, out, count)
            fresh = fresh and after == at + 1
            at = after
        elif byte == 47 or byte == 126 or byte == 46:
            free = at == begin or not (BYTE[data[at - 1]] & WORD or data[at - 1] == 60)
            count, at = _path(data, at, end, free, out, count)
            fresh = False
        else:
            heading = heading or (fresh and byte == 35)
            fresh = fresh and (what & _MARKS) != 0
            at += 1
    return count


@inner
def _is_ordinal(data: Bytes, at: int, end: int, heading: bool) -> bool:
    """Whether a line or a heading begins with `1.`, `2)` or the like."""
    stop = at
    while stop < end and stop - at < 3 and BYTE[data[stop]] & _DIGIT:
        stop += 1
    if stop - at > 2:
        return False
    if stop == end or heading:
        return True
    if data[stop] != 46 and data[stop] != 41 and data[stop] != 58:
        return False
    return stop + 1 == end or not BYTE[data[stop + 1]] & (WORD | _OPENS) or data[stop + 1] <= 32


@inner
def _is_row(data: Bytes, at: int, end: int, number: int) -> bool:
    """Whether the first cell of a row is its number, of at most two digits."""
    value, stop = 0, at
    while stop < end and stop - at < 3 and BYTE[data[stop]] & _DIGIT:
        value = 10 * value + int(data[stop]) - 48
        stop += 1
    while stop < end and data[stop] == 32:
        stop += 1
    return value == number and value < 100 and stop < end and data[stop] == 124


@inner
def _number(
    data: Bytes, begin: int, end: int, lexicon: Lexicon, own: bool, version: bool, out: Found, count: int
) -> tuple[int, int]:
    """A number, or a name that begins with a digit; the literals and where it ends."""
    stop, dots, commas = _digits(data, begin, end)
    after = stop
    while after < end and BYTE[data[after]] & WORD:
        after += 1
    unit, unit_end = _unit(data, stop, end, lexicon)
    if after > stop and not (unit and unit_end >= after) and not _is_suffix(data, stop, after):
        count = _keep(out, count, NAME, hash_span(data, begin, after, AS_IT_IS), 0, begin, after)
        return _digit_runs(data, begin, after, out, count), after
    small = stop - begin <= 2 and dots == 0 and unit == 0
    if small and (own or _counts_own(data, after, end, lexicon)):
        return _keep(out, count, OWN, _value(data, begin, stop), 0, begin, stop), after
    count = _keep(out, count, NUMBER, _value(data, begin, stop), unit, begin, max(stop, unit_end))
    version = version or dots >= 2 or (dots == 1 and data[stop - 1] == 48)
    piece = begin
    for at in range(begin, stop):
        if data[at] == 46 and version:
            count = _keep(out, count, PART, _value(data, begin, at), 0, begin, at)
        elif data[at] == 44:
            count = _keep(out, count, PART, _value(data, piece, at), 0, piece, at)
            piece = at + 1
    if commas:
        count = _keep(out, count, PART, _value(data, piece, stop), 0, piece, stop)
    return count, max(after, unit_end)


@inner
def _digits(data: Bytes, begin: int, end: int) -> tuple[int, int, int]:
    """Where digits with their points and separators of thousands end; how many of each."""
    at, dots, commas = begin, 0, 0
    while at < end:
        byte = data[at]
        if byte == 46 and at + 1 < end and BYTE[data[at + 1]] & _DIGIT:
            dots += 1
        elif byte == 44 and dots == 0 and (commas or at - begin <= 3) and _is_thousand(data, at + 1, end):
            commas += 1
        elif not BYTE[byte] & _DIGIT:
            break
        at += 1
    return at, dots, commas


@inner
def _is_thousand(data: Bytes, at: int, end: int) -> bool:
    digits = 0
    while at < end and digits < 4 and BYTE[data[at]] & _DIGIT:
        at += 1
        digits += 1
    return digits == 3


@inner
def _value(data: Bytes, begin: int, end: int) -> np.uint64:
    """The hash of a number without separators of thousands and zeros before it."""
    at = begin
    while at + 1 < end and data[at] == 48 and BYTE[data[at + 1]] & _DIGIT:
        at += 1
    value = FNV_OFFSET
    for place in range(at, end):
        if data[place] != 44:
            value = (value ^ np.uint64(data[place])) * FNV_PRIME
    return mix(value)


@inner
def _unit(data: Bytes, stop: int, end: int, lexicon: Lexicon) -> tuple[int, int]:
    """The unit behind a number, which a space or a hyphen may part from it, and where it ends; 0: none."""
    at = stop
    if at < end and (data[at] == 32 or data[at] == 45):
        at += 1
    begin = at
    while at < end and at - begin < _LONGEST_UNIT:
        byte = data[at]
        if not (BYTE[byte] & _LETTER or byte >= 0xB5 or byte == 37):
            break
        at += 1
        if byte == 37:
            break
    if at == begin or (at < end and BYTE[data[at]] & WORD and data[at - 1] != 37):
        return 0, stop
    unit = int(look_up(lexicon.units, hash_span(data, begin, at, AS_IT_IS)))
    if unit == 0:
        return 0, stop
    if at + 1 < end and data[at] == 47 and data[at + 1] == 115:
        unit += RATE
    return unit, at


@inner
def _is_suffix(data: Bytes, begin: int, end: int) -> bool:
    """`2x`, `3rd`, `1st`, `5th`, `2nd`: letters that make no name of a number."""
    if end - begin == 1:
        return bool(data[begin] | 32 == 120)
    if end - begin != 2:
        return False
    one, two = data[begin] | 32, data[begin + 1] | 32
    letters = int(one) * 256 + int(two)
    return letters in (0x7264, 0x7374, 0x7468, 0x6E64)


@inner
def _counts_own(data: Bytes, at: int, end: int, lexicon: Lexicon) -> bool:
    """Whether one of the next two words is what a text counts of its own: `3 steps`, `2 main reasons`."""
    for _ in range(2):
        while at < end and (data[at] == 32 or data[at] == 42):
            at += 1
        begin = at
        while at < end and at - begin < 16 and BYTE[data[at]] & _LETTER:
            at += 1
        if at == begin:
            return False
        if look_up(lexicon.counted, hash_span(data, begin, at, FOLDED)):
            return True
    return False


@inner
def _digit_runs(data: Bytes, begin: int, end: int, out: Found, count: int) -> int:
    """The first digits of a name, as numbers."""
    at, runs = begin, 0
    while at < end and runs < _DIGIT_RUNS:
        if not BYTE[data[at]] & _DIGIT:
            at += 1
            continue
        first = at
        while at < end and BYTE[data[at]] & _DIGIT:
            at += 1
        count = _keep(out, count, PART, _value(data, first, at), 0, first, at)
        runs += 1
    return count


@inner
def _flag(data: Bytes, begin: int, end: int, opened: bool, out: Found, count: int) -> tuple[int, int]:
    """An option, or hyphens that are none."""
    at = begin
    while at < end and data[at] == 45:
        at += 1
    dashes = at - begin
    if not opened or dashes > 2 or at == end:
        return count, at
    negated = dashes == 2 and at + 5 < end and data[at] == 91 and data[at + 1] == 110 and data[at + 4] == 93
    if negated:  # --[no-]color is two options
        value = (((FNV_OFFSET ^ np.uint64(45)) * FNV_PRIME) ^ np.uint64(45)) * FNV_PRIME
        with_no = value
        for byte in data[at + 1 : at + 4]:
            with_no = (with_no ^ np.uint64(byte)) * FNV_PRIME
        at += 5
        stop = _flag_end(data, at, end)
        for byte in data[at:stop]:
            value, with_no = (value ^ np.uint64(byte)) * FNV_PRIME, (with_no ^ np.uint64(byte)) * FNV_PRIME
        count = _keep(out, count, FLAG, mix(with_no), 0, begin, stop)
        return _keep(out, count, FLAG, mix(value), 0, begin, stop), stop
    first = BYTE[data[at]]
    if not (first & _LETTER or (dashes == 2 and first & _DIGIT)):
        return count, at
    stop = _flag_end(data, at, end)
    return _keep(out, count, FLAG, hash_span(data, begin, stop, AS_IT_IS), 0, begin, stop), stop


@inner
def _flag_end(data: Bytes, at: int, end: int) -> int:
    while at < end:
        byte = data[at]
        inside = (byte == 45 or byte == 46) and at + 1 < end and BYTE[data[at + 1]] & WORD
        if not (BYTE[byte] & WORD or inside):
            break
        at += 1
    return at


@inner
def _path(data: Bytes, begin: int, end: int, free: bool, out: Found, count: int) -> tuple[int, int]:
    """A path that begins with a slash, with `~/`, `./` or `../`."""
    at = begin
    while at < end and at - begin < 2 and (data[at] == 46 or data[at] == 126):
        at += 1
    if not free or at == end or data[at] != 47 or (at + 1 < end and data[at + 1] == 47):
        return count, begin + 1 if at == begin or data[at - 1] != 47 else at + 1
    words = 0
    while at < end and BYTE[data[at]] & _IN_PATH:
        words += (BYTE[data[at]] & WORD) != 0
        at += 1
    stop = at
    while stop > begin and not BYTE[data[stop - 1]] & WORD:
        stop -= 1
    if words < 2:
        return count, max(at, begin + 1)
    return _keep(out, count, PATH, hash_span(data, begin, stop, AS_IT_IS), 0, begin, stop), at


class _Shape(NamedTuple):
    """How a word is written: where it ends, its letters by case, digits, underscores between letters, places where a
    capital follows a small letter, and joints; whether a part between them has more than one character."""

    end: int
    upper: int
    lower: int
    digits: int
    underscores: int
    humps: int
    joints: int
    long: bool


@inner
def _shape(data: Bytes, begin: int, end: int) -> _Shape:
    at, part, joints, long = begin, begin, 0, False
    upper, lower, digits, underscores, humps = 0, 0, 0, 0, 0
    while at < end:
        what = BYTE[data[at]]
        if what & WORD:
            upper += (what & _UPPER) != 0
            lower += (what & _LOWER) != 0
            digits += (what & _DIGIT) != 0
            humps += (what & _UPPER) != 0 and at > part and (BYTE[data[at - 1]] & _LOWER) != 0
            between = at > begin and at + 1 < end and (BYTE[data[at + 1]] & (_LETTER | _DIGIT)) != 0
            underscores += (what & _UNDERSCORE) != 0 and between
            at += 1
            continue
        joint = _joint(data, at, end)
        if joint == 0:
            break
        long = long or at - part > 1
        joints += 1
        at += joint
        part = at
    return _Shape(at, upper, lower, digits, underscores, humps, joints, long or at - part > 1)


@inner
def _word(data: Bytes, begin: int, end: int, lexicon: Lexicon, out: Found, count: int) -> tuple[int, int, np.uint64]:
    """A word, which is a name if it is written as one; the literals, where it ends, and its hash if it is a word."""
    shape = _shape(data, begin, end)
    at, letters = shape.end, shape.upper + shape.lower
    if at + 2 < end and data[at] == 58 and data[at + 1] == 47 and data[at + 2] == 47:
        return _url(data, begin, at, end, out, count)
    if letters == 1 and shape.digits and shape.underscores == 0:
        if data[begin] | 32 == 118:  # v1.2
            count, at = _number(data, begin + 1, end, lexicon, False, True, out, count)
            return count, at, np.uint64(0)
        if at - begin <= 3 and (data[begin] == 81 or data[begin] == 65):  # Q1, A1
            return _keep(out, count, OWN, _value(data, begin + 1, at), 0, begin, at), at, np.uint64(0)
    plain = shape.digits + shape.underscores + shape.joints == 0
    if plain and shape.upper >= 2 and shape.lower == 0 and _is_code(data, at, end):
        return _code(data, begin, at, end, out, count)
    first, last = begin, at
    while first < last and data[first] == 95:
        first += 1
    while last > first and data[last - 1] == 95:
        last -= 1
    whole = hash_span(data, first, last, AS_IT_IS)
    called = at < end and data[at] == 40 and not _is_plural(data, at, end)
    named = shape.underscores or shape.humps or (shape.digits and letters) or (shape.joints and shape.long)
    label = hash_span(data, first, last, FOLDED) if plain and not shape.humps else np.uint64(0)
    numeral = look_up(lexicon.numerals, label)
    if numeral:
        count = _keep(out, count, PART, numeral, 0, first, last)
    if not (called or look_up(lexicon.codes, whole) or (named and not look_up(lexicon.common, whole))):
        return count, at, label
    count = _keep(out, count, FUNCTION if called else NAME, whole, 0, first, last)
    return _digit_runs(data, first, last, out, count), at, np.uint64(0)


@inner
def _is_code(data: Bytes, at: int, end: int) -> bool:
    """Whether a hyphen and digits follow."""
    return at + 2 < end and data[at] == 45 and (BYTE[data[at + 1]] & _DIGIT) != 0


@inner
def _joint(data: Bytes, at: int, end: int) -> int:
    """The bytes that join two parts of a name: a point or two colons, with a letter or a digit behind."""
    if at + 1 < end and data[at] == 46 and BYTE[data[at + 1]] & WORD:
        return 1
    if at + 2 < end and data[at] == 58 and data[at + 1] == 58 and BYTE[data[at + 2]] & WORD:
        return 2
    return 0


@inner
def _is_plural(data: Bytes, at: int, end: int) -> bool:
    """`(s)` and `(es)` behind a word."""
    return (at + 2 < end and data[at + 1] == 115 and data[at + 2] == 41) or (
        at + 3 < end and data[at + 1] == 101 and data[at + 2] == 115 and data[at + 3] == 41
    )


@inner
def _code(data: Bytes, begin: int, at: int, end: int, out: Found, count: int) -> tuple[int, int, np.uint64]:
    """`ORA-00942`, `CVE-2024-3094`, `SHA-256`: capitals and digits, joined by hyphens."""
    while at + 1 < end and data[at] == 45 and BYTE[data[at + 1]] & _DIGIT:
        at += 1
        while at < end and BYTE[data[at]] & WORD:
            at += 1
    count = _keep(out, count, NAME, hash_span(data, begin, at, AS_IT_IS), 0, begin, at)
    return _digit_runs(data, begin, at, out, count), at, np.uint64(0)


@inner
def _url(data: Bytes, begin: int, at: int, end: int, out: Found, count: int) -> tuple[int, int, np.uint64]:
    while at < end and not BYTE[data[at]] & _ENDS:
        at += 1
    stop = at
    while stop > begin and not BYTE[data[stop - 1]] & WORD:
        stop -= 1
    count = _keep(out, count, PATH, hash_span(data, begin, stop, AS_IT_IS), 0, begin, stop)
    return _digit_runs(data, begin, stop, out, count), at, np.uint64(0)
