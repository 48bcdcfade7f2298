"""The files of an archive of a repository: records with paths, never paths of ours."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from crawlers.bulk.left_out import LeftOut

MAX_FILES = 1_000_000
_FAULTS = (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A plain file: its path in the archive (only a name, nothing is written there), its place, its bytes."""

    path: str
    offset: int
    body: bytes


def read_files(stream: BinaryIO, max_bytes: int) -> Iterator[ArchivedFile | LeftOut]:
    """The plain files of a tar archive, packed or not, in their order; directories, links and devices are nothing.

    Reasons of what is left out: `too_large`, `too_many_files`, `damaged_archive` (all behind it).
    """
    offset = 0
    try:
        with tarfile.open(fileobj=stream, mode="r|*") as archive:
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
                    yield ArchivedFile(member.name.removeprefix("./"), offset, content.read())
    except _FAULTS as error:
        yield LeftOut(offset, "damaged_archive", f"behind this place: {error}")
