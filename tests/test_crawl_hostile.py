"""A web that means harm, on real sockets: every page of it has a fate, and the good pages are fetched."""

from __future__ import annotations

import gzip
import socket
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest

from crawlers.content import BodyError
from crawlers.job import CrawlJob
from crawlers.outcome import Outcome, read_outcome
from crawlers.response import MAX_HEAD_BYTES
from crawlers.urls import canonical_url, host_of, path_of
from crawlers.warc import Record, read_records, warc_files
from manifests.models import CrawlSettings
from tests.certificates import Authority
from tests.crawl_site import HOST, crawl, source
from tests.hostile_site import Forbidden, HostileSite, Script, html, links, reset, whole

LIMIT = 8 << 20
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
#: What sockets on both sides may hold of what the crawler has not read.
_ON_THE_WAY = 16 << 20

#: Of a host so few pages fail that it is not given up as a whole.
_A_HOST = 4


def broken_off(said: bytes) -> Script:
    """Say it, and end the connection in good order."""
    return lambda connection: connection.sendall(said)


def reset_after(said: bytes) -> Script:
    def script(connection: socket.socket) -> None:
        connection.sendall(said)
        reset(connection)

    return script


def bombs() -> dict[str, bytes]:
    """Compressed bodies by their Content-Encoding; each gives 6 MiB or more, and a link after it."""
    page = bytes(6 << 20) + b'<a href="/never">never</a>'
    once = gzip.compress(page)
    return {
        "gzip": once,
        "deflate": zlib.compress(page),
        "br": brotli.compress(page, quality=5),
        "gzip, gzip": gzip.compress(once),
        "gzip, gzip, br": brotli.compress(gzip.compress(once), quality=5),
    }


#: Pages by path and, where one comes to nothing, the reason; None: it is stored.
Cases = dict[str, tuple[bytes | Script, str | None]]


def pages_that_lie() -> Cases:
    return {
        "/http-0.9": (broken_off(b"<html><p>no head at all"), "bad_response"),
        "/no-status": (broken_off(b"HTTP/1.1 fine\r\nContent-Length: 0\r\n\r\n"), "bad_response"),
        "/other-protocol": (broken_off(b"220 mail.example ESMTP ready\r\n"), "bad_response"),
        "/head-breaks-off": (broken_off(OK), "truncated"),
        "/nothing": (broken_off(b""), "connection"),
        "/reset": (reset_after(b""), "connection"),
        "/reset-in-body": (reset_after(OK + b"\r\n<p>half of"), "truncated"),
        "/two-lengths": (broken_off(OK + b"Content-Length: 5\r\nContent-Length: 50\r\n\r\n12345"), "bad_response"),
        "/length-too-long": (broken_off(OK + b"Content-Length: 500\r\n\r\n<p>less"), "truncated"),
        "/length-too-short": (broken_off(OK + b"Content-Length: 7\r\n\r\n<p>kept, and the rest is not"), None),
        "/length-huge": (broken_off(OK + b"Content-Length: 99999999999\r\n\r\n"), "too_large"),
        "/chunks-of-garbage": (broken_off(CHUNKED + b"zz\r\nabc\r\n"), "bad_response"),
        "/chunk-too-long": (broken_off(CHUNKED + b"3\r\nabcdef\r\n0\r\n\r\n"), "bad_response"),
        "/chunk-huge": (broken_off(CHUNKED + b"ffffffffffff\r\n"), "too_large"),
        "/chunks-break-off": (broken_off(CHUNKED + b"3\r\nabc\r\n"), "truncated"),
        "/coding": (broken_off(OK + b"Transfer-Encoding: gzip\r\n\r\n"), "bad_response"),
        "/many-headers": (broken_off(OK + b"X: y\r\n" * 5000 + b"\r\n"), "head_too_large"),
    }


def pages_without_end(site: HostileSite) -> Cases:
    def endless(path: str, begin: bytes, piece: bytes, pause_s: float = 0.0) -> Script:
        return site.say_for_ever(path, begin, piece, pause_s)

    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    return {
        "/endless": (endless("/endless", OK + b"\r\n", bytes(1 << 16)), "too_large"),
        "/endless-chunks": (endless("/endless-chunks", CHUNKED, chunk), "too_large"),
        "/endless-small-chunks": (endless("/endless-small-chunks", CHUNKED, b"1\r\na\r\n" * 9999), "bad_response"),
        "/endless-extension": (endless("/endless-extension", CHUNKED + b"1;", b"a" * 1000), "bad_response"),
        "/endless-head": (endless("/endless-head", OK, b"X: " + b"y" * 1000 + b"\r\n"), "head_too_large"),
        "/endless-line": (endless("/endless-line", OK + b"X: ", b"y" * 1000), "head_too_large"),
        "/endless-interim": (endless("/endless-interim", b"", b"HTTP/1.1 100 Go on\r\n\r\n"), "bad_response"),
        "/silent": (site.wait(), "timeout"),
        "/slow-head": (endless("/slow-head", OK, b"X: y\r\n", 0.05), "too_slow"),
        "/slow-body": (endless("/slow-body", OK + b"\r\n", b"<p>", 0.05), "too_slow"),
        "/slow-chunks": (endless("/slow-chunks", CHUNKED, b"3\r\n<p>\r\n", 0.05), "too_slow"),
        "/stalls": (site.wait(OK + b"Content-Length: 500\r\n\r\n<p>"), "too_slow"),
        "/steady": (endless("/steady", OK + b"\r\n", bytes(4096), 0.05), "timeout"),
    }


def redirects() -> Cases:
    def to(target: str) -> bytes:
        return whole(b"", f"Location: {target}", status="302 Found")

    return {
        "/round": (to("/round"), None),
        "/to-a-file": (to("file:///etc/passwd"), None),
        "/to-data": (to("data:text/html,x"), None),
        "/to-gopher": (to("gopher://127.0.0.1:6379/_x"), None),
        "/split": (to("/good-0%0d%0aX-Injected:%20yes"), None),
    }


@dataclass
class Crawled:
    """A crawl that has ended: its site, the rows of its outcome by path, its directory."""

    site: HostileSite
    cases: Cases
    outcome: Outcome
    directory: Path

    def record(self, path: str) -> Record:
        """What is stored of a page."""
        for file in warc_files(self.directory):
            with file.open("rb") as stream:
                for item in read_records(stream, file.name, 1 << 30):
                    if isinstance(item, Record) and path_of(item.url) == path:
                        return item
        raise AssertionError(f"{path} is not stored")


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crawled]:
    """One crawl of all pages that mean harm and some that do not."""
    directory = tmp_path_factory.mktemp("crawl")
    packed: Cases = {}
    for coding, body in bombs().items():
        path = f"/bomb-{coding.replace(', ', '-')}"
        packed[path] = (whole(body, f"Content-Encoding: {coding}", "Content-Type: text/html"), None)
    with HostileSite({}) as site:
        cases = pages_that_lie() | pages_without_end(site) | redirects() | packed
        names, seeds = list(cases), []
        for path, (answer, _) in cases.items():
            site.answers[path] = answer
        for number in range(0, len(names), _A_HOST):
            site.answers[f"/index-{number}"] = links(*names[number : number + _A_HOST], f"/good-{number}")
            site.answers[f"/good-{number}"] = html(f"<p>good {number}")
            seeds.append(f"http://site-{number}.localhost/index-{number}")
        ports = {host_of(seed): site.port for seed in seeds}
        assert crawl(work(directory, ports, source(seeds=seeds, scope=["http://"]))) == (0, "")
    yield Crawled(site, cases, read_outcome(directory / "site"), directory / "site")


def work(directory: Path, ports: dict[str, int], *sources: object, timeout_s: float = 5.0) -> CrawlJob:
    """A job whose hosts are on loopback where `ports` says so, and nowhere else."""
    settings = {
        "delay_s": 0.0,
        "retries": 0,
        "concurrency_per_host": 32,
        "max_body_bytes": LIMIT,
        "timeout_s": timeout_s,
    }
    return CrawlJob(
        sources=list(sources),  # type: ignore[arg-type]
        settings=CrawlSettings.model_validate(settings),
        directory=directory,
        version="0.0",
        connect_to={host: f"127.0.0.1:{port}" for host, port in ports.items()},
    )


def paths(outcome: Outcome) -> set[str]:
    return {path_of(row.url) for row in outcome.fetched}


def test_every_page_that_means_harm_has_the_fate_it_earns(crawled: Crawled) -> None:
    pages = [row for row in crawled.outcome.not_fetched if row.kind == "page"]
    reasons = {path_of(row.url): row.reason for row in pages}
    assert reasons == {path: reason for path, (_, reason) in crawled.cases.items() if reason}
    assert {path for path, (_, reason) in crawled.cases.items() if not reason} < paths(crawled.outcome)
    assert crawled.outcome.unfinished == []


def test_the_good_pages_are_fetched_beside_them(crawled: Crawled) -> None:
    good = {path for path in crawled.site.answers if path.startswith(("/good", "/index"))}
    assert good < paths(crawled.outcome)
    assert all(crawled.record(path).body(LIMIT) for path in good)


def test_what_has_no_end_is_cut_at_the_limit(crawled: Crawled) -> None:
    said = crawled.site.said
    assert all(said[path] < LIMIT + _ON_THE_WAY for path in said)
    assert said["/endless-head"] < MAX_HEAD_BYTES + _ON_THE_WAY
    assert max(said, key=lambda path: said[path]) in ("/endless", "/endless-chunks")


def test_what_is_beyond_the_length_is_dropped(crawled: Crawled) -> None:
    assert crawled.record("/length-too-short").body(LIMIT) == b"<p>kept"


def test_a_bomb_is_stored_packed_and_never_unpacked(crawled: Crawled) -> None:
    for path in crawled.cases:
        if path.startswith("/bomb-"):
            with pytest.raises(BodyError, match="decompression_ratio"):
                crawled.record(path).body(LIMIT)
    assert "/never" not in crawled.site.asked


def test_redirects_lead_nowhere_but_to_the_web(crawled: Crawled) -> None:
    assert not [request for request in crawled.site.requests if b"\nX-Injected" in request]
    assert crawled.site.asked["/round"] == 1


# ---------------------------------------------------------------- addresses

#: Spellings of this machine, of its network and of a cloud's secrets; `{}` is a port that counts visitors.
PRIVATE = [
    "http://127.0.0.1:{}/",
    "http://127.1:{}/",
    "http://127.0.0.77:{}/",
    "http://2130706433:{}/",
    "http://0x7f000001:{}/",
    "http://0x7f.0.0x1:{}/",
    "http://0177.0.0.01:{}/",
    "http://0:{}/",
    "http://0.0.0.0:{}/",
    "http://localhost:{}/",
    "http://LOCALHOST:{}/",
    "http://user@127.0.0.1:{}/user",
    "http://127.0.0.1%2F@127.0.0.1:{}/encoded",
    "http://①②⑦.⓪.⓪.①:{}/",
    "http://[::1]:{}/",
    "http://[::]:{}/",
    "http://[::ffff:127.0.0.1]:{}/",
    "http://[::ffff:7f00:1]:{}/",
    "http://[::127.0.0.1]:{}/",
    "http://[64:ff9b::7f00:1]:{}/",
    "http://[64:ff9b:1::7f00:1]:{}/",
    "http://[2002:7f00:1::]:{}/",
    "http://[fe80::1]:{}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/metadata/",
    "http://192.0.0.192/opc/v2/",
    "http://10.0.0.1/",
    "http://192.168.0.1/",
]


@pytest.mark.parametrize("redirected", [False, True])
def test_no_private_address_is_connected_to(tmp_path: Path, redirected: bool) -> None:
    with Forbidden() as forbidden, HostileSite({"/good": html("<p>good")}) as site:
        targets = [url.format(forbidden.port) for url in PRIVATE]
        hosts = {host_of(url) for url in map(canonical_url, targets) if url}
        if redirected:
            for number, target in enumerate(targets):
                line = b"Location: " + target.encode()
                site.answers[f"/{number}"] = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n%s\r\n\r\n" % line
            targets = [f"/{number}" for number in range(len(targets))]
        site.answers["/"] = links(*targets, "/good")
        anywhere = source(scope=["http://"], further_hosts=sorted(hosts))
        assert crawl(work(tmp_path, {HOST: site.port}, anywhere)) == (0, "")
        assert forbidden.visitors() == 0
    outcome = read_outcome(tmp_path / "site")
    assert paths(outcome) >= {"/", "/good"}
    assert {row.url for row in outcome.fetched if HOST not in row.url} == set()
    refused = [row for row in outcome.not_fetched if row.kind == "page"]
    assert {row.reason for row in refused} == {"private_address"}
    assert (
        {host_of(row.url) for row in refused}
        == hosts
        > {"127.0.0.1", "0.0.0.0", "localhost", "169.254.169.254", "168.63.129.16", "10.0.0.1"}
    )


# ---------------------------------------------------------------- TLS


def test_a_certificate_that_does_not_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.pem))
    contexts = {
        "good.localhost": authority.server("good.localhost"),
        "expired.localhost": authority.server("expired.localhost", days=-1),
        "wrong.localhost": authority.server("other.localhost"),
        "own.localhost": authority.server("own.localhost", own=True),
        "plain.localhost": None,
    }
    details = {
        "expired.localhost": "certificate has expired",
        "wrong.localhost": "Hostname mismatch",
        "own.localhost": "self-signed certificate",
        "plain.localhost": "SSL",
    }
    sites = {host: HostileSite({"/": html("<p>safe")}, context) for host, context in contexts.items()}
    sources = [source(host.split(".")[0], seeds=[f"https://{host}/"], scope=["https://"]) for host in sites]
    ports = {host: site.port for host, site in sites.items()}
    assert crawl(work(tmp_path, ports, *sources)) == (0, "")
    for host, site in sites.items():
        site.__exit__()
        outcome = read_outcome(tmp_path / host.split(".")[0])
        robots = [(row.reason, details[host] in row.detail) for row in outcome.not_fetched if row.kind == "robots"]
        assert robots == ([("tls", True)] if host in details else [])
        assert bool(outcome.fetched) == (host not in details)
        assert not site.requests or host not in details
