"""Prepares the farm: a document root for each host, from distribution packages or from files of this project.

Packages are downloaded with apt and unpacked, never installed. A cache directory holds

    apt/                    apt's own state and package lists
    debs/PACKAGE.deb        each package as downloaded
    sites/SOURCE/           the document root of a source
    sites/SOURCE.json       its settings, written last: without it, or with other settings, it is made again
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from crawlers.farm import docroot, manpages
from crawlers.farm.apt import Apt, FarmUnavailable, unpack
from manifests.models import Farm, Source

__all__ = ["FarmUnavailable", "prepare"]

BUILD = 1  # raise it when the same package would give other files
REPOSITORY = Path(__file__).resolve().parents[2]
MANDOC = "mandoc"

Log = Callable[[str], None]


def prepare(sources: Sequence[Source], cache: Path, log: Log) -> dict[str, Path]:
    """The document root of each host of the sources that have a farm entry; what is missing is made.

    A second call with the same cache needs neither apt nor a network. Raises FarmUnavailable, with one
    line, where packages are needed and cannot be had.
    """
    farmed = [(source, source.farm) for source in sources if source.farm is not None]
    cache.mkdir(parents=True, exist_ok=True)
    cache = cache.resolve()
    roots: dict[str, Path] = {}
    with _locked(cache):
        missing = [(source, farm) for source, farm in farmed if farm.packages and not _is_made(source, farm, cache)]
        debs = _download([farm for _, farm in missing], cache, log) if missing else {}
        for source, farm in missing:
            _make(source, farm, debs, cache, log)
    for source, farm in farmed:
        root = cache / "sites" / source.id if farm.packages else REPOSITORY / farm.directory
        if not root.is_dir():
            raise FarmUnavailable(f"source {source.id}: there is no directory {farm.directory}")
        for host in source.hosts:
            if host in roots:
                raise ValueError(f"two sources of the farm have the host {host}")
            roots[host] = root
    return roots


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    """Hold the cache alone: two runs that start together make it once."""
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _settings(farm: Farm) -> str:
    return json.dumps({"build": BUILD, **farm.model_dump()}, sort_keys=True)


def _is_made(source: Source, farm: Farm, cache: Path) -> bool:
    try:
        return (cache / "sites" / f"{source.id}.json").read_text(encoding="utf-8") == _settings(farm)
    except FileNotFoundError:
        return False


def _download(farms: Sequence[Farm], cache: Path, log: Log) -> dict[str, Path]:
    """The files of the packages that the farms need, by package; one call of apt for all that are missing."""
    folder = cache / "debs"
    wanted = [farm.packages for farm in farms]
    if any(farm.man_pages for farm in farms):
        wanted.append([MANDOC])
    absent = [names for names in wanted if not any((folder / f"{name}.deb").exists() for name in names)]
    if absent:
        apt = Apt(cache / "apt", log)
        chosen = apt.choose(absent)
        log(f"farm: downloading {len(chosen)} packages, {sum(chosen.values()) / 1e6:.1f} MB")
        apt.download(list(chosen), folder)
    return {deb.stem: deb for deb in sorted(folder.glob("*.deb"))}


def _make(source: Source, farm: Farm, debs: dict[str, Path], cache: Path, log: Log) -> None:
    """Make the document root of a source; a killed run leaves no settings file, and starts over."""
    package = next(name for name in farm.packages if name in debs)
    work, target = cache / "work", cache / "sites" / source.id
    shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    tree = work / "tree"
    unpack(debs[package], tree)
    root = docroot.find_root(tree, farm.root)
    if root is None:
        raise FarmUnavailable(f"source {source.id}: package {package} has no directory {farm.root}")
    made = work / "site"
    if farm.man_pages:
        unpack(debs[MANDOC], work / MANDOC)
        program = work / MANDOC / "usr/bin/mandoc"
        left_out = manpages.render(program, tree, root, farm.include, package, made)
    else:
        left_out = docroot.build(tree, root, farm.include, made)
    if not made.is_dir():
        raise FarmUnavailable(f"source {source.id}: package {package} has no file that its include patterns name")
    target.parent.mkdir(exist_ok=True)
    made.rename(target)
    _finish(cache / "sites" / f"{source.id}.json", _settings(farm))
    shutil.rmtree(work)
    pages = sum(1 for page in target.rglob("*.html"))
    log(f"farm: {source.id}: {pages} pages from {package}{_named(left_out)}")


def _finish(marker: Path, text: str) -> None:
    partial = marker.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.rename(marker)


def _named(left_out: Sequence[str]) -> str:
    """What was left out, as the end of a log line."""
    if not left_out:
        return ""
    more = ", ..." if len(left_out) > 3 else ""
    return f"; {len(left_out)} files left out: {', '.join(left_out[:3])}{more}"
