"""Sending to an S3 server and to Azurite survives `kill -9`, throttling and cut connections; nothing is sent twice."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines import storage, upload
from pipelines.azure_account import AzureAccount, azure_account
from pipelines.engine import read_commit
from pipelines.parts import Counts, find_part, write_part
from pipelines.upload import UploadError
from pipelines.upload_azure import _service
from tests import upload_process
from tests.bucket_proxy import CODES, Asked, Proxy
from tests.conftest import AZURITE_KEY
from tests.runs import REPOSITORY

PART = 5 << 20  # the least that S3 takes


@dataclass
class Store:
    """A bucket behind a proxy."""

    scheme: str
    proxy: Proxy
    url: str

    def unfinished(self) -> int:
        """Uploads that S3 knows of and that are not completed."""
        with urllib.request.urlopen(f"{self.proxy.url}/{self.url.partition('://')[2]}?uploads") as answer:
            return int(answer.read().count(b"<Upload>"))


@pytest.fixture(params=["s3", "az"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The environment says where the proxy is; parts are small, and waiting is short."""
    name = "box-" + hashlib.sha256(request.node.name.encode()).hexdigest()[:16]
    server = request.getfixturevalue({"s3": "s3_server", "az": "azurite"}[request.param])
    proxy = Proxy(server, request.param)
    monkeypatch.setattr(upload, "PART_BYTES", PART)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.01)
    monkeypatch.setattr("azure.storage.blob.ExponentialRetry.get_backoff_time", lambda *_: 0.01)
    if request.param == "s3":
        urllib.request.urlopen(urllib.request.Request(f"{server}/{name}", method="PUT")).close()
        for variable, value in {
            "AWS_ENDPOINT_URL": proxy.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(variable, value)
    else:
        place = f"{proxy.url}/devstoreaccount1"
        text = (
            f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={AZURITE_KEY};BlobEndpoint={place}"
        )
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
        _service(azure_account()).create_container(name)
    storage._remote.cache_clear()
    proxy.seen.clear()
    yield Store(request.param, proxy, f"{request.param}://{name}")
    storage._remote.cache_clear()
    proxy.close()


def make_file(path: Path, parts: float, seed: int = 0) -> Path:
    path.write_bytes(random.Random(seed).randbytes(int(parts * PART)))
    return path


def numbers(parts: int, store: Store) -> list[int]:
    """Parts of a file; with S3 the mark after the last."""
    return list(range(1, parts + 1 + (store.scheme == "s3")))


def first_tries(what: str, of: Callable[[Asked], bool]) -> Callable[[Asked], str | None]:
    """A rule for the first try of each request."""
    tried: Counter[str] = Counter()

    def rule(asked: Asked) -> str | None:
        key = f"{asked.method} {asked.path} {sorted(asked.query.items())}"
        tried[key] += 1
        return what if tried[key] == 1 and of(asked) else None

    return rule


# ---------------------------------------------------------------- parts


def test_a_large_file_goes_in_parts_at_once_each_with_its_checksum_and_once(store: Store, tmp_path: Path) -> None:
    path, url = make_file(tmp_path / "file", 3.5), f"{store.url}/deep/file"
    meeting = threading.Barrier(2)  # a part passes only beside another

    def rule(asked: Asked) -> None:
        if asked.part in (1, 2, 3, 4):
            meeting.wait(timeout=30)

    store.proxy.rule = rule
    storage.copy(str(path), url)
    assert store.proxy.parts() == numbers(4, store)
    assert all(asked.checked for asked in store.proxy.seen if asked.part)
    assert storage.read_bytes(url) == path.read_bytes()
    assert storage.recorded_sha256(url) == storage.sha256(str(path))
    store.proxy.seen.clear()
    storage.copy(str(path), url)
    assert not [asked for asked in store.proxy.seen if asked.changes]


@pytest.mark.parametrize("size", [0, 1, PART])
def test_a_small_file_goes_in_one_put(store: Store, tmp_path: Path, size: int) -> None:
    content = bytes(size)
    storage.write_bytes(f"{store.url}/file", content)
    [put] = [asked for asked in store.proxy.seen if asked.changes]
    assert (put.method, put.size, put.checked) == ("PUT", size, True)
    assert storage.read_bytes(f"{store.url}/file") == content
    assert storage.recorded_sha256(f"{store.url}/file") == hashlib.sha256(content).hexdigest()
    storage.write_bytes(f"{store.url}/file", b"other")
    assert storage.holds(f"{store.url}/file", hashlib.sha256(b"other").hexdigest())
    assert not storage.holds(f"{store.url}/none", hashlib.sha256(b"other").hexdigest())


def test_the_parts_of_a_file_follow_from_its_size_and_are_few_enough(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(upload, "PART_BYTES", 10)
    monkeypatch.setattr(upload, "MOST_PARTS", 3)
    path = tmp_path / "file"
    for size, sizes in {
        0: [],
        9: [9],
        10: [10],
        11: [10, 1],
        30: [10, 10, 10],
        31: [11, 11, 9],
        100: [34, 34, 32],
    }.items():
        path.write_bytes(bytes(range(size)))
        content = upload.read_content(path)
        assert [chunk.size for chunk in content.chunks] == sizes
        assert b"".join(content.read(chunk) for chunk in content.chunks) == path.read_bytes()
        assert content.sha256 == storage.sha256(str(path))


def test_an_object_of_somebody_else_is_read_to_be_known(store: Store) -> None:
    if store.scheme == "s3":
        place = f"{store.proxy.url}/{store.url.partition('://')[2]}/file"
        urllib.request.urlopen(
            urllib.request.Request(place, data=b"theirs", headers={"Content-Type": "text/plain"}, method="PUT")
        ).close()
    else:
        _service(azure_account()).get_blob_client(store.url.partition("://")[2], "file").upload_blob(b"theirs")
    assert storage.recorded_sha256(f"{store.url}/file") is None
    assert storage.holds(f"{store.url}/file", hashlib.sha256(b"theirs").hexdigest())
    storage.write_bytes(f"{store.url}/file", b"theirs")
    assert storage.recorded_sha256(f"{store.url}/file") == hashlib.sha256(b"theirs").hexdigest()


def test_a_part_in_a_bucket_is_known_without_reading_its_rows(store: Store, tmp_path: Path) -> None:
    table = pa.table({"id": random.Random(1).randbytes(1_000_000).hex(" ", 20).split()})
    parts = [
        write_part(place, "part-0", "key", table, Counts(rows=table.num_rows), {"notes": table})
        for place in (f"{store.url}/run", str(tmp_path))
    ]
    assert parts[0] == parts[1] == find_part(f"{store.url}/run", "part-0", "key")
    size = storage.size(f"{store.url}/run/part-0.parquet") or 0
    assert sum(asked.answered for asked in store.proxy.seen) < size / 2
    storage.write_bytes(f"{store.url}/run/notes/part-0.parquet", b"other")
    assert find_part(f"{store.url}/run", "part-0", "key") is None


# ---------------------------------------------------------------- trouble


def test_throttling_is_waited_out(store: Store, tmp_path: Path) -> None:
    path, url = make_file(tmp_path / "file", 2.5), f"{store.url}/file"
    store.proxy.rule = first_tries("throttle", lambda asked: True)
    storage.copy(str(path), url)
    store.proxy.rule = lambda asked: None
    assert storage.read_bytes(url) == path.read_bytes()
    assert sum(asked.status == 503 for asked in store.proxy.seen) >= 5
    assert store.proxy.parts() == numbers(3, store)


def test_a_connection_that_is_cut_in_a_body_or_before_an_answer_is_made_again(store: Store, tmp_path: Path) -> None:
    path, url = make_file(tmp_path / "file", 2.5), f"{store.url}/file"
    cut = first_tries("cut", lambda asked: asked.part in (1, 3))
    lose = first_tries("lose", lambda asked: asked.ends or asked.part == 2)
    store.proxy.rule = lambda asked: cut(asked) or lose(asked)
    storage.copy(str(path), url)
    assert storage.read_bytes(url) == path.read_bytes()
    assert storage.recorded_sha256(url) == storage.sha256(str(path))


def test_what_never_ends_well_is_one_line_and_leaves_what_was_there(store: Store, tmp_path: Path) -> None:
    url = f"{store.url}/file"
    storage.write_bytes(url, b"old")
    for rule in (
        lambda asked: "throttle" if asked.part == 3 else None,
        lambda asked: "throttle" if asked.ends else None,
    ):
        store.proxy.rule = rule
        with pytest.raises(UploadError, match=f"^{url}: {CODES[store.scheme]}: Reduce your") as caught:
            storage.copy(str(make_file(tmp_path / "file", 2.5)), url)
        assert "\n" not in str(caught.value)
        assert storage.read_bytes(url) == b"old"


# The S3 server of the tests compares no checksums: that each body has its own is tested above.
@pytest.mark.parametrize("store", ["az"], indirect=True)
def test_a_block_that_arrives_with_another_byte_is_refused_by_the_server(store: Store, tmp_path: Path) -> None:
    url = f"{store.url}/file"
    for size in (0.5, 2.5):
        store.proxy.rule = lambda asked: "damage" if asked.part == 2 or asked.size == PART // 2 else None
        with pytest.raises(UploadError, match="Md5Mismatch"):
            storage.copy(str(make_file(tmp_path / "file", size)), url)
        assert not storage.exists(url)


# ---------------------------------------------------------------- kill -9


class Processes:
    """Starts processes, one after the other, and kills them."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self.server = server

    def start(self, what: str, *arguments: object) -> int:
        """The id of a process that has begun to copy or to export."""
        environment = {name: os.environ[name] for name in os.environ if name.startswith(("AWS_", "AZURE_"))}
        assert self.server.stdin and self.server.stdout
        self.server.stdin.write(json.dumps({"what": what, "arguments": arguments, "environment": environment}) + "\n")
        self.server.stdin.flush()
        return int(self.server.stdout.readline())

    def end(self) -> int:
        """How it ended."""
        assert self.server.stdout
        return int(self.server.stdout.readline())

    def kill_in_the_middle(
        self,
        store: Store,
        hold: Callable[[Asked], bool],
        until: Callable[[], bool],
        what: str,
        *arguments: object,
    ) -> None:
        """Kills a process when some request of it waits and something holds of what was answered."""
        store.proxy.held = 0
        store.proxy.released.clear()
        store.proxy.rule = lambda asked: "hold" if hold(asked) else None
        pid = self.start(what, *arguments)
        store.proxy.wait(lambda: store.proxy.held > 0 and until())
        os.kill(pid, signal.SIGKILL)
        assert self.end() == -9
        store.proxy.rule = lambda asked: None
        store.proxy.released.set()


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    command = [sys.executable, "-m", upload_process.__name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as server:
        assert server.stdin
        yield Processes(server)
        server.stdin.close()


def test_a_killed_upload_is_not_seen_and_what_was_sent_is_not_sent_again(
    store: Store, tmp_path: Path, processes: Processes
) -> None:
    path, url = make_file(tmp_path / "file", 5.5), f"{store.url}/file"
    storage.write_bytes(url, b"old")

    def sent() -> bool:
        return {1, 2, 3} <= set(store.proxy.parts())

    processes.kill_in_the_middle(store, lambda asked: asked.part in (4, 5), sent, "copy", str(path), url, PART)
    assert storage.list_files(store.url) == ["file"]
    assert storage.read_bytes(url) == b"old"
    before = store.proxy.parts()
    assert not {4, 5} & set(before)
    storage.copy(str(path), url)
    assert store.proxy.parts() == numbers(6, store)
    assert storage.read_bytes(url) == path.read_bytes()
    if store.scheme == "s3":
        assert store.unfinished() == 0


def test_a_file_that_begins_like_a_killed_upload_is_another_file(
    store: Store, tmp_path: Path, processes: Processes
) -> None:
    path, url = make_file(tmp_path / "file", 3.5), f"{store.url}/file"
    processes.kill_in_the_middle(
        store,
        lambda asked: asked.part == 4 and asked.size > 100,
        lambda: 1 in store.proxy.parts(),
        *("copy", str(path), url, PART),
    )
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    storage.copy(str(path), url)
    assert storage.recorded_sha256(url) == storage.sha256(str(path)) == storage.sha256(url)
    if store.scheme == "s3":
        assert store.unfinished() == 0


# Azure forgets uncommitted blocks by itself.
@pytest.mark.parametrize("store", ["s3"], indirect=True)
def test_an_upload_that_nobody_goes_on_with_is_given_up_with_its_place(
    store: Store, tmp_path: Path, processes: Processes
) -> None:
    command = ("copy", str(make_file(tmp_path / "file", 2.5)), f"{store.url}/corpus/file", PART)
    processes.kill_in_the_middle(store, lambda asked: asked.ends, lambda: True, *command)
    storage.abort_unfinished(f"{store.url}/corp")
    assert store.unfinished() == 1
    storage.abort_unfinished(f"{store.url}/corpus")
    assert store.unfinished() == 0


# ---------------------------------------------------------------- all of an export or none


def test_a_reader_of_an_export_that_is_killed_again_and_again_sees_all_or_nothing(
    store: Store, tmp_path: Path, processes: Processes
) -> None:
    target, shards = f"{store.url}/corpus", tmp_path / "shards"

    def write(version: int) -> None:
        for number in range(4):
            table = pa.table({"id": [version * 10 + number]})
            write_part(str(shards), f"shard-{number}", f"{version}-{number}", table, Counts(rows=1), {})

    def whole() -> bool:
        """What a reader finds: no commit, or every file that it names."""
        commit = read_commit(target)
        for part in commit.parts if commit else ():
            assert storage.sha256(f"{target}/{part.name}.parquet") == part.sha256
        return commit is not None

    command = ("export", f"{shards}/*.parquet", target)
    write(1)
    processes.start(*command)
    assert processes.end() == 0
    assert whole()
    write(2)
    store.proxy.seen.clear()
    found = []
    for changes in (1, 2, 2, 3, 2):  # an attempt is killed in its first change, its second ...
        left = iter(range(changes - 1))
        processes.kill_in_the_middle(
            store, lambda asked, left=left: asked.changes and next(left, None) is None, lambda: True, *command
        )
        found.append(whole())
    assert found[0]
    assert not all(found)
    processes.start(*command)
    assert processes.end() == 0
    assert whole()
    taken = Counter(
        asked.path for asked in store.proxy.seen
        if asked.method == "PUT" and asked.size and asked.status in (200, 201) and "shard-" in asked.path
    )  # fmt: skip
    assert len(taken) == 4
    assert set(taken.values()) == {1}


# ---------------------------------------------------------------- whose account


def test_azure_accounts_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECTION_STRING", "ACCOUNT", "KEY", "SAS_TOKEN"):
        monkeypatch.delenv(f"AZURE_STORAGE_{name}", raising=False)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "acme")
    account = azure_account()
    assert account == AzureAccount("acme", "https://acme.blob.core.windows.net")
    assert account.authorities() == (".blob.core.windows.net", ".dfs.core.windows.net")
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "?sv=1&sig=S3CRET")
    assert azure_account().sas == "sv=1&sig=S3CRET"
    monkeypatch.setenv("AZURE_STORAGE_KEY", "S3CRET==")
    assert azure_account().key == "S3CRET=="
    monkeypatch.setenv(
        "AZURE_STORAGE_CONNECTION_STRING", "AccountName=acme;AccountKey=S3CRET==;EndpointSuffix=core.example"
    )
    account = azure_account()
    assert account == AzureAccount("acme", "https://acme.blob.core.example", "S3CRET==")
    assert "S3CRET" not in repr(account)
    text = "BlobEndpoint=https://acme.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=S3CRET"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
    assert azure_account() == AzureAccount("acme", "https://acme.blob.core.windows.net", None, "sv=1&sig=S3CRET")
    for wrong in ("AccountKey=S3CRET", "AccountName=a;AccountKey=S3CRET;BlobEndpoint=S3CRET"):
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", wrong)
        with pytest.raises(storage.StorageError, match="AZURE_STORAGE_CONNECTION_STRING") as caught:
            azure_account()
        assert "S3CRET" not in str(caught.value)
