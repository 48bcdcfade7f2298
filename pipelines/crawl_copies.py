"""The crawl of a run in a bucket: crawlers work on a local disk, and any machine may go on where another has ended.

What a source's crawl has (WARC files, large files, frontier) is copied to the bucket at its end, however it ends, the
hash of the frontier last. A machine whose own copy is not of that hash brings the bucket's.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pipelines import storage

_FRONTIER = "frontier.sqlite"
#: Beside a frontier: the hash of the one that was copied last.
_COPIED = "frontier.sha256"
_LOCAL = frozenset({"lock", "yields.json", _COPIED, _FRONTIER, f"{_FRONTIER}-wal", f"{_FRONTIER}-shm"})


def bring(target: str, directory: Path, source: str) -> None:
    """Have the source's crawl as the bucket has it, if this machine did not leave it there itself."""
    there = storage.join(target, source)
    if not storage.is_remote(target) or not storage.exists(storage.join(there, _COPIED)):
        return
    copied, local = storage.read_bytes(storage.join(there, _COPIED)), directory / source
    if (local / _COPIED).exists() and (local / _COPIED).read_bytes() == copied:
        return
    shutil.rmtree(local, ignore_errors=True)
    for name in storage.list_files(there):
        if name != _COPIED:
            (local / name).parent.mkdir(parents=True, exist_ok=True)
            storage.copy(storage.join(there, name), str(local / name))
    (local / _COPIED).write_bytes(copied)


def leave(target: str, directory: Path, source: str) -> None:
    """Copy the source's crawl to the bucket; a file that is there with its size is there."""
    local = directory / source
    if not storage.is_remote(target) or not (local / _FRONTIER).exists():
        return
    there = storage.join(target, source)
    for path in sorted(local.rglob("*")):
        name = str(path.relative_to(local))
        if path.is_file() and name not in _LOCAL and not name.startswith("work/"):
            url = storage.join(there, name)
            if storage.size(url) != path.stat().st_size:
                storage.copy(str(path), url)
    storage.copy(str(local / _FRONTIER), storage.join(there, _FRONTIER))
    digest = storage.sha256(str(local / _FRONTIER)).encode()
    storage.write_bytes(storage.join(there, _COPIED), digest)
    (local / _COPIED).write_bytes(digest)
