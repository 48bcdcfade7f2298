"""What each character is to the rules: one table of flags by code point."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from filters.compiled import inner

Bytes = npt.NDArray[np.uint8]
Kinds = npt.NDArray[np.uint16]

ALPHA, PUNCTUATION, TERMINAL, SPACE, UPPER, LOWER, DIGIT, AFFIX, QUOTE, HYPHEN, CURRENCY, SENTENCE_END, MARK = (
    1 << bit for bit in range(13)
)

_PLANES = 0x20000  # beyond it there are few characters, and all that have a kind are ideographs
_BEYOND = ALPHA

# As spaCy's tokenizer of English has them (Honnibal et al.), which datatrove splits words with.
_AFFIXES = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪"
_QUOTES = "'\"”“`‘´’‚„»«「」『』（）〔〕【】《》〈〉〈〉⟦⟧"
_CURRENCIES = "$£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫₭₮₯₰₱₲₳₵₶₷₸₹₺₻₼₾₿"
_HYPHENS = "-–—~"


@cache
def kinds() -> Kinds:
    """Flags of the code points below _PLANES: MARK is what Unicode calls punctuation."""
    import unicodedata

    from datatrove.utils.text import PUNCTUATION_SET, TERMINAL_PUNCTUATION

    table = np.zeros(_PLANES, np.uint16)
    for code in range(_PLANES):
        character = chr(code)
        flags = ALPHA * character.isalpha() | SPACE * character.isspace()
        flags |= UPPER * character.isupper() | LOWER * character.islower()
        flags |= MARK * (unicodedata.category(character)[0] == "P")
        table[code] = flags
    for flag, characters in (
        (PUNCTUATION, PUNCTUATION_SET),
        (TERMINAL, TERMINAL_PUNCTUATION),
        (DIGIT, "0123456789"),
        (AFFIX, _AFFIXES),
        (QUOTE, _QUOTES),
        (HYPHEN, _HYPHENS),
        (CURRENCY, _CURRENCIES),
        (SENTENCE_END, {character for character in TERMINAL_PUNCTUATION if character not in ":;"}),
    ):
        for character in characters:
            if ord(character) < _PLANES:
                table[ord(character)] |= flag
    return table


@inner
def width_of(byte: np.uint8) -> int:
    """How many bytes the character has that begins with this one."""
    if byte < 0xC0:
        return 1
    return 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4


@inner
def kind_at(data: Bytes, at: int, end: int, table: Kinds) -> int:
    """The flags of the character that begins at a place of UTF-8; 0 behind the end."""
    if at >= end:
        return 0
    byte = data[at]
    if byte < 0x80:
        return table[byte]
    width = width_of(byte)
    code = np.int64(byte) & (0x7F >> width)
    for i in range(at + 1, min(at + width, end)):
        code = (code << 6) | (data[i] & 0x3F)
    return table[code] if code < len(table) else _BEYOND


@inner
def begin_before(data: Bytes, begin: int, at: int) -> int:
    """Where the character begins that ends just before a place; `begin` at most."""
    at -= 1
    while at > begin and data[at] & 0xC0 == 0x80:
        at -= 1
    return at


@inner
def kind_before(data: Bytes, begin: int, at: int, table: Kinds) -> int:
    """The flags of the character that ends just before a place; 0 at the beginning."""
    return kind_at(data, begin_before(data, begin, at), at, table) if at > begin else 0


@inner
def count_characters(data: Bytes, begin: int, end: int) -> int:
    """Characters of a run of UTF-8."""
    count = 0
    for at in range(begin, end):
        count += data[at] & 0xC0 != 0x80
    return count
