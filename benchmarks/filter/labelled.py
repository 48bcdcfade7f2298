"""Lays out Debian packages as labelled documents, CATEGORY/SOURCE/files: `manifests/classifiers/packages.yaml` says which.

python -m benchmarks.filter.labelled --cache build/bench --output build/bench/labelled
"""

from __future__ import annotations

import argparse
import hashlib
import heapq
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from benchmarks.extract.packages import download, members

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
_SOURCE_PAGE = re.compile(r"/_modules/|_source\.html|/src/")
_OTHER_LANGUAGE = re.compile(r"[/._-](?:ar|bg|ca|cs|da|de|el|es|fa|fi|fr|it|ja|ko|nb|nl|pl|pt|ro|ru|sk|sv|tr|uk|vi|zh)(?:[-_][A-Za-z]{2,4})?(?:/|\.x?html?)")  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("build/bench"))
    parser.add_argument("--output", type=Path, default=Path("build/bench/labelled"))
    options = parser.parse_args(arguments)
    packages = categories(yaml.safe_load(LIST.read_text(encoding="utf-8")))
    debs = download(sorted(packages), options.cache, print)
    for package, deb in sorted(debs.items()):
        counts = lay_out(package, deb, packages[package], options.output)
        print(package, *(f"{category}={count}" for category, count in sorted(counts.items())), flush=True)


def categories(listed: dict[str, Any]) -> dict[str, str]:
    """The category of each package's documentation pages; empty where they are not read."""
    found = dict.fromkeys(listed["other"], "")
    for category, names in listed["documentation"].items():
        flat = chain.from_iterable(name if isinstance(name, list) else [name] for name in names)
        found |= dict.fromkeys(flat, category)
    return found


def lay_out(package: str, deb: Path, category: str, output: Path) -> dict[str, int]:
    """Writes the chosen files of a package; how many of each category. Which ones, the hashes of their paths say."""
    places = [(category, _DOCUMENTS)] if category else []
    counts = {}
    for label, pattern in (*_PLACES, *places):
        chosen = heapq.nsmallest(FILES, _files(deb, pattern), key=lambda each: each[0])
        for key, path, body in chosen:
            name = f"{key[:8]}-{_name(path)}"
            target = output / label / _source(package, label) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(body)
        if chosen:
            counts[label] = len(chosen)
    return counts


def _name(path: str) -> str:
    """A file's name, with an ending by which a reader takes it."""
    name = Path(path).name.removesuffix(".gz").removesuffix(".fio")
    return (
        f"{name}.txt"
        if name.startswith(("changelog", "NEWS", "README", "HOWTO")) and not name.endswith(".html")
        else name
    )


def _source(package: str, label: str) -> str:
    """Changelogs of all packages are one source: they are written by one rule."""
    return "debian-changelogs" if label == "bug_trackers_and_advisories" else package


def _files(deb: Path, pattern: re.Pattern[str]) -> Iterator[tuple[str, str, bytes]]:
    for path, body in members(deb, pattern, SMALLEST, LARGEST):
        if not _OTHER_LANGUAGE.search(path) and not _SOURCE_PAGE.search(path) and not path.endswith("copyright"):
            yield hashlib.sha256(path.encode()).hexdigest(), path, body


if __name__ == "__main__":
    main()
