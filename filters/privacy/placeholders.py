"""What takes the place of personal data and secrets: of their kind and form, for the same the same in all of a text.

Placeholders are of the ranges that standards keep for examples (RFC 2606, 3849, 5737, 7042, fictitious phone numbers),
or the value with every letter an x and every digit a 0; none of them is found again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from filters.privacy.spans import Span

CUT = "leak"  # a span of this kind is cut out

_LOWER, _UPPER, _DIGIT = re.compile(rb"[a-z]"), re.compile(rb"[A-Z]"), re.compile(rb"[0-9]")
_NETWORKS = (b"192.0.2.", b"198.51.100.", b"203.0.113.")
_HOSTS = 254
_FICTION = b"55501"


def redact(text: bytes, spans: Sequence[Span]) -> bytes:
    """A UTF-8 text with each span replaced; spans are in order and do not overlap."""
    pieces, at = [], 0
    numbers: dict[tuple[str, bytes], int] = {}
    for start, end, kind in spans:
        original = text[start:end]
        group = kind.split(".")[0] if kind.startswith("secret") else kind
        key = (group if group != "ip" else f"ip{original.count(b':') > 0}", original.lower())
        if key not in numbers:
            numbers[key] = 1 + sum(known[0] == key[0] for known in numbers)
        pieces += [text[at:start], _placeholder(group, original, numbers[key])]
        at = end
    return b"".join([*pieces, text[at:]])


def _placeholder(kind: str, original: bytes, number: int) -> bytes:
    if kind == CUT:
        return b""
    if kind == "email":
        return b"user%d@example.com" % number
    if kind == "username":
        return b"user%d" % number
    if kind == "person":
        return b"Person %d" % number
    if kind == "phone":
        return _phone(original, number)
    if kind == "ip":
        return _address(original, number)
    if kind == "mac":
        separator = b"-" if b"-" in original else b":"
        placed = separator.join([b"00", b"00", b"5e", b"00", b"53", b"%02x" % (number % 256)])
        return placed.upper() if original.upper() == original else placed
    return masked(original)


def masked(value: bytes) -> bytes:
    """The value with its letters and digits gone: its length, alphabet and marks stay."""
    return _DIGIT.sub(b"0", _UPPER.sub(b"X", _LOWER.sub(b"x", value)))


def _address(original: bytes, number: int) -> bytes:
    if b":" in original:
        return b"2001:db8::%x" % number
    network, host = divmod(number - 1, _HOSTS)
    return _NETWORKS[network % len(_NETWORKS)] + b"%d" % (host + 1)


def _phone(original: bytes, number: int) -> bytes:
    """The number's format and its beginning, with a fictitious end."""
    tail = _FICTION + b"%02d" % (number % 100)
    digits = [at for at, byte in enumerate(original) if 48 <= byte <= 57]
    out = bytearray(original)
    for at, byte in zip(digits[-len(tail) :], tail, strict=True):
        out[at] = byte
    return bytes(out)
