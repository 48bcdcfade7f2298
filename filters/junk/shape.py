"""The shape of a document: its lines, what is said in them, noise, garbled letters, and what engineers look for."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from filters.compiled import compiled, inner
from filters.hashing import FNV_PRIME, GOLDEN, mix
from filters.junk.phrases import Table, look_up, table_of
from filters.stream import (
    BLANK,
    CODE,
    FENCE,
    HEADING,
    ITEM,
    LOG,
    TABLE,
    Bytes,
    Hashes,
    Offsets,
    Stream,
    hash_words,
)
from manifests.load import load_junk

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Kinds = npt.NDArray[np.uint8]

SCORES = (
    "item_share",
    "nested_share",
    "ended_share",
    "words_per_line",
    "spoken_words",
    "signature_lines",
    "link_share",
    "top_word",
    "function_words",
    "single_letters",
    "numbers",
    "mojibake",
    "replaced",
    "noise_share",
    "log_templates",
    "flag_density",
    "error_density",
    "key_density",
    "command_density",
)
(
    _ITEMS, _NESTED, _ENDED, _PER_LINE, _SPOKEN, _SIGNATURES, _LINKS, _TOP, _FUNCTION, _SINGLE, _NUMBERS, _MOJIBAKE,
    _REPLACED, _NOISE, _TEMPLATES, _FLAGS, _ERRORS, _KEYS, _COMMANDS,
) = range(len(SCORES))  # fmt: skip

_IS_FUNCTION, _IS_ERROR = 1, 2
_SPACE, _BACKTICK, _DASH, _COLON, _EQUALS, _SLASH, _DOLLAR, _DOT = 32, 96, 45, 58, 61, 47, 36, 46
_IS_LETTER, _IS_BACKTICK, _IS_COLON = 1, 2, 4
_BYTE = np.zeros(256, np.uint8)
_BYTE[[*range(65, 91), *range(97, 123), *range(128, 256)]] = _IS_LETTER
_BYTE[_BACKTICK], _BYTE[_COLON] = _IS_BACKTICK, _IS_COLON
_NOISE_LINE = 24  # bytes; a shorter line is not judged alone
_LONG_RUN = 60  # bytes; a shorter run may be a name or a path
_LONGEST_RUN = 200  # bytes; a longer run is none
_COUNTED = 4000  # words of content whose most frequent is found: pages that are stuffed with one are shorter
_FEWEST_DATED = 20  # lines of code and logs; of fewer, no templates are counted


@cache
def _words() -> Table:
    """Function words and words of errors."""
    manifest = load_junk()
    bits: dict[int, int] = {}
    for words, bit in ((manifest.function_words, _IS_FUNCTION), (manifest.error_words, _IS_ERROR)):
        for value in hash_words(f"- {words}"):
            bits[value] = bits.get(value, 0) | bit
    return table_of(bits)


def shape(stream: Stream) -> dict[str, Floats]:
    """SCORES of each document.

    Of its lines of prose: item_share, those that are items; nested_share, items of these that stand below another;
    ended_share, those that end as a sentence does;
    words_per_line; link_share, those with an address. Of these and of rows of tables: signature_lines, how many say
    nothing outside code; spoken_words, how many words stand outside code and headings.
    Of its words: numbers, those that begin with a digit. Of its words of prose: top_word, the share of the most
    frequent of the first that are no function words, 0 of a document with code; function_words and single_letters,
    their shares.
    Of its text: mojibake, pairs of letters that a wrong decoding leaves, for each word; replaced, U+FFFD for each word;
    noise_share, bytes in lines of numbers, hexadecimal or unbroken characters; log_templates, different lines of code
    and logs, digits aside, for each such line.
    For 1,000 words: flag_density of options, error_density of words of messages, key_density of keys with values,
    command_density of lines of code that begin as a command does.
    """
    out = np.zeros((len(stream), len(SCORES)), np.float32)
    most_words = min(_COUNTED, int(np.max(np.diff(stream.word_offsets), initial=1)))
    most_lines = int(np.max(np.diff(stream.line_offsets), initial=1))
    slots = 4
    while slots < 2 * most_words:
        slots *= 2
    _judge(
        stream.data, stream.offsets, stream.hashes, stream.starts, stream.lines, stream.line_words, stream.line_kinds,
        stream.line_offsets, _words(), np.zeros(slots, np.uint64), np.zeros(slots, np.int32),
        np.zeros(most_lines, np.uint64), out,
    )  # fmt: skip
    return {name: out[:, column] for column, name in enumerate(SCORES)}


@compiled
def _judge(
    data: Bytes,
    offsets: Offsets,
    hashes: Hashes,
    starts: Offsets,
    lines: Offsets,
    line_words: Offsets,
    kinds: Kinds,
    line_offsets: Offsets,
    words: Table,
    keys: Hashes,
    times: npt.NDArray[np.int32],
    templates: Hashes,
    out: Floats,
) -> None:
    for document in range(len(offsets) - 1):
        first, last = line_offsets[document], line_offsets[document + 1]
        row, end = out[document], offsets[document + 1]
        prose_lines, prose_words, different, noise = 0, 0, 0, 0
        for line in range(first, last):
            begin, kind = lines[line], kinds[line]
            stop = end if line + 1 == last else lines[line + 1] - 1
            if kind in (FENCE, BLANK):
                continue
            noise += (stop - begin) * (kind != TABLE and _is_noise(data, begin, stop))
            count = line_words[line + 1] - line_words[line]
            if kind in (CODE, LOG):
                templates[different] = _template(data, begin, stop)
                different += 1
                row[_COMMANDS] += _is_command(data, begin, stop)
            else:
                prose_lines += kind != TABLE
                prose_words += count if kind != TABLE else 0
                _add_line(data, begin, stop, kind, row)
            row[_KEYS] += kind != HEADING and _is_key(data, begin, stop)
        begin_word, end_word = line_words[first], line_words[last] if last > first else line_words[first]
        total = end_word - begin_word
        text = (offsets[document], end)
        most = 0 if different else _COUNTED
        _add_words(data, text, hashes, starts, line_words, kinds, first, last, words, keys, times, most, row)
        _add_letters(data, offsets[document], end, row)
        _divide(row, prose_lines, prose_words, total, noise, end - offsets[document])
        row[_TEMPLATES] = _share_of_different(templates[:different])


@inner
def _divide(row: Floats, prose_lines: int, prose_words: int, words: int, noise: int, size: int) -> None:
    for score in (_ITEMS, _NESTED, _ENDED, _LINKS):
        row[score] = row[score] / prose_lines if prose_lines else 0
    row[_PER_LINE] = prose_words / prose_lines if prose_lines else 0
    for score in (_TOP, _FUNCTION, _SINGLE):
        row[score] = row[score] / prose_words if prose_words else 0
    for score in (_NUMBERS, _MOJIBAKE, _REPLACED):
        row[score] = row[score] / max(words, 1)
    for score in (_FLAGS, _ERRORS, _KEYS, _COMMANDS):
        row[score] = 1000 * row[score] / max(words, 1)
    row[_NOISE] = noise / size if size else 0


@inner
def _add_line(data: Bytes, begin: int, end: int, kind: int, row: Floats) -> None:
    """A line of prose: how it ends, its addresses, and the words in it that stand outside code."""
    stop = end
    while stop > begin and (data[stop - 1] <= _SPACE or data[stop - 1] == _BACKTICK or data[stop - 1] == 42):
        stop -= 1
    last = data[stop - 1] if stop > begin else np.uint8(0)
    # . ! ? : ; and what ends sentences of other scripts (U+3002, U+FF01, U+FF1F)
    ended = last in (46, 33, 63, 58, 59, 41) or (
        last in (0x82, 0x81, 0x9F) and stop - begin >= 3 and data[stop - 3] >= 0xE3
    )
    row[_ENDED] += ended and kind != HEADING and kind != TABLE
    row[_ITEMS] += kind == ITEM
    row[_NESTED] += kind == ITEM and data[begin] == _SPACE
    spoken, outside, in_word, address, code = 0, np.uint8(1), np.uint8(0), False, False
    for at in range(begin, end):
        what = _BYTE[data[at]]
        if what > _IS_LETTER:
            if what == _IS_BACKTICK:
                outside ^= np.uint8(1)
                code = True
            else:
                address |= at + 2 < end and data[at + 1] == _SLASH and data[at + 2] == _SLASH
            what = np.uint8(0)
        spoken += what & ~in_word & outside
        in_word = what
    row[_LINKS] += address and kind != TABLE
    row[_SIGNATURES] += code and spoken == 0
    row[_SPOKEN] += spoken if kind != HEADING else 0


@inner
def _add_words(
    data: Bytes,
    text: tuple[int, int],
    hashes: Hashes,
    starts: Offsets,
    line_words: Offsets,
    kinds: Kinds,
    first: int,
    last: int,
    words: Table,
    keys: Hashes,
    times: npt.NDArray[np.int32],
    most: int,
    row: Floats,
) -> None:
    """Function words, words of errors, single letters, options, and the most frequent word of content."""
    mask = 3
    while mask + 1 < 2 * min(most, line_words[last] - line_words[first]):
        mask = 2 * mask + 1
    for slot in range(mask + 1):
        keys[slot] = 0
    top, counted, functions, errors, numbers, flags, singles = 0, 0, 0, 0, 0, 0, 0
    for line in range(first, last):
        prose = kinds[line] <= ITEM
        for word in range(line_words[line], line_words[line + 1]):
            bits, at = look_up(words, hashes[word]), starts[word]
            numbers += 48 <= data[at] <= 57
            errors += bits & np.uint64(_IS_ERROR) != 0
            if at > text[0] and data[at - 1] == _DASH:
                flags += at - 1 == text[0] or data[at - 2] in (_SPACE, _DASH, _BACKTICK, 91, 10)
            if not prose:
                continue
            behind = data[at + 1] if at + 1 < text[1] else np.uint8(10)
            single = not (97 <= behind | 32 <= 122 or 48 <= behind <= 57 or behind >= 128 or behind == 95)
            singles += single and 97 <= data[at] | 32 <= 122 and data[at] | 32 not in (97, 105)
            if bits & np.uint64(_IS_FUNCTION):
                functions += 1
            elif not single and counted < most:
                counted += 1
                top = max(top, _count_word(hashes[word], keys, times, mask))
    row[_FUNCTION], row[_ERRORS], row[_NUMBERS], row[_FLAGS], row[_SINGLE] = functions, errors, numbers, flags, singles
    row[_TOP] = top


@inner
def _count_word(key: np.uint64, keys: Hashes, times: npt.NDArray[np.int32], mask: int) -> int:
    slot = np.int64(key & np.uint64(mask))
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + 1) & mask
    if keys[slot] == 0:
        keys[slot], times[slot] = key, 0
    times[slot] += 1
    return times[slot]


@inner
def _add_letters(data: Bytes, begin: int, end: int, row: Floats) -> None:
    """Pairs of letters that UTF-8 leaves when it is read as Latin-1 or Windows-1252, and replacement characters.

    Such a pair is U+00C2, U+00C3, U+00D0, U+00D1 or U+00E2 with a sign or a control behind it that no word has there.
    """
    high = np.uint8(0)
    for byte in data[begin:end]:
        high |= byte
    if high < 128:
        return
    for at in range(begin, end - 3):
        if data[at] == 0xC3 and data[at + 1] in (0x82, 0x83, 0x90, 0x91, 0xA2, 0xA4, 0xA5, 0xA6):
            latin = data[at + 2] == 0xC2 and data[at + 3] >= 0x80
            windows = (data[at + 2] == 0xE2 and data[at + 3] == 0x82) or (data[at + 2] == 0xE2 and data[at + 3] == 0x80)
            other = data[at + 2] in (0xC5, 0xC6, 0xCB)
            row[_MOJIBAKE] += latin or windows or other
        elif data[at] == 0xEF and data[at + 1] == 0xBF and data[at + 2] == 0xBD:
            row[_REPLACED] += 1


@inner
def _is_noise(data: Bytes, begin: int, end: int) -> bool:
    """A line of numbers or hexadecimal digits, or one that hardly has a space."""
    if end - begin < _NOISE_LINE:
        return False
    has_digits = False
    for byte in data[begin:end]:
        has_digits |= np.uint8(byte - 48) <= 9
    if not has_digits and end - begin < _LONGEST_RUN:
        return False
    digits, letters, hexadecimal, spaces, ascii_bytes = 0, 0, 0, 0, 0
    for at in range(begin, end):
        byte = data[at]
        digits += 48 <= byte <= 57
        letters += 97 <= byte | 32 <= 122
        hexadecimal += 48 <= byte <= 57 or 97 <= byte | 32 <= 102
        spaces += byte == _SPACE
        ascii_bytes += byte < 128
    # Scripts without spaces are text, so only ASCII counts.
    if ascii_bytes >= 500 and 12 * spaces < ascii_bytes:
        return True
    if end - begin >= _LONG_RUN and _is_unbroken(data, begin, end, digits > 0):
        return True
    return digits > 0 and (
        10 * letters <= digits or (hexadecimal >= 0.95 * (letters + digits) and 3 * digits >= letters)
    )


@inner
def _is_unbroken(data: Bytes, begin: int, end: int, has_digits: bool) -> bool:
    """Whether a run of ASCII without a space is too long, or is most of a line that has digits."""
    run, longest = 0, 0
    at = begin + _LONG_RUN - 1
    while at < end:  # a long run has no space in so many bytes: most lines are told by a few of theirs
        place = at
        while place > at - _LONG_RUN and data[place] > _SPACE and data[place] < 128:
            place -= 1
        if place == at - _LONG_RUN:
            break
        at = place + _LONG_RUN
    if at >= end:
        return False
    for at in range(begin, end):
        run = run + 1 if data[at] > _SPACE and data[at] < 128 else 0
        longest = max(longest, run)
    return longest >= _LONGEST_RUN or (longest >= _LONG_RUN and 5 * longest >= 4 * (end - begin) and has_digits)


@inner
def _template(data: Bytes, begin: int, end: int) -> np.uint64:
    """A hash of a line in which every run of digits and hexadecimal numbers is the same."""
    value = GOLDEN
    digit = False
    for at in range(begin, end):
        byte = data[at]
        if 48 <= byte <= 57:
            if not digit:
                value = mix(value + np.uint64(48))
            digit = True
            continue
        digit = False
        value = (value ^ np.uint64(byte)) * FNV_PRIME
    return mix(value)


@inner
def _is_command(data: Bytes, begin: int, end: int) -> bool:
    """`$ command`, `# command`, `name -x`, `name --long`."""
    if end - begin > 2 and data[begin + 1] == _SPACE and data[begin] in (_DOLLAR, 35, 62, 37):
        return True
    at = begin
    while at < end and (97 <= data[at] <= 122 or 48 <= data[at] <= 57 or data[at] in (_DASH, 95, _DOT, _SLASH)):
        at += 1
    return at > begin + 1 and at + 1 < end and data[at] == _SPACE and (data[at + 1] == _DASH or data[at + 1] == 60)


@inner
def _is_key(data: Bytes, begin: int, end: int) -> bool:
    """`key: value`, `key = value`, `"key": value`, a bare word before the sign."""
    at = begin
    while at < end and data[at] in (_SPACE, 9, 34, _DASH, _BACKTICK):
        at += 1
    first = at
    while at < end and (97 <= data[at] | 32 <= 122 or 48 <= data[at] <= 57 or data[at] in (_DASH, 95, _DOT)):
        at += 1
    if at == first or at == end:
        return False
    while at < end and data[at] in (34, _SPACE, _BACKTICK):
        at += 1
    return at < end and data[at] in (_COLON, _EQUALS)


@compiled
def _share_of_different(values: Hashes) -> float:
    """Different values for each, 1 where there are few."""
    if len(values) < _FEWEST_DATED:
        return 1.0
    ordered = np.sort(values)
    different = 1
    for at in range(1, len(ordered)):
        different += ordered[at] != ordered[at - 1]
    return different / len(ordered)
