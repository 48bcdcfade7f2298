"""Path patterns of RFC 9309, 2.2.2 and 2.2.3, as robots.txt, AIPREF, TDMRep and ai.txt use them. Pure and bounded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

#: Octets that stand for themselves: the unreserved and the reserved of RFC 3986, but those with a meaning in a pattern.
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?[]@!&'()+,;=")
_NOT_PLAIN = re.compile(rb"%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~:/?\[\]@!&'()+,;=-]")
_NOT_PLAIN_OR_STAR = re.compile(rb"%[0-9A-Fa-f]{2}|[^A-Za-z0-9._~:/?\[\]@!&'()+,;=*-]")


class PathPattern:
    """One pattern: a path from its beginning, `*` for any octets, `$` at its end for the end of the path.

    `length` is its octets in the one spelling (see `spelt`): what makes one match longer than another.
    """

    __slots__ = ("_anchored", "_first", "_rest", "length")

    def __init__(self, pattern: bytes) -> None:
        self._anchored = pattern.endswith(b"$")
        text = spelt(pattern[:-1] if self._anchored else pattern, _NOT_PLAIN_OR_STAR)
        self.length = len(text) + self._anchored
        # Stars in a row are one.
        self._first, *self._rest = re.sub(r"\*+", "*", text).split("*")

    def matches(self, path: str) -> bool:
        """Whether a path, as `path_and_query` spells it, is meant. Linear in it: each part is looked for once."""
        if not path.startswith(self._first):
            return False
        if not self._rest:
            return not self._anchored or len(path) == len(self._first)
        at = len(self._first)
        for part in self._rest[:-1]:
            at = path.find(part, at)
            if at < 0:
                return False
            at += len(part)
        last = self._rest[-1]
        if self._anchored:
            return len(path) - len(last) >= at and path.endswith(last)
        return path.find(last, at) >= 0


class Longest(Generic[T]):
    """Patterns with what each says; the longest that match count (RFC 9309, 2.2.2)."""

    def __init__(self, said: Iterable[tuple[PathPattern, T]]) -> None:
        self._said = sorted(said, key=lambda each: -each[0].length)

    def all(self) -> list[T]:
        """What the patterns say, of whatever path."""
        return [what for _, what in self._said]

    def of(self, path: str) -> list[T]:
        """What the longest matching patterns say of a path, in their order: several of one length, or none."""
        found: list[T] = []
        length = 0
        for pattern, what in self._said:
            if found and pattern.length < length:
                break
            if pattern.matches(path):
                found.append(what)
                length = pattern.length
        return found


def path_and_query(url: str) -> str:
    """Path and query of an absolute URL, without its fragment, in the spelling that patterns match."""
    parts = url.partition("#")[0].split("/", 3)
    return spelt(b"/" + (parts[3] if len(parts) > 3 else "").encode("utf-8", "surrogatepass"))


def spelt(path: bytes, odd: re.Pattern[bytes] = _NOT_PLAIN) -> str:
    """The one spelling of a path and its query: every octet as itself where it can be, else as upper-case %XX.

    By RFC 9309, 2.2.2, `%7E` is `~` and `ä` is `%C3%A4`; a reserved character and its escape are one as well, but for
    `/` and `?` in the path, where an escape keeps them from parting it. `odd` finds what is looked at.
    """
    before, mark, query = path.partition(b"?")
    kept = odd.sub(lambda match: _octet(match[0], b"/?"), before)
    return (kept + mark + odd.sub(lambda match: _octet(match[0], b""), query)).decode("ascii")


def _octet(text: bytes, keeps_escaped: bytes) -> bytes:
    """One octet, given as it is or as %XX, in the one spelling."""
    if len(text) == 1:
        return b"%%%02X" % text[0]
    value = int(text[1:], 16)
    return bytes([value]) if value in _PLAIN and value not in keeps_escaped else b"%%%02X" % value
