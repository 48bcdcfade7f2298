"""7z archives (7zFormat.txt of the LZMA SDK, version 0.4): their files, each as a stream, with bounded memory.

Read are folders of one method: stored, LZMA, LZMA2, bzip2 and deflate, which is what dumps are packed by. Encryption,
PPMd and filters of programs are not.
"""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from crawlers.bulk.unpack import FAULTS, Section, chunks_of, through

MAGIC = b"7z\xbc\xaf\x27\x1c"
MAX_HEADER_BYTES = 64 << 20
MAX_FILES = 1_000_000
MAX_DICTIONARY_BYTES = 512 << 20

_END, _HEADER, _STREAMS, _FILES = 0x00, 0x01, 0x04, 0x05
_PACKED, _FOLDERS, _SUBSTREAMS, _SIZE, _CRC, _FOLDER, _FOLDER_SIZES, _COUNTS = 6, 7, 8, 9, 10, 11, 12, 13
_EMPTY, _NAMES, _ENCODED = 0x0E, 0x11, 0x17
_CODERS = {
    b"\x00": "store",
    b"\x21": "lzma2",
    b"\x03\x01\x01": "lzma",
    b"\x04\x02\x02": "bzip2",
    b"\x04\x01\x08": "deflate",
}


class SevenZipError(Exception):
    """An archive that cannot be read: `reason` is a word, `offset` where in it."""

    def __init__(self, reason: str, offset: int, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.offset = offset


@dataclass(slots=True)
class Folder:
    """Packed bytes of one or more files: where they lie, and by which method."""

    method: str
    properties: bytes
    size: int = 0
    crc: int | None = None
    offset: int = 0
    packed: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """A file: its bytes are `size` of what its folder unpacks to, from `start` on."""

    name: str
    folder: Folder
    start: int
    size: int
    crc: int | None


def read_members(stream: BinaryIO) -> list[Member]:
    """The files of an archive that have bytes, in their order; raises SevenZipError."""
    length = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    head = stream.read(32)
    if len(head) < 32 or not head.startswith(MAGIC):
        raise SevenZipError("damaged_archive", 0, "it does not begin as a 7z archive")
    offset, size, crc = struct.unpack("<QQI", head[12:32])
    if zlib.crc32(head[12:32]) != struct.unpack("<I", head[8:12])[0]:
        raise SevenZipError("damaged_archive", 8, "its first header does not fit its checksum")
    if 32 + offset + size > length:
        detail = f"{length} of {32 + offset + size} bytes are there, and the list of files stands at the end"
        raise SevenZipError("truncated_archive", length, detail)
    if size > MAX_HEADER_BYTES:
        raise SevenZipError("too_large", 32 + offset, f"a list of files of {size} bytes")
    stream.seek(32 + offset)
    try:
        return _members(stream, _checked(stream.read(size), crc))
    except (struct.error, IndexError, ValueError, KeyError, *FAULTS) as error:
        raise SevenZipError("damaged_archive", 32 + offset, f"its list of files: {error}") from None


def open_member(stream: BinaryIO, member: Member) -> Iterator[bytes]:
    """The bytes of a file, some at a time; raises one of FAULTS where they are damaged.

    They are unpacked from the beginning of the folder on, so that one stream of the archive serves one file at a time.
    """
    at, crc = 0, 0
    for piece in _unpacked(stream, member.folder):
        wanted = piece[max(0, member.start - at) : max(0, member.start + member.size - at)]
        at += len(piece)
        if wanted:
            crc = zlib.crc32(wanted, crc)
            yield wanted
        if at >= member.start + member.size:
            break
    if at < member.start + member.size:
        raise EOFError(f"{max(0, at - member.start)} of {member.size} bytes of {member.name[:200]} are there")
    if member.crc is not None and crc != member.crc:
        raise OSError(f"{member.name[:200]} does not fit its checksum")


# ---------------------------------------------------------------- unpacking


def _unpacked(stream: BinaryIO, folder: Folder) -> Iterator[bytes]:
    """What a folder unpacks to, and no more than it says to."""
    stream.seek(folder.offset)
    packed = chunks_of(Section(stream, folder.packed))
    left = folder.size
    pieces = packed if folder.method == "store" else through(_decoder(folder), packed)
    for piece in pieces:
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return


def _decoder(folder: Folder) -> Callable[[], Any]:
    if folder.method == "bzip2":
        return bz2.BZ2Decompressor
    if folder.method == "deflate":
        return _Inflate
    if folder.method == "lzma2":
        bits = folder.properties[0]
        dictionary = (2 | (bits & 1)) << (bits // 2 + 11) if bits < 40 else 1 << 32
        filters = {"id": lzma.FILTER_LZMA2, "dict_size": _allowed(dictionary)}
    else:
        packed, dictionary = struct.unpack("<BI", folder.properties[:5])
        lc, lp, pb = packed % 9, packed // 9 % 5, packed // 45
        filters = {"id": lzma.FILTER_LZMA1, "dict_size": _allowed(dictionary), "lc": lc, "lp": lp, "pb": pb}
    return lambda: lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[filters])


def _allowed(dictionary: int) -> int:
    if dictionary > MAX_DICTIONARY_BYTES:
        raise EOFError(f"it needs a dictionary of {dictionary} bytes")
    return max(dictionary, 4096)


class _Inflate:
    """zlib without a head, called as the other decompressors are."""

    unused_data = b""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(-15)

    def decompress(self, data: bytes, limit: int) -> bytes:
        return self._decoder.decompress(self._decoder.unconsumed_tail + data, limit)

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def needs_input(self) -> bool:
        return not self._decoder.unconsumed_tail


# ---------------------------------------------------------------- the list of files


class _Reader:
    """The bytes of a header, read from front to back; IndexError where they end too early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __len__(self) -> int:
        """Number of bytes that are left."""
        return len(self._data) - self._at

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def take(self, count: int) -> bytes:
        if count > len(self):
            raise IndexError("it ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self) -> int:
        """A number of one to nine bytes: the ones at the top of the first say how many follow."""
        first = self.byte()
        extra = next((k for k in range(8) if not first & (0x80 >> k)), 8)
        low = int.from_bytes(self.take(extra), "little")
        return low + ((first & (0x7F >> extra)) << (8 * extra))

    def count(self) -> int:
        """A number of things, each of which is a byte of the header at least, or a file."""
        number = self.number()
        if number > MAX_FILES:
            raise ValueError(f"{number} of something")
        return number

    def bits(self, count: int) -> list[bool]:
        packed = self.take((count + 7) // 8)
        return [bool(packed[k // 8] & (0x80 >> k % 8)) for k in range(count)]

    def crcs(self, count: int) -> list[int | None]:
        defined = [True] * count if self.byte() else self.bits(count)
        return [struct.unpack("<I", self.take(4))[0] if each else None for each in defined]

    def expect(self, kind: int) -> None:
        if (found := self.byte()) != kind:
            raise ValueError(f"{found:#x} where {kind:#x} must stand")


@dataclass(slots=True)
class _Streams:
    """Folders, and of each the sizes and checksums of the files in it."""

    folders: list[Folder] = field(default_factory=list)
    parts: list[list[tuple[int, int | None]]] = field(default_factory=list)


def _checked(data: bytes, crc: int) -> bytes:
    if zlib.crc32(data) != crc:
        raise ValueError("it does not fit its checksum")
    return data


def _members(stream: BinaryIO, header: bytes) -> list[Member]:
    reader = _Reader(header)
    kind = reader.byte()
    if kind == _ENCODED:
        (folder, *_) = _streams(reader).folders
        if folder.size > MAX_HEADER_BYTES:
            raise ValueError(f"it has {folder.size} bytes")
        whole = b"".join(_unpacked(stream, folder))
        reader = _Reader(whole if folder.crc is None else _checked(whole, folder.crc))
        kind = reader.byte()
    if kind != _HEADER:
        raise ValueError("no header")
    streams = _Streams()
    kind = reader.byte()
    if kind == _STREAMS:
        streams = _streams(reader)
        kind = reader.byte()
    names = _names(reader) if kind == _FILES else []
    members: list[Member] = []
    named = iter(names)
    for folder, parts in zip(streams.folders, streams.parts, strict=True):
        start = 0
        for size, crc in parts:
            members.append(Member(next(named, ""), folder, start, size, crc))
            start += size
    return members


def _streams(reader: _Reader) -> _Streams:
    """The folders, and what is in them."""
    offset, packed = 0, list[int]()
    found = _Streams()
    kind = reader.byte()
    if kind == _PACKED:
        offset, packed = 32 + reader.number(), [0] * reader.count()
        while (kind := reader.byte()) != _END:
            if kind == _SIZE:
                packed = [reader.number() for _ in packed]
            else:
                reader.crcs(len(packed))
        kind = reader.byte()
    if kind == _FOLDERS:
        found.folders = _folders(reader)
        kind = reader.byte()
    for folder, size in zip(found.folders, packed, strict=True):
        folder.offset, folder.packed = offset, size
        offset += size
    found.parts = [[(folder.size, folder.crc)] for folder in found.folders]
    if kind == _SUBSTREAMS:
        _substreams(reader, found)
        kind = reader.byte()
    if kind != _END:
        raise ValueError(f"unknown part {kind:#x}")
    return found


def _folders(reader: _Reader) -> list[Folder]:
    reader.expect(_FOLDER)
    count = reader.count()
    reader.expect(0)
    folders = [_folder(reader) for _ in range(count)]
    reader.expect(_FOLDER_SIZES)
    for folder in folders:
        folder.size = reader.number()
    while (kind := reader.byte()) != _END:
        if kind != _CRC:
            raise ValueError(f"unknown part {kind:#x} of folders")
        for folder, crc in zip(folders, reader.crcs(count), strict=True):
            folder.crc = crc
    return folders


def _folder(reader: _Reader) -> Folder:
    if (coders := reader.number()) != 1:
        raise ValueError(f"{coders} methods in a row are not read")
    flags = reader.byte()
    method = reader.take(flags & 0x0F)
    if flags & 0x90 or method not in _CODERS:
        raise ValueError(f"the method {method.hex()} is not read")
    return Folder(_CODERS[method], reader.take(reader.number()) if flags & 0x20 else b"")


def _substreams(reader: _Reader, found: _Streams) -> None:
    """The sizes and checksums of the files of each folder."""
    counts = [1] * len(found.folders)
    kind = reader.byte()
    if kind == _COUNTS:
        counts = [reader.count() for _ in counts]
        kind = reader.byte()
    sizes = [[folder.size] * (count == 1) for folder, count in zip(found.folders, counts, strict=True)]
    if kind == _SIZE:
        for own, folder, count in zip(sizes, found.folders, counts, strict=True):
            if count > 1:
                own += [reader.number() for _ in range(count - 1)]
                own.append(folder.size - sum(own))
        kind = reader.byte()
    if any(len(own) != count or min(own, default=0) < 0 for own, count in zip(sizes, counts, strict=True)):
        raise ValueError("the sizes of its files do not add up")
    known = [count == 1 and folder.crc is not None for folder, count in zip(found.folders, counts, strict=True)]
    missing = sum(count for count, is_known in zip(counts, known, strict=True) if not is_known)
    crcs: Iterator[int | None] = iter([None] * missing)
    if kind == _CRC:
        crcs = iter(reader.crcs(missing))
        kind = reader.byte()
    if kind != _END:
        raise ValueError(f"unknown part {kind:#x} of files")
    found.parts = [
        [(size, folder.crc if is_known else next(crcs)) for size in own]
        for own, folder, is_known in zip(sizes, found.folders, known, strict=True)
    ]


def _names(reader: _Reader) -> list[str]:
    """Names of the files that have bytes, in their order."""
    count = reader.count()
    empty, names = [False] * count, [""] * count
    while (kind := reader.number()) != _END:
        part = _Reader(reader.take(reader.number()))
        if kind == _EMPTY:
            empty = part.bits(count)
        elif kind == _NAMES:
            part.expect(0)
            names = part.take(len(part)).decode("utf-16-le", "replace").split("\0")
    return [name for name, without in zip(names, empty, strict=False) if not without]
