"""The files of an archive of a repository: records with paths, never paths of ours."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import RawIOBase
from typing import BinaryIO
from urllib.parse import quote

from crawlers.bulk.left_out import LeftOut
from crawlers.bulk.unpack import FAULTS, ChunkStream, unpacked

MAX_FILES = 1_000_000
#: A name that is longer than this is none.
MAX_HEADER_BYTES = 1 << 20
#: In the head of an archive of ours: the URL of a file for people, with `{}` for its path.
PAGE = "SYSCORPUS.page"

_HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


# An encrypted member is a RuntimeError, an unknown method a NotImplementedError.
_ZIP_FAULTS = (zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError, *FAULTS)


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A plain file: its path in the archive (only a name, nothing is written there), its place, its bytes.

    `page` is its URL for people, empty where the archive states none.
    """

    path: str
    offset: int
    body: bytes
    page: str = ""


def read_files(stream: BinaryIO | RawIOBase, max_bytes: int) -> Iterator[ArchivedFile | LeftOut]:
    """The plain files of a tar archive, packed or not, in their order; directories, links and devices are nothing.

    Reasons of what is left out: `too_large`, `too_many_files`, `damaged_archive` (all behind it).
    """
    offset = 0
    blocks = _Blocks(unpacked(stream))
    try:
        with tarfile.open(fileobj=blocks, mode="r|", tarinfo=_Member) as archive:
            for number, member in enumerate(archive):
                offset = member.offset
                if number >= MAX_FILES:
                    yield LeftOut(offset, "too_many_files", f"more than {MAX_FILES} members")
                    return
                if not member.isfile():
                    continue
                if member.size > max_bytes:
                    yield LeftOut(offset, "too_large", f"{member.name[:200]}: {member.size} bytes, limit {max_bytes}")
                    continue
                content = archive.extractfile(member)
                if content is not None:
                    path = member.name.removeprefix("./")
                    page = archive.pax_headers.get(PAGE, "").replace("{}", quote(path))
                    yield ArchivedFile(path, offset, content.read(), page)
        if blocks.last.strip(b"\0"):
            yield LeftOut(offset, "damaged_archive", "behind this place: it has no end")
    except (tarfile.TarError, *FAULTS) as error:
        yield LeftOut(offset, "damaged_archive", f"behind this place: {error}")


def read_zip(stream: BinaryIO, max_bytes: int) -> Iterator[ArchivedFile | LeftOut]:
    """The plain files of a zip archive, in the order of its directory; `stream` is seekable.

    Reasons of what is left out: those of `read_files`; without its directory, which stands at its end, nothing is read.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            for member in members[:MAX_FILES]:
                if not member.is_dir():
                    yield _unzipped(archive, member, max_bytes)
            if len(members) > MAX_FILES:
                yield LeftOut(members[MAX_FILES].header_offset, "too_many_files", f"more than {MAX_FILES} members")
    except _ZIP_FAULTS as error:
        yield LeftOut(0, "damaged_archive", f"its directory: {error}")


def _unzipped(archive: zipfile.ZipFile, member: zipfile.ZipInfo, max_bytes: int) -> ArchivedFile | LeftOut:
    at = member.header_offset
    try:
        with archive.open(member) as content:
            body = content.read(max_bytes + 1)
    except _ZIP_FAULTS as error:
        return LeftOut(at, "damaged_archive", f"{member.filename[:200]}: {error}")
    if len(body) > max_bytes:
        return LeftOut(at, "too_large", f"{member.filename[:200]}: more than {max_bytes} bytes")
    return ArchivedFile(member.filename.removeprefix("./"), at, body)


class _Blocks(ChunkStream):
    """Keeps the last block that was read: at the end of an archive it is empty (POSIX.1-2017, pax)."""

    last = b""

    def read(self, size: int = -1) -> bytes:
        """As many bytes as were asked for, but at the end."""
        parts: list[bytes] = []
        while size > 0 and (part := super().read(size)):
            parts.append(part)
            size -= len(part)
        read = b"".join(parts)
        if read:
            self.last = read[-tarfile.BLOCKSIZE :]
        return read


class _Member(tarfile.TarInfo):
    """A member whose name is not larger than memory."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _HEADERS and self.size > MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]
