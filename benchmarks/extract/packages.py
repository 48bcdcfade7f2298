"""The documentation pages: packages brought with apt, and a sample of the pages of each that is always the same.

A package is read as a stream and never unpacked. A cache directory holds

    debs/PACKAGE.deb                     each package as downloaded
    pages/ENTRY/0.html, 1.html, ...      the sample of an entry of `packages.yaml`
    pages/ENTRY/sample.json              where each page stood, written last
"""

from __future__ import annotations

import hashlib
import heapq
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from zlib import MAX_WBITS, decompressobj
from zlib import error as ZlibError

import yaml

from crawlers.farm.apt import Apt, FarmUnavailable

SAMPLE = 3  # raise it when the same package would give other pages
PAGES = 35
SMALLEST, LARGEST = 2_000, 400_000
LIST = Path(__file__).with_name("packages.yaml")

_PAGE = re.compile(r"\.x?html?(?:\.en)?(?:\.gz)?$")
_CODE = re.compile(
    rb"<(?:pre|xmp|listing)[\s>]|class=\"fragment\"|<code[^>]*>[^<]*<br|<table[^>]+class=\"[^\"]*highlight", re.I
)
_LANG = re.compile(rb"<html[^>]*?\slang=[\"']?([A-Za-z]+)", re.I)
OTHER_LANGUAGE = re.compile(
    r"(?:^|[/._-])(?:ar|bg|ca|cs|da|de|el|es|fa|fi|fr|he|hr|hu|id|it|ja|ko|nb|nl|no|pl|pt|ro|ru|sk|sl|sv|tr|uk|vi|zh)"
    r"(?:[-_][A-Za-z]{2,4})?(?:/|\.x?html?)", re.I,
)  # fmt: skip

Log = Callable[[str], None]


@dataclass(frozen=True)
class Entry:
    """One entry of the list: pages of one package that one generator made."""

    package: str
    generator: str
    below: str = ""
    literals: str = ""
    source: str = ""

    @property
    def name(self) -> str:
        """The entry's name, fit for a directory."""
        part = re.sub(r"\W+", "-", self.below).strip("-")
        return f"{self.package}+{part}" if part else self.package


@dataclass(frozen=True)
class Sampled:
    """One page of the sample; `path` is where the package has it, `hash` the SHA-256 of its bytes."""

    entry: Entry
    path: str
    file: Path
    hash: str
    size: int


def entries(limit: int = 0) -> list[Entry]:
    """The entries of the list; of a limited number, as many of each generator as there is room for."""
    listed = yaml.safe_load(LIST.read_text(encoding="utf-8"))["generators"]
    rows = [[Entry(generator=name, **fields) for fields in group] for name, group in listed.items()]
    if not limit:
        return [entry for row in rows for entry in row]
    return [entry for column in zip_longest(*rows) for entry in column if entry][:limit]


def sample(wanted: Sequence[Entry], cache: Path, log: Log) -> list[Sampled]:
    """The pages of the entries, sampled where the cache has none; what cannot be had is said and left out."""
    missing = [entry for entry in wanted if not _is_made(entry, cache)]
    debs = download(sorted({entry.package for entry in missing}), cache, log) if missing else {}
    for number, entry in enumerate(missing, 1):
        if entry.package in debs:
            count = _make(entry, debs[entry.package], cache)
            log(f"sampled {entry.name}: {count} pages ({number} of {len(missing)})")
    return [page for entry in wanted if _is_made(entry, cache) for page in _pages(entry, cache)]


def download(packages: Sequence[str], cache: Path, log: Log) -> dict[str, Path]:
    """The files of the packages that can be had, by package; those that cannot are said in one line each."""
    folder = cache / "debs"
    folder.mkdir(parents=True, exist_ok=True)
    absent = [name for name in packages if not (folder / f"{name}.deb").exists()]
    try:
        apt = Apt(cache.resolve() / "apt", log) if absent else None
    except FarmUnavailable as error:
        log(f"skipped {len(absent)} packages: {error}")
        absent = []
    for name in absent:
        assert apt is not None
        try:
            log(f"downloading {name}, {apt.choose([[name]])[name] / 1e6:.1f} MB")
            apt.download([name], folder)
        except FarmUnavailable as error:
            log(f"skipped {name}: {error}")
    return {name: folder / f"{name}.deb" for name in packages if (folder / f"{name}.deb").exists()}


def members(deb: Path, pattern: re.Pattern[str], smallest: int, largest: int) -> Iterator[tuple[str, bytes]]:
    """Path and content of the plain files of a package that match, `.gz` inflated; damaged ones are left out."""
    command = ["dpkg-deb", "--fsys-tarfile", str(deb)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as unpacking:
        assert unpacking.stdout is not None
        with tarfile.open(fileobj=unpacking.stdout, mode="r|") as tar:
            for member in tar:
                if not member.isfile() or member.size > largest or not pattern.search(member.name):
                    continue
                stream = tar.extractfile(member)
                body = stream.read() if stream is not None else b""
                try:
                    body = _inflate(body, largest + 1) if member.name.endswith(".gz") else body
                except ZlibError:
                    continue
                if smallest <= len(body) <= largest:
                    yield member.name.lstrip("."), body


def _inflate(body: bytes, limit: int) -> bytes:
    return decompressobj(MAX_WBITS | 16).decompress(body, limit)


def _make(entry: Entry, deb: Path, cache: Path) -> int:
    """Sample the pages of a package: those whose paths have the smallest hashes."""
    kept: list[tuple[int, str, bytes]] = []
    for path, body in members(deb, _PAGE, SMALLEST, LARGEST):
        rank = -int.from_bytes(hashlib.sha256(path.encode()).digest()[:8])
        full = len(kept) == PAGES
        if entry.below in path and not (full and rank <= kept[0][0]) and _is_wanted(path, body):
            (heapq.heappushpop if full else heapq.heappush)(kept, (rank, path, body))
    folder = cache / "pages" / entry.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rows = []
    for number, (_, path, body) in enumerate(sorted(kept, key=lambda page: page[1])):
        (folder / f"{number}.html").write_bytes(body)
        rows.append([path, hashlib.sha256(body).hexdigest(), len(body)])
    package = hashlib.sha256(deb.read_bytes()).hexdigest()
    settings = {"sample": SAMPLE, "package_sha256": package, "pages": rows}
    (folder / "sample.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    return len(rows)


def _is_wanted(path: str, body: bytes) -> bool:
    """Whether a page is English and holds what may be code."""
    if OTHER_LANGUAGE.search(path) or not _CODE.search(body):
        return False
    declared = _LANG.search(body, 0, 2000)
    return declared is None or declared.group(1).lower() == b"en"


def _is_made(entry: Entry, cache: Path) -> bool:
    try:
        made = json.loads((cache / "pages" / entry.name / "sample.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    return bool(made["sample"] == SAMPLE)


def _pages(entry: Entry, cache: Path) -> list[Sampled]:
    folder = cache / "pages" / entry.name
    made = json.loads((folder / "sample.json").read_text(encoding="utf-8"))
    return [
        Sampled(entry, path, folder / f"{number}.html", digest, size)
        for number, (path, digest, size) in enumerate(made["pages"])
    ]
