"""Which lines may hold personal data or secrets: told by their bytes, in compiled code, so that few are searched."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner
from filters.stream import Bytes, Offsets, Stream

AT, QUAD, COLONS, ADDRESS, LONG, SECRET, HOME, PHONE, KEY_BLOCK, SIGNED, PROMPT = (1 << bit for bit in range(11))

_DIGIT, _LETTER, _RUN, _SPACE, _JOINT = 1, 2, 4, 8, 16


def _classes() -> npt.NDArray[np.uint8]:
    kinds = np.zeros(256, np.uint8)
    kinds[48:58] = _DIGIT | _RUN
    kinds[65:91] = kinds[97:123] = _LETTER | _RUN
    for byte in b"_.-":
        kinds[byte] |= _RUN
    kinds[:33] |= _SPACE
    for byte in b" .()-/+":
        kinds[byte] |= _JOINT
    return kinds


_BYTE = _classes()
_LONGEST_WORD = 18  # a run of so many letters and digits together may be a key
_SHORTEST_VALUE = 5
_PHONE_DIGITS = 8


def _letters(word: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(word.encode(), np.uint8)


_SECRETS = tuple(
    map(
        _letters,
        (
            "pass",
            "pwd",
            "secret",
            "token",
            "key",
            "auth",
            "cred",
            "sig=",
            "bearer",
            "curl",
            "login",
            "mysql",
            "redis-cli",
        ),
    )
)
_HOMES = tuple(map(_letters, ("home", "user")))
_CLOSINGS = tuple(
    map(
        _letters,
        ("regards", "best", "kind", "warm", "sincerely", "yours", "cheers", "thanks", "many", "thank you", "greetings"),
    )
)
_BY = (_letters("-by:"),)


def _pairs() -> npt.NDArray[np.bool_]:
    """Whether two letters, lower case, begin the name of a secret."""
    pairs = np.zeros((256, 256), np.bool_)
    for word in _SECRETS:
        pairs[word[0], word[1]] = True
    return pairs


_PAIR = _pairs()


def mark_lines(stream: Stream) -> npt.NDArray[np.uint16]:
    """For each line of a stream what may be in it; 0 for most."""
    marks = np.zeros(len(stream.line_kinds), np.uint16)
    _mark(stream.data, stream.lines, _PAIR, marks)
    return marks


@compiled
def _mark(data: Bytes, lines: Offsets, pairs: npt.NDArray[np.bool_], marks: npt.NDArray[np.uint16]) -> None:
    for line in range(len(marks)):
        marks[line] = _marks_of(data, lines[line], lines[line + 1], pairs)


@inner
def _marks_of(data: Bytes, begin: int, end: int, pairs: npt.NDArray[np.bool_]) -> int:
    marks, value, before = 0, False, np.uint8(0)
    run, run_digits, run_capitals, dots, colons, fields, spaces = 0, 0, 0, 0, 0, 0, 0
    piece, piece_digits, capitals, phone = 0, 0, 0, 0
    for at in range(begin, end):
        byte = data[at]
        kind = _BYTE[byte]
        digit = kind & _DIGIT
        if kind & _RUN:
            run += 1
            run_digits += digit
            run_capitals += 65 <= byte <= 90
            if run >= _LONGEST_WORD and (run_digits > 0 or run_capitals > 3) and run > run_digits:
                marks |= LONG
        else:
            run, run_digits, run_capitals = 0, 0, 0
        fields += byte == 58
        if kind & _SPACE:
            spaces += 1
            piece, piece_digits, capitals = 0, 0, 0
        else:
            piece += 1
            piece_digits += digit
            capitals += 65 <= byte <= 90
            odd = piece_digits > 0 or capitals > 2
            value |= piece >= _SHORTEST_VALUE and odd and piece_digits < piece
        if digit:
            phone += 1
            marks |= PHONE * (phone >= _PHONE_DIGITS)
        elif not kind & _JOINT:
            phone = 0
        if kind & _LETTER:
            lower = np.uint8(byte | 32)
            if pairs[before, lower] and not marks & SECRET:
                marks |= SECRET * _one_of(data, at - 1, end, _SECRETS)
            before = lower
            continue
        before = np.uint8(0)
        if kind & (_DIGIT | _SPACE):
            continue
        marks |= _mark_of(data, begin, at, end)
        dots += byte == 46 and _is_digit(data, at - 1, begin, end) and _is_digit(data, at + 1, begin, end)
        if byte == 58 or byte == 45:
            pair = _is_hex(data, at - 1, begin, end) and _is_hex(data, at + 1, begin, end)
            colons += pair and not _is_other(data, at - 2, begin, end) and not _is_other(data, at + 2, begin, end)
            short = byte == 58 and at + 1 < end and data[at + 1] == 58 and _is_digit(data, at + 2, begin, end)
            colons += 2 * short
    marks |= SIGNED * _is_closing(data, begin, end)
    marks |= QUAD * (dots >= 3)
    marks |= COLONS * (colons >= 2)
    if fields >= 4 and spaces <= 1:
        return marks | SECRET  # a line of .pgpass
    return marks if value or marks & ADDRESS else marks & ~SECRET


@inner
def _mark_of(data: Bytes, begin: int, at: int, end: int) -> int:
    """What a sign in a line tells."""
    byte = data[at]
    if byte == 64:
        return AT
    if byte == 58:
        return ADDRESS * (at + 2 < end and data[at + 1] == 47 and data[at + 2] == 47)
    if byte == 45:
        block = at + 4 < end and data[at + 1] == 45 and data[at + 2] == 45 and data[at + 3] == 45 and data[at + 4] == 45
        return KEY_BLOCK * block | SIGNED * _one_of(data, at, end, _BY)
    if byte == 47 or byte == 92:
        return HOME * _one_of(data, at + 1, end, _HOMES)
    return PROMPT * (byte == 36 and at + 1 < end and data[at + 1] == 32 and _begins(data, begin, at))


@inner
def _begins(data: Bytes, begin: int, at: int) -> bool:
    """Whether nothing but spaces and marks of quotes stands before a place of a line."""
    while begin < at and (data[begin] == 32 or data[begin] == 62):
        begin += 1
    return begin == at


@inner
def _is_other(data: Bytes, at: int, begin: int, end: int) -> bool:
    """A letter that is no hexadecimal digit."""
    return bool(begin <= at < end and _BYTE[data[at]] & _LETTER and not 97 <= data[at] | 32 <= 102)


@inner
def _is_closing(data: Bytes, begin: int, end: int) -> bool:
    at = begin
    while at < end and data[at] == 32:
        at += 1
    if _one_of(data, at, end, _CLOSINGS):
        return end - at <= 60
    return end - at in (2, 3, 4) and data[at] == 45 and data[at + 1] == 45 and data[end - 1] <= 32


@inner
def _is_digit(data: Bytes, at: int, begin: int, end: int) -> bool:
    return bool(begin <= at < end and _BYTE[data[at]] & _DIGIT)


@inner
def _is_hex(data: Bytes, at: int, begin: int, end: int) -> bool:
    return bool(begin <= at < end and (_BYTE[data[at]] & _DIGIT or 97 <= data[at] | 32 <= 102))


@inner
def _one_of(data: Bytes, at: int, end: int, words: tuple[Bytes, ...]) -> bool:
    """Whether one of some lower-case words begins here, in any case."""
    for word in words:
        if at + len(word) <= end:
            same = True
            for i in range(len(word)):
                byte = data[at + i]
                if (byte | 32 if 65 <= byte <= 90 else byte) != word[i]:
                    same = False
                    break
            if same:
                return True
    return False
