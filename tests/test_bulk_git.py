"""The reader of git repositories, against a server that speaks git's protocol over HTTP."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from crawlers.bulk.readers.git import page_of
from crawlers.outcome import read_outcome
from tests.bulk_site import Host, job, read, source

CONFIG = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
AUTHOR = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]


def git(directory: Path, *arguments: str) -> str:
    command = ["git", *AUTHOR, "-C", str(directory), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | CONFIG).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a link, a hook's worth of attributes, and a file too large; its first commit is `first`."""
    path = tmp_path / "repository"
    path.mkdir()
    git(path, "init", "--quiet", "--initial-branch=main")
    git(path, "config", "uploadpack.allowAnySHA1InWant", "true")
    files = {"LICENSE": "MIT License", "docs/a.md": "# A\n", "docs/deep/b.md": "# B\n", "src/main.c": "int main;\n"}
    files |= {".gitattributes": "docs/a.md export-ignore\n", "docs/large.md": "x" * 5000}
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    (path / "docs" / "link.md").symlink_to("/etc/passwd")
    git(path, "add", ".")
    git(path, "commit", "--quiet", "-m", "first")
    git(path, "tag", "-a", "v1", "-m", "one")
    (path / "docs" / "a.md").write_text("# A again\n")
    git(path, "commit", "--quiet", "-a", "-m", "second")
    return path


class GitHost:
    """What the server of one repository at /r.git was asked for; `moved`: it sends to a private address."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.moved = ""


def _handler(host: GitHost, repository: Path) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.asked[self.path] += 1
            if host.moved:
                self.send_response(302)
                self.send_header("Location", host.moved + self.path)
                self.end_headers()
            elif self.path == "/r.git/info/refs?service=git-upload-pack":
                said = self._upload_pack("--http-backend-info-refs", b"")
                self._send("advertisement", b"001e# service=git-upload-pack\n0000" + said)
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            host.asked[self.path] += 1
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            self._send("result", self._upload_pack("--stateless-rpc", asked))

        def _upload_pack(self, mode: str, asked: bytes) -> bytes:
            command = ["git", "upload-pack", *sorted({"--stateless-rpc", mode}), str(repository)]
            protocol = self.headers.get("Git-Protocol", "")
            environment = os.environ | CONFIG | {"GIT_PROTOCOL": protocol}
            return subprocess.run(command, input=asked, capture_output=True, env=environment).stdout

        def _send(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", f"application/x-git-upload-pack-{kind}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def wanted(**changes: Any) -> Any:
    return source("git", "docs", bulk_url="http://bulk.localhost/r.git", **changes)


def members(tmp_path: Path) -> dict[str, bytes]:
    with tarfile.open(tmp_path / "docs" / "files" / "docs.tar.gz") as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


@pytest.fixture
def git_host() -> GitHost:
    return GitHost()


@pytest.fixture
def host(repository: Path, git_host: GitHost) -> Iterator[Host]:
    with Host({}, _handler(git_host, repository)) as host:
        yield host


def test_the_files_of_the_head(tmp_path: Path, repository: Path, host: Host, git_host: GitHost) -> None:
    bulk = wanted(bulk_include=[r"^docs/"], bulk_exclude=[r"/deep/"], bulk_fields={"page": "https://x.example/{}"})
    work = job(tmp_path, host, bulk, max_body_bytes=4096)
    assert read(work) == {}
    assert members(tmp_path) == {"LICENSE": b"MIT License", "docs/a.md": b"# A again\n"}
    outcome = read_outcome(tmp_path / "docs")
    row = next(row for row in outcome.fetched if row.kind == "page")
    assert (row.url, row.file, row.offset) == ("http://bulk.localhost/r.git", "files/docs.tar.gz", 0)
    assert outcome.ignored == {"not_a_file": 1, "not_included": 3, "too_large": 1}
    with tarfile.open(tmp_path / "docs" / row.file) as archive:
        assert archive.next()
        assert archive.pax_headers == {
            "comment": git(repository, "rev-parse", "HEAD"),
            "SYSCORPUS.page": "https://x.example/{}",
        }
    asked = git_host.asked.total()
    assert read(work) == {}
    assert git_host.asked.total() == asked
    again = job(tmp_path / "again", host, bulk, max_body_bytes=4096)
    assert read(again) == {}
    assert read_outcome(tmp_path / "again" / "docs").fetched[0].digest == outcome.fetched[0].digest
    assert not (tmp_path / "docs" / "work").exists()


@pytest.mark.parametrize(
    ("url", "changes", "page"),
    [
        ("https://github.com/o/r.git", {}, "https://github.com/o/r/blob/HEAD/{}"),
        ("https://github.com/o/r", {"bulk_pinned": "v1"}, "https://github.com/o/r/blob/v1/{}"),
        ("https://gitlab.example.org/g/o/r.git/", {}, "https://gitlab.example.org/g/o/r/-/blob/HEAD/{}"),
        ("https://git.example.org/r.git", {}, ""),
        ("https://github.com/o/r", {"bulk_fields": {"page": "https://docs.example/{}"}}, "https://docs.example/{}"),
    ],
)
def test_where_people_find_a_file(url: str, changes: dict[str, Any], page: str) -> None:
    bulk = source("git", bulk_url=url, **changes).bulk
    assert bulk is not None
    assert page_of(bulk) == page


@pytest.mark.parametrize("pin", ["v1", "commit"])
def test_a_pinned_commit(tmp_path: Path, repository: Path, host: Host, pin: str) -> None:
    commit = git(repository, "rev-parse", "HEAD~1") if pin == "commit" else pin
    assert read(job(tmp_path, host, wanted(bulk_pinned=commit))) == {}
    assert members(tmp_path)["docs/a.md"] == b"# A\n"


def test_what_cannot_be_had_stands_in_the_index(tmp_path: Path, host: Host) -> None:
    gone = wanted().model_copy(update={"id": "gone"})
    gone = gone.model_copy(update={"bulk": gone.bulk.model_copy(update={"url": "http://bulk.localhost/none.git"})})
    no_such = wanted(bulk_pinned="0" * 40).model_copy(update={"id": "no_such"})
    none = wanted(bulk_include=["^nothing/"]).model_copy(update={"id": "none"})
    assert read(job(tmp_path, host, gone, no_such)) == {}
    assert "not found" in read_outcome(tmp_path / "gone").not_fetched[0].detail
    assert read_outcome(tmp_path / "no_such").not_fetched[0].reason == "git"
    assert read(job(tmp_path, host, none)) == {}
    with tarfile.open(tmp_path / "none" / "files" / "none.tar.gz") as archive:
        assert archive.getnames() == ["LICENSE"]


def test_no_redirect_is_followed_and_no_private_address_asked(tmp_path: Path, host: Host, git_host: GitHost) -> None:
    git_host.moved = f"http://127.0.0.1:{host.port}"
    private = source("git", "private", bulk_url=f"http://127.0.0.1:{host.port}/r.git", bulk_offered="here")
    moved = wanted(bulk_offered="here")
    assert read(job(tmp_path, host, private, moved)) == {}
    assert set(git_host.asked) == {"/r.git/info/refs?service=git-upload-pack"}
    assert git_host.asked.total() == 1
    assert [row.reason for row in read_outcome(tmp_path / "private").not_fetched] == ["private_address", "offered"]
    assert [row.reason for row in read_outcome(tmp_path / "docs").not_fetched] == ["git", "offered"]
