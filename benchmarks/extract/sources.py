"""The sources that manuals were built from: shipped beside their pages, or in the source package."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.extract.packages import Entry, Log, download, members
from crawlers.farm.apt import Apt, FarmUnavailable

LARGEST = 1_000_000
TIME_LIMIT_S = 600
FILES = {
    "rst": re.compile(r"/_sources/.*\.txt$"),
    "asciidoc": re.compile(r"\.(?:txt|adoc|asciidoc)$"),
    "markdown": re.compile(r"\.md(?:\.gz)?$"),
    "docbook": re.compile(r"\.(?:xml|sgml|dbk|docbook)$"),
}
_SYSTEM = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d"))


def texts(entry: Entry, cache: Path, log: Log) -> dict[str, str]:
    """The sources of an entry by path; empty, with one line said, where they cannot be had."""
    pattern = FILES[entry.literals]
    if not entry.source:
        deb = download([entry.package], cache, log).get(entry.package)
        return _decoded(members(deb, pattern, 1, LARGEST)) if deb is not None else {}
    kept = cache / "sources" / f"{entry.source}.json"
    if not kept.exists():
        try:
            found = _decoded(_unpacked(_fetch(entry.source, cache, log), pattern))
        except FarmUnavailable as error:
            log(f"skipped the sources of {entry.name}: {error}")
            return {}
        kept.write_text(json.dumps(found), encoding="utf-8")
    loaded: dict[str, str] = json.loads(kept.read_text(encoding="utf-8"))
    return loaded


def _decoded(files: Iterator[tuple[str, bytes]]) -> dict[str, str]:
    return {path: body.decode("utf-8", "replace") for path, body in files}


def beside(entry: Entry, page: str, texts: dict[str, str]) -> list[str]:
    """The source of a page: where the package ships it, that file; else all files of the source package."""
    if entry.source:
        return sorted(texts)
    stem = page.removesuffix(".html")
    parts = stem.split("/")
    tried = [stem + end for end in (".txt", ".md", ".md.gz")]
    for place in range(len(parts) - 1, 0, -1):
        kept = "/".join([*parts[:place], "_sources", *parts[place:]])
        tried += [f"{kept}.rst.txt", f"{kept}.txt"]
    return [path for path in tried if path in texts][:1]


def _fetch(source: str, cache: Path, log: Log) -> list[Path]:
    """The archives of a source package, downloaded with apt."""
    folder = cache.resolve() / "sources" / source
    folder.mkdir(parents=True, exist_ok=True)
    configuration = _apt(cache.resolve() / "apt-sources", log)
    log(f"downloading the source package {source}")
    command = ["apt-get", "-qq", *configuration, "source", "--download-only", source]
    done = subprocess.run(
        command, cwd=folder, timeout=TIME_LIMIT_S, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        errors="replace",
    )  # fmt: skip
    if done.returncode:
        raise FarmUnavailable((done.stderr.strip() or f"exit code {done.returncode}").splitlines()[0])
    return sorted(path for path in folder.iterdir() if ".tar." in path.name and not path.name.endswith(".asc"))


@functools.cache
def _apt(home: Path, log: Log) -> list[str]:
    """Options for an apt that knows the source packages of the machine's own package sources; its lists are fetched."""
    Apt(home, log)  # writes the configuration, and says what is missing
    own = home / "sources.list.d"
    own.mkdir(exist_ok=True)
    files = [
        path for each in _SYSTEM for path in (sorted(each.iterdir()) if each.is_dir() else [each]) if path.is_file()
    ]
    for path in files:
        text = re.sub(r"^deb\s", "deb-src ", path.read_text(encoding="utf-8"), flags=re.M)
        (own / path.name).write_text(re.sub(r"^Types:.*", "Types: deb-src", text, flags=re.M), encoding="utf-8")
    options = [
        "-c",
        str(home / "apt.conf"),
        "-o",
        "Dir::Etc::sourcelist=/dev/null",
        "-o",
        f"Dir::Etc::sourceparts={own}",
    ]
    # Lists that cannot be fetched show in the download.
    subprocess.run(["apt-get", "-qq", *options, "update"], timeout=TIME_LIMIT_S, check=False, capture_output=True)
    return options


def _unpacked(archives: list[Path], pattern: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    for archive in archives:
        with tarfile.open(archive, "r|*") as tar:
            for member in tar:
                if member.isfile() and member.size <= LARGEST and pattern.search(member.name):
                    stream = tar.extractfile(member)
                    if stream is not None:
                        yield f"{archive.name}:{member.name}", stream.read()
