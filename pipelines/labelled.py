"""Documents whose category is known by where they lie: CATEGORY/SOURCE.tar.gz, or CATEGORY/SOURCE/ with files."""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from manifests.models import ExtractSettings
from pipelines.extract.page import NoText, Page, Unreadable
from pipelines.extract.readers import read
from pipelines.extract.records import Broken, Raw, read_raw

_LICENCES = ("license", "licence", "copying", "copyright", "notice")
_LARGEST = 32 << 20
_TABLES = ("Posts.xml", "Comments.xml", "Users.xml")


@dataclass(frozen=True)
class Labelled:
    """A document for training: what a model reads, and what it shall learn. `name` is its URL or its path.

    `relevance` and `quality`: from 1 to 5, where somebody has said so.
    """

    category: str
    source: str
    name: str
    title: str
    method: str
    generator: str
    text: str
    relevance: int | None = None
    quality: int | None = None


def read_labelled(folder: Path, most: int) -> Iterator[Labelled]:
    """The documents of every source below a folder, of each at most so many: those whose texts have the least hashes.

    Licence files and what cannot be read are left out; a text that stands twice is read once.
    """
    seen: set[str] = set()
    for place in sorted(folder.glob("*/*")):
        found = {hashlib.sha256(each.text.encode()).hexdigest(): each for each in _documents(place)}
        for key in sorted(found.keys() - seen)[:most]:
            yield found[key]
        seen |= found.keys()


def _documents(place: Path) -> Iterator[Labelled]:
    """Everything that one source has; a file beside the sources that is none of a known kind gives nothing."""
    category, source = place.parent.name, place.name.split(".")[0]
    limits = ExtractSettings()
    for raw in _records(place):
        page = _page(raw, limits)
        if page is not None and page.text.strip():
            name = raw.url or raw.name
            yield Labelled(category, source, name, page.title, page.method, page.generator, page.text)


def _records(place: Path) -> Iterator[Raw]:
    with tempfile.TemporaryDirectory() as work:
        place = _unpacked_posts(place, Path(work)) or place
        files = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
        for path in files:
            for raw in read_raw(str(path), path.name, _LARGEST, path.name):
                if not isinstance(raw, Broken) and not _is_licence(raw.name or raw.url):
                    yield raw


def _unpacked_posts(place: Path, work: Path) -> Path | None:
    """The tables of a Stack Exchange dump that lies in an archive, as files: its threads need all of them."""
    if place.is_dir() or not tarfile.is_tarfile(place):
        return None
    with tarfile.open(place) as archive:
        names = [name for name in archive.getnames() if name.endswith(_TABLES)]
        if not any(name.endswith(_TABLES[0]) for name in names):
            return None
        for name in names:
            table = archive.extractfile(name)
            if table is not None:  # only its own name is used: a path in an archive is nobody's to choose
                (work / PurePosixPath(name).name).write_bytes(table.read())
    return work


def _is_licence(name: str) -> bool:
    return name.rpartition("/")[2].lower().startswith(_LICENCES)


def _page(raw: Raw, limits: ExtractSettings) -> Page | None:
    if raw.columns is not None:
        return None
    try:
        return read(raw.body, raw.content_type, raw.name, limits)
    except (NoText, Unreadable):
        return None
