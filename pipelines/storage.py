"""Files by URL: a local path, or `s3://`, `gs://` or `az://`; the same few verbs for each.

A file is there whole, or it is not there. On a local disk it is written under a hidden name,
flushed, and renamed; an object store shows an object only when its upload is complete.
"""

from __future__ import annotations

import functools
import glob
import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs

SCHEMES = ("s3", "gs", "az")
_CHUNK = 1 << 20
#: Where `pipelines/upload.py` sends to; the rest goes through Arrow.
_SENT_IN_PARTS = ("s3://", "az://")


class StorageError(Exception):
    """A place that cannot be read or written; the message names it and says why."""


def is_remote(url: str) -> bool:
    """True for an object-store URL, False for a local path."""
    return url.partition("://")[0] in SCHEMES and "://" in url


def join(url: str, *names: str) -> str:
    """A place below another. Names are ours or checked: none may be absolute or step upwards."""
    for name in names:
        if name.startswith("/") or ".." in name.split("/"):
            raise StorageError(f"{name!r} is not a name below {url}")
    return "/".join([url.rstrip("/"), *names])


@functools.lru_cache(maxsize=32)
def _remote(scheme: str, container: str) -> pafs.FileSystem:
    """The client of a bucket. Credentials come from the environment, as the vendors' own tools read them."""
    if scheme == "s3":
        # Arrow reads the other variables of the vendor's tools, but not this one.
        return pafs.S3FileSystem(endpoint_override=os.environ.get("AWS_ENDPOINT_URL"))
    if scheme == "gs":
        return pafs.GcsFileSystem()
    from pipelines.azure_account import azure_account

    account = azure_account()
    blob, lake = account.authorities()
    return pafs.AzureFileSystem(
        account.name,
        account_key=account.key,
        blob_storage_authority=blob,
        blob_storage_scheme=account.scheme,
        dfs_storage_authority=lake,
        dfs_storage_scheme=account.scheme,
        sas_token=None if account.key else account.sas,
    )


def _locate(url: str) -> tuple[pafs.FileSystem, str]:
    if not is_remote(url):
        if "://" in url:
            raise StorageError(
                f"{url}: unknown scheme; a local path, or one of {', '.join(s + '://' for s in SCHEMES)}"
            )
        return pafs.LocalFileSystem(), url
    scheme, _, path = url.partition("://")
    return _remote(scheme, path.partition("/")[0]), path


def scratch(name: str) -> Path:
    """A local directory, below `SYSCORPUS_SCRATCH` or `build`: for caches, and for what cannot live in a bucket."""
    return Path(os.environ.get("SYSCORPUS_SCRATCH", "build"), name).absolute()


def exists(url: str) -> bool:
    """Whether a file is there."""
    filesystem, path = _locate(url)
    return bool(filesystem.get_file_info(path).type == pafs.FileType.File)


def size(url: str) -> int | None:
    """Bytes of a file, None where there is none."""
    filesystem, path = _locate(url)
    info = filesystem.get_file_info(path)
    return info.size if info.type == pafs.FileType.File else None


def open_input(url: str) -> pa.NativeFile:
    """A file open for random-access reading."""
    filesystem, path = _locate(url)
    return filesystem.open_input_file(path)


def read_bytes(url: str) -> bytes:
    """A file's content. Raises FileNotFoundError."""
    with open_input(url) as stream:
        return bytes(stream.read())


def sha256(url: str) -> str:
    """Hex digest of a file's content, read in pieces."""
    digest = hashlib.sha256()
    with open_input(url) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def recorded_sha256(url: str) -> str | None:
    """Hex digest of an object that we sent, from its metadata: the server has checked it, nothing is read.

    None for a file on a disk, for what others wrote, for what is not there, and below `gs://`.
    """
    if not url.startswith(_SENT_IN_PARTS):
        return None
    from pipelines.upload import record

    found = record(url)
    return found.sha256 if found else None


def holds(url: str, digest: str) -> bool:
    """Whether a file with this SHA-256 (hex) is there. What we sent to a bucket is not read for it."""
    recorded = recorded_sha256(url)
    return recorded == digest if recorded else exists(url) and sha256(url) == digest


def list_files(url: str) -> list[str]:
    """Names of the files anywhere below a directory, relative to it, sorted; none where it is not there."""
    filesystem, path = _locate(url)
    found = filesystem.get_file_info(pafs.FileSelector(path, recursive=True, allow_not_found=True))
    prefix = path.rstrip("/") + "/"
    return sorted(info.path.removeprefix(prefix) for info in found if info.type == pafs.FileType.File)


def expand(pattern: str) -> list[str]:
    """Files that match a pattern (`*` and `?` in the last component of a URL; shell style for a path), sorted.

    Raises StorageError where nothing matches.
    """
    if is_remote(pattern):
        parent, _, last = pattern.rpartition("/")
        wanted = re.compile("".join({"*": "[^/]*", "?": "[^/]"}.get(c, re.escape(c)) for c in last))
        matches = [join(parent, name) for name in list_files(parent) if wanted.fullmatch(name)]
    else:
        matches = sorted(path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))
    if not matches:
        raise StorageError(f"{pattern}: no file matches")
    return matches


def delete(url: str) -> None:
    """Removes a file; it may be gone already."""
    if url.startswith(_SENT_IN_PARTS):
        from pipelines.upload import remove

        remove(url)
        return
    filesystem, path = _locate(url)
    try:
        filesystem.delete_file(path)
    except FileNotFoundError:
        pass


def write_bytes(url: str, content: bytes) -> None:
    """Puts a file in place, whole."""
    with writing(url) as path:
        path.write_bytes(content)


@contextmanager
def writing(url: str) -> Iterator[Path]:
    """A temporary local file to fill; it becomes `url` when the block ends, and nothing if the block raises.

    Raises StorageError for a scheme that is not ours, before anything is made.
    """
    _locate(url)
    if is_remote(url):
        with tempfile.TemporaryDirectory(prefix="syscorpus-") as scratch:
            temporary = Path(scratch, "file")
            yield temporary
            _send(temporary, url)
        return
    target = Path(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, target)
        _flush(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def copy(source: str, target: str) -> None:
    """Copies a file from one place to another, whole. From a disk it goes to a bucket as it lies there."""
    if is_remote(target) and not is_remote(source):
        _send(Path(_locate(source)[1]), target)
        return
    with writing(target) as path, open_input(source) as stream, path.open("wb") as sink:
        while chunk := stream.read(_CHUNK):
            sink.write(chunk)


def _flush(path: Path) -> None:
    """Waits until a file, or a directory's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _send(path: Path, url: str) -> None:
    """One object from a whole local file."""
    if url.startswith(_SENT_IN_PARTS):
        from pipelines.upload import upload

        upload(path, url)
        return
    filesystem, target = _locate(url)
    # It is mapped first, so that no error of ours completes a torn upload.
    content = pa.memory_map(str(path)).read_buffer() if path.stat().st_size else b""
    # Arrow would compress what is named *.gz, which it is already.
    with filesystem.open_output_stream(target, compression=None) as sink:
        sink.write(content)


def abort_unfinished(url: str) -> None:
    """Gives up what killed processes had begun to send to a place or below it."""
    if url.startswith(_SENT_IN_PARTS):
        from pipelines.upload import abort_unfinished

        abort_unfinished(url)


def check_writable(url: str) -> None:
    """Raises StorageError, in one line, where nothing can be written."""
    probe = join(url, ".syscorpus-probe")
    try:
        write_bytes(probe, b"")
        delete(probe)
    except (OSError, pa.ArrowException, StorageError) as error:
        reason = str(error).splitlines()[0].removeprefix(f"{probe}: ")
        raise StorageError(f"{url}: cannot be written: {reason}") from None
