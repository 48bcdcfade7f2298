"""What takes the place of personal data and secrets: of their kind and form, for the same the same in all of a text.

Placeholders are of the ranges that standards keep for examples (RFC 2606, 3849, 5737, 7042, fictitious phone numbers),
or the value with every letter an x and every digit a 0; none of them is found again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from filters.privacy.spans import Span

CUT = "leak"  # a span of this kind is cut out
# What stands for itself inside a value: escapes of strings, entities, and bytes of addresses.
_PARTS = re.compile(r"(\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)|&#?\w{1,8};|%[0-9a-fA-F]{2})|([^\W\d_])|(\d)")
_NETWORKS = (b"192.0.2.", b"198.51.100.", b"203.0.113.")
_HOSTS = 254
_FICTION = b"55501"
_MOST = 10_000  # of one kind in a text; beyond it placeholders repeat


def redact(text: bytes, spans: Sequence[Span]) -> bytes:
    """A UTF-8 text with each span replaced; spans are in order and do not overlap."""
    pieces, at = [], 0
    placed: dict[tuple[str, bytes], bytes] = {}
    numbers: Counter[str] = Counter()
    for start, end, kind in spans:
        original = text[start:end]
        group = _group(kind, original)
        key = (group, original if group == "secret" else original.lower())
        if key not in placed:
            placed[key] = _new_placeholder(group, original, numbers, text)
        pieces += [text[at:start], placed[key]]
        at = end
    return b"".join([*pieces, text[at:]])


def _group(kind: str, original: bytes) -> str:
    """What is counted together: kinds, and addresses of the two versions apart."""
    if kind == "ip":
        return "ipv6" if b":" in original else "ipv4"
    return kind.partition(".")[0]


def _new_placeholder(group: str, original: bytes, numbers: Counter[str], text: bytes) -> bytes:
    """The next placeholder of a group that does not stand in the text already."""
    while True:
        numbers[group] += 1
        placeholder = _placeholder(group, original, numbers[group])
        if group in ("secret", CUT, "phone") or numbers[group] > _MOST or not _stands(placeholder, text):
            return placeholder


def _stands(placeholder: bytes, text: bytes) -> bool:
    at = text.find(placeholder)
    while at >= 0:
        behind = text[at + len(placeholder) : at + len(placeholder) + 1]
        if not behind.isalnum():
            return True
        at = text.find(placeholder, at + 1)
    return False


def _placeholder(group: str, original: bytes, number: int) -> bytes:
    if group == CUT:
        return b""
    if group == "email":
        return b"user%d@example.com" % number
    if group == "username":
        return b"user%d" % number
    if group == "person":
        return b"Person %d" % number
    if group == "phone":
        return _phone(original, number)
    if group in ("ipv4", "ipv6"):
        return _address(group, number)
    if group == "mac":
        separator = b"-" if b"-" in original else b":"
        placed = separator.join([b"00", b"00", b"5e", b"00", b"53", b"%02x" % (number % 256)])
        return placed.upper() if original.upper() == original else placed
    return masked(original)


def masked(value: bytes) -> bytes:
    """The value with its letters and digits gone: its length, case, marks and escapes stay."""
    return _PARTS.sub(_mask, value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _mask(part: re.Match[str]) -> str:
    if part[1]:
        return part[1]
    return "0" if part[3] else "X" if part[2].isupper() else "x"


def _address(group: str, number: int) -> bytes:
    if group == "ipv6":
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
