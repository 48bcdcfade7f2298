"""Packed streams, unpacked as they are read; and streams that end where they are damaged, and say so afterwards."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, BinaryIO

try:
    from compression import zstd  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    from backports import zstd

#: What unpacking raises for bytes that are damaged, or end too early.
FAULTS = (EOFError, OSError, zlib.error, lzma.LZMAError, zstd.ZstdError)
#: What one stream may unpack to: more than the largest dump of a site has, and an end to a bomb.
MAX_UNPACKED_BYTES = 512 << 30
_MAX_MEMORY = 512 << 20
_CHUNK = 1 << 18
#: Unpacked at once, and lost with a damage behind it.
_PIECE = 1 << 14
#: Decoders check what they gave when a block of it has ended: so much may be wrong before they notice.
_DOUBT = 1 << 20
#: A line longer than this is not held back.
_LONGEST_LINE = 16 << 20


class _Gunzip:
    """zlib, called as the other decompressors are."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(31)

    def decompress(self, data: bytes, limit: int) -> bytes:
        return self._decoder.decompress(self._decoder.unconsumed_tail + data, limit)

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def needs_input(self) -> bool:
        return not self._decoder.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data


def _unxz() -> Any:
    return lzma.LZMADecompressor(memlimit=_MAX_MEMORY)


def _unzstd() -> Any:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 27})


_BY_MAGIC: tuple[tuple[bytes, Callable[[], Any]], ...] = (
    (b"\x1f\x8b", _Gunzip),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", _unxz),
    (b"\x28\xb5\x2f\xfd", _unzstd),
)


def unpacked(stream: BinaryIO | io.RawIOBase) -> Iterator[bytes]:
    """The bytes of a stream, those of gzip, bzip2, xz and zstd unpacked, some at a time; raises one of FAULTS."""
    chunks = chunks_of(stream)
    first = next(chunks, b"")
    for magic, decoder in _BY_MAGIC:
        if first.startswith(magic):
            return through(decoder, chain([first], chunks))
    return chain([first], chunks) if first else iter(())


def through(decoder: Callable[[], Any], chunks: Iterator[bytes]) -> Iterator[bytes]:
    """What a decoder makes of packed bytes, member after member, a bounded piece at a time; raises one of FAULTS."""
    size = 0
    packed = next(chunks, b"")
    while packed:
        member = decoder()
        while not member.eof:
            if member.needs_input and not packed:
                packed = next(chunks, b"")
                if not packed:
                    raise EOFError("it is cut short")
            piece = member.decompress(packed, _PIECE)
            packed = b""
            size += len(piece)
            if size > MAX_UNPACKED_BYTES:
                raise EOFError(f"it has more than {MAX_UNPACKED_BYTES} bytes")
            if piece:
                yield piece
        packed = member.unused_data or next(chunks, b"")
        if not packed.strip(b"\0"):
            return  # what pads a file to the size of a block


def chunks_of(stream: BinaryIO | io.RawIOBase) -> Iterator[bytes]:
    """The bytes of a stream, some at a time."""
    while chunk := stream.read(_CHUNK):
        yield chunk


class Section(io.RawIOBase):
    """The next bytes of a stream, and not those behind them."""

    def __init__(self, stream: BinaryIO, length: int) -> None:
        self._stream = stream
        self._left = length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        read = self._stream.read(min(len(buffer), self._left))
        buffer[: len(read)] = read
        self._left -= len(read)
        return len(read)


class ChunkStream(io.RawIOBase):
    """The bytes that an iterator gives, as a stream; what unpacking raises, as EOFError."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._ready = b""
        self._at = 0
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while self._at == len(self._ready) and not self._ended:
            self._ready, self._at = b"", 0
            self._advance()
        part = self._ready[self._at : self._at + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _advance(self) -> None:
        try:
            chunk = next(self._chunks, None)
        except FAULTS as error:
            raise EOFError(f"{type(error).__name__}: {error}") from None
        self._ended = chunk is None
        self._ready = chunk or b""


class SoundStream(ChunkStream):
    """Ends where its bytes are damaged, behind a whole line; then `fault` says what was wrong.

    Of a stream that is cut short the last line is not given, which is part of something; of one with wrong bytes, no
    line of the last MiB before they were noticed. `offset`: where what is given ends.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__(chunks)
        self._held = bytearray()
        self.fault = ""
        self.offset = 0

    def _advance(self) -> None:
        try:
            chunk = next(self._chunks, None)
        except EOFError as error:
            self._fail(error, self._held.rfind(b"\n") + 1)
        except FAULTS as error:
            self._fail(error, 0)
        else:
            self._held += chunk or b""
            self._ended = chunk is None
            if self._ended or len(self._held) > _LONGEST_LINE:
                self._give(len(self._held))
            elif len(self._held) > _DOUBT + _DOUBT // 4:
                self._give(self._held.rfind(b"\n", 0, len(self._held) - _DOUBT) + 1)

    def _fail(self, error: Exception, whole: int) -> None:
        self.fault = f"{type(error).__name__}: {error}"
        self._ended = True
        self._give(whole)

    def _give(self, count: int) -> None:
        self._ready = bytes(self._held[:count])
        self.offset += count
        del self._held[:count]
