"""Packages of Debian (deb(5)): the files that they install, and the index that a mirror has of them (deb822(5))."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from crawlers.bulk.archive import ArchivedFile, read_files
from crawlers.bulk.left_out import LeftOut
from crawlers.bulk.unpack import Section

_MAGIC = b"!<arch>\n"
_HEADER_BYTES = 60
_MAX_MEMBERS = 16
#: Of a stanza no more is kept: descriptions are not what it is read for.
_MAX_STANZA_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Package:
    """What an index says of a package: where its file is below the mirror, and its digest in hex."""

    name: str
    path: str
    sha256: str


def read_packages(chunks: Iterable[bytes]) -> Iterator[Package]:
    """The packages of a `Packages` file, unpacked, in their order; stanzas without name, path or digest are none."""
    for stanza in _stanzas(chunks):
        fields: dict[bytes, bytes] = {}
        for line in stanza.split(b"\n"):
            name, colon, value = line.partition(b":")
            if colon and name in (b"Package", b"Filename", b"SHA256"):
                fields[name] = value.strip()
        if len(fields) == 3:
            stated = (fields[key].decode("utf-8", "replace") for key in (b"Package", b"Filename", b"SHA256"))
            yield Package(*stated)


def _stanzas(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n\n")
        yield from whole
        if len(rest) > _MAX_STANZA_BYTES:
            rest = rest[-1:]
    yield rest


def read_deb(stream: BinaryIO, max_bytes: int) -> Iterator[ArchivedFile | LeftOut]:
    """The files that a package installs, in their order, paths without a leading slash; offsets in its unpacked tar.

    Reasons of what is left out: those of `read_files`.
    """
    stream.seek(0)
    if stream.read(len(_MAGIC)) != _MAGIC:
        yield LeftOut(0, "damaged_archive", "it does not begin as a package")
        return
    at = len(_MAGIC)
    for _ in range(_MAX_MEMBERS):
        stream.seek(at)
        header = stream.read(_HEADER_BYTES)
        size = header[48:58].strip()
        if len(header) < _HEADER_BYTES or not header.endswith(b"`\n") or not size.isdigit():
            break
        at += _HEADER_BYTES
        if header.startswith(b"data.tar"):
            yield from read_files(Section(stream, int(size)), max_bytes)
            return
        at += int(size) + int(size) % 2
    yield LeftOut(at, "damaged_archive", "no data.tar is in it")
