"""What takes the place of personal data and secrets: of their kind and form, for the same the same in all of a text.

Placeholders are of the ranges that standards keep for examples, and none of them is found again: mail addresses at
example.com (RFC 2606); numbers of telephones that end in 555 01xx, with two digits more before it where a text has more
than 100; IPv6 of 2001:db8::/32 (RFC 3849); IPv4 of RFC 5737, 762 of them, and then of 198.18.0.0/15 (RFC 2544); MAC of
00:00:5e:00:53:xx (RFC 7042), and then of other parts of IANA's own range. A secret keeps its length and its marks: its
letters become x and its digits 0; of further secrets of the same form the last letters become y and the last digits 1,
a number in binary. What differs gets a placeholder that differs, as far as the form has room (8 secrets of 3 letters).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from filters.privacy.spans import Span

CUT, BOILERPLATE = "leak", "boilerplate"  # spans of these kinds are cut out
# What stands for itself inside a value: escapes of strings, entities, and bytes of addresses.
_PARTS = re.compile(r"(\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)|&#?\w{1,8};|%[0-9a-fA-F]{2})|([^\W\d_])|(\d)")
_MASKED = re.compile(
    rb"\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)|&#?\w{1,8};|%[0-9a-fA-F]{2}|(?P<masked>[xX0])", re.DOTALL
)
_NETWORKS = (b"192.0.2.", b"198.51.100.", b"203.0.113.")
_HOSTS = 254
_BENCHMARKS = b"198.18."
_FICTION = b"55501"
_MOST = 10_000  # of one kind in a text; beyond it placeholders repeat


def redact(text: bytes, spans: Sequence[Span]) -> bytes:
    """A UTF-8 text with each span replaced; spans are in order and do not overlap."""
    pieces, at = [], 0
    placed: dict[tuple[str, bytes], bytes] = {}
    used: set[bytes] = set()
    numbers: Counter[str] = Counter()
    for start, end, kind in spans:
        original = text[start:end]
        group = _group(kind, original)
        key = (group, original if group == "secret" else original.lower())
        if key not in placed:
            placed[key] = _new_placeholder(group, original, numbers, used, text)
            used.add(placed[key])
        pieces += [text[at:start], placed[key]]
        at = end
    return b"".join([*pieces, text[at:]])


def _group(kind: str, original: bytes) -> str:
    """What is counted together: kinds, and addresses of the two versions apart."""
    if kind == "ip":
        return "ipv6" if b":" in original else "ipv4"
    return kind.partition(".")[0]


def _new_placeholder(group: str, original: bytes, numbers: Counter[str], used: set[bytes], text: bytes) -> bytes:
    """The next placeholder of a group that does not stand in the text already."""
    if group in (CUT, BOILERPLATE):
        return b""
    if group == "secret":
        mask = masked(original)
        numbers[mask.decode("latin-1")] += 1
        return _numbered(mask, numbers[mask.decode("latin-1")] - 1)
    while True:
        numbers[group] += 1
        placeholder = _placeholder(group, original, numbers[group])
        stands = placeholder in used or (group != "phone" and _stands(placeholder, text))
        if not stands or numbers[group] > _MOST:
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
        part, last = divmod(number, 256)
        placed = separator.join([b"00", b"00", b"5e", b"%02x" % (part % 256), b"53", b"%02x" % last])
        return placed.upper() if original.upper() == original else placed
    raise ValueError(f"no placeholder is known for {group}")


def masked(value: bytes) -> bytes:
    """The value with its letters and digits gone: its length, case, marks and escapes stay."""
    return _PARTS.sub(_mask, value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _numbered(mask: bytes, number: int) -> bytes:
    """A mask that holds a number: each of its bits, the lowest last, makes a y of an x and a 1 of a 0."""
    out = bytearray(mask)
    places = [match.start(match.lastgroup) for match in _MASKED.finditer(mask) if match.lastgroup]
    for place in reversed(places):
        out[place] += number & 1
        number >>= 1
    return bytes(out)


def _mask(part: re.Match[str]) -> str:
    if part[1]:
        return part[1]
    return "0" if part[3] else "X" if part[2].isupper() else "x"


def _address(group: str, number: int) -> bytes:
    if group == "ipv6":
        return b"2001:db8::%x" % number
    network, host = divmod(number - 1, _HOSTS)
    if network < len(_NETWORKS):
        return _NETWORKS[network] + b"%d" % (host + 1)
    return _BENCHMARKS + b"%d.%d" % ((network - len(_NETWORKS)) % 256, host + 1)


def _phone(original: bytes, number: int) -> bytes:
    """The number's format and its beginning, with a fictitious end."""
    before, last = divmod(number, 100)
    tail = (b"%02d" % (before % 100) if before else b"") + _FICTION + b"%02d" % last
    digits = [at for at, byte in enumerate(original) if 48 <= byte <= 57]
    out = bytearray(original)
    tail = tail[-len(digits) :]
    for at, byte in zip(digits[-len(tail) :], tail, strict=True):
        out[at] = byte
    return bytes(out)
