"""Makes a document root out of an unpacked package: plain files only, nothing from outside the package."""

from __future__ import annotations

import functools
import gzip
import os
import re
import shutil
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

MAX_LINKS = 40
MAX_FILES = 200_000
MAX_FILE_BYTES = 64 << 20


def resolve_inside(tree: Path, path: Path) -> Path | None:
    """What a path below `tree` means if `tree` is the root of the file system.

    None where it leads out or nowhere. `tree` must be a real path; the result is below it and holds no
    symbolic link.
    """
    pending = list(reversed(path.relative_to(tree).parts))
    done: list[str] = []
    links = 0
    while pending:
        part = pending.pop()
        if part == "..":
            if not done:
                return None
            done.pop()
            continue
        here = tree.joinpath(*done, part)
        if not here.is_symlink():
            done.append(part)
            continue
        links += 1
        if links > MAX_LINKS:
            return None
        target = str(here.readlink())
        if target.startswith("/"):
            done.clear()
        pending.extend(step for step in reversed(target.split("/")) if step not in ("", "."))
    real = tree.joinpath(*done)
    return real if real.exists() else None


def find_root(tree: Path, root: str) -> Path | None:
    """The directory `root` of an unpacked package; where it is a glob pattern, the last match by name."""
    matches = sorted(tree.glob(root)) if any(sign in root for sign in "*?[") else [tree / root]
    for match in reversed(matches):
        real = resolve_inside(tree, match)
        if real is not None and real.is_dir():
            return real
    return None


def included(name: str, patterns: Sequence[str]) -> bool:
    """Whether a path matches one of the patterns, or there are none; only `**` crosses a slash."""
    return not patterns or any(_compiled(pattern).fullmatch(name) for pattern in patterns)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    steps = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    return re.compile("".join(steps.get(part, re.escape(part)) for part in parts), re.DOTALL)


def build(tree: Path, root: Path, include: Sequence[str], target: Path) -> list[str]:
    """Copy the files below `root` that `include` names to `target`; returns the names that were left out.

    Symbolic links become copies of what they name inside `tree`, `.html.gz` becomes `.html`. Left out
    are links that lead out of the tree or nowhere, and damaged files.
    """
    left_out = []
    for count, (name, real) in enumerate(_walk(tree, root)):
        if count >= MAX_FILES:
            raise ValueError(f"{root.name} holds more than {MAX_FILES} files")
        served = name.removesuffix(".gz") if name.endswith(".html.gz") else name
        if not included(served, include):
            continue
        if real is None:
            left_out.append(name)
            continue
        place = target / served
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            if served == name:
                shutil.copyfile(real, place)
            else:
                place.write_bytes(inflate(real))
        except ValueError:
            left_out.append(name)
            continue
        stamp = real.stat()
        os.utime(place, ns=(stamp.st_mtime_ns, stamp.st_mtime_ns))  # becomes Last-Modified
    return left_out


def _walk(tree: Path, root: Path) -> Iterator[tuple[str, Path | None]]:
    """Each file below a directory: its name there, and the real file (None for a link that is not followed)."""
    stack: list[tuple[PurePosixPath, Path, frozenset[Path]]] = [(PurePosixPath(), root, frozenset((root,)))]
    while stack:
        at, folder, above = stack.pop()
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            real = resolve_inside(tree, Path(entry.path)) if entry.is_symlink() else Path(entry.path)
            if real is None or real in above:
                yield str(at / entry.name), None
            elif real.is_dir():
                stack.append((at / entry.name, real, above | {real}))
            elif real.is_file():
                yield str(at / entry.name), real


def inflate(path: Path) -> bytes:
    """The content of a gzip file; ValueError where it is damaged or larger than MAX_FILE_BYTES."""
    try:
        with gzip.open(path) as stream:
            body = stream.read(MAX_FILE_BYTES + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path.name} is damaged: {error}") from None
    if len(body) > MAX_FILE_BYTES:
        raise ValueError(f"{path.name} inflates to more than {MAX_FILE_BYTES} bytes")
    return body
