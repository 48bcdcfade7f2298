"""Lays out packages as labelled documents, CATEGORY/SOURCE/files: `manifests/classifiers/packages.yaml` says which.

python -m benchmarks.filter.labelled --cache build/bench --output build/bench/labelled
"""

from __future__ import annotations

import argparse
import hashlib
import heapq
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from benchmarks.extract.packages import download, members

Files = Callable[[re.Pattern[str]], Iterator[tuple[str, bytes]]]

LIST = Path(__file__).parents[2] / "manifests/classifiers/packages.yaml"
FILES = 60  # of a package and category
SMALLEST, LARGEST = 300, 400_000

_DOCUMENTS = re.compile(
    r"^\.?/?usr/share/(?:.+\.x?html?|doc/.+\.(?:md|rst|txt|fio|ini)|doc/.+/(?:README|HOWTO)[^/]*)(?:\.gz)?$"
)
_PLACES = (
    ("man_pages_cli_reference", re.compile(r"^\.?/?usr/share/man/man[1-8]/[^/]+\.gz$")),
    ("bug_trackers_and_advisories", re.compile(r"^\.?/?usr/share/doc/[^/]+/(?:changelog|NEWS)[^/]*\.gz$")),
    ("code_and_config", re.compile(r"^\.?/?(?:etc/.+|usr/share/doc/[^/]+/examples/.+\.(?:conf|sh|ya?ml|cfg|service|j2|tf)(?:\.gz)?)$")),
)  # fmt: skip
# Pages that a generator made of source files are code, whatever the package is.
_SOURCE_PAGE = re.compile(r"/_modules/|_source\.html|/src/|\.h\.html$")
_OTHER_LANGUAGE = re.compile(r"[/._-](?:ar|bg|ca|cs|da|de|el|es|fa|fi|fr|it|ja|ko|nb|nl|pl|pt|ro|ru|sk|sl|sv|tr|uk|vi|zh)(?:[-_][A-Za-z]{2,4})?(?:/|\.x?html?)")  # fmt: skip
_FETCH_S = 600


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("build/bench"))
    parser.add_argument("--output", type=Path, default=Path("build/bench/labelled"))
    options = parser.parse_args(arguments)
    listed = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    places = compiled(listed["places"])
    packages = categories(listed)
    debs = download(sorted(packages), options.cache, print)
    for package, deb in sorted(debs.items()):
        _say(package, lay_out(package, deb, packages[package], places, options.output))
    for package, wanted in sorted(listed["trees"].items()):
        archive = fetch(package, options.cache / "trees")
        if archive is None:
            print(f"skipped {package}: its source cannot be fetched")
        else:
            _say(package, lay_out_tree(package, archive, wanted, options.output))


def _say(package: str, counts: dict[str, int]) -> None:
    print(package, *(f"{category}={count}" for category, count in sorted(counts.items())), flush=True)


def categories(listed: dict[str, Any]) -> dict[str, str]:
    """The category of each package's documentation pages; empty where they are not read."""
    found = dict.fromkeys(listed["other"], "")
    for category, names in listed["documentation"].items():
        flat = chain.from_iterable(name if isinstance(name, list) else [name] for name in names)
        found |= dict.fromkeys(flat, category)
    return found


def compiled(places: dict[str, list[str]]) -> list[tuple[str, re.Pattern[str]]]:
    """The categories that a page's path tells before its package does, in their order."""
    return [(category, re.compile("|".join(patterns))) for category, patterns in places.items()]


def lay_out(
    package: str, deb: Path, category: str, places: Sequence[tuple[str, re.Pattern[str]]], output: Path
) -> dict[str, int]:
    """Writes the chosen files of a package; how many of each category. Which ones, the hashes of their paths say."""

    def files(pattern: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
        return members(deb, pattern, SMALLEST, LARGEST)

    counts = {
        label: _write(files, pattern, None, label, _source(package, label, category), output)
        for label, pattern in _PLACES
    }
    if category:
        for label in dict.fromkeys([category, *(place for place, _ in places)]):
            of_label = _told_by(places, category, label)
            source = package if label == category else f"{package}:{label}"
            counts[label] = counts.get(label, 0) + _write(files, _DOCUMENTS, of_label, label, source, output)
    return {label: count for label, count in counts.items() if count}


def _told_by(places: Sequence[tuple[str, re.Pattern[str]]], category: str, label: str) -> Callable[[str], bool]:
    """Whether a page's label is this one: of the first place that fits its path, else of its package."""

    def of_label(path: str) -> bool:
        return next((place for place, pattern in places if pattern.search(path)), category) == label

    return of_label


def lay_out_tree(package: str, archive: Path, wanted: dict[str, str], output: Path) -> dict[str, int]:
    """Writes the files of a source archive whose paths fit the pattern of a category; mails as one mailbox."""

    def files(pattern: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
        with tarfile.open(archive) as tar:
            for member in tar:
                stream = tar.extractfile(member) if member.isfile() and pattern.search(member.name) else None
                if stream is not None and SMALLEST <= member.size <= LARGEST:
                    yield member.name, stream.read()

    counts = {}
    for label, pattern in wanted.items():
        counts[label] = _write(files, re.compile(pattern), None, label, package, output)
        _join_mails(output / label / package)
    return {label: count for label, count in counts.items() if count}


def _join_mails(folder: Path) -> None:
    mails = sorted(folder.glob("*.eml"))
    if mails:
        whole = (
            b"From mail Thu Jan  1 00:00:00 1970\n" + re.sub(rb"(?m)^From ", b">From ", mail.read_bytes()) + b"\n"
            for mail in mails
        )
        (folder / "mails.mbox").write_bytes(b"".join(whole))
    for mail in mails:
        mail.unlink()


def fetch(package: str, folder: Path) -> Path | None:
    """The source archive of a Debian package, where this machine's apt knows sources (`deb-src`); else None."""
    target = folder / package
    target.mkdir(parents=True, exist_ok=True)
    if not list(target.glob("*.orig.tar.*")):
        try:
            subprocess.run(
                ["apt-get", "-qq", "source", "--download-only", package], cwd=target, check=False, timeout=_FETCH_S,
                capture_output=True, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return None
    archives = [each for each in sorted(target.glob("*.orig.tar.*")) if not each.name.endswith(".asc")]
    return archives[0] if archives else None


def _write(
    files: Files, pattern: re.Pattern[str], of_label: Callable[[str], bool] | None, label: str, source: str,
    output: Path,
) -> int:  # fmt: skip
    """Writes the files of one label and source whose paths have the least hashes; how many."""
    found = (
        (hashlib.sha256(path.encode()).hexdigest(), path, body)
        for path, body in files(pattern)
        if _is_wanted(path) and (of_label is None or of_label(path))
    )
    chosen = heapq.nsmallest(FILES, found, key=lambda each: each[0])
    for key, path, body in chosen:
        target = output / label / source / f"{key[:8]}-{_name(path)}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
    return len(chosen)


def _is_wanted(path: str) -> bool:
    return not _OTHER_LANGUAGE.search(path) and not _SOURCE_PAGE.search(path) and not path.endswith("copyright")


def _name(path: str) -> str:
    """A file's name, with an ending by which a reader takes it."""
    name = Path(path).name.removesuffix(".gz").removesuffix(".fio")
    if name.startswith(("changelog", "CHANGELOG", "NEWS", "README", "HOWTO")) and "." not in name.removesuffix(
        ".Debian"
    ):
        return f"{name}.txt"
    return f"{name}.eml" if "/corpora/" in path else name


def _source(package: str, label: str, category: str) -> str:
    """Changelogs of all packages are one source: they are written by one rule."""
    if label == "bug_trackers_and_advisories":
        return "debian-changelogs"
    return package if label == category else f"{package}:{label}"


if __name__ == "__main__":
    main()
