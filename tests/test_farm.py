"""The farm: the server over real sockets, packages through the real apt and dpkg-deb, and its manifests."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from crawlers.farm import manpages, packages
from crawlers.farm.docroot import build, included, resolve_inside
from crawlers.farm.packages import FarmUnavailable, prepare
from crawlers.farm.server import SITEMAP_URLS, serve
from manifests.load import load_sources
from manifests.models import Farm, Source

REPOSITORY = Path(__file__).parents[1]
MANIFESTS = REPOSITORY / "manifests"
PAGE = b"<!DOCTYPE html>\n<title>A page</title>\n" + b"<p>Text of some length.\n" * 40

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="this machine has no dpkg-deb")
needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="this machine has no apt")


def source(name: str, **farm: object) -> Source:
    host = name.replace("_", "-") + ".localhost"
    return Source(
        id=name, name=name, category="open_source_documentation", status="on", seeds=[f"http://{host}/"],
        scope=["."], licence=None, licence_evidence="test", farm=Farm.model_validate(farm),
    )  # fmt: skip


def write(path: Path, content: bytes = PAGE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# ---------------------------------------------------------------- server


class Client:
    """One connection to the server; every answer is read whole."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.connection = http.client.HTTPConnection(address, timeout=10)

    def ask(
        self, path: str, host: str = "plain.localhost", method: str = "GET", **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        self.connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        self.connection.putheader("Host", host)
        for name, value in headers.items():
            self.connection.putheader(name.replace("_", "-"), value)
        self.connection.endheaders()
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def raw(self, request: bytes) -> bytes:
        host, _, port = self.address.partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(request)
            return connection.recv(65536)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "access.jsonl"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, log: Path) -> Iterator[str]:
    root = tmp_path_factory.mktemp("farm")
    plain = root / "plain"
    write(root / "secret.html", b"secret")
    write(plain / "index.html")
    write(plain / "guide/index.html")
    write(plain / "guide/bookindex.html")
    write(plain / "files/a b & c.html")
    write(plain / "files/note.txt", b"text")
    write(plain / "private/draft.html")
    write(plain / "search.html")
    (plain / "out").symlink_to(root)
    (plain / "loop.html").symlink_to("loop.html")
    (plain / "out.html").symlink_to(root / "secret.html")
    (plain / "listing").mkdir()
    (plain / "listing/index.html").symlink_to(root / "secret.html")
    for number in range(SITEMAP_URLS + 1):
        write(root / f"large/{number}.html", b"<p>x")
    write(root / "own/robots.txt", b"User-agent: *\nDisallow: /\n")
    write(root / "xhtml/index.html")
    sites = {f"{name}.localhost": root / name for name in ("plain", "large", "own", "xhtml")}
    with serve(sites, ["xhtml.localhost"], log) as at:
        yield at


@pytest.fixture
def client(address: str) -> Client:
    return Client(address)


def test_a_page_and_its_validators(client: Client) -> None:
    status, headers, body = client.ask("/")
    assert (status, body) == (200, PAGE)
    assert headers["Content-Type"] == "text/html"  # no charset: the page declares its own
    assert client.ask("/", If_None_Match=headers["ETag"])[0] == 304
    assert client.ask("/", If_None_Match='"other", ' + headers["ETag"])[0] == 304
    assert client.ask("/", If_None_Match='"other"')[0] == 200
    assert client.ask("/", If_Modified_Since=headers["Last-Modified"])[0] == 304
    assert client.ask("/", If_Modified_Since="Mon, 01 Jan 1990 00:00:00 GMT")[0] == 200
    assert client.ask("/", If_Modified_Since="yesterday")[0] == 200
    # An entity tag goes before a date.
    assert client.ask("/", If_None_Match='"other"', If_Modified_Since=headers["Last-Modified"])[0] == 200


def test_304_has_no_body_and_keeps_the_connection(client: Client) -> None:
    tag = client.ask("/")[1]["ETag"]
    used = client.connection.sock
    status, headers, body = client.ask("/", If_None_Match=tag)
    assert (status, body, headers["ETag"], headers["Content-Length"]) == (304, b"", tag, None)
    assert client.ask("/missing.html")[0] == 404
    assert client.ask("/")[2] == PAGE
    assert client.connection.sock is used


def test_gzip_only_when_asked_for(client: Client) -> None:
    status, headers, body = client.ask("/", Accept_Encoding="br, gzip")
    assert (status, headers["Content-Encoding"], headers["Vary"]) == (200, "gzip", "Accept-Encoding")
    assert gzip.decompress(body) == PAGE and len(body) < len(PAGE)
    assert client.ask("/", Accept_Encoding="gzip;q=0")[2] == PAGE
    assert client.ask("/", Accept_Encoding="gzip; q=0.000, br")[2] == PAGE
    assert client.ask("/")[1]["Content-Encoding"] is None


def test_head_is_get_without_a_body(client: Client) -> None:
    _, got, body = client.ask("/guide/", Accept_Encoding="gzip")
    status, head, nothing = client.ask("/guide/", method="HEAD", Accept_Encoding="gzip")
    assert (status, nothing) == (200, b"")
    assert head["Content-Length"] == str(len(body)) and head["ETag"] == got["ETag"]


def test_directories(client: Client) -> None:
    status, headers, _ = client.ask("/guide")
    assert (status, headers["Location"]) == (301, "/guide/")
    assert client.ask("/guide/")[2] == PAGE
    status, headers, listing = client.ask("/files/")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert b'<a href="./a%20b%20%26%20c.html">a b &amp; c.html</a>' in listing
    assert client.ask("/files/a%20b%20&%20c.html?print=1")[0] == 200
    assert client.ask("/files/note.txt/")[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.html", "/guide/../../secret.html", "/%2e%2e/secret.html", "/guide/%2e%2e/%2e%2e/secret.html",
        "/..%2fsecret.html", "/%2e%2e%2fsecret.html", "/..%5csecret.html", "/..\\secret.html",
        "/out/secret.html", "/out.html", "/out/", "/loop.html", "/secret.html%00.html", "//secret.html", "/%00",
        "/%ff.html", "secret.html", "/" + "a" * 5000, "/" + "a/" * 5000, "//example.org/guide", "/guide/.", "/guide/..",
    ],
)  # fmt: skip
def test_nothing_from_outside_the_root(client: Client, path: str) -> None:
    status, _, body = client.ask(path)
    assert status == 404 and b"secret" not in body


def test_an_index_that_leads_out_is_not_followed(client: Client) -> None:
    assert b"secret" not in client.ask("/listing/")[2]


def test_hosts(client: Client) -> None:
    assert client.ask("/", host="PLAIN.localhost:8080")[0] == 200
    assert client.ask("/", host="other.localhost")[0] == 421
    assert client.ask("/", host="")[0] == 421
    assert client.raw(b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_malformed_requests_end_the_connection(client: Client) -> None:
    host = b"Host: plain.localhost\r\n"
    assert client.raw(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert client.raw(b"GET / HTTP/1.1\r\n" + host + b"no colon\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert client.raw(b"GET / HTTP/1.1\r\n" + host + b"X: " + b"a" * 70_000).startswith(b"HTTP/1.1 431 ")
    answer = client.raw(b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 5\r\n\r\nGET /")
    assert answer.startswith(b"HTTP/1.1 405 ") and b"Allow: GET, HEAD\r\n" in answer
    assert b"Connection: close\r\n" in answer and answer.count(b"HTTP/1.1 ") == 1
    assert client.ask("/")[0] == 200


def test_xhtml_host(client: Client) -> None:
    assert client.ask("/", host="xhtml.localhost")[1]["Content-Type"] == "application/xhtml+xml"


def test_robots(client: Client) -> None:
    robots = client.ask("/robots.txt")[2].decode().splitlines()
    assert robots[:2] == ["User-agent: *", "Disallow: /private/"]
    assert "Sitemap: http://plain.localhost/sitemap.xml" in robots
    assert client.ask("/robots.txt", host="own.localhost")[2] == b"User-agent: *\nDisallow: /\n"


def locations(body: bytes) -> tuple[str, list[str]]:
    tree = ElementTree.fromstring(body)
    space = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
    assert all(len(entry.findtext(f"{space}lastmod") or "") == 10 for entry in tree)
    return tree.tag.removeprefix(space), [entry.findtext(f"{space}loc") or "" for entry in tree]


def test_sitemap_lists_what_robots_may_fetch(client: Client) -> None:
    kind, urls = locations(client.ask("/sitemap.xml")[2])
    pages = ["", "files/a%20b%20%26%20c.html", "guide/", "guide/bookindex.html"]
    assert (kind, urls) == ("urlset", [f"http://plain.localhost/{page}" for page in pages])
    for url in urls:
        assert client.ask(url.removeprefix("http://plain.localhost"))[0] == 200


def test_sitemap_index_of_a_large_site(client: Client) -> None:
    kind, parts = locations(client.ask("/sitemap.xml", host="large.localhost")[2])
    assert kind == "sitemapindex" and len(parts) == 2
    urls = []
    for part in parts:
        path = part.removeprefix("http://large.localhost")
        urls += locations(client.ask(path, host="large.localhost")[2])[1]
    assert len(urls) == len(set(urls)) == SITEMAP_URLS + 1


def test_access_log_has_a_line_for_each_request(client: Client, log: Path) -> None:
    asked = ("/guide/?logged=1", "/not-to-be-logged-elsewhere")  # lines of earlier tests may come late
    client.ask(asked[0])
    client.ask(asked[1], method="HEAD")
    entries: list[dict[str, Any]] = []
    deadline = time.monotonic() + 20  # a line is written when its response is out
    while len(entries) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
        whole = [line for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        entries = [entry for entry in map(json.loads, whole) if entry["path"] in asked]
    entries.sort(key=lambda entry: asked.index(entry["path"]))
    assert [(e["host"], e["method"], e["path"], e["status"], e["bytes"]) for e in entries] == [
        ("plain.localhost", "GET", asked[0], 200, len(PAGE)),
        ("plain.localhost", "HEAD", asked[1], 404, 0),
    ]
    assert abs(entries[0]["time"] - time.time()) < 60


def test_the_server_dies_with_its_parent(tmp_path: Path) -> None:
    write(tmp_path / "index.html")
    program = (
        "import pathlib, time; from crawlers.farm.server import serve\n"
        f"with serve({{'a.localhost': pathlib.Path({str(tmp_path)!r})}}) as address:\n"
        "    print(address, flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        client = Client(parent.stdout.readline().strip())
        assert client.ask("/", host="a.localhost")[0] == 200
        parent.send_signal(signal.SIGKILL)
    for _ in range(100):
        client.connection.close()
        try:
            client.ask("/", host="a.localhost")
        except OSError:
            return
        time.sleep(0.05)
    pytest.fail("the server outlived its parent")


# ---------------------------------------------------------------- document roots


def test_links_are_resolved_as_if_the_package_were_the_root(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    page = write(tree / "usr/share/javascript/page.html")
    (tree / "usr/share/doc").mkdir()
    links = {
        "absolute": "/usr/share/javascript", "relative": "../javascript", "chain": "absolute",
        "above": "../../../../etc", "outside": "/etc/passwd", "loop": "loop", "nowhere": "gone",
    }  # fmt: skip
    for name, target in links.items():
        (tree / "usr/share/doc" / name).symlink_to(target)
    found = {name: resolve_inside(tree, tree / "usr/share/doc" / name) for name in links}
    assert found == {name: page.parent if name in ("absolute", "relative", "chain") else None for name in links}
    assert resolve_inside(tree, tree / "usr/share/doc/chain/page.html") == page


def test_a_root_is_built_of_plain_files(tmp_path: Path) -> None:
    tree, target = tmp_path / "tree", tmp_path / "site"
    write(tree / "html/a.html")
    write(tree / "html/b.html.gz", gzip.compress(PAGE))
    write(tree / "html/cut.html.gz", gzip.compress(PAGE)[:-9])
    write(tree / "js/x.html")
    os.utime(tree / "html/a.html", (1e9, 1e9))
    (tree / "html/js").symlink_to("../js")
    (tree / "html/self").symlink_to(".")
    (tree / "html/passwd.html").symlink_to("/etc/passwd")
    left_out = build(tree, tree / "html", ["**.html", "self"], target)
    assert sorted(left_out) == ["cut.html.gz", "passwd.html", "self"]
    names = sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())
    assert names == ["a.html", "b.html", "js/x.html"]
    assert not any(path.is_symlink() for path in target.rglob("*"))
    assert (target / "b.html").read_bytes() == PAGE
    assert (target / "a.html").stat().st_mtime == 1e9


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*.html", "a.html", True), ("*.html", "b/a.html", False), ("**.html", "b/a.html", True),
        ("b/*.html", "b/a.html", True), ("b/*.html", "b/c/a.html", False), ("b/**", "b/c/a.html", True),
        ("?.html", "a.html", True), ("[a].html", "a.html", False), ("a.html", "a_html", False),
    ],
)  # fmt: skip
def test_include_patterns(pattern: str, name: str, matches: bool) -> None:
    assert included(name, [pattern]) is matches
    assert included(name, [])


# ---------------------------------------------------------------- packages


def make_deb(work: Path, package: str, files: dict[str, bytes], links: dict[str, str], into: Path) -> Path:
    tree = work / f"source-of-{package}"
    control = f"Package: {package}\nVersion: 1.0\nArchitecture: all\nMaintainer: none\nDescription: test\n"
    write(tree / "DEBIAN/control", control.encode())
    for name, content in files.items():
        write(tree / name, content).chmod(0o755)
    for name, target in links.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(target)
    into.mkdir(parents=True, exist_ok=True)
    deb = into / f"{package}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, deb], check=True, capture_output=True)
    return deb


def ignore(_: str) -> None:
    pass


@needs_dpkg
def test_a_package_becomes_a_root_once(tmp_path: Path) -> None:
    cache, outside = tmp_path / "cache", write(tmp_path / "outside/secret.html", b"secret")
    files = {"usr/share/doc/tool-2/html/index.html": PAGE, "usr/share/doc/tool-2/html/sub/a.html": PAGE}
    links = {
        "usr/share/doc/tool-2/html/etc": "/etc",
        "usr/share/doc/tool-2/html/secret.html": str(outside),
        "usr/share/doc/tool-2/html/up": "../../../../../../../outside",
        "usr/share/doc/tool-2/html/root": "/usr/share/doc/tool-2/html/sub",
    }
    make_deb(tmp_path, "tool-doc", files, links, cache / "debs")
    tool = source("tool", packages=["tool-doc-9", "tool-doc"], root="usr/share/doc/tool-*/html")
    lines: list[str] = []
    roots = prepare([tool], cache, lines.append)
    root = roots["tool.localhost"]
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())
    assert names == ["index.html", "root/a.html", "sub/a.html"]
    assert lines == ["farm: tool: 3 pages from tool-doc; 3 files left out: etc, secret.html, up"]
    (cache / "debs/tool-doc.deb").unlink()
    assert prepare([tool], cache, lines.append) == roots and len(lines) == 1


@needs_dpkg
def test_a_killed_or_changed_run_starts_that_package_over(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    make_deb(tmp_path, "tool-doc", {"doc/a.html": PAGE, "doc/b.html": PAGE}, {}, cache / "debs")
    tool = source("tool", packages=["tool-doc"], root="doc")
    root = prepare([tool], cache, ignore)["tool.localhost"]
    (cache / "sites/tool.json").unlink()
    (root / "a.html").unlink()
    (root / "half.html").touch()
    assert sorted(path.name for path in prepare([tool], cache, ignore)["tool.localhost"].iterdir()) == [
        "a.html", "b.html",
    ]  # fmt: skip
    fewer = source("tool", packages=["tool-doc"], root="doc", include=["b*"])
    assert [path.name for path in prepare([fewer], cache, ignore)["tool.localhost"].iterdir()] == ["b.html"]


@needs_dpkg
@pytest.mark.parametrize(
    ("farm", "complaint"),
    [
        ({"root": "no/such"}, "has no directory no/such"),
        ({"root": "leads-out"}, "has no directory leads-out"),
        ({"root": "doc", "include": ["*.pdf"]}, "has no file that its include patterns name"),
    ],
)
def test_a_package_that_does_not_hold_it(tmp_path: Path, farm: dict[str, object], complaint: str) -> None:
    make_deb(tmp_path, "tool-doc", {"doc/a.html": PAGE}, {"leads-out": "/etc"}, tmp_path / "cache/debs")
    with pytest.raises(FarmUnavailable, match=complaint):
        prepare([source("tool", packages=["tool-doc"], **farm)], tmp_path / "cache", ignore)


MANDOC = b"""#!/bin/sh
page=$(cat)
case $page in
    *LOOP*) while :; do :; done ;;
    *CRASH*) kill -SEGV $$ ;;
esac
echo "<html><title>t</title>$page</html>"
"""


@needs_dpkg
def test_manual_pages_are_rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manpages, "CPU_LIMIT_S", 1)
    reference = '<a class="Xr" href="{0}">{0}</a> '
    page = "".join(reference.format(name) for name in ("other.8.html", "alias.8.html", "gone.8.html")).encode()
    manual = "usr/share/man"
    files = {
        f"{manual}/man1/tool.1.gz": gzip.compress(b'.\\" comment\n.TH TOOL 1\n' + page),
        f"{manual}/man8/other.8": b"other",
        f"{manual}/man8/alias.8.gz": gzip.compress(b".so man8/other.8\n"),
        f"{manual}/man8/loop.8": b"LOOP",
        f"{manual}/man8/crash.8": b"CRASH",
        f"{manual}/man8/broken.8.gz": b"no gzip",
        f"{manual}/de/man1/tool.1": b"not this one",
    }
    links = {f"{manual}/man1/link.1.gz": "tool.1.gz", f"{manual}/man1/passwd.1": "/etc/passwd"}
    cache = tmp_path / "cache"
    make_deb(tmp_path, "tool", files, links, cache / "debs")
    make_deb(tmp_path, "mandoc", {"usr/bin/mandoc": MANDOC}, {}, cache / "debs")
    lines: list[str] = []
    root = prepare([source("tool", packages=["tool"], root=manual, man_pages=True)], cache, lines.append)[
        "tool.localhost"
    ]
    assert sorted(path.name for path in root.iterdir()) == ["index.html", "other.8.html", "tool.1.html"]
    assert lines[0].startswith("farm: tool: 3 pages from tool; 4 files left out: ")
    text = (root / "tool.1.html").read_text()
    assert '<a class="Xr" href="other.8.html">alias.8.html</a>' in text
    assert "gone.8.html" in text and 'href="gone.8.html"' not in text
    assert '<li><a href="./tool.1.html">tool(1)</a></li>' in (root / "index.html").read_text()


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Make the packages of a directory the only ones that apt is offered; returns the directory."""
    folder = tmp_path / "archive"
    folder.mkdir()
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] copy:{folder} ./\n")
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list";\nDir::Etc::sourceparts "-";\nDir::Etc::parts "-";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))

    def publish() -> Path:
        entries = []
        for deb in sorted(folder.glob("*.deb")):
            control = subprocess.run(["dpkg-deb", "-f", deb], check=True, capture_output=True, text=True).stdout
            digest = hashlib.sha256(deb.read_bytes()).hexdigest()
            entries.append(f"{control}Filename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {digest}\n")
        (folder / "Packages").write_text("\n".join(entries))
        return folder

    return publish


@needs_dpkg
@needs_apt
def test_apt_downloads_what_is_missing(tmp_path: Path, archive: Callable[[], Path]) -> None:
    cache = tmp_path / "cache"
    make_deb(tmp_path, "one-doc", {"doc/a.html": PAGE}, {}, tmp_path / "archive")
    make_deb(tmp_path, "two-doc", {"doc/b.html": PAGE}, {}, tmp_path / "archive")
    archive()
    lines: list[str] = []
    one = source("one", packages=["one-doc-17", "one-doc", "two-doc"], root="doc")
    two = source("two", packages=["two-doc"], root="doc")
    roots = prepare([one, two], cache, lines.append)
    assert (roots["one.localhost"] / "a.html").read_bytes() == PAGE
    assert (roots["two.localhost"] / "b.html").read_bytes() == PAGE
    assert [line.split(",")[0] for line in lines[:2]] == [
        "farm: fetching package lists", "farm: downloading 2 packages",
    ]  # fmt: skip
    assert not list(cache.rglob("*.partial")) and not (cache / "work").exists()
    # Lists that name a version which is gone are fetched again.
    (tmp_path / "archive/two-doc.deb").rename(tmp_path / "archive/two-doc_2.deb")
    archive()
    shutil.rmtree(cache / "debs")
    shutil.rmtree(cache / "sites")
    assert prepare([two], cache, ignore).keys() == {"two.localhost"}


@needs_dpkg
@needs_apt
def test_a_package_that_nobody_offers_is_one_line(tmp_path: Path, archive: Callable[[], Path]) -> None:
    archive()
    with pytest.raises(FarmUnavailable) as error:
        prepare([source("one", packages=["one-doc", "one-doc-2"])], tmp_path / "cache", ignore)
    assert str(error.value) == "apt offers no package one-doc or one-doc-2"


def test_a_machine_without_apt_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FarmUnavailable, match=r"^the farm is made of Debian packages, .* no apt-get$"):
        prepare([source("one", packages=["one-doc"])], tmp_path / "cache", ignore)


# ---------------------------------------------------------------- manifests and the small farm


@pytest.mark.parametrize("name", ["debian.yaml", "small.yaml"])
def test_manifests(name: str) -> None:
    sources = load_sources(MANIFESTS / "farm" / name)
    categories = yaml.safe_load((MANIFESTS / "taxonomy.yaml").read_text())["categories"]
    hosts = [host for entry in sources for host in entry.hosts]
    assert len(hosts) == len(set(hosts)) >= 8
    for entry in sources:
        assert entry.category in categories and entry.status == "on" and entry.licence and entry.farm
        assert entry.seeds == [f"http://{entry.hosts[0]}/"]


def test_taxonomy() -> None:
    categories = yaml.safe_load((MANIFESTS / "taxonomy.yaml").read_text())["categories"]
    assert len(categories) == 15
    assert {entry["capability"] for entry in categories.values()} == {"general", "design", "debug"}
    assert all(entry.keys() - {"mixed"} == {"definition", "capability"} for entry in categories.values())


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return prepare(load_sources(MANIFESTS / "farm/small.yaml"), tmp_path_factory.mktemp("cache"), ignore)


def test_the_small_farm_is_served(small: dict[str, Path]) -> None:
    with serve(small, ["httpd.localhost"]) as address:
        client = Client(address)
        pages = {}
        for host in small:
            for url in locations(client.ask("/sitemap.xml", host=host)[2])[1]:
                status, headers, body = client.ask(url.removeprefix(f"http://{host}"), host=host)
                assert status == 200
                pages[url] = body
                if host == "httpd.localhost":
                    assert headers["Content-Type"] == "application/xhtml+xml"
                    ElementTree.fromstring(body)
        assert 40 <= len(pages) <= 70
        assert client.ask("/1.1", host="storage.localhost")[0] == 301
        assert client.ask("/lslocks.8.html", host="manuals.localhost")[0] == 404
    blog = "http://blog.localhost"
    assert pages[f"{blog}/2024/conntrack.html"] == pages[f"{blog}/print/conntrack.html"]
    assert b'<meta name="robots" content="noai">' in pages[f"{blog}/2023/benchmarks.html"]
    assert pages[f"{blog}/2023/leap.html"].startswith(b"\xef\xbb\xbf")
    assert b"&lt;|endoftext|&gt;" in pages[f"{blog}/2023/end-of-text.html"]
    assert f"{blog}/private/draft.html" not in pages
    german = pages["http://httpd.localhost/de/tls.html"]
    assert b"ISO-8859-1" in german and "Schlüssel".encode("latin-1") in german


def test_a_directory_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FarmUnavailable, match="there is no directory no/such"):
        prepare([source("one", directory="no/such")], tmp_path, ignore)


def test_two_sources_of_one_host(tmp_path: Path) -> None:
    directory = str((packages.REPOSITORY / "crawlers/farm/sites/blog").relative_to(packages.REPOSITORY))
    one = source("one", directory=directory)
    with pytest.raises(ValueError, match=r"the host one\.localhost"):
        prepare([one, one.model_copy(update={"id": "two"})], tmp_path, ignore)
