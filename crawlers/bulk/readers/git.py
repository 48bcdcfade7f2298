"""A git repository: the files of one commit, as a tar archive that is the same whenever it is made of that commit.

The git program fetches one commit and nothing else, into a bare repository: no files are checked out, no hooks or
submodules are there to run, no configuration is read, and only the address that we checked is connected to.
`bulk.fields`: `page`, URL of a file for people with `{}` for its path; GitHub and GitLab need none.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import resource
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from crawlers.bulk.archive import PAGE
from crawlers.bulk.http_client import Unavailable
from crawlers.bulk.included import is_included
from crawlers.bulk.store import Store
from manifests.models import Bulk, Source

MAX_REPOSITORY_BYTES = 8 << 30
MAX_SECONDS = 3600.0
MAX_LISTING_BYTES = 256 << 20
#: Files that say under which licence a repository is, wanted whatever `include` says.
LICENCE_FILE = re.compile(
    r"(?:^|/)(?:licen[cs]es?|copying|copyright|unlicense|legal|notice|patents|readme)(?:[-._][^/]*)?$", re.IGNORECASE
)
FIELDS = frozenset(("page",))

_STRICT = {
    "core.hooksPath": "/dev/null",
    "credential.helper": "",
    "gc.auto": "0",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
    "protocol.allow": "never",
    "protocol.http.allow": "always",
    "protocol.https.allow": "always",
}
_WANTED = "refs/wanted/commit"
_PLAIN_FILES = ("100644", "100755")
_VERSION = re.compile(rb"(\d{1,4})\.(\d{1,4})")
_NEEDED = (2, 37)  # the first with http.curloptResolve
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def bring(source: Source, store: Store) -> None:
    """The repository at `bulk.url`: the commit or name that is `pinned`, or the head."""
    url = store.bulk.url
    if store.kept(url):
        return
    with store.work() as work:
        archive = work / "archive.tar.gz"
        store.ask(url, lambda: _bring(store, work, archive))
        store.keep(archive, f"{source.id}.tar.gz", url, "application/gzip")


def _bring(store: Store, work: Path, archive: Path) -> None:
    git = Git(store, work)
    commit = git.fetch(store.bulk.url, store.bulk.pinned or "HEAD")
    _archive(git, commit, store, archive)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a commit."""

    path: str
    blob: str
    size: int


class Git:
    """The git program, on a bare repository of its own."""

    def __init__(self, store: Store, work: Path) -> None:
        self._store = store
        self._repository = work / "repository"
        self._errors = work / "errors"
        keep = {name: os.environ[name] for name in ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ}
        self._environment = {
            **keep,
            "HOME": str(work),
            "LC_ALL": "C",
            "GIT_ASKPASS": "/bin/false",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
        }
        shutil.rmtree(self._repository, ignore_errors=True)
        found = _VERSION.search(self._run("version"))
        if found is None or (int(found[1]), int(found[2])) < _NEEDED:
            raise ValueError("git 2.37 or later is needed: an earlier one connects where it likes")
        self._run("init", "--quiet", "--bare", "--template=", str(self._repository))

    def fetch(self, url: str, wanted: str) -> str:
        """Fetches one commit without its history; its hash."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        addresses = self._store.client.addresses(parts.hostname or "", port)
        if any(at != port for _, at in addresses):
            # git connects to the port of the URL, so that another has to stand there.
            port = addresses[0][1]
            url = parts._replace(netloc=f"{parts.hostname}:{port}").geturl()
        resolved = ",".join(f"[{address}]" if ":" in address else address for address, _ in addresses)
        settings = {
            "http.curloptResolve": f"{parts.hostname}:{port}:{resolved}",
            "http.userAgent": self._store.client.user_agent,
        }
        options = ["--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"]
        self._run("fetch", *options, "--", url, f"{wanted}:{_WANTED}", settings=settings)
        return self._run("rev-parse", "--verify", f"{_WANTED}^{{commit}}").decode().strip()

    def entries(self, commit: str) -> Iterator[tuple[str, Entry]]:
        """Mode and file of each entry of a commit, in the order of paths."""
        listing = self._run("ls-tree", "-r", "-z", "--long", "--full-tree", commit, most=MAX_LISTING_BYTES)
        for line in listing.split(b"\0"):
            if line:
                told, _, path = line.partition(b"\t")
                mode, _, blob, size = told.decode("ascii").split()
                yield mode, Entry(path.decode("utf-8", "replace"), blob, int(size) if size != "-" else 0)

    def contents(self, entries: list[Entry]) -> Iterator[tuple[Entry, bytes]]:
        """The files with their bytes, one in memory at a time."""
        command = ["git", "--git-dir", str(self._repository), "cat-file", "--batch"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self._environment
        ) as process:
            assert process.stdin is not None and process.stdout is not None
            for entry in entries:
                self._store.stop.check()
                process.stdin.write(f"{entry.blob}\n".encode())
                process.stdin.flush()
                said = process.stdout.readline().split()
                body = process.stdout.read(entry.size)
                if said[1:2] != [b"blob"] or len(body) != entry.size or process.stdout.read(1) != b"\n":
                    raise Unavailable("damaged_repository", f"{entry.path}: its bytes are not there")
                yield entry, body
            process.stdin.close()

    def _run(
        self, command: str, *arguments: str, most: int = MAX_REPOSITORY_BYTES, settings: Mapping[str, str] = _STRICT
    ) -> bytes:
        """What a git command writes; raises Unavailable where it fails, takes too long, or writes a larger file."""
        options = [part for pair in {**_STRICT, **settings}.items() for part in ("-c", "=".join(pair))]
        place = [] if command in ("init", "version") else ["--git-dir", str(self._repository)]
        output = self._errors.with_name("output")
        with self._errors.open("wb") as errors, output.open("wb") as written:
            process = subprocess.Popen(
                ["git", *place, *options, command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=errors,
                env=self._environment,
                start_new_session=True,
            )
            try:
                with suppress(ProcessLookupError):
                    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
                with self._store.stop.breaking(process.kill):
                    process.wait(MAX_SECONDS)
            except subprocess.TimeoutExpired:
                raise Unavailable("timeout", f"git {command} took {MAX_SECONDS:.0f} s") from None
            finally:
                _end(process)
        self._store.stop.check()
        if process.returncode:
            if process.returncode == -signal.SIGXFSZ:
                raise Unavailable("too_large", f"git {command} wrote more than {most} bytes")
            lines = self._errors.read_text("utf-8", "replace").strip().splitlines()
            said = next(iter(lines), f"git {command} ended with {process.returncode}")
            raise Unavailable("git", said, may_pass="not found" not in said)
        return output.read_bytes()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a git command and the helpers that it started, in their session."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, 9)
    process.wait()


# ---------------------------------------------------------------- the archive


def _archive(git: Git, commit: str, store: Store, path: Path) -> None:
    """Writes the wanted files, in the order of their paths; its bytes follow from the commit and the manifest."""
    if not _COMMIT.fullmatch(commit):
        raise Unavailable("git", "it names no commit")
    started = time.monotonic()
    page = page_of(store.bulk)
    headers = {"comment": commit, **({PAGE: page} if page else {})}
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT, pax_headers=headers) as archive,
    ):
        for entry, body in git.contents(_wanted(git, commit, store)):
            member = tarfile.TarInfo(entry.path)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
            if time.monotonic() - started > MAX_SECONDS:
                raise Unavailable("timeout", f"the archive took {MAX_SECONDS:.0f} s")


def _wanted(git: Git, commit: str, store: Store) -> list[Entry]:
    """The plain files that the source wants and that are not too large; the others are counted."""
    wanted: list[Entry] = []
    left_out = {"not_a_file": 0, "not_included": 0, "too_large": 0}
    for mode, entry in git.entries(commit):
        if mode not in _PLAIN_FILES:
            left_out["not_a_file"] += 1
        elif not is_wanted(entry.path, store.bulk):
            left_out["not_included"] += 1
        elif entry.size > store.settings.max_body_bytes:
            left_out["too_large"] += 1
        else:
            wanted.append(entry)
    if sum(entry.size for entry in wanted) > MAX_REPOSITORY_BYTES:
        raise Unavailable("too_large", f"its files have more than {MAX_REPOSITORY_BYTES} bytes")
    if not wanted:
        raise Unavailable("empty", "no file of it is wanted")
    for reason, number in left_out.items():
        if number:
            store.count(reason, number)
    return wanted


def page_of(bulk: Bulk) -> str:
    """URL of a file for people, with `{}` for its path; empty where nobody says. The same for every new commit."""
    if "page" in bulk.fields:
        return bulk.fields["page"]
    base, host = bulk.url.rstrip("/").removesuffix(".git"), urlsplit(bulk.url).hostname or ""
    version = bulk.pinned or "HEAD"
    if host == "github.com":
        return f"{base}/blob/{version}/{{}}"
    return f"{base}/-/blob/{version}/{{}}" if host.startswith("gitlab.") else ""


def is_wanted(path: str, bulk: Bulk) -> bool:
    """Whether include and exclude let a path in; a licence file always is."""
    return bool(LICENCE_FILE.search(path)) or is_included(path, bulk)
