"""Which lines may hold personal data or secrets: told by their bytes, in compiled code, so that few are searched.

A mark of a line means that a pattern may match there. The tests are those of the patterns, as far as bytes around a
sign tell them: no pattern of `people`, `network` or `secrets` finds anything in a line that has not its mark.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner
from filters.stream import FENCE, LOG, Bytes, Offsets, Stream
from manifests.load import load_privacy

MAIL, HEADER, SIGNED, USER, PHONE, ADDRESS = (1 << bit for bit in range(6))
KEY, SECRET, URL, KEY_BLOCK, PROMPT, SESSION = (1 << bit for bit in range(6, 12))
SEARCHED = np.uint16((1 << 10) - 1)  # the marks that say that something may be there; the last two only say where

# What a byte is part of: a word, a run that a key may be, a local part of a mail address.
_DIGIT, _LETTER, _WORD, _RUN, _HEX, _SPACE, _JOINT, _LOCAL = (1 << bit for bit in range(8))
# At which bytes something is looked for.
_STOP = np.zeros(256, np.bool_)
for _byte in b"0123456789@/\\:=-.$+<wWB":
    _STOP[_byte] = True


def _classes() -> npt.NDArray[np.uint8]:
    kinds = np.zeros(256, np.uint8)
    kinds[48:58] = _DIGIT | _WORD | _RUN | _HEX | _JOINT | _LOCAL
    kinds[65:91] = kinds[97:123] = _LETTER | _WORD | _RUN | _LOCAL
    kinds[65:71] |= _HEX
    kinds[97:103] |= _HEX
    kinds[95] = _WORD | _RUN | _LOCAL
    for byte in b".-":
        kinds[byte] |= _RUN | _LOCAL
    for byte in b"+%":
        kinds[byte] |= _LOCAL
    kinds[:33] |= _SPACE
    for byte in b" .()-/+":
        kinds[byte] |= _JOINT
    return kinds


_BYTE = _classes()
_RUNS = np.where(_BYTE & _RUN, -1, 0)
_NO_VALUE = np.zeros(256, np.bool_)
for _byte in b"<[({$%@&*!?|`\\":
    _NO_VALUE[_byte] = True

_SHORTEST_KEY = 15
_SHORTEST_VALUE, _LONGEST_VALUE = 3, 512
_LONGEST_HOST = 80
_COMMAND = 240  # bytes before an option in which its command stands
_NAME = 40  # bytes before a sign of assignment in which the name of a secret stands
_PHONE_DIGITS, _PHONE_GAP, _PHONE_WORD = 8, 16, 48


def _letters(word: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(word.encode(), np.uint8)


_CLOSINGS = tuple(
    map(
        _letters,
        ("regards", "best", "kind", "warm", "sincerely", "yours", "cheers", "thanks", "many", "thank you", "greetings"),
    )
)
_CLOSING_FIRST = np.zeros(256, np.bool_)
for _word in _CLOSINGS:
    _CLOSING_FIRST[[_word[0], _word[0] - 32]] = True
_HEADERS = tuple(map(_letters, ("from:", "to:", "cc:", "reply-to:", "sender:")))
_HEADER_FIRST = np.zeros(256, np.bool_)
for _word in _HEADERS:
    _HEADER_FIRST[[_word[0], _word[0] - 32]] = True
_SESSIONS = tuple(
    map(
        _letters,
        ("console", "shell-session", "shellsession", "terminal", "log", "syslog", "ansi", "pycon", "session"),
    )
)
_PHONES = tuple(map(_letters, ("phone", "tel", "mobile", "cell", "fax", "whatsapp", "pager", "hotline")))
_COMMANDS = tuple(map(_letters, ("sshpass", "mysql", "redis-cli")))
_HOMES = tuple(map(_letters, ("/home/", "/users/")))
_FOLDERS = tuple(map(_letters, ("users\\", "documents and settings\\")))
_BY = (_letters("-by:"),)
_BLOCK = (_letters("-----begin "),)
_PUTTY = (_letters("private-lines: "),)
_BEARER = (_letters("bearer"),)
_PASSWORD = tuple(map(_letters, ("password", "passwd")))
_USER = tuple(map(_letters, ("-u ", "-u=", "--user ", "--user=", "--proxy-user ", "--proxy-user=")))


class Words(NamedTuple):
    """Words one behind the other, and whether two letters begin one of them."""

    letters: Bytes
    begins: Offsets
    pairs: npt.NDArray[np.bool_]


def _words(words: Iterable[str]) -> Words:
    encoded = [word.encode() for word in words]
    pairs = np.zeros((256, 256), np.bool_)
    for word in encoded:
        pairs[word[0], word[1]] = True
    begins = np.cumsum([0, *map(len, encoded)])
    return Words(np.frombuffer(b"".join(encoded), np.uint8), begins.astype(np.int64), pairs)


@cache
def _names() -> Words:
    return _words(load_privacy().secret_names)


@cache
def _keys() -> Words:
    return _words(sorted({begin for key in load_privacy().keys.values() for begin in key.begin}))


def mark_lines(stream: Stream) -> npt.NDArray[np.uint16]:
    """For each line of a stream what may be in it; 0 for most."""
    marks = np.zeros(len(stream.line_kinds), np.uint16)
    _mark(stream.data, stream.lines, _names(), _keys(), marks)
    _mark_sessions(stream.data, stream.lines, stream.line_offsets, stream.line_kinds, marks)
    return marks


@compiled
def _mark(data: Bytes, lines: Offsets, names: Words, keys: Words, marks: npt.NDArray[np.uint16]) -> None:
    for line in range(len(marks)):
        begin, end = lines[line], lines[line + 1]
        marks[line] = _marks_of(data, begin, end, names, keys) | _beginning(data, begin, end)


@compiled
def _mark_sessions(
    data: Bytes, lines: Offsets, line_offsets: Offsets, kinds: Bytes, marks: npt.NDArray[np.uint16]
) -> None:
    """Marks lines of logs, and those of a fence whose language, prompts or dates say that it is a session."""
    for document in range(len(line_offsets) - 1):
        fence, session = -1, False
        last = line_offsets[document + 1]
        for line in range(line_offsets[document], last + 1):
            if line == last or kinds[line] == FENCE:
                for inside in range(fence + 1, line if fence >= 0 and session else 0):
                    marks[inside] |= SESSION
                opens = fence < 0 and line < last
                session = opens and _is_session(data, lines[line], lines[line + 1])
                fence = line if opens else -1
            else:
                session = session or kinds[line] == LOG or marks[line] & PROMPT != 0
                marks[line] |= SESSION * (kinds[line] == LOG)


@inner
def _is_session(data: Bytes, begin: int, end: int) -> bool:
    """Whether the information of a fence names a session of a shell."""
    while begin < end and (data[begin] == 32 or data[begin] == 62 or data[begin] == 96 or data[begin] == 126):
        begin += 1
    return _one_of(data, begin, end, _SESSIONS)


@inner
def _marks_of(data: Bytes, begin: int, end: int, names: Words, keys: Words) -> int:
    marks, run, digits, last_digit = 0, 0, 0, begin - _PHONE_GAP
    for at in range(begin, end):
        byte = data[at]
        run = (run + 1) & _RUNS[byte]
        if run == _SHORTEST_KEY and not marks & KEY:
            marks |= KEY * _is_key(data, at - run + 1, end, keys)
        if not _STOP[byte]:
            continue
        if _BYTE[byte] & _DIGIT:
            if not _is_joined(data, last_digit, at):
                digits = 0
            digits, last_digit = digits + 1, at
            if not marks & PHONE and digits >= _PHONE_DIGITS:
                marks |= PHONE * (_is_american(data, at, begin) or _is_called(data, at, begin))
        elif byte == 46:
            marks |= ADDRESS * _is_quad(data, at, begin, end)
        else:
            marks |= _mark_of(data, begin, at, end, names)
    return marks


@inner
def _mark_of(data: Bytes, begin: int, at: int, end: int, names: Words) -> int:
    """What a sign in a line tells."""
    byte = data[at]
    if byte == 58:
        if _is_secret_value(data, at, end) and _is_named(data, at, begin, names):
            return SECRET
        return ADDRESS * _is_colons(data, at, begin, end) | SECRET * _is_pgpass(data, at, begin, end)
    if byte == 61:
        return SECRET * (_is_secret_value(data, at, end) and _is_named(data, at, begin, names))
    if byte == 45:
        return _mark_of_dash(data, begin, at, end, names)
    if byte == 64:
        return _mark_of_at(data, begin, at, end)
    if byte == 47 or byte == 92:
        return USER * (_is_home(data, at, begin, end) if byte == 47 else _is_folder(data, at, begin, end))
    if byte == 43:
        return PHONE * (at + 8 < end and 49 <= data[at + 1] <= 57 and not _is(data, at - 1, begin, end, _WORD))
    if byte == 60:
        return SECRET * _is_element(data, at, begin, end, names)
    if byte == 36:
        return PROMPT * (at + 1 < end and data[at + 1] == 32 and _begins(data, begin, at))
    if byte == 66:
        return SECRET * (_one_of(data, at, end, _BEARER) and _is_secret_value(data, at + 5, end))
    if at - 4 >= begin and (_one_of(data, at - 4, end, _PASSWORD)):
        stop = at + (2 if data[at + 1] | 32 == 100 else 4)
        return SECRET * (stop < end and _BYTE[data[stop]] & _SPACE != 0 and _is_secret_value(data, stop, end))
    return 0


@inner
def _is(data: Bytes, at: int, begin: int, end: int, what: int) -> bool:
    return bool(begin <= at < end and _BYTE[data[at]] & what)


@inner
def _begins(data: Bytes, begin: int, at: int) -> bool:
    """Whether nothing but spaces and marks of quotes stands before a place of a line."""
    while begin < at and (data[begin] == 32 or data[begin] == 62):
        begin += 1
    return begin == at


# ---------------------------------------------------------------- persons


@inner
def _beginning(data: Bytes, begin: int, end: int) -> int:
    """What the first word of a line tells: a closing of a letter, a header of a mail, the body of a key."""
    at = begin
    while at < end and (data[at] == 32 or data[at] == 9):
        at += 1
    if at == end:
        return 0
    first = data[at]
    if _CLOSING_FIRST[first] and end - at <= 60 and _one_of(data, at, end, _CLOSINGS):
        return SIGNED
    if first == 45 and end - at in (2, 3, 4) and data[at + 1] == 45 and data[end - 1] <= 32:
        return SIGNED
    if first == 80 and _one_of(data, at, end, _PUTTY):
        return KEY_BLOCK
    while at < end and (data[at] == 32 or data[at] == 62):
        at += 1
    return HEADER * (at < end and _HEADER_FIRST[data[at]] and _one_of(data, at, end, _HEADERS))


@inner
def _mark_of_at(data: Bytes, begin: int, at: int, end: int) -> int:
    """Whether a sign of mail stands in an address, in a prompt, or behind a password."""
    marks = 0
    local = at
    while local > begin and at - local < 65 and _BYTE[data[local - 1]] & _LOCAL:
        local -= 1
    host = at + 1
    while host < end and (_BYTE[data[host]] & _RUN) and data[host] != 46 and data[host] != 95:
        host += 1
    named = 0 < at - local <= 64 and _is(data, local, begin, end, _WORD) and data[local] != 95
    hosted = at + 1 < host and host + 1 < end and data[host] == 46 and _is(data, host + 1, begin, end, _RUN)
    marks |= MAIL * (named and hosted and (local == begin or data[local - 1] != 47))
    marks |= USER * _is_prompt(data, at, begin, end)
    return marks | URL * _is_url_password(data, at, begin)


@inner
def _is_prompt(data: Bytes, at: int, begin: int, end: int) -> bool:
    """A name before a host, and a sign of a prompt with a space behind it."""
    user = at
    while user > begin and at - user < 33 and _BYTE[data[user - 1]] & _RUN:
        user -= 1
    if not 97 <= data[user] <= 122 or at - user < 2:
        return False
    if user > begin and not (_BYTE[data[user - 1]] & _SPACE or data[user - 1] == 91 or data[user - 1] == 40):
        return False
    host = at + 1
    while host < end and _BYTE[data[host]] & _RUN:
        host += 1
    if host == at + 1 or host >= end or (data[host] != 58 and data[host] != 32):
        return False
    for sign in range(host, min(end, host + 84)):
        prompt = data[sign] == 36 or data[sign] == 35 or data[sign] == 37
        if prompt and (sign + 1 >= end or _BYTE[data[sign + 1]] & _SPACE):
            return True
    return False


@inner
def _is_home(data: Bytes, at: int, begin: int, end: int) -> bool:
    """The directory of a user behind a slash."""
    if _is(data, at - 1, begin, end, _RUN) or not _one_of(data, at, end, _HOMES):
        return False
    return _is(data, at + (6 if data[at + 1] | 32 == 104 else 7), begin, end, _LETTER)


@inner
def _is_folder(data: Bytes, at: int, begin: int, end: int) -> bool:
    """The folder of a user behind a drive and one or two backslashes."""
    if at - 2 < begin or data[at - 1] != 58 or not _BYTE[data[at - 2]] & _LETTER:
        return False
    return _one_of(data, at + 1 + (at + 1 < end and data[at + 1] == 92), end, _FOLDERS)


@inner
def _is_joined(data: Bytes, last: int, at: int) -> bool:
    """Whether only signs of telephone numbers stand between two digits."""
    if at - last > _PHONE_GAP:
        return False
    for place in range(last + 1, at):
        if not _BYTE[data[place]] & _JOINT:
            return False
    return True


@inner
def _is_american(data: Bytes, at: int, begin: int) -> bool:
    """Whether three, three and four digits end here."""
    if at - 11 < begin or not (data[at - 4] == 32 or data[at - 4] == 46 or data[at - 4] == 45):
        return False
    for place in range(at - 7, at):
        if place != at - 4 and not _BYTE[data[place]] & _DIGIT:
            return False
    return not _BYTE[data[at - 8]] & _WORD


@inner
def _is_called(data: Bytes, at: int, begin: int) -> bool:
    """Whether a word before says that a number is of a telephone."""
    for place in range(max(begin, at - _PHONE_WORD), at):
        if _BYTE[data[place]] & _LETTER and _one_of(data, place, at, _PHONES):
            return True
    return False


# ---------------------------------------------------------------- addresses


@inner
def _is_quad(data: Bytes, at: int, begin: int, end: int) -> bool:
    """Whether four numbers stand around the first dot of an address."""
    first = at
    while first > begin and at - first < 4 and _BYTE[data[first - 1]] & _DIGIT:
        first -= 1
    if not 0 < at - first < 4 or _is(data, first - 1, begin, end, _RUN):
        return False
    for _ in range(3):
        if at >= end or data[at] != 46:
            return False
        number = at + 1
        at = number
        while at < end and at - number < 4 and _BYTE[data[at]] & _DIGIT:
            at += 1
        if not 0 < at - number < 4:
            return False
    return not _is(data, at, begin, end, _WORD)


@inner
def _is_colons(data: Bytes, at: int, begin: int, end: int) -> bool:
    """Whether an address of hexadecimal numbers stands around its first colon: two in a row, or five or more."""
    first = at
    while first > begin and at - first < 5 and _BYTE[data[first - 1]] & _HEX:
        first -= 1
    if not 0 < at - first < 5 or (first > begin and (_BYTE[data[first - 1]] & _WORD or data[first - 1] == 58)):
        return False
    colons, doubled = 0, False
    while at < end and (data[at] == 58 or _BYTE[data[at]] & _HEX):
        colons += data[at] == 58
        doubled |= data[at] == 58 and data[at - 1] == 58
        at += 1
    return doubled or colons >= 5


@inner
def _is_dashed_mac(data: Bytes, at: int, begin: int, end: int) -> bool:
    """Whether six pairs of hexadecimal digits stand around the first dash."""
    first = at - 2
    if first < begin or first + 17 > end:
        return False
    for i in range(17):
        if i % 3 == 2:
            if data[first + i] != 45:
                return False
        elif not _BYTE[data[first + i]] & _HEX:
            return False
    return True


# ---------------------------------------------------------------- secrets


@inner
def _mark_of_dash(data: Bytes, begin: int, at: int, end: int, names: Words) -> int:
    """What a dash tells: a block of a key, a tag of a commit, an option, an address."""
    if data[at - 1] == 45 and at > begin:
        return 0
    if _is(data, at - 1, begin, end, _RUN):
        return SIGNED * _one_of(data, at, end, _BY) | ADDRESS * _is_dashed_mac(data, at, begin, end)
    if _one_of(data, at, end, _BLOCK):
        return KEY_BLOCK
    if at > begin and not _BYTE[data[at - 1]] & _SPACE:
        return 0
    return SECRET * (_is_option(data, at, begin, end, names))


@inner
def _is_option(data: Bytes, at: int, begin: int, end: int, names: Words) -> bool:
    """Whether an option of a command has a secret for its value."""
    if _one_of(data, at, end, _USER):
        place = at + 3
        while place < end and not _BYTE[data[place]] & _SPACE:
            place += 1
        return _is_secret_value(data, at + 1, end) or _is_secret_value(data, place - 1, end)
    if at + 1 < end and (data[at + 1] | 32 == 112 or data[at + 1] | 32 == 97) and _is_secret_value(data, at + 1, end):
        for place in range(max(begin, at - _COMMAND), at):
            if _one_of(data, place, at, _COMMANDS):
                return True
    stop = at
    while stop < end and (_BYTE[data[stop]] & _WORD or data[stop] == 45):
        stop += 1
    if stop >= end or data[stop] != 32:
        return False
    return _is_secret_value(data, stop, end) and _is_named(data, stop, begin, names)


@inner
def _is_secret_value(data: Bytes, at: int, end: int) -> bool:
    """Whether behind a sign, further signs, spaces, a quote and a word such as `Bearer` a secret may stand."""
    sign = data[at]
    at += 1
    if at < end and (data[at] == 61 or (data[at] == 62 and sign == 61)):
        at += 1
    for _ in range(2):
        start = at
        while at < end and at - start < 12 and _BYTE[data[at]] & _SPACE:
            at += 1
        if at < end and (data[at] == 34 or data[at] == 39):
            at += 1
        start = at
        if _is_odd(data, at, end):
            return True
        while at < end and at - start < 7 and _BYTE[data[at]] & _LETTER:
            at += 1
        if not 5 <= at - start < 7:
            return False
    return False


@inner
def _is_odd(data: Bytes, at: int, end: int) -> bool:
    """Whether a value is long enough and holds a digit, three capitals or six consonants: no word does."""
    if at >= end or _NO_VALUE[data[at]]:
        return False
    start, digits, capitals, consonants = at, 0, 0, 0
    while at < end and at - start < _LONGEST_VALUE:
        byte = data[at]
        kind = _BYTE[byte]
        if kind & _SPACE or byte == 34 or byte == 39 or byte == 60:
            break
        digits += (kind & _DIGIT) != 0
        capitals += 65 <= byte <= 90
        lower = byte | 32
        vowel = lower == 97 or lower == 101 or lower == 105 or lower == 111 or lower == 117 or lower == 121
        if consonants < 6:
            consonants = consonants + 1 if kind & _LETTER and not vowel else 0
        at += 1
    return at - start >= _SHORTEST_VALUE and (digits > 0 or capitals >= 3 or consonants >= 6)


@inner
def _is_named(data: Bytes, at: int, begin: int, names: Words) -> bool:
    """Whether the word before a sign holds the name of a secret."""
    first = max(begin, at - 9)
    while at > first and _BYTE[data[at - 1]] & _SPACE:
        at -= 1
    if at > begin and (data[at - 1] == 34 or data[at - 1] == 39):
        at -= 1
    first = at
    while first > begin and at - first < _NAME and _BYTE[data[first - 1]] & _RUN:
        first -= 1
    return _holds(data, first, at, names)


@inner
def _holds(data: Bytes, begin: int, end: int, names: Words) -> bool:
    for place in range(begin, end - 2):
        if names.pairs[data[place] | 32, data[place + 1] | 32] and _is_word(data, place, end, names, True):
            return True
    return False


@inner
def _is_word(data: Bytes, at: int, end: int, words: Words, folded: bool) -> bool:
    """Whether one of some words begins here; lower-case words in any case if `folded`."""
    for word in range(len(words.begins) - 1):
        first, length = words.begins[word], words.begins[word + 1] - words.begins[word]
        same = at + length <= end
        for i in range(length if same else 0):
            byte = data[at + i]
            if (byte | 32 if folded and 65 <= byte <= 90 else byte) != words.letters[first + i]:
                same = False
                break
        if same:
            return True
    return False


@inner
def _is_key(data: Bytes, at: int, end: int, keys: Words) -> bool:
    """Whether a key begins in a run of letters and digits, or of what else keys are made of."""
    before = np.uint8(0)
    while at + 1 < end and _BYTE[data[at]] & _RUN:
        if not _BYTE[before] & _WORD and keys.pairs[data[at], data[at + 1]] and _is_word(data, at, end, keys, False):
            return True
        before = data[at]
        at += 1
    return False


@inner
def _is_url_password(data: Bytes, at: int, begin: int) -> bool:
    """Whether a name and a password stand before this sign, behind the scheme of an address."""
    start, colon = at, False
    while start > begin and at - start < 200 and data[start - 1] != 47:
        byte = data[start - 1]
        if _BYTE[byte] & _SPACE or byte == 64 or byte == 34 or byte == 39 or byte == 60 or byte == 62:
            return False
        colon |= byte == 58
        start -= 1
    return colon and start - 3 >= begin and data[start - 2] == 47 and data[start - 3] == 58


@inner
def _is_pgpass(data: Bytes, at: int, begin: int, end: int) -> bool:
    """Whether a line is host, port, database, user and password with colons between."""
    if at + 1 >= end or not (data[at + 1] == 42 or _BYTE[data[at + 1]] & _DIGIT):
        return False
    if at - begin > _LONGEST_HOST:
        return False
    for place in range(begin, at):
        if not (_BYTE[data[place]] & _RUN or data[place] == 42):
            return False
    fields, place = 0, at + 1
    while place < end and fields < 3:
        if data[place] == 58:
            fields += 1
        elif not (_BYTE[data[place]] & _WORD or data[place] == 45 or data[place] == 42):
            return False
        place += 1
    return fields == 3


@inner
def _is_element(data: Bytes, at: int, begin: int, end: int, names: Words) -> bool:
    """Whether an element that is called as a secret is ends here."""
    if at + 1 >= end or data[at + 1] != 47 or at == begin or _BYTE[data[at - 1]] & _SPACE:
        return False
    value = at
    while value > begin and at - value <= 260 and data[value - 1] != 62:
        if _BYTE[data[value - 1]] & _SPACE or data[value - 1] == 60:
            return False
        value -= 1
    if value == begin or data[value - 1] != 62 or not _is_odd(data, value, at):
        return False
    tag = value - 1
    while tag > begin and value - tag < 160 and data[tag - 1] != 60:
        tag -= 1
    return _holds(data, tag, value, names)


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
