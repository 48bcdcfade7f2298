"""How the records of a WARC file are packed: one behind the other, plain or in gzip members however those are cut.

The standard (ISO 28500:2017, annex D) wants a gzip member for each record. Files that were compressed as a whole, in
blocks of one size, or by a writer that flushed within a record exist all the same, and hold the same records.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from typing import BinaryIO

GZIP_MAGIC = b"\x1f\x8b\x08"
RECORD_MAGIC = b"WARC/1."
_LINE = b"\n" + RECORD_MAGIC
_CHUNK = 1 << 18
_STEP = 1 << 14
_BLOCK = 1 << 16
#: Lines that a writer may leave behind a record: two, by the standard.
_PADDING = 64
#: Members whose beginnings are kept, at most: a file of tiny ones must not fill the memory.
_MEMBERS = 1 << 17
#: What is read in search of the next record, or in vain, at most: so many times what one record may have.
_PATIENCE = 16


class UnreadableError(Exception):
    """The bytes at the window are no whole record.

    `own`: how many of them surely belong to it, so that the next record begins right behind them;
    None where that is not known and the next record has to be searched for.
    """

    def __init__(self, error: str, own: int | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.own = own


class Window:
    """The bytes of a stream from offset `base` on, as far as they have been read and not dropped.

    `limit`: bytes that one record may have. `fault`: why the stream ends where it does, if that is no proper end.
    """

    fault = ""

    def __init__(self, stream: BinaryIO, base: int, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._ended = False
        self.base = base
        self.data = bytearray()

    def fill(self, count: int) -> bool:
        """Read until `count` bytes are there; False where the stream ends before."""
        while len(self.data) < count and not self._ended:
            chunk = self._stream.read(max(_CHUNK, count - len(self.data)))
            self._ended = not chunk
            self.data += chunk
        return len(self.data) >= count

    def drop(self, count: int) -> None:
        """Forget the first `count` bytes."""
        del self.data[:count]
        self.base += count

    def place(self) -> int:
        """The offset by which what begins here is known: another one at each call."""
        return self.base

    def accept(self, length: int) -> int:
        """The first `length` bytes are a record. Returns how many bytes of the file hold it and nothing else."""
        return length

    def doubt(self, _end: int) -> str:
        """Why the first bytes, up to `_end`, may not be what was written; empty where they are."""
        return ""

    def next_record(self, end: int) -> int | None:
        """Where the record behind the one whose block ends at `end` begins; None if it cannot end there."""
        self.fill(end + _PADDING + len(RECORD_MAGIC))
        behind = self.data[end : end + _PADDING + len(RECORD_MAGIC)]
        rest = behind.lstrip(b"\r\n")
        newlines = len(behind) - len(rest)
        return end + newlines if not rest or rest.startswith(RECORD_MAGIC) else self._end_within(end, newlines)

    def search(self) -> None:
        """Drop bytes up to the next line that begins a record, or to the end of the stream."""
        while self.fill(len(_LINE)):
            at = self.data.find(_LINE)
            if at >= 0:
                self.drop(at + 1)
                return
            self.drop(len(self.data) - len(_LINE) + 1)
        self.drop(len(self.data))

    def skip(self, count: int) -> None:
        """Drop a record of `count` bytes; where that is more than anything may have, search for the next one."""
        if count > _PATIENCE * self._limit:
            self.search()
            return
        while count and self.fill(1):
            step = min(count, len(self.data))
            self.drop(step)
            count -= step
        self._skip_padding()

    def _end_within(self, end: int, newlines: int) -> int | None:
        return end + newlines if newlines >= 4 else None

    def _skip_padding(self) -> None:
        self.fill(_PADDING)
        self.drop(len(self.data[:_PADDING]) - len(self.data[:_PADDING].lstrip(b"\r\n")))


class Members:
    """What the gzip members at a window inflate to, piece by piece.

    The bytes of a member stay in the window until it has ended, or has inflated to more than `keep` bytes: a damaged
    one may have taken what follows it for its own.
    """

    def __init__(self, packed: Window, keep: int) -> None:
        self._packed = packed
        self._keep = keep
        self._decoder: zlib._Decompress | None = None
        self._position = 0
        self._size = 0
        self._in_vain = 0
        self._error = ""
        self.count = 0

    @property
    def offset(self) -> int:
        """How far the file has been read; between two members, where the next one begins."""
        return self._packed.base + self._position

    @property
    def between(self) -> bool:
        """Whether the last member has been read to its end, its checksum included."""
        return self._decoder is None

    def read(self) -> bytes | None:
        """The next piece, at most 256 KiB and never beyond a member, or None at the end; raises UnreadableError."""
        packed = self._packed
        if self._error:
            raise UnreadableError(self._error)
        if self._decoder is None:
            if not packed.fill(1):
                return None
            if not packed.fill(len(GZIP_MAGIC)) or not packed.data.startswith(GZIP_MAGIC):
                raise UnreadableError("not a gzip member")
            self._decoder = zlib.decompressobj(31)
            self.count += 1
        packed.fill(self._position + _STEP)
        piece = packed.data[self._position : self._position + _STEP]
        if not piece:
            raise UnreadableError("truncated")
        before = self._decoder.copy()
        try:
            part = self._decoder.decompress(piece, _CHUNK)
        except zlib.error as error:
            self._error = f"gzip: {error}"
            return _sound_part(before, piece)
        self._position += _consumed(self._decoder, piece)
        self._size += len(part)
        if self._decoder.eof:
            self._decoder = None
            self._size = 0
        if self._decoder is None or self._size > self._keep:
            packed.drop(self._position)
            self._position = 0
        return part

    def recover(self, anywhere: bool) -> None:
        """Go on at the next member that begins a WARC record or, `anywhere`, at the next that inflates.

        Searched from the second byte of the damaged member on; once a great deal has been inflated in vain, from
        where it could be read no further, lest members that lie within one another cost their product.
        """
        packed = self._packed
        self._in_vain += self._size
        packed.drop(1 if self._in_vain < _PATIENCE * self._keep else max(1, self._position))
        self._decoder, self._error = None, ""
        self._position = self._size = 0
        while packed.fill(len(GZIP_MAGIC)):
            at = packed.data.find(GZIP_MAGIC)
            if at < 0:
                packed.drop(len(packed.data) - len(GZIP_MAGIC) + 1)
                continue
            packed.drop(at)
            packed.fill(1 << 12)
            try:
                begin = zlib.decompressobj(31).decompress(packed.data[: 1 << 12], 16)
            except zlib.error:
                begin = b""
            if begin.startswith(RECORD_MAGIC) or (anywhere and begin):
                return
            packed.drop(1)
        packed.drop(len(packed.data))


def _sound_part(decoder: zlib._Decompress, piece: bytearray) -> bytes:
    """What a piece inflates to before the byte at which it breaks."""
    part, at, step = b"", 0, len(piece)
    while step:
        ahead = decoder.copy()
        try:
            part += ahead.decompress(piece[at : at + step])
        except zlib.error:
            step //= 2
            continue
        decoder, at = ahead, at + step
        step = min(step, len(piece) - at)
    return part


def _consumed(decoder: zlib._Decompress, piece: bytearray) -> int:
    """How much of the piece just given the decoder has used. At the end of a member zlib may repeat
    the unused rest in `unconsumed_tail`, so that only one of the two counts."""
    return len(piece) - len(decoder.unused_data if decoder.eof else decoder.unconsumed_tail)


class Inflated(Window):
    """The content of a file of gzip members as one stream; positions count inflated bytes.

    A file is `loose` once a record has been met that is not just one member. In any other one a record that is
    damaged ends with its member: text within a page that looks like a record is never taken for one.
    """

    def __init__(self, packed: Window, limit: int) -> None:
        self._members = Members(packed, limit)
        self._limit = limit
        self._ended = False
        self._loose = False
        #: Up to here members have been read to their ends, and their checksums fit.
        self._whole = 0
        #: Position and file offset of the beginnings of members: from `_first` on, of the one at `base` and behind it.
        self._starts: list[tuple[int, int]] = []
        self._first = 0
        self._last_place = -1
        self.base = 0
        self.data = bytearray()

    def fill(self, count: int) -> bool:
        while len(self.data) < count and self._inflate():
            pass
        return len(self.data) >= count

    def drop(self, count: int) -> None:
        super().drop(count)
        while self._first + 1 < len(self._starts) and self._starts[self._first + 1][0] <= self.base:
            self._first += 1
        if self._first >= _STEP:
            del self._starts[: self._first]
            self._first = 0

    def place(self) -> int:
        """That of the member; what does not begin one has that of what is before it, and one more."""
        self._last_place = max(self._starts[self._first][1], self._last_place + 1)
        return self._last_place

    def accept(self, length: int) -> int:
        """As for a plain file; 0 where members hold more than this record, or do not begin with it."""
        member, *others = self._starts[self._first : self._first + 2]
        if member[0] == self.base and others and others[0][0] == self.base + length:
            return others[0][1] - member[1]
        self._loose = True
        return 0

    def doubt(self, end: int) -> str:
        """The fault of a member that did not end well. A member is read to its end first, if it can be held."""
        end += self.base
        while self._whole < end and len(self.data) < self._limit and self._inflate():
            pass
        return self.fault if self._whole < end else ""

    def search(self) -> None:
        """As in a plain file, and at the beginnings of members. Records that are in members of their own begin
        there alone, so that what is in a page is not taken for one."""
        lines = self._loose or self._is_one_member()
        origin, left = self.base, _PATIENCE * self._limit
        while True:
            more = self.fill(_BLOCK + len(_LINE))
            at = self._beginning(origin, lines)
            if at is not None:
                self.drop(at)
                return
            if more and left > 0:
                self.drop(_BLOCK)
                left -= _BLOCK
                continue
            if not more and not self.fault:
                self.drop(len(self.data))
                return
            self._recover()
            origin, left = -1, _PATIENCE * self._limit

    def skip(self, count: int) -> None:
        """As in a plain file. Unless the file is loose, no further than to the next member that begins a record."""
        if count > _PATIENCE * self._limit:
            self.search()
            return
        origin = self.base
        while count:
            more = self.fill(_BLOCK + len(_LINE))
            at = None if self._loose else self._beginning(origin, lines=False)
            if at is not None and at <= count:
                self.drop(at)
                return
            step = min(count, _BLOCK if more else len(self.data))
            self.drop(step)
            count -= step
            if not step:
                break
        if count:
            self.search()
        else:
            self._skip_padding()

    def _inflate(self) -> bool:
        """Read one piece more; False where there is none, or none may be read before something is dropped."""
        if self._ended or len(self._starts) - self._first > _MEMBERS:
            return False
        position = self.base + len(self.data)
        if self._members.between:
            if self._starts and self._starts[-1][0] == position:
                self._starts.pop()
            self._starts.append((position, self._members.offset))
        try:
            part = self._members.read()
        except UnreadableError as unreadable:
            self.fault, part = unreadable.error, None
        if part is None:
            self._ended = True
            return False
        self.data += part
        if self._members.between:
            self._whole = self.base + len(self.data)
        return True

    def _end_within(self, end: int, newlines: int) -> int | None:
        """A record may also end with its member; what stands behind it in the same one is no other record."""
        last = bisect_left(self._starts, (self.base + end + newlines + 1, 0)) - 1
        start = self._starts[last][0] - self.base
        return start if start >= end else None

    def _beginning(self, origin: int, lines: bool) -> int | None:
        """Where a record begins in the first block: a member behind `origin`, or a line."""
        line = self.data.find(_LINE, 0, _BLOCK + len(_LINE)) + 1 if lines else 0
        for number in range(self._first, len(self._starts)):
            start = self._starts[number][0]
            at = start - self.base
            if at > (line or _BLOCK):
                break
            if start > origin and self.data.startswith(RECORD_MAGIC, at):
                return at
        return line or None

    def _is_one_member(self) -> bool:
        """Whether nothing but the first member is there, or that holds more than one record may have."""
        if self._members.count == 1:
            self.fill(self._limit)
        return self._members.count == 1 and not self.fault

    def _recover(self) -> None:
        """Go on behind a damaged member."""
        self.drop(len(self.data))
        self._starts, self._first = [], 0
        self._members.recover(self._loose)
        self._whole = self.base
        self._ended, self.fault = False, ""
