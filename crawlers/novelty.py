"""How much of a page was on no page of its source before: what a trap is known by, and where the yield is.

Calendars, facets, session ids, endless paths, soft 404s and repeated templates have one thing in common: page after
page without anything new. So it is not their URLs that are judged, but what they bring.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections import defaultdict
from dataclasses import dataclass

#: A page is poor if less than both is new: bytes of text, and share of its text.
POOR_BYTES = 100
POOR_SHARE = 0.2
#: Bytes of a page that are looked at.
_MAX_BYTES = 1 << 20
#: Runs of text are remembered by one bit of 16 million; without their numbers, in which pages of a calendar differ.
_BITS = 24
_DIGITS = b"0123456789"
# What is opened and never closed goes to the end, and no tag holds a `<`: so that no page costs more than its length.
_UNSEEN = re.compile(rb"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1[^>]*>?|\Z)", re.DOTALL | re.IGNORECASE)
_BLOCK = re.compile(
    rb"</?(?:p|li|h[1-6]|t[dhr]|div|pre|br|d[dtl]|[uo]l|table|section|article|aside|nav|main|header|footer|title|option)"
    rb"\b[^<>]*>",
    re.IGNORECASE,
)
_REST = re.compile(rb"<[^<>]*>|\s+")


@dataclass(frozen=True, slots=True)
class PageText:
    """The text of a page, measured: its bytes, those of them that are new, and a hash of all of it."""

    size: int
    new: int
    digest: bytes

    @property
    def is_poor(self) -> bool:
        """Whether it brought next to nothing."""
        return self.new < POOR_BYTES and self.new < POOR_SHARE * self.size

    @property
    def share(self) -> float:
        """The share of its text that is new."""
        return self.new / self.size if self.size else 0.0


class Novelty:
    """The runs of text that were met on a source's pages. Memory: 2 MiB, however many there are.

    A run that was not met is taken for known with the odds that the filled part of the bits says.
    """

    def __init__(self) -> None:
        self._met = bytearray(1 << (_BITS - 3))

    def measure(self, body: bytes) -> PageText:
        """Measures a page's HTML, and remembers what it says."""
        text = _UNSEEN.sub(b"", body[:_MAX_BYTES])
        text = _REST.sub(b" ", _BLOCK.sub(b"\0", text))
        met, size, new = self._met, 0, 0
        for part in text.split(b"\0"):
            run = part.translate(None, _DIGITS).strip()
            if not run:
                continue
            size += len(run)
            bit = zlib.crc32(run) >> (32 - _BITS)
            if not met[bit >> 3] >> (bit & 7) & 1:
                met[bit >> 3] |= 1 << (bit & 7)
                new += len(run)
        return PageText(size, new, hashlib.blake2b(text, digest_size=8).digest())


class SessionParameters:
    """Finds parameters of URLs that change nothing: session ids under names that no list knows.

    A parameter is one if pages of several paths were the same, byte for byte of their text, under two values of it, and
    those of few paths were not: a page number changes nothing behind the end of a list, and much before it.
    """

    #: Paths on which it has to be seen, and as many times those on which it changed something.
    _PATHS = 3
    _TIMES = 2
    #: Texts that are remembered; characters and parameters of the URLs that are looked at.
    _TEXTS = 100_000
    _CHARACTERS = 512
    _PARAMETERS = 8

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._met: dict[bytes, str] = {}
        self._texts: dict[int, bytes] = {}
        self._same: defaultdict[str, set[str]] = defaultdict(set)
        self._other: defaultdict[str, set[str]] = defaultdict(set)

    def saw(self, url: str, digest: bytes) -> None:
        """A page came with a text of this hash."""
        if len(url) > self._CHARACTERS:
            return
        path, _, query = url.partition("?")
        ours = _parameters(query) if query else {}
        self._saw_others(url, path, ours, digest)
        other = self._met.get(digest)
        if other is None:
            if len(self._met) < self._TEXTS:
                self._met[digest] = url
            return
        if not query or other.partition("?")[0] != path:
            return
        theirs = _parameters(other.partition("?")[2])
        differing = [name for name in ours if ours[name] != theirs.get(name)]
        if ours.keys() == theirs.keys() and len(differing) == 1:
            name = differing[0]
            self._same[name].add(path)
            if len(self._same[name]) >= max(self._PATHS, self._TIMES * len(self._other[name]) + 1):
                self.names.add(name)

    def _saw_others(self, url: str, path: str, ours: dict[str, str], digest: bytes) -> None:
        """Note the parameters under another value of which the page had another text."""
        if len(ours) > self._PARAMETERS or len(self._texts) >= self._TEXTS:
            return
        for name in ours:
            if self._texts.setdefault(hash((name, _without(url, {name}))), digest) != digest:
                self._other[name].add(path)

    def without(self, url: str) -> str:
        """A URL without the parameters that change nothing."""
        return _without(url, self.names) if self.names else url


def _without(url: str, names: set[str]) -> str:
    path, mark, query = url.partition("?")
    if not mark:
        return url
    kept = "&".join(part for part in query.split("&") if part.partition("=")[0] not in names)
    return f"{path}?{kept}" if kept else path


def _parameters(query: str) -> dict[str, str]:
    return {name: value for name, _, value in (part.partition("=") for part in query.split("&"))}
